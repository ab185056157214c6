"""The estimators beside scikit-learn's own: from the same first parameters the same numbers, and where not, what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.neural_network as sk
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from sklearn.neural_network import _multilayer_perceptron

import fnn
from fnn.divergence import TrainingDiverged
from fnn.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 70
X: NDArray[np.float64] = RNG.standard_normal((N, 4))
SLOPES = RNG.standard_normal((4, 3))
NOISE = RNG.standard_normal((N, 3))
LABELS = (X @ SLOPES + NOISE).argmax(axis=1)
Y: dict[str, Any] = {
    "classes": LABELS,
    "two": (LABELS == 1).astype(int),
    "text": np.array(["rat", "cat", "ox"])[LABELS],
    "two words": np.array(["yes", "no"])[(LABELS == 1).astype(int)],
    "labels": (X @ SLOPES + NOISE > 0).astype(int),
    "number": (X @ SLOPES + NOISE)[:, 0],
    "numbers": X @ SLOPES + NOISE,
    "count": RNG.poisson(np.exp(X[:, 0])).astype(float),
    "counts": RNG.poisson(np.exp(X[:, :2])).astype(float),
}
WEIGHTS = RNG.uniform(0.1, 2, N)
BASE: dict[str, Any] = {"hidden_layer_sizes": (6,), "random_state": 0, "shuffle": False, "max_iter": 12}


def ours_of(target: str, **settings: Any) -> Any:
    if target in ("number", "numbers", "count", "counts"):
        return MLPRegressor(loss="poisson" if target.startswith("count") else "squared_error", **settings)
    return MLPClassifier(**settings)


def theirs_from(model: Any) -> Any:
    """scikit-learn's estimator with the arguments of ours, which is fitted; it begins with ours' first parameters."""
    kind: Any = getattr(sk, type(model).__name__)

    class Same(kind):  # type: ignore[misc]  # its base is known only now
        def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Any, Any]:
            recipe = model.run_.recipe
            first = fnn.init_params(recipe.network, recipe.seed, dtype)[recipe.network.dense[len(self.coefs_)][0]]
            assert first.weight.shape == (fan_in, fan_out)
            return first.weight.copy(), first.bias.copy()

    names = kind().get_params()
    return Same(**{name: value for name, value in model.get_params(deep=False).items() if name in names})


def both(target: str, x: Any = X, w: Any = None, **settings: Any) -> tuple[Any, Any]:
    ours = ours_of(target, **(BASE | settings)).fit(x, Y[target], w)
    return ours, theirs_from(ours).fit(x, Y[target], w)


def assert_close(ours: Any, theirs: Any, rel: float) -> None:
    """Near by the largest of them."""
    a, b = np.asarray(ours), np.asarray(theirs)
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= rel * np.abs(b).max()


def assert_coefs(ours: Any, theirs: Any, rel: float = 1e-10) -> None:
    for name in ("coefs_", "intercepts_"):
        assert len(getattr(ours, name)) == len(getattr(theirs, name)) == ours.n_layers_ - 1
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert a.dtype == b.dtype
            assert_close(a, b, rel)


def assert_same(target: str, ours: Any, theirs: Any, rel: float = 1e-10, x: Any = X, *, loss: bool = True) -> None:
    assert_coefs(ours, theirs, rel)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    stochastic = ours.solver != "lbfgs"
    for name in ["loss_"] * loss + ["loss_curve_", "best_loss_"] * (loss and stochastic):
        assert_close(getattr(ours, name), getattr(theirs, name), rel)
    assert hasattr(ours, "loss_curve_") == hasattr(theirs, "loss_curve_") == stochastic
    if stochastic:
        assert ours.validation_scores_ is theirs.validation_scores_ is None
        assert ours.best_validation_score_ is theirs.best_validation_score_ is None
    near = max(100 * rel, 1e-8)
    if isinstance(ours, MLPClassifier):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        assert_close(ours.predict_proba(x), theirs.predict_proba(x), near)
        assert_close(ours.predict_log_proba(x), theirs.predict_log_proba(x), near)
        assert ours.predict_proba(x).dtype == theirs.predict_proba(x).dtype
    else:
        assert_close(ours.predict(x), theirs.predict(x), near)
        assert ours.predict(x).dtype == theirs.predict(x).dtype
    assert ours.score(x, Y[target]) == pytest.approx(theirs.score(x, Y[target]), rel=near)
    assert ours.score(x, Y[target], WEIGHTS) == pytest.approx(theirs.score(x, Y[target], WEIGHTS), rel=near)


# The same.

SGD: dict[str, Any] = {"solver": "sgd", "batch_size": 32, "learning_rate_init": 0.1}
SETTINGS: dict[str, dict[str, Any]] = {
    "the defaults": {"hidden_layer_sizes": (100,)},
    "full batches": {"learning_rate_init": 0.05},
    "a partial last batch": {"batch_size": 32, "learning_rate_init": 0.01},
    "one row each": {"batch_size": 1, "max_iter": 3},
    "alpha of 0": {"alpha": 0, "batch_size": 32},
    "a large alpha": {"alpha": 30.0, "batch_size": 32, "learning_rate_init": 0.01},
    "adam's betas": {"batch_size": 32, "beta_1": 0.5, "beta_2": 0.9},
    "betas of 0": {"batch_size": 32, "beta_1": 0, "beta_2": 0},
    "a large epsilon": {"batch_size": 32, "epsilon": 0.1, "learning_rate_init": 0.1},
    "no hidden layers": {"hidden_layer_sizes": (), "batch_size": 32},
    "three hidden layers": {"hidden_layer_sizes": [7, 3, 5], "batch_size": 32},
    "identity": {"activation": "identity", "hidden_layer_sizes": (5, 4), "batch_size": 32},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": (5, 4), "batch_size": 32, "alpha": 1.0},
    "tanh": {"activation": "tanh", "hidden_layer_sizes": (5, 4), "batch_size": 32},
    "sgd": SGD,
    "sgd, a large alpha": SGD | {"alpha": 10.0},
    "sgd without momentum": SGD | {"momentum": 0},
    "momentum of 0.5": SGD | {"momentum": 0.5},
    "momentum of 1": SGD | {"momentum": 1, "learning_rate_init": 0.01, "max_iter": 5},
    "momentum that does not look ahead": SGD | {"nesterovs_momentum": False},
    "the same of 0.5": SGD | {"nesterovs_momentum": False, "momentum": 0.5},
    "the same of 0": SGD | {"nesterovs_momentum": False, "momentum": 0},
    "the same of 1": SGD | {"nesterovs_momentum": False, "momentum": 1, "learning_rate_init": 0.01, "max_iter": 5},
    "invscaling": SGD | {"learning_rate": "invscaling"},
    "invscaling by another power": SGD | {"learning_rate": "invscaling", "power_t": 0.2},
    "adaptive": SGD | {"learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.05, "max_iter": 60},
    "adaptive, to its end": SGD | {"learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 10, "max_iter": 60},
    "stopped by tol": {"learning_rate_init": 0.05, "tol": 0.02, "n_iter_no_change": 2, "max_iter": 300},
    "stopped at once": {"tol": 1e6, "n_iter_no_change": 1},
    "sgd, stopped by tol": SGD | {"tol": 0.02, "n_iter_no_change": 3, "max_iter": 300},
    "lbfgs": {"solver": "lbfgs", "max_iter": 10},
    "lbfgs, a large alpha": {"solver": "lbfgs", "alpha": 5.0, "max_iter": 10, "activation": "tanh"},
    "lbfgs with few calls": {"solver": "lbfgs", "max_fun": 5},
    "lbfgs by tol": {"solver": "lbfgs", "tol": 0.1, "max_iter": 100, "alpha": 1.0},
}


@pytest.mark.parametrize("target", ["classes", "number"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_each_argument_is_theirs(settings: dict[str, Any], target: str) -> None:
    ours, theirs = both(target, **settings)
    assert_same(target, ours, theirs)
    if settings.get("max_iter", 0) >= 60:
        assert 1 < ours.n_iter_ < settings["max_iter"]


OF_SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {"batch_size": 32, "alpha": 1.0, "learning_rate_init": 0.01},
    "sgd": SGD | {"learning_rate_init": 0.01},
    "lbfgs": {"max_iter": 8, "alpha": 0.5},
}
PAIRS = [(target, solver) for target in Y for solver in OF_SOLVERS if (target, solver) != ("numbers", "lbfgs")]


@pytest.mark.parametrize(("target", "solver"), PAIRS)
def test_each_kind_of_target_is_theirs(target: str, solver: str) -> None:
    ours, theirs = both(target, **OF_SOLVERS[solver] | {"solver": solver})
    assert_same(target, ours, theirs, loss=target != "numbers")


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("target", ["classes", "two", "labels", "number", "count"])
def test_weights_of_rows_in_a_full_batch_are_theirs(target: str, solver: str) -> None:
    ours, theirs = both(target, w=WEIGHTS, solver=solver, alpha=2.0)
    assert_same(target, ours, theirs)
    alone, _ = both(target, solver=solver, alpha=2.0)
    assert np.abs(alone.coefs_[0] - ours.coefs_[0]).max() > 1e-4


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("target", ["classes", "labels", "number", "count"])
def test_float32_is_theirs(target: str, solver: str) -> None:
    x = X.astype(np.float32)
    ours, theirs = both(target, x=x, solver=solver, max_iter=5)
    assert ours.coefs_[0].dtype == theirs.coefs_[0].dtype == np.float32
    assert_same(target, ours, theirs, rel=1e-4, x=x)


@pytest.mark.parametrize("kind", [csr_array, csc_array])
@pytest.mark.parametrize("target", ["classes", "number"])
@pytest.mark.parametrize("settings", [{"batch_size": 32}, {"solver": "lbfgs", "max_iter": 8}], ids=["adam", "lbfgs"])
def test_sparse_rows_are_theirs(target: str, settings: dict[str, Any], kind: Any) -> None:
    x = kind(np.where(np.abs(X) > 0.7, X, 0))
    ours, theirs = both(target, x=x, **settings)
    assert_same(target, ours, theirs, x=x)


def test_a_validation_set_leaves_the_training_as_it_was() -> None:
    ours, theirs = both("classes", batch_size=32)
    with_scores = ours_of("classes", **BASE, batch_size=32, validation=(X, LABELS)).fit(X, LABELS)
    assert_coefs(with_scores, theirs)
    assert with_scores.validation_scores_[-1] == theirs.score(X, LABELS)
    assert fnn.digest(with_scores.run_.params) == fnn.digest(ours.run_.params)
    assert with_scores.loss_curve_ == ours.loss_curve_


@pytest.mark.parametrize("settings", [{}, SGD, SGD | {"learning_rate": "invscaling"}], ids=["adam", "sgd", "falling"])
def test_partial_fit_is_theirs(settings: dict[str, Any]) -> None:
    ours = ours_of("classes", **BASE | settings).partial_fit(X[:40], LABELS[:40], classes=range(3))
    theirs = theirs_from(ours).partial_fit(X[:40], LABELS[:40], classes=range(3))
    for rows in (slice(30, 70), slice(0, 35), slice(10, 60)):
        ours.partial_fit(X[rows], LABELS[rows])
        theirs.partial_fit(X[rows], LABELS[rows])
    assert (ours.t_, ours.n_iter_) == (40 + 40 + 35 + 50, 1)
    assert_same("classes", ours, theirs)


# What is not the same, and by how much.


def test_the_loss_of_several_outputs_is_reported_as_their_mean_and_so_it_stops() -> None:
    ours, theirs = both("numbers", alpha=2.0, learning_rate_init=0.05, tol=0.05, max_iter=200, n_iter_no_change=3)
    assert_same("numbers", ours, theirs)
    assert 3 < ours.n_iter_ < 200
    first = fnn.init_params(ours.network_, ours.run_.recipe.seed, np.float64)
    squares = (fnn.predict(ours.network_, first, X) - Y["numbers"]) ** 2
    assert ours.run_.history[0].loss == pytest.approx(squares.sum(axis=1).mean() / 2, rel=1e-12)  # what is descended


def test_lbfgs_of_several_outputs_goes_by_the_gradient_of_its_loss_and_theirs_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their loss is the mean over outputs, and their gradient that of the sum: the searches along lines differ."""
    ours, theirs = both("numbers", solver="lbfgs", alpha=1.0)
    assert np.abs(ours.coefs_[0] - theirs.coefs_[0]).max() > 1e-4
    losses: dict[str, Any] = _multilayer_perceptron.LOSS_FUNCTIONS
    mean = losses["squared_error"]
    monkeypatch.setitem(losses, "squared_error", lambda y, a, w=None: y.shape[1] * mean(y, a, w))
    ours, theirs = both("numbers", solver="lbfgs", alpha=1.0)
    assert_same("numbers", ours, theirs)


@pytest.mark.parametrize("target", ["classes", "labels", "number", "count"])
def test_lbfgs_leaves_float32_and_theirs_makes_float64_of_it(target: str) -> None:
    ours, theirs = both(target, x=X.astype(np.float32), solver="lbfgs", max_iter=5)
    assert (ours.coefs_[0].dtype, theirs.coefs_[0].dtype) == (np.float32, np.float64)
    theirs.coefs_ = [array.astype(np.float32) for array in theirs.coefs_]
    theirs.intercepts_ = [array.astype(np.float32) for array in theirs.intercepts_]
    assert_same(target, ours, theirs, rel=1e-4, x=X.astype(np.float32))


def test_several_batches_count_by_their_weights_in_the_loss_and_theirs_by_their_rows() -> None:
    settings: dict[str, Any] = {"learning_rate_init": 1e-12, "max_iter": 1, "alpha": 0, "batch_size": 32}
    ours, theirs = both("classes", w=WEIGHTS, **settings)
    assert_coefs(ours, theirs)
    rows = -np.log(theirs.predict_proba(X)[np.arange(N), LABELS])
    batches = [slice(0, 32), slice(32, 64), slice(64, 70)]
    means = [np.average(rows[batch], weights=WEIGHTS[batch]) for batch in batches]
    by_weights = np.average(means, weights=[WEIGHTS[batch].sum() for batch in batches])
    by_rows = np.average(means, weights=[32, 32, 6])
    assert ours.loss_ == pytest.approx(by_weights, rel=1e-8)
    assert theirs.loss_ == pytest.approx(by_rows, rel=1e-8)
    assert abs(by_weights - by_rows) > 1e-3


def test_coefs_are_read_only_and_theirs_can_be_written_into() -> None:
    ours, theirs = both("classes")
    for array in ours.coefs_ + ours.intercepts_:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    theirs.coefs_[0][...] = 0
    with pytest.raises(AttributeError):
        ours.coefs_ = []


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_warm_start_goes_on_with_the_optimizers_state_and_theirs_with_a_new_one(solver: str) -> None:
    settings: dict[str, Any] = {"solver": solver, "batch_size": 32, "tol": 0, "n_iter_no_change": np.inf}
    whole, their_whole = both("classes", **settings, max_iter=7)
    ours = ours_of("classes", **BASE | settings, warm_start=True).set_params(max_iter=3).fit(X, LABELS)
    theirs = theirs_from(ours).fit(X, LABELS)
    for model in (ours, theirs):
        model.set_params(max_iter=4).fit(X, LABELS)
        assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (4, 7 * N, 7)
    assert fnn.digest(ours.run_) == fnn.digest(whole.run_)
    assert_coefs(whole, their_whole)
    assert np.abs(theirs.coefs_[0] - their_whole.coefs_[0]).max() > 1e-4


@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
def test_partial_fits_are_a_fit_when_shuffled_and_theirs_are_not(dropout: bool) -> None:
    settings: dict[str, Any] = {"random_state": 0, "batch_size": 32, "tol": 0, "max_iter": 4}
    layers: Any = {"network": (fnn.Dense(6, "relu"), fnn.Dropout(0.3))} if dropout else {"hidden_layer_sizes": (6,)}
    whole = MLPClassifier(**settings, **layers).fit(X, LABELS)
    one_by_one = MLPClassifier(**settings, **layers)
    for _ in range(4):
        one_by_one.partial_fit(X, LABELS, classes=[0, 1, 2])
    assert fnn.digest(one_by_one.run_) == fnn.digest(whole.run_)
    assert (one_by_one.t_, one_by_one.loss_curve_) == (whole.t_, whole.loss_curve_)
    their_whole = sk.MLPClassifier(hidden_layer_sizes=(6,), **settings).fit(X, LABELS)
    theirs = sk.MLPClassifier(hidden_layer_sizes=(6,), **settings)
    for _ in range(4):
        theirs.partial_fit(X, LABELS, classes=[0, 1, 2])
    assert np.abs(theirs.coefs_[0] - their_whole.coefs_[0]).max() > 1e-5


def test_negative_weights_are_refused_and_theirs_are_trained_on() -> None:
    w = np.where(np.arange(N) == 3, -0.5, 1.0)
    with pytest.raises(ValueError, match=r"^MLPClassifier\.fit: `\w+` must .*, got .*-0\.5"):
        ours_of("classes", **BASE).fit(X, LABELS, w)
    sk.MLPClassifier(max_iter=1).fit(X, LABELS, w)


def test_rows_of_weight_0_never_enter_a_batch_and_theirs_do() -> None:
    w = np.where(np.arange(N) % 3 == 0, 0.0, 1.0)
    settings = BASE | {"batch_size": 16, "shuffle": True}
    ours = ours_of("classes", **settings).fit(X, LABELS, w)
    without = ours_of("classes", **settings).fit(X[w > 0], LABELS[w > 0])
    for a, b in zip(ours.coefs_, without.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    ours, theirs = both("classes", w=w, batch_size=16)
    assert np.abs(ours.coefs_[0] - theirs.coefs_[0]).max() > 1e-5
    assert_coefs(*both("classes", w=w))


def test_a_training_that_diverges_is_refused_with_what_to_do() -> None:
    settings: dict[str, Any] = {"solver": "sgd", "learning_rate_init": 1e6, "batch_size": 8}
    rule = r"^MLPRegressor\.fit: .* is not finite in epoch \d+, batch \d+\. Scale X, as StandardScaler does, "
    with pytest.raises(ValueError, match=rule) as caught:
        ours_of("number", **BASE | settings | {"max_iter": 100}).fit(1e3 * X, Y["number"])
    assert isinstance(caught.value.__cause__, TrainingDiverged)


def test_partial_fit_is_not_there_with_lbfgs_and_theirs_of_numbers_is() -> None:
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(sk.MLPRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPRegressor(), "partial_fit")
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(sk.MLPClassifier(solver="lbfgs"), "partial_fit")
