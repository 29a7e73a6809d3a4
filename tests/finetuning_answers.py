"""Run by test_finetuning.py, once a backend: `python finetuning_answers.py FOLDER`.

Fine-tunes a small saved model, interrupted once, on the songs in FOLDER; writes the history.
"""

import json
import sys
from pathlib import Path

import keras
import songs
from test_training import StopAfter

import zoo


def tune(folder: Path, out: Path):
    """Fine-tune a copy of the saved model."""
    model = zoo.load(folder / "start.keras")
    corpora = [songs.make(folder / part, 4) for part in ("train", "validation")]
    return zoo.finetune(
        model, *corpora, folder=out, epochs=3, head_epochs=3, batch_size=4, learning_rate=1e-3
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    out = folder / keras.backend.backend()
    try:
        with StopAfter("whole", 1):
            tune(folder, out)
    except KeyboardInterrupt:
        pass
    (folder / f"{keras.backend.backend()}.json").write_text(json.dumps(tune(folder, out).history))
