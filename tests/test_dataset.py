"""`fnn.Dataset`: what it keeps and what it refuses."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fnn
from tests.stand_ins import exactly


def numbered(n: int, weights: NDArray[Any] | None = None, rows: NDArray[Any] | None = None) -> fnn.Dataset:
    """n rows, of which row i holds i in each of its two columns and in its target."""
    return fnn.Dataset(np.arange(n).repeat(2).reshape(n, 2), np.arange(n), weights, rows)


# What it keeps.


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "i8", "u8", "f2", "f4", "f8", "?"])
def test_dtypes_stay_and_memory_is_shared(dtype: str) -> None:
    x, y, w = np.ones((5, 3), dtype), np.ones(5, dtype), np.ones(5, dtype)
    data = fnn.Dataset(x, y, w, np.arange(3))
    for given_array, kept in ((x, data.x), (y, data.y), (w, data.sample_weight)):
        assert kept is not None
        assert kept.dtype == dtype
        assert np.shares_memory(given_array, kept)


def test_strides_and_integers_of_any_kind_are_shared_too() -> None:
    x, rows = np.asfortranarray(np.ones((6, 4))), np.array([4, 0], np.uint16)
    data = fnn.Dataset(x[::2, 1:], np.arange(3), rows=rows[1:])
    assert np.shares_memory(x, data.x)
    assert data.rows is not None
    assert np.shares_memory(rows, data.rows)


def test_views_are_read_only_and_what_was_given_is_as_before() -> None:
    x, y, w, rows = np.ones((3, 2)), np.arange(3), np.ones(3), np.arange(2)
    data = fnn.Dataset(x, y, w, rows)
    for array in (data.x, data.y, data.sample_weight, data.rows):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert all(array.flags.writeable for array in (x, y, w, rows))


def test_a_copy_by_pickle_is_the_same_and_read_only() -> None:
    data = numbered(4, np.array([1.0, 2.0, 0.0, 1.0]), np.array([0, 1, 2]))
    copy = pickle.loads(pickle.dumps(data))
    assert fnn.digest(copy) == fnn.digest(data)
    assert not copy.x.flags.writeable


def test_lists_are_arrays() -> None:
    data = fnn.Dataset([[1, 2], [3, 4]], [0.5, 1.5])
    assert data.x.dtype.kind == "i"
    assert data.y.dtype == np.float64


def test_len_and_repr() -> None:
    x, y = np.zeros((1200, 1000), np.uint8), np.zeros(1200)
    assert (len(fnn.Dataset(x, y)), repr(fnn.Dataset(x, y))) == (1200, "Dataset(1,200 rows of 1,000 uint8 columns)")
    some = fnn.Dataset(x, y, rows=np.arange(1100))
    assert (len(some), repr(some)) == (1100, "Dataset(1,100 of 1,200 rows of 1,000 uint8 columns)")


def test_take_counts_among_the_rows_that_count() -> None:
    weights = np.arange(6) / 10
    x, y, w = numbered(6, weights, np.array([5, 3, 3, 1])).take(np.array([0, 2]))
    assert w is not None
    assert (x.tolist(), y.tolist(), w.tolist()) == ([[5, 5], [3, 3]], [5, 3], [0.5, 0.3])
    assert numbered(6, rows=np.array([5, 3, 1])).take(slice(1, None))[1].tolist() == [3, 1]
    x, y, none = numbered(6).take(slice(2, 4))
    assert (y.tolist(), none) == ([2, 3], None)


# What it refuses.

X, Y = np.zeros((3, 2)), np.arange(3)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((Y, Y), ValueError, "`x` must have shape (n, columns), got (3,). One row is `x[None, :]`."),
        (
            (np.zeros((3, 2, 2)), Y),
            ValueError,
            "`x` must have shape (n, columns), got (3, 2, 2). Rows are made flat by `x.reshape(len(x), -1)`.",
        ),
        ((X[:0], Y[:0]), ValueError, "`x` must have at least one row and column, got (0, 2)."),
        ((X * 1j, Y), TypeError, "`x` must be an array of real numbers, got dtype complex128."),
        (
            (X, ["a", "b", "c"]),
            TypeError,
            "`y` must be an array of real numbers, got ['a', 'b', 'c']. "
            "Names are made labels by `np.unique(y, return_inverse=True)[1]`.",
        ),
        ((X, Y[:2]), ValueError, "`y` must have shape (3,) or (3, outputs), for as many rows as x has, got (2,)."),
        ((X, 1), ValueError, "`y` must have shape (3,) or (3, outputs), for as many rows as x has, got ()."),
        ((X, Y, [1, 1]), ValueError, "`sample_weight` must have shape (3,), got (2,)."),
        (
            (X, Y, [1, 1, -1]),
            ValueError,
            "`sample_weight` must be at least 0, and above 0 somewhere, got a least of -1, a most of 1.",
        ),
        (
            (X, Y, [0, 0, 0]),
            ValueError,
            "`sample_weight` must be at least 0, and above 0 somewhere, got a least of 0, a most of 0.",
        ),
        ((X, Y, None, [0.0, 1.0]), TypeError, "`rows` must be an array of integers, got [0.0, 1.0]."),
        ((X, Y, None, np.ones(3, bool)), TypeError, "`rows` must be an array of integers, got dtype bool."),
        ((X, Y, None, Y[:0]), ValueError, "`rows` must have shape (m,), m at least 1, got (0,)."),
        ((X, Y, None, [[0]]), ValueError, "`rows` must have shape (m,), m at least 1, got (1, 1)."),
        ((X, Y, None, [0, 3]), ValueError, "`rows` must be indices from 0 to 2, got a least of 0, a most of 3."),
        ((X, Y, None, [-1, 1]), ValueError, "`rows` must be indices from 0 to 2, got a least of -1, a most of 1."),
    ],
)
def test_what_is_refused(arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"Dataset: {message}")):
        fnn.Dataset(*arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(bad: float) -> None:
    x, y = np.zeros((3, 2)), np.zeros(3)
    x[1, 1] = y[2] = bad
    message = f"Dataset: `x` must be finite in float64, got {bad} at (1, 1)."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.Dataset(x, Y)
    message = f"Dataset: `y` must be finite in float64, got {bad} at 2."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.Dataset(X, y)


@pytest.mark.parametrize("first", [4095, 4096, 5000, 8192])
def test_where_the_first_number_that_is_not_finite_is_in_many_rows(first: int) -> None:
    x = np.zeros((10_000, 2))
    x[[first, 9000], 1] = np.nan
    message = f"Dataset: `x` must be finite in float64, got nan at ({first}, 1)."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.Dataset(x, np.zeros(10_000))


@pytest.mark.parametrize("name", ["x", "y", pytest.param("sample_weight")])
def test_masked_arrays(name: str) -> None:
    arguments: dict[str, Any] = {"x": X, "y": Y, "sample_weight": np.ones(3)}
    arguments[name] = np.ma.masked_array(arguments[name])
    message = f"Dataset: `{name}` must not be masked, got a MaskedArray. Fill it, or leave the masked rows out."
    with pytest.raises(TypeError, match=exactly(message)):
        fnn.Dataset(**arguments)


def test_weights_that_are_0_in_all_rows_that_count() -> None:
    with pytest.raises(
        ValueError, match=r"^Dataset: `sample_weight` must be above 0 for one of `rows`, got 0 for all of them\.$"
    ):
        fnn.Dataset(X, Y, [0, 0, 1], rows=[0, 1])


def test_the_digest_of_sparse_rows_is_that_of_the_rows() -> None:
    x = np.array([[1.0, 2.0], [0.0, 3.0]])
    assert fnn.digest(sparse.csr_array(x)) == fnn.digest(sparse.coo_array(x))
    assert fnn.digest(sparse.csr_array(x)) != fnn.digest(sparse.csc_array(x.T))
