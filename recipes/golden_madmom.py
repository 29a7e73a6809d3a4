"""Run the original madmom on the example clip, and keep its onsets for the tests.

The original needs older versions than ours, so it gets an environment of its own, on Python 3.11,
with gcc and ffmpeg at hand, and madmom-0.16.1.tar.gz from the package index:

    python3.11 -m venv original
    original/bin/pip install "numpy==1.26.*" "scipy<1.12" mido "cython<3" "setuptools<70"
    tar xzf madmom-0.16.1.tar.gz && cd madmom-0.16.1
    find . -name "*.pyx" | xargs touch                  # so that C for this Python is made of them
    ../original/bin/python setup.py build_ext --inplace && cd ..
    ffmpeg -i examples/audio/bach_prelude_c_major.flac example.wav
    PYTHONPATH=madmom-0.16.1 original/bin/python -W ignore recipes/golden_madmom.py \
        example.wav tests/golden/example_madmom.npz

madmom reads WAV by itself. Other files it converts to mono with ffmpeg, which rounds differently.
Seconds of work; ``tests/golden/README.md`` describes what is stored. Four names that Python 3.10
and NumPy 1.24 removed are put back below; nothing else of madmom is touched.
"""

import argparse
import collections
import collections.abc
from pathlib import Path

import numpy as np

np.float, np.int, np.bool = float, int, bool
collections.MutableSequence = collections.abc.MutableSequence

from madmom.features.onsets import CNNOnsetProcessor, OnsetPeakPickingProcessor  # noqa: E402

# Defaults of madmom's program CNNOnsetDetector.
PICKING = {"threshold": 0.54, "smooth": 0.05, "pre_max": 0.01, "post_max": 0.01, "fps": 100}


def main() -> None:
    """Read the command line, run the original, write the golden file and show the onsets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, help="The clip, a WAV file.")
    parser.add_argument("output", type=Path, help="The .npz file to write.")
    arguments = parser.parse_args()
    activation = CNNOnsetProcessor()(str(arguments.audio))
    onsets = OnsetPeakPickingProcessor(**PICKING)(activation)
    np.savez_compressed(arguments.output, activation=activation, onsets=onsets)
    print(f"{len(onsets)} onsets in {len(activation) / 100:.2f} s")


if __name__ == "__main__":
    main()
