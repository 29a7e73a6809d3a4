"""Fit a last, linear layer to the teachers' scores, to convergence.

It minimises the cross-entropy by L-BFGS, beginning with a layer whose output is the mean score of
each tag. The weight decay is the one with the lowest loss on the validation. The inputs of the
layer are standardised for the fit, and the standardisation is then folded into its weights.
"""

import numpy as np
from scipy.optimize import minimize

DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
Pair = tuple[np.ndarray, np.ndarray]


def fit(train: Pair, validation: Pair) -> Pair:
    """Return kernel (values, labels) and bias (labels,).

    Args:
        train: inputs of the layer (segments, values), and the teachers' scores (segments, labels).
        validation: the same for the validation split.
    """
    mean, scale = train[0].mean(axis=0), train[0].std(axis=0) + 1e-3
    inputs = [(part[0] - mean) / scale for part in (train, validation)]
    often = np.clip(train[1].mean(axis=0), 1e-6, 1 - 1e-6)
    weights = np.vstack([np.zeros((len(mean), len(often))), np.log(often / (1 - often))])
    found = []
    for decay in DECAYS:  # the strongest first; each starts where the one before ended
        weights = minimize(
            loss, weights.ravel(), (inputs[0], train[1], decay),
            jac=True, method="L-BFGS-B", options={"maxiter": 60},
        ).x.reshape(weights.shape)  # fmt: skip
        found.append((loss(weights.ravel(), inputs[1], validation[1], 0.0)[0], weights))
        print(f"decay {decay:g}: validation loss {found[-1][0]:.4f}", flush=True)
    _, best = min(found, key=lambda pair: pair[0])
    return fold(best[:-1], best[-1], mean, scale)


def scores(inputs: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the outputs of a layer: (segments, labels)."""
    return 1 / (1 + np.exp(-(inputs @ kernel + bias)))


def fold(
    kernel: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a head whose output for x is that of the given one for (x - mean) / scale."""
    folded = kernel / scale[:, None]
    return folded, bias - mean @ folded


def loss(
    weights: np.ndarray, x: np.ndarray, y: np.ndarray, decay: float
) -> tuple[float, np.ndarray]:
    """Return the cross-entropy, a mean over excerpts and tags, with decay; and its gradient."""
    weights = weights.reshape(-1, y.shape[1])
    kernel, bias = weights[:-1], weights[-1]
    z = x @ kernel.astype(x.dtype) + bias
    value = np.mean(np.logaddexp(0, z) - y * z) + decay / 2 * np.square(kernel).sum() / y.shape[1]
    error = (1 / (1 + np.exp(-z)) - y) / y.size
    gradient = np.vstack([x.T @ error.astype(x.dtype) + decay / y.shape[1] * kernel, error.sum(0)])
    return float(value), gradient.ravel().astype(float)
