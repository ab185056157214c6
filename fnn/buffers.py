"""Arrays to write into, handed out again once nobody has them."""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

FREE = 2  # who asks counts as one, and the pool's list as the other
MOST = 16  # arrays of one shape; of those that a caller keeps no more are remembered
LINE = 64  # bytes of a cache line: numbers that begin with one are gone through a few per cent sooner
LARGE = 1 << 14  # numbers; smaller arrays are sooner made than found


class Pool:
    """The arrays of a training run, while a step is made: `with pool:`.

    Fresh memory costs more than what is written into it where the system takes the old away and hands out new pages
    at each step. An array that only the pool still knows is handed out again; one that a record or a view holds is not.
    """

    def __init__(self) -> None:
        self._arrays: dict[Any, list[tuple[NDArray[Any], int]]] = {}
        self._outer: Pool | None = None

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of that shape and dtype whose numbers are of no account."""
        arrays = self._arrays.setdefault((shape, dtype), [])
        for i in range(len(arrays)):
            if sys.getrefcount(arrays[i][0]) == FREE:  # every view has it for its base
                owner, start = arrays[i]
                break
        else:
            owner = np.empty(math.prod(shape) + LINE // dtype.itemsize, dtype)
            start = -owner.ctypes.data % LINE // dtype.itemsize
            arrays.append((owner, start))
            del arrays[:-MOST]
        owner.flags.writeable = True
        array = owner[start : start + math.prod(shape)].reshape(shape)
        owner.flags.writeable = False  # whoever seals the array need not copy it
        return array

    def __enter__(self) -> None:
        self._outer, _current.pool = _current.pool, self

    def __exit__(self, *error: object) -> None:
        _current.pool = self._outer


class _Current(threading.local):
    pool: Pool | None = None


_current = _Current()


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array from the pool of the step under way, or a fresh one."""
    pool = _current.pool
    return np.empty(shape, dtype) if pool is None or math.prod(shape) < LARGE else pool.empty(shape, dtype)
