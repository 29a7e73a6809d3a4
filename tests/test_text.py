import msgspec
import pytest

import zoo
from zoo.registry import cards, listing, lookup
from zoo.registry.manifest import Metric
from zoo.utils import text

CARDS = [*zoo.list_models(trained=False), *zoo.list_models()]


def score(**changes) -> Metric:
    known = {
        "name": "ROC-AUC",
        "value": 0.9,
        "data": "noise",
        "split": "all",
        "kind": "published",
        "source": "a paper",
    }
    return Metric(**known | changes)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_fits_into_100_columns(name):
    for line in str(zoo.info(name)).splitlines():
        assert len(line) <= text.WIDTH or line.strip().startswith("http"), line


def test_lists_fit_into_100_columns():
    architectures = zoo.list_models(trained=False)
    for table in (
        listing.checkpoints(zoo.list_models()),
        listing.architectures(architectures),
        listing.taxonomy(architectures),
    ):
        assert max(map(len, table.splitlines())) <= text.WIDTH


def test_a_card_states_the_models_cell_in_the_review():
    card = " ".join(str(zoo.info("schluter2014")).split())
    assert "one filter shape: horizontal; on a spectrogram; domain knowledge" in card
    assert "back-end mlp (in the review, of fixed length)" in card
    assert "289,693" in card


def test_published_and_measured_scores_of_the_same_clips_stand_side_by_side():
    found = cards.scores([score(), score(name="PR-AUC"), score(kind="measured", value=0.8)])
    assert list(found) == [("noise", "all")]
    head, roc, pr = cards.score_table(found["noise", "all"])
    assert head.split() == ["published", "measured", "source"]
    assert roc.split()[:3] == ["ROC-AUC", "0.9000", "0.8000"]
    assert pr.split()[:3] == ["PR-AUC", "0.9000", "a"]


def test_scores_of_different_clips_stay_apart():
    assert len(cards.scores([score(), score(split="half", kind="measured")])) == 2


def test_a_checkpoint_that_was_not_loaded_yet_is_marked_and_explained(monkeypatch):
    card = zoo.info("pons2017.mtt")
    changes = {"status": "not yet loaded", "default": False}
    unopened = msgspec.structs.replace(card.checkpoints["pons2017.mtt"], **changes)
    card = msgspec.structs.replace(card, checkpoints={"x.y": unopened})
    monkeypatch.setattr(lookup, "info", lambda name: card)
    lines = listing.checkpoints(["x.y"]).splitlines()
    assert lines[1].startswith("x.y ?")
    assert lines[-1].startswith("? is listed")


def test_an_empty_list_is_its_head():
    assert listing.checkpoints([]).splitlines()[0].startswith("name")
    assert listing.architectures([]).startswith("name")


def test_the_last_column_continues_in_the_next_line():
    rows = [("a", "b"), ("1", "one two three four five six")]
    assert text.columns(rows, width=20) == ["a  b", "1  one two three four", "   five six"]


def test_numbers_are_flush_right():
    assert text.columns([("n", "x"), ("10", "y")], right="n") == [" n  x", "10  y"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lee2017", "3 samples, stride 3"),
        ("choi2016", "3x3"),
        ("pons2017", "7x38, 7x67, 128x1, 64x1, 32x1"),
    ],
)
def test_filters_are_described_by_their_shapes(name, expected):
    default, *_ = lookup.architectures()[name].variants.values()
    assert cards.filters(default) == expected
