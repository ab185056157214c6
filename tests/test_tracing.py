"""Traces: a pass by hand in plain floats, and the derivatives by z of an independent autodiff."""

from __future__ import annotations

import math
import pickle
from typing import Any

import attrs
import numpy as np
import pytest
from scipy.sparse import csr_array

import fnn
from tests import reference
from tests.stand_ins import exactly
from tests.test_checks import NAN
from tests.test_purity import assert_sealed

KEY = fnn.Key(seed=3, epoch=2, batch=5)
N = 7
X = np.random.default_rng(0).standard_normal((N, 4))
LABELS = np.random.default_rng(1).integers(0, 3, N)
WEIGHTS = np.random.default_rng(2).uniform(0, 2, N)
LAYERS = (
    fnn.Dropout(0.2),
    fnn.Dense(6, "gelu", l1=0.01, l2=0.03),
    fnn.BatchNorm("tanh"),
    fnn.Dropout(0.4),
    fnn.Dense(5, "relu"),
    fnn.LayerNorm("softplus"),
    fnn.Dense(3, "softmax", l2=0.1),
)
NETWORKS = {
    "classes": fnn.Network(4, LAYERS, loss="cross_entropy", input_scale=0.7),
    "values": fnn.Network(4, (*LAYERS[1:-1], fnn.Dense(3, "sigmoid")), loss="huber"),
    "spread": fnn.Network(4, LAYERS, loss="cross_entropy", input_scale=0.7, spread_penalties=True),
    "yes or no": fnn.Network(4, (*LAYERS[2:-1], fnn.Dense(3, "sigmoid")), loss="binary_cross_entropy"),
}


def targets(name: str) -> Any:
    return LABELS if name in ("classes", "spread") else np.eye(3)[LABELS]


def params_of(network: fnn.Network, dtype: Any = np.float64) -> fnn.Params:
    params, rng = fnn.init_params(network, 1, dtype), np.random.default_rng(5)
    vector = (params.vector + 0.3 * rng.standard_normal(len(params.vector))).astype(dtype)
    return attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))


# By hand.

Pass = tuple[list[float], list[float], list[float]]

WEIGHT = [[[0.1, -0.4], [0.2, 0.3]], [[0.5], [-0.7]]]
BIAS = [[0.3, -0.2], [0.1]]
ROWS, TRUE, SHARE = [[1.0, 2.0], [-0.5, 1.5], [0.0, -3.0]], [1.0, 0.0, 1.0], [0.25, 0.5, 0.25]


def by_hand() -> list[list[Pass]]:
    """z, a and delta of both layers, row by row: tanh, then a sigmoid with the cross-entropy."""
    hidden: list[Pass] = []
    output: list[Pass] = []
    for x, y, share in zip(ROWS, TRUE, SHARE, strict=True):
        z = [sum(x[i] * WEIGHT[0][i][j] for i in range(2)) + BIAS[0][j] for j in range(2)]
        a = [math.tanh(value) for value in z]
        out = sum(a[j] * WEIGHT[1][j][0] for j in range(2)) + BIAS[1][0]
        p = 1 / (1 + math.exp(-out))
        d = share * (p - y)
        hidden.append((z, a, [d * WEIGHT[1][j][0] * (1 - a[j] ** 2) for j in range(2)]))
        output.append(([out], [p], [d]))
    return [hidden, output]


def test_two_layers_by_hand() -> None:
    network = fnn.mlp(2, 2, 1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
    params = fnn.pack_params(network, [WEIGHT[0], BIAS[0], WEIGHT[1], BIAS[1]])
    t = fnn.trace(network, params, ROWS, TRUE, sample_weight=[1, 2, 1])
    layers = by_hand()
    for layer, expected in zip(t.layers, layers, strict=True):
        for i, name in enumerate(("z", "a", "delta")):
            np.testing.assert_allclose(getattr(layer, name), [row[i] for row in expected], rtol=1e-12)
    below = [ROWS, [a for _, a, _ in layers[0]]]
    for layer, inputs, rows in zip(t.layers, below, layers, strict=True):
        deltas = [delta for _, _, delta in rows]
        units = range(len(deltas[0]))
        expected_dw = [[sum(a[i] * d[j] for a, d in zip(inputs, deltas, strict=True)) for j in units] for i in range(2)]
        np.testing.assert_allclose(layer.dW, expected_dw, rtol=1e-12)
        np.testing.assert_allclose(layer.db, [sum(d[j] for d in deltas) for j in units], rtol=1e-12)
    shares = [p if y else 1 - p for (_, [p], _), y in zip(layers[1], TRUE, strict=True)]
    loss = -sum(s * math.log(p) for s, p in zip(SHARE, shares, strict=True))
    assert t.loss == pytest.approx(loss, rel=1e-12)


def test_it_prints_a_table_of_root_mean_squares() -> None:
    layers = (fnn.Dropout(0.5), fnn.Dense(2, "relu"), fnn.Dense(1))
    network = fnn.Network(2, layers, loss="squared_error")
    params = fnn.pack_params(network, [[[1, 0], [0, -1]], [0, 0], [[2], [1]], [0.5]])
    t = fnn.trace(network, params, [[3, 4], [4, -3]], [0, 10])
    # z = (3, -4), (4, 3); a = (3, 0), (4, 3); out = 6.5, 11.5; delta = 3.25, 0.75; below (6.5, 0), (1.5, 0.75)
    # dW = (12.75, 2.25) above, (25.5, -2.25), (21.5, 3) -> ((25.5, 3), (21.5, -2.25)) below
    assert str(t).split("\n") == [
        "root mean square     z     a  delta    dW    db",
        "Dropout identity  3.54  3.54      -     -     -",
        "Dense relu        3.54  2.92   3.36  16.8  5.68",
        "Dense identity    9.34  9.34   2.36  9.15     4",
        "loss 11.125",
    ]
    assert [layer.layer for layer in t.layers] == ["Dropout identity", "Dense relu", "Dense identity"]


# Against the others.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_its_gradients_and_loss_are_those_of_grads_and_loss(name: str, key: fnn.Key | None, dtype: Any) -> None:
    network, y = NETWORKS[name], targets(name)
    params = params_of(network, dtype)
    for w in (None, WEIGHTS):
        t = fnn.trace(network, params, X, y, w, key)
        g = fnn.grads(network, params, X, y, w, key)
        assert t.loss == fnn.loss(network, params, X, y, w, key)
        for layer, part in zip(t.layers, g, strict=True):
            assert (layer.dW.tobytes(), layer.db.tobytes()) == (part.weight.tobytes(), part.bias.tobytes())
            assert (layer.dW.shape, layer.db.shape) == (part.weight.shape, part.bias.shape)
            assert {array.dtype for array in (layer.z, layer.a, layer.delta, layer.dW, layer.db)} == {np.dtype(dtype)}


@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_delta_is_the_derivative_by_z_of_an_independent_autodiff(name: str, key: fnn.Key | None) -> None:
    """A bias for each row, in the reference, has the derivative by z."""
    network, y = NETWORKS[name], targets(name)
    params = params_of(network)
    activations = [type(layer.activation).__name__.lower() for layer in network.layers]
    losses = {"values": "huber", "yes or no": "binary_cross_entropy"}
    loss = losses.get(name, "cross_entropy")
    value = reference.objective(network, activations, loss, params, X, np.eye(3)[LABELS], WEIGHTS, key)
    arrays = reference.tensors(network, params)
    for p in arrays:
        if p["bias"].size:
            p["bias"] = np.tile(p["bias"], (N, 1))
    expected = [part for part in reference.gradient(value, arrays) if part.shape[0] == N]
    t = fnn.trace(network, params, X, y, WEIGHTS, key)
    trained = [layer for layer in t.layers if layer.db.size]
    assert len(trained) >= 3
    for layer, want in zip(trained, expected, strict=True):
        np.testing.assert_allclose(layer.delta, want, rtol=0, atol=1e-10 * np.abs(want).max())
        np.testing.assert_allclose(layer.delta.sum(axis=0), layer.db, rtol=0, atol=1e-14)


def test_a_row_alone_has_its_share_of_delta() -> None:
    network, params = NETWORKS["classes"], params_of(NETWORKS["classes"])
    t = fnn.trace(network, params, X, LABELS, WEIGHTS)
    for i in range(N):
        alone = fnn.trace(network, params, X[i : i + 1], LABELS[i : i + 1])
        for layer, one in zip(t.layers, alone.layers, strict=True):
            np.testing.assert_allclose(layer.z[i], one.z[0], rtol=1e-12, atol=1e-14)
            if layer.delta.size:
                share = WEIGHTS[i] / WEIGHTS.sum()
                np.testing.assert_allclose(layer.delta[i], share * one.delta[0], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", NETWORKS)
def test_z_and_a_are_those_of_forward(name: str) -> None:
    """Each layer's a is what `forward` returns of the network that ends there."""
    network, params = NETWORKS[name], params_of(NETWORKS[name])
    t = fnn.trace(network, params, X, targets(name))
    assert len(t.layers) == len(network.layers)
    arrays = [[tensor for tensor in p if tensor.size] for p in params]
    for i, layer in enumerate(network.layers):
        head = fnn.Network(4, network.layers[: i + 1], loss=("cross_entropy" if i == 6 else "mse"))
        head = attrs.evolve(head, input_scale=network.input_scale)
        given = fnn.pack_params(head, [tensor for p in arrays[: i + 1] for tensor in p], dtype=np.float64)
        assert t.layers[i].a.tobytes() == fnn.forward(head, given, X).tobytes()
        assert np.array_equal(layer.activation.value(t.layers[i].z), t.layers[i].a)


def test_dropout_hands_on_what_is_above_it_by_its_mask() -> None:
    network, params = NETWORKS["classes"], params_of(NETWORKS["classes"])
    t = fnn.trace(network, params, X, LABELS, key=KEY)
    below, drop, above = t.layers[2:5]
    np.testing.assert_allclose(drop.delta, above.delta @ params[4].weight.T, rtol=1e-12)
    kept = drop.z != 0
    assert 0 < kept.mean() < 1
    scale = np.where(kept, 2**16 / (2**16 - round(0.4 * 2**16)), 0)
    np.testing.assert_allclose(drop.z, below.a * scale, rtol=1e-12)
    np.testing.assert_allclose(below.delta, drop.delta * scale * (1 - below.a**2), rtol=1e-12)


def test_what_is_below_the_first_layer_with_numbers_has_no_delta() -> None:
    layers = (fnn.Dropout(0.1), fnn.Dropout(0.2), fnn.Dense(5, "tanh"), fnn.Dropout(0.3), fnn.Dense(3, "softmax"))
    network = fnn.Network(4, layers, loss="cross_entropy")
    t = fnn.trace(network, params_of(network), X, LABELS, key=KEY)
    assert [layer.delta.shape for layer in t.layers] == [(0,), (0,), (N, 5), (N, 5), (N, 3)]
    assert [layer.dW.shape for layer in t.layers] == [(0,), (0,), (4, 5), (0,), (5, 3)]
    nothing = fnn.Network(4, layers[:2], loss="mse")
    t = fnn.trace(nothing, fnn.init_params(nothing, 0), X, X)
    assert [(layer.delta.size, layer.z.shape) for layer in t.layers] == [(0, (N, 4)), (0, (N, 4))]


def test_a_sparse_x_has_the_trace_of_the_dense_one() -> None:
    network = fnn.mlp(4, 5, 3, activation="tanh")
    rare = np.where(np.abs(X) > 0.7, X, 0)
    one, other = (fnn.trace(network, params_of(network), form, LABELS) for form in (rare, csr_array(rare)))
    for layer, same in zip(one.layers, other.layers, strict=True):
        for name in ("z", "a", "delta", "dW", "db"):
            np.testing.assert_allclose(getattr(same, name), getattr(layer, name), rtol=0, atol=1e-14)


# The record.


@pytest.mark.parametrize("key", [None, KEY], ids=["inference", "training"])
def test_its_arrays_are_sealed_and_those_given_are_left_alone(key: fnn.Key | None) -> None:
    network, x = attrs.evolve(NETWORKS["classes"], input_scale=1.0), X.copy()
    params = params_of(network)
    before = fnn.digest((params, x))
    t = fnn.trace(network, params, x, LABELS, key=key)
    assert fnn.digest((params, x)) == before
    assert_sealed(t)
    now = fnn.digest(t)
    assert fnn.digest(pickle.loads(pickle.dumps(t))) == now
    x[...] = 0  # without a key the first layer, a dropout, has x itself for its z
    assert fnn.digest(t) == now


@pytest.mark.parametrize(
    "changes",
    [
        {"network": None},
        {"params": None},
        {"params": fnn.init_params(fnn.mlp(4, 2), 0)},
        {"x": X[0]},
        {"x": np.full((N, 4), NAN)},
        {"x": np.full((N, 4), "a")},
        {"x": np.full((N, 4), 1e200)},
        {"y": LABELS[:3]},
        {"y": np.full(N, 3)},
        {"y": LABELS * 1.0},
        {"sample_weight": -WEIGHTS},
        {"sample_weight": 0 * WEIGHTS},
        {"sample_weight": WEIGHTS[:2]},
        {"key": 3},
    ],
)
def test_it_refuses_what_loss_refuses(changes: dict[str, Any]) -> None:
    network = fnn.mlp(4, 3)
    given = {"network": network, "params": fnn.init_params(network, 0), "x": X, "y": np.arange(N) % 3, **changes}
    with pytest.raises((TypeError, ValueError)) as caught:
        fnn.loss(**given)
    message = str(caught.value)
    assert message.startswith("loss: ")
    with pytest.raises(caught.type, match=exactly(message.replace("loss: ", "trace: ", 1))):
        fnn.trace(**given)
