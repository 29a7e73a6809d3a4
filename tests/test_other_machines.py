"""Windows, case-insensitive file systems, odd names, no home, LANG=C: as far as Linux can try."""

import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
import songs

from zoo.cli import tagging
from zoo.data.readers import table
from zoo.registry import lookup, manifest
from zoo.registry.manifest import Bundled
from zoo.weights import cache

MODEL = "dieleman2014.zoo"
FORBIDDEN = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{n}{i}" for n in ("COM", "LPT") for i in range(1, 10))}

posix = pytest.mark.skipif(os.name != "posix", reason="names of POSIX")


def zoo(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(os.fsencode, map(str, arguments))],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.fixture
def song(tmp_path) -> Path:
    songs.make(tmp_path / "made", 1, seconds=3.5, kinds=("noise",))
    return tmp_path / "made" / "noise" / "0.wav"


# --- Windows ---


def test_files_that_the_zoo_names_may_be_so_named_on_windows():
    names = []
    for name, checkpoint in manifest.load().checkpoints.items():
        names += [f".{name}.lock", *(s.file for s in checkpoint.sources if isinstance(s, Bundled))]
        names += [s.file for s in checkpoint.remote]
        names += [cache.file_name(name, source.identity) for source in checkpoint.remote]
    for name in names:
        assert not FORBIDDEN & set(name), name
        assert PureWindowsPath(name).name == name
        assert name.partition(".")[0].upper() not in RESERVED, name
        assert not name.endswith((" ", ".")), name
    assert len({name.casefold() for name in names}) == len(set(names))


def test_names_of_checkpoints_differ_in_more_than_case():
    names = lookup.list_models()
    assert len({name.casefold() for name in names}) == len(names)


def test_a_table_from_windows_is_read_with_its_own_separators(tmp_path, song):
    (tmp_path / "clips.csv").write_bytes(b"path,tags\r\nmade\\noise\\0.wav,noise\r\n")
    with_backslashes = table.read(tmp_path / "clips.csv")
    assert [Path(clip.path) for clip in with_backslashes.clips] == [song]


# --- case ---


def test_names_that_differ_in_case_only_are_refused_where_they_would_be_one_file(
    tmp_path, song, run, monkeypatch
):
    for name in ("a.wav", "A.wav"):
        (tmp_path / name).write_bytes(song.read_bytes())
    if (tmp_path / "a.wav").samefile(tmp_path / "A.wav"):
        pytest.skip("this file system folds case, so there are no two files")
    arguments = ("embed", tmp_path / "a.wav", tmp_path / "A.wav", "-m", MODEL, "-o", tmp_path / "o")
    assert not tagging.folds_case(tmp_path)
    monkeypatch.setattr(tagging, "folds_case", lambda _: True)
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "differ in case only" in refused.stderr
    monkeypatch.undo()
    (tmp_path / "o" / ".case").mkdir()  # as a process leaves it that was killed
    assert run(*arguments).exit_code == 0
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"a.wav.npz", "A.wav.npz"}


# --- names, locale, home ---


@posix
def test_spaces_and_bytes_that_are_no_utf8_go_through_the_command(tmp_path, song):
    folder = tmp_path / os.fsdecode(b"a b \xff")
    folder.mkdir()
    (folder / os.fsdecode(b" caf\xe9 1.wav")).write_bytes(song.read_bytes())
    tagged = zoo("tag", folder, "-m", MODEL, "--json")
    assert tagged.returncode == 0, tagged.stderr
    assert len([json.loads(line) for line in tagged.stdout.splitlines()]) == 1
    written = zoo("embed", folder, "-m", MODEL, "-o", tmp_path / "out put")
    assert written.returncode == 0, written.stderr
    names = [os.fsencode(path.name) for path in (tmp_path / "out put").iterdir()]
    assert names == [b" caf\xe9 1.wav.npz"]


@posix
@pytest.mark.parametrize("name", ["o.txt", "o.json", "o.csv"])
def test_names_that_are_no_utf8_are_escaped_in_a_file_of_tags(tmp_path, song, name, run):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(song.read_bytes())
    assert run("tag", path, "-m", MODEL, "-o", tmp_path / name).exit_code == 0
    assert "caf\\udce9.wav" in (tmp_path / name).read_text(encoding="utf-8")


@posix
@pytest.mark.filterwarnings("ignore:r was trained on")
def test_names_that_are_no_utf8_are_in_tables_and_in_settings(tmp_path, run):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / os.fsdecode(b"s\xe9")
    songs.make(tmp_path / "made", 4, seconds=3.5)
    (tmp_path / "made").rename(folder)
    for path in [*folder.glob("*/*.wav"), *folder.glob("*")]:
        path.rename(path.with_name(path.stem + os.fsdecode(b"\xe8") + path.suffix))
    first = sorted(folder.iterdir())[0].name.replace("\udce8", "\\udce8")
    assert run("embed", folder, "-m", MODEL, "-o", tmp_path / "x.parquet").exit_code == 0
    columns = parquet.read_table(tmp_path / "x.parquet").to_pydict()
    assert first in columns["label"]
    assert columns["path"][0].endswith("0\\udce8.wav")
    run_folder = tmp_path / os.fsdecode(b"r\xe9")
    short = ("--epochs", "1", "--head-epochs", "1")
    tuned = run("finetune", MODEL, "--data", folder, "-o", run_folder, *short)
    assert tuned.exit_code == 0, tuned.output
    assert "s\\udce9" in json.loads((run_folder / "settings.json").read_bytes())["train"]["name"]
    assert run("evaluate", run_folder, "--data", folder, "-o", tmp_path / "e.json").exit_code == 0
    assert run("tag", folder, "-m", run_folder, "-o", tmp_path / "t.csv").exit_code == 0


@posix
def test_the_command_works_with_lang_c(tmp_path, song):
    path = tmp_path / "日本語.wav"
    path.write_bytes(song.read_bytes())
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    tagged = zoo("tag", path, "-m", MODEL, **plain)
    assert tagged.returncode == 0, tagged.stderr
    tagged.stdout.decode("ascii")
    assert b"Traceback" not in tagged.stderr


@posix
@pytest.mark.parametrize("home", ["/dev/null", "/proc"])
def test_the_command_works_with_a_home_that_cannot_be_written(song, home):
    tagged = zoo("tag", song, "-m", MODEL, HOME=home, XDG_CACHE_HOME="", ZOO_CACHE="")
    assert tagged.returncode == 0, tagged.stderr
    assert b"Traceback" not in tagged.stderr
