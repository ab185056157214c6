"""scikit-learn's reports on predictions, in records that print as tables."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fnn import checks
from fnn.arrays import Array, State, sealed
from fnn.tables import table


@attrs.frozen
class ClassScores:
    """One line of a classification report; `support` is the number of rows (of the label, or of all)."""

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
        accuracy: the share of right answers.
    """

    classes: tuple[ClassScores, ...]
    macro: ClassScores
    weighted: ClassScores
    accuracy: float

    def __str__(self) -> str:
        lines: list[list[object]] = [list(attrs.astuple(row)) for row in (*self.classes, self.macro, self.weighted)]
        lines.append(["accuracy", "", "", self.accuracy, self.macro.support])
        return table(["class", "precision", "recall", "f1", "support"], lines)


@attrs.frozen(eq=False)
class ConfusionMatrix(State):
    """How often each class was taken for each; prints as a table.

    Attributes:
        labels: the classes, in order.
        counts: shape (classes, classes), int64; rows are the true classes, columns the predicted ones.
    """

    labels: tuple[int, ...]
    counts: NDArray[np.int64] = attrs.field(converter=sealed)

    def __str__(self) -> str:
        rows = [[str(label), *map(int, row)] for label, row in zip(self.labels, self.counts, strict=True)]
        return table(["true \\ predicted", *map(str, self.labels)], rows)


def classification_report(y: ArrayLike, predicted: ArrayLike) -> ClassificationReport:
    """Precision, recall and F1 of each class: scikit-learn's, where a share of nothing is 0.

    precision = right / predicted as the class; recall = right / truly of the class; F1 their harmonic mean.

    Args:
        y: n integer labels.
        predicted: n integer labels.

    Raises:
        TypeError: for labels that are not integers.
        ValueError: for shapes other than (n,), or that differ.

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

    y, predicted = _labels("classification_report", y, predicted)
    labels = np.unique(np.concatenate([y, predicted]))

    def scores(average: str | None) -> tuple[Array, Array, Array]:
        p, r, f, _ = precision_recall_fscore_support(y, predicted, labels=labels, average=average, zero_division=0)
        return np.atleast_1d(p), np.atleast_1d(r), np.atleast_1d(f)

    support = [int((y == label).sum()) for label in labels]
    each = zip(labels, *scores(None), support, strict=True)
    classes = tuple(ClassScores(str(label), float(p), float(r), float(f), s) for label, p, r, f, s in each)
    macro, weighted = (
        ClassScores(f"{average} mean", float(p[0]), float(r[0]), float(f[0]), len(y))
        for average in ("macro", "weighted")
        for p, r, f in [scores(average)]
    )
    return ClassificationReport(classes, macro, weighted, float((y == predicted).mean()))


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

    y, predicted = _labels("confusion_matrix", y, predicted)
    labels = np.unique(np.concatenate([y, predicted]))
    # one label more, that never occurs: scikit-learn warns of a single one
    counts = count(y, predicted, labels=[*labels, labels[-1] + 1])[:-1, :-1]
    return ConfusionMatrix(tuple(map(int, labels)), counts)


def _labels(where: str, y: ArrayLike, predicted: ArrayLike) -> tuple[Array, Array]:
    true, guess = (checks.numeric(where, name, value, "ui") for name, value in (("y", y), ("predicted", predicted)))
    if true.ndim != 1 or true.size == 0:
        raise checks.problem(ValueError, where, "y", "must have shape (n,), n at least 1", str(true.shape))
    if guess.shape != true.shape:
        raise checks.problem(ValueError, where, "predicted", f"must have shape {true.shape}", str(guess.shape))
    return true.astype(np.int64), guess.astype(np.int64)  # uint64 and int64 together would be floats
