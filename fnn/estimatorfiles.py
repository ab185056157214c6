"""Estimators in files: a run's file, in whose record there is also what the estimator was told and has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fnn import checks
from fnn.estimating import Progress
from fnn.files import Path, fetch_run, making, store_run
from fnn.states import own_classes, plain, restored
from fnn.tensorfile import MAX_BYTES, refusal

NOT_KEPT = ("validation", "on_epoch")  # data, and what is no value
LEARNED = ("n_features_in_", "n_iter_", "loss_")
KINDS = "biufUO"  # of the dtypes of classes


def save(where: str, estimator: Any, path: Path, custom: Sequence[type]) -> None:
    """A fitted estimator's file."""
    own = own_classes(where, custom)
    told = {name: value for name, value in estimator.get_params(deep=False).items() if name not in NOT_KEPT}
    if not isinstance(told["random_state"], int | np.integer):
        del told["random_state"]  # None, or a generator, which its run has drawn its seed from
    progress, classes = estimator._progress, getattr(estimator, "classes_", None)
    names = getattr(estimator, "feature_names_in_", None)
    record = {
        "class": type(estimator).__name__,
        "arguments": {name: plain(where, name, _value(value), {}, own) for name, value in told.items()},
        "learned": {name: plain(where, name, getattr(estimator, name), {}, {}) for name in LEARNED},
        "progress": [progress.t, list(progress.scores), progress.stalled],
        "names": None if names is None else names.tolist(),
    }
    if classes is not None:
        if classes.dtype.kind not in KINDS or not {type(label) for label in classes.tolist()} <= {
            bool,
            int,
            float,
            str,
        }:
            rule = "must be of booleans, integers, floats or text"
            raise checks.problem(TypeError, where, "classes_", rule, checks.show(classes))
        record |= {"classes": [str(classes.dtype), classes.tolist()], "several": estimator._several}
    store_run(where, path, progress.run, custom, allow_nonfinite=False, estimator=record)


def load(where: str, kind: Any, path: Path, custom: Sequence[type]) -> Any:
    """The estimator of that kind in a file."""
    own = own_classes(where, custom)
    run, record = fetch_run(where, path, custom, allow_nonfinite=False, max_bytes=MAX_BYTES)
    held = record.get("estimator")
    if not isinstance(held, dict) or held.get("class") != kind.__name__:
        rule = f"must hold a {kind.__name__}"
        raise refusal(where, str(path), rule, str(held.get("class") if isinstance(held, dict) else "a run"))
    with making(where, str(path), kind.__name__):
        estimator = kind(**{name: _given(restored(value, {}, own)) for name, value in held["arguments"].items()})
        t, scores, stalled = held["progress"]
        if held["names"] is not None:
            estimator.feature_names_in_ = np.array(held["names"], object)
        if "classes" in held:
            dtype, labels = held["classes"]
            if np.dtype(dtype).kind not in KINDS:
                raise TypeError(f"classes of {dtype}")
            estimator.classes_, estimator._several = np.array(labels, dtype), bool(held["several"])
        learned = {name: restored(value, {}, {}) for name, value in held["learned"].items()}
        estimator.n_features_in_ = learned["n_features_in_"]
        progress = Progress(run, t, tuple(scores), stalled=stalled)
        return estimator._fitted(progress, learned["n_iter_"], estimator, learned["loss_"])


def _value(value: Any) -> Any:
    """An argument as a plain value: a mapping as its pairs, in a tuple that says so."""
    if isinstance(value, Mapping):
        return ("mapping", *((_value(key), _value(item)) for key, item in value.items()))
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(_value(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def _given(value: Any) -> Any:
    """The argument of which `_value` made this."""
    if isinstance(value, tuple) and value[:1] == ("mapping",):
        return {key: _given(item) for key, item in value[1:]}
    return tuple(_given(item) for item in value) if isinstance(value, tuple) else value
