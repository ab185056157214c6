"""How functions are handed to numba, which is imported when one is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from fnn import compiled

INLINED = "compiled", "foreign", "scans", "stacked", "threaded"  # rooms whose code becomes part of each other's


def array(kind: Any, axes: int, *, out: bool = False) -> Any:
    """Numba's type of C-contiguous arrays; what is only read may be read-only."""
    import numba

    return numba.types.Array(kind, axes, "C", readonly=not out)


def compile_loop(name: str, dtype: np.dtype[Any]) -> Callable[..., Any]:
    """The loop of that name for arrays of that dtype, from numba's cache on disk where it was compiled before."""
    import numba

    number, index = numba.from_dtype(dtype), numba.intp

    types = {
        "Vector": array(number, 1),
        "Matrix": array(number, 2),
        "OutVector": array(number, 1, out=True),
        "OutMatrix": array(number, 2, out=True),
        "Number": number,
        "OutWide": array(numba.float64, 1, out=True),
        "Indices": array(index, 1),
        "Bits": array(numba.uint16, 1),
        "Count": index,
    }
    loop = getattr(compiled, name)
    returned = {"None": numba.void, "int": index, "float": numba.float64}[loop.__annotations__["return"]]
    of = returned(*(types[parameter.annotation] for parameter in signature(loop).parameters.values()))
    made: Callable[..., Any] = compile_as(of, loop)
    return made


def compile_as(of: Any, function: Callable[..., Any], by: Any = None) -> Any:
    """The function compiled for one signature, on disk for the next time where a folder can be written to."""
    import numba

    # without the error model no loop that divides is vectorized
    compiler = partial(by or numba.njit, of, nogil=True, error_model="numpy")
    try:
        made = compiler(cache=True)(_named(function))
    except Exception:  # where there is no folder for its cache, or what is in it is damaged
        made = compiler()(function)
    return made


def _named(function: Any) -> Any:
    """The function, named for these sources: on disk numba knows it by its name, its file and its own code alone."""
    named = FunctionType(function.__code__, function.__globals__, function.__name__)
    named.__qualname__ = f"{function.__name__}_{_sources()}"
    return named


@cache
def _sources() -> str:
    texts = (Path(__file__).with_name(f"{room}.py").read_bytes() for room in INLINED)
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]
