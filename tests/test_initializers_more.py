"""Bounded, truncated and orthogonal initial values: their distributions, bounds and algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import fnn
from fnn.arrays import Floats
from fnn.randomness import INIT, Address, normal
from tests.stand_ins import exactly

N = 200_000


def drawn(f: Any, shape: tuple[int, ...], seed: int = 1) -> Floats:
    values: Floats = f.draw(shape, shape[0], shape[-1], Address(seed, INIT, (0, 0)))
    assert values.shape == shape
    assert values.dtype == np.float64
    return values


def near(sample: Floats, law: Any) -> None:
    """The sample's mean and variance are the law's within five standard errors, and so is its distribution."""
    mean, variance, skewness, kurtosis = (float(moment) for moment in law.stats("mvsk"))
    assert skewness == pytest.approx(0, abs=1e-12)
    assert abs(sample.mean() - mean) < 5 * math.sqrt(variance / sample.size)
    error = variance * math.sqrt((kurtosis + 2) / sample.size)  # the fourth central moment less the variance squared
    assert abs(np.square(sample - mean).mean() - variance) < 5 * error
    assert stats.kstest(sample.ravel(), law.cdf).pvalue > 1e-4


# Uniform.


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.25), (0.1, 0.3), (-7.0, -2.0), (0.0, 1e-8), (1e6, 1e6 + 1)])
def test_uniform(low: float, high: float) -> None:
    values = drawn(fnn.Uniform(low, high), (N // 100, 100))
    near(values, stats.uniform(low, high - low))
    assert low <= values.min()
    assert values.max() <= high
    slack = (high - low) * 10 / N  # missed with probability e^-10, on either side
    assert values.min() < low + slack
    assert values.max() > high - slack


@given(st.floats(-1e3, 1e3), st.floats(0, 1e3), st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_uniforms_bounds_are_never_left(low: float, width: float, seed: int) -> None:
    values = drawn(fnn.Uniform(low, low + width), (20, 5), seed)
    assert low <= values.min()
    assert values.max() <= low + width


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_uniform_between_a_number_and_itself_is_that_number(value: float) -> None:
    assert (drawn(fnn.Uniform(value, value), (4, 3)) == value).all()


# The truncated normal.


@pytest.mark.parametrize("std", [1.0, 0.02, 1e6])
def test_truncated_normal(std: float) -> None:
    values = drawn(fnn.TruncatedNormal(std), (N // 100, 100))
    near(values, stats.truncnorm(-2, 2, scale=std))
    assert values.std() / std == pytest.approx(0.8796, rel=5e-3)
    assert 1.99 * std < np.abs(values).max() <= 2 * std
    assert values.min() < -1.99 * std


@given(st.floats(0, 1e6), st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_truncated_normals_bounds_are_never_left(std: float, seed: int) -> None:
    assert np.abs(drawn(fnn.TruncatedNormal(std), (50, 4), seed)).max() <= 2 * std


def test_the_edges_of_the_uniform_numbers_are_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = np.array([0.0, 0.5, 1 - 2.0**-53])
    monkeypatch.setattr("fnn.initializers.uniform", lambda at, n: edges)
    assert drawn(fnn.TruncatedNormal(3.0), (3, 1)).ravel() == pytest.approx([-6, 0, 6], abs=1e-13)
    assert np.abs(drawn(fnn.TruncatedNormal(3.0), (3, 1))).max() <= 6 + 1e-14
    assert drawn(fnn.Uniform(-1.0, 3.0), (3, 1)).ravel() == pytest.approx([-1, 1, 3])


# Orthogonal.

SHAPES = [(1, 1), (2, 2), (16, 16), (40, 7), (7, 40), (300, 1), (1, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2), 0.1, 0.0])
def test_orthogonal(shape: tuple[int, int], gain: float) -> None:
    for seed in range(5):
        w = drawn(fnn.Orthogonal(gain), shape, seed)
        gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
        np.testing.assert_allclose(gram, gain**2 * np.eye(min(shape)), rtol=0, atol=1e-13)


def test_an_orthogonal_layer_keeps_lengths() -> None:
    network = fnn.Network(9, (fnn.Dense(9, weight_init="orthogonal"),), loss="mse")
    x = np.random.default_rng(0).standard_normal((20, 9))
    out = fnn.forward(network, fnn.init_params(network, seed=0, dtype=np.float64), x)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), np.linalg.norm(x, axis=1), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_both_determinants_are_as_likely(n: int) -> None:
    signs = [np.linalg.det(drawn(fnn.Orthogonal(), (n, n), seed)) for seed in range(400)]
    assert np.abs(signs) == pytest.approx(1)
    assert abs(np.mean(signs)) < 5 / math.sqrt(400)


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_orthogonal_matrices_are_uniform(shape: tuple[int, int]) -> None:
    """Haar: each entry is a coordinate of a uniform point on a sphere, whose square is Beta(1/2, (n - 1) / 2)."""
    n, seeds = max(shape), 3000
    w = np.array([drawn(fnn.Orthogonal(), shape, seed) for seed in range(seeds)])
    variance = 1 / n
    assert (np.abs(w.mean(axis=0)) < 5 * math.sqrt(variance / seeds)).all()
    fourth = 3 / (n * (n + 2))
    assert (np.abs(np.square(w).mean(axis=0) - variance) < 5 * math.sqrt((fourth - variance**2) / seeds)).all()
    for i, j in np.ndindex(shape):
        assert stats.kstest(np.square(w[:, i, j]), stats.beta(0.5, (n - 1) / 2).cdf).pvalue > 1e-4
    # what is uniform stays so when it is turned: the trace of Q R is that of Q
    if shape == (3, 3):
        angle = 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        traces, turned = np.trace(w[: seeds // 2], axis1=1, axis2=2), np.trace(w[seeds // 2 :] @ turn, axis1=1, axis2=2)
        assert stats.ks_2samp(traces, turned).pvalue > 1e-4
        assert abs(np.square(traces).mean() - 1) < 5 * math.sqrt(2 / (seeds / 2))  # E tr² = 1, and E tr⁴ = 3


def test_orthogonal_is_the_q_of_a_normal_matrix_whose_r_has_a_diagonal_above_0() -> None:
    at = Address(7, INIT, (0, 0))
    a = normal(at, 15).reshape(5, 3)
    for q in (fnn.Orthogonal().draw((5, 3), 5, 3, at), fnn.Orthogonal().draw((3, 5), 3, 5, at).T):
        r = q.T @ a
        np.testing.assert_allclose(q @ np.triu(r), a, rtol=0, atol=1e-14)
        assert (np.diag(r) > 0).all()


def test_orthogonal_is_no_bias() -> None:
    network = fnn.Network(3, (fnn.Dense(3, bias_init="orthogonal"),), loss="mse")
    with pytest.raises(ValueError, match=exactly("Orthogonal: `shape` must be that of a weight, got (3,).")):
        fnn.init_params(network, seed=0)


# All.

NEW = [fnn.LecunNormal(), fnn.LecunUniform(), fnn.Uniform(-1.0, 2.0), fnn.TruncatedNormal(0.1), fnn.Orthogonal()]


@pytest.mark.parametrize("f", NEW, ids=str)
def test_what_the_numbers_depend_on(f: Any) -> None:
    network = fnn.Network(4, (fnn.Dense(4, weight_init=f),) * 3, loss="mse")
    params = [fnn.init_params(network, seed) for seed in (0, 1, 2**32, 2**64 - 1)]
    weights = np.concatenate([p.weight.ravel() for one in params for p in one])
    assert len(np.unique(weights)) == 4 * 3 * 16  # every seed and every layer has its own
    longer = fnn.init_params(fnn.Network(4, (*network.layers, fnn.Dense(9), fnn.Dense(2)), loss="mse"), 0)
    for i in range(3):
        assert longer[i].weight.tobytes() == params[0][i].weight.tobytes()
        assert not params[0][i].bias.any()


def test_the_fans_of_lecun() -> None:
    for f in (fnn.LecunNormal(), fnn.LecunUniform()):
        near_one = [f.draw((N,), fan_in, 3, Address(0, INIT, (0, 0))).std() * math.sqrt(fan_in) for fan_in in (1, 25)]
        assert near_one == pytest.approx([1, 1], rel=0.01)
    assert np.abs(drawn(fnn.LecunUniform(), (75, N // 75))).max() <= 0.2  # sqrt(3 / 75)
