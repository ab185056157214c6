"""Penalties, projection and clipping: formulas on one array."""

from __future__ import annotations

import math

import numpy as np

from fnn import kernels
from fnn.arrays import Floats


def penalty(weight: Floats, l1: float, l2: float) -> float:
    """l1 · Σ|w| + ½ l2 · Σw² (Goodfellow, Bengio and Courville 2016, section 7.1).

    >>> penalty(np.array([[1.0, -2.0]]), l1=0.1, l2=0.2)
    0.8
    """
    value = 0.0
    if l1:
        value += l1 * float(np.abs(weight).sum(dtype=np.float64))
    if l2:
        value += 0.5 * l2 * kernels.squares(weight)
    return value


def max_norm(weight: Floats, limit: float) -> Floats:
    """Each column, a unit's incoming weights, scaled down to the norm `limit` where it is longer.

    w · min(1, limit / ‖w‖₂) (Srivastava et al. 2014, section 5.1).

    >>> max_norm(np.array([[3.0, 0.3], [4.0, 0.4]]), 1.0)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    with np.errstate(over="ignore"):
        norms = np.sqrt(np.square(weight).sum(axis=0))
    if np.isinf(norms).any():  # the squares overflowed
        most = np.maximum(np.abs(weight).max(axis=0), 1)
        norms = most * np.sqrt(np.square(weight / most).sum(axis=0))
    norms = norms.astype(np.float64)  # a limit may be beyond float32
    scale: Floats = (limit / np.maximum(norms, limit)).astype(weight.dtype)
    return weight * scale


def clip(g: Floats, value: float | None, norm: float | None) -> Floats:
    """Each number clipped to ±value, and then the whole scaled down to the norm `norm` where it is longer.

    g · min(1, norm / ‖g‖₂) (Pascanu, Mikolov and Bengio 2013, algorithm 1).

    >>> clip(np.array([3.0, -5.0]), value=4.0, norm=1.0)
    array([ 0.6, -0.8])
    """
    if value is not None:
        g = np.clip(g, -value, value)
    if norm is not None:
        with np.errstate(over="ignore"):
            length = math.sqrt(np.dot(g, g))
        if length == math.inf:  # the squares overflowed
            most = float(np.abs(g).max())
            length = most * float(np.linalg.norm(g / most))
        if length > norm:
            g = g * (norm / length)
    return g
