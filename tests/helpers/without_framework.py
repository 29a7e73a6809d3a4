"""Run the four commands on all bundled checkpoints where no framework is installed.

    python tests/helpers/without_framework.py CLIP

Run by .ci/run in an environment with the package, but without Keras, TensorFlow, JAX and PyTorch.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


def main(clip: str) -> None:
    found = [name for name in FRAMEWORKS if importlib.util.find_spec(name)]
    assert not found, f"installed here: {found}"
    from zoo.registry import lookup, manifest

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        environment = {**os.environ, "ZOO_OFFLINE": "1", "ZOO_CACHE": f"{out / 'cache'}"}
        for name, checkpoint in manifest.load().checkpoints.items():
            if not checkpoint.bundled:
                continue
            onsets = lookup.info(name).architecture.task == "onsets"
            commands = [["embed", "-o", f"{out / name}.npz"]]
            commands += (
                [["onsets"]] if onsets else [["tag"], ["taggram", "-o", f"{out / name}.csv"]]
            )
            for command in commands:
                done = subprocess.run(
                    [sys.executable, "-m", "zoo", *command, "-m", name, clip],
                    capture_output=True,
                    text=True,
                    env=environment,
                )
                assert done.returncode == 0, f"{command} -m {name}: {done.stderr}"
            print(f"{name}: {', '.join(command[0] for command in commands)}", flush=True)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "zoo",
                "train",
                "pons2017",
                "--data",
                clip,
                "-o",
                f"{out / 'run'}",
            ],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 1, done.stdout
        assert done.stderr.count("\n") == 1, done.stderr


if __name__ == "__main__":
    main(*sys.argv[1:])
