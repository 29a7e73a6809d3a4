import inspect

import pytest

import zoo
from zoo.inference.assembly import import_architecture
from zoo.registry import cards, lookup


def test_every_model_file_is_an_architecture():
    files = {p.stem for p in lookup.MODELS.glob("[a-z]*.py")}
    assert files == set(lookup.architectures())


def test_names_are_filtered_by_pattern_task_and_licence():
    assert zoo.list_models("pons2017.mt?") == ["pons2017.mtt"]
    assert "pons2017.mtt" in zoo.list_models(task="tagging", licence="ISC")
    assert "pons2017.mtt" not in zoo.list_models(task="onsets")
    assert "pons2017.mtt" not in zoo.list_models(licence="CC*")
    assert zoo.list_models(trained=False) == sorted(lookup.architectures())


def test_licence_without_weights_is_refused():
    with pytest.raises(zoo.ConfigError, match="there are no weights"):
        zoo.list_models(trained=False, licence="MIT")


def test_bare_name_resolves_to_the_default():
    assert lookup.resolve("pons2017") == "pons2017.mtt"
    assert lookup.resolve("pons2017.msd") == "pons2017.msd"


def test_every_default_is_free_of_licence_surprises():
    for name in lookup.architectures():
        default = lookup.default_checkpoint(name)
        if default is not None:
            assert "NC" not in zoo.info(default).checkpoints[default].licence.weights


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(zoo.UnknownName, match=r"'pons2017\.mt'\. Did you mean pons2017\.mtt"):
        zoo.info("pons2017.mt")


@pytest.mark.parametrize("name", lookup.architectures())
def test_model_files_follow_the_protocol(name):
    module = import_architecture(name)
    for function, taken in (("segmentation", 0), ("frontend", 1), ("backend", 1)):
        parameters = inspect.signature(getattr(module, function)).parameters.values()
        options = list(parameters)[taken:]
        assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in options)
    assert {*module.CARD, "name"} <= set(cards.Architecture.__struct_fields__)


def test_card_survives_as_plain_data():
    card = zoo.info("pons2017")
    assert cards.Card.from_dict(card.to_dict()) == card


def test_card_reads_as_text():
    text = str(zoo.info("pons2017.mtt"))
    assert "Jordi Pons" in text
    assert "licence     ISC" in text


def test_every_architecture_has_a_cell_in_the_reviews_grid():
    names = zoo.list_models(trained=False)
    grid = lookup.grid(names)
    assert list(grid) == list(cards.FRONT_ENDS)
    assert grid["minimal filters"]["waveform"] == {"sample-level": ["lee2017"]}
    assert grid["one filter shape"]["spectrogram"]["vertical"] == ["lee2009"]
    placed = [n for inputs in grid.values() for shapes in inputs.values() for n in shapes.values()]
    assert sorted(name for cell in placed for name in cell) == names
    assert all(a.shape for a in lookup.architectures().values())


def test_the_default_network_comes_first_and_has_no_options():
    for a in lookup.architectures().values():
        default, *others = a.variants.values()
        assert default.options == {}
        assert all(v.options for v in others)


def test_the_listed_back_ends_can_be_built():
    from zoo.layers import backends

    assert set(cards.BACKENDS) == set(backends.BACKENDS)
    fixed = {name for name, (length, _) in cards.BACKENDS.items() if length == "fixed"}
    assert fixed == set(backends.FIXED_LENGTH)
    assert {a.backend for a in lookup.architectures().values()} <= set(backends.BACKENDS)


def test_a_model_file_without_a_card_is_an_error(tmp_path):
    path = tmp_path / "doe1999.py"
    path.write_text('"""No card."""\n')
    with pytest.raises(zoo.ConfigError, match=r"doe1999\.py has no CARD"):
        lookup._read(path)
