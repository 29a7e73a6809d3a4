"""Make the graphs with which ONNX Runtime computes the networks of the manifest.

    python recipes/graphs.py

For each architecture with options of `weights_manifest.json` it traces the network, removes weights
and matrices, and writes `zoo/inference/graphs/<architecture>-<digest>.zip`. Then it proves each
graph: with the arrays given back, every stage must agree with Keras on noise, silence and a quiet
sound. Graphs do not depend on values of weights: run it again only after a change of a model file,
of a layer, or of options in the manifest. Needs the extra "export"; takes some minutes.
"""

import argparse
import sys

import numpy as np

from zoo.inference import graphs, sessions
from zoo.inference.audio_model import AudioModel
from zoo.registry import manifest
from zoo.weights import runtimes, tracing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help="Checkpoints. Default: all.")
    names = parser.parse_args().names or list(manifest.load().checkpoints)
    graphs.FOLDER.mkdir(exist_ok=True)
    made: dict[str, str] = {}
    for name in names:
        model = untrained(name)
        file = graphs.file_name(graphs.key(model.get_config(), model.input_shape[1] is not None))
        if file in made:
            print(f"{name}: {file}, as {made[file]}")
            continue
        graph = tracing.trace(model)
        worst = proven(model, graph)
        stage = max(worst, key=lambda stage: worst[stage] / tracing.tolerance(model, stage))
        print(f"{name}: {file}, largest difference {worst[stage]:.1e} in {stage}", flush=True)
        if worst[stage] > tracing.tolerance(model, stage):
            sys.exit(f"{name}: more than {tracing.tolerance(model, stage):g}; nothing was written")
        graphs.write(graph)
        made[file] = name
    if not parser.parse_args().names:
        for old in {path.name for path in graphs.FOLDER.glob("*.zip")} - made.keys():
            (graphs.FOLDER / old).unlink()


def untrained(name: str) -> AudioModel:
    """Return the network of a checkpoint with random weights, of any length where it takes that."""
    config = runtimes.configuration(name)
    model = AudioModel(**{**config, "name": name})
    if model.input_shape[1] is None and config["segment"] is not None:
        model = AudioModel(**{**config, "segment": None, "name": name})
    rng = np.random.default_rng(0)
    for variable in model.variables:  # moving averages too, whose initial values hide mistakes
        if variable.dtype == "float32" and "norm" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def proven(model: AudioModel, graph: graphs.Graph) -> dict[str, float]:
    """Return the largest difference of each stage to Keras, relative to its largest value."""
    arrays = tracing.arrays_of(model)
    computed = graphs.initializers(graph, {k: arrays[k] for k in graph.weights}, model.name)
    for path, array in computed.items():
        np.testing.assert_array_equal(array, arrays[path], err_msg=path)
    rng = np.random.default_rng(1)
    noise = rng.uniform(-1, 1, (1, model.segmentation.segment)).astype("float32")
    sounds = [noise, noise * 0.001, noise * 0]
    keras = [tracing.stages_of(model, sound, model.stages) for sound in sounds]
    worst = dict.fromkeys(model.stages, 0.0)
    for stage in model.stages:
        part, used = graphs.with_outputs(graph, computed, [stage])
        run = sessions.onnx(part, [stage], used)
        for sound, theirs in zip(sounds, keras, strict=True):
            difference = tracing.difference(model, stage, run(sound)[0], theirs[stage])
            worst[stage] = max(worst[stage], difference)
    return worst


if __name__ == "__main__":
    main()
