"""Functions of the BLAS that NumPy itself works with, by their address."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module


@cache
def address(*names: str) -> int:
    """Where the first function of these names is; 0 where there is none."""
    # a name is looked for in what the library was linked to as well
    library = ctypes.CDLL(str(import_module("numpy._core._multiarray_umath").__file__))
    found = [library[name] for name in names if hasattr(library, name)]
    return (ctypes.cast(found[0], ctypes.c_void_p).value or 0) if found else 0
