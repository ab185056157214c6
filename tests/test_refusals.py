"""Every public function refuses data, parameters and states that do not fit, each case with its whole message."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from scipy import sparse

import fnn
from tests.test_checks import INF, NAN, OTHER, PARAMS, SOFT, WIDE, refused

Call = Callable[..., Any]

SIG = fnn.mlp(2, 4, 1, output="sigmoid", loss="binary_cross_entropy")
SIG2 = fnn.mlp(2, 4, 2, output="sigmoid", loss="binary_cross_entropy")
COUNTS = fnn.mlp(2, 4, 1, output="exp", loss="poisson")
REG = fnn.mlp(2, 4, 1, output="identity", loss="mse")
REG2 = fnn.mlp(2, 4, 2, output="identity", loss="mse")
X, Y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, 1])
DATA = fnn.Dataset(X, Y)

REAL, INTEGERS = "must be an array of real numbers, got", "must be an array of integers, got"
FINITE = "must be finite in DTYPE, got"
FINITE_64 = "must be finite in float64, got"
FLAT = "Rows are made flat by `x.reshape(len(x), -1)`."
MASKED = "must not be masked, got a MaskedArray. Fill it, or leave the masked rows out."
DAY = datetime.date(2000, 1, 1)


def masked(values: Any) -> np.ma.MaskedArray[Any, Any]:
    return np.ma.MaskedArray(values, np.zeros(np.shape(values), bool))


# x, in each function that is given rows.

TAKES_X: list[Call] = [fnn.forward, fnn.predict, fnn.loss, fnn.grads, fnn.loss_and_grads, fnn.check_grads]

BAD_X: list[tuple[Any, type[Exception], str]] = [
    (np.ones(2), ValueError, "must have shape (n, 2), got (2,). One row is `x[None, :]`."),
    (np.ones(3), ValueError, "must have shape (n, 2), got (3,)."),
    (np.ones((2, 3)), ValueError, "must have shape (n, 2), got (2, 3)."),
    (np.ones((2, 2, 1)), ValueError, f"must have shape (n, 2), got (2, 2, 1). {FLAT}"),
    (np.ones((2, 2, 2)), ValueError, "must have shape (n, 2), got (2, 2, 2)."),
    (sparse.coo_array(np.ones((2, 1, 2))), ValueError, "must have shape (n, 2), got (2, 1, 2)."),
    (3.0, ValueError, "must have shape (n, 2), got ()."),
    ([[]], ValueError, "must have shape (n, 2), got (1, 0)."),
    (np.ones((0, 2)), ValueError, "must have at least one row and column, got (0, 2)."),
    ([[1, 2], [3]], TypeError, "must be an array of numbers, got [[1, 2], [3]]."),
    (None, TypeError, f"{REAL} None."),
    ("text", TypeError, f"{REAL} 'text'."),
    ([["1", "2"]], TypeError, f"{REAL} [['1', '2']]."),
    ([[1, None]], TypeError, f"{REAL} [[1, None]]."),
    ({1: 2}, TypeError, f"{REAL} {{1: 2}}."),
    (DATA, TypeError, f"{REAL} Dataset(2 row...oat64 columns). Its rows are `x, y, sample_weight = data.take()`."),
    (X.astype(object), TypeError, f"{REAL} dtype object."),
    (X.astype(complex), TypeError, f"{REAL} dtype complex128."),
    (X.astype("U1"), TypeError, f"{REAL} dtype <U1."),
    (X.astype("S1"), TypeError, f"{REAL} dtype |S1."),
    (np.empty((0, 2), "S1"), TypeError, f"{REAL} dtype |S1."),
    (X.astype("datetime64[s]"), TypeError, f"{REAL} dtype datetime64[s]."),
    (X.astype("timedelta64[D]"), TypeError, f"{REAL} dtype timedelta64[D]."),
    (np.zeros((2, 2), [("r", "f4")]), TypeError, f"{REAL} dtype [('r', '<f4')]."),
    ([[DAY]], TypeError, f"{REAL} [[datetime.date(2000, 1, 1)]]."),
    (masked(X), TypeError, MASKED),
    ([[NAN, 1], [INF, 1]], ValueError, f"{FINITE} nan at (0, 0)."),
    ([[1, -INF], [NAN, 1]], ValueError, f"{FINITE} -inf at (0, 1)."),
    (np.array([[1, 1], [INF, INF]], np.float16), ValueError, f"{FINITE} inf at (1, 0)."),
]  # fmt: skip


@pytest.mark.parametrize("function", TAKES_X)
@pytest.mark.parametrize(("x", "error", "rest"), BAD_X)
def test_x(function: Call, x: Any, error: type[Exception], rest: str) -> None:
    targets = () if function in (fnn.forward, fnn.predict) else (Y,)
    dtype = "float64" if function is fnn.check_grads else "float32"
    refused(error, f"{function.__name__}: `x` {rest.replace('DTYPE', dtype)}", function, SOFT, PARAMS, x, *targets)


@pytest.mark.parametrize("function", TAKES_X[:-1])
def test_x_that_overflows_in_the_dtype_of_the_params(function: Call) -> None:
    targets = () if function in (fnn.forward, fnn.predict) else (Y,)
    x = [[1.0, 1e39], [-1e39, 1.0]]
    message = f"{function.__name__}: `x` must be finite in float32, got inf at (0, 1)."
    function(SOFT, WIDE, x, *targets)
    refused(ValueError, message, function, SOFT, PARAMS, x, *targets)
    scaled, big = attrs.evolve(SOFT, input_scale=1e30), [[1.0, 1e9], [-1e9, 1.0]]
    refused(ValueError, message, function, scaled, PARAMS, big, *targets)


@pytest.mark.parametrize("scale", [1.5, -1.5])
def test_x_that_overflows_when_it_is_scaled(scale: float) -> None:
    network, data = attrs.evolve(SOFT, input_scale=scale), fnn.Dataset(np.array([[1, 1], [1, 3e38]], np.float32), Y)
    message = f"fit: `x` must be finite in float32, got {scale * INF} at (1, 1)."
    refused(ValueError, message, fnn.fit, network, data, epochs=1)


# y, in each function that is given targets or a data set.

TAKES_Y: list[Call] = [fnn.loss, fnn.grads, fnn.loss_and_grads, fnn.check_grads]
FITTING: dict[fnn.Network, fnn.Dataset] = {
    SOFT: DATA, SIG: DATA, COUNTS: DATA, REG: DATA, SIG2: fnn.Dataset(X, np.eye(2)), REG2: fnn.Dataset(X, X),
}  # fmt: skip
TAKES_DATA: dict[str, Call] = {
    "evaluate": lambda network, data: fnn.evaluate(network, fnn.init_params(network, 0), data),
    "train": fnn.train,
    "train, validation": lambda network, data: fnn.train(network, FITTING[network], validation=data),
    "fit": lambda network, data: fnn.fit(network, data, epochs=1),
    "fit, validation": lambda network, data: fnn.fit(network, FITTING[network], epochs=1, validation=data),
}
AS_INT = "Labels that are whole are made integers by `y.astype(int)`."
NAMES = "Names are made labels by `np.unique(y, return_inverse=True)[1]`."
RAVEL = "A column of labels is made flat by `y.ravel()`."
ONE_HOT = "Labels are made one-hot by `fnn.one_hot(y, 2)`."

BAD_Y: list[tuple[fnn.Network, Any, type[Exception], str]] = [
    (SOFT, [0, 3], ValueError, "must be labels from 0 to 2, got 3 in row 1."),
    (SOFT, [2, 4], ValueError, "must be labels from 0 to 2, got 4 in row 1."),
    (SOFT, [-1, 0], ValueError, "must be labels from 0 to 2, got -1 in row 0."),
    (SOFT, np.array([0, 255], np.uint8), ValueError, "must be labels from 0 to 2, got 255 in row 1."),
    (SOFT, np.array([0, 2**63 - 1]), ValueError, "must be labels from 0 to 2, got 9223372036854775807 in row 1."),
    (SOFT, [0.0, 1.0], TypeError, f"must hold integer labels, got dtype float64. {AS_INT}"),
    (SOFT, [True, False], TypeError, f"must hold integer labels, got dtype bool. {AS_INT}"),
    (SOFT, [[0], [1]], ValueError, f"must have shape (2, 3) or (2,), got (2, 1). {RAVEL}"),
    (SOFT, np.eye(2), ValueError, "must have shape (2, 3) or (2,), got (2, 2)."),
    (SOFT, np.eye(4)[:2], ValueError, "must have shape (2, 3) or (2,), got (2, 4)."),
    (SOFT, np.full((2, 3), 0.5), ValueError, "must sum to 1 in each row, got 1.5 in row 0."),
    (SOFT, [[1, 0, 0], [0, 0, 0]], ValueError, "must sum to 1 in each row, got 0 in row 1."),
    (SOFT, [[0.2, 0.2, 0.6], [0.2, 0.2, 0.602]], ValueError, "must sum to 1 in each row, got 1.002 in row 1."),
    (SOFT, [[1, 1, -1], [1, 0, 0]], ValueError, "must be in [0, 1], got a least of -1, a most of 1."),
    (SIG, [0, 2], ValueError, "must be in [0, 1], got a least of 0, a most of 2."),
    (SIG, [-1, 1], ValueError, "must be in [0, 1], got a least of -1, a most of 1."),
    (SIG, [[0.5], [1.25]], ValueError, "must be in [0, 1], got a least of 0.5, a most of 1.25."),
    (SIG, np.eye(2), ValueError, "must have shape (2, 1) or (2,), got (2, 2)."),
    (COUNTS, [0, -1], ValueError, "must be at least 0, got a least of -1, a most of 0."),
    (COUNTS, [[3.5], [-1e-9]], ValueError, "must be at least 0, got a least of -1e-09, a most of 3.5."),
    (COUNTS, np.eye(2), ValueError, "must have shape (2, 1) or (2,), got (2, 2)."),
    (SIG2, [0, 1], ValueError, f"must have shape (2, 2), got (2,). {ONE_HOT}"),
    (SIG2, [[0, 1], [1, 2]], ValueError, "must be in [0, 1], got a least of 0, a most of 2."),
    (REG, X, ValueError, "must have shape (2, 1) or (2,), got (2, 2)."),
    (REG2, [0, 1], ValueError, f"must have shape (2, 2), got (2,). {ONE_HOT}"),
    (REG2, [0, 2], ValueError, "must have shape (2, 2), got (2,)."),
    (REG2, [3, 0], ValueError, "must have shape (2, 2), got (2,)."),
    (REG2, [-1, 0], ValueError, "must have shape (2, 2), got (2,)."),
    (REG2, [0.5, 1.5], ValueError, "must have shape (2, 2), got (2,)."),
    (REG2, [[0.5], [1.5]], ValueError, "must have shape (2, 2), got (2, 1)."),
]  # fmt: skip

BAD_Y_ALONE: list[tuple[fnn.Network, Any, type[Exception], str]] = [
    *BAD_Y,
    (SOFT, 3, ValueError, "must have 2 rows, as x has, got ()."),
    (SOFT, [], ValueError, "must have 2 rows, as x has, got (0,)."),
    (SOFT, [0], ValueError, "must have 2 rows, as x has, got (1,)."),
    (SOFT, [0, 1, 2], ValueError, "must have 2 rows, as x has, got (3,)."),
    (SOFT, np.eye(3), ValueError, "must have 2 rows, as x has, got (3, 3)."),
    (SOFT, np.zeros((2, 3, 1)), ValueError, "must have shape (2, 3) or (2,), got (2, 3, 1)."),
    (SOFT, None, TypeError, f"{REAL} None."),
    (SOFT, ["a", "b"], TypeError, f"{REAL} ['a', 'b']. {NAMES}"),
    (SOFT, np.array(["a", "b"]), TypeError, f"{REAL} dtype <U1. {NAMES}"),
    (SOFT, Y.astype(object), TypeError, f"{REAL} dtype object."),
    (SOFT, Y.astype("datetime64[D]"), TypeError, f"{REAL} dtype datetime64[D]."),
    (SOFT, masked(Y), TypeError, MASKED),
    (SOFT, [[NAN, 0, 1], [NAN, 0, 1]], ValueError, f"{FINITE_64} nan at (0, 0)."),
    (SIG, [NAN, INF], ValueError, f"{FINITE_64} nan at 0."),
    (REG, [1j, 2], TypeError, f"{REAL} [1j, 2]."),
    (REG, [INF, -INF], ValueError, f"{FINITE_64} inf at 0."),
    (REG2, [[1, 2], [3]], TypeError, "must be an array of numbers, got [[1, 2], [3]]."),
]  # fmt: skip


@pytest.mark.parametrize("function", TAKES_Y)
@pytest.mark.parametrize(("network", "y", "error", "rest"), BAD_Y_ALONE)
def test_y(function: Call, network: fnn.Network, y: Any, error: type[Exception], rest: str) -> None:
    refused(error, f"{function.__name__}: `y` {rest}", function, network, fnn.init_params(network, 0), X, y)


@pytest.mark.parametrize("where", TAKES_DATA)
@pytest.mark.parametrize(("network", "y", "error", "rest"), BAD_Y)
def test_y_of_data(where: str, network: fnn.Network, y: Any, error: type[Exception], rest: str) -> None:
    name = "validation.y" if "validation" in where else "y"
    refused(error, f"{where.split(',')[0]}: `{name}` {rest}", TAKES_DATA[where], network, fnn.Dataset(X, y))


# Weights.

TAKES_WEIGHT: dict[str, Call] = {
    **{function.__name__: lambda w, f=function: f(SOFT, PARAMS, X, Y, w) for function in TAKES_Y},
    "Dataset": lambda w: fnn.Dataset(X, Y, w),
    "accuracy": lambda w: fnn.accuracy(Y, Y, w),
    "r2": lambda w: fnn.r2(Y, Y, w),
}
SIGN = "must be at least 0, and above 0 somewhere, got"

BAD_WEIGHT: list[tuple[Any, type[Exception], str]] = [
    ([1], ValueError, "must have shape (2,), got (1,)."),
    ([1, 2, 3], ValueError, "must have shape (2,), got (3,)."),
    ([[1], [2]], ValueError, "must have shape (2,), got (2, 1)."),
    (2.0, ValueError, "must have shape (2,), got ()."),
    ([1, -1], ValueError, f"{SIGN} a least of -1, a most of 1."),
    ([-0.5, -0.5], ValueError, f"{SIGN} a least of -0.5, a most of -0.5."),
    ([0, 0], ValueError, f"{SIGN} a least of 0, a most of 0."),
    ([False, False], ValueError, f"{SIGN} a least of 0, a most of 0."),
    ([NAN, INF], ValueError, f"{FINITE_64} nan at 0."),
    (np.array(["1", "2"]), TypeError, f"{REAL} dtype <U1."),
    (np.array([1, 1], object), TypeError, f"{REAL} dtype object."),
    (np.array([1, 1j]), TypeError, f"{REAL} dtype complex128."),
]


@pytest.mark.parametrize("where", TAKES_WEIGHT)
@pytest.mark.parametrize(("weight", "error", "rest"), BAD_WEIGHT)
def test_sample_weight(where: str, weight: Any, error: type[Exception], rest: str) -> None:
    refused(error, f"{where}: `sample_weight` {rest}", TAKES_WEIGHT[where], weight)


# Networks and parameters that do not belong together, and swapped arguments.

TAKES_PARAMS: dict[str, Call] = {
    "forward": lambda network, params: fnn.forward(network, params, X),
    "predict": lambda network, params: fnn.predict(network, params, X),
    "loss": lambda network, params: fnn.loss(network, params, X, Y),
    "grads": lambda network, params: fnn.grads(network, params, X, Y),
    "loss_and_grads": lambda network, params: fnn.loss_and_grads(network, params, X, Y),
    "project": fnn.project,
    "evaluate": lambda network, params: fnn.evaluate(network, params, DATA),
}
ANOTHERS = (
    "`params` must be the network's (21 numbers in 2 layers), got Params(27 float32 numbers in 2 layers). "
    "Make them with `init_params(network, seed)` or `pack_params(network, arrays)`."
)

BAD_PARAMS: list[tuple[Any, Any, type[Exception], str]] = [
    (PARAMS, SOFT, TypeError, "`network` must be a Network, got a Params."),
    (None, PARAMS, TypeError, "`network` must be a Network, got None."),
    ([SOFT], PARAMS, TypeError, "`network` must be a Network, got a list."),
    (fnn.Network, PARAMS, TypeError, "`network` must be a Network, got the class Network."),
    (SOFT, None, TypeError, "`params` must be a Params, got None."),
    (SOFT, [X, Y], TypeError, "`params` must be a Params, got a list."),
    (SOFT, SOFT, TypeError, "`params` must be a Params, got a Network."),
    (
        SOFT,
        fnn.start(SOFT),
        TypeError,
        "`params` must be a Params, got a TrainState. A run's are `run.params` and `run.best`.",
    ),
    (SOFT, OTHER, ValueError, ANOTHERS),
]


@pytest.mark.parametrize("where", TAKES_PARAMS)
@pytest.mark.parametrize(("network", "params", "error", "rest"), BAD_PARAMS)
def test_params(where: str, network: Any, params: Any, error: type[Exception], rest: str) -> None:
    refused(error, f"{where}: {rest}", TAKES_PARAMS[where], network, params)
