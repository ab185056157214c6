"""L-BFGS: minima that scikit-learn and NumPy find too, and scipy's own minimizer on the whole objective."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

import fnn
from fnn import lbfgs
from fnn.arrays import Array, Floats
from tests.stand_ins import exactly
from tests.test_checks import NAN, refused
from tests.test_purity import assert_sealed

RNG = np.random.default_rng(0)
N = 60
X: NDArray[np.float64] = RNG.standard_normal((N, 4))
LABELS = (X @ RNG.standard_normal((4, 3)) + RNG.standard_normal((N, 3))).argmax(axis=1)
TARGETS = X @ RNG.standard_normal((4, 2)) + RNG.standard_normal((N, 2))
RIDGE = fnn.Network(4, (fnn.Dense(3, "softmax", l2=0.05),), loss="cross_entropy")
HIDDEN = fnn.mlp(4, 6, 3, activation="tanh")
CLASSES = fnn.Dataset(X, LABELS)


def linear(outputs: int, l2: float = 0.0) -> fnn.Network:
    return fnn.Network(4, (fnn.Dense(outputs, l2=l2),), loss="squared_error")


def steepest(network: fnn.Network, params: fnn.Params, data: fnn.Dataset) -> float:
    """The largest number of the gradient."""
    x, y, w = data.take()
    return float(np.abs(fnn.grads(network, params, x, y, w).vector).max())


# The minimum.


@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_regression_is_scikit_learns(weighted: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    x, y, _ = fnn.load_digits().take(slice(0, 200))
    w = np.random.default_rng(1).uniform(0.5, 2, 200) if weighted else None
    layers = (fnn.Dense(10, "softmax", l2=0.05),)
    network = fnn.Network(64, layers, loss="cross_entropy", input_scale=1 / 16)
    run = fnn.fit_lbfgs(network, fnn.Dataset(x, y, w), tolerance=1e-8)
    total = 200 if w is None else w.sum()
    oracle = LogisticRegression(C=1 / (0.05 * total), tol=1e-8, max_iter=2000).fit(x / 16, y, sample_weight=w)
    assert run.stopped == "converged"
    np.testing.assert_allclose(run.params[0].weight, oracle.coef_.T, rtol=0, atol=1e-5)
    bias = run.params[0].bias
    np.testing.assert_allclose(bias - bias.mean(), oracle.intercept_ - oracle.intercept_.mean(), rtol=0, atol=1e-5)
    assert np.abs(oracle.coef_).max() > 0.1


def test_binary_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    y = (LABELS == 0).astype(int)
    network = fnn.Network(4, (fnn.Dense(1, "sigmoid", l2=0.02),), loss="binary_cross_entropy")
    run = fnn.fit_lbfgs(network, fnn.Dataset(X, y), tolerance=1e-9)
    oracle = LogisticRegression(C=1 / (0.02 * N), tol=1e-9, max_iter=2000).fit(X, y)
    np.testing.assert_allclose(run.params.vector, [*oracle.coef_[0], *oracle.intercept_], rtol=0, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_spread_penalties_are_scikit_learns_c(weighted: bool) -> None:
    """½ w² + C · Σ w l, divided by C · Σ w."""
    from sklearn.linear_model import LogisticRegression

    w = np.random.default_rng(1).uniform(0.5, 2, N) if weighted else None
    layers = (fnn.Dense(1, "sigmoid", l2=1 / 0.4),)
    network = fnn.Network(4, layers, loss="binary_cross_entropy", spread_penalties=True)
    y = (LABELS == 0).astype(int)
    run = fnn.fit_lbfgs(network, fnn.Dataset(X, y, w), tolerance=1e-9)
    oracle = LogisticRegression(C=0.4, tol=1e-9, max_iter=2000).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(run.params.vector, [*oracle.coef_[0], *oracle.intercept_], rtol=0, atol=1e-5)
    assert np.abs(oracle.coef_).max() > 0.1


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_are_scikit_learns_poisson_regression(weighted: bool) -> None:
    from sklearn.linear_model import PoissonRegressor

    rng = np.random.default_rng(5)
    y, w = rng.poisson(np.exp(0.5 * X[:, 0] - 0.3)), rng.uniform(0.5, 2, N) if weighted else None
    network = fnn.Network(4, (fnn.Dense(1, "exp", l2=0.1),), loss="poisson")
    run = fnn.fit_lbfgs(network, fnn.Dataset(X, y, w), tolerance=1e-9)
    oracle = PoissonRegressor(alpha=0.1, tol=1e-9, max_iter=2000).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(run.params.vector, [*oracle.coef_, oracle.intercept_], rtol=0, atol=1e-5)
    assert np.abs(oracle.coef_).max() > 0.1


def test_a_line_is_that_of_least_squares() -> None:
    run = fnn.fit_lbfgs(linear(2), fnn.Dataset(X, TARGETS), tolerance=1e-8)
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), TARGETS)[0]
    np.testing.assert_allclose(run.params.vector.reshape(5, 2), expected, rtol=0, atol=1e-6)


def test_a_line_with_a_penalty_is_that_of_ridge_regression() -> None:
    """(XᵀWX + l2 · Σw · I)⁻¹ XᵀWy of the centred X and y; the bias has no penalty."""
    w = np.random.default_rng(2).uniform(0.5, 2, N)
    run = fnn.fit_lbfgs(linear(2, l2=0.3), fnn.Dataset(X, TARGETS, w), tolerance=1e-8)
    middle_x, middle_y = np.average(X, axis=0, weights=w), np.average(TARGETS, axis=0, weights=w)
    x, y = X - middle_x, TARGETS - middle_y
    weight = np.linalg.solve((x.T * w) @ x + 0.3 * w.sum() * np.eye(4), (x.T * w) @ y)
    np.testing.assert_allclose(run.params[0].weight, weight, rtol=0, atol=1e-6)
    np.testing.assert_allclose(run.params[0].bias, middle_y - middle_x @ weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ridge", [RIDGE, attrs.evolve(RIDGE, spread_penalties=True)], ids=["added", "spread"])
def test_weight_2_is_the_row_twice_and_weight_0_the_row_left_out(ridge: fnn.Network) -> None:
    weight = np.arange(N) % 3
    rows = np.repeat(np.arange(N), weight)
    weighted = fnn.fit_lbfgs(ridge, fnn.Dataset(X, LABELS, weight), tolerance=1e-9)
    repeated = fnn.fit_lbfgs(ridge, fnn.Dataset(X, LABELS, rows=rows), tolerance=1e-9)
    np.testing.assert_allclose(weighted.params.vector, repeated.params.vector, rtol=0, atol=1e-6)
    assert weighted.history[-1].loss == pytest.approx(repeated.history[-1].loss, abs=1e-6)
    every = fnn.fit_lbfgs(ridge, CLASSES, tolerance=1e-9)
    assert np.abs(every.params.vector - weighted.params.vector).max() > 0.01


def many(weighted: bool, l1: float, spread: bool) -> tuple[fnn.Network, fnn.Dataset]:
    """A network with penalties and 5,000 rows: two tiles of 2,048 and a part of one."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((5000, 4)), rng.integers(0, 3, 5000)
    w = rng.integers(0, 3, 5000) * np.where(np.arange(5000) < 2048, 1.0, 0.1) if weighted else None
    scale = 5000 if spread else 1
    layers = (fnn.Dense(5, "tanh", l2=0.01 * scale), fnn.Dense(3, "softmax", l1=l1 * scale, l2=0.002 * scale))
    return fnn.Network(4, layers, loss="cross_entropy", spread_penalties=spread), fnn.Dataset(x, y, w)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("spread", [False, True])
def test_from_pieces_comes_the_objective_of_all_rows(spread: bool, weighted: bool) -> None:
    network, data = many(weighted, 0.01, spread)
    x, y, w = data.take()
    for dtype, rel in ((np.float64, 1e-12), (np.float32, 1e-5)):
        params = fnn.init_params(network, 2, dtype)
        value, gradient = lbfgs.objective(network, params, data)
        expected, g = fnn.loss_and_grads(network, params, x, y, w)
        assert value == pytest.approx(expected, rel=rel)
        np.testing.assert_allclose(gradient, g.vector, rtol=0, atol=rel * np.abs(g.vector).max())
        assert gradient.dtype == np.float64
        bare, _ = lbfgs.objective(network.unpenalized, params, data)
        assert value - bare > 0.01 * bare  # so that a penalty that is missing, or there thrice, is seen


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("spread", [False, True])
def test_on_many_rows_it_ends_where_the_gradient_is_0(spread: bool, weighted: bool) -> None:
    network, data = many(weighted, 0.0, spread)
    run = fnn.fit_lbfgs(network, data, iterations=2000, tolerance=1e-7)
    assert run.stopped == "converged"
    assert steepest(network, run.params, data) <= 2e-7
    assert steepest(network.unpenalized, run.params, data) > 1e-4
    assert np.abs(run.params[0].weight).max() > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_of_the_data_are_scipys_minimizer_on_all_of_it(weighted: bool) -> None:
    n = 5000  # two tiles of 2,048 rows, and a part of one
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((n, 4)), rng.integers(0, 3, n)
    w = rng.integers(0, 3, n) * np.where(np.arange(n) < 2048, 1.0, 0.1) if weighted else None
    network = fnn.Network(4, (fnn.Dense(5, "tanh", l2=0.01), fnn.Dense(3, "softmax", l1=0.001)), loss="cross_entropy")
    first = fnn.init_params(network, 7, np.float64)

    def objective(vector: Floats) -> tuple[float, Floats]:
        value, g = fnn.loss_and_grads(network, attrs.evolve(first, vector=vector), x, y, w)
        return value, g.vector

    limits = {"maxiter": 8, "maxfun": 800, "gtol": 1e-6, "ftol": 64 * 2.0**-52}
    settings: dict[str, Any] = {"method": "L-BFGS-B", "jac": True, "options": limits}
    expected = minimize(objective, first.vector.astype(np.float64), **settings)
    run = fnn.fit_lbfgs(network, fnn.Dataset(x, y, w), iterations=8, tolerance=1e-6, seed=7)
    np.testing.assert_allclose(run.params.vector, expected.x, rtol=0, atol=1e-9)
    assert fnn.loss(network, run.params, x, y, w) == pytest.approx(expected.fun, rel=1e-12)
    assert (run.stopped, len(run.history)) == ("iterations", 8)


def test_sparse_rows_have_the_minimum_of_the_dense_ones() -> None:
    x = np.where(np.abs(X) > 1, X, 0)
    dense, rare = (fnn.fit_lbfgs(RIDGE, fnn.Dataset(form, LABELS), tolerance=1e-9) for form in (x, csr_array(x)))
    np.testing.assert_allclose(rare.params.vector, dense.params.vector, rtol=0, atol=1e-6)


def test_float32_ends_near_the_minimum_of_float64() -> None:
    run = fnn.fit_lbfgs(RIDGE, CLASSES, params=fnn.init_params(RIDGE, 0))
    assert run.params.dtype == run.best.dtype == np.float32
    double = fnn.fit_lbfgs(RIDGE, CLASSES)
    assert double.params.dtype == np.float64
    np.testing.assert_allclose(run.params.vector, double.params.vector, rtol=0, atol=1e-3)


# Where it stops.


def test_it_stops_at_the_first_iteration_whose_gradient_is_within_the_tolerance() -> None:
    run = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=500, tolerance=1e-3)
    assert run.stopped == "converged"
    assert steepest(HIDDEN, run.params, CLASSES) <= 1e-3
    before = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=len(run.history) - 1, tolerance=1e-3)
    assert before.stopped == "iterations"
    assert steepest(HIDDEN, before.params, CLASSES) > 1e-3
    assert before.history == run.history[:-1]


def test_the_objective_falls_with_each_iteration() -> None:
    run = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=100)
    first = fnn.loss(HIDDEN, fnn.init_params(HIDDEN, 0, np.float64), X, LABELS)
    losses = [first, *(record.loss for record in run.history)]
    assert (np.diff(losses) < 0).all()
    assert [record.epoch for record in run.history] == list(range(1, len(run.history) + 1))


def test_at_a_minimum_there_is_no_iteration() -> None:
    found = fnn.fit_lbfgs(RIDGE, CLASSES, tolerance=1e-6)
    again = fnn.fit_lbfgs(RIDGE, CLASSES, tolerance=1e-6, params=found.params)
    assert (again.history, again.best_epoch, again.stopped) == ((), 0, "converged")
    for same in (again.params, again.best):
        assert fnn.digest(same) == fnn.digest(found.params)
    assert fnn.history_table(again) == "epoch  loss"
    assert repr(again) == "LBFGSRun(0 iterations, best 0, stopped by converged)"


@attrs.frozen
class Uphill:
    """The squared error, with its derivative turned around: no line downhill has a lower point."""

    def rows(self, a: Floats, y: Array) -> Floats:
        return np.asarray(((a - y[:, None]) ** 2).sum(axis=1))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.asarray(2 * (y[:, None] - a))


def test_a_gradient_that_is_none_gives_no_progress() -> None:
    network = fnn.Network(4, (fnn.Dense(1),), loss=Uphill())
    first = fnn.init_params(network, 0, np.float64)
    run = fnn.fit_lbfgs(network, fnn.Dataset(X, TARGETS[:, 0]))
    assert (run.stopped, run.history) == ("no progress", ())
    assert fnn.digest(run.params) == fnn.digest(first)


CALLS: list[Iterator[int]] = []


@attrs.frozen
class Interrupted:
    """The squared error, interrupted at one of its calls."""

    at: int

    def rows(self, a: Floats, y: Array) -> Floats:
        return np.asarray(((a - y) ** 2).sum(axis=1))

    def vjp(self, a: Floats, y: Array) -> Floats:
        if next(CALLS[-1]) == self.at:
            raise KeyboardInterrupt
        return np.asarray(2 * (a - y))


def test_ctrl_c_hands_back_what_there_is() -> None:
    data = fnn.Dataset(X, TARGETS)
    network = fnn.Network(4, (fnn.Dense(3, "tanh"), fnn.Dense(2)), loss=Interrupted(12))
    CALLS.append(iter(range(10**6)))
    with pytest.warns(RuntimeWarning) as caught:
        run = fnn.fit_lbfgs(network, data, validation=data)
    done = len(run.history)
    where = f"fit_lbfgs: interrupted in iteration {done + 1}; what there is so far is returned. "
    assert [str(warning.message) for warning in caught] == [f"{where}Go on with `params=run.params`."]
    assert caught[0].filename == __file__
    assert run.stopped == "interrupted"
    assert 2 < done < 12
    whole = attrs.evolve(network, loss=Interrupted(-1))
    expected = fnn.fit_lbfgs(whole, data, validation=data, iterations=done)
    assert (run.history, run.best_epoch) == (expected.history, expected.best_epoch)
    assert np.array_equal(run.params.vector, expected.params.vector)
    assert np.array_equal(run.best.vector, expected.best.vector)
    further = fnn.fit_lbfgs(whole, data, params=run.params, iterations=3)
    assert further.history[-1].loss < run.history[-1].loss


# What is returned.


def test_the_same_bytes_come_out_again() -> None:
    runs = [fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=20, validation=CLASSES) for _ in range(2)]
    assert fnn.digest(runs[0]) == fnn.digest(runs[1])
    given = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=20, params=fnn.init_params(HIDDEN, 5, np.float64))
    seeded = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=20, seed=5)
    assert fnn.digest(given) == fnn.digest(seeded)
    assert fnn.digest(seeded.params) != fnn.digest(runs[0].params)


def test_best_is_of_the_iteration_with_the_lowest_val_loss() -> None:
    train, held = fnn.split(fnn.Dataset(X, np.random.default_rng(4).permutation(LABELS)), 0.5)
    run = fnn.fit_lbfgs(HIDDEN, train, iterations=60, validation=held)
    losses = [record.val_loss for record in run.history if record.val_loss is not None]
    assert len(losses) == len(run.history)
    assert run.best_epoch == np.argmin(losses) + 1 < len(losses)  # it learns noise
    for params, record in ((run.best, run.history[run.best_epoch - 1]), (run.params, run.history[-1])):
        seen, unseen = (fnn.evaluate(HIDDEN, params, part) for part in (train, held))
        assert (record.loss, record.accuracy) == (seen.loss, seen.accuracy)
        assert (record.val_loss, record.val_accuracy, record.val_r2) == (unseen.loss, unseen.accuracy, None)


def test_without_validation_best_is_the_last() -> None:
    run = fnn.fit_lbfgs(HIDDEN, CLASSES, iterations=7)
    assert run.best_epoch == 7
    assert fnn.digest(run.best) == fnn.digest(run.params)
    assert {record.val_loss for record in run.history} == {None}
    assert fnn.history_table(run).split("\n")[0].split() == ["epoch", "loss", "accuracy"]
    assert len(fnn.history_table(run).split("\n")) == 8


def test_a_penalty_is_in_the_objective_and_not_in_the_history() -> None:
    run = fnn.fit_lbfgs(RIDGE, CLASSES, tolerance=1e-8)
    penalty = 0.05 / 2 * np.square(run.params[0].weight).sum()
    assert run.history[-1].loss == pytest.approx(fnn.loss(RIDGE, run.params, X, LABELS) - penalty, rel=1e-12)


def test_a_regression_has_r2_and_no_accuracy() -> None:
    data = fnn.Dataset(X, TARGETS)
    last = fnn.fit_lbfgs(linear(2), data, validation=data).history[-1]
    assert (last.accuracy, last.val_accuracy) == (None, None)
    left = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), TARGETS)[1]  # the sum of squares of each column
    assert last.val_r2 == pytest.approx((1 - left / N / TARGETS.var(axis=0)).mean(), abs=1e-8)


def test_nothing_that_was_given_changes_and_what_returns_is_sealed() -> None:
    x, y, w = X.copy(), LABELS.copy(), np.ones(N)
    data, first = fnn.Dataset(x, y, w), fnn.init_params(HIDDEN, 0, np.float64)
    before = fnn.digest((data, first))
    run = fnn.fit_lbfgs(HIDDEN, data, iterations=3, params=first, validation=data)
    assert fnn.digest((data, first)) == before
    assert x.flags.writeable
    assert_sealed(run)
    assert fnn.digest(pickle.loads(pickle.dumps(run))) == fnn.digest(run)


# What is refused.

WIDE, SHORT, OTHER = (
    fnn.Dataset(np.ones((3, 5)), [0, 1, 2]),
    fnn.Dense(2, max_norm=3),
    fnn.init_params(fnn.mlp(4, 3), 0),
)
WITHOUT, FIT = (
    "must have no Dropout, GaussianNoise, BatchNorm or max_norm, got",
    "Optimizers such as Adam train with these.",
)
NUMBERS, DATASET = "must be a finite number above 0, got", "Make one with `Dataset(x, y)`."


def dense(*layers: Any) -> fnn.Network:
    return fnn.Network(4, (*layers, fnn.Dense(3, "softmax")), loss="cross_entropy")


@pytest.mark.parametrize(
    ("error", "message", "changes"),
    [
        (ValueError, f"`network` {WITHOUT} Dropout(0.5). {FIT}", {"network": dense(fnn.Dropout(0.5))}),
        (ValueError, f"`network` {WITHOUT} GaussianNoise(0.1). {FIT}", {"network": dense(fnn.GaussianNoise(0.1))}),
        (ValueError, f"`network` {WITHOUT} BatchNorm(). {FIT}", {"network": dense(fnn.BatchNorm())}),
        (ValueError, f"`network` {WITHOUT} Dense(2, max_norm=3.0). {FIT}", {"network": dense(SHORT)}),
        (TypeError, "`network` must be a Network, got None.", {"network": None}),
        (TypeError, f"`data` must be a Dataset, got a tuple. {DATASET}", {"data": (X, LABELS)}),
        (ValueError, "`x` must have shape (n, 4), got (3, 5).", {"data": WIDE}),
        (ValueError, "`y` must be labels from 0 to 2, got 3 in row 1.", {"data": fnn.Dataset(X[:2], [0, 3])}),
        (TypeError, f"`validation` must be a Dataset, got a float. {DATASET}", {"validation": 0.2}),
        (ValueError, "`validation.x` must have shape (n, 4), got (3, 5).", {"validation": WIDE}),
        (ValueError, "`iterations` must be an integer of at least 1, got 0.", {"iterations": 0}),
        (TypeError, "`iterations` must be an integer of at least 1, got 2.5.", {"iterations": 2.5}),
        (ValueError, f"`tolerance` {NUMBERS} 0.", {"tolerance": 0}),
        (ValueError, f"`tolerance` {NUMBERS} -1e-05.", {"tolerance": -1e-5}),
        (ValueError, f"`tolerance` {NUMBERS} nan.", {"tolerance": NAN}),
        (TypeError, f"`tolerance` {NUMBERS} True.", {"tolerance": True}),
        (ValueError, "`seed` must be an integer from 0 to 2**64 - 1, got -1.", {"seed": -1}),
        (TypeError, "`params` must be a Params, got an ndarray.", {"params": np.zeros(15)}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(error: type[Exception], message: str, changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {"network": dense(), "data": CLASSES, **changes}
    refused(error, f"fit_lbfgs: {message}", fnn.fit_lbfgs, **given)


def test_params_that_do_not_fit_are_refused() -> None:
    message = (
        "fit_lbfgs: `params` must be the network's (51 numbers in 2 layers), got "
        "Params(15 float32 numbers in 1 layer). Make them with `init_params(network, seed)` or "
        "`pack_params(network, arrays)`."
    )
    refused(ValueError, message, fnn.fit_lbfgs, HIDDEN, CLASSES, params=OTHER)
    lost = attrs.evolve(OTHER, vector=np.where(np.arange(15) == 4, np.float32(NAN), OTHER.vector))
    message = "fit_lbfgs: `params` must be finite in float32, got nan at 4."
    refused(ValueError, message, fnn.fit_lbfgs, fnn.mlp(4, 3), CLASSES, params=lost)


@pytest.mark.parametrize("name", ["x", "validation.x"])
def test_an_x_that_overflows_in_the_dtype_of_the_params_is_refused(name: str) -> None:
    large = fnn.Dataset(np.where(np.arange(4 * N).reshape(N, 4) == 9, 1e200, X), LABELS)
    parts = {"data": large} if name == "x" else {"data": CLASSES, "validation": large}
    message = f"fit_lbfgs: `{name}` must be finite in float32, got inf at (2, 1)."
    refused(ValueError, message, fnn.fit_lbfgs, fnn.mlp(4, 3), params=OTHER, **parts)


def test_a_beginning_that_is_not_finite_is_refused() -> None:
    first = fnn.init_params(linear(2), 0, np.float64)
    message = "fit_lbfgs: the loss is not finite at the first parameters. Scale x by `input_scale`."
    with pytest.raises(FloatingPointError, match=exactly(message)):
        fnn.fit_lbfgs(linear(2), fnn.Dataset(X * 1e200, TARGETS), params=first)
