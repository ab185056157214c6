"""Healthy networks have no finding; any network, loss, optimizer and data can be diagnosed; nothing is changed."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes, load_iris, make_circles

import fnn
from tests.own import OwnSigmoid, OwnSoftmax, Quartic, Squareplus
from tests.stand_ins import exactly
from tests.test_published import needs_mnist

D = fnn.Dense
DIGITS = fnn.load_digits()
OPTIMIZERS: list[Any] = [fnn.SGD(0.1), fnn.Momentum(0.01), fnn.Adam(3e-3), fnn.AdamW(1e-3), fnn.RMSProp(1e-3)]


def digits(*layers: Any, **settings: Any) -> fnn.Network:
    return fnn.Network(64, (*layers, D(10, "softmax")), loss="cross_entropy", **{"input_scale": 1 / 16, **settings})


NETWORKS = {
    "relu": digits(D(64, "relu"), D(32, "relu")),
    "tanh": digits(D(64, "tanh"), D(32, "tanh")),
    "sigmoid": digits(D(64, "sigmoid"), D(32, "sigmoid")),
    "gelu": digits(D(64, "gelu"), D(32, "gelu")),
    "softplus": digits(D(64, "softplus")),
    "own": digits(D(64, Squareplus())),
    "dropout": digits(fnn.Dropout(0.2), D(128, "relu", max_norm=2.0), fnn.Dropout(0.5)),
    "batch norm": digits(fnn.BatchNorm(), D(64), fnn.BatchNorm("relu"), D(32), fnn.BatchNorm("relu"), input_scale=1.0),
    "layer norm": digits(D(64), fnn.LayerNorm("gelu"), D(32, l2=1e-3)),
    "deep": digits(*[D(32, "relu")] * 6),
    "no hidden layer": digits(),
    "smooth": attrs.evolve(digits(D(32, "relu")), loss=fnn.CrossEntropy(0.1)),
}


def assert_healthy(network: fnn.Network, data: fnn.Dataset, optimizer: Any, epochs: int, **settings: Any) -> None:
    """Nothing is found at the start, within and after the first epoch, and at the end."""
    run = fnn.start(network, optimizer=optimizer, **settings)
    steps = fnn.train(network, data, state=run, every="step")
    states = [run, *islice(steps, 3)]
    for state in fnn.train(network, data, state=run):
        states += [state] * (state.epoch in (1, epochs))
        if state.epoch == epochs:
            break
    for state in states:
        d = fnn.diagnose(state, data)
        assert d.ok, f"{state}\n{d}"
        assert str(d).endswith("\nNothing was found.")


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
@pytest.mark.parametrize("name", NETWORKS)
def test_digits(name: str, optimizer: Any) -> None:
    assert_healthy(NETWORKS[name], DIGITS, optimizer, 4)


def standardized(data: fnn.Dataset) -> fnn.Dataset:
    return fnn.standardize(fnn.standardizer(data), data)


@pytest.mark.parametrize("optimizer", OPTIMIZERS[::2], ids=lambda optimizer: type(optimizer).__name__)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_small_tables(activation: Any, optimizer: Any) -> None:
    yes: dict[str, Any] = {"activation": activation, "output": "sigmoid", "loss": "binary_cross_entropy"}
    xor = fnn.Dataset([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    assert_healthy(fnn.mlp(2, 4, 1, **yes), xor, optimizer, 100, batch_size=None)
    circles = fnn.Dataset(*make_circles(300, noise=0.1, factor=0.4, random_state=0))
    assert_healthy(fnn.mlp(2, 16, 8, 1, **yes), circles, optimizer, 30)
    iris = standardized(fnn.Dataset(*load_iris(return_X_y=True)))
    assert_healthy(fnn.mlp(4, 16, 3, activation=activation), iris, optimizer, 30)
    x, y = load_diabetes(return_X_y=True)
    values = fnn.mlp(10, 32, 1, activation=activation, output="identity", loss="mse")
    assert_healthy(values, fnn.Dataset(x, (y - y.mean()) / y.std()), optimizer, 30)


@needs_mnist
@pytest.mark.parametrize("optimizer", [fnn.SGD(0.1), fnn.Adam(fnn.Cosine(1e-3, steps=94, warmup_steps=50))])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_mnist(activation: Any, optimizer: Any) -> None:
    train = attrs.evolve(fnn.load_mnist()[0], rows=np.arange(6000))
    assert_healthy(fnn.mlp(784, 128, 64, 10, activation=activation, input_scale=1 / 255), train, optimizer, 1)


# Whatever there is.


@attrs.frozen
class Signs:
    """An optimizer without a learning_rate or a state."""

    def init(self, params: fnn.Params) -> None:
        return None

    def step(self, params: fnn.Params, state: None, g: fnn.Params) -> tuple[fnn.Params, None]:
        return attrs.evolve(params, vector=params.vector - 0.001 * np.sign(g.vector).astype(params.dtype)), None


TARGETS = np.arange(12) % 2
WIDE = fnn.ScaledNormal(3.0)
TABLE = fnn.Dataset(np.random.default_rng(0).standard_normal((12, 3)), TARGETS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "network",
    [
        fnn.Network(3, (fnn.LayerNorm("tanh"), fnn.Dropout(0.5)), loss=Quartic()),
        fnn.Network(3, (fnn.Dropout(0.5),), loss="mse"),
        fnn.Network(3, (D(3, "relu"),), loss=Quartic()),
        fnn.Network(3, (D(4, OwnSoftmax()), D(3, "softmax"), D(3, Squareplus())), loss="huber"),
        fnn.Network(3, (D(4), fnn.BatchNorm(OwnSigmoid()), D(3)), loss="mae"),
    ],
)
def test_any_network_can_be_diagnosed(network: fnn.Network, dtype: Any) -> None:
    run = fnn.start(network, optimizer=Signs(), params=fnn.init_params(network, 0, dtype))
    for rows in (12, 2, 1):
        data = fnn.Dataset(TABLE.x[:rows], TABLE.x[:rows])
        d = fnn.diagnose(run, data)
        assert len(d.layers) == len(network.layers)
        for n in (layer.update_ratio for layer in d.layers):
            assert n is None or type(n) is float


@pytest.mark.parametrize(
    ("layers", "kinds"),
    [
        ((D(4, "step"), D(2, "softmax")), {"dead units"}),
        ((D(4, "tanh", weight_init="zeros"), D(2, "softmax", weight_init="zeros")), {"identical units"}),
        ([D(4, "sigmoid")] * 9 + [D(2, "softmax")], {"vanishing gradient"}),
        (
            [D(30, "tanh", weight_init=WIDE)] * 9 + [D(2, "softmax")],
            {"exploding gradient", "saturation"},
        ),
        ((D(4, "relu", bias_init=fnn.Uniform(-9, -9)), D(2, "softmax")), {"dead units"}),
        ((D(4, "relu", weight_init=fnn.ScaledNormal(30.0)), D(2, "softmax")), {"initial loss"}),
    ],
    ids=["step", "zeros", "sigmoids", "tanhs", "dead", "large"],
)
def test_what_is_ill_is_found(layers: Any, kinds: set[str]) -> None:
    run = fnn.start(fnn.Network(3, tuple(layers), loss="cross_entropy"))
    assert {finding.kind for finding in fnn.diagnose(run, TABLE).findings} == kinds


def test_no_row_says_anything_of_one() -> None:
    d = fnn.diagnose(fnn.start(fnn.mlp(64, 32, 10, input_scale=1 / 16)), fnn.Dataset(DIGITS.x[:1], DIGITS.y[:1]))
    assert [finding.kind for finding in d.findings] == ["class imbalance"]


def test_sparse_rows_are_diagnosed_as_dense_ones() -> None:
    for scale in (1 / 16, 1.0):
        run = fnn.start(digits(D(32, "relu"), input_scale=scale))
        dense, sparse = (fnn.diagnose(run, fnn.Dataset(x, DIGITS.y)) for x in (DIGITS.x, csr_array(DIGITS.x)))
        assert dense.findings == sparse.findings
        for one, other in zip(dense.layers, sparse.layers, strict=True):
            assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)


def test_it_is_a_pure_function_of_the_run_and_the_data() -> None:
    run = fnn.start(NETWORKS["dropout"], batch_size=100)
    for state in islice(fnn.train(NETWORKS["dropout"], DIGITS, state=run, every="step"), 3):
        before = fnn.digest((state, DIGITS))
        assert fnn.diagnose(state, DIGITS) == fnn.diagnose(state, DIGITS)
        assert fnn.digest((state, DIGITS)) == before


@pytest.mark.parametrize(
    "data",
    [
        None,
        DIGITS.x,
        fnn.Dataset(DIGITS.x[:, 1:], DIGITS.y),
        fnn.Dataset(DIGITS.x, DIGITS.y + 1),
        fnn.Dataset(DIGITS.x, DIGITS.y * 1.0),
        fnn.Dataset(DIGITS.x * 1e300, DIGITS.y),
    ],
)
def test_it_refuses_what_train_refuses(data: Any) -> None:
    network = NETWORKS["relu"]
    with pytest.raises((TypeError, ValueError)) as caught:
        fnn.train(network, data)
    message = str(caught.value)
    assert message.startswith("train: `")
    with pytest.raises(caught.type, match=exactly(message.replace("train: ", "diagnose: ", 1))):
        fnn.diagnose(fnn.start(network), data)


def test_it_refuses_what_is_no_run() -> None:
    params: Any = fnn.init_params(NETWORKS["relu"], 0)
    fix = "One of parameters alone is `start(network, params=params)`."
    with pytest.raises(TypeError, match=exactly(f"diagnose: `run` must be a TrainState, got a Params. {fix}")):
        fnn.diagnose(params, DIGITS)


EXAMPLE = Path(__file__).parent.parent / "examples" / "diagnosis.py"


def test_the_example_finds_each_trouble_and_nothing_after_its_advice() -> None:
    command = [sys.executable, str(EXAMPLE), "--quick"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    advice = [line.split("; try ")[1] for line in out.splitlines() if "; try " in line]
    wanted = [
        "input_scale=1/16",
        "he_normal or",
        "relu, BatchNorm",
        "a lower",
        "a learning_rate 1,000 times h",
        "sample",
    ]
    assert all(any(line.startswith(text) for line in advice) for text in wanted)
    rows = [line.split() for line in out.splitlines()[-6:]]
    assert [int(row[-1]) for row in rows] == [0] * 6
    assert all(float(row[-2]) > float(row[-3]) for row in rows)
