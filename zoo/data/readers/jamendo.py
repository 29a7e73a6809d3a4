"""MTG-Jamendo: 55,000 full tracks with genre, instrument and mood tags (Bogdanov et al., 2019).

The files: the repository of the dataset, of which `data/splits/split-0/` to `split-4/` are read
(`autotagging_top50tags-train.tsv` and so on: TRACK_ID, ARTIST_ID, ALBUM_ID, PATH, DURATION, TAGS;
each tag has its own cell), and the tracks as `00/1000.mp3`, or `00/1000.low.mp3` in the smaller
edition, in `audio/` or `audio-low/` or next to the repository.
"""

import sys
from pathlib import Path

from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import ConfigError

_GENRES = """alternative ambient atmospheric chillout classical dance downtempo easylistening
    electronic experimental folk funk hiphop house indie instrumentalpop jazz lounge metal newage
    orchestral pop popfolk poprock reggae rock soundtrack techno trance triphop world"""
_INSTRUMENTS = """acousticguitar bass computer drummachine drums electricguitar electricpiano guitar
    keyboard piano strings synthesizer violin voice"""
_MOODS = "emotional energetic film happy relaxing"

TOP50 = (
    *(f"genre---{name}" for name in _GENRES.split()),
    *(f"instrument---{name}" for name in _INSTRUMENTS.split()),
    *(f"mood/theme---{name}" for name in _MOODS.split()),
)
"""The tags of the subset top50tags, in the order of the networks' outputs (Won 2020)."""

SUBSETS = ("top50tags", "genre", "instrument", "moodtheme", "all")

SPLITS = ("train", "validation", "test")
HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
_METADATA = ("data", ".", "mtg-jamendo-dataset/data")
_AUDIO = ("audio", "audio-low", "raw_30s/audio", "raw_30s/audio-low", "raw_30s", ".", "data/audio")


def read(
    root: Path, subset: str = "top50tags", split_number: int = 0, audio: str | Path | None = None
) -> Corpus:
    """List the tracks of MTG-Jamendo; no audio file is opened.

    Args:
        root: the repository's folder, or one that holds it as `mtg-jamendo-dataset`.
        subset: "top50tags", "genre", "instrument", "moodtheme" or "all".
        split_number: which of the five official divisions, 0 to 4.
        audio: the folder that holds the folders 00 to 99; None searches the root for it.

    Returns:
        A corpus with the official splits. Groups are artists (no artist is in two splits). The
        labels of top50tags are always all fifty; those of other subsets are the tags that occur,
        sorted. Bad rows are in `skipped`.

    Raises:
        ConfigError: there is no such subset or division; a file has other columns; no tracks.
    """
    if subset not in SUBSETS:
        raise ConfigError(f"subset={subset!r}: expected one of {', '.join(SUBSETS)}.")
    folder = _splits_folder(root) / f"split-{split_number}"
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    splits: dict[str, tuple[int, ...]] = {}
    home, low = _audio(root, audio)
    start_of_names = "autotagging" if subset == "all" else f"autotagging_{subset}"
    for split in SPLITS:
        start = len(clips)
        _read_split(folder / f"{start_of_names}-{split}.tsv", home, low, clips, skipped)
        splits[split] = tuple(range(start, len(clips)))
    found = {tag for clip in clips for tag in clip.tags}
    # Scores on other tags or divisions cannot be compared, so the name includes these.
    parts = [subset] * (subset != "top50tags") + [f"split-{split_number}"] * (split_number > 0)
    return Corpus(
        name="-".join(["mtg-jamendo", *parts]),
        clips=tuple(clips),
        labels=TOP50 if subset == "top50tags" else tuple(sorted(found)),
        splits=splits,
        skipped=tuple(skipped),
    )


def _read_split(
    path: Path, home: Path, low: bool, clips: list[Clip], skipped: list[Skipped]
) -> None:
    """Add the tracks of one file."""
    if not path.is_file():
        found = sorted(p.name for p in path.parent.parent.glob("split-*"))
        raise ConfigError(
            f"{path}: this file of MTG-Jamendo is missing. Divisions found: "
            f"{', '.join(found) or 'none'}."
        )
    with open(path, encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\n").split("\t")
        if header != HEADER:
            raise ConfigError(
                f"{path}: expected the columns {', '.join(HEADER)}, separated by tabs; found "
                f"{', '.join(header)[:200]}."
            )
        for line, text in enumerate(file, start=2):
            _, artist, _, name, _, *tags = cells = text.rstrip("\n").split("\t") + [""] * 5
            tags = [sys.intern(tag) for tag in tags if tag]
            if not name.endswith(".mp3") or not tags:
                reason = f"{len([c for c in cells if c])} cells: expected {', '.join(HEADER)}"
                skipped.append(Skipped(f"{path.name}, line {line}", reason))
                continue
            name = name.removesuffix(".mp3") + ".low.mp3" if low else name
            clips.append(Clip(home / name, tuple(tags), group=sys.intern(artist)))


def _splits_folder(root: Path) -> Path:
    """Return the folder that holds split-0 and the others."""
    for place in _METADATA:
        if (root / place / "splits").is_dir():
            return root / place / "splits"
    raise ConfigError(
        f"{root}: MTG-Jamendo's lists are expected in data/splits/, but there is no such folder. "
        "Give the folder of its repository."
    )


def _audio(root: Path, audio: str | Path | None) -> tuple[Path, bool]:
    """Return the folder that holds 00 to 99, and whether the files in it end in .low.mp3."""
    places = [Path(audio)] if audio is not None else [root / place for place in _AUDIO]
    for place in places:
        for folder in sorted(place.glob("[0-9][0-9]")):
            for track in folder.glob("*.mp3"):
                return place, track.name.endswith(".low.mp3")
    raise ConfigError(
        f"{places[0]}: MTG-Jamendo's tracks are expected as 00/1000.mp3 or 00/1000.low.mp3 here"
        f"{'' if len(places) == 1 else ' or in ' + ', '.join(_AUDIO[1:])}, but there are none. "
        "Give their folder as audio=."
    )
