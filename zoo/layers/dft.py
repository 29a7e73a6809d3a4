"""Magnitudes of a DFT by matrix products alone, with almost no rounding errors.

For spectrograms with long windows. There the plain product with a (samples, bins) matrix is most of
a network's arithmetic, and float32 is too coarse for the logarithm of quiet bands.

The matrices are computed with NumPy alone: ONNX Runtime needs them where no framework is installed.
So Keras is imported by the methods that compute with tensors, and not above.
"""

import math

import numpy as np


class SplitMatrix:
    """A constant matrix for products whose rounding errors are far below float32's.

    The large parts of both factors are rounded to so few bits that float32 sums their products
    without rounding; the small rest is multiplied separately. A plain float32 product spreads
    rounding errors of the loudest partials over all bins, 100 dB below. Almost silent bands can be
    as quiet, and a logarithm makes that visible.

    Args:
        matrix: (..., inputs, outputs), values of at most 1.
        steps: the inputs' large part is a multiple of 1 / steps, a power of two.
    """

    def __init__(self, matrix: np.ndarray, steps: int):
        high = np.round(matrix * 256) / 256
        self.steps = steps
        self.high = high.astype("float32")
        self.low = (matrix - high).astype("float32")

    def product(self, x, small=0.0):
        """Multiply x + small with the matrix.

        Args:
            x: (..., inputs), the large part.
            small: (..., inputs), the rest.

        Returns:
            Two tensors (..., outputs): a large part without rounding errors, and the rest.
        """
        from keras import ops  # not above: see the top of this file

        high = ops.round(x * self.steps) * (1 / self.steps)
        rest = ops.matmul((x - high) + small, self.high) + ops.matmul(x + small, self.low)
        return ops.matmul(high, self.high), rest


class TwoStepDFT:
    """Magnitudes of the DFT of real frames as two small matrix products (Cooley and Tukey, 1965).

    With n = a b, sample b i + j and bin k + a l, the sum over i is a product with an (a, a) matrix
    and the sum over j one with a (b, b) matrix for each k. For n = 4096 that is a sixth of the
    arithmetic of the whole matrix, although `SplitMatrix` multiplies three times. Frames are real,
    so k stops at a / 2; the rest would be mirror images. The order of the last axis of the result
    is special; `rows` gives a matrix the same order.

    Args:
        window: (n,), at most 1.
        n_bins: number of the lowest bins to compute; most of the others are omitted.

    Attributes:
        bank: filters in the order of the result, from `rows`; for the user of the object.
    """

    bank: np.ndarray

    def __init__(self, window: np.ndarray, n_bins: int):
        n = len(window)
        self.a = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
        self.b = n // self.a
        self.n_k = self.a // 2 + 1
        i, j, k = np.arange(self.a), np.arange(self.b), np.arange(self.n_k)
        bins = k[:, None] + self.a * j  # (k, l)
        wanted = np.minimum(bins, n - bins) < n_bins
        bins = bins[:, wanted.any(axis=0)]
        first = np.exp(-2j * np.pi * np.outer(i, k) / self.a)
        first = window.reshape(self.a, self.b).T[:, :, None] * first  # (j, i, k)
        second = np.exp(-2j * np.pi * ((j[:, None] * bins[:, None]) % n) / n)  # (k, j, l)
        real, imaginary = second.real, second.imag
        second = np.block([[real, imaginary], [-imaginary, real]])  # (k, 2 j, 2 l)
        self.first = SplitMatrix(np.concatenate([first.real, first.imag], axis=-1), 512)
        self.second = SplitMatrix(second, 64)
        self.bins = np.minimum(bins, n - bins).reshape(-1)

    def rows(self, bank: np.ndarray) -> np.ndarray:
        """Reorder the rows of a matrix for a product with `magnitudes`.

        Args:
            bank: (bins, bands).

        Returns:
            (bins in the order of `magnitudes`, bands), float32.
        """
        bins, first = np.unique(self.bins, return_index=True)  # a few bins occur twice
        rows = np.zeros((len(self.bins), bank.shape[1]), dtype="float32")
        wanted = bins < len(bank)
        rows[first[wanted]] = bank[bins[wanted]]
        return rows

    def magnitudes(self, frames):
        """Return the magnitudes: (..., n) -> (frames, bins in the order of `rows`)."""
        from keras import ops  # not above: see the top of this file

        x = ops.transpose(ops.reshape(frames, (-1, self.a, self.b)), (2, 0, 1))
        x = ops.reshape(
            x, (-1, self.a)
        )  # PyTorch copies the values once, here, instead of at each use
        x = ops.reshape(x, (self.b, -1, self.a))  # (j, frames, i)
        x = [self._by_k(part) for part in self.first.product(x)]  # 2 of (k, frames, 2 j)
        large, small = self.second.product(*x)
        real, imaginary = ops.split(large + small, 2, axis=-1)
        power = ops.square(real) + ops.square(imaginary)  # (k, frames, l)
        silent = power == 0  # the square root has no finite gradient there
        x = ops.where(silent, 0.0, ops.sqrt(ops.where(silent, 1.0, power)))
        return ops.reshape(ops.transpose(x, (1, 0, 2)), (-1, len(self.bins)))

    def _by_k(self, x):
        """(j, frames, 2 k) -> (k, frames, 2 j)."""
        from keras import ops  # not above: see the top of this file

        # In two steps, which is 5 times as fast in ONNX Runtime as one that moves both axes.
        x = ops.transpose(ops.reshape(x, (self.b, -1)))  # (frames 2 k, j)
        x = ops.transpose(ops.reshape(x, (-1, self.n_k, self.b)), (1, 0, 2))  # (k, 2 frames, j)
        return ops.reshape(x, (self.n_k, -1, 2 * self.b))
