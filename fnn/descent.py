"""What the optimizers share: the Protocol, the settings that all have, and how a step begins and ends."""

from __future__ import annotations

import math
from typing import Any, Protocol

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Floats, freeze
from fnn.params import Params
from fnn.regularizers import clip
from fnn.schedules import Schedule


class Optimizer(Protocol):
    """What training asks of an optimizer."""

    def init(self, params: Params) -> Any:
        """The state before the first step."""

    def step(self, params: Params, state: Any, g: Params) -> tuple[Params, Any]:
        """The parameters and the state after one more step along the gradient g."""


valid_optimizer = checks.part((), "init", "step")


def init(optimizer: Optimizer, params: Params) -> Any:
    """The optimizer's state before its first step, whichever optimizer it is.

    Raises:
        TypeError: for what is no optimizer, or params that are no `Params`.

    >>> import fnn
    >>> fnn.init(fnn.Adam(), fnn.init_params(fnn.mlp(2, 2), seed=0)).step
    0
    """
    _check_optimizer("init", optimizer)
    checks.instance("init", "params", params, Params)
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
    _check_optimizer("step", optimizer)
    return optimizer.step(params, state, g)


def _check_optimizer(where: str, optimizer: Optimizer) -> None:
    if not checks.is_record(optimizer, ("init", "step")):
        rule = "must be an optimizer such as Adam()"
        raise checks.problem(TypeError, where, "optimizer", rule, checks.show(optimizer))


RATE = checks.rate(checks.at_least_0)
OPTIONAL_ABOVE_0 = attrs.validators.optional(checks.above_0)
COUNT = checks.integer(0)


@attrs.frozen(cache_hash=True)
class Descent:
    """What all optimizers share: a learning rate, and the clipping of the gradient."""

    learning_rate: float | Schedule = attrs.field(validator=RATE)
    clip_norm: float | None = attrs.field(default=None, kw_only=True, validator=OPTIONAL_ABOVE_0)
    clip_value: float | None = attrs.field(default=None, kw_only=True, validator=OPTIONAL_ABOVE_0)


def zeros(where: str, kind: type, optimizer: Descent, params: Params) -> Floats:
    """A moment before the first step, after checking what init was given."""
    checks.exactly(where, "optimizer", optimizer, kind, "`fnn.init` takes any optimizer.")
    checks.instance(where, "params", params, Params)
    return freeze(np.zeros_like(params.vector))


def begin(
    where: str, kind: type, optimizer: Descent, params: Params, state: Any, state_kind: type, g: Params
) -> tuple[Floats, float]:
    """The clipped gradient and the learning rate of a step, after checking that its parts fit."""
    checks.exactly(where, "optimizer", optimizer, kind, "`fnn.step` takes any optimizer.")
    checks.instance(where, "params", params, Params)
    checks.instance(where, "state", state, state_kind)
    checks.instance(where, "g", g, Params)
    if (g.layout is not params.layout and g.layout != params.layout) or g.dtype != params.dtype:
        raise checks.problem(ValueError, where, "g", f"must have the layout of {params!r}", repr(g))
    for field in attrs.fields(state_kind):
        part = getattr(state, field.name)
        if isinstance(part, np.ndarray) and (part.shape, part.dtype) != (params.vector.shape, params.dtype):
            raise checks.problem(ValueError, where, "state", f"must be that of {params!r}", checks.show(part))
    rate = optimizer.learning_rate
    if not isinstance(rate, float):
        rate = float(rate(state.step))
        if not 0 <= rate < math.inf:
            rule = "must return finite numbers of at least 0"
            raise checks.problem(ValueError, where, "learning_rate", rule, f"{rate} for step {state.step}")
    return clip(g.vector, optimizer.clip_value, optimizer.clip_norm), rate


def nonzero(epsilon: float, params: Params) -> float:
    """An epsilon that is not 0 in the params' dtype, nor below what squares underflow at."""
    return max(epsilon, math.sqrt(np.finfo(params.dtype).tiny))


def moved(params: Params, vector: Floats, g: Params) -> Params:
    """The parameters after a step to `vector`."""
    return Params(params.layout, freeze(vector), g.running)
