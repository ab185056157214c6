"""Estimators in files: a run's file, in whose record there is also what the estimator was told and has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fnn import checks
from fnn.arrays import Array
from fnn.estimating import Classes, Progress, best_of
from fnn.files import Path, fetch_run, making, store_run
from fnn.network import Network
from fnn.states import is_word, own_classes, plain, restored
from fnn.tensorfile import MAX_BYTES, refusal

NOT_KEPT = ("validation", "on_epoch")  # data, and what is no value
HELD = {"class", "arguments", "n_iter", "loss", "t", "scores", "stalled", "by_score", "names", "classes"}
FIX = "`fnn.load_run` reads it; `from_params` makes an estimator of its network and `.best`."
KINDS = "biufU"  # of the dtypes of classes


def save(where: str, estimator: Any, path: Path, custom: Sequence[type]) -> None:
    """A fitted estimator's file."""
    own = own_classes(where, custom)
    told = {name: value for name, value in estimator.get_params(deep=False).items() if name not in NOT_KEPT}
    if not checks.is_whole(told["random_state"]):
        del told["random_state"]  # None, or a generator, which its run has drawn its seed from
    progress, labels = estimator._progress, getattr(estimator, "classes_", None)
    names = getattr(estimator, "feature_names_in_", None)
    record = {
        "class": type(estimator).__name__,
        "arguments": {name: plain(where, name, _value(value), {}, own) for name, value in told.items()},
        "n_iter": int(estimator.n_iter_),
        "loss": plain(where, "loss_", float(estimator.loss_), {}, {}),
        "t": progress.t,
        "scores": list(progress.scores),
        "stalled": progress.stalled,
        "by_score": progress.by_score,
        "names": None if names is None else names.tolist(),
        "classes": None if labels is None else [_dtype(where, labels), labels.tolist()],
    }
    store_run(where, path, progress.run, custom, allow_nonfinite=False, estimator=record)


def _dtype(where: str, labels: Array) -> str:
    if labels.dtype.kind not in KINDS:
        rule = "must be booleans, integers, floats or text"
        raise checks.problem(TypeError, where, "classes_", rule, checks.show(labels))
    return str(np.array(labels.tolist()).dtype if labels.dtype.kind == "U" else labels.dtype)  # as wide as the widest


def load(where: str, kind: Any, path: Path, custom: Sequence[type]) -> Any:
    """The estimator of that kind in a file."""
    own = own_classes(where, custom)
    run, record = fetch_run(where, path, custom, allow_nonfinite=False, max_bytes=MAX_BYTES)
    held, network = record.get("estimator"), run.recipe.network
    if not isinstance(held, dict) or held.get("class") != kind.__name__:
        got = checks.show(held.get("class")) if isinstance(held, dict) else "a run"
        raise refusal(where, str(path), f"must hold a {kind.__name__}", got, FIX)
    with making(where, str(path), kind.__name__):
        n_iter, t, stalled = counts = [held[name] for name in ("n_iter", "t", "stalled")]
        loss, scores, names = restored(held["loss"], {}, {}), tuple(held["scores"]), held["names"]
        fine = held.keys() == HELD and all(map(is_word, counts)) and isinstance(held["by_score"], bool)
        fine = fine and isinstance(held["scores"], list) and {type(each) for each in (loss, *scores)} == {float}
        fine = fine and (names is None or _are_names(names, network.inputs))
        if not fine or network.answers == kind._never or (kind._of_numbers != (held["classes"] is None)):
            raise TypeError("what it has learned is not of that kind")
        estimator = kind(**{name: _given(restored(value, {}, own)) for name, value in held["arguments"].items()})
        estimator.n_features_in_ = network.inputs
        if names is not None:
            estimator.feature_names_in_ = np.array(names, object)
        known = None if held["classes"] is None else Classes(_labels(held["classes"], network), network.multilabel)
        best = best_of(run, scores, by_score=held["by_score"])
        progress = Progress(run, t, scores, best, stalled, by_score=held["by_score"])
        return estimator._fitted(progress, n_iter, known, loss)


def _are_names(value: Any, count: int) -> bool:
    return type(value) is list and len(value) == count and {type(name) for name in value} == {str}


def _labels(value: Any, network: Network) -> Array:
    """The classes that are held as their dtype and a list, refused where no network of that kind has them."""
    dtype, labels = value
    counts = {network.outputs} if network.outputs > 1 else {1, 2}
    if type(dtype) is not str or type(labels) is not list or len(labels) not in counts:
        raise TypeError(f"{len(labels)} classes for {network.outputs} outputs")
    if len({type(label) for label in labels}) != 1 or type(labels[0]) not in (bool, int, float, str):
        raise TypeError("the classes are no plain labels of one type")
    found = np.array(labels, None if dtype[1:2] == "U" else dtype)  # a text is as wide as the widest
    if found.dtype.kind not in KINDS or str(found.dtype) != dtype or found.tolist() != labels:
        raise TypeError(f"the classes are not of {dtype}")
    numbered = not network.multilabel or labels == list(range(len(labels)))
    if not numbered or any(a >= b for a, b in pairwise(labels)):
        raise ValueError("the classes are not in order")
    return found


def _value(value: Any) -> Any:
    """An argument as a plain value: a mapping as its pairs, and a list, in tuples that say so."""
    if isinstance(value, Mapping):
        return ("mapping", *((_value(key), _value(item)) for key, item in value.items()))
    if isinstance(value, list | tuple | range | np.ndarray):
        return (*("list",) * (not isinstance(value, tuple)), *map(_value, value))
    return value.item() if isinstance(value, np.generic) else value


def _given(value: Any) -> Any:
    """The argument of which `_value` made this."""
    if not isinstance(value, tuple):
        return value
    if value[:1] == ("mapping",):
        return {key: _given(item) for key, item in value[1:]}
    return list(map(_given, value[1:])) if value[:1] == ("list",) else tuple(map(_given, value))
