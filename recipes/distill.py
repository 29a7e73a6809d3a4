"""Distil a tagger: train an architecture to predict the scores of its teachers.

    python recipes/distill.py dieleman2014 CLIPS STATE
    python recipes/distill.py zhu2016 CLIPS STATE
    python recipes/distill.py lee2017 CLIPS STATE
    python recipes/distill.py lee2009 CLIPS STATE
    python recipes/distill.py choi2016 CLIPS STATE
    python recipes/distill.py pons2017 CLIPS STATE
    python recipes/distillation/choosing.py dieleman2014 CLIPS STATE REAL
    python recipes/real_test/score.py REAL --only dieleman2014.zoo=STATE/dieleman2014.zoo.keras
    python recipes/distillation/publishing.py CLIPS STATE [ARCH ...]
    python recipes/distill.py choi2016.full CLIPS STATE

The student is trained on the clips of `distillation/training_clips.py`. Its target is the mean of
the teachers' scores of the same 3 s, its loss the cross-entropy, its optimizer Adam; the learning
rate falls along half a cosine to a fiftieth. A network that takes less than 3 s gets a random piece
of them. Half of the clips are inverted in sign, and all are shifted by up to 10 ms: that hardly
changes a spectrogram, but it changes a waveform. Half of the clips are up to `SOFTER` dB softer
than the teachers got them, with the same target, so that the student depends less on the level.
choi2016 takes 29.12 s, a whole clip, and its target is the mean over the clip's segments. Before,
it is trained on pieces of 3 s; that network is kept and published as well. `choi2016.full` is FCN-4
as wide as in its paper, 69 MB, and only scored: it starts from the published narrow one, widened
(`distillation/widening.py`).

The students go on from weights that are there (`Student.begins`): pons2017 from `pons2017.mtt`,
with the front-end left as it is (`Student.keeps`), which takes a quarter of the time; the others
from our earlier trainings. Those of dieleman2014, lee2017 and zhu2016 had five parts: first the
teachers pons2017.mtt and choi2016.vgg_mtt, and 30 to 50 h of games, rendered music and synthetic
voices; then pons2017.mtt_won2020, choi2016.mtt_won2020 and pons2017.mtt, and the clips of the first
mix; then the teachers of today, and the clips of the first two mixes; then only those of the third
(`training_clips.py --first 160`), 800 shards of dieleman2014, 160 of lee2017 and 240 of zhu2016;
last, from the states at the end of that, those of the third and the fourth, 5,600 shards, 160 and
200. After the fourth part, `distillation/choosing.py` had chosen the weights before it for zhu2016,
and lee2017 had kept those before it, since it lost on genres (benchmarks/robustness.py).
`choi2016.zoo`, `choi2016.zoo_3s` and `choi2016.full` are of the first part only.

lee2017 had a sixth part, 360 shards, and a seventh, 160 shards, each from its published weights,
with the first two convolutions left as they are: a step then takes less than half of the time.
lee2009 had two parts: 640 shards at a rate of 2e-4 and mini-batches of 32, from
`lee2009.zoo_unsupervised`, whose filters were learned without labels and here get the teachers'
gradients, which the paper, as far as we know it, does not do; then 800 shards as in `STUDENTS`. The
sixth part of lee2017 and the first of lee2009 had 69 shards of clips: 160 to 178 and 232 to 281
(`--first 160 --hours 29.84`, then `--first 232 --hours 47`). The last part of both had 74: 0 to 28
and 282 to 326 (`--hours 4.84`, then `--first 282 --hours 54.5`), of the first and the fourth mix,
with more music of games and more rendered music, made with all recordings that the corpus has now.

There is less dropout than in the papers: with their .5 behind each block, narrow networks learned
far less. dieleman2014, which has no batch normalisation, is trained with it, and it is then folded
into the weights (`distillation/normed.py`): in our first training, after 300 shards, the score was
.92 instead of .88. The filters of zhu2016 span 60 ms, so it has a stack of convolutions behind
them.

After each `EVERY` shards the network is scored on the validation clips. The state with the highest
mean ROC-AUC there is kept. Then its last layer is fitted again, to convergence; the fitted layer is
kept if its score on the validation is higher (`distillation/last_layer.py`). At the end the network
is scored on the test clips, whose games, soundfonts and voices are in no other split. Writes

    STATE/ARCH.npz                        the state; a command that was stopped resumes from it
    STATE/ARCH.zoo.keras                  the finished network, for recipes/real_test/score.py
    STATE/ARCH.zoo.last.keras             that at the end of the training, for choosing.py
    results/distillation_training.csv     loss, validation and steps a second, during training
    results/distillation.csv              a row for each model and split; metrics: `following.py`
    results/distillation_tags.csv         a row for each model and tag, on the test split
    results/distillation_training.png     score on the validation against hours of training

`--shards N` trains longer than `STUDENTS` says. From a state that has ended, it continues with its
last weights; the rate falls from a third of the first to a fiftieth again. With KERAS_BACKEND=jax
the networks on waveforms train up to twice as fast on a processor.
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
import normed
import training_clips
import widening

RESULTS = Path(__file__).resolve().parents[1] / "results"
EVERY = 40  # shards between two validations
REFIT_STEP = 3  # the fit of the last layer uses every 3rd piece of 3 s
FIRST_BATCH, FIRST_RATE = 32, 3e-4  # of the training on pieces of 3 s that comes first
ROUND = 10  # shards in memory
SHIFT = 0.01  # s, at most
SOFTER = 20.0  # dB, at most, for half of the clips
PIECES = "_3s"  # added to the name of a network for whole clips that is trained on pieces of 3 s
TEACHER = "pons2017.mtt"  # whose labels these are


class Student(NamedTuple):
    """How an architecture is distilled; none of these numbers is its paper's."""

    options: dict[str, Any]
    shards: int  # to train on, of 20 clips of 30 s each
    batch: int = 32
    rate: float = 3e-4
    short: int = 0  # shards that one of 29 s is first trained on in pieces of 3 s, at `FIRST_RATE`
    dropout: float | None = None  # in training, instead of the paper's
    norms: bool = False  # train a copy that has batch normalisation (`distillation/normed.py`)
    begins: str = ""  # the checkpoint from whose weights it goes on
    widens: str = ""  # weights of a narrower one that it starts from (`distillation/widening.py`)
    parts: tuple[str, ...] = ()  # parts of the corpus to train on; by default all
    keeps: str = ""  # the layer up to which, in order, the weights stay as they are


STUDENTS = {
    "dieleman2014": Student(
        {"input": "spectrogram"}, 2000, dropout=0.1, norms=True, begins="dieleman2014.zoo"
    ),
    "zhu2016": Student(
        {
            "filters": [128] * 3,
            "second_filters": [128] * 3,
            "backend": "fully_convolutional",
            "conv_filters": [256] * 4,
            "segment": 3.0,
        },
        300,
        batch=16,
        dropout=0.1,
        begins="zhu2016.zoo",
    ),
    "choi2016": Student(
        {"width": 0.25}, 20, batch=10, rate=1e-4, short=40, dropout=0.1, begins="choi2016.zoo_3s"
    ),
    # FCN-4 as wide as in the paper, 69 MB: not published, and trained only before
    "choi2016.full": Student({}, 20, batch=5, rate=5e-5, dropout=0.1, widens="choi2016.zoo"),
    "lee2017": Student(
        {"scale": 0.5},
        160,
        batch=16,
        rate=1.5e-4,
        dropout=0.1,
        begins="lee2017.zoo",
        keeps="conv1_norm",
    ),
    "lee2009": Student(
        {"sigma": 0.4, "summary": "all"},
        800,
        batch=16,
        rate=3e-4,
        begins="lee2009.zoo",
        keeps="whitened",
    ),
    "pons2017": Student(
        {"variant": "musicnn"},
        100,
        batch=16,
        rate=1e-4,
        dropout=0.2,
        begins="pons2017.mtt",
        keeps="frontend",
    ),
}


# --- data ---


def pieces(
    model: zoo.AudioModel, shard: training_clips.Shard, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a shard into inputs of a network: sounds (pieces, samples), scores (pieces, labels).

    Args:
        model: the network.
        shard: clips, at the sample rate of the network.
        rng: decides where in the 3 s a shorter piece begins, which clips are inverted or softer,
            and how far all are shifted. With None, pieces are from the middle, unchanged.
    """
    rate, length = model.sample_rate, model.segmentation.segment
    sounds = np.asarray(shard.sounds, "float32") / 32767
    if rng is not None:  # hardly changes a spectrogram, so the scores stay valid
        sounds *= rng.choice(np.array([-1, 1], "float32"), (len(sounds), 1))
        softer = rng.uniform(0, SOFTER, (len(sounds), 1)) * rng.integers(0, 2, (len(sounds), 1))
        sounds *= (10 ** (-softer / 20)).astype("float32")
        shift = round(SHIFT * rate)
        sounds = np.roll(sounds, rng.integers(-shift, shift + 1), axis=1)
    share = 0.5 if rng is None else rng.random()
    span = round(3 * rate)
    if length > 2 * span:
        start = round(share * (sounds.shape[1] - length))
        return sounds[:, start : start + length], shard.scores.mean(axis=1)
    beside = max(0, length - span)  # some networks take a little more than 3 s
    sounds = np.pad(sounds, ((0, 0), (beside, beside)))
    first = beside + round(share * (span - length))
    starts = [first + round(i * training_clips.HOP * rate) for i in range(training_clips.SEGMENTS)]
    cut = np.stack([sounds[:, start : start + length] for start in starts], axis=1)
    return cut.reshape(-1, length), shard.scores.reshape(-1, shard.scores.shape[-1])


def several(
    model: zoo.AudioModel, paths: Sequence[Path], rng: np.random.Generator, parts: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pieces of several shards; of some parts of the corpus if any are given."""
    shards = [training_clips.read_at(path, model.sample_rate).of(parts) for path in paths]
    cut = [pieces(model, shard, rng) for shard in shards if shard.parts]
    return np.concatenate([x for x, _ in cut]), np.concatenate([y for _, y in cut])


def rounds(
    model: zoo.AudioModel, paths: Sequence[Path], wanted: range, parts: Sequence[str] = ()
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pieces of each round of shards; the next round is read meanwhile."""

    def read(number: int) -> tuple[np.ndarray, np.ndarray]:
        turns = [divmod(number * ROUND + i, len(paths)) for i in range(ROUND)]
        orders = {turn: np.random.default_rng(turn).permutation(len(paths)) for turn, _ in turns}
        chosen = [paths[orders[turn][place]] for turn, place in turns]
        return several(model, chosen, np.random.default_rng(number), parts)

    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(read, wanted[0])
        for number in wanted:
            data = ahead.result()
            if number + 1 in wanted:
                ahead = thread.submit(read, number + 1)
            yield data


def predict(
    model: keras.Model, paths: Sequence[Path], every: int = 1, of: zoo.AudioModel | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a model's outputs for the pieces of some shards, and the teachers' scores of them.

    Args:
        model: a network, or a stage of it.
        paths: the shards.
        every: 1 for all pieces, 2 for every second one, and so on.
        of: the network that `model` is a stage of.
    """
    outputs, targets = [], []
    for path in paths:
        shard = training_clips.read_at(path, (of or model).sample_rate)
        x, y = (part[::every] for part in pieces(of or model, shard, None))
        outputs.append(model.predict(x, batch_size=40, verbose=0))
        targets.append(y)
    return np.concatenate(outputs), np.concatenate(targets)


def takes_pieces(model: zoo.AudioModel) -> bool:
    """Return whether the segments of a network are of about 3 s, and not a whole clip."""
    return model.segmentation.segment < 5 * model.sample_rate


# --- training ---


class State:
    """A network in training: its variables, its optimizer, its history and its best state.

    Args:
        model: the network, which is validated and published.
        learner: the network to train: the model itself, or a copy with norms.
        file: where the state is kept.
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
        """Add a row to the training table, and write the state."""
        self.rows.append(row)
        highest = max(float(other[AUC]) for other in self.rows)
        if not float(row[AUC]) < highest:  # NaN where no tag counts: then the last
            self.best = variables.values_of(self.model.variables)
        values = variables.values_of(self.variables)
        arrays = {f"variable{i}": value for i, value in enumerate(values)}
        arrays |= {f"best{i}": value for i, value in enumerate(self.best)}
        with replacing(self.file) as file:
            np.savez(file, rows=[",".join(row) for row in self.rows], **arrays)


HEADER = ("model", "shards", "hours trained", "steps", "loss", "ROC-AUC on validation",
          "rank correlation", "mean absolute error", "steps per second", "seconds")  # fmt: skip
SHARDS, HOURS, STEPS, AUC, SECONDS = 1, 2, 3, 5, 9


def falling(first: float, done: float) -> float:
    """Return the learning rate after a share of the training."""
    return first * (0.02 + 0.98 * (1 + np.cos(np.pi * done)) / 2)


def built(name: str, student: Student, dtype: str | None = None) -> zoo.AudioModel:
    """Return the untrained network of an architecture, or of a name that begins with it."""
    keras.utils.set_random_seed(0)
    labels = manifest.load().checkpoint(TEACHER).labels
    architecture = name.partition(".")[0]
    return zoo.build(architecture, labels, dtype=dtype, **student.options)


def assign_named(model: keras.Model, source: keras.Model) -> None:
    """Give a network the weights of another one of the same layers, which may pool otherwise."""
    named = variables.variables(source)
    for path, variable in variables.variables(model).items():
        variable.assign(named[path])


def begin_with_averages(model: keras.Model, paths: Sequence[Path]) -> None:
    """Set the untrained network's last bias so that its outputs are the mean scores of the tags.

    Most tags are rare. Otherwise the network needs its first thousand steps to learn this.
    """
    often = np.mean([training_clips.read(path).scores.mean(axis=(0, 1)) for path in paths], axis=0)
    often = np.clip(often, 1e-4, 1 - 1e-4)
    model.get_layer("logits").bias.assign(np.log(often / (1 - often)))


def trained(
    name: str,
    student: Student,
    given: argparse.Namespace,
    paths: Sequence[Path] = (),
    begin_with: Sequence[np.ndarray] = (),
) -> State:
    """Train a network, or resume its training.

    Args:
        name: the name of its state.
        student: how to train it.
        given: the arguments of the command line.
        paths: the shards; by default all shards of the training split.
        begin_with: initial values of its variables; by default those of an untrained network.
    """
    model = built(given.architecture, student, given.dtype)
    for layer in model.layers:
        if student.dropout is not None and isinstance(layer, keras.layers.Dropout):
            layer.rate = student.dropout
    names = [layer.name for layer in model.layers]
    for layer in model.layers[: names.index(student.keeps) + 1 if student.keeps else 0]:
        layer.trainable = False
    paths = paths or training_clips.shards(given.clips, training_clips.TRAIN)
    file = given.state / f"{name}.npz"
    begin = student.begins if not file.is_file() and not len(begin_with) else ""
    if begin:
        assign_named(model, zoo.load(begin))
    learner, fold = model, lambda: None
    if student.norms:
        x, _ = several(model, paths[:2], np.random.default_rng(0), ())
        learner, fold = normed.with_norms(model, student.dropout or 0.0, x if begin else None)
    learner.compile(keras.optimizers.Adam(student.rate), "binary_crossentropy")
    learner.optimizer.build(learner.trainable_variables)
    state = State(model, learner, file)
    if state.rows:
        fold()
    validation = training_clips.shards(given.clips, training_clips.VALIDATION)
    if not state.rows and begin_with:
        variables.assign_values(model.variables, begin_with)
    elif not state.rows and not begin:
        begin_with_averages(learner, paths)
    total = (given.shards or student.shards) // ROUND
    done = int(state.rows[-1][SHARDS]) // ROUND if state.rows else 0
    first, since = student.rate, 0
    if given.shards and done >= student.shards // ROUND:  # continues after its planned end
        first, since = student.rate / 3, student.shards // ROUND
    if done >= total:
        return state
    losses, clock, steps, seconds = [], time.perf_counter(), 0, 0.0
    data = rounds(model, paths, range(done, total), student.parts)
    for number, (x, y) in zip(
        range(done, total), progress(data, name, total=total - done), strict=True
    ):
        learner.optimizer.learning_rate = falling(first, (number - since) / (total - since))
        fitted = learner.fit(x, y, batch_size=student.batch, verbose=0)
        losses.append(fitted.history["loss"][0])
        steps += -(-len(x) // student.batch)
        seconds += time.perf_counter() - clock
        shards = (number + 1) * ROUND
        if shards % EVERY == 0 or number + 1 == total:
            fold()
            tags = following.follow(*predict(model, validation), model.labels)
            last = state.rows[-1] if state.rows else ["0"] * len(HEADER)
            hours = shards * training_clips.CLIPS_PER_SHARD * training_clips.SECONDS / 3600
            numbers = (float(np.mean(losses)), *following.mean(tags))
            row = [name, str(shards), f"{hours:.2f}", str(int(last[STEPS]) + steps)]
            row += [f"{number:.4f}" for number in numbers]
            row += [f"{steps / seconds:.2f}", f"{float(last[SECONDS]) + seconds:.0f}"]
            state.add(row)
            print(*row, flush=True)
            losses, steps, seconds = [], 0, 0.0
        clock = time.perf_counter()
    return state


# --- results ---


def finished(name: str, student: Student, clips: Path, folder: Path) -> zoo.AudioModel:
    """Return a network in its best state; its last layer is fitted again if that is better.

    Better means a higher ROC-AUC on the validation. The result is kept in
    FOLDER/NAME.last_layer.npz. The last layer of a widened network is not fitted: to compute the
    inputs of that layer for all clips would take hours.
    """
    model = built(name, student)
    with np.load(folder / f"{name}.npz") as kept:
        shards = int(kept["rows"].tolist()[-1].split(",")[SHARDS])
        variables.assign_values(
            model.variables, [kept[f"best{i}"] for i in range(len(model.variables))]
        )
    layer, file = model.get_layer("logits"), folder / f"{name}.last_layer.npz"
    if student.widens:
        return model
    if not file.is_file() or int(np.load(file)["shards"]) != shards:
        below = model.stage("penultimate")
        every = REFIT_STEP if takes_pieces(model) else 1
        paths = training_clips.shards(clips, training_clips.TRAIN)
        train = predict(below, paths, every, of=model)
        paths = training_clips.shards(clips, training_clips.VALIDATION)
        inputs, targets = predict(below, paths, of=model)
        layers = [layer.get_weights(), last_layer.fit(train, (inputs, targets))]
        aucs = [
            following.mean(following.follow(last_layer.scores(inputs, *w), targets, model.labels))[
                0
            ]
            for w in layers
        ]
        print(
            f"{name}: last layer as trained {aucs[0]:.4f}, fitted again {aucs[1]:.4f}", flush=True
        )
        kernel, bias = layers[aucs[1] > aucs[0]]
        with replacing(file) as new:
            np.savez(new, kernel=kernel, bias=bias, shards=shards)
    with np.load(file) as kept:
        layer.set_weights([kept["kernel"], kept["bias"]])
    return model


def train_in_stages(name: str, student: Student, given: argparse.Namespace) -> State:
    """Train a network; one of whole clips first on pieces of 3 s, if it has `short`.

    The two networks differ only in the window of the last pooling, so the weights fit both. Pieces
    give ten times as many targets, each for just its 3 s. The filters learn faster from them than
    from means over whole clips.
    """
    if student.widens:
        begin_with = widening.widened(zoo.load(student.widens), built(name, student))
        return trained(name, student, given, begin_with=begin_with)
    if not student.short:
        return trained(name, student, given)
    first = in_pieces(student)
    state = trained(name + PIECES, first, argparse.Namespace(**{**vars(given), "shards": None}))
    write(name + PIECES, state, first, given)
    return trained(name, student, given, begin_with=state.best)


def in_pieces(student: Student) -> Student:
    """Return how a network for whole clips is first trained on pieces of 3 s."""
    options = {**student.options, "segment": 3.0}
    return student._replace(
        options=options, shards=student.short, batch=FIRST_BATCH, rate=FIRST_RATE, short=0
    )


def write(name: str, state: State, student: Student, given: argparse.Namespace) -> None:
    """Score the finished network on validation and test, and write the tables."""
    model = finished(name, student, given.clips, given.state)
    model.save(given.state / f"{name}.keras", overwrite=True)
    for suffix in (".chosen", ".trained.keras"):  # of `distillation/choosing.py`: an earlier choice
        (given.state / f"{name}{suffix}").unlink(missing_ok=True)
    state.model.save(given.state / f"{name}.last.keras", overwrite=True)
    report_on_clips(name, model, given.clips)
    following.merge(RESULTS / "distillation_training.csv", HEADER, state.rows)
    draw(RESULTS / "distillation_training.csv", RESULTS / "distillation_training.png")


SCORES = ("model", "split", "pieces", "seconds of a piece", "tags counted", "ROC-AUC",
          "rank correlation", "mean absolute error", "parameters")  # fmt: skip
TAGS = ("model", "tag", f"pieces over {following.PRESENT}", "ROC-AUC", "rank correlation",
        "mean absolute error")  # fmt: skip


def report(
    name: str, model: zoo.AudioModel, results: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Write a student's rows of both tables.

    Args:
        name: the name of its weights.
        model: the student.
        results: for each split its outputs and the teachers' scores. The rows of tags are for the
            last split.
    """
    rows: list[list[str]] = []
    tags: list[following.Tag] = []
    for split, (outputs, targets) in results.items():
        tags = following.follow(outputs, targets, model.labels)
        rows.append(scored(name, split, tags, len(targets), model))
        print(*rows[-1])
    following.merge(RESULTS / "distillation.csv", SCORES, rows)
    following.merge(RESULTS / "distillation_tags.csv", TAGS, by_tag(name, tags))


def report_on_clips(name: str, model: zoo.AudioModel, clips: Path) -> None:
    """Score a student on the validation and the test clips, and write its rows of the tables."""
    splits = (training_clips.VALIDATION, training_clips.TEST)
    paths = {split: training_clips.shards(clips, split) for split in splits}
    report(name, model, {split: predict(model, paths[split]) for split in splits})


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
    """Draw the score on the validation against hours of training."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    figure = Figure((8, 4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [(float(r[HOURS]), float(r[AUC])) for r in rows if r[0] == name]
        (line,) = axes.plot(*zip(*mine, strict=True), label=name)
        axes.plot(*mine[-1], "o", color=line.get_color(), markersize=4)
    axes.set(
        xlabel="hours of sound trained on", ylabel="ROC-AUC against the teachers", xlim=(0, None)
    )
    axes.set_title("Students on the validation part", fontsize=11)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", choices=STUDENTS, help="The network to train.")
    parser.add_argument(
        "clips", type=Path, help="The folder that distillation/training_clips.py filled."
    )
    parser.add_argument("state", type=Path, help="The folder in which to keep the state.")
    parser.add_argument(
        "--shards",
        type=int,
        help="Number of shards to train on. Default: the number in STUDENTS.",
    )
    parser.add_argument(
        "--dtype", help="Dtype of the computation, for example mixed_bfloat16. Default: float32."
    )
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    student = STUDENTS[given.architecture]
    name = given.architecture if "." in given.architecture else f"{given.architecture}.zoo"
    write(name, train_in_stages(name, student, given), student, given)


if __name__ == "__main__":
    main()
