"""X and y for scikit-learn: model.embed(corpus), zoo embed, docs/embedding.md; what is a sound."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from conftest import CHECKOUT

import zoo
from zoo.cli import main
from zoo.inference.features import Features

CLIPS = CHECKOUT / "examples" / "clips"


@pytest.fixture(scope="module")
def model():
    return zoo.load("pons2017", runtime="onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes in two splits; links to the examples' clips."""
    root = tmp_path_factory.mktemp("songs")
    for split, kind, name in (
        ("train", "piano", "piano-own-nocturne"),
        ("train", "drums", "drums-rock"),
        ("test", "piano", "piano-mozart-march"),
        ("test", "drums", "drums-funk"),
    ):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
        (root / split / kind / f"{name}.ogg").symlink_to(CLIPS / f"{name}.ogg")
    return root


@pytest.fixture(scope="module")
def features(model, folder):
    return model.embed(zoo.data.from_folder(folder))


def test_a_corpus_gives_x_and_y(model, folder, features):
    assert features.X.shape == (4, 200)
    assert features.labels == ("drums", "piano")
    assert features.y.tolist() == [0, 1, 0, 1]
    assert features.split == ("train", "train", "test", "test")
    first = folder / "train" / "drums" / "drums-rock.ogg"
    assert features.paths[0] == str(first)
    np.testing.assert_allclose(features.X[0], model.embed(first).mean(), atol=1e-6)
    assert features.take("test").y.tolist() == [0, 1]
    with pytest.raises(zoo.ConfigError, match="no clip is in the split 'dev'; there are: train"):
        features.take("dev")


def test_excerpts_and_tags_of_a_table(model, folder, tmp_path):
    path = folder / "train" / "drums" / "drums-rock.ogg"
    table = tmp_path / "clips.csv"
    table.write_text(f"path,start,end,tags\n{path},1,4,drums|loud\n{path},0,,drums\n")
    found = model.embed(zoo.data.from_table(table))
    assert found.labels == ("drums", "loud")
    assert found.y.tolist() == [[1, 1], [1, 0]]
    assert found.start.tolist() == [1, 0]
    assert found.end[0] == 4
    assert np.isnan(found.end[1])
    sound = zoo.audio.load(path, model.sample_rate, 1, 4)
    expected = model.embed((sound, model.sample_rate)).mean()
    np.testing.assert_allclose(found.X[0], expected, atol=1e-5)
    assert np.abs(found.X[0] - found.X[1]).max() > 0.01


def test_a_clip_that_fails_is_left_out_with_a_warning(model, folder, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    whole = zoo.data.from_folder(folder, check=False)
    clips = (zoo.data.Clip(broken, ("piano",)), *whole.clips[:1])
    with pytest.warns(zoo.AudioWarning, match="1 of 2 clips are left out: .*broken"):
        found = model.embed(zoo.data.Corpus("two", clips, whole.labels, single_label=True))
    assert found.y.tolist() == [0]
    assert "broken.wav" in found.skipped[0]
    with pytest.raises(zoo.AudioError, match="no clip could be decoded"):
        model.embed(zoo.data.Corpus("one", clips[:1], whole.labels))


def test_keras_gives_the_same_features(features, folder):
    found = zoo.load("pons2017").embed(zoo.data.from_folder(folder, "test"))
    assert found.split == ("test", "test")
    np.testing.assert_allclose(found.X, features.X[2:], atol=1e-4)


def test_an_archive_gives_the_features_back(features, tmp_path):
    features.save(tmp_path / "X.npz")
    found = Features.load(tmp_path / "X.npz")
    np.testing.assert_array_equal(found.X, features.X)
    assert (found.labels, found.paths, found.split) == (
        features.labels,
        features.paths,
        features.split,
    )
    assert repr(found) == repr(features)
    with pytest.raises(zoo.ConfigError, match=r"must end in \.npz or \.parquet"):
        features.save(tmp_path / "X.csv")


def test_a_data_frame_has_a_row_a_clip(features):
    frame = features.to_dataframe()
    assert list(frame.columns[:7]) == ["path", "start", "end", "split", "group", "label", "x0"]
    assert frame.label.tolist() == ["drums", "piano", "drums", "piano"]
    np.testing.assert_array_equal(frame.filter(regex=r"^x\d+$").to_numpy(), features.X)


def test_the_command_line_writes_one_table(folder, features, tmp_path):
    target = tmp_path / "X.parquet"
    done = CliRunner().invoke(main, ["embed", str(folder), "-o", str(target)])
    assert done.exit_code == 0, done.output
    assert "(4, 200) penultimate" in done.output
    table = parquet.read_table(target)
    assert table.column("label").to_pylist() == ["drums", "piano", "drums", "piano"]
    assert table.column("path").to_pylist() == list(features.paths)
    vectors = np.array(table.column("x").to_pylist(), "float32")
    np.testing.assert_allclose(vectors, features.X, atol=1e-6)


def test_several_files_without_classes_have_no_labels(folder, tmp_path):
    files = [str(path) for path in sorted((folder / "train").rglob("*.ogg"))]
    done = CliRunner().invoke(main, ["embed", *files, "-o", str(tmp_path / "X.npz")])
    assert done.exit_code == 0, done.output
    found = Features.load(tmp_path / "X.npz")
    assert (found.X.shape, found.y.shape, found.paths) == ((2, 200), (2, 0), tuple(files))


def test_the_lines_of_the_documentation_are_ten():  # test_documents.py runs them
    page = (CHECKOUT / "docs" / "embedding.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.S)[0]
    assert len(code.strip().splitlines()) <= 11
    assert "LogisticRegression(max_iter=1000).fit(train.X, train.y)" in code


# --- what can be given as a sound ---


@pytest.fixture(scope="module")
def song():
    return CLIPS / "drums-rock.ogg"


def test_an_open_file_and_bytes_are_tagged_as_the_file(model, song):
    expected = model.tag(song)
    with song.open("rb") as file:
        assert model.tag(file) == expected
        assert model.tag(file) == expected  # read from the beginning again
    upload = model.tag(io.BytesIO(song.read_bytes()))
    assert upload.source == "open file"
    np.testing.assert_array_equal(upload.scores, expected.scores)


def test_a_sample_of_hugging_face_and_a_clip_are_sounds(model, song):
    sound = zoo.audio.load(song, 16000, 1, 4)
    sample = {"array": sound, "sampling_rate": 16000, "path": "drums"}
    found = model.tag(sample)
    assert found.source == "drums"
    np.testing.assert_allclose(
        found.scores, model.tag(zoo.data.Clip(song, start=1, end=4)).scores, atol=1e-5
    )


def test_a_generator_of_paths_is_several_sounds(model):
    found = model.tag(CLIPS.glob("drums-*.ogg"))
    assert sorted(Path(tags.source).name for tags in found) == [
        "drums-funk.ogg",
        "drums-rock.ogg",
        "drums-toms.ogg",
    ]


def test_the_home_folder_has_a_short_name(model, song, monkeypatch):
    monkeypatch.setenv("HOME", str(song.parent))
    assert len(model.tag("~/drums-rock.ogg")) == 10
    assert zoo.audio.find("~/drums-rock.ogg") == [song]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros(9), 16000], r"a list means several sounds.*\(array, 16000\)"),
        ({"bytes": b""}, "the keys 'bytes'; expected 'array' and 'sampling_rate'"),
        (io.StringIO("text"), "open for text; expected a file open for bytes"),
        (io.BytesIO(b"xx"), "open file: a file of 2 bytes without audio"),
    ],
)
def test_what_is_no_sound_is_named(model, given, message):
    with pytest.raises(zoo.AudioError, match=message):
        model.tag(given)


def test_a_pattern_is_told_what_to_do(model):
    with pytest.raises(FileNotFoundError, match=r"looks like a pattern: zoo.audio.find"):
        model.tag(CLIPS / "drums*.ogg")


def test_a_score_by_its_label(model, song):
    tags = model.tag(song, top=1)
    assert tags["techno"] == dict(model.tag(song, top=None))["techno"]
    with pytest.raises(zoo.UnknownName, match=r"no label 'tecno'.*techno"):
        tags["tecno"]
    with pytest.raises(zoo.ConfigError, match="give the name of a label"):
        tags[0]


def test_a_corpus_is_a_sequence_of_clips(folder):
    corpus = zoo.data.from_folder(folder)
    assert [clip.path.stem for clip in corpus][-1] == "piano-mozart-march"
    assert corpus[-1] == corpus.clips[3]
    assert corpus[1:3].clips == corpus[[1, 2]].clips == corpus[corpus.targets[:, 1] > -1][1:3].clips
    assert corpus["test"].clips == corpus.clips[2:]
    with pytest.raises(zoo.ConfigError, match="expected the number of a clip"):
        corpus[0.5]


def test_a_table_or_folder_is_a_corpus_for_training_and_scoring(folder, tmp_path):
    from zoo.evaluation.evaluate import check
    from zoo.training import preparation

    table = tmp_path / "games.csv"
    train = folder / "train"
    rows = [f"{path},{path.parent.name}" for path in sorted(train.rglob("*.ogg"))]
    table.write_text("\n".join(["path,tags", *rows]))
    parts = preparation.opened(str(table), table, seed=0)
    assert [len(part) for part in parts] == [2, 2]
    assert check(str(train), bootstrap=10, batch_size=1).labels == ("drums", "piano")
    with pytest.raises(zoo.ConfigError, match="corpus is a list; expected what zoo"):
        preparation.opened([], None, seed=0)


def test_a_model_in_keras_older_format_loads(tmp_path):
    model = zoo.build("schluter2014", ["onset"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls the format old
        model.save(tmp_path / "mine.h5")
    again = zoo.load(tmp_path / "mine.h5")
    assert again.labels == ("onset",)
    assert repr(again).startswith("AudioModel('")


def test_data_frames_and_html(model, song, folder):
    corpus = zoo.data.from_folder(folder)
    assert corpus.to_dataframe().tags.tolist()[0] == ["drums"]
    tags, gram = model.tag(song), model.taggram(song)
    assert tags.to_dataframe().label.tolist() == [label for label, _ in tags]
    assert gram.to_dataframe().shape == (len(gram.times), 52)
    for one in (corpus, tags, gram, zoo.info("pons2017")):
        assert one._repr_html_().startswith("<p")
