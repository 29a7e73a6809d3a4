"""Scores played with instruments that were recorded note by note (recipes/corpus/notes.py)."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
import recipe_modules
import soundfile

RATE = 22050


@pytest.fixture(scope="module")
def notes():
    with recipe_modules.of("corpus") as module:
        yield module("notes")


def tone(pitch: int, seconds: float, rate: int = 44100) -> np.ndarray:
    """Return a sine of a MIDI number."""
    return 0.5 * np.sin(
        2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(seconds * rate) / rate
    )


def wave(pitch: int, seconds: float) -> bytes:
    """Return a sine as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, tone(pitch, seconds), 44100, format="WAV")
    return file.getvalue()


def frequency(sound: np.ndarray) -> float:
    """Return the strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    return spectrum.argmax() * RATE / (1 << 18)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("A4", 69),
        ("As3", 58),
        ("A0v8", 21),
        ("a0_vl1_down", 21),
        ("D#1v8", 27),
        ("Gb2_vl3", 42),
        ("PIANO LEVEL3 DECCA 30", 30),
    ],
)
def test_names_of_notes_are_read(notes, name, number):
    assert notes.pitch(name) == number


def test_notes_have_their_pitch_start_and_length(notes):
    instrument = notes.read()[0]._replace(low=60, high=71, ring=0.1)
    recorded = [notes.decoded(60, wave(60, 4.0)), notes.decoded(66, wave(66, 4.0))]
    rng = np.random.default_rng(0)
    played = notes.play(
        [notes.Note(1.0, 0.8, 64, 127), notes.Note(5.0, 0.8, 50, 60)],
        recorded,
        instrument,
        RATE,
        rng,
    )
    assert len(played) == notes.SECONDS * RATE
    first, second = played[RATE : 2 * RATE], played[5 * RATE : 6 * RATE]
    assert frequency(first) == pytest.approx(440 * 2 ** (-5 / 12), rel=1e-3)
    assert frequency(second) == pytest.approx(440 * 2 ** (-7 / 12), rel=1e-3)  # an octave higher
    assert np.abs(second).max() < 0.5 * np.abs(first).max()
    assert not played[: RATE - 10].any()
    assert not played[2 * RATE : 5 * RATE - 10].any()


def test_an_sfz_file_of_a_repository_names_samples_and_pitches(notes, tmp_path):
    repository = tmp_path / "clones" / "someone" / "bank"
    (repository / "samples").mkdir(parents=True)
    (repository / "samples" / "x [1].wav").write_bytes(wave(48, 1.0))
    (repository / "samples" / "y#.wav").write_bytes(wave(60, 1.0))
    (repository / "samples" / "C3.wav").write_bytes(wave(48, 1.0))
    (repository / "one.sfz").write_text(
        "// a bank\n<region> sample=samples/y#.wav lokey=55 pitch_keycenter=60\n"
        "<region> lokey=40 pitch_keycenter=48 sample=samples/x [1].wav\n<group> cutoff=20\n"
    )
    git = ["git", "-C", repository, "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    subprocess.run([*git[:3], "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "bank"], check=True)
    commit = subprocess.run(
        [*git[:3], "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    instrument = notes.read()[0]._replace(
        source=f"someone/bank@{commit.stdout.strip()}", path="one.sfz"
    )
    found = notes.samples(instrument, tmp_path / "clones", tmp_path)
    assert [sample.pitch for sample in found] == [60, 48]
    named = instrument._replace(path="samples/C*.wav")
    assert [s.pitch for s in notes.samples(named, tmp_path / "clones", tmp_path)] == [48]
    with pytest.raises(ValueError, match=r"samples/\*.mp3"):
        notes.samples(named._replace(path="samples/*.mp3"), tmp_path / "clones", tmp_path)


def test_players_of_the_real_test_are_not_among_the_instruments(notes):
    table = Path(notes.__file__).parents[1] / "real_test" / "clips.csv"
    real = table.read_text(encoding="utf-8")
    for instrument in notes.read():
        assert set(instrument.pieces) <= set(notes.scores.KINDS)
        source = instrument.source.removeprefix("npm:").rsplit("@", 1)[0]
        assert source not in real, instrument.name


def test_every_instrument_has_its_author_named(notes):
    named = (Path(notes.__file__).parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
    rows = [line for line in named.splitlines() if line.startswith("| ")]
    for instrument in notes.read():
        assert any(
            instrument.source in row and instrument.author in row and instrument.licence in row
            for row in rows
        ), instrument.name
