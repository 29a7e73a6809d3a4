"""The recipe of the onset detector: what an onset is, and that training and test are separate."""

import io
import zlib
from pathlib import Path

import mido
import numpy as np
import pytest
import recipe_modules

RATE = 44100


@pytest.fixture(scope="module")
def recipe():
    """Import a module of the recipe."""
    with recipe_modules.of("onsets") as module:
        yield module


@pytest.fixture(scope="module")
def sounds(recipe):
    return recipe("sounds")


@pytest.fixture(scope="module")
def train(recipe):
    return recipe("train")


@pytest.fixture(scope="module")
def material(recipe):
    return recipe("material")


def note(delay: float, rise: float) -> np.ndarray:
    """A tone that begins after a silence and takes some seconds to reach its level."""
    time = np.arange(RATE) / RATE
    envelope = np.clip((time - delay) / max(rise, 1e-6), 0, 1)
    return (0.3 * envelope * np.sin(2 * np.pi * 1000 * time)).astype("float32")


@pytest.mark.parametrize(
    ("delay", "rise", "expected"),
    [(0, 0, 0), (0.03, 0, 0.03), (0, 0.1, 0.02), (0.05, 0.2, 0.09)],
)
def test_an_onset_is_when_a_note_sounds(sounds, delay, rise, expected):
    assert sounds.attack(note(delay, rise)) == pytest.approx(expected, abs=0.0015)


def test_silence_has_no_attack(sounds):
    assert sounds.attack(np.zeros(RATE)) == 0
    assert sounds.attack(np.zeros(3)) == 0


def test_onsets_closer_than_30_ms_are_one(sounds):
    found = sounds.merged([1.0, 0.5, 0.52, 0.545, 2.0])
    np.testing.assert_allclose(found, [0.5, 0.545, 1.0, 2.0])
    assert sounds.merged([]).shape == (0,)


def test_a_note_gets_the_measured_delay_of_the_nearest_one(sounds, monkeypatch):
    measured = {(60, 50): 0.04, (60, 110): 0.02, (72, 50): 0.03, (72, 110): 0.01}
    monkeypatch.setattr(sounds, "delays", lambda font, programme: measured)
    notes = [
        sounds.Note(1.0, 0.5, 61, 100),
        sounds.Note(2.0, 0.5, 70, 60),
        sounds.Note(3.0, 0.5, 60, sounds.SOFTEST - 1),
    ]
    assert sounds.sounding(48, notes, Path("font")) == pytest.approx([1.02, 2.03])


def test_notes_of_a_midi_file_come_with_their_programme(sounds):
    file = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    track += [
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.Message("program_change", channel=0, program=48),
        mido.Message("note_on", channel=0, note=60, velocity=90, time=250),
        mido.Message("note_on", channel=9, note=38, velocity=100, time=250),
        mido.Message("note_on", channel=0, note=60, velocity=0, time=0),  # is a note's end
    ]
    file.tracks.append(track)
    written = io.BytesIO()
    file.save(file=written)
    played = sounds.played(mido.MidiFile(file=io.BytesIO(written.getvalue())))
    assert {k: [n[:1] + n[2:] for n in v] for k, v in played.items()} == {
        48: [(0.25, 60, 90)],
        sounds.scores.DRUMS: [(0.5, 38, 100)],
    }


def test_onsets_of_the_background_do_not_count(sounds, train):
    rng = np.random.default_rng(0)
    background = rng.normal(0, 1e-3, RATE * 3)
    background[RATE : RATE + 4410] += rng.normal(0, 0.3, 4410)
    clip = sounds.Clip(note(0.5, 0).repeat(3)[: 3 * RATE], np.array([2.0]), np.zeros(0))
    mixed = sounds.laid_over(clip, background, -6)
    assert np.abs(mixed.ignored - 1.0).min() < 0.03
    assert np.abs(mixed.sound).max() <= 1
    example = {**mixed._asdict(), "features": np.zeros((300 + 2 * train.CONTEXT, 80, 3))}
    wanted, weights = train.targets(example, fuzzy=False)
    assert weights[98:103].min() == 0
    assert (weights[200], wanted[200]) == (1, 1)
    assert wanted.sum() == 1


def test_fuzzy_targets_are_the_neighbours_with_a_quarter_of_the_weight(train):
    clip = {"features": np.zeros((24, 80, 3)), "onsets": np.array([0.05]), "ignored": np.zeros(0)}
    plain = train.targets(clip, fuzzy=False)
    fuzzy = train.targets(clip, fuzzy=True)
    assert np.flatnonzero(plain[0]).tolist() == [5]
    assert np.flatnonzero(fuzzy[0]).tolist() == [4, 5, 6]
    assert fuzzy[1][3:8].tolist() == [1, 0.25, 1, 0.25, 1]


def test_log_mels_are_those_of_the_network(recipe):
    sound = note(0.2, 0.1) + np.random.default_rng(0).normal(0, 1e-3, RATE).astype("float32")
    sound = sound[: RATE - 100]
    layer = recipe("train").zoo.build("schluter2014", ["onset"]).stage("features")
    theirs = layer.predict(sound[None], verbose=0)[0]
    ours = recipe("features").log_mels(sound)
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_rate_falls_to_a_hundredth(train):
    assert [train.falling(d) for d in (0, 0.5, 1)] == pytest.approx([1e-3, 5.05e-4, 1e-5])


def test_network_of_the_first_step_is_plain_and_later_ones_add_to_it(train):
    clips = [{"features": np.random.default_rng(0).normal(size=(40, 80, 3)).astype("float32")}]
    kinds = {}
    for step in train.STEPS[:4]:
        model, part = train.network(step)
        dropouts = sum("Dropout" in type(layer).__name__ for layer in part.layers)
        kinds[step] = (dropouts, model.get_layer("conv1").activation.__name__)
        assert part.output_shape == (None, None, 1)
        assert part.predict(clips[0]["features"][None], verbose=0).shape == (1, 26, 1)
    assert list(kinds.values()) == [(0, "tanh"), (2, "tanh"), (2, "tanh"), (2, "relu")]


def test_the_last_network_goes_on_from_a_weight_file(train):
    weights = train.ROOT / "weights" / "schluter2014.zoo.safetensors"
    model, part = train.network(train.NAME)
    for variable, value in zip(model.weights, train.started(Path(), weights), strict=True):
        variable.assign(value)
    published = train.zoo.load("schluter2014.zoo")
    sound = note(0.5, 0)[None]
    features = model.stage("features").predict(sound, verbose=0)
    ends = np.pad(features, [(0, 0), (train.CONTEXT, train.CONTEXT), (0, 0), (0, 0)], mode="edge")
    np.testing.assert_allclose(
        part.predict(ends, verbose=0), published.predict(sound, verbose=0), atol=1e-5
    )


def test_soundfonts_and_kits_of_the_test_are_not_in_training(material):
    fonts = {part: material.FONTS.get(part, material.TRAINING) for part in material.ALBUMS}
    assert not set(fonts["soundfont"]) & {*fonts["train"], *fonts["validation"]}
    assert not set(fonts["strokes_test"]) & {*fonts["train"], *fonts["strokes_validation"]}
    assert not set(fonts["validation"]) & set(fonts["train"])
    kits = material.kits.KITS
    assert not set(kits["test"]) & {*kits["train"], *kits["validation"]}
    assert {material.SPLIT.get(part, "test") for part in material.TEST} == {"test"}
    names = [f"{part} {kind} {i}".encode() for part, kind, i in material.albums()]
    assert len(set(map(zlib.crc32, names))) == len(names)  # every album has its own seed
