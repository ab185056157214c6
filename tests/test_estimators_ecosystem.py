"""The estimators in scikit-learn's company: pipelines, searches, ensembles, frames, routing, copies and pickles."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.typing import NDArray
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # it makes the next one there
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor
from tests.test_purity import arrays_in

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 120
X: NDArray[np.float64] = RNG.standard_normal((N, 4))
Y = np.array(["one", "two", "zero"])[(X[:, :3] + 0.3 * RNG.standard_normal((N, 3))).argmax(axis=1)]
TARGETS = X @ RNG.standard_normal((4, 2)) + 0.1 * RNG.standard_normal((N, 2))
WEIGHT = RNG.uniform(0, 2, N)
COLUMNS = ["a", "b", "c", "d"]
QUICK: dict[str, Any] = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "max_iter": 20, "random_state": 0}
BOTH = [(MLPClassifier, Y), (MLPRegressor, TARGETS[:, 0])]


def classifier(**settings: Any) -> Any:
    return MLPClassifier(**{**QUICK, **settings})


def regressor(**settings: Any) -> Any:
    return MLPRegressor(**{**QUICK, **settings})


def same(one: Any, other: Any) -> bool:
    """Whether two models were trained to the same bits."""
    return fnn.digest(one.run_) == fnn.digest(other.run_)


def near(one: Any, other: Any) -> None:
    """The same weights but for rounding, as of columns that were scaled in another order in memory."""
    for weight, expected in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-7, atol=1e-9)


# Pipelines and frames.


def test_a_pipeline_hands_on_what_it_is_given() -> None:
    pipe = make_pipeline(StandardScaler(), classifier()).fit(X, Y, mlpclassifier__sample_weight=WEIGHT)
    alone = classifier().fit(StandardScaler().fit_transform(X), Y, sample_weight=WEIGHT)
    assert same(pipe[-1], alone)
    assert not same(pipe[-1], classifier().fit(StandardScaler().fit_transform(X), Y))
    assert np.array_equal(pipe.predict_proba(X), alone.predict_proba(StandardScaler().fit_transform(X)))
    assert pipe.score(X, Y, sample_weight=WEIGHT) == pytest.approx(WEIGHT[pipe.predict(X) == Y].sum() / WEIGHT.sum())
    assert list(pipe.classes_) == ["one", "two", "zero"]
    of_class = classifier(class_weight={"one": 3.0}).fit(X, Y, WEIGHT)
    assert same(of_class, classifier().fit(X, Y, WEIGHT * np.where(Y == "one", 3.0, 1.0)))


FRAMES = pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])


@FRAMES
def test_columns_of_a_frame(kind: Any) -> None:
    table = kind({"length": X[:, 0], "width": X[:, 1] * 100, "colour": list(Y), "left_out": ["?"] * N})
    parts = [("numbers", StandardScaler(), ["length", "width"]), ("texts", OneHotEncoder(), ["colour"])]
    pipe = make_pipeline(ColumnTransformer(parts), classifier(max_iter=60)).fit(table, Y)
    by_hand = [StandardScaler().fit_transform(X[:, :2] * [1, 100]), OneHotEncoder().fit_transform(Y[:, None]).toarray()]
    near(pipe[-1], classifier(max_iter=60).fit(np.hstack(by_hand), Y))
    assert pipe.score(table, Y) == 1.0


@FRAMES
def test_transformers_that_put_out_frames(kind: Any) -> None:
    pipe = make_pipeline(StandardScaler(), classifier()).set_output(transform=kind.__module__.partition(".")[0])
    pipe.fit(pd.DataFrame(X, columns=COLUMNS), Y)
    assert list(pipe[-1].feature_names_in_) == COLUMNS
    near(pipe[-1], make_pipeline(StandardScaler(), classifier()).fit(X, Y)[-1])


@FRAMES
def test_names_of_features_are_checked(kind: Any) -> None:
    frame = kind(dict(zip(COLUMNS, X.T, strict=True)))
    model = classifier().fit(frame, Y)
    assert list(model.feature_names_in_) == COLUMNS
    assert (model.feature_names_in_.dtype, model.n_features_in_) == (object, 4)
    for call in (model.predict, model.predict_proba, lambda x: model.partial_fit(x, Y)):
        with pytest.raises(ValueError, match="must be in the same order"):
            call(frame[["b", "a", "c", "d"]])
        with pytest.raises(ValueError, match="missing"):
            call(frame[["a", "b", "c"]])
        with pytest.raises(ValueError, match="unseen at fit time"):
            call(frame.rename(columns={"a": "z"}) if kind is pd.DataFrame else frame.rename({"a": "z"}))
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            call(X)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4 features"):
        classifier().fit(X, Y).predict(X[:, :3])
    assert same(model.fit(X, Y), classifier().fit(frame, Y))
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("kind", [csr_array, csc_array, csr_matrix, csc_matrix])
@pytest.mark.parametrize(
    ("estimator", "y"), [(classifier(), Y), (regressor(), TARGETS), (classifier(solver="lbfgs"), Y)]
)
def test_sparse_rows_are_as_dense_ones(kind: Any, estimator: Any, y: Any) -> None:
    x = np.where(X > 0.3, X, 0)
    dense, sparse = clone(estimator).fit(x, y), clone(estimator).fit(kind(x), y)
    tell = "predict_proba" if is_classifier(estimator) else "predict"
    expected = getattr(dense, tell)(x)
    for given in (x, kind(x)):
        np.testing.assert_allclose(getattr(sparse, tell)(given), expected, rtol=1e-6, atol=1e-9)
    assert same(clone(estimator).fit(kind(x), y), sparse)


# Searches and validation.


def test_grid_search() -> None:
    pipe = make_pipeline(StandardScaler(), classifier())
    grid = {"mlpclassifier__activation": ["tanh", "relu"], "mlpclassifier__max_iter": [1, 30]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.75
    assert search.best_params_["mlpclassifier__max_iter"] == 30
    expected = clone(pipe).set_params(**search.best_params_)
    assert np.mean(cross_val_score(expected, X, Y, cv=3)) == search.best_score_
    assert same(search.best_estimator_[-1], expected.fit(X, Y)[-1])


def test_a_search_over_specs() -> None:
    grid = {
        "network": [(fnn.Dense(2, "relu"),), (fnn.Dense(8, "gelu"), fnn.Dropout(0.1))],
        "optimizer": [fnn.Adam(1e-6), fnn.Adam(0.05)],
    }
    search = GridSearchCV(MLPClassifier(max_iter=20, random_state=0), grid, cv=3).fit(X, Y)
    assert search.best_params_["optimizer"] == fnn.Adam(0.05)
    assert search.best_score_ > 0.75


def test_two_processes_find_the_same() -> None:
    found = []
    for jobs in (1, 2):
        space = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [1e-3, 1e-2, 0.1], "early_stopping": [True, False]}
        search = RandomizedSearchCV(classifier(max_iter=5), space, n_iter=4, cv=2, random_state=0, n_jobs=jobs).fit(
            X, Y
        )
        scores = np.array([search.cv_results_[f"split{i}_test_score"] for i in range(2)])
        found.append((scores.tolist(), search.best_params_, fnn.digest(search.best_estimator_.run_)))
    assert found[0] == found[1]


def test_a_search_by_halves() -> None:
    grid = {"learning_rate_init": [1e-7, 1e-3, 0.05]}
    search = HalvingGridSearchCV(classifier(), grid, resource="max_iter", min_resources=5, max_resources=45, cv=2)
    search.fit(X, Y)
    assert search.best_params_["learning_rate_init"] == 0.05
    assert search.best_estimator_.max_iter == search.cv_results_["n_resources"].max() > 5


def test_curves_scores_and_importances() -> None:
    scores = cross_val_score(regressor(max_iter=60), X, TARGETS[:, 0], cv=3, scoring="neg_mean_squared_error")
    assert ((scores > -0.5 * TARGETS[:, 0].var()) & (scores < 0)).all()
    sizes, train, held = learning_curve(classifier(max_iter=60), X, Y, train_sizes=[20, 80], cv=3)
    assert (sizes.tolist(), train.shape) == ([20, 80], (2, 3))
    assert held[1].mean() > max(0.7, held[0].mean())
    model = classifier(max_iter=60).fit(X, Y)
    importance = permutation_importance(model, X, Y, n_repeats=3, random_state=0).importances_mean
    assert importance[:3].min() > 0.1 > importance[3]
    line = regressor(max_iter=100).fit(X, X[:, 0])
    of_first = partial_dependence(line, X, [0], kind="average", grid_resolution=5)
    assert (np.diff(of_first["average"][0]) > 0).all()
    of_class = partial_dependence(model, X, [1], kind="average", grid_resolution=5)["average"]
    assert (np.diff(of_class[1]) > 0).all()  # "two" by the second column


# Ensembles.


@pytest.mark.parametrize(
    "ensemble",
    [
        CalibratedClassifierCV(classifier(), cv=2),
        OneVsRestClassifier(classifier()),
        BaggingClassifier(classifier(), n_estimators=3, random_state=0),
        StackingClassifier([("net", classifier()), ("line", LogisticRegression())], classifier(), cv=2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_ensembles_of_classifiers(ensemble: Any) -> None:
    model = clone(ensemble).fit(X, Y)
    assert list(model.classes_) == ["one", "two", "zero"]
    assert model.score(X, Y) > 0.75
    told = model.predict_proba(X)
    assert told.shape == (N, 3)
    np.testing.assert_allclose(told.sum(axis=1), 1)
    assert np.array_equal(clone(ensemble).fit(X, Y).predict_proba(X), told)


def test_ensembles_of_regressors() -> None:
    bag = BaggingRegressor(regressor(), n_estimators=3, random_state=0).fit(X, TARGETS)
    assert bag.predict(X).shape == (N, 2)
    np.testing.assert_allclose(bag.predict(X), np.mean([each.predict(X) for each in bag.estimators_], axis=0))
    assert len({fnn.digest(each.run_) for each in bag.estimators_}) == 3


def test_several_answers_at_once() -> None:
    both = np.column_stack([Y, np.where(X[:, 3] > 0, "yes", "no")])
    model = MultiOutputClassifier(classifier(max_iter=40)).fit(X, both, sample_weight=WEIGHT)
    assert [list(each) for each in model.classes_] == [["one", "two", "zero"], ["no", "yes"]]
    assert (model.predict(X) == both).mean() > 0.8
    assert same(model.estimators_[0], classifier(max_iter=40).fit(X, Y, sample_weight=WEIGHT))
    with pytest.raises(ValueError, match="MultiOutputClassifier takes the columns one by one"):
        classifier().fit(X, np.unique(both, return_inverse=True)[1].reshape(both.shape))


# Routing.


def test_weights_are_routed() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        net = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
        fitted = clone(pipe).fit(X, Y, sample_weight=WEIGHT)
        alone = classifier().fit(StandardScaler().fit_transform(X), Y, WEIGHT)
        assert same(fitted[-1], alone)
        right = WEIGHT[fitted.predict(X) == Y].sum() / WEIGHT.sum()
        assert fitted.score(X, Y, sample_weight=WEIGHT) == pytest.approx(right)
        assert right != pytest.approx(fitted.score(X, Y))

        grid = {"mlpclassifier__alpha": [1e-4, 1.0]}
        search = GridSearchCV(pipe, grid, cv=2).fit(X, Y, sample_weight=WEIGHT)
        best = clone(pipe).set_params(**search.best_params_).fit(X, Y, sample_weight=WEIGHT)
        assert same(search.best_estimator_[-1], best[-1])
        with pytest.raises(TypeError, match="sample_weight"):
            make_pipeline(classifier().set_fit_request(sample_weight=False)).fit(X, Y, sample_weight=WEIGHT)
        with pytest.raises(ValueError, match="sample_weight"):
            make_pipeline(classifier()).fit(X, Y, sample_weight=WEIGHT)  # neither requested nor not


# Copies and pickles.


def pickled(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


def dumped(model: Any) -> Any:
    joblib.dump(model, file := io.BytesIO())
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("again", [pickled, dumped, copy.deepcopy, copy.copy], ids=lambda each: each.__name__)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize(("kind", "y"), BOTH)
def test_a_copy_tells_the_same_and_goes_on_to_the_same(
    again: Callable[[Any], Any], solver: str, kind: Any, y: Any
) -> None:
    model = kind(**QUICK, solver=solver, batch_size=32).fit(X, y)
    twin = again(model)
    assert same(twin, model)
    assert twin.get_params() == model.get_params()
    assert twin.predict(X).tobytes() == model.predict(X).tobytes()
    for one, other in zip(twin.coefs_ + twin.intercepts_, model.coefs_ + model.intercepts_, strict=True):
        assert one.tobytes() == other.tobytes()
    for state in (twin.run_, twin.params_, twin.coefs_, twin.intercepts_):
        assert not any(array.flags.writeable for array in arrays_in(state))
    with pytest.raises(ValueError, match="read-only"):
        twin.coefs_[0][...] = 0
    before = fnn.digest(model.run_)
    twin.partial_fit(X, y)
    assert fnn.digest(model.run_) == before != fnn.digest(twin.run_)
    assert same(model.partial_fit(X, y), twin)
    assert twin.t_ == model.t_
    assert twin.loss_curve_ == model.loss_curve_


def test_a_file_that_joblib_maps(tmp_path: Path) -> None:
    model = classifier().fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(mapped.predict_proba(X), model.predict_proba(X))
    assert same(mapped.partial_fit(X, Y), model.partial_fit(X, Y))


# What others read.

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z, "logistic": expit, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0),
    "softmax": lambda z: softmax(z, axis=1), "exp": np.exp,
}  # fmt: skip


def by_hand(model: Any, x: Any) -> Any:
    """A forward pass of what scikit-learn's own has too."""
    assert len(model.coefs_) == len(model.intercepts_) == model.n_layers_ - 1
    for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        assert weight.shape == (x.shape[1], len(bias))
        x = FUNCTIONS[model.out_activation_ if i == model.n_layers_ - 2 else model.activation](x @ weight + bias)
    assert x.shape[1] == model.n_outputs_
    return x


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weights_make_the_predictions(activation: str, solver: str) -> None:
    settings = {"activation": activation, "solver": solver, "hidden_layer_sizes": (6, 5)}
    for model, y, last in [
        (classifier(**settings), Y, "softmax"),
        (classifier(**settings), Y == "one", "logistic"),
        (classifier(**settings), (X > 0).astype(int), "logistic"),
        (regressor(**settings), TARGETS, "identity"),
        (regressor(**settings, loss="poisson"), np.exp(TARGETS[:, 0]).round(), "exp"),
    ]:
        model.fit(X, y)
        told = (model.predict_proba if is_classifier(model) else model.predict)(X)
        told = told[:, 1:] if y.dtype == bool else told.reshape(N, -1)
        np.testing.assert_allclose(by_hand(model, X), told, rtol=1e-9, atol=1e-12)
        assert model.out_activation_ == last
