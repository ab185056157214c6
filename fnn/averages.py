"""The average of parameters over steps or epochs: a spec, a state, an init and a step."""

from __future__ import annotations

import math
from functools import cached_property

import attrs
import numpy as np

from fnn import checks, settings
from fnn.arrays import Floats, Spec, State, sealed
from fnn.params import Params


@attrs.frozen(repr=False)
class Average(Spec):
    """The weighted mean of parameters, the weight of each `decay` times that of the one after it.

    θ̄ₙ = Σ decayⁿ⁻ⁱ θᵢ / Σ decayⁿ⁻ⁱ, i = 1 … n: below 1 the exponential moving average of Polyak's kind, corrected
    for its beginning as Adam's moments are (Kingma and Ba 2015, section 7.2), taken after each step; with 1 the
    plain mean, taken after each epoch (stochastic weight averaging: Izmailov et al. 2018, algorithm 1).
    Running statistics are averaged alike; algorithm 1 computes them anew from the data instead, which differs where
    the parameters that are averaged lie far apart.

    Args:
        decay: in (0, 1].

    >>> import fnn
    >>> network = fnn.mlp(1, 1, output="identity", loss="mse")
    >>> params = [fnn.pack_params(network, [[[value]], [0.0]]) for value in (1.0, 2.0, 6.0)]
    >>> average = fnn.Average(decay=0.5)
    >>> state = fnn.average_init(average, params[0])
    >>> for each in params[1:]:
    ...     state = fnn.average_step(average, state, each)
    >>> state.params[0].weight.round(6), state.count  # (¼ · 1 + ½ · 2 + 6) / 1¾
    (array([[4.142857]]), 3)
    """

    decay: float = attrs.field(validator=settings.from_above_0_to_1)


@attrs.frozen(eq=False, repr=False)
class AverageState(State):
    """An average so far.

    Attributes:
        count: how many parameters it is of.
        latest: the last of them.
        vector: the mean of their vectors, in float64, in which small shares are not lost.
        running: and of their running statistics.
    """

    count: int
    latest: Params
    vector: Floats = attrs.field(converter=sealed)
    running: Floats = attrs.field(converter=sealed)

    @cached_property
    def params(self) -> Params:
        """The average as parameters, of their dtype."""
        dtype = self.latest.dtype
        return Params(self.latest.layout, self.vector.astype(dtype), self.running.astype(dtype))


def average_init(average: Average, params: Params) -> AverageState:
    """The average of the first parameters: these.

    Raises:
        TypeError: for what is no `Average`, or params that are no `Params`.
    """
    checks.instance("average_init", "average", average, Average)
    checks.instance("average_init", "params", params, Params)
    return AverageState(1, params, params.vector.astype(np.float64), params.running.astype(np.float64))


def average_step(average: Average, state: AverageState, params: Params) -> AverageState:
    """The average with one more.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
    """
    checks.instance("average_step", "average", average, Average)
    checks.instance("average_step", "state", state, AverageState)
    checks.instance("average_step", "params", params, Params)
    latest = state.latest
    if params.dtype != latest.dtype or (params.layout is not latest.layout and params.layout != latest.layout):
        rule = f"must be like those that are averaged, {latest!r}"
        raise checks.problem(ValueError, "average_step", "params", rule, repr(params))
    n, d = state.count + 1, average.decay
    share = 1 / n if d == 1 else (1 - d) / -math.expm1(n * math.log(d))
    vector, running = (
        mean + share * (new - mean) for mean, new in ((state.vector, params.vector), (state.running, params.running))
    )
    return AverageState(n, params, vector, running)
