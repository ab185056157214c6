"""The losses of probabilities, in the form of `fnn.losses`: computed from the logits where the activation is theirs."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
import numpy as np

from fnn import kernels, settings
from fnn.activations import Sigmoid, Softmax
from fnn.arrays import Array, Floats, Spec

Targets = Literal["classes", "shares", "amounts", "values", "any"]


def over_outputs(each: Floats) -> Floats:
    """The mean over outputs, row by row."""
    rows: Floats = each.mean(axis=1)
    return rows


def share(slope: Floats) -> Floats:
    """Each output's share of the derivative of such a mean."""
    share: Floats = slope / slope.shape[1]
    return share


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
    head: ClassVar[str] = "label"

    def over(self, outputs: int) -> int:
        return 1

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

    def mean_from_logits(self, z: Floats, y: Array) -> tuple[Floats, float, Floats, float]:
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

    Args:
        summed: whether it is the sum over outputs, as scikit-learn has it, and not their mean, as Keras and PyTorch do.

    >>> import numpy as np
    >>> BinaryCrossEntropy().rows(np.array([[0.5, 0.75]]), np.array([[1.0, 0.0]])).round(6)
    array([1.039721])
    """

    summed: bool = attrs.field(default=False, validator=settings.boolean)

    targets: ClassVar[Targets] = "shares"
    after: ClassVar[type[Any]] = Sigmoid
    head: ClassVar[str] = "binary"

    def over(self, outputs: int) -> int:
        return 1 if self.summed else outputs

    def rows(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            yes = np.where(y > 0, y * np.log(np.where(y > 0, a, 1)), 0)
            no = np.where(y < 1, (1 - y) * np.log1p(-np.where(y < 1, a, 0)), 0)
        return 0 - self._over_outputs(yes + no)  # and not the minus alone, which may make −0

    def vjp(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            yes = np.where(y > 0, y / np.where(y > 0, a, 1), 0)
            no = np.where(y < 1, (1 - y) / np.where(y < 1, 1 - a, 1), 0)
        return self._share(no - yes)

    def rows_from_logits(self, z: Floats, y: Array) -> Floats:
        return kernels.binary_rows(z, np.log1p(np.exp(kernels.neg_abs(z))), y, self.over(z.shape[1]))

    def mean_from_logits(self, z: Floats, y: Array) -> tuple[Floats, float, Floats, float]:
        """At once: the sigmoid, the mean loss, its derivative by z, and how many are right, an output a share each."""
        over, e = self.over(z.shape[1]), np.exp(kernels.neg_abs(z))
        dz, right = kernels.binary_head(z, e, y, over, 1 / len(z))
        return (
            Sigmoid().value(z),
            kernels.total(kernels.binary_rows(z, np.log1p(e), y, over)) / len(z),
            dz,
            right / z.shape[1],
        )

    def vjp_from_logits(self, z: Floats, a: Floats, y: Array) -> Floats:
        return self._share(a * (1 - y) - Sigmoid().value(-z) * y)  # a − y, also where a is near 1

    def _over_outputs(self, each: Floats) -> Floats:
        rows: Floats = each.sum(axis=1) if self.summed else over_outputs(each)
        return rows

    def _share(self, slope: Floats) -> Floats:
        return slope if self.summed else share(slope)
