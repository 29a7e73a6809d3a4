import keras
import numpy as np
import pytest

from zoo.layers.dft import SplitMatrix, TwoStepDFT


def magnitudes(frames, window, n_bins):
    """Magnitudes in the order of the bins, as a product with the identity gives them."""
    dft = TwoStepDFT(window, n_bins)
    found = keras.ops.convert_to_numpy(dft.magnitudes(keras.ops.convert_to_tensor(frames)))
    return found @ dft.rows(np.eye(n_bins))


@pytest.fixture
def frames():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (5, 4096)).astype("float32")


@pytest.mark.parametrize("n", [4096, 2048, 1024, 400, 30, 2])
def test_magnitudes_are_those_of_an_fft(frames, n):
    window = np.hanning(n + 2)[1:-1]
    theirs = np.abs(np.fft.rfft(frames[:, :n] * window, axis=1))
    ours = magnitudes(frames[:, :n], window, n // 2 + 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * n**0.5)


def test_bins_that_are_not_wanted_are_left_out(frames):
    window = np.hanning(1024)
    theirs = np.abs(np.fft.rfft(frames[:, :1024] * window, axis=1))[:, :300]
    np.testing.assert_allclose(magnitudes(frames[:, :1024], window, 300), theirs, atol=1e-5)
    assert len(TwoStepDFT(window, 300).bins) < len(TwoStepDFT(window, 512).bins)


def test_quiet_bins_beside_a_loud_tone_are_heard_better_than_by_an_fft_in_float32():
    noise = np.random.default_rng(0).integers(-1, 2, (20, 4096))  # the last bit of 16
    tone = np.round(16384 * np.sin(2 * np.pi * 220 / 44100 * np.arange(4096)))
    frames, window = (tone + noise) / 32768, np.hanning(4096)
    quiet = slice(1000, 1486)
    exact = np.abs(np.fft.rfft(frames * window, axis=1))[:, quiet]
    plain = np.fft.rfft(frames.astype("float32") * window.astype("float32"), axis=1)
    assert plain.dtype == "complex64"
    plain_error = np.abs(np.abs(plain[:, quiet]) - exact).max()
    ours = magnitudes(frames.astype("float32"), window, 1486)[:, quiet]
    assert np.abs(ours - exact).max() < plain_error / 10


def test_silence_is_exactly_zero_with_a_finite_gradient():
    keras.utils.set_random_seed(0)
    dft = TwoStepDFT(np.hanning(64), 32)
    inputs = keras.Input((64,))
    layer = keras.layers.Dense(64, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(inputs, MagnitudesLayer(dft)(layer(inputs)))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(np.ones((2, 64), "float32"), np.ones((2, len(dft.bins)), "float32"))
    assert np.isfinite(layer.get_weights()[0]).all()


class MagnitudesLayer(keras.layers.Layer):
    def __init__(self, dft):
        super().__init__()
        self.dft = dft

    def call(self, x):
        return self.dft.magnitudes(x)


def test_split_product_is_the_product_with_far_less_rounding():
    rng = np.random.default_rng(0)
    x, matrix = rng.uniform(-1, 1, (100, 64)).astype("float32"), rng.uniform(-1, 1, (64, 64))
    exact = x.astype("float64") @ matrix
    parts = SplitMatrix(matrix, 512).product(keras.ops.convert_to_tensor(x))
    large, small = (keras.ops.convert_to_numpy(part).astype("float64") for part in parts)
    plain = x @ matrix.astype("float32")
    assert np.abs(large + small - exact).max() < np.abs(plain - exact).max() / 50
