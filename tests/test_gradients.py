"""Gradients against an independent autodiff, for every activation with every loss it is defined for."""

from __future__ import annotations

from typing import Any, get_args

import attrs
import numpy as np
import pytest

import fnn
from fnn.activations import ActivationName
from fnn.losses import LossName
from tests import own, reference

HIDDEN: dict[str, Any] = {name: name for name in get_args(ActivationName)} | {"squareplus": own.Squareplus()}
OUTPUT = HIDDEN | {"own_softmax": own.OwnSoftmax(), "own_sigmoid": own.OwnSigmoid(), "own_exp": own.OwnExp()}
LOSS: dict[str, Any] = {name: name for name in get_args(LossName)} | {"quartic": own.Quartic()}
LOSS |= {"summed_binary_cross_entropy": fnn.BinaryCrossEntropy(summed=True)}
OF_SOME = ("cross_entropy", "binary_cross_entropy", "summed_binary_cross_entropy", "poisson")
KEY = fnn.Key(seed=3, epoch=2, batch=5)
N, OUTPUTS = 9, 3

PAIRS = [
    *[(hidden, "identity", "mse") for hidden in HIDDEN],
    *[(hidden, "softmax", "cross_entropy") for hidden in HIDDEN],
    *[("tanh", out, loss) for out in OUTPUT for loss in LOSS if loss not in OF_SOME],
    ("tanh", "own_softmax", "cross_entropy"),
    ("tanh", "sigmoid", "binary_cross_entropy"),
    ("tanh", "own_sigmoid", "binary_cross_entropy"),
    ("tanh", "sigmoid", "summed_binary_cross_entropy"),
    ("tanh", "own_sigmoid", "summed_binary_cross_entropy"),
    ("tanh", "exp", "poisson"),
    ("tanh", "own_exp", "poisson"),
]


def _case(hidden: str, out: str, loss: str) -> tuple[fnn.Network, list[str], fnn.Params]:
    layers = (
        fnn.Dropout(0.2),
        fnn.Dense(6, HIDDEN[hidden], l1=0.01, l2=0.03),
        fnn.BatchNorm(HIDDEN[hidden]),
        fnn.Dropout(0.4),
        fnn.Dense(5, HIDDEN[hidden], bias_init=fnn.ScaledNormal(0.3)),
        fnn.LayerNorm(HIDDEN[hidden]),
        fnn.BatchNorm(),
        fnn.GaussianNoise(0.3, HIDDEN[hidden]),
        fnn.Dense(OUTPUTS, OUTPUT[out], l2=0.1),
    )
    network = fnn.Network(4, layers, loss=LOSS[loss], input_scale=0.7)
    params = fnn.init_params(network, seed=1, dtype=np.float64)
    rng = np.random.default_rng(5)
    vector = params.vector + 0.2 * rng.standard_normal(len(params.vector))
    params = attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))
    return network, ["identity", hidden, hidden, "identity", hidden, hidden, "identity", hidden, out], params


def _targets(loss: str, form: str = "shares") -> tuple[Any, Any]:
    """The targets for the library and for the reference."""
    rng = np.random.default_rng(6)
    if loss == "cross_entropy" and form == "labels":
        labels = rng.integers(0, OUTPUTS, N)
        return labels, np.eye(OUTPUTS)[labels]
    if loss == "poisson":  # some of them 0
        counts = rng.poisson(1.5, (N, OUTPUTS))
        return counts, counts.astype(float)
    y = rng.dirichlet(np.ones(OUTPUTS), N) if loss == "cross_entropy" else rng.uniform(0, 1, (N, OUTPUTS))
    return y, y


def _assert_same(network: fnn.Network, names: list[str], loss: str, params: fnn.Params, form: str, **more: Any) -> None:
    x = np.random.default_rng(7).standard_normal((N, 4))
    y, dense_y = _targets(loss, form)
    value = reference.objective(network, names, loss, params, x, dense_y, more.get("sample_weight"), more.get("key"))
    arrays = reference.tensors(network, params)
    mine, g = fnn.loss_and_grads(network, params, x, y, **more)
    assert mine == pytest.approx(float(value(arrays)), rel=1e-12)
    assert fnn.loss(network, params, x, y, **more) == mine
    assert np.array_equal(fnn.grads(network, params, x, y, **more).vector, g.vector)
    expected = reference.gradient(value, arrays)
    for got, want in zip(reference.parts(g), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * max(np.abs(want).max(), 1e-3))
    assert any(np.abs(want).max() > 1e-3 for want in expected)


@pytest.mark.filterwarnings("ignore:Output seems independent:UserWarning")  # autograd, of step
@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
@pytest.mark.parametrize(("hidden", "out", "loss"), PAIRS)
def test_gradients_are_those_of_an_independent_autodiff(hidden: str, out: str, loss: str, key: fnn.Key | None) -> None:
    network, names, params = _case(hidden, out, loss)
    weight = np.random.default_rng(8).uniform(0, 2, N)
    _assert_same(network, names, loss, params, "shares", key=key, sample_weight=weight)
    _assert_same(network, names, loss, params, "labels", key=key)


@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
@pytest.mark.parametrize(
    ("out", "loss"), [("softmax", "cross_entropy"), ("exp", "poisson"), ("sigmoid", "binary_cross_entropy")]
)
def test_spread_penalties_are_divided_by_the_weight_of_the_rows(out: str, loss: str, key: fnn.Key | None) -> None:
    plain, names, params = _case("tanh", out, loss)
    network = attrs.evolve(plain, spread_penalties=True)
    weight = np.random.default_rng(8).uniform(0, 2, N)
    for w in (None, weight, np.arange(N) % 3, 1e-3 * weight):
        _assert_same(network, names, loss, params, "shares", key=key, sample_weight=w)
    x, (y, _) = np.random.default_rng(7).standard_normal((N, 4)), _targets(loss)
    total = sum(fnn.loss(each, params, x, y) * sign for each, sign in ((plain, 1), (plain.unpenalized, -1)))
    for w, sum_w in ((None, N), (weight, weight.sum())):
        bare = fnn.loss(plain.unpenalized, params, x, y, w, key)
        assert fnn.loss(network, params, x, y, w, key) - bare == pytest.approx(total / sum_w, rel=1e-12)


def test_spread_penalties_of_a_tower_are_divided_too() -> None:
    """Dense layers and relu alone, which go through at once."""
    layers = (fnn.Dense(6, "relu", l1=0.5, l2=0.3), fnn.Dense(OUTPUTS, "softmax", l2=2.0))
    network = fnn.Network(4, layers, loss="cross_entropy", spread_penalties=True)
    params = fnn.init_params(network, 1, np.float64)
    weight = np.random.default_rng(8).uniform(0, 2, N)
    for form in ("labels", "shares"):
        for w in (None, weight):
            _assert_same(network, ["relu", "softmax"], "cross_entropy", params, form, sample_weight=w)
            _assert_same(network, ["relu", "softmax"], "cross_entropy", params, form, sample_weight=w, key=KEY)


@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
@pytest.mark.parametrize(("out", "loss"), [("softmax", "cross_entropy"), ("exp", "poisson")])
def test_check_grads_knows_of_spread_penalties(out: str, loss: str, key: fnn.Key | None) -> None:
    plain, _, params = _case("tanh", out, loss)
    network = attrs.evolve(plain, spread_penalties=True)
    x, (y, _) = np.random.default_rng(7).standard_normal((N, 4)), _targets(loss)
    for w in (None, np.random.default_rng(8).uniform(0, 2, N)):
        assert fnn.check_grads(network, params, x, y, w, key=key).ok


def test_label_smoothing_is_the_gradient_of_smoothed_targets() -> None:
    network, names, params = _case("relu", "softmax", "cross_entropy")
    smoothed = attrs.evolve(network, loss=fnn.CrossEntropy(label_smoothing=0.1))
    x = np.random.default_rng(7).standard_normal((N, 4))
    y, dense_y = _targets("cross_entropy", "labels")
    target = 0.9 * dense_y + 0.1 / OUTPUTS
    value = reference.objective(network, names, "cross_entropy", params, x, target)
    mine, g = fnn.loss_and_grads(smoothed, params, x, y)
    arrays = reference.tensors(network, params)
    assert mine == pytest.approx(float(value(arrays)), rel=1e-12)
    for got, want in zip(reference.parts(g), reference.gradient(value, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * np.abs(want).max())


def test_a_gradient_carries_what_the_running_statistics_become() -> None:
    layers = (fnn.BatchNorm(momentum=0.25), fnn.Dense(1))
    network = fnn.Network(2, layers, loss="mse")
    params = fnn.pack_params(network, [[1, 1], [0, 0], [0.5, 1], [2, 4], [[1], [1]], [0]])
    x, y = np.array([[1.0, 2.0], [3.0, 10.0]]), np.zeros(2)
    # batch means 2 and 6, biased variances 1 and 16
    moved = fnn.grads(network, params, x, y, key=KEY)
    np.testing.assert_allclose(moved.running, [0.75 * 0.5 + 0.5, 0.75 + 1.5, 1.5 + 0.25, 3 + 4], rtol=1e-14)
    assert np.array_equal(fnn.grads(network, params, x, y).running, params.running)


def test_check_grads_agrees_and_prints_a_table() -> None:
    network, _, params = _case("relu", "softmax", "cross_entropy")
    x = np.random.default_rng(7).standard_normal((N, 4))
    y, _ = _targets("cross_entropy", "labels")
    for key in (None, KEY):
        result = fnn.check_grads(network, params, x, y, key=key)
        assert result.ok
        assert bool(result)
        assert sum(tensor.checked + tensor.kinks for tensor in result.tensors) == len(params.vector)
        assert sum(tensor.checked for tensor in result.tensors) > 0.8 * len(params.vector)
        assert str(result).split("\n")[0].split() == ["tensor", "size", "checked", "kinks", "worst", "ok"]
        assert str(result).split("\n")[1].split()[:3] == ["layers[1].weight", "24", "24"]


@pytest.mark.parametrize("kind", [fnn.Dense, fnn.LayerNorm, fnn.BatchNorm, fnn.Dropout, fnn.GaussianNoise])
@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
def test_check_grads_catches_a_corrupted_gradient(kind: Any, key: fnn.Key | None, monkeypatch: Any) -> None:
    network, _, params = _case("tanh", "softmax", "cross_entropy")
    x = np.random.default_rng(7).standard_normal((N, 4))
    y, _ = _targets("cross_entropy", "labels")
    right = kind.backward

    def wrong(self: Any, p: Any, kept: Any, dz: Any, g: Any, to_x: bool) -> Any:
        da = right(self, p, kept, dz, g, to_x)
        if kind in (fnn.Dropout, fnn.GaussianNoise):
            return da * (1 + 1e-5)
        g.bias[0] *= 1 + 1e-5
        return da

    monkeypatch.setattr(kind, "backward", wrong)
    result = fnn.check_grads(network, params, x, y, key=key)
    assert not result.ok
    first = next(tensor for tensor in result.tensors if not tensor.ok)
    assert first.worst > 1


def test_check_grads_leaves_kinks_out() -> None:
    network = fnn.mlp(1, 2, 1, output="identity", loss="mse")
    params = fnn.pack_params(network, [[[1.0, 1.0]], [0.0, 5.0], [[1.0], [1.0]], [0.0]])
    result = fnn.check_grads(network, params, [[0.0]], [[1.0]])  # the first unit's z is at relu's kink
    assert result.ok
    assert [tensor.kinks for tensor in result.tensors] == [0, 1, 0, 0]


def test_check_grads_does_not_take_a_steep_network_for_kinks() -> None:
    network = fnn.Network(1, (fnn.Dense(2, "tanh"), fnn.Dense(1)), loss="mse")
    params = fnn.pack_params(network, [[[0.5, 0.5]], [0.0, 0.0], [[1e4], [-1e4]], [0.0]])
    for x in ([[1.0]], [[5e3]]):
        assert sum(tensor.kinks for tensor in fnn.check_grads(network, params, x, [3.0]).tensors) == 0


def test_nothing_compared_is_not_ok() -> None:
    network = fnn.mlp(1, 1, output="identity", loss="mae")
    params = fnn.pack_params(network, [[[1.0]], [0.0]])
    result = fnn.check_grads(network, params, [[1.0]], [1.0])  # an exact fit is at the kink of |a - y|
    assert [tensor.kinks for tensor in result.tensors] == [1, 1]
    assert not result.ok


def test_no_gradient_goes_below_the_first_trained_layer(monkeypatch: Any) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(fnn.Dropout, "backward", never)
    network = fnn.Network(4, (fnn.Dropout(0.2), fnn.Dense(3, "softmax")), loss="cross_entropy")
    fnn.grads(network, fnn.init_params(network, seed=0), np.ones((2, 4)), [0, 1], key=KEY)


def test_a_tensor_that_is_all_kinks_is_not_wrong() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    network = fnn.mlp(2, 8, 2)
    result = fnn.check_grads(network, fnn.init_params(network, seed=0), x, [0, 1, 1, 0])
    assert result.ok
    assert result.tensors[1].checked == 0


def test_check_grads_samples_large_tensors() -> None:
    network = fnn.mlp(40, 30, 2, activation="tanh")
    params = fnn.init_params(network, seed=0)
    result = fnn.check_grads(network, params, np.random.default_rng(0).standard_normal((3, 40)), [0, 1, 1])
    assert result.ok
    assert [(tensor.size, tensor.checked) for tensor in result.tensors] == [(1200, 1000), (30, 30), (60, 60), (2, 2)]
