"""Write `results/sounds.csv`: the best tags that each default checkpoint gives a few clips.

    python docs/sounds.py

`python docs/generate.py` makes the page of the sound examples from it. It takes some seconds.
"""

from pathlib import Path

import zoo
from zoo.registry import lookup
from zoo.utils.files import write_csv

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = CHECKOUT / "results" / "sounds.csv"
TOP = 3
CLIPS = (
    "audio/bach_prelude_c_major.flac",
    "clips/piano-own-nocturne.ogg",
    "clips/guitar-own-andalusia.ogg",
    "clips/strings-vivaldi-spring.ogg",
    "clips/choir-own-chorale.ogg",
    "clips/sitar-own-kafi.ogg",
    "clips/metal-e.ogg",
    "clips/techno-c.ogg",
    "clips/ambient-c.ogg",
)


def models() -> list[str]:
    """Return the default checkpoints for tags."""
    names = lookup.list_models(task="tagging", trained=False)
    return [name for name in map(lookup.default_checkpoint, names) if name]


def rows(name: str, clips: tuple[str, ...] = CLIPS) -> list[tuple[str, str, str]]:
    """Return file, model and best tags of each clip."""
    model = zoo.load(name, runtime="onnx")
    found = ((c, model.tag(CHECKOUT / "examples" / c, top=TOP)) for c in clips)
    return [
        (f"examples/{c}", name, ", ".join(f"{tag} {score:.2f}" for tag, score in tags))
        for c, tags in found
    ]


if __name__ == "__main__":
    table = [row for name in models() for row in rows(name)]
    write_csv([("file", "model", "tags"), *table], FILE)
