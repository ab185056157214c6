"""scikit-learn's reports on predictions, in records that print as tables."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fnn import checks
from fnn.arrays import Array, Floats, State, sealed
from fnn.scores import r2
from fnn.tables import table


@attrs.frozen
class ClassScores:
    """One line of a classification report; `support` is the number of rows with the label, or that of all labels."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@attrs.frozen
class ClassificationReport:
    """Precision, recall and F1 of each class, their means, and the accuracy; prints as a table.

    Attributes:
        classes: one `ClassScores` for each label, in order.
        macro: the plain mean over classes.
        weighted: the mean weighted by support.
        accuracy: the share of right answers; of several labels in a row, the share of rows with all of them right.
        n: the number of rows.
        micro: that of all answers of all labels together; None for one label in a row, where it is the accuracy.
    """

    classes: tuple[ClassScores, ...]
    macro: ClassScores
    weighted: ClassScores
    accuracy: float
    n: int
    micro: ClassScores | None = None

    def __str__(self) -> str:
        means = (self.macro, self.weighted) if self.micro is None else (self.macro, self.weighted, self.micro)
        lines: list[list[object]] = [list(attrs.astuple(row)) for row in (*self.classes, *means)]
        lines.append(["accuracy", "", "", self.accuracy, self.n])
        return table(["class", "precision", "recall", "f1", "support"], lines)


@attrs.frozen
class Confusion:
    """How often one class was taken for another; prints as "4 → 9: 12".

    Attributes:
        true: the one class.
        predicted: the other.
        count: how many rows.
    """

    true: int
    predicted: int
    count: int

    def __str__(self) -> str:
        return f"{self.true} → {self.predicted}: {self.count:,}"


@attrs.frozen(eq=False, repr=False)
class ConfusionMatrix(State):
    """How often each class was taken for each; prints as a table.

    Attributes:
        labels: the classes, in order.
        counts: shape (classes, classes), int64; rows are the true classes, columns the predicted ones.
    """

    labels: tuple[int, ...]
    counts: NDArray[np.int64] = attrs.field(converter=sealed)

    @property
    def per_class_accuracy(self) -> Floats:
        """The share of each class's rows that is right, its recall, in the order of `labels`; NaN without rows."""
        with np.errstate(invalid="ignore"):
            share: Floats = self.counts.diagonal() / self.counts.sum(axis=1)
        return share

    def most_confused(self, k: int = 10) -> tuple[Confusion, ...]:
        """The pairs of a true class and another that was predicted, by how many rows, at most k; equal ones in order.

        Raises:
            TypeError, ValueError: for a k that is no integer of at least 1.

        >>> import fnn
        >>> [str(pair) for pair in fnn.confusion_matrix([4, 4, 9, 9, 9], [9, 9, 4, 9, 9]).most_confused()]
        ['4 → 9: 2', '9 → 4: 1']
        """
        checks.count("most_confused", "k", k, 1)
        wrong = np.where(np.eye(len(self.labels), dtype=bool), 0, self.counts)
        order = np.argsort(-wrong, axis=None, kind="stable")[: min(k, np.count_nonzero(wrong))]
        places = zip(*np.unravel_index(order, wrong.shape), strict=True)
        return tuple(Confusion(self.labels[i], self.labels[j], int(wrong[i, j])) for i, j in places)

    def __str__(self) -> str:
        rows = [[str(label), *map(int, row)] for label, row in zip(self.labels, self.counts, strict=True)]
        return table(["true \\ predicted", *map(str, self.labels)], rows)


@attrs.frozen
class OutputScores:
    """One line of a regression report."""

    output: str
    r2: float
    mae: float
    rmse: float


@attrs.frozen
class RegressionReport:
    """r2, mean absolute error and root mean squared error of each output; prints as a table.

    Attributes:
        outputs: one `OutputScores` for each output, in order.
        mean: the plain mean over outputs.
    """

    outputs: tuple[OutputScores, ...]
    mean: OutputScores

    def __str__(self) -> str:
        return table(["output", "r2", "mae", "rmse"], [attrs.astuple(row) for row in (*self.outputs, self.mean)])


def classification_report(y: ArrayLike, predicted: ArrayLike) -> ClassificationReport:
    """Precision, recall and F1 of each class: scikit-learn's, where a share of nothing is 0.

    precision = right / predicted as the class; recall = right / truly of the class; F1 their harmonic mean.

    Args:
        y: n integer labels; or shape (n, outputs), integers 0 and 1, for several labels in a row, each with a
            line of its own, named by its column. Their accuracy is that of whole rows, as scikit-learn's
            `accuracy_score` has it; `fnn.accuracy` counts the outputs one by one.
        predicted: of the same shape, as `fnn.predict` returns them.

    Raises:
        TypeError: for labels that are not integers.
        ValueError: for other shapes, shapes that differ, or several labels in a row that are not 0 and 1.

    >>> import fnn
    >>> print(fnn.classification_report([0, 0, 1, 1], [0, 1, 1, 1]))
    class          precision  recall      f1  support
    0                 1.0000  0.5000  0.6667        2
    1                 0.6667  1.0000  0.8000        2
    macro mean        0.8333  0.7500  0.7333        4
    weighted mean     0.8333  0.7500  0.7333        4
    accuracy                          0.7500        4
    """
    from sklearn.metrics import precision_recall_fscore_support

    y, predicted = _integers("classification_report", y, predicted, "(n,) or (n, outputs)")
    several = y.ndim == 2
    if several:
        _check_yes_or_no(y, predicted)
        labels, support = np.arange(y.shape[1]), y.sum(axis=0)
        # one label more, that never occurs: scikit-learn takes a single one for two classes
        true, guess = (np.pad(a, ((0, 0), (0, 1))) for a in (y, predicted))
    else:
        labels, true, guess = np.unique(np.concatenate([y, predicted])), y, predicted
        support = np.array([(y == label).sum() for label in labels])

    def scores(average: str | None) -> tuple[Array, Array, Array]:
        p, r, f, _ = precision_recall_fscore_support(true, guess, labels=labels, average=average, zero_division=0)
        return np.atleast_1d(p), np.atleast_1d(r), np.atleast_1d(f)

    each = zip(labels, *scores(None), support, strict=True)
    classes = tuple(ClassScores(str(label), float(p), float(r), float(f), int(s)) for label, p, r, f, s in each)
    macro, weighted, micro = (
        ClassScores(f"{average} mean", float(p[0]), float(r[0]), float(f[0]), int(support.sum()))
        for average in ("macro", "weighted", "micro")
        for p, r, f in [scores(average)]
    )
    right = (y == predicted).reshape(len(y), -1).all(axis=1)
    return ClassificationReport(classes, macro, weighted, float(right.mean()), len(y), micro if several else None)


def confusion_matrix(y: ArrayLike, predicted: ArrayLike) -> ConfusionMatrix:
    r"""How often each true class was predicted as each: scikit-learn's, over the labels that occur.

    Args:
        y: n integer labels.
        predicted: n integer labels.

    Raises:
        TypeError: for labels that are not integers.
        ValueError: for shapes other than (n,), or that differ.

    >>> import fnn
    >>> print(fnn.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1]))
    true \ predicted  0  1
    0                 1  1
    1                 0  2
    """
    from sklearn.metrics import confusion_matrix as count

    y, predicted = _integers("confusion_matrix", y, predicted, "(n,)")
    labels = np.unique(np.concatenate([y, predicted]))
    # one label more, that never occurs: scikit-learn warns of a single one
    counts = count(y, predicted, labels=[*labels, labels[-1] + 1])[:-1, :-1]
    return ConfusionMatrix(tuple(map(int, labels)), counts)


def regression_report(y: ArrayLike, predicted: ArrayLike) -> RegressionReport:
    """r2, mean absolute error and root mean squared error of each output, and their means over outputs.

    mae = mean |y − ŷ|; rmse = √ mean (y − ŷ)²; r2 as in `fnn.r2`, whose value is the mean here.

    Args:
        y: the targets, shape (n,) or (n, outputs).
        predicted: of the same shape.

    Raises:
        TypeError: for arrays that are not of real numbers.
        ValueError: for other shapes, shapes that differ, no rows, NaN or infinity.

    >>> import fnn
    >>> print(fnn.regression_report([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]))
    output      r2     mae    rmse
    0       0.9486  0.5000  0.6124
    mean    0.9486  0.5000  0.6124
    """
    y, predicted = _pair("regression_report", y, predicted, "buif", "(n,) or (n, outputs)")
    true, guess = (a.astype(np.float64).reshape(len(a), -1) for a in (y, predicted))
    off = np.abs(true - guess)
    scale = np.where(off.any(axis=0), off.max(axis=0), 1)  # so that no square overflows
    rmse = scale * np.sqrt(np.square(off / scale).mean(axis=0))
    each = np.array([[r2(a, b) for a, b in zip(true.T, guess.T, strict=True)], off.mean(axis=0), rmse])
    outputs = tuple(OutputScores(str(i), *column) for i, column in enumerate(each.T.tolist()))
    return RegressionReport(outputs, OutputScores("mean", *each.mean(axis=1).tolist()))


def _pair(where: str, y: ArrayLike, predicted: ArrayLike, kinds: str, shapes: str) -> tuple[Array, Array]:
    true, guess = (checks.numeric(where, name, value, kinds) for name, value in (("y", y), ("predicted", predicted)))
    if true.ndim not in ((1, 2) if "outputs" in shapes else (1,)) or true.size == 0:
        raise checks.problem(ValueError, where, "y", f"must have shape {shapes}, n at least 1", str(true.shape))
    if guess.shape != true.shape:
        raise checks.problem(ValueError, where, "predicted", f"must have shape {true.shape}", str(guess.shape))
    checks.finite(where, "y", true)
    checks.finite(where, "predicted", guess)
    return true, guess


def _integers(where: str, y: ArrayLike, predicted: ArrayLike, shapes: str) -> tuple[Array, Array]:
    true, guess = _pair(where, y, predicted, "ui", shapes)
    for name, array in (("y", true), ("predicted", guess)):
        if array.max() >= 2**63 - 1:  # one label more is needed
            raise checks.problem(ValueError, where, name, "must be labels below 2**63 - 1", str(array.max()))
    return true.astype(np.int64), guess.astype(np.int64)  # uint64 and int64 together would be floats


def _check_yes_or_no(y: Array, predicted: Array) -> None:
    for name, array in (("y", y), ("predicted", predicted)):
        if array.min() < 0 or array.max() > 1:
            first = np.argwhere((array < 0) | (array > 1))[0]
            rule, got = (
                "must hold only 0 and 1 in shape (n, outputs)",
                f"{array[tuple(first)]} at {tuple(map(int, first))}",
            )
            raise checks.problem(ValueError, "classification_report", name, rule, got)
