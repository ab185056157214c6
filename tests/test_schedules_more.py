"""Schedules by hand, against their published formulas in 50 digits, against PyTorch's, and their laws."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.decimals import pi
from tests.stand_ins import exactly
from tests.test_schedules import cosine

# By hand.

HAND: list[tuple[fnn.Schedule, dict[int, float]]] = [
    (fnn.StepDecay(8.0, factor=0.5, every=3), {0: 8, 2: 8, 3: 4, 5: 4, 6: 2, 9: 1}),
    (fnn.StepDecay(8.0, factor=1.0, every=1), {0: 8, 10**12: 8}),
    (fnn.ExponentialDecay(8.0, factor=0.25, steps=2), {0: 8, 1: 4, 2: 2, 3: 1}),
    (fnn.ExponentialDecay(8.0, factor=0.5), {0: 8, 1: 4, 3: 1}),
    (fnn.Polynomial(9.0, steps=4, final=1.0), {0: 9, 1: 7, 3: 3, 4: 1, 5: 1, 10**12: 1}),
    (fnn.Polynomial(16.0, steps=4, power=2), {0: 16, 1: 9, 2: 4, 3: 1, 4: 0, 5: 0}),
    (fnn.Polynomial(8.0, steps=1), {0: 8, 1: 0, 2: 0}),
    (fnn.Warmup(8.0, steps=4), {0: 2, 2: 6, 3: 8, 4: 8, 10**12: 8}),
    (fnn.Warmup(8.0, steps=1), {0: 8, 1: 8}),
    # cos 60, 90 and 120 degrees are 1/2, 0 and -1/2
    (fnn.CosineRestarts(8.0, steps=3), {0: 8, 1: 6, 2: 2, 3: 8, 4: 6, 5: 2, 6: 8}),
    (fnn.CosineRestarts(9.0, steps=2, growth=3, final=1.0), {0: 9, 1: 5, 2: 9, 4: 7, 5: 5, 6: 3, 8: 9, 17: 5, 26: 9}),
    (fnn.CosineRestarts(8.0, steps=1), {0: 8, 1: 8, 10**12: 8}),
    # up in four steps and down in six
    (fnn.OneCycle(8.0, steps=10, rise=0.4, initial=4.0, final=0.0),
     {0: 4, 1: 5, 2: 7, 3: 8, 5: 6, 6: 4, 7: 2, 9: 0, 10: 0}),
    (fnn.Join((fnn.Constant(8.0), fnn.Warmup(4.0, steps=2), fnn.Polynomial(6.0, steps=3)), at=(2, 5)),
     {0: 8, 1: 8, 2: 2, 3: 4, 4: 4, 5: 6, 6: 4, 7: 2, 8: 0, 9: 0}),
    (fnn.Join((fnn.Warmup(4.0, steps=2),), at=()), {0: 2, 1: 4, 2: 4}),
    (fnn.Join((fnn.Join((fnn.Constant(1.0), fnn.Constant(2.0)), at=(1,)), fnn.Constant(3.0)), at=(2,)),
     {0: 1, 1: 2, 2: 3}),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "rates"), HAND, ids=lambda value: str(value)[:40])
def test_by_hand(schedule: fnn.Schedule, rates: dict[int, float]) -> None:
    assert {step: schedule(step) for step in rates} == pytest.approx(rates, rel=1e-14, abs=1e-15)


# By formula.


def exact(spec: Any, t: int) -> Decimal:
    """The formula as it is published, of the settings as they are in binary."""
    top = Decimal(spec.learning_rate)
    if isinstance(spec, fnn.StepDecay):
        return top * Decimal(spec.factor) ** (t // spec.every)
    if isinstance(spec, fnn.ExponentialDecay):
        return top * Decimal(spec.factor) ** (Decimal(t) / spec.steps)
    if isinstance(spec, fnn.Polynomial):
        final, left = Decimal(spec.final), 1 - Decimal(min(t, spec.steps)) / spec.steps
        return final + (top - final) * (left ** Decimal(spec.power) if left else 0)
    if isinstance(spec, fnn.CosineRestarts):  # Loshchilov and Hutter 2017, equation 5 and its T_mult
        begun, period = 0, spec.steps
        while t >= begun + period:
            begun, period = begun + period, period * spec.growth
        return half_cosine(top, Decimal(spec.final), Decimal(t - begun) / period)
    assert isinstance(spec, fnn.OneCycle)
    initial = top / 25 if spec.initial is None else Decimal(spec.initial)
    final = top / 250_000 if spec.final is None else Decimal(spec.final)
    up, last = Decimal(spec.rise) * spec.steps - 1, spec.steps - 1
    if t < up:
        return half_cosine(initial, top, t / up)
    return half_cosine(top, final, min(t - up, last - up) / (last - up))


def half_cosine(first: Decimal, last: Decimal, share: Decimal) -> Decimal:
    return last + (first - last) * (1 + cosine(pi(60) * share)) / 2


FORMULAS: list[Any] = [
    fnn.StepDecay(0.1, factor=0.3, every=4),
    fnn.ExponentialDecay(0.1, factor=0.96, steps=7),
    fnn.Polynomial(0.1, steps=9, power=0.9),
    fnn.Polynomial(0.1, steps=9, power=3.7, final=0.02),
    fnn.CosineRestarts(0.1, steps=5, final=0.01),
    fnn.CosineRestarts(3e-4, steps=2, growth=2),
    fnn.OneCycle(0.1, steps=17),
    fnn.OneCycle(0.1, steps=17, rise=0.5, initial=0.03, final=0.0),
    fnn.OneCycle(0.1, steps=2),
    fnn.OneCycle(0.1, steps=17, rise=0.05),
]


@pytest.mark.parametrize("spec", FORMULAS, ids=str)
def test_the_published_formula(spec: Any) -> None:
    with localcontext() as context:
        context.prec = 50
        expected = [float(exact(spec, t)) for t in range(40)]
    np.testing.assert_allclose([spec(t) for t in range(40)], expected, rtol=1e-12, atol=1e-40)


@pytest.mark.parametrize(("initial", "steps"), [(1e-12, 10), (0.0, 100_000)])
def test_a_cycle_that_begins_near_0(initial: float, steps: int) -> None:
    spec = fnn.OneCycle(0.1, steps=steps, initial=initial)
    with localcontext() as context:
        context.prec = 50
        expected = [float(exact(spec, t)) for t in range(3)]
    np.testing.assert_allclose([spec(t) for t in range(3)], expected, rtol=1e-12, atol=1e-40)


# What PyTorch 2.13 gives, on float64 parameters, in 12 digits.

PYTORCH: list[tuple[fnn.Schedule, dict[int, float]]] = [
    # OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    (fnn.OneCycle(0.1, steps=20),
     {0: 0.004, 1: 0.01316718427, 2: 0.03716718427, 3: 0.06683281573, 4: 0.09083281573, 5: 0.1, 6: 0.0987464006235,
      10: 0.0716943001791, 12: 0.0500002, 15: 0.018825834605, 18: 0.00125399937649, 19: 4e-07}),
    # OneCycleLR(optimizer, max_lr=0.4, total_steps=50, pct_start=0.25, div_factor=10, final_div_factor=100)
    (fnn.OneCycle(0.4, steps=50, rise=0.25, initial=0.04, final=0.0004),
     {0: 0.04, 1: 0.0466748882774, 5: 0.183377917651, 10: 0.385098034271, 11: 0.398323470287, 12: 0.399824741454,
      13: 0.398424517323, 20: 0.351447612119, 30: 0.204384295493, 40: 0.0545520682412,
      48: 0.00110072672195, 49: 0.0004}),
    # CosineAnnealingWarmRestarts(optimizer, T_0=5, T_mult=1, eta_min=0.01), lr=0.1
    (fnn.CosineRestarts(0.1, steps=5, final=0.01),
     {0: 0.1, 1: 0.0914057647469, 2: 0.0689057647469, 3: 0.0410942352531, 4: 0.0185942352531, 5: 0.1,
      6: 0.0914057647469, 9: 0.0185942352531, 10: 0.1, 11: 0.0914057647469, 14: 0.0185942352531, 15: 0.1}),
    # CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=2, eta_min=0.001), lr=0.1
    (fnn.CosineRestarts(0.1, steps=3, growth=2, final=0.001),
     {0: 0.1, 1: 0.07525, 2: 0.02575, 3: 0.1, 4: 0.0933682574873, 5: 0.07525, 8: 0.00763174251267, 9: 0.1,
      10: 0.0983133284013, 15: 0.0505, 20: 0.00268667159869, 21: 0.1}),
    # StepLR(optimizer, step_size=3, gamma=0.3), lr=0.1
    (fnn.StepDecay(0.1, factor=0.3, every=3),
     {0: 0.1, 1: 0.1, 2: 0.1, 3: 0.03, 4: 0.03, 5: 0.03, 6: 0.009, 8: 0.009, 9: 0.0027, 11: 0.0027, 12: 0.00081,
      15: 0.000243}),
    # ExponentialLR(optimizer, gamma=0.9), lr=0.1
    (fnn.ExponentialDecay(0.1, factor=0.9),
     {0: 0.1, 1: 0.09, 2: 0.081, 3: 0.0729, 4: 0.06561, 5: 0.059049, 6: 0.0531441, 8: 0.043046721, 9: 0.0387420489,
      11: 0.031381059609, 12: 0.0282429536481, 15: 0.0205891132095}),
    # PolynomialLR(optimizer, total_iters=10, power=2.5), lr=0.1
    (fnn.Polynomial(0.1, steps=10, power=2.5),
     {0: 0.1, 1: 0.0768433471421, 2: 0.057243340224, 3: 0.0409963413002, 4: 0.0278854800927, 5: 0.0176776695297,
      6: 0.0101192885125, 7: 0.00492950301755, 8: 0.001788854382, 9: 0.000316227766017, 10: 0, 12: 0}),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "rates"), PYTORCH, ids=lambda value: str(value)[:40])
def test_pytorchs(schedule: fnn.Schedule, rates: dict[int, float]) -> None:
    assert {step: schedule(step) for step in rates} == pytest.approx(rates, rel=1e-11, abs=0)


# Laws.

highest = st.floats(1e-6, 10)
lengths = st.integers(1, 50)
factors = st.floats(0.01, 1)


@st.composite
def with_final(draw: Any, /, kind: Any, **others: Any) -> Any:
    learning_rate = draw(highest)
    final = learning_rate * draw(st.floats(0, 1))
    return kind(learning_rate, draw(lengths), final=final, **{name: draw(value) for name, value in others.items()})


falling = st.one_of(
    st.builds(fnn.StepDecay, highest, factors, lengths),
    st.builds(fnn.ExponentialDecay, highest, factors, lengths),
    with_final(fnn.Polynomial, power=st.floats(0.1, 5)),
    with_final(fnn.Cosine),
)
rising = st.builds(fnn.Warmup, highest, lengths)
others = st.one_of(
    with_final(fnn.CosineRestarts, growth=st.integers(1, 3)),
    st.builds(fnn.OneCycle, highest, lengths.map(lambda n: n + 1), st.floats(0.01, 0.99)),
)
ULP = 1 + 2**-51  # relative, two units in the last place


@given(st.one_of(falling, rising, others))
@settings(deadline=None)
def test_never_negative_and_never_above_the_learning_rate(spec: Any) -> None:
    for t in (*range(120), 10**6, 10**12):
        assert type(spec(t)) is float
        assert 0 <= spec(t) <= spec.learning_rate * ULP
        assert spec(t) * ULP >= (getattr(spec, "final", None) or 0)


@given(falling)
@settings(deadline=None)
def test_those_that_fall_only_fall(spec: Any) -> None:
    rates = [spec(t) for t in range(120)]
    assert rates[0] == pytest.approx(spec.learning_rate, rel=1e-15)
    assert all(after <= before * ULP for before, after in pairwise(rates))


@given(rising)
@settings(deadline=None)
def test_a_warm_up_rises_by_the_same_each_time(spec: Any) -> None:
    rates = [spec(t) for t in range(spec.steps + 2)]
    np.testing.assert_allclose(np.diff([0, *rates[: spec.steps]]), spec.learning_rate / spec.steps, rtol=1e-11)
    assert rates[-3:] == pytest.approx([spec.learning_rate] * min(3, len(rates)), rel=1e-15)


def test_after_a_warm_up_the_rate_is_whole() -> None:
    assert [fnn.Warmup(0.1, steps=n)(10**6) for n in range(1, 50)] == [0.1] * 49


@given(others.filter(lambda spec: isinstance(spec, fnn.CosineRestarts)))
@settings(deadline=None)
def test_a_restart_begins_at_the_top_and_each_period_falls(spec: Any) -> None:
    begun, period = 0, spec.steps
    while begun + period < 300:
        rates = [spec(t) for t in range(begun, begun + period)]
        assert rates[0] == pytest.approx(spec.learning_rate, rel=1e-15)
        assert all(after <= before * ULP for before, after in pairwise(rates))
        begun, period = begun + period, period * spec.growth


@given(highest, st.integers(1, 30), st.integers(1, 30))
@settings(deadline=None)
def test_a_cosine_with_a_warm_up_is_both_joined(rate: float, warmup: int, rest: int) -> None:
    cosine = fnn.Cosine(rate, steps=warmup + rest, warmup_steps=warmup)
    joined = fnn.Join((fnn.Warmup(rate, warmup), fnn.Cosine(rate, rest)), at=(warmup,))
    assert [joined(t) for t in range(70)] == [cosine(t) for t in range(70)]


def test_restarts_without_growth_and_joined_cosines_are_the_same() -> None:
    joined = fnn.Join((fnn.Cosine(0.1, steps=4),) * 3, at=(4, 8))
    assert [joined(t) for t in range(12)] == [fnn.CosineRestarts(0.1, steps=4)(t) for t in range(12)]


@pytest.mark.parametrize("growth", [1, 2])
def test_far_steps_are_found_at_once(growth: int) -> None:
    spec = fnn.CosineRestarts(0.1, steps=1000, growth=growth)
    t = 10**12 if growth == 1 else 1000 * (2**30 - 1)  # a restart: Σ 2ⁱ · 1000 over 30 periods
    assert spec(t) == 0.1
    period = 1000 if growth == 1 else 1000 * 2**30
    assert spec(t + period // 2) == pytest.approx(0.05, rel=1e-12)
    assert spec(t + period) == 0.1


# In use.


@attrs.frozen
class Halved:
    """A schedule of one's own, that wants the step as an int."""

    def __call__(self, step: int) -> float:
        assert type(step) is int
        return 0.5 if step < 2 else 0.25


@pytest.mark.parametrize("kind", ["SGD", "Momentum", "RMSProp", "AdaGrad", "Adam", "AdamW", "NAdam", "AMSGrad", "Lion"])
def test_every_optimizer_asks_for_the_number_of_steps_made(kind: str) -> None:
    """Steps at scheduled rates are the steps of optimizers of these rates."""
    network = fnn.mlp(2, 2)
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    make = getattr(fnn, kind)
    scheduled, state = make(fnn.Join((fnn.Constant(0.5), Halved()), at=(1,))), fnn.init(make(), params)
    one, other, one_state, other_state = params, params, state, state
    for rate in (0.5, 0.5, 0.5, 0.25, 0.25):
        g = fnn.grads(network, one, np.eye(2), [0, 1])
        one, one_state = fnn.step(scheduled, one, one_state, g)
        other, other_state = fnn.step(make(rate), other, other_state, g)
        assert fnn.digest(one) == fnn.digest(other)


@attrs.frozen
class Late:
    """A schedule of one's own that fails at the third step."""

    last: float

    def __call__(self, step: int) -> float:
        return 0.0 if step < 2 else self.last


@pytest.mark.parametrize("rate", [-0.1, math.inf, math.nan])
def test_a_schedule_that_returns_no_rate(rate: float) -> None:
    params = fnn.init_params(fnn.mlp(2, 2), seed=0)
    sgd = fnn.SGD(Late(rate))
    params, state = fnn.sgd_step(sgd, params, fnn.sgd_init(sgd, params), params)
    params, state = fnn.sgd_step(sgd, params, state, params)
    message = f"sgd_step: `learning_rate` must return finite numbers of at least 0, got {rate} for step 2."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.sgd_step(sgd, params, state, params)


@pytest.mark.parametrize("at", [(3, 3), (5, 2), (3,), (1, 2, 3), ()])
def test_joints_that_do_not_rise_or_are_too_few_or_many(at: tuple[int, ...]) -> None:
    message = f"Join: `at` must be 2 rising steps, one fewer than `schedules`, got {at}."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.Join((fnn.Constant(1.0),) * 3, at)


def test_lists_are_made_tuples_and_a_joint_is_a_value() -> None:
    joined = fnn.Join([fnn.Constant(1), fnn.Constant(2)], [3])
    assert joined == fnn.Join((fnn.Constant(1.0), fnn.Constant(2.0)), (3,))
    assert hash(joined) == hash(fnn.Join((fnn.Constant(1.0), fnn.Constant(2.0)), (3,)))
    assert fnn.SGD(joined).learning_rate == joined
