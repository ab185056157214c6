"""`fnn.kfold`: parts that are disjoint, cover, are stratified, and come out the same tomorrow."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

import fnn
from tests.stand_ins import exactly

Folds = tuple[tuple[fnn.Dataset, fnn.Dataset], ...]


def rows(data: fnn.Dataset) -> list[int]:
    assert data.rows is not None
    return [int(row) for row in data.rows]


def parts(folds: Folds) -> list[list[int]]:
    return [rows(part) for _, part in folds]


def labelled(counts: list[int], seed: int = 0, **given: Any) -> fnn.Dataset:
    """So many rows of each label, mixed."""
    y = np.random.default_rng(seed).permutation(np.arange(len(counts)).repeat(counts))
    return fnn.Dataset(np.arange(len(y))[:, None], y, **given)


def covers(folds: Folds, chosen: list[int]) -> None:
    """Each chosen row is in one part, each rest is the others, and all are in the order of the data."""
    assert sorted(row for part in parts(folds) for row in part) == sorted(chosen)
    for rest, part in folds:
        assert rows(part) == [row for row in chosen if row in set(rows(part))]
        assert rows(rest) == [row for row in chosen if row not in set(rows(part))]


# The parts.


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(6, 40), min_size=1, max_size=5), st.integers(2, 6), st.integers(0, 2**64 - 1))
def test_stratified_parts(counts: list[int], k: int, seed: int) -> None:
    data = labelled(counts)
    folds = fnn.kfold(data, k, seed)
    assert len(folds) == k
    covers(folds, list(range(len(data))))
    found = np.array([np.bincount(data.y[part], minlength=len(counts)) for part in parts(folds)])
    assert np.abs(found - np.array(counts) / k).max() < 1
    assert np.ptp([len(part) for part in parts(folds)]) <= 1
    theirs = [data.y[test] for _, test in StratifiedKFold(k, shuffle=True, random_state=0).split(data.x, data.y)]
    assert found.tolist() == [np.bincount(y, minlength=len(counts)).tolist() for y in theirs]


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 60), st.integers(2, 12), st.integers(0, 2**64 - 1))
def test_parts_without_strata(n: int, k: int, seed: int) -> None:
    k = min(k, n)
    folds = fnn.kfold(fnn.Dataset(np.zeros((n, 1)), np.zeros(n)), k, seed)
    covers(folds, list(range(n)))
    assert [len(part) for part in parts(folds)] == [n // k + 1] * (n % k) + [n // k] * (k - n % k)


def test_as_many_parts_as_rows_leave_one_out() -> None:
    folds = fnn.kfold(fnn.Dataset(np.zeros((9, 1)), np.linspace(0, 1, 9)), 9)
    assert sorted(parts(folds)) == [[row] for row in range(9)]
    covers(folds, list(range(9)))


@pytest.mark.parametrize("stratify", [None, False])
def test_only_the_chosen_rows_and_in_their_order(stratify: bool | None) -> None:
    chosen = [19, 4, 7, 2, 11, 0, 5, 16, 3, 8]
    data = fnn.Dataset(np.zeros((20, 1)), np.arange(20) % 2, np.arange(1.0, 21.0), rows=chosen)
    folds = fnn.kfold(data, 3, stratify=stratify)
    covers(folds, chosen)
    for pair in folds:
        for piece in pair:
            _, y, w = piece.take()
            assert w is not None
            assert y.tolist() == [row % 2 for row in rows(piece)]
            assert w.tolist() == [row + 1 for row in rows(piece)]


def test_rows_of_weight_0_are_in_the_parts_too() -> None:
    weights = np.ones(12)
    weights[[2, 5, 6]] = 0
    folds = fnn.kfold(labelled([6, 6], sample_weight=weights), 3)
    covers(folds, list(range(12)))


def test_folds_of_a_rest_leave_the_test_rows_out() -> None:
    data = labelled([40, 30, 30])
    rest, test = fnn.split(data, 0.2)
    folds = fnn.kfold(rest, 4)
    covers(folds, rows(rest))
    for train, part in folds:
        assert not set(rows(train) + rows(part)) & set(rows(test))
        assert np.bincount(data.y[part.rows]).tolist() == [8, 6, 6]


def test_parts_share_everything() -> None:
    x, y, w = np.zeros((40, 3), np.uint8), np.arange(40) % 4, np.arange(1.0, 41.0)
    for pair in fnn.kfold(fnn.Dataset(x, y, w), 4):
        for piece in pair:
            assert piece.sample_weight is not None
            assert np.shares_memory(piece.x, x)
            assert np.shares_memory(piece.y, y)
            assert np.shares_memory(piece.sample_weight, w)
            assert piece.rows is not None
            assert not piece.rows.flags.writeable


@pytest.mark.parametrize(
    "y", [np.linspace(0, 1, 30), np.arange(30.0) % 2, np.eye(3)[np.arange(30) % 3], np.arange(30)[:, None]]
)
def test_targets_that_are_no_labels_have_no_strata(y: Any) -> None:
    data = fnn.Dataset(np.zeros((30, 1)), y)
    assert parts(fnn.kfold(data, 7)) == parts(fnn.kfold(data, 7, stratify=False))


def test_yes_and_no_are_labels() -> None:
    y = np.arange(30) % 3 == 0
    assert [int(y[part].sum()) for part in parts(fnn.kfold(fnn.Dataset(np.zeros((30, 1)), y), 5))] == [2] * 5


def test_cross_validation_predicts_every_row_once() -> None:
    data = fnn.load_digits()
    network, right = fnn.mlp(64, 16, 10, input_scale=1 / 16), 0.0
    for rest, part in fnn.kfold(data, 3):
        run = fnn.fit(network, rest, epochs=6, optimizer=fnn.Adam(0.01))
        accuracy = fnn.evaluate(network, run.params, part).accuracy
        assert accuracy is not None
        right += accuracy * len(part)
    assert right == pytest.approx(round(right), abs=1e-9)
    assert right / len(data) > 0.9


# Their randomness.


@pytest.mark.parametrize("stratify", [None, False])
def test_the_same_again_and_others_with_another_seed(stratify: bool | None) -> None:
    data = labelled([30, 30, 40])
    found = {seed: parts(fnn.kfold(data, 5, seed, stratify)) for seed in (0, 1, 2**40, 2**64 - 1)}
    assert len({str(folds) for folds in found.values()}) == 4
    np.random.seed(9)  # the global generator has no say
    for seed, folds in found.items():
        assert parts(fnn.kfold(data, np.int8(5), seed, stratify)) == folds  # type: ignore[arg-type]


def test_these_rows_are_in_the_parts_for_ever() -> None:
    data = fnn.Dataset(np.zeros((12, 1)), np.arange(12) % 2)
    assert parts(fnn.kfold(data, 3, seed=0)) == [[1, 2, 5, 10], [0, 8, 9, 11], [3, 4, 6, 7]]
    assert parts(fnn.kfold(data, 3, seed=0, stratify=False)) == [[0, 1, 7, 9], [2, 3, 5, 11], [4, 6, 8, 10]]


def test_the_first_part_is_not_that_of_a_split() -> None:
    """scikit-learn's two would agree, given one seed: a row would be in the test set and in the first fold."""
    n = 100
    data = fnn.Dataset(np.zeros((n, 1)), np.zeros(n))
    theirs = next(KFold(5, shuffle=True, random_state=7).split(data.x))[1]
    assert sorted(train_test_split(np.arange(n), test_size=0.2, random_state=7)[1]) == theirs.tolist()
    for seed in range(5):
        first, held_out = parts(fnn.kfold(data, 5, seed))[0], rows(fnn.split(data, 0.2, seed)[1])
        assert len(set(first) & set(held_out)) < 12  # 4 are expected


def test_no_global_random_state_is_touched() -> None:
    np.random.seed(5)
    random.seed(5)
    before = str(np.random.get_state()), random.getstate()
    fnn.kfold(labelled([30, 30]), 3)
    fnn.kfold(labelled([30, 30]), 3, stratify=False)
    assert (str(np.random.get_state()), random.getstate()) == before


# What is refused.

PLAINLY = "Targets that are no labels are split with `stratify=False`."


@pytest.mark.parametrize(
    ("k", "kind"), [(1, ValueError), (0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_numbers_of_parts_that_are_none(k: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=exactly(f"kfold: `k` must be an integer of at least 2, got {k}.")):
        fnn.kfold(labelled([5, 5]), k)


@pytest.mark.parametrize(("counts", "k", "least"), [([5, 3], 4, 3), ([1] * 4, 2, 1), ([4], 5, 4), ([9, 0, 2], 3, 2)])
def test_more_parts_than_rows_of_the_rarest_label(counts: list[int], k: int, least: int) -> None:
    message = f"kfold: `k` must be at most {least}, the rows of the rarest label, got {k}. {PLAINLY}"
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.kfold(labelled(counts), k)


def test_more_parts_than_rows() -> None:
    with pytest.raises(ValueError, match=exactly("kfold: `k` must be at most 4, the rows, got 5.")):
        fnn.kfold(labelled([2, 2]), 5, stratify=False)
    with pytest.raises(ValueError, match=exactly("kfold: `k` must be at most 3, the rows, got 4.")):
        fnn.kfold(fnn.Dataset(np.zeros((9, 1)), np.zeros(9), rows=[8, 1, 2]), 4)
    assert len(fnn.kfold(labelled([1] * 4), 4, stratify=False)) == 4


def test_other_things_that_are_refused() -> None:
    with pytest.raises(TypeError, match=exactly("kfold: `data` must be a Dataset, got an ndarray.")):
        fnn.kfold(np.zeros((3, 2)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=exactly("kfold: `k` must be an integer of at least 2, got None.")):
        fnn.kfold(labelled([5, 5]), None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=exactly("kfold: `seed` must be an integer from 0 to 2**64 - 1, got -1.")):
        fnn.kfold(labelled([5, 5]), 2, seed=-1)
