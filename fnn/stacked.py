"""`fnn.dense` in one compiled call each, forward and back.

The products are the calls of `gemm` that NumPy makes of the same operands, in the same library, and the sums are in
the order of `fnn.plain`: the same bits, without the time that Python takes between them. This room is imported when it
is used, for it imports numba.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

from fnn import blas, dense
from fnn.compiling import array, compile_as

ROWS, AS_IT_IS, TRANSPOSED = 101, 111, 112  # of cblas.h
NAMES = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_")  # in NumPy's own builds, with integers of 64 bits


def _calling(
    _typing: Any, address: Any, one: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any,
    a: Any, lda: Any, b: Any, ldb: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    """How numba is to compile C = A · B by the cblas function at an address; the arrays are addresses too."""
    whole = numba.types.intp
    made_of = numba.void(whole, one, *[whole] * 11)

    def call(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        address, one, ta, tb, m, n, k, a, lda, b, ldb, c, ldc = args
        short, long, pointer = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(
            ir.VoidType(),
            [short] * 3 + [long] * 3 + [one.type, pointer, long, pointer, long, one.type, pointer, long],
        )
        ta, tb = (builder.trunc(flag, short) for flag in (ta, tb))
        a, b, c = (builder.inttoptr(array, pointer) for array in (a, b, c))
        order, zero = ir.Constant(short, ROWS), ir.Constant(one.type, 0)
        builder.call(
            builder.inttoptr(address, kind.as_pointer()), [order, ta, tb, m, n, k, one, a, lda, b, ldb, zero, c, ldc]
        )
        return context.get_dummy_value()

    return made_of, call


_gemm: Any = intrinsic(_calling)


def _forward(gemm: int, x: Any, vector: Any, widths: Any, relus: Any, drops: Any, masks: Any, work: Any) -> None:
    """Write each layer's outputs into `work`, one after the other; the last layer's are before its activation."""
    n, size, one, zero = x.shape[0], vector.itemsize, vector.dtype.type(1), vector.dtype.type(0)
    a, at, to, masked = x.ctypes.data, 0, 0, 0
    for layer in range(len(relus)):
        inputs, units = widths[layer], widths[layer + 1]
        out = work.ctypes.data + to * size
        weight = vector.ctypes.data + at * size
        _gemm(gemm, one, AS_IT_IS, AS_IT_IS, n, units, inputs, a, inputs, weight, units, out, units)
        z = work[to : to + n * units].reshape(n, units)
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
        a, at, to = out, at + inputs * units + units, to + n * units


def _backward(
    gemm: int, x: Any, vector: Any, widths: Any, relus: Any, drops: Any, masks: Any, work: Any, delta: Any,
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
        a = work.ctypes.data + to * size if layer else x.ctypes.data
        dz = delta.ctypes.data
        _gemm(gemm, one, TRANSPOSED, AS_IT_IS, inputs, units, n, a, inputs, dz, units, g.ctypes.data + at * size, units)
        sums = g[at + inputs * units : at + inputs * units + units]
        sums[:] = zero
        for i in range(n):
            for j in range(units):
                sums[j] += delta[i, j]
        if layer:
            da = spare[layer % 2, : n * inputs].reshape(n, inputs)
            weight = vector.ctypes.data + at * size
            _gemm(gemm, one, AS_IT_IS, TRANSPOSED, n, inputs, units, dz, units, weight, units, da.ctypes.data, inputs)
            if drops[layer - 1]:
                masked -= n * inputs
                mask = masks[masked : masked + n * inputs].reshape(n, inputs)
                for i in range(n):
                    for j in range(inputs):
                        da[i, j] *= mask[i, j]
            if relus[layer - 1]:
                before = work[to : to + n * inputs].reshape(n, inputs)
                for i in range(n):
                    for j in range(inputs):
                        da[i, j] *= one if before[i, j] > zero else zero
            delta = da


@cache
def compiled(char: str) -> tuple[Any, Any, int] | None:
    """Forward, backward and the address of gemm, for numbers of that dtype; None where NumPy's products are others."""
    dtype = np.dtype(char)
    address = blas.address(*(name.format({"f": "s", "d": "d"}[char]) for name in NAMES))
    if not address:
        return None
    number, whole = numba.from_dtype(dtype), numba.intp

    flags = array(numba.boolean, 1)
    inputs = (whole, array(number, 2), array(number, 1), array(whole, 1), flags, flags, array(number, 1))
    flat, matrix = array(number, 1, out=True), array(number, 2, out=True)
    forward = compile_as(numba.void(*inputs, flat), _forward)
    backward = compile_as(numba.void(*inputs, flat, matrix, matrix, flat), _backward)
    calls = forward, backward, address
    return calls if _one_pass(calls, dtype) == _one_pass((dense.forward, dense.backward), dtype) else None


def _one_pass(calls: tuple[Any, ...], dtype: np.dtype[Any]) -> bytes:
    """The bytes of a pass through two layers."""
    forward, backward, *gemm = calls
    n, widths, relus, drops = 7, (19, 9, 5), (True, False), (True, False)
    shapes = (np.array(widths), np.array(relus), np.array(drops)) if gemm else (widths, relus, drops)
    drawn = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    x, vector, dz = drawn[: n * 19].reshape(n, 19), drawn[: 19 * 9 + 9 + 9 * 5 + 5], drawn[-n * 5 :].reshape(n, 5)
    work, spare, g = np.empty(n * (9 + 5), dtype), np.empty((2, n * 9), dtype), np.empty_like(vector)
    forward(*gemm, x, vector, *shapes, drawn[: n * 9], work)
    backward(*gemm, x, vector, *shapes, drawn[: n * 9], work, dz, spare, g)
    return work.tobytes() + g.tobytes()
