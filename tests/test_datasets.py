"""The field's datasets, as miniature copies with their layout on a disk."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo import data
from zoo.data.readers import gtzan, jamendo, msd, mtat, pickles
from zoo.errors import AudioError, AudioWarning, ConfigError
from zoo.registry import manifest


def encoded(format: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(8000) / 9) / 3, 16000, format=format)
    return file.getvalue()


SOUND = {".mp3": encoded("MP3"), ".wav": encoded("WAV"), ".au": encoded("AU")}


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SOUND[path.suffix])


def tsv(path: Path, *rows: list[str], quoted: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    quote = '"' if quoted else ""
    text = "".join("\t".join(f"{quote}{c}{quote}" for c in row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("tags", "checkpoint"),
    [
        (mtat.TAGS, "pons2017.mtt"),
        (msd.TAGS, "pons2017.msd"),
        (jamendo.TOP50, "choi2016.jamendo_won2020"),
    ],
)
def test_the_labels_are_those_of_the_networks_in_their_order(tags, checkpoint):
    assert tags == manifest.load().checkpoints[checkpoint].labels


# --- MagnaTagATune ---

ALL_TAGS = sorted({*mtat.TAGS, *(f"rare tag {i}" for i in range(138))})
FOLDERS = "0123456789abcdef"
TAGGED = {2: ("rock", "guitar"), 12: ("choral",), 14: ("rare tag 7",), 15: ("rock", "rare tag 7")}


@pytest.fixture
def magna(tmp_path) -> Path:
    """A clip in each of the 16 folders, of which four have tags, and the three empty files."""
    annotations = [["clip_id", *ALL_TAGS, "mp3_path"]]
    info = [["clip_id", "track_number", "title", "artist", "album", "url", "mp3_path"]]
    for i, folder in enumerate(FOLDERS):
        path = f"{folder}/some_artist-some_album-0{i}-some_title-0-29.mp3"
        sound(tmp_path / path)
        ones = ["1" if tag in TAGGED.get(i, ()) else "0" for tag in ALL_TAGS]
        annotations.append([str(i + 2), *ones, path])
        info.append([str(i + 2), str(i), "Title", f"Artist {i // 2}", "Album", "http://x", path])
    for number in mtat.UNREADABLE:
        path = f"6/empty-{number}-0-29.mp3"
        (tmp_path / path).write_bytes(b"")
        annotations.append([number, *["1"] * 188, path])
    tsv(tmp_path / "annotations_final.csv", *annotations, quoted=True)
    tsv(tmp_path / "clip_info_final.csv", *info, quoted=True)
    return tmp_path


def test_magnatagatune_has_both_kinds_of_splits(magna):
    with pytest.warns(AudioWarning, match=r"mtat: 3 of 19 clips .*-35644-0-29.mp3 \(unreadable as"):
        corpus = data.load("mtat", magna)
    assert (len(corpus), corpus.labels, corpus.single_label) == (16, mtat.TAGS, False)
    folders = {
        split: "".join(clip.path.parent.name for clip in corpus.split(split).clips)
        for split in corpus.splits
    }
    assert folders == {
        "train": "0123456789ab",
        "validation": "c",
        "test": "def",
        "train_cleaned": "2",
        "validation_cleaned": "c",
        "test_cleaned": "f",
    }
    assert corpus.targets.sum() == 4
    assert corpus.clips[2].tags == ("guitar", "rock")
    assert corpus.clips[3].group == "Artist 1"


def test_magnatagatune_has_all_188_tags_on_demand(magna):
    with pytest.warns(AudioWarning):
        corpus = data.load("mtat", magna, split="test", tags=188)
    assert corpus.labels == tuple(ALL_TAGS)
    assert corpus.clips[1].tags == ("rare tag 7",)
    with pytest.raises(ConfigError, match=r"tags=100: MagnaTagATune has 50"):
        data.load("mtat", magna, tags=100)


def test_magnatagatune_may_be_in_mp3_and_lack_the_file_of_artists(magna):
    (magna / "clip_info_final.csv").unlink()
    (magna / "mp3").mkdir()
    for folder in FOLDERS:
        (magna / folder).rename(magna / "mp3" / folder)
    with pytest.warns(AudioWarning, match="3 of 19"):
        corpus = data.load("mtat", magna)
    assert {clip.group for clip in corpus.clips} == {"some_artist"}


def test_bad_rows_of_magnatagatune_are_named(magna):
    with open(magna / "annotations_final.csv", "a") as file:
        file.write("7\t0\n" + "8\t" + "0\t" * 188 + "elsewhere/x.mp3\n")
    with pytest.warns(AudioWarning, match="5 of 21"):
        corpus = data.load("mtat", magna)
    reasons = {s.name: s.reason for s in corpus.skipped}
    assert reasons["annotations_final.csv, line 21"] == ("2 cells, but the header has 190 columns")
    assert reasons["annotations_final.csv, line 22"] == (
        "mp3_path 'elsewhere/x.mp3': expected a folder 0 to f and a file"
    )


def test_magnatagatune_without_its_files_is_an_error(magna, tmp_path_factory):
    with pytest.raises(ConfigError, match="expected in folders named 0 to f"):
        data.load("mtat", tmp_path_factory.mktemp("bare"))
    (magna / "annotations_final.csv").write_text("clip_id,rock,mp3_path\n")
    with pytest.raises(ConfigError, match=r"missing columns: clip_id, .*found 1 columns"):
        data.load("mtat", magna)
    (magna / "annotations_final.csv").unlink()
    with pytest.raises(
        ConfigError, match=r"the file annotations_final\.csv of MagnaTagATune is missing"
    ):
        data.load("mtat", magna)


# --- MTG-Jamendo ---

TRACKS = {
    "train": [("14/214", "artist_000014", ["genre---rock", "mood/theme---film"])],
    "validation": [("00/1000", "artist_000020", ["genre---ambient"])],
    "test": [("07/307", "artist_000031", ["instrument---voice"]), ("08/308", "artist_000031", [])],
}


@pytest.fixture
def tracks(tmp_path) -> Path:
    for subset, kept in ("_top50tags", "-"), ("_genre", "genre"), ("", "-"):
        for split, rows in TRACKS.items():
            lines = [jamendo.HEADER]
            for path, artist, tags in rows:
                number = f"track_{int(path.split('/')[1]):07}"
                own = [tag for tag in tags if kept in tag]
                lines.append([number, artist, "album_000031", f"{path}.mp3", "124.6", *own])
                sound(tmp_path / "audio" / f"{path}.mp3")
            tsv(
                tmp_path / "data" / "splits" / "split-0" / f"autotagging{subset}-{split}.tsv",
                *lines,
            )
    return tmp_path


def test_jamendo_has_its_top_50_tags_and_artists(tracks):
    with pytest.warns(
        AudioWarning, match=r"-test.tsv, line 3 \(5 cells: expected TRACK_ID, ARTIST"
    ):
        corpus = data.load("mtg-jamendo", tracks)
    assert corpus.labels == jamendo.TOP50
    assert corpus.splits == {"train": (0,), "validation": (1,), "test": (2,)}
    assert corpus.clips[0] == data.Clip(
        tracks / "audio" / "14" / "214.mp3",
        ("genre---rock", "mood/theme---film"),
        group="artist_000014",
    )
    assert corpus.targets.sum() == 4


def test_jamendo_names_the_division_unless_it_is_the_usual_one(tracks):
    splits = tracks / "data" / "splits"
    (splits / "split-0").rename(splits / "split-2")
    with pytest.warns(AudioWarning):
        assert data.load("mtg-jamendo", tracks, split_number=2).name == "mtg-jamendo-split-2"


def test_jamendo_may_be_the_smaller_edition_beside_the_repository(tracks):
    (tracks / "mtg-jamendo-dataset").mkdir()
    (tracks / "data").rename(tracks / "mtg-jamendo-dataset" / "data")
    (tracks / "audio").rename(tracks / "audio-low")
    for path in list((tracks / "audio-low").rglob("*.mp3")):
        path.rename(path.with_suffix(".low.mp3"))
    with pytest.warns(AudioWarning):
        corpus = data.load("mtg-jamendo", tracks, split="validation")
    assert corpus.clips[0].path == tracks / "audio-low" / "00" / "1000.low.mp3"


def test_jamendo_has_subsets_whose_labels_are_those_that_occur(tracks):
    with pytest.warns(AudioWarning):
        corpus = data.load("mtg-jamendo", tracks, subset="genre", audio=tracks / "audio")
    assert corpus.labels == ("genre---ambient", "genre---rock")
    with pytest.raises(
        ConfigError, match="subset='mood': expected one of top50tags, genre, instru"
    ):
        data.load("mtg-jamendo", tracks, subset="mood")


def test_missing_tracks_of_jamendo_are_reported(tracks):
    (tracks / "audio" / "14" / "214.mp3").unlink()
    with pytest.warns(AudioWarning, match=r"214.mp3 \(no such file\)"):
        assert len(data.load("mtg-jamendo", tracks)) == 2


def test_jamendo_without_its_files_is_an_error(tracks, tmp_path_factory):
    with pytest.raises(ConfigError, match=r"expected in data/splits/, but there is no such folder"):
        data.load("mtg-jamendo", tmp_path_factory.mktemp("bare"))
    with pytest.raises(ConfigError, match=r"split-3.* is missing\. Divisions found: split-0"):
        data.load("mtg-jamendo", tracks, split_number=3)
    with pytest.raises(ConfigError, match=r"00/1000\.low\.mp3 here, but there are none"):
        data.load("mtg-jamendo", tracks, audio=tracks / "data")
    lists = tracks / "data" / "splits" / "split-0"
    (lists / "autotagging_top50tags-train.tsv").write_text("path,tags\n")
    with pytest.raises(ConfigError, match=r"expected the columns TRACK_ID, .*found path,tags"):
        data.load("mtg-jamendo", tracks)


# --- GTZAN ---


@pytest.fixture
def genres(tmp_path) -> Path:
    """All thousand, as links to one file; jazz.00054 as unreadable as in the common copy."""
    sound(tmp_path / "a.wav")
    for genre in gtzan.GENRES:
        folder = tmp_path / "gtzan" / "genres" / genre
        folder.mkdir(parents=True)
        for number in range(100):
            (folder / f"{genre}.{number:05}.wav").hardlink_to(tmp_path / "a.wav")
    jazz = tmp_path / "gtzan" / "genres" / "jazz" / "jazz.00054.wav"
    jazz.unlink()
    jazz.write_bytes(bytes(1000))
    return tmp_path / "gtzan"


def test_gtzan_has_the_fault_filtered_split(genres):
    reason = r"gtzan: 1 of 1000 clips .*jazz.00054.wav \(a file of 1000 bytes"
    with pytest.warns(AudioWarning, match=reason):
        corpus = data.load("gtzan", genres)
    assert (len(corpus), corpus.labels, corpus.single_label) == (999, gtzan.GENRES, True)
    counts = {split: len(members) for split, members in corpus.splits.items()}
    assert counts == {"train": 442, "validation": 197, "test": 290}
    test = corpus.split("test")
    assert test.clips[0].path.name == "blues.00012.wav"
    assert test.targets.sum(0).tolist() == [31, 31, 30, 29, 27, 27, 27, 30, 26, 32]


def test_the_fault_filtered_lists_have_their_published_sizes_and_share_no_clip():
    lists = {split: gtzan.members(split) for split in gtzan.FILTERED}
    assert {split: len(set(own)) for split, own in lists.items()} == {
        "train": 443,
        "validation": 197,
        "test": 290,
    }
    assert len({member for own in lists.values() for member in own}) == 930


def test_gtzan_may_be_au_files_and_incomplete(tmp_path):
    sound(tmp_path / "genres_original" / "blues" / "blues.00029.au")
    sound(tmp_path / "genres_original" / "rock" / "rock.00010.au")
    with pytest.warns(AudioWarning, match=r"998 of 1000 .*blues.00000.wav \(no such file\)"):
        corpus = data.load("gtzan", tmp_path)
    assert corpus.splits == {"train": (0,), "validation": (), "test": (1,)}
    with pytest.raises(ConfigError, match=r"expected as genres/blues/blues\.00000\.wav"):
        data.load("gtzan", tmp_path / "genres_original" / "rock")


# --- Million Song Dataset ---

IDS = ["TRAADIN128F931D672", "TRAADQW128F427CE68", "TRAADRX12903D0EFE8", "TRAAEWC128F427D19B"]
CLIPS = ["8/9/8947470.clip.mp3", "6/0/6010476.clip.mp3", "2/3/23273.clip.mp3", "1/1/11623.clip.mp3"]
VECTORS = np.zeros((4, 50))
VECTORS[0, [0, 49]] = VECTORS[1, 1] = VECTORS[3, 26] = 1


def text(word: str) -> str:
    return f"S{word!r}\n"


def listing(words: list[str]) -> bytes:
    """A list of words as Python 2 pickles it, protocol 0."""
    items = "".join(f"{text(word)}p{i + 2}\na" for i, word in enumerate(words))
    return f"(lp1\n{items}.".encode()


def dictionary(pairs: dict[str, str]) -> bytes:
    """A dictionary as Python 2 pickles it, with values that are instructions already."""
    return ("(dp1\n" + "".join(f"{text(k)}{v}s" for k, v in pairs.items()) + ".").encode("latin1")


def array(values: np.ndarray) -> str:
    """An array of (50, 1) float64 as Python 2 pickles it."""
    raw = values.astype("<f8").tobytes().decode("latin1").encode("unicode_escape").decode()
    return (
        "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        "(I1\n(I50\nI1\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        f"S'{raw}'\ntb"
    )


@pytest.fixture
def million(tmp_path) -> Path:
    """Lee's lists, with a fifth id that has no tags and a sixth that has no path."""
    lists = tmp_path / "split"
    lists.mkdir()
    (lists / "filtered_list_train.cP").write_bytes(listing([*IDS[:3], "TRNOTAGS", "TRNOPATH"]))
    (lists / "filtered_list_test.cP").write_bytes(listing(IDS[3:]))
    vectors = dict(zip(IDS, map(array, VECTORS), strict=True))
    vectors["TRNOPATH"] = array(VECTORS[0])
    (lists / "msd_id_to_tag_vector.cP").write_bytes(dictionary(vectors))
    numbers = [Path(clip).name.partition(".")[0] for clip in CLIPS]
    to_number = {i: text(n) for i, n in zip([*IDS, "TRNOTAGS"], [*numbers, "9"], strict=True)}
    (lists / "MSD_id_to_7D_id.pkl").write_bytes(dictionary(to_number))
    to_path = {n: text(c) for n, c in zip([*numbers, "9"], [*CLIPS, "9/9/9.mp3"], strict=True)}
    (lists / "7D_id_to_path.pkl").write_bytes(dictionary(to_path))
    for clip in CLIPS:
        sound(tmp_path / "audio" / clip)
    return tmp_path


def test_the_million_songs_load_from_lees_pickles(million):
    with pytest.warns(AudioWarning, match=r"TRNOTAGS \(no tags in the lists\), TRNOPATH \(no path"):
        corpus = data.load("msd", million, train=2)
    assert corpus.labels == msd.TAGS
    assert corpus.splits == {"train": (0, 1), "validation": (2,), "test": (3,)}
    assert [clip.tags for clip in corpus.clips] == [("rock", "happy"), ("pop",), (), ("blues",)]
    assert [str(c.path.relative_to(million / "audio")) for c in corpus.clips] == CLIPS
    np.testing.assert_array_equal(corpus.targets, VECTORS)


def test_the_million_songs_may_be_named_by_their_ids(million):
    for name in "MSD_id_to_7D_id.pkl", "7D_id_to_path.pkl":
        (million / "split" / name).unlink()
    with pytest.raises(
        ConfigError, match=r"missing files of Lee's lists: MSD_id_to_7D_id\.pkl, 7D_id_to_path"
    ):
        data.load("msd", million)
    for i in IDS:
        sound(million / "by_id" / i[2] / i[3] / i[4] / f"{i}.mp3")
    with pytest.warns(AudioWarning, match=r"TRNOPATH.mp3 \(no such file\)"):
        corpus = data.load("msd", million, audio=million / "by_id")
    assert corpus.clips[0].path == million / "by_id" / "A" / "A" / "D" / f"{IDS[0]}.mp3"


def test_the_million_songs_load_from_chois_texts_with_artists(tmp_path):
    own = {"train": [0, 1], "valid": [2], "test": [3]}
    for split, members in own.items():
        names = [CLIPS[i].replace(".clip.mp3", ".npy") for i in members]
        (tmp_path / f"{split}_x_msd_id.txt").write_text("\n".join(IDS[i] for i in members))
        (tmp_path / f"{split}_x_filename.txt").write_text("\n".join(names))
        np.save(tmp_path / f"{split}_y.npy", VECTORS[members])
    (tmp_path / "unique_tracks.txt").write_text(f"{IDS[0]}<SEP>SO1<SEP>The Beats<SEP>Song\n")
    for clip in CLIPS:
        sound(tmp_path / clip)
    corpus = data.load("msd", tmp_path)
    assert corpus.splits == {"train": (0, 1), "validation": (2,), "test": (3,)}
    assert [clip.group for clip in corpus.clips] == ["The Beats", "", "", ""]
    np.testing.assert_array_equal(corpus.targets, VECTORS)
    np.save(tmp_path / "test_y.npy", VECTORS[:2])
    with pytest.raises(
        ConfigError, match=r"1 ids and 1 names of 'test' with tags of shape \(2, 50"
    ):
        data.load("msd", tmp_path)
    (tmp_path / "test_y.npy").unlink()
    with pytest.raises(ConfigError, match=r"missing files of Choi's lists: test_y\.npy"):
        data.load("msd", tmp_path)


def test_the_million_songs_without_lists_or_clips_are_an_error(million, tmp_path_factory):
    with pytest.raises(ConfigError, match=r"expected Lee's lists \(filtered_list_train\.cP"):
        data.load("msd", tmp_path_factory.mktemp("bare"))
    with pytest.raises(ConfigError, match="there is no folder 0 to 9 or A to Z"):
        data.load("msd", million, audio=million / "split")


def test_lists_of_another_kind_are_an_error(million):
    path = million / "split" / "filtered_list_test.cP"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ConfigError, match=r"expected a list of ids, found a dict"):
        data.load("msd", million)
    vectors = million / "split" / "msd_id_to_tag_vector.cP"
    path.write_bytes(pickle.dumps(IDS[3:]))
    vectors.write_bytes(pickle.dumps({IDS[3]: [1, 0]}))
    with pytest.raises(ConfigError, match=f"{IDS[3]} has 2 tags; expected 50"):
        data.load("msd", million)


# --- pickles ---


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_arrays_of_every_protocol_are_read(tmp_path, protocol, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": values, "b": [1, 2.5, None]}, protocol))
    if protocol == 5:  # NumPy asks for a function of its own there
        with pytest.raises(ConfigError, match="_frombuffer', which is not admitted"):
            pickles.read(path)
        return
    content = pickles.read(path)
    assert content["b"] == [1, 2.5, None]
    np.testing.assert_array_equal(content["a"].values, values)
    assert content["a"].values.dtype == values.dtype


def test_a_pickle_that_names_a_function_is_refused_before_it_is_called(tmp_path):
    path, mark = tmp_path / "a.pkl", tmp_path / "called"
    path.write_bytes(b"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'" + bytes(mark) + b"'\ntRtR.")
    with pytest.raises(ConfigError, match=r"asks for 'pathlib\.Path\.touch', which is not"):
        pickles.read(path)
    path.write_bytes(b"cos\nsystem\n(S'touch " + bytes(mark) + b"'\ntR.")
    with pytest.raises(ConfigError, match=r"asks for 'os\.system', which is not admitted"):
        pickles.read(path)
    assert not mark.exists()


def test_a_pickle_whose_arrays_are_not_what_they_say_is_refused(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(array(VECTORS[0]).replace("I50", "I51").encode("latin1") + b".")
    with pytest.raises(ConfigError, match=r"has 400 bytes for an array of shape \(51, 1\)"):
        pickles.read(path)
    path.write_bytes(array(VECTORS[0]).replace("'f8'", "'O8'").encode("latin1") + b".")
    with pytest.raises(ConfigError, match="holds values of type 'O8'; admitted are b1"):
        pickles.read(path)
    path.write_bytes(b"(lp1\n")
    with pytest.raises(ConfigError, match="not a pickle, or damaged, or cut off"):
        pickles.read(path)


def test_a_dataset_without_usable_files_is_an_error(million):
    for clip in CLIPS:
        (million / "audio" / clip).write_bytes(b"")
    with pytest.raises(AudioError, match=r"msd: none of 6 clips can be used: TRNOTAGS"):
        data.load("msd", million)
