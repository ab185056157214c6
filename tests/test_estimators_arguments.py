"""The estimators' arguments, each by what scikit-learn's documentation says of it, and then those that are fnn's."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network as sk
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor
from tests.test_checks import GRAMMAR

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 60
X: NDArray[np.float64] = RNG.standard_normal((N, 4))
Z = X[:, :3] + RNG.standard_normal((N, 3))
Y: dict[str, Any] = {"classes": Z.argmax(axis=1), "labels": (Z > 0.5).astype(int), "number": Z[:, 0] * Z[:, 1]}
KINDS: list[Any] = [MLPClassifier, MLPRegressor]
BASE: dict[str, Any] = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 4}
SGD: dict[str, Any] = {"solver": "sgd", "learning_rate_init": 0.1}
NETWORK = fnn.mlp(4, 6, 3)
both = pytest.mark.parametrize("kind", KINDS)
fitted = {MLPClassifier: Y["classes"], MLPRegressor: Y["number"]}


def fit(kind: Any, *, y: Any = None, x: Any = X, w: Any = None, **settings: Any) -> Any:
    return kind(**(BASE | settings)).fit(x, fitted[kind][: len(x)] if y is None else y, w)


def first(model: Any) -> Any:
    return fnn.init_params(model.run_.recipe.network, model.run_.recipe.seed, np.float64)


def same_bits(a: Any, b: Any) -> bool:
    return fnn.digest(a.params_) == fnn.digest(b.params_)


# How they are written.


@both
def test_the_signature_is_scikit_learns_and_then_fnns(kind: Any) -> None:
    theirs = inspect.signature(getattr(sk, kind.__name__)).parameters
    ours = inspect.signature(kind).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values() if p.name in theirs] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    own = {name: p for name, p in ours.items() if name not in theirs}
    names = ["network", "optimizer", "validation", "progress", "on_epoch"]
    assert list(own) == names + ["class_weight"] * (kind is MLPClassifier)
    assert {p.kind for p in own.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert all(p.default in (None, False) for p in own.values())


WRONG: list[tuple[str, Any]] = [
    ("hidden_layer_sizes", (5, 0)), ("hidden_layer_sizes", 0), ("hidden_layer_sizes", (2.5,)),
    ("hidden_layer_sizes", "5"), ("activation", "sigmoid"), ("activation", None), ("solver", "newton"),
    ("alpha", -1), ("alpha", "1"), ("alpha", math.nan), ("batch_size", 0), ("batch_size", 2.5), ("batch_size", "all"),
    ("learning_rate", "falling"), ("learning_rate_init", 0), ("learning_rate_init", math.inf), ("power_t", -0.5),
    ("max_iter", 0), ("max_iter", 1.5), ("shuffle", "yes"), ("shuffle", 1), ("random_state", "seed"),
    ("random_state", -1), ("random_state", 1.5), ("tol", -1e-4), ("tol", None), ("verbose", -1), ("verbose", "much"),
    ("warm_start", 1), ("momentum", 1.1), ("momentum", -0.1), ("nesterovs_momentum", None), ("early_stopping", "no"),
    ("validation_fraction", 1), ("validation_fraction", -0.1), ("beta_1", 1), ("beta_2", 1.0), ("beta_2", -0.1),
    ("epsilon", 0), ("n_iter_no_change", 0), ("n_iter_no_change", 1.5), ("n_iter_no_change", -math.inf),
    ("max_fun", 0), ("network", 5), ("network", (5,)), ("optimizer", "adam"), ("optimizer", fnn.Adam),
    ("validation", 0.1), ("validation", (X,)), ("progress", 1), ("on_epoch", 5),
]  # fmt: skip


@both
@pytest.mark.parametrize(("name", "value"), [*WRONG, ("loss", "mse"), ("class_weight", "equal"), ("class_weight", 2)])
def test_a_wrong_value_is_refused_by_fit_and_not_before(kind: Any, name: str, value: Any) -> None:
    if name not in kind().get_params():
        with pytest.raises(TypeError):
            kind(**{name: value})
        return
    model = kind(**{name: value})
    assert model.get_params()[name] is value
    assert kind().set_params(**{name: value}).get_params()[name] is value
    with pytest.raises((TypeError, ValueError)) as caught:
        model.fit(X, fitted[kind])
    message = str(caught.value)
    own = (kind.__name__, name)
    assert re.match(rf"{own[0]}(\.fit)?: `{own[1]}` must ", message), message
    assert GRAMMAR.fullmatch(message.replace(".fit:", ":")), message
    assert not hasattr(model, "run_")


# The network.

SIZES = [(7, [7]), (np.int64(7), [7]), ([7, 3], [7, 3]), ((2, 3, 4), [2, 3, 4]), (np.array([7, 3]), [7, 3]), ((), [])]


@both
@pytest.mark.parametrize(("sizes", "widths"), SIZES, ids=str)
def test_hidden_layer_sizes_are_the_units_of_each_layer(kind: Any, sizes: Any, widths: list[int]) -> None:
    model = fit(kind, hidden_layer_sizes=sizes)
    units = [4, *widths, 3 if kind is MLPClassifier else 1]
    assert [array.shape for array in model.coefs_] == list(pairwise(units))
    assert [array.shape for array in model.intercepts_] == [(n,) for n in units[1:]]
    assert model.get_params()["hidden_layer_sizes"] is sizes


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z, "logistic": expit, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0),
}  # fmt: skip


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_activation_is_that_of_hidden_layers(activation: str) -> None:
    model = fit(MLPRegressor, activation=activation, hidden_layer_sizes=(5, 4))
    a = X
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        a = FUNCTIONS[activation](a @ weight + bias)
    expected = (a @ model.coefs_[-1] + model.intercepts_[-1])[:, 0]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12, atol=1e-14)
    bound = math.sqrt((2 if activation == "logistic" else 6) / (4 + 100))
    drawn = first(fit(MLPRegressor, activation=activation, hidden_layer_sizes=(100,), max_iter=1))[0]
    for array in (drawn.weight, drawn.bias):
        assert 0.9 * bound < np.abs(array).max() <= bound


@both
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_is_a_penalty_divided_by_the_sample_size(kind: Any, weighted: bool) -> None:
    w = RNG.uniform(0.5, 2, N) if weighted else np.ones(N)
    models = {alpha: fit(kind, w=w, alpha=alpha, solver="lbfgs", max_iter=50) for alpha in (0, 2, 30)}
    sizes = {}
    for alpha, model in models.items():
        squares = sizes[alpha] = sum((array**2).sum() for array in model.coefs_)
        if kind is MLPClassifier:
            rows = -np.log(model.predict_proba(X)[np.arange(N), Y["classes"]])
        else:
            rows = (model.predict(X) - Y["number"]) ** 2 / 2
        expected = np.average(rows, weights=w) + alpha / 2 * squares / w.sum()
        assert model.loss_ == pytest.approx(expected, rel=1e-12)
    assert sizes[0] > 1.5 * sizes[2] > 3 * sizes[30]


@pytest.mark.parametrize(("loss", "out"), [("squared_error", "identity"), ("poisson", "exp")])
def test_loss_is_of_the_regressor(loss: Any, out: str) -> None:
    y = np.floor(np.exp(X[:, 0]))
    model = MLPRegressor(loss, (5,), max_iter=1, random_state=0, alpha=0).fit(X, y)
    assert model.out_activation_ == out
    a = fnn.predict(model.run_.recipe.network, first(model), X)
    logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / np.abs(a)), 0)
    rows = (a - y) ** 2 / 2 if loss == "squared_error" else a - y + logs
    assert model.loss_ == pytest.approx(rows.mean(), rel=1e-12)
    if loss == "poisson":
        with pytest.raises(ValueError, match=r"^MLPRegressor\.fit: `y` must be at least 0, got"):
            model.fit(X, X[:, 0])


# The solver.


@pytest.mark.parametrize("solver", ["adam", "sgd", "sgd, plain", "sgd, no momentum"])
def test_a_step_is_what_the_documentation_says(solver: str) -> None:
    rate, beta, gamma, epsilon, mu = 0.05, 0.7, 0.9, 0.02, 0.0 if "no" in solver else 0.8
    settings: dict[str, Any] = {"solver": solver[:4].strip(","), "momentum": mu, "nesterovs_momentum": solver == "sgd"}
    seen: list[fnn.TrainState] = []
    moments = {"beta_1": beta, "beta_2": gamma, "epsilon": epsilon, "learning_rate_init": rate}
    model = fit(MLPRegressor, **settings, **moments, on_epoch=seen.append, alpha=1.0)
    assert len(seen) == 4
    params, v, m = first(model), np.zeros(1), np.zeros(1)
    for t, state in enumerate(seen, 1):
        g = fnn.grads(model.run_.recipe.network, params, X, Y["number"]).vector
        if solver == "adam":
            m, v = beta * m + (1 - beta) * g, gamma * v + (1 - gamma) * g**2
            step = -rate * math.sqrt(1 - gamma**t) / (1 - beta**t) * m / (np.sqrt(v) + epsilon)
        else:
            v = mu * v - rate * g
            step = mu * v - rate * g if solver == "sgd" else v
        np.testing.assert_allclose(state.params.vector, params.vector + step, rtol=1e-9, atol=1e-12)
        params = state.params


def test_what_another_solver_uses_does_nothing() -> None:
    of_sgd: dict[str, Any] = {"learning_rate": "adaptive", "power_t": 2.0, "momentum": 0.1, "nesterovs_momentum": False}
    of_adam = {"beta_1": 0.1, "beta_2": 0.2, "epsilon": 0.3}
    assert same_bits(fit(MLPRegressor), fit(MLPRegressor, **of_sgd, max_fun=1))
    assert same_bits(fit(MLPRegressor, **SGD), fit(MLPRegressor, **SGD, **of_adam, max_fun=1, power_t=2.0))
    lbfgs = {"shuffle": False, "learning_rate_init": 1.0, "batch_size": 1000, "n_iter_no_change": 1}
    alone = fit(MLPRegressor, solver="lbfgs")
    assert same_bits(alone, fit(MLPRegressor, solver="lbfgs", **lbfgs, **of_adam, **of_sgd))


@both
def test_early_stopping_is_only_effective_with_sgd_and_adam(kind: Any) -> None:
    alone = fit(kind, solver="lbfgs")
    assert same_bits(alone, fit(kind, solver="lbfgs", early_stopping=True))
    assert same_bits(alone, fit(kind, solver="lbfgs", early_stopping=True, validation_fraction=0.0))


@both
def test_max_fun_is_the_most_evaluations_of_lbfgs(kind: Any) -> None:
    with pytest.warns(ConvergenceWarning, match=r"L-BFGS stopped after \d iterations and \d+ calls"):
        model = fit(kind, solver="lbfgs", max_fun=5, max_iter=1000)
    assert 0 < model.n_iter_ <= 5


def rates(**settings: Any) -> list[float]:
    """The learning rate after each epoch of SGD."""
    seen: list[Any] = []
    fit(MLPRegressor, **(SGD | settings), on_epoch=seen.append)
    return [state.recipe.optimizer.learning_rate for state in seen]


def test_learning_rate_is_the_schedule_of_sgd() -> None:
    assert rates() == [0.1] * 4
    for power in (0.5, 0.2):
        expected = [0.1 / (t * N + 1) ** power for t in (1, 2, 3, 4)]
        assert rates(learning_rate="invscaling", power_t=power) == pytest.approx(expected, rel=1e-14)
    stuck: dict[str, Any] = {"learning_rate": "adaptive", "tol": 100, "n_iter_no_change": 1, "max_iter": 99}
    falling = rates(**stuck)
    assert falling[:-1] == pytest.approx([0.1 / 5 ** (i // 2) for i in range(len(falling) - 1)], rel=1e-12)
    assert falling[-1] <= 1e-6 < 5 * falling[-1]
    assert rates(**stuck | {"tol": 0, "max_iter": 5}) == [0.1] * 5


def batches(size: Any, n: int) -> int:
    """How many steps an epoch makes."""
    x = RNG.standard_normal((n, 2))
    model = MLPRegressor(hidden_layer_sizes=(2,), batch_size=size, max_iter=1).fit(x, x[:, 0])
    return int(model.run_.optimizer_state.step)


def test_batch_size_is_of_the_stochastic_solvers() -> None:
    assert [batches("auto", n) for n in (150, 200, 201, 450)] == [1, 1, 2, 3]
    assert [batches(size, 20) for size in (1, 6, 10, 20, np.int32(7))] == [20, 4, 2, 1, 3]
    with pytest.warns(UserWarning, match="`batch_size`, 21, is cut down to the 20 rows there are"):
        assert batches(21, 20) == 1


# How long.


@both
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_max_iter_is_the_most_epochs_and_warned_of(kind: Any, solver: str) -> None:
    with pytest.warns(ConvergenceWarning, match=rf"^{kind.__name__}\.fit: "):
        model = fit(kind, solver=solver, max_iter=3)
    assert model.n_iter_ == 3


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("tol", "patience"), [(0.02, 3), (0.1, 1), (1e6, 2)])
def test_it_stops_when_the_loss_was_not_better_by_tol_for_so_many_epochs(kind: Any, tol: float, patience: int) -> None:
    model = fit(kind, tol=tol, n_iter_no_change=patience, max_iter=500, learning_rate_init=0.02)
    curve = model.loss_curve_
    assert len(curve) == model.n_iter_ < 500
    stalled = [math.inf] + [curve[i] > min(curve[:i]) - tol for i in range(1, len(curve))]
    assert all(stalled[-patience - 1 :])
    runs = "".join("01"[bool(flag)] for flag in stalled[1:-1])
    assert "1" * (patience + 1) not in runs


@both
def test_an_infinite_n_iter_no_change_never_stops(kind: Any) -> None:
    with pytest.warns(ConvergenceWarning):
        assert fit(kind, n_iter_no_change=np.inf, tol=1e6, max_iter=40).n_iter_ == 40


# Chance.


@both
def test_random_state_gives_the_same_bits_or_others(kind: Any) -> None:
    small = {"batch_size": 16}
    model = fit(kind, **small)
    assert same_bits(model, fit(kind, **small))
    assert same_bits(model, fit(kind, **small, random_state=np.random.RandomState(0)))
    assert not same_bits(model, fit(kind, **small, random_state=1))
    assert not same_bits(fit(kind, random_state=None), fit(kind, random_state=None))
    generator = np.random.RandomState(0)
    again = kind(**BASE | {"random_state": generator} | small)
    assert same_bits(model, again.fit(X, fitted[kind]))
    assert not same_bits(model, again.fit(X, fitted[kind]))


@both
def test_shuffle_takes_the_rows_in_another_order_each_epoch(kind: Any) -> None:
    y, reverse = fitted[kind], np.arange(N)[::-1]
    plain = {"batch_size": 16, "shuffle": False}
    straight, shuffled = fit(kind, **plain), fit(kind, batch_size=16)
    assert fnn.digest(first(straight)) == fnn.digest(first(shuffled))
    assert not same_bits(straight, shuffled)
    assert not np.allclose(straight.coefs_[0], fit(kind, **plain, x=X[reverse], y=y[reverse]).coefs_[0], atol=1e-6)
    whole, turned = fit(kind, shuffle=False), fit(kind)
    np.testing.assert_allclose(whole.coefs_[0], turned.coefs_[0], rtol=1e-9)


# fnn's own.


@both
@pytest.mark.parametrize("name", ["hidden_layer_sizes", "activation", "alpha", "loss"])
def test_what_a_network_says_is_not_said_twice(kind: Any, name: str) -> None:
    network: Any = NETWORK if kind is MLPClassifier else fnn.mlp(4, 1, output="identity", loss="mse")
    values: dict[str, Any] = {"hidden_layer_sizes": (5,), "activation": "tanh", "alpha": 1, "loss": "poisson"}
    if name not in kind().get_params():
        return
    spelled = rf"^{kind.__name__}: `{name}` must be left out where `network` is given, got .+\. The network says it\.$"
    with pytest.raises(ValueError, match=spelled):
        kind(network=network, **{name: values[name]}).fit(X, fitted[kind])


@both
def test_what_an_optimizer_says_is_not_said_twice(kind: Any) -> None:
    values: dict[str, Any] = {
        "solver": "lbfgs", "learning_rate": "adaptive", "learning_rate_init": 0.1, "power_t": 1.0, "momentum": 0.5,
        "nesterovs_momentum": False, "beta_1": 0.5, "beta_2": 0.5, "epsilon": 0.1, "max_fun": 5,
    }  # fmt: skip
    for name, value in values.items():
        with pytest.raises(
            ValueError, match=rf"^{kind.__name__}: `{name}` must be left out where `optimizer` is given"
        ):
            fit(kind, optimizer=fnn.Adam(), **{name: value})


@pytest.mark.parametrize("target", ["classes", "labels"])
def test_class_weight_multiplies_the_weights_of_rows(target: str) -> None:
    y, w = Y[target], RNG.uniform(0.5, 2, N)
    if target == "classes":
        given: Any = {0: 2.0, 1: 0.5}
        expected, counts = np.array([2.0, 0.5, 1.0])[y], np.bincount(y)
        balanced = N / (3 * counts[y])
    else:
        given, ones = [{0: 1.0, 1: 3.0}, {0: 2.0, 1: 1.0}, {0: 1.0, 1: 1.0}], y.mean(axis=0)
        expected = np.where(y[:, 0], 3.0, 1.0) * np.where(y[:, 1], 1.0, 2.0)
        balanced = np.where(y, 0.5 / ones, 0.5 / (1 - ones)).prod(axis=1)
    for weight, rows in ((given, expected), ("balanced", balanced)):
        for own in (1.0, w):
            model = fit(MLPClassifier, y=y, w=None if own is not w else w, class_weight=weight)
            by_rows = fit(MLPClassifier, y=y, w=rows * own)
            np.testing.assert_allclose(model.coefs_[0], by_rows.coefs_[0], rtol=1e-10)
    assert not np.allclose(fit(MLPClassifier, y=y).coefs_[0], model.coefs_[0], atol=1e-6)
