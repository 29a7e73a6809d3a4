"""`zoo batch` under kill -9 of its workers and of the whole run, compared with a run in peace.

    python benchmarks/batch_chaos.py SOURCE [--kills 50] [--model choi2016.zoo_3s] [--part 10]

SOURCE is a folder of sounds. At random moments a worker, or in one of three cases the run, is
killed; a killed run is started again. When the kills are used up, the run goes on to its end, and
its rows must be those of the run in peace.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of the tracks or failures, sorted by path."""
    return pq.read_table(out / name).sort_by("path").to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="A folder of sounds.")
    parser.add_argument("--kills", type=int, default=50, help="Default: 50.")
    parser.add_argument("--model", default="choi2016.zoo_3s", help="Default: choi2016.zoo_3s.")
    parser.add_argument("--part", type=int, default=10, help="Tracks in a part. Default: 10.")
    parser.add_argument("--seed", type=int, default=0, help="Default: 0.")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        peace, chaos = Path(folder, "peace"), Path(folder, "chaos")

        def command(out: Path) -> list[str]:
            options = ["--workers", "2", "--part", str(arguments.part), "-o", str(out)]
            return [
                sys.executable,
                "-m",
                "zoo",
                "batch",
                arguments.model,
                arguments.source,
                *options,
            ]

        began = time.monotonic()
        subprocess.run(command(peace), check=False, stderr=subprocess.DEVNULL)
        length = time.monotonic() - began
        workers = runs = 0
        process = None
        while workers + runs < arguments.kills:
            if process is None or process.poll() is not None:
                if process is not None:  # it came to its end before the kills did: begin anew
                    subprocess.run(["rm", "-r", str(chaos)], check=True)
                process = subprocess.Popen(
                    command(chaos), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            time.sleep(chance.uniform(0.2, min(length / 8, 8)))
            if process.poll() is not None:
                continue
            if chance.random() < 1 / 3:
                process.kill()
                process.wait()
                process, runs = None, runs + 1
            else:
                found = [
                    child
                    for child in psutil.Process(process.pid).children()
                    if "spawn_main" in " ".join(child.cmdline())
                ]
                if found:
                    chance.choice(found).send_signal(signal.SIGKILL)
                    workers += 1
        if process is not None:
            process.wait()
        subprocess.run(command(chaos), check=False, stderr=subprocess.DEVNULL)
        print(f"{runs} runs and {workers} workers were killed")
        for name in ("tracks", "failed"):
            same = rows(peace, name) == rows(chaos, name)
            print(
                f"{name}: {len(rows(chaos, name))} rows, {'the same' if same else 'NOT the same'}"
            )
            if not same:
                raise SystemExit(1)


if __name__ == "__main__":
    main()
