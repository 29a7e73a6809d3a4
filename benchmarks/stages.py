"""How far each stage of each checkpoint in ONNX Runtime and OpenVINO is from Keras.

    python benchmarks/stages.py [--csv OUT.csv]

One segment each of a recording, of noise, of silence, of the recording at -60 dB and at full scale.
The difference is the largest one divided by the stage's largest value, or by 1 if that is less;
decibels are compared as powers. Both come from kernels of the processor: on another one the first
stages of networks on decibels, which multiply rounding, may differ by more. Checkpoints that are
not bundled are left out where they are neither cached nor can be fetched.
"""

import argparse
from pathlib import Path

import numpy as np

import zoo
from zoo import audio
from zoo.errors import ZooError
from zoo.registry import manifest
from zoo.utils.files import write_csv
from zoo.weights import tracing

RECORDING = Path(__file__).parents[1] / "examples" / "audio" / "bach_prelude_c_major.flac"
HEADER = ("checkpoint", "runtime", "stages", "worst stage", "sound", "difference")


def sounds(model: zoo.AudioModel) -> dict[str, np.ndarray]:
    """Return a segment of each kind, (1, samples) float32."""
    samples = model.segmentation.segment
    recording = np.resize(audio.load(RECORDING, model.sample_rate), samples)
    loud = recording / np.abs(recording).max()
    found = {
        "recording": recording,
        "noise": np.random.default_rng(0).normal(0, 0.1, samples),
        "silence": np.zeros(samples),
        "-60 dB": loud / 1000,
        "full scale": loud,
    }
    return {name: sound[None].astype("float32") for name, sound in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="The file to write the table to. Default: none.")
    given = parser.parse_args()
    rows = []
    for name in manifest.load().checkpoints:
        try:
            model = zoo.load(name)
        except ZooError as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}")
            continue
        found = {
            (sound, stage): (batch, values)
            for sound, batch in sounds(model).items()
            for stage, values in tracing.stages_of(model, batch, model.stages).items()
        }
        for runtime in ("onnx", "openvino"):
            other = zoo.load(name, runtime=runtime)
            differences = {
                key: tracing.difference(model, key[1], other.forward_pass(key[1])(batch), values)
                for key, (batch, values) in found.items()
            }
            sound, stage = max(differences, key=lambda key: differences[key])
            worst = f"{differences[sound, stage]:.1e}"
            rows.append((name, runtime, str(len(model.stages)), stage, sound, worst))
            print(*rows[-1], flush=True)
    if given.csv:
        write_csv([HEADER, *rows], given.csv)


if __name__ == "__main__":
    main()
