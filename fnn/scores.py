"""Accuracy and r2: what a prediction is worth, as numbers without a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array


def accuracy(y: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The share of predictions that equal y: Σ w·[ŷ = y] / Σ w.

    Args:
        y: the labels, shape (n,), or (n, outputs) for several questions with yes or no; of integers or booleans.
        predicted: of the same shape, as `fnn.predict` returns them. Several outputs count one by one.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.

    Raises:
        TypeError: for labels that are not integers or booleans.
        ValueError: for shapes that differ, no rows, a weight below 0, or weights that are all 0.

    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]))
    0.75
    """
    y, predicted = _pair("accuracy", y, predicted, "bui")
    right = rows_right(y, predicted)
    if sample_weight is None:
        return float(right.mean())
    w = checks.weights("accuracy", sample_weight, len(y))
    return float((w * right).sum(dtype=np.float64) / w.sum(dtype=np.float64))


def rows_right(y: Array, predicted: Array) -> Array:
    """The share of each row's predictions that equal y."""
    right: Array = y == predicted
    if right.ndim == 2:
        right = right.mean(axis=1)
    return right


def r2(y: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The coefficient of determination, 1 − Σ w·(y − ŷ)² / Σ w·(y − ȳ)², its mean over outputs.

    1 is perfect, 0 is what predicting the mean ȳ gives, and there is no lower end. For an output whose y is
    constant it is 1 when it is predicted exactly, else 0, as in scikit-learn.

    Args:
        y: the targets, shape (n,) or (n, outputs).
        predicted: of the same shape.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.

    Raises:
        TypeError: for arrays that are not of real numbers.
        ValueError: for shapes that differ, no rows, NaN or infinity, a weight below 0, or weights that are all 0.

    >>> round(r2(np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0])), 6)
    0.948608
    """
    y, predicted = _pair("r2", y, predicted, "buif")
    y, predicted = (a.astype(np.float64).reshape(len(y), -1) for a in (y, predicted))
    w = np.ones(len(y)) if sample_weight is None else checks.weights("r2", sample_weight, len(y))
    y, predicted, w = y[w > 0], predicted[w > 0], w[w > 0][:, None] / w.sum()
    residual, deviation = y - predicted, y - (w * y).sum(axis=0)
    deviation -= (w * deviation).sum(axis=0)  # what the mean was rounded by
    scales = [np.abs(part).max(axis=0) for part in (residual, deviation)]  # so that no square overflows
    left, spread = (
        (w * np.square(part / np.where(scale > 0, scale, 1))).sum(axis=0)
        for part, scale in zip((residual, deviation), scales, strict=True)
    )
    constant = (y == y[0]).all(axis=0) | (spread == 0)
    with np.errstate(over="ignore"):
        ratio = left / np.where(constant, 1, spread) * np.square(scales[0] / np.where(constant, 1, scales[1]))
    each = np.where(constant, scales[0] == 0, 1 - ratio)
    return float(each.mean())


def _pair(where: str, y: ArrayLike, predicted: ArrayLike, kinds: str) -> tuple[Array, Array]:
    y, predicted = checks.numeric(where, "y", y, kinds), checks.numeric(where, "predicted", predicted, kinds)
    if y.ndim not in (1, 2) or y.size == 0:
        rule = "must have shape (n,) or (n, outputs), n at least 1"
        raise checks.problem(ValueError, where, "y", rule, str(y.shape))
    if predicted.shape != y.shape:
        rule = f"must have the shape of `y`, {y.shape}"
        raise checks.problem(ValueError, where, "predicted", rule, str(predicted.shape))
    checks.finite(where, "y", y)
    checks.finite(where, "predicted", predicted)
    return y, predicted
