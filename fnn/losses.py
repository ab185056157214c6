"""Loss functions: frozen records with `rows(a, y)` and `vjp(a, y)`.

`a` are the network's outputs, shape (n, outputs), float32 or float64, and `y` the targets: of that shape and
dtype, or for cross-entropy also n integer labels. `rows` returns the n losses, `vjp` their derivatives by
`a`, shape (n, outputs). The loss of a batch is the mean over its rows, weighted: Σ w·l / Σ w.

`CrossEntropy` after softmax and `BinaryCrossEntropy` after sigmoid are computed from the logits z instead
(`rows_from_logits`, `vjp_from_logits`), so that no logarithm of 0 is ever taken and the value and its
gradient agree however sure the network is.

A user's own loss is a frozen record with the two methods, and goes where a name goes. Its targets are handed
to it as they are, `y` of shape (n,) included.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

import attrs
import numpy as np

from fnn import kernels, settings
from fnn.activations import Sigmoid, Softmax
from fnn.arrays import Array, Floats, Spec

LossName = Literal["mse", "squared_error", "mae", "huber", "cross_entropy", "binary_cross_entropy"]
Targets = Literal["classes", "shares", "values", "any"]


class Loss(Protocol):
    """What a network asks of its loss."""

    def rows(self, a: Floats, y: Array) -> Floats:
        """The loss of each row."""

    def vjp(self, a: Floats, y: Array) -> Floats:
        """The derivative of each row's loss by that row's outputs."""


class LossFromLogits(Loss, Protocol):
    """A loss that after one activation, the class `after`, is computed from the logits z."""

    after: ClassVar[type[Any]]

    def rows_from_logits(self, z: Floats, y: Array) -> Floats:
        """The loss of each row."""

    def vjp_from_logits(self, z: Floats, a: Floats, y: Array) -> Floats:
        """The derivative of each row's loss by its z, where a is the activation's value of z."""


def _over_outputs(each: Floats) -> Floats:
    """The mean over outputs, row by row."""
    rows: Floats = each.mean(axis=1)
    return rows


def _share(slope: Floats) -> Floats:
    """Each output's share of the derivative of such a mean."""
    share: Floats = slope / slope.shape[1]
    return share


@attrs.frozen(repr=False)
class MSE(Spec):
    """Mean squared error: the mean over outputs of (a − y)². For any output activation.

    >>> import numpy as np
    >>> MSE().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([2.5])
    """

    targets: ClassVar[Targets] = "values"

    def rows(self, a: Floats, y: Array) -> Floats:
        return _over_outputs(np.square(a - y))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return _share(2 * (a - y))


@attrs.frozen(repr=False)
class SquaredError(Spec):
    """Half the sum over outputs of (a − y)², as Bishop (1995, section 6.1) writes it.

    >>> import numpy as np
    >>> SquaredError().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([2.5])
    """

    targets: ClassVar[Targets] = "values"

    def rows(self, a: Floats, y: Array) -> Floats:
        rows: Floats = 0.5 * np.square(a - y).sum(axis=1)
        return rows

    def vjp(self, a: Floats, y: Array) -> Floats:
        return a - y


@attrs.frozen(repr=False)
class MAE(Spec):
    """Mean absolute error: the mean over outputs of |a − y|; its derivative at a = y is 0.

    >>> import numpy as np
    >>> MAE().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([1.5])
    """

    targets: ClassVar[Targets] = "values"

    def rows(self, a: Floats, y: Array) -> Floats:
        return _over_outputs(np.abs(a - y))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return _share(np.sign(a - y))


@attrs.frozen(repr=False)
class Huber(Spec):
    """Huber's loss (1964), the mean over outputs: ½r² where |r| ≤ delta, else delta · (|r| − ½delta), r = a − y.

    Args:
        delta: where the square becomes a line, above 0.

    >>> import numpy as np
    >>> Huber().rows(np.array([[0.5, 3.0]]), np.array([[0.0, 1.0]]))
    array([0.8125])
    """

    delta: float = attrs.field(default=1.0, validator=settings.above_0)

    targets: ClassVar[Targets] = "values"

    def rows(self, a: Floats, y: Array) -> Floats:
        size: Floats = np.abs(a - y)
        near = np.minimum(size, self.delta)
        return _over_outputs(near * (size - 0.5 * near))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return _share(np.clip(a - y, -self.delta, self.delta))


@attrs.frozen(repr=False)
class CrossEntropy(Spec):
    """Cross-entropy of classes: −Σᵢ tᵢ ln aᵢ. After softmax, or after a user's own activation.

    Label smoothing puts tᵢ = (1 − s) · yᵢ + s / k in place of yᵢ, for k classes (Szegedy et al. 2016,
    section 7): the true class's share becomes 1 − s + s/k.

    Args:
        label_smoothing: s, in [0, 1).

    >>> import numpy as np
    >>> a = np.array([[0.5, 0.25, 0.25]])
    >>> CrossEntropy().rows(a, np.array([0])).round(6)
    array([0.693147])
    >>> CrossEntropy(0.3).rows(a, np.array([[1.0, 0.0, 0.0]])).round(6)
    array([0.831777])
    """

    label_smoothing: float = attrs.field(default=0.0, validator=settings.from_0_below_1)

    targets: ClassVar[Targets] = "classes"
    after: ClassVar[type[Any]] = Softmax

    def rows(self, a: Floats, y: Array) -> Floats:
        t = self._shares(y, a)
        with np.errstate(divide="ignore"):
            rows: Floats = np.where(t > 0, t * np.log(np.where(t > 0, a, 1)), 0).sum(axis=1)
        return 0 - rows  # and not −rows, which may be −0

    def vjp(self, a: Floats, y: Array) -> Floats:
        t = self._shares(y, a)
        with np.errstate(divide="ignore"):
            share: Floats = np.where(t > 0, t / np.where(t > 0, a, 1), 0)
        return -share

    def rows_from_logits(self, z: Floats, y: Array) -> Floats:
        z = kernels.shift(z)
        log_sum = np.log1p(kernels.others(np.exp(z)))  # the largest term is 1: this keeps a small loss exact
        labels = y.ndim == 1
        rows = kernels.label_rows(z, log_sum, y) if labels else log_sum * y.sum(axis=1) - (y * z).sum(axis=1)
        if self.label_smoothing:
            rows = (1 - self.label_smoothing) * rows + self.label_smoothing * (log_sum - z.mean(axis=1))
        return rows

    def mean_from_logits(self, z: Floats, y: Array) -> tuple[Floats, float, Floats, int]:
        """Of labels without smoothing, at once: softmax, the mean loss, its derivative by z, and how many are right."""
        y = y.astype(np.intp, copy=False)
        s = kernels.shift(z)
        a = np.exp(s)
        rest, dz, right = kernels.label_head(a, y, 1 / len(z))
        return a, kernels.label_loss(s, np.log1p(rest), y) / len(z), dz, right

    def vjp_from_logits(self, z: Floats, a: Floats, y: Array) -> Floats:
        if y.ndim == 1 and not self.label_smoothing:
            return kernels.label_vjp(a, y)  # a − 1 of the label, also where a is near 1
        each = np.arange(len(a))
        t, top, others, rest = self._shares(y, a), a.argmax(axis=1), a.copy(), 1 - a
        others[each, top] = 0
        rest[each, top] = others.sum(axis=1)  # 1 − a, also where a is near 1
        total: Floats = t.sum(axis=1, keepdims=True)
        return a * (total - t) - t * rest

    def _shares(self, y: Array, a: Floats) -> Floats:
        if y.ndim == 1:
            labels, y = y, np.zeros_like(a)
            y[np.arange(len(a)), labels] = 1
        if self.label_smoothing:
            y = (1 - self.label_smoothing) * y + self.label_smoothing / a.shape[1]
        return y


@attrs.frozen(repr=False)
class BinaryCrossEntropy(Spec):
    """The mean over outputs of −y ln a − (1 − y) ln(1 − a). After sigmoid, or after a user's own activation.

    With one output it is logistic regression's loss; with several, each is a question of its own.

    >>> import numpy as np
    >>> BinaryCrossEntropy().rows(np.array([[0.5, 0.75]]), np.array([[1.0, 0.0]])).round(6)
    array([1.039721])
    """

    targets: ClassVar[Targets] = "shares"
    after: ClassVar[type[Any]] = Sigmoid

    def rows(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            yes = np.where(y > 0, y * np.log(np.where(y > 0, a, 1)), 0)
            no = np.where(y < 1, (1 - y) * np.log1p(-np.where(y < 1, a, 0)), 0)
        return 0 - _over_outputs(yes + no)  # and not the minus alone, which may make −0

    def vjp(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            yes = np.where(y > 0, y / np.where(y > 0, a, 1), 0)
            no = np.where(y < 1, (1 - y) / np.where(y < 1, 1 - a, 1), 0)
        return _share(no - yes)

    def rows_from_logits(self, z: Floats, y: Array) -> Floats:
        wrong = np.maximum(z, 0) * (1 - y) + np.maximum(-z, 0) * y
        return _over_outputs(wrong + np.log1p(np.exp(-np.abs(z))))

    def vjp_from_logits(self, z: Floats, a: Floats, y: Array) -> Floats:
        return _share(a * (1 - y) - Sigmoid().value(-z) * y)  # a − y, also where a is near 1


LOSSES: dict[str, Loss] = {
    "mse": MSE(),
    "squared_error": SquaredError(),
    "mae": MAE(),
    "huber": Huber(),
    "cross_entropy": CrossEntropy(),
    "binary_cross_entropy": BinaryCrossEntropy(),
}

valid_loss = settings.part(LOSSES, "rows", "vjp")


def resolve_loss(value: LossName | Loss) -> Loss:
    """The record that a name stands for; anything else as it is."""
    return LOSSES.get(value, value) if isinstance(value, str) else value  # type: ignore[arg-type]  # as a name, or not
