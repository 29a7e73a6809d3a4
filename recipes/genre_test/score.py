"""Score every checkpoint that has the tags of the public genre test set.

    python recipes/genre_test/fetch.py FOLDER
    python recipes/genre_test/score.py FOLDER

writes `results/genre_test.csv` and `results/genre_test.png`. It scores whole tracks,
4.6 h of them: 5 to 10 minutes for each checkpoint on two cores. `--only NAME ...` scores some and
leaves the rows of the others as they are. The scores of each track are kept in FOLDER/scores, so
that a second run continues where the first one stopped.

A track's score is the mean over its segments; ROC-AUC and PR-AUC (average precision) are computed
for each genre against all other tracks; their mean is over genres. "Accuracy" counts a track as
right if its genre has the highest score. The scores are used as they are; they were never
calibrated for that.
Intervals are of 95 %, over the artists, not over the tracks: `zoo.evaluation.intervals`.

The tags of the Million Song Dataset do not have "classical". So there are two means, over all five
genres and over the four that every checkpoint has. Each genre is scored on all 80 tracks in both;
accuracy is for those with five.

A checkpoint whose weights cannot be loaded is listed as not scored, with the reason.
"""

import argparse
import csv
import logging
import math
import sys
from pathlib import Path

from picture import draw
from predictions import predict
from tracks import GENRES, WEAKNESSES, corpus

import zoo
from zoo.data.corpus import Corpus
from zoo.errors import WeightsError
from zoo.evaluation import synonyms
from zoo.evaluation.metrics import Score
from zoo.evaluation.reports import Evaluation
from zoo.evaluation.scores import matched
from zoo.evaluation.tags import of_tags
from zoo.registry import manifest
from zoo.utils.files import write_csv

sys.path.append(str(Path(__file__).resolve().parents[1] / "distillation"))
import following

RESULTS = Path(__file__).parents[2] / "results"
MEANS = {"mean of 5 genres": GENRES, "mean of 4 genres": GENRES[1:]}
NOTES = {  # written beside the numbers of a genre
    "classical": WEAKNESSES[1],
    "electronic": "9 of the 17 tracks are by one artist",
    "metal": "13 tracks of 3 artists",
    "ambient": "8 tracks of 5 artists, 4 of them by one",
    "rock": "2 tracks of one artist: an anecdote, no measurement",
}
HEADER = ("checkpoint", "genre", "tracks", "artists")
MEASURES = ("ROC-AUC", "PR-AUC", "accuracy", "balanced accuracy")
NO_SCORE = Score(math.nan)


def candidates() -> list[str]:
    """Return the checkpoints that have at least the four genres."""
    known = manifest.load().checkpoints
    wanted = set(MEANS["mean of 4 genres"])
    return [n for n in zoo.list_models() if wanted <= set(synonyms.by_concept(known[n].labels))]


def only(whole: Corpus, genres: tuple[str, ...]) -> Corpus:
    """Return all clips with some genres as labels; clips of another genre have none of them."""
    if genres == whole.labels:
        return whole
    clips = [clip._replace(tags=tuple(t for t in clip.tags if t in genres)) for clip in whole.clips]
    return Corpus(whole.name, tuple(clips), genres)


def score(name: str, whole: Corpus, folder: Path) -> dict[str, Evaluation]:
    """Return the evaluations of a checkpoint, by mean.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    model = zoo.load(name)
    known = set(synonyms.by_concept(model.labels))
    answers = predict(model, whole, folder)
    found = {}
    for mean, genres in MEANS.items():
        if set(genres) <= known:
            part = only(whole, genres)
            tags = matched(name, model.labels, part)
            found[mean] = of_tags(model, part, tags, answers, bootstrap=1000, seed=0)
    return found


def rows(name: str, results: dict[str, Evaluation], whole: Corpus) -> list[list[str]]:
    """Return the lines of the table: the means, then each genre."""
    lines = []
    for mean, result in results.items():
        scores = [result.metrics.get(measure, NO_SCORE) for measure in MEASURES]
        size = [str(result.clips), str(result.groups)]
        lines.append([name, mean, *size, *cells(*scores), "; ".join(WEAKNESSES)])
    for tag in next(iter(results.values())).tags:
        artists = {clip.group for clip in whole.clips if tag.tag in clip.tags}
        size = [str(tag.positives), str(len(artists))]
        scores = [tag.roc_auc, tag.pr_auc, NO_SCORE, NO_SCORE]
        lines.append([name, tag.tag, *size, *cells(*scores), NOTES[tag.tag]])
    return lines


def cells(*scores: Score) -> list[str]:
    """Return value and bounds of each score, to four digits; "" where there is none."""
    numbers = [number for score in scores for number in score]
    return ["" if math.isnan(number) else f"{number:.4f}" for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that fetch.py filled.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="Score only these checkpoints and keep the rows of the others. Default: all.",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    arguments = parser.parse_args()
    logging.getLogger("zoo").setLevel(logging.ERROR)
    whole = corpus(arguments.folder)
    print(whole)
    for clip in whole.skipped:
        print(f"  left out: {clip.name}: {clip.reason}")
    header = [*HEADER, *(f"{m}{end}" for m in MEASURES for end in ("", " low", " high")), "note"]
    path = arguments.results / "genre_test.csv"
    names, lines = arguments.only or candidates(), []
    for name in names:
        try:
            results = score(name, whole, arguments.folder)
        except WeightsError as error:
            print(f"{name} is not scored: {error}")
            lines.append([name, *[""] * (len(header) - 2), "not scored: weights not at hand"])
            continue
        lines += rows(name, results, whole)
        for mean, result in results.items():
            print(f"\n{mean}: {result}")
    arguments.results.mkdir(exist_ok=True)
    if arguments.only:
        following.merge(path, header, lines)
    else:
        lines.sort(key=lambda line: line[0])  # the rows of a checkpoint keep their order
        write_csv([header, *lines], path)
    with path.open(newline="", encoding="utf-8") as file:
        draw(csv.DictReader(file), GENRES, WEAKNESSES, arguments.results / "genre_test.png")


if __name__ == "__main__":
    main()
