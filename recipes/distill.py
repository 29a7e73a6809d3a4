"""Distil a tagger: train an architecture to say what the teachers say.

    python recipes/distill.py choi2016 LESSONS STATE
    python recipes/distill.py dieleman2014 LESSONS STATE
    python recipes/distill.py lee2017 LESSONS STATE
    python recipes/distill.py lee2017 LESSONS STATE --lots 400
    python recipes/distill.py lee2017 LESSONS STATE --lots 800
    python recipes/distill.py zhu2016 LESSONS STATE
    python recipes/distillation/publishing.py LESSONS STATE [ARCH ...]
    python recipes/distill.py choi2016.full LESSONS STATE

The student hears lessons (`distillation/lessons.py`) and learns the mean of the teachers' scores of
the same 3 s, by cross-entropy, with Adam; the rate falls along half a cosine to a fiftieth. A
network that hears less than 3 s gets a piece of them drawn by chance. Half of the lessons are
turned upside down, and all are shifted by up to 10 ms: a spectrogram hardly tells, a waveform does.
choi2016 hears 29.12 s at once, a whole lesson, and learns the mean over its segments, after it has
learned of pieces of 3 s; what it is then is kept and published as well. `choi2016.full` is FCN-4 as
wide as in its paper, 69 MB, and only scored: it begins as the published narrow one, widened
(`distillation/widening.py`).
The last bias begins where it says of each tag how often it is heard. There is less dropout than in
the papers: with their .5 behind each block choi2016, a quarter as wide, had .60 on the validation
after 20 lots, and .85 with .1; lee2017, half as wide, .76 and .78. dieleman2014, which has no batch
normalisation, learns with it, and gets it folded into its weights (`distillation/normed.py`): after
300 lots that made .92 of .88. zhu2016, whose filters hear 60 ms, has a stack of convolutions behind
them: .89 on the validation after 120 lots, .87 with the pooling over time of its file.

After each `EVERY` lots the network hears every fourth segment of the validation lessons; the state
with the highest mean ROC-AUC there is kept. Then its last layer is fitted anew, to convergence, and
stays so if the score on the validation is higher (`distillation/last_layer.py`). At the end it
hears the test lessons, of games, soundfonts and voices that are in no other split. Writes

    STATE/ARCH.npz                        everything; stopped and started again, it goes on there
    results/distillation_training.csv     loss, validation and steps a second, along the way
    results/distillation.csv              a row a model and split: what `following.py` explains
    results/distillation_tags.csv         a row a model and tag of the test split
    results/distillation_training.png     score on the validation against hours heard

`--lots N` trains longer than `STUDENTS` says: with a state that has ended, it goes on from its last
weights, the rate falling from a third of the first to a fiftieth again. With KERAS_BACKEND=jax the
two that hear waveforms learn up to twice as fast on a processor.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure
from rich.progress import track as progress

import zoo
from zoo.inference import variables
from zoo.registry import manifest
from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parent / "distillation"))
import following
import last_layer
import lessons
import normed
import widening

RESULTS = Path(__file__).resolve().parents[1] / "results"
EVERY = 20  # lots between two looks at the validation
LOOK, REFIT = 4, 3  # of 3 s pieces, every how many a look and the fit of the last layer hear
FIRST_BATCH, FIRST_RATE = 32, 1e-3  # of what is first heard in pieces of 3 s
ROUND = 10  # lots in memory
SHIFT = 0.01  # s, at most
PIECES = "_3s"  # of the name of a student of whole lessons while it learns on pieces of 3 s
TEACHER = "pons2017.mtt"  # whose labels these are


class Student(NamedTuple):
    """How an architecture is distilled; none of these numbers is its paper's."""

    options: dict[str, Any]
    lots: int  # of 20 lessons of 30 s
    batch: int = 32
    rate: float = 1e-3
    short: int = 0  # lots that one of 29 s hears before in pieces of 3 s, at `FIRST_RATE`
    dropout: float | None = None  # in training, instead of the paper's
    norms: bool = False  # train a copy that has batch normalisation (`distillation/normed.py`)
    widens: str = ""  # weights of a narrower one that it begins as (`distillation/widening.py`)


# Steps, scores and seconds: results/distillation_training.csv. The lessons grew meanwhile: choi2016
# learned from 15 h, dieleman2014 from 30 h, zhu2016 and choi2016.full from 50 h, and lee2017 from
# 15 h until lot 160, from 30 h until lot 400 and from 50 h until lot 800. The first two learned
# without lessons upside down or shifted, and lee2017 until lot 400.
STUDENTS = {
    "dieleman2014": Student({"input": "spectrogram"}, 1000, dropout=0.1, norms=True),
    "zhu2016": Student(
        {
            "filters": [128] * 3,
            "second_filters": [128] * 3,
            "backend": "fully_convolutional",
            "conv_filters": [256] * 4,
            "segment": 3.0,
        },
        800,
        batch=16,
        dropout=0.1,
    ),
    "choi2016": Student({"width": 0.25}, 60, batch=10, rate=2e-4, short=280, dropout=0.1),
    # FCN-4 as wide as in the paper, 69 MB: not published
    "choi2016.full": Student({}, 20, batch=5, rate=5e-5, dropout=0.1, widens="choi2016.zoo"),
    "lee2017": Student({"scale": 0.5}, 160, batch=16, dropout=0.1),
}


# --- data ---


def pieces(
    model: zoo.AudioModel, lot: lessons.Lot, chance: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a lot into what a network hears: sounds (pieces, samples), scores (pieces, labels).

    Args:
        model: hears them.
        lot: lessons, at its rate.
        chance: where in the 3 s a shorter piece begins, which lessons are turned upside down, how
            far all are shifted; None for the middle, and none.
    """
    rate, length = model.sample_rate, model.segmentation.segment
    sounds = np.asarray(lot.sounds, "float32") / 32767
    if chance is not None:  # spectrograms hardly tell, so the scores stay true; waveforms do
        sounds *= chance.choice(np.array([-1, 1], "float32"), (len(sounds), 1))
        shift = round(SHIFT * rate)
        sounds = np.roll(sounds, chance.integers(-shift, shift + 1), axis=1)
    share = 0.5 if chance is None else chance.random()
    span = round(3 * rate)
    if length > 2 * span:
        start = round(share * (sounds.shape[1] - length))
        return sounds[:, start : start + length], lot.scores.mean(axis=1)
    beside = max(0, length - span)  # some hear a little more than 3 s
    sounds = np.pad(sounds, ((0, 0), (beside, beside)))
    first = beside + round(share * (span - length))
    starts = [first + round(i * lessons.HOP * rate) for i in range(lessons.SEGMENTS)]
    cut = np.stack([sounds[:, start : start + length] for start in starts], axis=1)
    return cut.reshape(-1, length), lot.scores.reshape(-1, lot.scores.shape[-1])


def several(
    model: zoo.AudioModel, paths: Sequence[Path], chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pieces of several lots."""
    cut = [pieces(model, lessons.read_at(path, model.sample_rate), chance) for path in paths]
    return np.concatenate([x for x, _ in cut]), np.concatenate([y for _, y in cut])


def rounds(
    model: zoo.AudioModel, paths: Sequence[Path], wanted: range
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pieces of each round; the next one is read meanwhile. All lots come in turn."""

    def read(number: int) -> tuple[np.ndarray, np.ndarray]:
        turns = [divmod(number * ROUND + i, len(paths)) for i in range(ROUND)]
        orders = {turn: np.random.default_rng(turn).permutation(len(paths)) for turn, _ in turns}
        chosen = [paths[orders[turn][place]] for turn, place in turns]
        return several(model, chosen, np.random.default_rng(number))

    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(read, wanted[0])
        for number in wanted:
            data = ahead.result()
            if number + 1 in wanted:
                ahead = thread.submit(read, number + 1)
            yield data


def said(
    model: keras.Model, paths: Sequence[Path], every: int = 1, of: zoo.AudioModel | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model says of pieces of some lots, and what the teachers said of them.

    Args:
        model: a network, or a stage of it.
        paths: of the lots.
        every: hear only every so many pieces.
        of: the network that `model` is a stage of.
    """
    answers, wanted = [], []
    for path in paths:
        lot = lessons.read_at(path, (of or model).sample_rate)
        x, y = (part[::every] for part in pieces(of or model, lot, None))
        answers.append(model.predict(x, batch_size=40, verbose=0))
        wanted.append(y)
    return np.concatenate(answers), np.concatenate(wanted)


def hears_pieces(model: zoo.AudioModel) -> bool:
    """Say whether a network hears about 3 s at once, and not a whole lesson."""
    return model.segmentation.segment < 5 * model.sample_rate


# --- training ---


class State:
    """A network in training, its optimizer, what it did so far and the best it has been.

    Args:
        model: what is judged, and comes of it.
        learner: what is trained: the model itself, or a copy with norms.
        file: where all of it is kept.
    """

    def __init__(self, model: zoo.AudioModel, learner: keras.Model, file: Path):
        self.model, self.file = model, file
        self.rows: list[list[str]] = []
        self.variables = [*learner.variables, *learner.optimizer.variables]
        self.best = variables.values_of(model.variables)
        if file.is_file():
            with np.load(file) as kept:
                self.rows = [row.split(",") for row in kept["rows"].tolist()]
                self.best = [kept[f"best{i}"] for i in range(len(self.best))]
                variables.assign_values(
                    self.variables, [kept[f"variable{i}"] for i in range(len(self.variables))]
                )

    def add(self, row: list[str]) -> None:
        """Take a row of the training table, and write everything."""
        self.rows.append(row)
        highest = max(float(other[AUC]) for other in self.rows)
        if not float(row[AUC]) < highest:  # where no tag counts, and there is none, the last
            self.best = variables.values_of(self.model.variables)
        values = variables.values_of(self.variables)
        arrays = {f"variable{i}": value for i, value in enumerate(values)}
        arrays |= {f"best{i}": value for i, value in enumerate(self.best)}
        with replacing(self.file) as file:
            np.savez(file, rows=[",".join(row) for row in self.rows], **arrays)


HEADER = ("model", "lots", "hours heard", "steps", "loss", "ROC-AUC on validation",
          "rank correlation", "mean absolute error", "steps per second", "seconds")  # fmt: skip
LOTS, HOURS, STEPS, AUC, SECONDS = 1, 2, 3, 5, 9


def falling(first: float, done: float) -> float:
    """Return the learning rate after a share of the training."""
    return first * (0.02 + 0.98 * (1 + np.cos(np.pi * done)) / 2)


def built(name: str, student: Student, dtype: str | None = None) -> zoo.AudioModel:
    """Return the untrained network of an architecture, or of a name that begins with it."""
    keras.utils.set_random_seed(0)
    labels = manifest.load().checkpoint(TEACHER).labels
    architecture = name.partition(".")[0]
    return zoo.build(architecture, labels, dtype=dtype, **student.options)


def begin_with_averages(model: keras.Model, paths: Sequence[Path]) -> None:
    """Let the untrained network's last bias say how often each tag is heard.

    Most tags are rare. Otherwise the first thousand steps go into finding that out.
    """
    often = np.mean([lessons.read(path).scores.mean(axis=(0, 1)) for path in paths], axis=0)
    often = np.clip(often, 1e-4, 1 - 1e-4)
    model.get_layer("logits").bias.assign(np.log(often / (1 - often)))


def trained(
    name: str,
    student: Student,
    given: argparse.Namespace,
    paths: Sequence[Path] = (),
    begin_with: Sequence[np.ndarray] = (),
) -> State:
    """Train a network, or go on with it.

    Args:
        name: of its state.
        student: how.
        given: what the command line says.
        paths: the lots; all of those for training if none are given.
        begin_with: the values of its variables at first; untrained ones if none are given.
    """
    model = built(given.architecture, student, given.dtype)
    for layer in model.layers:
        if student.dropout is not None and isinstance(layer, keras.layers.Dropout):
            layer.rate = student.dropout
    learner, fold = model, lambda: None
    if student.norms:
        learner, fold = normed.with_norms(model, student.dropout or 0.0)
    learner.compile(keras.optimizers.Adam(student.rate), "binary_crossentropy")
    learner.optimizer.build(learner.trainable_variables)
    state = State(model, learner, given.state / f"{name}.npz")
    paths = paths or lessons.lots(given.lessons, lessons.TRAIN)
    validation = lessons.lots(given.lessons, lessons.VALIDATION)
    if not state.rows and begin_with:
        variables.assign_values(model.variables, begin_with)
    elif not state.rows:
        begin_with_averages(learner, paths)
    total = (given.lots or student.lots) // ROUND
    done = int(state.rows[-1][LOTS]) // ROUND if state.rows else 0
    first, begin = student.rate, 0
    if given.lots and done >= student.lots // ROUND:  # goes on after its planned end
        first, begin = student.rate / 3, student.lots // ROUND
    if done >= total:
        return state
    every = LOOK if hears_pieces(model) else 1
    losses, clock, steps, seconds = [], time.perf_counter(), 0, 0.0
    data = rounds(model, paths, range(done, total))
    for number, (x, y) in zip(
        range(done, total), progress(data, name, total=total - done), strict=True
    ):
        learner.optimizer.learning_rate = falling(first, (number - begin) / (total - begin))
        fitted = learner.fit(x, y, batch_size=student.batch, verbose=0)
        losses.append(fitted.history["loss"][0])
        steps += -(-len(x) // student.batch)
        seconds += time.perf_counter() - clock
        lots = (number + 1) * ROUND
        if lots % EVERY == 0 or number + 1 == total:
            fold()
            tags = following.follow(*said(model, validation, every), model.labels)
            last = state.rows[-1] if state.rows else ["0"] * len(HEADER)
            hours = lots * lessons.LOT * lessons.SECONDS / 3600
            numbers = (float(np.mean(losses)), *following.mean(tags))
            row = [name, str(lots), f"{hours:.2f}", str(int(last[STEPS]) + steps)]
            row += [f"{number:.4f}" for number in numbers]
            row += [f"{steps / seconds:.2f}", f"{float(last[SECONDS]) + seconds:.0f}"]
            state.add(row)
            print(*row, flush=True)
            losses, steps, seconds = [], 0, 0.0
        clock = time.perf_counter()
    return state


# --- results ---


def finished(name: str, student: Student, taught: Path, folder: Path) -> zoo.AudioModel:
    """Return a network in its best state, its last layer fitted anew if that is better.

    A widened network's is not: to hear all lessons takes it hours.
    Better is a higher ROC-AUC on the validation; what came of it is kept in FOLDER/NAME.last.npz.
    """
    model = built(name, student)
    with np.load(folder / f"{name}.npz") as kept:
        lots = int(kept["rows"].tolist()[-1].split(",")[LOTS])
        variables.assign_values(
            model.variables, [kept[f"best{i}"] for i in range(len(model.variables))]
        )
    layer, file = model.get_layer("logits"), folder / f"{name}.last.npz"
    if student.widens:
        return model
    if not file.is_file() or int(np.load(file)["lots"]) != lots:
        below = model.stage("penultimate")
        every = REFIT if hears_pieces(model) else 1
        train = said(below, lessons.lots(taught, lessons.TRAIN), every, of=model)
        heard, wanted = said(below, lessons.lots(taught, lessons.VALIDATION), of=model)
        layers = [layer.get_weights(), last_layer.fit(train, (heard, wanted))]
        aucs = [
            following.mean(following.follow(last_layer.says(heard, *w), wanted, model.labels))[0]
            for w in layers
        ]
        print(f"{name}: last layer as trained {aucs[0]:.4f}, fitted anew {aucs[1]:.4f}", flush=True)
        kernel, bias = layers[aucs[1] > aucs[0]]
        with replacing(file) as new:
            np.savez(new, kernel=kernel, bias=bias, lots=lots)
    with np.load(file) as kept:
        layer.set_weights([kept["kernel"], kept["bias"]])
    return model


def both_ways(name: str, student: Student, given: argparse.Namespace) -> State:
    """Train a network; one that hears whole lessons first on pieces of 3 s, if it has `short`.

    All weights but the last pooling's window are the same: ten times as many targets, each of what
    is heard just there, teach the filters sooner than the means over lessons do.
    """
    if student.widens:
        begin_with = widening.widened(zoo.load(student.widens), built(name, student))
        return trained(name, student, given, begin_with=begin_with)
    if not student.short:
        return trained(name, student, given)
    first = in_pieces(student)
    state = trained(name + PIECES, first, argparse.Namespace(**{**vars(given), "lots": None}))
    write(name + PIECES, state, first, given)
    return trained(name, student, given, begin_with=state.best)


def in_pieces(student: Student) -> Student:
    """Return how a student of whole lessons first learns on pieces of 3 s."""
    options = {**student.options, "segment": 3.0}
    return student._replace(
        options=options, lots=student.short, batch=FIRST_BATCH, rate=FIRST_RATE, short=0
    )


def write(name: str, state: State, student: Student, given: argparse.Namespace) -> None:
    """Score the finished network on validation and test, and write the tables."""
    model = finished(name, student, given.lessons, given.state)
    splits = (lessons.VALIDATION, lessons.TEST)
    report(
        name, model, {split: said(model, lessons.lots(given.lessons, split)) for split in splits}
    )
    following.merge(RESULTS / "distillation_training.csv", HEADER, state.rows)
    draw(RESULTS / "distillation_training.csv", RESULTS / "distillation_training.png")


SCORES = ("model", "split", "pieces", "seconds of a piece", "tags counted", "ROC-AUC",
          "rank correlation", "mean absolute error", "parameters")  # fmt: skip
TAGS = ("model", "tag", f"pieces over {following.PRESENT}", "ROC-AUC", "rank correlation",
        "mean absolute error")  # fmt: skip


def report(
    name: str, model: zoo.AudioModel, heard: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Write a student's rows of both tables.

    Args:
        name: of its weights.
        model: the student.
        heard: for each split what it says and what the teachers said; the tags' rows are those of
            the last one.
    """
    rows: list[list[str]] = []
    tags: list[following.Tag] = []
    for split, (answers, wanted) in heard.items():
        tags = following.follow(answers, wanted, model.labels)
        rows.append(scored(name, split, tags, len(wanted), model))
        print(*rows[-1])
    following.merge(RESULTS / "distillation.csv", SCORES, rows)
    following.merge(RESULTS / "distillation_tags.csv", TAGS, by_tag(name, tags))


def scored(
    name: str, split: str, tags: Sequence[following.Tag], count: int, model: zoo.AudioModel
) -> list[str]:
    """Return a row of results/distillation.csv."""
    seconds = model.segmentation.segment / model.sample_rate
    means = [f"{value:.4f}" for value in following.mean(tags)]
    sizes = [count, f"{seconds:.2f}", len(following.counted(tags))]
    return [name, split, *map(str, sizes), *means, str(model.count_params())]


def by_tag(name: str, tags: Sequence[following.Tag]) -> list[list[str]]:
    """Return the rows of results/distillation_tags.csv."""
    rows = []
    for tag in tags:
        auc = "" if tag.auc is None else f"{tag.auc:.4f}"
        numbers = [f"{tag.rank:.4f}", f"{tag.error:.4f}"]
        rows.append([name, tag.label, str(tag.there), auc, *numbers])
    return rows


def draw(table: Path, path: Path) -> None:
    """Draw the score on the validation against the hours heard."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    figure = Figure((8, 4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [(float(r[HOURS]), float(r[AUC])) for r in rows if r[0] == name]
        (line,) = axes.plot(*zip(*mine, strict=True), label=name)
        axes.plot(*mine[-1], "o", color=line.get_color(), markersize=4)
    axes.set(xlabel="hours of lessons heard", ylabel="ROC-AUC against the teachers", xlim=(0, None))
    axes.set_title("Students on the validation part", fontsize=11)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", choices=STUDENTS)
    parser.add_argument("lessons", type=Path, help="that distillation/lessons.py filled")
    parser.add_argument("state", type=Path, help="where the state is kept")
    parser.add_argument("--lots", type=int, help="to train on, instead of the student's own number")
    parser.add_argument("--dtype", help="such as mixed_bfloat16")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    student = STUDENTS[given.architecture]
    name = given.architecture if "." in given.architecture else f"{given.architecture}.zoo"
    write(name, both_ways(name, student, given), student, given)


if __name__ == "__main__":
    main()
