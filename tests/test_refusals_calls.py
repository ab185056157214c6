"""Every public function refuses arguments of its own that cannot be, each case with its whole message."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.test_checks import INF, NAN, OTHER, PARAMS, SOFT, refused
from tests.test_refusals import ANOTHERS, DATA, FINITE_64, FLAT, INTEGERS, MASKED, NAMES, REAL, REG, X, Y, masked

Call = Callable[..., Any]

FOUR = fnn.Dataset(np.ones((4, 2)), [0, 1, 0, 1])
FIRST = fnn.start(SOFT)
BATCH = next(fnn.batches(DATA))
RUN = fnn.train_step(FIRST, BATCH)
LATER = fnn.train_step(RUN, attrs.evolve(BATCH, key=fnn.Key(seed=0, epoch=0, batch=1)))
NO: Any = np.zeros(0, int)
ARRAYS = [np.ones((2, 3)), np.ones(3), np.ones((3, 3)), np.ones(3)]
TENSORS = "layers[0].weight, layers[0].bias, layers[1].weight, layers[1].bias"
LISTED = "`arrays` must be a list of arrays, weight and bias of each layer in turn, got"
WEIGHT = "`arrays[0]` is layers[0].weight and must have shape (2, 3), got"
TURNED = "It is transposed: `arrays[0].T`."
LIKE_X = "`y` must have shape (2,) or (2, outputs), for as many rows as x has, got"
FLOATS = "`vector` must be an array of float32 or float64, got an array of"
ONE = "One row is `x[None, :]`."
INDICES = "`rows` must be indices from 0 to 1, got"
FRACTION = "`fraction` must be a number in (0, 1), got"
SEED_64 = "`seed` must be an integer from 0 to 2**64 - 1, got"
FROM_1, DTYPE = "must be an integer of at least 1, got", "`dtype` must be float32 or float64, got"
MAKE, SAYS = "Make one with `Dataset(x, y)`.", "The state's recipe says it."
LABELS = "`y` must be labels from 0 to 2, got"
LINE = fnn.mlp(2, 1, output="identity", loss="mse")
AN_OPTIMIZER = "must be an optimizer such as Adam(), got"
ADAM, DOUBLE = fnn.adam_init(fnn.Adam(), PARAMS), fnn.init_params(SOFT, 0, np.float64)
BATCH_LABELS = "`batch.y` must be labels from 0 to 2, got"
STEPPED = "`run` must have made a step since the last epoch ended, got"
AS_LONG = "`data` must be as long as what the state was trained on, in batches of 64, got"
LEFT_OUT = "must be left out when `state` is given, got"
AN_X = "got an ndarray."
SAME = "`network` must be the network of the state's recipe, got"
QUANTITY, MISSING = "must be given for the monitor", "`monitor` must be what a network that answers with"
SHAPE_OF_Y = "`predicted` must have the shape of `y`, (2,), got"
NARROW = fnn.Dataset(np.ones((2, 3)), Y)


def monitored(quantity: Any) -> fnn.TrainState:
    return fnn.train_step(fnn.start(SOFT, monitor=quantity), BATCH)


def batch(**changes: Any) -> fnn.Batch:
    return attrs.evolve(BATCH, **changes)


def given(*args: Any, **settings: Any) -> Callable[[Call], object]:
    """What calls a function with these arguments."""
    return lambda function: function(*args, **settings)


CALLS: list[tuple[Call, Callable[[Call], object], type[Exception], str]] = [
    (fnn.loss, given(SOFT, PARAMS, X, Y, key=(0, 0, 0)), TypeError, "`key` must be a Key, got a tuple."),
    (fnn.grads, given(SOFT, PARAMS, X, Y, key=fnn.Key), TypeError, "`key` must be a Key, got the class Key."),
    (fnn.check_grads, given(SOFT, PARAMS, X, Y, key=X.shape), TypeError, "`key` must be a Key, got a tuple."),
    (fnn.loss, given(SOFT, PARAMS, X, Y, {"key": 0}), TypeError, f"`sample_weight` {REAL} {{'key': 0}}."),
    (fnn.loss, given(SOFT, PARAMS, X, Y, masked([1, 1])), TypeError, f"`sample_weight` {MASKED}"),
    (fnn.loss, given(SOFT, PARAMS, Y, X), ValueError, f"`x` must have shape (n, 2), got (2,). {ONE}"),
    (fnn.init_params, given(None, 0), TypeError, "`network` must be a Network, got None."),
    (fnn.init_params, given(SOFT, -1), ValueError, f"{SEED_64} -1."),
    (fnn.init_params, given(SOFT, 2**64), ValueError, f"{SEED_64} 18446744073709551616."),
    (fnn.init_params, given(SOFT, None), TypeError, f"{SEED_64} None."),
    (fnn.init_params, given(SOFT, 1.0), TypeError, f"{SEED_64} 1.0."),
    (fnn.init_params, given(SOFT, 0, int), TypeError, f"{DTYPE} <class 'int'>."),
    (fnn.init_params, given(SOFT, 0, "float16"), TypeError, f"{DTYPE} 'float16'."),
    (fnn.init_params, given(SOFT, 0, ">f4"), TypeError, f"{DTYPE} '>f4'."),
    (fnn.init_params, given(SOFT, 0, "number"), TypeError, f"{DTYPE} 'number'."),
    (fnn.pack_params, given(ARRAYS, SOFT), TypeError, "`network` must be a Network, got a list."),
    (fnn.pack_params, given(SOFT, None), TypeError, f"{LISTED} None."),
    (fnn.pack_params, given(SOFT, X), TypeError, f"{LISTED} an array of float64 with shape (2, 2)."),
    (fnn.pack_params, given(SOFT, {"weight": 1}), TypeError, f"{LISTED} {{'weight': 1}}."),
    (fnn.pack_params, given(SOFT, ARRAYS[:3]), ValueError, f"`arrays` must be 4 arrays ({TENSORS}), got 3."),
    (fnn.pack_params, given(SOFT, [ARRAYS[0].T, *ARRAYS[1:]]), ValueError, f"{WEIGHT} (3, 2). {TURNED}"),
    (fnn.pack_params, given(SOFT, [*ARRAYS[1:], ARRAYS[0]]), ValueError, f"{WEIGHT} (3,)."),
    (fnn.pack_params, given(SOFT, [*ARRAYS[:3], [1, 1j, 1]]), TypeError, f"`arrays[3]` {REAL} [1, 1j, 1]."),
    (fnn.pack_params, given(SOFT, [*ARRAYS[:3], [NAN, 1, INF]]), ValueError, f"`arrays[3]` {FINITE_64} nan at 0."),
    (fnn.pack_params, given(SOFT, [masked(ARRAYS[0]), *ARRAYS[1:]]), TypeError, f"`arrays[0]` {MASKED}"),
    (fnn.pack_params, given(SOFT, ARRAYS, "half"), TypeError, f"{DTYPE} 'half'."),
    (fnn.Params, given(SOFT.layout, np.ones(3), np.ones(0)), ValueError, "`vector` must have shape (21,), got (3,)."),
    (fnn.Params, given(SOFT.layout, np.ones(21), np.ones(2)), ValueError, "`running` must have shape (0,), got (2,)."),
    (fnn.Params, given(SOFT.layout, np.ones(21, int), NO), TypeError, f"{FLOATS} int64 with shape (21,)."),
    (fnn.Params, given(SOFT.layout, np.ones(21, ">f8"), NO), TypeError, f"{FLOATS} >f8 with shape (21,)."),
    (fnn.Params, given(SOFT.layout, np.ones(21, np.float16), NO), TypeError, f"{FLOATS} float16 with shape (21,)."),
    (fnn.init, given(fnn.Adam(), None), TypeError, "`params` must be a Params, got None."),
    (fnn.Dataset, given(np.ones(3), Y), ValueError, f"`x` must have shape (n, columns), got (3,). {ONE}"),
    (fnn.Dataset, given(np.ones((2, 4, 4)), Y), ValueError, f"`x` must have shape (n, columns), got (2, 4, 4). {FLAT}"),
    (fnn.Dataset, given(np.ones((0, 2)), NO), ValueError, "`x` must have at least one row and column, got (0, 2)."),
    (fnn.Dataset, given(np.ones((2, 0)), Y), ValueError, "`x` must have at least one row and column, got (2, 0)."),
    (fnn.Dataset, given(X.astype(object), Y), TypeError, f"`x` {REAL} dtype object."),
    (fnn.Dataset, given(masked(X), Y), TypeError, f"`x` {MASKED}"),
    (fnn.Dataset, given([[1, NAN], [INF, 1]], Y), ValueError, f"`x` {FINITE_64} nan at (0, 1)."),
    (fnn.Dataset, given(X, None), TypeError, f"`y` {REAL} None."),
    (fnn.Dataset, given(X, ["cat", "dog"]), TypeError, f"`y` {REAL} ['cat', 'dog']. {NAMES}"),
    (fnn.Dataset, given(X, [NAN, INF]), ValueError, f"`y` {FINITE_64} nan at 0."),
    (fnn.Dataset, given(X, masked(Y)), TypeError, f"`y` {MASKED}"),
    (fnn.Dataset, given(X, 1), ValueError, f"{LIKE_X} ()."),
    (fnn.Dataset, given(X, [0, 1, 2]), ValueError, f"{LIKE_X} (3,)."),
    (fnn.Dataset, given(X, np.ones((2, 0))), ValueError, f"{LIKE_X} (2, 0)."),
    (fnn.Dataset, given(X, np.ones((2, 1, 1))), ValueError, f"{LIKE_X} (2, 1, 1)."),
    (fnn.Dataset, given(X, Y, rows=[0, 2]), ValueError, f"{INDICES} a least of 0, a most of 2."),
    (fnn.Dataset, given(X, Y, rows=[-1, 0]), ValueError, f"{INDICES} a least of -1, a most of 0."),
    (fnn.Dataset, given(X, Y, rows=NO), ValueError, "`rows` must have shape (m,), m at least 1, got (0,)."),
    (fnn.Dataset, given(X, Y, rows=[[0]]), ValueError, "`rows` must have shape (m,), m at least 1, got (1, 1)."),
    (fnn.Dataset, given(X, Y, rows=[True, False]), TypeError, f"`rows` {INTEGERS} [True, False]."),
    (fnn.Dataset, given(X, Y, rows=[0.0]), TypeError, f"`rows` {INTEGERS} [0.0]."),
    (fnn.batches, given((X, Y)), TypeError, "`data` must be a Dataset, got a tuple."),
    (fnn.batches, given(FOUR, 0), ValueError, f"`batch_size` {FROM_1} 0."),
    (fnn.batches, given(FOUR, 2.0), TypeError, f"`batch_size` {FROM_1} 2.0."),
    (fnn.batches, given(FOUR, seed=-1), ValueError, f"{SEED_64} -1."),
    (fnn.batches, given(FOUR, seed=None), TypeError, f"{SEED_64} None."),
    (fnn.batches, given(FOUR, epoch=-1), ValueError, "`epoch` must be an integer from 0 to 2**64 - 1, got -1."),
    (fnn.batches, given(FOUR, epoch=0.5), TypeError, "`epoch` must be an integer from 0 to 2**64 - 1, got 0.5."),
    (fnn.split, given(0.5, FOUR), TypeError, "`data` must be a Dataset, got a float."),
    (fnn.split, given(FOUR, 0), ValueError, f"{FRACTION} 0."),
    (fnn.split, given(FOUR, 1.0), ValueError, f"{FRACTION} 1.0."),
    (fnn.split, given(FOUR, NAN), ValueError, f"{FRACTION} nan."),
    (fnn.split, given(FOUR, 0.5, seed=1.5), TypeError, f"{SEED_64} 1.5."),
    (fnn.kfold, given(X, 2), TypeError, "`data` must be a Dataset, got an ndarray."),
    (fnn.kfold, given(FOUR, 1), ValueError, "`k` must be an integer of at least 2, got 1."),
    (fnn.kfold, given(FOUR, 2.0), TypeError, "`k` must be an integer of at least 2, got 2.0."),
    (fnn.kfold, given(FOUR, 3), ValueError,
     "`k` must be at most 2, the rows of the rarest label, got 3. "
     "Targets that are no labels are split with `stratify=False`."),
    (fnn.kfold, given(FOUR, 5, stratify=False), ValueError, "`k` must be at most 4, the rows, got 5."),
    (fnn.kfold, given(FOUR, 2, seed=1.5), TypeError, f"{SEED_64} 1.5."),
    (fnn.start, given(SOFT, params=OTHER), ValueError, f"{ANOTHERS}"),
    (fnn.start, given(SOFT, params=[]), TypeError, "`params` must be a Params, got a list."),
    (fnn.train_step, given(FIRST, batch(x=np.ones(2))), ValueError,
     "`batch.x` must have shape (n, 2), got (2,). One row is `batch.x[None, :]`."),
    (fnn.train_step, given(FIRST, batch(y=np.array([0, 3]))), ValueError, f"{BATCH_LABELS} 3 in row 1."),
    (fnn.train_step, given(FIRST, batch(y=np.array([-1, 0]))), ValueError, f"{BATCH_LABELS} -1 in row 0."),
    (fnn.end_epoch, given(None), TypeError, "`run` must be a TrainState, got None."),
    (fnn.end_epoch, given(FIRST), ValueError, f"{STEPPED} TrainState(epoch 0, batch 0, best epoch 0)."),
    (fnn.end_epoch, given(monitored("val_loss")), ValueError, f"`held_out` {QUANTITY} 'val_loss', got None."),
    (fnn.init, given(None, PARAMS), TypeError, "`optimizer` must be an optimizer such as Adam(), got None."),
    (fnn.step, given(3, PARAMS, None, PARAMS), TypeError, f"`optimizer` {AN_OPTIMIZER} 3."),
    (fnn.adam_init, given(fnn.SGD(), PARAMS), TypeError,
     "`optimizer` must be an Adam, got an SGD. `fnn.init` takes any optimizer."),
    (fnn.adam_step, given(fnn.AdamW(), PARAMS, None, PARAMS), TypeError,
     "`optimizer` must be an Adam, got an AdamW. `fnn.step` takes any optimizer."),
    (fnn.adam_step, given(fnn.Adam(), PARAMS, ADAM, DOUBLE), ValueError,
     f"`g` must have the layout of {PARAMS!r}, got {DOUBLE!r}."),
    (fnn.check_grads, given(SOFT, None, X, Y), TypeError, "`params` must be a Params, got None."),
    (fnn.train_step, given(None, BATCH), TypeError, "`run` must be a TrainState, got None."),
    (fnn.train_step, given(FIRST, DATA), TypeError,
     "`batch` must be a Batch, got a Dataset. `batches(data)` makes them."),
    (fnn.train_step, given(FIRST, batch(y=np.array([0]))), ValueError,
     "`batch.y` must have 2 rows, as x has, got (1,)."),
    (fnn.train_step, given(FIRST, batch(sample_weight=np.array([0, 0]))), ValueError,
     "`sample_weight` must be at least 0, and above 0 somewhere, got a least of 0, a most of 0."),
    (fnn.Batch, given(X, Y, key=None), TypeError, "`key` must be a Key, got None."),
    (fnn.Batch, given(X, masked(Y), key=BATCH.key), TypeError, f"`y` {MASKED}"),
    (fnn.Batch, given(X, Y, rows=[0.5], key=BATCH.key), TypeError, f"`rows` {INTEGERS} [0.5]."),
    (fnn.fit, given(SOFT, DATA, epochs=1, on_epoch=3), TypeError, "`on_epoch` must be a function of the state, got 3."),
    (fnn.fit, given(SOFT, DATA, epochs=1, lr=1), TypeError,
     "`settings` must be one of optimizer, batch_size, seed, monitor, shuffle, params, got lr=1."),
    (fnn.loss, given(REG, fnn.init_params(REG, 0), X, [1, 1e39]), ValueError,
     "`y` must be finite in float32, got inf at (1, 0)."),
    (fnn.evaluate, given(SOFT, PARAMS, fnn.Dataset([[1.0, 1e39], [1.0, 1.0]], Y)), ValueError,
     "`x` must be finite in float32, got inf at (0, 1)."),
    (fnn.pack_params, given(LINE, [[[1], [2]], [1e39]], np.float32), ValueError,
     "`arrays[1]` must be finite in float32, got inf at 0."),
    (fnn.Network, given(2, fnn.Dense(2), loss="mse"), TypeError,
     f"`layers` must be a tuple of layers, got {reprlib.repr(fnn.Dense(2))}. One layer is `(Dense(…),)`."),
    (fnn.Recipe, given(SOFT, monitor="val_r2"), ValueError, f"{MISSING} classes has, got 'val_r2'."),
    (fnn.Recipe, given(REG, monitor="accuracy"), ValueError, f"{MISSING} values has, got 'accuracy'."),
    (fnn.fit, given(SOFT, DATA, epochs=1, monitor="val_loss"), ValueError,
     f"`validation` {QUANTITY} 'val_loss', got None."),
    (fnn.train, given(DATA, SOFT), TypeError, "`network` must be a Network, got a Dataset."),
    (fnn.train, given(SOFT, None), TypeError, f"`data` must be a Dataset, got None. {MAKE}"),
    (fnn.train, given(SOFT, NARROW), ValueError, "`x` must have shape (n, 2), got (2, 3)."),
    (fnn.train, given(SOFT, DATA, validation=0.5), TypeError, f"`validation` must be a Dataset, got a float. {MAKE}"),
    (fnn.train, given(SOFT, DATA, every="batch"), ValueError, "`every` must be one of 'epoch', 'step', got 'batch'."),
    (fnn.train, given(SOFT, DATA, state=PARAMS), TypeError, "`state` must be a TrainState, got a Params."),
    (fnn.train, given(SOFT, DATA, state=RUN, seed=1), ValueError, f"`seed` {LEFT_OUT} 1. {SAYS}"),
    (fnn.train, given(SOFT, DATA, state=LATER), ValueError, f"{AS_LONG} 2 rows for a state at batch 2."),
    (fnn.train, given(REG, DATA, state=RUN), ValueError, f"{SAME} {REG!r}."),
    (fnn.fit, given(None, DATA, epochs=1), TypeError, "`network` must be a Network, got None."),
    (fnn.fit, given(SOFT, X, epochs=1), TypeError, f"`data` must be a Dataset, {AN_X} {MAKE}"),
    (fnn.fit, given(SOFT, DATA, epochs=-1), ValueError, "`epochs` must be an integer of at least 0, got -1."),
    (fnn.fit, given(SOFT, DATA, epochs=True), TypeError, "`epochs` must be an integer of at least 0, got True."),
    (fnn.fit, given(SOFT, DATA, epochs=1, patience=0), ValueError, f"`patience` {FROM_1} 0."),
    (fnn.fit, given(SOFT, DATA, epochs=1, patience=0.5), TypeError, f"`patience` {FROM_1} 0.5."),
    (fnn.fit, given(SOFT, DATA, epochs=1, validation=[]), TypeError,
     f"`validation` must be a Dataset, got a list. {MAKE}"),
    (fnn.fit, given(SOFT, DATA, epochs=1, state=RUN, params=None), ValueError, f"`params` {LEFT_OUT} None. {SAYS}"),
    (fnn.evaluate, given(SOFT, PARAMS, X), TypeError, f"`data` must be a Dataset, {AN_X} {MAKE}"),
    (fnn.accuracy, given(Y, [0]), ValueError, f"{SHAPE_OF_Y} (1,)."),
    (fnn.accuracy, given(Y, [[0], [1]]), ValueError, f"{SHAPE_OF_Y} (2, 1)."),
    (fnn.accuracy, given(NO, NO), ValueError, "`y` must have shape (n,) or (n, outputs), n at least 1, got (0,)."),
    (fnn.accuracy, given(["a"], ["a"]), TypeError, "`y` must be an array of integers or booleans, got ['a']. " + NAMES),
    (fnn.accuracy, given(masked(Y), Y), TypeError, f"`y` {MASKED}"),
    (fnn.r2, given(Y, [[0], [1]]), ValueError, f"{SHAPE_OF_Y} (2, 1)."),
    (fnn.r2, given([], []), ValueError, "`y` must have shape (n,) or (n, outputs), n at least 1, got (0,)."),
    (fnn.r2, given([NAN, INF], Y), ValueError, f"`y` {FINITE_64} nan at 0."),
    (fnn.r2, given(Y, [INF, NAN]), ValueError, f"`predicted` {FINITE_64} inf at 0."),
    (fnn.r2, given(Y, Y.astype(object)), TypeError, f"`predicted` {REAL} dtype object."),
    (fnn.confusion_matrix, given(NO, NO), ValueError, "`y` must have shape (n,), n at least 1, got (0,)."),
    (fnn.confusion_matrix, given([[0], [1]], Y), ValueError, "`y` must have shape (n,), n at least 1, got (2, 1)."),
    (fnn.classification_report, given(NO, NO), ValueError,
     "`y` must have shape (n,) or (n, outputs), n at least 1, got (0,)."),
    (fnn.classification_report, given([[0], [1]], Y), ValueError, "`predicted` must have shape (2, 1), got (2,)."),
    (fnn.summary, given(PARAMS), TypeError, "`network` must be a Network, got a Params."),
]  # fmt: skip

REPORTS: list[tuple[Any, Any, type[Exception], str]] = [
    (Y, [0], ValueError, "`predicted` must have shape (2,), got (1,)."),
    ([0.0, 1.0], Y, TypeError, f"`y` {INTEGERS} [0.0, 1.0]."),
    (Y, [True, False], TypeError, f"`predicted` {INTEGERS} [True, False]."),
    (Y, ["a", "b"], TypeError, f"`predicted` {INTEGERS} ['a', 'b']."),
    (None, Y, TypeError, f"`y` {INTEGERS} None."),
    (Y, masked(Y), TypeError, f"`predicted` {MASKED}"),
]


@pytest.mark.parametrize(("function", "call", "error", "rest"), CALLS)
def test_call(function: Call, call: Callable[[Call], object], error: type[Exception], rest: str) -> None:
    refused(error, f"{function.__name__}: {rest}", call, function)


@pytest.mark.parametrize("function", [fnn.classification_report, fnn.confusion_matrix])
@pytest.mark.parametrize(("y", "predicted", "error", "rest"), REPORTS)
def test_reports(function: Call, y: Any, predicted: Any, error: type[Exception], rest: str) -> None:
    refused(error, f"{function.__name__}: {rest}", function, y, predicted)
