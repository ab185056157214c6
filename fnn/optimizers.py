"""Optimizers: a spec, a frozen state, an init and a pure step each.

`adam_init(adam, params)` makes the first state and `adam_step(adam, params, state, g)` returns the next
parameters and state; `init` and `step` do so for whichever optimizer. θ is the one vector of all trained
numbers and g its gradient, after clipping; η is the learning rate of the step, and t counts steps from 1. The
running statistics become `g.running`.

A user's own optimizer is a frozen record with methods `init(params)` and `step(params, state, g)`, and a
`State` of its own; it goes wherever ours do.
"""

from __future__ import annotations

import math

import attrs

from fnn import checks, kernels
from fnn.arrays import Floats, State, freeze, sealed
from fnn.descent import COUNT, RATE, Descent, begin, moved, nonzero, zeros
from fnn.params import Params
from fnn.schedules import Schedule


@attrs.frozen(eq=False)
class SGDState(State):
    """Stochastic gradient descent remembers only how many steps it made.

    Attributes:
        step: how many.
    """

    step: int = attrs.field(validator=COUNT)


@attrs.frozen(cache_hash=True)
class SGD(Descent):
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

    def init(self, params: Params) -> SGDState:
        """`sgd_init`."""
        return sgd_init(self, params)

    def step(self, params: Params, state: SGDState, g: Params) -> tuple[Params, SGDState]:
        """`sgd_step`."""
        return sgd_step(self, params, state, g)


def sgd_init(sgd: SGD, params: Params) -> SGDState:
    """The state of `SGD` before its first step.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """
    zeros("sgd_init", SGD, sgd, params)
    return SGDState(0)


def sgd_step(sgd: SGD, params: Params, state: SGDState, g: Params) -> tuple[Params, SGDState]:
    """One step of `SGD` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    d, rate = begin("sgd_step", SGD, sgd, params, state, SGDState, g)
    return moved(params, kernels.sgd(params.vector, d, rate), g), SGDState(state.step + 1)


@attrs.frozen(eq=False)
class MomentumState(State):
    """The velocity.

    Attributes:
        step: how many steps were made.
        v: the velocity, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class Momentum(Descent):
    """Descent with momentum: v ← μ v + g, θ ← θ − η v; with nesterov θ ← θ − η (g + μ v).

    Without dampening, and with η outside v, as in PyTorch. Sutskever et al. (2013, equations 1 to 4) put η inside
    v, which is the same while η is constant; their Nesterov takes g at θ + μ v, and θ here is that point.

    Args:
        learning_rate: at least 0, or a schedule.
        momentum: μ, in [0, 1).
        nesterov: whether to look ahead by one step of the velocity.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> momentum = fnn.Momentum(0.1, nesterov=True)
    >>> fnn.momentum_step(momentum, params, fnn.momentum_init(momentum, params), params)[0].vector
    array([0.81, 1.62])
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=RATE)
    momentum: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    nesterov: bool = attrs.field(default=False, validator=checks.boolean)

    def init(self, params: Params) -> MomentumState:
        """`momentum_init`."""
        return momentum_init(self, params)

    def step(self, params: Params, state: MomentumState, g: Params) -> tuple[Params, MomentumState]:
        """`momentum_step`."""
        return momentum_step(self, params, state, g)


def momentum_init(momentum: Momentum, params: Params) -> MomentumState:
    """The state of `Momentum` before its first step: no velocity.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """
    return MomentumState(0, zeros("momentum_init", Momentum, momentum, params))


def momentum_step(momentum: Momentum, params: Params, state: MomentumState, g: Params) -> tuple[Params, MomentumState]:
    """One step of `Momentum` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    d, rate = begin("momentum_step", Momentum, momentum, params, state, MomentumState, g)
    vector, v = kernels.momentum(params.vector, d, state.v, rate, momentum.momentum, momentum.nesterov)
    return moved(params, vector, g), MomentumState(state.step + 1, freeze(v))


@attrs.frozen(eq=False)
class RMSPropState(State):
    """The running mean of squared gradients.

    Attributes:
        step: how many steps were made.
        v: the mean, of the params' length and dtype.
    """

    step: int = attrs.field(validator=COUNT)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class RMSProp(Descent):
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
    decay: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=checks.above_0)

    def init(self, params: Params) -> RMSPropState:
        """`rmsprop_init`."""
        return rmsprop_init(self, params)

    def step(self, params: Params, state: RMSPropState, g: Params) -> tuple[Params, RMSPropState]:
        """`rmsprop_step`."""
        return rmsprop_step(self, params, state, g)


def rmsprop_init(rmsprop: RMSProp, params: Params) -> RMSPropState:
    """The state of `RMSProp` before its first step: v = 0.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """
    return RMSPropState(0, zeros("rmsprop_init", RMSProp, rmsprop, params))


def rmsprop_step(rmsprop: RMSProp, params: Params, state: RMSPropState, g: Params) -> tuple[Params, RMSPropState]:
    """One step of `RMSProp` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    d, rate = begin("rmsprop_step", RMSProp, rmsprop, params, state, RMSPropState, g)
    vector, v = kernels.rmsprop(params.vector, d, state.v, rate, rmsprop.decay, nonzero(rmsprop.epsilon, params))
    return moved(params, vector, g), RMSPropState(state.step + 1, freeze(v))


@attrs.frozen(eq=False)
class AdamState(State):
    """The two moments, without their bias correction.

    Attributes:
        step: how many steps were made.
        m: the running mean of gradients, of the params' length and dtype.
        v: and that of their squares.
    """

    step: int = attrs.field(validator=COUNT)
    m: Floats = attrs.field(converter=sealed)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class Adam(Descent):
    """Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η m̂ / (√v̂ + ε) (Kingma and Ba 2015, algorithm 1).

    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). ε is added to √v̂, after the correction, as in algorithm 1 and
    PyTorch (and not to √v, as in the paper's section 2 and Keras).

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adam = fnn.Adam(0.1)
    >>> fnn.adam_step(adam, params, fnn.adam_init(adam, params), params)[0].vector.round(6)
    array([0.9, 1.9])
    """

    learning_rate: float | Schedule = attrs.field(default=1e-3, validator=RATE)
    beta1: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    beta2: float = attrs.field(default=0.999, validator=checks.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=checks.above_0)

    def init(self, params: Params) -> AdamState:
        """`adam_init`."""
        return adam_init(self, params)

    def step(self, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
        """`adam_step`."""
        return adam_step(self, params, state, g)


def adam_init(adam: Adam, params: Params) -> AdamState:
    """The state of `Adam` before its first step: both moments 0.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """
    none = zeros("adam_init", Adam, adam, params)
    return AdamState(0, none, none)


def adam_step(adam: Adam, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
    """One step of `Adam` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    d, rate = begin("adam_step", Adam, adam, params, state, AdamState, g)
    return _adam(adam, params, state, g, d, rate, keep=1.0)


def _adam(
    adam: Adam, params: Params, state: AdamState, g: Params, d: Floats, rate: float, keep: float
) -> tuple[Params, AdamState]:
    t = state.step + 1
    # m̂ / (√v̂ + ε) = m · √c / (√v + ε · √c) / (1 − β₁ᵗ), with c = 1 − β₂ᵗ: one pass fewer over the vector
    root = math.sqrt(1 - adam.beta2**t)
    vector, m, v = kernels.adam(
        params.vector, d, state.m, state.v, rate * root / (1 - adam.beta1**t),
        adam.beta1, adam.beta2, nonzero(adam.epsilon * root, params), keep,
    )  # fmt: skip
    return moved(params, vector, g), AdamState(t, freeze(m), freeze(v))


@attrs.frozen(cache_hash=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ − η m̂ / (√v̂ + ε) − η λ θ (Loshchilov and Hutter 2019).

    The decay is of the θ before the step, of every trained number, biases too, and is scaled by η, as in
    PyTorch; the paper's algorithm 2 scales it by the schedule without the base rate. It is no part of the
    objective; `Dense(l2=…)` is.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        weight_decay: λ, at least 0.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adamw = fnn.AdamW(0.1, weight_decay=0.5)
    >>> fnn.adamw_step(adamw, params, fnn.adamw_init(adamw, params), params)[0].vector.round(6)
    array([0.85, 1.8 ])
    """

    weight_decay: float = attrs.field(default=0.01, validator=checks.at_least_0)

    def init(self, params: Params) -> AdamState:
        """`adamw_init`."""
        return adamw_init(self, params)

    def step(self, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
        """`adamw_step`."""
        return adamw_step(self, params, state, g)


def adamw_init(adamw: AdamW, params: Params) -> AdamState:
    """The state of `AdamW` before its first step: both moments 0.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """
    none = zeros("adamw_init", AdamW, adamw, params)
    return AdamState(0, none, none)


def adamw_step(adamw: AdamW, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
    """One step of `AdamW` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    d, rate = begin("adamw_step", AdamW, adamw, params, state, AdamState, g)
    return _adam(adamw, params, state, g, d, rate, keep=1 - rate * adamw.weight_decay)
