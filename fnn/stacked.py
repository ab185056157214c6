"""`fnn.dense` in one compiled call each, forward and back.

The products are the calls of `gemm`, or for one row `gemv`, that NumPy makes of the same operands, in the same library;
one row's weight gradient and the sums are the loops of `fnn.plain`: the same bits, without the time that Python takes
between them. This room is imported when it is used, for it imports numba.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from fnn import blas, compiled, dense
from fnn.compiling import array, compile_as
from fnn.foreign import INT, LONG, POINTER, VOID, c_function, jit, known, types, whole

ROWS, COLUMNS, AS_IT_IS, TRANSPOSED = 101, 102, 111, 112  # of cblas.h
NAMES = [(f"scipy_cblas_{{}}{name}64_", f"cblas_{{}}{name}64_") for name in ("gemm", "gemv")]  # of NumPy's own builds
outer = jit(compiled.outer)


@known
def _gemm(
    _typing: Any, address: Any, order: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any, one: Any,
    a: Any, lda: Any, b: Any, ldb: Any, zero: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    takes = INT, INT, INT, LONG, LONG, LONG, None, POINTER, LONG, POINTER, LONG, None, POINTER, LONG
    return types.void(*[whole] * 7, one, *[whole] * 4, zero, whole, whole), c_function(VOID, *takes)


@known
def _gemv(
    _typing: Any, address: Any, order: Any, ta: Any, m: Any, n: Any, one: Any,
    a: Any, lda: Any, x: Any, step: Any, zero: Any, y: Any, jump: Any,
) -> Any:  # fmt: skip
    takes = INT, INT, LONG, LONG, None, POINTER, LONG, POINTER, LONG, None, POINTER, LONG
    return types.void(*[whole] * 5, one, *[whole] * 4, zero, whole, whole), c_function(VOID, *takes)


@jit
def _product(gemm: int, gemv: int, tb: int, n: int, units: int, k: int, a: int, b: int, ldb: int, c: Any) -> None:
    """a · b, or a · bᵀ, of n rows of k numbers, as NumPy has it made: one row or column by another function."""
    one, zero = c.dtype.type(1), c.dtype.type(0)
    if units == 1:
        _gemv(gemv, COLUMNS, TRANSPOSED, k, n, one, a, k, b, 1, zero, c.ctypes.data, 1)
    elif n > 1:
        _gemm(gemm, ROWS, AS_IT_IS, tb, n, units, k, one, a, k, b, ldb, zero, c.ctypes.data, units)
    elif tb == AS_IT_IS:
        _gemv(gemv, ROWS, TRANSPOSED, k, units, one, b, ldb, a, 1, zero, c.ctypes.data, 1)
    else:
        _gemv(gemv, ROWS, AS_IT_IS, units, k, one, b, ldb, a, 1, zero, c.ctypes.data, 1)


def forward(
    gemm: int, gemv: int, x: Any, vector: Any, widths: Any, relus: Any, drops: Any, masks: Any, work: Any
) -> None:
    """Write each layer's outputs into `work`, one after the other; the last layer's are before its activation."""
    n, size, zero = x.shape[0], vector.itemsize, vector.dtype.type(0)
    a, at, to, masked = x.ctypes.data, 0, 0, 0
    for layer in range(len(relus)):
        inputs, units = widths[layer], widths[layer + 1]
        z = work[to : to + n * units].reshape(n, units)
        _product(gemm, gemv, AS_IT_IS, n, units, inputs, a, vector.ctypes.data + at * size, units, z)
        bias = vector[at + inputs * units : at + inputs * units + units]
        if relus[layer]:
            for i in range(n):
                for j in range(units):
                    s = z[i, j] + bias[j]
                    z[i, j] = zero if s <= zero else s
        else:
            for i in range(n):
                for j in range(units):
                    z[i, j] += bias[j]
        if drops[layer]:
            mask = masks[masked : masked + n * units].reshape(n, units)
            for i in range(n):
                for j in range(units):
                    z[i, j] *= mask[i, j]
            masked += n * units
        a, at, to = z.ctypes.data, at + inputs * units + units, to + n * units


def backward(
    gemm: int, gemv: int, x: Any, vector: Any, widths: Any, relus: Any, drops: Any, masks: Any, work: Any, delta: Any,
    spare: Any, g: Any,
) -> None:  # fmt: skip
    """Write the gradient into g, from `delta`, the derivative by the last z; `spare` has two rows for the others'."""
    n, size, one, zero = x.shape[0], vector.itemsize, vector.dtype.type(1), vector.dtype.type(0)
    at, to, masked = len(vector), len(work) - delta.size, len(masks)
    for last in range(len(relus)):
        layer = len(relus) - 1 - last
        inputs, units = widths[layer], widths[layer + 1]
        at -= inputs * units + units
        to -= n * inputs if layer else 0
        before = work[to : to + n * inputs].reshape(n, inputs) if layer else x
        of_weight = g[at : at + inputs * units].reshape(inputs, units)
        if n == 1:
            outer(before[0], delta[0], of_weight)
        else:
            a, dz, out = before.ctypes.data, delta.ctypes.data, of_weight.ctypes.data
            if units == 1:
                _gemv(gemv, ROWS, TRANSPOSED, n, inputs, one, a, inputs, dz, 1, zero, out, 1)
            else:
                _gemm(gemm, ROWS, TRANSPOSED, AS_IT_IS, inputs, units, n, one, a, inputs, dz, units, zero, out, units)
        sums = g[at + inputs * units : at + inputs * units + units]
        sums[:] = zero
        for i in range(n):
            for j in range(units):
                sums[j] += delta[i, j]
        if layer:
            da = spare[layer % 2, : n * inputs].reshape(n, inputs)
            weight = vector.ctypes.data + at * size
            if units == 1:
                outer(delta.reshape(n), vector[at : at + inputs], da)
            else:
                _product(gemm, gemv, TRANSPOSED, n, inputs, units, delta.ctypes.data, weight, units, da)
            if drops[layer - 1]:
                masked -= n * inputs
                mask = masks[masked : masked + n * inputs].reshape(n, inputs)
                for i in range(n):
                    for j in range(inputs):
                        da[i, j] *= mask[i, j]
            if relus[layer - 1]:
                for i in range(n):
                    for j in range(inputs):
                        da[i, j] *= one if before[i, j] > zero else zero
            delta = da


@cache
def compile_passes(char: str) -> tuple[Any, Any, int, int] | None:
    """Forward, backward, the addresses of gemm and gemv, for that dtype; None where NumPy's products are others."""
    dtype = np.dtype(char)
    gemm, gemv = (blas.address(*(name.format({"f": "s", "d": "d"}[char]) for name in names)) for names in NAMES)
    if not gemm or not gemv:
        return None
    number = numba.from_dtype(dtype)

    flags, read = array(types.boolean, 1), array(number, 1)
    inputs = whole, whole, array(number, 2), read, array(whole, 1), flags, flags, read
    flat, matrix = array(number, 1, out=True), array(number, 2, out=True)
    calls = (
        compile_as(types.void(*inputs, flat), forward),
        compile_as(types.void(*inputs, flat, matrix, matrix, flat), backward),
        gemm,
        gemv,
    )
    numpys = dense.forward, dense.backward
    same = (_one_pass(calls, *size, dtype) == _one_pass(numpys, *size, dtype) for size in ((1, 5), (7, 5), (7, 1)))
    return calls if all(same) else None


def _one_pass(calls: tuple[Any, ...], n: int, outputs: int, dtype: np.dtype[Any]) -> bytes:
    """The bytes of a pass of n rows through two layers."""
    forward, backward, *products = calls
    widths, relus, drops = (19, 9, outputs), (True, False), (True, False)
    shapes = (np.array(widths), np.array(relus), np.array(drops)) if products else (widths, relus, drops)
    drawn = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    x, vector, dz = drawn[: n * 19].reshape(n, 19), drawn[: 180 + 10 * outputs], drawn[-n * outputs :].reshape(n, -1)
    work, spare, g = np.empty(n * (9 + outputs), dtype), np.empty((2, n * 9), dtype), np.empty_like(vector)
    forward(*products, x, vector, *shapes, drawn[: n * 9], work)
    backward(*products, x, vector, *shapes, drawn[: n * 9], work, dz, spare, g)
    return work.tobytes() + g.tobytes()
