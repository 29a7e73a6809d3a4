"""Speed of the page in a browser beside the command line's, on one machine in one run.

    python benchmarks/web.py TRACK [--rounds 3] [--csv OUT.csv]

Needs Chromium and the extra "web-test". For each default checkpoint: how many times faster than
real time are `zoo tag` and `zoo onsets` (ONNX Runtime), and the page with one and with two threads?
All are warm: the model is loaded, and the track has been predicted once. A time is from the file to
the last segment: decoding, resampling, network. The contenders take turns, and the median counts.
Also the largest difference in the score of a tag between the page and the command line; for onsets
in seconds. Absolute times depend on the machine and its load; compare the columns of a row.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import zoo
from zoo import audio
from zoo.utils import server
from zoo.utils.files import write_csv
from zoo.weights import site

HEAD = (
    "model",
    "track seconds",
    "zoo tag or onsets, times real time",
    "page, one thread, times real time",
    "page, two threads, times real time",
    "largest difference",
)

# In the page, with its own modules: decode, hand over, predict. Returns seconds and the result.
WORK = """
async ([name, onsets]) => {
    const at = (file) => new URL(file, location);
    const [engine, sound] = await Promise.all([import(at("engine.js")), import(at("sound.js"))]);
    const [file] = document.getElementById("track").files;
    const index = await (await fetch("zoo.json")).json();
    await engine.load(index.models.find((about) => about.name === name), index.runtime);
    const begun = performance.now();
    const { samples, rate } = await sound.decode(file);
    await engine.setSound(samples, rate);
    const rows = [];
    const found = onsets
        ? await engine.onsets(name, engine.newJob())
        : await engine.tags(name, engine.newJob(), ({ row }) => row && rows.push(row));
    const seconds = (performance.now() - begun) / 1000;
    return { seconds, threads: engine.threads(), found: onsets ? found.times : rows };
}
"""
TRACK = """
() => {
    const input = document.createElement("input");
    Object.assign(input, { type: "file", id: "track" });
    document.body.append(input);
}
"""


def measured(pages: dict[int, object], name: str, track: Path, rounds: int) -> list[str]:
    model = zoo.load(name, runtime="onnx")
    onsets = model.frame_wise
    length = audio.duration(track)
    spent: dict[object, list[float]] = {"zoo": [], **{threads: [] for threads in pages}}
    worst = 0.0
    for i in range(rounds + 1):  # the first warms up
        begun = time.perf_counter()
        ours = model.onsets(track).times if onsets else model.taggram(track).values
        spent["zoo"].append(time.perf_counter() - begun)
        for threads, page in pages.items():
            result = page.evaluate(WORK, [name, onsets])
            if result["threads"] != threads:
                raise SystemExit(f"the browser gives {result['threads']} threads, not {threads}.")
            spent[threads].append(result["seconds"])
            theirs = np.array(result["found"])
            if theirs.shape != ours.shape:
                raise SystemExit(f"{name}: the page found {theirs.shape}, we {ours.shape}.")
            worst = max(worst, float(np.abs(theirs - ours).max()))
        print(name, i, {k: round(v[-1], 2) for k, v in spent.items()}, file=sys.stderr)
    speeds = [f"{length / statistics.median(values[1:]):.1f}" for values in spent.values()]
    return [name, f"{length:.1f}", *speeds, f"{worst:.2g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", type=Path, help="A recording that a browser can decode.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is missing: apt-get install chromium")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "site"
        names = site.write(folder, level=1)
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        with server.open_server(folder, 0) as opened:
            threading.Thread(target=opened.serve_forever, daemon=True).start()
            pages = {}
            for threads in (1, 2):
                pages[threads] = page = browser.new_page()
                page.goto(f"http://localhost:{opened.server_port}/?threads={threads}")
                page.wait_for_selector("body[data-loaded]", state="attached")
                page.evaluate(TRACK)
                page.set_input_files("#track", options.track)
            rows = [measured(pages, name, options.track, options.rounds) for name in names]
            opened.shutdown()
        browser.close()
    print(write_csv([HEAD, *rows], options.csv), end="")


if __name__ == "__main__":
    main()
