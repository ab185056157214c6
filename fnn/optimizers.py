"""Optimizers: a spec, a frozen state, an init and a pure step each.

`adam_init(adam, params)` makes the first state and `adam_step(adam, params, state, g)` returns the next
parameters and state; `init` and `step` do so for whichever optimizer. θ is the one vector of all trained
numbers and g its gradient, after clipping; η is the learning rate of the step, and t counts steps from 1. The
running statistics become `g.running`. At every 32nd step moments below the dtype's smallest normal number (1.2e-38
in float32), as they come to be where a gradient stays 0, become 0: they move no θ of any size, and arithmetic on them
takes several times as long.

A user's own optimizer is a frozen record with methods `init(params)` and `step(params, state, g)`, and a
`State` of its own; it goes wherever ours do.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from fnn import settings
from fnn.arrays import Floats, State, sealed
from fnn.descent import COUNT, RATE, Descent, named, nonzero
from fnn.schedules import Schedule


@attrs.frozen(eq=False, repr=False)
class SGDState(State):
    """Stochastic gradient descent remembers only how many steps it made.

    Attributes:
        step: how many.
    """

    step: int = attrs.field(validator=COUNT)


@attrs.frozen(cache_hash=True, repr=False)
class SGD(Descent[SGDState]):
    """Stochastic gradient descent: θ ← θ − η g (Robbins and Monro 1951).

    Args:
        learning_rate: at least 0, or a schedule.
        clip_norm: above 0; the whole gradient is scaled down to this norm where it is longer. After clip_value.
        clip_value: above 0; each number of the gradient is clipped to ± this.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> sgd = fnn.SGD(0.1)
    >>> fnn.sgd_step(sgd, params, fnn.sgd_init(sgd, params), params)[0].vector
    array([0.9, 1.8])
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=RATE)

    state_kind = SGDState
    loop = "sgd"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return (rate,)


sgd_init, sgd_step = named(SGD)


@attrs.frozen(eq=False, repr=False)
class MomentumState(State):
    """The velocity.

    Attributes:
        step: how many steps were made.
        v: the velocity, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True, repr=False)
class Momentum(Descent[MomentumState]):
    """Descent with momentum: v ← μ v + g, θ ← θ − η v; with nesterov θ ← θ − η (g + μ v).

    Without dampening, and with η outside v, as in PyTorch. Sutskever et al. (2013, equations 1 to 4) put η inside
    v, which is the same while η is constant; their Nesterov takes g at θ + μ v, and θ here is that point.

    Args:
        learning_rate: at least 0, or a schedule.
        momentum: μ, in [0, 1]; with 1 nothing slows the velocity down.
        nesterov: whether to look ahead by one step of the velocity.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> momentum = fnn.Momentum(0.1, nesterov=True)
    >>> fnn.momentum_step(momentum, params, fnn.momentum_init(momentum, params), params)[0].vector
    array([0.81, 1.62])
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=RATE)
    momentum: float = attrs.field(default=0.9, validator=settings.from_0_to_1)
    nesterov: bool = attrs.field(default=False, validator=settings.boolean)

    state_kind = MomentumState
    loop = "momentum"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return rate, self.momentum, self.nesterov


momentum_init, momentum_step = named(Momentum)


@attrs.frozen(eq=False, repr=False)
class RMSPropState(State):
    """The running mean of squared gradients.

    Attributes:
        step: how many steps were made.
        v: the mean, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True, repr=False)
class RMSProp(Descent[RMSPropState]):
    """RMSProp: v ← ρ v + (1 − ρ) g², θ ← θ − η g / (√v + ε) (Tieleman and Hinton 2012, lecture 6.5).

    v begins at 0 and is not corrected for it, and ε is outside the root, both as in PyTorch.

    Args:
        learning_rate: at least 0, or a schedule.
        decay: ρ, in [0, 1).
        epsilon: above 0.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> rmsprop = fnn.RMSProp(0.1)
    >>> fnn.rmsprop_step(rmsprop, params, fnn.rmsprop_init(rmsprop, params), params)[0].vector.round(6)
    array([0.683772, 1.683772])
    """

    learning_rate: float | Schedule = attrs.field(default=1e-3, validator=RATE)
    decay: float = attrs.field(default=0.9, validator=settings.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=settings.above_0)

    state_kind = RMSPropState
    loop = "rmsprop"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return rate, self.decay, 1 - self.decay, nonzero(self.epsilon, dtype)


rmsprop_init, rmsprop_step = named(RMSProp)


@attrs.frozen(eq=False, repr=False)
class AdaGradState(State):
    """The sum of squared gradients.

    Attributes:
        step: how many steps were made.
        v: the sum, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True, repr=False)
class AdaGrad(Descent[AdaGradState]):
    """AdaGrad: v ← v + g², θ ← θ − η g / (√v + ε) (Duchi, Hazan and Singer 2011, section 1.1, its diagonal form).

    v begins at 0, as in PyTorch, not at 0.1 as in Keras and Optax, and ε is outside the root.

    Args:
        learning_rate: at least 0, or a schedule.
        epsilon: above 0.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adagrad = fnn.AdaGrad(0.1)
    >>> params, state = fnn.adagrad_step(adagrad, params, fnn.adagrad_init(adagrad, params), params)
    >>> params.vector, state.v
    (array([0.9, 1.9]), array([1., 4.]))
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=RATE)
    epsilon: float = attrs.field(default=1e-10, validator=settings.above_0)

    state_kind = AdaGradState
    loop = "rmsprop"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return rate, 1, 1, nonzero(self.epsilon, dtype)


adagrad_init, adagrad_step = named(AdaGrad)


@attrs.frozen(eq=False, repr=False)
class LionState(State):
    """The running mean of gradients.

    Attributes:
        step: how many steps were made.
        m: the mean, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    m: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True, repr=False)
class Lion(Descent[LionState]):
    """Lion: θ ← θ − η sign(β₁ m + (1 − β₁) g) − η λ θ, m ← β₂ m + (1 − β₂) g (Chen et al. 2023, algorithm 2).

    Every number whose sign is not 0 moves by η at each step, so η is three to ten times smaller than Adam's, and λ as
    many times larger. The decay is decoupled, and of the θ before the step, as in `AdamW`.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        weight_decay: λ, at least 0.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> lion = fnn.Lion(0.1, weight_decay=0.5)
    >>> fnn.lion_step(lion, params, fnn.lion_init(lion, params), params)[0].vector.round(6)
    array([0.85, 1.8 ])
    """

    learning_rate: float | Schedule = attrs.field(default=1e-4, validator=RATE)
    beta1: float = attrs.field(default=0.9, validator=settings.from_0_below_1)
    beta2: float = attrs.field(default=0.99, validator=settings.from_0_below_1)
    weight_decay: float = attrs.field(default=0.0, validator=settings.at_least_0)

    state_kind = LionState
    loop = "lion"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return rate, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, 1 - rate * self.weight_decay


lion_init, lion_step = named(Lion)
