"""Run the original musicnn on the example clip, and keep its outputs for the tests.

The original runs only with old versions, so it gets an environment of its own, on Python 3.11:

    python3.11 -m venv original
    original/bin/pip install tensorflow-cpu==2.15.1 librosa==0.10.2 "numpy==1.26.*" soundfile
    original/bin/pip install --no-deps musicnn==0.1.0
    original/bin/python recipes/golden_musicnn.py \
        examples/audio/bach_prelude_c_major.flac tests/golden/example_musicnn.npz

A minute of work; ``tests/golden/README.md`` describes what is stored. NumPy must stay below 2: with
its promotion rules the original's float16 spectrogram overflows.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

PATCH_SECONDS = 3  # without overlap: how the package was trained and how its README uses it
PATCH_FRAMES = 187
# Large feature maps are kept in half precision (relative error below 5e-4).
HALVED = {"timbral", "temporal", "cnn1", "cnn2", "cnn3"}


def answers(path: Path) -> dict[str, np.ndarray]:
    """Run the four published networks on a file.

    Only features of the first patch are kept: the package assigns those of later batches wrongly
    (its issue 20).
    """
    from musicnn.extractor import batch_data, extractor

    patches, _ = batch_data(str(path), PATCH_FRAMES, PATCH_FRAMES)
    stored = {"log_mel/first_patch": np.float32(patches[0])}
    for network in ("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg"):
        taggram, labels, features = extractor(
            str(path), model=network, input_length=PATCH_SECONDS, extract_features=True
        )
        stored[f"{network}/taggram"] = np.float32(taggram)
        stored[f"{network}/tags"] = np.array(labels)
        if network.endswith("vgg"):
            continue
        for name, values in features.items():
            first = values[: len(values) // len(taggram)]
            dtype = np.float16 if name in HALVED else np.float32
            stored[f"{network}/{name}/first_patch"] = first.astype(dtype)
    return stored


def main() -> None:
    """Read the command line, run the original, write the golden file and show the best tags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, help="The clip.")
    parser.add_argument("output", type=Path, help="The .npz file to write.")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # the package's own, of functions since deprecated
    stored = answers(arguments.audio)
    np.savez_compressed(arguments.output, **stored)
    for key in (key for key in stored if key.endswith("/taggram")):
        mean, labels = stored[key].mean(axis=0), stored[key.replace("taggram", "tags")]
        best = ", ".join(f"{labels[i]} {mean[i]:.2f}" for i in np.argsort(-mean)[:5])
        print(f"{key}: {best}")


if __name__ == "__main__":
    main()
