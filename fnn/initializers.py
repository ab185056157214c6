"""Initial values of weights and biases: frozen records with `draw(shape, fan_in, fan_out, at)`.

`fan_in` is the number of the layer's inputs and `fan_out` of its units; `at` is the address of the draw, so
that the values of a tensor depend on the seed and its place in the network and on nothing else. `draw`
returns float64 numbers of the given shape. Nothing but `TruncatedNormal` is truncated.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import attrs
import numpy as np

from fnn import checks, settings
from fnn.arrays import Floats, Spec
from fnn.randomness import Address, normal, uniform

InitializerName = Literal[
    "zeros", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform", "orthogonal"
]


class Initializer(Protocol):
    """What a layer asks of its initializers."""

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        """The values of a tensor of that shape."""


def _normal(std: float, shape: tuple[int, ...], at: Address) -> Floats:
    return std * normal(at, math.prod(shape)).reshape(shape)


def _uniform(limit: float, shape: tuple[int, ...], at: Address) -> Floats:
    return limit * (2 * uniform(at, math.prod(shape)) - 1).reshape(shape)


@attrs.frozen(repr=False)
class Zeros(Spec):
    """All 0: the default for biases.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="zeros"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.00
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return np.zeros(shape)


@attrs.frozen(repr=False)
class ScaledNormal(Spec):
    """Normal with mean 0 and the standard deviation `std`, whatever the fans.

    Args:
        std: at least 0.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init=fnn.ScaledNormal(0.01)),), loss="mse"), 0)
    >>> print(f"{params[0].weight.std():.3f}")
    0.010
    """

    std: float = attrs.field(validator=settings.at_least_0)

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(self.std, shape, at)


@attrs.frozen(repr=False)
class HeNormal(Spec):
    """Normal with standard deviation √(2 / fan_in) (He et al. 2015, section 2.2): for relu and its kin.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="he_normal"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.14
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(math.sqrt(2 / fan_in), shape, at)


@attrs.frozen(repr=False)
class HeUniform(Spec):
    """Uniform within ±√(6 / fan_in), whose standard deviation is √(2 / fan_in) (He et al. 2015).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="he_uniform"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.14
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _uniform(math.sqrt(6 / fan_in), shape, at)


@attrs.frozen(repr=False)
class GlorotNormal(Spec):
    """Normal with standard deviation √(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 12).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="glorot_normal"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(math.sqrt(2 / (fan_in + fan_out)), shape, at)


@attrs.frozen(repr=False)
class GlorotUniform(Spec):
    """Uniform within ±√(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16): the default elsewhere.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="glorot_uniform"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _uniform(math.sqrt(6 / (fan_in + fan_out)), shape, at)


@attrs.frozen(repr=False)
class LecunNormal(Spec):
    """Normal with standard deviation √(1 / fan_in) (LeCun et al. 1998, "Efficient BackProp", equation 16).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="lecun_normal"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(math.sqrt(1 / fan_in), shape, at)


@attrs.frozen(repr=False)
class LecunUniform(Spec):
    """Uniform within ±√(3 / fan_in), whose standard deviation is √(1 / fan_in) (LeCun et al. 1998).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="lecun_uniform"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _uniform(math.sqrt(3 / fan_in), shape, at)


@attrs.frozen(repr=False)
class Uniform(Spec):
    """Uniform in [low, high], whatever the fans.

    Args:
        low: finite.
        high: finite, at least low.

    >>> import fnn
    >>> dense = fnn.Dense(100, weight_init=fnn.Uniform(0.0, 1.2))
    >>> params = fnn.init_params(fnn.Network(100, (dense,), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.mean():.1f}")
    0.6
    """

    low: float = attrs.field(validator=settings.any_finite)
    high: float = attrs.field(validator=settings.any_finite)

    def __attrs_post_init__(self) -> None:
        if self.high < self.low:
            raise checks.problem(ValueError, "Uniform", "high", f"must be at least `low`, {self.low}", str(self.high))

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return self.low + (self.high - self.low) * uniform(at, math.prod(shape)).reshape(shape)


@attrs.frozen(repr=False)
class TruncatedNormal(Spec):
    """Normal with mean 0 and the standard deviation `std`, as far as it lies within ±2 std.

    std · Φ⁻¹(Φ(−2) + u (Φ(2) − Φ(−2))), u uniform. What is left has the standard deviation 0.8796 std, as
    TensorFlow's and JAX's `truncated_normal` have.

    Args:
        std: before it is truncated; at least 0.

    >>> import fnn
    >>> dense = fnn.Dense(100, weight_init=fnn.TruncatedNormal(0.1))
    >>> params = fnn.init_params(fnn.Network(100, (dense,), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f} {abs(params[0].weight).max():.1f}")
    0.09 0.2
    """

    std: float = attrs.field(validator=settings.at_least_0)

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        from scipy.special import ndtr, ndtri

        inside: Floats = ndtr(-2) + uniform(at, math.prod(shape)) * (ndtr(2) - ndtr(-2))
        return self.std * ndtri(inside).reshape(shape)


@attrs.frozen(repr=False)
class Orthogonal(Spec):
    """A random orthogonal matrix times `gain`, of weights only (Saxe, McClelland and Ganguli 2014, section 3).

    Its columns are orthonormal, or its rows where it has more columns. It is the Q of a normal matrix's QR, with
    the signs that make it uniform among all (Mezzadri 2007, section 5).

    Args:
        gain: at least 0.

    Raises:
        ValueError: when it is drawn for a bias.

    >>> import numpy as np, fnn
    >>> params = fnn.init_params(fnn.Network(3, (fnn.Dense(2, weight_init="orthogonal"),), loss="mse"), 0, np.float64)
    >>> (params[0].weight.T @ params[0].weight).round(6) + 0
    array([[1., 0.],
           [0., 1.]])
    """

    gain: float = attrs.field(default=1.0, validator=settings.at_least_0)

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        if len(shape) != 2:
            raise checks.problem(ValueError, "Orthogonal", "shape", "must be that of a weight", str(shape))
        q, r = np.linalg.qr(_normal(1.0, (max(shape), min(shape)), at))
        q *= np.where(np.diag(r) < 0, -self.gain, self.gain)
        return q if q.shape == shape else q.T


INITIALIZERS: dict[str, Initializer] = {
    "zeros": Zeros(),
    "he_normal": HeNormal(),
    "he_uniform": HeUniform(),
    "glorot_normal": GlorotNormal(),
    "glorot_uniform": GlorotUniform(),
    "lecun_normal": LecunNormal(),
    "lecun_uniform": LecunUniform(),
    "orthogonal": Orthogonal(),
}

valid_initializer = settings.part(INITIALIZERS, "draw")


def resolve_initializer(value: InitializerName | Initializer) -> Initializer:
    """The record that a name stands for; anything else as it is."""
    return INITIALIZERS.get(value, value) if isinstance(value, str) else value  # type: ignore[arg-type]  # as a name, or not
