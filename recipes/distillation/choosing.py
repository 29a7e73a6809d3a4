"""Choose between a student's weights before a training, after it, and means of both.

    python recipes/distill.py ARCH CLIPS STATE
    python recipes/distillation/choosing.py ARCH CLIPS STATE REAL

A student of ours goes on from weights of ours (`Student.begins`). On clips with more players and
fewer games than the clips before it gains on players and can lose on genres; on clips with more
games it is the other way round. A mean of the weights before and after a training often keeps both
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv:2109.01903). "After" is
the state with the best score on the validation clips, which moves up and down while the learning
rate is high; "last" is the last state of the training, at the lowest rate. Candidates are both, the
weights before, and the means of these and one of the two, of which the trained weights are a
quarter or a half.

Two validations decide: the part `validation` of the real test, which asks for players and singers
and for no genre, and the validation clips of distillation, music of games and rendered music, with
the teachers' scores. New weights may not lose more than `NOISE` on either; of the others those with
the highest mean of both ROC-AUCs are chosen. The part `test` is not looked at. Then measure
them with benchmarks/robustness.py: weights that lose .01 on the mean of all changes are not
published.

STATE/ARCH.zoo.keras becomes the network with the chosen weights; that after the training is kept as
STATE/ARCH.zoo.trained.keras. STATE/ARCH.zoo.chosen says which they are, for example "last 0.25".
Run it before the weights of the bare name are published anew, since these are the ones before.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import following
import numpy as np
import training_clips

import zoo

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "real_test"))
import distill
import real_clips
import real_scores

BEFORE, AFTER, LAST = "before", "after", "last"  # states
SHARES = (0.25, 0.5, 1.0)  # of the trained weights in a candidate
NOISE = 0.002  # of a mean ROC-AUC; two validations in a row of one training differ by more


def between(before: Sequence[np.ndarray], after: Sequence[np.ndarray], share: float) -> list:
    """Return weights between two sets of weights: 0 gives those before, 1 those after."""
    return [(1 - share) * old + share * new for old, new in zip(before, after, strict=True)]


def candidates(
    before: Sequence[np.ndarray], trained: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, list]:
    """Return weights by name, such as "last 0.25"; `trained` has weights by the name of a state."""
    found = {BEFORE: list(before)}
    for share in SHARES:
        for state, after in trained.items():
            found[f"{state} {share:g}"] = between(before, after, share)
    return found


def read(which: str) -> tuple[str, float]:
    """Return the state and its share in a candidate's name; the state before has the share 0."""
    state, _, share = which.partition(" ")
    return state, float(share or 0)


def chosen(scores: Mapping[str, tuple[float, float]]) -> str:
    """Return which has the highest mean, of those that lose at most `NOISE` in either score.

    Args:
        scores: on players and on clips, of each candidate; of two that are equal the later counts.
    """
    able = {
        which: sum(score)
        for which, score in scores.items()
        if all(new >= old - NOISE for new, old in zip(score, scores[BEFORE], strict=True))
    }
    return max(reversed(able), key=able.__getitem__)


def on_players(model: zoo.AudioModel, name: str, real: Path) -> float:
    """Return the mean ROC-AUC on the validation part of the real test."""
    clips = real_clips.read(real_clips.VALIDATION)
    values = real_scores.scores(model, name, clips, real)
    found = real_scores.of_questions(values, model.labels, real_clips.QUESTIONS)
    return real_scores.areas(found, clips)[real_scores.MEAN].value


def on_clips(model: zoo.AudioModel, clips: Path) -> float:
    """Return the mean ROC-AUC on the validation clips of distillation."""
    paths = training_clips.shards(clips, training_clips.VALIDATION)
    return following.mean(following.follow(*distill.predict(model, paths), model.labels))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    own = [
        name
        for name, student in distill.STUDENTS.items()
        if student.begins.startswith(f"{name}.zoo") and not student.short
    ]
    parser.add_argument(
        "architecture", choices=own, help="A student that goes on from our weights."
    )
    parser.add_argument("clips", type=Path, help="The folder that training_clips.py filled.")
    parser.add_argument("state", type=Path, help="The folder that distill.py filled.")
    parser.add_argument(
        "real", type=Path, help="The folder that recipes/real_test/build.py filled."
    )
    given = parser.parse_args()
    name = f"{given.architecture}.zoo"
    file = given.state / f"{name}.keras"
    trained = given.state / f"{name}.trained.keras"
    if not trained.is_file():
        shutil.copyfile(file, trained)
    model = zoo.load(trained)
    begins = distill.STUDENTS[given.architecture].begins
    last = zoo.load(given.state / f"{name}.last.keras").get_weights()
    weights_of = candidates(
        zoo.load(begins).get_weights(), {AFTER: model.get_weights(), LAST: last}
    )
    scores = {}
    for which, weights in weights_of.items():
        model.set_weights(weights)
        players, clips = on_players(model, name, given.real), on_clips(model, given.clips)
        scores[which] = players, clips
        print(f"{which}: players {players:.4f}, clips {clips:.4f}", flush=True)
    best = chosen(scores)
    print(f"chosen: {best}")
    model.set_weights(weights_of[best])
    model.save(file, overwrite=True)
    (given.state / f"{name}.chosen").write_text(f"{best}\n")
    distill.report_on_clips(name, model, given.clips)


if __name__ == "__main__":
    main()
