"""The inner loops in NumPy: each writes into the arrays that it is handed last.

Sums run over the rows, and within a row over the columns, in the order of the indices, so that `fnn.compiled`, whose
functions have the same names, arguments and bits, can add in the same order. NumPy itself adds eight contiguous
numbers or more in lanes; `accumulate` does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]

BLOCK = 1 << 18  # numbers of a vector at once, so that what one operation writes is in the cache for the next


def rows(x: Array, index: Array, scale: Any, out: Floats) -> None:
    """Row index[i] of x, cast and then times scale."""
    if x.dtype == out.dtype:
        np.take(x, index, axis=0, out=out, mode="clip")
    else:
        out[...] = x.take(index, axis=0, mode="clip")
    if scale != 1:
        np.multiply(out, scale, out=out)


def add_bias(z: Floats, bias: Floats) -> None:
    """z + bias, in place."""
    np.add(z, bias, out=z)


def relu(z: Floats, a: Floats) -> None:
    """0 where z ≤ 0, else z."""
    np.maximum(z, np.zeros(z.shape[1:], z.dtype), out=a)  # NumPy's vector loop takes no scalar


def relu_vjp(z: Floats, da: Floats, dz: Floats) -> None:
    """Write da · [z > 0]."""
    np.multiply(da, z > 0, out=dz)


def outer(a: Floats, b: Floats, out: Floats) -> None:
    """Write a[i] · b[j]."""
    np.multiply(a[:, None], b, out=out)


def column_sums(a: Floats, out: Floats) -> None:
    """Σᵢ a[i]."""
    if a.shape[1] == 1:
        out[...] = np.add.accumulate(a[:, 0])[-1] + 0  # 0, not −0, as the sum that begins with it
    else:
        np.add.reduce(a, axis=0, out=out, initial=0)


def shift(z: Floats, s: Floats) -> None:
    """z less each row's largest number."""
    most = np.maximum.reduce(z, axis=1, keepdims=True)
    most += 0  # of 0 and −0 either may be the largest
    np.subtract(z, most, out=s)


def _places(index: Array, columns: int) -> Array:
    """Where in the flat array column index[i] of row i is."""
    places: Array = index + np.arange(0, len(index) * columns, columns)
    return places


def _others(a: Floats, index: Array, out: Floats) -> None:
    rest = a.copy()
    rest.reshape(-1)[_places(index, a.shape[1])] = 0
    out[...] = np.add.accumulate(rest, axis=1)[:, -1]


def others(e: Floats, out: Floats) -> None:
    """Each row's sum without its largest number, the first of them."""
    _others(e, e.argmax(axis=1), out)


def shares(e: Floats) -> None:
    """Each row over its sum, in place."""
    np.divide(e, np.add.accumulate(e, axis=1)[:, -1:], out=e)


def label_rows(s: Floats, log_sum: Floats, y: Array, out: Floats) -> None:
    """log_sum − s[i, y[i]]."""
    np.subtract(log_sum, np.take(s, _places(y, s.shape[1])), out=out)


def label_vjp(a: Floats, y: Array, dz: Floats) -> None:
    """a, and in place of the number at y minus the sum of the others."""
    rest = np.empty(len(a), a.dtype)
    _others(a, y, rest)
    dz[...] = a
    dz.reshape(-1)[_places(y, a.shape[1])] = -rest


def label_head(e: Floats, y: Array, share: Any, rest: Floats, dz: Floats) -> int:
    """`others` and `shares` of e, share · `label_vjp` of these, and how many have their largest at y."""
    others(e, rest)
    shares(e)
    label_vjp(e, y, dz)
    np.multiply(dz, share, out=dz)
    return int(np.count_nonzero(e.argmax(axis=1) == y))


def label_loss(s: Floats, log_sum: Floats, y: Array) -> float:
    """Σᵢ log_sum[i] − s[i, y[i]], added in float64."""
    rows = np.empty_like(log_sum)
    label_rows(s, log_sum, y, rows)
    return total(rows)


def neg_abs(z: Floats, s: Floats) -> None:
    """Write −|z|."""
    np.abs(z, out=s)
    np.negative(s, out=s)


def binary_rows(z: Floats, logs: Floats, y: Floats, over: Any, out: Floats) -> None:
    """The row's sum of max(z, 0) · (1 − y) + max(−z, 0) · y + logs, over `over`."""
    wrong = np.maximum(z, 0) * (1 - y) + np.maximum(-z, 0) * y
    np.divide(np.add.accumulate(wrong + logs, axis=1)[:, -1], over, out=out)


def binary_head(z: Floats, e: Floats, y: Floats, over: Any, share: Any, dz: Floats) -> int:
    """Of e = exp(−|z|), the sigmoid a of z: how many are right, and (a − y) / over · share."""
    a, less = np.where(z >= 0, 1, e) / (1 + e), np.where(z <= 0, 1, e) / (1 + e)
    np.multiply((a * (1 - y) - less * y) / over, share, out=dz)
    return int(np.count_nonzero((a >= 0.5) == (y >= 0.5)))


def squared_rows(a: Floats, y: Floats, over: Any, out: Floats) -> None:
    """The row's sum of (a − y)², over `over`."""
    np.divide(np.add.accumulate(np.square(a - y), axis=1)[:, -1], over, out=out)


def squared_head(a: Floats, y: Floats, over: Any, share: Any, dz: Floats) -> float:
    """The sum of `squared_rows`, added in float64, and 2 · (a − y) / over · share."""
    rows = np.empty(len(a), a.dtype)
    squared_rows(a, y, over, rows)
    np.multiply(2 * (a - y) / over, share, out=dz)
    return total(rows)


def total(a: Floats) -> float:
    """Σᵢ a[i], added in float64."""
    return float(np.add.accumulate(a, dtype=np.float64)[-1]) + 0.0


def mask(bits: Array, drop: int, scale: Any, out: Floats) -> None:
    """Scale where the bits are at least `drop`, else 0."""
    np.multiply(bits >= drop, scale, out=out)


def wide_sums(a: Floats, out: Floats) -> None:
    """Σᵢ a[i] in float64."""
    column_sums(a.astype(np.float64, copy=False), out)


def wide_squares(a: Floats, out: Floats) -> None:
    """Σᵢ a[i]² in float64."""
    column_sums(np.square(a, dtype=np.float64), out)


def less_row(a: Floats, row: Floats, out: Floats) -> None:
    """Write a − row."""
    np.subtract(a, row, out=out)


def affine(a: Floats, scale: Floats, weight: Floats, bias: Floats, out: Floats) -> None:
    """Multiply a by scale, in place, and write that · weight + bias."""
    np.multiply(a, scale, out=a)
    np.multiply(a, weight, out=out)
    np.add(out, bias, out=out)


def product_sums(a: Floats, b: Floats, out: Floats) -> None:
    """Σᵢ a[i] · b[i]."""
    column_sums(a * b, out)


def norm_vjp(dz: Floats, normal: Floats, slope: Floats, db: Floats, dw: Floats, n: Any, dx: Floats) -> None:
    """Write slope · (dz − (db + normal · dw) / n)."""
    np.multiply(normal, dw, out=dx)
    np.add(db, dx, out=dx)
    np.divide(dx, n, out=dx)
    np.subtract(dz, dx, out=dx)
    np.multiply(slope, dx, out=dx)


def add_l1(g: Floats, w: Floats, l1: Any) -> None:
    """Add l1 · sign(w) to g, in place; the sign of 0 is 0."""
    np.add(g, l1 * np.sign(w), out=g)


def add_l2(g: Floats, w: Floats, l2: Any) -> None:
    """Add l2 · w to g, in place."""
    np.add(g, l2 * w, out=g)


def drop_tiny(v: Floats, least: Any) -> None:
    """0 for what is below `least` in size, in place."""
    v[np.abs(v) < least] = 0


# The optimizers' updates of the whole vector w along g, by settings s of its dtype; they return whether numbers of
# either may not be finite.


def blockwise(loop: Callable[..., None]) -> Callable[..., bool]:
    """The loop over vectors, block by block."""
    made = list(signature(loop).parameters).index("w_new") - 1

    @wraps(loop)
    def whole(s: Floats, *vectors: Floats) -> bool:
        for start in range(0, len(vectors[0]), BLOCK):
            loop(s, *(vector[start : start + BLOCK] for vector in vectors))
        with np.errstate(over="ignore", invalid="ignore"):  # NaN and infinity spoil the product of w_new and g
            return not math.isfinite(np.dot(vectors[made], vectors[0]))

    return whole


@blockwise
def sgd(s: Floats, g: Floats, w: Floats, w_new: Floats) -> None:
    """w − rate · g."""
    (rate,) = s
    np.multiply(g, rate, out=w_new)
    np.subtract(w, w_new, out=w_new)


@blockwise
def momentum(s: Floats, g: Floats, w: Floats, v: Floats, w_new: Floats, v_new: Floats) -> None:
    """v' = mu · v + g, and w − rate · v', or with nesterov w − rate · (mu · v' + g)."""
    rate, mu, nesterov = s
    np.multiply(v, mu, out=v_new)
    np.add(v_new, g, out=v_new)
    if nesterov:
        np.multiply(v_new, mu, out=w_new)
        np.add(w_new, g, out=w_new)
        np.multiply(w_new, rate, out=w_new)
    else:
        np.multiply(v_new, rate, out=w_new)
    np.subtract(w, w_new, out=w_new)


@blockwise
def rmsprop(s: Floats, g: Floats, w: Floats, v: Floats, w_new: Floats, v_new: Floats) -> None:
    """v' = decay · v + fresh · g², and w − rate · g / (√v' + epsilon)."""
    rate, decay, fresh, epsilon = s
    _add_square(v, decay, g, fresh, v_new, w_new)
    _descend(w, g, v_new, rate, epsilon, 1, w_new)


@blockwise
def lion(s: Floats, g: Floats, w: Floats, m: Floats, w_new: Floats, m_new: Floats) -> None:
    """m' = beta2 · m + fresh2 · g, and keep · w − rate · sign(beta1 · m + fresh1 · g)."""
    rate, beta1, fresh1, beta2, fresh2, keep = s
    _mix(m, beta1, g, fresh1, m_new, w_new)
    sign = np.sign(m_new)
    _mix(m, beta2, g, fresh2, m_new, w_new)
    np.multiply(sign, rate, out=sign)
    np.subtract(w if keep == 1 else w * keep, sign, out=w_new)


@blockwise
def adam(
    s: Floats, g: Floats, w: Floats, m: Floats, v: Floats, w_new: Floats, m_new: Floats, v_new: Floats
) -> None:  # fmt: skip
    """m' = beta1 · m + fresh1 · g, v' = beta2 · v + fresh2 · g², and keep · w − rate · m' / (√v' + epsilon)."""
    rate, beta1, fresh1, beta2, fresh2, epsilon, keep = s
    _mix(m, beta1, g, fresh1, m_new, w_new)
    _add_square(v, beta2, g, fresh2, v_new, w_new)
    _descend(w, m_new, v_new, rate, epsilon, keep, w_new)


@blockwise
def nadam(
    s: Floats, g: Floats, w: Floats, m: Floats, v: Floats, w_new: Floats, m_new: Floats, v_new: Floats
) -> None:  # fmt: skip
    """Adam's, with ahead · m' + now · g in place of m'."""
    rate, beta1, fresh1, beta2, fresh2, epsilon, ahead, now = s
    _mix(m, beta1, g, fresh1, m_new, w_new)
    _add_square(v, beta2, g, fresh2, v_new, w_new)
    _descend(w, ahead * m_new + now * g, v_new, rate, epsilon, 1, w_new)


@blockwise
def amsgrad(
    s: Floats, g: Floats, w: Floats, m: Floats, v: Floats, most: Floats,
    w_new: Floats, m_new: Floats, v_new: Floats, most_new: Floats,
) -> None:  # fmt: skip
    """Adam's, with the largest v' so far in place of v'."""
    rate, beta1, fresh1, beta2, fresh2, epsilon = s
    _mix(m, beta1, g, fresh1, m_new, w_new)
    _add_square(v, beta2, g, fresh2, v_new, w_new)
    np.maximum(most, v_new, out=most_new)
    _descend(w, m_new, most_new, rate, epsilon, 1, w_new)


def _descend(w: Floats, top: Floats, square: Floats, rate: Any, epsilon: Any, keep: Any, out: Floats) -> None:
    """Write keep · w − rate · top / (√square + epsilon)."""
    np.sqrt(square, out=out)
    np.add(out, epsilon, out=out)
    np.divide(top, out, out=out)
    np.multiply(out, rate, out=out)
    np.subtract(w if keep == 1 else w * keep, out, out=out)


def _mix(m: Floats, beta: Any, g: Floats, fresh: Any, out: Floats, spare: Floats) -> None:
    """Write beta · m + fresh · g, by way of `spare`."""
    np.multiply(g, fresh, out=spare)
    np.multiply(m, beta, out=out)
    np.add(out, spare, out=out)


def _add_square(v: Floats, decay: Any, g: Floats, fresh: Any, out: Floats, spare: Floats) -> None:
    """Write decay · v + fresh · g², by way of `spare`."""
    np.multiply(g, g, out=spare)
    np.multiply(spare, fresh, out=spare)
    np.multiply(v, decay, out=out)
    np.add(out, spare, out=out)
