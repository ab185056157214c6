"""The optimizers' elementwise passes over whole vectors, each into fresh arrays.

Block by block, so that what one operation writes is still in the cache for the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BLOCK = 1 << 18  # a smaller one is no faster to go through, and each costs the calls again


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


def rmsprop(
    w: Floats, g: Floats, v: Floats, rate: float, decay: float, fresh: float, epsilon: float
) -> tuple[Floats, Floats]:
    """v' = decay · v + fresh · g², and w − rate · g / (√v' + epsilon)."""
    w_new, v_new = np.empty_like(w), np.empty_like(v)
    for s in _blocks(len(w)):
        square, step = v_new[s], w_new[s]
        _add_square(v[s], decay, g[s], fresh, square, step)
        _descend(w[s], g[s], square, rate, epsilon, 1, step)
    return w_new, v_new


def lion(
    w: Floats, g: Floats, m: Floats, rate: float, beta1: float, beta2: float, keep: float
) -> tuple[Floats, Floats]:
    """m' = beta2 · m + (1 − beta2) · g, and keep · w − rate · sign(beta1 · m + (1 − beta1) · g)."""
    w_new, m_new = np.empty_like(w), np.empty_like(m)
    for s in _blocks(len(w)):
        mean, step = m_new[s], w_new[s]
        _mix(m[s], beta1, g[s], mean, step)
        sign = np.sign(mean)
        _mix(m[s], beta2, g[s], mean, step)
        sign *= rate
        np.subtract(w[s] if keep == 1 else w[s] * keep, sign, out=step)
    return w_new, m_new


def adam(
    w: Floats, g: Floats, m: Floats, v: Floats,
    rate: float, beta1: float, beta2: float, epsilon: float,
    *, keep: float = 1, ahead: tuple[float, float] | None = None, most: Floats | None = None,
) -> tuple[Floats, ...]:  # fmt: skip
    """m' = beta1 · m + (1 − beta1) · g, v' = beta2 · v + (1 − beta2) · g², keep · w − rate · n / (√d + epsilon).

    n is m', or with `ahead` ahead[0] · m' + ahead[1] · g; d is v', or with `most` its largest so far, returned last.
    """
    w_new, m_new, v_new, *most_new = (np.empty_like(a) for a in (w, m, v, most) if a is not None)
    for s in _blocks(len(w)):
        mean, square, step = m_new[s], v_new[s], w_new[s]
        _mix(m[s], beta1, g[s], mean, step)
        _add_square(v[s], beta2, g[s], 1 - beta2, square, step)
        if most is not None:
            square = np.maximum(most[s], square, out=most_new[0][s])
        top = mean if ahead is None else ahead[0] * mean + ahead[1] * g[s]
        _descend(w[s], top, square, rate, epsilon, keep, step)
    return w_new, m_new, v_new, *most_new


def _descend(w: Floats, top: Floats, square: Floats, rate: float, epsilon: float, keep: float, out: Floats) -> None:
    """Out = keep · w − rate · top / (√square + epsilon)."""
    np.sqrt(square, out=out)
    out += epsilon
    np.divide(top, out, out=out)
    out *= rate
    np.subtract(w if keep == 1 else w * keep, out, out=out)


def _mix(m: Floats, beta: float, g: Floats, out: Floats, spare: Floats) -> None:
    """Out = beta · m + (1 − beta) · g, by way of `spare`."""
    np.multiply(g, 1 - beta, out=spare)
    np.multiply(m, beta, out=out)
    out += spare


def _add_square(v: Floats, decay: float, g: Floats, fresh: float, out: Floats, spare: Floats) -> None:
    """Out = decay · v + fresh · g², by way of `spare`."""
    np.multiply(g, g, out=spare)
    spare *= fresh
    np.multiply(v, decay, out=out)
    out += spare
