"""Writes files as torch.save does, sound ones and ones with a chosen defect, without PyTorch.

Pickles are put together from their instructions, so that any can be slipped in.
"""

import zipfile
from pathlib import Path

import numpy as np

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
LITTLE_ENDIAN = b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u."
STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


def text(value: str) -> bytes:
    """BINUNICODE."""
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def number(value: int) -> bytes:
    """BININT."""
    return b"J" + value.to_bytes(4, "little", signed=True)


def tuple_of(*parts: bytes) -> bytes:
    """MARK, the parts, TUPLE."""
    return b"(" + b"".join(parts) + b"t"


def called(function: str, *arguments: bytes) -> bytes:
    """GLOBAL of "module name", the arguments, REDUCE."""
    module, name = function.split(" ")
    return f"c{module}\n{name}\n".encode() + tuple_of(*arguments) + b"R"


def storage(key: str, kind: str, count: int, tag: str = "storage") -> bytes:
    """A reference to a storage: persistent id of five parts."""
    named = f"ctorch\n{kind}\n".encode()
    return tuple_of(text(tag), named, text(key), text("cpu"), number(count)) + b"Q"


def tensor(key: str, value: np.ndarray, **changes) -> bytes:
    """A call of _rebuild_tensor_v2.

    Args:
        key: of the storage.
        value: gives shape and type.
        changes: of "offset", "shape", "stride", "count", "kind" or "tag".
    """
    stride = [step // value.itemsize for step in value.strides]
    whole = {"offset": 0, "shape": value.shape, "stride": stride, "count": value.size}
    whole |= {"kind": STORAGES[str(value.dtype)], "tag": "storage"} | changes
    return called(
        "torch._utils _rebuild_tensor_v2",
        storage(key, whole["kind"], whole["count"], whole["tag"]),
        number(whole["offset"]),
        tuple_of(*map(number, whole["shape"])),
        tuple_of(*map(number, whole["stride"])),
        b"\x89",
        called("collections OrderedDict"),
    )


def dictionary(entries: dict[str, bytes]) -> bytes:
    """An OrderedDict of what the bytes make."""
    items = b"".join(text(name) + value for name, value in entries.items())
    return called("collections OrderedDict") + b"(" + items + b"u"


def state(tensors: dict[str, np.ndarray], changes: dict[str, dict] | None = None) -> bytes:
    """The pickle of a state dict; storage keys count from 0."""
    entries = {
        name: tensor(str(i), value, **(changes or {}).get(name, {}))
        for i, (name, value) in enumerate(tensors.items())
    }
    return b"\x80\x02" + dictionary(entries) + b"."


def write_legacy(
    path: Path,
    tensors: dict[str, np.ndarray],
    *,
    pickle: bytes | None = None,
    machine: bytes = LITTLE_ENDIAN,
    keys: list[str] | None = None,
) -> Path:
    """Write the layout before PyTorch 1.6.

    Args:
        path: where to.
        tensors: what the file holds.
        pickle: of the dictionary, in place of the sound one.
        machine: pickle with facts about the machine.
        keys: of the storages, in the order in which they follow.
    """
    keys = [str(i) for i in range(len(tensors))] if keys is None else keys
    content = MAGIC + PROTOCOL + machine + (pickle or state(tensors))
    content += b"\x80\x02](" + b"".join(map(text, keys)) + b"e."
    values = {str(i): value for i, value in enumerate(tensors.values())}
    for key in keys:
        if key in values:
            content += values[key].size.to_bytes(8, "little") + values[key].tobytes()
    path.write_bytes(content)
    return path


def write_zip(
    path: Path,
    tensors: dict[str, np.ndarray],
    *,
    pickle: bytes | None = None,
    compression: int = zipfile.ZIP_STORED,
    byteorder: str = "little",
) -> Path:
    """Write the layout since PyTorch 1.6. Arguments as in `write_legacy`."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle or state(tensors))
        archive.writestr("archive/byteorder", byteorder)
        for i, value in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{i}", value.tobytes())
        archive.writestr("archive/version", "3\n")
    return path
