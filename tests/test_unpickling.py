"""Hostile pickles: each is refused by every reader of pickles, soon and without much memory."""

import pickle
import struct
import tracemalloc

import numpy as np
import pytest
import torch_writer

import zoo
from zoo.data.readers import pickles
from zoo.weights.convert import madmom
from zoo.weights.convert import torch as torch_reader


def read_torch(path):
    content = path.read_bytes()
    return torch_reader.read(torch_writer.write_legacy(path, {}, pickle=content))


READERS = {"data": pickles.read, "madmom": madmom.read, "torch": read_torch}
DTYPE = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
LAUGHS = b"K\x00K\x00\x86q\x01" + 60 * b"h\x01\x86q\x01"  # 2**60 numbers, once written out
DEEP = b")" + 200_000 * b"\x85"  # a tuple of a tuple of a tuple

HOSTILE = {
    "a state that would fill the world if it were printed": (DTYPE + LAUGHS + b"b", "so often"),
    "a key that would take years to hash": (b"}" + LAUGHS + b"K\x01s", "so often"),
    "lists of the same list": (
        b"]q\x01" + 60 * b"(h\x01h\x01lq\x01",
        "so often",
    ),
    "a long text many times": (
        b"X\x00\x40\x00\x00" + 0x4000 * b"a" + b"q\x01(" + 9000 * b"h\x01" + b"t",
        "so often",
    ),
    "a table of 1.6 GB": (b"Nr" + struct.pack("<I", 100_663_296), "numbers its objects up to 1006"),
    "the same in text": (b"Np100663296\n", "numbers its objects up to 100663296"),
    "a key too deep for Python's hash": (b"}" + DEEP + b"K\x01s", "nested more than 50 deep"),
    "lists in lists": (200_000 * b"(" + 200_000 * b"l", "nested more than 50 deep"),
    "a huge integer": (b"\x8b" + struct.pack("<i", 10_000) + 10_000 * b"\x7f", "integer of 79999"),
    "bytes that are not there": (b"\x96" + struct.pack("<Q", 1 << 40), "cut off"),
    "a text that is not there": (b"T" + struct.pack("<i", 1 << 30), "cut off"),
    "an empty stack": (b"a", "cut off"),
    "a reference to nothing": (b"h\x05", "cut off"),
    "an unknown instruction": (b"\xff", "cut off"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused(tmp_path, reader, name):
    instructions, message = HOSTILE[name]
    (tmp_path / "file").write_bytes(b"\x80\x02" + instructions + b".")
    with pytest.raises((zoo.ConfigError, zoo.WeightsError), match=message) as caught:
        READERS[reader](tmp_path / "file")
    assert str(tmp_path / "file") in str(caught.value)
    assert len(str(caught.value)) < 1000


def array(shape: bytes) -> bytes:
    """An array of NumPy with no bytes."""
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return made + b"(K\x01" + shape + DTYPE + b"\x89U\x00tb"


@pytest.mark.parametrize("reader", ["data", "madmom"])
def test_an_array_of_endless_axes_is_refused(tmp_path, reader):
    size = b"\x8a\x10" + 16 * b"\x7f"
    for axes in 33, 20_000:
        shape = b"(" + size + b"q\x02" + (axes - 1) * b"h\x02" + b"t"
        (tmp_path / "file").write_bytes(b"\x80\x02" + array(shape) + b".")
        with pytest.raises((zoo.ConfigError, zoo.WeightsError), match="0 bytes for an array of"):
            READERS[reader](tmp_path / "file")


@pytest.mark.parametrize("size", [b"\x8a\xff" + 255 * b"\x7f", b"\x8a\x10" + 16 * b"\x7f"])
def test_a_tensor_of_2000_axes_is_refused(tmp_path, size):
    axes = b"(" + size + b"q\x01" + 1999 * b"h\x01" + b"t"
    storage = torch_writer.storage("0", "FloatStorage", 1)
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + axes + axes + b"tR"
    (tmp_path / "file").write_bytes(b"\x80\x02}" + torch_writer.text("a") + tensor + b"s.")
    with pytest.raises(zoo.WeightsError, match=r"integer of|so often|holds a tensor of shape"):
        read_torch(tmp_path / "file")


@pytest.mark.parametrize("protocol", range(5))
def test_a_sound_pickle_may_repeat_itself(tmp_path, protocol):
    tags, row = ["rock", "pop"], np.arange(3.0)
    content = {f"TR{i}": [tags[i % 2], row, (i, row)] for i in range(1000)}
    (tmp_path / "file").write_bytes(pickle.dumps(content, protocol))
    found = pickles.read(tmp_path / "file")
    assert found["TR7"][0] == "pop"
    np.testing.assert_array_equal(found["TR7"][2][1].values, row)


@pytest.mark.parametrize("reader", READERS)
def test_bytes_that_are_announced_and_missing_take_no_memory(tmp_path, reader):
    path = tmp_path / "announced.pkl"
    path.write_bytes(b"\x80\x04\x8e" + (2**33).to_bytes(8, "little") + b"x.")
    tracemalloc.start()
    try:
        with pytest.raises(zoo.errors.ZooError):
            READERS[reader](path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
