"""The loops of `fnn.plain`, to be compiled by numba: the same names, arguments and bits.

One number after the other, in the order of the indices, with nothing but + − × ÷ √ and comparisons, each of which
IEEE 754 rounds exactly. The annotations say which types they are compiled for; what is only read may be read-only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, TypeAlias

import numpy as np

# C-contiguous arrays of the loop's dtype, read or written; of the data's dtype; of float64; of integers.
Vector: TypeAlias = Any
Matrix: TypeAlias = Any
OutVector: TypeAlias = Any
OutMatrix: TypeAlias = Any
Given: TypeAlias = Any
OutWide: TypeAlias = Any
Indices: TypeAlias = Any
OutIndices: TypeAlias = Any
Bits: TypeAlias = Any  # 16 each
Number: TypeAlias = Any  # of the loop's dtype
Count: TypeAlias = Any
Flag: TypeAlias = Any


def compile_loop(name: str, dtype: np.dtype[Any], given: str) -> Callable[..., Any]:
    """The loop of that name for arrays of that dtype, from numba's cache on disk where it was compiled before."""
    import numba

    number, index = numba.from_dtype(dtype), numba.intp
    data = numba.from_dtype(np.dtype(given)) if given else None

    def array(kind: Any, axes: int, *, out: bool = False) -> Any:
        return numba.types.Array(kind, axes, "C", readonly=not out)

    types = {
        "Vector": array(number, 1),
        "Matrix": array(number, 2),
        "OutVector": array(number, 1, out=True),
        "OutMatrix": array(number, 2, out=True),
        "Number": number,
        "OutWide": array(numba.float64, 1, out=True),
        "Given": array(data, 2),
        "Indices": array(index, 1),
        "OutIndices": array(index, 1, out=True),
        "Bits": array(numba.uint16, 1),
        "Count": index,
        "Flag": numba.boolean,
    }
    loop = globals()[name]
    returned = numba.void if loop.__annotations__["return"] == "None" else numba.intp
    of = returned(*(types[parameter.annotation] for parameter in signature(loop).parameters.values()))
    # without the error model no loop that divides is vectorized
    compiler: Callable[..., Any] = partial(numba.njit, of, nogil=True, error_model="numpy")
    made: Callable[..., Any]
    try:
        made = compiler(cache=True)(loop)
    except RuntimeError:  # no folder that its cache can be written to
        made = compiler()(loop)
    return made


def rows(x: Given, index: Indices, scale: Number, out: OutMatrix) -> None:
    touched = 0.0  # one number of each cache line, so that the memory is asked for all of them at once
    for i in range(out.shape[0]):
        for j in range(0, x.shape[1], 64 // x.itemsize):
            touched += x[index[i], j]
    out[0, 0] = touched
    for i in range(out.shape[0]):
        row = index[i]
        for j in range(out.shape[1]):
            out[i, j] = x[row, j]
            out[i, j] *= scale


def add_bias(z: OutMatrix, bias: Vector) -> None:
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] += bias[j]


def relu(z: Matrix, a: OutMatrix) -> None:
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            a[i, j] = zero if z[i, j] <= zero else z[i, j]


def relu_vjp(z: Matrix, da: Matrix, dz: OutMatrix) -> None:
    zero, one = z.dtype.type(0), z.dtype.type(1)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            dz[i, j] = da[i, j] * (one if z[i, j] > zero else zero)


def column_sums(a: Matrix, out: OutVector) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[i, j]


def shift(z: Matrix, s: OutMatrix, top: OutIndices) -> None:
    for i in range(z.shape[0]):
        at = 0
        for j in range(1, z.shape[1]):
            if z[i, j] > z[i, at] or (z[i, j] != z[i, j] and z[i, at] == z[i, at]):
                at = j
        top[i] = at
        most = z[i, at]
        for j in range(z.shape[1]):
            s[i, j] = z[i, j] - most


def others(e: Matrix, top: Indices, out: OutVector) -> None:
    for i in range(e.shape[0]):
        total = e.dtype.type(0)
        for j in range(e.shape[1]):
            if j != top[i]:
                total += e[i, j]
        out[i] = total


def shares(e: OutMatrix, top: Indices) -> None:
    one = e.dtype.type(1)
    for i in range(e.shape[0]):
        total = e.dtype.type(0)
        for j in range(e.shape[1]):
            if j != top[i]:
                total += e[i, j]
        total += one
        for j in range(e.shape[1]):
            e[i, j] /= total


def label_rows(s: Matrix, log_sum: Vector, y: Indices, out: OutVector) -> None:
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            if j == y[i]:
                out[i] = log_sum[i] - s[i, j]


def label_vjp(a: Matrix, y: Indices, dz: OutMatrix) -> None:
    for i in range(a.shape[0]):
        total = a.dtype.type(0)
        for j in range(a.shape[1]):
            if j != y[i]:
                total += a[i, j]
        for j in range(a.shape[1]):
            dz[i, j] = -total if j == y[i] else a[i, j]


def label_head(e: OutMatrix, top: Indices, y: Indices, rest: OutVector, dz: OutMatrix) -> None:
    zero, one = e.dtype.type(0), e.dtype.type(1)
    for i in range(e.shape[0]):
        total = zero
        for j in range(e.shape[1]):
            if j != top[i]:
                total += e[i, j]
        rest[i] = total
        total += one
        others = zero
        for j in range(e.shape[1]):
            e[i, j] /= total
            if j != y[i]:
                others += e[i, j]
        for j in range(e.shape[1]):
            dz[i, j] = -others if j == y[i] else e[i, j]


def count_right(a: Matrix, y: Indices) -> int:
    right = 0
    for i in range(a.shape[0]):
        at = 0
        for j in range(1, a.shape[1]):
            if a[i, j] > a[i, at] or (a[i, j] != a[i, j] and a[i, at] == a[i, at]):
                at = j
        right += at == y[i]
    return right


def dropout(x: Matrix, bits: Bits, drop: Count, scale: Number, mask: OutMatrix, out: OutMatrix) -> None:
    zero, columns = x.dtype.type(0), x.shape[1]
    for i in range(x.shape[0]):
        for j in range(columns):
            mask[i, j] = scale if bits[i * columns + j] >= drop else zero
            out[i, j] = x[i, j] * mask[i, j]


def wide_sums(a: Matrix, out: OutWide) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[i, j]


def wide_squares(a: Matrix, out: OutWide) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            wide = np.float64(a[i, j])
            out[j] += wide * wide


def less_row(a: Matrix, row: Vector, out: OutMatrix) -> None:
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = a[i, j] - row[j]


def affine(a: OutMatrix, scale: Vector, weight: Vector, bias: Vector, out: OutMatrix) -> None:
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] *= scale[j]
            out[i, j] = a[i, j] * weight[j] + bias[j]


def product_sums(a: Matrix, b: Matrix, out: OutVector) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[i, j] * b[i, j]


def norm_vjp(
    dz: Matrix, normal: Matrix, slope: Vector, db: Vector, dw: Vector, n: Number, dx: OutMatrix
) -> None:  # fmt: skip
    for i in range(dz.shape[0]):
        for j in range(dz.shape[1]):
            dx[i, j] = slope[j] * (dz[i, j] - (db[j] + normal[i, j] * dw[j]) / n)


def scale_columns(a: Matrix, scale: Vector, out: OutMatrix) -> None:
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = a[i, j] * scale[j]


def add_l1(g: OutMatrix, w: Matrix, l1: Number) -> None:
    zero, one = w.dtype.type(0), w.dtype.type(1)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            value = w[i, j]
            sign = one if value > zero else -one if value < zero else value + zero
            g[i, j] += l1 * sign


def add_l2(g: OutMatrix, w: Matrix, l2: Number) -> None:
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            g[i, j] += l2 * w[i, j]


# The optimizers' updates; they return how many sums of a new number and its gradient are not finite.


def sgd(w: Vector, g: Vector, rate: Number, w_new: OutVector) -> int:
    odd = 0
    for i in range(len(w)):
        w_new[i] = w[i] - g[i] * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def momentum(
    w: Vector, g: Vector, v: Vector, rate: Number, mu: Number, nesterov: Flag, w_new: OutVector, v_new: OutVector
) -> int:
    odd = 0
    for i in range(len(w)):
        velocity = v[i] * mu + g[i]
        v_new[i] = velocity
        w_new[i] = w[i] - (velocity * mu + g[i] if nesterov else velocity) * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def rmsprop(
    w: Vector, g: Vector, v: Vector, rate: Number, decay: Number, fresh: Number, epsilon: Number,
    w_new: OutVector, v_new: OutVector,
) -> int:  # fmt: skip
    odd = 0
    for i in range(len(w)):
        square = v[i] * decay + g[i] * g[i] * fresh
        v_new[i] = square
        w_new[i] = w[i] - g[i] / (math.sqrt(square) + epsilon) * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def lion(
    w: Vector, g: Vector, m: Vector, rate: Number, beta1: Number, fresh1: Number, beta2: Number, fresh2: Number,
    keep: Number, w_new: OutVector, m_new: OutVector,
) -> int:  # fmt: skip
    zero, one = w.dtype.type(0), w.dtype.type(1)
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        m_new[i] = m[i] * beta2 + g[i] * fresh2
        sign = one if mean > zero else -one if mean < zero else mean + zero
        w_new[i] = w[i] * keep - sign * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def adam(
    w: Vector, g: Vector, m: Vector, v: Vector,
    rate: Number, beta1: Number, fresh1: Number, beta2: Number, fresh2: Number, epsilon: Number, keep: Number,
    w_new: OutVector, m_new: OutVector, v_new: OutVector,
) -> int:  # fmt: skip
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        w_new[i] = w[i] * keep - mean / (math.sqrt(square) + epsilon) * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def nadam(
    w: Vector, g: Vector, m: Vector, v: Vector,
    rate: Number, beta1: Number, fresh1: Number, beta2: Number, fresh2: Number, epsilon: Number,
    ahead: Number, now: Number, w_new: OutVector, m_new: OutVector, v_new: OutVector,
) -> int:  # fmt: skip
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        w_new[i] = w[i] - (mean * ahead + g[i] * now) / (math.sqrt(square) + epsilon) * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd


def amsgrad(
    w: Vector, g: Vector, m: Vector, v: Vector, most: Vector,
    rate: Number, beta1: Number, fresh1: Number, beta2: Number, fresh2: Number, epsilon: Number,
    w_new: OutVector, m_new: OutVector, v_new: OutVector, most_new: OutVector,
) -> int:  # fmt: skip
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        most_new[i] = square if square > most[i] or square != square else most[i]
        w_new[i] = w[i] - mean / (math.sqrt(most_new[i]) + epsilon) * rate
        spread = w_new[i] + g[i]
        odd += spread - spread != spread - spread
    return odd
