"""Data sets that are not what they seem: copies, one class, tables of other programs, units."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

import zoo
from zoo import data
from zoo.data import copies
from zoo.data.corpus import Clip, Corpus
from zoo.errors import AudioWarning, ConfigError
from zoo.training import preparation
from zoo.training.run_folder import describe

RATE = 16000


def sound(path: Path, seed: int, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)), RATE)
    return path


def table(path: Path, *rows: str) -> Path:
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path) -> Path:
    """A folder with a.wav and b.wav."""
    sound(tmp_path / "a.wav", 0)
    sound(tmp_path / "b.wav", 1)
    return tmp_path


# --- one class ---


@pytest.mark.parametrize(
    ("train", "name"), [(zoo.train, "dieleman2014"), (zoo.finetune, "pons2017")]
)
def test_a_single_class_is_an_error(tmp_path, train, name):
    for i in range(4):
        sound(tmp_path / "songs" / "rock" / f"{i}.wav", i)
    with pytest.raises(
        ConfigError, match=r"songs: all 4 clips are of one class, 'rock', where two"
    ):
        train(name, data.from_folder(tmp_path / "songs"), folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_one_level_too_high_gives_a_hint(tmp_path):
    for i, kind in enumerate(("rock", "jazz") * 2):
        sound(tmp_path / "all" / "games" / kind / f"{i}.wav", i)
    with pytest.raises(ConfigError) as error:
        zoo.train("dieleman2014", data.from_folder(tmp_path / "all"))
    assert f"If the folders in {tmp_path / 'all' / 'games'} (jazz, rock) are the classes" in str(
        error.value
    )


def test_one_class_of_a_table_or_of_one_split_is_an_error(two):
    rows = ("path,tags,split", "a.wav,rock,train", "b.wav,jazz,test")
    with pytest.raises(ConfigError, match=r"t/train: all 1 clips are of one class"):
        zoo.train("dieleman2014", data.from_table(table(two / "t.csv", *rows)))


def test_one_tag_that_some_clips_lack_can_be_trained(two):
    rows = ("path,tags", "a.wav,vocals", "b.wav,")
    corpus = data.from_table(table(two / "t.csv", *rows), single_label=False)
    preparation.check_classes(corpus)


# --- copies ---


def test_copies_are_found_by_content_alone(tmp_path):
    a, b = sound(tmp_path / "a.wav", 0), sound(tmp_path / "b.wav", 1)
    long = [sound(tmp_path / f"{i}.wav", 5, 3) for i in range(3)]
    content = bytearray(long[2].read_bytes())
    content[9000] ^= 1  # where no sample is taken
    long[2].write_bytes(content)
    gone = tmp_path / "gone.wav"
    (tmp_path / "empty").touch()
    (tmp_path / "nothing").touch()
    paths = [a, b, *long, gone, tmp_path / "empty", tmp_path / "nothing", a]
    assert copies.copies(paths) == {long[1]: long[0]}


def test_copies_under_another_name_are_named(tmp_path):
    for kind in ("rock", "jazz"):
        for i in range(2):
            sound(tmp_path / kind / f"{i}.wav", i if kind == "rock" else i + 1)
    same = f"{tmp_path / 'rock' / '1.wav'} is {tmp_path / 'jazz' / '0.wav'}"
    with pytest.warns(AudioWarning, match=f"1 files are copies of others and are kept.*{same}"):
        corpus = data.from_folder(tmp_path)
    assert len(corpus) == 4
    with pytest.warns(AudioWarning, match=same):
        corpus.check()


@pytest.mark.parametrize("seed", range(8))
def test_copies_stay_on_one_side_of_a_division(tmp_path, seed):
    clips = [
        Clip(sound(tmp_path / f"{kind}{i}-{copy}.wav", i + 10 * (kind == "rock")), (kind,))
        for kind in ("rock", "jazz")
        for i in range(4)
        for copy in range(2)
    ]
    corpus = Corpus("songs", tuple(clips), ("jazz", "rock"), single_label=True)
    train, validation = preparation.split(corpus, None, seed)
    sides = [
        {clip.path.name.partition("-")[0] for clip in side.clips} for side in (train, validation)
    ]
    assert not sides[0] & sides[1]


def test_groups_that_share_a_copy_are_one(two):
    (two / "c.wav").write_bytes((two / "a.wav").read_bytes())
    paths = [two / name for name in ("a.wav", "b.wav", "c.wav", "c.wav")]
    first, second, third, fourth = copies.joined(["x", "y", "z", "y"], paths)
    assert first == second == third == fourth
    assert copies.joined(["x", "y"], paths[:2]) == ("x", "y")


def test_copies_on_both_sides_of_a_given_split_are_named(tmp_path, caplog):
    for i in range(2):
        for split in ("train", "validation"):
            sound(tmp_path / split / ("rock", "jazz")[i] / f"{split}.wav", i)
    corpus = data.from_folder(tmp_path, check=False)
    model = zoo.build("dieleman2014", corpus.labels, activation="softmax")
    preparation.checked(model, corpus.split("train"), corpus.split("validation"))
    assert "2 files, such as" in caplog.text


# --- tables of other programs ---


@pytest.mark.parametrize("cell", ["\"['rock', 'pop']\"", '"[""rock"", ""pop""]"', "rock|pop"])
def test_a_list_in_a_cell_is_several_tags(two, cell):
    rows = ("path,tags", f"a.wav,{cell}", "b.wav,rock")
    corpus = data.from_table(table(two / "t.csv", *rows))
    assert [clip.tags for clip in corpus.clips] == [("rock", "pop"), ("rock",)]
    assert not corpus.single_label


def test_an_invalid_list_is_a_bad_row(two):
    rows = ("path,tags", 'a.wav,"[rock, pop]"', "b.wav,rock")
    with pytest.warns(
        AudioWarning, match=r"line 2 \(tags '\[rock, pop\]': expected a list of words"
    ):
        assert len(data.from_table(table(two / "t.csv", *rows))) == 1


def test_tags_with_a_comma_give_a_warning(two):
    rows = ("path,tags", 'a.wav,"rock, pop"', "b.wav,rock")
    with pytest.warns(AudioWarning, match=r"t\.csv: 1 tags with a comma.*'rock, pop'.*separate"):
        corpus = data.from_table(table(two / "t.csv", *rows))
    assert corpus.labels == ("rock", "rock, pop")


@pytest.mark.parametrize(
    ("name", "split"),
    [("Train", "train"), ("val", "validation"), ("valid", "validation"), ("dev", "validation"),
     ("TEST", "test")],
)  # fmt: skip
def test_splits_have_the_same_names_in_tables_and_folders(tmp_path, name, split):
    for i, kind in enumerate(("rock", "jazz")):
        sound(tmp_path / "songs" / name / kind / f"{i}.wav", i)
    rows = [f"{name}/rock/0.wav,rock,{name}", f"{name}/jazz/1.wav,jazz,{name}"]
    from_table = data.from_table(table(tmp_path / "songs" / "t.csv", "path,tags,split", *rows))
    from_folder = data.from_folder(tmp_path / "songs")
    assert list(from_table.splits) == list(from_folder.splits) == [split]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_of_a_spreadsheet_has_other_separators(two, separator):
    rows = ("path,tags,start,end", "a.wav,rock|pop,0.1,0.4", "b.wav,rock,,")
    cells = [row.replace(",", separator).replace(".1", ",1").replace("0.4", "0,4") for row in rows]
    if separator == "\t":
        cells = [row.replace(",", separator) for row in rows]
    corpus = data.from_table(table(two / "t.csv", *cells))
    assert [clip.tags for clip in corpus.clips] == [("rock", "pop"), ("rock",)]
    assert corpus.clips[0][2:4] == (0.1, 0.4)


@pytest.mark.skipif(os.sep != "/", reason="there a backslash separates folders anyway")
def test_paths_of_windows_are_read(tmp_path):
    sound(tmp_path / "music" / "rock" / "a.wav", 0)
    sound(tmp_path / r"b\c.wav", 1)
    rows = ("path,tags", r"music\rock\a.wav,rock", r"b\c.wav,jazz")
    corpus = data.from_table(table(tmp_path / "t.csv", *rows))
    expected = [tmp_path / "music" / "rock" / "a.wav", tmp_path / r"b\c.wav"]
    assert [clip.path for clip in corpus.clips] == expected


@pytest.mark.parametrize("label", ["", " ", None])
def test_an_empty_label_is_refused(label):
    with pytest.raises(ConfigError, match=r"songs: the label .*; expected a word"):
        Corpus("songs", (), ("rock", label))


def test_labels_that_differ_only_in_case_are_named(tmp_path):
    for i, kind in enumerate(("Rock", "jazz", "rock")):
        sound(tmp_path / kind / f"{i}.wav", i)
    with pytest.warns(AudioWarning, match="differ only in case.*'Rock' and 'rock'"):
        assert data.from_folder(tmp_path).labels == ("Rock", "jazz", "rock")


# --- names and splits ---


def test_a_name_may_have_a_slash(two):
    rows = ("path,tags,split", "a.wav,rock,train", "b.wav,jazz,test")
    corpus = data.from_table(table(two / "t.csv", *rows), name="AC/DC")
    assert (corpus.data, corpus.split_name) == ("AC/DC", "")
    test = corpus.split("test")
    assert (test.name, test.data, test.split_name) == ("AC/DC/test", "AC/DC", "test")
    again = test.divide({"all": 1}).split("all")
    assert (again.name, again.data, again.split_name) == ("AC/DC/test/all", "AC/DC", "test/all")


# --- onsets ---


def test_a_corpus_is_another_with_other_onsets(two):
    def of(*times: float) -> dict:
        return describe(Corpus("o", (Clip(two / "a.wav", onsets=times),), ()))

    assert of(0.1) == of(0.1)
    assert of(0.1)["sha256"] != of(0.2)["sha256"]


def test_a_tagging_corpus_has_the_sum_that_it_had_in_0_1_0(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.wav").write_bytes(bytes(10))
    corpus = Corpus("t", (Clip(Path("a.wav"), ("rock",), 1.5, None, "g"),), ("rock",))
    expected = "0f199a9235b6c2df"
    assert describe(corpus)["sha256"].startswith(expected)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ("100\n300\n", r"onsets beyond the end of 1 clips, which may be in milliseconds.*at 300 s"),
        ("800\n2400\n", "may be in milliseconds or samples"),
        ("0.1\n0.1\n0.3\n", "the same onset more than once in 1 clips"),
        ("0,10\n0,30\n", r"a\.txt: '0,10' has a decimal comma; write 0\.10"),
    ],
)
def test_onsets_in_another_unit_give_a_warning(two, times, message):
    (two / "a.txt").write_text(times)
    (two / "b.txt").write_text("0.1\n0.4\n")
    with pytest.warns(AudioWarning, match=message):
        data.from_onsets(two)


def test_onsets_of_a_table_beyond_the_excerpt_give_a_warning(two):
    rows = ("path,onsets,start,end", "a.wav,0.1|0.35,0.1,0.3", "b.wav,0.1|0.2,0.1,0.4")
    with pytest.warns(AudioWarning, match=r"onsets beyond the end of 1 clips.*a\.wav"):
        data.from_table(table(two / "t.csv", *rows))


def test_correct_onsets_give_no_warning(two):
    (two / "a.txt").write_text("0.1\n0.5\n")
    (two / "b.txt").write_text("0.1,36\n0.4,38\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(data.from_onsets(two)) == 2


# --- clips that a model was trained on ---


def test_scores_on_training_clips_give_a_warning(tmp_path):
    for i in range(4):
        for kind in ("rock", "jazz"):
            sound(tmp_path / "songs" / kind / f"{i}.wav", i + 10 * (kind == "rock"))
    songs = data.from_folder(tmp_path / "songs")
    train, rest = songs.take((0, 1, 4, 5), "train"), songs.take((2, 3, 6, 7), "rest")
    model = zoo.build("dieleman2014", songs.labels, segment=1.0, activation="softmax")
    quick = {"epochs": 1, "batch_size": 4, "progress": False}
    trained = zoo.train(model, train, rest, folder=tmp_path / "out", **quick).model
    said = "was trained on 4 of the 8 clips of songs"
    with pytest.warns(AudioWarning, match=said):
        zoo.evaluate(trained, songs, bootstrap=0)
    (tmp_path / "songs").rename(tmp_path / "moved")
    moved = data.from_folder(tmp_path / "moved", name="songs")
    for name in ("out", "out/model.keras"):
        with pytest.warns(AudioWarning, match=said):
            zoo.evaluate(tmp_path / name, moved, bootstrap=0)
    with pytest.warns(AudioWarning, match=said):
        zoo.compare([tmp_path / "out"], moved, bootstrap=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        zoo.evaluate(tmp_path / "out", moved.take((2, 3, 6, 7)), bootstrap=0)
