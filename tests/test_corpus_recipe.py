"""The recipe of the training audio: what it leaves out, and how it separates splits."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import recipe_modules

from zoo.registry import manifest

TOP = Path(__file__).parent.parent
RECIPE = TOP / "recipes" / "corpus"
TEST_SET = TOP / "recipes" / "genre_test" / "tracks.csv"
FONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")


@pytest.fixture(scope="module")
def recipe():
    """Import a module of the recipe."""
    with recipe_modules.of("corpus") as module:
        yield module


@pytest.fixture(scope="module")
def test_set() -> list[dict[str, str]]:
    with TEST_SET.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_track_of_the_genre_test_set_is_trained_on(recipe, test_set):
    ours = recipe("games").read()
    assert not {track.sha256 for track in ours} & {row["sha256"] for row in test_set}
    theirs = {(row["package"], row["path"], row["inside"]) for row in test_set}
    assert not {(track.package, track.path, track.inside) for track in ours} & theirs


def test_no_artist_of_the_genre_test_set_is_trained_on_under_any_name(recipe, test_set):
    games = recipe("games")
    names = {games.simple(row["artist"]) for row in test_set} - {""}
    names |= {games.simple(alias) for alias in games.ALIASES}
    for track in games.read():
        file = f"{Path(track.path).name} {track.inside}"
        words = games.simple(f"{track.artist} {track.title} {file}")
        assert not [name for name in names if name in words], track


def test_tracks_of_the_test_sets_packages_name_their_artist(recipe, test_set):
    packages = {row["package"] for row in test_set}
    assert all(track.artist for track in recipe("games").read() if track.package in packages)


def test_games_of_one_group_or_artist_are_in_one_split(recipe):
    tracks = recipe("games").read()
    for key in ("group", "artist", "package", "sha256"):
        splits: dict[str, set[str]] = {}
        for track in tracks:
            if getattr(track, key):
                splits.setdefault(getattr(track, key), set()).add(track.split)
        assert all(len(found) == 1 for found in splits.values()), key
    assert {track.split for track in tracks} == {"train", "validation", "test"}


def test_soundfonts_kits_and_voices_are_in_one_split_each(recipe):
    making, kits, speech = recipe("making"), recipe("kits"), recipe("speech")
    voices = [(voice.split, (voice.package, voice.pattern)) for voice in speech.VOICES]
    for by_split in (making.PLAYED_BY.items(), kits.KITS.items()):
        things = [thing for _, some in by_split for thing in set(some)]
        assert len(things) == len(set(things))
    assert len({thing for _, thing in voices}) == len(voices)
    for split in ("train", "validation", "test"):
        sexes = {voice.female for voice in speech.VOICES if voice.split == split}
        assert sexes == {True, False}


def test_albums_are_spread_over_the_splits_and_stay_when_there_are_more(recipe):
    making = recipe("making")
    few, many = making.albums("rendered", 2), making.albums("rendered", 9)
    assert many[: len(few)] == few
    splits = [making.split_of(album) for album in many]
    assert splits.count("train") > 0.6 * len(splits)
    assert {"validation", "test"} <= set(splits)
    assert {album.split("-")[0] for album in many} == {"scores", "mma", "kits"}


def test_more_hours_of_kinds_with_rare_tags_are_more_albums(recipe):
    making = recipe("making")
    for what, name in (("rendered", "seldom"), ("voices", "sung")):
        few, more = making.albums(what, 2), making.albums(what, 2, seldom=1)
        assert more[: len(few)] == few
        assert more[len(few) :] == [f"{name}-{i:04}" for i in range(10)]
    assert set(making.SELDOM["rendered"]) <= set(recipe("scores").KINDS)
    assert set(making.SELDOM["voices"]) <= set(recipe("voices").KINDS)


def test_the_same_seed_writes_the_same_piece_of_every_kind(recipe):
    scores = recipe("scores")
    for kind in scores.KINDS:
        one, two, other = (scores.write(kind, np.random.default_rng(s), 12.0) for s in (1, 1, 2))
        assert one == two
        assert one != other
        assert any(part.notes for part in one.parts)
        for part in one.parts:
            assert all(0 <= n.pitch < 128 and 0 < n.velocity < 128 for n in part.notes)
            assert all(0 <= n.start < 12.0 and n.seconds > 0 for n in part.notes)


def test_tags_of_the_pieces_are_those_of_magnatagatune(recipe):
    scores, labels = recipe("scores"), set(manifest.load().checkpoints["pons2017.mtt"].labels)
    for kind in scores.KINDS:
        assert set(scores.write(kind, np.random.default_rng(0), 6.0).tags) <= labels


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="needs fluidsynth")
@pytest.mark.skipif(not FONT.is_file(), reason="needs timgm6mb-soundfont")
def test_an_album_is_played_and_cut_into_its_pieces(recipe):
    scores, rendering = recipe("scores"), recipe("rendering")
    pieces = [scores.write("flute", np.random.default_rng(s), 3.0) for s in range(2)]
    silent = pieces[0]._replace(parts=[])
    played = rendering.album([pieces[0], silent, pieces[1]], FONT)
    assert [len(sound) for sound in played] == [3 * rendering.SAMPLE_RATE] * 3
    levels = [float(np.abs(sound).max()) for sound in played]
    assert levels[0] > 0.01 < levels[2]
    assert levels[1] < 1e-3
    again = rendering.album([pieces[0], silent, pieces[1]], FONT)
    assert all(np.array_equal(one, two) for one, two in zip(played, again, strict=True))


def hum(recipe, pitch: float) -> tuple[np.ndarray, list]:
    """A second of a voice that hums after a quarter of silence, and its one syllable."""
    singing = recipe("singing")
    seconds = np.arange(singing.SAMPLE_RATE) / singing.SAMPLE_RATE
    speech = sum(np.sin(2 * np.pi * pitch * k * seconds) / k for k in range(1, 30)) * 0.1
    speech[: singing.SAMPLE_RATE // 4] = 0
    analysis = singing.analyse(speech)
    assert abs(np.median(analysis.pitch[analysis.pitched]) - pitch) < 3
    return speech, singing.syllables(singing.cepstra(analysis.envelopes), analysis.pitched)


def test_the_same_seed_makes_the_same_clip_of_every_kind_of_voice(recipe):
    speech, voices = recipe("speech"), recipe("voices")
    cast = []
    for female, pitch in ((True, 210.0), (False, 120.0)):
        sound, spoken = hum(recipe, pitch)
        voice = speech.Voice(str(pitch), "", "", female, "train")
        samples = (32767 * np.tile(sound, 4)).astype(np.int16)
        cast.append(speech.Repertoire(voice, samples, spoken, 69 + 12 * np.log2(pitch / 440)))
    for kind in voices.KINDS:
        one, two = (voices.plan(kind, np.random.default_rng(3), 2.0, cast) for _ in range(2))
        assert np.array_equal(one.voice, two.voice)
        assert one.under == two.under
        sound = voices.mixed(one, np.zeros(44_100, np.float32), np.random.default_rng(0))
        assert sound.shape == (44_100,)
        assert 0.01 < np.abs(sound).max() < 1


def test_a_voice_sings_the_pitch_of_the_note(recipe):
    singing = recipe("singing")
    _, spoken = hum(recipe, 120.0)
    assert len(spoken) == 1
    notes = [singing.Sung(0.2, 1.0, 57.0, 1.0)]  # the A of 220 Hz
    still = singing.Singer(vibrato=0)
    sung = singing.sing(notes, spoken, still, 1.4, np.random.default_rng(0))
    again = singing.analyse(sung)
    assert abs(np.median(again.pitch[again.pitched]) - 220) < 5
