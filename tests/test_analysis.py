"""Saliency against an independent autodiff, by hand and as a small change; the plane of a network of two inputs."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from scipy.sparse import csr_array

import fnn
from tests import reference
from tests.own import Squareplus
from tests.stand_ins import exactly

N = 6
X = np.random.default_rng(0).standard_normal((N, 4))
CHOSEN = np.array([0, 1, 2, 2, 1, 0])
LAYERS = (
    fnn.Dropout(0.3),
    fnn.LayerNorm("tanh"),
    fnn.Dense(6, "gelu", l2=0.1),
    fnn.BatchNorm("silu"),
    fnn.Dense(5, "relu"),
    fnn.Dense(3, "softmax"),
)
NETWORKS = {
    "many layers": fnn.Network(4, LAYERS, loss="cross_entropy", input_scale=0.7),
    "sigmoids": fnn.Network(4, (*LAYERS[2:5], fnn.Dense(3, "sigmoid")), loss="binary_cross_entropy"),
    "values": fnn.Network(4, (fnn.BatchNorm("elu"), fnn.Dense(3, "tanh")), loss="mse", input_scale=-2.0),
    "one layer": fnn.Network(4, (fnn.Dense(3, "softmax"),), loss="cross_entropy"),
}


def params_of(network: fnn.Network, dtype: Any = np.float64) -> fnn.Params:
    params, rng = fnn.init_params(network, 1, dtype), np.random.default_rng(5)
    vector = (params.vector + 0.3 * rng.standard_normal(len(params.vector))).astype(dtype)
    return attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))


def by_autodiff(network: fnn.Network, params: fnn.Params, x: Any, chosen: Any, patch: pytest.MonkeyPatch) -> Any:
    """With x as a bias of each row, in an identity below all layers, its derivative is that by x."""
    below = fnn.Network(4, (fnn.Dense(4), *network.layers), loss="mse", input_scale=1.0)
    arrays = [tensor for p in params for tensor in p if tensor.size]
    given = fnn.pack_params(below, [np.eye(4), np.zeros(4), *arrays], np.float64)
    names = ["identity", *(type(layer.activation).__name__.lower() for layer in network.layers[:-1]), "identity"]
    patch.setitem(reference.LOSSES, "the logit", lambda a, y: (a * y).sum(axis=1) * len(x))
    tensors = reference.tensors(below, given)
    tensors[0]["bias"] = x * network.input_scale
    value = reference.objective(below, names, "the logit", given, np.zeros_like(x), np.eye(3)[chosen])
    return reference.gradient(value, tensors)[1] * network.input_scale


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_an_independent_autodiff_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS[name]
    params = params_of(network)
    expected = by_autodiff(network, params, X, CHOSEN, monkeypatch)
    ours = fnn.saliency(network, params, X, CHOSEN)
    assert ours.shape == X.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_a_linear_network_has_its_weights() -> None:
    network = fnn.Network(2, (fnn.Dense(3, "softmax"),), loss="cross_entropy", input_scale=0.5)
    params = fnn.pack_params(network, [[[1, 2, 3], [6, 5, 4]], [0, 0, 9]])
    assert fnn.saliency(network, params, [[7, 7]]).tolist() == [[1.5, 2.0]]
    assert fnn.saliency(network, params, [[7, 7], [0, 0]], [0, 1]).tolist() == [[0.5, 3.0], [1.0, 2.5]]


def test_without_classes_it_is_that_of_the_largest_logit() -> None:
    network, params = NETWORKS["one layer"], params_of(NETWORKS["one layer"])
    said = fnn.predict(network, params, X)
    assert len(set(said.tolist())) > 1
    assert fnn.saliency(network, params, X).tobytes() == fnn.saliency(network, params, X, said).tobytes()


def test_a_users_own_activation_is_gone_through() -> None:
    network = fnn.mlp(4, 5, 3, activation=Squareplus())
    params = params_of(network)
    for column in range(4):
        moved = X.copy()
        moved[:, column] += 1e-6
        z, after = (fnn.trace(network, params, x, CHOSEN).layers[-1].z for x in (X, moved))
        slope = (after - z)[np.arange(N), CHOSEN] / 1e-6
        np.testing.assert_allclose(fnn.saliency(network, params, X, CHOSEN)[:, column], slope, rtol=1e-4, atol=1e-6)


def test_a_row_alone_a_sparse_one_and_pixels() -> None:
    network, params = NETWORKS["one layer"], params_of(NETWORKS["one layer"])
    for net, p in ((network, params), (fnn.mlp(4, 5, 3), fnn.init_params(fnn.mlp(4, 5, 3), 0, np.float64))):
        whole = fnn.saliency(net, p, X, CHOSEN)
        for i in range(N):
            np.testing.assert_allclose(fnn.saliency(net, p, X[i : i + 1], CHOSEN[i : i + 1])[0], whole[i], rtol=1e-12)
        np.testing.assert_allclose(fnn.saliency(net, p, csr_array(X), CHOSEN), whole, rtol=1e-12)
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 4)
    assert fnn.saliency(network, params_of(network, np.float32), pixels).dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"network": None}, TypeError, "`network` must be a Network, got None."),
        ({"x": X[0]}, ValueError, "`x` must have shape (n, 4), got (4,). One row is `x[None, :]`."),
        ({"x": X * np.nan}, ValueError, "`x` must be finite in float64, got nan at (0, 0)."),
        ({"classes": [0, 1]}, ValueError, "`classes` must have shape (6,), got (2,)."),
        ({"classes": 1}, ValueError, "`classes` must have shape (6,), got ()."),
        ({"classes": CHOSEN + 1}, ValueError, "`classes` must be labels from 0 to 2, got 3 in row 2."),
        ({"classes": CHOSEN - 1}, ValueError, "`classes` must be labels from 0 to 2, got -1 in row 0."),
        ({"classes": CHOSEN * 1.0}, TypeError, "`classes` must be an array of integers, got dtype float64."),
        ({"params": params_of(NETWORKS["values"])}, ValueError, None),
    ],
)
def test_what_is_refused(changes: dict[str, Any], kind: type[Exception], message: str | None) -> None:
    network = NETWORKS["one layer"]
    given = {"network": network, "params": params_of(network), "x": X, "classes": CHOSEN, **changes}
    with pytest.raises(kind, match=exactly(f"saliency: {message}") if message else "^saliency: `params` must be the"):
        fnn.saliency(**given)


def test_logits_or_derivatives_that_are_not_finite_are_no_answer() -> None:
    network = fnn.mlp(2, 3, 2)
    for numbers in ((1e15, 1e20, 1e10), (1e30, 1e30, 1e-30)):
        first, second, x = numbers
        params = fnn.pack_params(
            network, [np.full((2, 3), first), [0] * 3, np.full((3, 2), second), [0] * 2], np.float32
        )
        message = "saliency: the derivatives are not finite. Are `params`, or is `x` very large?"
        with pytest.raises(FloatingPointError, match=exactly(message)):
            fnn.saliency(network, params, [[x, x]])


# The plane.

LINE = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy", input_scale=0.5)
LINE_PARAMS = fnn.pack_params(LINE, [[[8.0], [0.0]], [-2.0]])  # yes right of x₀ = 0.5
AREAS = fnn.mlp(2, 3)
AREAS_PARAMS = fnn.pack_params(AREAS, [[[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]], [6.0, 0.0, 0.0]])
CORNERS = [[0.0, 0.0], [0.0, 2.0], [1.0, 0.0], [1.0, 2.0]]


def test_a_plane_has_the_probability_of_yes_at_each_of_its_points() -> None:
    boundary = fnn.decision_boundary(LINE, LINE_PARAMS, fnn.Dataset(CORNERS, [0, 1, 1, 0]), steps=27)
    np.testing.assert_allclose(boundary.sides, [np.linspace(-0.15, 1.15, 27), np.linspace(-0.3, 2.3, 27)], rtol=1e-12)
    expected = 1 / (1 + np.exp(-(4 * np.linspace(-0.15, 1.15, 27) - 2)))
    np.testing.assert_allclose(boundary.answers, np.tile(expected, (27, 1)), rtol=1e-12)
    assert boundary.classes == 2
    assert boundary.x.tolist() == CORNERS
    assert boundary.y.tolist() == [0, 1, 1, 0]


def test_two_classes_are_as_yes_or_no() -> None:
    two = fnn.mlp(2, 2, input_scale=0.5)
    params = fnn.pack_params(two, [[[0.0, 8.0], [0.0, 0.0]], [0.0, -2.0]])
    one, other = (
        fnn.decision_boundary(net, p, fnn.Dataset(CORNERS, [0, 1, 1, 0]), steps=9)
        for net, p in ((LINE, LINE_PARAMS), (two, params))
    )
    np.testing.assert_allclose(one.answers, other.answers, rtol=1e-12)
    assert one.y.tolist() == other.y.tolist()


def test_of_more_classes_it_is_which_and_of_the_rows_those_that_count() -> None:
    data = fnn.Dataset(CORNERS, fnn.one_hot([0, 2, 1, 2], 3), rows=[0, 1, 2])
    boundary = fnn.decision_boundary(AREAS, AREAS_PARAMS, data, steps=31)
    x0, x1 = np.meshgrid(*boundary.sides)
    assert np.array_equal(boundary.answers, np.argmax([0 * x0 + 6, 9 * x0, 9 * x1], axis=0))
    assert set(boundary.answers.ravel().tolist()) == {0, 1, 2}
    assert (boundary.classes, boundary.y.tolist(), len(boundary.x)) == (3, [0, 2, 1], 3)


def test_a_single_row_and_a_sparse_one_have_room_around_them() -> None:
    for x in ([[3.0, 5.0]], csr_array([[3.0, 5.0]])):
        boundary = fnn.decision_boundary(AREAS, AREAS_PARAMS, fnn.Dataset(x, [1]), steps=2)
        assert boundary.sides.tolist() == [[2, 4], [4, 6]]


@pytest.mark.parametrize(
    ("network", "got"),
    [
        (fnn.mlp(3, 2), "3 inputs and 2 outputs of classes"),
        (fnn.mlp(2, 1, output="identity", loss="mse"), "2 inputs and 1 outputs of values"),
        (fnn.mlp(2, 2, output="sigmoid", loss="binary_cross_entropy"), "2 inputs and 2 outputs of yes or no"),
    ],
)
def test_a_plane_of_another_network_is_refused(network: fnn.Network, got: str) -> None:
    data = fnn.Dataset(np.zeros((2, network.inputs)), np.zeros((2, network.outputs)))
    rule = "`network` must have 2 inputs and answer with classes, or one yes or no"
    with pytest.raises(ValueError, match=exactly(f"decision_boundary: {rule}, got {got}.")):
        fnn.decision_boundary(network, fnn.init_params(network, 0), data)
    with pytest.raises(ValueError, match=r"^decision_boundary: `steps` must be an integer of at least 2, got 1\.$"):
        fnn.decision_boundary(AREAS, AREAS_PARAMS, fnn.Dataset(CORNERS, [0] * 4), steps=1)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"params": LINE_PARAMS}, ValueError, "`params` must be the network's (9 numbers in 1 layers), got"),
        ({"data": None}, TypeError, "`data` must be a Dataset, got None. Make one with `Dataset(x, y)`."),
        ({"data": fnn.Dataset(np.eye(3), [0, 1, 2])}, ValueError, "`x` must have shape (n, 2), got (3, 3)."),
        ({"data": fnn.Dataset(CORNERS, [0, 1, 2, 3])}, ValueError, "`y` must be labels from 0 to 2, got 3 in row 3."),
        ({"data": fnn.Dataset([[-1e308, 0], [1e308, 0]], [0, 1])}, ValueError,
         "`data.x` must leave room around it in float64, got a least of -1e+308, a most of 1e+308."),
        ({"params": attrs.evolve(AREAS_PARAMS, vector=np.full(9, 1e308))}, FloatingPointError,
         "the outputs are not finite. Are `params`, or is `x` very large?"),
    ],
)  # fmt: skip
def test_what_a_plane_cannot_be_of(changes: dict[str, Any], kind: type[Exception], message: str) -> None:
    given: Any = {"network": AREAS, "params": AREAS_PARAMS, "data": fnn.Dataset(CORNERS, [0, 1, 2, 0]), **changes}
    with pytest.raises(kind) as caught:
        fnn.decision_boundary(**given)
    assert str(caught.value).replace("decision_boundary: ", "", 1).startswith(message)
