import gzip
import io
import os
import pickle
import struct
import tarfile

import madmom_writer as write
import numpy as np
import pytest

import zoo
from zoo.weights.convert import convert, madmom


@pytest.fixture
def refused(tmp_path):
    """Read a pickle that must be refused; returns the message."""

    def read(content: bytes) -> str:
        path = tmp_path / "net.pkl"
        path.write_bytes(content)
        with pytest.raises(zoo.WeightsError) as caught:
            madmom.read(path)
        return str(caught.value)

    return read


def dense(**attributes) -> bytes:
    return write.layer("FeedForwardLayer", **attributes)


# --- what is read ---


def test_arrays_and_numbers_come_by_layer_and_name(tmp_path):
    weights = np.arange(6, dtype="float32").reshape(2, 3)
    mean = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    path = tmp_path / "net.pkl"
    path.write_bytes(
        write.network(
            write.layer("BatchNormLayer", mean=mean, beta=0, gamma=0.5),
            dense(weights=weights, activation_fn=write.activation("tanh"), pad="valid"),
            write.layer("StrideLayer", block_size=np.int64(7)),
        )
    )
    found = madmom.read(path)
    assert list(found) == [
        "0 BatchNormLayer/beta",
        "0 BatchNormLayer/gamma",
        "0 BatchNormLayer/mean",
        "1 FeedForwardLayer tanh valid/weights",
        "2 StrideLayer/block_size",
    ]
    np.testing.assert_array_equal(found["0 BatchNormLayer/mean"], mean)
    np.testing.assert_array_equal(found["1 FeedForwardLayer tanh valid/weights"], weights)
    assert found["1 FeedForwardLayer tanh valid/weights"].dtype == "float32"
    assert found["0 BatchNormLayer/gamma"] == 0.5
    assert found["2 StrideLayer/block_size"] == 7


def test_arrays_can_be_written_to(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(write.network(dense(bias=np.zeros(3, "float32"))))
    (bias,) = madmom.read(path).values()
    bias += 1


@pytest.fixture
def archive(tmp_path):
    """An archive with a sound pickle, a link to it, and a folder."""
    path = tmp_path / "madmom-0.1.tar.gz"
    content = write.network(dense(bias=np.zeros(3, "float32")))
    with tarfile.open(path, "w:gz") as out:
        entry = tarfile.TarInfo("madmom-0.1/net.pkl")
        entry.size = len(content)
        out.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("madmom-0.1/link.pkl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    return path


def test_pickle_is_read_inside_an_archive(archive):
    assert list(madmom.read(archive, "madmom-0.1/net.pkl")) == ["0 FeedForwardLayer/bias"]


@pytest.mark.parametrize("member", ["madmom-0.1/other.pkl", "madmom-0.1/link.pkl"])
def test_file_that_is_not_in_the_archive_is_named(archive, member):
    with pytest.raises(zoo.WeightsError, match=f"has no file '{member}'"):
        madmom.read(archive, member)


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_archive_that_is_cut_off_is_an_error(archive, keep):
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(zoo.WeightsError, match=r"net\.pkl"):
        madmom.read(archive, "madmom-0.1/net.pkl")


@pytest.mark.parametrize("kind", ["content", "name", "hole"])
def test_archive_that_unpacks_to_far_more_is_refused(tmp_path, kind):
    path = tmp_path / "bomb.tar.gz"
    entry = tarfile.TarInfo("net.pkl")
    with gzip.open(path, "wb") as out:
        if kind == "hole":  # a sparse file, which tarfile would fill with 1 TB of zeros
            entry.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"}
            entry.pax_headers |= {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 40)}
            out.write(entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
        else:
            entry.size = 30_000_000
            entry.type = tarfile.REGTYPE if kind == "content" else tarfile.GNUTYPE_LONGNAME
            out.write(entry.tobuf(tarfile.GNU_FORMAT) + bytes(30_000_000))
    with pytest.raises(zoo.WeightsError, match=r"bomb\.tar\.gz: (unpacks to more|has no file)"):
        madmom.read(path, "net.pkl")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl"):
        madmom.read(tmp_path / "none.pkl")


# --- attacks ---


class Call:
    """Pickles into a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_call_of_the_shell_is_refused_and_not_made(refused, tmp_path, protocol):
    mark = tmp_path / "was here"
    content = pickle.dumps(Call(os.system, f"touch '{mark}'"), protocol)
    assert "not admitted" in refused(content)
    assert not mark.exists()
    pickle.loads(content)  # the attack is one: Python's own unpickler falls for it
    assert mark.exists()


def test_call_hidden_among_the_attributes_of_a_layer_is_refused(refused, tmp_path):
    mark = tmp_path / "was here"
    call = write.named("os system") + write.value((f"touch '{mark}'",)) + b"R"
    assert "asks for 'os.system', which is not admitted" in refused(write.network(dense(bias=call)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "__builtin__ eval",
        "builtins getattr",
        "posix system",
        "subprocess Popen",
        "copyreg _reconstructor",
        "pickle loads",
        "importlib import_module",
        "numpy load",
        "numpy fromfile",
        "numpy memmap",
        "numpy.testing._private.utils runstring",
        "numpy.core.multiarray fromstring",
        "numpy.core.multiarray frombuffer",
        "numpy._core.multiarray _reconstruct",
        "numpy.matrixlib.defmatrix _eval",
        "madmom.ml.nn NeuralNetworkEnsemble",
        "madmom.processors Processor",
        "madmom.ml.nn.layers RecurrentLayer",
        "zoo.weights.convert.madmom _Array",
    ],
)
def test_every_other_name_is_refused(refused, name):
    message = refused(write.program(write.named(name), write.value(("1",)), b"R"))
    assert f"asks for {name.replace(' ', '.')!r}, which is not admitted" in message


def test_persistent_ids_are_refused_however_deep(refused):
    hidden = write.value((1, write.value(("storage", 7)) + b"Q"))
    assert "BINPERSID, which is not admitted" in refused(write.network(dense(bias=hidden)))
    assert "PERSID, which is not admitted" in refused(b"Pstorage\n.")


@pytest.mark.parametrize(
    ("content", "instruction"),
    [
        (b"\x82\x01.", "EXT1"),
        (b"(S'ls'\nios\nsystem\n.", "INST"),
        (b"(ios\nsystem\n.", "INST"),
        (write.program(b"(" + write.named("os system") + b"U\x02lso"), "OBJ"),
        (write.program(write.named("numpy dtype"), b")}\x92"), "NEWOBJ_EX"),
        (write.program(b"\x97"), "NEXT_BUFFER"),
    ],
)
def test_instructions_that_a_network_does_not_need_are_refused(refused, content, instruction):
    assert f"has the pickle instruction {instruction}, which is not admitted" in refused(content)


@pytest.mark.parametrize(
    "content",
    [b"\x80\x04\x8c\x02os\x8c\x06system\x93.", write.program(b"U\x02osU\x06system\x93")],
    ids=["unicode", "bytes"],
)
def test_names_made_of_strings_are_refused(refused, content):
    assert "asks for 'os.system', which is not admitted" in refused(content)


def test_object_arrays_are_refused(refused):
    array = write.array(np.zeros(1, "float64"), dtype=write.dtype("O8"))
    assert "values of type 'O8'" in refused(write.network(dense(bias=array)))


@pytest.mark.parametrize(
    "state",
    [
        (3, ">", None, None, None, -1, -1, 0),
        (3, "<", None, ("a",), "fields", 8, 1, 0),
        (3, "<", ("f8", (1000,)), None, None, -1, -1, 0),
        (4, "<", None, None, None, -1, -1, 0, "metadata"),
    ],
)
def test_dtypes_that_are_more_than_numbers_are_refused(refused, state):
    array = write.array(np.zeros(1), dtype=write.dtype("f8", state))
    assert "describes f8 as" in refused(write.network(dense(bias=array)))


@pytest.mark.parametrize(
    "changes", [{"shape": (3,)}, {"shape": (-2, -1)}, {"shape": (10**9,) * 3}, {"data": "x"}]
)
def test_arrays_whose_shape_and_bytes_differ_are_refused(refused, changes):
    array = write.array(np.zeros(2), **changes)
    assert "bytes for an array of shape" in refused(write.network(dense(bias=array)))


def test_subclasses_of_arrays_are_refused(refused):
    name = b"cnumpy.core.multiarray\n_reconstruct\n"
    parts = write.named("madmom.ml.nn.layers StrideLayer") + write.value((0,)) + write.value("b")
    assert "class other than ndarray" in refused(write.program(name, parts, b"\x87R"))


@pytest.mark.parametrize(
    "target",
    ["numpy.core.multiarray _reconstruct", "numpy dtype", "madmom.ml.nn.layers StrideLayer"],
)
def test_classes_themselves_cannot_be_given_attributes(refused, target):
    before = dict(vars(madmom.STAND_INS[tuple(target.split())]))
    change = b"N}" + write.value("__setstate__") + write.value("gone") + b"s\x86b"
    refused(write.program(write.named(target), change))
    assert dict(vars(madmom.STAND_INS[tuple(target.split())])) == before


def test_names_that_are_no_classes_keep_their_word(refused):
    change = write.value("word") + write.value("linear")
    message = refused(write.program(write.activation("tanh"), b"}" + change + b"sb"))
    assert "gives a state to a Word" in message
    assert madmom.STAND_INS["madmom.ml.nn.activations", "tanh"].word == "tanh"


def test_memory_is_not_claimed_by_a_number(refused):
    assert "numbers its objects up to 4294967295" in refused(
        write.program(b"N", b"r" + struct.pack("<I", 2**32 - 1))
    )


# --- damage ---


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_file_that_is_cut_off_is_an_error(refused, keep):
    content = write.network(dense(bias=np.zeros(3, "float32")))
    assert "net.pkl" in refused(content[:keep])


def test_bytes_after_the_end_are_an_error(refused):
    assert "3 bytes after its end" in refused(write.network() + b"abc")


@pytest.mark.parametrize(
    "content",
    [
        write.program(b"N"),
        write.program(b"]"),
        dense(bias=1).join([b"\x80\x02", b"."]),
        write.program(write.made("madmom.ml.nn NeuralNetwork", layers=None)),
        write.network(b"N"),
        write.network(dense(bias=b"]")),
        write.network(dense(bias=write.made("madmom.ml.nn.layers StrideLayer"))),
    ],
)
def test_anything_but_a_list_of_layers_of_arrays_is_refused(refused, content):
    assert "where a " in refused(content) or "has an attribute that is a " in refused(content)


def test_other_network_of_madmom_is_not_taken_for_this_one(tmp_path):
    """The words of a layer are part of its name, which the architecture asks for."""
    path = tmp_path / "net.pkl"
    path.write_bytes(write.network(dense(weights=np.zeros((2, 2), "float32"))))
    with pytest.raises(zoo.WeightsError, match=r"which schluter2014\.from_madmom expects"):
        convert(path, reader="madmom", member="", architecture="schluter2014", adopt="from_madmom")


def test_a_network_without_layers_is_refused(refused):
    assert "without layers" in refused(
        write.program(write.made("madmom.ml.nn NeuralNetwork", lay=1))
    )
