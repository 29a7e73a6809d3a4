"""Folders, tables and onset annotations as corpora; what a command line may name."""

import json
import re
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo import data
from zoo.errors import AudioError, AudioWarning, ConfigError, UnknownName

SOUND = np.sin(np.arange(4000) / 9) / 3


def sounds(root: Path, *names: str) -> Path:
    """Half a second at 8 kHz under each name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        loud = 1 - zlib.crc32(name.encode()) / 2**33  # no two files are copies
        soundfile.write(root / name, loud * SOUND, 8000)
    return root


def lines(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    path.write_text("".join(row + "\n" for row in rows), encoding=encoding)
    return path


def reasons(corpus: data.Corpus) -> dict[str, str]:
    return {Path(s.name).name: s.reason for s in corpus.skipped}


# --- folders ---


def test_each_subfolder_is_a_class(tmp_path):
    sounds(tmp_path, "rock/b.wav", "rock/a.wav", "jazz/c.flac", "jazz/deep/d.wav")
    corpus = data.from_folder(tmp_path)
    assert corpus.labels == ("jazz", "rock")
    assert corpus.single_label
    assert corpus.splits == {}
    names = [str(clip.path.relative_to(tmp_path)) for clip in corpus.clips]
    assert names == ["jazz/c.flac", "jazz/deep/d.wav", "rock/a.wav", "rock/b.wav"]
    np.testing.assert_array_equal(corpus.targets, [[1, 0], [1, 0], [0, 1], [0, 1]])


def test_a_subfolder_of_a_class_is_a_group(tmp_path):
    sounds(tmp_path, "rock/beats/1.wav", "rock/beats/live/2.wav", "rock/3.wav", "jazz/beats/4.wav")
    corpus = data.from_folder(tmp_path)
    assert [clip.group for clip in corpus.clips] == ["beats", "", "beats", "beats"]
    assert len(set(corpus.groups)) == 2


def test_groups_can_be_switched_off_or_made_by_a_function(tmp_path):
    sounds(tmp_path, "rock/beats/x-1.wav", "rock/beats/y-2.wav")
    assert len(set(data.from_folder(tmp_path, group="none").groups)) == 2
    by_name = data.from_folder(tmp_path, group=lambda path: path.name[0])
    assert [clip.group for clip in by_name.clips] == ["x", "y"]
    with pytest.raises(ConfigError, match=r"""group='artist': expected "subfolder", "none" or a"""):
        data.from_folder(tmp_path, group="artist")


def test_folders_named_after_splits_are_splits(tmp_path):
    sounds(tmp_path, "train/rock/a.wav", "train/jazz/b.wav", "val/rock/c.wav", "test/jazz/d.wav")
    corpus = data.from_folder(tmp_path)
    assert corpus.labels == ("jazz", "rock")
    assert corpus.splits == {"train": (0, 1), "validation": (2,), "test": (3,)}
    test = data.from_folder(tmp_path, split="test")
    assert [clip.path.name for clip in test.clips] == ["d.wav"]
    assert test.labels == corpus.labels


def test_a_class_called_test_beside_other_classes_is_a_class(tmp_path):
    corpus = data.from_folder(sounds(tmp_path, "test/a.wav", "rock/b.wav"))
    assert corpus.labels == ("rock", "test")


def test_sounds_outside_classes_and_empty_classes_are_reported(tmp_path):
    sounds(tmp_path, "rock/a.wav", "stray.wav")
    (tmp_path / "empty").mkdir()
    with pytest.warns(AudioWarning, match="2 of 3 clips are left out") as caught:
        corpus = data.from_folder(tmp_path)
    assert reasons(corpus) == {
        "stray.wav": "in no class's folder",
        "empty": "a class without audio files",
    }
    assert corpus.labels == ("rock",)
    assert caught[0].filename == __file__


def test_unreadable_files_of_a_folder_are_reported(tmp_path):
    sounds(tmp_path, "rock/a.wav")
    (tmp_path / "rock" / "b.mp3").write_text("<html>")
    with pytest.warns(AudioWarning, match=r"b.mp3 \(not an MP3, despite its name"):
        assert len(data.from_folder(tmp_path)) == 1


def test_without_check_no_file_is_opened(tmp_path):
    (tmp_path / "rock").mkdir()
    (tmp_path / "rock" / "b.mp3").write_text("<html>")
    assert len(data.from_folder(tmp_path, check=False)) == 1


def test_a_folder_without_classes_is_an_error(tmp_path):
    with pytest.raises(AudioError, match=r"no class has audio files.* found no subfolder"):
        data.from_folder(sounds(tmp_path, "a.wav"))


def test_a_folder_that_is_not_there_or_is_a_file_is_an_error(tmp_path):
    sounds(tmp_path, "songs/rock/a.wav")
    with pytest.raises(FileNotFoundError, match="Did you mean 'songs'"):
        data.from_folder(tmp_path / "song")
    with pytest.raises(ConfigError, match="use from_table"):
        data.from_folder(tmp_path / "songs" / "rock" / "a.wav")


# --- tables ---

HEAD = "path,tags,start,end,split,group,onsets"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_gives_tags_excerpts_splits_groups_and_onsets(tmp_path, encoding):
    sounds(tmp_path, "a.wav", "ü/b.wav")
    table = lines(
        tmp_path / "t.csv",
        HEAD,
        "a.wav,rock|größe,,,train,The Beats,",
        '"ü/b.wav",rock; loud,.1,.4,test,,0.3|0.1',
        "",
        "a.wav,,0.2,,validation,,",
        encoding=encoding,
    )
    corpus = data.from_table(table)
    first, second, third = corpus.clips
    assert corpus.labels == ("größe", "loud", "rock")
    assert not corpus.single_label
    assert (first.path, first.tags, first.group) == (
        tmp_path / "a.wav",
        ("rock", "größe"),
        "The Beats",
    )
    assert (second.tags, second.start, second.end) == (("rock", "loud"), 0.1, 0.4)
    assert (first.onsets, second.onsets) == (None, (0.1, 0.3))
    assert (third.tags, third.start, third.end) == ((), 0.2, None)
    assert corpus.splits == {"train": (0,), "validation": (2,), "test": (1,)}


def test_a_tsv_may_have_other_columns_in_any_order(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    rows = ("Title\tTags\tPath", "One, two\trock\ta.wav", "Three\tjazz\tb.wav")
    corpus = data.from_table(lines(tmp_path / "t.tsv", *rows))
    assert corpus.single_label
    assert [clip.tags for clip in corpus.clips] == [("rock",), ("jazz",)]


def test_a_jsonl_has_lists(tmp_path):
    sounds(tmp_path, "a.wav")
    rows = [
        {"path": "a.wav", "tags": ["rock", "a|b"], "split": "train"},
        {"path": "a.wav", "tags": [], "start": 0.1, "end": 0.4, "onsets": [0.2], "group": 7},
    ]
    corpus = data.from_table(lines(tmp_path / "t.jsonl", *map(json.dumps, rows)))
    assert corpus.clips[0].tags == ("rock", "a|b")
    assert (corpus.clips[1].onsets, corpus.clips[1].group) == ((0.2,), "7")


def test_relative_paths_are_relative_to_the_table_or_to_root(tmp_path):
    sounds(tmp_path / "audio", "a.wav")
    table = lines(tmp_path / "t.csv", "path,tags", "a.wav,rock")
    assert data.from_table(table, root=tmp_path / "audio").clips[0].path.is_file()
    with pytest.raises(AudioError, match=r"t: none of 1 clips can be used: .*a.wav \(no such file"):
        data.from_table(table)
    with pytest.raises(FileNotFoundError, match="audios: no such file or folder"):
        data.from_table(table, root=tmp_path / "audios")


def test_labels_may_be_given_in_an_order(tmp_path):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", "path,tags", "a.wav,rock", "a.wav,polka")
    with pytest.warns(AudioWarning, match=r"t.csv, line 3 \(tag 'polka': not among the labels\)"):
        corpus = data.from_table(table, labels=["rock", "jazz"])
    assert corpus.labels == ("rock", "jazz")


BAD_ROWS = {
    "b.wav,rock,,,,": "6 cells, but the header has 7 columns",
    ",rock,,,,,": "no path",
    "b.wav,rock,soon,,,,": "start 'soon': expected seconds, 0 or more",
    "b.wav,rock,-1,,,,": "start '-1': expected seconds, 0 or more",
    "b.wav,rock,,nan,,,": "end 'nan': expected seconds, 0 or more",
    "b.wav,rock,2,1,,,": "end 1 is not after start 2",
    "b.wav,rock,,,trian,,": "split 'trian': expected one of train, validation, test, or nothing",
    "b.wav,rock,,,,,0.1|x": "onsets ['0.1', 'x']: expected seconds, 0 or more, such as 0.52|1.04",
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_named_by_its_line_and_left_out(tmp_path, row):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", HEAD, "a.wav,rock|pop,,,,,", row)
    with pytest.warns(AudioWarning, match=re.escape(f"t.csv, line 3 ({BAD_ROWS[row]})")):
        corpus = data.from_table(table)
    assert (len(corpus), reasons(corpus)) == (1, {"t.csv, line 3": BAD_ROWS[row]})


BAD_LINES = {
    "{": "not JSON (Expecting property name enclosed in double quotes: line 2 column 1 (char 2))",
    "[1]": "[1]: expected an object such as {...}",
    '{"tags": ["x"]}': "no path",
    '{"path": 3, "tags": []}': "no path",
    '{"path": "a.wav", "tags": "x"}': "tags 'x': expected a list of words, such as "
    '["rock", "guitar"]',
    '{"path": "a.wav", "tags": [1]}': "tags [1]: expected a list of words, such as "
    '["rock", "guitar"]',
    '{"path": "a.wav", "tags": [], "start": [1]}': "start [1]: expected seconds, 0 or more",
    '{"path": "a.wav", "tags": [], "split": "a"}': "split 'a': expected one of train, "
    "validation, test, or nothing",
}


@pytest.mark.parametrize("row", BAD_LINES)
def test_a_bad_line_of_json_is_named_and_left_out(tmp_path, row):
    good = '{"path": "a.wav", "tags": ["rock", "pop"]}'
    table = lines(sounds(tmp_path, "a.wav") / "t.jsonl", good, row)
    with pytest.warns(AudioWarning, match="line 2"):
        corpus = data.from_table(table)
    assert reasons(corpus) == {"t.jsonl, line 2": BAD_LINES[row]}


def test_a_row_without_a_tag_is_bad_where_all_others_have_one(tmp_path):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", HEAD, "a.wav,rock,,,,,", "a.wav,,0.1,,,,")
    with pytest.warns(AudioWarning, match=r"line 3 \(no tag; expected one \(give sing"):
        assert data.from_table(table).single_label
    corpus = data.from_table(table, single_label=False)
    assert (len(corpus), corpus.single_label) == (2, False)


def test_a_row_with_two_tags_is_bad_where_one_is_expected(tmp_path):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", HEAD, "a.wav,rock,,,,,", "a.wav,b|c,,,,,")
    with pytest.warns(AudioWarning, match=r"line 3 \(the tags b, c; expected one\)"):
        corpus = data.from_table(table, single_label=True)
    assert corpus.labels == ("rock",)


BAD_TABLES = {
    "t.csv": (
        "file,tags\na.wav,rock\n",
        'expected the columns "path" and "tags".*found file, tags',
    ),
    "t.tsv": ("path,tags\na.wav,rock\n", "found path,tags"),
    "u.csv": ("path,genre\na.wav,rock\n", "found path, genre"),
    "v.csv": ("path,tags,tags\na.wav,rock,pop\n", "the column 'tags' occurs twice"),
    "w.csv": ("", "found none"),
    "x.csv": ("path,tags\n", "no row below the header"),
    "y.csv": ("path,tags\n,rock\n", r"no row can be used: y.csv, line 2 \(no path\)"),
    "z.csv": (
        'path,tags\na.wav,"rock\n',
        "after line 1 the cells cannot be separated .*quotation mark",
    ),
    "t.jsonl": ('{"file": "a.wav"}\n', "found file"),
    "t.xlsx": ("", "the suffix '.xlsx'; expected one of .csv, .tsv, .jsonl"),
    "table": ("", "the suffix ''"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_an_invalid_table_is_an_error(tmp_path, name):
    content, message = BAD_TABLES[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        data.from_table(tmp_path / name)


def test_a_table_in_another_encoding_is_an_error_that_says_where(tmp_path):
    table = lines(tmp_path / "t.csv", "path,tags", "a.wav,größe", encoding="latin-1")
    with pytest.raises(ConfigError, match=r"not UTF-8 .*byte 0xf6\. Save it as UTF-8"):
        data.from_table(table)


def test_a_table_that_is_not_there_is_an_error_with_the_nearest_name(tmp_path):
    lines(tmp_path / "songs.csv", "path,tags")
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'songs\.csv'"):
        data.from_table(tmp_path / "song.csv")


def test_a_table_of_onsets_needs_no_tags(tmp_path):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", "path,onsets", "a.wav,0.3|0.1")
    corpus = data.from_table(table)
    assert (corpus.labels, corpus.single_label) == ((), False)
    assert corpus.clips[0].onsets == (0.1, 0.3)


# --- onsets ---


def test_a_sound_has_the_onsets_of_the_text_of_its_name(tmp_path):
    sounds(tmp_path, "audio/a.flac", "audio/b.wav", "c.wav")
    (tmp_path / "annotations" / "x").mkdir(parents=True)
    lines(tmp_path / "annotations" / "x" / "a.onsets", "# seconds", "0.25", "0.125\t1.0", "")
    lines(tmp_path / "annotations" / "b.txt")
    lines(tmp_path / "c.txt", "0.5")
    corpus = data.from_onsets(tmp_path)
    assert [clip.onsets for clip in corpus.clips] == [(0.125, 0.25), (), (0.5,)]
    assert corpus.targets.shape == (3, 0)


def test_sounds_without_onsets_and_bad_annotations_are_reported(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    lines(tmp_path / "a.txt", "0.5")
    lines(tmp_path / "b.txt", "0.1", "soon")
    with pytest.warns(AudioWarning, match="2 of 3 clips are left out"):
        corpus = data.from_onsets(tmp_path)
    assert reasons(corpus) == {
        "b.wav": "b.txt, line 2: 'soon'; expected seconds",
        "c.wav": "expected one text file of onsets for it, found none",
    }


def test_a_folder_without_any_onsets_is_an_error(tmp_path):
    with pytest.raises(
        AudioError, match=r"no audio file has onsets\. Expected x\.wav and x\.onsets or"
    ):
        data.from_onsets(sounds(tmp_path, "a.wav"))


# --- names ---


def test_a_command_line_names_folders_tables_and_splits_of_them(tmp_path):
    sounds(tmp_path, "songs/train/rock/a.wav", "songs/test/rock/b.wav")
    table = lines(tmp_path / "t.csv", "path,tags,split", "songs/test/rock/b.wav,rock,test")
    assert len(data.open_corpus(str(tmp_path / "songs"))) == 2
    assert data.open_corpus(f"{tmp_path}/songs#test").name == "songs/test"
    assert data.open_corpus(f"{table}#test").clips[0].tags == ("rock",)
    with pytest.raises(UnknownName, match=r"no split named 'dev'; it has train, test"):
        data.open_corpus(f"{tmp_path}/songs#dev")
    with pytest.raises(FileNotFoundError, match="Did you mean 'songs'"):
        data.open_corpus(f"{tmp_path}/song")


def test_a_folder_with_a_hash_or_colon_in_its_name_is_opened(tmp_path):
    sounds(tmp_path, "c#/rock/a.wav", "x:y/rock/a.wav")
    assert data.open_corpus(f"{tmp_path}/c#").name == "c#"
    assert data.open_corpus(f"{tmp_path}/x:y").name == "x:y"


def test_a_command_line_names_onsets(tmp_path):
    lines(sounds(tmp_path, "a.wav") / "a.txt", "0.5")
    assert data.open_corpus(f"onsets:{tmp_path}").clips[0].onsets == (0.5,)


def test_an_unknown_dataset_is_an_error_with_the_nearest():
    with pytest.raises(
        UnknownName, match=r"'mtatt'\. Did you mean 'mtat'\? There are: mtat \(Magn"
    ):
        data.load("mtatt", "/")
    with pytest.raises(UnknownName, match="Did you mean 'gtzan'"):
        data.open_corpus("gtzann:/somewhere")


def test_an_unknown_option_of_a_dataset_is_an_error_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"no option 'tag'; it has split, check, tags\."):
        data.load("mtat", tmp_path, tag=188)


def test_a_dataset_whose_folder_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        data.load("gtzan", tmp_path / "gtzan")


def test_no_framework_is_loaded_for_a_corpus(tmp_path):
    table = lines(sounds(tmp_path, "a.wav") / "t.csv", "path,tags", "a.wav,rock")
    code = (
        f"from zoo import data; data.open_corpus({str(table)!r}).check();"
        "import sys; print({'keras', 'tensorflow', 'jax', 'torch', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_large_table_costs_less_than_two_kilobytes_a_row(tmp_path):
    rows = [f"{i % 10}/{i}.mp3,rock|pop|tag {i % 50},train,artist {i // 9}" for i in range(4_000)]
    table = lines(tmp_path / "t.csv", "path,tags,split,group", *rows)
    first = lines(tmp_path / "first.csv", "path,tags,split,group", *rows[:10])
    data.from_table(first, check=False)  # imports what it needs, which is not to be counted
    tracemalloc.start()
    corpus = data.from_table(table, check=False)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(corpus) == 4_000
    assert size / 4_000 < 2_000  # bytes: half a gigabyte for the Million Song Dataset
