"""Learning rates as functions of the step: frozen records called with the number of steps already made.

The first step of a run asks for `schedule(0)`. A schedule goes wherever a learning rate does, and so does a
user's own: a frozen record whose `__call__` takes the step, an int, and returns a float.
"""

from __future__ import annotations

import math
from typing import Protocol

import attrs

from fnn import checks


class Schedule(Protocol):
    """What an optimizer asks of a learning rate that is not a number."""

    def __call__(self, step: int) -> float:
        """The learning rate of the step that comes after `step` others."""


@attrs.frozen
class Constant:
    """The same learning rate at every step.

    Args:
        learning_rate: at least 0.

    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float = attrs.field(validator=checks.at_least_0)

    def __call__(self, step: int) -> float:
        return self.learning_rate


@attrs.frozen
class Cosine:
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

    learning_rate: float = attrs.field(validator=checks.at_least_0)
    steps: int = attrs.field(validator=checks.integer(1))
    warmup_steps: int = attrs.field(default=0, validator=checks.integer(0))
    final: float = attrs.field(default=0.0, validator=checks.at_least_0)

    def __attrs_post_init__(self) -> None:
        if self.warmup_steps >= self.steps:
            rule = f"must be below `steps`, which is {self.steps}"
            raise checks.problem(ValueError, "Cosine", "warmup_steps", rule, str(self.warmup_steps))
        if self.final > self.learning_rate:
            rule = f"must be at most `learning_rate`, which is {self.learning_rate}"
            raise checks.problem(ValueError, "Cosine", "final", rule, str(self.final))

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if step >= self.steps:
            return self.final
        left = (self.steps - step) / (self.steps - self.warmup_steps)
        return self.final + (self.learning_rate - self.final) * math.sin(0.5 * math.pi * left) ** 2  # ½ (1 + cos)
