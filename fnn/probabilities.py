"""What outputs are worth before they become answers: the first k, the log loss, the calibration, the sure mistakes."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Floats, Ints, State, sealed
from fnn.tables import table


def top_k_accuracy(y: ArrayLike, outputs: ArrayLike, k: int = 5, sample_weight: ArrayLike | None = None) -> float:
    """The share of rows whose label is among the k largest outputs: Σ w·[rank of the label ≤ k] / Σ w.

    Of equal outputs the one of the lower index comes first, as in `fnn.predict`, so that k = 1 is the accuracy
    (in scikit-learn's `top_k_accuracy_score` it is the one of the higher index).

    Args:
        y: n integer labels 0 … classes − 1.
        outputs: shape (n, classes): probabilities, logits or any other scores, all finite.
        k: 1 … classes.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.

    Raises:
        TypeError: for labels that are not integers, outputs that are not real numbers, or a k that is no integer.
        ValueError: for shapes that do not fit, a label or a k out of range, NaN or infinity, or weights below 0 or
            all 0.

    >>> import fnn
    >>> fnn.top_k_accuracy([0, 1, 2, 2], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], k=2)
    0.75
    """
    where = "top_k_accuracy"
    scores = checks.rows(where, "outputs", checks.numeric(where, "outputs", outputs), None)
    checks.finite(where, "outputs", scores)
    n, classes = scores.shape
    labels = _labels(where, y, n, classes)
    checks.count(where, "k", k, 1)
    if k > classes:
        raise checks.problem(ValueError, where, "k", f"must be at most {classes}, the classes of `outputs`", str(k))
    own = scores[np.arange(n), labels][:, None]
    before = (scores > own) | ((scores == own) & (np.arange(classes) < labels[:, None]))
    return _mean(where, before.sum(axis=1) < k, sample_weight)


def log_loss(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The mean of −log p over rows, p the probability of what is true: Σ w·(−log p) / Σ w.

    A probability of exactly 0 for what is true gives inf: unlike in scikit-learn's `log_loss` nothing is clipped.
    `fnn.evaluate` computes the loss from logits, which never are.

    Args:
        y: n integer labels 0 … classes − 1; or numbers that are 0 or 1, shape (n,) or (n, outputs). Shape
            (n, outputs) is several questions with yes or no, never one-hot labels: those are `y.argmax(axis=1)`.
        outputs: the probabilities, as `fnn.forward` returns them: for labels shape (n, classes), which sum to 1 in
            each row (within 10⁻³); for yes or no those of yes, of the shape of y (or (n, 1) for (n,)), and the loss
            is their mean over outputs.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.

    Raises:
        TypeError: for arrays that are not of real numbers, or labels that are not integers.
        ValueError: for shapes that do not fit, a label out of range, probabilities outside [0, 1] or whose sum is
            not 1, or weights below 0 or all 0.

    >>> import fnn
    >>> round(fnn.log_loss([0, 1], [[0.8, 0.2], [0.5, 0.5]]), 6)
    0.458145
    """
    y, p = _probabilities("log_loss", y, outputs)
    with np.errstate(divide="ignore"):
        if y.ndim < p.ndim:
            rows = -np.log(p[np.arange(len(y)), y])
        else:
            rows = -np.where(y == 1, np.log(p), np.log1p(-p)).reshape(len(y), -1).mean(axis=1)
    return _mean("log_loss", rows, sample_weight)


@attrs.frozen(eq=False, repr=False)
class Calibration(State):
    """Confidence against accuracy, in bins of equal width over [0, 1]; prints as a table.

    Bin i of b holds the confidences in (i / b, (i + 1) / b], the first one 0 too.

    Attributes:
        counts: the number of rows in each bin.
        confidence: their mean confidence; NaN in an empty bin.
        accuracy: the share of them that is right (of one probability: that is yes); NaN in an empty bin.
    """

    counts: Ints = attrs.field(converter=sealed)
    confidence: Floats = attrs.field(converter=sealed)
    accuracy: Floats = attrs.field(converter=sealed)

    @property
    def error(self) -> float:
        """The expected calibration error, Σ counts·|accuracy − confidence| / n."""
        return float(np.nansum(self.counts * self._gaps) / self.counts.sum())

    @property
    def largest_error(self) -> float:
        """The maximum calibration error, the largest |accuracy − confidence| of a bin."""
        return float(np.nanmax(self._gaps))

    @property
    def _gaps(self) -> Floats:
        return np.abs(self.accuracy - self.confidence)

    def __str__(self) -> str:
        edges = [f"{edge:.4g}" for edge in np.linspace(0, 1, len(self.counts) + 1)]
        columns = zip(edges, edges[1:], self.counts, self.confidence, self.accuracy, self._gaps, strict=False)
        rows = [[f"{a} to {b}", n, *((c, d, gap) if n else (None,) * 3)] for a, b, n, c, d, gap in columns]
        rows.append(["error", self.counts.sum(), "", "", self.error])
        rows.append(["largest error", "", "", "", self.largest_error])
        return table(["confidence", "rows", "mean", "accuracy", "gap"], rows)


def calibration(y: ArrayLike, outputs: ArrayLike, bins: int = 10) -> Calibration:
    """How sure the outputs are against how often they are right: the reliability table and its errors.

    The confidence of a row is its largest probability, and it is right where that is the label's; of one
    probability of yes, the confidence is that one, and yes is right. `error` is eq. 3 and `largest_error` eq. 5 of
    Guo et al., "On calibration of modern neural networks", 2017, both after Naeini et al., "Obtaining well
    calibrated probabilities using Bayesian binning", 2015.

    Args:
        y: n integer labels 0 … classes − 1; or n numbers that are 0 or 1.
        outputs: the probabilities, as `fnn.forward` returns them: for labels shape (n, classes), which sum to 1 in
            each row (within 10⁻³); for yes or no those of yes, shape (n,) or (n, 1).
        bins: how many, at least 1.

    Raises:
        TypeError: for arrays that are not of real numbers, labels or bins that are not integers.
        ValueError: for shapes that do not fit, a label out of range, or probabilities outside [0, 1] or whose sum is
            not 1.

    >>> import fnn
    >>> print(fnn.calibration([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.9], bins=2))
    confidence     rows    mean  accuracy     gap
    0 to 0.5          3  0.2667    0.3333  0.0667
    0.5 to 1          1  0.9000    1.0000  0.1000
    error             4                    0.0750
    largest error                          0.1000
    """
    checks.count("calibration", "bins", bins, 1)
    y, p = _one_question("calibration", y, outputs)
    confidence, right = (p, y) if p.ndim == 1 else (p.max(axis=1), p.argmax(axis=1) == y)
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, values, bins) / counts for values in (confidence, right)]
    return Calibration(counts, *means)


@attrs.frozen(eq=False, repr=False)
class Mistakes(State):
    """The rows that are answered wrongly, the surest answer first; prints as a line.

    Attributes:
        rows: their places in y.
        true: their labels.
        predicted: the answers.
        confidence: the probability of each answer.
        n: the number of all rows.
    """

    rows: Ints = attrs.field(converter=sealed)
    true: Ints = attrs.field(converter=sealed)
    predicted: Ints = attrs.field(converter=sealed)
    confidence: Floats = attrs.field(converter=sealed)
    n: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rate(self) -> float:
        """The share of all rows."""
        return len(self) / self.n

    def __str__(self) -> str:
        return f"{len(self):,} of {self.n:,} wrong, {100 * self.rate:.2f} %"


def mistakes(y: ArrayLike, outputs: ArrayLike) -> Mistakes:
    """The rows whose most probable label is not the true one, by how sure the answer was; equal ones in order.

    Args:
        y: n integer labels 0 … classes − 1; or n numbers that are 0 or 1.
        outputs: the probabilities, as `fnn.forward` returns them: for labels shape (n, classes), which sum to 1 in
            each row (within 10⁻³); for yes or no those of yes, shape (n,) or (n, 1), and the answer is yes from 0.5.

    Raises:
        TypeError: for arrays that are not of real numbers, or labels that are not integers.
        ValueError: for shapes that do not fit, a label out of range, or probabilities outside [0, 1] or whose sum is
            not 1.

    >>> import fnn
    >>> wrong = fnn.mistakes([0, 1, 1], [[0.6, 0.4], [0.7, 0.3], [0.8, 0.2]])
    >>> print(wrong, wrong.rows, wrong.confidence)
    2 of 3 wrong, 66.67 % [2 1] [0.8 0.7]
    """
    y, p = _one_question("mistakes", y, outputs)
    if p.ndim == 1:
        p = np.stack([1 - p, p], axis=1)
        answers = (p[:, 1] >= 0.5).astype(np.int64)
    else:
        answers = p.argmax(axis=1)
    rows = np.flatnonzero(answers != y)
    confidence = p[rows, answers[rows]]
    order = np.argsort(-confidence, kind="stable")
    rows = rows[order]
    return Mistakes(rows, y[rows].astype(np.int64), answers[rows], confidence[order], len(y))


def _one_question(where: str, y: ArrayLike, outputs: ArrayLike) -> tuple[Array, Floats]:
    """As `_probabilities`, without several questions in a row."""
    y, p = _probabilities(where, y, outputs)
    if y.ndim == 2:
        fix = f"Each output is a question of its own: `{where}(y[:, 0], outputs[:, 0])`."
        raise checks.problem(ValueError, where, "y", "must have shape (n,)", str(y.shape), fix)
    return y, p


def _labels(where: str, y: ArrayLike, n: int, classes: int) -> Array:
    labels = checks.numeric(where, "y", y)
    if labels.shape != (n,):
        raise checks.problem(ValueError, where, "y", f"must have shape ({n},), as `outputs` has", str(labels.shape))
    checks.labels(where, "y", labels, classes)
    return labels


def _probabilities(where: str, y: ArrayLike, outputs: ArrayLike) -> tuple[Array, Floats]:
    """y and the probabilities in float64: labels and (n, classes), or 0 and 1 and those of yes in the same shape."""
    p, true = checks.numeric(where, "outputs", outputs), checks.numeric(where, "y", y)
    if p.ndim not in (1, 2) or p.size == 0:
        rule = "must have shape (n,) or (n, classes), n at least 1"
        raise checks.problem(ValueError, where, "outputs", rule, str(p.shape))
    if true.ndim == 1 and p.shape[1:] == (1,):
        p = p[:, 0]
    n, kind = len(p), "shares"
    if p.ndim == 2 and true.ndim < 2:
        true, kind = _labels(where, true, n, p.shape[1]), "classes"
    elif true.shape != p.shape:
        rule = f"must have shape {p.shape}, as `outputs` has"
        raise checks.problem(ValueError, where, "y", rule, str(true.shape))
    elif (bad := (true != 0) & (true != 1)).any():
        first = tuple(map(int, np.argwhere(bad)[0]))
        got = f"{true[first]} at {first[0] if len(first) == 1 else first}"
        fix = "`outputs` are probabilities, not answers." if p.dtype.kind in "ui" else ""
        raise checks.problem(ValueError, where, "y", "must hold only 0 and 1", got, fix)
    p = checks.targets(where, p, n, p.shape[1] if p.ndim == 2 else 1, kind, "outputs")
    return true, p.astype(np.float64)


def _mean(where: str, rows: Array, sample_weight: ArrayLike | None) -> float:
    if sample_weight is None:
        return float(rows.mean())
    w = checks.weights(where, sample_weight, len(rows))
    return float(w[w > 0] / w.sum() @ rows[w > 0])  # without the rows of weight 0: 0 · inf is NaN
