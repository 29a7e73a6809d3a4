"""Run the original networks of Won et al. 2020 on the example clip and keep what they give.

The original is https://github.com/minzwon/sota-music-tagging-models; its commit
1f4d282693ac19cde4d30b86811fe0ae2452f406 has the code (``training/``) and the weights:

    python -m venv original
    original/bin/pip install torch torchaudio librosa soundfile soxr
    git clone https://github.com/minzwon/sota-music-tagging-models
    git -C sota-music-tagging-models checkout 1f4d282693ac19cde4d30b86811fe0ae2452f406
    original/bin/python recipes/golden_won2020.py sota-music-tagging-models/training WEIGHTS \
        examples/audio/bach_prelude_c_major.flac tests/golden/example_won2020.npz

WEIGHTS is a folder with the files under the names that ``weights_manifest.json`` gives them, such
as ``sota_mtat_fcn.pth``, which ``zoo fetch --to WEIGHTS`` fetches. ``tests/golden/README.md``
describes what is stored.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16000
# Class of the original, file, and samples that it takes: 29 s from the beginning, 3 s from 10 s on.
NETWORKS = {
    "choi2016.mtt_won2020": ("FCN", "sota_mtat_fcn.pth", slice(0, 464000)),
    "choi2016.msd_won2020": ("FCN", "sota_msd_fcn.pth", slice(0, 464000)),
    "choi2016.jamendo_won2020": ("FCN", "sota_jamendo_fcn.pth", slice(0, 464000)),
    "pons2017.mtt_won2020": ("Musicnn", "sota_mtat_musicnn.pth", slice(160000, 208000)),
    "pons2017.jamendo_won2020": ("Musicnn", "sota_jamendo_musicnn.pth", slice(160000, 208000)),
}


def outputs(kind: str, file: Path, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Run one network: what goes into its last layer, and the probabilities."""
    import model  # the original's training/model.py
    import torch

    network = getattr(model, kind)()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    network.eval()
    head = network.dense if kind == "FCN" else network.dense2
    seen = []
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].numpy()))
    with torch.no_grad():
        probabilities = network(torch.from_numpy(samples[None]))[0].numpy()
    return {"penultimate": seen[0], "probabilities": probabilities}


def main() -> None:
    """Read the command line, run the original, write the golden file and show the best tags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", type=Path, help="the original's folder training/")
    parser.add_argument("weights", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("output", type=Path, help="the .npz file to write")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.code))
    clip, rate = soundfile.read(arguments.audio, dtype="float32", always_2d=True)
    clip = soxr.resample(clip.mean(axis=1), rate, RATE)
    stored = {}
    for name, (kind, file, part) in NETWORKS.items():
        for stage, values in outputs(kind, arguments.weights / file, clip[part]).items():
            stored[f"{name}/{stage}"] = values
        print(name, np.sort(stored[f"{name}/probabilities"])[-3:])
    np.savez_compressed(arguments.output, **stored)


if __name__ == "__main__":
    main()
