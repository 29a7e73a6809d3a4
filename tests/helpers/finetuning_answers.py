"""Run by test_finetune.py, once a backend: `python finetuning_answers.py FOLDER`.

Fine-tunes a small saved model, interrupted once, on the songs in FOLDER; writes the history. On
TensorFlow and JAX two logical devices share the work.
"""

import json
import sys
from pathlib import Path

import keras
import songs
from test_train import StopAfter

import zoo
from zoo.data import devices


def tune(folder: Path, out: Path):
    """Fine-tune a copy of the saved model."""
    distribute = keras.backend.backend() != "torch"
    with devices.scope(distribute):
        model = zoo.load(folder / "start.keras")
    return zoo.finetune(
        model,
        *(songs.make(folder / part, 4) for part in ("train", "validation")),
        folder=out,
        epochs=3,
        head_epochs=3,
        batch_size=4,
        learning_rate=1e-3,
        distribute=distribute,
    )


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(processor, two)
    folder = Path(sys.argv[1])
    out = folder / keras.backend.backend()
    try:
        with StopAfter("whole", 1):
            tune(folder, out)
    except KeyboardInterrupt:
        pass
    tuned = tune(folder, out)
    gram = tuned.model.taggram(folder / "validation" / "tone" / "0.wav")
    found = {"history": tuned.history, "segments": len(gram.values)}
    (folder / f"{keras.backend.backend()}.json").write_text(json.dumps(found))
