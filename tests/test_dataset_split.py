"""`fnn.split`: two parts that are disjoint, cover, are stratified, and come out the same tomorrow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.stand_ins import exactly


def rows(data: fnn.Dataset) -> list[int]:
    assert data.rows is not None
    return [int(row) for row in data.rows]


def labelled(counts: list[int], seed: int = 0) -> fnn.Dataset:
    """So many rows of each label, mixed."""
    y = np.random.default_rng(seed).permutation(np.arange(len(counts)).repeat(counts))
    return fnn.Dataset(np.arange(len(y))[:, None], y)


@settings(deadline=None)  # the first call imports scikit-learn
@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=6),
    st.floats(0.2, 0.8),
    st.integers(0, 2**64 - 1),
)
def test_parts_are_disjoint_cover_and_are_stratified(counts: list[int], fraction: float, seed: int) -> None:
    data = labelled([n + 5 for n in counts])
    rest, part = fnn.split(data, fraction, seed)
    assert sorted(rows(rest) + rows(part)) == list(range(len(data)))
    assert len(part) == math.ceil(fraction * len(data))
    assert len(rest) == len(data) - len(part)
    for piece in (rest, part):
        assert rows(piece) == sorted(rows(piece))
        here = np.bincount(data.y[piece.rows], minlength=len(counts))
        ideal = np.bincount(data.y) * len(piece) / len(data)
        assert np.abs(here - ideal).max() < 1


def test_parts_share_everything() -> None:
    x, y, w = np.zeros((40, 3), np.uint8), np.arange(40) % 4, np.arange(1.0, 41.0)
    for piece in fnn.split(fnn.Dataset(x, y, w), 0.25):
        assert piece.sample_weight is not None
        assert np.shares_memory(piece.x, x)
        assert np.shares_memory(piece.y, y)
        assert np.shares_memory(piece.sample_weight, w)
        assert piece.take()[1].tolist() == [y[row] for row in rows(piece)]


def test_the_same_again_and_another_with_another_seed() -> None:
    data = labelled([30, 30, 40])
    found = {seed: rows(fnn.split(data, 0.2, seed)[1]) for seed in (0, 1, 2**40, 2**64 - 1)}
    assert len({tuple(part) for part in found.values()}) == 4
    np.random.seed(9)  # the global generator has no say
    for seed, part in found.items():
        assert rows(fnn.split(data, 0.2, seed)[1]) == part


def test_these_rows_are_in_the_part_for_ever() -> None:
    data = fnn.Dataset(np.zeros((20, 1)), np.arange(20) % 2)
    assert rows(fnn.split(data, 0.25, seed=0)[1]) == [7, 8, 10, 17, 19]


def test_a_split_of_a_split() -> None:
    data = labelled([50, 30, 20])
    rest, test = fnn.split(data, 0.2, seed=1)
    train, held_out = fnn.split(rest, 0.25, seed=1)
    assert sorted(rows(train) + rows(held_out)) == rows(rest)
    assert not set(rows(train) + rows(held_out)) & set(rows(test))
    for piece, share in ((train, 0.6), (held_out, 0.2), (test, 0.2)):
        assert np.bincount(data.y[piece.rows]).tolist() == [50 * share, 30 * share, 20 * share]
        assert np.shares_memory(piece.x, data.x)


def test_three_ways_as_70_000_images_are_split() -> None:
    counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    data = labelled(counts)
    rest, test = fnn.split(data, 0.2)
    train, held_out = fnn.split(rest, 1 / 8)
    assert (len(train), len(held_out), len(test)) == (49_000, 7_000, 14_000)
    assert sorted(rows(train) + rows(held_out) + rows(test)) == list(range(70_000))
    for piece in (train, held_out, test):
        ideal = np.array(counts) * len(piece) / 70_000
        assert np.abs(np.bincount(data.y[piece.rows]) - ideal).max() <= 1


def test_the_chosen_rows_keep_their_order() -> None:
    chosen = np.array([9, 2, 7, 4, 1, 8])
    rest, part = fnn.split(fnn.Dataset(np.zeros((10, 1)), np.zeros(10), rows=chosen), 0.5)
    for piece in (rest, part):
        assert rows(piece) == [row for row in chosen if row in rows(piece)]
    assert sorted(rows(rest) + rows(part)) == sorted(chosen)


@pytest.mark.parametrize(
    "y", [np.linspace(0, 1, 30), np.arange(30.0) % 2, np.eye(3)[np.arange(30) % 3], np.arange(30)[:, None]]
)
def test_targets_that_are_no_labels_are_split_without_strata(y: Any) -> None:
    rest, part = fnn.split(fnn.Dataset(np.zeros((30, 1)), y), 0.1, seed=4)
    assert (len(rest), len(part)) == (27, 3)
    assert sorted(rows(rest) + rows(part)) == list(range(30))


def test_yes_and_no_are_labels() -> None:
    y = np.arange(30) % 3 == 0
    part = fnn.split(fnn.Dataset(np.zeros((30, 1)), y), 0.2)[1]
    assert int(y[part.rows].sum()) == 2


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, -0.1, 1.5, float("nan"), True, "0.1", None, [0.1]])
def test_fractions_that_are_none(fraction: Any) -> None:
    message = f"split: `fraction` must be a number in (0, 1), got {fraction!r}."
    kind = ValueError if type(fraction) in (int, float) else TypeError
    with pytest.raises(kind, match=exactly(message)):
        fnn.split(labelled([5, 5]), fraction)


@pytest.mark.parametrize(
    ("counts", "fraction", "rest"),
    [
        ([4, 1], 0.5, "`data` must have at least 2 rows of each label, got 1 of 1."),
        ([5, 5], 0.01, "`fraction` must leave at least 2 rows for 2 labels, got 9 and 1."),
        ([5, 5], 0.99, "`fraction` must leave at least 2 rows for 2 labels, got 0 and 10."),
        ([1], 0.5, "`fraction` must leave at least 1 row for 1 label, got 0 and 1."),
    ],
)
def test_splits_that_cannot_be(counts: list[int], fraction: float, rest: str) -> None:
    plainly = "Targets that are no labels are split with `stratify=False`."
    with pytest.raises(ValueError, match=exactly(f"split: {rest} {plainly}")):
        fnn.split(labelled(counts), fraction)


def test_a_label_of_one_row_is_named() -> None:
    message = "split: `data` must have at least 2 rows of each label, got 1 of 7."
    plainly = "Targets that are no labels are split with `stratify=False`."
    with pytest.raises(ValueError, match=exactly(f"{message} {plainly}")):
        fnn.split(fnn.Dataset(np.zeros((5, 1)), [3, 3, 7, 3, 3]), 0.5)


def test_integers_that_are_no_labels_are_split_without_strata() -> None:
    rest, part = fnn.split(labelled([1] * 10), 0.3, stratify=False)
    assert (len(rest), len(part)) == (7, 3)
    with pytest.raises(ValueError, match=exactly("split: `fraction` must leave at least 1 row in each, got 0 and 10.")):
        fnn.split(labelled([1] * 10), 0.99, stratify=False)


def test_other_things_that_are_refused() -> None:
    with pytest.raises(TypeError, match=exactly("split: `data` must be a Dataset, got an ndarray.")):
        fnn.split(np.zeros((3, 2)), 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=exactly("split: `seed` must be an integer from 0 to 2**64 - 1, got -1.")):
        fnn.split(labelled([5, 5]), 0.5, seed=-1)
