"""What a diagnosis finds in the data, each with a neighbour just within its bound."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from scipy.sparse import csr_array

import fnn
from tests.test_diagnosis import SIGNS, SPREAD, YES, messages, start

# Inputs.


@pytest.mark.parametrize(
    ("x", "settings", "found"),
    [
        (10.1 * SIGNS, {}, "10.1; try fnn.standardize(fnn.standardizer(data), data)."),
        (9.9 * SIGNS, {}, None),
        (0.0099 * SIGNS, {}, "0.0099; try fnn.standardize(fnn.standardizer(data), data)."),
        (0.0101 * SIGNS, {}, None),
        (2 * SIGNS, {"input_scale": 6.0}, "12; try fnn.standardize(fnn.standardizer(data), data)."),
        (np.where(SIGNS > 0, 255, 0).astype(np.uint8), {}, "180; try input_scale=1/255."),
        (np.where(SIGNS > 0, 255, 0).astype(np.uint8), {"input_scale": 1 / 255}, None),
        (np.where(SIGNS > 0, 255, 0).astype(np.uint8), {"input_scale": 1e-5}, "0.0018; try input_scale=1/255."),
        (csr_array(np.where(SIGNS > 0, 40.0, 0.0)), {}, "28.3; try input_scale=1/40."),
        (np.where(np.arange(2048) == 7, 0.3, 0)[:, None], {}, None),  # rare, but not small
        (0 * SIGNS, {}, None),
    ],
)
def test_unscaled_inputs(x: Any, settings: Any, found: str | None) -> None:
    run = start((fnn.Dense(1),), [[[1e-9]], [0]], optimizer=fnn.SGD(1e-12), **settings)
    data = fnn.Dataset(x, np.arange(x.shape[0]) % 2)
    message = f"Inputs: the largest column's root mean square is {found}"
    assert messages(run, data, "unscaled inputs") == ([message] if found else [])
    for norm in (fnn.BatchNorm(), fnn.LayerNorm()):
        network = fnn.Network(1, (fnn.Dropout(0.1), norm, fnn.Dense(1)), loss="mse", **settings)
        assert messages(fnn.start(network), data, "unscaled inputs") == []


TABLE = np.round(SPREAD, 2) + 0.001  # no two the same, none 0


def with_zeros(n: int) -> Any:
    """The table, with a column of zeros and n more among the 80 other numbers."""
    x = np.where(np.arange(3) == 1, 0, TABLE)
    x[:n, 2] = 0
    return x


PICTURES = np.where(np.random.default_rng(1).random((40, 8)) < 0.5, 0, 1.0) * (np.arange(8) > 5)


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (TABLE, None),
        (np.where(np.arange(3) == 1, 0, TABLE), "column 1 is"),
        (np.where(np.arange(3) < 2, 7, TABLE), "columns 0, 1 are"),
        (np.ones((40, 9)), "columns 0, 1, 2, 3, 4 and 4 more are"),
        (with_zeros(8), "column 1 is"),
        (with_zeros(9), None),
        (PICTURES, None),
        (1 - PICTURES, None),
        (2 * PICTURES - 1, None),
        (PICTURES + 3 * (np.arange(8) == 2), "column 2 is"),
        (csr_array(PICTURES), None),
        (csr_array(PICTURES + 3 * (np.arange(8) == 2)), "column 2 is"),
        (np.ones((1, 9)), None),
    ],
)
def test_constant_columns(x: Any, found: str | None) -> None:
    message = f"Inputs: {found} the same in every row; try leaving out what tells nothing."
    network = fnn.Network(x.shape[1], (fnn.Dense(1),), loss="mse")
    data = fnn.Dataset(x, np.arange(x.shape[0]) % 2)
    assert messages(fnn.start(network), data, "constant columns") == ([message] if found else [])


def test_constant_columns_are_those_of_all_the_rows_that_count() -> None:
    x = np.tile(TABLE, (100, 1))
    x[:, 1] = 5
    x[4000 - 1, 1] = 6  # one row of 4,000, and not among those looked at
    run, y = fnn.start(fnn.Network(3, (fnn.Dense(1),), loss="mse")), np.arange(4000) % 2
    assert messages(run, fnn.Dataset(x, y), "constant columns") == []
    for data in (fnn.Dataset(x, y, np.arange(4000) < 3999), fnn.Dataset(x, y, rows=np.arange(3999))):
        assert len(messages(run, data, "constant columns")) == 1


# Targets.

MANY = 'Targets: class 1 has 8.3% of the weight and class 0 91.7%; try sample_weight=fnn.class_weights({}, "balanced").'
NONE = "Targets: no row is of class {}; try adding such rows, or fewer outputs."


def labelled(zeros: int, ones: int) -> Any:
    """Labels of two classes, and a column of x for them."""
    y = np.repeat([0, 1], [zeros, ones])
    return np.resize(SPREAD.ravel(), (zeros + ones, 1)), y


HEADS: dict[str, tuple[Any, Any, Any]] = {
    "labels": ("softmax", "cross_entropy", lambda y: y),
    "one-hot": ("softmax", "cross_entropy", lambda y: fnn.one_hot(y, 2)),
    "one-hot mse": ("softmax", "mse", lambda y: fnn.one_hot(y, 2)),
    "yes or no": ("sigmoid", "binary_cross_entropy", lambda y: y),
    "yes or no column": ("sigmoid", "binary_cross_entropy", lambda y: y[:, None].astype(bool)),
    "yes or no floats": ("sigmoid", "binary_cross_entropy", lambda y: y.astype(np.float32)),
}
FLAT = {"one-hot": "y.argmax(axis=1)", "one-hot mse": "y.argmax(axis=1)", "yes or no column": "y.ravel()"}
FLAT["yes or no floats"] = "y.astype(int)"


@pytest.mark.parametrize("head", HEADS)
def test_class_imbalance(head: str) -> None:
    output, loss, made = HEADS[head]
    outputs = 1 if head.startswith("yes") else 2
    run = fnn.start(fnn.mlp(1, outputs, output=output, loss=loss))
    x, y = labelled(110, 10)
    assert messages(run, fnn.Dataset(x, made(y))) == [MANY.format(FLAT.get(head, "y"))]
    labels = eval(FLAT.get(head, "y"), {"y": made(y)})  # what is advised gives weights
    assert fnn.class_weights(labels, "balanced").tolist() == fnn.class_weights(y, "balanced").tolist()
    assert messages(run, fnn.Dataset(x, made(y), fnn.class_weights(y, "balanced"))) == []
    assert messages(run, fnn.Dataset(x, made(y), rows=np.arange(10, 120))) == []  # a tenth of the other, no less
    assert messages(run, fnn.Dataset(x, made(y), rows=np.arange(9, 120)))[0].startswith("Targets: class 1 has 9.0%")
    weights = np.where(y == 1, 1, 0.009)  # 0.99 of the one, 10 of the other
    assert messages(run, fnn.Dataset(x, made(y), weights))[0].startswith("Targets: class 0 has 9.0% of the weight")
    assert messages(run, fnn.Dataset(x, made(y), rows=np.arange(110))) == [NONE.format(1)]
    assert messages(run, fnn.Dataset(x, made(y), y)) == [NONE.format(0)]


def test_several_questions_are_not_compared_even_where_each_row_has_one_yes() -> None:
    run = fnn.start(fnn.mlp(1, 2, output="sigmoid", loss="binary_cross_entropy"))
    x, y = labelled(110, 10)
    assert messages(run, fnn.Dataset(x, fnn.one_hot(y, 2))) == []


def test_classes_that_never_occur() -> None:
    run = fnn.start(fnn.mlp(1, 9))
    data = fnn.Dataset(SPREAD[:, :1], np.arange(40) % 2 + 1)
    assert messages(run, data) == [NONE.format("0, 3, 4, 5, 6 and 2 more")]


@attrs.frozen
class Margin:
    """A loss whose targets are −1 or 1, or whatever else."""

    def rows(self, a: fnn.Floats, y: fnn.Array) -> fnn.Floats:
        return np.asarray(np.square(a).sum(axis=1))

    def vjp(self, a: fnn.Floats, y: fnn.Array) -> fnn.Floats:
        return np.asarray(2 * a)


X, Y = labelled(110, 10)


@pytest.mark.parametrize(
    ("outputs", "output", "loss", "y"),
    [
        (1, "identity", "mse", Y),
        (1, "sigmoid", "mse", 0.1 + 0.2 * Y),  # shares, no answers
        (2, "softmax", "cross_entropy", np.where(np.arange(2) == Y[:, None], 0.99, 0.01)),
        (3, "sigmoid", "binary_cross_entropy", np.arange(3) < 2 * Y[:, None]),  # three questions
        (2, "softmax", Margin(), 2 * Y - 1),
        (2, "softmax", Margin(), 100 * Y),
        (2, "softmax", Margin(), -1.5 * Y),
        (2, "softmax", Margin(), np.stack([Y, -Y], axis=1)),
    ],
)
def test_what_is_no_class_has_no_imbalance(outputs: int, output: Any, loss: Any, y: Any) -> None:
    run = fnn.start(fnn.mlp(1, outputs, output=output, loss=loss))
    assert messages(run, fnn.Dataset(X, y), "class imbalance") == []


# History.


def told(
    run: fnn.TrainState, data: fnn.Dataset, epoch: int = 20, batch_size: int | None = 1, **quantities: float
) -> list[str]:
    record = fnn.EpochRecord(epoch, **{"loss": 0.1, **quantities})
    recipe = attrs.evolve(run.recipe, batch_size=batch_size)
    return messages(attrs.evolve(run, epoch=epoch, history=(record,), recipe=recipe), data)


@pytest.mark.parametrize(
    ("quantities", "message"),
    [
        ({"loss": 0.708}, "Training: after 20 epochs its loss is 0.708, and guessing has ln 2 = 0.693; "
                          "try another learning_rate, or labels that fit the rows."),
        ({"loss": 0.706}, None),  # 1.02 ln 2 is 0.707
        ({"loss": 0.708, "val_loss": 0.6}, None),  # as dropout may make it
        ({"val_loss": 0.708}, "Validation: after 20 epochs its loss is 0.708, and guessing has ln 2 = 0.693; "
                              "try the same scaling for both parts, labels that fit the rows, or run.best."),
        ({"val_loss": 0.706}, None),
        ({"loss": 0.708, "epoch": 19}, None),
        ({"loss": 0.708, "batch_size": None}, None),  # twenty steps are few
        ({"loss": 0.65, "val_loss": 2.0, "batch_size": None}, None),  # and it has not learned yet
        ({"loss": 0.6, "val_loss": 2.0, "batch_size": None}, "Validation: after 20 epochs its loss is 2, and guessing "
         "has ln 2 = 0.693; try the same scaling for both parts, labels that fit the rows, or run.best."),
    ],
)  # fmt: skip
def test_what_is_worse_than_guessing(quantities: dict[str, Any], message: str | None) -> None:
    run = start((fnn.Dense(1, "sigmoid"),), [[[1]], [0]], "binary_cross_entropy", optimizer=fnn.SGD(0.1))
    run = attrs.evolve(run, recipe=attrs.evolve(run.recipe, seed=3))  # whose first weights are others
    assert told(run, fnn.Dataset(SIGNS, YES), **quantities) == ([message] if message else [])


def test_a_regression_worse_than_its_mean() -> None:
    run = start((fnn.Dense(1),), [[[0.9]], [0]], optimizer=fnn.SGD(0.1))
    data = fnn.Dataset(SIGNS, SIGNS)
    assert told(run, data, val_r2=0.01, loss=1e9) == []
    assert told(run, data, val_r2=-0.5, batch_size=None) == []  # twenty steps are few
    for r2 in (-0.5, -3.25):
        assert told(run, data, val_r2=r2) == [
            f"Validation: after 20 epochs its r2 is {r2}, and the mean has 0; "
            "try the same scaling for both parts and for the targets, or run.best."
        ]


def test_the_first_loss_is_that_of_the_recipes_seed() -> None:
    network, data = fnn.mlp(1, 4, 2), fnn.Dataset(SIGNS, YES)
    for seed in (0, 5):
        run = fnn.fit(network, data, seed=seed, epochs=1)
        first = fnn.loss(network, fnn.init_params(network, seed), data.x, data.y)
        assert fnn.diagnose(run, data).initial_loss == pytest.approx(first, rel=1e-6)
