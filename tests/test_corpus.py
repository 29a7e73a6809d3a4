"""A corpus: targets, splits, renamed tags, fair divisions, files that cannot be used."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo.audio import decode
from zoo.data.corpus import Clip, Corpus
from zoo.data.division import divide
from zoo.errors import AudioError, AudioWarning, ConfigError, UnknownName
from zoo.utils.text import few

THIRDS = {"train": 0.6, "validation": 0.2, "test": 0.2}


def clips(**tags_of: str) -> tuple[Clip, ...]:
    return tuple(Clip(Path(name), tuple(tags.split())) for name, tags in tags_of.items())


@pytest.fixture
def small() -> Corpus:
    return Corpus("small", clips(a="rock", b="rock loud", c="", d="pop"), ("rock", "pop", "loud"))


def grouped(classes: int, groups: int, size: int = 3) -> Corpus:
    """A single-label corpus of classes that have so many groups of so many clips."""
    labels = tuple(f"class{c}" for c in range(classes))
    members = tuple(
        Clip(Path(f"{c}-{g}-{i}"), (labels[c],), group=f"{c}-{g}")
        for c in range(classes)
        for g in range(groups)
        for i in range(size)
    )
    return Corpus("grouped", members, labels, single_label=True)


def write(path: Path, seconds: float, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.sin(np.arange(int(seconds * rate)) / 9) / 3, rate)
    return path


# --- targets, labels, splits ---


def test_targets_have_a_row_for_each_clip_and_a_column_for_each_label(small):
    expected = [[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_array_equal(small.targets, expected)
    assert small.targets.dtype == np.float32


def test_a_tag_that_is_no_label_is_an_error_with_both_lists():
    with pytest.raises(UnknownName, match=r"not among the labels: polka\. The labels are: rock"):
        Corpus("x", clips(a="polka"), ("rock",))


def test_a_single_label_corpus_has_one_tag_a_clip():
    with pytest.raises(
        ConfigError, match=r"b has the tags \['pop', 'rock'\]; expected exactly one"
    ):
        Corpus("x", clips(a="rock", b="pop rock"), ("rock", "pop"), single_label=True)


def test_an_unknown_split_is_an_error_with_the_splits_there_are(small):
    with pytest.raises(UnknownName, match=r"named .dev.; it has none\. .*Corpus\.divide .*#dev"):
        small.split("dev")
    divided = Corpus("x", small.clips, small.labels, {"train": (0, 1), "test": (2, 3)})
    with pytest.raises(UnknownName, match="it has train, test"):
        divided.split("dev")


def test_a_models_labels_set_the_order_of_the_columns(small):
    ordered = small.with_labels(("loud", "other", "pop", "rock"))
    np.testing.assert_array_equal(ordered.targets[1], [1, 0, 0, 1])
    with pytest.raises(UnknownName, match="loud"):
        small.with_labels(("rock", "pop"))


def test_renamed_tags_keep_their_columns_and_merge(small):
    renamed = small.rename({"loud": "rock", "pop": "popular"})
    assert renamed.labels == ("rock", "popular")
    assert [clip.tags for clip in renamed.clips] == [("rock",), ("rock",), (), ("popular",)]


def test_a_tag_renamed_to_none_is_dropped(small):
    assert small.rename({"loud": None}).labels == ("rock", "pop")


def test_renaming_a_tag_that_is_not_there_is_an_error(small):
    with pytest.raises(UnknownName, match=r"polka\. The labels are: rock, pop, loud"):
        small.rename({"polka": "dance"})


# --- divide ---


def test_every_group_stays_in_one_split_and_no_clip_is_lost():
    corpus = grouped(classes=4, groups=6).divide(THIRDS)
    sets = [{clip.group for clip in corpus.split(name).clips} for name in THIRDS]
    assert sum(len(s) for s in sets) == len(set.union(*sets)) == 24
    assert sorted(i for ids in corpus.splits.values() for i in ids) == list(range(len(corpus)))


def test_each_label_is_spread_in_the_given_proportions():
    corpus = grouped(classes=3, groups=10).divide({"train": 0.8, "validation": 0.1, "test": 0.1})
    counts = {name: corpus.split(name).targets.sum(0).tolist() for name in corpus.splits}
    assert counts == {"train": [24] * 3, "validation": [3] * 3, "test": [3] * 3}


def test_many_tags_of_uneven_groups_are_spread_alike():
    chance = np.random.default_rng(3)
    targets = (chance.random((4000, 30)) < 0.08).astype("float32")
    groups = [str(g) for g in chance.zipf(1.6, 4000)]
    splits = divide("x", targets, groups, {"train": 0.8, "test": 0.2}, [str(i) for i in range(30)])
    share = targets[list(splits["test"])].sum(0) / targets.sum(0)
    assert abs(len(splits["test"]) / 4000 - 0.2) < 0.02
    assert np.abs(share - 0.2).max() < 0.06


def test_excerpts_of_one_file_stay_together_without_a_group():
    parts = tuple(Clip(Path(f"{f}.wav"), start=s) for f in range(5) for s in range(4))
    corpus = Corpus("parts", parts, ()).divide(THIRDS)
    sets = [{clip.path for clip in corpus.split(name).clips} for name in THIRDS]
    assert sum(map(len, sets)) == 5


def test_the_same_seed_gives_the_same_division_and_another_one_another():
    corpus = grouped(classes=2, groups=8)
    assert corpus.divide(THIRDS, seed=4).splits == corpus.divide(THIRDS, seed=4).splits
    assert corpus.divide(THIRDS, seed=4).splits != corpus.divide(THIRDS, seed=5).splits


def test_no_split_is_left_empty_however_few_the_groups():
    corpus = grouped(classes=1, groups=3).divide({"train": 0.8, "validation": 0.1, "test": 0.1})
    assert [len(ids) for ids in corpus.splits.values()] == [3, 3, 3]


def test_fewer_groups_than_splits_is_an_error():
    with pytest.raises(ConfigError, match=r"6 clips in 2 groups .* 3 splits \(train, validation"):
        grouped(classes=1, groups=2).divide(THIRDS)


def test_a_class_that_training_would_lack_is_an_error():
    with pytest.raises(ConfigError, match=r'"train" has no clip of: class'):
        grouped(classes=3, groups=1).divide(THIRDS)


def test_a_label_that_no_clip_has_does_not_keep_from_dividing():
    corpus = Corpus("x", clips(a="rock", b="rock"), ("rock", "jazz"))
    assert set(corpus.divide({"train": 0.5, "test": 0.5}).splits) == {"train", "test"}


@pytest.mark.parametrize("fractions", [{"train": 0.8, "test": 0.1}, {"train": 1.0, "test": 0}, {}])
def test_fractions_that_do_not_sum_to_one_are_an_error(fractions):
    with pytest.raises(ConfigError, match=re.escape(f"fractions={fractions} sum to")):
        grouped(classes=1, groups=4).divide(fractions)


# --- check ---


def test_clips_that_cannot_be_used_move_to_skipped_with_their_reasons(tmp_path):
    good = write(tmp_path / "good.wav", 0.5)
    junk, empty = tmp_path / "junk.wav", tmp_path / "empty.mp3"
    junk.write_text("no sound")
    empty.write_bytes(b"")
    corpus = Corpus(
        "mixed",
        (
            Clip(tmp_path / "gone.wav"),
            Clip(good),
            Clip(junk),
            Clip(write(tmp_path / "click.wav", 0.05)),
            Clip(good, start=0.7),
            Clip(empty),
            Clip(good, start=0.1, end=0.4),
            Clip(good, end=2.0),
        ),
        (),
        {"train": (0, 1, 2), "test": (5, 6, 7)},
    )
    with pytest.warns(AudioWarning) as caught:
        checked = corpus.check()
    assert [clip.name for clip in checked.clips] == [str(good), f"{good}[0.1:0.4]"]
    assert checked.splits == {"train": (0,), "test": (1,)}
    reasons = {Path(s.name).name: s.reason for s in checked.skipped}
    assert reasons["gone.wav"] == "no such file"
    assert "no sound could be read from this file of 8 bytes" in reasons["junk.wav"]
    assert reasons["click.wav"] == "only 0.05 s long, less than 0.1 s"
    assert reasons["good.wav[0.7:]"] == "starts at 0.7 s, but the file ends at 0.50 s"
    assert reasons["good.wav[0:2]"] == "ends at 2 s, but the file ends at 0.50 s"
    assert "an empty file" in reasons["empty.mp3"]
    (warning,) = caught
    message = str(warning.message)
    assert message.startswith("mixed: 6 of 8 clips are left out: ")
    assert "gone.wav (no such file)" in message
    assert "and 1 more" in message
    assert warning.filename == __file__


def test_a_corpus_without_fault_is_checked_in_silence(tmp_path):
    corpus = Corpus("fine", (Clip(write(tmp_path / "a.wav", 0.3)),), ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert corpus.check() is corpus


def test_clips_skipped_before_give_no_second_warning(tmp_path):
    corpus = Corpus("x", (Clip(write(tmp_path / "a.wav", 0.3)), Clip(tmp_path / "b.wav")), ())
    with pytest.warns(AudioWarning, match="1 of 2 clips"):
        corpus = corpus.check()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(corpus.check().skipped) == 1


def test_repeated_excerpts_are_reported_and_kept(tmp_path):
    path = write(tmp_path / "a.wav", 0.5)
    corpus = Corpus("twice", (Clip(path), Clip(path, start=0.1), Clip(path)), ())
    with pytest.warns(
        AudioWarning, match=r"twice: 1 clips occur more than once and are kept: .*a.wav"
    ):
        assert len(corpus.check()) == 3


def test_a_corpus_without_usable_clips_is_an_error(tmp_path):
    corpus = Corpus("lost", (Clip(tmp_path / "a.wav"), Clip(tmp_path / "b.wav")), ())
    with pytest.raises(AudioError, match=r"lost: none of 2 clips can be used: .*a.wav \(no such"):
        corpus.check()


def test_the_header_of_an_mp3_is_used_only_if_it_is_long_enough(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.sin(np.arange(44100) / 9) / 3, 44100, format="MP3")
    corpus = Corpus("mp3", (Clip(path, end=0.9), Clip(path, start=0.2, end=1.5)), ())
    with pytest.warns(AudioWarning, match=r"ends at 1.5 s, but the file ends at 1.0"):
        assert len(corpus.check()) == 1


def test_each_file_is_opened_once_however_many_clips_it_has(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", 1.0)
    opened = []
    real = decode.sndfile.opened
    monkeypatch.setattr(
        decode.sndfile, "opened", lambda p, length: opened.append(p) or real(p, length)
    )
    Corpus("x", tuple(Clip(path, start=i / 2000) for i in range(1000)), ()).check()
    assert opened == [path]


def test_many_names_are_cut_short():
    assert few(["a", "b"], 2) == "a, b"
    assert few(map(str, range(9)), 9) == "0, 1, 2, 3, 4 and 4 more"
