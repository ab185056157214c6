"""What the rooms of compiled code share: numba's types, and how it calls C functions by their addresses.

This room is imported when it is used, for it imports numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

INT, LONG, VOID, POINTER = ir.IntType(32), ir.IntType(64), ir.VoidType(), ir.IntType(8).as_pointer()

types: Any = numba.types
whole = types.intp


def jit(function: Callable[..., Any]) -> Any:
    """Compiled where another compiled function calls it."""
    return numba.njit(error_model="numpy")(function)


def known(function: Callable[..., Any]) -> Any:
    """A function that says how numba is to compile it."""
    return intrinsic(function)


def c_function(returns: Any, *takes: Any) -> Callable[..., Any]:
    """How numba is to call a C function by its address, the first argument; a float is taken as None."""

    def call(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        cast = {INT: builder.trunc, POINTER: builder.inttoptr}
        given = [cast[kind](arg, kind) if kind in cast else arg for kind, arg in zip(takes, args[1:], strict=True)]
        kind = ir.FunctionType(returns, [arg.type for arg in given]).as_pointer()
        result = builder.call(builder.inttoptr(args[0], kind), given)
        return context.get_dummy_value() if returns == VOID else builder.sext(result, LONG)

    return call
