"""`fnn.probabilities` against scikit-learn, numbers worked by hand, and the laws that tie them to the rest."""

from __future__ import annotations

import copy
import math
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

import fnn
from fnn.arrays import Array
from tests.stand_ins import exactly

INF = math.inf


def some(n: int = 400, classes: int = 5, seed: int = 0) -> tuple[Array, Array, Array]:
    """Labels, probabilities in which some labels are sure and some not, and weights with zeros."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, n)
    logits = draw.normal(0, 1.5, (n, classes))
    logits[np.arange(n), y] += draw.normal(1, 1, n)
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True), draw.integers(0, 3, n)


# Among the first k.


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_is_scikit_learns_which_counts_ties_from_the_other_end(k: int, weighted: bool, ties: bool) -> None:
    y, p, weights = some()
    scores, w = (np.round(p * 4) if ties else np.log(p)), weights if weighted else None
    other_end = metrics.top_k_accuracy_score(4 - y, scores[:, ::-1], k=k, sample_weight=w, labels=range(5))
    assert fnn.top_k_accuracy(y, scores, k, w) == pytest.approx(other_end, rel=1e-14)
    same_end = metrics.top_k_accuracy_score(y, scores, k=k, sample_weight=w, labels=range(5))
    assert (fnn.top_k_accuracy(y, scores, k, w) == pytest.approx(same_end, rel=1e-14)) is not ties


def test_top_k_by_hand() -> None:
    scores = [[3, 1, 2, 0], [3, 1, 2, 0], [0, 0, 0, 0], [-1, -2, -2, -2]]
    y = [0, 2, 1, 3]  # ranks 1, 2, 2 (after label 0, which ties) and 4
    assert [fnn.top_k_accuracy(y, scores, k) for k in (1, 2, 3, 4)] == [0.25, 0.75, 0.75, 1]
    assert fnn.top_k_accuracy(y, scores, 1, [5, 1, 1, 1]) == 5 / 8
    assert fnn.top_k_accuracy([5], [[0, 1, 2, 3, 4, 0.5]]) == 1  # it is fifth
    assert fnn.top_k_accuracy([0], [[0, 1, 2, 3, 4, 0.5]]) == 0


def test_the_first_alone_is_the_accuracy_of_predict() -> None:
    data = fnn.load_digits()
    network = fnn.mlp(64, 10, input_scale=1 / 16)
    zero = fnn.pack_params(network, [np.zeros((64, 10)), np.zeros(10)])  # all outputs tie
    for params in (fnn.init_params(network, seed=0), zero):
        outputs = fnn.forward(network, params, data.x)
        assert fnn.top_k_accuracy(data.y, outputs, 1) == fnn.accuracy(data.y, fnn.predict(network, params, data.x))


# The log loss.


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_is_scikit_learns(weighted: bool) -> None:
    y, p, weights = some()
    w = weights if weighted else None
    assert fnn.log_loss(y, p, w) == pytest.approx(metrics.log_loss(y, p, sample_weight=w), rel=1e-13)
    yes, q = y > 2, p[:, 0]
    expected = metrics.log_loss(yes, q, sample_weight=w)
    for answers in (yes, yes.astype(int), yes.astype(np.float32)):
        for outputs in (q, q[:, None]):
            assert fnn.log_loss(answers, outputs, w) == pytest.approx(expected, rel=1e-13)
    questions = np.stack([y > 2, y == 0], axis=1)
    each = [metrics.log_loss(questions[:, i], p[:, i], sample_weight=w) for i in (0, 1)]
    assert fnn.log_loss(questions, p[:, :2], w) == pytest.approx(np.mean(each), rel=1e-13)


def test_log_loss_by_hand() -> None:
    assert fnn.log_loss([0, 2], [[0.5, 0.5, 0], [0.25, 0.5, 0.25]]) == pytest.approx(1.5 * math.log(2), rel=1e-15)
    assert fnn.log_loss([0, 2], [[0.5, 0.5, 0], [0.25, 0.5, 0.25]], [3, 1]) == pytest.approx(1.25 * math.log(2))
    assert fnn.log_loss([1, 0], [0.5, 0.75]) == pytest.approx(1.5 * math.log(2), rel=1e-15)
    assert fnn.log_loss([[1, 0]], [[0.5, 0.75]]) == pytest.approx(1.5 * math.log(2), rel=1e-15)
    assert fnn.log_loss([0], [1e-20]) == 1e-20  # 1 - p would be 1


@pytest.mark.parametrize(
    ("y", "outputs"),
    [([1, 0], [[1, 0], [1, 0]]), ([1, 1], [0, 1]), ([0, 1], [1.0, 1.0]), ([[1, 0]], [[0.5, 1]])],
)
def test_what_is_true_and_has_no_probability_costs_infinity(y: Any, outputs: Any) -> None:
    assert fnn.log_loss(y, outputs) == INF


def test_a_row_of_weight_0_costs_nothing() -> None:
    assert fnn.log_loss([1, 0], [[1.0, 0.0], [0.5, 0.5]], [0, 2]) == math.log(2)


def test_certainty_that_is_right_costs_0() -> None:
    assert str(fnn.log_loss(np.array([1, 0]), np.eye(2)[::-1])) == "0.0"
    assert str(fnn.log_loss([1, 0], [1, 0])) == "0.0"


def test_log_loss_of_the_outputs_is_the_loss_from_logits() -> None:
    data = fnn.load_digits()
    network = fnn.mlp(64, 10, input_scale=1 / 16)
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    loss = fnn.evaluate(network, params, data).loss
    assert fnn.log_loss(data.y, fnn.forward(network, params, data.x)) == pytest.approx(loss, rel=1e-12)
    network = fnn.mlp(64, 2, output="sigmoid", loss="binary_cross_entropy", input_scale=1 / 16)
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    questions = fnn.Dataset(data.x, np.stack([data.y > 4, data.y % 2], axis=1))
    loss = fnn.evaluate(network, params, questions).loss
    assert fnn.log_loss(questions.y, fnn.forward(network, params, data.x)) == pytest.approx(loss, rel=1e-12)


# The calibration.


@pytest.mark.parametrize("bins", [1, 5, 10, 37])
def test_the_curve_of_yes_is_scikit_learns(bins: int) -> None:
    draw = np.random.default_rng(bins)
    p = np.round(draw.random(300), 2)  # some of them on the edges of bins
    p[:2] = 0, 1
    y = (draw.random(300) < p**2).astype(int)
    result = fnn.calibration(y, p, bins)
    share, mean = calibration_curve(y, p, n_bins=bins)
    filled = result.counts > 0
    np.testing.assert_allclose(result.accuracy[filled], share, rtol=1e-13)
    np.testing.assert_allclose(result.confidence[filled], mean, rtol=1e-13)
    assert np.isnan(result.accuracy[~filled]).all()
    assert np.isnan(result.confidence[~filled]).all()
    assert result.counts.sum() == 300
    gaps = np.abs(share - mean)
    assert result.error == pytest.approx((gaps * result.counts[filled]).sum() / 300, rel=1e-12)
    assert result.largest_error == pytest.approx(gaps.max(), rel=1e-12)
    assert fnn.digest(fnn.calibration(y.astype(bool), p[:, None], bins)) == fnn.digest(result)


def test_the_calibration_of_classes_is_that_of_the_largest_probability_being_right() -> None:
    y, p, _ = some()
    right = p.argmax(axis=1) == y
    assert fnn.digest(fnn.calibration(y, p)) == fnn.digest(fnn.calibration(right, p.max(axis=1)))
    assert fnn.calibration(y, p).counts[:2].sum() == 0  # of five classes the largest has at least a fifth


HAND = ([0, 1, 1, 0, 0], [[0.75, 0.25], [0.75, 0.25], [0.375, 0.625], [1.0, 0.0], [0.5, 0.5]])


def test_a_calibration_by_hand() -> None:
    result = fnn.calibration(*HAND, bins=4)  # 0.75, right and wrong; 0.625 right; 1 right; 0.5 a tie, right
    assert result.counts.tolist() == [0, 1, 3, 1]
    np.testing.assert_array_equal(result.confidence, [np.nan, 0.5, 2.125 / 3, 1])
    np.testing.assert_array_equal(result.accuracy, [np.nan, 1, 2 / 3, 1])
    assert result.error == pytest.approx((0.5 + 0.125) / 5, rel=1e-14)
    assert result.largest_error == 0.5


def test_a_calibration_prints() -> None:
    assert str(fnn.calibration(*HAND, bins=4)) == (
        "confidence     rows    mean  accuracy     gap\n"
        "0 to 0.25         0       -         -       -\n"
        "0.25 to 0.5       1  0.5000    1.0000  0.5000\n"
        "0.5 to 0.75       3  0.7083    0.6667  0.0417\n"
        "0.75 to 1         1  1.0000    1.0000  0.0000\n"
        "error             5                    0.1250\n"
        "largest error                          0.5000"
    )


def test_a_perfect_calibration_has_no_error() -> None:
    p = np.repeat([0.25, 0.75], 4)
    result = fnn.calibration([0, 0, 0, 1, 1, 1, 1, 0], p)
    assert (result.error, result.largest_error) == (0, 0)


def test_a_calibration_is_a_state() -> None:
    result = fnn.calibration(*HAND)
    assert fnn.digest(copy.deepcopy(result)) == fnn.digest(result)
    with pytest.raises(ValueError, match="read-only"):
        result.counts[0] = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.counts = result.counts  # type: ignore[misc]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_and_series_are_arrays(frame: Any) -> None:
    y, p, w = some(30)
    names = frame({str(i): column for i, column in enumerate(p.T)})
    series = pd.Series if frame is pd.DataFrame else pl.Series
    assert fnn.top_k_accuracy(series(y), names, 2, series(w)) == fnn.top_k_accuracy(y, p, 2, w)
    assert fnn.log_loss(series(y), names, series(w)) == fnn.log_loss(y, p, w)
    assert fnn.digest(fnn.calibration(series(y), names)) == fnn.digest(fnn.calibration(y, p))


# What is refused.

LIKE = "as `outputs` has, got"
WHOLE = "Labels that are whole are made integers by `y.astype(int)`."
ONE_ROW = "One row is `outputs[None, :]`."
TABLES = "Each output is a question of its own: `calibration(y[:, 0], outputs[:, 0])`."
P = [[0.5, 0.5], [1.0, 0.0]]
BOTH = (fnn.log_loss, fnn.calibration, fnn.mistakes)
REFUSED: list[tuple[Any, tuple[Any, ...], type[Exception], str]] = [
    (fnn.top_k_accuracy, ([0, 1], [0.5, 0.5], 1), ValueError,
     f"`outputs` must have shape (n, columns), got (2,). {ONE_ROW}"),
    (fnn.top_k_accuracy, ([0, 1], np.ones((2, 2, 1)), 1), ValueError,
     "`outputs` must have shape (n, columns), got (2, 2, 1). "
     "Rows are made flat by `outputs.reshape(len(outputs), -1)`."),
    (fnn.top_k_accuracy, ([0, 1], [[0.5, math.nan], [0, 1]], 1), ValueError,
     "`outputs` must be finite in float64, got nan at (0, 1)."),
    (fnn.top_k_accuracy, ([0, 1], [["a", "b"]] * 2, 1), TypeError,
     "`outputs` must be an array of real numbers, got [['a', 'b'], ['a', 'b']]."),
    (fnn.top_k_accuracy, ([0, 1], P), ValueError, "`k` must be at most 2, the classes of `outputs`, got 5."),
    (fnn.top_k_accuracy, ([0, 1], P, 0), ValueError, "`k` must be an integer of at least 1, got 0."),
    (fnn.top_k_accuracy, ([0, 1], P, 1.0), TypeError, "`k` must be an integer of at least 1, got 1.0."),
    (fnn.top_k_accuracy, ([0], P, 1), ValueError, f"`y` must have shape (2,), {LIKE} (1,)."),
    (fnn.top_k_accuracy, ([[0, 1], [1, 0]], P, 1), ValueError, f"`y` must have shape (2,), {LIKE} (2, 2)."),
    (fnn.top_k_accuracy, ([0, 2], P, 1), ValueError, "`y` must be labels from 0 to 1, got 2 in row 1."),
    (fnn.top_k_accuracy, ([0, -1], P, 1), ValueError, "`y` must be labels from 0 to 1, got -1 in row 1."),
    (fnn.top_k_accuracy, ([0.0, 1.0], P, 1), TypeError, f"`y` must hold integer labels, got dtype float64. {WHOLE}"),
    (fnn.top_k_accuracy, ([0, 1], P, 1, [1]), ValueError, "`sample_weight` must have shape (2,), got (1,)."),
    (fnn.log_loss, ([0, 1], P, [0, 0]), ValueError,
     "`sample_weight` must be at least 0, and above 0 somewhere, got a least of 0, a most of 0."),
    *[
        (function, *case)
        for function in BOTH
        for case in [
            (([], []), ValueError, "`outputs` must have shape (n,) or (n, classes), n at least 1, got (0,)."),
            ((0, 0.5), ValueError, "`outputs` must have shape (n,) or (n, classes), n at least 1, got ()."),
            (([0, 1], [[0.5, 0.5], [0.5, 0.502]]), ValueError,
             "`outputs` must sum to 1 in each row, got 1.002 in row 1."),
            (([0, 1], [[1.5, -0.5], [1, 0]]), ValueError,
             "`outputs` must be in [0, 1], got a least of -0.5, a most of 1.5."),
            (([0, 1], [0.5, 1.5]), ValueError, "`outputs` must be in [0, 1], got a least of 0.5, a most of 1.5."),
            (([0, 1], [0.5, math.nan]), ValueError, "`outputs` must be finite in float64, got nan at 1."),
            (([0, 1], None), TypeError, "`outputs` must be an array of real numbers, got None."),
            (([0, 2], P), ValueError, "`y` must be labels from 0 to 1, got 2 in row 1."),
            (([0.0, 1.0], P), TypeError, f"`y` must hold integer labels, got dtype float64. {WHOLE}"),
            (([0], P), ValueError, f"`y` must have shape (2,), {LIKE} (1,)."),
            (([0], [0.5, 0.5]), ValueError, f"`y` must have shape (2,), {LIKE} (1,)."),
            (([[0], [1]], [0.5, 0.5]), ValueError, f"`y` must have shape (2,), {LIKE} (2, 1)."),
            (([[0], [1]], P), ValueError, f"`y` must have shape (2, 2), {LIKE} (2, 1)."),
            (([0, 2], [0.5, 0.5]), ValueError, "`y` must hold only 0 and 1, got 2 at 1."),
            (([0, math.nan], [0.5, 0.5]), ValueError, "`y` must hold only 0 and 1, got nan at 1."),
            (([[0, 1], [0.5, 1]], P), ValueError, "`y` must hold only 0 and 1, got 0.5 at (1, 0)."),
        ]
    ],
    (fnn.calibration, ([[0, 1], [1, 0]], P), ValueError, f"`y` must have shape (n,), got (2, 2). {TABLES}"),
    (fnn.mistakes, ([[0, 1], [1, 0]], P), ValueError,
     f"`y` must have shape (n,), got (2, 2). {TABLES.replace('calibration', 'mistakes')}"),
    (fnn.calibration, ([0, 1], P, 0), ValueError, "`bins` must be an integer of at least 1, got 0."),
    (fnn.calibration, ([0, 1], P, None), TypeError, "`bins` must be an integer of at least 1, got None."),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "kind", "message"), REFUSED)
def test_what_is_refused(function: Any, arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"{function.__name__}: {message}")):
        function(*arguments)


def test_float32_is_computed_with_in_float64() -> None:
    y, p, w = some()
    narrow = p.astype(np.float32)
    assert fnn.log_loss(y, narrow, w) == fnn.log_loss(y, narrow.astype(np.float64), w)
    assert fnn.digest(fnn.calibration(y, narrow)) == fnn.digest(fnn.calibration(y, narrow.astype(np.float64)))
    assert fnn.calibration([1], np.array([0.1], np.float32)).counts[1] == 1  # it is a little more than 0.1


def test_rows_may_sum_to_1_in_float16() -> None:
    p = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], np.float16)
    assert fnn.log_loss([2, 0], p) == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2, rel=1e-3)


def test_mistakes_are_the_rows_whose_answer_is_another_the_surest_first() -> None:
    p = [[0.6, 0.4, 0.0], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.9, 0.1, 0.0], [0.2, 0.7, 0.1]]
    wrong = fnn.mistakes([1, 2, 0, 2, 0], p)
    assert wrong.rows.tolist() == [3, 4, 0, 2]
    assert wrong.true.tolist() == [2, 0, 1, 0]
    assert wrong.predicted.tolist() == [0, 1, 0, 2]
    assert wrong.confidence.tolist() == [0.9, 0.7, 0.6, 0.4]
    assert (len(wrong), wrong.n, wrong.rate) == (4, 5, 0.8)
    assert str(wrong) == "4 of 5 wrong, 80.00 %"


def test_mistakes_agree_with_predict_and_accuracy() -> None:
    y, p, _ = some()
    wrong = fnn.mistakes(y, p)
    assert sorted(wrong.rows.tolist()) == [i for i, row in enumerate(p) if int(np.argmax(row)) != y[i]]
    assert wrong.rate == pytest.approx(1 - fnn.accuracy(y, p.argmax(axis=1)))
    assert np.all(np.diff(wrong.confidence) <= 0)


def test_mistakes_of_yes_or_no() -> None:
    network = fnn.Network(1, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    params = fnn.pack_params(network, [[[1.0]], [0.0]])
    x, y = [[-3.0], [0.0], [2.0], [4.0]], [1, 0, 0, 1]  # a probability of a half is yes
    wrong = fnn.mistakes(y, fnn.forward(network, params, x))
    assert wrong.rows.tolist() == [0, 2, 1]
    assert wrong.predicted.tolist() == [0, 1, 1]
    assert sorted(wrong.rows.tolist()) == np.flatnonzero(fnn.predict(network, params, x) != y).tolist()
    assert wrong.confidence.tolist() == pytest.approx([1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-2)), 0.5])


def test_of_mistakes_as_sure_the_first_comes_first_and_none_is_none() -> None:
    assert fnn.mistakes([1] * 50, [[0.8, 0.2], [0.9, 0.1]] * 25).rows.tolist() == [*range(1, 50, 2), *range(0, 50, 2)]
    none = fnn.mistakes([0, 1], [[0.8, 0.2], [0.4, 0.6]])
    assert (len(none), none.rate, str(none)) == (0, 0.0, "0 of 2 wrong, 0.00 %")
