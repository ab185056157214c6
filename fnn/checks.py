"""Every check at the public edge, and the one grammar in which it refuses.

    forward: `x` must have shape (n, 784), got (3, 4, 5).

Function, argument, rule, value, and the fix where there is one.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Callable, Collection
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Validator = Callable[[Any, Any, Any], None]


def problem(kind: type[Exception], where: str, name: str, rule: str, got: str, fix: str = "") -> Exception:
    """The exception to raise: "where: `name` rule, got got." and then the fix."""
    return kind(f"{where}: `{name}` {rule}, got {got}." + (f" {fix}" if fix else ""))


def show(value: object) -> str:
    """A value in an error message: an array by its dtype and shape, the rest by a short repr."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    return reprlib.repr(value)


# Settings: validators for the fields of specs. A NumPy scalar becomes the plain Python value it holds.


def _plain(spec: Any, field: Any, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
        object.__setattr__(spec, field.name, value)
    return value


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def integer(least: int) -> Validator:
    """A validator: an int of at least `least`."""

    def check(spec: Any, field: Any, value: Any) -> None:
        value = _plain(spec, field, value)
        kind = ValueError if _whole(value) else TypeError
        if kind is TypeError or value < least:
            rule = f"must be an integer of at least {least}"
            raise problem(kind, type(spec).__name__, field.name, rule, show(value))

    return check


def number(rule: str, holds: Callable[[float], bool]) -> Validator:
    """A validator: a finite number for which `holds`; `rule` says so, as in "must be in [0, 1)"."""

    def check(spec: Any, field: Any, value: Any) -> None:
        value = _plain(spec, field, value)
        kind = TypeError if isinstance(value, bool) or not isinstance(value, int | float) else ValueError
        if kind is TypeError or not math.isfinite(value) or not holds(value):
            raise problem(kind, type(spec).__name__, field.name, f"must be a number {rule}", show(value))

    return check


at_least_0 = number("of at least 0", lambda value: value >= 0)
above_0 = number("above 0", lambda value: value > 0)
from_0_below_1 = number("in [0, 1)", lambda value: 0 <= value < 1)


def boolean(spec: Any, field: Any, value: Any) -> None:
    """A validator: True or False."""
    if not isinstance(_plain(spec, field, value), bool):
        raise problem(TypeError, type(spec).__name__, field.name, "must be True or False", show(value))


def part(names: Collection[str], *methods: str) -> Validator:
    """A validator: a frozen record that has `methods`. Its name is resolved before it comes here."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if is_record(value, methods):
            return
        signatures = " and ".join(methods)
        rule = f"must be a frozen record with {signatures}"
        if names:
            rule = f"must be one of {', '.join(sorted(names))}, or a frozen record with {signatures}"
        close = difflib.get_close_matches(value, names, 1) if isinstance(value, str) else []
        fix = f"Did you mean {close[0]!r}?" if close else ""
        kind = ValueError if isinstance(value, str) and names else TypeError
        raise problem(kind, type(spec).__name__, field.name, rule, show(value), fix)

    return check


def rate(a_number: Validator) -> Validator:
    """A validator: a number, as `a_number` wants it, or a frozen record to be called with the step."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if is_record(value, ("__call__",)):
            return
        try:
            a_number(spec, field, value)
        except TypeError:
            rule = "must be a number, or a frozen record with __call__(step)"
            raise problem(TypeError, type(spec).__name__, field.name, rule, show(value)) from None

    return check


def is_record(value: object, methods: Collection[str]) -> bool:
    """Whether the value is a frozen record, attrs' or a dataclass, that has `methods`."""
    if isinstance(value, type) or not (attrs.has(type(value)) or dataclasses.is_dataclass(value)):
        return False
    try:
        hash(value)
    except TypeError:
        return False
    return all(callable(getattr(value, method, None)) for method in methods)


# Arguments.


def instance(where: str, name: str, value: object, kind: type, fix: str = "") -> None:
    """Refuse a value that is not a `kind`."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        rule = f"must be {article} {kind.__name__}"
        raise problem(TypeError, where, name, rule, show(value) if fix else _kind_of(value), fix)


def _kind_of(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def count(where: str, name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse a value that is not an integer of at least `least` (and at most `most`)."""
    rule = f"must be an integer of at least {least}" if most is None else f"must be in {least}..{most}"
    if not _whole(value):
        raise problem(TypeError, where, name, rule, show(value))
    if value < least or (most is not None and value > most):  # type: ignore[operator]  # it is an int
        raise problem(ValueError, where, name, rule, show(value))


def seed(where: str, value: object) -> None:
    """Refuse a value that is not an integer from 0 to 2⁶⁴ − 1."""
    if not _whole(value):
        raise problem(TypeError, where, "seed", "must be an integer of at least 0", show(value))
    if not 0 <= value < 2**64:  # type: ignore[operator]  # it is an int
        raise problem(ValueError, where, "seed", "must be an integer from 0 to 2**64 - 1", show(value))


def choice(where: str, name: str, value: object, options: Collection[object]) -> None:
    """Refuse a value that is not one of `options`."""
    if value not in options:
        rule = f"must be one of {', '.join(map(repr, options))}"
        raise problem(ValueError, where, name, rule, show(value))


# Data.


def numeric(where: str, name: str, value: object, kinds: str = "buif") -> Array:
    """The value as an array, refused unless its dtype is real: booleans, integers or floats."""
    if isinstance(value, np.ma.MaskedArray):
        rule, fix = "must not be masked", "Fill it, or leave the masked rows out."
        raise problem(TypeError, where, name, rule, "a MaskedArray", fix)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise problem(TypeError, where, name, "must be an array of numbers", show(value)) from None
    if array.dtype.kind not in kinds:
        rule = "must be an array of integers" if kinds == "ui" else "must be an array of real numbers"
        got = f"dtype {array.dtype}" if isinstance(value, np.ndarray) else show(value)
        raise problem(TypeError, where, name, rule, got)
    return array


def finite(where: str, name: str, array: Array) -> None:
    """Refuse NaN and infinity, naming the first."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    if np.isfinite(total):  # a sum may overflow without any of its terms doing so
        return
    bad = ~np.isfinite(array)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        place = at[0] if len(at) == 1 else at
        rule = f"must be finite in {array.dtype}"
        got = f"{int(bad.sum())} values that are not, the first {array[at]} at {place}"
        raise problem(ValueError, where, name, rule, got)


def rows(where: str, name: str, value: object, columns: int | None) -> Array:
    """The value as an array of shape (n, columns), n at least 1, of real numbers."""
    array = numeric(where, name, value)
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        rule = f"must have shape (n, {columns})" if columns else "must have shape (n, columns)"
        fix = ""
        if array.ndim == 1 and columns in (None, len(array)):
            fix = f"One row is `{name}[None, :]`."
        elif array.ndim > 2 and columns in (None, math.prod(array.shape[1:])):
            fix = f"Rows are made flat by `{name}.reshape(len({name}), -1)`."
        raise problem(ValueError, where, name, rule, str(array.shape), fix)
    if array.size == 0:
        raise problem(ValueError, where, name, "must have at least one row and column", str(array.shape))
    return array


def weights(where: str, value: object, n: int) -> Array:
    """The value as n weights: finite, none below 0, not all 0."""
    array = numeric(where, "sample_weight", value)
    if array.shape != (n,):
        raise problem(ValueError, where, "sample_weight", f"must have shape ({n},)", str(array.shape))
    finite(where, "sample_weight", array)
    if array.min() < 0 or array.max() <= 0:
        rule = "must be at least 0, and above 0 somewhere"
        raise problem(ValueError, where, "sample_weight", rule, f"a least of {array.min()}, a most of {array.max()}")
    return array


def labels(where: str, y: Array, classes: int) -> None:
    """Refuse integer labels outside 0 … classes − 1."""
    if y.min() < 0 or y.max() >= classes:
        bad = int(np.flatnonzero((y < 0) | (y >= classes))[0])
        rule = f"must be labels from 0 to {classes - 1}"
        raise problem(ValueError, where, "y", rule, f"{y[bad]} in row {bad}")


def targets(where: str, value: object, n: int, outputs: int, kind: str) -> Array:
    """The value as n targets of a kind: "classes", "shares" (in [0, 1]), "values", or "any" (a user's)."""
    y = numeric(where, "y", value)
    if y.ndim == 0 or len(y) != n:
        raise problem(ValueError, where, "y", f"must have {n} rows, as x has", str(y.shape))
    if kind == "classes" and y.ndim == 1:
        if y.dtype.kind not in "ui":
            fix = "Labels that are whole are made integers by `y.astype(int)`."
            raise problem(TypeError, where, "y", "must hold integer labels", f"dtype {y.dtype}", fix)
        labels(where, y, outputs)
        return y
    if kind != "any" and y.shape != (n, outputs) and (y.shape != (n,) or outputs != 1):
        shape = f"({n}, {outputs})" + (f" or ({n},)" if outputs == 1 or kind == "classes" else "")
        fix = ""
        if kind == "classes" and y.shape == (n, 1):
            fix = "A column of labels is made flat by `y.ravel()`."
        elif kind != "classes" and y.shape == (n,) and y.dtype.kind in "ui":
            fix = f"Labels are made one-hot by `np.eye({outputs})[y]`."
        raise problem(ValueError, where, "y", f"must have shape {shape}", str(y.shape), fix)
    finite(where, "y", y)
    if kind in ("classes", "shares") and (y.min() < 0 or y.max() > 1):
        got = f"a least of {y.min()}, a most of {y.max()}"
        raise problem(ValueError, where, "y", "must be in [0, 1]", got)
    if kind == "classes":
        sums = y.sum(axis=1, dtype=np.float64)
        worst = int(np.abs(sums - 1).argmax())
        if abs(sums[worst] - 1) > 1e-3:
            raise problem(ValueError, where, "y", "must sum to 1 in each row", f"{sums[worst]:.6g} in row {worst}")
    return y
