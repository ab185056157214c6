"""No function changes an array that it was given, and writing into any array of a state raises."""

from __future__ import annotations

import copy
import inspect
import pickle
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

KEY = fnn.Key(seed=1, epoch=0, batch=0)
NETWORK = fnn.Network(
    4,
    (fnn.Dropout(0.2), fnn.Dense(5, "relu", l2=0.1, max_norm=0.5), fnn.BatchNorm("tanh"), fnn.Dense(3, "softmax")),
    loss="cross_entropy",
    input_scale=0.5,
)
PLAIN = fnn.mlp(4, 3)  # x and the params' dtype as they are: the outputs could be aliases
OPTIMIZERS: dict[str, Any] = {
    "sgd": fnn.SGD(clip_norm=0.1),
    "momentum": fnn.Momentum(clip_value=0.1),
    "rmsprop": fnn.RMSProp(),
    "adam": fnn.Adam(clip_norm=0.1),
    "adamw": fnn.AdamW(),
    "adagrad": fnn.AdaGrad(),
    "nadam": fnn.NAdam(clip_value=0.1),
    "amsgrad": fnn.AMSGrad(clip_norm=0.1),
    "lion": fnn.Lion(weight_decay=0.1),
}
NO_ARRAYS = {"from_dict", "load", "mlp", "summary", "to_dict"} | {
    name for name in fnn.__all__ if name.startswith("load_")
}


def arrays_in(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Every array in records, tuples, lists and dictionaries."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from arrays_in(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from arrays_in(getattr(value, field.name))


def call_purely(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call, and fail where an array that was given is not what it was."""
    given = list(arrays_in([*args, *kwargs.values()]))
    before = [(array.tobytes(), array.flags.writeable, array.shape, array.dtype) for array in given]
    result = function(*args, **kwargs)
    after = [(array.tobytes(), array.flags.writeable, array.shape, array.dtype) for array in given]
    assert after == before, "an array that was given has changed"
    return result


def assert_sealed(state: Any) -> None:
    """Fail where writing into an array of the state, or of a copy of it, does not raise."""
    copies = [state, pickle.loads(pickle.dumps(state)), copy.deepcopy(state), copy.copy(state), attrs.evolve(state)]
    for again in copies:
        for array in arrays_in(again):
            assert array.flags.c_contiguous or isinstance(state, fnn.Dataset | fnn.Batch)  # these are views
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def _calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    """The whole public API, each function with arrays that a caller could still write into."""
    for name, function, *args in _arguments():
        yield name, partial(call_purely, function, *args)


def _written(save: Callable[..., None], *args: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/file", *args)


def _arguments() -> Iterator[tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    for network in (NETWORK, PLAIN):
        x, y, w = rng.standard_normal((8, 4)).astype(np.float32), rng.integers(0, 3, 8), rng.uniform(1, 2, 8)
        params = fnn.init_params(network, seed=0)
        yield "forward", fnn.forward, network, params, x
        yield "predict", fnn.predict, network, params, x
        yield "predict_proba", fnn.predict_proba, network, params, x
        for name in ("loss", "grads", "loss_and_grads"):
            for key in (None, KEY):
                yield name, getattr(fnn, name), network, params, x, y, w, key
        yield "check_grads", fnn.check_grads, network, params, x, y, w, KEY
        yield "trace", fnn.trace, network, params, x, y, w, KEY
        yield "saliency", fnn.saliency, network, params, x, y
        yield "project", fnn.project, network, params
        yield "init_params", fnn.init_params, network, 0
        yield "pack_params", fnn.pack_params, network, [np.array(t) for p in params for t in p if t.size]
        g = fnn.grads(network, params, x, y, key=KEY)
        for name, optimizer in OPTIMIZERS.items():
            state = fnn.init(optimizer, params)
            yield "init", fnn.init, optimizer, params
            yield "step", fnn.step, optimizer, params, state, g
            yield f"{name}_init", getattr(fnn, f"{name}_init"), optimizer, params
            yield f"{name}_step", getattr(fnn, f"{name}_step"), optimizer, params, state, g
        averaged = fnn.average_init(fnn.Average(0.9), params)
        yield "average_init", fnn.average_init, fnn.Average(0.9), params
        yield "average_step", fnn.average_step, fnn.Average(0.9), averaged, g
        data = fnn.Dataset(x, y, w, rows=np.arange(7))
        batch = next(fnn.batches(data, batch_size=3))
        run = fnn.start(network, batch_size=3, params=params)
        stepped = fnn.train_step(run, batch)
        yield "start", partial(fnn.start, params=params), network
        yield "train_step", fnn.train_step, run, batch
        yield "end_epoch", fnn.end_epoch, stepped, data
        yield "save", partial(_written, fnn.save), network, params
        yield "save_run", partial(_written, fnn.save_run), stepped
        yield "history_table", fnn.history_table, stepped
        yield "log_table", fnn.log_table, fnn.end_epoch(stepped)
        yield "diagnose", fnn.diagnose, stepped, data
        yield "train", lambda *args: next(fnn.train(*args)), network, data
        yield "fit", partial(fnn.fit, epochs=2, validation=data), network, data
        yield "ensemble", fnn.ensemble, network, [params, params], x
        yield "evaluate", fnn.evaluate, network, params, data
        yield "batches", lambda *args: list(fnn.batches(*args)), data, 3
        yield "split", fnn.split, fnn.Dataset(x, w), 0.3
        yield "kfold", fnn.kfold, fnn.Dataset(x, w), 3
        yield "digest", fnn.digest, run
    small, labelled = fnn.mlp(4, 3), fnn.Dataset(rng.standard_normal((8, 4)), rng.integers(0, 3, 8))
    begin = fnn.init_params(small, seed=0)
    yield "fit_lbfgs", partial(fnn.fit_lbfgs, params=begin, validation=labelled, iterations=3), small, labelled
    labels, guesses, values = rng.integers(0, 3, 9), rng.integers(0, 3, 9), rng.standard_normal(9)
    yield "sealed", fnn.sealed, np.ones(3)
    yield "accuracy", fnn.accuracy, labels, guesses, np.ones(9)
    yield "r2", fnn.r2, values, values[::-1], np.ones(9)
    yield "classification_report", fnn.classification_report, labels, guesses
    yield "confusion_matrix", fnn.confusion_matrix, labels, guesses
    yield "classification_report", fnn.classification_report, fnn.one_hot(labels, 3).astype(int), np.ones((9, 3), int)
    yield "regression_report", fnn.regression_report, values, values[::-1]
    shares = rng.dirichlet(np.ones(3), 9)
    yield "top_k_accuracy", fnn.top_k_accuracy, labels, shares, 2, np.ones(9)
    for y, p in ((labels, shares), (labels % 2, shares[:, 0])):
        yield "log_loss", fnn.log_loss, y, p, np.ones(9)
        yield "calibration", fnn.calibration, y, p
    for y, p in ((labels, shares), (labels % 2, shares[:, 0])):
        yield "mistakes", fnn.mistakes, y, p
    plane = fnn.mlp(2, 3)
    pairs = fnn.Dataset(shares[:, :2], labels)
    yield "decision_boundary", fnn.decision_boundary, plane, fnn.init_params(plane, 0), pairs, 5
    yield "one_hot", fnn.one_hot, labels, 3
    yield "class_counts", lambda *parts: fnn.class_counts(a=parts[0], b=parts[1]), labels, fnn.Dataset(shares, labels)
    yield "class_weights", fnn.class_weights, labels, "balanced"
    raw = fnn.Dataset(shares, labels, np.ones(9), rows=np.arange(7))
    yield "standardizer", fnn.standardizer, raw
    for rows in (raw, shares):
        yield "standardize", fnn.standardize, fnn.Standardizer(np.zeros(3), np.ones(3)), rows


CALLS = list(_calls())


def _states_in(value: Any) -> Iterator[Any]:
    if isinstance(value, fnn.State):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _states_in(item)


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_arrays_given_stay_as_they_are_and_states_returned_are_sealed(name: str, call: Callable[[], Any]) -> None:
    for state in _states_in(call()):
        assert_sealed(state)


def test_the_whole_public_api_is_called() -> None:
    functions = {name for name in fnn.__all__ if inspect.isfunction(getattr(fnn, name))}
    assert functions - NO_ARRAYS == {name for name, _ in CALLS}


def test_these_tests_would_notice() -> None:
    def writes(x: Any) -> None:
        x[0] = 7

    def freezes(x: Any) -> None:
        x.flags.writeable = False

    for function in (writes, freezes):
        with pytest.raises(AssertionError, match="has changed"):
            call_purely(function, np.zeros(3))

    @attrs.frozen(eq=False)
    class Open:
        numbers: Any

    frozen = np.zeros(3)
    frozen.flags.writeable = False
    for numbers in (np.zeros(3), frozen):  # attrs freezes the field alone; pickle and deepcopy thaw
        with pytest.raises((pytest.fail.Exception, AttributeError, pickle.PicklingError)):
            assert_sealed(Open(numbers))


def test_a_state_does_not_share_an_array_that_its_caller_can_write_into() -> None:
    params = fnn.init_params(PLAIN, seed=0)
    vector = np.array(params.vector)
    before = vector.copy()
    seen = vector[:]
    seen.flags.writeable = False  # a read-only view, whose owner can still write
    for given in (vector, seen):
        moved = attrs.evolve(params, vector=given)
        vector += 1
        assert np.array_equal(moved.vector, before)
        vector[:] = before
    sealed = attrs.evolve(params, vector=params.vector)
    assert np.shares_memory(sealed.vector, params.vector)


def test_a_state_is_equal_to_itself_alone() -> None:
    """Of arrays == would be an array; it is `digest` that says whether two are the same."""
    public = [getattr(fnn, name) for name in fnn.__all__]
    states = [kind for kind in public if isinstance(kind, type) and issubclass(kind, fnn.State)]
    assert {(kind.__eq__, kind.__hash__) for kind in states} == {(object.__eq__, object.__hash__)}


def test_the_outputs_are_the_callers_own() -> None:
    """forward through an identity must not hand out x, nor a view of the parameters."""
    network = fnn.Network(3, (fnn.Dropout(0.5),), loss="mse")
    x = np.ones((2, 3), np.float32)
    out = fnn.forward(network, fnn.init_params(network, seed=0), x)
    out[...] = 5
    assert (x == 1).all()


def test_no_global_random_state_is_touched() -> None:
    np.random.seed(3)
    before = pickle.dumps(np.random.get_state())
    for name, call in CALLS:
        if name not in ("split", "classification_report", "confusion_matrix"):
            call()
    assert pickle.dumps(np.random.get_state()) == before
