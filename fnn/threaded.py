"""The loops of `fnn.plain` that are worth more than one thread, compiled: the gather and the optimizers' updates.

They run on the threads of NumPy's own BLAS. Those spin for the next product in any case, so that threads of our own
would be in their way, and there are as many of them as their user asked for. The pieces depend on lengths and on that
number alone, and no result on the pieces. A thread is handed one argument, the address of a box of integers. This room
is imported when it is used, for it imports numba.
"""

from __future__ import annotations

import math
from functools import cache, partial
from inspect import signature
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.np.numpy_support import carray

from fnn import blas, plain
from fnn.compiling import array, compile_as
from fnn.foreign import INT, LONG, POINTER, VOID, c_function, jit, known, types, whole

LEAST = 1 << 14  # numbers that are worth a thread
MOST = 64  # threads
BOX = 24  # integers: what comes of it, how much there is to do, the arrays' addresses, and the settings as they are
ODD, MANY, FIRST, SETTINGS = 0, 1, 2, 16
OLD = 4  # vectors that an update reads beside the gradient


@known
def _threads(_typing: Any, function: Any) -> Any:
    return whole(function), c_function(INT)


@known
def _call(_typing: Any, loop: Any, box: Any) -> Any:
    return types.void(loop, box), c_function(VOID, POINTER)


@known
def _call_on_threads(_typing: Any, function: Any, threads: Any, loop: Any, boxes: Any, stride: Any) -> Any:
    return whole(function, threads, loop, boxes, stride), c_function(INT, INT, POINTER, POINTER, INT)


@known
def _cast(_typing: Any, at: Any, kind: Any) -> Any:
    """The pointer as one to numbers of that kind; of a pointer to pointers, the kind that these are to."""
    number = kind
    while hasattr(number, "dtype"):
        number = number.dtype

    def cast(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(number)(at, kind), cast


@known
def _point(_typing: Any, like: Any, address: Any) -> Any:
    """A pointer like that one to an address."""

    def cast(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[1], args[0].type)

    return like(like, address), cast


@known
def _apart(_typing: Any, at: Any) -> Any:
    """1 where an update writes new vectors, and 0 where it writes over the old ones, told by a pointer to pointers."""

    def constant(_context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(LONG, 0 if isinstance(at.dtype, types.CPointer) else 1)

    return whole(at), constant


@jit
def _pieces(numbers: int, spread: int, count: int) -> Any:
    """Boxes for as many threads as that many numbers are worth and there are."""
    threads = _threads(count) if spread != 0 and count != 0 else 1
    return np.empty((max(1, min(threads, MOST, numbers // LEAST)), BOX), np.intp)


@jit
def _do(loop: int, boxes: Any, spread: int) -> Any:
    """The loop with each box; the sum of what came of it."""
    if len(boxes) == 1:
        _call(loop, boxes.ctypes.data)
    else:
        _call_on_threads(spread, len(boxes), loop, boxes.ctypes.data, BOX * boxes.itemsize)
    return boxes[:, ODD].sum()


@jit
def _numbers(box: Any, like: Any) -> Any:
    """The box's place for settings."""
    return box[SETTINGS:].view(like.dtype)


def update_in_pieces(loop: int, spread: int, count: int, settings: Any, *vectors: Any) -> Any:
    n, boxes = len(vectors[0]), _pieces(len(vectors[0]), spread, count)
    for part in range(len(boxes)):
        start, end = n * part // len(boxes), n * (part + 1) // len(boxes)
        boxes[part, MANY] = end - start
        for i in range(len(settings)):  # a slice takes three times as long to compile, for it checks shapes
            _numbers(boxes[part], settings)[i] = settings[i]
        for i in range(len(vectors)):
            place = i if i <= len(vectors) // 2 else OLD + i - len(vectors) // 2
            boxes[part, FIRST + place] = vectors[i].ctypes.data + start * settings.itemsize
    return _do(loop, boxes, spread)


def rows_in_pieces(loop: int, spread: int, count: int, x: Any, index: Any, scale: Any, out: Any) -> Any:
    n, boxes = len(index), _pieces(out.size, spread, count)
    for part in range(len(boxes)):
        start, end = n * part // len(boxes), n * (part + 1) // len(boxes)
        boxes[part, MANY] = end - start
        _numbers(boxes[part], out)[0] = scale
        boxes[part, FIRST], boxes[part, FIRST + 1], boxes[part, FIRST + 2] = x.ctypes.data, x.shape[0], x.shape[1]
        boxes[part, FIRST + 3] = index.ctypes.data + start * index.itemsize
        boxes[part, FIRST + 4] = out.ctypes.data + start * x.shape[1] * out.itemsize
    return _do(loop, boxes, spread)


# The loops. As in `fnn.compiled`: one number after the other, with nothing but + − × ÷ √ and comparisons. The type of
# their argument says what they read; the updates are compiled twice, the second time for a pointer to pointers, to
# write over what they read. Only where the compiler knows that old and new are the same can it vectorize that. So each
# number is read before it is written.


@jit
def _settings(at: Any) -> Any:
    """As many as an update may have; those after the last are of no account."""
    numbers = _cast(at, at)
    first = SETTINGS * 8 // carray(numbers, 1).itemsize
    s = carray(numbers, first + 8)[first:]
    return s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]


@jit
def _gather(at: Any, like: Any) -> None:
    box = _cast(at, np.intp)
    many, columns = box[MANY], box[FIRST + 2]
    x = carray(_point(at, box[FIRST]), (box[FIRST + 1], columns))
    index = carray(_point(box, box[FIRST + 3]), many)
    out = carray(_point(like, box[FIRST + 4]), (many, columns))
    scale = _settings(like)[0]
    touched = 0.0  # one number of each cache line, so that the memory is asked for all of them at once
    for i in range(many):
        for j in range(0, columns, 64 // x.itemsize):
            touched += x[min(max(index[i], 0), len(x) - 1), j]
    if out.size > 0:
        out[0, 0] = touched
    for i in range(many):
        row = min(max(index[i], 0), len(x) - 1)
        for j in range(columns):
            out[i, j] = x[row, j]
            out[i, j] *= scale
    box[ODD] = 0


def rows_f(at: Any) -> None:
    _gather(at, _cast(at, np.float32))


def rows_d(at: Any) -> None:
    _gather(at, _cast(at, np.float64))


@jit
def _array(at: Any, i: int) -> Any:
    box = _cast(at, np.intp)
    return carray(_point(at, box[FIRST + i]), box[MANY])


@jit
def _vectors(at: Any) -> Any:
    """The gradient, w and moments, the new ones of them: as many as an update may have; others are nowhere."""
    a, new = _cast(at, at), 1 + OLD * _apart(at)
    old = _array(a, 0), _array(a, 1), _array(a, 2), _array(a, 3), _array(a, 4)
    return old + (_array(a, new), _array(a, new + 1), _array(a, new + 2), _array(a, new + 3))  # noqa: RUF005


@jit
def _odd(w_new: Any, g: Any) -> Any:
    """Whether the sum of a new number and its gradient is not finite: s − s is then NaN, which differs from itself."""
    s = w_new + g
    return s - s != s - s


@jit
def _return(at: Any, odd: int) -> None:
    _cast(at, np.intp)[ODD] = odd


def sgd(at: Any) -> None:
    g, w, _, _, _, w_new, _, _, _ = _vectors(at)
    rate, odd = _settings(at)[0], 0
    for i in range(len(w)):
        w_new[i] = w[i] - g[i] * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def momentum(at: Any) -> None:
    g, w, v, _, _, w_new, v_new, _, _ = _vectors(at)
    rate, mu, nesterov = _settings(at)[:3]
    odd, ahead = 0, nesterov != 0
    for i in range(len(w)):
        velocity = v[i] * mu + g[i]
        v_new[i] = velocity
        w_new[i] = w[i] - (velocity * mu + g[i] if ahead else velocity) * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def rmsprop(at: Any) -> None:
    g, w, v, _, _, w_new, v_new, _, _ = _vectors(at)
    rate, decay, fresh, epsilon = _settings(at)[:4]
    odd = 0
    for i in range(len(w)):
        square = v[i] * decay + g[i] * g[i] * fresh
        v_new[i] = square
        w_new[i] = w[i] - g[i] / (math.sqrt(square) + epsilon) * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def lion(at: Any) -> None:
    g, w, m, _, _, w_new, m_new, _, _ = _vectors(at)
    rate, beta1, fresh1, beta2, fresh2, keep = _settings(at)[:6]
    zero, one, odd = w.dtype.type(0), w.dtype.type(1), 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        m_new[i] = m[i] * beta2 + g[i] * fresh2
        sign = one if mean > zero else -one if mean < zero else mean + zero
        w_new[i] = w[i] * keep - sign * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def adam(at: Any) -> None:
    g, w, m, v, _, w_new, m_new, v_new, _ = _vectors(at)
    rate, beta1, fresh1, beta2, fresh2, epsilon, keep = _settings(at)[:7]
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        w_new[i] = w[i] * keep - mean / (math.sqrt(square) + epsilon) * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def nadam(at: Any) -> None:
    g, w, m, v, _, w_new, m_new, v_new, _ = _vectors(at)
    rate, beta1, fresh1, beta2, fresh2, epsilon, ahead, now = _settings(at)
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        w_new[i] = w[i] - (mean * ahead + g[i] * now) / (math.sqrt(square) + epsilon) * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def amsgrad(at: Any) -> None:
    g, w, m, v, most, w_new, m_new, v_new, most_new = _vectors(at)
    rate, beta1, fresh1, beta2, fresh2, epsilon = _settings(at)[:6]
    odd = 0
    for i in range(len(w)):
        mean = m[i] * beta1 + g[i] * fresh1
        square = v[i] * beta2 + g[i] * g[i] * fresh2
        m_new[i], v_new[i] = mean, square
        most_new[i] = square if square > most[i] or square != square else most[i]
        w_new[i] = w[i] - mean / (math.sqrt(most_new[i]) + epsilon) * rate
        odd += _odd(w_new[i], g[i])
    _return(at, odd)


def compile_threaded(name: str, dtype: np.dtype[Any], given: str) -> partial[Any]:
    """The loop of that name for arrays of that dtype, with the arguments of the plain one."""
    number, data = numba.from_dtype(dtype), numba.from_dtype(np.dtype(given or dtype))
    hand: Any = update_in_pieces
    if name == "rows":
        hand, name = rows_in_pieces, f"rows_{dtype.char}"
        takes = [array(data, 2), array(whole, 1), number, array(number, 2, out=True)]
    else:
        vectors = len(signature(vars(plain)[name]).parameters) - 1
        takes = [array(number, 1), types.StarArgUniTuple(array(number, 1), vectors)]
    hand = compile_as(whole(whole, whole, whole, *takes), hand)
    loop = compile_loop(name, data)
    spread = blas.address("gotoblas_pthread")
    count = blas.address("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_", "openblas_get_num_threads")
    return partial(hand, loop.address, spread, count)


@cache  # for as long as its address may be called
def compile_loop(name: str, data: Any) -> Any:
    """The loop of that name, for a pointer to that data; to pointers, for an update in place."""
    return compile_as(types.void(types.CPointer(data)), globals()[name], numba.cfunc)
