"""Adam and its kin: the optimizers with two moments, in the form of `fnn.optimizers`."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np

from fnn import settings
from fnn.arrays import Floats, State, sealed
from fnn.descent import COUNT, RATE, Descent, S, named, nonzero
from fnn.schedules import Schedule


@attrs.frozen(eq=False, repr=False)
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


@attrs.frozen(cache_hash=True, repr=False)
class TwoMoments(Descent[S]):
    """What Adam and its kin share: their settings, and what the kernel wants to know of a step."""

    learning_rate: float | Schedule = attrs.field(default=1e-3, validator=RATE)
    beta1: float = attrs.field(default=0.9, validator=settings.from_0_below_1)
    beta2: float = attrs.field(default=0.999, validator=settings.from_0_below_1)
    epsilon: float = attrs.field(default=1e-8, validator=settings.above_0)
    corrected_epsilon: bool = attrs.field(default=True, validator=settings.boolean, kw_only=True)

    def corrected(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        """The rate with its corrections, each beta and 1 less it, and epsilon, at step t."""
        # m̂ / (√v̂ + ε) = m · √c / (√v + ε · √c) / (1 − β₁ᵗ), with c = 1 − β₂ᵗ: one pass fewer over the vector
        root = math.sqrt(1 - self.beta2**t)
        rate = rate * root / (1 - self.beta1**t)
        epsilon = nonzero(self.epsilon * root if self.corrected_epsilon else self.epsilon, dtype)
        return rate, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, epsilon


@attrs.frozen(cache_hash=True, repr=False)
class Adam(TwoMoments[AdamState]):
    """Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η m̂ / (√v̂ + ε) (Kingma and Ba 2015, algorithm 1).

    m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). ε is added to √v̂, after the correction, as in algorithm 1 and
    PyTorch; with `corrected_epsilon` False to √v, as in the paper's section 2, Keras and scikit-learn, where the same ε
    holds the first steps back more.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        corrected_epsilon: whether ε joins √v̂ or √v.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adam = fnn.Adam(0.1)
    >>> fnn.adam_step(adam, params, fnn.adam_init(adam, params), params)[0].vector.round(6)
    array([0.9, 1.9])
    """

    state_kind = AdamState
    loop = "adam"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return *self.corrected(rate, t, dtype), 1


adam_init, adam_step = named(Adam)


@attrs.frozen(cache_hash=True, repr=False)
class AdamW(TwoMoments[AdamState]):
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
        corrected_epsilon: as in `Adam`.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> adamw = fnn.AdamW(0.1, weight_decay=0.5)
    >>> fnn.adamw_step(adamw, params, fnn.adamw_init(adamw, params), params)[0].vector.round(6)
    array([0.85, 1.8 ])
    """

    weight_decay: float = attrs.field(default=0.01, validator=settings.at_least_0)

    state_kind = AdamState
    loop = "adam"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return *self.corrected(rate, t, dtype), 1 - rate * self.weight_decay


adamw_init, adamw_step = named(AdamW)


@attrs.frozen(cache_hash=True, repr=False)
class NAdam(TwoMoments[AdamState]):
    """Adam with Nesterov's look ahead: θ ← θ − η m̄ / (√v̂ + ε) (Dozat 2016, algorithm 2).

    m̄ = β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ): the next step's momentum and this step's gradient. β₁ is the
    same at every step, as in Optax; PyTorch and Keras let it grow by a schedule of their own.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        corrected_epsilon: as in `Adam`.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> nadam = fnn.NAdam(0.1)
    >>> fnn.nadam_step(nadam, params, fnn.nadam_init(nadam, params), params)[0].vector.round(6)
    array([0.852632, 1.852632])
    """

    state_kind = AdamState
    loop = "nadam"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        ahead = self.beta1 * (1 - self.beta1**t) / (1 - self.beta1 ** (t + 1))
        return *self.corrected(rate, t, dtype), ahead, 1 - self.beta1


nadam_init, nadam_step = named(NAdam)


@attrs.frozen(eq=False, repr=False)
class AMSGradState(State):
    """Adam's two moments, and the largest second one.

    Attributes:
        step: how many steps were made.
        m: the running mean of gradients, of the params' length and dtype.
        v: and that of their squares.
        most: the largest that each number of v has been.
    """

    step: int = attrs.field(validator=COUNT)
    m: Floats = attrs.field(converter=sealed)
    v: Floats = attrs.field(converter=sealed)
    most: Floats = attrs.field(converter=sealed)


@attrs.frozen(cache_hash=True, repr=False)
class AMSGrad(TwoMoments[AMSGradState]):
    """Adam with the largest v so far in place of v (Reddi, Kale and Kumar 2018, algorithm 2).

    The bias corrections, which the paper leaves out, are Adam's, of m and of the largest v, as in PyTorch; with them
    the rates may still grow at first.

    Args:
        learning_rate: at least 0, or a schedule.
        beta1: in [0, 1).
        beta2: in [0, 1).
        epsilon: above 0.
        corrected_epsilon: as in `Adam`.
        clip_norm, clip_value: as in `SGD`.

    >>> import fnn
    >>> params = fnn.pack_params(fnn.mlp(1, 1, output="identity", loss="mse"), [[[1.0]], [2.0]])
    >>> amsgrad = fnn.AMSGrad(0.1)
    >>> fnn.amsgrad_step(amsgrad, params, fnn.amsgrad_init(amsgrad, params), params)[0].vector.round(6)
    array([0.9, 1.9])
    """

    state_kind = AMSGradState
    loop = "amsgrad"

    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        return self.corrected(rate, t, dtype)


amsgrad_init, amsgrad_step = named(AMSGrad)
