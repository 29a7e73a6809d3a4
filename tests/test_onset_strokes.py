"""The recipe's drums as drummers play them: what is played, marked and scored."""

import csv
from collections import Counter

import numpy as np
import pytest
import recipe_modules
import soundfile

RATE = 44100


@pytest.fixture(scope="module")
def recipe():
    """Import a module of the recipe."""
    with recipe_modules.of("onsets") as module:
        yield module


@pytest.fixture(scope="module")
def strokes(recipe):
    return recipe("strokes")


@pytest.fixture(scope="module")
def train(recipe):
    return recipe("train")


def struck(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """Noise that dies away, with its highest sample at a level in dB."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.random.default_rng(seed).normal(size=len(time)) * np.exp(-6 * time / seconds)
    return (sound / np.abs(sound).max() * 10 ** (level / 20)).astype("float32")


@pytest.fixture(scope="module")
def kit(strokes):
    """Every drum at five dynamics."""
    return {
        name: strokes.Drum([[strokes.shot(struck(1, level), 0.0) for level in range(-32, 1, 8)]])
        for name in strokes.INSTRUMENTS
    }


@pytest.mark.parametrize("figure", ["flam", "drag", "ruff", "doubles", "two", "singles", "ghosts"])
def test_a_rudiment_has_strokes_in_order_and_no_closer_than_15_ms(strokes, figure):
    for seed in range(20):
        made = strokes.figure(np.random.default_rng(seed), figure, 1.0, "snare", 0.9)
        assert made[0].time == 1.0
        assert np.diff([s.time for s in made]).min() >= 0.015 - 1e-9
        assert all(0 < s.loudness <= 1 for s in made)


def test_all_that_is_played_ends_before_the_clip(strokes):
    gaps = []
    for written in set(strokes.PLAYED):
        made = sorted(written(np.random.default_rng(3)))
        assert len(made) > 20
        assert {s.instrument for s in made} <= set(strokes.INSTRUMENTS)
        gaps += np.diff([s.time for s in made]).tolist()
    assert min(gaps) >= 0
    assert np.mean([0.03 < gap < 0.06 for gap in gaps]) > 0.05


def test_strokes_sound_when_they_are_said_to(strokes, kit):
    asked = [strokes.Stroke(t, "snare", 1.0) for t in (0.5, 1.5, 1.55)]
    sound, taken = strokes.perform(np.random.default_rng(0), asked, kit)
    assert [s.time for s in taken] == [0.5, 1.5, 1.55]
    assert np.flatnonzero(np.abs(sound) > 1e-4)[0] == pytest.approx(0.5 * RATE, abs=20)


def test_a_stroke_that_nobody_could_notice_is_left_out(strokes, kit):
    drum = kit["crash"].articulations
    loud = {**kit, "crash": strokes.Drum(drum, gain=60.0)}
    asked = [strokes.Stroke(0.5, "crash", 1.0), strokes.Stroke(0.55, "snare", 0.05)]
    _, taken = strokes.perform(np.random.default_rng(0), asked, loud)
    assert [s.instrument for s in taken] == ["crash"]


def test_a_ring_is_cut_by_a_closed_hat_alone(strokes, kit):
    def left(first: str, second: str) -> float:
        asked = [strokes.Stroke(0.5, first, 1.0), strokes.Stroke(0.6, second, 1.0)]
        alone = strokes.perform(np.random.default_rng(0), asked[1:], kit)[0]
        both = strokes.perform(np.random.default_rng(0), asked, kit)[0]
        return float(np.abs(both - alone)[round(0.7 * RATE) : round(0.9 * RATE)].std())

    assert left("open hat", "ride") > 0.01
    assert left("crash", "crash") > 0.01
    quiet = strokes.perform(
        np.random.default_rng(0),
        [strokes.Stroke(0.5, "open hat", 1.0), strokes.Stroke(0.6, "closed hat", 1.0)],
        {**kit, "closed hat": strokes.Drum([[strokes.shot(struck(0.05, 0), 0.0)]])},
    )[0]
    assert np.abs(quiet[round(0.7 * RATE) :]).max() < 1e-3


def test_a_softer_stroke_is_a_softer_recording(strokes, kit):
    rng = np.random.default_rng(0)
    shots = kit["snare"].articulations[0]
    levels = [strokes.picked(rng, shots, loud)[0].level for loud in (1.0, 0.5, 0.1)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] - levels[-1] > 20


def test_kits_kept_for_validation_are_not_in_training(strokes, tmp_path):
    head = ["file", "kit", "instrument", "articulation", "onset_s"]
    kept = [
        ["a.wav", "one", "snare", "hit", "0"],
        ["a.wav", strokes.KEPT[0], "tom", "low", "0"],
        ["a.wav", "one", "snare", "rest (snares rattle)", "0"],
    ]
    soundfile.write(tmp_path / "a.wav", struck(0.5, 0), RATE)
    for table, rows in (("drums.csv", kept), ("test_drums.csv", kept[:1])):
        with (tmp_path / table).open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    found = {s: strokes.recorded(tmp_path, s) for s in ("train", "validation", "test")}
    assert [list(kit) for kit in found["train"]] == [["snare"]]
    assert [list(kit) for kit in found["validation"]] == [["low tom"]]
    assert [list(kit) for kit in found["test"]] == [["snare"]]


def test_a_clip_says_what_was_struck_and_how_loud(strokes, kit):
    made = strokes.clip(np.random.default_rng(1), "validation", [kit], 3)
    assert len(made.onsets) == len(made.instruments) == len(made.levels)
    assert np.diff(made.onsets).min() > 0.03
    assert len(made.every) >= len(made.onsets)
    assert made.levels.max() == 0
    assert Counter(made.instruments.tolist())["several"] > 0


def test_every_stroke_is_a_target_and_none_lies_between_close_ones(train):
    clip = {
        "features": np.zeros((74, 80, 3)),
        "onsets": np.array([0.10, 0.20, 0.30, 0.40]),
        "every": np.array([0.10, 0.12, 0.20, 0.23, 0.30, 0.34, 0.40, 0.45]),
        "ignored": np.zeros(0),
    }
    wanted, weights = train.targets(clip, fuzzy=True)
    expected = [9, 10, 11, 12, 13, 19, 20, 23, 24, 29, 30, 34, 35, 39, 40, 41, 44, 45, 46]
    assert np.flatnonzero(wanted).tolist() == expected
    assert weights[21] == weights[22] == train.FUZZY  # not certain, so they count less
    assert weights[32] == 1


def test_half_of_the_pieces_are_of_what_drummers_play(train):
    rng = np.random.default_rng(0)
    clips = [{"features": np.full((114, 1, 1), i, "float32")} for i in range(10)]
    clips[0]["every"] = np.zeros(0)
    labels = [(np.zeros(100), np.ones(100))] * 10
    x, y, _ = train.sampled(clips, labels, 400, rng)
    assert x.shape[:2] == (400, train.FRAMES + 2 * train.CONTEXT)
    assert y.shape == (400, train.FRAMES, 1)
    assert np.mean(x[:, 0, 0, 0] == 0) == pytest.approx(train.SHARE, abs=0.08)


def test_recall_by_gap_instrument_and_level(recipe):
    test = recipe("stroke_test")
    clip = test.Marked(
        None,
        np.array([1.0, 1.05, 1.13, 2.0]),
        np.array(["snare", "ride", "several", "pitched"]),
        np.array([0.0, -15.0, -30.0, 0.0]),
    )
    rows = list(test.rows([clip, clip], [np.array([1.0, 1.13, 3.0]), np.array([1.04])]))
    of = {(row[0], row[2]): row[3:] for row in rows}
    assert of["0.025", "all"][:3] == ["8", "0.7500", "0.3750"]
    assert of["0.025", "under 60 ms"][:3] == ["2", "", "0.5000"]
    assert of["0.025", "60 to 100 ms"][:3] == ["2", "", "0.5000"]
    assert of["0.025", "100 ms and more"][:3] == ["4", "", "0.2500"]
    assert of["0.025", "ride"][2] == "0.5000"
    assert of["0.025", "10 to 20 dB softer"][2] == "0.5000"
    assert of["0.025", "up to 10 dB softer"][0] == "2"  # a pitched note has no such level


@pytest.fixture
def folder(train, tmp_path):
    """A folder of archives with clips of 2 s, as material.py fills it, but of noise and clicks."""
    rng = np.random.default_rng(0)
    for name in ("train-strokes-00", "train-kits-00", "validation-kits-00",
                 "strokes_validation-strokes-00"):  # fmt: skip
        arrays = {}
        for i in range(train.sounds.CLIPS):
            features = rng.normal(-8, 1, (200, 80, 3)).astype("float16")
            features[[50, 100, 150]] += 6
            arrays |= {
                f"features{i}": features,
                f"onsets{i}": np.array([0.5, 1.0, 1.5]),
                f"ignored{i}": np.zeros(0),
                f"every{i}": np.array([0.5, 1.0, 1.02, 1.5]),
            }
        np.savez(tmp_path / f"{name}.npz", **arrays)
    return tmp_path


def test_the_last_network_starts_from_given_weights_and_resumes(train, folder, monkeypatch):
    monkeypatch.setattr(train, "UPDATES", {train.NAME: 8})
    monkeypatch.setattr(train, "EVERY", 4)
    monkeypatch.setattr(train, "THRESHOLDS", np.array([0.1, 0.3]))
    clips = train.read(folder, "train")
    parts = [train.read(folder, name) for name in train.VALIDATION]
    start = train.started(folder, train.ROOT / "weights" / f"{train.NAME}.safetensors")
    rows = train.train(train.NAME, clips, parts, folder, start)
    assert [int(row[1]) for row in rows] == [4, 8]
    assert train.train(train.NAME, clips, parts, folder, start) == [
        [str(cell) for cell in row] for row in rows
    ]  # there was nothing left to do
    model, _ = train.network_of(train.NAME, folder)
    same = [np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True)]
    names = [variable.path.split("/")[0] for variable in model.weights]
    changed = {name for name, equal in zip(names, same, strict=True) if not equal}
    assert changed == {"conv1", "conv2", "dense_layer", "logits"}
