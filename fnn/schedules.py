"""Learning rates as functions of the step: frozen records called with the number of steps already made.

The first step of a run asks for `schedule(0)`. A schedule goes wherever a learning rate does, and so does a
user's own: a frozen record whose `__call__` takes the step, an int, and returns a float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Protocol

import attrs

from fnn import checks, settings
from fnn.arrays import Spec


class Schedule(Protocol):
    """What an optimizer asks of a learning rate that is not a number."""

    def __call__(self, step: int) -> float:
        """The learning rate of the step that comes after `step` others."""


def _tuple(values: Any) -> Any:
    return tuple(values) if isinstance(values, Iterable) else values  # what is none is refused later


def _is_schedule(value: object) -> bool:
    return checks.is_record(value, ("__call__",))


def _below(higher: str) -> Any:
    """A validator: a number of at least 0 that is not above the field `higher`."""

    def check(spec: Any, field: Any, value: Any) -> None:
        settings.at_least_0(spec, field, value)
        limit = getattr(spec, higher)
        if value > limit:
            rule = f"must be at most `{higher}`, which is {limit}"
            raise checks.problem(ValueError, type(spec).__name__, field.name, rule, str(value))

    return check


def _between(first: float, last: float, left: float) -> float:
    """Half a cosine: `first` where all of the way is left, 1, and `last` where none is."""
    share = math.sin(0.5 * math.pi * left) ** 2  # ½ (1 + cos(π (1 − left)))
    return share * first + (1 - share) * last


@attrs.frozen(repr=False)
class Constant(Spec):
    """The same learning rate at every step.

    Args:
        learning_rate: at least 0.

    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)

    def __call__(self, step: int) -> float:
        return self.learning_rate


@attrs.frozen(repr=False)
class StepDecay(Spec):
    """A learning rate that falls at once, every so many steps: learning_rate · factor^⌊step / every⌋.

    Args:
        learning_rate: the first, at least 0.
        factor: in (0, 1].
        every: how many steps each rate is for, at least 1.

    >>> [round(StepDecay(0.1, factor=0.5, every=2)(t), 6) for t in range(5)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    factor: float = attrs.field(validator=settings.from_above_0_to_1)
    every: int = attrs.field(validator=settings.integer(1))

    def __call__(self, step: int) -> float:
        return self.learning_rate * math.pow(self.factor, step // self.every)


@attrs.frozen(repr=False)
class ExponentialDecay(Spec):
    """A learning rate that falls by the same share at each step: learning_rate · factor^(step / steps).

    Args:
        learning_rate: the first, at least 0.
        factor: in (0, 1].
        steps: in how many steps it falls by `factor`, at least 1.

    >>> [round(ExponentialDecay(0.1, factor=0.25, steps=2)(t), 6) for t in range(4)]
    [0.1, 0.05, 0.025, 0.0125]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    factor: float = attrs.field(validator=settings.from_above_0_to_1)
    steps: int = attrs.field(default=1, validator=settings.integer(1))

    def __call__(self, step: int) -> float:
        return self.learning_rate * math.pow(self.factor, step / self.steps)


@attrs.frozen(repr=False)
class Polynomial(Spec):
    """A power of what is left, from `learning_rate` down to `final`; with the power 1 a straight line.

    final + (learning_rate − final) · (1 − step / steps)^power; `final` from step = steps on.

    Args:
        learning_rate: the first, at least 0.
        steps: at least 1.
        power: above 0.
        final: 0 … learning_rate.

    >>> [round(Polynomial(0.1, steps=4, power=2)(t), 6) for t in range(6)]
    [0.1, 0.05625, 0.025, 0.00625, 0.0, 0.0]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    steps: int = attrs.field(validator=settings.integer(1))
    power: float = attrs.field(default=1.0, validator=settings.above_0)
    final: float = attrs.field(default=0.0, validator=_below("learning_rate"))

    def __call__(self, step: int) -> float:
        left = max(0.0, (self.steps - step) / self.steps)
        return self.final + (self.learning_rate - self.final) * math.pow(left, self.power)


@attrs.frozen(repr=False)
class Warmup(Spec):
    """A straight line up to `learning_rate`: learning_rate · (step + 1) / steps, and `learning_rate` from there on.

    The first step has a share of the rate and not 0, so that it moves something (gradual warm-up: Goyal et al. 2017,
    section 2.2). `Join` puts another schedule behind it.

    Args:
        learning_rate: the highest, at least 0.
        steps: at least 1; the last of them has the whole rate.

    >>> [round(Warmup(0.1, steps=4)(t), 6) for t in range(5)]
    [0.025, 0.05, 0.075, 0.1, 0.1]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    steps: int = attrs.field(validator=settings.integer(1))

    def __call__(self, step: int) -> float:
        return self.learning_rate * (min(step + 1, self.steps) / self.steps)


@attrs.frozen(repr=False)
class Cosine(Spec):
    """Half a cosine from `learning_rate` down to `final`, after a linear warm-up.

    For t = step: learning_rate · (t + 1) / warmup_steps while t < warmup_steps; then
    final + (learning_rate − final) · ½ (1 + cos(π (t − warmup_steps) / (steps − warmup_steps)));
    `final` from t = steps on (Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts).

    Args:
        learning_rate: the highest, at least 0.
        steps: of the whole schedule, warm-up included, at least 1.
        warmup_steps: 0 … steps − 1.
        final: 0 … learning_rate.

    >>> [round(Cosine(0.1, steps=6, warmup_steps=2)(t), 6) for t in range(7)]
    [0.05, 0.1, 0.1, 0.085355, 0.05, 0.014645, 0.0]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    steps: int = attrs.field(validator=settings.integer(1))
    warmup_steps: int = attrs.field(default=0, validator=settings.integer(0))
    final: float = attrs.field(default=0.0, validator=_below("learning_rate"))

    def __attrs_post_init__(self) -> None:
        if self.warmup_steps >= self.steps:
            rule = f"must be below `steps`, which is {self.steps}"
            raise checks.problem(ValueError, "Cosine", "warmup_steps", rule, str(self.warmup_steps))

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.learning_rate * ((step + 1) / self.warmup_steps)
        left = (self.steps - step) / (self.steps - self.warmup_steps)
        return _between(self.learning_rate, self.final, max(left, 0.0))


@attrs.frozen(repr=False)
class CosineRestarts(Spec):
    """Half a cosine from `learning_rate` to `final`, again and again (Loshchilov and Hutter 2017, "SGDR", equation 5).

    The i-th period, i = 0, 1, …, has Tᵢ = steps · growthⁱ steps; with t of them made the rate is
    final + (learning_rate − final) · ½ (1 + cos(π t / Tᵢ)). Each period begins with `learning_rate`, and its last
    step is still above `final`.

    Args:
        learning_rate: the highest, at least 0.
        steps: of the first period, at least 1.
        growth: how many times as long each period is as the one before, at least 1.
        final: 0 … learning_rate.

    >>> [round(CosineRestarts(0.1, steps=2, growth=2)(t), 6) for t in range(7)]
    [0.1, 0.05, 0.1, 0.085355, 0.05, 0.014645, 0.1]
    """

    learning_rate: float = attrs.field(validator=settings.at_least_0)
    steps: int = attrs.field(validator=settings.integer(1))
    growth: int = attrs.field(default=1, validator=settings.integer(1))
    final: float = attrs.field(default=0.0, validator=_below("learning_rate"))

    def __call__(self, step: int) -> float:
        period = self.steps
        if self.growth == 1:
            step %= period
        while step >= period:
            step, period = step - period, period * self.growth
        return _between(self.learning_rate, self.final, (period - step) / period)


@attrs.frozen(repr=False)
class OneCycle(Spec):
    """Up along half a cosine and down along another: the 1cycle policy (Smith and Topin 2018, section 3).

    From `initial` at step 0 to `learning_rate` at step rise · steps − 1, and to `final` at step steps − 1, where
    it stays. Both halves are cosines, as in PyTorch's OneCycleLR, whose defaults these are (it moves the momentum too);
    the paper's are lines, with a third, steeper one at the end.
    With rise · steps below 1 there is no way up, and the first step is already on the way down.

    Args:
        learning_rate: the highest, above 0.
        steps: of the whole cycle, at least 2.
        rise: the share of steps that go up, in (0, 1).
        initial: 0 … learning_rate; None is learning_rate / 25.
        final: 0 … learning_rate; None is learning_rate / 250,000.

    >>> [round(OneCycle(0.1, steps=10, rise=0.4)(t), 6) for t in (0, 1, 3, 6, 9, 10)]
    [0.004, 0.028, 0.1, 0.05, 0.0, 0.0]
    """

    learning_rate: float = attrs.field(validator=settings.above_0)
    steps: int = attrs.field(validator=settings.integer(2))
    rise: float = attrs.field(default=0.3, validator=settings.number("number in (0, 1)", lambda value: 0 < value < 1))
    initial: float | None = attrs.field(default=None, validator=attrs.validators.optional(_below("learning_rate")))
    final: float | None = attrs.field(default=None, validator=attrs.validators.optional(_below("learning_rate")))

    def __call__(self, step: int) -> float:
        initial = self.learning_rate / 25 if self.initial is None else self.initial
        final = self.learning_rate / 250_000 if self.final is None else self.final
        top, last = self.rise * self.steps - 1, self.steps - 1
        if step < top:
            return _between(self.learning_rate, initial, step / top)
        return _between(self.learning_rate, final, max(0.0, (last - step) / (last - top)))


@attrs.frozen(repr=False)
class Join(Spec):
    """One schedule after another, each from its own step 0.

    schedules[0](step) while step < at[0], then schedules[1](step − at[0]) while step < at[1], and so on.

    Args:
        schedules: at least one.
        at: the steps at which the second and each further one begin: one fewer, each above the one before.

    Raises:
        TypeError, ValueError: for parts that are no schedules, or steps that do not rise.

    >>> joined = Join((Warmup(0.1, steps=2), Polynomial(0.1, steps=4)), at=(2,))
    >>> [round(joined(t), 6) for t in range(7)]
    [0.05, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0]
    """

    schedules: tuple[Schedule, ...] = attrs.field(converter=_tuple)
    at: tuple[int, ...] = attrs.field(converter=_tuple)

    def __attrs_post_init__(self) -> None:
        are_schedules = isinstance(self.schedules, tuple) and all(map(_is_schedule, self.schedules))
        if not are_schedules or not self.schedules:
            rule = "must be a tuple of frozen records with __call__(step), at least one"
            raise checks.problem(TypeError, "Join", "schedules", rule, checks.show(self.schedules))
        if not isinstance(self.at, tuple) or not all(checks.is_whole(step) and step > 0 for step in self.at):
            rule = "must be a tuple of integers of at least 1"
            raise checks.problem(TypeError, "Join", "at", rule, checks.show(self.at))
        object.__setattr__(self, "at", tuple(map(int, self.at)))
        if len(self.at) != len(self.schedules) - 1 or any(b <= a for a, b in pairwise(self.at)):
            rule = f"must be {len(self.schedules) - 1} rising steps, one fewer than `schedules`"
            raise checks.problem(ValueError, "Join", "at", rule, str(self.at))

    def __call__(self, step: int) -> float:
        index = sum(step >= start for start in self.at)
        return self.schedules[index](step - (0, *self.at)[index])
