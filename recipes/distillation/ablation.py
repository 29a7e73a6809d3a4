"""Measure what each kind of training material and each teacher is worth, on a small student.

    python recipes/distillation/ablation.py CLIPS STATE REAL

dieleman2014 is trained from random weights, for the same number of steps each time: on all clips of
`training_clips.py` with the mean of all teachers; without one part of the corpus; on one part
alone; on the clips of the first mix, which have fewer instruments, alone; and with the scores of
one teacher or of two. Each result is scored on the **validation** part of the real test
(`recipes/real_test`, built into REAL): players and singers whom no training has. Writes
`results/material.csv`: for each training the mean ROC-AUC over questions with its 95 % interval
over players, the voices and the other questions, and the difference to the training on everything,
with the interval of that difference on the same resamples. One training each: differences within
their intervals, or of less than .01, say nothing (one training differs by as much from 100 shards
to the next). `--only TRAINING ...` does some of them; what is there is kept. The table of today is
of the clips of the first two mixes, `training_clips.py --hours 26.7`.
"""

import argparse
import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo
from zoo.evaluation import intervals
from zoo.utils.files import write_csv

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "real_test"))
import distill
import real_clips
import real_scores
import teacher_scores
import training_clips

NAME = "dieleman2014"
SHARDS = 200  # to train on, for each row, if it has all parts
RECORDINGS = tuple(f"recordings/{use}" for use in training_clips.USES)
EVERYTHING = "all parts, all teachers"


class Training(NamedTuple):
    """What a row of the table was trained on."""

    parts: tuple[str, ...]  # of the corpus
    teachers: tuple[str, ...]
    shards: int | None = None  # only so many, from the first on


def trainings(every: tuple[str, ...]) -> dict[str, Training]:
    """Return the trainings."""
    teachers = teacher_scores.TEACHERS
    parts = {**{part: (part,) for part in every}, "recordings": RECORDINGS}
    some = [few for size in (1, 2) for few in itertools.combinations(teachers, size)]
    return {
        EVERYTHING: Training(every, teachers),
        **{
            f"without {name}": Training(tuple(p for p in every if p not in left), teachers)
            for name, left in parts.items()
        },
        "recordings alone": Training(RECORDINGS, teachers),
        "the first mix alone": Training(every, teachers, training_clips.MIXES[1].first),
        **{f"all parts, {' + '.join(few)}": Training(every, few) for few in some},
    }


def trained(name: str, training: Training, given: argparse.Namespace) -> zoo.AudioModel:
    """Train the student, or load it if that was done."""
    file = given.state / f"ablation {name.replace('/', '-')}.keras"
    if not file.is_file():
        teacher_scores.TEACHERS = training.teachers
        training_clips.read_at.cache_clear()
        paths = training_clips.shards(given.clips, training_clips.TRAIN)[: training.shards]
        clips = training_clips.parts(given.clips, training_clips.TRAIN)
        share = sum(part in training.parts for part in clips) / len(clips)
        shards = distill.ROUND * round(SHARDS / share / distill.ROUND)  # for the same steps
        student = distill.STUDENTS[NAME]._replace(shards=shards, parts=training.parts, begins="")
        state = distill.trained(file.stem, student, given, paths)
        distill.variables.assign_values(state.model.variables, state.best)
        state.model.save(file)
    return zoo.load(file)


def rows(found: dict[str, np.ndarray], clips: list[real_clips.Clip]) -> list[list[str]]:
    """Return the lines of the table."""
    results = {name: real_scores.areas(answered, clips) for name, answered in found.items()}
    everything = results[EVERYTHING][real_scores.MEAN]
    lines = []
    for name, areas in results.items():
        mean = areas.pop(real_scores.MEAN)
        both = (mean.score, everything.score), (mean.rounds, everything.rounds)
        less = intervals.difference(*both[0], *both[1], everything.groups)
        numbers = [*mean.score, *less, *(area.value for area in areas.values())]
        lines.append([name, *(f"{number:.4f}" for number in numbers)])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="The folder that training_clips.py filled.")
    parser.add_argument("state", type=Path, help="The folder in which to keep the states.")
    parser.add_argument("real", type=Path, help="The folder that real_test/build.py filled.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="TRAINING",
        help="Do only these trainings, such as 'without games', and the one on everything.",
    )
    given = parser.parse_args()
    given.architecture, given.dtype, given.shards = NAME, None, None
    given.state.mkdir(parents=True, exist_ok=True)
    distill.EVERY = 10**6  # one validation, at the end
    clips = real_clips.read(real_clips.VALIDATION)
    found = {}
    every = tuple(sorted(set(training_clips.parts(given.clips, training_clips.TRAIN))))
    models = {
        name: trained(name, training, given)
        for name, training in trainings(every).items()
        if not given.only or name in (EVERYTHING, *given.only)
    }
    for name, model in models.items():
        values = real_scores.scores(model, name.replace("/", "-"), clips, given.real)
        found[name] = real_scores.of_questions(values, model.labels, real_clips.QUESTIONS)
    ends = ("", " low", " high")
    header = ["training", *(f"mean{end}" for end in ends), *(f"difference{end}" for end in ends)]
    header += real_clips.answers(clips)
    lines = rows(found, clips)
    write_csv([header, *lines], distill.RESULTS / "material.csv")
    for line in lines:
        print(*line[:7])


if __name__ == "__main__":
    main()
