import csv
import json
import logging
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import songs

import zoo
from zoo.data import Clip, Corpus
from zoo.data.pipeline import shards
from zoo.inference import prediction, variables
from zoo.registry import lookup
from zoo.training import batches, history, loop, preparation, recipe, run_folder
from zoo.training import validation as scoring
from zoo.training.recipe import Recipe

# A convolution on the waveform, one over time, a dense layer; batch normalisation; 16 kHz.
SMALL = {
    "segment": 1.0,
    "lengths": [64],
    "strides": [32],
    "filters": [4],
    "second_filters": [8],
    "pooling": "max",
    "dense_units": 10,
}
QUICK = {"options": SMALL, "epochs": 3, "learning_rate": 1e-2, "batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Noise and tones: eight of each for training, four for validation, four for testing."""
    folder = tmp_path_factory.mktemp("songs")
    return [songs.make(folder / name, clips) for name, clips in PARTS.items()]


PARTS = {"train": 8, "validation": 4, "test": 5}


@pytest.fixture(scope="module")
def trained(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "out"
    train, validation, _ = corpora
    quick = {**QUICK, "epochs": 14}
    return zoo.train("zhu2016", train, validation, folder=folder, **quick)


def rows(folder) -> list[dict[str, str]]:
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))


class StopAfter(logging.Handler):
    """Interrupts a training right after the state of an epoch was saved."""

    def __init__(self, phase: str, epoch: int):
        super().__init__()
        self.start = f"{phase}, epoch {epoch}:"

    def emit(self, record):
        if record.getMessage().startswith(self.start):
            raise KeyboardInterrupt

    def __enter__(self):
        logger = logging.getLogger("zoo.training.loop")
        self.level_before = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def __exit__(self, *_):
        logger = logging.getLogger("zoo.training.loop")
        logger.setLevel(self.level_before)
        logger.removeHandler(self)


# --- the result ---


def test_network_trained_from_scratch_knows_clips_it_was_not_trained_on(trained, corpora):
    held_out = corpora[2]
    right = [trained.model.tag(clip.path, top=1).to_dict().keys() for clip in held_out.clips]
    found = sum(clip.tags[0] in tags for clip, tags in zip(held_out.clips, right, strict=True))
    assert found >= 9  # of 10; guessing gives 5


def test_model_has_the_weights_of_the_best_epoch(trained, corpora):
    highest = max(row["val_accuracy"] for row in trained.history)
    equals = [row for row in trained.history if row["val_accuracy"] == highest]
    assert trained.best is min(equals, key=lambda row: row["val_loss"])
    probabilities = np.array([trained.model.tag(c.path).scores for c in corpora[1].clips])
    found = scoring.measures(probabilities, corpora[1].targets, True, "softmax", None)
    assert found["val_loss"] == pytest.approx(trained.best["val_loss"], rel=1e-4)


def test_model_has_the_weights_of_the_lowest_loss_on_request(corpora):
    found = zoo.train("zhu2016", *corpora[:2], **{**QUICK, "epochs": 8}, monitor="loss")
    assert found.monitor == "loss"
    assert found.best["val_loss"] == min(row["val_loss"] for row in found.history)
    assert found.model.card.trained.endswith("8 epochs, the best by loss on 8 other clips was kept")


def test_a_training_opens_its_cache_once(corpora, tmp_path, monkeypatch):
    opened: list[str] = []
    original = shards.Shards.__init__

    def opening(self, corpus, *arguments):
        opened.append(corpus.name)
        original(self, corpus, *arguments)

    monkeypatch.setattr(shards.Shards, "__init__", opening)
    zoo.train("zhu2016", *corpora[:2], **QUICK, cache=tmp_path / "cache")
    assert sorted(opened) == ["train", "validation"]


def test_folder_holds_model_history_and_settings_and_nothing_else(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert names == {"model.keras", "history.csv", "history.png", "settings.json"}
    settings = json.loads((trained.folder / "settings.json").read_text())
    assert settings["best"] == trained.best
    assert settings["monitor"] == trained.monitor == "score"
    assert settings["recipe"]["optimizer"] == recipe.of("zhu2016").optimizer
    assert settings["train"]["clips"] == 16
    assert [float(row["val_loss"]) for row in rows(trained.folder)] == pytest.approx(
        [row["val_loss"] for row in trained.history], rel=1e-5
    )


def test_folder_loads_as_a_model_whose_card_names_its_training_data(trained, corpora, monkeypatch):
    monkeypatch.chdir(trained.folder.parent)
    model = zoo.load("out")
    clip = corpora[2].clips[0].path
    np.testing.assert_allclose(model.tag(clip).scores, trained.model.tag(clip).scores, atol=1e-6)
    assert model.card.trained.startswith("trained from scratch on train: 16 clips, 2 labels")
    assert model.card.checkpoints == {}


def test_folder_without_a_model_gives_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model.keras.*command that began it"):
        zoo.load(tmp_path)


def test_history_is_plotted(trained, tmp_path):
    figure = trained.plot(tmp_path / "history.pdf")
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    assert (tmp_path / "history.pdf").stat().st_size > 1000
    with pytest.raises(zoo.ConfigError, match=r"must end in \.png"):
        trained.plot("history.txt")


def test_several_tags_a_clip_are_scored_by_roc_auc(tmp_path):
    corpus = songs.make(tmp_path / "songs", 4, kinds=("noise", "tone", "both"))
    tags = {"noise": ("noise",), "tone": ("tone",), "both": ("noise", "tone")}
    clips = tuple(clip._replace(tags=tags[clip.tags[0]]) for clip in corpus.clips)
    several = Corpus("several", clips, ("noise", "tone"))
    found = zoo.train("zhu2016", several, several, **{**QUICK, "epochs": 1})
    assert found.model.activation == "sigmoid"
    assert 0 <= found.best["val_roc_auc"] <= 1
    assert found.folder is None


def test_onset_networks_are_trained_on_frames(tmp_path):
    corpus = songs.make(tmp_path / "songs", 1, rate=44100)
    clips = tuple(clip._replace(tags=(), onsets=(0.3, 0.8)) for clip in corpus.clips)
    notes = Corpus("notes", clips, ())
    quick = {**QUICK, "options": {"segment": 0.5}, "epochs": 1, "learning_rate": 1e-3}
    found = zoo.train("schluter2014", notes, notes, **quick)
    assert found.model.labels == ("onset",)
    assert np.isfinite(found.best["val_loss"])
    with pytest.raises(zoo.ConfigError, match=r"needs clips with onsets, but 2 of train"):
        zoo.train("schluter2014", replace(corpus, name="train"), notes, **quick)


# --- interruption ---


def test_interrupted_training_resumes_with_the_same_result(corpora, tmp_path):
    train, validation, _ = corpora
    unbroken = zoo.train("zhu2016", train, validation, **QUICK)
    with StopAfter("train", 2), pytest.raises(KeyboardInterrupt):
        zoo.train("zhu2016", train, validation, folder=tmp_path / "out", **QUICK)
    with np.load(tmp_path / "out" / "state.npz") as state:
        assert [row["epoch"] for row in json.loads(str(state["rows"]))] == [1, 2]
    assert len(rows(tmp_path / "out")) == 2
    resumed = zoo.train("zhu2016", train, validation, folder=tmp_path / "out", **QUICK)
    assert [row["epoch"] for row in resumed.history] == [1, 2, 3]
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(
            [row[name] for row in resumed.history],
            [row[name] for row in unbroken.history],
            rtol=1e-4,
        )
    assert not (tmp_path / "out" / "state.npz").exists()


@pytest.fixture(scope="module")
def interrupted(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "out"
    with StopAfter("train", 1), pytest.raises(KeyboardInterrupt):
        zoo.train("zhu2016", *corpora[:2], folder=folder, **QUICK)
    return folder


def test_interrupted_training_does_not_resume_with_other_settings(interrupted, corpora):
    message = (
        r"holds an interrupted run with other settings.*recipe.learning_rate was 0.01 and is 0.02"
    )
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.train("zhu2016", *corpora[:2], folder=interrupted, **{**QUICK, "learning_rate": 0.02})


def test_interrupted_training_does_not_resume_with_other_data(interrupted, corpora):
    train, validation, test = corpora
    with pytest.raises(zoo.ConfigError, match=r"validation.clips was 8 and is 10"):
        zoo.train("zhu2016", train, test, folder=interrupted, **QUICK)
    changed = train.take([*range(1, 16), 0], train.name)
    with pytest.raises(zoo.ConfigError, match=r"train.sha256 was"):
        zoo.train("zhu2016", changed, validation, folder=interrupted, **QUICK)


def test_damaged_settings_are_named(interrupted, corpora, tmp_path):
    shutil.copytree(interrupted, tmp_path / "out")
    (tmp_path / "out" / "settings.json").write_text("{")
    with pytest.raises(zoo.ConfigError, match=r"settings.json is damaged"):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "out", **QUICK)


def test_a_run_without_an_epoch_starts_again(tmp_path):
    with run_folder.Run(tmp_path / "out", {"seed": 0}) as run:
        run.once("embeddings", lambda: {"x": np.zeros(1)})
    with run_folder.Run(tmp_path / "out", {"seed": 0}):
        assert (tmp_path / "out" / "embeddings.npz").exists()
    with run_folder.Run(tmp_path / "out", {"seed": 1}) as again:
        assert again.once("embeddings", lambda: {"x": np.ones(1)})["x"] == 1


def test_run_that_was_killed_while_it_wrote_its_result_resumes(interrupted, corpora, tmp_path):
    """As version 0.1.0 left it: "best" in the settings, a model that is cut off, a part file."""
    out = tmp_path / "out"
    shutil.copytree(interrupted, out)
    settings = json.loads((out / "settings.json").read_text())
    (out / "settings.json").write_text(json.dumps({**settings, "best": {"epoch": 3}}))
    (out / "part.model.keras").write_bytes(b"half")
    (out / f".{'0a' * 16}.part").write_bytes(b"half")
    found = zoo.train("zhu2016", *corpora[:2], folder=out, **QUICK)
    assert len(found.history) == 3
    assert {path.name for path in out.iterdir()} == {
        "model.keras", "history.csv", "history.png", "settings.json",
    }  # fmt: skip


def test_unfinished_run_without_a_monitor_resumes_by_loss_only(interrupted, corpora, tmp_path):
    shutil.copytree(interrupted, tmp_path / "out")
    file = tmp_path / "out" / "settings.json"
    settings = json.loads(file.read_text())
    del settings["monitor"]
    file.write_text(json.dumps(settings))
    with pytest.raises(zoo.ConfigError, match=r'monitor was "loss" and is "score"'):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "out", **QUICK)
    found = zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "out", **QUICK, monitor="loss")
    assert found.best["val_loss"] == min(row["val_loss"] for row in found.history)


def test_folder_is_free_after_a_kill_before_its_first_settings(tmp_path):
    """The process dies by SIGKILL when the first file is to take its place."""
    out = tmp_path / "out"
    program = (
        "import os, signal, sys\n"
        "from zoo.training import run_folder\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_folder.Run(sys.argv[1], {'seed': 0}).__enter__()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    (part,) = out.glob("*.part")
    run_folder.check_free(out)
    with run_folder.Run(out, {"seed": 0}):
        assert not part.exists()
    assert [path.name for path in out.iterdir()] == ["settings.json"]


def test_two_trainings_do_not_share_a_folder(tmp_path):
    out = tmp_path / "out"
    message = r"another training is writing to .*out"
    with run_folder.Run(out, {"seed": 0}), pytest.raises(zoo.ConfigError, match=message):
        run_folder.Run(out, {"seed": 0}).__enter__()
    with run_folder.Run(out, {"seed": 1}):
        pass
    assert [path.name for path in out.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_damaged_state_is_named(interrupted, corpora, tmp_path, damage):
    shutil.copytree(interrupted, tmp_path / "out")
    state = tmp_path / "out" / "state.npz"
    state.write_bytes(state.read_bytes()[:-500] if damage is None else damage)
    with pytest.raises(zoo.ConfigError, match=r"state.npz is damaged.*Delete the folder"):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "out", **QUICK)


def test_finished_run_is_not_overwritten(trained, corpora):
    with pytest.raises(zoo.ConfigError, match=r"holds a finished run: model.keras. Give another"):
        zoo.train("zhu2016", *corpora[:2], folder=trained.folder, **QUICK)


def test_folder_with_other_files_is_not_changed(corpora, tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(zoo.ConfigError, match=r"not empty.* has no settings.json"):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path, **QUICK)
    with pytest.raises(zoo.ConfigError, match=r"thesis.txt is a file; the results need a folder"):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "thesis.txt", **QUICK)


# --- errors ---


def test_diverging_training_stops_with_an_error(corpora):
    with pytest.raises(zoo.TrainingError, match=r"diverged: the loss is .* at a learning rate of"):
        zoo.train("zhu2016", *corpora[:2], **{**QUICK, "learning_rate": 1e38})


def test_unreadable_clip_is_named_once_and_left_out(corpora, tmp_path, caplog):
    train, validation, _ = corpora
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    train = replace(train, clips=(*train.clips, Clip(broken, ("noise",))))
    found = zoo.train("zhu2016", train, validation, **{**QUICK, "epochs": 2})
    assert len(found.history) == 2
    assert len([r for r in caplog.records if "broken.wav" in r.getMessage()]) == 1


def test_corpus_of_unreadable_clips_is_one_plain_error(corpora, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    train = replace(corpora[0], clips=(Clip(broken, ("noise",)), Clip(broken, ("tone",))))
    with pytest.raises(zoo.AudioError, match=r"^none of the 2 clips of train could be decoded"):
        zoo.train("zhu2016", train, corpora[1], **QUICK)


def test_labels_must_be_the_models(corpora):
    train, validation, _ = corpora
    model = zoo.build("zhu2016", ["noise", "song"], **SMALL)
    with pytest.raises(zoo.UnknownName, match=r"lacks: song\. The corpus has: noise, tone"):
        zoo.train(model, train, validation)
    model = zoo.build("zhu2016", ["noise"], **SMALL)
    with pytest.raises(zoo.UnknownName, match=r"not among the labels: tone\. The labels are: noi"):
        zoo.train(model, train, validation)


def test_softmax_refuses_clips_with_several_tags(corpora):
    train, validation, _ = corpora
    clips = (*train.clips, train.clips[0]._replace(tags=("noise", "tone")))
    several = Corpus("several", clips, train.labels)
    model = zoo.build("zhu2016", train.labels, activation="softmax", **SMALL)
    with pytest.raises(zoo.ConfigError, match=r"several has clips with none or several.*sigmoid"):
        preparation.checked(model, several, validation)


def test_sigmoid_on_classes_and_shared_files_give_warnings(corpora, caplog):
    train, _, _ = corpora
    model = zoo.build("zhu2016", train.labels, **SMALL)
    preparation.checked(model, train, train)
    assert "activation='softmax' suits such clips" in caplog.text
    assert "16 files, such as" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": -1.0}, r"the recipe: Expected `float` > 0.*learning_rate"),
        ({"monitor": "accuracy"}, "monitor is 'accuracy'; it is one of score, loss"),
        ({"segments": 0}, "segments is 0; expected a whole number"),
        ({"class_weight": "fair"}, "class_weight is 'fair'; it is 'balanced' or None"),
        ({"options": {"width": 3}}, "zhu2016 has no option width"),
    ],
)
def test_bad_argument_is_named_and_nothing_written(corpora, tmp_path, arguments, message):
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.train("zhu2016", *corpora[:2], folder=tmp_path / "out", **{**QUICK, **arguments})
    assert not (tmp_path / "out").exists()


def test_options_are_only_for_names(corpora):
    model = zoo.build("zhu2016", corpora[0].labels, **SMALL)
    with pytest.raises(
        zoo.ConfigError, match="options and dtype can be given only if the model is a name"
    ):
        zoo.train(model, *corpora[:2], options={"n": 3})


# --- clips and splits ---


def split_corpus(corpus, **splits) -> Corpus:
    return replace(corpus, splits={name: tuple(ids) for name, ids in splits.items()})


def test_splits_of_a_corpus_are_used_and_its_test_split_never(corpora):
    corpus = split_corpus(corpora[0], train=range(4, 12), validation=range(4), test=range(12, 16))
    train, validation = preparation.split(corpus, None, 0)
    assert [len(train), len(validation)] == [8, 4]
    corpus = split_corpus(corpora[0], test=range(2, 8))
    train, validation = preparation.split(corpus, None, 0)
    taken = {clip.path for clip in (*train.clips, *validation.clips)}
    assert taken.isdisjoint(clip.path for clip in corpus.split("test").clips)
    assert len(taken) == 10


def test_validation_is_split_off_by_groups(corpora):
    clips = [c._replace(group=str(i % 4)) for i, c in enumerate(corpora[0].clips)]
    train, validation = preparation.split(replace(corpora[0], clips=tuple(clips)), None, 0)
    groups = [{clip.group for clip in part.clips} for part in (train, validation)]
    assert len(groups[1]) == 1
    assert groups[0].isdisjoint(groups[1])


def test_too_few_groups_to_divide_are_an_error_that_says_what_to_do(corpora):
    clips = (corpora[0].clips[i]._replace(group="one") for i in (0, 8))
    corpus = replace(corpora[0], clips=tuple(clips), splits={})
    with pytest.raises(zoo.ConfigError, match=r"cannot be divided.*Give a corpus as validation"):
        preparation.split(corpus, None, 0)


# --- recipes ---


def test_every_model_file_has_a_valid_recipe():
    for name in lookup.architectures():
        assert isinstance(recipe.of(name), Recipe)


def test_recipe_is_read_from_the_model_file_without_running_it(tmp_path, monkeypatch):
    text = "CARD = {}\nTRAINING = dict(optimizer='sgd', momentum=0.9, schedule={2: 0.1})\nboom"
    (tmp_path / "zhu2016.py").write_text(text)
    monkeypatch.setattr(lookup, "MODELS", tmp_path)
    found = recipe.of("zhu2016")
    assert (found.optimizer, found.momentum, found.schedule) == ("sgd", 0.9, {2: 0.1})
    assert found.to_dict()["schedule"] == {"2": 0.1}
    (tmp_path / "zhu2016.py").write_text("TRAINING = {'optimiser': 'sgd'}")
    with pytest.raises(zoo.ConfigError, match=r"TRAINING of zhu2016.py.*`optimiser`"):
        recipe.of("zhu2016")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "lion"}, "Invalid enum value 'lion'"),
        ({"optimizer": "adam", "momentum": 0.9}, "momentum is for sgd and rmsprop, not for adam"),
        ({"optimizer": "adam", "nesterov": True}, "nesterov is for sgd"),
        ({"chosen": ("speed",)}, "chosen names speed"),
    ],
)
def test_impossible_recipe_is_refused(fields, message):
    with pytest.raises(zoo.ConfigError, match=message):
        recipe.read(fields, "test")


def test_learning_rate_follows_the_schedule():
    steps = Recipe(learning_rate=1.0, schedule={2: 0.5, 4: 0.1})
    assert [steps.rate([1.0] * n) for n in range(6)] == [1, 1, 0.5, 0.5, 0.1, 0.1]
    assert Recipe(learning_rate=1.0, schedule=None).rate([1.0] * 50) == 1
    plateau = Recipe(learning_rate=1.0, schedule="plateau", plateau_patience=2)
    losses = [5, 4, 4, 4, 3, 3, 3, 3, 3]
    rates = [plateau.rate(losses[:n]) for n in range(10)]
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_training_ends_after_its_epochs_or_its_patience():
    ending = Recipe(epochs=5, patience=2)
    assert not ending.ends([])
    assert not ending.ends([3, 2, 2])
    assert ending.ends([3, 2, 2, 2])
    assert ending.ends([5, 4, 3, 2, 1])
    assert not Recipe(epochs=5, patience=0).ends([1, 2, 3, 4])


@pytest.mark.parametrize(
    "name", ["adadelta", "adagrad", "adam", "adamw", "nadam", "rmsprop", "sgd"]
)
def test_every_optimizer_is_keras_own(name):
    momentum = {"momentum": 0.9} if name in ("sgd", "rmsprop") else {}
    made = loop.make_optimizer(Recipe(optimizer=name, learning_rate=0.25, **momentum))
    assert float(made.learning_rate) == 0.25
    assert not made.weight_decay
    assert getattr(made, "momentum", 0) == momentum.get("momentum", 0)


# --- the best epoch ---


def epochs(name: str, *values: tuple[float, float]) -> list[history.Row]:
    """Rows with so many scores and losses."""
    return [{"epoch": i, name: score, "val_loss": loss} for i, (score, loss) in enumerate(values)]


def test_best_epoch_has_the_best_score():
    rows = epochs("val_accuracy", (0.4, 1.2), (0.6, 1.5), (0.6, 1.4), (0.5, 1.0), (0.6, 1.4))
    assert history.best_of(rows, "score")["epoch"] == 2  # of equals the lower loss, then the first
    assert history.best_of(rows, "loss")["epoch"] == 3
    assert history.monitored(rows[0], "score") == "accuracy"
    assert history.monitored(rows[0], "loss") == "loss"


def test_score_that_is_nan_is_never_the_best():
    nan = float("nan")
    rows = epochs("val_roc_auc", (nan, 0.1), (0.3, 0.5), (nan, 0.2), (0.2, 0.4))
    assert history.best_of(rows, "score")["epoch"] == 1
    rows = epochs("val_roc_auc", (nan, 0.3), (nan, 0.1), (nan, nan))
    assert history.best_of(rows, "score")["epoch"] == 1  # then the loss decides


def test_patience_counts_by_the_monitor():
    rows = epochs("val_accuracy", (0.6, 1.5), (0.5, 1.4), (0.5, 1.3))
    ending = Recipe(epochs=9, patience=2)
    assert ending.ends([history.rank(row, "score") for row in rows])
    assert not ending.ends([history.rank(row, "loss") for row in rows])


def test_patience_and_weights_follow_the_monitor(monkeypatch, corpora):
    """The score falls while the loss falls, too."""
    scores = iter([0.9, 0.8, 0.7, 0.6, 0.9, 0.8, 0.7, 0.6])
    losses = iter([1.0, 0.9, 0.8, 0.7, 1.0, 0.9, 0.8, 0.7])

    def measures(*_):
        return {"val_loss": next(losses), "val_accuracy": next(scores)}

    monkeypatch.setattr(batches, "measures", measures)
    quick = {**QUICK, "epochs": 4, "patience": 2}
    found = zoo.train("zhu2016", *corpora[:2], **quick)
    assert (found.best["epoch"], len(found.history)) == (1, 3)
    next(scores), next(losses)
    found = zoo.train("zhu2016", *corpora[:2], **quick, monitor="loss")
    assert (found.best["epoch"], len(found.history)) == (4, 4)


# --- scores and weights ---


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_validation_loss_is_the_one_that_is_trained(activation):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 8)
    y = np.eye(3, dtype="float32")[rng.integers(0, 3, 8)]
    loss = keras.losses.BinaryCrossentropy if activation == "sigmoid" else None
    loss = loss or keras.losses.CategoricalCrossentropy
    found = scoring.measures(p, y, True, activation, None)
    assert found["val_loss"] == pytest.approx(float(loss()(y, p)), rel=1e-5)
    assert found["val_accuracy"] == (p.argmax(1) == y.argmax(1)).mean()


def test_clips_that_could_not_be_decoded_do_not_count():
    p = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8]])
    y = np.array([[1, 0], [1, 0], [0, 1]], "float32")
    assert scoring.measures(p, y, True, "softmax", None)["val_accuracy"] == 1
    with pytest.raises(zoo.AudioError, match="no validation clip could be decoded"):
        scoring.measures(p[1:2], y[1:2], True, "softmax", None)


def test_rare_classes_count_more_up_to_a_limit(corpora):
    clips = corpora[0].clips
    uneven = replace(corpora[0], clips=clips[:8] + clips[-2:])  # 8 of noise, 2 tones
    assert scoring.class_weights(uneven, "balanced") == {0: 0.625, 1: 2.5}
    assert scoring.class_weights(uneven, None) is None
    assert scoring.class_weights(replace(uneven, single_label=False), "balanced") is None
    rare = replace(uneven, clips=clips[:8] * 10 + clips[-1:])
    assert scoring.class_weights(rare, "balanced")[1] == scoring.HIGHEST_WEIGHT


def test_clips_are_the_mean_of_their_segments_by_fresh_seconds():
    values = np.array([[1.0], [4.0], [7.0]])
    means = prediction.clip_means(values, np.array([0, 0, 2]), np.array([1.0, 2.0, 1.0]), 3)
    np.testing.assert_array_equal(means, [[3.0], [np.nan], [7.0]])


def test_bfloat16_weights_survive_the_state():
    variable = keras.Variable([1.0, 1 / 3], dtype="bfloat16")
    kept = variables.values_of([variable])
    other = keras.Variable([0.0, 0.0], dtype="bfloat16")
    variables.assign_values([other], kept)
    assert kept[0].dtype == "float32"
    np.testing.assert_array_equal(variables.values_of([other])[0], kept[0])
    with pytest.raises(zoo.ConfigError, match="the saved state does not fit the network"):
        variables.assign_values([other], [np.zeros(3, "float32")])
