import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import songs
from test_train import SMALL, StopAfter

import zoo
from zoo.data import Corpus
from zoo.inference import variables
from zoo.layers import augmentation
from zoo.training import finetune, phases, preparation, validation
from zoo.weights import fetch

QUICK = {"epochs": 2, "head_epochs": 3, "learning_rate": 1e-3, "batch_size": 8}
SCRIPT = Path(__file__).parent / "helpers" / "finetuning_answers.py"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    return [songs.make(folder / name, n) for name, n in (("train", 8), ("validation", 4))]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A saved network whose batch normalisations have been trained."""
    with preparation.seeded(1):
        model = zoo.build("zhu2016", ["noise", "tone"], activation="softmax", **SMALL)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if "moving_mean" in variable.path:
            variable.assign(rng.normal(0, 0.1, variable.shape))
    path = tmp_path_factory.mktemp("start") / "start.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def tuned(start, corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "out"
    return zoo.finetune(zoo.load(start), *corpora, folder=folder, **QUICK)


def norms(model) -> dict[str, np.ndarray]:
    layers = [x for x in model._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
    assert layers
    return {v.path: keras.ops.convert_to_numpy(v) for layer in layers for v in layer.variables}


def losses(model, corpus) -> dict[str, float]:
    """Return the loss and accuracy of the model."""
    probabilities = np.array([model.tag(clip.path).scores for clip in corpus.clips])
    return validation.measures(probabilities, corpus.targets, True, model.activation, None)


# --- what is trained ---


def test_head_comes_first_then_the_whole_network(tuned):
    assert [row["phase"] for row in tuned.history] == ["head"] * 3 + ["whole"] * 2
    assert {row["learning_rate"] for row in tuned.history} == {1e-3}
    assert isinstance(tuned, finetune.Finetuned)
    # Which phase wins depends on random weights, and so on the framework.
    best = "whole" if keras.config.backend() == "tensorflow" else tuned.best["phase"]
    assert f"Finetuned(out, 5 epochs; best: {best}" in repr(tuned)
    assert tuned.head_only == (best == "head")


def test_model_has_the_score_in_the_history(tuned, corpora):
    assert losses(tuned.model, corpora[1])["val_loss"] == pytest.approx(
        tuned.best["val_loss"], rel=1e-4
    )


def test_batch_normalisations_do_not_change_and_can_be_trained_again(tuned, start):
    before, after = zoo.load(start), tuned.model
    for path, value in norms(before).items():
        np.testing.assert_array_equal(norms(after)[path], value, err_msg=path)
    changed = {
        old.path
        for old, new in zip(before.trainable_variables, after.trainable_variables, strict=True)
        if not np.array_equal(old, new)
    }
    assert len(before.trainable_variables) == len(after.trainable_variables)
    paths = {v.path for v in before.trainable_variables}
    head = {path for path in paths if "logits" in path}
    assert changed == (head if tuned.head_only else paths - norms(before).keys())


def test_batch_normalisations_inside_other_layers_are_frozen_too():
    model = zoo.build("pons2017", ["a"], segment=0.3)
    inside = model.get_layer("timbral_38").norm
    with phases.frozen_norms(model):
        assert not inside.trainable
        assert inside.gamma.path not in {v.path for v in model.trainable_variables}
    assert inside.trainable


def test_head_alone_leaves_the_rest_untouched(start, corpora):
    model = zoo.load(start)
    tuned = zoo.finetune(model, *corpora, **{**QUICK, "epochs": 0})
    assert tuned.head_only
    assert losses(model, corpora[1])["val_loss"] == pytest.approx(tuned.best["val_loss"], rel=1e-4)
    before = variables.variables(zoo.load(start))
    for path, value in variables.variables(model).items():
        assert np.array_equal(value, before[path]) == ("logits" not in path), path


def test_head_starts_from_its_weights(start, corpora):
    model = zoo.load(start)
    first = zoo.finetune(model, *corpora, epochs=0, head_epochs=30, head_learning_rate=0.01)
    again = zoo.finetune(model, *corpora, epochs=0, head_epochs=1, head_learning_rate=1e-5)
    assert again.best["val_loss"] == pytest.approx(first.best["val_loss"], rel=0.02)
    assert first.best["val_loss"] < 0.8 * first.history[0]["val_loss"]


def test_head_alone_is_kept_if_the_whole_network_is_no_better(start, corpora):
    model = zoo.load(start)
    tuned = zoo.finetune(model, *corpora, **{**QUICK, "learning_rate": 10.0})
    assert tuned.head_only
    assert [row["phase"] for row in tuned.history][-1] == "whole"
    assert losses(model, corpora[1])["val_loss"] == pytest.approx(tuned.best["val_loss"], rel=1e-4)


def test_without_a_head_phase_the_whole_network_is_trained_first(start, corpora):
    tuned = zoo.finetune(zoo.load(start), *corpora, **{**QUICK, "head_epochs": 0, "epochs": 1})
    assert [row["phase"] for row in tuned.history] == ["whole"]


def test_units_that_hardly_vary_are_not_scaled_up():
    x = np.random.default_rng(0).normal(0, [1, 1, 1e-6, 0], (50, 4))
    scale = phases.scale_of(x)
    assert scale[0] == pytest.approx(1, abs=0.3)
    assert scale[2] == scale[3] == pytest.approx(0.07, abs=0.02)
    assert (phases.scale_of(np.zeros((5, 2))) == 1).all()


def test_several_tags_a_clip_with_augmentation(start, tmp_path):
    corpus = songs.make(tmp_path / "songs", 3, kinds=("noise", "tone", "both"))
    tags = {"noise": ("noise",), "tone": ("tone",), "both": ("noise", "tone")}
    clips = tuple(clip._replace(tags=tags[clip.tags[0]]) for clip in corpus.clips)
    several = Corpus("several", clips, ("noise", "tone"))
    layers = [augmentation.Gain(), augmentation.Noise(), augmentation.Mixup()]
    tuned = zoo.finetune(start, several, several, **QUICK, augment=layers)
    assert tuned.model.activation == "sigmoid"
    assert set(tuned.best) >= {"val_loss", "val_roc_auc"}
    with pytest.raises(zoo.ConfigError, match=r'has no stage "features" to mask'):
        zoo.finetune(start, several, several, **QUICK, augment=[augmentation.TimeMask()])


def test_same_seed_gives_the_same_history(start, corpora):
    quick = {**QUICK, "head_epochs": 0, "epochs": 1}
    quick["augment"] = [augmentation.Gain(), augmentation.Mixup()]

    def loss(seed: int) -> float:
        trained = zoo.finetune(zoo.load(start), *corpora, **quick, seed=seed)
        drawn = [getattr(x, "seed_generator", None) for x in trained.model._flatten_layers()]
        seeds = [generator._initial_seed for generator in drawn if generator is not None]
        assert seeds  # of dropout
        assert None not in seeds  # on PyTorch, Keras would draw without them
        return trained.history[0]["loss"]

    same, again, other = (loss(seed) for seed in (3, 3, 4))
    assert same == pytest.approx(again, rel=1e-4)
    assert same != pytest.approx(other, rel=1e-4)


# --- the card ---


def test_card_keeps_the_origin_and_its_licence_but_not_its_scores(pons, corpora, tmp_path):
    model = zoo.AudioModel(**{**pons.get_config(), "labels": ["noise", "tone"]})
    assert pons.card.checkpoints["pons2017.mtt"].metrics
    model.record(f"{finetune.training_note(model)} on something")
    model.save(tmp_path / "tuned.keras")
    card = zoo.load(tmp_path / "tuned.keras").card
    assert card.trained == "fine-tuned from pons2017.mtt on something"
    assert card.checkpoints["pons2017.mtt"].licence.weights == "ISC"
    assert card.checkpoints["pons2017.mtt"].metrics == ()
    assert "fine-tuned from pons2017.mtt on something" in str(card)
    assert finetune.training_note(model).endswith("on something; then fine-tuned")


# --- interruption ---


@pytest.mark.parametrize(("phase", "epoch"), [("head", 2), ("head", 3), ("whole", 1)])
def test_interrupted_fine_tuning_resumes_without_new_embeddings(
    start, corpora, tuned, tmp_path, caplog, phase, epoch
):
    out = tmp_path / "out"
    with StopAfter(phase, epoch), pytest.raises(KeyboardInterrupt):
        zoo.finetune(zoo.load(start), *corpora, folder=out, **QUICK)
    assert {path.name for path in out.iterdir()} == {
        "settings.json",
        "state.npz",
        "history.csv",
        "embeddings.npz",
    }
    caplog.clear()
    with caplog.at_level(logging.INFO, "zoo"):
        resumed = zoo.finetune(zoo.load(start), *corpora, folder=out, **QUICK)
    assert "embedding" not in caplog.text
    assert len(resumed.history) == len(tuned.history)
    for ours, theirs in zip(resumed.history, tuned.history, strict=True):
        assert ours.pop("phase") == theirs["phase"]
        assert ours == pytest.approx({k: v for k, v in theirs.items() if k != "phase"}, rel=1e-4)
    assert losses(resumed.model, corpora[1])["val_loss"] == pytest.approx(
        tuned.best["val_loss"], rel=1e-3
    )


class Killed(BaseException):
    """Simulates the end of the process; nothing may catch it."""


TINY = {"epochs": 1, "head_epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "progress": False}


def test_fine_tuning_resumes_after_a_kill_at_any_file(start, corpora, tmp_path, monkeypatch):
    """Each attempt is killed at the next file and gets one file further."""
    model, out, original = zoo.load(start), tmp_path / "out", os.replace
    weights = model.get_weights()
    whole = zoo.finetune(model, *corpora, **TINY)
    died: list[tuple] = []

    def replace(source, target):
        history = out / "history.csv"
        lines = history.read_text().count("\n") if history.exists() else 0
        ours = (path for path in out.iterdir() if path.suffix != ".part")
        names = sorted(path.name for path in ours if not path.name.startswith(".save-"))
        here = (Path(target).name, lines, *names)
        if here not in died:
            died.append(here)
            raise Killed
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    for _ in range(20):
        model.set_weights(weights)
        try:
            resumed = zoo.finetune(model, *corpora, folder=out, **TINY)
        except Killed:
            continue
        break
    assert {name for name, *_ in died} == {
        "settings.json", "embeddings.npz", "state.npz", "history.csv", "history.png",
        "part.model.keras", "model.keras",
    }  # fmt: skip
    assert len(died) > 12  # several of them in every phase
    assert [row["phase"] for row in resumed.history] == ["head", "whole"]
    assert resumed.best["val_loss"] == pytest.approx(whole.best["val_loss"], rel=1e-4)
    assert {path.name for path in out.iterdir()} == {
        "model.keras", "history.csv", "history.png", "settings.json",
    }  # fmt: skip


def test_fine_tuning_resumes_after_sigkill_between_model_and_cleaning(start, corpora, tmp_path):
    out = tmp_path / "out"
    program = f"""
import os, signal, songs, zoo
from pathlib import Path
original = os.replace
def replace(source, target):
    original(source, target)
    if Path(target).name == "model.keras":
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
corpora = [songs.make(Path({str(tmp_path)!r}) / name, 2) for name in ("train", "validation")]
zoo.finetune(zoo.load({str(start)!r}), *corpora, folder={str(out)!r}, **{TINY!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert {"model.keras", "state.npz", ".lock"} <= {path.name for path in out.iterdir()}
    ours = [songs.make(tmp_path / name, 2) for name in ("train", "validation")]
    resumed = zoo.finetune(zoo.load(start), *ours, folder=out, **TINY)
    assert [row["phase"] for row in resumed.history] == ["head", "whole"]
    assert {path.name for path in out.iterdir()} == {
        "model.keras", "history.csv", "history.png", "settings.json",
    }  # fmt: skip
    with pytest.raises(zoo.ConfigError, match="holds a finished run"):
        zoo.finetune(zoo.load(start), *ours, folder=out, **TINY)


def test_checkpoint_is_not_loaded_again_at_the_end(tmp_path, monkeypatch):
    """Not even if the labels are the checkpoint's, where its weights could be compared."""
    model = zoo.load("dieleman2014.zoo")
    corpus = songs.make(tmp_path / "songs", 1, seconds=3.5)
    clips = tuple(clip._replace(tags=model.labels) for clip in corpus.clips)
    corpus = Corpus("all tags", clips, model.labels)

    def tensors(name):
        raise AssertionError(f"{name} is loaded")

    monkeypatch.setattr(fetch, "tensors", tensors)
    tuned = zoo.finetune(model, corpus, corpus, folder=tmp_path / "out", **{**TINY, "epochs": 0})
    assert tuned.model.card.trained.startswith("fine-tuned from dieleman2014.zoo on all tags")


def test_interrupted_fine_tuning_does_not_resume_with_another_network(start, corpora, tmp_path):
    with StopAfter("head", 1), pytest.raises(KeyboardInterrupt):
        zoo.finetune(zoo.load(start), *corpora, folder=tmp_path / "out", **QUICK)
    other = zoo.build("zhu2016", ["noise", "tone"], activation="softmax", **SMALL)
    with pytest.raises(zoo.ConfigError, match=r"other settings.*model.sha256 was"):
        zoo.finetune(other, *corpora, folder=tmp_path / "out", **QUICK)


# --- errors ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0, "head_epochs": 0}, "both 0; one of them must be 1 or more"),
        ({"learning_rate": 0.0}, r"finetune: Expected `float` > 0.*learning_rate"),
        ({"batch_size": 0}, r"finetune: Expected `int` >= 1.*batch_size"),
        ({"dtype": "bfloat16"}, "dtype can be given only if the model is a name or a file"),
        ({"segments": 0}, "segments is 0"),
    ],
)
def test_bad_argument_is_named(start, corpora, arguments, message):
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.finetune(zoo.load(start), *corpora, **{**QUICK, "head_epochs": 0, **arguments})


def test_labels_of_both_sides_are_in_the_message(pons, corpora):
    with pytest.raises(zoo.UnknownName, match=r"has labels that train lacks.*noise, tone\. Give"):
        zoo.finetune(pons, *corpora)


# --- backends ---


@pytest.fixture(scope="module")
def answers(start, tmp_path_factory):
    """The results of finetuning_answers.py by backend; each runs once."""
    folder, found = tmp_path_factory.mktemp("backends"), {}
    (folder / "start.keras").write_bytes(start.read_bytes())

    def answer(backend: str) -> dict:
        if backend not in found:
            if importlib.util.find_spec(backend) is None:
                pytest.skip(f"{backend} is not installed")
            done = subprocess.run(
                [sys.executable, str(SCRIPT), str(folder)],
                env={
                    **os.environ,
                    "KERAS_BACKEND": backend,
                    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
                    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes longer than running
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-3000:]
            found[backend] = json.loads((folder / f"{backend}.json").read_text())
        return found[backend]

    return answer


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_and_several_devices_train_the_same(answers, backend):
    ours = answers(backend)["history"]
    assert [row["phase"] for row in ours] == ["head"] * 3 + ["whole"] * 3
    theirs = answers("tensorflow")["history"]
    # The same sounds in the same order; the same first head, but other dropout later.
    for row, other in zip(ours[:3], theirs[:3], strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-3)
    assert ours[-1]["val_loss"] == pytest.approx(theirs[-1]["val_loss"], rel=0.1)
    assert answers(backend)["segments"] == answers("tensorflow")["segments"] == 2
