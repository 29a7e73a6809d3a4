"""What the cards and the manifest say in numbers is what is built."""

import functools
import json
from collections.abc import Iterable

import numpy as np
import pytest

import zoo
from zoo.registry import cards, lookup, manifest

VARIANTS = [(a.name, name) for a in lookup.architectures().values() for name in a.variants]


class Facts:
    """What is to be known of a network; the network itself is let go."""

    def __init__(self, model: zoo.AudioModel):
        self.parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        self.sample_rate = model.sample_rate
        self.segment = model.segmentation.segment
        self.planes = {
            tuple(model.stage(stage).compute_output_shape((1, self.segment))[1:3])
            for stage in model.stages
        }
        self.strides = {layer.name: getattr(layer, "strides", None) for layer in model.layers}
        self.kernels = {
            v.path: tuple(v.shape) for v in model.trainable_variables if len(v.shape) in (3, 4)
        }


@functools.cache
def built(architecture: str, options: str, labels: int) -> Facts:
    names = [str(i) for i in range(labels)]
    return Facts(zoo.build(architecture, names, **json.loads(options)))


@pytest.fixture(params=VARIANTS, ids=".".join)
def case(request) -> tuple[cards.Variant, Facts]:
    """A network as its card has it, and as it is."""
    name, variant = request.param
    a = lookup.architectures()[name]
    expected = a.variants[variant]
    return expected, built(name, json.dumps(expected.options), a.labels)


def kernels(expected: cards.Variant) -> Iterable[tuple[int, ...]]:
    """Yield the shapes of kernels that the filters of a card must have, without inner channels."""
    for frames, bands, count in expected.filters:
        yield (frames, count) if expected.plane is None else (frames, bands, count)
    yield from expected.over_mean


def fits(kernel: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Say whether a kernel has that shape; what it sums over, its last axis but one, is free."""
    if len(shape) == 2:
        return len(kernel) == 3 and kernel[0] == shape[0] and kernel[1:] == (1, shape[1])
    return kernel == shape or (*kernel[:2], kernel[-1]) == shape


def test_number_of_parameters_is_that_of_the_card(case):
    expected, facts = case
    assert facts.parameters == expected.parameters


def test_segment_is_that_of_the_card(case):
    expected, facts = case
    assert (facts.sample_rate, facts.segment) == (expected.sample_rate, expected.segment)
    assert expected.plane is None or expected.plane in facts.planes


def test_filters_of_the_first_layer_are_those_of_the_card(case):
    expected, facts = case
    for shape in kernels(expected):
        assert any(fits(kernel, shape) for kernel in facts.kernels.values()), shape
    if expected.plane is None:
        for length, stride, count in expected.filters:
            (name,) = [
                path.split("/")[0]
                for path, kernel in facts.kernels.items()
                if kernel == (length, 1, count)
            ]
            assert facts.strides[name] == (stride,)


@pytest.mark.parametrize("name", zoo.list_models())
def test_number_of_parameters_is_that_of_the_manifest(name):
    checkpoint = manifest.load().checkpoint(name)
    facts = built(checkpoint.architecture, json.dumps(checkpoint.options), len(checkpoint.labels))
    assert checkpoint.parameters == facts.parameters
    assert checkpoint.input.sample_rate == facts.sample_rate
    assert checkpoint.input.segment in (None, facts.segment)


def test_a_checkpoint_on_another_input_than_the_papers_says_so():
    assert zoo.info("dieleman2014").network.input == "waveform"
    card = zoo.info("dieleman2014.zoo")
    assert card.network.input == "spectrogram"
    assert "These weights: 8x128, on a spectrogram" in " ".join(str(card).split())
    assert "These weights" not in str(zoo.info("pons2017.mtt"))


@pytest.mark.parametrize("name", ["pons2017", "choi2016", "dieleman2014", "lee2017", "lee2009"])
def test_the_card_describes_every_stage(name):
    model = zoo.load(name, runtime="onnx")
    assert set(model.stages) <= set(model.card.architecture.stages)
