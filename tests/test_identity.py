"""A model says what it is: its name, its card, what it takes."""

import json
import shutil

import keras
import msgspec
import numpy as np
import pytest

import zoo
from zoo.registry.cards import Card

LABELS = ["calm", "wild", "odd"]


@pytest.fixture
def mine():
    """dieleman2014.zoo with a fresh head."""
    return zoo.load("dieleman2014", labels=LABELS)


def test_an_untouched_checkpoint_has_its_name_status_and_scores(pons):
    checkpoint = pons.card.checkpoints["pons2017.mtt"]
    assert (checkpoint.status, checkpoint.default) == ("verified", True)
    assert checkpoint.metrics
    assert pons.card.labels == pons.labels
    assert repr(pons) == (
        "AudioModel('pons2017.mtt': pons2017, 50 labels, segments of 3.01 s at 16000 Hz, "
        f"{pons.count_params():,} parameters)"
    )


def check_claims_nothing(card: Card, labels) -> None:
    """Assert that a card has its own labels, and of the checkpoint only whose it is."""
    (checkpoint,) = card.checkpoints.values()
    assert card.labels == checkpoint.labels == tuple(labels)
    assert (checkpoint.status, checkpoint.default) == ("changed since", False)
    assert (checkpoint.metrics, checkpoint.parameters) == ((), None)
    assert checkpoint.authors
    assert checkpoint.licence.weights == "Apache-2.0"
    shown = str(card)
    assert "from checkpoint dieleman2014.zoo\n" in shown
    assert "verified" not in shown
    assert "ROC-AUC" not in shown
    assert Card.from_dict(json.loads(json.dumps(card.to_dict()))) == card


def test_a_fresh_head_does_not_claim_to_be_the_checkpoint(mine, tone):
    assert mine.name == "dieleman2014.zoo-with-3-labels"
    assert mine.with_labels(["a"]).name == "dieleman2014.zoo-with-1-label"
    check_claims_nothing(mine.card, LABELS)
    tags = mine.tag(tone)
    assert tags.model == mine.name
    assert "by dieleman2014.zoo-with-3-labels" in repr(tags)


def test_a_fresh_head_for_the_same_labels_is_fresh_too():
    same = zoo.load("dieleman2014", labels=zoo.info("dieleman2014.zoo").checkpoints[
        "dieleman2014.zoo"].labels)  # fmt: skip
    assert same.name == "dieleman2014.zoo-with-50-labels"
    check_claims_nothing(same.card, same.labels)


def test_fit_is_noted_in_name_and_card():
    model = zoo.load("dieleman2014")
    model.compile("sgd", "binary_crossentropy")
    x = np.zeros((2, 48000), "float32")
    model.fit(x, np.zeros((2, 50)), verbose=0)
    assert model.name == "dieleman2014.zoo-fine-tuned"
    assert model.card.trained == "fine-tuned from dieleman2014.zoo by fit"
    check_claims_nothing(model.card, model.labels)
    model.fit(x, np.zeros((2, 50)), verbose=0)
    assert model.name == "dieleman2014.zoo-fine-tuned"


def test_a_saved_model_is_named_after_its_file_and_has_a_card_of_its_own(mine, tmp_path, run):
    mine.record("fine-tuned from dieleman2014.zoo on games")
    for file in ("mine.keras", "old.h5", "model.keras"):
        mine.save(tmp_path / file)
        assert zoo.load(tmp_path / file).name == file.partition(".")[0]
        assert zoo.info(tmp_path / file).name == file.partition(".")[0]
    folder = tmp_path / "ft"
    folder.mkdir()
    shutil.copy(tmp_path / "model.keras", folder)
    (folder / "settings.json").write_text("{}")
    for path in (folder, folder / "model.keras"):
        model, card = zoo.load(path), zoo.info(path)
        assert model.name == card.name == "ft"
        assert model.card == card
        check_claims_nothing(card, LABELS)
    shown = run("info", folder)
    assert shown.exit_code == 0
    assert shown.output.startswith("ft: ")
    assert "fine-tuned from dieleman2014.zoo on games" in shown.output
    assert "3 labels" in shown.output
    assert "calm, wild, odd" in shown.output
    assert json.loads(run("info", tmp_path / "mine.keras", "--json").output)["labels"] == LABELS


def test_a_file_of_any_name_gives_a_model_that_runs(mine, tmp_path, tone):
    for file, name in (("Übung 2 (neu).keras", "Ubung-2-neu"), ("曲.keras", "model")):
        mine.save(tmp_path / file)
        model = zoo.load(tmp_path / file)
        assert model.name == name
        assert model.predict(np.zeros((1, 48000)), verbose=0).shape == (1, 3)


def test_info_of_a_file_that_is_not_there_says_so(run, tmp_path):
    result = run("info", tmp_path / "none.keras")
    assert result.exit_code == 1
    assert "there is no saved model at" in result.output


def test_an_untrained_network_lists_its_labels():
    assert "2 labels" in str(zoo.build("dieleman2014", ["jazz", "rock"]).card)


def test_a_card_of_another_version_is_said(mine):
    content = mine.card.to_dict()
    content["architecture"]["colour"] = "red"
    with pytest.raises(zoo.ConfigError, match=r"does not fit this version .*`colour`.*upgrade"):
        Card.from_dict(content)
    del content["architecture"]
    with pytest.raises(zoo.ConfigError, match="missing required field `architecture`"):
        Card.from_dict(content)
    checkpoint = next(iter(mine.card.checkpoints.values()))
    assert msgspec.structs.replace(checkpoint).status == "changed since"


# --- what it takes ---


def test_a_clip_without_a_batch_axis_is_refused_with_the_shape_expected(mine):
    x = np.zeros((2, 48000), "float32")
    y = np.zeros((2, 3))
    mine.compile("sgd", "binary_crossentropy")
    message = r"has the shape \(48000,\); .* takes \(batch, 48000\), .*give x\[None\]"
    for call in (mine, mine.predict, lambda x: mine.fit(x, y), lambda x: mine.evaluate(x, y)):
        with pytest.raises(zoo.ConfigError, match=message):
            call(x[0])
    with pytest.raises(zoo.ConfigError, match=r"shape \(2, 48000, 1\)"):
        mine.predict(x[..., None])
    with pytest.raises(zoo.ConfigError, match=r"song\.wav is a file; .* Call tag"):
        mine.predict("song.wav")
    of_any_length = zoo.build("zhu2016", ["a"])
    with pytest.raises(zoo.ConfigError, match=r"takes \(batch, samples\)"):
        of_any_length.predict(np.zeros(32000))
    assert mine.predict(x, verbose=0).shape == (2, 3)
    assert isinstance(mine.evaluate(x, y, verbose=0), float)
    assert mine(keras.ops.convert_to_tensor(x)).shape == (2, 3)
