"""`ensemble` beside the mean of what its members say, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.test_purity import call_purely

HEADS: dict[str, dict[str, Any]] = {
    "classes": {},
    "yes or no": {"output": "sigmoid", "loss": "binary_cross_entropy"},
    "numbers": {"output": "identity", "loss": "mse"},
}


def test_of_three_by_hand() -> None:
    network = fnn.mlp(1, 2)
    members = [fnn.pack_params(network, [[[0.0, math.log(odds)]], [0.0, 0.0]]) for odds in (1, 3, 9)]
    np.testing.assert_allclose(fnn.ensemble(network, members, [[1.0]]), [[0.85 / 3, 2.15 / 3]], rtol=1e-12)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_it_is_the_mean(head: str, dtype: Any, m: int) -> None:
    network = fnn.mlp(4, 6, 3, **HEADS[head])
    members = [fnn.init_params(network, seed, dtype) for seed in range(m)]
    x = np.random.default_rng(0).standard_normal((7, 4))
    found = call_purely(fnn.ensemble, network, members, x)
    assert found.dtype == dtype
    exact = np.mean([fnn.forward(network, params, x).astype(float) for params in members], axis=0)
    np.testing.assert_allclose(found, exact, rtol=0, atol=4 * float(np.finfo(dtype).eps))
    if head == "classes":
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(fnn.ensemble(network, iter(members), x), found)


def test_of_one_member_thrice_it_is_that_member() -> None:
    network = fnn.mlp(4, 6, 3)
    params, x = fnn.init_params(network, 0), np.random.default_rng(0).standard_normal((7, 4))
    np.testing.assert_array_equal(fnn.ensemble(network, [params] * 3, x), fnn.forward(network, params, x))


def test_together_they_are_better_than_on_average() -> None:
    train, test = fnn.split(fnn.load_digits(), 0.5, seed=0)
    network = fnn.mlp(64, 32, 10, input_scale=1 / 16)
    members = [fnn.fit(network, train, epochs=10, seed=seed).params for seed in range(5)]
    x, y, _ = test.take()
    each = [fnn.evaluate(network, params, test).loss for params in members]
    assert fnn.log_loss(y, fnn.ensemble(network, members, x)) < 0.98 * np.mean(each)  # −log is convex


NETWORK = fnn.mlp(2, 2)
ONE, OTHER = fnn.init_params(NETWORK, 0), fnn.init_params(fnn.mlp(3, 2), 0)


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        ([], ValueError, "ensemble: `members` must have at least one Params, got none."),
        (ONE, TypeError, "ensemble: `members` must be a list of Params, got one alone. "
         "One set of them is asked by `forward`."),
        (3, TypeError, "ensemble: `members` must be a list of Params, got 3. One set of them is asked by `forward`."),
        (np.array(1), TypeError, "ensemble: `members` must be a list of Params, got an array of int64 with shape (). "
         "One set of them is asked by `forward`."),
        ([ONE, None], TypeError, "ensemble, member 1: `params` must be a Params, got None."),
        ([ONE, fnn.init_params(NETWORK, 0, np.float64)], ValueError,
         "ensemble: `members` must be of one dtype, got float32 and float64."),
        ([ONE, OTHER], ValueError, "ensemble, member 1: `params` must be the network's (6 numbers in 1 layers), got "
         "Params(8 float32 numbers in 1 layer). "
         "Make them with `init_params(network, seed)` or `pack_params(network, arrays)`."),
    ],
)  # fmt: skip
def test_what_it_refuses(members: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        fnn.ensemble(NETWORK, members, np.ones((1, 2)))
    assert str(caught.value) == message


def test_an_x_that_is_none_is_its_own() -> None:
    with pytest.raises(ValueError, match=r"^ensemble: `x` must have shape \(n, 2\), got \(2,\)\. One row is"):
        fnn.ensemble(NETWORK, [ONE], np.ones(2))


def test_a_member_that_overflows_is_refused_and_a_mean_does_not() -> None:
    huge = attrs.evolve(ONE, vector=np.full_like(ONE.vector, 3e38))
    with pytest.raises(FloatingPointError, match=r"^ensemble, member 1: the outputs are not finite\."):
        fnn.ensemble(NETWORK, [ONE, huge], np.ones((1, 2)))
    line = fnn.Network(1, (fnn.Dense(1),), "mse")
    most = fnn.pack_params(line, [[[1e308]], [0.0]])
    assert fnn.ensemble(line, [most, most], [[1.0]]).tolist() == [[1e308]]
