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

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Protocol

import attrs
import numpy as np

from fnn import kernels, settings
from fnn.activations import Exp
from fnn.arrays import Array, Floats, Spec
from fnn.entropies import BinaryCrossEntropy, CrossEntropy, Targets, over_outputs, share

LossName = Literal["mse", "squared_error", "mae", "huber", "poisson", "cross_entropy", "binary_cross_entropy"]


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


class LossAtOnce(Loss, Protocol):
    """A loss that makes all that a step wants of the last z at once.

    `head` says which loops are its own: "label", "binary" or "squared".
    """

    head: ClassVar[str]

    def over(self, outputs: int) -> int:
        """By how much a row's sum over its outputs is divided, in the loops of its head."""

    def mean_from_logits(self, z: Floats, y: Array) -> tuple[Floats, float, Floats, float]:
        """The outputs, the mean loss, its derivative by z, and how many answers are right."""


@attrs.frozen(repr=False)
class Squares(Spec, ABC):
    """What the two squared errors share: the sum over outputs of (a − y)², over a number."""

    targets: ClassVar[Targets] = "values"
    head: ClassVar[str] = "squared"

    @abstractmethod
    def over(self, outputs: int) -> int:
        """The number."""

    def rows(self, a: Floats, y: Array) -> Floats:
        return kernels.squared_rows(a, y, self.over(a.shape[1]))

    def vjp(self, a: Floats, y: Array) -> Floats:
        slope: Floats = 2 * (a - y) / self.over(a.shape[1])
        return slope

    def mean_from_logits(self, z: Floats, y: Array) -> tuple[Floats, float, Floats, float]:
        """After the identity, at once: the outputs, the mean loss, its derivative by z, and no answer that is right."""
        value, dz = kernels.squared_head(z, y, self.over(z.shape[1]), 1 / len(z))
        return z, value / len(z), dz, 0.0


@attrs.frozen(repr=False)
class MSE(Squares):
    """Mean squared error: the mean over outputs of (a − y)². For any output activation.

    >>> import numpy as np
    >>> MSE().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([2.5])
    """

    def over(self, outputs: int) -> int:
        return outputs


@attrs.frozen(repr=False)
class SquaredError(Squares):
    """Half the sum over outputs of (a − y)², as Bishop (1995, section 6.1) writes it.

    >>> import numpy as np
    >>> SquaredError().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([2.5])
    """

    def over(self, outputs: int) -> int:
        return 2


@attrs.frozen(repr=False)
class MAE(Spec):
    """Mean absolute error: the mean over outputs of |a − y|; its derivative at a = y is 0.

    >>> import numpy as np
    >>> MAE().rows(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    array([1.5])
    """

    targets: ClassVar[Targets] = "values"

    def rows(self, a: Floats, y: Array) -> Floats:
        return over_outputs(np.abs(a - y))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return share(np.sign(a - y))


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
        return over_outputs(near * (size - 0.5 * near))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return share(np.clip(a - y, -self.delta, self.delta))


@attrs.frozen(repr=False)
class Poisson(Spec):
    """Half the deviance of counts: the sum over outputs of a − y + y ln(y / a). After exp, or after a user's own.

    y is at least 0, and need not be whole. Its least value, 0, is at a = y (McCullagh and Nelder 1989, section 2.3).

    >>> import numpy as np
    >>> Poisson().rows(np.array([[1.0, 2.0]]), np.array([[0.0, 3.0]])).round(6)
    array([1.216395])
    """

    targets: ClassVar[Targets] = "amounts"
    after: ClassVar[type[Any]] = Exp

    def rows(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            return self._rows(np.log(np.where(y > 0, a, 1)), a, y)

    def vjp(self, a: Floats, y: Array) -> Floats:
        with np.errstate(divide="ignore"):
            return 1 - np.where(y > 0, y / np.where(y > 0, a, 1), 0)

    def rows_from_logits(self, z: Floats, y: Array) -> Floats:
        return self._rows(z, np.exp(z), y)

    def vjp_from_logits(self, z: Floats, a: Floats, y: Array) -> Floats:
        return a - y

    def _rows(self, log_a: Floats, a: Floats, y: Array) -> Floats:
        each = a - y + y * (np.log(np.where(y > 0, y, 1)) - log_a)
        rows: Floats = np.maximum(each, 0).sum(axis=1)  # where a is near y, rounding takes some of them below
        return rows


LOSSES: dict[str, Loss] = {
    "mse": MSE(),
    "squared_error": SquaredError(),
    "mae": MAE(),
    "huber": Huber(),
    "poisson": Poisson(),
    "cross_entropy": CrossEntropy(),
    "binary_cross_entropy": BinaryCrossEntropy(),
}

valid_loss = settings.part(LOSSES, "rows", "vjp")


def resolve_loss(value: LossName | Loss) -> Loss:
    """The record that a name stands for; anything else as it is."""
    return LOSSES.get(value, value) if isinstance(value, str) else value  # type: ignore[arg-type]  # as a name, or not
