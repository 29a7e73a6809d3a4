"""Build the audio that our taggers are distilled on, from Debian packages.

    apt-get install mma fluidsynth ffmpeg
    python recipes/corpus/build.py FOLDER

About 30 h of real music of free games (`games.py`), and by default 8 h of rendered music and 8 h
of voices, for the instruments, styles and singing that games lack: our own random scores,
through four soundfonts (`scores.py`, `playing.py`); accompaniments of mma's style files; bands with
real drums (`kits.py`); voices of telephone prompts and of actors, speaking, and singing our
melodies (`speech.py`, `singing.py`, `voices.py`); with `--recordings`, players and singers recorded
one by one, and songs (`recordings.py`), and our scores played with instruments that were recorded
note by note (`notes.py`). No sound needs a label: the teachers score it.

`--only games`, `rendered`, `voices` or `recordings` builds one of the four. `--rendered H` and
`--voices H` set the hours, `--workers N` the processes. `--seldom H` makes H more hours of both, of
kinds with tags that teachers give rarely. `--split test` makes only the clips of the test split.
The command can be stopped at any time; started again, it continues where it was. The same command
makes the same files again, with the same programs and packages.

What is never in two splits: a game, and games that share an artist; a soundfont (TimGM6mb is only
in test, Csound's bank only in validation); a style file of mma; a drum kit; a voice.

FOLDER gets
    corpus.csv       path, tags, split, group, kind, seconds: for zoo.data.from_table. The tags are
                     known from how a clip was made; they are empty for games and for mma.
    sources.json     packages with version and SHA-256 of each file; programs with their versions
    ATTRIBUTION.md   artists and licences of the music and voices
    games/ rendered/ voices/ packages/

Downloads 5.5 GB and keeps about 3 GB. The games take as long as the download; an hour of
rendered music or of voices takes about four minutes of one core.
"""

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import games
import making
import recordings
import soundfile
from rich.progress import track as progress

sys.path.append(str(Path(__file__).resolve().parents[1]))
import debian

KINDS = ("games", "rendered", "voices", "recordings")
SPLITS = ("train", "validation", "test")
PROGRAMS = {"rendered": ("mma", "fluidsynth"), "voices": ("fluidsynth", "ffmpeg")}


def build_games(folder: Path) -> None:
    """Fetch the tracks of `games.csv`; print those that could not be fetched."""
    missing = debian.fetch(folder / "games", games.read())
    for name, reason in missing.items():
        print(f"could not be fetched: {name}: {reason}")


def build_made(what: str, folder: Path, given: argparse.Namespace) -> None:
    """Fetch the material of rendered clips or voices, and make the clips."""
    absent = [name for name in PROGRAMS[what] if shutil.which(name) is None]
    if absent:
        raise SystemExit(
            f"not found: {', '.join(absent)}. To fix this on Debian: "
            f"apt-get install {' '.join(absent)}"
        )
    missing = debian.fetch_matching(folder / "packages", making.packages(what))
    if missing:
        raise SystemExit(f"could not be fetched: {missing}. To fix this, try `apt-get update`.")
    names = making.albums(what, getattr(given, what), given.seldom)
    names = [name for name in names if given.split in (None, making.split_of(name))]
    for _ in progress(in_turn(names, folder, given.workers), description=what, total=len(names)):
        pass


def in_turn(names: list[str], folder: Path, workers: int) -> Iterator[list[making.Row]]:
    """Make albums, in this process or in several."""
    make = partial(making.make, folder=folder)
    if workers <= 1:
        yield from map(make, names)
        return
    make(names[0])  # alone: it analyses the voices for all the others
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(make, names)


def rows(folder: Path) -> list[making.Row]:
    """List the clips that are there."""
    listed = [
        making.Row(f"games/{track.file}", "", track.split, track.group, "game", track.seconds)
        for track in games.read()
        if (folder / "games" / track.file).is_file()
    ]
    links = sorted((folder / "recordings").glob("*/*"))
    for path in links:
        info = soundfile.info(path)
        group, kind = recordings.player(path.name), path.parent.name
        name = f"recordings/{kind}/{path.name}"
        listed.append(making.Row(name, "", "train", group, kind, info.duration))
    for what in ("rendered", "voices"):
        for file in sorted((folder / what).glob("*.json")):
            listed += [making.Row(*row) for row in json.loads(file.read_text())]
    return listed


def write_table(folder: Path, listed: Iterable[making.Row]) -> None:
    """Write corpus.csv."""
    with (folder / "corpus.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([making.Row._fields, *listed])


def write_sources(folder: Path, recorded: Iterable[recordings.Recording] = ()) -> None:
    """Write sources.json and ATTRIBUTION.md."""
    record = {}
    for part in ("games", "packages"):
        record |= debian.read_record(folder / part)
    sources = {
        package: {"version": entry["version"], "files": entry["tracks"]}
        for package, entry in sorted(record.items())
    }
    programs = {name: version(name) for names in PROGRAMS.values() for name in names}
    text = json.dumps({"programs": programs, "packages": sources}, indent=1, ensure_ascii=False)
    (folder / "sources.json").write_text(text + "\n", encoding="utf-8")
    artists: dict[str, set[str]] = {}
    for track in games.read():
        artists.setdefault(track.package, set()).add(track.artist)
    lines = [
        "# Whose sounds these are",
        "",
        "Each package of Debian 12 states licences file by file in the `copyright` file beside its",
        "files here; this is a digest. Rendered clips and voices are made from the last ones.",
        "",
        "| package | version | files | licences named | artists named in the files |",
        "|---|---|---|---|---|",
    ]
    for package, entry in sources.items():
        found = [folder / part / package / "copyright" for part in ("games", "packages")]
        text = next((f.read_text("utf-8", "replace") for f in found if f.is_file()), "")
        licences = sorted(set(re.findall(r"^License: *(\S[^\n]{0,40})", text, re.MULTILINE)))
        named = sorted(artists.get(package, set()) - {""})
        cells = (
            package,
            entry["version"],
            str(len(entry["files"])),
            ", ".join(licences) or "see its text",
            ", ".join(named),
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    lines += ["", "| recordings | files | licence | author |", "|---|---|---|---|"]
    counts = Counter((found.source, found.licence, found.author) for found in recorded)
    for (source, licence, author), count in sorted(counts.items()):
        lines.append(f"| {source} | {count} | {licence} | {author} |".replace("\n", " "))
    (folder / "ATTRIBUTION.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def version(program: str) -> str:
    """Return the version line of a program's output, or "" if it is not installed."""
    if shutil.which(program) is None:
        return ""
    flag = {"mma": "-v", "ffmpeg": "-version"}.get(program, "--version")
    answer = subprocess.run([program, flag], capture_output=True, text=True)
    return next(
        (
            line.strip()
            for line in (answer.stdout + answer.stderr).splitlines()
            if re.search(r"\d\.\d|\d\d\.", line)
        ),
        "",
    )


def report(listed: Iterable[making.Row]) -> None:
    """Print the hours of each part and split."""
    hours: Counter[tuple[str, str]] = Counter()
    for row in listed:
        hours[row.path.split("/")[0], row.split] += row.seconds / 3600
    print(f"{'hours':10}" + "".join(f"{split:>12}" for split in SPLITS))
    for what in KINDS:
        print(f"{what:10}" + "".join(f"{hours[what, split]:12.2f}" for split in SPLITS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write to.")
    parser.add_argument("--only", choices=KINDS, help="Build only this part. Default: all.")
    parser.add_argument(
        "--recordings",
        type=Path,
        nargs="+",
        default=(),
        metavar="FOLDER",
        help="Folders with recordings of real players (recordings.py, notes.py). Default: none.",
    )
    parser.add_argument(
        "--rendered",
        type=float,
        default=8,
        metavar="HOURS",
        help="Hours of rendered music. Default: 8.",
    )
    parser.add_argument(
        "--voices",
        type=float,
        default=8,
        metavar="HOURS",
        help="Hours of clips with voices. Default: 8.",
    )
    parser.add_argument(
        "--seldom",
        type=float,
        default=0,
        metavar="HOURS",
        help="More hours of both, of kinds with rare tags. Default: 0.",
    )
    parser.add_argument(
        "--split", choices=SPLITS, help="Make only clips of this split. Default: all."
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="Processes that make clips. Default: 1."
    )
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    wanted = [given.only] if given.only else KINDS
    if "games" in wanted:
        build_games(given.folder)
    for what in PROGRAMS:
        if what in wanted:
            build_made(what, given.folder, given)
    recorded = [(folder, recordings.read(folder)) for folder in given.recordings]
    if "recordings" in wanted:
        for folder, found in recorded:
            recordings.link(given.folder, folder, found)
    listed = rows(given.folder)
    write_table(given.folder, listed)
    write_sources(given.folder, [one for _, found in recorded for one in found])
    report(listed)


if __name__ == "__main__":
    main()
