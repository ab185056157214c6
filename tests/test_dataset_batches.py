"""`fnn.batches`: every row once, in an order that has an address."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.stand_ins import exactly


def numbered(n: int, weights: Any = None, rows: Any = None) -> fnn.Dataset:
    """n rows, of which row i holds i in each of its two columns and 10 · i as its target."""
    return fnn.Dataset(np.arange(n).repeat(2).reshape(n, 2), 10 * np.arange(n), weights, rows)


def order(data: fnn.Dataset, batch_size: int | None = 4, seed: int = 0, epoch: int = 0) -> list[int]:
    return [row for batch in fnn.batches(data, batch_size, seed, epoch) for row in batch.rows.tolist()]


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**64 - 1), st.integers(0, 2**32))
def test_every_row_once_and_only_the_last_batch_is_partial(n: int, batch_size: int, seed: int, epoch: int) -> None:
    found = list(fnn.batches(numbered(n), batch_size, seed, epoch))
    assert sorted(row for batch in found for row in batch.rows.tolist()) == list(range(n))
    sizes = [len(batch.x) for batch in found]
    assert sizes == [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    assert len(found) == math.ceil(n / batch_size)
    assert [batch.key for batch in found] == [fnn.Key(seed, epoch, index) for index in range(len(found))]


def test_x_y_and_weights_are_those_of_the_rows() -> None:
    for data in (numbered(9, np.arange(1, 10) / 8), numbered(9, np.arange(1, 10) / 8, np.array([8, 2, 5, 0, 7]))):
        for batch in fnn.batches(data, 2):
            assert batch.x.dtype == data.x.dtype
            assert batch.x.tolist() == [[row, row] for row in batch.rows]
            assert batch.y.tolist() == [10 * row for row in batch.rows]
            assert batch.sample_weight is not None
            assert batch.sample_weight.tolist() == [(row + 1) / 8 for row in batch.rows]
    assert next(fnn.batches(numbered(9))).sample_weight is None


def test_only_the_chosen_rows_are_in_a_batch() -> None:
    rows = np.array([8, 2, 5, 0, 7])
    assert sorted(order(numbered(9, rows=rows))) == [0, 2, 5, 7, 8]
    assert order(numbered(9, rows=rows), batch_size=None) == rows.tolist()


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    data = numbered(100)
    orders = {(seed, epoch): order(data, 7, seed, epoch) for seed in (0, 1, 2**63) for epoch in (0, 1, 2)}
    assert len({tuple(rows) for rows in orders.values()}) == 9
    for (seed, epoch), rows in reversed(orders.items()):  # asked for the other way round
        assert order(data, 7, seed, epoch) == rows
    assert order(data, 32, 1, 2) == orders[1, 2]  # and not of the batch size
    assert order(data, 7, 1, 2) != list(range(100))


def test_the_order_does_not_touch_the_global_generator() -> None:
    np.random.seed(5)
    first = np.random.random()
    np.random.seed(5)
    order(numbered(50))
    assert np.random.random() == first


def test_each_row_is_equally_often_in_each_place() -> None:
    places = np.zeros((8, 8))
    for epoch in range(4000):
        places[np.arange(8), order(numbered(8), epoch=epoch)] += 1
    chi_squared = float(((places - 500) ** 2 / 500).sum())
    assert chi_squared < 86  # 49 degrees of freedom: once in a thousand


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**64 - 1), st.integers(0, 2**32))
def test_unshuffled_the_rows_are_in_their_order(n: int, batch_size: int, seed: int, epoch: int) -> None:
    found = list(fnn.batches(numbered(n), batch_size, seed, epoch, shuffle=False))
    whole = list(range(n))
    assert [batch.rows.tolist() for batch in found] == [whole[i : i + batch_size] for i in range(0, n, batch_size)]
    assert [batch.key for batch in found] == [fnn.Key(seed, epoch, index) for index in range(len(found))]
    for batch in found:
        assert batch.x[:, 1].tolist() == batch.rows.tolist()
        assert batch.y.tolist() == [10 * row for row in batch.rows]


def test_unshuffled_the_chosen_rows_are_in_the_order_of_the_choice() -> None:
    rows, weights = np.array([8, 2, 5, 0, 7, 3]), np.array([1, 1, 0, 1, 1, 0.5, 1, 1, 0.25])
    chosen = [row for row in rows.tolist() if weights[row]]
    for size in (1, 2, 4, 64, None):
        found = list(fnn.batches(numbered(9, weights, rows), size, seed=3, epoch=2, shuffle=False))
        assert [row for batch in found for row in batch.rows.tolist()] == chosen == [8, 5, 0, 7, 3]
        for batch in found:
            assert batch.sample_weight is not None
            assert batch.sample_weight.tolist() == weights[batch.rows].tolist()
    assert order(numbered(9, rows=rows), 4, 3, 2) != rows.tolist()


def test_shuffled_is_what_is_not_asked_for() -> None:
    data = numbered(50)
    asked = [batch.rows.tolist() for batch in fnn.batches(data, 8, 1, 2, shuffle=True)]
    assert asked == [batch.rows.tolist() for batch in fnn.batches(data, 8, 1, 2)]


@pytest.mark.parametrize("rows", [None, np.array([7, 6, 5, 3, 2, 1])])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 64, None])
def test_rows_of_weight_0_never_enter(batch_size: int | None, rows: Any) -> None:
    weights = np.array([1, 0, 2, 0, 0.5, 0, 1e-30, 1])
    expected = {0, 2, 4, 6, 7} if rows is None else {2, 6, 7}
    found = list(fnn.batches(numbered(8, weights, rows), batch_size))
    assert sorted(row for batch in found for row in batch.rows.tolist()) == sorted(expected)
    assert len(found) == (1 if batch_size is None else math.ceil(len(expected) / batch_size))
    for batch in found:
        assert batch.sample_weight is not None
        assert batch.sample_weight.tolist() == weights[batch.rows].tolist()


def test_a_row_of_weight_0_is_a_row_left_out() -> None:
    """The fold cannot tell the two: the same batches but for the rows' numbers."""
    weights = np.ones(20)
    weights[[3, 11]] = 0
    with_it = list(fnn.batches(numbered(20, weights), 4, seed=2, epoch=5))
    chosen = numbered(20, rows=np.flatnonzero(weights))
    without = list(fnn.batches(chosen, 4, seed=2, epoch=5))
    assert [b.rows.tolist() for b in with_it] == [b.rows.tolist() for b in without]


def test_a_full_batch_is_the_whole_in_order_and_no_copy() -> None:
    data = numbered(12, np.ones(12))
    (batch,) = fnn.batches(data, None, seed=3, epoch=4)
    assert batch.rows.tolist() == list(range(12))
    assert batch.key == fnn.Key(3, 4, 0)
    for whole, part in ((data.x, batch.x), (data.y, batch.y), (data.sample_weight, batch.sample_weight)):
        assert whole is not None
        assert part is not None
        assert np.shares_memory(whole, part)
        np.testing.assert_array_equal(whole, part)


def test_batches_are_read_only() -> None:
    for batch_size in (2, None):
        batch = next(fnn.batches(numbered(4, np.ones(4)), batch_size))
        for array in (batch.x, batch.y, batch.sample_weight, batch.rows):
            assert array is not None
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


def test_numpy_integers_are_integers() -> None:
    found = next(fnn.batches(numbered(9), np.int32(4), np.uint64(1), np.int64(2)))  # type: ignore[arg-type]
    assert found.key == fnn.Key(1, 2, 0)
    assert found.rows.tolist() == order(numbered(9), 4, 1, 2)[:4]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"batch_size": 0}, ValueError, "`batch_size` must be an integer of at least 1, got 0."),
        ({"batch_size": 2.0}, TypeError, "`batch_size` must be an integer of at least 1, got 2.0."),
        ({"batch_size": True}, TypeError, "`batch_size` must be an integer of at least 1, got True."),
        ({"seed": -1}, ValueError, "`seed` must be an integer from 0 to 2**64 - 1, got -1."),
        ({"seed": 2**64}, ValueError, "`seed` must be an integer from 0 to 2**64 - 1, got 18446744073709551616."),
        ({"seed": None}, TypeError, "`seed` must be an integer from 0 to 2**64 - 1, got None."),
        ({"epoch": -1}, ValueError, "`epoch` must be an integer from 0 to 2**64 - 1, got -1."),
        ({"epoch": 1.0}, TypeError, "`epoch` must be an integer from 0 to 2**64 - 1, got 1.0."),
        ({"shuffle": 0}, TypeError, "`shuffle` must be a bool, got an int."),
        ({"shuffle": None}, TypeError, "`shuffle` must be a bool, got None."),
        ({"shuffle": "no"}, TypeError, "`shuffle` must be a bool, got a str."),
    ],
)
def test_what_is_refused_at_once(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"batches: {message}")):
        fnn.batches(numbered(3), **settings)  # before the first batch is asked for


def test_only_data_sets_have_batches() -> None:
    with pytest.raises(TypeError, match=exactly("batches: `data` must be a Dataset, got an ndarray.")):
        fnn.batches(np.zeros((3, 2)))  # type: ignore[arg-type]
