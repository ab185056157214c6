"""Every setting of a spec, and what an optimizer steps on, is refused in the one grammar of `checks`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
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


FROM_0 = "must be an integer of at least 0"
WORD = "must be an integer from 0 to 2**64 - 1"
FROM_1 = "must be an integer of at least 1"
AT_LEAST_0 = "must be a finite number of at least 0"
ABOVE_0 = "must be a finite number above 0"
BELOW_1 = "must be a number in [0, 1)"
ABOVE_0_TO_1 = "must be a number in (0, 1]"
NOT_0 = "must be a finite number other than 0"
RATE = "must be a finite number, or a frozen record with __call__(step)"
BOOLEAN = "must be True or False"
OPTIMIZER = "must be a frozen record with init and step"
MONITOR = "must be one of None, 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'val_r2'"
ACTIVATION = (
    "must be one of elu, gelu, identity, leaky_relu, relu, sigmoid, silu, softmax, softplus, step, tanh, "
    "or a frozen record with value and vjp"
)
INITIALIZER = "must be one of glorot_normal, glorot_uniform, he_normal, he_uniform, zeros, or a frozen record with draw"
LOSS = (
    "must be one of binary_cross_entropy, cross_entropy, huber, mae, mse, squared_error, "
    "or a frozen record with rows and vjp"
)

NEEDED: dict[Callable[..., Any], dict[str, Any]] = {
    fnn.ScaledNormal: {"std": 0.1},
    fnn.Dropout: {"rate": 0.5},
    fnn.Constant: {"learning_rate": 0.1},
    fnn.Dense: {"units": 2},
    fnn.Cosine: {"learning_rate": 0.1, "steps": 10},
    fnn.Key: {"seed": 0, "epoch": 0, "batch": 0},
    fnn.Network: {"inputs": 2, "layers": (fnn.Dense(2),), "loss": "mse"},
    fnn.Recipe: {"network": fnn.mlp(2, 2)},
}

Setting = tuple[Callable[..., Any], str, Any, type[Exception], str]

SETTINGS: list[Setting] = [
    (fnn.LeakyRelu, "slope", -0.1, ValueError, BELOW_1),
    (fnn.LeakyRelu, "slope", 1, ValueError, BELOW_1),
    (fnn.LeakyRelu, "slope", "0.1", TypeError, BELOW_1),
    (fnn.Elu, "alpha", 0, ValueError, ABOVE_0),
    (fnn.Elu, "alpha", NAN, ValueError, ABOVE_0),
    (fnn.Elu, "alpha", None, TypeError, ABOVE_0),
    (fnn.Huber, "delta", 0.0, ValueError, ABOVE_0),
    (fnn.Huber, "delta", -1, ValueError, ABOVE_0),
    (fnn.Huber, "delta", [1.0], TypeError, ABOVE_0),
    (fnn.CrossEntropy, "label_smoothing", 1.0, ValueError, BELOW_1),
    (fnn.CrossEntropy, "label_smoothing", -INF, ValueError, BELOW_1),
    (fnn.CrossEntropy, "label_smoothing", "mean", TypeError, BELOW_1),
    (fnn.ScaledNormal, "std", -0.5, ValueError, AT_LEAST_0),
    (fnn.ScaledNormal, "std", True, TypeError, AT_LEAST_0),
    (fnn.Dense, "units", 0, ValueError, FROM_1),
    (fnn.Dense, "units", 2.0, TypeError, FROM_1),
    (fnn.Dense, "units", True, TypeError, FROM_1),
    (fnn.Dense, "units", "2", TypeError, FROM_1),
    (fnn.Dense, "units", None, TypeError, FROM_1),
    (fnn.Dense, "activation", "swoosh", ValueError, ACTIVATION),
    (fnn.Dense, "activation", None, TypeError, ACTIVATION),
    (fnn.Dense, "activation", np.tanh, TypeError, ACTIVATION),
    (fnn.Dense, "activation", ["relu"], TypeError, ACTIVATION),
    (fnn.Dense, "activation", 3, TypeError, ACTIVATION),
    (fnn.Dense, "activation", fnn.Dropout(0.5), TypeError, ACTIVATION),
    (fnn.Dense, "weight_init", "xavier", ValueError, INITIALIZER),
    (fnn.Dense, "weight_init", 0, TypeError, INITIALIZER),
    (fnn.Dense, "weight_init", fnn.Relu(), TypeError, INITIALIZER),
    (fnn.Dense, "bias_init", "ones", ValueError, INITIALIZER),
    (fnn.Dense, "bias_init", None, TypeError, INITIALIZER),
    (fnn.Dense, "l1", -1, ValueError, AT_LEAST_0),
    (fnn.Dense, "l1", NAN, ValueError, AT_LEAST_0),
    (fnn.Dense, "l1", None, TypeError, AT_LEAST_0),
    (fnn.Dense, "l2", -1e-9, ValueError, AT_LEAST_0),
    (fnn.Dense, "l2", 1j, TypeError, AT_LEAST_0),
    (fnn.Dense, "l2", "0.1", TypeError, AT_LEAST_0),
    (fnn.Dense, "max_norm", 0, ValueError, ABOVE_0),
    (fnn.Dense, "max_norm", "3", TypeError, ABOVE_0),
    (fnn.Dense, "max_norm", False, TypeError, ABOVE_0),
    (fnn.Dropout, "rate", 1.0, ValueError, BELOW_1),
    (fnn.Dropout, "rate", -0.1, ValueError, BELOW_1),
    (fnn.Dropout, "rate", NAN, ValueError, BELOW_1),
    (fnn.Dropout, "rate", None, TypeError, BELOW_1),
    (fnn.BatchNorm, "activation", 0.1, TypeError, ACTIVATION),
    (fnn.BatchNorm, "activation", "norm", ValueError, ACTIVATION),
    (fnn.BatchNorm, "momentum", 0, ValueError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "momentum", 1.01, ValueError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "momentum", "relu", TypeError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "epsilon", 0.0, ValueError, ABOVE_0),
    (fnn.BatchNorm, "epsilon", None, TypeError, ABOVE_0),
    (fnn.Constant, "learning_rate", -0.1, ValueError, AT_LEAST_0),
    (fnn.Constant, "learning_rate", "fast", TypeError, AT_LEAST_0),
    (fnn.Cosine, "learning_rate", -0.1, ValueError, AT_LEAST_0),
    (fnn.Cosine, "learning_rate", fnn.Adam, TypeError, AT_LEAST_0),
    (fnn.Cosine, "steps", 0, ValueError, FROM_1),
    (fnn.Cosine, "steps", 10.0, TypeError, FROM_1),
    (fnn.Cosine, "warmup_steps", -1, ValueError, FROM_0),
    (fnn.Cosine, "warmup_steps", 10, ValueError, "must be below `steps`, which is 10"),
    (fnn.Cosine, "warmup_steps", 0.5, TypeError, FROM_0),
    (fnn.Cosine, "final", -1, ValueError, AT_LEAST_0),
    (fnn.Cosine, "final", 0.2, ValueError, "must be at most `learning_rate`, which is 0.1"),
    (fnn.Cosine, "final", None, TypeError, AT_LEAST_0),
    *[
        (optimizer, *case)
        for optimizer in (fnn.SGD, fnn.Momentum, fnn.RMSProp, fnn.Adam, fnn.AdamW)
        for case in [
            ("learning_rate", -1, ValueError, AT_LEAST_0),
            ("learning_rate", NAN, ValueError, AT_LEAST_0),
            ("learning_rate", "0.1", TypeError, RATE),
            ("learning_rate", True, TypeError, RATE),
            ("learning_rate", None, TypeError, RATE),
            ("learning_rate", fnn.Relu(), TypeError, RATE),
            ("clip_norm", 0, ValueError, ABOVE_0),
            ("clip_norm", NAN, ValueError, ABOVE_0),
            ("clip_norm", True, TypeError, ABOVE_0),
            ("clip_value", -1.0, ValueError, ABOVE_0),
            ("clip_value", "1", TypeError, ABOVE_0),
        ]
    ],
    (fnn.Momentum, "momentum", 1.0, ValueError, BELOW_1),
    (fnn.Momentum, "momentum", "heavy", TypeError, BELOW_1),
    (fnn.Momentum, "nesterov", 1, TypeError, BOOLEAN),
    (fnn.Momentum, "nesterov", None, TypeError, BOOLEAN),
    (fnn.RMSProp, "decay", 1, ValueError, BELOW_1),
    (fnn.RMSProp, "decay", None, TypeError, BELOW_1),
    (fnn.RMSProp, "epsilon", 0, ValueError, ABOVE_0),
    *[
        (optimizer, *case)
        for optimizer in (fnn.Adam, fnn.AdamW)
        for case in [
            ("beta1", 1.0, ValueError, BELOW_1),
            ("beta1", "0.9", TypeError, BELOW_1),
            ("beta2", -0.1, ValueError, BELOW_1),
            ("beta2", 1, ValueError, BELOW_1),
            ("epsilon", 0, ValueError, ABOVE_0),
            ("epsilon", None, TypeError, ABOVE_0),
        ]
    ],
    (fnn.AdamW, "weight_decay", -0.01, ValueError, AT_LEAST_0),
    (fnn.AdamW, "weight_decay", None, TypeError, AT_LEAST_0),
    (fnn.Key, "seed", -1, ValueError, WORD),
    (fnn.Key, "seed", None, TypeError, WORD),
    (fnn.Key, "seed", True, TypeError, WORD),
    (fnn.Key, "epoch", -1, ValueError, WORD),
    (fnn.Key, "epoch", 0.0, TypeError, WORD),
    (fnn.Key, "batch", -1, ValueError, WORD),
    (fnn.Key, "batch", "0", TypeError, WORD),
    (fnn.Network, "inputs", 0, ValueError, FROM_1),
    (fnn.Network, "inputs", 2.0, TypeError, FROM_1),
    (fnn.Network, "inputs", (2,), TypeError, FROM_1),
    (fnn.Network, "loss", "l2", ValueError, LOSS),
    (fnn.Network, "loss", None, TypeError, LOSS),
    (fnn.Network, "loss", 3, TypeError, LOSS),
    (fnn.Network, "loss", ["mse"], TypeError, LOSS),
    (fnn.Network, "input_scale", 0, ValueError, NOT_0),
    (fnn.Network, "input_scale", 0.0, ValueError, NOT_0),
    (fnn.Network, "input_scale", "1/255", TypeError, NOT_0),
    (fnn.Network, "input_scale", None, TypeError, NOT_0),
    (fnn.Network, "input_scale", True, TypeError, NOT_0),
    (fnn.Recipe, "optimizer", None, TypeError, OPTIMIZER),
    (fnn.Recipe, "optimizer", "adam", TypeError, OPTIMIZER),
    (fnn.Recipe, "optimizer", fnn.Relu(), TypeError, OPTIMIZER),
    (fnn.Recipe, "batch_size", 0, ValueError, FROM_1),
    (fnn.Recipe, "batch_size", 1.5, TypeError, FROM_1),
    (fnn.Recipe, "batch_size", True, TypeError, FROM_1),
    (fnn.Recipe, "seed", -1, ValueError, WORD),
    (fnn.Recipe, "seed", 2**64, ValueError, "must be an integer from 0 to 2**64 - 1"),
    (fnn.Recipe, "seed", None, TypeError, WORD),
    (fnn.Recipe, "monitor", "acc", ValueError, MONITOR),
    (fnn.Recipe, "monitor", ["loss"], ValueError, MONITOR),
]


@pytest.mark.parametrize(("spec", "name", "value", "error", "rule"), SETTINGS)
def test_setting(spec: Callable[..., Any], name: str, value: Any, error: type[Exception], rule: str) -> None:
    settings = NEEDED.get(spec, {})
    spec(**settings)  # so that it is the setting alone that is refused
    refused(error, f"{spec.__name__}: `{name}` {rule}, got {value!r}.", spec, **{**settings, name: value})


def test_every_setting_has_a_case() -> None:
    results = {
        "Address",
        "ClassificationReport",
        "EpochRecord",
        "Evaluation",
        "GradientCheck",
        "Layout",
        "Shapes",
        "Summary",
    }
    public = [getattr(fnn, name) for name in fnn.__all__ if name not in results]
    specs = [part for part in public if isinstance(part, type) and attrs.has(part) and not issubclass(part, fnn.State)]
    settings = {(spec, field.name) for spec in specs for field in attrs.fields(spec)}
    elsewhere = {(fnn.Network, "layers"), (fnn.Recipe, "network")}
    assert settings == {(spec, name) for spec, name, *_ in SETTINGS} | elsewhere


NUMPY = [
    (np.int64(0), ValueError, "0"),
    (np.float64(2), TypeError, "2.0"),
    (np.bool_(True), TypeError, "True"),
    (np.str_("2"), TypeError, "'2'"),
    (np.array(2), TypeError, "an array of int64 with shape ()"),
    (np.zeros((3, 1), np.float32), TypeError, "an array of float32 with shape (3, 1)"),
]


@pytest.mark.parametrize(("value", "error", "got"), NUMPY)
def test_numpy_values_are_judged_as_plain_ones(value: Any, error: type[Exception], got: str) -> None:
    refused(error, f"Dense: `units` {FROM_1}, got {got}.", fnn.Dense, value)


CLOSE = [
    (fnn.Dense, "activation", "rleu", ACTIVATION, "relu"),
    (fnn.Dense, "activation", "leaky-relu", ACTIVATION, "leaky_relu"),
    (fnn.BatchNorm, "activation", "Tanh", ACTIVATION, "tanh"),
    (fnn.Dense, "weight_init", "he_norm", INITIALIZER, "he_normal"),
    (fnn.Dense, "bias_init", "zero", INITIALIZER, "zeros"),
    (fnn.Network, "loss", "crossentropy", LOSS, "cross_entropy"),
]


@pytest.mark.parametrize(("spec", "name", "value", "rule", "meant"), CLOSE)
def test_close_names(spec: Callable[..., Any], name: str, value: str, rule: str, meant: str) -> None:
    message = f"{spec.__name__}: `{name}` {rule}, got {value!r}. Did you mean {meant!r}?"
    refused(ValueError, message, spec, **{**NEEDED.get(spec, {}), name: value})


LAYERS = "Network: `layers` must hold layers such as Dense(256, 'relu'), got "
SOFTMAX = "Network: `loss` must go with a last activation of Softmax, got CrossEntropy(label_smoothing=0.0) after "
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
    ((fnn.Dense(2), fnn.Constant(0.1)), "mse", TypeError, f"{LAYERS}Constant(learning_rate=0.1) at 1."),
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
