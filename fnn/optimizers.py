"""Optimizers: a spec, a frozen state, an init and a pure step each.

`optimizer.init(params)` makes the first state and `optimizer.step(params, state, g)` returns the next
parameters and state; `adam_init(adam, params)` and `adam_step(adam, params, state, g)` are these as functions.
θ is the one vector of all trained numbers and g its gradient, after clipping; η is the learning rate of the
step, and t counts steps from 1. The running statistics become `g.running`.

A user's own optimizer is a frozen record with `init` and `step`, and a `State` of its own; it goes wherever
ours do.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import attrs
import numpy as np

from fnn import checks, kernels
from fnn.arrays import Floats, State, freeze, sealed
from fnn.params import Params
from fnn.regularizers import clip
from fnn.schedules import Schedule


class Optimizer(Protocol):
    """What training asks of an optimizer."""

    def init(self, params: Params) -> Any:
        """The state before the first step."""

    def step(self, params: Params, state: Any, g: Params) -> tuple[Params, Any]:
        """The parameters and the state after one more step along the gradient g."""


_rate = checks.rate(checks.at_least_0)
_optional_above_0 = attrs.validators.optional(checks.above_0)


@attrs.frozen(cache_hash=True)
class _Descent:
    """What all optimizers share: a learning rate, and the clipping of the gradient."""

    learning_rate: float | Schedule = attrs.field(validator=_rate)
    clip_norm: float | None = attrs.field(default=None, kw_only=True, validator=_optional_above_0)
    clip_value: float | None = attrs.field(default=None, kw_only=True, validator=_optional_above_0)

    def _begin(self, params: Params, state: Any, kind: type, g: Params) -> tuple[Floats, float]:
        """The clipped gradient and the learning rate of a step, after checking that its parts fit."""
        where = f"{type(self).__name__.lower()}_step"
        checks.instance(where, "params", params, Params)
        checks.instance(where, "state", state, kind)
        checks.instance(where, "g", g, Params)
        if g.layout is not params.layout and g.layout != params.layout:
            raise checks.problem(ValueError, where, "g", f"must have the layout of {params!r}", repr(g))
        for field in attrs.fields(kind):
            part = getattr(state, field.name)
            if isinstance(part, np.ndarray) and (part.shape, part.dtype) != (
                params.vector.shape,
                params.dtype,
            ):
                rule = f"must be that of {params!r}"
                raise checks.problem(ValueError, where, "state", rule, checks.show(part))
        rate = self.learning_rate
        if not isinstance(rate, int | float):
            rate = rate(state.step)
        return clip(g.vector, self.clip_value, self.clip_norm), rate


def _zeros(params: Params) -> Floats:
    checks.instance("init", "params", params, Params)
    return freeze(np.zeros_like(params.vector))


def _moved(params: Params, vector: Floats, g: Params) -> Params:
    return Params(params.layout, freeze(vector), g.running)


@attrs.frozen(eq=False)
class SGDState(State):
    """Stochastic gradient descent remembers only how many steps it made."""

    step: int


@attrs.frozen(cache_hash=True)
class SGD(_Descent):
    """Stochastic gradient descent: θ ← θ − η g (Robbins and Monro 1951).

    Args:
        learning_rate: at least 0, or a schedule.
        clip_norm: above 0; the whole gradient is scaled down to this norm where it is longer. After clip_value.
        clip_value: above 0; each number of the gradient is clipped to ± this.

    >>> import fnn, numpy as np
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> sgd = fnn.SGD(0.1)
    >>> fnn.sgd_step(sgd, params, fnn.sgd_init(sgd, params), params)[0].vector
    array([0.9, 1.8])
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=_rate)

    def init(self, params: Params) -> SGDState:
        """The state before the first step."""
        checks.instance("sgd_init", "params", params, Params)
        return SGDState(0)

    def step(self, params: Params, state: SGDState, g: Params) -> tuple[Params, SGDState]:
        """One step along the gradient g."""
        d, rate = self._begin(params, state, SGDState, g)
        return _moved(params, kernels.sgd(params.vector, d, rate), g), SGDState(state.step + 1)


@attrs.frozen(eq=False)
class MomentumState(State):
    """The velocity, of the params' length and dtype."""

    step: int
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class Momentum(_Descent):
    """Descent with momentum: v ← μ v + g, θ ← θ − η v; with nesterov θ ← θ − η (g + μ v).

    Without dampening, and with η outside v, as in PyTorch; Sutskever et al. (2013, equations 1 to 4) put η
    inside v, which is the same while η is constant.

    Args:
        learning_rate: at least 0, or a schedule.
        momentum: μ, in [0, 1).
        nesterov: whether to look ahead by one step of the velocity.
        clip_norm: as in `SGD`.
        clip_value: as in `SGD`.

    >>> import fnn, numpy as np
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> momentum = fnn.Momentum(0.1, nesterov=True)
    >>> fnn.momentum_step(momentum, params, fnn.momentum_init(momentum, params), params)[0].vector
    array([0.81, 1.62])
    """

    learning_rate: float | Schedule = attrs.field(default=0.01, validator=_rate)
    momentum: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    nesterov: bool = attrs.field(default=False, validator=checks.boolean)

    def init(self, params: Params) -> MomentumState:
        """The state before the first step: no velocity."""
        return MomentumState(0, _zeros(params))

    def step(self, params: Params, state: MomentumState, g: Params) -> tuple[Params, MomentumState]:
        """One step along the gradient g."""
        d, rate = self._begin(params, state, MomentumState, g)
        vector, v = kernels.momentum(params.vector, d, state.v, rate, self.momentum, self.nesterov)
        return _moved(params, vector, g), MomentumState(state.step + 1, freeze(v))


@attrs.frozen(eq=False)
class RMSPropState(State):
    """The running mean of squared gradients, of the params' length and dtype."""

    step: int
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class RMSProp(_Descent):
    """RMSProp: v ← ρ v + (1 − ρ) g², θ ← θ − η g / (√v + ε) (Tieleman and Hinton 2012, lecture 6.5).

    v begins at 0 and is not corrected for it, and ε is outside the root, both as in PyTorch.

    Args:
        learning_rate: at least 0, or a schedule.
        decay: ρ, in [0, 1).
        epsilon: above 0.
        clip_norm: as in `SGD`.
        clip_value: as in `SGD`.

    >>> import fnn, numpy as np
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> rmsprop = fnn.RMSProp(0.1)
    >>> fnn.rmsprop_step(rmsprop, params, fnn.rmsprop_init(rmsprop, params), params)[0].vector.round(6)
    array([0.683772, 1.683772])
    """

    learning_rate: float | Schedule = attrs.field(default=1e-3, validator=_rate)
    decay: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=checks.above_0)

    def init(self, params: Params) -> RMSPropState:
        """The state before the first step: v = 0."""
        return RMSPropState(0, _zeros(params))

    def step(self, params: Params, state: RMSPropState, g: Params) -> tuple[Params, RMSPropState]:
        """One step along the gradient g."""
        d, rate = self._begin(params, state, RMSPropState, g)
        vector, v = kernels.rmsprop(params.vector, d, state.v, rate, self.decay, self.epsilon)
        return _moved(params, vector, g), RMSPropState(state.step + 1, freeze(v))


@attrs.frozen(eq=False)
class AdamState(State):
    """The two moments, of the params' length and dtype, without their bias correction."""

    step: int
    m: Floats = attrs.field(converter=sealed)
    v: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True)
class Adam(_Descent):
    """Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η m̂ / (√v̂ + ε) (Kingma and Ba 2015, algorithm 1).

    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). ε is added to √v̂, after the correction, as in algorithm 1 and
    PyTorch (and not to √v, as in the paper's section 2 and Keras).

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        clip_norm: as in `SGD`.
        clip_value: as in `SGD`.

    >>> import fnn, numpy as np
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adam = fnn.Adam(0.1)
    >>> fnn.adam_step(adam, params, fnn.adam_init(adam, params), params)[0].vector.round(6)
    array([0.9, 1.9])
    """

    learning_rate: float | Schedule = attrs.field(default=1e-3, validator=_rate)
    beta1: float = attrs.field(default=0.9, validator=checks.from_0_below_1)
    beta2: float = attrs.field(default=0.999, validator=checks.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=checks.above_0)

    def init(self, params: Params) -> AdamState:
        """The state before the first step: both moments 0."""
        zeros = _zeros(params)
        return AdamState(0, zeros, zeros)

    def step(self, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
        """One step along the gradient g."""
        return self._step(params, state, g, decay=0.0)

    def _step(self, params: Params, state: AdamState, g: Params, decay: float) -> tuple[Params, AdamState]:
        d, rate = self._begin(params, state, AdamState, g)
        t = state.step + 1
        # m̂ / (√v̂ + ε) = m · √c / (√v + ε · √c) / (1 − β₁ᵗ), with c = 1 − β₂ᵗ: one pass fewer over the vector
        root = math.sqrt(1 - self.beta2**t)
        vector, m, v = kernels.adam(
            params.vector, d, state.m, state.v, rate * root / (1 - self.beta1**t),
            self.beta1, self.beta2, self.epsilon * root, 1 - rate * decay,
        )  # fmt: skip
        return _moved(params, vector, g), AdamState(t, freeze(m), freeze(v))


@attrs.frozen(cache_hash=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ − η m̂ / (√v̂ + ε) − η λ θ (Loshchilov and Hutter 2019, algorithm 2).

    The decay is of the θ before the step, of every trained number, biases too, and is scaled by η, as in
    PyTorch. It is no part of the objective; `Dense(l2=…)` is.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        weight_decay: λ, at least 0.
        clip_norm: as in `SGD`.
        clip_value: as in `SGD`.

    >>> import fnn, numpy as np
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adamw = fnn.AdamW(0.1, weight_decay=0.5)
    >>> fnn.adamw_step(adamw, params, fnn.adamw_init(adamw, params), params)[0].vector.round(6)
    array([0.85, 1.8 ])
    """

    weight_decay: float = attrs.field(default=0.01, validator=checks.at_least_0)

    def step(self, params: Params, state: AdamState, g: Params) -> tuple[Params, AdamState]:
        """One step along the gradient g."""
        return self._step(params, state, g, self.weight_decay)


sgd_init, sgd_step = SGD.init, SGD.step
momentum_init, momentum_step = Momentum.init, Momentum.step
rmsprop_init, rmsprop_step = RMSProp.init, RMSProp.step
adam_init, adam_step = Adam.init, Adam.step
adamw_init, adamw_step = AdamW.init, AdamW.step

valid_optimizer = checks.part((), "init", "step")


def init(optimizer: Optimizer, params: Params) -> Any:
    """The optimizer's state before its first step, whichever optimizer it is.

    >>> import fnn
    >>> fnn.init(fnn.Adam(), fnn.init_params(fnn.mlp(2, 2), seed=0)).step
    0
    """
    return optimizer.init(params)


def step(optimizer: Optimizer, params: Params, state: Any, g: Params) -> tuple[Params, Any]:
    """The parameters and the state after one more step, whichever optimizer it is.

    Args:
        optimizer: the spec.
        params: where the step begins.
        state: the optimizer's, from `init` or the step before.
        g: the gradient, from `grads`; the new parameters' `running` is its `running`.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.

    >>> import fnn
    >>> params = fnn.init_params(fnn.mlp(2, 2), seed=0)
    >>> fnn.step(fnn.SGD(0.1), params, fnn.init(fnn.SGD(0.1), params), params)[1]
    SGDState(step=1)
    """
    return optimizer.step(params, state, g)
