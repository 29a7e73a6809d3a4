"""Let atheris look for inputs that reach new code in the readers of our own.

    pip install atheris                       # Linux, Python 3.11 to 3.13
    python tests/fuzz/guided.py protobuf CORPUS -max_total_time=600

The first argument is a reader; the others are libFuzzer's: a folder that keeps the inputs that
reached new code (whole files are put there first, as seeds), and options. An exception that the
reader does not promise ends it, and the input is written to a file, crash-....
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["zoo.audio", "zoo.utils"]):
    from zoo.audio import containers, mpeg
    from zoo.utils import protobuf, unpickling

PLACE = Path(tempfile.mkdtemp(), "input")


def read_mpeg(data: bytes) -> None:
    """Look for MPEG frames."""
    mpeg.announced_bytes(data[: mpeg.HEAD], len(data))


def read_containers(data: bytes) -> None:
    """Read the chunks of WAV, AIFF and the like, and the pages of Ogg."""
    PLACE.write_bytes(data)
    containers.layout(PLACE, data[: mpeg.HEAD])


def read_protobuf(data: bytes) -> None:
    """List the fields of a message, and of those inside it."""
    try:
        for _, value in protobuf.fields(memoryview(data)):
            if isinstance(value, memoryview):
                list(protobuf.fields(value))
    except protobuf.Cut:
        pass


def read_pickle(data: bytes) -> None:
    """Check and read a pickle."""
    with contextlib.suppress(unpickling.Refused):
        unpickling.load(io.BytesIO(data), unpickling.NUMPY)


READERS = {
    "mpeg": (read_mpeg, ("mp3",)),
    "containers": (read_containers, ("wav", "aiff", "w64", "caf", "flac", "ogg", "mp3")),
    "protobuf": (read_protobuf, ("onnx",)),
    "pickle": (read_pickle, ("pickle",)),
}


def main() -> None:
    from targets import TARGETS

    if len(sys.argv) < 3 or sys.argv[1] not in READERS:
        raise SystemExit(f"usage: coverage.py {{{','.join(READERS)}}} CORPUS [-max_total_time=S]")
    name, corpus = sys.argv.pop(1), Path(sys.argv[1])
    reader, seeds = READERS[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for kind in seeds:
        (corpus / f"seed-{kind}").write_bytes(TARGETS[kind].whole()[: 2**16])
    atheris.Setup(sys.argv, reader)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
