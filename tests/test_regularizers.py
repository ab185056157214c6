"""Penalties, projection and clipping, in exact fractions and 60-digit square roots."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import ArrayLike

import fnn
from fnn.arrays import Floats
from fnn.kernels import add_penalty
from fnn.regularizers import clip, max_norm, penalty

WEIGHT = np.array([[0.1, -2.5, 0.0], [1e-8, 300.0, -0.7]])


def length(numbers: Any) -> float:
    with localcontext() as context:
        context.prec = 60
        return float(sum((Decimal(float(v)) ** 2 for v in numbers), Decimal(0)).sqrt())


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (1e-4, 1e-2)])
def test_penalty(l1: float, l2: float) -> None:
    # Goodfellow, Bengio and Courville 2016, equations 7.2 (with its half) and 7.18
    terms = (Fraction(l1) * abs(Fraction(w)) + Fraction(l2) / 2 * Fraction(w) ** 2 for w in WEIGHT.ravel().tolist())
    want = float(sum(terms))
    assert penalty(WEIGHT, l1, l2) == pytest.approx(want, rel=1e-14, abs=0)
    single = penalty(WEIGHT.astype(np.float32), l1, l2)
    assert type(single) is float
    assert single == pytest.approx(want, rel=1e-6, abs=0)
    g, given = np.full_like(WEIGHT, 0.5), WEIGHT.copy()
    add_penalty(g, given, l1, l2)
    slope = [Fraction(l1) * ((w > 0) - (w < 0)) + Fraction(l2) * Fraction(w) for w in WEIGHT.ravel().tolist()]
    np.testing.assert_allclose(g.ravel(), [float(Fraction(1, 2) + s) for s in slope], rtol=1e-15)
    assert (given == WEIGHT).all()


def test_a_float32_penalty_is_summed_in_float64() -> None:
    many = np.full((4096, 4096), 0.1, np.float32)
    assert penalty(many, 1.0, 0.0) == pytest.approx(4096**2 * float(np.float32(0.1)), rel=1e-12)
    assert penalty(many, 0.0, 2.0) == pytest.approx(4096**2 * float(np.float32(0.1)) ** 2, rel=1e-7)


def test_penalties_are_of_the_weights_and_in_the_objective() -> None:
    layers = (fnn.Dense(2, l1=0.5), fnn.BatchNorm(), fnn.Dense(1, l2=3.0), fnn.Dense(1))
    network = fnn.Network(1, layers, loss="mse")
    numbers: list[ArrayLike] = [
        [[2.0, -3.0]],
        [7.0, 7.0],
        [1.0] * 2,
        [0.0] * 2,
        [0.0] * 2,
        [1.0] * 2,
        [[1.0], [-2.0]],
        [9.0],
        [[4.0]],
        [5.0],
    ]
    params = fnn.pack_params(network, numbers)
    bare = attrs.evolve(network, layers=(fnn.Dense(2), fnn.BatchNorm(), fnn.Dense(1), fnn.Dense(1)))
    x, y = [[0.3], [-1.0]], [0.5, 2.0]
    # 0.5 * (2 + 3) + 3 / 2 * (1 + 4)
    assert fnn.loss(network, params, x, y) - fnn.loss(bare, params, x, y) == pytest.approx(10.0, rel=1e-13)
    more = fnn.grads(network, params, x, y).vector - fnn.grads(bare, params, x, y).vector
    want = [0.5, -0.5, 0, 0, 0, 0, 0, 0, 3.0, -6.0, 0, 0, 0]
    np.testing.assert_allclose(more, want, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_norm(dtype: Any) -> None:
    weight = np.array([[3.0, 0.3, 0.0, -6.0, 1.0], [4.0, 0.4, 0.0, 8.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]], dtype)
    weight.flags.writeable = False
    got = max_norm(weight, 1.0)
    want = [[0.6, 0.3, 0.0, -0.6, 1.0], [0.8, 0.4, 0.0, 0.8, 0.0], [0.0] * 5]
    np.testing.assert_allclose(got, np.array(want, dtype), rtol=4 * float(np.finfo(dtype).eps))
    assert got.dtype == dtype
    assert (got[:, [1, 2, 4]] == weight[:, [1, 2, 4]]).all()  # within the limit nothing changes, to the bit


def test_max_norm_of_many() -> None:
    weight = np.random.default_rng(0).standard_normal((200, 30)) * np.linspace(0.01, 2, 30)
    got = max_norm(weight, 3.0)
    for before, after in zip(weight.T, got.T, strict=True):
        factor = min(1.0, 3.0 / length(before))
        np.testing.assert_allclose(after, before * factor, rtol=1e-14)
    assert (np.linalg.norm(got, axis=0) <= 3.0 * (1 + 1e-14)).all()


def test_project_is_max_norm_of_the_layers_that_want_it() -> None:
    layers = (fnn.Dense(2, max_norm=1.0), fnn.Dropout(0.5), fnn.Dense(1))
    network = fnn.Network(2, layers, loss="mse")
    params = fnn.pack_params(network, [[[3.0, 0.3], [4.0, 0.4]], [50.0, -50.0], [[30.0], [40.0]], [5.0]])
    projected = fnn.project(network, params)
    np.testing.assert_allclose(projected.vector, [0.6, 0.3, 0.8, 0.4, 50, -50, 30, 40, 5], rtol=1e-15)
    assert params[0].weight.tolist() == [[3.0, 0.3], [4.0, 0.4]]
    free = fnn.Network(2, (fnn.Dense(2), fnn.Dense(1)), loss="mse")
    given = fnn.init_params(free, 0)
    assert fnn.project(free, given) is given


@pytest.mark.parametrize(
    ("value", "norm", "want"),
    [
        (None, None, [3.0, -4.0, 12.0]),
        (4.0, None, [3.0, -4.0, 4.0]),
        (3.5, None, [3.0, -3.5, 3.5]),
        (None, 13.0, [3.0, -4.0, 12.0]),
        (None, 1.0, [3 / 13, -4 / 13, 12 / 13]),
        (None, 6.5, [1.5, -2.0, 6.0]),
        (3.0, 3.0, [3**0.5, -(3**0.5), 3**0.5]),  # each number first, and then the whole
        (0.1, 100.0, [0.1, -0.1, 0.1]),
    ],
)
def test_clip(value: float | None, norm: float | None, want: list[float]) -> None:
    for dtype in (np.float32, np.float64):
        g: Floats = np.array([3.0, -4.0, 12.0], dtype)
        g.flags.writeable = False
        got = clip(g, value, norm)
        assert got.dtype == dtype
        assert got.tolist() == pytest.approx(want, rel=4 * float(np.finfo(dtype).eps))


def test_clip_of_many() -> None:
    g = np.random.default_rng(1).standard_normal(10_000)
    np.testing.assert_allclose(clip(g, None, 5.0), g * (5.0 / length(g)), rtol=1e-13)
    assert not clip(np.zeros(3), None, 1.0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_whose_squares_overflow(dtype: Any) -> None:
    scale = 1e30 if dtype is np.float32 else 1e200
    huge: Floats = np.array([3 * scale, -4 * scale], dtype)
    for got in (clip(huge, None, 1.0), max_norm(huge[:, None], 1.0)[:, 0]):
        assert got.tolist() == pytest.approx([0.6, -0.8], rel=4 * float(np.finfo(dtype).eps))
    beside = max_norm(np.array([[3 * scale, 0.3], [4 * scale, 0.4]], dtype), 1.0)
    assert beside[:, 1].tolist() == np.array([0.3, 0.4], dtype).tolist()


def test_the_optimizer_clips_what_it_is_given() -> None:
    network = fnn.Network(1, (fnn.Dense(1),), loss="mse")
    params = fnn.pack_params(network, [[[0.0]], [0.0]])
    g = attrs.evolve(params, vector=np.array([3.0, -8.0]))
    for sgd, want in (
        (fnn.SGD(1.0, clip_value=4.0), [-3.0, 4.0]),
        (fnn.SGD(1.0, clip_value=4.0, clip_norm=1.0), [-0.6, 0.8]),
        (fnn.SGD(1.0, clip_norm=100.0), [-3.0, 8.0]),
    ):
        stepped, _ = fnn.step(sgd, params, fnn.init(sgd, params), g)
        np.testing.assert_allclose(stepped.vector, want, rtol=1e-15)
