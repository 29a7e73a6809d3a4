import shutil
import zipfile

import numpy as np
import pytest
import tf1_writer

from zoo import WeightsError
from zoo.weights.convert import tf1

DATA = ".data-00000-of-00001"
TENSORS = {
    "conv2d/kernel": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "conv2d/kernel/Adam": np.full((2, 3, 4), 0.5, "float32"),
    "dense/bias": np.array([1.5, -2.5], "float64"),
    "steps": np.array(7, "int64"),
    "sizes": np.array([[-1], [2]], "int32"),
    "empty": np.zeros((0, 3), "float32"),
}


def assert_same(got, expected):
    assert sorted(got) == sorted(expected)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype, name
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_every_variable_of_a_folder_is_read(tmp_path):
    tf1_writer.write(tmp_path, "model.ckpt", TENSORS)
    assert_same(tf1.read(tmp_path, "model.ckpt"), TENSORS)


def test_a_checkpoint_in_an_archive_is_read_under_an_empty_file_prefix(tmp_path):
    tf1_writer.write(tmp_path / "files", "net/", TENSORS)
    archive = shutil.make_archive(str(tmp_path / "package"), "zip", tmp_path / "files")
    assert_same(tf1.read(archive, "net/"), TENSORS)


def test_arrays_can_be_written_to(tmp_path):
    tf1_writer.write(tmp_path, "model", TENSORS)
    kernel = tf1.read(tmp_path, "model")["conv2d/kernel"]
    kernel += 1
    assert kernel[0, 0, 0] == 1


def test_what_tensorflow_writes_is_read_as_tensorflow_reads_it(tmp_path):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    # Enough names, with long common beginnings, for several blocks and shared key prefixes.
    tensors = {f"block_{i:03}/norm/gamma": rng.normal(size=5).astype("f4") for i in range(300)}
    tensors |= TENSORS
    names = sorted(tensors)
    prefix = str(tmp_path / "model")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tensors[name] for name in names],
    )
    reader = tf.train.load_checkpoint(prefix)
    theirs = {name: np.asarray(reader.get_tensor(name)) for name in names}
    assert_same(tf1.read(tmp_path, "model"), theirs)


def test_a_sliced_variable_of_tensorflow_is_refused(tmp_path):
    tf = pytest.importorskip("tensorflow")
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model"),
        tensor_names=["table"],
        shape_and_slices=["4 2 0,2:-"],
        tensors=[np.ones((2, 2), "float32")],
    )
    with pytest.raises(WeightsError, match="variables that are stored in slices"):
        tf1.read(tmp_path, "model")


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ({"header": b"\x08\x02"}, "split in 2 shards"),
        ({"header": b"\x08\x01\x10\x01"}, "big-endian"),
        ({"header": b"\x08\xff"}, "damaged or cut off"),
        ({"compression": 1}, "compressed .*snappy"),
        ({"extra": {"steps": tf1_writer.field(7, b"")}}, "'steps' is stored in slices"),
        ({"extra": {"steps": tf1_writer.field(3, 1)}}, "'steps' lies in shard 1"),
        ({"extra": {"steps": tf1_writer.field(1, 7)}}, "'steps' has data type 7"),
        ({"extra": {"steps": tf1_writer.field(4, 1 << 40)}}, "data file ends .* 'steps'"),
        ({"extra": {"steps": tf1_writer.field(5, 1 << 40)}}, r"'steps' has shape \(\) but"),
        ({"extra": {"steps": tf1_writer.field(2, b"\x18\x01")}}, "'steps' has no fully known"),
    ],
)
def test_what_is_not_a_plain_checkpoint_of_numbers_is_refused(tmp_path, defect, message):
    tf1_writer.write(tmp_path, "model", TENSORS, **defect)
    with pytest.raises(WeightsError, match=message):
        tf1.read(tmp_path, "model")


def test_a_string_variable_is_refused(tmp_path):
    tf1_writer.write(tmp_path, "model", {"names": np.array([b"cos\nsystem"])})
    with pytest.raises(WeightsError, match="admitted are float32, float64, int32 and int64"):
        tf1.read(tmp_path, "model")


def test_a_changed_value_is_noticed(tmp_path):
    tf1_writer.write(tmp_path, "model", TENSORS)
    data = bytearray((tmp_path / f"model{DATA}").read_bytes())
    data[10] ^= 1
    (tmp_path / f"model{DATA}").write_bytes(data)
    with pytest.raises(WeightsError, match="checksum of variable 'conv2d/kernel' does not fit"):
        tf1.read(tmp_path, "model")


def test_a_changed_index_is_noticed(tmp_path):
    tf1_writer.write(tmp_path, "model", TENSORS)
    index = bytearray((tmp_path / "model.index").read_bytes())
    index[10] ^= 1
    (tmp_path / "model.index").write_bytes(index)
    with pytest.raises(WeightsError, match="checksum of the index block"):
        tf1.read(tmp_path, "model")


@pytest.mark.parametrize("suffix", [".index", DATA])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, suffix):
    tf1_writer.write(tmp_path, "model", TENSORS)
    file = tmp_path / f"model{suffix}"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="cut off"):
            tf1.read(tmp_path, "model")


def test_a_missing_checkpoint_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match=r"has no file 'net/\.index'"):
        tf1.read(tmp_path / "package.whl", "net/")


def test_an_archive_that_is_none_is_refused(tmp_path):
    (tmp_path / "package.whl").write_text("not an archive")
    with pytest.raises(WeightsError, match="cannot be read"):
        tf1.read(tmp_path / "package.whl", "net/")


def test_a_missing_path_is_an_error_of_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder or archive"):
        tf1.read(tmp_path / "absent.whl", "net/")
