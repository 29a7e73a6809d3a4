"""Run the lines of `docs/gallery.md` and make its pictures.

    python docs/gallery.py

Each block of Python leaves a `figure`; it becomes docs/images/gallery-N.png, of 64 colours, so that
the files are small. About two minutes on two cores.
"""

import io
import os
import re
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from PIL import Image

DOCS = Path(__file__).resolve().parent
DPI, COLOURS = 80, 64


def main() -> None:
    """Make all pictures."""
    os.chdir(DOCS.parent)
    warnings.simplefilter("ignore")
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    names: dict = {}
    for i, block in enumerate(re.findall(r"^```python\n(.*?)^```", page, re.M | re.S), 1):
        exec(compile(block, "gallery.md", "exec"), names)
        buffer = io.BytesIO()
        names["figure"].savefig(buffer, dpi=DPI)
        path = DOCS / "images" / f"gallery-{i}.png"
        Image.open(buffer).convert("RGB").quantize(COLOURS).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
