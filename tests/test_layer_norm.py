"""Layer normalization: against autograd, PyTorch's numbers, and what its formula says of rows, scales and extremes."""

from __future__ import annotations

from itertools import islice
from typing import Any, get_args

import attrs
import numpy as np
import pytest

import fnn
from fnn.activations import ActivationName
from tests import own, reference

KEY = fnn.Key(seed=3, epoch=2, batch=5)
HIDDEN: dict[str, Any] = {name: name for name in get_args(ActivationName)} | {"squareplus": own.Squareplus()}
RNG = np.random.default_rng(7)
X = RNG.standard_normal((9, 5))

# Where the layer is: the layers before it and after it, and their activations
PLACES: dict[str, tuple[Any, Any]] = {
    "first": ((), (("tanh", fnn.Dense(4, "tanh", l2=0.1)), ("softmax", fnn.Dense(3, "softmax")))),
    "after dropout": ((("identity", fnn.Dropout(0.3)),), (("softmax", fnn.Dense(3, "softmax", l1=0.01)),)),
    "between": (
        (("tanh", fnn.Dense(6, "tanh")), ("identity", fnn.Dropout(0.3))),
        (("identity", fnn.Dropout(0.4)), ("softmax", fnn.Dense(3, "softmax"))),
    ),
    "beside batch norm": (
        (("identity", fnn.BatchNorm()),),
        (("relu", fnn.BatchNorm("relu")), ("softmax", fnn.Dense(3, "softmax"))),
    ),
    "twice": ((("gelu", fnn.LayerNorm("gelu")),), (("softmax", fnn.Dense(3, "softmax")),)),
}


def _moved(network: fnn.Network) -> fnn.Params:
    """Float64 parameters, none of them 0 or 1."""
    params = fnn.init_params(network, seed=1, dtype=np.float64)
    rng = np.random.default_rng(5)
    vector = params.vector + 0.3 * rng.standard_normal(len(params.vector))
    return attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))


def _assert_reference(network: fnn.Network, names: list[str], loss: str, x: Any, y: Any, dense_y: Any) -> None:
    params = _moved(network)
    arrays = reference.tensors(network, params)
    weight = np.random.default_rng(8).integers(0, 3, len(x)).astype(float)
    for key in (None, KEY):
        for w in (None, weight):
            value = reference.objective(network, names, loss, params, x, dense_y, w, key)
            mine, g = fnn.loss_and_grads(network, params, x, y, w, key)
            assert mine == pytest.approx(float(value(arrays)), rel=1e-12)
            for got, want in zip(reference.parts(g), reference.gradient(value, arrays), strict=True):
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * max(np.abs(want).max(), 1e-3))


@pytest.mark.filterwarnings("ignore:Output seems independent:UserWarning")  # autograd, of step
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("place", PLACES)
def test_gradients_are_those_of_an_independent_autodiff(place: str, hidden: str) -> None:
    before, after = PLACES[place]
    named = [*before, (hidden, fnn.LayerNorm(HIDDEN[hidden], epsilon=1e-3)), *after]
    network = fnn.Network(5, tuple(layer for _, layer in named), loss="cross_entropy", input_scale=0.7)
    labels = np.arange(9) % 3
    _assert_reference(network, [name for name, _ in named], "cross_entropy", X, labels, np.eye(3)[labels])


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("identity", "mse"), ("tanh", "huber")],
)
def test_it_may_be_the_last_layer(output: Any, loss: Any) -> None:
    network = fnn.Network(5, (fnn.Dense(3, "silu"), fnn.LayerNorm(output)), loss=loss)
    y = np.random.default_rng(6).dirichlet(np.ones(3), 9)
    _assert_reference(network, ["silu", output], loss, X, y, y)
    assert fnn.check_grads(network, _moved(network), X, y).ok


@pytest.mark.parametrize("spoilt", ["weight", "bias", "x"])
def test_check_grads_catches_an_error_of_1e_5(spoilt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = fnn.Network(5, (fnn.Dense(6, "tanh"), fnn.LayerNorm(), fnn.Dense(3, "softmax")), loss="cross_entropy")
    params, y = _moved(network), np.arange(9) % 3
    assert fnn.check_grads(network, params, X, y, key=KEY).ok
    right = fnn.LayerNorm.backward

    def wrong(self: Any, p: Any, kept: Any, dz: Any, g: Any, to_x: bool) -> Any:
        dx = right(self, p, kept, dz, g, to_x)
        part = dx if spoilt == "x" else getattr(g, spoilt)
        part *= 1 + 1e-5
        return dx

    monkeypatch.setattr(fnn.LayerNorm, "backward", wrong)
    result = fnn.check_grads(network, params, X, y, key=KEY)
    bad = {tensor.tensor for tensor in result.tensors if not tensor.ok}
    assert bad == ({"layers[0].weight", "layers[0].bias"} if spoilt == "x" else {f"layers[1].{spoilt}"})


# PyTorch 2.13, float64: torch.nn.LayerNorm(4, eps=1e-3) and the mean of its squared errors
ROWS = [[1.0, 2.0, -3.0, 0.5], [10.0, 10.5, 9.0, 20.0], [0.0, 0.0, 0.0, 1e-3]]
TARGETS = [[1.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]
NUMBERS = [[1.0, -0.5, 2.0, 0.25], [0.0, 1.0, -1.0, 0.5]]
OUTPUTS = [
    [0.46454083680213715, 0.5022776748548531, -4.318148834300979, 0.5497722325145147],
    [-0.5354632846406914, 1.2113670860423782, -2.521843019505123, 0.9297797416195023],
    [-0.007904953095803524, 1.0039524765479018, -1.015809906191607, 0.5059287148218526],
]
LOSS = 2.52755079353286
BY_WEIGHT = [0.0069988743807065665, 0.13823133094425838, 1.5158395440680599, 0.2514845370986251]
BY_BIAS = [-0.2631379001557263, 0.0362662062408555, -1.3926336266662849, 0.08091344815931159]
BY_X = [
    [0.02167077616815377, -0.11532382723582046, -0.046513989241925124, 0.14016704030959198],
    [0.048321382211993336, 0.07864461316295901, -0.11185223302795363, -0.015113762346998683],
    [2.3169894652409804, 3.665725789598328, -10.982908927991932, 5.000193673152626],
]


def test_outputs_and_gradients_are_those_of_pytorch() -> None:
    norm = fnn.LayerNorm(epsilon=1e-3)
    network = fnn.Network(4, (norm,), loss="mse")
    params = fnn.pack_params(network, [np.array(numbers) for numbers in NUMBERS])
    np.testing.assert_allclose(fnn.forward(network, params, ROWS), OUTPUTS, rtol=1e-13)
    value, g = fnn.loss_and_grads(network, params, ROWS, TARGETS)
    assert value == pytest.approx(LOSS, rel=1e-13)
    np.testing.assert_allclose(g[0].weight, BY_WEIGHT, rtol=1e-12)
    np.testing.assert_allclose(g[0].bias, BY_BIAS, rtol=1e-12)
    # Above a layer whose input is 1, a row of x is that layer's weight, and so are the derivatives
    below = fnn.Network(1, (fnn.Dense(4), norm), loss="mse")
    for row, target, by_x in zip(ROWS, TARGETS, BY_X, strict=True):
        arrays = [np.array([row]), np.zeros(4), *(np.array(numbers) for numbers in NUMBERS)]
        g = fnn.grads(below, fnn.pack_params(below, arrays), [[1.0]], [target])
        np.testing.assert_allclose(g[0].weight[0] / 3, by_x, rtol=1e-10)  # their mean is over three rows


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("columns", [2, 7, 300])
def test_float32_is_float64_within_a_bound(offset: float, columns: int) -> None:
    network = fnn.Network(columns, (fnn.LayerNorm(),), loss="mse")
    x = (np.random.default_rng(0).standard_normal((50, columns)) * max(1, offset / 1e6) + offset).astype(np.float32)
    params = _moved(network)
    single = fnn.Params(params.layout, params.vector.astype(np.float32), params.running)
    double = fnn.Params(params.layout, single.vector.astype(np.float64), params.running)
    exact = fnn.forward(network, double, x)
    largest = np.abs(exact).max(axis=1, keepdims=True)
    assert (np.abs(fnn.forward(network, single, x) - exact) <= 4 * np.finfo(np.float32).eps * (1 + largest)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 129, 1000])
def test_a_row_does_not_depend_on_its_batch(columns: int, dtype: Any) -> None:
    network = fnn.Network(columns, (fnn.LayerNorm("tanh"), fnn.LayerNorm(epsilon=1e-3)), loss="mse")
    params = fnn.init_params(network, seed=0, dtype=dtype)
    x = np.random.default_rng(columns).standard_normal((700, columns)).astype(dtype)
    together = fnn.forward(network, params, x)
    for rows in ([0], [699], [3, 300], list(range(128)), list(range(699, -1, -1))):
        assert np.array_equal(fnn.forward(network, params, x[rows]), together[rows])
    y = np.zeros((1, columns))
    alone = [fnn.loss(network, params, x[i : i + 1], y) for i in range(9)]
    assert alone == [fnn.loss(network, params, x[i : i + 1], y, key=KEY) for i in range(9)]  # training is inference
    w = np.zeros(700)
    w[4] = 1
    assert fnn.loss(network, params, x, np.zeros((700, columns)), w) == alone[4]


def test_rows_of_one_column_and_constant_rows_give_the_bias() -> None:
    for columns in (1, 3, 64, 500):
        network = fnn.Network(columns, (fnn.LayerNorm(),), loss="mse")
        params = _moved(network)
        for dtype in (np.float32, np.float64):
            same = fnn.Params(params.layout, params.vector.astype(dtype), params.running)
            for constant in (0.0, 0.1, -2024.3, 1e30, 1e-30):
                x = np.full((2, columns), constant, dtype)
                assert np.array_equal(fnn.forward(network, same, x), np.stack([same[0].bias] * 2))
                g = fnn.grads(network, same, x, np.zeros((2, columns)))
                assert not g[0].weight.any()
    x = RNG.standard_normal((4, 1)) * 1e6  # one column, whatever is in it
    one = fnn.Network(1, (fnn.LayerNorm(),), loss="mse")
    params = fnn.pack_params(one, [[3.0], [0.25]])
    assert fnn.forward(one, params, x).tolist() == [[0.25]] * 4


def test_huge_and_tiny_numbers_are_right() -> None:
    network = fnn.Network(4, (fnn.LayerNorm(),), loss="mse")
    params = fnn.init_params(network, seed=0)
    row = np.array([[1.0, -1.0, 3.0, 0.0]])
    expected = (row - row.mean()) / row.std()
    with np.errstate(all="raise", under="ignore"):
        for scale in (1e30, 1e10, 1e37):
            x = (scale * row).astype(np.float32)
            np.testing.assert_allclose(fnn.forward(network, params, x), expected, rtol=1e-5)
            value, g = fnn.loss_and_grads(network, params, x, np.zeros((1, 4)))
            assert value == pytest.approx(np.square(expected).mean(), rel=1e-5)
            np.testing.assert_allclose(g[0].weight, 2 * expected[0] ** 2 / 4, rtol=1e-5)
        for scale in (1e-20, 1e-30):  # beside them only epsilon counts
            x = (scale * row).astype(np.float32)
            np.testing.assert_allclose(
                fnn.forward(network, params, x), scale * (row - row.mean()) / 1e-5**0.5, rtol=1e-5
            )


@pytest.mark.parametrize("factor", [1e-6, 0.37, 2.0, 1e6])
def test_scaling_and_shifting_x_change_nothing_where_epsilon_does_not_count(factor: float) -> None:
    network = fnn.Network(5, (fnn.LayerNorm("silu", epsilon=1e-30),), loss="mse")
    params = _moved(network)
    expected = fnn.forward(network, params, X)
    np.testing.assert_allclose(fnn.forward(network, params, factor * X), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(fnn.forward(network, params, factor * (X + 3)), expected, rtol=1e-11, atol=1e-13)
    assert np.abs(fnn.forward(network, params, -X) - expected).max() > 0.1
    # and with an epsilon it is that of x, by the definition
    weighty = attrs.evolve(network, layers=(fnn.LayerNorm(epsilon=0.5),))
    z = fnn.forward(weighty, params, factor * X)
    centred = factor * (X - X.mean(axis=1, keepdims=True))
    root = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + 0.5)
    np.testing.assert_allclose(z, params[0].weight * centred / root + params[0].bias, rtol=1e-12, atol=1e-14)


def test_it_is_fitted_and_goes_on_beside_max_norm_on_pixels() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (120, 6), dtype=np.uint8)
    data = fnn.Dataset(x, (x[:, 0] > x[:, 1]).astype(int))
    layers = (fnn.LayerNorm(), fnn.Dense(16, "relu", max_norm=1.2), fnn.LayerNorm("tanh"), fnn.Dense(2, "softmax"))
    network = fnn.Network(6, layers, loss="cross_entropy", input_scale=1 / 255)
    whole = fnn.fit(network, data, epochs=30, optimizer=fnn.Adam(0.01), batch_size=16)
    assert fnn.evaluate(network, whole.params, data).accuracy > 0.95  # type: ignore[operator]
    norms = np.sqrt(np.square(whole.params[1].weight).sum(axis=0))
    assert norms.max() == pytest.approx(1.2, rel=1e-6)
    assert len(whole.params.running) == 0
    for norm in (0, 2):
        assert np.abs(whole.params[norm].weight - 1).max() > 0.01
        assert np.abs(whole.params[norm].bias).max() > 0.01
    begun = islice(fnn.train(network, data, optimizer=fnn.Adam(0.01), batch_size=16, every="step"), 9, 10)
    rest = fnn.fit(network, data, epochs=29, state=next(begun))
    assert fnn.digest(rest) == fnn.digest(whole)
    floats = fnn.Dataset(x.astype(np.float64), data.y)
    assert fnn.digest(fnn.fit(network, floats, epochs=2, batch_size=16)) == fnn.digest(
        fnn.fit(network, data, epochs=2, batch_size=16)
    )


def test_it_goes_through_a_dictionary_and_prints() -> None:
    norm = fnn.LayerNorm("relu", epsilon=1e-3)
    assert fnn.from_dict(fnn.to_dict(norm)) == norm
    network = fnn.Network(3, (norm,), loss="mse")
    assert str(fnn.summary(network)).split("\n")[1].split() == [
        "LayerNorm",
        "relu",
        "epsilon=0.001",
        "3",
        "3",
        "3",
        "6",
        "24",
    ]


def test_a_variance_that_overflows_is_no_answer() -> None:
    network = fnn.Network(3, (fnn.LayerNorm(),), loss="mse")
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    largest = fnn.forward(network, params, [[1e153, 2e153, 3e153]])
    np.testing.assert_allclose(largest, [[-(1.5**0.5), 0, 1.5**0.5]], atol=1e-12)
    with pytest.raises(FloatingPointError, match=r"^forward: the outputs are not finite"):
        fnn.forward(network, params, [[1e155, 2e155, 3e155]])
