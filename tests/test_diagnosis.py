"""Diagnoses: numbers worked by hand, and each finding about a network provoked, with a neighbour within its bound."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.own import OwnSigmoid, OwnSoftmax
from tests.test_checks import INF, NAN

SIGNS = np.array([[1.0], [-1.0]] * 6)
YES = np.array([1, 0] * 6)
SLOW = fnn.SGD(0.005)
SPREAD = np.random.default_rng(0).standard_normal((40, 3))


def start(
    layers: Any, numbers: Any, loss: Any = "mse", optimizer: Any = SLOW, dtype: Any = np.float64, **settings: Any
) -> fnn.TrainState:
    """A run with given parameters, on one column of x."""
    network = fnn.Network(1, layers, loss=loss, **settings)
    return fnn.start(network, optimizer=optimizer, batch_size=None, params=fnn.pack_params(network, numbers, dtype))


def messages(run: fnn.TrainState, data: fnn.Dataset, kind: str | None = None) -> list[str]:
    """The sentences of a diagnosis, all or of one kind."""
    return [f.message for f in fnn.diagnose(run, data).findings if kind in (None, f.kind)]


# The numbers.

X = np.array([[1.0], [2.0]] * 5)
RELU = ((fnn.Dense(3, "relu"), fnn.Dense(1)), [[[1, -1, 2]], [0, -5, -20], [[0.5], [3], [4]], [0]])


def test_a_relu_network_by_hand() -> None:
    """Unit 0 alone is above 0: z = x, and the output ½ x for the target x, so that ∂loss/∂output is −x for each row."""
    d = fnn.diagnose(start(*RELU, optimizer=fnn.SGD(0.1)), fnn.Dataset(X, X))
    assert d.loss == pytest.approx(0.25 * 2.5) == d.initial_loss  # the mean of x² is 2.5
    hidden, output = d.layers
    assert (hidden.layer, output.layer) == ("Dense relu", "Dense identity")
    assert (hidden.dead, output.dead, hidden.saturated, output.saturated) == (2 / 3, None, None, None)
    assert hidden.gradient_norm == pytest.approx(1.25)
    assert output.gradient_norm == pytest.approx(2.5)
    assert hidden.weight_norm == pytest.approx(6**0.5)
    assert output.weight_norm == pytest.approx(25.25**0.5)
    assert hidden.update_ratio == pytest.approx(0.125 / 6**0.5)
    assert output.update_ratio == pytest.approx(0.25 / 25.25**0.5)
    assert not d.ok
    assert str(d).splitlines() == [
        "layer              dead  saturated  gradient norm  weight norm  update ratio",
        "0 Dense relu      66.7%          -           1.25         2.45         0.051",
        "1 Dense identity      -          -            2.5         5.02        0.0498",
        "loss 0.625, of the first parameters 0.625",
        "Layer 0 (Dense relu): 2 of 3 units have the slope 0 in every row; "
        "try a lower learning_rate, he_normal weights, or leaky_relu.",
    ]


def test_the_gradient_is_of_the_loss_alone_and_the_step_is_the_runs() -> None:
    """Penalties move the weights but are not counted; Adam's step is of lr each, but unit 0 stays at its max_norm."""
    layers = (fnn.Dense(3, "relu", l2=1.0, max_norm=1.0), fnn.Dense(1, l1=1.0))
    d = fnn.diagnose(start(layers, RELU[1], optimizer=fnn.Adam(0.01)), fnn.Dataset(X, X))
    hidden, output = d.layers
    assert hidden.weight_norm == pytest.approx(3**0.5)  # each unit's one weight is cut to 1
    assert hidden.gradient_norm == pytest.approx(1.25)
    assert output.gradient_norm == pytest.approx(2.5)
    assert output.update_ratio == pytest.approx(0.01 * 3**0.5 / 25.25**0.5, rel=1e-6)
    assert hidden.update_ratio == pytest.approx(0.01 * 2**0.5 / 3**0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "inside", "outside"), [("sigmoid", 4.356, 4.357), ("tanh", 2.177, 2.179)], ids=["sigmoid", "tanh"]
)
def test_saturated_is_where_the_slope_is_below_a_twentieth_of_the_steepest(
    name: Any, inside: float, outside: float
) -> None:
    """σ' = ¼ / 20 at ln((1 + √(19/20)) / (1 − √(19/20))) = 4.3567, and tanh' = 1/20 at half of that."""
    assert inside < math.log((1 + 0.95**0.5) / (1 - 0.95**0.5)) / (2 if name == "tanh" else 1) < outside
    layers, numbers = (fnn.Dense(2, name), fnn.Dense(1)), [[[1, 1e-3]], [0, 0], [[1], [1]], [0]]
    x = np.array([[inside], [-inside], [outside], [-outside], [0.0]])
    health = fnn.diagnose(start(layers, numbers), fnn.Dataset(x, x)).layers[0]
    assert (health.saturated, health.dead) == (0.2, 0)


def test_what_does_not_apply_is_none() -> None:
    layers: list[Any] = [
        fnn.Dropout(0.5),
        fnn.Dense(2),
        fnn.BatchNorm("relu"),
        fnn.Dense(2, OwnSigmoid()),
        fnn.Dense(2, "softmax"),
    ]
    d = fnn.diagnose(fnn.start(fnn.Network(1, (*layers, fnn.Dense(1, "sigmoid")), loss="mse")), fnn.Dataset(SIGNS, YES))
    none = [[name for name, value in attrs.asdict(layer).items() if value is None] for layer in d.layers]
    shares, numbers = ["dead", "saturated"], ["gradient_norm", "weight_norm", "update_ratio"]
    assert none == [shares + numbers, shares, ["saturated"], ["saturated"], shares, shares]


def test_it_looks_at_2048_rows_of_the_epochs_shuffle_and_not_at_rows_of_weight_0() -> None:
    """More rows than that, sorted, of which a regular part would see but few classes."""
    n = 20480
    x, y = np.random.default_rng(0).standard_normal((n, 2)), np.arange(n) % 10
    run = fnn.start(fnn.mlp(2, 10), seed=3)
    order = next(fnn.batches(fnn.Dataset(x, y), batch_size=2048, seed=3, epoch=0)).rows
    key = fnn.Key(seed=3, epoch=0, batch=0)
    d = fnn.diagnose(run, fnn.Dataset(x, y))
    assert d.loss == pytest.approx(fnn.loss(run.recipe.network, run.params, x[order], y[order], key=key))
    w = (np.arange(n) < 100).astype(float)
    d = fnn.diagnose(run, fnn.Dataset(np.where(w[:, None], x, 1e4), y, w))
    assert d.loss == pytest.approx(fnn.loss(run.recipe.network, run.params, x[:100], y[:100], key=key))
    assert d.ok


def test_the_losses_are_weighted_and_the_first_parameters_within_their_max_norm() -> None:
    network = fnn.Network(3, (fnn.Dense(4, "tanh", max_norm=0.1), fnn.Dense(1)), loss="mse")
    x, y, w = SPREAD, SPREAD[:, 0], np.arange(1.0, 41.0)
    first = fnn.project(network, fnn.init_params(network, seed=0))
    value = pytest.approx(fnn.loss(network, first, x, y, w), rel=1e-6)
    run = fnn.start(network)
    for state in (run, next(fnn.train(network, fnn.Dataset(x, y), state=run))):
        assert fnn.diagnose(state, fnn.Dataset(x, y, w)).initial_loss == value
    assert fnn.diagnose(run, fnn.Dataset(x, y, w)).loss == value


# Units.

DEAD = (
    "Layer 0 (Dense relu): {} of 12 units have the slope 0 in every row; "
    "try a lower learning_rate, he_normal weights, or leaky_relu."
)


@pytest.mark.parametrize(
    ("dead", "rows", "found"),
    [(7, 12, True), (6, 12, False), (7, 10, True), (7, 9, False), (11, 1, False), (12, 1, True)],
)
def test_dead_units(dead: int, rows: int, found: bool) -> None:
    """In fewer than ten rows a unit may be 0 by chance."""
    numbers = [
        np.linspace(0.5, 1, 12)[None],
        np.where(np.arange(12) < dead, -5, 2),
        np.linspace(1, 2, 12)[:, None],
        [0],
    ]
    run = start((fnn.Dense(12, "relu"), fnn.Dense(1)), numbers, optimizer=fnn.SGD(1e-4))
    assert messages(run, fnn.Dataset(SIGNS[:rows], YES[:rows])) == [DEAD.format(dead)] * found


@pytest.mark.parametrize(("weight", "found"), [(4.0, True), (0.5, False)])
def test_saturation(weight: float, found: bool) -> None:
    """Two of three units are at tanh(4); a run that has learned so is left alone."""
    run = start((fnn.Dense(3, "tanh"), fnn.Dense(1)), [[[4, weight, 0.5]], [0] * 3, [[0.1], [0.2], [0.3]], [0]])
    data = fnn.Dataset(SIGNS, YES)
    message = (
        "Layer 0 (Dense tanh): 67% of its outputs are where the slope is near 0; "
        "try scaled inputs, smaller first weights, or relu."
    )
    assert messages(run, data) == [message] * found
    network = run.recipe.network
    first = [fnn.loss(network, fnn.init_params(network, seed), SIGNS, YES) for seed in range(20)]
    learned = attrs.evolve(run, epoch=1, recipe=attrs.evolve(run.recipe, seed=int(np.argmax(first))))
    assert max(first) * 0.9 > fnn.diagnose(learned, data).loss
    assert fnn.diagnose(learned, data).ok


@pytest.mark.parametrize("first", ["zeros", fnn.Uniform(0.2, 0.2)], ids=["zeros", "alike"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_identical_units(first: Any, activation: Any) -> None:
    layers = [fnn.Dense(4, activation, weight_init=first), fnn.Dense(1, weight_init=first)]
    run = fnn.start(fnn.Network(3, layers, loss="mse"), optimizer=SLOW)
    data = fnn.Dataset(SPREAD, SPREAD[:, 0])
    message = (
        f"Layer 0 (Dense {activation}): its 4 units are the same, and so are their gradients; "
        "try he_normal or glorot_uniform weights."
    )
    assert messages(run, data) == [message]
    for place in (0, -2):  # what one unit takes in, or hands on
        vector = run.params.vector.copy()
        vector[place] += 0.1
        moved = attrs.evolve(run, params=attrs.evolve(run.params, vector=vector))
        assert messages(moved, data, "identical units") == [message] * (
            place == -2 and activation == "relu" and first == "zeros"
        )


def test_identical_outputs_for_identical_targets_are_well() -> None:
    run = fnn.start(fnn.Network(3, (fnn.Dense(2, weight_init="zeros"),), loss="mse"), optimizer=SLOW)
    assert fnn.diagnose(run, fnn.Dataset(SPREAD, SPREAD[:, [0, 0]])).ok


def test_a_last_layer_that_begins_at_0_is_well() -> None:
    """What is below it has no gradient before its first step."""
    layers = [fnn.Dense(8, "relu"), fnn.Dense(8, "tanh"), fnn.Dense(3, "softmax", weight_init="zeros")]
    run, data = fnn.start(fnn.Network(3, layers, loss="cross_entropy")), fnn.Dataset(SPREAD, np.arange(40) % 3)
    d = fnn.diagnose(run, data)
    assert [(layer.gradient_norm, layer.update_ratio) for layer in d.layers[:2]] == [(0, 0)] * 2
    assert d.layers[2].update_ratio is None
    assert d.ok


# Gradients: of x → w₁ x → w₂ w₁ x they are to each other as w₂ to w₁.

CHAIN = "Layer 0 (Dense identity): its gradient is {} times that of layer 1 (Dense identity); try "


@pytest.mark.parametrize(
    ("weight", "kind", "message"),
    [
        (0.0019, "vanishing gradient", CHAIN.format("0.0019") + "relu, BatchNorm, or fewer layers."),
        (0.0021, None, None),
        (99, None, None),
        (101, "exploding gradient", CHAIN.format("1e+02") + "smaller first weights, BatchNorm, or clip_norm."),
    ],
)
def test_vanishing_and_exploding_gradients(weight: float, kind: str | None, message: str | None) -> None:
    run = start(
        (fnn.Dense(1), fnn.Dense(1)), [[[1]], [0], [[weight]], [0]], optimizer=fnn.SGD(1e-4 if weight < 1 else 1e-5)
    )
    d = fnn.diagnose(run, fnn.Dataset(SIGNS, 2 * SIGNS))
    assert [(f.kind, f.message) for f in d.findings] == ([(kind, message)] if kind else [])


# The step: of x → w x for 0 the gradient is 2w.


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (0.499, None),
        (0.501, "the next step moves its weights by 1 times their norm; try a learning_rate 10 times lower."),
        (60, "the next step moves its weights by 1.2e+02 times their norm; try a learning_rate 1,000 times lower."),
        (
            1.4e-5,
            "the next step moves its weights by 2.8e-05 times their norm, and no layer's by more; "
            "try a learning_rate 1,000 times higher, or he_normal weights.",
        ),
        (1.6e-5, None),
        (
            0,
            "the next step moves its weights by 0 times their norm, and no layer's by more; "
            "try a learning_rate much higher, or he_normal weights.",
        ),
    ],
)
def test_large_and_small_updates(rate: float, message: str | None) -> None:
    run, data = start((fnn.Dense(1),), [[[3]], [0]], optimizer=fnn.SGD(rate)), fnn.Dataset(SIGNS, np.zeros(12))
    assert messages(run, data) == ([f"Layer 0 (Dense identity): {message}"] if message else [])
    assert fnn.diagnose(run, data).layers[0].update_ratio == pytest.approx(2 * rate)


def test_small_updates_are_none_of_a_schedule_that_begins_nor_of_a_network_that_has_learned() -> None:
    data = fnn.Dataset(SIGNS, np.zeros(12))
    run = start((fnn.Dense(1),), [[[3]], [0]], optimizer=fnn.SGD(fnn.Cosine(1.0, steps=200000, warmup_steps=100000)))
    assert fnn.diagnose(run, data).ok
    assert [f.kind for f in fnn.diagnose(attrs.evolve(run, epoch=1), data).findings] == ["small updates"]
    learned = start((fnn.Dense(1),), [[[1e-3]], [0]], optimizer=fnn.SGD(0))
    assert fnn.diagnose(attrs.evolve(learned, epoch=1), data).ok


def test_a_large_update_names_the_layer_that_moves_most() -> None:
    run = start((fnn.Dense(1), fnn.Dense(1)), [[[1]], [0], [[0.1]], [0]], optimizer=fnn.SGD(1.0))
    assert messages(run, fnn.Dataset(SIGNS, SIGNS)) == [
        "Layer 1 (Dense identity): the next step moves its weights by 18 times their norm; "
        "try a learning_rate 100 times lower."
    ]


# Losses.


@pytest.mark.parametrize(
    ("layers", "loss", "numbers"),
    [
        ((fnn.Dense(2, "softmax"),), "cross_entropy", [[[1, -1]], [0, 0]]),
        ((fnn.Dense(1, "sigmoid"),), "binary_cross_entropy", [[[-2]], [0]]),
    ],
    ids=["softmax", "sigmoid"],
)
@pytest.mark.parametrize(("c", "found"), [(1.95, "2.08"), (1.94, None)])
def test_initial_loss(layers: Any, loss: Any, numbers: Any, c: float, found: str | None) -> None:
    """Where a margin of c is always on the wrong side the loss is ln(1 + exp(c)), against 3 ln 2 = 2.079."""
    scaled = [np.array(numbers[0]) * c / 2, numbers[1]]
    run, data = start(layers, scaled, loss), fnn.Dataset(SIGNS, YES)
    message = f"Loss: it begins at {found}, and guessing has ln 2 = 0.693; try scaled inputs, or smaller first weights."
    d = fnn.diagnose(run, data)
    assert [f.message for f in d.findings] == [message] * bool(found)
    assert d.initial_loss == d.loss == pytest.approx(math.log1p(math.exp(c)))
    begun = attrs.evolve(run, batch=1)  # then it is that of the seed's own first parameters
    first = fnn.init_params(run.recipe.network, 0, np.float64)
    assert fnn.diagnose(begun, data).initial_loss == pytest.approx(fnn.loss(run.recipe.network, first, SIGNS, YES))
    smooth = attrs.evolve(run.recipe.network, loss=fnn.CrossEntropy(0.2)) if loss == "cross_entropy" else None
    if smooth:  # a fifth of the time either class: the other side's loss is c less
        d = fnn.diagnose(fnn.start(smooth, optimizer=SLOW, params=run.params), data)
        assert d.initial_loss == pytest.approx(math.log1p(math.exp(c)) - 0.1 * c)
        assert d.ok


TRY = "not finite; try a lower learning_rate, clip_norm, or scaled inputs."


@pytest.mark.parametrize(
    ("numbers", "optimizer", "y", "message"),
    [
        ([[[NAN]], [0], [[1]], [0]], SLOW, 1.0, f"Layer 0 (Dense relu): its outputs are {TRY}"),
        ([[[1]], [0], [[1e300]], [INF]], SLOW, 1.0, f"Layer 1 (Dense identity): its outputs are {TRY}"),
        ([[[1]], [0], [[1]], [0]], SLOW, 1e200, f"Loss: it is {TRY}"),
        ([[[1e-10]], [0], [[1e160]], [0]], SLOW, 1.0, f"Gradient: it is {TRY}"),
        ([[[1]], [0], [[1e3]], [0]], fnn.SGD(1e308), 1.0, f"Next step: it is {TRY}"),
    ],
    ids=["hidden", "output", "loss", "gradient", "step"],
)
def test_not_finite(numbers: Any, optimizer: Any, y: float, message: str) -> None:
    run = start((fnn.Dense(1, "relu"), fnn.Dense(1)), [[[1]], [0], [[1]], [0]], optimizer=optimizer)
    vector = np.concatenate([np.ravel(part) for part in numbers]).astype(np.float64)
    run = attrs.evolve(run, params=attrs.evolve(run.params, vector=vector))
    assert messages(run, fnn.Dataset(SIGNS, y * SIGNS), "not finite") == [message]


def test_units_that_are_not_finite_are_not_called_dead() -> None:
    run = fnn.start(fnn.mlp(2, 8, 3))
    run = attrs.evolve(run, params=attrs.evolve(run.params, vector=run.params.vector * np.nan))
    d = fnn.diagnose(run, fnn.Dataset(np.eye(2)[np.arange(12) % 2], np.arange(12) % 3))
    assert math.isnan(d.layers[0].dead or 0.0)
    assert [f.kind for f in d.findings] == ["not finite"]


def test_units_that_sum_to_1_are_not_called_dead() -> None:
    own = fnn.Network(1, (fnn.Dense(4, OwnSoftmax()), fnn.Dense(1)), loss="mse")
    assert fnn.diagnose(fnn.start(own, optimizer=fnn.SGD(0.1)), fnn.Dataset(SIGNS, SIGNS)).layers[0].dead == 0
