"""Networks of parts that do not fit, and what an optimizer steps on, are refused in the one grammar of `checks`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnn

NAN, INF = float("nan"), float("inf")
GRAMMAR = re.compile(r"\w+: `[^`]+` .+, got .+\.( .+[.?])?")


def refused(error: type[Exception], message: str, call: Callable[..., object], *args: Any, **settings: Any) -> None:
    """The call raises just this error with just this message, and the message follows the grammar."""
    with pytest.raises(error) as caught:
        call(*args, **settings)
    assert caught.type is error
    assert str(caught.value) == message
    assert GRAMMAR.fullmatch(message)


NOT_0 = "must be a finite number other than 0"
LOSS = (
    "must be one of binary_cross_entropy, cross_entropy, huber, mae, mse, poisson, squared_error, "
    "or a frozen record with rows and vjp"
)


LAYERS = "Network: `layers` must hold layers such as Dense(256, 'relu'), got "
SOFTMAX = "Network: `loss` must go with a last activation of Softmax, got CrossEntropy() after "
SIGMOID = "Network: `loss` must go with a last activation of Sigmoid, got BinaryCrossEntropy() after "
USE_SOFTMAX = "(). Make the last layer's activation 'softmax', or the loss 'mse'."
USE_BINARY = "Sigmoid(). After sigmoid, make it 'binary_cross_entropy'."
USE_SIGMOID = "(). Make the last layer's activation 'sigmoid', or the loss 'mse'."
ONE_OUTPUT = (
    "Network: `layers` must have at least 2 outputs for softmax or cross-entropy, got 1. "
    "One output is 'sigmoid' with 'binary_cross_entropy', or 'identity' with 'mse'."
)

NETWORKS: list[tuple[Any, Any, type[Exception], str]] = [
    ((), "mse", ValueError, "Network: `layers` must have at least one layer, got none."),
    ((16, 2), "mse", TypeError, f"{LAYERS}16 at 0."),
    ("relu", "mse", TypeError, f"{LAYERS}'r' at 0."),
    ((fnn.Dense,), "mse", TypeError, f"{LAYERS}<class 'fnn.layers.Dense'> at 0."),
    ((fnn.Dense(2), fnn.Relu()), "mse", TypeError, f"{LAYERS}Relu() at 1."),
    ((fnn.Dense(2), None), "mse", TypeError, f"{LAYERS}None at 1."),
    ((fnn.Dense(2), fnn.Constant(0.1)), "mse", TypeError, f"{LAYERS}Constant(0.1) at 1."),
    ((fnn.Dense(2),), "cross_entropy", ValueError, f"{SOFTMAX}Identity{USE_SOFTMAX}"),
    ((fnn.Dense(2, "sigmoid"),), "cross_entropy", ValueError, f"{SOFTMAX}{USE_BINARY}"),
    ((fnn.Dense(2, "softmax"), fnn.Dropout(0.5)), "cross_entropy", ValueError, f"{SOFTMAX}Identity{USE_SOFTMAX}"),
    ((fnn.Dense(2, "softmax"),), "binary_cross_entropy", ValueError, f"{SIGMOID}Softmax{USE_SIGMOID}"),
    ((fnn.Dense(1, "sigmoid"), fnn.BatchNorm()), "binary_cross_entropy", ValueError, f"{SIGMOID}Identity{USE_SIGMOID}"),
    ((fnn.Dense(1, "softmax"),), "cross_entropy", ValueError, ONE_OUTPUT),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "loss", "error", "message"), NETWORKS)
def test_network_of_parts_that_do_not_fit(layers: Any, loss: Any, error: type[Exception], message: str) -> None:
    refused(error, message, fnn.Network, 2, layers, loss=loss)


TWO = "mlp: `widths` must be at least two: the inputs, any hidden layers, the outputs, got "

MLPS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((), {}, ValueError, f"{TWO}()."),
    ((784,), {}, ValueError, f"{TWO}(784,)."),
    (([784, 10],), {}, ValueError, f"{TWO}([784, 10],). Spread it: `mlp(*widths)`."),
    ((2, 1), {}, ValueError, ONE_OUTPUT),
    ((2, 3), {"output": "identity"}, ValueError, f"{SOFTMAX}Identity{USE_SOFTMAX}"),
    ((2, 3), {"loss": "binary_cross_entropy"}, ValueError, f"{SIGMOID}Softmax{USE_SIGMOID}"),
    ((2, 3), {"loss": None}, TypeError, f"Network: `loss` {LOSS}, got None."),
    ((2, 3), {"input_scale": 0}, ValueError, f"Network: `input_scale` {NOT_0}, got 0."),
]


@pytest.mark.parametrize(("widths", "settings", "error", "message"), MLPS)
def test_mlp(widths: tuple[Any, ...], settings: dict[str, Any], error: type[Exception], message: str) -> None:
    refused(error, message, fnn.mlp, *widths, **settings)


SOFT = fnn.mlp(2, 3, 3)
PARAMS, OTHER = fnn.init_params(SOFT, seed=0), fnn.init_params(fnn.mlp(2, 4, 3), seed=0)
WIDE = fnn.init_params(SOFT, seed=0, dtype=np.float64)
OPTIMIZERS: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {
    fnn.SGD(): (fnn.sgd_init, fnn.sgd_step),
    fnn.Momentum(): (fnn.momentum_init, fnn.momentum_step),
    fnn.RMSProp(): (fnn.rmsprop_init, fnn.rmsprop_step),
    fnn.Adam(): (fnn.adam_init, fnn.adam_step),
    fnn.AdamW(): (fnn.adamw_init, fnn.adamw_step),
    fnn.AdaGrad(): (fnn.adagrad_init, fnn.adagrad_step),
    fnn.NAdam(): (fnn.nadam_init, fnn.nadam_step),
    fnn.AMSGrad(): (fnn.amsgrad_init, fnn.amsgrad_step),
    fnn.Lion(): (fnn.lion_init, fnn.lion_step),
}
SHAPED = "must have the layout of Params(21 float32 numbers in 2 layers), got Params(27 float32 numbers in 2 layers)."

BAD_STEP: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"params": None}, TypeError, "`params` must be a Params, got None."),
    ({"params": SOFT}, TypeError, "`params` must be a Params, got a Network."),
    ({"g": None}, TypeError, "`g` must be a Params, got None."),
    ({"g": (PARAMS,)}, TypeError, "`g` must be a Params, got a tuple."),
    ({"g": OTHER}, ValueError, f"`g` {SHAPED}"),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("changed", "error", "rest"), BAD_STEP)
def test_step(optimizer: Any, changed: dict[str, Any], error: type[Exception], rest: str) -> None:
    init, step = OPTIMIZERS[optimizer]
    given = {"params": PARAMS, "state": init(optimizer, PARAMS), "g": PARAMS, **changed}
    message = f"{type(optimizer).__name__.lower()}_step: {rest}"
    refused(error, message, step, optimizer, **given)
    refused(error, message, fnn.step, optimizer, **given)


@pytest.mark.parametrize("optimizer", [optimizer for optimizer in OPTIMIZERS if optimizer != fnn.SGD()])
def test_step_with_the_state_of_other_params(optimizer: Any) -> None:
    init, step = OPTIMIZERS[optimizer]
    where, whose = f"{type(optimizer).__name__.lower()}_step", "that of Params(21 float32 numbers in 2 layers)"
    for params, got in ((OTHER, "float32 with shape (27,)"), (WIDE, "float64 with shape (21,)")):
        state = init(optimizer, params)
        message = f"{where}: `state` must be {whose}, got an array of {got}."
        refused(ValueError, message, step, optimizer, PARAMS, state, PARAMS)


@pytest.mark.parametrize("optimizer", [fnn.Momentum(), fnn.Adam(), fnn.AdamW()])
@pytest.mark.parametrize(("state", "got"), [(None, "None"), (PARAMS, "a Params"), ([PARAMS.vector], "a list")])
def test_step_without_a_state(optimizer: Any, state: Any, got: str) -> None:
    kind = "a MomentumState" if optimizer == fnn.Momentum() else "an AdamState"
    message = f"{type(optimizer).__name__.lower()}_step: `state` must be {kind}, got {got}."
    refused(TypeError, message, OPTIMIZERS[optimizer][1], optimizer, PARAMS, state, PARAMS)


def test_sgd_init() -> None:
    refused(TypeError, "sgd_init: `params` must be a Params, got None.", fnn.sgd_init, fnn.SGD(), None)
