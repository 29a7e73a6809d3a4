import builtins
import copy
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch_writer
from torch_writer import called, dictionary, number, state, storage, tensor, text

import zoo
from zoo import WeightsError
from zoo.weights.convert import torch as reader

TENSORS = {
    "layer.weight": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "layer.bias": np.array([1.5, -2.5], "float64"),
    "steps": np.array(7, "int64"),
    "row": np.arange(3, dtype="float32").reshape(1, 3),
    "empty": np.zeros((0, 3), "float32"),
}
WRITERS = {"legacy": torch_writer.write_legacy, "zip": torch_writer.write_zip}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def assert_same(got, expected):
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype, name
        np.testing.assert_array_equal(got[name], value, err_msg=name)


# --- what is read ---


def test_every_tensor_is_read(write, tmp_path):
    assert_same(reader.read(write(tmp_path / "a.pth", TENSORS)), TENSORS)


def test_arrays_can_be_written_to(write, tmp_path):
    weight = reader.read(write(tmp_path / "a.pth", TENSORS))["layer.weight"]
    weight += 1
    assert weight[0, 0, 0] == 1


def test_storages_may_follow_in_any_order(tmp_path):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS, keys=["3", "0", "4", "2", "1"])
    assert_same(reader.read(path), TENSORS)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_is_read_as_torch_reads_it(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 4), torch.nn.BatchNorm2d(3))
    expected = {name: value.numpy() for name, value in network.state_dict().items()}
    path = tmp_path / "a.pth"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zipped)
    assert_same(reader.read(path), expected)


@pytest.mark.parametrize(
    "file",
    [
        "choi2016/sota_mtat_fcn.pth",
        "choi2016/sota_msd_fcn.pth",
        "choi2016/sota_jamendo_fcn.pth",
        "pons2017/sota_mtat_musicnn.pth",
        "pons2017/sota_jamendo_musicnn.pth",
    ],
)
def test_published_files_are_read_as_torch_reads_them(upstream, file):
    torch = pytest.importorskip("torch")
    theirs = torch.load(upstream / file, map_location="cpu", weights_only=True)
    assert_same(reader.read(upstream / file), {k: v.numpy() for k, v in theirs.items()})


def test_reading_imports_no_torch(tmp_path):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS)
    code = (
        "import sys; from zoo.weights.convert import torch as reader;"
        f"reader.read({str(path)!r}); assert 'torch' not in sys.modules"
    )
    folder = os.path.dirname(os.path.dirname(zoo.__file__))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)


# --- attacks ---


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.fixture
def canary(tmp_path):
    """A file that an attack makes; it must not be there afterwards."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def python(path) -> str:
    return f"open({str(path)!r}, 'w').close()"


@pytest.mark.parametrize(
    "attack",
    [
        lambda canary: Calls(os.system, f"touch {canary}"),
        lambda canary: Calls(builtins.eval, python(canary)),
        lambda canary: Calls(builtins.exec, python(canary)),
        lambda canary: Calls(open, str(canary), "w"),
        lambda canary: OrderedDict(weight=Calls(os.system, f"touch {canary}")),
        lambda canary: OrderedDict([(Calls(os.system, f"touch {canary}"), 1)]),
    ],
    ids=["os.system", "eval", "exec", "open", "as a value", "as a key"],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_something_is_refused(write, tmp_path, canary, attack, protocol):
    path = write(tmp_path / "a.pth", {}, pickle=pickle.dumps(attack(canary), protocol))
    with pytest.raises(WeightsError, match="not admitted"):
        reader.read(path)


@pytest.mark.parametrize(
    "name",
    [
        "os system",
        "torch serialization.os.system",
        "torch._utils sys.modules",
        "torch._utils _rebuild_tensor_v2.__globals__",
        "torch _utils._rebuild_tensor_v2",
        "torch FloatStorage.__init__.__globals__",
        "torch.storage FloatStorage",
        "collections OrderedDict.__class__",
        "collections.abc sys",
        "torch._utils _rebuild_tensor",
    ],
)
def test_a_name_that_is_not_exactly_admitted_is_refused(write, tmp_path, name):
    path = write(tmp_path / "a.pth", {}, pickle=b"\x80\x02" + called(name, text("x")) + b".")
    with pytest.raises(WeightsError, match=r"asks for '.*', which is not admitted"):
        reader.read(path)


@pytest.mark.parametrize(
    "pickled",
    [
        text("0") + b"Q",
        storage("0", "FloatStorage", 1, tag="module"),
        b"(X\x07\x00\x00\x00storageccollections\nOrderedDict\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        + number(1)
        + b"tQ",
        storage("0", "FloatStorage", -1),
        b"P0\n",
    ],
    ids=[
        "a text",
        "a module",
        "a storage of no type",
        "a negative size",
        "a persistent id in text",
    ],
)
def test_a_reference_to_what_is_no_storage_is_refused(write, tmp_path, pickled):
    path = write(tmp_path / "a.pth", {}, pickle=b"\x80\x02" + pickled + b".")
    with pytest.raises(WeightsError, match=r"not a storage of its own|instruction PERSID"):
        reader.read(path)


@pytest.mark.parametrize(
    "pickled",
    [
        called("torch FloatStorage", number(3)),
        called("torch._utils _rebuild_tensor_v2", text("x")),
        called("collections OrderedDict", called("collections OrderedDict")),
        b"ctorch._utils\n_rebuild_tensor_v2\n}X\x0c\x00\x00\x00__defaults__)sb",
        b"X\x01\x00\x00\x00x)R",
    ],
    ids=["a storage", "a tensor", "a dictionary", "attributes of a function", "a text"],
)
def test_admitted_names_are_admitted_in_their_places_only(write, tmp_path, pickled):
    path = write(tmp_path / "a.pth", {}, pickle=b"\x80\x02" + pickled + b".")
    with pytest.raises(WeightsError, match=r"not admitted|belongs|is not a file of torch\.save"):
        reader.read(path)


@pytest.mark.parametrize(("start", "end"), [(b"", b""), (b"", b"Q"), (b"}" + text("a"), b"s")])
def test_a_small_pickle_that_stands_for_endless_text_is_answered_at_once(
    write, tmp_path, start, end
):
    pairs = text("x") + b"q\x00" + 80 * b"h\x00\x86q\x00"  # a pair of pairs of pairs
    path = write(tmp_path / "a.pth", {}, pickle=b"\x80\x02" + start + pairs + end + b".")
    with pytest.raises(WeightsError, match="refers to its own objects so often"):
        reader.read(path)


# --- what is not a flat dictionary of whole tensors ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset": 1}, "a view"),
        ({"shape": (2, 3, 3)}, "a view"),
        ({"stride": (1, 2, 6)}, "a view"),
        ({"stride": (0, 0, 0)}, "a view"),
        ({"stride": (12, 4)}, "a view"),
        ({"shape": (-2, -3, 4)}, "not admitted"),
        (
            {"shape": (2, 3, 9), "stride": (27, 9, 1), "count": 54},
            r"values for 'layer.weight'|bytes for",
        ),
        ({"kind": "DoubleStorage"}, r"cut off|bytes for|values for"),
        ({"kind": "BFloat16Storage"}, "asks for 'torch.BFloat16Storage'"),
    ],
)
def test_a_tensor_that_does_not_own_its_values_is_refused(write, tmp_path, changes, message):
    pickled = state(TENSORS, {"layer.weight": changes})
    path = write(tmp_path / "a.pth", TENSORS, pickle=pickled)
    with pytest.raises(WeightsError, match=message):
        reader.read(path)


def test_tensors_that_share_a_storage_are_refused(write, tmp_path):
    value = TENSORS["layer.weight"]
    pickled = b"\x80\x02" + dictionary({"a": tensor("0", value), "b": tensor("0", value)}) + b"."
    path = write(tmp_path / "a.pth", {"a": value}, pickle=pickled)
    with pytest.raises(WeightsError, match="share their values"):
        reader.read(path)


def test_a_view_of_torch_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"half": torch.arange(10.0)[5:]}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="a view"):
        reader.read(tmp_path / "a.pth")


def test_a_whole_module_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 3), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"asks for 'torch.nn.modules.linear.Linear'"):
        reader.read(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"epoch": number(3)}, "'epoch', which is not a tensor"),
        ({"model": dictionary({})}, "'model', which is not a tensor"),
    ],
)
def test_other_values_than_tensors_are_refused(write, tmp_path, entries, message):
    path = write(tmp_path / "a.pth", {}, pickle=b"\x80\x02" + dictionary(entries) + b".")
    with pytest.raises(WeightsError, match=message):
        reader.read(path)


# --- damage ---


def test_a_legacy_file_cut_off_anywhere_is_refused(tmp_path):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="cut off"):
            reader.read(path)


def test_a_zip_file_cut_off_anywhere_is_refused(tmp_path):
    path = torch_writer.write_zip(tmp_path / "a.pth", TENSORS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="cut off"):
            reader.read(path)


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ({"keys": ["0", "1", "2", "3"]}, "other storages"),
        ({"keys": ["0", "1", "2", "3", "4", "4"]}, "other storages"),
        ({"keys": ["0", "1", "2", "3", "5"]}, "other storages"),
        ({"machine": b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x89u."}, "little-endian"),
        ({"machine": b"\x80\x02]."}, "little-endian"),
    ],
)
def test_a_legacy_file_that_contradicts_itself_is_refused(tmp_path, defect, message):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS, **defect)
    with pytest.raises(WeightsError, match=message):
        reader.read(path)


def test_a_legacy_file_that_goes_on_is_refused(tmp_path):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="continues after its last storage"):
        reader.read(path)


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ({"compression": zipfile.ZIP_DEFLATED}, "compressed"),
        ({"byteorder": "big"}, "little-endian"),
    ],
)
def test_an_archive_that_torch_would_not_write_is_refused(tmp_path, defect, message):
    path = torch_writer.write_zip(tmp_path / "a.pth", TENSORS, **defect)
    with pytest.raises(WeightsError, match=message):
        reader.read(path)


def test_files_of_an_archive_that_overlap_are_refused(tmp_path):
    """A thousand names for the same megabyte would be a gigabyte of tensors."""
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state({}))
        archive.writestr("archive/data/0", bytes(1_000_000))
        for i in range(1, 1000):
            entry = copy.copy(archive.getinfo("archive/data/0"))
            entry.filename = f"archive/data/{i}"
            archive.filelist.append(entry)
    with pytest.raises(WeightsError, match="announces 1000000"):
        reader.read(path)


def test_an_archive_without_a_pickle_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match=r"0 files data\.pkl"):
        reader.read(tmp_path / "a.pth")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.pth").write_text("not a network")
    with pytest.raises(WeightsError, match=r"not a file of torch\.save"):
        reader.read(tmp_path / "a.pth")


def test_a_part_of_a_file_cannot_be_requested(tmp_path):
    path = torch_writer.write_legacy(tmp_path / "a.pth", TENSORS)
    with pytest.raises(WeightsError, match="'layer' was requested"):
        reader.read(path, "layer")


def test_a_missing_file_is_an_error_of_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        reader.read(tmp_path / "absent.pth")
