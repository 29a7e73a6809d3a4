"""Execute the notebooks of this folder, as a reader would: each in a fresh kernel, top to bottom.

    python examples/run.py              # all of them; fails on the first error, changes nothing
    python examples/run.py 2_features   # those whose names begin with this
    python examples/run.py --write      # also write the outputs to the files

It needs the extra `notebooks`: `pip install '.[notebooks]'`. Less than five minutes on two cores.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
LIMIT = 300  # seconds for one cell
# Messages of TensorFlow at import, before its log level can be set, and on retracing.
CHATTER = re.compile(
    r"^(WARNING: All log messages before absl|[IW]\d+ [\d:.]+ |WARNING:tensorflow:\d+ out of).*\n?",
    re.MULTILINE,
)


def execute(path: Path) -> nbformat.NotebookNode:
    """Run a notebook in its own folder; return it with new outputs and without times of day."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(tidy, cell.outputs) if output]
    notebook.metadata.language_info = {"name": "python"}  # no version: any that runs the zoo
    return notebook


def tidy(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Remove TensorFlow's messages from an output; return None if nothing is left."""
    if output.output_type == "stream":
        output.text = CHATTER.sub("", output.text)
        return output if output.text.strip() else None
    return output


def main() -> None:
    """Read the command line, execute the notebooks, print the time of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names",
        nargs="*",
        default=[""],
        help="Execute only notebooks whose names begin with one of these. Default: all.",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="Write the outputs to the notebooks. Default: they stay as they are.",
    )
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of TensorFlow, errors alone
    paths = [p for p in sorted(HERE.glob("*.ipynb")) if p.name.startswith(tuple(arguments.names))]
    if not paths:
        sys.exit(f"no notebook in {HERE} begins with {' or '.join(arguments.names)}")
    for path in paths:
        begin = time.perf_counter()
        try:
            notebook = execute(path)
        except CellExecutionError as error:
            sys.exit(f"{path.name} failed:\n{error}")
        if arguments.write:
            nbformat.write(notebook, path)
        print(f"{path.name}: {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
