"""The loops of `fnn.plain`, to be compiled by numba: the same names, arguments and bits.

One number after the other, in the order of the indices, with nothing but + − × ÷ √ and comparisons, each of which
IEEE 754 rounds exactly. The annotations say which types they are compiled for; what is only read may be read-only.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

# C-contiguous arrays of the loop's dtype, read or written; of the data's dtype; of float64; of integers.
Vector: TypeAlias = Any
Matrix: TypeAlias = Any
OutVector: TypeAlias = Any
OutMatrix: TypeAlias = Any
OutWide: TypeAlias = Any
Indices: TypeAlias = Any
Bits: TypeAlias = Any  # 16 each
Number: TypeAlias = Any  # of the loop's dtype
Count: TypeAlias = Any


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


def outer(a: Vector, b: Vector, out: OutMatrix) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = a[i] * b[j]


def column_sums(a: Matrix, out: OutVector) -> None:
    out[:] = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[i, j]


def shift(z: Matrix, s: OutMatrix) -> None:
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        most = z[i, 0]
        for j in range(1, z.shape[1]):
            if z[i, j] > most or z[i, j] != z[i, j]:
                most = z[i, j]
        most += zero
        for j in range(z.shape[1]):
            s[i, j] = z[i, j] - most


def others(e: Matrix, out: OutVector) -> None:
    for i in range(e.shape[0]):
        at, total = 0, e.dtype.type(0)
        for j in range(1, e.shape[1]):
            if e[i, j] > e[i, at] or (e[i, j] != e[i, j] and e[i, at] == e[i, at]):
                at = j
        for j in range(e.shape[1]):
            if j != at:
                total += e[i, j]
        out[i] = total


def shares(e: OutMatrix) -> None:
    for i in range(e.shape[0]):
        total = e.dtype.type(0)
        for j in range(e.shape[1]):
            total += e[i, j]
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


def label_head(e: OutMatrix, y: Indices, share: Number, rest: OutVector, dz: OutMatrix) -> int:
    zero, right = e.dtype.type(0), 0
    for i in range(e.shape[0]):
        at, total, all_but = 0, zero, zero
        for j in range(1, e.shape[1]):
            if e[i, j] > e[i, at] or (e[i, j] != e[i, j] and e[i, at] == e[i, at]):
                at = j
        for j in range(e.shape[1]):
            total += e[i, j]
            if j != at:
                all_but += e[i, j]
        rest[i] = all_but
        at, all_but = 0, zero
        for j in range(e.shape[1]):
            e[i, j] /= total
            if e[i, j] > e[i, at] or (e[i, j] != e[i, j] and e[i, at] == e[i, at]):
                at = j
            if j != y[i]:
                all_but += e[i, j]
        right += at == y[i]
        for j in range(e.shape[1]):
            dz[i, j] = (-all_but if j == y[i] else e[i, j]) * share
    return right


def label_loss(s: Matrix, log_sum: Vector, y: Indices) -> float:
    total = 0.0
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            if j == y[i]:
                total += log_sum[i] - s[i, j]
    return total


def neg_abs(z: Matrix, s: OutMatrix) -> None:
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            s[i, j] = -abs(z[i, j])


def binary_rows(z: Matrix, logs: Matrix, y: Matrix, over: Number, out: OutVector) -> None:
    zero, one = z.dtype.type(0), z.dtype.type(1)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            above = zero if z[i, j] <= zero else z[i, j]
            below = zero if z[i, j] >= zero else -z[i, j]
            value = above * (one - y[i, j]) + below * y[i, j] + logs[i, j]
            out[i] = value if j == 0 else out[i] + value
        out[i] /= over


def binary_head(z: Matrix, e: Matrix, y: Matrix, over: Number, share: Number, dz: OutMatrix) -> int:
    zero, half, one, right = z.dtype.type(0), z.dtype.type(0.5), z.dtype.type(1), 0
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            a = (one if z[i, j] >= zero else e[i, j]) / (one + e[i, j])
            less = (one if z[i, j] <= zero else e[i, j]) / (one + e[i, j])
            dz[i, j] = (a * (one - y[i, j]) - less * y[i, j]) / over * share
            right += (a >= half) == (y[i, j] >= half)
    return right


def squared_rows(a: Matrix, y: Matrix, over: Number, out: OutVector) -> None:
    for i in range(a.shape[0]):
        out[i] = 0
        for j in range(a.shape[1]):
            out[i] += (a[i, j] - y[i, j]) * (a[i, j] - y[i, j])
        out[i] /= over


def squared_head(a: Matrix, y: Matrix, over: Number, share: Number, dz: OutMatrix) -> float:
    zero, two, total = a.dtype.type(0), a.dtype.type(2), 0.0
    for i in range(a.shape[0]):
        row = zero
        for j in range(a.shape[1]):
            row += (a[i, j] - y[i, j]) * (a[i, j] - y[i, j])
            dz[i, j] = two * (a[i, j] - y[i, j]) / over * share
        total += row / over
    return total


def total(a: Vector) -> float:
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i]
    return total


def mask(bits: Bits, drop: Count, scale: Number, out: OutVector) -> None:
    zero = out.dtype.type(0)
    for i in range(len(out)):
        out[i] = scale if bits[i] >= drop else zero


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


def drop_tiny(v: OutVector, least: Number) -> None:
    zero = v.dtype.type(0)
    for i in range(len(v)):
        v[i] = zero if abs(v[i]) < least else v[i]
