"""What scikit-learn asks of an estimator: its own checks, all that apply, and what these do not look at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import fnn
from fnn.estimators import MLPClassifier, MLPRegressor
from tests.test_import import loaded_by

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
Check = Callable[[Any], object]

NORMED = (fnn.Dense(20, "tanh"), fnn.LayerNorm(), fnn.Dense(10, "gelu"))
ESTIMATORS = [
    MLPClassifier(),
    MLPRegressor(),
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    MLPClassifier(solver="sgd"),
    MLPRegressor(solver="sgd", max_iter=100),
    MLPRegressor(solver="lbfgs"),
    MLPClassifier(network=NORMED, optimizer=fnn.Adam(fnn.Cosine(0.01, 500), clip_norm=5.0)),
    MLPRegressor(optimizer=fnn.AdamW(0.01)),
]
OF_ROWS = [  # each row has a mask of its own, and counts once in the statistics of a batch, whatever its weight
    MLPClassifier(network=(fnn.Dense(20, "relu"), layer), optimizer=fnn.Adam(0.01))
    for layer in (fnn.Dropout(0.1), fnn.BatchNorm())
]
RNG = np.random.default_rng(0)
X, Y, TARGETS = RNG.standard_normal((60, 4)), RNG.integers(0, 3, 60), RNG.standard_normal(60)
ARRAY_API = "check_array_api_input"  # scikit-learn skips it unless an environment variable is set
SKIPPED = {
    ARRAY_API: "SCIPY_ARRAY_API is not set: not checking array_api input",  # a test below runs it
    "check_classifiers_multilabel_output_format_decision_function": (  # there is none, as in scikit-learn's own
        "MLPClassifier does not have a decision_function method."
    ),
}


def name_of(check: Any) -> str:
    return str(getattr(check, "func", check).__name__)


def hold(estimator: Any, check: Check) -> None:
    """Do a check; it fails where it does not hold, or is skipped for another reason than the known ones."""
    try:
        check(estimator)
        skipped = None
    except SkipTest as reason:
        skipped = str(reason)
    assert skipped in (None, SKIPPED.get(name_of(check)))


@parametrize_with_checks(ESTIMATORS)  # type: ignore[untyped-decorator]  # scikit-learn has no types
def test_every_check(estimator: Any, check: Check) -> None:
    hold(estimator, check)


@parametrize_with_checks(OF_ROWS)  # type: ignore[untyped-decorator]
def test_with_dropout_or_batch_norm_all_but_that_weights_are_repetitions(estimator: Any, check: Check) -> None:
    if name_of(check).startswith("check_sample_weight_equivalence_on_"):
        with pytest.raises(AssertionError, match="not equivalent to fitting with removed or repeated data points"):
            check(estimator)
    else:
        hold(estimator, check)


def test_none_is_left_out() -> None:
    """Far fewer would be a sign that they are not what they were; an expected failure would be skipped."""
    for estimator, least in ((MLPClassifier(), 60), (MLPRegressor(), 54)):
        names = [name_of(check) for _, check in estimator_checks_generator(estimator)]
        assert len(names) >= least
        assert ARRAY_API in names
        assert "check_sample_weight_equivalence_on_dense_data" in names
        assert "check_estimator_sparse_array" in names
        assert "wrapped" not in names  # in place of a check that is expected to fail


def test_arrays_of_other_libraries_are_taken_too() -> None:
    """In a process of its own, since scipy looks at the variable when it is imported."""
    program = """
import json, warnings
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator
from tests.test_estimators_checks import ARRAY_API, ESTIMATORS, OF_ROWS, name_of
warnings.simplefilter("ignore", ConvergenceWarning)
done = 0
for each in [*ESTIMATORS, *OF_ROWS]:
    for estimator, check in estimator_checks_generator(each):
        if name_of(check) == ARRAY_API:
            check(estimator)
            done += 1
print(json.dumps(done))
"""
    root = Path(__file__).parent.parent
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": paths}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == len(ESTIMATORS) + len(OF_ROWS)


# Beside the checks.


@pytest.mark.parametrize(("kind", "y"), [(MLPClassifier, Y), (MLPRegressor, TARGETS)])
def test_a_clone_has_equal_arguments_and_is_not_fitted(kind: Any, y: Any) -> None:
    hidden = (fnn.Dense(5, "relu"), fnn.BatchNorm())
    given = {"network": hidden, "optimizer": fnn.SGD(0.1), "n_iter_no_change": np.inf, "max_iter": 5, "random_state": 0}
    model = kind(**given)
    before = model.get_params()
    assert all(before[name] is value for name, value in given.items())
    model.fit(X, y)
    assert all(model.get_params()[name] is value for name, value in before.items())
    twin = clone(model)
    assert twin.get_params() == before
    assert type(twin) is kind
    assert not hasattr(twin, "run_")
    with pytest.raises(NotFittedError):
        twin.predict(X)
    assert fnn.digest(twin.fit(X, y).run_) == fnn.digest(model.run_)
    assert (is_classifier(model), is_regressor(model)) == (kind is MLPClassifier, kind is MLPRegressor)


def test_requests_are_of_the_functions_own_arguments() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        net = MLPClassifier().set_partial_fit_request(classes=True, sample_weight=True)
        requests = net.get_metadata_routing()
        assert requests.partial_fit.requests == {"classes": True, "sample_weight": True}
        assert requests.fit.requests == {"sample_weight": None}
        assert requests.score.requests == {"sample_weight": None}
        assert MLPRegressor().get_metadata_routing().partial_fit.requests == {"sample_weight": None}


def test_the_representations() -> None:
    model = MLPClassifier(alpha=0.5, optimizer=fnn.Adam(0.1))
    assert repr(model) == "MLPClassifier(alpha=0.5, optimizer=Adam(learning_rate=0.1))"
    fitted = MLPClassifier(max_iter=2).fit(X, Y)
    assert repr(MLPRegressor()) == "MLPRegressor()"
    for each in (model, fitted, make_pipeline(StandardScaler(), model)):
        assert {"MLPClassifier", "alpha"} <= set(re.findall(r"\w+", each._repr_html_()))
    assert "Not fitted" in model._repr_html_()
    assert "Not fitted" not in fitted._repr_html_()


def test_fnn_alone_loads_none_of_it() -> None:
    program = "import fnn, json\nassert not {'fnn.estimators', 'fnn.perceptrons', 'fnn.estimating'} & set(sys.modules)"
    assert loaded_by(program).isdisjoint({"sklearn", "scipy", "joblib"})
