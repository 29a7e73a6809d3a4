"""The test on real players: who is in it, what its clips answer, and how they are scored."""

import csv
import shutil
import subprocess

import numpy as np
import pytest
import recipe_modules
import soundfile

import zoo


@pytest.fixture(scope="module")
def recipe():
    """Import a module of the recipe."""
    with recipe_modules.of("real_test") as module:
        yield module


@pytest.fixture(scope="module")
def recordings():
    with recipe_modules.of("corpus") as module:
        yield module("recordings")


def test_nobody_is_in_both_parts(recipe):
    clips = recipe("real_clips")
    parts = [clips.read(part) for part in (clips.VALIDATION, clips.TEST)]
    for field in ("group", "file"):
        validation, test = ({getattr(clip, field) for clip in part} for part in parts)
        assert not validation & test
    names = [clip.clip for part in parts for clip in part]
    assert len(names) == len(set(names))
    assert all(clip.licence and clip.source and clip.original for part in parts for clip in part)


def test_players_of_the_real_test_are_not_trained_on(recipe, recordings, tmp_path):
    clips = recipe("real_clips")
    tested = [clip.file for part in ("validation", "test") for clip in clips.read(part)]
    files = [*tested, "train/voice-somebody_000.opus", "train/voice-somebody_001.opus"]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["file", "source", "original_paths", "licence", "author", "kind", "seconds"]
        )
        writer.writerows([name, "a@1", "a", "CC0-1.0", "A", "voice_female", "10"] for name in files)
    found = recordings.read(tmp_path)
    assert [recording.file for recording in found] == files[-2:]
    assert {recording.player for recording in found} == {"voice-somebody"}
    assert {recording.use for recording in found} == {"voice"}
    recordings.link(tmp_path / "corpus", tmp_path, found)
    linked = tmp_path / "corpus" / "recordings" / "voice" / "voice-somebody_000.opus"
    assert linked.readlink() == (tmp_path / files[-2]).resolve()


def test_songs_of_a_band_are_by_one_player(recordings):
    names = ["train/songs-awwaiid_umbrellas.opus", "train/songs-awwaiid_immortal_crowd.opus"]
    assert {recordings.player(name) for name in names} == {"songs-awwaiid"}
    assert (
        recordings.player("train/more-sing-male-goekhan-02-gel-2.ogg") == "more-sing-male-goekhan"
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_recordings_come_from_the_commit_that_is_named(recipe, tmp_path):
    fetch, clips = recipe("fetch"), recipe("real_clips")
    repository = tmp_path / "clones" / "player" / "songs"
    repository.mkdir(parents=True)

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(repository), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    sound = np.linspace(-0.5, 0.5, 8000).astype("float32")
    for values in (sound, -sound):  # the later commit is not the one that is named
        soundfile.write(repository / "solo.wav", values, 1000, subtype="PCM_16")
        git("add", "solo.wav")
        git("commit", "--quiet", "-m", "a song")
    source = f"player/songs@{git('rev-parse', 'HEAD~1')}"

    def row(name: str, original: str, source: str = source) -> object:
        kind = clip(clips, "solo", "flute", name=name)
        return kind._replace(file=f"extra/{name}.flac", source=source, original=original)

    rows = [
        row("whole", "solo.wav"),
        row("later", "solo.wav from 5.5 s"),
        row("missing", "other.wav"),
        row("notes", "a.wav; b.wav"),
        row("package", "solo.wav", "npm:songs@1.0.0"),
    ]
    failed = fetch.fetch(rows, tmp_path / "recordings", tmp_path / "clones")
    assert failed.keys() == {"missing", "notes", "package"}
    assert "other.wav" in failed["missing"]
    for name, expected in (("whole", sound[:3000]), ("later", sound[5500:])):
        got, rate = soundfile.read(tmp_path / "recordings" / "extra" / f"{name}.flac")
        assert rate == 1000
        np.testing.assert_allclose(got, expected, atol=1e-4)
    assert fetch.fetch(rows[:2], tmp_path / "recordings", tmp_path / "nowhere") == {}  # are there


def clip(module, kind: str, labels: str, group: str = "a", name: str = "a"):
    return module.Clip(
        name, "test", group, kind, labels, f"{name}.wav", 0.0, 3.0, "s", "o", "l", "x"
    )


def test_a_clip_answers_only_what_its_labels_decide(recipe):
    clips = recipe("real_clips")
    solo = clip(clips, "solo", "vocals|female vocals")
    assert [solo.answer(q) for q in ("vocals", "male vocals", "flute")] == [True, False, False]
    assert solo.answer("metal") is None
    unknown = clip(clips, "solo", "vocals")
    assert [unknown.answer(q) for q in ("vocals", "male vocals", "flute")] == [True, None, False]
    song = clip(clips, "song", "vocals|female vocals|guitar")
    assert [song.answer(q) for q in ("guitar", "male vocals")] == [True, False]
    assert song.answer("flute") is None
    assert clip(clips, "song", "no vocals|piano").answer("vocals") is False
    track = clip(clips, "genre", "metal")
    assert [track.answer(q) for q in ("metal", "ambient", "vocals")] == [True, False, None]


def test_areas_are_those_of_the_clips_that_answer(recipe):
    clips, scores = recipe("real_clips"), recipe("real_scores")
    some = [clip(clips, "solo", "flute", f"g{i}") for i in range(4)]
    some += [clip(clips, "solo", "guitar", f"h{i}") for i in range(5)]
    some += [clip(clips, "song", "vocals", "s")]  # answers neither
    assert set(clips.answers(some)) == {"flute", "guitar"}
    flute = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0])
    found = scores.areas({"flute": flute, "guitar": 1 - flute}, some)
    flutes = found["flute"]
    assert flutes.value == pytest.approx(15 / 20)
    assert (flutes.clips, flutes.groups, flutes.positive) == (9, 9, 4)
    assert flutes.score.low < flutes.value < flutes.score.high
    assert found[scores.MEAN].value == pytest.approx(15 / 20)
    assert scores.MEAN not in scores.areas({"flute": flute}, some)


def test_clips_are_cut_scored_and_kept(recipe, tmp_path, monkeypatch, capsys):
    clips, score = recipe("real_clips"), recipe("score")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(8):
        labels = "flute" if i % 2 else "guitar"
        rows.append(clip(clips, "solo", labels, f"g{i}", f"c{i}")._replace(start=0.5))
        sound = 0.1 * rng.standard_normal(16000 * 4)
        soundfile.write(tmp_path / f"c{i}.wav", sound, 16000)
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([clips.Clip._fields, *rows])
    read = clips.read
    for module in (recipe("build"), score):
        monkeypatch.setattr(module, "read", lambda part: read(part, tmp_path / "clips.csv"))
    places = ["--recordings", str(tmp_path), "--genre", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["", str(tmp_path / "real"), *places])
    recipe("build").main()
    cut, rate = soundfile.read(tmp_path / "real" / "test" / "c3.flac")
    assert (len(cut), rate) == (48000, 16000)
    command = ["", str(tmp_path / "real"), "--only", "dieleman2014.zoo", "--part", "test"]
    monkeypatch.setattr("sys.argv", [*command, "--results", str(tmp_path / "results")])
    score.main()
    with (tmp_path / "results" / "real_test.csv").open(newline="") as file:
        table = {row["question"]: row for row in csv.DictReader(file)}
    assert set(table) == {"flute", "guitar", "mean"}
    assert table["flute"]["with it"] == "4"
    assert 0 <= float(table["mean"]["ROC-AUC"]) <= 1
    monkeypatch.setattr(zoo.AudioModel, "stream", None)  # what is kept is not predicted again
    score.main()
    (tmp_path / "c5.wav").unlink()
    (tmp_path / "real" / "test" / "c5.flac").unlink()
    monkeypatch.setattr("sys.argv", ["", str(tmp_path / "real"), *places])
    with pytest.raises(SystemExit):
        recipe("build").main()
    assert "no recording for c5: c5.wav (s, o)" in capsys.readouterr().out
