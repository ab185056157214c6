"""Averages of parameters: against the weighted mean in exact arithmetic, and folded over runs."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

NETWORK = fnn.Network(2, (fnn.Dense(2, "tanh"), fnn.BatchNorm(), fnn.Dense(2, "softmax")), loss="cross_entropy")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 2))
DATA = fnn.Dataset(X, (X[:, 0] > X[:, 1]).astype(int))


def _sequence(n: int, dtype: Any = np.float64) -> list[fnn.Params]:
    """Parameters of all sizes, and running statistics."""
    rng = np.random.default_rng(1)
    layout = NETWORK.layout
    vectors = rng.standard_normal((n, layout.size)) * 10.0 ** rng.integers(-3, 4, layout.size)
    running = rng.uniform(0, 9, (n, layout.running_size))
    return [fnn.Params(layout, v.astype(dtype), r) for v, r in zip(vectors, running, strict=True)]


def _fold(average: fnn.Average, sequence: list[fnn.Params]) -> fnn.AverageState:
    state = fnn.average_init(average, sequence[0])
    for params in sequence[1:]:
        state = fnn.average_step(average, state, params)
    return state


def _definition(decay: float, numbers: list[float]) -> float:
    """Σ decayⁿ⁻ⁱ θᵢ / Σ decayⁿ⁻ⁱ, rounded once, at the end."""
    top, bottom = Fraction(0), Fraction(0)
    for number in numbers:
        top, bottom = top * Fraction(decay) + Fraction(number), bottom * Fraction(decay) + 1
    return float(top / bottom)


@pytest.mark.parametrize(("decay", "n"), [(d, n) for d in (1.0, 0.5) for n in (1, 2, 3, 10, 1000)] + [(0.9999, 100)])
def test_it_is_the_weighted_mean_of_the_definition(decay: float, n: int) -> None:
    sequence = _sequence(n)
    state = _fold(fnn.Average(decay), sequence)
    assert state.count == n
    for mean, name in ((state.vector, "vector"), (state.running, "running")):
        assert np.array_equal(mean, getattr(state.params, name))
        columns = np.array([getattr(params, name) for params in sequence]).T
        for got, column in zip(mean.tolist(), columns.tolist(), strict=True):
            largest = max(map(abs, column))
            assert abs(got - _definition(decay, column)) <= 1e-12 * largest


@pytest.mark.parametrize("decay", [0.9999, 0.999999999, 1 - 2**-53])
def test_a_thousand_weights_near_1_in_exact_arithmetic(decay: float) -> None:
    numbers = np.random.default_rng(3).standard_normal(1000).tolist()
    network = fnn.mlp(1, 1, output="identity", loss="mse")
    state = _fold(fnn.Average(decay), [fnn.pack_params(network, [[[number]], [0.0]]) for number in numbers])
    # The integer over 2⁵³ that the decay is; top and bottom over the same power of 2, which cancels
    d, one = int(Fraction(decay) * 2**53), 2**53
    top = bottom = 0
    for k, number in enumerate(numbers):
        top, bottom = top * d + int(Fraction(number) * 2**80) * one**k, bottom * d + one**k
    exact = float(Fraction(top, bottom) / 2**80)
    assert abs(state.vector[0] - exact) <= 1e-12 * max(map(abs, numbers))


def test_a_decay_of_1_is_the_plain_mean() -> None:
    sequence = _sequence(37, np.float32)
    state = _fold(fnn.Average(1.0), sequence)
    for name in ("vector", "running"):
        each = np.array([getattr(params, name) for params in sequence], np.float64)
        np.testing.assert_allclose(getattr(state, name), np.mean(each, axis=0), rtol=1e-12, atol=1e-12)
        assert np.array_equal(getattr(state.params, name), getattr(state, name).astype(np.float32))
    assert state.params.dtype == np.float32
    assert {str(array.dtype) for array in (state.vector, state.running)} == {"float64"}


def test_equal_parameters_are_their_average() -> None:
    for decay in (1.0, 0.9, 1e-300):
        for dtype in (np.float32, np.float64):
            [params] = _sequence(1, dtype)
            assert fnn.digest(_fold(fnn.Average(decay), [params] * 50).params) == fnn.digest(params)


def test_a_decay_of_next_to_0_is_the_last() -> None:
    sequence = _sequence(9)
    state = _fold(fnn.Average(1e-300), sequence)
    np.testing.assert_allclose(state.vector, sequence[-1].vector, rtol=1e-15, atol=1e-12)


def test_shares_below_float32_resolution_are_not_lost() -> None:
    network = fnn.mlp(1, 1, output="identity", loss="mse")
    first, last = (fnn.pack_params(network, [[[v]], [-v]], np.float32) for v in (1.0, 1.001))
    decay = 1 - 1e-6  # so a step is of 1e-9, a sixtieth of what moves a float32 at 1
    average = fnn.Average(decay)
    state = attrs.evolve(fnn.average_init(average, first), count=10**9)  # its beginning is forgotten
    for _ in range(1000):
        state = fnn.average_step(average, state, last)
    moved = (float(last.vector[0]) - 1) * (1 - decay**1000)
    np.testing.assert_allclose(state.vector, [1 + moved, -1 - moved], rtol=1e-13)
    assert state.params.vector[0] == np.float32(1 + moved) > 1


def test_it_folds_over_the_steps_of_a_run() -> None:
    average = fnn.Average(0.9)
    settings: dict[str, Any] = {"optimizer": fnn.SGD(0.5), "batch_size": 8, "seed": 2}
    run = fnn.start(NETWORK, **settings)
    state, seen = fnn.average_init(average, run.params), [run.params]
    for run in islice(fnn.train(NETWORK, DATA, every="step", **settings), 12):
        state = fnn.average_step(average, state, run.params)
        seen.append(run.params)
    assert (state.count, run.epoch, run.batch) == (13, 2, 2)
    weights = 0.9 ** np.arange(12, -1, -1)
    for name in ("vector", "running"):
        expected = np.average([getattr(p, name).astype(float) for p in seen], axis=0, weights=weights)
        np.testing.assert_allclose(getattr(state.params, name), expected, rtol=1e-6)
    assert np.array_equal(state.latest.vector, run.params.vector)
    assert np.ptp([p.running for p in seen], axis=0).min() > 0.01


def test_it_folds_over_the_epochs_of_fit_and_changes_nothing_in_it() -> None:
    average, seen, states = fnn.Average(1.0), list[fnn.Params](), list[fnn.AverageState]()

    def remember(run: fnn.TrainState) -> None:
        seen.append(run.params)
        states.append(
            fnn.average_step(average, states[-1], run.params) if states else fnn.average_init(average, run.params)
        )

    settings: dict[str, Any] = {"optimizer": fnn.Momentum(0.5), "batch_size": 8}
    run = fnn.fit(NETWORK, DATA, epochs=6, on_epoch=remember, **settings)
    assert fnn.digest(run) == fnn.digest(fnn.fit(NETWORK, DATA, epochs=6, **settings))
    assert [state.count for state in states] == [1, 2, 3, 4, 5, 6]
    for n, state in enumerate(states, start=1):
        expected = np.mean([p.vector.astype(float) for p in seen[:n]], axis=0)
        np.testing.assert_allclose(state.vector, expected, rtol=1e-12, atol=1e-15)
    result = fnn.evaluate(NETWORK, states[-1].params, DATA)
    assert result.loss == pytest.approx(fnn.loss(NETWORK, states[-1].params, DATA.x, DATA.y), rel=1e-6)
    assert result.accuracy > 0.9  # type: ignore[operator]
    assert fnn.predict(NETWORK, states[-1].params, X).shape == (40,)


def test_going_on_with_a_stored_average_is_the_same() -> None:
    average, sequence = fnn.Average(0.7), _sequence(9, np.float32)
    half = _fold(average, sequence[:4])
    again = pickle.loads(pickle.dumps((average, half)))
    for params in sequence[4:]:
        half = fnn.average_step(average, half, params)
        again = (again[0], fnn.average_step(again[0], again[1], params))
    assert fnn.digest(half) == fnn.digest(again[1]) == fnn.digest(_fold(average, sequence))


def test_it_is_pure_and_its_arrays_are_sealed() -> None:
    average, sequence = fnn.Average(0.5), _sequence(3, np.float32)
    before = [fnn.digest(params) for params in sequence]
    first = fnn.average_init(average, sequence[0])
    held = fnn.digest(first)
    second = fnn.average_step(average, first, sequence[1])
    assert fnn.digest(fnn.average_step(average, first, sequence[1])) == fnn.digest(second)
    assert fnn.digest(first) == held != fnn.digest(second)
    assert [fnn.digest(params) for params in sequence] == before
    assert first.params.vector.tolist() == sequence[0].vector.tolist()  # which was made before, and stays
    for state in (first, second, pickle.loads(pickle.dumps(second)), copy.deepcopy(second), copy.copy(second)):
        for array in (state.vector, state.running, state.latest.vector, state.params.vector, state.params.running):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
    for again in (pickle.loads(pickle.dumps(second)), copy.deepcopy(second)):
        assert fnn.digest(again) == fnn.digest(second)
        assert fnn.digest(again.params) == fnn.digest(second.params)
    for name in ("vector", "running"):
        moved = getattr(second, name).copy()
        moved[-1] += 1
        assert fnn.digest(attrs.evolve(second, **{name: moved})) != fnn.digest(second)
    assert fnn.digest(attrs.evolve(second, count=3)) != fnn.digest(second)


def test_a_spec_is_a_value() -> None:
    assert fnn.Average(1) == fnn.Average(1.0)
    assert hash(fnn.Average(np.float64(0.5))) == hash(fnn.Average(0.5))
    assert fnn.from_dict(fnn.to_dict(fnn.Average(0.5))) == fnn.Average(0.5)


@pytest.mark.parametrize("decay", [0.0, -0.1, 1.1, float("nan")])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=rf"^Average: `decay` must be a number in \(0, 1\], got {decay}\.$"):
        fnn.Average(decay)
    with pytest.raises(TypeError, match=r"^Average: `decay` must be a number in \(0, 1\], got '0\.9'\.$"):
        fnn.Average("0.9")  # type: ignore[arg-type]


def test_parts_that_do_not_fit_are_refused() -> None:
    average, [params] = fnn.Average(0.5), _sequence(1)
    state = fnn.average_init(average, params)
    cases: list[tuple[Any, tuple[Any, Any] | tuple[Any, Any, Any], str]] = [
        (fnn.average_init, (0.5, params), "average_init: `average` must be an Average, got a float."),
        (fnn.average_init, (average, params.vector), "average_init: `params` must be a Params, got an ndarray."),
        (fnn.average_step, (fnn.Adam(), state, params), "average_step: `average` must be an Average, got an Adam."),
        (fnn.average_step, (average, params, params), "average_step: `state` must be an AverageState, got a Params."),
        (fnn.average_step, (average, state, state), "average_step: `params` must be a Params, got an AverageState."),
    ]
    for function, given, message in cases:
        with pytest.raises(TypeError) as caught:
            function(*given)
        assert str(caught.value) == message


def test_the_parameters_of_two_networks_have_no_average() -> None:
    average, [params] = fnn.Average(0.5), _sequence(1)
    state = fnn.average_init(average, params)
    rule = "average_step: `params` must be like those that are averaged, Params(16 float64 numbers in 3 layers), got "
    other = fnn.init_params(fnn.mlp(2, 3, 2), seed=0, dtype=np.float64)
    for given, got in [
        (other, "Params(17 float64 numbers in 2 layers)."),
        (_sequence(1, np.float32)[0], "Params(16 float32 numbers in 3 layers)."),
    ]:
        with pytest.raises(ValueError, match=r"^average_step: ") as caught:
            fnn.average_step(average, state, given)
        assert str(caught.value) == rule + got
    again = pickle.loads(pickle.dumps(params))  # another layout, which is equal
    assert fnn.average_step(average, state, again).count == 2
