"""What version 0.1.0 saved loads, and gives the scores that it gave."""

import json

import keras
import numpy as np
import pytest
from conftest import CHECKOUT, GOLDEN

import zoo

SHARED = CHECKOUT.parent / "shared" / "compat"  # more files than a clone has
FILES = {
    GOLDEN / name: scores
    for name, scores in json.loads((GOLDEN / "saved_models.json").read_text()).items()
}
if SHARED.is_dir():
    content = json.loads((SHARED / "expected.json").read_text())
    FILES |= {SHARED / name: scores for name, scores in content.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_saved_file_loads_with_the_scores_it_gave(path, example):
    expected = FILES[path]
    for model in (zoo.load(path), keras.saving.load_model(path)):
        assert set(model.labels) == set(expected)
        found = model.tag(example, top=None).to_dict()
        np.testing.assert_allclose(
            [found[label] for label in expected], [*expected.values()], atol=1e-5
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_saved_file_has_a_card_of_its_own(path):
    card = zoo.info(path)
    assert card.name == path.stem
    assert set(card.labels) == set(FILES[path])
    for checkpoint in card.checkpoints.values():
        assert (checkpoint.status, checkpoint.default) == ("changed since", False)
        assert checkpoint.metrics == ()


def test_folder_of_a_fine_tuning_loads(example):
    folder = SHARED / "run_dieleman2014"
    if not folder.is_dir():
        pytest.skip(f"the run of version 0.1.0 is not at {folder}")
    model = zoo.load(folder)
    assert model.name == "run_dieleman2014"
    assert model.card.trained.startswith("fine-tuned from dieleman2014.zoo")
    settings = json.loads((folder / "settings.json").read_text())
    assert list(model.labels) == settings["model"]["labels"]
    assert np.isfinite(model.tag(example).scores).all()
