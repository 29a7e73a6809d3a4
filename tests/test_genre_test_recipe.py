"""The recipe of the public genre test set, with tiny packages in a package source of our own."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import recipe_modules
import soundfile

RECIPE = Path(__file__).parent.parent / "recipes" / "genre_test"
ROCK = "usr/share/games/quiet/music/rock.ogg"
HEADER = "package,path,inside,genre,written,artist,title,seconds,sha256"
needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="needs apt and dpkg-deb"
)


@pytest.fixture(scope="module")
def recipe():
    """The recipe's modules, imported as its own scripts import them."""
    with recipe_modules.of("genre_test") as module:
        yield module("fetch"), module("tracks")


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A Debian package with a track, a track in an archive, and a copyright file."""
    root = tmp_path_factory.mktemp("package")
    tree = root / "quiet-data"
    music = tree / "usr/share/games/quiet/music"
    music.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(tree / ROCK, noise, 16000)
    with zipfile.ZipFile(music / "more.pk3", "w") as archive:
        archive.write(tree / ROCK, "sound/metal.ogg")
    (music / "unwanted.ogg").write_bytes(b"x")
    (tree / "usr/share/doc/quiet-data").mkdir(parents=True)
    (tree / "usr/share/doc/quiet-data/copyright").write_text("CC0-1.0\n")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: quiet-data\nVersion: 1.2-3\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.org>\nDescription: a test\n"
    )
    deb = root / "quiet-data_1.2-3_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", tree, deb]
    subprocess.run(command, check=True, capture_output=True)
    return deb


@pytest.fixture(scope="module")
def source(package, tmp_path_factory) -> Path:
    """A configuration of apt that knows this one package and nothing else."""
    root = tmp_path_factory.mktemp("apt")
    repository, state = root / "repository", root / "state"
    repository.mkdir()
    shutil.copy(package, repository)
    fields = subprocess.run(["dpkg-deb", "-f", package], check=True, capture_output=True, text=True)
    (repository / "Packages").write_text(
        f"{fields.stdout.rstrip()}\nFilename: ./{package.name}\nSize: {package.stat().st_size}\n"
        f"SHA256: {hashlib.sha256(package.read_bytes()).hexdigest()}\n\n"
    )
    for folder in ("etc/apt/preferences.d", "lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    config = root / "apt.conf"
    config.write_text(
        f'Dir::State "{state}"; Dir::State::lists "{state}/lists"; '
        f'Dir::State::status "{state}/status"; Dir::Cache "{state}/cache"; '
        f'Dir::Etc "{state}/etc/apt"; Dir::Etc::sourcelist "{state}/sources.list"; '
        'Dir::Etc::sourceparts "-"; APT::Sandbox::User ""; Acquire::Languages "none";'
    )
    environment = {"APT_CONFIG": str(config), "PATH": "/usr/bin:/bin"}
    subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=environment)
    return config


def table(folder: Path, *rows: str) -> Path:
    path = folder / "tracks.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


GOOD = f"quiet-data,{ROCK},,rock,Rock,Ann,Stone,1.0,"
ARCHIVED = (
    "quiet-data,usr/share/games/quiet/music/more.pk3,sound/metal.ogg,metal,Metal,Bob,Ore,1.0,"
)
GONE = "quiet-data,usr/share/games/quiet/music/gone.ogg,,rock,Rock,Ann,Gone,1.0,"


def test_the_table_names_84_tracks_of_five_genres_and_four_singles(recipe):
    _, tracks = recipe
    genres = [track.genre for track in tracks.read()]
    counts = {genre: genres.count(genre) for genre in genres}
    singles = dict.fromkeys(("reggae", "chiptune", "blues", "folk"), 1)
    assert counts == {
        "classical": 40,
        "electronic": 17,
        "metal": 13,
        "ambient": 8,
        "rock": 2,
        **singles,
    }
    assert all(len(track.sha256) == 64 for track in tracks.read())
    assert len({track.file for track in tracks.read()}) == 84


@needs_apt
def test_tracks_are_taken_out_of_a_package_and_of_an_archive_in_it(recipe, package, tmp_path):
    fetch, tracks = recipe
    wanted = tracks.read(table(tmp_path, GOOD, ARCHIVED))
    entry = fetch.unpack(package, wanted, tmp_path)
    assert entry["version"] == "1.2-3"
    assert entry["missing"] == {}
    archived = "quiet-data/usr/share/games/quiet/music/more.pk3/sound/metal.ogg"
    for file in (f"quiet-data/{ROCK}", archived):
        assert soundfile.info(tmp_path / file).frames == 16000
        assert entry["tracks"][file] == hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
    assert (tmp_path / "quiet-data/copyright").read_text() == "CC0-1.0\n"
    assert not list(tmp_path.rglob("unwanted.ogg"))


@needs_apt
def test_the_program_lists_missing_tracks_and_gets_the_rest(source, tmp_path):
    other = GOOD.replace("quiet-data", "lost-data", 1)
    rows = table(tmp_path, other, GOOD, GONE)
    folder = tmp_path / "test set"
    command = [sys.executable, RECIPE / "fetch.py", folder, "--table", rows]
    environment = {"APT_CONFIG": str(source), "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 1
    assert f"1 tracks in {folder}" in answer.stdout.replace("\n", "")
    assert "lost-data: E: Unable to locate package lost-data" in answer.stdout
    assert "gone.ogg: is not in quiet-data_1.2-3_all.deb" in answer.stdout
    assert (folder / "quiet-data" / ROCK).is_file()
    assert list(folder.rglob("*.deb")) == []


@needs_apt
def test_a_second_run_downloads_only_incomplete_packages(recipe, source, tmp_path, monkeypatch):
    fetch, tracks = recipe
    monkeypatch.setenv("APT_CONFIG", str(source))
    wanted = tracks.read(table(tmp_path, GOOD, GONE))
    assert list(fetch.fetch(tmp_path, wanted)) == [wanted[1].file]
    stamp = (tmp_path / wanted[0].file).stat().st_mtime_ns
    monkeypatch.setenv("APT_CONFIG", "/dev/null/none")  # apt fails if it is run
    assert list(fetch.fetch(tmp_path, wanted)) == [wanted[1].file]
    assert (tmp_path / wanted[0].file).stat().st_mtime_ns == stamp
    (tmp_path / wanted[0].file).unlink()
    assert list(fetch.fetch(tmp_path, wanted)) == ["quiet-data"]


def test_without_apt_the_message_says_how_to_fix_it(recipe, tmp_path, monkeypatch):
    fetch, tracks = recipe
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"no apt-get and no dpkg-deb here.*Debian 12"):
        fetch.fetch(tmp_path / "set", tracks.read())


@needs_apt
def test_another_version_of_a_track_is_named(recipe, package, tmp_path):
    fetch, tracks = recipe
    wanted = tracks.read(table(tmp_path, GOOD + "0" * 64, ARCHIVED))
    record = {"quiet-data": fetch.unpack(package, wanted, tmp_path)}
    assert fetch.changed(wanted, record) == [f"quiet-data/{ROCK}"]
    json.dumps(record)  # what is written to the folder


def test_the_corpus_holds_five_genres_grouped_by_artist(recipe, tmp_path):
    _, tracks = recipe
    folk = GOOD.replace("rock,Rock", "folk,Folk").replace("rock.ogg", "folk.ogg")
    nameless = GOOD.replace("Ann", "").replace("rock.ogg", "nameless.ogg")
    rows = table(tmp_path, GOOD, ARCHIVED, folk, nameless)
    for track in tracks.read(rows)[::3]:
        (tmp_path / track.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / track.file).touch()
    corpus = tracks.corpus(tmp_path, rows)
    assert corpus.labels == ("classical", "electronic", "metal", "ambient", "rock")
    assert corpus.single_label
    assert [clip.group for clip in corpus.clips] == ["Ann", "unknown, quiet-data"]
    assert [skipped.reason for skipped in corpus.skipped] == [
        "not in the folder: see fetch.py",
        "the only track of its genre, folk",
    ]


def test_a_folder_without_tracks_says_how_to_get_them(recipe, tmp_path):
    _, tracks = recipe
    with pytest.raises(FileNotFoundError, match=r"recipes/genre_test/fetch\.py"):
        tracks.corpus(tmp_path)
