"""Estimators in files: they come back to the last bit, go on as if never saved, and of other files nothing is made."""

from __future__ import annotations

import json
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor
from tests.model_files import GONE, apart, changed, deep, edited, saved
from tests.own import Squareplus
from tests.test_purity import arrays_in

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 60
X: NDArray[np.float64] = RNG.standard_normal((N, 3))
Y = (X + 0.3 * RNG.standard_normal((N, 3))).argmax(axis=1)
TARGETS = X @ RNG.standard_normal((3, 2))
LABELS = (X > 0).astype(int)
NAMES = np.array(["no", "perhaps", "yes"])
QUICK: dict[str, Any] = {"hidden_layer_sizes": (5,), "max_iter": 6, "batch_size": 16, "random_state": 0}
HIDDEN = (fnn.Dense(5, "gelu"), fnn.BatchNorm(), fnn.Dropout(0.2))
WHOLE = fnn.Network(3, (*HIDDEN, fnn.Dense(3, "softmax", l2=0.01)), loss="cross_entropy", input_scale=0.5)
ATTRIBUTES = (
    "classes_", "coefs_", "intercepts_", "loss_", "loss_curve_", "best_loss_", "validation_scores_",
    "best_validation_score_", "n_iter_", "t_", "n_features_in_", "feature_names_in_", "n_layers_", "n_outputs_",
    "out_activation_",
)  # fmt: skip


def classifier(**settings: Any) -> Any:
    return MLPClassifier(**{**QUICK, **settings})


def regressor(**settings: Any) -> Any:
    return MLPRegressor(**{**QUICK, **settings})


def of_specs(network: Any, **settings: Any) -> Any:
    return MLPClassifier(network=network, max_iter=5, random_state=0, **settings)


def early(kind: Any) -> Any:
    """One whose best epoch is not its last."""
    return kind(**{**QUICK, "max_iter": 25}, learning_rate_init=0.2, early_stopping=True, validation_fraction=0.4)


FRAME = pd.DataFrame(X, columns=["a", "ß", "c\n"])
TEXTS = np.array(NAMES, object)[Y]
WEIGHTS = [{0: 1.0, 1: 3.0}, {0: 2.0, 1: 1.0}, {0: 1.0, 1: 1.0}]
CASES: dict[str, tuple[Any, Any, Any]] = {
    "adam": (classifier(), X, Y),
    "sgd": (regressor(solver="sgd", learning_rate="invscaling"), X, TARGETS),
    "adaptive": (classifier(solver="sgd", learning_rate="adaptive", tol=1.0, n_iter_no_change=1), X, Y),
    "lbfgs": (classifier(solver="lbfgs"), X, Y),
    "lbfgs, numbers": (regressor(solver="lbfgs"), X, TARGETS),
    "early": (early(MLPClassifier), X, Y),
    "early, numbers": (early(MLPRegressor), X, TARGETS),
    "float32": (classifier(), X.astype(np.float32), Y),
    "poisson": (regressor(loss="poisson"), X, np.exp(TARGETS[:, 0])),
    "several labels": (classifier(), X, LABELS),
    "text": (classifier(), X, NAMES[Y]),
    "text as objects": (classifier(), X, TEXTS),
    "a series of text": (classifier(), FRAME, pd.Series(TEXTS)),
    "booleans": (classifier(), X, Y == 1),
    "floats": (classifier(), X, Y / 1.0 - 1),
    "bytes": (classifier(), X, Y.astype(np.uint8)),
    "negative": (classifier(), X, Y - 2**40),
    "one class": (classifier(), X, np.full(N, 7)),
    "a frame": (classifier(), FRAME, Y),
    "weights by integers": (classifier(class_weight={0: 1, 1: 2.5, 2: 0.5}), X, Y),
    "weights by NumPy's": (classifier(class_weight={np.int64(i): np.float32(i + 0.1) for i in range(3)}), X, Y),
    "weights by text": (classifier(class_weight={"no": 1, "perhaps": 3, "yes": 1}), X, NAMES[Y]),
    "weights of labels": (classifier(class_weight=WEIGHTS), X, LABELS),
    "hidden layers": (of_specs(HIDDEN, optimizer=fnn.AdamW(fnn.Cosine(0.01, 30), clip_norm=1.0)), X, Y),
    "hidden layers in a list": (of_specs(list(HIDDEN)), X, Y),
    "a network": (of_specs(WHOLE, optimizer=fnn.Momentum(0.05)), X, Y),
    "no end": (classifier(n_iter_no_change=np.inf), X, Y),
    "a list": (classifier(hidden_layer_sizes=[4, 3]), X, Y),
    "an array": (classifier(hidden_layer_sizes=np.array([4, 3])), X, Y),
    "NumPy's scalars": (
        classifier(alpha=np.float32(0.1), batch_size=np.int64(9), shuffle=np.bool_(False), random_state=np.int32(3)),
        X,
        Y,
    ),
    "an integer": (regressor(hidden_layer_sizes=np.int64(4), alpha=0), X, TARGETS[:, 0]),
}
EVERY = pytest.mark.parametrize("case", CASES)


def fitted(case: str, **settings: Any) -> tuple[Any, Any, Any]:
    model, x, y = CASES[case]
    return type(model)(**{**model.get_params(), **settings}).fit(x, y), x, y


def told(model: Any, x: Any) -> Any:
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)


def assert_equal(one: Any, other: Any, x: Any) -> None:
    """All that a fitted estimator has, to the last bit."""
    assert type(one) is type(other)
    assert fnn.digest(one.run_) == fnn.digest(other.run_)
    assert fnn.digest(one.params_) == fnn.digest(other.params_)
    for name in ATTRIBUTES:
        assert hasattr(one, name) == hasattr(other, name), name
        if not hasattr(one, name):
            continue
        value, expected = getattr(one, name), getattr(other, name)
        assert type(value) is type(expected), name
        if isinstance(value, np.ndarray):
            assert value.dtype == expected.dtype
        np.testing.assert_equal(value, expected)
    assert told(one, x).tobytes() == told(other, x).tobytes()
    assert np.array_equal(one.predict(x), other.predict(x))
    assert one.predict(x).dtype == other.predict(x).dtype


# They come back, and go on.


@EVERY
def test_all_comes_back(case: str, tmp_path: Path) -> None:
    model, x, _ = fitted(case)
    path, two = tmp_path / "model.safetensors", tmp_path / "two"
    model.save(path)
    again = type(model).load(path)
    assert_equal(again, model, x)
    for name, value in model.get_params().items():
        assert getattr(again, name) == (list(value) if isinstance(value, np.ndarray) else value)
    assert not any(array.flags.writeable for array in arrays_in((again.run_, again.params_, again.coefs_)))
    assert fnn.digest(fnn.load_run(path)) == fnn.digest(model.run_)
    again.save(two)
    assert two.read_bytes() == path.read_bytes()


@EVERY
def test_it_goes_on_as_if_never_saved(case: str, tmp_path: Path) -> None:
    model, x, y = fitted(case, warm_start=True)
    model.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model")
    assert_equal(again.fit(x, y), model.fit(x, y), x)
    again.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model")
    if model.early_stopping:
        again.set_params(early_stopping=False)
        model.set_params(early_stopping=False)
    if model.solver != "lbfgs":
        before = fnn.digest(model.run_)
        assert_equal(again.partial_fit(x, y), model.partial_fit(x, y), x)
        assert fnn.digest(again.run_) != before


def test_the_cases_are_what_they_say() -> None:
    for case in ("early", "early, numbers"):
        model = fitted(case)[0]
        assert 0 < model.run_.best_epoch < model.run_.epoch
        assert model.best_loss_ is None
    assert fitted("text as objects")[0].classes_.dtype.kind == "U"  # as scikit-learn's
    assert fitted("adaptive")[0].run_.recipe.optimizer.learning_rate < 0.001
    assert fitted("float32")[0].coefs_[0].dtype == np.float32


@pytest.mark.parametrize("early_stopping", [True, False])
def test_arguments_that_were_changed_since_change_no_prediction(early_stopping: bool, tmp_path: Path) -> None:
    model = early(MLPClassifier).set_params(early_stopping=early_stopping).fit(X, Y)
    model.set_params(early_stopping=not early_stopping, alpha=3.0)
    model.save(tmp_path / "model")
    again = MLPClassifier.load(tmp_path / "model")
    assert (again.early_stopping, again.alpha) == (not early_stopping, 3.0)
    assert_equal(again, model, X)


def test_a_class_of_ones_own(tmp_path: Path) -> None:
    model, path = of_specs((fnn.Dense(4, Squareplus()),), warm_start=True).fit(X, Y), tmp_path / "model"
    with pytest.raises(TypeError, match=r"Give `custom=\(Squareplus,\)`"):
        model.save(path)
    assert not path.exists()
    model.save(path, custom=(Squareplus,))
    with pytest.raises(fnn.ModelFileError, match=r"Give `custom=\(Squareplus,\)`"):
        MLPClassifier.load(path)
    again = MLPClassifier.load(path, custom=(Squareplus,))
    assert again.network == model.network
    assert_equal(again, model, X)
    assert_equal(again.fit(X, Y), model.fit(X, Y), X)


def test_from_parameters(tmp_path: Path) -> None:
    params = fnn.init_params(WHOLE, seed=3)
    model = MLPClassifier.from_params(WHOLE, params, classes=["a", "b", "c"])
    model.save(tmp_path / "model")
    assert_equal(MLPClassifier.load(tmp_path / "model"), model, X)
    dates = MLPClassifier.from_params(WHOLE, params, classes=np.array([1, 2, 3], "datetime64[Y]"))
    with pytest.raises(TypeError, match="save: `classes_` must be booleans, integers, floats or text"):
        dates.save(tmp_path / "dates")
    assert not (tmp_path / "dates").exists()


def test_what_is_no_value_is_left_out(tmp_path: Path) -> None:
    epochs: list[int] = []
    model = classifier(
        validation=(X[:9], Y[:9]),
        on_epoch=lambda run: epochs.append(run.epoch),
        random_state=np.random.RandomState(0),
        warm_start=True,
    )
    model.fit(X, Y).save(tmp_path / "model")
    again = MLPClassifier.load(tmp_path / "model")
    assert (again.validation, again.on_epoch, again.random_state) == (None, None, None)
    assert_equal(again, model, X)
    model.set_params(validation=None, on_epoch=None)
    assert_equal(again.partial_fit(X, Y), model.partial_fit(X, Y), X)
    assert len(epochs) == 6


# What is refused.


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_one_that_is_not_fitted_is_not_saved(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        kind().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        kind.load(tmp_path / "model")


@cache
def file_of(case: str = "text") -> bytes:
    return saved(lambda path: fitted(case)[0].save(path))


def refused(path: Path, data: bytes, kind: Any = MLPClassifier) -> str:
    """What is said of a file that must not be loaded; that is a ModelFileError and short, and allocates little."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(fnn.ModelFileError) as caught:
            kind.load(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    said = str(caught.value)
    assert caught.type is fnn.ModelFileError
    assert said.startswith(f"{kind.__name__}.load: `{path}` must ")
    assert said.isprintable()
    assert len(said) < 1600 + len(str(path))
    return said


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    model = fitted("text")[0]
    fnn.save_run(path, model.run_)
    assert "must hold a MLPClassifier, got a run" in refused(path, path.read_bytes())
    fnn.save(path, model.run_.recipe.network, model.params_)
    assert "must hold a run" in refused(path, path.read_bytes())
    assert "must hold a MLPClassifier, got 'MLPRegressor'" in refused(path, file_of("sgd"))
    assert "must hold a MLPRegressor, got 'MLPClassifier'" in refused(path, file_of(), MLPRegressor)
    refused(path, b"")
    refused(path, file_of()[:-1])


def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    """The last digit of a decimal can be another of the same float."""
    path, data, noticed = tmp_path / "file", file_of(), 0
    places = np.unique(np.linspace(0, len(data) - 1, 300).astype(int))
    for i in places:
        path.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        try:
            again = MLPClassifier.load(path)
        except fnn.ModelFileError:
            noticed += 1
        else:
            again.save(path)
            assert path.read_bytes() == data
    assert noticed > 0.95 * len(places)


HELD = "estimator"
TYPES: list[Any] = [None, True, 3, "text", [], [1], {}, {"tensor": "layers.0.bias"}, {"float": "nan"}, deep(500)]
PLACES = ["", ".class", ".arguments", ".classes", ".classes.0", ".classes.1", ".names", ".by_score"]
PLACES += [".n_iter", ".loss", ".t", ".scores", ".stalled"]
COULD_BE: list[tuple[str, Any]] = [
    *((".names", None), (".arguments", {}), (".t", 3), (".scores", []), (".stalled", 3), (".n_iter", 3)),
    *((".loss", {"float": "nan"}), (".by_score", True)),
]
ATTACKS: dict[str, dict[str, Any]] = {
    **{f"no {place}": {place: GONE} for place in ("class", "arguments", "classes", "names", "by_score")},
    **{f"no {place}": {place: GONE} for place in ("n_iter", "loss", "t", "scores", "stalled")},
    "an argument that there is not": {"arguments.alhpa": 1.0},
    "self": {"arguments.self": 1.0},
    "a class that is not known": {"arguments.optimizer": {"spec": "os.system"}},
    "a class of ours with wrong settings": {"arguments.optimizer": {"spec": "Adam", "learning_rate": -1.0}},
    "a class too few": {"classes.1": ["no", "yes"]},
    "a class too many": {"classes.1": ["no", "perhaps", "yes", "zero"]},
    "no classes": {"classes.1": []},
    "classes out of order": {"classes.1": ["perhaps", "no", "yes"]},
    "a class twice": {"classes.1": ["no", "no", "yes"]},
    "classes in a list": {"classes.1": [["no", "perhaps", "yes"]]},
    "objects that are no text": {"classes": ["object", [[1], {"a": 1}, None]]},
    "objects of several types": {"classes": ["O", [1, "a", "b"]]},
    "a text that is cut": {"classes.0": "<U1"},
    "a huge text": {"classes.0": "<U100000000"},
    "a wide record": {"classes.0": "V8"},
    "several fields": {"classes.0": "i8,i8"},
    "dates": {"classes": ["datetime64[Y]", [1, 2, 3]]},
    "NaN among them": {"classes": ["float64", [0.0, 1.0, {"float": "nan"}]]},
    "numbers that overflow": {"classes": ["int8", [1, 2, 300]]},
    "epochs below 0": {"n_iter": -1},
    "10**400 epochs": {"n_iter": 10**400},
    "half an epoch": {"n_iter": 1.5},
    "a loss of text": {"loss": "0.5"},
    "rows below 0": {"t": -1},
    "a huge number of rows": {"t": 10**400},
    "stalled below 0": {"stalled": -1},
    "scores that are none": {"scores": ["0.5"]},
    "scores in lists": {"scores": [[0.5]]},
    "names too few": {"names": ["a", "b"]},
    "names that are none": {"names": [1, 2, 3]},
    "names in lists": {"names": [["a"], ["b"], ["c"]]},
    "a class with an escape": {"class": "\x1b[2J" + "M" * 10_000},
    "one more field": {"more": 1},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_records_that_no_estimator_has(attack: str, tmp_path: Path) -> None:
    edits = {f"{HELD}.{place}": value for place, value in ATTACKS[attack].items()}
    refused(tmp_path / "file", edited(file_of(), edits))


@pytest.mark.parametrize("place", PLACES)
def test_values_of_wrong_types(place: str, tmp_path: Path) -> None:
    for value in TYPES:
        if repr((place, value)) not in map(repr, COULD_BE):
            refused(tmp_path / "file", edited(file_of(), {HELD + place: value}))


def test_a_regressor_has_no_classes(tmp_path: Path) -> None:
    classes = {f"{HELD}.classes": ["int64", [0, 1]]}
    refused(tmp_path / "file", edited(file_of("sgd"), classes), MLPRegressor)


def test_the_edits_alone_are_let_in(tmp_path: Path) -> None:
    """A file that is put together again is loaded, with a change that could be, so it is the change that is refused."""
    path, data = tmp_path / "file", file_of()
    change: dict[str, Any] = {"n_iter": 3, "arguments.alpha": 0.5, "classes": ["<U1", ["a", "b", "c"]]}
    change["names"] = ["x", "y", "z"]
    path.write_bytes(edited(data, {f"{HELD}.{place}": value for place, value in change.items()}))
    model = MLPClassifier.load(path)
    assert (model.n_iter_, model.alpha, list(map(str, model.classes_))) == (3, 0.5, ["a", "b", "c"])
    assert model.feature_names_in_.tolist() == ["x", "y", "z"]
    assert json.dumps(apart(changed(data, lambda parts: None)).record) == json.dumps(apart(data).record)
