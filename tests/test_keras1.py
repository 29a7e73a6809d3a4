import os

import h5py
import keras1_writer
import numpy as np
import pytest

import zoo
from zoo import WeightsError
from zoo.weights.convert import convert, keras1


@pytest.fixture
def layers():
    """The authors' network with n = 2 blocks: 27 samples are one frame."""
    return keras1_writer.sample_cnn(2, width=8, labels=5)


@pytest.fixture
def file(tmp_path, layers):
    return keras1_writer.write(tmp_path / "weights.hdf5", layers)


def refusal(path, **arguments) -> str:
    with pytest.raises(WeightsError) as caught:
        keras1.read(path, **arguments)
    return str(caught.value)


def change(path, edit):
    """Let `edit` spoil the file."""
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


# --- what is read ---


def test_every_weight_is_read_under_its_keras_3_name(file, layers):
    tensors = keras1.read(file)
    assert len(tensors) == 4 * 2 + 4 * 4 + 2
    assert tensors["convolution1d_2/kernel"].shape == (3, 128, 128)
    np.testing.assert_array_equal(tensors["dense_1/kernel"], layers["dense_1"]["W"])
    np.testing.assert_array_equal(
        tensors["batchnormalization_3/moving_variance"],
        layers["batchnormalization_3"]["running_std"],
    )


def test_kernels_are_turned_round_in_time(file, layers):
    kernel = keras1.read(file)["convolution1d_2/kernel"]
    np.testing.assert_array_equal(kernel[0], layers["convolution1d_2"]["W"][2, 0])
    np.testing.assert_array_equal(kernel[2], layers["convolution1d_2"]["W"][0, 0])


def test_a_whole_saved_model_gives_the_same(tmp_path, file, layers):
    whole = keras1_writer.write(tmp_path / "model.hdf5", layers, whole_model=True)
    ours, theirs = keras1.read(whole), keras1.read(file)
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def as_theano(layers, samples):
    """The forward pass of Keras 1 under Theano, by np.convolve: (samples,) -> probabilities."""

    def conv_norm_relu(x, i, mode):
        kernel = layers[f"convolution1d_{i}"]["W"][:, 0].astype("float64")  # (length, in, out)
        y = np.stack(
            [
                sum(
                    np.convolve(x[:, c], kernel[:, c, o], mode=mode) for c in range(kernel.shape[1])
                )
                for o in range(kernel.shape[2])
            ],
            axis=1,
        )
        y = y + layers[f"convolution1d_{i}"]["b"]
        norm = layers[f"batchnormalization_{i}"]
        y = (y - norm["running_mean"]) / np.sqrt(norm["running_std"] + 1e-5)
        return np.maximum(y * norm["gamma"] + norm["beta"], 0)

    x = conv_norm_relu(samples[:, None].astype("float64"), 1, "valid")[::3]  # stride 3
    count = sum(name.startswith("convolution1d") for name in layers)
    for i in range(2, count):
        x = conv_norm_relu(x, i, "same")
        x = x.reshape(-1, 3, x.shape[1]).max(axis=1)
    x = conv_norm_relu(x, count, "same")
    z = x.reshape(-1) @ layers["dense_1"]["W"] + layers["dense_1"]["b"]
    return 1 / (1 + np.exp(-z))


def test_a_converted_network_computes_what_theano_did(file, layers):
    tensors = convert(file, reader="keras1", member="", architecture="lee2017", adopt="from_keras1")
    network = zoo.build("lee2017", list("abcde"), n=2, width=8)
    zoo.inference.variables.assign(network, tensors, "test")
    samples = np.random.default_rng(1).normal(0, 0.3, (2, 27)).astype("float32")
    expected = [as_theano(layers, clip) for clip in samples]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(network.predict(samples, verbose=0), expected, atol=1e-5)


# --- what is refused ---


def test_missing_files_are_an_error_of_their_own(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        keras1.read(tmp_path / "none.hdf5")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(b"not HDF5")
    assert "not a HDF5 file, or damaged" in refusal(path)
    with h5py.File(path, "w") as file:
        file.create_group("layers")
    assert "not a file of Keras 1" in refusal(path)


@pytest.mark.parametrize("left", [100, 2000, 100_000])
def test_cut_off_files_are_refused(file, left):
    file.write_bytes(file.read_bytes()[:left])
    assert "damaged" in refusal(file)


def test_a_part_of_a_file_cannot_be_requested(file):
    assert "holds one network" in refusal(file, member="half")


def test_other_versions_are_refused(tmp_path, layers):
    path = keras1_writer.write(tmp_path / "model.hdf5", layers, whole_model=True)
    change(path, lambda f: f.attrs.create("keras_version", b"2.0.8"))
    assert "2.0.8" in refusal(path)


def test_other_layers_are_refused(tmp_path, layers):
    layers["lstm_1"] = {"W": np.zeros((2, 2), "float32")}
    assert "'lstm_1'" in refusal(keras1_writer.write(tmp_path / "w.hdf5", layers))


def test_weights_of_tensorflow_are_refused(tmp_path, layers):
    layers["dense_1"] = {f"{name}:0": values for name, values in layers["dense_1"].items()}
    assert "'dense_1_W:0'" in refusal(keras1_writer.write(tmp_path / "w.hdf5", layers))


@pytest.mark.parametrize(
    ("layer", "weight", "shape"),
    [
        ("convolution1d_2", "W", (3, 2, 128, 128)),
        ("convolution1d_2", "W", (3, 128, 128)),
        ("batchnormalization_1", "beta", (127,)),
        ("dense_1", "b", (4,)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, layers, layer, weight, shape):
    layers[layer][weight] = np.zeros(shape, "float32")
    assert f"weights of layer '{layer}'" in refusal(
        keras1_writer.write(tmp_path / "w.hdf5", layers)
    )


@pytest.mark.parametrize(("value", "complaint"), [(np.nan, "not finite"), (-1, "negative")])
def test_variances_that_cannot_be_are_refused(tmp_path, layers, value, complaint):
    layers["batchnormalization_1"]["running_std"][3] = value
    assert complaint in refusal(keras1_writer.write(tmp_path / "w.hdf5", layers))


def test_weights_without_a_place_in_the_network_are_refused(tmp_path, layers):
    layers["dense_2"] = {
        "W": np.zeros((5, 2), "float32"),
        "b": np.zeros(2, "float32"),
    }
    path = keras1_writer.write(tmp_path / "w.hdf5", layers)
    with pytest.raises(WeightsError, match="dense_2/kernel"):
        convert(path, reader="keras1", member="", architecture="lee2017", adopt="from_keras1")


# --- attacks: a file that wants more than to be numbers ---

BIAS = "dense_1/dense_1_b"


def replace(path, make):
    """Put something else in the place of the head's bias."""

    def edit(file):
        del file[BIAS]
        make(file)

    return change(path, edit)


@pytest.fixture
def secret(tmp_path):
    """A file that the attacker wants to see: 5 numbers, as HDF5 and as plain bytes."""
    with h5py.File(tmp_path / "secret.hdf5", "w") as file:
        file["numbers"] = np.arange(5, dtype="float32")
    (tmp_path / "secret.bin").write_bytes(np.arange(5, dtype="float32").tobytes())
    return tmp_path


def test_links_into_other_files_are_not_followed(file, secret):
    link = h5py.ExternalLink(str(secret / "secret.hdf5"), "/numbers")
    replace(file, lambda f: f.__setitem__(BIAS, link))
    assert "a link to elsewhere" in refusal(file)


def test_links_within_the_file_are_not_followed(file):
    replace(file, lambda f: f.__setitem__(BIAS, h5py.SoftLink("/batchnormalization_1")))
    assert "a link to elsewhere" in refusal(file)


def test_layers_in_other_files_are_not_followed(file, secret):
    def edit(f):
        del f["dense_1"]
        f["dense_1"] = h5py.ExternalLink(str(secret / "secret.hdf5"), "/")

    assert "a link to elsewhere" in refusal(change(file, edit))


def test_paths_are_not_names(file):
    change(file, lambda f: f.attrs.create("layer_names", [b"dense_1/../../etc"]))
    assert "not a plain name" in refusal(file)


def test_numbers_kept_in_other_files_are_not_read(file, secret):
    outside = [(str(secret / "secret.bin"), 0, 20)]
    replace(file, lambda f: f.create_dataset(BIAS, (5,), "float32", external=outside))
    assert "not a plain float32 array" in refusal(file)


def test_numbers_mapped_from_other_files_are_not_read(file, secret):
    layout = h5py.VirtualLayout((5,), "float32")
    layout[:] = h5py.VirtualSource(str(secret / "secret.hdf5"), "numbers", (5,))
    replace(file, lambda f: f.create_virtual_dataset(BIAS, layout))
    assert "not a plain float32 array" in refusal(file)


def test_compressed_numbers_are_not_unpacked(file):
    bomb = {"shape": (1 << 30,), "dtype": "float32", "compression": "gzip"}
    replace(file, lambda f: f.create_dataset(BIAS, **bomb))
    assert "not a plain float32 array" in refusal(file)


def test_numbers_that_are_not_there_are_not_made_up(file):
    replace(file, lambda f: f.create_dataset(BIAS, (1 << 40,), "float32"))
    assert "fewer bytes than its shape" in refusal(file)
    assert os.path.getsize(file) < 10_000_000


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.ref_dtype, "float64", ">f4"])
def test_objects_references_and_other_numbers_are_refused(file, dtype):
    replace(file, lambda f: f.create_dataset(BIAS, (5,), dtype))
    assert "not a plain float32 array" in refusal(file)


def test_names_that_are_objects_are_refused(file):
    def edit(f):
        f["dense_1"].attrs.create("weight_names", [f.ref, f.ref], dtype=h5py.ref_dtype)

    assert "does not hold strings" in refusal(change(file, edit))


def test_names_that_are_not_there_are_refused(file):
    nothing = h5py.Empty("S1")
    change(file, lambda f: f["dense_1"].attrs.create("weight_names", nothing))
    assert "does not hold strings" in refusal(file)


def test_a_layer_named_twice_is_refused(file):
    def edit(f):
        f.attrs.create("layer_names", np.array([*f.attrs["layer_names"], b"dense_1"]))

    assert "names a layer twice" in refusal(change(file, edit))


def test_many_layers_that_share_their_numbers_are_refused(file):
    def edit(f):
        names = [f"convolution1d_{i}" for i in range(100, 150)]
        for name in names:
            parts = [f"{name}_W", f"{name}_b"]
            group = f.create_group(name)
            group.attrs.create("weight_names", np.array(parts, "S"))
            for part, shared in zip(parts, "Wb", strict=True):
                group[part] = f[f"convolution1d_2/convolution1d_2_{shared}"]
        f.attrs.create("layer_names", np.array(names, "S"))

    assert "share their numbers" in refusal(change(file, edit))


def test_names_that_may_all_be_one_long_text_are_refused(file):
    def edit(f):
        f.attrs.create(
            "layer_names", [f"dense_{i}" for i in range(3500)], dtype=h5py.string_dtype()
        )

    assert "attribute 'layer_names' of / may take" in refusal(change(file, edit))


def test_a_type_that_numpy_does_not_know_is_refused(file):
    def make(f):
        space = h5py.h5s.create_simple((5,))
        h5py.h5d.create(f["dense_1"].id, b"dense_1_b", h5py.h5t.UNIX_D32LE, space)

    replace(file, make)
    assert "is not a HDF5 file, or damaged" in refusal(file)
