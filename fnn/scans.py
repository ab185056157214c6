"""Many steps of training in one compiled call, as the states between them are seen by nobody.

The bits are those of step by step: the same loops, the same products, and NumPy's own loops for exp and log1p, called
by their addresses. This room is imported when it is used, for it imports numba.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import numba
import numpy as np

from fnn import compiled, stacked, threaded
from fnn.compiling import array, compile_as
from fnn.foreign import POINTER, VOID, c_function, jit, known, types, whole

forward, backward = jit(stacked.forward), jit(stacked.backward)
update, rows = jit(threaded.update_in_pieces), jit(threaded.rows_in_pieces)
shift, label_head, label_loss = jit(compiled.shift), jit(compiled.label_head), jit(compiled.label_loss)
neg_abs, binary_head, binary_rows = jit(compiled.neg_abs), jit(compiled.binary_head), jit(compiled.binary_rows)
squared_head, add_l2, drop_tiny = jit(compiled.squared_head), jit(compiled.add_l2), jit(compiled.drop_tiny)
wide_squares, total = jit(compiled.wide_squares), jit(compiled.total)
LABEL, BINARY, SQUARED = range(3)
HEADS = {"label": LABEL, "binary": BINARY, "squared": SQUARED}


@known
def _ufunc_loop(_typing: Any, function: Any, args: Any, counts: Any, strides: Any, data: Any) -> Any:
    made_of = types.void(function, args, counts, strides, data)
    return made_of, c_function(VOID, POINTER, POINTER, POINTER, POINTER)


@jit
def _apply(function: int, data: int, a: Any, out: Any, call: Any) -> None:
    """A ufunc's own loop over contiguous numbers; `call` has room for what it is told."""
    call[0], call[1], call[2], call[3], call[4] = a.ctypes.data, out.ctypes.data, a.size, a.itemsize, a.itemsize
    at = call.ctypes.data
    _ufunc_loop(function, at, at + 2 * call.itemsize, at + 3 * call.itemsize, data)


def steps(
    places: Any, x: Any, y: Any, index: Any, n: int, scale: Any, widths: Any, relus: Any, drops: Any, head: int,
    over: Any, l2: Any, pulls: Any, spread: float, told: Any, tidy: Any, tiny: Any, first: Any, after: Any,
    moments: Any, g: Any, gradient: Any, work: Any, spare: Any, inputs: Any, s: Any, e: Any, rest: Any, logs: Any,
    dz: Any, wide: Any, goals: Any, labels: Any, call: Any, sums: Any,
) -> int:  # fmt: skip
    """Make the steps that are told, into `after`, up to one with a number that is not finite; return how many."""
    gemm, gemv, exp, exp_data, log1p, log1p_data, threads, count, gather, loop, in_place = places
    vectors, none = first, first[0][:0]  # `after`, once there is something in it
    for step in range(len(told)):
        batch = index[step * n : step * n + n]
        rows(gather, threads, count, x, batch, scale, inputs)
        forward(gemm, gemv, inputs, vectors[0], widths, relus, drops, none, work)
        z, part = work[len(work) - dz.size :].reshape(dz.shape), inputs.dtype.type(1 / n)
        for i in range(n):
            for j in range(goals.shape[1]):
                goals[i, j] = y[batch[i], j]
        loss, right = 0.0, 0.0
        if head == LABEL:
            for i in range(n):
                labels[i] = np.intp(goals[i, 0])
            shift(z, s)
            _apply(exp, exp_data, s, e, call)
            right = float(label_head(e, labels, part, rest[:n], dz))
            _apply(log1p, log1p_data, rest[:n], logs[:n], call)
            loss = label_loss(s, logs[:n], labels) / n
        elif head == BINARY:
            neg_abs(z, s)
            _apply(exp, exp_data, s, e, call)
            right = binary_head(z, e, goals, over, part, dz) / dz.shape[1]
            _apply(log1p, log1p_data, e, logs, call)
            binary_rows(z, logs.reshape(dz.shape), goals, over, rest)
            loss = total(rest) / n
        else:
            loss = squared_head(z, goals, over, part, dz) / n
        if not math.isfinite(loss):
            return step
        backward(gemm, gemv, inputs, vectors[0], widths, relus, drops, none, work, dz, spare, gradient)
        at, penalty = 0, 0.0
        for layer in range(len(relus)):
            units, end = widths[layer + 1], at + widths[layer] * widths[layer + 1]
            if l2[layer] != 0:
                weight = vectors[0][at:end].reshape(widths[layer], units)
                add_l2(gradient[at:end].reshape(widths[layer], units), weight, pulls[layer])
                wide_squares(weight, wide[:units])
                penalty += 0.5 * l2[layer] * total(wide[:units])
            at = end + units
        # g is `gradient` and `after[1:]` are the moments, to be read: a tuple that is gone through has one type
        if update(loop, threads, count, told[step], g, *vectors, *after) != 0:
            return step
        vectors, loop = after, in_place
        if tidy[step]:
            for moment in moments:
                drop_tiny(moment, tiny)
        sums[0] += n
        sums[1] += n * loss
        sums[2] += right
        sums[3] += n * (penalty / spread)
    return len(told)


@cache
def compiled_steps(loop: str, dtype: np.dtype[Any], given: str, vectors: int) -> tuple[Any, Any] | None:
    """Steps with that update, on so many vectors, and the addresses that they are told; None where NumPy is another."""
    number, data = numba.from_dtype(dtype), numba.from_dtype(np.dtype(given))
    places = [*_ufunc(np.exp, dtype.char), *_ufunc(np.log1p, dtype.char)]
    products = stacked.compile_passes(dtype.char)
    if products is None or 0 in places[::2] or not _same(places, dtype):
        return None

    flags, read = array(types.boolean, 1), types.UniTuple(array(number, 1), vectors)
    flat, matrix, integers = array(number, 1, out=True), array(number, 2, out=True), array(whole, 1, out=True)
    wide = array(types.float64, 1, out=True)
    of = whole(
        types.UniTuple(whole, 11), array(data, 2), array(number, 2), array(whole, 1), whole, number,
        array(whole, 1), flags, flags, whole, number, wide, array(number, 1), types.float64, array(number, 2), flags,
        number, read, read, types.UniTuple(flat, vectors - 1), array(number, 1), flat, flat, matrix, matrix, matrix,
        matrix, flat, flat, matrix, wide, matrix, integers, integers, wide,
    )  # fmt: skip
    updating, gathering = threaded.compile_threaded(loop, dtype, ""), threaded.compile_threaded("rows", dtype, given)
    address, threads, count = updating.args
    in_place = threaded.compile_loop(loop, types.CPointer(number)).address
    return compile_as(of, steps), (*products[2:], *places, threads, count, gathering.args[0], address, in_place)


def _same(places: list[int], dtype: np.dtype[Any]) -> bool:
    """Whether the loops of exp and log1p give what NumPy gives."""
    a = np.linspace(-80, 0, 77, dtype=dtype)
    found, call = [np.empty_like(a) for _ in range(2)], np.empty(8, np.intp)
    _apply(*places[:2], a, found[0], call)
    _apply(*places[2:], np.exp(a), found[1], call)
    return np.array_equal(found, [np.exp(a), np.log1p(np.exp(a))])


def _ufunc(ufunc: np.ufunc, char: str) -> tuple[int, int]:
    """The address of a ufunc's loop for that dtype, and of its data; 0 where the object is not what it is known to be.

    The beginning of numpy/ufuncobject.h's structure: the object's head, four ints, the loops, their data, how many.
    """
    kind = f"{char}->{char}"
    if kind not in ufunc.types:
        return 0, 0
    head = object.__basicsize__
    start = id(ufunc) + head
    ints = (ctypes.c_int * 3).from_address(start)
    count = ctypes.c_int.from_address(start + 4 * 4 + 2 * 8).value
    if tuple(ints) != (1, 1, 2) or count != len(ufunc.types):
        return 0, 0
    place = ufunc.types.index(kind)
    loops = ctypes.c_void_p.from_address(start + 16).value
    datas = ctypes.c_void_p.from_address(start + 24).value
    loop = ctypes.c_void_p.from_address(loops + 8 * place).value if loops else 0
    data = ctypes.c_void_p.from_address(datas + 8 * place).value if datas else 0
    return loop or 0, data or 0
