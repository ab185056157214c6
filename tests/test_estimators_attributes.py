"""What a fitted estimator holds, as scikit-learn documents it, however it was trained; and what there is of fnn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import xlogy

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 60
X: NDArray[np.float64] = RNG.standard_normal((N, 4))
Z = X[:, :3] + RNG.standard_normal((N, 3))
Y: dict[str, Any] = {
    "classes": Z.argmax(axis=1),
    "two": (Z[:, 0] > 1).astype(int),
    "text": np.array(["rat", "cat", "ox"])[Z.argmax(axis=1)],
    "labels": (Z > 0.5).astype(int),
    "number": Z[:, 0],
    "numbers": Z[:, :2],
    "count": np.floor(np.exp(X[:, 0])),
}
BASE: dict[str, Any] = {"hidden_layer_sizes": (5, 3), "random_state": 0, "max_iter": 4}
STOPPING: dict[str, Any] = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.05, "max_iter": 200}
TARGETS = ["classes", "two", "labels", "number", "numbers"]


def estimator(target: str, **settings: Any) -> Any:
    if target in ("number", "numbers", "count"):
        return MLPRegressor(loss="poisson" if target == "count" else "squared_error", **(BASE | settings))
    return MLPClassifier(**(BASE | settings))


def fit(target: str, **settings: Any) -> Any:
    return estimator(target, **settings).fit(X, Y[target])


def again(model: Any, target: str, **settings: Any) -> Any:
    return model.set_params(**settings).fit(X, Y[target])


def loss_of(model: Any, target: str) -> float:
    """The loss by its formula, without the penalty."""
    y = Y[target]
    if isinstance(model, MLPRegressor):
        a = model.predict(X)
        rows = xlogy(y, y / np.abs(a)) - y + a if target == "count" else (a - y) ** 2 / 2
    else:
        p = model.predict_proba(X)
        if target == "labels":
            rows = -np.log(np.where(y, p, 1 - p))
        else:
            rows = -np.log(p[np.arange(N), np.searchsorted(model.classes_, y)])
    return float(rows.reshape(N, -1).sum(axis=1).mean())


# As scikit-learn has them.

SHAPES: list[tuple[str, int, str]] = [
    ("classes", 3, "softmax"), ("two", 1, "logistic"), ("text", 3, "softmax"), ("labels", 3, "logistic"),
    ("number", 1, "identity"), ("numbers", 2, "identity"), ("count", 1, "exp"),
]  # fmt: skip


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(("target", "outputs", "activation"), SHAPES)
def test_layers_and_outputs(target: str, outputs: int, activation: str, solver: str) -> None:
    model = fit(target, solver=solver)
    assert (model.n_features_in_, model.n_layers_, model.n_outputs_) == (4, 4, outputs)
    assert model.out_activation_ == activation
    assert [array.shape for array in model.coefs_] == [(4, 5), (5, 3), (3, outputs)]
    assert [array.shape for array in model.intercepts_] == [(5,), (3,), (outputs,)]
    assert type(model.coefs_) is type(model.intercepts_) is list


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y["classes"], [0, 1, 2]), (Y["two"], [0, 1]), (Y["labels"], [0, 1, 2]), (Y["text"], ["cat", "ox", "rat"]),
        (Y["classes"] * 5 - 7, [-7, -2, 3]), (Y["two"] == 1, [False, True]),
        (Y["text"].astype(object), ["cat", "ox", "rat"]),
    ],
)  # fmt: skip
def test_classes_are_the_labels_in_order(y: Any, classes: list[Any]) -> None:
    model = MLPClassifier(**BASE).fit(X, y)
    assert model.classes_.tolist() == classes
    assert model.predict_proba(X).shape == (N, len(classes))
    if y.ndim == 1:
        assert set(model.predict(X).tolist()) <= set(classes)
        np.testing.assert_array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(axis=1)])
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    else:
        np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    np.testing.assert_array_equal(model.predict_log_proba(X), np.log(model.predict_proba(X)))
    assert not hasattr(fit("number"), "classes_")


def test_feature_names_are_those_of_the_columns() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = fit("classes")
    assert not hasattr(model, "feature_names_in_")
    model.fit(frame, Y["classes"])
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert model.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])
    model.fit(X[:, :3], Y["classes"])
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="3 features"):
        model.predict(X)


@pytest.mark.parametrize("target", [*TARGETS, "count"])
def test_the_loss_curve_is_of_each_epoch_and_loss_is_the_last(target: str) -> None:
    settings: dict[str, Any] = {"alpha": 2.0, "learning_rate_init": 0.05, "solver": "sgd"}
    model = fit(target, **settings)
    assert len(model.loss_curve_) == model.n_iter_ == 4
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is model.best_validation_score_ is None
    assert type(model.loss_) is type(model.best_loss_) is np.float64  # which has methods, as theirs
    for epochs in (1, 3):  # a full batch: an epoch's loss is that of the parameters before it
        before = fit(target, **settings | {"max_iter": epochs})
        penalty = 2.0 / 2 * sum((array**2).sum() for array in before.coefs_) / N
        over = model.n_outputs_ if target == "numbers" else 1  # of several squared errors the mean is reported
        assert model.loss_curve_[epochs] == pytest.approx(loss_of(before, target) / over + penalty, rel=1e-12)
    worse = fit("number", solver="sgd", learning_rate_init=0.9, max_iter=12, tol=0)
    assert worse.best_loss_ == min(worse.loss_curve_) < worse.loss_


@pytest.mark.parametrize("target", [*TARGETS, "count"])
def test_lbfgs_has_one_loss_and_no_curve(target: str) -> None:
    model = again(fit(target), target, solver="lbfgs", max_iter=3)
    assert not hasattr(model, "loss_curve_")
    assert model.best_loss_ is model.validation_scores_ is model.best_validation_score_ is None
    assert (model.n_iter_, model.t_) == (3, 0)
    penalty = 0.0001 / 2 * sum((array**2).sum() for array in model.coefs_) / N
    assert model.loss_ == pytest.approx(loss_of(model, target) + penalty, rel=1e-12)
    assert len(again(model, target, solver="adam").loss_curve_) == 3


def test_epochs_are_of_the_last_fit_and_rows_and_losses_of_all() -> None:
    model = estimator("number", warm_start=True)
    for i, (epochs, rows) in enumerate([(4, 60), (2, 60), (1, 40)]):
        model.set_params(max_iter=epochs).fit(X[:rows], Y["number"][:rows])
        assert (model.n_iter_, model.t_) == (epochs, [240, 360, 400][i])
        assert len(model.loss_curve_) == model.run_.epoch == [4, 6, 7][i]
        assert model.best_loss_ == min(model.loss_curve_)
    model.partial_fit(X[:10], Y["number"][:10])
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (1, 410, 8)
    model.set_params(warm_start=False, max_iter=2).fit(X, Y["number"])
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (2, 120, 2)
    assert fnn.digest(model.run_) == fnn.digest(fit("number", max_iter=2).run_)


# Early stopping.


def held_out(model: Any, target: str, fraction: float = 0.1) -> tuple[Any, Any]:
    """What it must have held out."""
    y = np.unique(Y[target], return_inverse=True)[1] if target == "text" else Y[target]
    stratify = isinstance(model, MLPClassifier) and target != "labels"
    held = fnn.split(fnn.Dataset(X, y), fraction, model.run_.recipe.seed, stratify)[1]
    return X[held.rows], Y[target][held.rows]


@pytest.mark.parametrize("target", [*TARGETS, "text"])
def test_early_stopping_keeps_the_best_by_the_score_of_rows_that_were_held_out(target: str) -> None:
    seen: list[Any] = []
    model = fit(target, **STOPPING, validation_fraction=0.2, on_epoch=seen.append)
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) == model.n_iter_ == len(seen) < 200
    assert model.t_ == model.n_iter_ * 48
    assert model.best_loss_ is None
    assert model.best_validation_score_ == max(scores)
    x, y = held_out(model, target, 0.2)
    assert len(x) == 12
    if target in ("classes", "two", "text"):
        counts = [np.unique(part, return_counts=True)[1] for part in (y, Y[target])]
        assert np.abs(counts[0] - counts[1] / 5).max() < 1
    assert model.score(x, y) == pytest.approx(max(scores), rel=1e-12)
    assert fnn.digest(model.params_) == fnn.digest(seen[scores.index(max(scores))].params)
    assert fnn.digest(model.params_) != fnn.digest(model.run_.params)
    np.testing.assert_array_equal(model.coefs_[0], model.params_[0].weight)
    stalled = [scores[i] < max(scores[:i]) + 1e-4 for i in range(1, len(scores))]
    assert "".join("01"[flag] for flag in stalled).find("1111") == len(stalled) - 4


def test_early_stopping_by_rows_of_ones_own_trains_on_all() -> None:
    x, y = X[:15] + 0.1, Y["classes"][:15]
    model = fit("classes", **STOPPING, validation=(x, y))
    assert model.t_ == model.n_iter_ * N
    assert model.score(x, y) == model.best_validation_score_ == max(model.validation_scores_)
    only_kept = fit("classes", validation=(x, y))
    assert only_kept.validation_scores_[-1] == only_kept.score(x, y)
    assert only_kept.best_loss_ == min(only_kept.loss_curve_)
    for wrong in ((x[:, :2], y), (x, y + 5), (x, y[:3])):
        with pytest.raises(ValueError, match=r"features|`y` must|inconsistent"):
            fit("classes", validation=wrong)


@pytest.mark.parametrize("target", ["classes", "number"])
@pytest.mark.parametrize("fraction", [0.0, 0.01, 1 / N])
def test_a_validation_fraction_that_is_too_small_is_refused(target: str, fraction: float) -> None:
    kind = "MLPClassifier" if target == "classes" else "MLPRegressor"
    with pytest.raises(ValueError, match=rf"^{kind}\.fit: `validation_fraction` must .*, got "):
        fit(target, early_stopping=True, validation_fraction=fraction)
    fit(target, validation_fraction=fraction)


@pytest.mark.parametrize("target", ["classes", "number"])
def test_one_epoch_cannot_stop_early(target: str) -> None:
    classes: Any = {"classes": [0, 1, 2]} if target == "classes" else {}
    with pytest.raises(ValueError, match=r"^MLP\w+\.partial_fit: `early_stopping` must be False, got True"):
        estimator(target, early_stopping=True).partial_fit(X, Y[target], **classes)


# Warm starts, and what is shown.


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("extra", [{}, {"early_stopping": True}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_a_warm_start_goes_on_and_a_cold_one_starts_again(target: str, extra: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"tol": 0, "n_iter_no_change": np.inf, "batch_size": 16, **extra}
    whole = fit(target, **settings, max_iter=5)
    parts = again(fit(target, **settings, warm_start=True, max_iter=2), target, max_iter=3)
    assert fnn.digest(parts.run_) == fnn.digest(whole.run_)
    assert (parts.loss_curve_, parts.validation_scores_) == (whole.loss_curve_, whole.validation_scores_)
    assert fnn.digest(parts.params_) == fnn.digest(whole.params_)
    cold = again(fit(target, **settings, max_iter=2), target, max_iter=5)
    assert fnn.digest(cold.run_) == fnn.digest(whole.run_)


def test_a_warm_start_of_lbfgs_begins_at_the_last_solution() -> None:
    model = fit("number", solver="lbfgs", max_iter=30, warm_start=True, alpha=1.0)
    loss = model.loss_
    assert again(model, "number", max_iter=1).loss_ <= loss
    assert again(fit("number", solver="lbfgs", max_iter=30, alpha=1.0), "number", max_iter=1).loss_ > loss


def test_a_warm_start_wants_the_classes_of_before() -> None:
    model = fit("classes", warm_start=True)
    for y in (Y["two"], Y["classes"] + 1, Y["labels"]):
        with pytest.raises(ValueError, match=r"^MLPClassifier\.fit: `y` must "):
            model.fit(X, y)
    assert model.set_params(warm_start=False).fit(X, Y["classes"] + 1).classes_.tolist() == [1, 2, 3]


def test_partial_fit_wants_all_classes_first_and_then_no_others() -> None:
    model, where = estimator("classes"), r"^MLPClassifier\.partial_fit: "
    with pytest.raises(ValueError, match=rf"{where}`classes` must be given in the first call, got None"):
        model.partial_fit(X, Y["classes"])
    model.partial_fit(X[:5], np.ones(5, int), classes=[2, 1, 0])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, Y["classes"], classes=[0, 1, 2]).partial_fit(X[:9], Y["two"][:9])
    with pytest.raises(ValueError, match=rf"{where}`classes` must be"):
        model.partial_fit(X, Y["classes"], classes=[0, 1])
    with pytest.raises(ValueError, match=rf"{where}`y` must have no others than the classes of before"):
        model.partial_fit(X, Y["classes"] + 1)


@pytest.mark.parametrize("target", ["classes", "number"])
def test_verbose_prints_to_stdout_and_progress_to_stderr(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    fit(target)
    assert capsys.readouterr() == ("", "")
    for verbose in (True, 1, 10):
        model = fit(target, verbose=verbose, early_stopping=True)
        out, err = capsys.readouterr()
        assert (len(out.splitlines()), err) == (8, "")
        pairs = zip(out.splitlines()[::2], out.splitlines()[1::2], strict=True)
        epochs = zip(pairs, model.loss_curve_, model.validation_scores_, strict=True)
        for number, (lines, loss, score) in enumerate(epochs, 1):
            assert lines == (f"Iteration {number}, loss = {loss:.8f}", f"Validation score: {score:.6f}")
    fit(target, verbose=True, tol=10.0, n_iter_no_change=1, max_iter=9)
    assert capsys.readouterr().out.splitlines()[-1] == "No progress by tol=10 for 1 epochs. Stopping."
    model = fit(target, verbose=True, solver="lbfgs")
    assert f"{model.loss_:.8f}" in capsys.readouterr().out
    fit(target, progress=True, verbose=False)
    shown = capsys.readouterr()
    assert (shown.out, "epoch 4/4" in shown.err) == ("", True)


# What is fnn's.


@pytest.mark.parametrize("target", ["classes", "number"])
def test_functions_go_on_from_the_run(target: str) -> None:
    settings: dict[str, Any] = {"tol": 0, "n_iter_no_change": np.inf, "batch_size": 16}
    model, whole = fit(target, **settings), fit(target, **settings, max_iter=7)
    network, data = model.run_.recipe.network, fnn.Dataset(X, Y[target])
    assert isinstance(model.run_, fnn.TrainState)
    assert isinstance(model.params_, fnn.Params)
    run = fnn.fit(network, data, state=model.run_, epochs=3)
    assert fnn.digest(run.params) == fnn.digest(whole.run_.params)
    assert fnn.digest(run.optimizer_state) == fnn.digest(whole.run_.optimizer_state)
    np.testing.assert_array_equal(fnn.predict(network, model.params_, X), model.predict(X))
    one_more = model.partial_fit(X, Y[target], **({"classes": [0, 1, 2]} if target == "classes" else {}))
    assert one_more.run_.epoch == 5


def test_a_network_and_an_optimizer_of_ones_own_are_fnn_fit() -> None:
    network = fnn.mlp(4, 6, 3, activation="gelu")
    optimizer = fnn.AdamW(fnn.Cosine(0.05, 20), clip_norm=0.5)
    seen: list[fnn.TrainState] = []
    settings: dict[str, Any] = {"network": network, "optimizer": optimizer, "batch_size": 16, "random_state": 0}
    model = MLPClassifier(**settings, max_iter=3, on_epoch=seen.append).fit(X, Y["classes"])
    seed = model.run_.recipe.seed
    same: dict[str, Any] = {"seed": seed, "params": fnn.init_params(network, seed, np.float64)}
    run = fnn.fit(network, fnn.Dataset(X, Y["classes"]), epochs=3, optimizer=optimizer, batch_size=16, **same)
    assert fnn.digest(model.run_) == fnn.digest(run)
    assert [state.epoch for state in seen] == [1, 2, 3]
    assert (model.run_.recipe.network, model.run_.recipe.optimizer) == (network, optimizer)
    for wrong, y in ((network, "two"), (network, "labels"), (fnn.mlp(4, 3, output="identity", loss="mse"), "classes")):
        with pytest.raises(ValueError, match=r"^MLPClassifier(\.fit)?: `network` must "):
            MLPClassifier(network=wrong).fit(X, Y[y])


@pytest.mark.parametrize(("target", "outputs", "activation"), SHAPES)
def test_hidden_layers_of_ones_own_get_what_y_needs(target: str, outputs: int, activation: str) -> None:
    hidden = (fnn.Dense(6, "gelu"), fnn.BatchNorm(), fnn.Dropout(0.2))
    kind: Any = MLPRegressor if activation in ("identity", "exp") else MLPClassifier
    extra: dict[str, Any] = {"loss": "poisson"} if target == "count" else {}
    models = [kind(network=layers, max_iter=2, random_state=0, **extra) for layers in (hidden, list(hidden))]
    network = models[0].fit(X, Y[target]).run_.recipe.network
    assert network.layers[:-1] == hidden
    assert (network.inputs, network.outputs, models[0].out_activation_) == (4, outputs, activation)
    assert fnn.digest(models[1].fit(X, Y[target]).run_) == fnn.digest(models[0].run_)


def test_from_params_predicts_and_goes_on() -> None:
    network = fnn.mlp(4, 6, 3)
    params = fnn.init_params(network, 5)
    model = MLPClassifier.from_params(network, params, ["cat", "ox", "rat"])
    index = fnn.predict(network, params, X)
    np.testing.assert_array_equal(model.predict(X), np.array(["cat", "ox", "rat"])[index])
    np.testing.assert_array_equal(MLPClassifier.from_params(network, params).predict(X), index)
    assert (model.n_features_in_, model.n_outputs_, model.n_layers_, model.t_) == (4, 3, 3, 0)
    assert model.partial_fit(X, Y["text"]).t_ == N
    line = fnn.mlp(4, 1, output="identity", loss="mse")
    regressor = MLPRegressor.from_params(line, fnn.init_params(line, 1))
    np.testing.assert_array_equal(regressor.predict(X), fnn.predict(line, fnn.init_params(line, 1), X))
    for wrong in (["a", "b"], ["b", "a", "c"], ["a", "a", "b"]):
        with pytest.raises(ValueError, match=r"^MLPClassifier\.from_params: `classes` must be 3 labels, each "):
            MLPClassifier.from_params(network, params, wrong)
    with pytest.raises(ValueError, match="from_params"):
        MLPClassifier.from_params(line, fnn.init_params(line, 1))


def test_a_regressor_is_not_made_of_a_network_that_tells_classes() -> None:
    network = fnn.mlp(4, 6, 3)
    with pytest.raises(ValueError, match=r"^MLPRegressor\.from_params: `network` must "):
        MLPRegressor.from_params(network, fnn.init_params(network, 5))
