"""Tags in the metadata of sound files: the sound stays the same, and nothing is lost."""

import hashlib

import numpy as np
import pytest
import soundfile

import zoo
from zoo.audio import metadata

av = pytest.importorskip("av")

KINDS = {"mp3": ("MP3", None), "flac": ("FLAC", None), "ogg": ("OGG", "VORBIS"),
         "opus": ("OGG", "OPUS"), "m4a": (None, None)}  # fmt: skip


@pytest.fixture
def sound():
    return np.random.default_rng(0).normal(0, 0.1, (48000 * 2, 2)).astype("float32")


def write(path, sound):
    form, subtype = KINDS[path.suffix[1:]]
    if form:
        soundfile.write(path, sound, 48000, subtype, format=form)
        return path
    with av.open(str(path), "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(sound.T[:1].copy(), format="fltp", layout="mono")
        frame.sample_rate = 48000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path


def read(path):
    """Return all metadata, the names in lower case."""
    with av.open(str(path)) as file:
        found = {**file.metadata, **file.streams.audio[0].metadata}
    return {key.lower(): value for key, value in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_written_and_the_sound_stays(kind, sound, tmp_path):
    path = write(tmp_path / f"song.{kind}", sound)
    path.chmod(0o640)
    before = zoo.audio.load(path, 48000)
    metadata.write_tags(path, ["piano", "solo"])
    assert read(path)["genre"] == "piano; solo"
    np.testing.assert_array_equal(zoo.audio.load(path, 48000), before)
    assert path.stat().st_mode & 0o777 == 0o640
    metadata.write_tags(path, ["r\u00f6ck"])
    assert read(path)["genre"] == "r\u00f6ck"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_metadata_stay(sound, tmp_path):
    path = tmp_path / "song.flac"
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        file.title, file.artist, file.genre = "One", "Nina", "old"
        file.write(sound)
    metadata.write_tags(path, ["new"])
    found = read(path)
    assert (found["title"], found["artist"], found["genre"]) == ("One", "Nina", "new")


def test_a_copy_that_would_sound_different_replaces_nothing(sound, tmp_path, monkeypatch):
    path = write(tmp_path / "song.mp3", sound)
    before = hashlib.sha256(path.read_bytes()).digest()
    monkeypatch.setattr(metadata, "_digest", lambda file: file)
    with pytest.raises(zoo.AudioError, match=r"would not have the same sound.*left as it is"):
        metadata.write_tags(path, ["rock"])
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_files_without_a_place_for_tags_are_refused(tmp_path, sound):
    soundfile.write(tmp_path / "song.wav", sound, 48000)
    with pytest.raises(zoo.ConfigError, match=r"written into \.mp3.*left as it is"):
        metadata.write_tags(tmp_path / "song.wav", ["rock"])
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(zoo.AudioError):
        metadata.write_tags(tmp_path / "bad.flac", ["rock"])


def test_the_command_shows_first_and_writes_then(run, sound, tmp_path):
    path = write(tmp_path / "song.flac", sound)
    before = path.read_bytes()
    command = ["tag", path, "--write-tags", "--min-score", "0", "--top", "2"]
    shown = run(*command, "--dry-run")
    assert shown.exit_code == 0
    assert "would be written" in shown.stderr
    assert path.read_bytes() == before
    done = run(*command)
    assert done.exit_code == 0
    assert f"genre {read(path)['genre']!r} written" in done.stderr
    assert len(read(path)["genre"].split("; ")) == 2
    none = run("tag", path, "--write-tags", "--min-score", "1.1")
    assert "no tag has that score" in none.stderr
    soundfile.write(tmp_path / "song.wav", sound, 48000)
    bad = run("tag", tmp_path / "song.wav", "--write-tags", "--min-score", "0")
    assert bad.exit_code == 1
    assert "this file is left as it is" in bad.stderr
