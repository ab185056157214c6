"""Initial values: their moments within five standard errors, and what they depend on."""

from __future__ import annotations

import math
from typing import Any, get_args

import attrs
import numpy as np
import pytest
from scipy import stats

import fnn
from fnn.arrays import Floats
from fnn.initializers import INITIALIZERS, Initializer, InitializerName, resolve_initializer
from fnn.randomness import INIT, Address

SHAPE = (300, 700)
N = 300 * 700

# Each with its variance for 300 inputs and 700 units, worked out from the papers.
NORMAL: list[tuple[Initializer, float]] = [
    (fnn.HeNormal(), 2 / 300),  # He et al. 2015, equation 10
    (fnn.GlorotNormal(), 2 / 1000),  # Glorot and Bengio 2010, equation 12
    (fnn.LecunNormal(), 1 / 300),  # LeCun et al. 1998, equation 16
    (fnn.ScaledNormal(0.3), 0.09),
]
UNIFORM: list[tuple[Initializer, float]] = [
    (fnn.HeUniform(), 2 / 300),
    (fnn.GlorotUniform(), 2 / 1000),  # its equation 16: within sqrt(6 / 1000)
    (fnn.LecunUniform(), 1 / 300),
    (fnn.Uniform(-0.3, 0.3), 0.03),
]


def drawn(f: Initializer, seed: int = 1) -> Floats:
    return f.draw(SHAPE, 300, 700, Address(seed, INIT, (0, 0)))


@pytest.mark.parametrize(("f", "variance"), NORMAL, ids=str)
def test_moments_of_the_normal_ones(f: Initializer, variance: float) -> None:
    z = drawn(f).ravel() / math.sqrt(variance)
    # The standard errors of a normal sample's mean, variance, skewness and fourth moment
    assert abs(z.mean()) < 5 / math.sqrt(N)
    assert abs(np.square(z).mean() - 1) < 5 * math.sqrt(2 / N)
    assert abs((z**3).mean()) < 5 * math.sqrt(15 / N)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / N)
    assert np.abs(z).max() > 4  # nothing is truncated: 13 of these numbers are expected there
    assert stats.kstest(z, "norm").pvalue > 1e-4


@pytest.mark.parametrize(("f", "variance"), UNIFORM, ids=str)
def test_moments_of_the_uniform_ones(f: Initializer, variance: float) -> None:
    limit = math.sqrt(3 * variance)
    u = drawn(f).ravel() / limit
    assert abs(u.mean()) < 5 * math.sqrt(1 / 3 / N)
    assert abs(np.square(u).mean() - 1 / 3) < 5 * math.sqrt((1 / 5 - 1 / 9) / N)
    assert np.abs(u).max() <= 1
    assert np.abs(u).max() > 1 - 10 / N  # missed with probability e^-10
    assert stats.kstest(u, stats.uniform(-1, 2).cdf).pvalue > 1e-4


@pytest.mark.parametrize("f", [f for f, _ in NORMAL + UNIFORM], ids=str)
def test_neighbours_are_independent(f: Initializer) -> None:
    w = drawn(f)
    halves = w.ravel()[: N // 2], w.ravel()[N // 2 :]
    for a, b in ((w[1:], w[:-1]), (w[:, 1:], w[:, :-1]), halves, (np.square(halves[0]), np.square(halves[1]))):
        r = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(r) < 5 / math.sqrt(a.size)


def test_zeros() -> None:
    z = fnn.Zeros().draw((2, 3), 2, 3, Address(0, INIT, (0, 0)))
    assert z.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert not fnn.ScaledNormal(0).draw((2, 3), 2, 3, Address(0, INIT, (0, 0))).any()


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        *((name, 2 / 300) for name in ("relu", "leaky_relu", "elu", "gelu", "silu")),
        *((name, 2 / 1000) for name in ("identity", "step", "sigmoid", "tanh", "softplus", "softmax")),
    ],
)
def test_the_default_goes_by_the_activation(name: Any, variance: float) -> None:
    weight = fnn.init_params(fnn.Network(300, (fnn.Dense(700, name),), loss="mse"), seed=3, dtype=np.float64)[0].weight
    assert abs(np.square(weight).mean() / variance - 1) < 5 * math.sqrt(2 / N)
    normal = np.abs(weight).max() > math.sqrt(3 * variance)  # outside a uniform's limit
    assert normal == (variance == 2 / 300)
    network = fnn.Network(300, (fnn.Dense(700, name, "he_normal" if normal else "glorot_uniform"),), loss="mse")
    assert (fnn.init_params(network, seed=3, dtype=np.float64)[0].weight == weight).all()


def test_a_given_initializer_wins_and_biases_have_their_own() -> None:
    layer = fnn.Dense(700, "relu", weight_init="glorot_uniform", bias_init=fnn.ScaledNormal(0.1))
    p = fnn.init_params(fnn.Network(300, (layer,), loss="mse"), seed=0, dtype=np.float64)[0]
    assert np.abs(p.weight).max() <= math.sqrt(6 / 1000)
    assert abs(np.square(p.bias).mean() / 0.01 - 1) < 5 * math.sqrt(2 / 700)
    assert not np.isin(p.bias, p.weight).any()
    same = fnn.Dense(700, "relu", weight_init=fnn.ScaledNormal(0.1), bias_init=fnn.ScaledNormal(0.1))
    p = fnn.init_params(fnn.Network(1, (same,), loss="mse"), seed=0)[0]
    assert not np.isin(p.bias, p.weight).any()  # 700 numbers each, of addresses of their own
    uniform = fnn.Dense(700, bias_init="he_uniform")
    p = fnn.init_params(fnn.Network(300, (uniform,), loss="mse"), seed=0)[0]
    assert 0.9 * math.sqrt(6 / 300) < np.abs(p.bias).max() <= math.sqrt(6 / 300)  # fan_in is the layer's
    assert not fnn.init_params(fnn.mlp(3, 4, 2), seed=0)[1].bias.any()


def test_what_the_numbers_depend_on() -> None:
    network = fnn.mlp(4, 4, 4, 4, activation="identity")
    params = [fnn.init_params(network, seed) for seed in (0, 1, 2**32, 2**32 + 1, 2**64 - 1)]
    weights = np.concatenate([p.weight.ravel() for one in params for p in one])
    assert len(np.unique(weights)) == 5 * 3 * 16  # every seed and every layer has its own
    again = fnn.init_params(network, 0)
    assert again.vector.tobytes() == params[0].vector.tobytes()
    # a layer's numbers stay when others are put after it or changed in width elsewhere
    longer = fnn.init_params(fnn.Network(4, (*network.layers, fnn.Dense(9), fnn.Dense(2)), loss="mse"), 0)
    for i in range(3):
        assert longer[i].weight.tobytes() == again[i].weight.tobytes()


@pytest.mark.parametrize("name", get_args(InitializerName))
def test_float32_is_the_rounding_of_float64(name: Any) -> None:
    network = fnn.Network(20, (fnn.Dense(30, weight_init=name), fnn.BatchNorm()), loss="mse")
    double, single = (fnn.init_params(network, 7, dtype) for dtype in (np.float64, np.float32))
    assert double.dtype == np.float64
    assert single.dtype == np.float32
    assert single.vector.tobytes() == double.vector.astype(np.float32).tobytes()
    if name != "zeros":
        assert len(np.unique(double[0].weight)) == 600
        assert (double[0].weight != single[0].weight).any()


def test_batch_norm_begins_as_the_identity() -> None:
    p = fnn.init_params(fnn.Network(2, (fnn.BatchNorm(),), loss="mse"), seed=0)[0]
    assert [tensor.tolist() for tensor in p] == [[1, 1], [0, 0], [0, 0], [1, 1]]


def test_names_stand_for_records() -> None:
    assert set(get_args(InitializerName)) == set(INITIALIZERS)
    for name in get_args(InitializerName):
        f = resolve_initializer(name)
        assert type(f).__name__.lower() == name.replace("_", "")
        assert f == type(f)()
        assert hash(f) == hash(type(f)())
        assert fnn.Dense(3, weight_init=name, bias_init=name) == fnn.Dense(3, weight_init=f, bias_init=f)
    assert repr(fnn.ScaledNormal(0.1)) == "ScaledNormal(0.1)"
    assert fnn.ScaledNormal(0.1) != fnn.ScaledNormal(0.2)
    with pytest.raises(ValueError, match=r"^ScaledNormal: `std` must be .* at least 0, got -1\.$"):
        fnn.ScaledNormal(-1)
    with pytest.raises(ValueError, match=r"^Dense: `weight_init` .* Did you mean 'he_normal'\?$"):
        fnn.Dense(3, weight_init="he_norml")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Dense: `bias_init` must be one of .* a frozen record with draw, got None"):
        fnn.Dense(3, bias_init=None)  # type: ignore[arg-type]


@attrs.frozen
class Constant:
    value: float

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, at: Address) -> Floats:
        return np.full(shape, self.value + fan_in + 100 * fan_out)


def test_a_users_own_goes_where_a_name_goes() -> None:
    network = fnn.Network(2, (fnn.Dense(3, weight_init=Constant(0.5), bias_init=Constant(0.25)),), loss="mse")
    assert fnn.init_params(network, seed=0).vector.tolist() == [302.5] * 6 + [302.25] * 3
