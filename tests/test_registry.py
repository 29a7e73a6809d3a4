import pytest

import zoo
from zoo import registry


def test_every_model_file_is_an_architecture():
    files = {p.stem for p in registry.MODELS.glob("*.py")} - {"__init__"}
    assert files == set(registry.architectures())


def test_names_are_filtered_by_pattern_task_and_licence():
    assert zoo.list_models("pons2017.mt?") == ["pons2017.mtt"]
    assert "pons2017.mtt" in zoo.list_models(task="tagging", licence="ISC")
    assert "pons2017.mtt" not in zoo.list_models(task="onsets")
    assert "pons2017.mtt" not in zoo.list_models(licence="CC*")
    assert zoo.list_models(trained=False) == sorted(registry.architectures())


def test_licence_of_untrained_models_makes_no_sense():
    with pytest.raises(zoo.ConfigError, match="there are none"):
        zoo.list_models(trained=False, licence="MIT")


def test_bare_name_resolves_to_the_default():
    assert registry.resolve("pons2017") == "pons2017.mtt"
    assert registry.resolve("pons2017.msd") == "pons2017.msd"


def test_every_default_is_free_of_licence_surprises():
    for name in registry.architectures():
        default = registry.default_checkpoint(name)
        if default is not None:
            assert "NC" not in zoo.info(default).checkpoints[default].licence.weights


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(zoo.UnknownName, match=r"'pons2017\.mt'\. Did you mean pons2017\.mtt"):
        zoo.info("pons2017.mt")


def test_card_survives_as_plain_data():
    card = zoo.info("pons2017")
    assert registry.Card.from_dict(card.to_dict()) == card


def test_card_reads_as_text():
    text = str(zoo.info("pons2017.mtt"))
    assert "Jordi Pons" in text
    assert "licence ISC" in text


def test_a_model_file_without_a_card_is_an_error(tmp_path):
    path = tmp_path / "doe1999.py"
    path.write_text('"""No card."""\n')
    with pytest.raises(zoo.ConfigError, match="doe1999.py has no CARD"):
        registry._read(path)
