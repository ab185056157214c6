"""Networks as values, and their first numbers."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

FULL = fnn.Network(
    4,
    [
        fnn.Dropout(0.1),
        fnn.Dense(3, "relu", l1=0.1, l2=0.2, max_norm=2.0),
        fnn.BatchNorm("tanh"),
        fnn.Dense(2, "softmax"),
    ],
    loss="cross_entropy",
    input_scale=0.5,
)


def test_a_network_is_a_value() -> None:
    again = fnn.Network(
        4,
        (
            fnn.Dropout(0.1),
            fnn.Dense(np.int64(3), fnn.Relu(), l1=np.float64(0.1), l2=0.2, max_norm=2),  # type: ignore[arg-type]
            fnn.BatchNorm(fnn.Tanh()),
            fnn.Dense(2, "softmax"),
        ),
        loss=fnn.CrossEntropy(),
        input_scale=0.5,
    )
    assert again == FULL
    assert hash(again) == hash(FULL)
    assert {FULL: 1}[again] == 1
    assert eval(repr(again), vars(fnn).copy()) == FULL
    assert type(again.layers[1].units) is int  # type: ignore[attr-defined]
    assert attrs.evolve(FULL, input_scale=1.0) != FULL
    for same in (pickle.loads(pickle.dumps(FULL)), copy.deepcopy(FULL)):
        assert same == FULL
        assert hash(same) == hash(FULL)


def test_a_spec_cannot_be_changed() -> None:
    for spec, name in [(FULL, "inputs"), (FULL.layers[1], "units"), (fnn.Adam(), "learning_rate")]:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(spec, name, 3)


def test_the_widths_and_the_layout() -> None:
    assert FULL.widths == (4, 4, 3, 3, 2)
    assert FULL.outputs == 2
    assert FULL.layout.size == 4 * 3 + 3 + 3 + 3 + 3 * 2 + 2
    assert FULL.layout.running_size == 6
    params = fnn.init_params(FULL, seed=0)
    shapes = [tuple(part.shape for part in p) for p in params]
    assert shapes == [
        ((0,), (0,), (0,), (0,)),
        ((4, 3), (3,), (0,), (0,)),
        ((3,), (3,), (3,), (3,)),
        ((3, 2), (2,), (0,), (0,)),
    ]
    assert params[2].weight.tolist() == params[2].variance.tolist() == [1, 1, 1]
    assert params[2].bias.tolist() == params[2].mean.tolist() == [0, 0, 0]


def test_pack_params_puts_each_array_where_it_belongs() -> None:
    sizes = [(4, 3), (3,), (3,), (3,), (3,), (3,), (3, 2), (2,)]
    arrays, at = [], 0
    for size in sizes:
        count = int(np.prod(size))
        arrays.append(np.arange(at, at + count, dtype=float).reshape(size))
        at += count
    params = fnn.pack_params(FULL, arrays)
    assert params.vector.tolist() == [*range(21), *range(27, 35)]
    assert params.running.tolist() == list(range(21, 27))
    assert params[3].weight.tolist() == [[27, 28], [29, 30], [31, 32]]
    assert params.dtype == np.float64
    assert fnn.pack_params(FULL, [a.astype(np.float32) for a in arrays]).dtype == np.float32
    assert fnn.pack_params(FULL, [a.astype(np.int8) for a in arrays], dtype=np.float32).dtype == np.float32
    back = [tensor for p in params for tensor in p if tensor.size]
    assert fnn.digest(fnn.pack_params(FULL, back)) == fnn.digest(params)


def test_max_norm_scales_down_only_the_units_that_are_longer() -> None:
    network = fnn.Network(2, (fnn.Dense(3, max_norm=5.0), fnn.Dense(2)), loss="mse")
    arrays: list[Any] = [[[3.0, 6.0, 0.0], [4.0, 8.0, 0.0]], [9.0, 9.0, 9.0], np.full((3, 2), 100.0), [0.0, 0.0]]
    params = fnn.pack_params(network, arrays)
    projected = fnn.project(network, params)
    np.testing.assert_allclose(projected[0].weight, [[3, 3, 0], [4, 4, 0]], rtol=1e-15)
    assert projected[0].bias.tolist() == [9, 9, 9]
    assert (projected[1].weight == 100).all()
    free = fnn.mlp(2, 2)
    unbound = fnn.init_params(free, seed=0)
    assert fnn.project(free, unbound) is unbound


def test_the_penalties_are_in_the_objective_and_not_in_evaluate() -> None:
    network = fnn.Network(1, (fnn.Dense(2, l1=0.1, l2=0.4),), loss="mse")
    params = fnn.pack_params(network, [[[3.0, -2.0]], [50.0, 60.0]])
    x, y = [[1.0]], [[53.0, 58.0]]
    assert fnn.loss(network, params, x, y) == pytest.approx(0.1 * 5 + 0.2 * 13, rel=1e-15)
    np.testing.assert_allclose(fnn.grads(network, params, x, y).vector, [0.1 + 1.2, -0.1 - 0.8, 0, 0], rtol=1e-15)
    assert fnn.evaluate(network, params, fnn.Dataset(x, y)).loss == 0


def test_unpenalized_is_the_same_network_without_l1_and_l2() -> None:
    layers = (
        fnn.Dropout(0.1), fnn.Dense(3, "relu", "he_uniform", fnn.ScaledNormal(0.1), l1=0.1, l2=0.2, max_norm=2.0),
        fnn.BatchNorm("tanh"), fnn.Dense(4, "tanh", max_norm=1.0), fnn.Dense(2, "softmax", l2=0.3),
    )  # fmt: skip
    for spread in (False, True):
        network = fnn.Network(4, layers, fnn.CrossEntropy(0.1), input_scale=0.5, spread_penalties=spread)
        bare = (
            layers[0], fnn.Dense(3, "relu", "he_uniform", fnn.ScaledNormal(0.1), max_norm=2.0),
            layers[2], layers[3], fnn.Dense(2, "softmax"),
        )  # fmt: skip
        assert network.unpenalized == attrs.evolve(network, layers=bare)
        assert network.unpenalized.penalized == ()
        assert network.unpenalized.limits == network.limits == ((1, 2.0), (3, 1.0))
        assert network.layers == layers
        assert network.unpenalized is network.unpenalized.unpenalized
    free = fnn.Network(4, (layers[0], layers[3]), "mse", spread_penalties=True)
    assert free.unpenalized is free


def test_spread_penalties_by_hand() -> None:
    layers = (fnn.Dense(2, l1=0.1, l2=0.4),)
    network = fnn.Network(1, layers, loss="mse", spread_penalties=True)
    params = fnn.pack_params(network, [[[3.0, -2.0]], [50.0, 60.0]])
    for n in (1, 2, 5):
        x, y = np.ones((n, 1)), np.tile([53.0, 58.0], (n, 1))
        for w, total in ((None, n), (np.full(n, 0.25), n / 4), (np.arange(1, n + 1), n * (n + 1) / 2)):
            assert fnn.loss(network, params, x, y, w) == pytest.approx((0.1 * 5 + 0.2 * 13) / total, rel=1e-15)
            g = fnn.grads(network, params, x, y, w).vector
            np.testing.assert_allclose(g * total, [0.1 + 1.2, -0.1 - 0.8, 0, 0], rtol=1e-14)
        assert fnn.evaluate(network, params, fnn.Dataset(x, y)).loss == 0


def test_evaluate_is_scikit_learns_numbers() -> None:
    from sklearn.metrics import accuracy_score, log_loss, r2_score

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3000, 4)), rng.uniform(0, 2, 3000)
    classes = fnn.mlp(4, 5, 3)
    params = fnn.init_params(classes, seed=0, dtype=np.float64)
    y = rng.integers(0, 3, 3000)
    result = fnn.evaluate(classes, params, fnn.Dataset(x, y, w))
    probabilities = fnn.forward(classes, params, x)
    assert result.loss == pytest.approx(log_loss(y, probabilities, sample_weight=w), rel=1e-12)
    assert result.accuracy == pytest.approx(accuracy_score(y, probabilities.argmax(axis=1), sample_weight=w), rel=1e-12)
    assert (result.r2, result.n) == (None, 3000)
    numbers = fnn.mlp(4, 5, 2, output="identity", loss="mse")
    params = fnn.init_params(numbers, seed=0, dtype=np.float64)
    targets = rng.standard_normal((3000, 2))
    result = fnn.evaluate(numbers, params, fnn.Dataset(x, targets, w))
    expected = r2_score(targets, fnn.predict(numbers, params, x), sample_weight=w)
    assert result.r2 == pytest.approx(expected, rel=1e-12)
    assert result.accuracy is None


def test_the_summary_counts_every_layer() -> None:
    result = fnn.summary(FULL)
    assert [layer.parameters for layer in result.layers] == [0, 15, 6, 8]
    assert result.parameters == 29
    assert [layer.bytes for layer in result.layers] == [0, 60, 4 * (6 + 6), 32]
    assert result.bytes == 140
    lines = str(result).split("\n")
    assert [" ".join(line.split()) for line in lines] == [
        "layer weight bias outputs parameters bytes",
        "Dropout rate=0.1 - - 4 0 0",
        "Dense relu l1=0.1 l2=0.2 max_norm=2.0 4×3 3 3 15 60",
        "BatchNorm tanh 3 3 3 6 48",
        "Dense softmax 3×2 2 2 8 32",
        "total 29 140",
    ]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    "layers",
    [
        (fnn.BatchNorm(), fnn.Dense(7), fnn.BatchNorm("relu"), fnn.Dropout(0.5), fnn.Dense(2)),
        (fnn.Dense(5, "relu"), fnn.LayerNorm(), fnn.Dense(3)),
        (fnn.Dropout(0.5),),
    ],
)
def test_the_bytes_of_the_summary_are_those_of_the_params(layers: tuple[fnn.Layer, ...]) -> None:
    network = fnn.Network(4, layers, loss="mse")
    result, single = fnn.summary(network), fnn.init_params(network, seed=0)
    assert result.bytes == single.vector.nbytes + single.running.nbytes
    assert [layer.bytes for layer in result.layers] == [sum(tensor.nbytes for tensor in p) for p in single]
    double = fnn.init_params(network, seed=0, dtype=np.float64)
    assert 2 * result.bytes == double.vector.nbytes + double.running.nbytes
    adam = fnn.adam_init(fnn.Adam(), single)
    assert 2 * single.vector.nbytes == sum(
        value.nbytes for value in attrs.astuple(adam) if isinstance(value, np.ndarray)
    )
