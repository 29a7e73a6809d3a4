"""Memory that the page takes for a song of nearly an hour, and whether the song is right.

    python benchmarks/web_memory.py TRACK [--minutes 59]

Needs Chromium and the extras "web-test" and "test". TRACK is repeated to a stereo FLAC file at
44.1 kHz, which the page then tags with dieleman2014. Prints the peak memory of all of Chromium's
processes above what they had before, in megabytes; the samples of the song in mono are 10.1 MB a
minute. Then the largest difference in the score of a tag from `zoo tag`.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile
from playwright.sync_api import sync_playwright

import zoo
from zoo import audio
from zoo.utils import server
from zoo.weights import site

MODEL = "dieleman2014.zoo"
RATE = 44100


def lengthened(track: Path, minutes: float, path: Path) -> None:
    """Write a stereo file that repeats a track; the second channel is softer."""
    sound = audio.load(track, RATE)
    with soundfile.SoundFile(path, "w", RATE, 2) as file:
        left = round(minutes * 60 * RATE)
        while left > 0:
            piece = sound[:left]
            file.write(np.stack([piece, piece / 2], axis=1))
            left -= len(piece)


def megabytes() -> float:
    """Return the resident memory of the processes that this one started."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", type=Path, help="A recording.")
    parser.add_argument("--minutes", type=float, default=59, help="Length of the song.")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is missing: apt-get install chromium")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        song = folder / "song.flac"
        lengthened(options.track, options.minutes, song)
        site.write(folder / "site", level=1)
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        with server.open_server(folder / "site", 0) as opened:
            threading.Thread(target=opened.serve_forever, daemon=True).start()
            page = browser.new_page()
            page.goto(f"http://localhost:{opened.server_port}/?model={MODEL}")
            page.wait_for_selector("body[data-loaded]", state="attached")
            before, most, begun = megabytes(), 0.0, time.perf_counter()
            page.set_input_files("#file", song)
            while not page.evaluate("document.body.dataset.done"):
                error = page.inner_text("#error")
                if error:
                    raise SystemExit(error)
                most = max(most, megabytes())
                page.wait_for_timeout(100)
            seconds = time.perf_counter() - begun
            rows = page.eval_on_selector_all(
                "#table tr",
                "rows => rows.slice(1).map(r => [...r.children].map(c => c.textContent))",
            )
            opened.shutdown()
        browser.close()
        expected = zoo.load(MODEL, runtime="onnx").tag(song, top=None).to_dict()
    apart = max(abs(float(value) - expected[label]) for label, value in rows)
    print(
        f"{options.minutes:g} min in {seconds:.0f} s, {most - before:.0f} MB above {before:.0f} MB"
    )
    print(f"largest difference from zoo tag: {apart:.4f} (the page shows three decimals)")


if __name__ == "__main__":
    main()
