"""The optimizers' elementwise passes over whole vectors, each into fresh arrays.

Block by block, so that what one operation writes is still in the cache for the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BLOCK = 1 << 16


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def sgd(w: Floats, g: Floats, rate: float) -> Floats:
    """w − rate · g."""
    w_new = np.empty_like(w)
    for s in _blocks(len(w)):
        step = np.multiply(g[s], rate, out=w_new[s])
        np.subtract(w[s], step, out=step)
    return w_new


def momentum(w: Floats, g: Floats, v: Floats, rate: float, mu: float, nesterov: bool) -> tuple[Floats, Floats]:
    """v' = mu · v + g, and w − rate · v', or with nesterov w − rate · (g + mu · v')."""
    w_new, v_new = np.empty_like(w), np.empty_like(v)
    for s in _blocks(len(w)):
        velocity, step = v_new[s], w_new[s]
        np.multiply(v[s], mu, out=velocity)
        velocity += g[s]
        if nesterov:
            np.multiply(velocity, mu, out=step)
            step += g[s]
            step *= rate
        else:
            np.multiply(velocity, rate, out=step)
        np.subtract(w[s], step, out=step)
    return w_new, v_new


def rmsprop(w: Floats, g: Floats, v: Floats, rate: float, decay: float, epsilon: float) -> tuple[Floats, Floats]:
    """v' = decay · v + (1 − decay) · g², and w − rate · g / (√v' + epsilon)."""
    w_new, v_new = np.empty_like(w), np.empty_like(v)
    for s in _blocks(len(w)):
        square, step = v_new[s], w_new[s]
        _add_square(v[s], decay, g[s], square, step)
        np.sqrt(square, out=step)
        step += epsilon
        np.divide(g[s], step, out=step)
        step *= rate
        np.subtract(w[s], step, out=step)
    return w_new, v_new


def adam(
    w: Floats, g: Floats, m: Floats, v: Floats,
    rate: float, beta1: float, beta2: float, epsilon: float, keep: float,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """m' = beta1 · m + (1 − beta1) · g, v' = beta2 · v + (1 − beta2) · g², keep · w − rate · m' / (√v' + epsilon)."""
    w_new, m_new, v_new = np.empty_like(w), np.empty_like(m), np.empty_like(v)
    for s in _blocks(len(w)):
        mean, square, step = m_new[s], v_new[s], w_new[s]
        np.multiply(g[s], 1 - beta1, out=step)
        np.multiply(m[s], beta1, out=mean)
        mean += step
        _add_square(v[s], beta2, g[s], square, step)
        np.sqrt(square, out=step)
        step += epsilon
        np.divide(mean, step, out=step)
        step *= rate
        np.subtract(w[s] if keep == 1 else w[s] * keep, step, out=step)
    return w_new, m_new, v_new


def _add_square(v: Floats, decay: float, g: Floats, out: Floats, spare: Floats) -> None:
    """Out = decay · v + (1 − decay) · g², by way of `spare`."""
    np.multiply(g, g, out=spare)
    spare *= 1 - decay
    np.multiply(v, decay, out=out)
    out += spare
