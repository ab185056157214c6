"""`fnn.preprocessing` against scikit-learn, numbers worked by hand, and the laws of a scale that is learnt."""

from __future__ import annotations

import copy
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.preprocessing import LabelBinarizer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import fnn
from fnn.arrays import Array
from tests.stand_ins import exactly

Y = [0, 0, 0, 1, 2, 2]


def mixed(n: int = 5000) -> Array:
    """Columns of very different means and spreads; the last is constant, of a number that is not exact."""
    draw = np.random.default_rng(0)
    columns = [draw.normal(3, 0.01, n), draw.exponential(1e4, n), draw.integers(0, 256, n), np.full(n, 0.1)]
    return np.stack(columns, axis=1)


# One-hot.


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_one_hot_is_scikit_learns(dtype: Any) -> None:
    y = np.random.default_rng(0).integers(0, 7, 100).astype(dtype)
    ours = fnn.one_hot(y, 7)
    np.testing.assert_array_equal(ours, LabelBinarizer().fit(range(7)).transform(y))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours.argmax(axis=1), y)


def test_one_hot_by_hand() -> None:
    assert fnn.one_hot([1, 0], 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert fnn.one_hot([0], 1).tolist() == [[1]]


def test_cross_entropy_of_labels_and_of_one_hot_rows_is_the_same() -> None:
    network, x, y = fnn.mlp(2, 3), np.random.default_rng(0).normal(size=(6, 2)), np.array(Y)
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    one_hot = fnn.loss(network, params, x, fnn.one_hot(y, 3))
    assert one_hot == pytest.approx(fnn.loss(network, params, x, y), rel=1e-14)


# Class weights.


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_class_weights_are_scikit_learns(dtype: Any) -> None:
    y = (np.random.default_rng(0).random(200) ** 3 * 5).astype(dtype)
    w = fnn.class_weights(y, "balanced")
    np.testing.assert_allclose(w, compute_sample_weight("balanced", y), rtol=1e-14)
    assert w.dtype == np.float64
    assert w.sum() == pytest.approx(200, rel=1e-14)
    given = {label: label + 0.5 for label in range(5)}
    np.testing.assert_array_equal(fnn.class_weights(y, given), compute_sample_weight(given, y))


def test_class_weights_by_hand() -> None:
    np.testing.assert_allclose(fnn.class_weights(Y, "balanced"), [2 / 3, 2 / 3, 2 / 3, 2, 1, 1], rtol=1e-15)
    mapping: dict[int, Any] = {2: np.float32(0.5), 0: 0, 1: np.int64(3), 9: 1}
    assert fnn.class_weights([-1, *Y][1:], mapping).tolist() == [0, 0, 0, 3, 0.5, 0.5]
    assert fnn.class_weights([-4, 7], {-4: 2, 7: 1}).tolist() == [2, 1]


def test_a_label_of_weight_0_never_enters_a_batch() -> None:
    data = fnn.Dataset(np.ones((6, 2)), Y, sample_weight=fnn.class_weights(Y, {0: 0, 1: 1, 2: 2}))
    seen = [batch for epoch in range(3) for batch in fnn.batches(data, batch_size=2, epoch=epoch)]
    assert sorted(label for batch in seen for label in batch.y) == [1, 1, 1, 2, 2, 2, 2, 2, 2]


def test_balanced_the_labels_weigh_the_same_in_the_loss() -> None:
    network = fnn.mlp(2, 3)
    zero = fnn.pack_params(network, [np.zeros((2, 3)), np.log([0.5, 0.25, 0.25])], dtype=np.float64)
    loss = fnn.loss(network, zero, np.ones((6, 2)), Y, fnn.class_weights(Y, "balanced"))
    assert loss == pytest.approx((math.log(2) + 2 * math.log(4)) / 3, rel=1e-14)


# Columns.


def test_a_standardizer_is_scikit_learns_of_all_rows_at_once() -> None:
    x = mixed()
    ours, theirs = fnn.standardizer(fnn.Dataset(x, x[:, 0])), StandardScaler().fit(x)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.scale, theirs.scale_, rtol=1e-12)
    assert ours.scale[-1] == 1
    assert {str(ours.mean.dtype), str(ours.scale.dtype)} == {"float64"}
    np.testing.assert_allclose(fnn.standardize(ours, x), theirs.transform(x), rtol=1e-10, atol=1e-12)


def test_a_standardizer_by_hand() -> None:
    data = fnn.Dataset([[0, 5], [4, 5], [100, 7]], [0, 0, 0], sample_weight=[3, 1, 0], rows=[1, 0, 2])
    by = fnn.standardizer(data)
    assert by.mean.tolist() == [1, 5]
    assert by.scale.tolist() == [math.sqrt(3), 1]  # (3 · 1 + 9) / 4
    expected = np.array([[-1, 0], [3, 0], [99, 2]]) / [math.sqrt(3), 1]
    np.testing.assert_array_equal(fnn.standardize(by, data.x), expected.astype(np.float32))


def test_the_rows_it_is_of_get_mean_0_and_deviation_1_and_the_others_are_moved_by_them() -> None:
    data = fnn.Dataset(mixed(), np.arange(5000) % 3)
    train, test = fnn.split(data, 0.3, seed=0)
    by = fnn.standardizer(train)
    moved, held_out = fnn.standardize(by, train), fnn.standardize(by, test)
    x = moved.take()[0]
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 1, 0], atol=1e-11)
    raw = test.take()[0]
    mean, std = (getattr(np, what)(train.take()[0], axis=0) for what in ("mean", "std"))
    std[-1] = 1
    np.testing.assert_allclose(held_out.take()[0], (raw - mean) / std, rtol=1e-10, atol=1e-12)
    assert abs(held_out.take()[0].mean(axis=0)[:3]).min() > 1e-3


def test_a_weight_of_2_is_the_row_twice_and_of_0_the_row_left_out() -> None:
    x, w = mixed(), np.random.default_rng(1).integers(0, 3, 5000)
    weighted = fnn.standardizer(fnn.Dataset(x, w, sample_weight=w))
    for other in (
        fnn.Dataset(np.repeat(x, w, axis=0), np.repeat(w, w)),
        fnn.Dataset(x, w, sample_weight=w * 1e-200),  # only their ratios count
        fnn.Dataset(x, w, sample_weight=w * 1e200),
        fnn.Dataset(np.where(w[:, None] > 0, x, 1e300), w, sample_weight=w),
        fnn.Dataset(x, w, rows=np.repeat(np.arange(5000), w)),
    ):
        by = fnn.standardizer(other)
        np.testing.assert_allclose(by.mean, weighted.mean, rtol=1e-12)
        np.testing.assert_allclose(by.scale, weighted.scale, rtol=1e-11)


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("u1", "f4"), ("i8", "f4"), ("?", "f4"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8")],
)
def test_dtypes(dtype: str, result: str) -> None:
    x = (mixed(50)[:, 1:3] / 99).astype(dtype)
    data = fnn.Dataset(x, np.arange(50), sample_weight=np.linspace(0.1, 0.7, 50))
    by = fnn.standardizer(data)
    wide = fnn.standardizer(fnn.Dataset(x.astype(np.float64), data.y, data.sample_weight))
    assert fnn.digest(by) == fnn.digest(wide)  # computed in float64
    moved = fnn.standardize(by, x)
    assert moved.dtype == result
    np.testing.assert_array_equal(moved, fnn.standardize(by, x.astype(np.float64)).astype(result))
    np.testing.assert_array_equal(fnn.standardize(by, data).x, moved)


def test_a_data_set_keeps_all_but_x() -> None:
    data = fnn.Dataset(mixed(4), [0, 1, 2, 3], sample_weight=[1, 2, 0, 1], rows=[0, 2, 3])
    moved = fnn.standardize(fnn.standardizer(data), data)
    assert np.shares_memory(moved.y, data.y)
    for name in ("y", "sample_weight", "rows"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(data, name))
    assert moved.x.shape == data.x.shape


def test_a_file_mapped_into_memory(tmp_path: Path) -> None:
    x = mixed()
    np.save(tmp_path / "x.npy", x)
    mapped = fnn.Dataset(np.load(tmp_path / "x.npy", mmap_mode="r"), np.zeros(5000))
    assert fnn.digest(fnn.standardizer(mapped)) == fnn.digest(fnn.standardizer(fnn.Dataset(x, np.zeros(5000))))


def test_only_pieces_of_x_are_made_floats() -> None:
    x = np.random.default_rng(0).integers(0, 256, (40000, 64), dtype=np.uint8)
    data = fnn.Dataset(x, np.zeros(40000, np.uint8))
    by = fnn.standardizer(data)  # which has loaded scikit-learn
    peaks = []
    for call in (lambda: fnn.standardizer(data), lambda: fnn.standardize(by, data)):
        tracemalloc.start()
        call()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 0.4 * 8 * x.size
    assert peaks[1] < 4 * x.size + 0.3 * 8 * x.size


def test_a_standardizer_is_a_state() -> None:
    by = fnn.standardizer(fnn.Dataset(mixed(9), np.zeros(9)))
    assert fnn.digest(copy.deepcopy(by)) == fnn.digest(by)
    assert fnn.digest(fnn.Standardizer(by.mean, by.scale)) == fnn.digest(by)
    with pytest.raises(ValueError, match="read-only"):
        by.mean[0] = 1


@pytest.mark.parametrize(("frame", "series"), [(pd.DataFrame, pd.Series), (pl.DataFrame, pl.Series)])
def test_frames_and_series_are_arrays(frame: Any, series: Any) -> None:
    np.testing.assert_array_equal(fnn.one_hot(series(Y), 3), fnn.one_hot(Y, 3))
    np.testing.assert_array_equal(fnn.class_weights(series(Y), "balanced"), fnn.class_weights(Y, "balanced"))
    x = mixed(20)
    by = fnn.standardizer(fnn.Dataset(x, np.zeros(20)))
    columns = frame({str(i): column for i, column in enumerate(x.T)})
    np.testing.assert_array_equal(fnn.standardize(by, columns), fnn.standardize(by, x))


# What is refused.

BY = fnn.Standardizer(np.zeros(2), np.ones(2))
TINY = fnn.Standardizer(np.zeros(2), np.full(2, 1e-30))
HUGE = fnn.Dataset([[0, 1e200], [0, -1e200]], [0, 1])
SPARSE = csr_array(np.eye(2))
COLUMN, FLAT = "`y` must have shape (n,), n at least 1, got", "A column of labels is made flat by `y.ravel()`."
WHOLE = "Labels that are whole are made integers by `y.astype(int)`."
NUMBER = "must be a finite number of at least 0, got"
NAMED = "must be 'balanced' or a mapping from label to weight, got"
REFUSED: list[tuple[Any, tuple[Any, ...], type[Exception], str]] = [
    (fnn.one_hot, ([0, 3], 3), ValueError, "`y` must be labels from 0 to 2, got 3 in row 1."),
    (fnn.one_hot, ([-1], 3), ValueError, "`y` must be labels from 0 to 2, got -1 in row 0."),
    (fnn.one_hot, ([0.0], 3), TypeError, f"`y` must hold integer labels, got dtype float64. {WHOLE}"),
    (fnn.one_hot, ([True], 3), TypeError, f"`y` must hold integer labels, got dtype bool. {WHOLE}"),
    (fnn.one_hot, ([[0], [1]], 3), ValueError, f"{COLUMN} (2, 1). {FLAT}"),
    (fnn.one_hot, (1, 3), ValueError, f"{COLUMN} ()."),
    (fnn.one_hot, ([], 3), ValueError, f"{COLUMN} (0,)."),
    (fnn.one_hot, ([0], 0), ValueError, "`classes` must be an integer of at least 1, got 0."),
    (fnn.one_hot, ([0], 3.0), TypeError, "`classes` must be an integer of at least 1, got 3.0."),
    (fnn.class_weights, ([0, 1], {0: 1}), ValueError,
     "`weights` must have a weight for each label of `y`, got none for 1."),
    (fnn.class_weights, ([0, 1], {0: 1, 1: -0.5}), ValueError, f"`weights[1]` {NUMBER} -0.5."),
    (fnn.class_weights, ([0, 1], {0: math.nan, 1: 1}), ValueError, f"`weights[0]` {NUMBER} nan."),
    (fnn.class_weights, ([0, 1], {0: 1, 1: math.inf}), ValueError, f"`weights[1]` {NUMBER} inf."),
    (fnn.class_weights, ([0, 1], {0: 1, 1: "2"}), TypeError, f"`weights[1]` {NUMBER} '2'."),
    (fnn.class_weights, ([0, 1], {0: 1, 1: True}), TypeError, f"`weights[1]` {NUMBER} True."),
    (fnn.class_weights, ([0, 1], "even"), ValueError, f"`weights` {NAMED} 'even'."),
    (fnn.class_weights, ([0, 1], [1, 2]), TypeError, f"`weights` {NAMED} [1, 2]."),
    (fnn.class_weights, ([0, 1], np.ones(2)), TypeError, f"`weights` {NAMED} an array of float64 with shape (2,)."),
    (fnn.class_weights, ([0.0], "balanced"), TypeError, "`y` must be an array of integers or booleans, got [0.0]."),
    (fnn.class_weights, ([[0, 1]], "balanced"), ValueError, f"{COLUMN} (1, 2)."),
    (fnn.standardizer, ([[1]],), TypeError, "`data` must be a Dataset, got a list. Make one with `Dataset(x, y)`."),
    (fnn.standardizer, (HUGE,), ValueError, "`data.x` must have columns of finite variance, got inf in column 1."),
    (fnn.standardizer, (fnn.Dataset(SPARSE, [0, 1]),), TypeError,
     "`data.x` must be dense, got a csr_array. Centered it would be dense: give `data.x.toarray()`."),
    (fnn.standardize, (BY, SPARSE), TypeError,
     "`x` must be dense, got a csr_array. Centered it would be dense: give `x.toarray()`."),
    (fnn.standardize, ([[1, 2]], BY), TypeError,
     "`standardizer` must be a Standardizer, got a list. Make one with `standardizer(data)`."),
    (fnn.standardize, (BY, [[1, 2, 3]]), ValueError, "`x` must have shape (n, 2), got (1, 3)."),
    (fnn.standardize, (BY, fnn.Dataset([[1, 2, 3]], [0])), ValueError, "`x` must have shape (n, 2), got (1, 3)."),
    (fnn.standardize, (BY, [1, 2]), ValueError, "`x` must have shape (n, 2), got (2,). One row is `x[None, :]`."),
    (fnn.standardize, (BY, [[1, 2], [math.nan, 0]]), ValueError, "`x` must be finite in float64, got nan at (1, 0)."),
    (fnn.standardize, (TINY, np.full((1, 2), 1e20, np.float32)), ValueError,
     "`x` must be finite in float32, got inf at (0, 0)."),
    (fnn.standardize, (BY, [["a", "b"]]), TypeError, "`x` must be an array of real numbers, got [['a', 'b']]."),
    (fnn.Standardizer, (np.zeros(2), np.zeros(2)), ValueError, "`scale` must be above 0, got a least of 0.0."),
    (fnn.Standardizer, (np.zeros(2), np.ones(3)), ValueError, "`scale` must have shape (2,), got (3,)."),
    (fnn.Standardizer, (np.zeros((2, 1)), np.ones(2)), ValueError, "`mean` must have shape (columns,), got (2, 1)."),
    (fnn.Standardizer, (np.array([0, math.inf]), np.ones(2)), ValueError,
     "`mean` must be finite in float64, got inf at 1."),
    (fnn.Standardizer, (np.zeros(2), np.ones(2, int)), TypeError,
     "`scale` must be an array of float64, got an array of int64 with shape (2,)."),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "kind", "message"), REFUSED)
def test_what_is_refused(function: Any, arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"{function.__name__}: {message}")):
        function(*arguments)


def test_class_counts_are_pythons() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-2, 3, 100), rng.integers(0, 7, 50).astype(np.uint8)
    counts = fnn.class_counts(a=a, b=b)
    assert counts.parts == ("a", "b")
    assert counts.labels == tuple(sorted({*a.tolist(), *b.tolist()}))
    expected = [[part.tolist().count(label) for label in counts.labels] for part in (a, b)]
    assert counts.counts.tolist() == expected
    assert fnn.class_counts(a=[True, False, True]).counts.tolist() == [[1, 2]]
    alone = fnn.class_counts([3, 1, 3], test=[1])
    assert (alone.parts, alone.counts.tolist()) == (("rows", "test"), [[1, 2], [1, 0]])


def test_of_a_data_set_the_rows_that_count_are_counted() -> None:
    data = fnn.Dataset(np.zeros((6, 1)), [0, 1, 1, 2, 2, 2], rows=[1, 3, 4])
    counts = fnn.class_counts(train=data, labels=data.y)
    assert counts.counts.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert str(counts).splitlines() == [
        "class  train  labels",
        "0          0       1",
        "1          1       2",
        "2          2       3",
        "all        3       6",
    ]


@pytest.mark.parametrize(
    ("parts", "kind", "message"),
    [
        ({}, ValueError, "`parts` must be at least one, got none. As in `class_counts(train=train, test=test)`."),
        ({"a": [0.5]}, TypeError, "`a` must be an array of integers or booleans, got [0.5]."),
        (
            {"a": np.array([2**63, 1], np.uint64)},
            ValueError,
            "`a` must be labels below 2**63, got 9223372036854775808.",
        ),
        ({"a": [0], "b": []}, ValueError, "`b` must have shape (n,), n at least 1, got (0,)."),
        (
            {"a": [[0], [1]]},
            ValueError,
            "`a` must have shape (n,), n at least 1, got (2, 1). A column of labels is made flat by `a.ravel()`.",
        ),
    ],
)
def test_what_class_counts_refuses(parts: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"class_counts: {message}")):
        fnn.class_counts(**parts)


def test_rows_are_given_once() -> None:
    with pytest.raises(TypeError, match=exactly("class_counts: `rows` must be given once, got two of them.")):
        fnn.class_counts([0, 1], rows=[1])
