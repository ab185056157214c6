"""The estimators where something is wrong, missing or very large: nothing is half done, and the message helps."""

from __future__ import annotations

import time
import warnings
from typing import Any

import attrs
import numpy as np
import pytest
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(5)
X = RNG.standard_normal((60, 4))
Y = RNG.integers(0, 3, 60)


def small(kind: Any = MLPClassifier, **settings: Any) -> Any:
    return kind(**{"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0} | settings)


def seen(model: Any) -> tuple[Any, ...]:
    return fnn.digest(model.run_), model.classes_.tolist(), model.predict(X).tolist(), model.predict_proba(X).tolist()


def raises(run: fnn.TrainState) -> None:
    raise RuntimeError


@pytest.mark.parametrize(
    ("settings", "y", "weights"),
    [
        ({}, np.full(60, 7), np.ones(3)),
        ({"class_weight": {0: 1.0}}, np.array(["a", "b", "c"])[Y], None),
        ({"on_epoch": raises}, np.array(["a", "b", "c"])[Y], None),
        ({"network": fnn.mlp(4, 8, 7), "hidden_layer_sizes": (100,)}, np.array(["a", "b", "c"])[Y], None),
        ({}, np.eye(3, dtype=int)[Y][:, :2], np.ones(3)),
    ],
)
def test_a_fit_that_fails_leaves_what_there_was(settings: dict[str, Any], y: Any, weights: Any) -> None:
    model = small().fit(X, Y)
    before = seen(model)
    with pytest.raises((ValueError, RuntimeError)):
        model.set_params(**settings).fit(X, y, weights)
    assert seen(model) == before


def test_the_time_of_partial_fit_does_not_grow_with_its_calls() -> None:
    model = small()
    model.partial_fit(X[:5], Y[:5], classes=[0, 1, 2])
    history = tuple(fnn.EpochRecord(i + 1, 0.5, 0.5, penalty=0.1) for i in range(50_000))
    run = attrs.evolve(model.run_, epoch=50_000, history=history, best_epoch=1)
    model._progress = attrs.evolve(model._progress, run=run)
    model.partial_fit(X[:5], Y[:5])  # 50,000 calls of a microsecond each would be 50 ms
    begun = time.perf_counter()
    for _ in range(10):
        model.partial_fit(X[:5], Y[:5])
    assert (time.perf_counter() - begun) / 10 < 0.02
    assert len(model.loss_curve_) == 50_011


def test_thousands_of_classes_are_looked_up_at_once() -> None:
    y = np.arange(4000) % 2000
    begun = time.perf_counter()
    small(hidden_layer_sizes=(2,), max_iter=1).fit(np.ones((4000, 1)), y)
    assert time.perf_counter() - begun < 2


def test_a_class_weight_is_of_its_class_whichever_are_in_the_batch() -> None:
    ours = small(class_weight={5: 2.0}).partial_fit(X, Y % 2, classes=[0, 1, 5])
    plain = small().partial_fit(X, Y % 2, classes=[0, 1, 5])
    np.testing.assert_array_equal(ours.coefs_[0], plain.coefs_[0])
    ours.partial_fit(X, np.where(Y == 2, 5, Y))
    plain.partial_fit(X, np.where(Y == 2, 5, Y), np.where(Y == 2, 2.0, 1.0))
    np.testing.assert_array_equal(ours.coefs_[0], plain.coefs_[0])
    with pytest.raises(ValueError, match=r"`class_weight` must have the classes of y as its keys, .*, got \[7\]"):
        small(class_weight={0: 1.0, 7: 2.0}).fit(X, Y)


def test_numpys_scalars_and_labels_as_objects_are_arguments_too() -> None:
    y = np.array(["a", "b", "c"], object)[Y]
    settings: Any = {"n_iter_no_change": np.float64(np.inf), "verbose": np.False_, "batch_size": np.str_("auto")}
    ours = small(class_weight={"b": 2.0}, **settings).fit(X, y)
    plain = small().fit(X, Y, np.where(Y == 1, 2.0, 1.0))
    np.testing.assert_array_equal(ours.coefs_[0], plain.coefs_[0])


def test_what_lbfgs_has_no_epochs_for_is_refused() -> None:
    for name, value in {"validation": (X, Y), "progress": True, "on_epoch": print}.items():
        with pytest.raises(ValueError, match=rf"`{name}` must be left out where `solver` is 'lbfgs', got .* no epochs"):
            small(solver="lbfgs", **{name: value}).fit(X, Y)


def test_early_stopping_without_enough_of_a_class_splits_plainly() -> None:
    for y in (np.r_[Y[:59] % 2, 2], np.arange(60) // 3):
        for kind in (MLPClassifier, neural_network.MLPClassifier):
            model = small(kind, early_stopping=True).fit(X, y)
            assert len(model.validation_scores_) == 3
    with pytest.raises(ValueError, match=r"`validation_fraction` must hold out .*, got 1 of 60"):
        small(early_stopping=True, validation_fraction=0.01).fit(X, Y)


def test_wrong_arguments_are_caught_as_either_error() -> None:
    for name, value in {"alpha": "x", "tol": -1.0, "hidden_layer_sizes": 0, "solver": "adamw", "max_iter": 2.0}.items():
        for error in (TypeError, ValueError):
            with pytest.raises(error, match=f"^MLPClassifier: `{name}` must be "):
                small(**{name: value}).fit(X, Y)
    for name, value, fix in (
        ("activation", "gelu", r"network=\(fnn\.Dense\(64, 'gelu'\),\)"),
        ("solver", "adamw", r"optimizer=fnn\.AdamW"),
        ("learning_rate", "cosine", r"fnn\.Cosine"),
        ("network", (fnn.Dense(3, "softmax"),), "y ends it"),
    ):
        with pytest.raises(ValueError, match=fix):
            MLPClassifier().set_params(**{name: value}).fit(X, Y)


def test_a_subclass_with_arguments_of_its_own() -> None:
    class Narrow(MLPClassifier):
        def __init__(self, *, width: int = 3, **settings: Any) -> None:
            super().__init__(hidden_layer_sizes=(width,), **settings)
            self.width = width

    model = Narrow(width=4, max_iter=2).fit(X, Y)
    assert ([each.shape for each in model.coefs_], model.n_iter_) == ([(4, 4), (4, 3)], 2)


def test_a_training_that_diverges_has_its_run() -> None:
    model = small(MLPRegressor, solver="sgd", learning_rate_init=1e3, batch_size=8, max_iter=50)
    with pytest.raises(fnn.TrainingDiverged, match=r"^MLPRegressor\.fit: .* Scale X") as caught:
        model.fit(1e4 * X, 1e4 * X[:, 0])
    assert isinstance(caught.value, ValueError)
    assert np.isfinite(caught.value.run.params.vector).all()


def test_predictions_that_are_not_finite_are_refused() -> None:
    model = small(MLPRegressor, loss="poisson").fit(X, Y)
    with pytest.raises(FloatingPointError, match=r"^MLPRegressor\.predict: the outputs are not finite"):
        model.predict(1e6 * np.abs(X))


def test_first_parameters_are_fnns_own_by_the_same_bounds() -> None:
    ours, theirs = small(max_iter=1), small(neural_network.MLPClassifier, max_iter=1)
    for model in (ours, theirs):
        model.set_params(learning_rate_init=1e-300, hidden_layer_sizes=(400,)).fit(X, Y)
    bound = np.sqrt(6 / 404)
    for a, b in ((ours.coefs_[0], theirs.coefs_[0]), (ours.intercepts_[0], theirs.intercepts_[0])):
        assert (a != b).any()
        assert 0.98 * bound < max(np.abs(a).max(), np.abs(b).max()) <= bound
        assert np.std(a) == pytest.approx(np.std(b), rel=0.1)
    assert (fnn.init_params(ours.network_, ours.run_.recipe.seed, np.float64).vector == ours.params_.vector).all()


def test_validation_that_does_not_fit_is_named() -> None:
    for given in ((X[:, :2], Y), (X, np.full(60, 9)), (X, Y[:3])):
        with pytest.raises(ValueError, match=r"^MLPClassifier\.fit: `validation` must be \(X, y\) of the kind"):
            small(validation=given).fit(X, Y)


def test_networks_of_another_kind_are_refused() -> None:
    for kind, network, y in (
        (MLPRegressor, fnn.mlp(4, 8, 3), np.eye(3)[Y]),
        (MLPClassifier, fnn.mlp(4, 8, 3, output="identity", loss="mse"), Y),
    ):
        with pytest.raises(ValueError, match=r"`network` must not answer with "):
            kind(network=network).fit(X, y)
        with pytest.raises(ValueError, match=r"from_params: `network` must not answer with "):
            kind.from_params(network, fnn.init_params(network, 0))


def test_going_on_with_another_shape_is_refused() -> None:
    model = small(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"`network` must be of \(4, 5, 3\), as before, got \(4, 6, 3\)"):
        model.set_params(hidden_layer_sizes=(6,)).fit(X, Y)


def test_functions_go_on_from_a_fitted_estimator() -> None:
    model = small(early_stopping=True, max_iter=8).fit(X, np.array(["a", "b", "c"])[Y])
    assert model.run_.recipe.monitor == "val_accuracy"
    assert fnn.digest(model.run_.best) == fnn.digest(model.params_)
    data = fnn.Dataset(X, np.searchsorted(model.classes_, np.array(["a", "b", "c"])[Y]))
    run = fnn.fit(model.network_, data, state=model.run_, validation=0.1, epochs=2)  # the same rows are held out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again = model.set_params(warm_start=True, max_iter=2, tol=0.0).fit(X, np.array(["a", "b", "c"])[Y])
    assert fnn.digest(run.params) == fnn.digest(again.run_.params)
