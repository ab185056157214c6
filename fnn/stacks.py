"""A whole pass through dense layers at once, in NumPy or compiled: whichever loops are in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fnn import dense, kernels
from fnn.arrays import Array, Floats
from fnn.buffers import empty


class Tower(NamedTuple):
    """Dense layers one upon the other: where they are among all layers, their widths, and what comes after each."""

    places: tuple[int, ...]
    widths: tuple[int, ...]
    relus: tuple[bool, ...]
    drops: tuple[bool, ...]


class Stack:
    """Dense layers, forward and back at once; the bits are those of layer by layer."""

    def __init__(self, tower: Tower, calls: tuple[Any, Any, int, int] | None) -> None:
        self._forward: Callable[..., None]
        self._backward: Callable[..., None]
        self._products: list[int]
        self._forward, self._backward, *self._products = calls or (dense.forward, dense.backward)
        _, widths, relus, drops = tower
        parts: Any = widths, relus, drops, (False,) * len(drops)
        *shared, dropped, none = (np.array(part) for part in parts) if calls else parts
        self._shapes, self._undropped = (*shared, dropped), (*shared, none)
        self._units, self._most, self._outputs = sum(widths[1:]), max(widths[1:]), widths[-1]

    def forward(self, x: Floats, vector: Floats, masks: Floats | None = None) -> tuple[Floats, Floats]:
        """All that the layers make of x, and the part of it that is the last z; without masks nothing is dropped."""
        n = len(x)
        work = empty((n * self._units,), vector.dtype)
        shapes = self._undropped if masks is None else self._shapes
        self._forward(*self._products, x, vector, *shapes, vector[:0] if masks is None else masks, work)
        return work, work[-n * self._outputs :].reshape(n, self._outputs)

    def backward(self, x: Floats, vector: Floats, masks: Floats, work: Floats, dz: Floats) -> Floats:
        """The gradient's vector, from the derivative by the last z."""
        spare, g = empty((2, len(x) * self._most), vector.dtype), empty(vector.shape, vector.dtype)
        self._backward(*self._products, x, vector, *self._shapes, masks, work, dz, spare, g)
        return g


@lru_cache(maxsize=64)
def _stack(tower: Tower, char: str, *, compiling: bool) -> Stack:
    if not compiling or min(tower.widths[:-1]) < 2:  # NumPy makes a product with one column in another way
        return Stack(tower, None)
    from fnn.stacked import compile_passes

    return Stack(tower, compile_passes(char))


def stack(x: Array, vector: Floats, tower: Tower) -> Stack | None:
    """What takes x through dense layers at once; None for sparse rows and another dtype."""
    if type(x) is not np.ndarray or x.dtype != vector.dtype:
        return None
    known = x.flags.c_contiguous and x.flags.aligned and vector.flags.aligned
    compiling = kernels.in_use() and known and len(x) > (tower.widths[-1] == 1)  # of a row and a column yet another
    return _stack(tower, vector.dtype.char, compiling=compiling)


def last_z(x: Floats, vector: Floats, layers: Sequence[Any], tower: Tower) -> Floats:
    """The last z alone, of inference, by the vector or, which is sooner in NumPy, by the layers that are its parts."""
    through = stack(x, vector, tower) if kernels.in_use() else None
    if through is None:
        return dense.last_z(x, [layers[i] for i in tower.places], tower.relus)
    return through.forward(x, vector)[1].copy()  # so that the other layers' outputs are let go
