"""Reader of TensorFlow 1 checkpoints, `<prefix>.index` and `<prefix>.data-00000-of-00001`.

TensorFlow reads them, but in a separate process: a damaged index ends the process that reads it.
So TensorFlow is not loaded into a process where Keras runs on JAX or PyTorch either.
"""

import math
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import safetensors.numpy

from zoo.errors import WeightsError

FILES = (".index", ".data-00000-of-00001")
DTYPES = ("float32", "float64", "int32", "int64")
MAX_GROWTH = 10  # of an archive's file when it is unpacked; numbers compress little
MAX_SECONDS = 600
MAX_MEMORY = 4 << 30  # of the reading process, TensorFlow included


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every variable of a checkpoint, optimiser slots included.

    Args:
        path: a folder, or a zip archive (a wheel is one).
        member: prefix of the checkpoint's files inside it, such as ``"musicnn/MTT_musicnn/"`` for
            ``musicnn/MTT_musicnn/.index`` or ``"model.ckpt"`` for ``model.ckpt.index``.

    Returns:
        Variable name -> array, in alphabetical order.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the checkpoint is missing in it, damaged, cut off, or holds anything but
            float32, float64, int32 and int64 variables in one data file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder or archive")
    where = f"{path}, checkpoint {member!r}"
    with tempfile.TemporaryDirectory() as folder:
        for suffix in FILES:
            content = _content(path, f"{member}{suffix}")
            Path(folder, f"checkpoint{suffix}").write_bytes(content)
        arrays = Path(folder, "arrays.safetensors")
        command = [sys.executable, "-P", "-m", __name__, f"{folder}/checkpoint", str(arrays)]
        modules = os.pathsep.join(map(os.path.abspath, sys.path))
        environment = os.environ | {
            "PYTHONPATH": modules,
            "CUDA_VISIBLE_DEVICES": "",
            "KERAS_BACKEND": "tensorflow",  # PyTorch beside it may end the process at its exit
        }
        try:
            reading = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WeightsError(f"{where}: cannot be read ({error})") from error
        if reading.returncode != 0:
            reason = reading.stdout.strip() or (
                f"TensorFlow ended with code {reading.returncode} while it read the index"
            )
            raise WeightsError(
                f"{where}: not a TensorFlow 1 checkpoint, or damaged, or cut off: "
                f"{reason.replace(f'{folder}/checkpoint', member)[:500]}"
            )
        found = safetensors.numpy.load_file(arrays)
        return {name: found[name] for name in sorted(found)}


def _content(path: Path, name: str) -> bytes:
    """Return the bytes of one file of a folder or a zip archive."""
    try:
        if path.is_dir():
            return (path / name).read_bytes()
        with zipfile.ZipFile(path) as archive:
            size, packed = archive.getinfo(name).file_size, path.stat().st_size
            if size > MAX_GROWTH * packed:
                raise WeightsError(
                    f"{path}: {name!r} unpacks to {size} bytes, more than {MAX_GROWTH} times the "
                    f"{packed} bytes of the archive; refused"
                )
            return archive.read(name)
    except (FileNotFoundError, KeyError):
        raise WeightsError(
            f"{path}: has no file {name!r}, which a TF1 checkpoint must have"
        ) from None
    except WeightsError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise WeightsError(f"{path}: {name!r} cannot be read ({error})") from error


def _convert(prefix: str, target: str) -> None:
    """Write a checkpoint's variables as a safetensors file; the main function of the process."""
    # Imported here, since only this function needs it, in a process that does nothing else.
    import tensorflow as tf

    if sys.platform == "linux":  # names in an index may grow without end when they are unpacked
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    reader = tf.train.load_checkpoint(prefix)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    for name, dtype in dtypes.items():
        if dtype.name not in DTYPES:
            raise ValueError(
                f"variable {name!r} is of type {dtype.name}; admitted are {', '.join(DTYPES)}"
            )
    claimed = sum(math.prod(shape) * dtypes[name].size for name, shape in shapes.items())
    held = os.path.getsize(f"{prefix}{FILES[1]}")
    if claimed > held:
        raise ValueError(f"the variables take {claimed} bytes, but the data file has {held}")
    arrays = {name: np.asarray(reader.get_tensor(name)) for name in shapes}
    safetensors.numpy.save_file(arrays, target)


if __name__ == "__main__":
    try:
        _convert(*sys.argv[1:])
    except Exception as error:  # TensorFlow's own errors have no common type
        print(f"{type(error).__name__}: {error}")
        sys.exit(1)
