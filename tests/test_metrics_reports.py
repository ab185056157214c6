"""Reports on several labels in a row and on regressions, against scikit-learn and tables worked by hand."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import metrics

import fnn
from fnn.arrays import Array
from tests.stand_ins import exactly


def answers(case: str) -> tuple[Array, Array]:
    draw = np.random.default_rng(len(case))
    y = (draw.random((300, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(int)
    said = np.where(draw.random((300, 4)) < 0.2, 1 - y, y)
    return {
        "four labels": (y, said),
        "all right": (y, y),
        "all wrong": (y, 1 - y),
        "never said": (y, 0 * y),
        "never true": (0 * y, said),
        "never either": (0 * y, 0 * y),
        "always": (0 * y + 1, 0 * y + 1),
        "one column": (y[:, 1:2], said[:, 1:2]),
        "one row": (y[:1], said[:1]),
        "of bytes": (y.astype(np.uint8), said.astype(np.int8)),
    }[case]


CASES = ["four labels", "all right", "all wrong", "never said", "never true", "never either", "always", "of bytes"]


@pytest.mark.parametrize("case", [*CASES, "one row"])
def test_a_report_on_several_labels_is_scikit_learns(case: str) -> None:
    y, said = answers(case)
    report = fnn.classification_report(y, said)
    theirs = metrics.classification_report(y, said, output_dict=True, zero_division=0)
    theirs.pop("samples avg")
    assert report.micro is not None
    ours = {**{row.label: row for row in report.classes}, "micro avg": report.micro}
    ours |= {"macro avg": report.macro, "weighted avg": report.weighted}
    assert list(ours) == list(theirs)
    for name, row in ours.items():
        expected = [theirs[name][score] for score in ("precision", "recall", "f1-score", "support")]
        assert attrs.astuple(row)[1:] == pytest.approx(expected, rel=1e-13)
    assert report.accuracy == pytest.approx(metrics.accuracy_score(y, said), rel=1e-14)
    assert report.n == len(y)


def test_a_report_on_a_single_column_is_that_of_its_ones() -> None:
    y, said = answers("one column")
    (row,) = fnn.classification_report(y, said).classes
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(y[:, 0], said[:, 0], average="binary")
    assert attrs.astuple(row) == ("0", *(pytest.approx(score, rel=1e-13) for score in (precision, recall, f1)), y.sum())


# Of four rows with three labels: right, too many, too few, wrong.
YES, SAID = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], [[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_a_report_on_several_labels_by_hand() -> None:
    assert str(fnn.classification_report(YES, SAID)) == (
        "class          precision  recall      f1  support\n"
        "0                 0.6667  1.0000  0.8000        2\n"
        "1                 0.5000  0.5000  0.5000        2\n"
        "2                 0.0000  0.0000  0.0000        0\n"
        "macro mean        0.3889  0.5000  0.4333        4\n"
        "weighted mean     0.5833  0.7500  0.6500        4\n"
        "micro mean        0.6000  0.7500  0.6667        4\n"
        "accuracy                          0.2500        4"
    )
    one_row_more = fnn.classification_report([*YES, [1, 1, 1]], [*SAID, [1, 1, 1]])
    assert (one_row_more.macro.support, one_row_more.n) == (7, 5)
    assert str(one_row_more).endswith("accuracy                          0.4000        5")


def test_what_predict_says_of_several_questions_goes_in() -> None:
    data = fnn.load_digits()
    network = fnn.mlp(64, 2, output="sigmoid", loss="binary_cross_entropy", input_scale=1 / 16)
    params = fnn.init_params(network, seed=0)
    y = np.stack([data.y > 4, data.y % 2], axis=1).astype(int)
    said = fnn.predict(network, params, data.x)
    assert fnn.classification_report(y, said).accuracy == metrics.accuracy_score(y, said)
    assert fnn.accuracy(y, said) > fnn.classification_report(y, said).accuracy


# The accuracy of each class.


def test_the_accuracy_of_each_class_is_its_recall() -> None:
    draw = np.random.default_rng(0)
    y, said = draw.integers(0, 6, 500), draw.integers(0, 6, 500)
    matrix = fnn.confusion_matrix(y * 3, said * 3)
    recall = metrics.recall_score(y, said, average=None)
    np.testing.assert_allclose(matrix.per_class_accuracy, recall, rtol=1e-14)
    report = fnn.classification_report(y, said)
    np.testing.assert_allclose(matrix.per_class_accuracy, [row.recall for row in report.classes], rtol=1e-14)


def test_the_accuracy_of_each_class_by_hand() -> None:
    matrix = fnn.confusion_matrix([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 2])
    assert matrix.labels == (0, 1, 2)
    np.testing.assert_array_equal(matrix.per_class_accuracy, [0.75, 0, np.nan])  # of 2 there is no row


# Regressions.


def test_a_regression_report_is_scikit_learns() -> None:
    draw = np.random.default_rng(1)
    y = draw.normal(size=(200, 3)) * [1, 10, 100] + [0, 5, 1000]
    said = y + draw.normal(size=(200, 3)) * [0.1, 9, 300]
    report = fnn.regression_report(y, said)
    names = ("r2_score", "mean_absolute_error", "root_mean_squared_error")
    each = np.array([getattr(metrics, name)(y, said, multioutput="raw_values") for name in names])
    np.testing.assert_allclose([attrs.astuple(row)[1:] for row in report.outputs], each.T, rtol=1e-12)
    means = [getattr(metrics, name)(y, said) for name in names]
    assert attrs.astuple(report.mean) == ("mean", *(pytest.approx(score, rel=1e-12) for score in means))
    assert report.mean.r2 == pytest.approx(fnn.r2(y, said), rel=1e-13)
    single = fnn.regression_report(y[:, 1], said[:, 1])
    assert single == fnn.regression_report(y[:, 1:2], said[:, 1:2])
    assert attrs.astuple(single.outputs[0])[1:] == pytest.approx(attrs.astuple(report.outputs[1])[1:], rel=1e-13)


def test_a_regression_report_by_hand() -> None:
    report = fnn.regression_report([[0, 7], [2, 7]], [[0, 7], [4, 8]])  # the second column is constant
    assert attrs.astuple(report.outputs[0]) == ("0", -1.0, 1.0, pytest.approx(math.sqrt(2), rel=1e-15))
    assert attrs.astuple(report.outputs[1]) == ("1", 0.0, 0.5, pytest.approx(math.sqrt(0.5), rel=1e-15))
    assert str(report) == (
        "output       r2     mae    rmse\n"
        "0       -1.0000  1.0000  1.4142\n"
        "1        0.0000  0.5000  0.7071\n"
        "mean    -0.5000  0.7500  1.0607"
    )


def test_a_regression_that_is_exact_and_one_that_is_large() -> None:
    exact = fnn.regression_report(np.array([0, 255], np.uint8), [0, 255]).mean
    assert attrs.astuple(exact) == ("mean", 1, 0, 0)
    assert fnn.regression_report(np.array([0, 255], np.uint8), np.array([255, 0], np.uint8)).mean.mae == 255
    large = fnn.regression_report([3e200, -3e200], [0, 1e200]).mean
    assert (large.mae, large.rmse) == pytest.approx((3.5e200, math.sqrt(12.5) * 1e200), rel=1e-14)


@pytest.mark.parametrize(("frame", "series"), [(pd.DataFrame, pd.Series), (pl.DataFrame, pl.Series)])
def test_frames_and_series_are_arrays(frame: Any, series: Any) -> None:
    y, said = answers("four labels")
    columns, others = ({str(i): column for i, column in enumerate(array.T)} for array in (y, said))
    assert fnn.classification_report(frame(columns), frame(others)) == fnn.classification_report(y, said)
    assert fnn.regression_report(frame(columns), frame(others)) == fnn.regression_report(y, said)
    assert fnn.regression_report(series(y[:, 0]), series(said[:, 0])) == fnn.regression_report(y[:, 0], said[:, 0])


OUTPUTS = "`y` must have shape (n,) or (n, outputs), n at least 1, got"
ONLY = "must hold only 0 and 1 in shape (n, outputs), got"
REFUSED: list[tuple[Any, Any, Any, type[Exception], str]] = [
    (fnn.classification_report, [[0, 2]], [[0, 1]], ValueError, f"`y` {ONLY} 2 at (0, 1)."),
    (fnn.classification_report, [[0, 1], [1, 1]], [[0, 1], [-1, 1]], ValueError, f"`predicted` {ONLY} -1 at (1, 0)."),
    (fnn.classification_report, [[0, 1]], [0], ValueError, "`predicted` must have shape (1, 2), got (1,)."),
    (fnn.classification_report, np.ones((1, 1, 1), int), [0], ValueError, f"{OUTPUTS} (1, 1, 1)."),
    (fnn.classification_report, [[0.0]], [[0]], TypeError, "`y` must be an array of integers, got [[0.0]]."),
    (fnn.regression_report, [], [], ValueError, f"{OUTPUTS} (0,)."),
    (fnn.regression_report, np.ones((2, 0)), [], ValueError, f"{OUTPUTS} (2, 0)."),
    (fnn.regression_report, [1.0, 2.0], [[1.0], [2.0]], ValueError, "`predicted` must have shape (2,), got (2, 1)."),
    (fnn.regression_report, [1.0, math.nan], [1, 2], ValueError, "`y` must be finite in float64, got nan at 1."),
    (fnn.regression_report, [1], [math.inf], ValueError, "`predicted` must be finite in float64, got inf at 0."),
    (fnn.regression_report, [1], ["1"], TypeError, "`predicted` must be an array of real numbers, got ['1']."),
]


@pytest.mark.parametrize(("function", "y", "predicted", "kind", "message"), REFUSED)
def test_what_is_refused(function: Any, y: Any, predicted: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"{function.__name__}: {message}")):
        function(y, predicted)
