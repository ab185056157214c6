"""Learning rates against the formula in 60 digits, and where they go."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.decimals import pi


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 60
        yield


def cosine(x: Decimal) -> Decimal:
    """Its power series, for x in 0 ... pi."""
    term, value, k = Decimal(1), Decimal(0), 0
    while abs(term) > Decimal("1e-58"):
        value, k = value + term, k + 2
        term *= -x * x / (k * (k - 1))
    return value


def exact(spec: fnn.Cosine, t: int) -> float:
    """Loshchilov and Hutter 2017, equation 5, after a linear warm-up that has its top at its last step."""
    top, final = Decimal(spec.learning_rate), Decimal(spec.final)
    if t < spec.warmup_steps:
        return float(top * (t + 1) / spec.warmup_steps)
    if t >= spec.steps:
        return spec.final
    turned = pi(60) * (t - spec.warmup_steps) / (spec.steps - spec.warmup_steps)
    return float(final + (top - final) * (1 + cosine(turned)) / 2)


SPECS = [
    fnn.Cosine(0.1, steps=10),
    fnn.Cosine(0.1, steps=10, warmup_steps=9),
    fnn.Cosine(3e-4, steps=7, warmup_steps=2, final=1e-5),
    fnn.Cosine(0.5, steps=1),
    fnn.Cosine(0.5, steps=4, final=0.5),
    fnn.Cosine(1, steps=3),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_cosine(spec: fnn.Cosine) -> None:
    rates = [spec(t) for t in range(spec.steps + 3)]
    np.testing.assert_allclose(rates, [exact(spec, t) for t in range(spec.steps + 3)], rtol=1e-12, atol=0)
    assert rates[spec.steps :] == [spec.final] * 3
    warm, rest = rates[: spec.warmup_steps], rates[spec.warmup_steps :]
    assert warm == sorted(warm)
    assert rest == sorted(rest, reverse=True)
    assert max(rates) == pytest.approx(spec.learning_rate, rel=1e-15)


def test_cosine_by_hand() -> None:
    # cos 0, 60, 90, 120 and 180 degrees are 1, 1/2, 0, -1/2 and -1
    spec = fnn.Cosine(8.0, steps=8, warmup_steps=2)
    assert [round(spec(t), 12) for t in (0, 1, 2, 4, 5, 6, 8)] == [4, 8, 8, 6, 4, 2, 0]


@pytest.mark.parametrize(
    "t",
    [
        *(0, 1, 999, 1000, 1001, 500_500, 900_000),
        *(pytest.param(t) for t in (999_000, 999_990, 999_999)),
    ],
)
def test_a_long_cosine_is_exact_to_its_last_step(t: int) -> None:
    spec = fnn.Cosine(0.1, steps=1_000_000, warmup_steps=1000)
    assert spec(t) == pytest.approx(exact(spec, t), rel=1e-12, abs=0)


def test_constant() -> None:
    assert [fnn.Constant(0.25)(t) for t in (0, 1, 10**9)] == [0.25] * 3
    assert fnn.Constant(0)(5) == 0


def test_they_are_values() -> None:
    specs: list[fnn.Schedule] = [*SPECS, fnn.Constant(0.1)]
    for spec in specs:
        again = pickle.loads(pickle.dumps(spec))
        assert spec == again
        assert hash(spec) == hash(again)
    assert fnn.Cosine(0.1, 10) != fnn.Cosine(0.1, 11)
    assert repr(fnn.Cosine(0.1, 10)) == "Cosine(0.1, 10)"
    assert type(fnn.Cosine(np.float32(0.5), np.int64(10)).steps) is int  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "`steps` must be an integer of at least 1, got 0"),
        ({"warmup_steps": -1}, "`warmup_steps` must be an integer of at least 0, got -1"),
        ({"warmup_steps": 10}, "`warmup_steps` must be below `steps`, which is 10, got 10"),
        ({"final": 0.2}, "`final` must be at most `learning_rate`, which is 0.1, got 0.2"),
        ({"final": -0.1}, "`final` must be .* of at least 0, got -0.1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be .* of at least 0, got nan"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be .* of at least 0, got inf"),
    ],
)
def test_settings_out_of_range_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Cosine: {message}\\.$"):
        fnn.Cosine(**{"learning_rate": 0.1, "steps": 10} | fields)
    with pytest.raises(TypeError, match=r"^Cosine: `steps` must be an integer of at least 1, got 10\.0\.$"):
        fnn.Cosine(0.1, steps=10.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^Constant: `learning_rate` must be .* of at least 0, got -1\.$"):
        fnn.Constant(-1)


@attrs.frozen
class Stairs:
    rates: tuple[float, ...]

    def __call__(self, step: int) -> float:
        assert type(step) is int
        return self.rates[step]


@dataclass(frozen=True)
class Halving:
    def __call__(self, step: int) -> float:
        return 0.5 ** (step + 1)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Stairs((0.5, 0.0, 2.0)), [0.5, 0.0, 2.0]),
        (Halving(), [0.5, 0.25, 0.125]),
        (fnn.Cosine(1.0, steps=2, warmup_steps=1), [1.0, 1.0, 0.0]),
        (fnn.Constant(0.25), [0.25] * 3),
        (0.25, [0.25] * 3),
    ],
)
def test_the_first_step_asks_for_0(schedule: Any, rates: list[float]) -> None:
    network = fnn.Network(1, (fnn.Dense(1),), loss="mse")
    params = fnn.pack_params(network, [[[8.0]], [8.0]])
    g = attrs.evolve(params, vector=np.array([1.0, -1.0]))
    sgd = fnn.SGD(schedule)
    state = fnn.sgd_init(sgd, params)
    moved = 0.0
    for rate in rates:
        params, state = fnn.sgd_step(sgd, params, state, g)
        moved += rate
        assert params.vector.tolist() == [8 - moved, 8 + moved]


def test_what_is_no_schedule_is_refused() -> None:
    for wrong in (lambda step: 0.1, Stairs, "0.1", None, [0.1]):
        with pytest.raises(TypeError, match=r"^SGD: `learning_rate` must be .* a frozen record with __call"):
            fnn.SGD(wrong)  # type: ignore[arg-type]
