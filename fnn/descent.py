"""What the optimizers share: the Protocol, the settings that all have, and how a step begins and ends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeGuard, TypeVar

import attrs
import numpy as np

from fnn import checks, kernels, settings
from fnn.arrays import Floats, Spec, freeze
from fnn.kernels import TINY, Updated, drop_tiny
from fnn.params import Params
from fnn.regularizers import clip
from fnn.schedules import Schedule

S = TypeVar("S", bound=Any)


class Optimizer(Protocol):
    """What training asks of an optimizer: a frozen record with two methods, and a state of its own.

    >>> import attrs, numpy as np, fnn
    >>> @attrs.frozen(eq=False, repr=False)
    ... class SignState(fnn.State):
    ...     m: fnn.Floats = attrs.field(converter=fnn.sealed)
    >>> @attrs.frozen
    ... class Sign:
    ...     learning_rate: float
    ...     def init(self, params):
    ...         return SignState(np.zeros_like(params.vector))
    ...     def step(self, params, state, g):
    ...         m = 0.9 * state.m + g.vector
    ...         return attrs.evolve(params, vector=params.vector - self.learning_rate * np.sign(m)), SignState(m)
    >>> run = fnn.fit(fnn.mlp(2, 2), fnn.Dataset(np.eye(2), np.arange(2)), optimizer=Sign(0.1), epochs=2)
    >>> run.optimizer_state
    SignState(m=float32[6])
    """

    def init(self, params: Params) -> Any:
        """The state before the first step."""

    def step(self, params: Params, state: Any, g: Params) -> tuple[Params, Any]:
        """The parameters and the state after one more step along the gradient g.

        The parameters are of the dtype and layout of those given, `attrs.evolve(params, vector=…)`; in training their
        running statistics become g's.
        """


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


def _check_optimizer(where: str, optimizer: object) -> None:
    if not checks.is_record(optimizer, ("init", "step")):
        rule, fix = "must be an optimizer such as Adam()", settings.advice(optimizer, (), ("init", "step"))
        raise checks.problem(TypeError, where, "optimizer", rule, checks.show(optimizer), fix)


def valid_optimizer(spec: Any, field: Any, value: object) -> None:  # noqa: ARG001
    """A validator: an optimizer."""
    _check_optimizer(type(spec).__name__, value)


TIDYING = 32  # steps between two in which subnormal moments become 0: to go on with them takes several times as long
RATE = settings.rate(settings.at_least_0)
OPTIONAL_ABOVE_0 = attrs.validators.optional(settings.above_0)
COUNT = settings.integer(0)


@attrs.frozen(cache_hash=True, repr=False)
class Descent(Spec, ABC, Generic[S]):
    """What all optimizers share: a learning rate, the clipping of the gradient, and how a step begins and ends.

    A subclass has a `state_kind`, a record of the number of steps and then of moments, each a vector like the
    params', and names the loop of `fnn.plain` that is its update.
    """

    learning_rate: float | Schedule = attrs.field(validator=RATE)
    clip_norm: float | None = attrs.field(default=None, kw_only=True, validator=OPTIONAL_ABOVE_0)
    clip_value: float | None = attrs.field(default=None, kw_only=True, validator=OPTIONAL_ABOVE_0)

    state_kind: ClassVar[Any]
    loop: ClassVar[str]

    @abstractmethod
    def coefficients(self, rate: float, t: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
        """What the loop is told at step t, the first of which is 1, for that rate and numbers of that dtype."""

    def update(self, w: Floats, g: Floats, rate: float, state: S) -> tuple[Floats, ...]:
        """The vector w after a step along g at that rate, and the moments."""
        told = self.coefficients(rate, state.step + 1, w.dtype)
        return kernels.update(self.loop, w, g, [getattr(state, name) for name in moments(self.state_kind)], told)

    def init(self, params: Params) -> S:
        """The state before the first step: every moment is 0."""
        checks.instance(self._where("init"), "params", params, Params)
        zeros = [freeze(np.zeros_like(params.vector))] * len(moments(self.state_kind))
        state: S = self.state_kind(0, *zeros)
        return state

    def step(self, params: Params, state: S, g: Params) -> tuple[Params, S]:
        """The parameters and the state after one more step along the gradient g."""
        where = self._where("step")
        checks.instance(where, "params", params, Params)
        self.check_fit(params, state)
        checks.instance(where, "g", g, Params)
        if (g.layout is not params.layout and g.layout != params.layout) or g.dtype != params.dtype:
            raise checks.problem(ValueError, where, "g", f"must have the layout of {params!r}", repr(g))
        return self.trusting_step(params, state, g)[1:]

    def check_fit(self, params: Params, state: S) -> None:
        """Refuse a state that is not of these parameters."""
        where = self._where("step")
        checks.instance(where, "state", state, self.state_kind)
        shape, dtype = params.vector.shape, params.dtype
        for name in moments(self.state_kind):
            part = getattr(state, name)
            if part.shape != shape or part.dtype != dtype:
                raise checks.problem(ValueError, where, "state", f"must be that of {params!r}", checks.show(part))

    def trusting_step(self, params: Params, state: S, g: Params) -> tuple[bool, Params, S]:
        """The step of parts that fit; first, whether g and the new parameters are finite (False: that is not sure)."""
        rate, d = self.rate(state.step), g.vector
        if self.clips:
            d = clip(d, self.clip_value, self.clip_norm)
        made = self.update(params.vector, d, rate, state)
        vector, *changed = made
        if not isinstance(made, Updated):  # by an update of a user's own
            return False, Params(params.layout, freeze(vector), g.running), self.state_kind(state.step + 1, *changed)
        if state.step % TIDYING == TIDYING - 1:
            for moment in changed:
                drop_tiny(moment)
        after: S = self.state_kind.made(state.step + 1, *changed)
        return made.finite and made.g is g.vector, Params.made(params.layout, vector, g.running), after

    def _where(self, function: str) -> str:
        return f"{type(self).__name__.lower()}_{function}"

    @property
    def clips(self) -> bool:
        """Whether it changes gradients first."""
        return self.clip_value is not None or self.clip_norm is not None

    def rate(self, step: int) -> float:
        """The learning rate of the step after so many."""
        if isinstance(self.learning_rate, float):
            return self.learning_rate
        rate = float(self.learning_rate(step))
        if not 0 <= rate < math.inf:
            rule, got = "must return finite numbers of at least 0", f"{rate} for step {step}"
            raise checks.problem(ValueError, self._where("step"), "learning_rate", rule, got)
        return rate


@cache
def moments(kind: Any) -> tuple[str, ...]:
    """The names of the moments in a state of that kind."""
    return tuple(field.name for field in attrs.fields(kind)[1:])


def is_descent(optimizer: object) -> TypeGuard[Descent[Any]]:
    """Whether an optimizer's step is `Descent`'s own."""
    return isinstance(optimizer, Descent) and type(optimizer).step is Descent.step


class Init(Protocol[S]):
    """An optimizer's own init."""

    def __call__(self, optimizer: Descent[S], params: Params) -> S:
        """The state before the first step."""


class Step(Protocol[S]):
    """An optimizer's own step."""

    def __call__(self, optimizer: Descent[S], params: Params, state: S, g: Params) -> tuple[Params, S]:
        """The parameters and the state after one more step."""


def named(kind: type[Descent[S]]) -> tuple[Init[S], Step[S]]:
    """The functions by an optimizer's own name, `adam_init` and `adam_step` for `Adam`, which take no other."""
    name = kind.__name__.lower()

    def init(optimizer: Descent[S], params: Params) -> S:
        checks.exactly(f"{name}_init", "optimizer", optimizer, kind, "`fnn.init` takes any optimizer.")
        return optimizer.init(params)

    def step(optimizer: Descent[S], params: Params, state: S, g: Params) -> tuple[Params, S]:
        checks.exactly(f"{name}_step", "optimizer", optimizer, kind, "`fnn.step` takes any optimizer.")
        return optimizer.step(params, state, g)

    docs = (
        f"""The state of `{kind.__name__}` before its first step: every moment is 0.

    Raises:
        TypeError: for another optimizer, or params that are no `Params`.
    """,
        f"""One step of `{kind.__name__}` along the gradient g: the new parameters and the new state.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """,
    )
    for function, doc in zip((init, step), docs, strict=True):
        function.__name__ = function.__qualname__ = f"{name}_{function.__name__}"
        function.__module__, function.__doc__ = kind.__module__, doc
    return init, step


LEAST = {char: math.sqrt(tiny) for char, tiny in TINY.items()}


def nonzero(epsilon: float, dtype: np.dtype[Any]) -> float:
    """An epsilon that is not 0 in that dtype, nor below what squares underflow at."""
    return max(epsilon, LEAST[dtype.char])
