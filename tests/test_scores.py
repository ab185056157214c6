"""Accuracy and r2 against scikit-learn, exact fractions, and their laws."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, r2_score

import fnn
from fnn.arrays import Array

quickly = settings(max_examples=100, deadline=None)
sizes = st.integers(1, 30)
small = st.integers(-5, 5)


@st.composite
def weighted(draw: Any, n: int) -> Array | None:
    """Weights of all kinds, some of them 0, or none."""
    if draw(st.booleans()):
        return None
    kind = draw(st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]))
    w: Array = draw(arrays(np.int64, n, elements=st.integers(0, 3))).astype(kind)
    assume(w.any())
    return w


@quickly
@given(st.data(), sizes)
def test_accuracy_is_scikit_learns(data: Any, n: int) -> None:
    kind = data.draw(st.sampled_from([np.int64, np.uint8, np.bool_]))
    y, predicted = (data.draw(arrays(np.int64, n, elements=st.integers(0, 3))).astype(kind) for _ in range(2))
    w = data.draw(weighted(n))
    assert fnn.accuracy(y, predicted, w) == pytest.approx(accuracy_score(y, predicted, sample_weight=w), rel=1e-14)
    assert fnn.accuracy(y, y, w) == 1


@quickly
@given(st.data(), sizes, st.integers(1, 4))
def test_accuracy_of_several_questions_counts_them_one_by_one(data: Any, n: int, k: int) -> None:
    y, predicted = (data.draw(arrays(np.int64, (n, k), elements=st.integers(0, 1))) for _ in range(2))
    w = data.draw(weighted(n))
    flat = None if w is None else np.repeat(w, k)
    want = accuracy_score(y.ravel(), predicted.ravel(), sample_weight=flat)
    assert fnn.accuracy(y, predicted, w) == pytest.approx(want, rel=1e-14)


def test_accuracy_by_hand() -> None:
    y, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    assert fnn.accuracy(y, predicted) == 0.75
    assert fnn.accuracy(y, predicted, np.array([1, 1, 6, 0])) == 0.25
    assert fnn.accuracy(y, predicted, np.array([0, 0, 1, 0])) == 0
    assert fnn.accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 1]]), np.array([3, 1])) == 0.625
    # a product of a uint8 weight and a bool would still fit; a sum of 300 ones would not
    ones = np.ones(300, np.uint8)
    assert fnn.accuracy(ones, ones, ones) == 1
    assert fnn.accuracy(np.array([2**63], np.uint64), np.array([2**63 - 1])) == 0  # as floats they would agree


@quickly
@given(st.data(), st.integers(2, 30), st.integers(1, 3))
def test_r2_is_scikit_learns(data: Any, n: int, k: int) -> None:
    shape = data.draw(st.sampled_from([(n, k), (n,)]))
    kind = data.draw(st.sampled_from([np.float64, np.float32, np.int64]))
    y, predicted = (data.draw(arrays(np.int64, shape, elements=small)).astype(kind) for _ in range(2))
    w = data.draw(weighted(n))
    kept = slice(None) if w is None else w > 0
    assume(len(y[kept]) > 1)
    assume((y[kept] != y[kept][0]).any(axis=0).all())  # constant targets have a test of their own
    true, guess = (column[kept].astype(np.float64) for column in (y, predicted))  # its r2 of float32 is in float32
    want = r2_score(true, guess, sample_weight=None if w is None else w[kept])
    assert fnn.r2(y, predicted, w) == pytest.approx(want, rel=1e-11, abs=1e-11)


@quickly
@given(st.data(), st.integers(2, 20))
def test_r2_in_fractions(data: Any, n: int) -> None:
    y, predicted = (data.draw(arrays(np.int64, n, elements=st.integers(-(10**6), 10**6))) / 977 for _ in range(2))
    w = data.draw(arrays(np.float64, n, elements=st.floats(0.125, 8)))
    t, p, v = ([Fraction(float(number)) for number in column] for column in (y, predicted, w))
    mean = sum(a * b for a, b in zip(v, t, strict=True)) / sum(v)
    spread = sum(a * (b - mean) ** 2 for a, b in zip(v, t, strict=True))
    assume(spread > Fraction(1, 10**4) * max(map(abs, t)) ** 2)
    left = sum(a * (b - c) ** 2 for a, b, c in zip(v, t, p, strict=True))
    assert fnn.r2(y, predicted, w) == pytest.approx(float(1 - left / spread), rel=1e-10, abs=1e-10)


def test_r2_by_hand() -> None:
    y = np.array([1.0, 2.0, 3.0, 6.0])  # the mean is 3, the spread 4 + 1 + 0 + 9 = 14
    assert fnn.r2(y, y) == 1
    assert fnn.r2(y, np.full(4, 3.0)) == 0
    assert fnn.r2(y, np.array([2.0, 2.0, 3.0, 6.0])) == pytest.approx(13 / 14, rel=1e-15)
    assert fnn.r2(y, -y) == pytest.approx(1 - 4 * 50 / 14, rel=1e-14)
    # weights 2, 1, 1, 0: the mean is 7/4, the spread 2 * 9/16 + 1/16 + 25/16 = 44/16, what is left 2
    w = np.array([2, 1, 1, 0])
    assert fnn.r2(y, np.array([2.0, 2.0, 3.0, 0.0]), w) == pytest.approx(1 - 2 / 2.75, rel=1e-14)
    # two outputs: 13/14 and 0
    both = np.stack([y, y], axis=1)
    assert fnn.r2(both, np.array([[2.0, 3], [2, 3], [3, 3], [6, 3]])) == pytest.approx(13 / 28, rel=1e-14)
    images = np.array([0, 255], np.uint8)  # differences of uint8 would wrap
    assert fnn.r2(images, images[::-1]) == pytest.approx(1 - 4)


def test_r2_of_constant_targets() -> None:
    for value, n in product([0.0, 2.0, 0.1, 0.3, -1 / 3, 1e10 / 7, 1e-200], [1, 2, 3, 7, 10, 100]):
        y, weights = np.full(n, value), np.linspace(0.1, 0.7, n)
        assert fnn.r2(y, y) == 1
        assert fnn.r2(y, y + 1) == 0
        assert fnn.r2(y, y + 1, weights) == 0
        assert fnn.r2(np.stack([y, y], axis=1), np.stack([y, y + 1], axis=1), weights) == 0.5
        longer, left_out = np.append(y, 5.0), np.append(weights, 0.0)  # a row of weight 0 is not there
        assert fnn.r2(longer, longer + 1, left_out) == 0


def test_r2_is_of_each_output_alone() -> None:
    y, predicted = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    assert fnn.r2(y, predicted) == -1
    huge = np.array([1e200, -1e200])
    assert fnn.r2(np.stack([huge, y], axis=1), np.stack([huge, predicted], axis=1)) == 0


def test_r2_does_not_overflow() -> None:
    y = np.array([1e200, 2e200, 3e200])
    assert fnn.r2(y, y[::-1]) == pytest.approx(1 - 8 / 2)


@quickly
@given(st.data(), sizes)
def test_a_weight_of_2_is_the_row_twice_and_of_0_the_row_left_out(data: Any, n: int) -> None:
    y, predicted = (data.draw(arrays(np.int64, n, elements=small)) for _ in range(2))
    w = data.draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    assume(w.any())
    rows = np.repeat(np.arange(n), w)
    assume(np.ptp(y[rows]))
    assert fnn.accuracy(y, predicted, w) == pytest.approx(fnn.accuracy(y[rows], predicted[rows]), rel=1e-13)
    assert fnn.r2(y, predicted, w) == pytest.approx(fnn.r2(y[rows], predicted[rows]), rel=1e-11, abs=1e-11)


ONES = np.ones(3, np.int64)


@pytest.mark.parametrize(
    ("arguments", "kind", "blamed", "got"),
    [
        ((ONES, ONES[:2]), ValueError, "predicted", "(2,)"),
        ((ONES[:, None], ONES), ValueError, "predicted", "(3,)"),
        ((ONES[:0], ONES[:0]), ValueError, "", "(0,)"),
        ((ONES, ONES, ONES[:2]), ValueError, "sample_weight", "(2,)"),
        ((ONES, ONES, -ONES), ValueError, "sample_weight", "a least of -1, a most of -1"),
        ((ONES, ONES, 0 * ONES), ValueError, "sample_weight", "a least of 0, a most of 0"),
        ((np.array(["a"]), ONES[:1]), TypeError, "y", "dtype <U1"),
    ],
)
def test_errors_of_both(arguments: tuple[Array, ...], kind: type[Exception], blamed: str, got: str) -> None:
    for score in (fnn.accuracy, fnn.r2):
        with pytest.raises(kind, match=rf"^{score.__name__}: `{blamed}.* must .*, got {re.escape(got)}\."):
            score(*arguments)


def test_other_errors() -> None:
    with pytest.raises(TypeError, match=r"^accuracy: `predicted` must be .*, got dtype float64"):
        fnn.accuracy(ONES, ONES / 2)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^r2: `predicted` must be finite"):
            fnn.r2(ONES, np.array([1, bad, 1]))
        with pytest.raises(ValueError, match=r"^r2: `sample_weight` must be finite"):
            fnn.r2(ONES, ONES, np.array([1, bad, 1]))


def test_an_array_of_three_axes() -> None:
    cube = np.ones((2, 2, 2))
    with pytest.raises(ValueError, match=r"^r2: `y` must have shape \(n,\) or \(n, outputs\).*, got \(2, 2, 2\)"):
        fnn.r2(cube, cube)


def test_r2_of_numbers_far_from_0_and_of_sizes_far_apart() -> None:
    y, predicted = np.array([1e5, 1e5 + 1, 1e5 + 2]), np.array([1e5, 1e5 + 2, 1e5 + 2])
    assert fnn.r2(y, predicted) == 0.5  # 1 - 1 / 2
    assert fnn.r2(np.array([1.0, 2, 3, 1e200]), np.array([3.0, 1, 2, 0]), np.array([1, 1, 1, 0])) == pytest.approx(-2)
    assert fnn.r2(np.array([1.0, 2, 3]), np.full(3, 1e200)) == -np.inf


# Of a network: its answers, and those that the targets stand for.


def scored(network: fnn.Network, params: fnn.Params, x: Array, y: Array) -> list[float | None]:
    """The accuracy in evaluation, and that in an epoch that learns nothing."""
    data = fnn.Dataset(x, y)
    run = fnn.start(network, optimizer=fnn.SGD(0.0), params=params)
    return [
        fnn.evaluate(network, params, data).accuracy,
        fnn.fit(network, data, state=run, epochs=1).history[0].accuracy,
    ]


def test_labels_as_shares_count_as_the_largest() -> None:
    network, rng = fnn.mlp(2, 3), np.random.default_rng(0)
    params, x, labels = fnn.init_params(network, seed=0), rng.standard_normal((40, 2)), rng.integers(0, 3, 40)
    right = accuracy_score(labels, fnn.predict(network, params, x))
    assert 0.1 < right < 0.9
    for y in (labels, np.eye(3)[labels], 0.4 * np.eye(3)[labels] + 0.2):
        assert scored(network, params, x, y) == pytest.approx([right, right])


def test_shares_of_yes_count_as_yes_from_a_half() -> None:
    network = fnn.mlp(1, 1, output="sigmoid", loss="binary_cross_entropy")
    params, x = fnn.pack_params(network, [[[1.0]], [0.0]]), np.array([[-1.0], [-1.0], [0.0], [1.0], [1.0]])
    for shares in ([0.49, 0.5, 0.5, 0.51, 1.0], [[0.49], [0.5], [0.5], [0.51], [1.0]]):
        assert scored(network, params, x, np.array(shares)) == pytest.approx([0.8, 0.8])
