"""zoo.draw and zoo.filters: the first layer's filters, to scale and as weights."""

import keras
import numpy as np
import pytest

import zoo


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_an_architecture_is_drawn_with_all_its_networks(tmp_path):
    figure = zoo.draw("pons2016", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    assert any("32 filters" in text for text in texts(figure))
    again = tmp_path / "b.svg"
    zoo.draw("pons2016", again)
    assert again.read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_a_model_is_drawn_as_the_network_that_it_is():
    model = zoo.build("schluter2014", ["onset"])
    figure = zoo.draw(model, sound=(np.random.default_rng(0).normal(0, 0.1, 44100), 44100))
    assert any("10 filters" in text for text in texts(figure))
    assert len(figure.subfigs) == 1


def test_numbers_of_filters_that_options_change_are_not_shown():
    model = zoo.build("lee2017", ["a"], scale=0.5)
    found = texts(zoo.draw(model))
    assert any("3 samples, stride 3" in text for text in found)
    assert not any("filters" in text for text in found)


def test_an_unknown_model_is_told():
    with pytest.raises(zoo.UnknownName, match="pons2017"):
        zoo.draw("pons2071")


def test_filters_of_a_waveform_are_those_of_its_first_layer():
    model = zoo.build("lee2017", ["a"])
    found = zoo.filters(model)
    assert list(found) == ["conv0"]
    weights = keras.ops.convert_to_numpy(model.get_layer("conv0").kernel)
    np.testing.assert_array_equal(found["conv0"], weights[:, 0].T)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [("pons2016", {(60, 1), (1, 32)}), ("choi2016", {(3, 3)}), ("schluter2014", {(7, 3)})],
)
def test_filters_of_a_spectrogram_have_frames_and_bands(name, shapes):
    found = zoo.filters(zoo.build(name, ["a"]))
    assert {f.shape[1:] for f in found.values()} == shapes


def test_all_shapes_of_a_first_layer_are_found():
    found = zoo.filters(zoo.load("pons2017"))
    assert {f.shape[1:] for f in found.values()} >= {(7, 38), (7, 67)}


def test_filters_are_drawn_strongest_first(tmp_path):
    found = zoo.filters(zoo.build("lee2017", ["a"]))
    figure = found.plot(tmp_path / "f.png", most=3)
    assert (tmp_path / "f.png").stat().st_size > 1000
    drawn = [axes for axes in figure.axes if axes.lines]
    assert len(drawn) == 3
    norms = [np.linalg.norm(axes.lines[1].get_ydata()) for axes in drawn]
    assert norms == sorted(norms, reverse=True)
    assert repr(found).startswith("Filters of lee2017: conv0 128 x 3")


def test_a_model_of_another_runtime_shows_no_weights():
    with pytest.raises(zoo.ConfigError, match="does not run in Keras, which has the weights"):
        zoo.filters(zoo.load("pons2017", runtime="onnx"))
