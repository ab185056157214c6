"""What the arguments of scikit-learn's multi-layer perceptrons may be, and what they say as specs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import attrs
import numpy as np

from fnn import checks, settings
from fnn.activations import ActivationName
from fnn.adam import Adam
from fnn.descent import Optimizer, valid_optimizer
from fnn.initializers import Uniform
from fnn.layers import Dense, Layer
from fnn.losses import Loss
from fnn.network import Network
from fnn.optimizers import Momentum

Rule = Callable[[Any, Any, Any], None]
HIDDEN: dict[str, ActivationName] = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


class Head(NamedTuple):
    """What a network ends with: how many outputs, their activation, and the loss of these."""

    units: int
    activation: ActivationName
    loss: Loss


# Validators of single arguments, in the form of `fnn.settings`: they may put a plain value in the place of the given.


def rule(validator: Rule) -> dict[str, Rule]:
    """The metadata of an argument that is looked at when an estimator is fitted, and not before."""
    return {"rule": validator}


def one_of(*choices: str) -> Rule:
    """A validator: one of these words."""

    def check(spec: Any, field: Any, value: Any) -> None:
        checks.choice(type(spec).__name__, field.name, value, choices)

    return check


def widths(spec: Any, field: Any, value: Any) -> None:
    """A validator: the widths of hidden layers, or the one of a single layer."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    several = tuple(width.item() if isinstance(width, np.generic) else width for width in several)
    for width in several:
        checks.count(type(spec).__name__, field.name, width, 1)
    setattr(spec, field.name, several)


def auto_or(validator: Rule) -> Rule:
    """A validator: "auto", or what `validator` takes."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if not isinstance(value, str) or value != "auto":
            validator(spec, field, value)

    return check


def integer_or_inf(spec: Any, field: Any, value: Any) -> None:
    """A validator: an integer of at least 1, or infinity."""
    if value != math.inf:
        settings.integer(1)(spec, field, value)


def loudness(spec: Any, field: Any, value: Any) -> None:
    """A validator: True, False or an integer of at least 0."""
    if not isinstance(value, bool | np.bool_):
        settings.integer(0)(spec, field, value)


def a_network(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, a network, or its hidden layers."""
    if isinstance(value, list):
        setattr(spec, field.name, tuple(value))
    elif not isinstance(value, Network | tuple | None):
        spelled = "must be a Network, a tuple of its hidden layers, or None"
        raise checks.problem(TypeError, type(spec).__name__, field.name, spelled, checks.show(value))


def class_weights(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, "balanced", or a weight for each class."""
    if isinstance(value, tuple):
        setattr(spec, field.name, list(value))  # as they come out of a file
    elif not isinstance(value, Mapping | list | None) and (not isinstance(value, str) or value != "balanced"):
        spelled = "must be 'balanced', a dictionary {class: weight}, a list of these for each label, or None"
        raise checks.problem(ValueError, type(spec).__name__, field.name, spelled, checks.show(value))


def a_pair(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, or X and y."""
    if value is not None and (not isinstance(value, tuple | list) or len(value) != 2):
        raise checks.problem(TypeError, type(spec).__name__, field.name, "must be (X, y) or None", checks.show(value))


def a_seed(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, a seed of NumPy's legacy generator, or that generator."""
    if value is None or isinstance(value, np.random.RandomState) or value is np.random:
        return
    if not checks.is_whole(value) or not 0 <= value < 2**32:
        spelled = "must be an integer from 0 to 2**32 - 1, a RandomState, or None"
        raise checks.problem(ValueError, type(spec).__name__, field.name, spelled, checks.show(value))


def a_function(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, or what can be called."""
    if value is not None and not callable(value):
        spelled = "must be a function of the state, or None"
        raise checks.problem(TypeError, type(spec).__name__, field.name, spelled, checks.show(value))


an_optimizer = attrs.validators.optional(valid_optimizer)
OF_NETWORK = ("hidden_layer_sizes", "activation", "alpha")
OF_OPTIMIZER = (
    "solver", "learning_rate", "learning_rate_init", "power_t", "momentum", "nesterovs_momentum",
    "beta_1", "beta_2", "epsilon", "max_fun",
)  # fmt: skip


def check(estimator: Any) -> Any:
    """The estimator's arguments, as another of its kind that holds plain values; refused where one is wrong.

    So are those that would be passed over for what `network` or `optimizer` says.
    """
    given = type(estimator)(**estimator.get_params(deep=False))
    fields = attrs.fields_dict(type(given))
    for field in fields.values():
        if "rule" in field.metadata:
            field.metadata["rule"](given, field, getattr(given, field.name))
    whole = isinstance(given.network, Network) and "loss" in fields
    for spec, names in (("network", OF_NETWORK + ("loss",) * whole), ("optimizer", OF_OPTIMIZER)):
        for name in names if getattr(given, spec) is not None else ():
            value = getattr(estimator, name)
            if value is not fields[name].default and value != fields[name].default:
                spelled, fix = f"must be left out where `{spec}` is given", f"The {spec} says it."
                raise checks.problem(ValueError, type(given).__name__, name, spelled, checks.show(value), fix)
    return given


def network_of(given: Any, inputs: int, head: Head) -> Network:
    """The network that the arguments say: its alpha is a penalty that is divided by the rows of each batch."""
    if isinstance(given.network, Network):
        network: Network = given.network
        if network.outputs != head.units:
            spelled, fix = (
                f"must have {head.units} outputs for this y",
                "Its hidden layers alone would get what y needs.",
            )
            raise checks.problem(ValueError, type(given).__name__, "network", spelled, str(network.outputs), fix)
        return network
    if given.network is not None:
        layers: tuple[Layer, ...] = (*given.network, Dense(head.units, head.activation))
        return Network(inputs, layers, head.loss)
    sizes = [inputs, *given.hidden_layer_sizes, head.units]
    activations = [HIDDEN[given.activation]] * len(given.hidden_layer_sizes) + [head.activation]
    factor = 2 if given.activation == "logistic" else 6
    dense = []
    for (fan_in, fan_out), activation in zip(pairwise(sizes), activations, strict=True):
        limit = math.sqrt(factor / (fan_in + fan_out))
        drawn = Uniform(-limit, limit)  # the biases too
        dense.append(Dense(fan_out, activation, drawn, drawn, l2=given.alpha))
    return Network(inputs, tuple(dense), head.loss, spread_penalties=True)


def optimizer_of(given: Any) -> Optimizer:
    """The optimizer that the arguments say, at its first rate."""
    if given.optimizer is not None:
        optimizer: Optimizer = given.optimizer
        return optimizer
    if given.solver == "sgd":
        return Momentum(given.learning_rate_init, given.momentum, given.nesterovs_momentum)
    return Adam(given.learning_rate_init, given.beta_1, given.beta_2, given.epsilon, corrected_epsilon=False)
