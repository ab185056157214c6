"""Initial values of weights and biases: frozen records with `draw(shape, fan_in, fan_out, at)`.

`fan_in` is the number of the layer's inputs and `fan_out` of its units; `at` is the address of the draw, so
that the values of a tensor depend on the seed and its place in the network and on nothing else. `draw`
returns float64 numbers of the given shape. Nothing is truncated: the normal ones are normal.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Floats
from fnn.randomness import Address, normal, uniform

InitializerName = Literal["zeros", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform"]


class Initializer(Protocol):
    """What a layer asks of its initializers."""

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        """The values of a tensor of that shape."""


def _normal(std: float, shape: tuple[int, ...], at: Address) -> Floats:
    return std * normal(at, math.prod(shape)).reshape(shape)


def _uniform(limit: float, shape: tuple[int, ...], at: Address) -> Floats:
    return limit * (2 * uniform(at, math.prod(shape)) - 1).reshape(shape)


@attrs.frozen
class Zeros:
    """All 0: the default for biases.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="zeros"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.00
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return np.zeros(shape)


@attrs.frozen
class ScaledNormal:
    """Normal with mean 0 and the standard deviation `std`, whatever the fans.

    Args:
        std: at least 0.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init=fnn.ScaledNormal(0.01)),), loss="mse"), 0)
    >>> print(f"{params[0].weight.std():.3f}")
    0.010
    """

    std: float = attrs.field(validator=checks.at_least_0)

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(self.std, shape, at)


@attrs.frozen
class HeNormal:
    """Normal with standard deviation √(2 / fan_in) (He et al. 2015, section 2.2): for relu and its kin.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="he_normal"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.14
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(math.sqrt(2 / fan_in), shape, at)


@attrs.frozen
class HeUniform:
    """Uniform within ±√(6 / fan_in), whose standard deviation is √(2 / fan_in) (He et al. 2015).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="he_uniform"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.14
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _uniform(math.sqrt(6 / fan_in), shape, at)


@attrs.frozen
class GlorotNormal:
    """Normal with standard deviation √(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 12).

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="glorot_normal"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _normal(math.sqrt(2 / (fan_in + fan_out)), shape, at)


@attrs.frozen
class GlorotUniform:
    """Uniform within ±√(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16): the default elsewhere.

    >>> import fnn
    >>> params = fnn.init_params(fnn.Network(100, (fnn.Dense(100, weight_init="glorot_uniform"),), loss="mse"), seed=0)
    >>> print(f"{params[0].weight.std():.2f}")
    0.10
    """

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return _uniform(math.sqrt(6 / (fan_in + fan_out)), shape, at)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": Zeros(),
    "he_normal": HeNormal(),
    "he_uniform": HeUniform(),
    "glorot_normal": GlorotNormal(),
    "glorot_uniform": GlorotUniform(),
}

valid_initializer = checks.part(INITIALIZERS, "draw")


def resolve_initializer(value: InitializerName | Initializer) -> Initializer:
    """The record that a name stands for; anything else as it is."""
    return INITIALIZERS.get(value, value) if isinstance(value, str) else value  # type: ignore[arg-type]  # as a name, or not
