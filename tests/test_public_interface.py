"""The public interface is typed and documented: each argument and each result."""

import inspect
import re

import keras
import pytest

import zoo
from zoo.inference.predictor import Predictor

FACES = {"zoo": zoo, "zoo.audio": zoo.audio, "zoo.data": zoo.data}
OFFERED = {
    zoo.augmentation: ("Gain", "Noise", "TimeMask", "FrequencyMask", "Mixup"),
    zoo.cdbn: ("pretrain",),
    zoo.synonyms: ("normalised", "canonical", "shared", "merged"),
    zoo.data.devices: ("scope", "available"),
}
# Methods that Keras names and documents.
KERAS = {name for base in (keras.Model, keras.layers.Layer) for name in dir(base)}


def functions():
    """Yield the name of each public function and method, and the function."""
    offered = {f"{face}.{name}": getattr(module, name) for face, module in FACES.items()
               for name in module.__all__}  # fmt: skip
    for module, names in OFFERED.items():
        offered |= {f"{module.__name__}.{name}": getattr(module, name) for name in names}
    for name, value in offered.items():
        if inspect.isclass(value):
            for method, function in vars(value).items():
                function = getattr(function, "__func__", function)  # of a class method
                inherited = issubclass(value, keras.layers.Layer) and method in KERAS
                if inspect.isfunction(function) and not method.startswith("_") and not inherited:
                    yield f"{name}.{method}", function
        elif inspect.isfunction(value):
            yield name, value


PUBLIC = dict(functions())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_has_a_type_and_a_line(name):
    function = PUBLIC[name]
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    assert [p.name for p in parameters if p.annotation is p.empty] == []
    described = inspect.getdoc(function) or ""
    lines = described.partition("Args:")[2]
    missing = [p.name for p in parameters if not re.search(rf"^ +\**{p.name}: ", lines, re.M)]
    assert missing == []


@pytest.mark.parametrize("name", PUBLIC)
def test_every_result_has_a_type_and_is_described(name):
    function = PUBLIC[name]
    result = inspect.signature(function).return_annotation
    assert result is not inspect.Signature.empty
    described = inspect.getdoc(function) or ""
    assert described
    if result not in (None, "None"):
        assert re.search(r"^(Returns|Yields):|^(Return|Yield|Make|Say) ", described, re.M)


def test_a_model_has_no_method_that_a_framework_calls():
    """PyTorch calls `forward` of a module; JAX and TensorFlow have no such name."""
    assert "forward" not in vars(zoo.AudioModel)
    assert not hasattr(Predictor, "forward")
