"""The Million Song Dataset with 50 tags of Last.fm: 241,889 clips, as 7digital's 30 s previews.

The division is Choi's (2016), in Lee's list of clips longer than 29.1 s (2017): 201,680, 11,774 and
28,435. It exists as two sets of files; either can be read. Lee's, also of Kim 2018 and Won 2020:

    filtered_list_train.cP              ids; the first 201,680 train, the rest validation
    filtered_list_test.cP               ids
    msd_id_to_tag_vector.cP             id -> 50 times 0 or 1
    MSD_id_to_7D_id.pkl                 id -> 7digital's id; this and the next only for their paths
    7D_id_to_path.pkl                   7digital's id -> "8/9/8947470.clip.mp3"

Choi's (github.com/keunwoochoi/MSD_split_for_tagging), before the filter:

    train_x_msd_id.txt                  ids, a line each; also valid_..., test_...
    train_x_filename.txt                "6/0/6010476.npy" means 6/0/6010476.clip.mp3
    train_y.npy                         (clips, 50)

The clips are named as by 7digital, `8/9/8947470.clip.mp3`, or by the MSD's ids,
`A/A/D/TRAADIN128F931D672.mp3`. They are no longer distributed; this is for those who have them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.data.readers import pickles
from zoo.errors import ConfigError

TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists"),
    *("classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill"),
    *("instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic"),
    *("experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock"),
    *("60s", "rnb", "indie pop", "sad", "House", "happy"),
)
"""The 50 tags in the order of the vectors (50tagList.txt, tags.py) and of the networks' outputs."""

TRAIN = 201_680  # of filtered_list_train.cP; the rest are validation

LEE = ("filtered_list_train.cP", "filtered_list_test.cP", "msd_id_to_tag_vector.cP")
PATHS = ("MSD_id_to_7D_id.pkl", "7D_id_to_path.pkl")
CHOI = {"train": "train", "validation": "valid", "test": "test"}
"""Split -> start of the names of Choi's files."""

_METADATA = (".", "split", "splits", "MSD_split", "MSD_split_for_tagging", "lastfm_annotation")
_AUDIO = ("audio", "songs", "mp3", ".")


class _Track(NamedTuple):
    split: str
    msd_id: str
    vector: np.ndarray | None  # None if the tags are unknown
    path: str  # 7digital's; "" if unknown


def read(root: Path, audio: str | Path | None = None, train: int = TRAIN) -> Corpus:
    """List the clips of the Million Song Dataset; no audio file is opened.

    Args:
        root: the folder with the lists, directly or in `split/`, and with the clips.
        audio: the folder with the clips' folders (0 to 9, or A to Z); None searches the root.
        train: how many ids of Lee's list filtered_list_train.cP are for training.

    Returns:
        The corpus with the splits "train", "validation" and "test". A clip's group is its artist
        if the MSD's unique_tracks.txt is among the lists. Ids without tags or path are in
        `skipped`.

    Raises:
        ConfigError: lists or clips are missing or have another format.
    """
    lists = _lists(root)
    home, by_id = _audio(root, audio)
    tracks = list(_lee(lists, train, by_id) if (lists / LEE[0]).is_file() else _choi(lists))
    artists = _artists(lists / "unique_tracks.txt", {track.msd_id for track in tracks})
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    splits: dict[str, list[int]] = {split: [] for split in CHOI}
    known: dict[tuple[int, ...], tuple[str, ...]] = {}  # many clips have the same tags
    for track in tracks:
        i = track.msd_id
        path = f"{i[2:3]}/{i[3:4]}/{i[4:5]}/{i}.mp3" if by_id else track.path
        if track.vector is None or not path:
            missing = "tags" if track.vector is None else "path at 7digital"
            skipped.append(Skipped(i, f"no {missing} in the lists"))
            continue
        ones = tuple(np.flatnonzero(track.vector).tolist())
        tags = known.setdefault(ones, tuple(TAGS[one] for one in ones))
        splits[track.split].append(len(clips))
        clips.append(Clip(home / path, tags, group=artists.get(i, "")))
    return Corpus(
        name="msd",
        clips=tuple(clips),
        labels=TAGS,
        splits={split: tuple(members) for split, members in splits.items()},
        skipped=tuple(skipped),
    )


def _lists(root: Path) -> Path:
    """Return the folder with Lee's lists or Choi's."""
    for place in _METADATA:
        folder = root / place
        if (folder / LEE[0]).is_file() or (folder / "train_x_msd_id.txt").is_file():
            return folder
    raise ConfigError(
        f"{root}: expected Lee's lists ({', '.join(LEE + PATHS)}) or Choi's (train_x_msd_id.txt, "
        "train_x_filename.txt, train_y.npy, and so on) here or in split/, but there are none."
    )


def _audio(root: Path, audio: str | Path | None) -> tuple[Path, bool]:
    """Return the folder of the clips, and whether they are named after the MSD's ids."""
    places = [Path(audio)] if audio is not None else [root / place for place in _AUDIO]
    for place in places:
        for names, by_id in ("0123456789", False), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", True):
            if any((place / name).is_dir() for name in names):
                return place, by_id
    raise ConfigError(
        f"{places[0]}: the clips are expected here as 8/9/8947470.clip.mp3 or as "
        "A/A/D/TRAADIN128F931D672.mp3, but there is no folder 0 to 9 or A to Z. Give their folder "
        "as audio=."
    )


def _lee(lists: Path, train: int, by_id: bool) -> Iterator[_Track]:
    """Yield the tracks of Lee's pickles."""
    needed = LEE if by_id else LEE + PATHS
    missing = [name for name in needed if not (lists / name).is_file()]
    if missing:
        raise ConfigError(f"{lists}: missing files of Lee's lists: {', '.join(missing)}.")
    first, test = (_content(lists / name, list) for name in LEE[:2])
    vectors = _content(lists / LEE[2], dict)
    to_7digital, to_path = ({}, {}) if by_id else (_content(lists / name, dict) for name in PATHS)
    for split, ids in ("train", first[:train]), ("validation", first[train:]), ("test", test):
        for msd_id in ids:
            vector = vectors.get(msd_id)
            path = to_path.get(to_7digital.get(msd_id), "")
            yield _Track(split, msd_id, _vector(vector, msd_id, lists / LEE[2]), path)


def _content(path: Path, kind: type[list] | type[dict]) -> Any:
    """Read a pickle of a list or a dictionary, with strings or numbers as items or keys."""
    content = pickles.read(path)
    if type(content) is not kind or not all(type(key) in (str, int) for key in content):
        raise ConfigError(
            f"{path}: expected a {kind.__name__} of ids, found a {type(content).__name__}."
        )
    return content


def _vector(value: Any, msd_id: str, path: Path) -> np.ndarray | None:
    """Return a tag vector as (50,)."""
    if value is None:
        return None
    vector = np.ravel(getattr(value, "values", value))
    if vector.shape != (len(TAGS),):
        raise ConfigError(f"{path}: {msd_id} has {vector.size} tags; expected 50.")
    return vector


def _choi(lists: Path) -> Iterator[_Track]:
    """Yield the tracks of Choi's texts and arrays."""
    for split, prefix in CHOI.items():
        files = [lists / f"{prefix}_{end}" for end in ("x_msd_id.txt", "x_filename.txt", "y.npy")]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise ConfigError(f"{lists}: missing files of Choi's lists: {', '.join(missing)}.")
        ids, names = (file.read_text().split() for file in files[:2])
        try:
            vectors = np.load(files[2], allow_pickle=False)
        except ValueError as error:
            raise ConfigError(f"{files[2]}: not an array of numbers ({error}).") from error
        if not len(ids) == len(names) == len(vectors) or vectors.shape[1:] != (len(TAGS),):
            raise ConfigError(
                f"{lists}: {len(ids)} ids and {len(names)} names of {split!r} with tags of shape "
                f"{vectors.shape}; expected the same number of each, and 50 tags."
            )
        for msd_id, name, vector in zip(ids, names, vectors, strict=True):
            yield _Track(split, msd_id, vector, name.removesuffix(".npy") + ".clip.mp3")


def _artists(path: Path, ids: set[str]) -> dict[str, str]:
    """Return id -> artist from the MSD's unique_tracks.txt; empty if the file is missing."""
    artists: dict[str, str] = {}
    if path.is_file():
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                msd_id, _, artist, *_ = line.split("<SEP>") + [""] * 3
                if msd_id in ids:
                    artists[msd_id] = sys.intern(artist)
    return artists
