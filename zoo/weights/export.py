"""`zoo.export`: a model as a file for other runtimes, compared with Keras before it gets its name.

Input is `waveform`, (batch, samples) float32 at the model's rate; each output has the name of its
stage. What a user of the file must know is inside it, see `zoo.registry.exported`: labels, sample
rate, how to cut a clip, licence, authors.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np

from zoo import audio
from zoo.errors import ConfigError
from zoo.inference import sessions
from zoo.inference.audio_model import AudioModel
from zoo.registry import exported
from zoo.registry.exported import FORMAT, KEY, Description
from zoo.registry.manifest import Bundled
from zoo.utils.files import PathLike, scratch
from zoo.utils.version import __version__
from zoo.weights import origin, tracing

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".xml": "openvino", "": "savedmodel"}
QUANTIZED = ("int8", "float16")
FORMATS = tuple(SUFFIXES.values())

# Largest difference to Keras in the probabilities of a quantized model; for the others see
# `tracing.tolerance`.
TOLERANCE = {"float16": 0.01, "int8": 0.05}

# (batch, samples) -> stage -> array
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def export(
    model: AudioModel,
    path: PathLike,
    *,
    format: str | None = None,
    stages: Iterable[str] = (),
    quantize: str | None = None,
    sound: audio.Source | None = None,
) -> Path:
    """Export a model to ONNX, LiteRT, OpenVINO or SavedModel.

    The file is opened in its own runtime and compared with Keras, on a chord, noise, a quiet sound
    and silence, before it gets its name. Keras must run on TensorFlow. Needs the extra "export".

    Args:
        model: from `zoo.load`, `zoo.build` or a training.
        path: the file to write: "mine.onnx" for ONNX, "mine.tflite" for LiteRT, "mine.xml" for
            OpenVINO (with "mine.bin" beside it), a name without suffix for the folder of a
            SavedModel.
        format: "onnx", "litert", "openvino" or "savedmodel"; None to decide by the suffix.
        stages: further outputs, names of `model.stages`; "probabilities" always is one.
        quantize: "float16" or "int8" to store the weights in fewer bits: half or a quarter of the
            size. With LiteRT int8 also computes in fewer bits. None for float32.
        sound: a recording, a file or an (array, sample_rate) pair, to compare on too.

    Returns:
        The path.

    Raises:
        ConfigError: the format cannot hold the model, a package is missing, or the result differs
            from Keras by more than the tolerance; then nothing is written.
        UnknownName: there is no such stage.
        OSError: the file cannot be written; then nothing is written either.
    """
    path = Path(path)
    kind = checked(model, path, format, quantize)
    wanted = tuple(s for s in model.stages if s in {*stages, "probabilities"})
    for stage in stages:
        model.check_stage(stage)
    sounds = check_sounds(model, sound)
    about = description(model, wanted, quantize)
    # Beside the target, so that the last step is only a new name.
    with scratch(path, ".export-") as folder:
        new = folder / (path.name or "model")
        run = WRITERS[kind](model, new, about)
        worst, stage, name, allowed = compare(model, run, sounds, wanted, quantize)
        if not worst <= allowed:
            raise ConfigError(
                f"{model.name} in {kind}{f', {quantize},' if quantize else ''} differs from Keras "
                f"by {worst:.2g} in the stage {stage} on {name}; at most {allowed:g} "
                "is allowed, so nothing was written."
            )
        for part in sorted(folder.iterdir(), key=lambda part: part == new):
            target = path.with_name(part.name)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(part, target)  # the main file last
    return path


def checked(model: AudioModel, path: Path, format: str | None, quantize: str | None) -> str:
    """Check the arguments of `export` before any work; return the format.

    Raises:
        ConfigError: they do not fit, or the format cannot hold the model.
        OSError: the folder does not exist or cannot be written to.
    """
    if not isinstance(model, AudioModel):
        raise ConfigError(
            f"export takes a model of the zoo in Keras, not a {type(model).__name__}. Load it "
            "without runtime."
        )
    known = ", ".join(FORMATS)
    kind = SUFFIXES.get(path.suffix.lower()) if format is None else format
    if kind not in FORMATS:
        given = (
            f"{path} has the suffix {path.suffix}" if format is None else f"format is {format!r}"
        )
        raise ConfigError(
            f"{given}; expected .onnx, .tflite, .xml, or no suffix for a SavedModel; or a format, "
            f"one of {known}."
        )
    own = next(suffix for suffix, name in SUFFIXES.items() if name == kind)
    if own and path.suffix.lower() != own:
        raise ConfigError(f"{path} is to be {kind}; its name must end in {own}.")
    if quantize is not None and quantize not in QUANTIZED:
        raise ConfigError(f"quantize is {quantize!r}; it is 'int8', 'float16' or None.")
    if quantize is not None and kind in ("openvino", "savedmodel"):
        raise ConfigError(
            f"quantize={quantize!r} is for ONNX and LiteRT; {kind} is exported in float32."
        )
    tracing.check_backend("An export")
    low = [layer.name for layer in model.layers if layer.compute_dtype != "float32"]
    if low:
        raise ConfigError(
            f"{model.name} computes {', '.join(low[:3])}{' and others' * (len(low) > 3)} in "
            f"{model.get_layer(low[0]).compute_dtype}; an export needs float32. Load it with "
            "dtype='float32', and use quantize to make the file smaller."
        )
    recurrent = [layer.name for layer in model.layers if is_recurrent(layer)]
    if kind == "litert" and recurrent:
        raise ConfigError(
            f"LiteRT cannot hold the recurrent layers {', '.join(recurrent)} of {model.name} "
            "without TensorFlow's own operations. Export it to ONNX or SavedModel."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path}: the folder {path.parent} is not writable.")
    return kind


def is_recurrent(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is recurrent, alone or in both directions."""
    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)


def description(model: AudioModel, stages: tuple[str, ...], quantize: str | None) -> Description:
    """Return the metadata of an exported model.

    Args:
        model: the model.
        stages: the outputs.
        quantize: as in `export`.
    """
    came_from = origin.origin(model, trained=True)  # spares a comparison of the weights
    record = came_from.record
    config = {k: v for k, v in model.get_config().items() if k != "labels"}
    config.pop("layer_settings", None)  # the graph holds them
    files = [s.sha256 for s in record.sources if isinstance(s, Bundled)] if record else []
    return Description(
        format=FORMAT,
        version=__version__,
        name=model.name,
        labels=model.labels,
        geometry=msgspec.structs.replace(tracing.geometry(model), stages=stages),
        config=config,
        licence=origin.licence_of(came_from, None) or "",
        authors=record.authors if record else (),
        citation=record.citation if record else "",
        checkpoint=came_from.checkpoint,
        checkpoint_sha256=files[0] if files else "",
        quantized=quantize or "",
    )


# --- formats ---


def write_onnx(model: AudioModel, path: Path, about: Description) -> Run:
    """Write an ONNX file; return how ONNX Runtime runs it."""
    proto = onnx_model(model, about)
    content = proto.SerializeToString(deterministic=True)
    path.write_bytes(content)
    exported.describe(path)  # it must be readable
    stages = about.geometry.stages
    forward = sessions.onnx(str(path), stages)
    return lambda batch: dict(zip(stages, forward(batch), strict=True))


def onnx_model(model: AudioModel, about: Description) -> Any:
    """Return an ONNX model with weights and metadata, which are the last bytes of the file."""
    onnx = tracing.required("onnx")
    graph = tracing.trace(model)
    proto = onnx.load_from_string(graph.proto)
    nodes: list[Any] = []
    for name, array in tracing.arrays_of(model).items():
        small = about.quantized if name in graph.weights and name.endswith("kernel") else ""
        tensors, casts = stored(onnx, name, array, small)
        proto.graph.initializer.extend(tensors)
        nodes += casts
    nodes += proto.graph.node
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    for stage in about.geometry.stages:
        proto.graph.output.append(onnx.helper.make_tensor_value_info(stage, 1, None))
    digest = hashlib.sha256(proto.graph.SerializeToString(deterministic=True)).hexdigest()
    content = msgspec.json.encode(msgspec.structs.replace(about, graph_sha256=digest))
    proto.metadata_props.add(key=KEY, value=content.decode())
    return proto


def stored(onnx: Any, name: str, array: np.ndarray, small: str) -> tuple[list[Any], list[Any]]:
    """Return the initializers of an array, and the nodes that turn them into float32.

    Args:
        onnx: the package.
        name: of the array.
        array: float32.
        small: "float16"; "int8", with a scale for each index of the last axis; "" for float32.
    """
    tensor = onnx.numpy_helper.from_array
    if not small:
        return [tensor(array, name)], []
    node = onnx.helper.make_node
    if small == "float16":
        largest = float(np.finfo("float16").max)
        half = np.clip(array, -largest, largest).astype("float16")
        return [tensor(half, f"{name}:half")], [node("Cast", [f"{name}:half"], [name], to=1)]
    axes = tuple(range(array.ndim - 1))
    scale = np.maximum(np.abs(array).max(axis=axes, keepdims=True), 1e-12) / 127
    whole = np.round(array / scale).astype("int8")
    return [tensor(whole, f"{name}:int8"), tensor(scale.astype("float32"), f"{name}:scale")], [
        node("Cast", [f"{name}:int8"], [f"{name}:cast"], to=1),
        node("Mul", [f"{name}:cast", f"{name}:scale"], [name]),
    ]


def write_openvino(model: AudioModel, path: Path, about: Description) -> Run:
    """Write OpenVINO's .xml and .bin; return how OpenVINO runs them."""
    openvino = tracing.required("openvino")
    content = onnx_model(model, about).SerializeToString()
    network = openvino.Core().read_model(content)
    network.set_rt_info(msgspec.json.encode(about).decode(), [KEY])
    openvino.save_model(network, str(path), compress_to_fp16=False)
    stages = about.geometry.stages
    forward = sessions.openvino(str(path), stages)
    return lambda batch: dict(zip(stages, forward(batch), strict=True))


def write_savedmodel(model: AudioModel, path: Path, about: Description) -> Run:
    """Write the folder of a SavedModel; return how TensorFlow runs it."""
    import tensorflow as tf  # not above: only these formats need it

    module, signature = traced(model, about, None, model.input_shape[1])
    with tracing.quiet():
        tf.saved_model.save(module, str(path), signatures={"serving_default": signature})
        loaded = tf.saved_model.load(str(path)).signatures["serving_default"]
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / f"{KEY}.json").write_bytes(msgspec.json.encode(about))
    return lambda batch: {s: x.numpy() for s, x in loaded(waveform=tf.constant(batch)).items()}


def write_litert(model: AudioModel, path: Path, about: Description) -> Run:
    """Write a LiteRT file for one segment at a time; return how its interpreter runs it."""
    import tensorflow as tf  # not above: only these formats need it

    module, signature = traced(model, about, 1, model.segmentation.segment)
    with tracing.quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [signature.get_concrete_function()], module
        )
        if about.quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if about.quantized == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            content = converter.convert()
        except Exception as error:  # the converter raises many kinds
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(f"LiteRT cannot hold {model.name}: {reason}") from error
        content = with_metadata(content, msgspec.json.encode(about))
        path.write_bytes(content)
        runner = tf.lite.Interpreter(model_path=str(path)).get_signature_runner()

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        found = [{k: v.copy() for k, v in runner(waveform=x[None]).items()} for x in batch]
        return {stage: np.concatenate([f[stage] for f in found]) for stage in found[0]}

    return run


def with_metadata(content: bytes, text: bytes) -> bytes:
    """Return a LiteRT file with a metadata buffer, which its interpreters return by name."""
    import flatbuffers  # with the import below: TensorFlow brings both
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text, "uint8")
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + len(text) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def traced(
    model: AudioModel, about: Description, batch: int | None, samples: int | None
) -> tuple[Any, Any]:
    """Return a TensorFlow module that keeps the weights, and its function waveform -> stages."""
    import tensorflow as tf  # not above: only these formats need it

    network = keras.Model(model.input, {s: model.stage(s).output for s in about.geometry.stages})
    module = tf.Module()
    module.kept = [v.value for v in model.variables]

    @tf.function(
        input_signature=[tf.TensorSpec([batch, samples], tf.float32, name="waveform")],
        autograph=False,
    )
    def stages(waveform: Any) -> dict[str, Any]:
        return {s: keras.ops.cast(x, "float32") for s, x in network(waveform).items()}

    module.stages = stages
    return module, stages


WRITERS: dict[str, Callable[[AudioModel, Path, Description], Run]] = {
    "onnx": write_onnx,
    "litert": write_litert,
    "openvino": write_openvino,
    "savedmodel": write_savedmodel,
}


# --- comparison ---


def check_sounds(model: AudioModel, sound: audio.Source | None) -> dict[str, np.ndarray]:
    """Return sounds of one segment each, (1, samples): what an export is compared on."""
    samples, rate = model.segmentation.segment, model.sample_rate
    time = np.arange(samples) / rate
    rng = np.random.default_rng(0)
    chord = sum(
        np.sin(2 * np.pi * pitch * harmonic * time) / harmonic * np.exp(-3 * (time % 0.5))
        for pitch in (220.0, 277.2, 329.6)
        for harmonic in (1, 2, 3, 4, 5)
    )
    noise = rng.uniform(-1, 1, samples)
    found = {
        "a chord": 0.15 * np.asarray(chord),
        "noise": noise,
        "a quiet sound": 0.001 * noise,
        "silence": np.zeros(samples),
    }
    if sound is not None:
        first = next(iter(audio.segments(sound, rate, model.segmentation)))
        found[audio.name_of(sound)] = first.samples
    return {name: x[None].astype("float32") for name, x in found.items()}


def compare(
    model: AudioModel,
    run: Run,
    sounds: dict[str, np.ndarray],
    stages: Iterable[str],
    quantize: str | None = None,
) -> tuple[float, str, str, float]:
    """Compare an exported model with Keras.

    Args:
        model: in Keras.
        run: the exported one.
        sounds: from `check_sounds`.
        stages: the outputs.
        quantize: as in `export`; then only the probabilities count.

    Returns:
        Of the stage that is nearest to its limit, or furthest beyond it: the largest difference,
        in float32 relative to the largest value of the stage or to 1; the stage; the sound; the
        limit.
    """
    found: dict[tuple[str, str], float] = {}
    for name, batch in sounds.items():
        theirs = run(batch)
        compared = ("probabilities",) if quantize else stages
        for stage, ours in tracing.stages_of(model, batch, compared).items():
            if quantize:
                found[stage, name] = float(np.abs(theirs[stage] - ours).max())
            else:
                found[stage, name] = tracing.difference(model, stage, theirs[stage], ours)
    limits = {
        stage: TOLERANCE[quantize] if quantize else tracing.tolerance(model, stage)
        for stage, _ in found
    }
    # A difference that is not a number counts as the largest.
    (stage, name), worst = max(
        found.items(), key=lambda item: np.nan_to_num(item[1] / limits[item[0][0]], nan=np.inf)
    )
    return worst, stage, name, limits[stage]
