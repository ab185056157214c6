"""Data frames of pandas and polars where an array goes: the same numbers as their columns one by one, or refused."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import fnn
from tests.stand_ins import exactly

NETWORK = fnn.mlp(2, 3, 2)
PARAMS = fnn.init_params(NETWORK, seed=0)
LABELS = [0, 1, 1]
LIBRARIES: list[Callable[..., Any]] = [pd.DataFrame, pl.DataFrame]

PANDAS = [
    ("int64", "int64", "int64"),
    ("uint8", "uint8", "uint8"),
    ("float32", "float32", "float32"),
    ("bool", "bool", "bool"),
    ("int64", "float32", "float64"),
    ("bool", "float32", "float32"),
    ("bool", "uint8", "uint8"),
    ("Int64", "Int64", "int64"),
    ("UInt8", "UInt8", "uint8"),
    ("Int64", "Float32", "float64"),
    ("boolean", "Int8", "int8"),
    ("boolean", "boolean", "bool"),
    ("Sparse[float64]", "Sparse[float64]", "float64"),
    ("int64[pyarrow]", "int64[pyarrow]", "int64"),
    ("uint8[pyarrow]", "float[pyarrow]", "float32"),
    ("double[pyarrow]", "bool[pyarrow]", "float64"),
]
POLARS: list[tuple[Any, Any, str]] = [
    (pl.Int64, pl.Int64, "int64"),
    (pl.UInt8, pl.UInt8, "uint8"),
    (pl.Float32, pl.Float32, "float32"),
    (pl.Boolean, pl.Boolean, "bool"),
    (pl.Int64, pl.Float32, "float64"),
    (pl.UInt8, pl.Float32, "float32"),
    (pl.Boolean, pl.Float64, "float64"),
]


def pandas_frame(a: str, b: str) -> pd.DataFrame:
    return pd.DataFrame({"b": [1, 0, 1], "a": [0, 1, 1]}).astype({"b": b, "a": a})


def polars_frame(a: Any, b: Any) -> pl.DataFrame:
    return pl.DataFrame({"b": [1, 0, 1], "a": [0, 1, 1]}).cast({"b": b, "a": a})


FRAMES = [*((pandas_frame, *case) for case in PANDAS), *((polars_frame, *case) for case in POLARS)]


@pytest.mark.parametrize(("frame_of", "a", "b", "dtype"), FRAMES)
def test_columns_of_numbers(frame_of: Callable[..., Any], a: Any, b: Any, dtype: str) -> None:
    frame, plain = frame_of(a, b), [[1, 0], [0, 1], [1, 1]]  # "b" comes first
    data = fnn.Dataset(frame, frame["a"], sample_weight=frame["a"])
    assert data.x.dtype == dtype
    assert data.x.tolist() == plain
    assert data.y.tolist() == [0, 1, 1]
    assert data.sample_weight is not None
    assert data.sample_weight.tolist() == [0, 1, 1]
    assert fnn.forward(NETWORK, PARAMS, frame).tolist() == fnn.forward(NETWORK, PARAMS, plain).tolist()
    assert fnn.predict(NETWORK, PARAMS, frame).tolist() == fnn.predict(NETWORK, PARAMS, plain).tolist()
    labels = type(frame["a"])(LABELS)
    assert fnn.loss(NETWORK, PARAMS, frame, labels) == fnn.loss(NETWORK, PARAMS, plain, LABELS)


@pytest.mark.parametrize("library", LIBRARIES)
def test_columns_are_taken_in_the_order_they_are_named(library: Callable[..., Any]) -> None:
    frame = library({"label": [1, 0], "a": [1.5, 2.5], "b": [3.5, 4.5]})
    assert fnn.Dataset(frame[["b", "a"]], frame["label"]).x.tolist() == [[3.5, 1.5], [4.5, 2.5]]
    assert fnn.Dataset(frame[["a"]], frame[["b", "label"]]).y.tolist() == [[3.5, 1], [4.5, 0]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_that_is_one_array_is_not_copied(library: Callable[..., Any]) -> None:
    frame = library(np.asfortranarray(np.arange(6.0).reshape(3, 2)))
    assert np.shares_memory(fnn.Dataset(frame, LABELS).x, np.asarray(frame))


def test_columns_of_the_same_name() -> None:
    frame = pd.DataFrame(np.arange(6).reshape(3, 2), columns=["a", "a"]).astype("Int64")
    assert fnn.Dataset(frame, LABELS).x.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_training_on_frames_is_training_on_arrays() -> None:
    x, y = np.random.default_rng(0).standard_normal((30, 2)), np.arange(30) % 2
    arrays = fnn.fit(NETWORK, fnn.Dataset(x, y), epochs=2)
    for library in LIBRARIES:
        frame = library({"a": x[:, 0], "b": x[:, 1], "label": y})
        run = fnn.fit(NETWORK, fnn.Dataset(frame[["a", "b"]], frame["label"]), epochs=2)
        assert fnn.digest(run.params) == fnn.digest(arrays.params)


# What is refused, each in one line.

DAY = datetime.date(2020, 1, 1)
OTHERS: list[tuple[Any, str]] = [
    (pd.Series(["x", "y", "z"]), "str"),
    (pd.Series([1, "y", None], dtype=object), "object"),
    (pd.Series([1, 2, 3], dtype=object), "object"),
    (pd.Series([1, 2, 3], dtype="complex64"), "complex64"),
    (pd.Series(pd.Categorical(["x", "y", "x"])), "category"),
    (pd.Series(pd.Categorical([3, 4, 3])), "category"),  # which NumPy would take for integers
    (pd.Series([0, 1, 2], dtype="datetime64[us]"), "datetime64[us]"),
    (pd.Series([0, 1, 2], dtype="datetime64[us, UTC]"), "datetime64[us, UTC]"),
    (pd.Series([1, 2, 3], dtype="timedelta64[s]"), "timedelta64[s]"),
    (pd.Series(pd.interval_range(0, 3)), "interval[int64, right]"),
    (pd.Series([1, None, 3], dtype="Int64"), "Int64"),
    (pd.Series([True, None, False], dtype="boolean"), "boolean"),
    (pl.Series(["x", "y", "z"]), "String"),
    (pl.Series([DAY] * 3), "Date"),  # which polars would make days since 1970, beside an integer
    (pl.Series([datetime.datetime(2020, 1, 1)] * 3), "Datetime"),
    (pl.Series(["x", "y", "x"], dtype=pl.Categorical), "Categorical"),
    (pl.Series(["x", "y", "x"], dtype=pl.Enum(["x", "y"])), "Enum"),
    (pl.Series([b"x", b"y", b"z"]), "Binary"),
    (pl.Series([1, 2, 3], dtype=pl.Decimal(10, 2)), "Decimal"),
    (pl.Series([1, None, 3]), "Int64"),
    (pl.Series([True, None, False]), "Boolean"),
    (pl.Series([None, None, None]), "Null"),
]


def frame_with(column: Any) -> Any:
    library: Any = pd.DataFrame if isinstance(column, pd.Series) else pl.DataFrame
    return library({"a": [1, 2, 3], "the b": column})


@pytest.mark.parametrize(("column", "dtype"), OTHERS, ids=[dtype for _, dtype in OTHERS])
def test_columns_of_anything_else(column: Any, dtype: str) -> None:
    rest = (
        f"must have columns of numbers, none missing, got 'the b' of {dtype}. Fill, encode or leave out these columns."
    )
    frame = frame_with(column)
    calls: dict[str, Callable[[], object]] = {
        "Dataset: `x`": lambda: fnn.Dataset(frame, LABELS),
        "Dataset: `y`": lambda: fnn.Dataset(np.zeros((3, 2)), frame),
        "forward: `x`": lambda: fnn.forward(NETWORK, PARAMS, frame),
        "predict: `x`": lambda: fnn.predict(NETWORK, PARAMS, frame),
        "loss: `x`": lambda: fnn.loss(NETWORK, PARAMS, frame, LABELS),
    }
    for begins, call in calls.items():
        with pytest.raises(TypeError, match=exactly(f"{begins} {rest}")):
            call()


def test_arrow_with_one_missing() -> None:
    test_columns_of_anything_else(pd.Series([1, None, 3], dtype="int64[pyarrow]"), "int64[pyarrow]")


@pytest.mark.parametrize("library", LIBRARIES)
def test_many_columns_of_anything_else(library: Callable[..., Any]) -> None:
    frame = library({f"column {i}": ["text"] * 3 for i in range(1200)})
    kind = frame["column 0"].dtype
    got = ", ".join(f"'column {i}' of {kind}" for i in range(3)) + " and 1,197 more"
    rule = "must have columns of numbers, none missing"
    message = f"Dataset: `x` {rule}, got {got}. Fill, encode or leave out these columns."
    with pytest.raises(TypeError, match=exactly(message)):
        fnn.Dataset(frame, LABELS)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nan_in_a_column_of_floats(library: Callable[..., Any]) -> None:
    frame = library({"a": [1, 2, 3], "b": [0.5, np.nan, 1.5]})
    with pytest.raises(ValueError, match=exactly("Dataset: `x` must be finite in float64, got nan at (1, 1).")):
        fnn.Dataset(frame, LABELS)


@pytest.mark.parametrize(
    ("labels", "got", "named"),
    [
        (pd.Series(["x", "y", "z"]), "a Series of str with shape (3,)", True),
        (pd.Series(pd.Categorical(["x", "y", "x"])), "a Series of category with shape (3,)", True),
        (pd.Series([0, 1, 2], dtype="datetime64[us]"), "a Series of datetime64[us] with shape (3,)", False),
        (pl.Series(["x", "y", "z"]), "a Series of String with shape (3,)", True),
        (pl.Series([DAY] * 3), "a Series of Date with shape (3,)", False),
    ],
)
def test_labels_that_are_no_numbers(labels: Any, got: str, named: bool) -> None:
    fix = " Names are made labels by `np.unique(y, return_inverse=True)[1]`." if named else ""
    with pytest.raises(TypeError, match=exactly(f"Dataset: `y` must be an array of real numbers, got {got}.{fix}")):
        fnn.Dataset(np.zeros((3, 2)), labels)
    if named:
        assert fnn.Dataset(np.zeros((3, 2)), np.unique(labels, return_inverse=True)[1]).y[:2].tolist() == [0, 1]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_where_a_setting_goes(library: Callable[..., Any]) -> None:
    message = "Dense: `units` must be an integer of at least 1, got a DataFrame with shape (3, 1)."
    with pytest.raises(TypeError, match=exactly(message)):
        fnn.Dense(library({"a": LABELS}))
