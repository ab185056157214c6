"""Every setting of every spec is refused in the one grammar of `checks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.test_checks import INF, LOSS, NAN, NOT_0, refused

FROM_0 = "must be an integer of at least 0"
WORD = "must be an integer from 0 to 2**64 - 1"
FROM_1 = "must be an integer of at least 1"
AT_LEAST_0 = "must be a finite number of at least 0"
ABOVE_0 = "must be a finite number above 0"
BELOW_1 = "must be a number in [0, 1)"
TO_1 = "must be a number in [0, 1]"
ABOVE_0_TO_1 = "must be a number in (0, 1]"
ANY = "must be a finite number"
WITHIN_1 = "must be a number in (0, 1)"
AT_MOST = "must be at most `learning_rate`, which is 0.1"
SCHEDULES = "must be a tuple of frozen records with __call__(step), at least one"
STARTS = "must be a tuple of integers of at least 1"
RATE = "must be a finite number, or a frozen record with __call__(step)"
BOOLEAN = "must be True or False"
OPTIMIZER = "must be an optimizer such as Adam()"
MONITOR = "must be one of None, 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'val_r2'"
ACTIVATION = (
    "must be one of elu, exp, gelu, identity, leaky_relu, relu, sigmoid, silu, softmax, softplus, step, tanh, "
    "or a frozen record with value and vjp"
)
INITIALIZER = (
    "must be one of glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform, orthogonal, "
    "zeros, or a frozen record with draw"
)

NEEDED: dict[Callable[..., Any], dict[str, Any]] = {
    fnn.ScaledNormal: {"std": 0.1},
    fnn.Dropout: {"rate": 0.5},
    fnn.GaussianNoise: {"std": 0.5},
    fnn.Uniform: {"low": -1.0, "high": 2.0},
    fnn.TruncatedNormal: {"std": 0.1},
    fnn.Average: {"decay": 0.9},
    fnn.Constant: {"learning_rate": 0.1},
    fnn.StepDecay: {"learning_rate": 0.1, "factor": 0.5, "every": 2},
    fnn.ExponentialDecay: {"learning_rate": 0.1, "factor": 0.5},
    fnn.Polynomial: {"learning_rate": 0.1, "steps": 10},
    fnn.Warmup: {"learning_rate": 0.1, "steps": 10},
    fnn.CosineRestarts: {"learning_rate": 0.1, "steps": 10},
    fnn.OneCycle: {"learning_rate": 0.1, "steps": 10},
    fnn.Join: {"schedules": (fnn.Constant(0.1), fnn.Constant(0.2)), "at": (5,)},
    fnn.Dense: {"units": 2},
    fnn.Cosine: {"learning_rate": 0.1, "steps": 10},
    fnn.Key: {"seed": 0, "epoch": 0, "batch": 0},
    fnn.Network: {"inputs": 2, "layers": (fnn.Dense(2),), "loss": "mse"},
    fnn.Recipe: {"network": fnn.mlp(2, 2)},
}

IN_STEPS = (fnn.ExponentialDecay, fnn.Polynomial, fnn.Warmup, fnn.Cosine, fnn.CosineRestarts)
ADAMS = (fnn.Adam, fnn.AdamW, fnn.NAdam, fnn.AMSGrad)
OPTIMIZERS = (fnn.SGD, fnn.Momentum, fnn.RMSProp, fnn.AdaGrad, fnn.Lion, *ADAMS)

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
    (fnn.BinaryCrossEntropy, "summed", 1, TypeError, BOOLEAN),
    (fnn.BinaryCrossEntropy, "summed", "sum", TypeError, BOOLEAN),
    (fnn.ScaledNormal, "std", -0.5, ValueError, AT_LEAST_0),
    (fnn.ScaledNormal, "std", True, TypeError, AT_LEAST_0),
    (fnn.TruncatedNormal, "std", -0.5, ValueError, AT_LEAST_0),
    (fnn.TruncatedNormal, "std", INF, ValueError, AT_LEAST_0),
    (fnn.TruncatedNormal, "std", "wide", TypeError, AT_LEAST_0),
    (fnn.Uniform, "low", -INF, ValueError, ANY),
    (fnn.Uniform, "low", None, TypeError, ANY),
    (fnn.Uniform, "low", True, TypeError, ANY),
    (fnn.Uniform, "high", NAN, ValueError, ANY),
    (fnn.Uniform, "high", "1", TypeError, ANY),
    (fnn.Uniform, "high", -1.5, ValueError, "must be at least `low`, -1.0"),
    (fnn.Orthogonal, "gain", -1, ValueError, AT_LEAST_0),
    (fnn.Orthogonal, "gain", None, TypeError, AT_LEAST_0),
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
    (fnn.GaussianNoise, "std", -0.1, ValueError, AT_LEAST_0),
    (fnn.GaussianNoise, "std", NAN, ValueError, AT_LEAST_0),
    (fnn.GaussianNoise, "std", None, TypeError, AT_LEAST_0),
    (fnn.GaussianNoise, "activation", "noise", ValueError, ACTIVATION),
    (fnn.BatchNorm, "activation", 0.1, TypeError, ACTIVATION),
    (fnn.BatchNorm, "activation", "norm", ValueError, ACTIVATION),
    (fnn.BatchNorm, "momentum", 0, ValueError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "momentum", 1.01, ValueError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "momentum", "relu", TypeError, ABOVE_0_TO_1),
    (fnn.BatchNorm, "epsilon", 0.0, ValueError, ABOVE_0),
    (fnn.BatchNorm, "epsilon", None, TypeError, ABOVE_0),
    (fnn.LayerNorm, "activation", None, TypeError, ACTIVATION),
    (fnn.LayerNorm, "activation", "norm", ValueError, ACTIVATION),
    (fnn.LayerNorm, "epsilon", 0, ValueError, ABOVE_0),
    (fnn.LayerNorm, "epsilon", "1e-5", TypeError, ABOVE_0),
    (fnn.Average, "decay", 0, ValueError, ABOVE_0_TO_1),
    (fnn.Average, "decay", 1.001, ValueError, ABOVE_0_TO_1),
    (fnn.Average, "decay", NAN, ValueError, ABOVE_0_TO_1),
    (fnn.Average, "decay", None, TypeError, ABOVE_0_TO_1),
    (fnn.Constant, "learning_rate", -0.1, ValueError, AT_LEAST_0),
    (fnn.Constant, "learning_rate", "fast", TypeError, AT_LEAST_0),
    *[
        (schedule, *case)
        for schedule in (
            fnn.StepDecay,
            fnn.ExponentialDecay,
            fnn.Polynomial,
            fnn.Warmup,
            fnn.Cosine,
            fnn.CosineRestarts,
        )
        for case in [
            ("learning_rate", -0.1, ValueError, AT_LEAST_0),
            ("learning_rate", INF, ValueError, AT_LEAST_0),
            ("learning_rate", fnn.Adam, TypeError, AT_LEAST_0),
            ("learning_rate", fnn.Constant(0.1), TypeError, AT_LEAST_0),
        ]
    ],
    *[
        (schedule, "steps", *case)
        for schedule in IN_STEPS
        for case in [(0, ValueError, FROM_1), (10.0, TypeError, FROM_1), (True, TypeError, FROM_1)]
    ],
    *[
        (schedule, "final", *case)
        for schedule in (fnn.Polynomial, fnn.Cosine, fnn.CosineRestarts)
        for case in [
            (-1, ValueError, AT_LEAST_0),
            (NAN, ValueError, AT_LEAST_0),
            (0.2, ValueError, AT_MOST),
            (None, TypeError, AT_LEAST_0),
        ]
    ],
    (fnn.StepDecay, "factor", 0, ValueError, ABOVE_0_TO_1),
    (fnn.StepDecay, "factor", 1.5, ValueError, ABOVE_0_TO_1),
    (fnn.StepDecay, "factor", None, TypeError, ABOVE_0_TO_1),
    (fnn.StepDecay, "every", 0, ValueError, FROM_1),
    (fnn.StepDecay, "every", 2.0, TypeError, FROM_1),
    (fnn.ExponentialDecay, "factor", 0.0, ValueError, ABOVE_0_TO_1),
    (fnn.ExponentialDecay, "factor", "half", TypeError, ABOVE_0_TO_1),
    (fnn.Polynomial, "power", 0, ValueError, ABOVE_0),
    (fnn.Polynomial, "power", None, TypeError, ABOVE_0),
    (fnn.Cosine, "warmup_steps", -1, ValueError, FROM_0),
    (fnn.Cosine, "warmup_steps", 10, ValueError, "must be below `steps`, which is 10"),
    (fnn.Cosine, "warmup_steps", 0.5, TypeError, FROM_0),
    (fnn.CosineRestarts, "growth", 0, ValueError, FROM_1),
    (fnn.CosineRestarts, "growth", 1.5, TypeError, FROM_1),
    (fnn.OneCycle, "learning_rate", 0, ValueError, ABOVE_0),
    (fnn.OneCycle, "learning_rate", None, TypeError, ABOVE_0),
    (fnn.OneCycle, "steps", 1, ValueError, "must be an integer of at least 2"),
    (fnn.OneCycle, "steps", 10.0, TypeError, "must be an integer of at least 2"),
    (fnn.OneCycle, "rise", -0.1, ValueError, WITHIN_1),
    (fnn.OneCycle, "rise", 0, ValueError, WITHIN_1),
    (fnn.OneCycle, "rise", 1, ValueError, WITHIN_1),
    (fnn.OneCycle, "rise", 1.5, ValueError, WITHIN_1),
    (fnn.OneCycle, "rise", None, TypeError, WITHIN_1),
    *[
        (fnn.OneCycle, name, *case)
        for name in ("initial", "final")
        for case in [
            (-0.1, ValueError, AT_LEAST_0),
            (0.2, ValueError, AT_MOST),
            (INF, ValueError, AT_LEAST_0),
            ("0", TypeError, AT_LEAST_0),
        ]
    ],
    (fnn.Join, "schedules", fnn.Constant(0.1), TypeError, SCHEDULES),
    (fnn.Join, "schedules", (0.1, 0.2), TypeError, SCHEDULES),
    (fnn.Join, "schedules", (fnn.Constant(0.1), fnn.Relu()), TypeError, SCHEDULES),
    (fnn.Join, "schedules", None, TypeError, SCHEDULES),
    (fnn.Join, "at", 5, TypeError, STARTS),
    (fnn.Join, "at", (0,), TypeError, STARTS),
    (fnn.Join, "at", (5.0,), TypeError, STARTS),
    (fnn.Join, "at", (True,), TypeError, STARTS),
    (fnn.Join, "at", (), ValueError, "must be 1 rising steps, one fewer than `schedules`"),
    (fnn.Join, "at", (5, 9), ValueError, "must be 1 rising steps, one fewer than `schedules`"),
    *[
        (optimizer, *case)
        for optimizer in OPTIMIZERS
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
    (fnn.Momentum, "momentum", 1.001, ValueError, TO_1),
    (fnn.Momentum, "momentum", -0.1, ValueError, TO_1),
    (fnn.Momentum, "momentum", NAN, ValueError, TO_1),
    (fnn.Momentum, "momentum", "heavy", TypeError, TO_1),
    (fnn.Momentum, "nesterov", 1, TypeError, BOOLEAN),
    (fnn.Momentum, "nesterov", None, TypeError, BOOLEAN),
    (fnn.RMSProp, "decay", 1, ValueError, BELOW_1),
    (fnn.RMSProp, "decay", None, TypeError, BELOW_1),
    *[
        (optimizer, *case)
        for optimizer in (*ADAMS, fnn.Lion)
        for case in [
            ("beta1", 1.0, ValueError, BELOW_1),
            ("beta1", "0.9", TypeError, BELOW_1),
            ("beta2", -0.1, ValueError, BELOW_1),
            ("beta2", 1, ValueError, BELOW_1),
        ]
    ],
    *[
        (optimizer, "epsilon", *case)
        for optimizer in (*ADAMS, fnn.RMSProp, fnn.AdaGrad)
        for case in [(0, ValueError, ABOVE_0), (None, TypeError, ABOVE_0)]
    ],
    *[(optimizer, "corrected_epsilon", value, TypeError, BOOLEAN) for optimizer in ADAMS for value in (0, None)],
    *[
        (optimizer, "weight_decay", *case)
        for optimizer in (fnn.AdamW, fnn.Lion)
        for case in [(-0.01, ValueError, AT_LEAST_0), (None, TypeError, AT_LEAST_0)]
    ],
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
    (fnn.Network, "spread_penalties", 1, TypeError, BOOLEAN),
    (fnn.Network, "spread_penalties", None, TypeError, BOOLEAN),
    (fnn.Recipe, "optimizer", None, TypeError, OPTIMIZER),
    (fnn.Recipe, "optimizer", "adam", TypeError, OPTIMIZER),
    (fnn.Recipe, "optimizer", fnn.Relu(), TypeError, OPTIMIZER),
    (fnn.Recipe, "batch_size", 0, ValueError, FROM_1),
    (fnn.Recipe, "batch_size", 1.5, TypeError, FROM_1),
    (fnn.Recipe, "batch_size", True, TypeError, FROM_1),
    (fnn.Recipe, "seed", -1, ValueError, WORD),
    (fnn.Recipe, "seed", 2**64, ValueError, "must be an integer from 0 to 2**64 - 1"),
    (fnn.Recipe, "seed", 2**64 + 1, ValueError, WORD),
    (fnn.Recipe, "seed", None, TypeError, WORD),
    (fnn.Recipe, "monitor", "acc", ValueError, MONITOR),
    (fnn.Recipe, "monitor", ["loss"], ValueError, MONITOR),
    (fnn.Recipe, "shuffle", 1, TypeError, BOOLEAN),
    (fnn.Recipe, "shuffle", None, TypeError, BOOLEAN),
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
        "Confusion",
        "Diagnosis",
        "EpochRecord",
        "Evaluation",
        "Finding",
        "GradientCheck",
        "LayerHealth",
        "Layout",
        "RegressionReport",
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
    (fnn.Network, "loss", "Poisson", LOSS, "poisson"),
]


@pytest.mark.parametrize(("spec", "name", "value", "rule", "meant"), CLOSE)
def test_close_names(spec: Callable[..., Any], name: str, value: str, rule: str, meant: str) -> None:
    message = f"{spec.__name__}: `{name}` {rule}, got {value!r}. Did you mean {meant!r}?"
    refused(ValueError, message, spec, **{**NEEDED.get(spec, {}), name: value})
