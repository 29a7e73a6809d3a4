"""Run by test_backends.py, once a backend: `python backend_answers.py FOLDER`.

TensorFlow makes the small models, with seeded random weights, and saves them. Every backend
loads them and writes what they say to FOLDER/<backend>.npz.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from test_all_models import HEAVY, small, sounds

import zoo
from zoo.inference import variables
from zoo.layers import backends

STAGES = ("penultimate", "probabilities")


def make(folder: Path) -> None:
    """Save a model for each architecture and variant, and one for each back-end."""
    models = {str(case): small(case) for case in HEAVY}
    for backend in backends.BACKENDS:
        models[backend] = zoo.build(
            "pons2017", ["a", "b"], segment=0.3, backend=backend, variant="spectrogram", n=1
        )
    rng = np.random.default_rng(3)
    for name, model in models.items():
        for variable in variables.variables(model).values():
            if len(variable.shape) < 2:  # biases, scales, means, variances; kernels are random
                noise = rng.uniform(0, 0.1, variable.shape)
                variable.assign(variable + noise.astype("float32"))
        model.save(folder / f"{name}.keras")


def answer(folder: Path) -> dict[str, np.ndarray]:
    """Return what each stage of each saved model says."""
    answers = {}
    for path in sorted(folder.glob("*.keras")):
        model = zoo.load(path)
        x = sounds(model.segmentation.segment)
        x = x[::2] + x[1::2]  # noise and a tone: no band is silent, whose logarithm says nothing
        stages = keras.Model(model.input, [model.stage(name).output for name in STAGES])
        for name, values in zip(STAGES, stages.predict_on_batch(x), strict=True):
            answers[f"{path.stem} {name}"] = np.asarray(values)
    return answers


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if keras.backend.backend() == "tensorflow":
        make(folder)
    np.savez(folder / f"{keras.backend.backend()}.npz", **answer(folder))
