import csv
import io
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import zoo
from zoo.utils.files import replacing

LABELS = ("rock", "piano", "female voice")


@pytest.fixture
def tags() -> zoo.Tags:
    return zoo.Tags([0.25, 0.75, 0.5], LABELS, 2, "song.mp3", "pons2017.mtt")


@pytest.fixture
def gram() -> zoo.Taggram:
    """Two segments of 3 s and a tail that reaches back 2 s into the second."""
    values = [[0.2, 0.9, 0.1], [0.4, 0.7, 0.1], [0.9, 0.0, 0.1]]
    return zoo.Taggram(values, [0, 3, 4], [3, 3, 1], LABELS, "song.mp3", "pons2017.mtt")


@pytest.fixture
def embedding() -> zoo.Embedding:
    values = np.arange(12).reshape(2, 3, 2)
    return zoo.Embedding(values, [0, 2], [3, 1], "timbral", "söng.mp3", "pons2017.mtt")


@pytest.fixture
def onsets() -> zoo.Onsets:
    return zoo.Onsets([0.02, 0.05], np.linspace(0, 1, 8), 100, "song.mp3", "schluter2014")


# --- tags ---


def test_tags_print_best_first_and_aligned(tags):
    assert repr(tags).splitlines() == [
        "Tags of song.mp3 by pons2017.mtt",
        "piano         0.750",
        "female voice  0.500",
    ]


def test_tags_iterate_over_their_top(tags):
    assert list(tags) == [("piano", 0.75), ("female voice", 0.5)]
    assert len(tags) == 2


def test_tags_to_dict_is_best_first(tags):
    assert list(tags.to_dict().items()) == list(tags)


def test_top_none_means_all_labels(gram):
    assert set(gram.tags(None).to_dict()) == set(LABELS)
    assert len(gram.tags(None)) == 3


def test_top_above_the_number_of_labels_means_all(gram):
    assert len(gram.tags(10)) == len(gram.tags(10).to_dict()) == 3


def test_equal_scores_keep_the_order_of_labels():
    tags = zoo.Tags([0.5, 0.5, 0.5], LABELS, None, "a", "b")
    assert [label for label, _ in tags] == list(LABELS)


def test_tags_keep_all_scores_in_the_order_of_labels(tags):
    np.testing.assert_array_equal(tags.scores, np.float32([0.25, 0.75, 0.5]))


def test_tags_as_a_table(tags):
    assert tags.to_csv() == "label,score\npiano,0.750000\nfemale voice,0.500000\n"


@pytest.mark.parametrize("top", [0, -3])
def test_top_below_one_is_refused(gram, top):
    with pytest.raises(zoo.ConfigError, match=f"top is {top}; it is at least 1"):
        gram.tags(top)


@pytest.mark.parametrize("labels", [("rock", "piano"), ("rock", "rock", "piano"), "abc"])
def test_labels_must_be_as_many_as_scores_and_differ(labels):
    with pytest.raises(zoo.ConfigError, match="3 scores need as many different labels"):
        zoo.Tags([0.1, 0.2, 0.3], labels, None, "a", "b")


# --- taggrams ---


def test_mean_weighs_each_segment_by_its_fresh_seconds(gram):
    expected = np.average(gram.values, axis=0, weights=[3, 3, 1])
    np.testing.assert_allclose(gram.mean(), expected, rtol=1e-6)
    assert gram.mean().shape == (3,)


def test_tags_of_a_taggram_are_its_mean(gram):
    tags = gram.tags(2)
    np.testing.assert_array_equal(tags.scores, gram.mean())
    assert (tags.top, tags.source, tags.model) == (2, gram.source, gram.model)


def test_taggram_prints_one_line(gram):
    assert repr(gram) == (
        "Taggram of song.mp3 by pons2017.mtt: 3 segments x 3 labels, 7.0 s, best piano 0.686"
    )


def test_taggram_as_a_table_has_a_row_a_segment(gram):
    head, *rows = csv.reader(io.StringIO(gram.to_csv()))
    assert head == ["time", "seconds", *LABELS]
    assert rows[1] == ["3.000", "3.000", "0.400000", "0.700000", "0.100000"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [0.1, 0.2]}, r"values has shape \(2,\); expected \(segments, labels\)"),
        ({"values": np.zeros((0, 3))}, r"shape \(0, 3\).*not empty"),
        ({"times": [0, 3]}, "3 segments need as many times and seconds; given 2 and 3"),
        ({"labels": ("rock",)}, "3 scores need as many different labels; given 1"),
        ({"times": [0, 4, 3]}, "times must ascend"),
        ({"seconds": [3, 3, -1]}, "seconds be positive"),
        ({"seconds": [0, 0, 0]}, "seconds be positive"),
    ],
)
def test_taggram_of_ill_fitting_shapes_is_refused(gram, change, message):
    fields = ("values", "times", "seconds", "labels", "source", "model")
    arguments = {name: getattr(gram, name) for name in fields} | change
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.Taggram(**arguments)


# --- embeddings ---


def test_embedding_prints_one_line(embedding):
    line = "Embedding of söng.mp3 by pons2017.mtt: 2 segments x 3 x 2 timbral, 4.0 s"
    assert repr(embedding) == line


def test_mean_of_an_embedding_is_one_vector(embedding):
    # frames of the segments average to (2, 3) and (8, 9); the first weighs 3 s, the second 1 s
    np.testing.assert_allclose(embedding.mean(), [3.5, 4.5])


def test_mean_of_an_embedding_without_frames():
    embedding = zoo.Embedding([[1, 2], [3, 4]], [0, 3], [3, 3], "penultimate", "a", "b")
    np.testing.assert_allclose(embedding.mean(), [2, 3])


def test_embedding_survives_save_and_load(embedding, tmp_path):
    embedding.save(tmp_path / "e.npz")
    assert zoo.Embedding.load(tmp_path / "e.npz") == embedding


def test_saved_embedding_holds_no_pickles(embedding, tmp_path):
    embedding.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert {name: file[name].dtype.kind for name in file.files} == {
            **dict.fromkeys(("values", "times", "seconds"), "f"),
            **dict.fromkeys(("stage", "source", "model"), "U"),
        }


def test_embedding_is_saved_as_npz_only(embedding, tmp_path):
    with pytest.raises(zoo.ConfigError, match=r"must end in \.npz"):
        embedding.save(tmp_path / "e.npy")


def test_missing_embedding_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no embedding at"):
        zoo.Embedding.load(tmp_path / "e.npz")


def other_archive(path):
    np.savez(path, a=np.zeros(3))


def pickled_archive(path):
    np.savez(path, values=np.array([{}], dtype=object))


def single_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "write",
    [
        other_archive,
        pickled_archive,
        single_array,
        lambda path: path.write_text("this is no archive"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 cut off"),
    ],
    ids=["other archive", "pickles", "one array", "text", "empty", "cut off"],
)
def test_file_that_is_no_embedding_is_said(tmp_path, write):
    write(tmp_path / "e.npz")
    with pytest.raises(zoo.ConfigError, match=r"e\.npz does not hold an embedding"):
        zoo.Embedding.load(tmp_path / "e.npz")


# --- onsets ---


def test_onsets_print_one_line(onsets):
    assert repr(onsets) == "Onsets of song.mp3 by schluter2014: 2 in 0.1 s"
    assert len(onsets) == 2


def test_onsets_as_a_table(onsets):
    assert onsets.to_csv() == "0.020\n0.050\n"


def test_a_sound_may_have_no_onset():
    onsets = zoo.Onsets([], [0.1, 0.2], 100, "a", "b")
    assert len(onsets) == 0
    assert onsets
    assert onsets.to_csv() == ""


@pytest.mark.parametrize(
    ("times", "activation", "rate", "message"),
    [
        ([0.2, 0.1], [0.0], 100, "must ascend"),
        ([0.1], [0.0], 0, "frame_rate is 0; it must be above 0"),
        ([0.1], [[0.0]], 100, r"activation has shape \(1, 1\); expected \(frames,\)"),
        ([[0.1]], [0.0], 100, r"times has shape \(1, 1\); expected \(onsets,\)"),
    ],
)
def test_ill_formed_onsets_are_refused(times, activation, rate, message):
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.Onsets(times, activation, rate, "a", "b")


# --- all results ---

RESULTS = ["tags", "gram", "embedding", "onsets"]


@pytest.fixture(params=RESULTS)
def result(request):
    return request.getfixturevalue(request.param)


def test_to_dict_is_fit_for_json(result):
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()


def test_results_with_the_same_content_are_equal(result):
    fields = result.__dataclass_fields__
    copies = {
        name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in vars(result).items()
    }
    assert copies.keys() == fields.keys()
    assert type(result)(**copies) == result


def test_results_with_other_content_differ(result):
    other = type(result)(**{**vars(result), "model": "another"})
    assert other != result


def test_results_of_other_scores_differ(gram):
    assert zoo.Taggram(**{**vars(gram), "values": gram.values + 0.01}) != gram


def test_results_cannot_be_changed(result):
    with pytest.raises(FrozenInstanceError):
        result.model = "another"
    for value in vars(result).values():
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0


def test_making_a_result_does_not_lock_the_array_that_it_was_given():
    values = np.zeros((1, 3), "float32")
    gram = zoo.Taggram(values, [0], [3], LABELS, "a", "b")
    values[0, 0] = 1
    assert gram.values[0, 0] == 1, "large arrays are looked at, not copied"


@pytest.mark.parametrize("kind", ["tags", "gram", "onsets"])
def test_to_csv_writes_what_it_returns(kind, request, tmp_path):
    result, path = request.getfixturevalue(kind), tmp_path / "table.csv"
    path.write_text("old")
    assert result.to_csv(path) == path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_labels_with_commas_survive_the_table():
    tags = zoo.Tags([0.5, 0.1], ('rock, "hard"', "日本"), None, "a", "b")
    _, first, second = csv.reader(io.StringIO(tags.to_csv()))
    assert (first[0], second[0]) == tags.labels


def test_missing_folder_is_said(tags, embedding, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        tags.to_csv(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        embedding.save(tmp_path / "nowhere" / "e.npz")


def test_nothing_half_written_stays_behind(tmp_path):
    def fail(path):
        with replacing(path) as file:
            file.write(b"half")
            raise RuntimeError("the disk is gone")

    (tmp_path / "old.csv").write_text("old")
    for name in ("old.csv", "new.csv"):
        with pytest.raises(RuntimeError, match="disk is gone"):
            fail(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


def test_results_need_no_framework_and_no_matplotlib():
    code = "import sys, zoo.inference.results; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"keras", "tensorflow", "jax", "torch", "matplotlib", "scipy"} & {
        *out.stdout.split()
    }
