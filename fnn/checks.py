"""Every check at the public edge, and the one grammar in which it refuses.

    forward: `x` must have shape (n, 784), got (3, 4, 5).

Function, argument, rule, value, and the fix where there is one.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import sys
from collections.abc import Callable, Collection
from typing import Any, cast

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def problem(kind: type[Exception], where: str, name: str, rule: str, got: str, fix: str = "") -> Exception:
    """The exception to raise: "where: `name` rule, got got." and then the fix."""
    return kind(f"{where}: `{name}` {rule}, got {got}." + (f" {fix}" if fix else ""))


def show(value: Any) -> str:
    """A value in an error message: an array or a frame by its dtype and shape, the rest by a short repr."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    if hasattr(type(value), "to_numpy"):  # a frame or one of its columns
        of = f" of {value.dtype}" if hasattr(type(value), "dtype") else ""
        return f"{_a(type(value))}{of} with shape {np.shape(value)}"
    return reprlib.repr(value)


def is_whole(value: object) -> bool:
    """Whether the value is an integer, and no boolean."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_record(value: object, methods: Collection[str]) -> bool:
    """Whether the value is a frozen record, attrs' or a dataclass, that has `methods`."""
    kind = type(value)
    if attrs.has(kind):
        frozen = attrs.inspect(kind).is_frozen
    else:
        frozen = dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # a dataclass has it
    is_value = frozen and kind.__eq__ is not object.__eq__ and kind.__hash__ is not None
    return is_value and all(callable(getattr(value, method, None)) for method in methods)


def instance(where: str, name: str, value: object, kind: type, fix: str = "") -> None:
    """Refuse a value that is not a `kind`."""
    if not isinstance(value, kind):
        raise problem(TypeError, where, name, f"must be {_a(kind)}", _kind_of(value), fix)


def exactly(where: str, name: str, value: object, kind: type, fix: str) -> None:
    """Refuse a value whose type is not `kind` itself; that of a subclass too."""
    if type(value) is not kind:
        raise problem(TypeError, where, name, f"must be {_a(kind)}", _kind_of(value), fix)


def _a(kind: type) -> str:
    name = kind.__name__
    spelled = name[:2] in ("LB", "MA", "MS", "NA", "RM", "SG", "nd")  # an SGD
    return f"{'an' if name[0] in 'aeiouAEIO' or spelled else 'a'} {name}"


def _kind_of(value: object) -> str:
    return "None" if value is None else f"the class {value.__name__}" if isinstance(value, type) else _a(type(value))


def count(where: str, name: str, value: object, least: int) -> None:
    """Refuse a value that is not an integer of at least `least`."""
    if not is_whole(value) or value < least:  # type: ignore[operator]  # it is an int
        kind = ValueError if is_whole(value) else TypeError
        raise problem(kind, where, name, f"must be an integer of at least {least}", show(value))


def word(where: str, name: str, value: object) -> None:
    """Refuse a value that is not an integer from 0 to 2⁶⁴ − 1, as a seed must be."""
    if not is_whole(value) or not 0 <= value < 2**64:  # type: ignore[operator]  # it is an int
        kind = ValueError if is_whole(value) else TypeError
        raise problem(kind, where, name, "must be an integer from 0 to 2**64 - 1", show(value))


def number(where: str, name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    """The value as a float, refused unless it is a finite number for which `holds`; `rule` says so."""
    plain = value.item() if isinstance(value, np.generic) else value
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    if not is_number or not abs(plain) <= sys.float_info.max or not holds(plain):
        raise problem(ValueError if is_number else TypeError, where, name, f"must be a {rule}", show(value))
    return float(plain)


def fraction(where: str, name: str, value: object) -> float:
    """The value as a float, refused unless it is between 0 and 1, both excluded."""
    return number(where, name, value, "number in (0, 1)", lambda value: 0 < value < 1)


def choice(where: str, name: str, value: object, options: Collection[object]) -> None:
    """Refuse a value that is not one of `options`."""
    if not isinstance(value, str | None) or value not in options:
        rule = f"must be one of {', '.join(map(repr, options))}"
        raise problem(ValueError, where, name, rule, show(value))


# Data.


def numeric(where: str, name: str, value: object, kinds: str = "buif") -> Array:
    """The value as an array, refused unless its dtype is real: booleans, integers or floats."""
    if isinstance(value, np.ma.MaskedArray):
        rule, fix = "must not be masked", "Fill it, or leave the masked rows out."
        raise problem(TypeError, where, name, rule, "a MaskedArray", fix)
    if hasattr(value, "columns") and hasattr(type(value), "to_numpy"):
        value = _of_frame(where, name, value)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise problem(TypeError, where, name, "must be an array of numbers", show(value)) from None
    if array.dtype.kind not in kinds and (array.size or array.dtype.kind != "f"):  # an empty list is of floats
        what = {"ui": "integers", "bui": "integers or booleans", "buif": "real numbers"}[kinds]
        got = f"dtype {array.dtype}" if isinstance(value, np.ndarray) else show(value)
        text = name.endswith("y") and array.dtype.kind in "USO" and all(isinstance(each, str) for each in array.flat)
        fix = f"Names are made labels by `np.unique({name}, return_inverse=True)[1]`." if text else ""
        if type(value).__name__ == "Dataset":
            fix = "Its rows are `x, y, sample_weight = data.take()`."
        raise problem(TypeError, where, name, f"must be an array of {what}", got, fix)
    return array


def _of_frame(where: str, name: str, frame: Any) -> Array:
    """The columns of a data frame of pandas or polars, which let a date or a category of numbers pass for numbers."""
    columns, others = [], []
    for label, column in frame.items() if hasattr(frame, "items") else zip(frame.columns, frame, strict=True):
        kind = getattr(column.dtype, "kind", str(column.dtype)[0].lower())  # polars has but names: Int64, Boolean
        columns.append(np.asarray(column))
        if kind not in "buif" or columns[-1].dtype.kind != kind:  # integers are made floats where one is missing
            others.append(f"{label!r} of {str(column.dtype).partition('(')[0]}")
    if others:
        got = ", ".join(others[:3]) + (f" and {len(others) - 3:,} more" if len(others) > 3 else "")
        fix = "Fill, encode or leave out these columns."
        raise problem(TypeError, where, name, "must have columns of numbers, none missing", got, fix)
    return np.column_stack(columns) if (whole := np.asarray(frame)).dtype.kind == "O" else whole  # seldom a copy


def finite(where: str, name: str, array: Any, first_row: int = 0, fix: str = "") -> None:
    """Refuse NaN and infinity, naming the first; `first_row` is where a piece of a longer array begins."""
    if array.dtype.kind != "f":
        return
    fine = np.isfinite(array.data if is_sparse(array) else array)
    if np.count_nonzero(fine) == fine.size:  # faster than fine.all()
        return
    bad = np.transpose(array.tocoo().coords)[~fine] if is_sparse(array) else np.argwhere(~fine)
    first = tuple(int(i) for i in bad[0])
    at = tuple(i + first_row * (axis == 0) for axis, i in enumerate(first))  # () of an array of one number
    got = f"{array[first]} at {at[0] if len(at) == 1 else at}"
    raise problem(ValueError, where, name, f"must be finite in {array.dtype}", got, fix)


def is_sparse(value: object) -> bool:
    """Whether the value is one of scipy's sparse arrays."""
    return hasattr(type(value), "tocsr")


def rows(where: str, name: str, value: Any, columns: int | None) -> Array:
    """The value as an array of shape (n, columns), n at least 1, of real numbers; a sparse one as a csr_array."""
    array: Any = value
    if not is_sparse(value):
        array = numeric(where, name, value)
    elif value.ndim == 2:
        from scipy.sparse import csr_array

        array = csr_array(value)
        numeric(where, name, array.data)
        within = not array.nnz or 0 <= array.indices.min() <= array.indices.max() < array.shape[1]
        if not within or (np.diff(array.indptr) < 0).any():
            rule = f"must have indices from 0 to {array.shape[1] - 1} in rows one after the other"
            raise problem(ValueError, where, name, rule, "others")
        if not array.has_canonical_format:  # duplicates are added up in their own dtype
            array = array.copy()
            array.sum_duplicates()
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        rule = f"must have shape (n, {columns})" if columns else "must have shape (n, columns)"
        fix = ""
        if array.ndim == 1 and array.size and columns in (None, array.shape[0]):
            fix = f"One row is `{name}[None, :]`."
        elif array.ndim > 2 and not is_sparse(array) and columns in (None, math.prod(array.shape[1:])):
            fix = f"Rows are made flat by `{name}.reshape(len({name}), -1)`."
        raise problem(ValueError, where, name, rule, str(array.shape), fix)
    if 0 in array.shape:
        raise problem(ValueError, where, name, "must have at least one row and column", str(array.shape))
    return cast(Array, array)


def weights(where: str, value: object, n: int) -> Array:
    """The value as n weights: finite, none below 0, not all 0."""
    array = numeric(where, "sample_weight", value)
    if array.shape != (n,):
        raise problem(ValueError, where, "sample_weight", f"must have shape ({n},)", str(array.shape))
    finite(where, "sample_weight", array)
    if array.min() < 0 or array.max() <= 0:
        rule = "must be at least 0, and above 0 somewhere"
        raise problem(ValueError, where, "sample_weight", rule, _range(array))
    with np.errstate(over="ignore"):
        total = array.sum(dtype=np.float64)
    if not np.isfinite(total):
        raise problem(ValueError, where, "sample_weight", "must have a finite sum", str(total))
    return array.astype(np.float64, copy=False)  # in float32 a small weight times a small loss is 0


def _range(array: Array) -> str:
    return f"a least of {array.min() + 0}, a most of {array.max() + 0}"


def labels(where: str, name: str, y: Array, classes: int, rows: Array | None = None) -> None:
    """Refuse what is not integer labels from 0 to classes − 1; `rows` as in `targets`."""
    if y.dtype.kind not in "ui":
        fix = "Labels that are whole are made integers by `y.astype(int)`."
        raise problem(TypeError, where, name, "must hold integer labels", f"dtype {y.dtype}", fix)
    if y.min() < 0 or y.max() >= classes:
        bad = np.flatnonzero((y < 0) | (y >= classes))[0]
        got = f"{y[bad]} in row {bad if rows is None else rows[bad]}"
        raise problem(ValueError, where, name, f"must be labels from 0 to {classes - 1}", got)


def targets(
    where: str, value: object, n: int, outputs: int, kind: str, name: str = "y", rows: Array | None = None
) -> Array:
    """The value as n targets of a kind: "classes", "shares" (in [0, 1]), "amounts" (≥ 0), "values", "any" (a user's).

    `rows` are the numbers by which an error names the rows, where these are not 0 … n − 1.
    """
    y = numeric(where, name, value)
    if y.ndim == 0 or len(y) != n:
        raise problem(ValueError, where, name, f"must have {n} rows, as x has", str(y.shape))
    if kind == "classes" and y.ndim == 1:
        labels(where, name, y, outputs, rows)
        return y
    if kind != "any" and y.shape != (n, outputs) and (y.shape != (n,) or outputs != 1):
        shape = f"({n}, {outputs})" + (f" or ({n},)" if outputs == 1 or kind == "classes" else "")
        fix = ""
        if kind == "classes" and y.shape == (n, 1):
            fix = "A column of labels is made flat by `y.ravel()`."
        elif kind != "classes" and y.shape == (n,) and y.dtype.kind in "ui" and 0 <= y.min() <= y.max() < outputs:
            fix = f"Labels are made one-hot by `fnn.one_hot(y, {outputs})`."
        raise problem(ValueError, where, name, f"must have shape {shape}", str(y.shape), fix)
    finite(where, name, y)
    if kind in ("classes", "shares") and (y.min() < 0 or y.max() > 1):
        raise problem(ValueError, where, name, "must be in [0, 1]", _range(y))
    if kind == "amounts" and y.min() < 0:
        raise problem(ValueError, where, name, "must be at least 0", _range(y))
    if kind == "classes":
        sums = y.sum(axis=1, dtype=np.float64)
        worst = np.abs(sums - 1).argmax()
        if abs(sums[worst] - 1) > 1e-3:
            got = f"{sums[worst]:.6g} in row {worst if rows is None else rows[worst]}"
            raise problem(ValueError, where, name, "must sum to 1 in each row", got)
    return y
