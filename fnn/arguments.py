"""What the arguments of scikit-learn's multi-layer perceptrons may be, and what they say as specs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import copy
from itertools import pairwise
from typing import Any, NamedTuple

import attrs
import numpy as np

from fnn import checks, settings
from fnn.activations import ActivationName, Softmax
from fnn.adam import Adam
from fnn.descent import Optimizer, valid_optimizer
from fnn.initializers import Uniform
from fnn.layers import Dense, Layer
from fnn.losses import Loss
from fnn.network import Network
from fnn.optimizers import Momentum
from fnn.settings import Validator

HIDDEN: dict[str, ActivationName] = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


class InvalidArgument(TypeError, ValueError):  # noqa: N818  # as scikit-learn's InvalidParameterError is both
    """An argument that is none of what it can be, of whatever type it is."""


class Head(NamedTuple):
    """What a network ends with: how many outputs, their activation, and the loss of these."""

    units: int
    activation: ActivationName
    loss: Loss


# Validators of single arguments, in the form of `fnn.settings`: they may put a plain value in the place of the given.


def by(validator: Validator) -> dict[str, Validator]:
    """The metadata of an argument that is looked at when an estimator is fitted, and not before."""
    return {"rule": validator}


def widths(spec: Any, field: Any, value: Any) -> None:
    """A validator: the widths of hidden layers, or the one of a single layer."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    several = tuple(width.item() if isinstance(width, np.generic) else width for width in several)
    for width in several:
        checks.count(type(spec).__name__, field.name, width, 1)
    setattr(spec, field.name, several)


def a_network(spec: Any, field: Any, value: Any) -> None:
    """A validator: None, a network, or its hidden layers, without y's own layer."""
    layers = tuple(value) if isinstance(value, list | tuple) else ()
    fine = layers != () or isinstance(value, Network | None)
    fine = fine and all(checks.is_record(each, ("forward",)) for each in layers)
    fine = fine and not any(isinstance(each.activation, Softmax) for each in layers[-1:])
    rule, fix = "must be a Network, a tuple of hidden layers, or None", "`(fnn.Dense(64, 'gelu'),)` is one; y ends it."
    settings.that(rule, lambda _: fine, fix)(spec, field, value)
    setattr(spec, field.name, layers or value)


OTHERS = "Others go by an optimizer: `optimizer=fnn.AdamW(fnn.Cosine(1e-2, steps=500))`."
solver = settings.one_of("lbfgs", "sgd", "adam", fix=OTHERS)
activation = settings.one_of(*HIDDEN, fix="Others go by `network=(fnn.Dense(64, 'gelu'),)`.")
schedule = settings.one_of("constant", "invscaling", "adaptive", fix=OTHERS)
batch_size = settings.or_else("auto", settings.integer(1))
loss = settings.one_of("squared_error", "poisson")
patience = settings.or_else(math.inf, settings.integer(1))
verbosity = settings.that(
    "must be True, False or an integer of at least 0",
    lambda value: isinstance(value, bool | np.bool_) or (checks.is_whole(value) and value >= 0),
)
weights = settings.that(
    "must be 'balanced', {class: weight}, a list of such for several labels, or None",
    lambda value: value == "balanced" if isinstance(value, str) else isinstance(value, Mapping | list | None),
)
a_pair = settings.that("must be (X, y) or None", lambda v: v is None or (isinstance(v, tuple | list) and len(v) == 2))
a_function = settings.that("must be a function of the state, or None", lambda value: value is None or callable(value))
a_seed = settings.that(
    "must be an integer from 0 to 2**32 - 1, a RandomState, or None",
    lambda value: isinstance(value, np.random.RandomState | None) or (checks.is_whole(value) and 0 <= value < 2**32),
)
NOT_OF_LBFGS = ("validation", "progress", "on_epoch")
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
    given = copy(estimator)
    fields = attrs.fields_dict(type(given))
    for field in (each for each in fields.values() if "rule" in each.metadata):
        try:
            field.metadata["rule"](given, field, getattr(given, field.name))
        except (TypeError, ValueError) as error:
            raise InvalidArgument(str(error)) from None
    whole = isinstance(given.network, Network) and "loss" in fields
    for spec, names in (("network", OF_NETWORK + ("loss",) * whole), ("optimizer", OF_OPTIMIZER)):
        for name in names if getattr(given, spec) is not None else ():
            _unless(given, fields[name], f"must be left out where `{spec}` is given", f"The {spec} says it.")
    for name in NOT_OF_LBFGS if uses(given, "lbfgs") else ():
        _unless(given, fields[name], "must be left out where `solver` is 'lbfgs'", "It has no epochs.")
    return given


def _unless(given: Any, field: Any, spelled: str, fix: str) -> None:
    """Refuse an argument that would be passed over, unless it is the default."""
    value = getattr(given, field.name)
    if value is not field.default and value != field.default:
        raise checks.problem(ValueError, type(given).__name__, field.name, spelled, checks.show(value), fix)


def uses(given: Any, solver: str) -> bool:
    """Whether the arguments say that solver, and no optimizer in its place."""
    return given.optimizer is None and bool(given.solver == solver)


def network_of(given: Any, inputs: int, head: Head) -> Network:
    """The network that the arguments say: its alpha is a penalty that is divided by the rows of each batch."""
    if isinstance(given.network, Network):
        network: Network = given.network
        if network.outputs != head.units:
            spelled, fix = f"must have {head.units} outputs for this y", "Its hidden layers alone get what y needs."
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
    adam = Adam(given.learning_rate_init, given.beta_1, given.beta_2, given.epsilon, corrected_epsilon=False)
    momentum = Momentum(given.learning_rate_init, given.momentum, given.nesterovs_momentum)
    optimizer: Optimizer = given.optimizer or (momentum if given.solver == "sgd" else adam)
    return optimizer
