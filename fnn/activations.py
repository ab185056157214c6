"""Activation functions: frozen records with `value(z)` and `vjp(z, a, da)`.

`z` has shape (n, units), float32 or float64; `value` returns `a` of the same shape and dtype. `vjp` takes
the derivative of a scalar by `a` and returns the derivative by `z`: da · ∂a/∂z. Neither writes into what it
is given, and either may return it. At a kink, and at a jump, the derivative is the one from the left unless
a docstring says otherwise.

A user's own activation is a frozen record with these two methods, and goes where a name goes.
"""

from __future__ import annotations

from typing import Literal, Protocol

import attrs
import numpy as np

from fnn import kernels, settings
from fnn.arrays import Floats, Spec

ActivationName = Literal[
    "identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "exp", "softmax"
]


class Activation(Protocol):
    """What a layer asks of its activation."""

    def value(self, z: Floats) -> Floats:
        """The activations of z."""

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        """The derivative by z, where `a` is value(z) and `da` the derivative by a."""


@attrs.frozen(repr=False)
class Identity(Spec):
    """The identity, a = z: the output layer of a regression.

    >>> import numpy as np
    >>> Identity().value(np.array([[-1.5, 2.0]]))
    array([[-1.5,  2. ]])
    """

    def value(self, z: Floats) -> Floats:
        return z

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da


@attrs.frozen(repr=False)
class Step(Spec):
    """The perceptron's step, a = 1 where z > 0, else 0 (Rosenblatt 1958). Its derivative is 0 everywhere.

    >>> import numpy as np
    >>> Step().value(np.array([[-1.0, 0.0, 2.0]]))
    array([[0., 0., 1.]])
    """

    def value(self, z: Floats) -> Floats:
        return (z > 0).astype(z.dtype)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.zeros_like(da)


@attrs.frozen(repr=False)
class Sigmoid(Spec):
    """The logistic function, a = 1 / (1 + exp(−z)), in (0, 1); it does not overflow.

    >>> import numpy as np
    >>> Sigmoid().value(np.array([[0.0, -1000.0, 2.0]])).round(6)
    array([[0.5     , 0.      , 0.880797]])
    """

    def value(self, z: Floats) -> Floats:
        e = np.exp(-np.abs(z))
        a: Floats = np.where(z >= 0, 1, e) / (1 + e)
        return a

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da * a * self.value(-z)  # not 1 − a, which loses its digits where a is near 1


@attrs.frozen(repr=False)
class Tanh(Spec):
    """The hyperbolic tangent, a = tanh(z), in (−1, 1).

    >>> import numpy as np
    >>> Tanh().value(np.array([[0.5]])).round(6)
    array([[0.462117]])
    """

    def value(self, z: Floats) -> Floats:
        return np.tanh(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        e = np.exp(-2 * np.abs(z))
        slope: Floats = 4 * e / np.square(1 + e)  # not 1 − a², which loses its digits where |a| is near 1
        return da * slope


@attrs.frozen(repr=False)
class Relu(Spec):
    """The rectifier, a = max(z, 0) (Nair and Hinton 2010); its derivative at 0 is 0.

    >>> import numpy as np
    >>> Relu().value(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def value(self, z: Floats) -> Floats:
        return kernels.relu(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return kernels.relu_vjp(z, da)


@attrs.frozen(repr=False)
class LeakyRelu(Spec):
    """The leaky rectifier, a = z where z > 0, else slope · z (Maas, Hannun and Ng 2013).

    Args:
        slope: on the left, in [0, 1); its derivative at 0 is the slope.

    >>> import numpy as np
    >>> LeakyRelu(0.1).value(np.array([[-1.0, 2.0]]))
    array([[-0.1,  2. ]])
    """

    slope: float = attrs.field(default=0.01, validator=settings.from_0_below_1)

    def value(self, z: Floats) -> Floats:
        return np.where(z > 0, z, self.slope * z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.where(z > 0, da, self.slope * da)


@attrs.frozen(repr=False)
class Elu(Spec):
    """The exponential linear unit, a = z where z > 0, else alpha · (exp(z) − 1) (Clevert et al. 2016).

    Args:
        alpha: above 0.

    >>> import numpy as np
    >>> Elu().value(np.array([[-1.0, 2.0]])).round(6)
    array([[-0.632121,  2.      ]])
    """

    alpha: float = attrs.field(default=1.0, validator=settings.above_0)

    def value(self, z: Floats) -> Floats:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.where(z > 0, da, da * self.alpha * np.exp(np.minimum(z, 0)))


@attrs.frozen(repr=False)
class Gelu(Spec):
    """The Gaussian error linear unit, exactly: a = z · Φ(z), Φ the normal distribution's (Hendrycks and Gimpel 2016).

    This is not the approximation by tanh. It imports scipy.

    >>> import numpy as np
    >>> Gelu().value(np.array([[1.0]])).round(6)
    array([[0.841345]])
    """

    def value(self, z: Floats) -> Floats:
        from scipy.special import ndtr

        return z * ndtr(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        from scipy.special import ndtr

        near = np.clip(z, -50, 50)  # beyond, exp(−½z²) is 0, and z² may overflow
        slope: Floats = ndtr(z) + near * np.exp(-0.5 * near * near) * (2 * np.pi) ** -0.5
        return da * slope


@attrs.frozen(repr=False)
class Silu(Spec):
    """The sigmoid linear unit, or swish, a = z / (1 + exp(−z)) (Elfwing, Uchibe and Doya 2017).

    >>> import numpy as np
    >>> Silu().value(np.array([[1.0]])).round(6)
    array([[0.731059]])
    """

    def value(self, z: Floats) -> Floats:
        return z * Sigmoid().value(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        s = Sigmoid().value(z)
        return da * (s + a * (1 - s))


@attrs.frozen(repr=False)
class Softplus(Spec):
    """A smooth rectifier, a = ln(1 + exp(z)), above 0 (Dugas et al. 2001); it does not overflow.

    >>> import numpy as np
    >>> Softplus().value(np.array([[0.0, 1000.0]])).round(6)
    array([[6.93147e-01, 1.00000e+03]])
    """

    def value(self, z: Floats) -> Floats:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da * Sigmoid().value(z)


@attrs.frozen(repr=False)
class Exp(Spec):
    """The exponential, a = exp(z): the expectation of counts, with the loss "poisson".

    From z = 89 on it overflows in float32, from 710 on in float64.

    >>> import numpy as np
    >>> Exp().value(np.array([[0.0, 1.0]])).round(6)
    array([[1.      , 2.718282]])
    """

    def value(self, z: Floats) -> Floats:
        return np.exp(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da * a


@attrs.frozen(repr=False)
class Softmax(Spec):
    """Probabilities of classes, aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ) within each row; it does not overflow.

    >>> import numpy as np
    >>> Softmax().value(np.array([[1010.0, 1000.0, 990.0]])).round(6)
    array([[9.99955e-01, 4.50000e-05, 0.00000e+00]])
    """

    def value(self, z: Floats) -> Floats:
        s = kernels.shift(z)
        return kernels.shares(np.exp(s, out=s))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        # The largest a's da is taken out first, so that nothing cancels where that a is near 1.
        da = da - np.take_along_axis(da, a.argmax(axis=1)[:, None], axis=1)
        mean: Floats = (da * a).sum(axis=1, keepdims=True)
        return a * (da - mean)


RECTIFIERS = (Relu, LeakyRelu, Elu, Gelu, Silu)  # those that He et al.'s initial weights are for
ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "step": Step(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": Relu(),
    "leaky_relu": LeakyRelu(),
    "elu": Elu(),
    "gelu": Gelu(),
    "silu": Silu(),
    "softplus": Softplus(),
    "exp": Exp(),
    "softmax": Softmax(),
}

valid_activation = settings.part(ACTIVATIONS, "value", "vjp")


def resolve_activation(value: ActivationName | Activation) -> Activation:
    """The record that a name stands for; anything else as it is."""
    return ACTIVATIONS.get(value, value) if isinstance(value, str) else value  # type: ignore[arg-type]  # as a name, or not
