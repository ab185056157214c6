"""`fnn.metrics` against scikit-learn's own reports, and against tables worked by hand."""

from __future__ import annotations

import warnings
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

import fnn
from tests.stand_ins import exactly

Ints = NDArray[np.int64]

# What a classifier of animals said of ten rows: cats 0, dogs 1, birds 2.
TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
SAID = [0, 0, 0, 1, 1, 1, 0, 2, 1, 0]


def some(case: str) -> tuple[Ints, Ints]:
    draw = np.random.default_rng(len(case))
    y = draw.integers(0, 10, 2000)
    wrong = np.where(draw.random(2000) < 0.2, draw.integers(0, 10, 2000), y)
    return {
        "ten classes": (y, wrong),
        "all right": (y, y),
        "all wrong": (y, (y + 1) % 10),
        "always the same": (y, np.full_like(y, 3)),
        "truly one": (np.full_like(y, 3), wrong),
        "labels with gaps": (y * 7 - 30, wrong * 7 - 30),
        "never predicted, never true": (np.array([0, 0, 1, 5]), np.array([0, 0, 2, 7])),
        "two rows": (np.array([1, 0]), np.array([0, 1])),
    }[case]


CASES = pytest.mark.parametrize(
    "case",
    [
        "ten classes",
        "all right",
        "all wrong",
        "always the same",
        "truly one",
        "labels with gaps",
        "never predicted, never true",
        "two rows",
    ],
)


@CASES
def test_report_is_that_of_scikit_learn(case: str) -> None:
    y, said = some(case)
    report = fnn.classification_report(y, said)
    theirs = metrics.classification_report(y, said, output_dict=True, zero_division=0)
    assert report.accuracy == pytest.approx(theirs["accuracy"], rel=1e-12)
    lines = {
        **{scores.label: scores for scores in report.classes},
        "macro avg": report.macro,
        "weighted avg": report.weighted,
    }
    assert list(lines) == [name for name in theirs if name != "accuracy"]
    for name, scores in lines.items():
        expected = theirs[name]
        assert scores.precision == pytest.approx(expected["precision"], rel=1e-12)
        assert scores.recall == pytest.approx(expected["recall"], rel=1e-12)
        assert scores.f1 == pytest.approx(expected["f1-score"], rel=1e-12)
        assert scores.support == expected["support"]


@CASES
def test_printed_report_has_the_numbers_that_scikit_learn_prints(case: str) -> None:
    y, said = some(case)

    def words(text: str) -> list[list[str]]:  # where all are wrong, scikit-learn prints 170 rows as 170.0
        return sorted(
            line.removesuffix(".0").replace(" avg", "").replace(" mean", "").replace(",", "").split()
            for line in text.splitlines()
            if line.strip()
        )

    ours = words(str(fnn.classification_report(y, said)))
    theirs = words(metrics.classification_report(y, said, digits=4, zero_division=0))
    assert [line for line in ours if line[0] != "class"] == [line for line in theirs if line[0] != "precision"]


@CASES
def test_confusion_matrix_is_that_of_scikit_learn(case: str) -> None:
    y, said = some(case)
    matrix = fnn.confusion_matrix(y, said)
    np.testing.assert_array_equal(matrix.counts, metrics.confusion_matrix(y, said))
    assert matrix.counts.dtype == np.int64
    assert matrix.labels == tuple(sorted({*y.tolist(), *said.tolist()}))
    assert matrix.counts.sum() == len(y)


def test_a_report_by_hand() -> None:
    report = fnn.classification_report(TRUE, SAID)
    cats, dogs, birds = (attrs.astuple(scores) for scores in report.classes)
    assert cats == ("0", 3 / 5, 3 / 4, pytest.approx(2 / 3), 4)
    assert dogs == ("1", 2 / 4, 2 / 3, pytest.approx(4 / 7), 3)
    assert birds == ("2", 1.0, 1 / 3, pytest.approx(1 / 2), 3)
    precision, recall, f1 = (3 / 5 + 2 / 4 + 1) / 3, (3 / 4 + 2 / 3 + 1 / 3) / 3, (2 / 3 + 4 / 7 + 1 / 2) / 3
    assert attrs.astuple(report.macro)[1:] == pytest.approx((precision, recall, f1, 10))
    precision, recall, f1 = (4 * 3 / 5 + 3 * 2 / 4 + 3) / 10, 6 / 10, (4 * 2 / 3 + 3 * 4 / 7 + 3 / 2) / 10
    assert attrs.astuple(report.weighted)[1:] == pytest.approx((precision, recall, f1, 10))
    assert report.accuracy == 6 / 10


def test_a_report_prints() -> None:
    assert str(fnn.classification_report(TRUE, SAID)) == (
        "class          precision  recall      f1  support\n"
        "0                 0.6000  0.7500  0.6667        4\n"
        "1                 0.5000  0.6667  0.5714        3\n"
        "2                 1.0000  0.3333  0.5000        3\n"
        "macro mean        0.7000  0.5833  0.5794       10\n"
        "weighted mean     0.6900  0.6000  0.5881       10\n"
        "accuracy                          0.6000       10"
    )


def test_a_confusion_matrix_prints() -> None:
    assert str(fnn.confusion_matrix(TRUE, SAID)) == (
        "true \\ predicted  0  1  2\n0                 3  1  0\n1                 1  2  0\n2                 1  1  1"
    )
    assert str(fnn.confusion_matrix(np.repeat([-1, 12], 1500), np.repeat([-1, 12], [200, 2800]))) == (
        "true \\ predicted   -1     12\n-1                200  1,300\n12                  0  1,500"
    )


def test_records() -> None:
    report = fnn.classification_report(TRUE, SAID)
    assert report == fnn.classification_report(np.array(TRUE, np.uint8), np.array(SAID, np.int16))
    assert report != fnn.classification_report(SAID, TRUE)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        report.accuracy = 1.0  # type: ignore[misc]
    matrix = fnn.confusion_matrix(TRUE, SAID)
    assert fnn.digest(matrix) == fnn.digest(fnn.confusion_matrix(np.array(TRUE, np.uint8), SAID))
    with pytest.raises(ValueError, match="read-only"):
        matrix.counts[0, 0] = 9


def test_what_predict_returns_goes_in() -> None:
    data = fnn.load_digits()
    network = fnn.mlp(64, 10, input_scale=1 / 16)
    params = fnn.init_params(network, seed=0)
    said = fnn.predict(network, params, data.x)
    assert fnn.classification_report(data.y, said).accuracy == fnn.evaluate(network, params, data).accuracy


def test_nothing_is_printed_or_warned_of() -> None:
    y, said = some("never predicted, never true")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fnn.classification_report(y, said)
        fnn.confusion_matrix(y, said)


def test_a_single_label_in_a_report() -> None:
    report = fnn.classification_report([3, 3], [3, 3])
    assert attrs.astuple(report.classes[0]) == ("3", 1.0, 1.0, 1.0, 2)
    assert len(report.classes) == 1


def test_a_single_label_in_a_confusion_matrix() -> None:
    assert str(fnn.confusion_matrix([3, 3], [3, 3])) == "true \\ predicted  3\n3                 2"


def test_labels_of_two_kinds_of_integers() -> None:
    report = fnn.classification_report(np.array([0, 1], np.uint64), np.array([0, 1], np.int64))
    assert [scores.label for scores in report.classes] == ["0", "1"]


@pytest.mark.parametrize("function", [fnn.classification_report, fnn.confusion_matrix])
@pytest.mark.parametrize(
    ("y", "said", "kind", "message"),
    [
        ([0.0, 1.0], [0, 1], TypeError, "`y` must be an array of integers, got [0.0, 1.0]."),
        ([0, 1], np.array([0.0, 1.0]), TypeError, "`predicted` must be an array of integers, got dtype float64."),
        (
            ["a", "b"],
            [0, 1],
            TypeError,
            "`y` must be an array of integers, got ['a', 'b']. "
            "Names are made labels by `np.unique(y, return_inverse=True)[1]`.",
        ),
        ([0, 1], [0, 1, 1], ValueError, "`predicted` must have shape (2,), got (3,)."),
        ([0, 1], [[0, 1]], ValueError, "`predicted` must have shape (2,), got (1, 2)."),
    ],
)
def test_what_is_refused(function: Any, y: Any, said: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"{function.__name__}: {message}")):
        function(y, said)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0], [1]], "`y` must have shape (n,), n at least 1, got (2, 1)."),
        (np.eye(2, dtype=int), "`y` must have shape (n,), n at least 1, got (2, 2)."),
        (np.zeros(0, int), "`y` must have shape (n,), n at least 1, got (0,)."),
    ],
)
def test_shapes_that_a_confusion_matrix_refuses(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=exactly(f"confusion_matrix: {message}")):
        fnn.confusion_matrix(y, y)


def test_the_most_confused_pairs_are_the_largest_counts_off_the_diagonal() -> None:
    y = [4] * 20 + [9] * 15 + [7] * 10
    said = [9] * 12 + [4] * 8 + [4] * 3 + [9] * 12 + [9] * 3 + [7] * 7
    matrix = fnn.confusion_matrix(y, said)
    assert [str(pair) for pair in matrix.most_confused()] == ["4 → 9: 12", "7 → 9: 3", "9 → 4: 3"]
    assert matrix.most_confused(1) == (fnn.Confusion(4, 9, 12),)
    assert fnn.confusion_matrix([1, 2], [1, 2]).most_confused() == ()
    assert str(fnn.Confusion(0, 1, 12345)) == "0 → 1: 12,345"
    with pytest.raises(ValueError, match=r"^most_confused: `k` must be an integer of at least 1, got 0\.$"):
        matrix.most_confused(0)
