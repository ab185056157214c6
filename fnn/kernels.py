"""The inner loops: plain NumPy's, or the same ones compiled by numba, which give the same bits.

`fnn.plain` and `fnn.compiled` hold the loops; here they are handed scalars of the arrays' dtype and arrays to write
into. Training goes over to the compiled ones where numba is installed and the work is worth their loading: `fit` and
`train` when they begin, `grads` and `train_step` when so much was done; predictions take those in use. The environment
variable FNN_KERNELS says otherwise: "numpy" never, "numba" from the first step or prediction on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fnn import plain
from fnn.arrays import DTYPES, Array, Floats
from fnn.buffers import empty

WORTH = 1e9  # numbers to go through by which the compiled loops make good the second that they take to load
WIDE = 64  # columns from which NumPy finds a row's largest number sooner than a loop
TINY = {char: np.finfo(char).tiny for char in "fd"}
GIVEN = "?bBhHiIlLqQfd"  # dtypes of x that the compiled gather reads

_loops: dict[tuple[str, np.dtype[Any], str], Callable[..., Any]] = {}  # those in use, by name, dtype and data's dtype
_compiling = False
_done, _next = 0.0, 0.0  # numbers that steps have gone through, and how many make it choose


def worked(numbers: float) -> None:
    """Count what a step goes through, and choose before the first one and when it has come to be worth it."""
    global _done, _next
    _done += numbers
    if _done >= _next:
        choose(_done)
        _next = WORTH if _done < WORTH else math.inf


def choose(numbers: float) -> None:
    """Go over to the compiled loops where so many numbers are worth it, and the setting does not say otherwise."""
    global _compiling  # which loops are in use changes no bit, and so is nobody's argument
    setting = os.environ.get("FNN_KERNELS", "")
    if setting not in ("", "numpy", "numba"):
        raise ValueError(f"FNN_KERNELS: must be 'numpy' or 'numba', or not be set, got {setting!r}.")
    wanted = setting == "numba" or (setting == "" and (_compiling or numbers >= WORTH))
    compiling = wanted and _is_there(needed=setting == "numba")
    if compiling != _compiling:
        _compiling = compiling
        _loops.clear()


def in_use() -> bool:
    """Whether the loops in use are the compiled ones."""
    return _compiling


@cache
def _is_there(*, needed: bool) -> bool:
    try:
        import numba
    except Exception as error:  # whatever it is that a broken one raises
        if needed:
            fix = '`pip install "fnn[fast]"` brings it.'
            raise ModuleNotFoundError(f"FNN_KERNELS: 'numba' asks for numba, got {error}. {fix}") from None
        return False
    return not getattr(numba.config, "DISABLE_JIT", False)


def _run(name: str, dtype: np.dtype[Any], *args: Any, given: str = "") -> Any:
    """The loop of that name; the plain one for arrays of another order or dtype, as a user's own part may make them."""
    loop = _loops.get((name, dtype, given)) or _find(name, dtype, given)
    try:
        return loop(*args)
    except TypeError:  # by numba, before anything is computed
        return getattr(plain, name)(*args)


def _find(name: str, dtype: np.dtype[Any], given: str) -> Callable[..., Any]:
    loop: Callable[..., Any] = getattr(plain, name)
    if _compiling and dtype in DTYPES:
        from fnn import compiled

        if hasattr(compiled, name):
            from fnn.compiling import compile_loop

            loop = compile_loop(name, dtype)
        else:
            from fnn.threaded import compile_threaded

            loop = compile_threaded(name, dtype, given)
    return _loops.setdefault((name, dtype, given), loop)


def take_rows(x: Array, index: Array, scale: float, dtype: np.dtype[Any]) -> Floats:
    """The rows of x at `index`, cast and then scaled."""
    out = empty((len(index), x.shape[1]), dtype)
    given = x.dtype.char if x.dtype.isnative and x.dtype.char in GIVEN else ""
    if given:
        _run("rows", dtype, x, index, dtype.type(scale), out, given=given)
    else:
        plain.rows(x, index, dtype.type(scale), out)
    return out


def product(a: Floats, b: Floats, out: Floats | None = None) -> Floats:
    """a · b; a may be one of scipy's sparse arrays."""
    if type(a) is not np.ndarray or a.dtype != b.dtype:
        return a @ b
    out = empty((len(a), b.shape[1]), b.dtype) if out is None else out
    return (np.multiply if len(b) == 1 else np.matmul)(a, b, out=out)  # the products of a column NumPy makes slowly


def weight_gradient(x: Floats, dz: Floats, out: Floats) -> None:
    """Write xᵀ · dz."""
    if len(x) == 1:
        _run("outer", x.dtype, x[0], dz[0], out)  # which BLAS takes several times as long for
    else:
        np.matmul(x.T, dz, out=out)


def add_bias(z: Floats, bias: Floats) -> None:
    """z + bias, in place."""
    _run("add_bias", z.dtype, z, bias)


def relu(z: Floats) -> Floats:
    """0 where z ≤ 0, else z."""
    a = empty(z.shape, z.dtype)
    _run("relu", z.dtype, z, a)
    return a


def relu_vjp(z: Floats, da: Floats) -> Floats:
    """da · [z > 0]."""
    dz = empty(z.shape, z.dtype)
    if da.shape != z.shape:
        return da * (z > 0)
    _run("relu_vjp", z.dtype, z, da, dz)
    return dz


def column_sums(a: Floats, out: Floats) -> None:
    """Σᵢ a[i], row after row."""
    _run("column_sums", a.dtype, a, out)


def shift(z: Floats) -> Floats:
    """z less each row's largest number."""
    s = empty(z.shape, z.dtype)
    if z.shape[1] < WIDE:
        _run("shift", z.dtype, z, s)
    else:
        plain.shift(z, s)
    return s


def others(e: Floats) -> Floats:
    """Each row's sum without its largest number, the first of them."""
    out = np.empty(len(e), e.dtype)
    _run("others", e.dtype, e, out)
    return out


def shares(e: Floats) -> Floats:
    """Each row over its sum, in place."""
    _run("shares", e.dtype, e)
    return e


def _labels(y: Array, shape: tuple[int, ...]) -> Array:
    """The labels as indices, refused where they are none of those columns."""
    if y.dtype.kind not in "bui" or y.shape != shape[:1] or (y.size and not 0 <= y.min() <= y.max() < shape[1]):
        raise IndexError(f"labels must be {shape[0]} integers from 0 to {shape[1] - 1}.")
    return y.astype(np.intp, copy=False)


def label_rows(s: Floats, log_sum: Floats, y: Array) -> Floats:
    """log_sum − s[i, y[i]], row by row."""
    out = np.empty(len(s), s.dtype)
    _run("label_rows", s.dtype, s, log_sum, _labels(y, s.shape), out)
    return out


def label_vjp(a: Floats, y: Array) -> Floats:
    """a, and in place of the number at y minus the sum of the others."""
    dz = empty(a.shape, a.dtype)
    _run("label_vjp", a.dtype, a, _labels(y, a.shape), dz)
    return dz


def label_head(e: Floats, y: Array, share: float) -> tuple[Floats, Floats, int]:
    """`shares` of e, in place; `others` of e, share · `label_vjp` of the shares, how many have their largest at y."""
    rest, dz = np.empty(len(e), e.dtype), np.empty(e.shape, e.dtype)
    right = _run("label_head", e.dtype, e, y, e.dtype.type(share), rest, dz)
    return rest, dz, int(right)


def label_loss(s: Floats, log_sum: Floats, y: Array) -> float:
    """Σᵢ log_sum[i] − s[i, y[i]], added in float64."""
    return float(_run("label_loss", s.dtype, s, log_sum, y))


def squares(a: Floats) -> float:
    """Σ a², added in float64."""
    wide = np.empty(a.shape[1])
    _run("wide_squares", a.dtype, a, wide)
    return float(_run("total", wide.dtype, wide))


def neg_abs(z: Floats) -> Floats:
    """−|z|."""
    s = empty(z.shape, z.dtype)
    _run("neg_abs", z.dtype, z, s)
    return s


def binary_rows(z: Floats, logs: Floats, y: Floats, over: int) -> Floats:
    """The row's sum of max(z, 0) · (1 − y) + max(−z, 0) · y + logs, over `over`."""
    out = np.empty(len(z), z.dtype)
    _run("binary_rows", z.dtype, z, logs, y, z.dtype.type(over), out)
    return out


def binary_head(z: Floats, e: Floats, y: Floats, over: int, share: float) -> tuple[Floats, int]:
    """(a − y) / over · share, where a is the sigmoid of z and e is exp(−|z|), and how many of a are right."""
    dz = empty(z.shape, z.dtype)
    right = _run("binary_head", z.dtype, z, e, y, z.dtype.type(over), z.dtype.type(share), dz)
    return dz, int(right)


def squared_rows(a: Floats, y: Floats, over: int) -> Floats:
    """The row's sum of (a − y)², over `over`."""
    out = np.empty(len(a), a.dtype)
    _run("squared_rows", a.dtype, a, y, a.dtype.type(over), out)
    return out


def squared_head(a: Floats, y: Floats, over: int, share: float) -> tuple[float, Floats]:
    """The sum of `squared_rows`, added in float64, and 2 · (a − y) / over · share."""
    dz = empty(a.shape, a.dtype)
    value = _run("squared_head", a.dtype, a, y, a.dtype.type(over), a.dtype.type(share), dz)
    return float(value), dz


def total(a: Floats) -> float:
    """Σᵢ a[i], added in float64."""
    return float(_run("total", a.dtype, a))


def mask(bits: Array, drop: int, scale: float, out: Floats) -> None:
    """`scale` where the bits are at least `drop`, else 0."""
    _run("mask", out.dtype, bits, drop, out.dtype.type(scale), out)


def less_row(a: Floats, row: Floats) -> Floats:
    """a − row."""
    out = empty(a.shape, a.dtype)
    _run("less_row", a.dtype, a, row, out)
    return out


def standardize(x: Floats) -> tuple[Floats, Floats, Floats]:
    """x less its columns' means, the means, and the biased variances in float64."""
    # sums in float64: what a float32 one rounds off would become variance
    wide = np.empty(x.shape[1])
    _run("wide_sums", x.dtype, x, wide)
    mean = (wide / len(x)).astype(x.dtype)
    centred = less_row(x, mean)
    _run("wide_sums", x.dtype, centred, wide)
    rest = (wide / len(x)).astype(x.dtype)  # what the mean was rounded by
    centred = less_row(centred, rest)
    _run("wide_squares", x.dtype, centred, wide)
    return centred, mean + rest, wide / len(x)


def affine(a: Floats, scale: Floats, weight: Floats, bias: Floats) -> Floats:
    """a · scale, in place, and that · weight + bias, which is returned."""
    out = empty(a.shape, a.dtype)
    _run("affine", a.dtype, a, scale, weight, bias, out)
    return out


def product_sums(a: Floats, b: Floats, out: Floats) -> None:
    """Σᵢ a[i] · b[i], row after row."""
    if a.shape == b.shape:
        _run("product_sums", a.dtype, a, b, out)
    else:
        plain.product_sums(a, b, out)


def norm_vjp(dz: Floats, normal: Floats, slope: Floats, db: Floats, dw: Floats) -> Floats:
    """slope · (dz − (db + normal · dw) / n)."""
    dx = empty(dz.shape, dz.dtype)
    _run("norm_vjp", dz.dtype, dz, normal, slope, db, dw, dz.dtype.type(len(dz)), dx)
    return dx


def add_penalty(g: Floats, w: Floats, l1: float, l2: float) -> None:
    """g + l1 · sign(w) + l2 · w, in place; the sign of 0 is 0."""
    for name, factor in (("add_l1", l1), ("add_l2", l2)):
        if factor:
            _run(name, g.dtype, g, w, g.dtype.type(factor))


def drop_tiny(v: Floats) -> None:
    """0 for what is below the smallest normal number in size, in place."""
    _run("drop_tiny", v.dtype, v, TINY[v.dtype.char])


# The optimizers' updates of the whole vector w along g.


class Updated(tuple[Floats, ...]):
    """The new w and the new moments, all of them fresh arrays."""

    g: Floats  # the gradient that they were made with
    finite: bool  # whether all of w and g is; False also where that is not sure


def update(name: str, w: Floats, g: Floats, moments: list[Floats], settings: tuple[float, ...]) -> Updated:
    """The new w and moments by the loop of that name, whose settings `fnn.plain` says."""
    made = Updated([empty(w.shape, w.dtype) for _ in range(1 + len(moments))])
    made.g = g
    made.finite = not _run(name, w.dtype, np.array(settings, w.dtype), g, w, *moments, *made)
    return made
