import shutil
import zipfile

import numpy as np
import pytest

from zoo import WeightsError
from zoo.weights.convert import tf1

INDEX, DATA = ".index", ".data-00000-of-00001"
TENSORS = {
    "conv2d/kernel": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "conv2d/kernel/Adam": np.full((2, 3, 4), 0.5, "float32"),
    "dense/bias": np.array([1.5, -2.5], "float64"),
    "steps": np.array(7, "int64"),
    "sizes": np.array([[-1], [2]], "int32"),
    "empty": np.zeros((0, 3), "float32"),
    "file": np.zeros(3, "float32"),
}


def write(prefix, tensors, slices=None) -> None:
    """Let TensorFlow write a checkpoint."""
    import tensorflow as tf

    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[slices or ""] * len(tensors),
        tensors=list(tensors.values()),
    )


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The tensors in a folder."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write(folder / "model", TENSORS)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy that may be spoiled."""
    return shutil.copytree(written, tmp_path / "copy")


def refusal(path, member="model") -> str:
    with pytest.raises(WeightsError) as caught:
        tf1.read(path, member)
    return str(caught.value)


def test_every_variable_is_read_from_an_archive_under_an_empty_file_prefix(written, tmp_path):
    for suffix in INDEX, DATA:
        (tmp_path / "net").mkdir(exist_ok=True)
        shutil.copy(written / f"model{suffix}", tmp_path / "net" / suffix)
    archive = shutil.make_archive(str(tmp_path / "package"), "zip", tmp_path)
    found = tf1.read(archive, "net/")
    assert list(found) == sorted(TENSORS)
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    found["conv2d/kernel"] += 1  # arrays can be written to


# --- what is refused ---


def test_strings_are_refused(tmp_path):
    write(tmp_path / "model", {"names": np.array([b"cos\nsystem"])})
    message = refusal(tmp_path)
    assert "'names' is of type string; admitted are float32, float64, int32, int64" in message


def test_a_variable_of_which_a_slice_is_missing_is_refused(tmp_path):
    write(tmp_path / "model", {"table": np.ones((2, 2), "float32")}, "4 2 0,2:-")
    assert "variables take 32 bytes, but the data file has 16" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [INDEX, DATA])
def test_a_file_cut_off_is_refused(folder, suffix):
    file = folder / f"model{suffix}"
    file.write_bytes(file.read_bytes()[:-9])
    assert f"{folder}, checkpoint 'model': not a TensorFlow 1 checkpoint" in refusal(folder)


def test_a_changed_value_is_noticed(folder):
    content = bytearray((folder / f"model{DATA}").read_bytes())
    content[10] ^= 1
    (folder / f"model{DATA}").write_bytes(content)
    assert f"{folder}, checkpoint 'model': not a TensorFlow 1 checkpoint" in refusal(folder)


# Indexes of a variable "w", two float32 numbers, with right checksums: what no program writes.
HOSTILE = {
    "a shape of -1": (
        "0000020801000120770801120412020802200028083529039807120d120b08ffffffffffffffffff01000000"
        "00010000000072b11c0b000000000100000000c0f2a1b000010277003100000000010000000079a9d63d3608"
        "430e00000000000000000000000000000000000000000000000000000000000000000000000057fb808b2475"
        "47db",
        "TensorFlow ended with code",
    ),
    "a claim of 512 GB": (
        "00000208010001237708011204120208022000280835290398071209120708808080808002288080808080100"
        "000000001000000002378a62a000000000100000000c0f2a1b0000102770034000000000100000000af599929"
        "3908460e00000000000000000000000000000000000000000000000000000000000000000000000057fb808b2"
        "47547db",
        "variables take 549755813888 bytes, but the data file has 8",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_index_that_would_end_or_fill_the_process_is_refused(tmp_path, name):
    index, message = HOSTILE[name]
    (tmp_path / f"model{INDEX}").write_bytes(bytes.fromhex(index))
    (tmp_path / f"model{DATA}").write_bytes(bytes(8))
    assert message in refusal(tmp_path)


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "package.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/.index", bytes(1 << 20))
    assert "'net/.index' unpacks to 1048576 bytes, more than 10 times" in refusal(
        tmp_path / "package.whl", "net/"
    )


def test_a_missing_file_is_named(folder):
    with zipfile.ZipFile(folder / "package.whl", "w") as archive:
        archive.writestr("other.txt", "")
    assert "has no file 'net/.index'" in refusal(folder / "package.whl", "net/")
    (folder / f"model{DATA}").unlink()
    assert f"has no file 'model{DATA}'" in refusal(folder)


def test_an_archive_that_is_none_is_refused(tmp_path):
    (tmp_path / "package.whl").write_text("not an archive")
    assert "cannot be read" in refusal(tmp_path / "package.whl", "net/")


def test_a_missing_path_is_an_error_of_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder or archive"):
        tf1.read(tmp_path / "absent.whl", "net/")
