"""Specs as dictionaries and as text, and back: equal, to the last bit, or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.stand_ins import exactly
from tests.test_checks import PARAMS, refused

NETWORK = fnn.Network(
    4, (fnn.Dropout(0.1), fnn.Dense(3, fnn.Elu(0.1), l2=5e-324), fnn.LayerNorm("tanh"), fnn.Dense(2, "softmax")),
    loss=fnn.CrossEntropy(0.1), input_scale=1 / 255,
)  # fmt: skip

# One of each public spec, with settings that are not the defaults where it has any.
SPECS: list[Any] = [
    *(fnn.Identity(), fnn.Step(), fnn.Sigmoid(), fnn.Tanh(), fnn.Relu(), fnn.Silu(), fnn.Gelu(), fnn.Softplus()),
    *(fnn.Softmax(), fnn.LeakyRelu(1 / 3), fnn.Elu(0.1), fnn.Exp()),
    *(fnn.MSE(), fnn.SquaredError(), fnn.MAE(), fnn.Huber(0.3), fnn.Poisson(), fnn.CrossEntropy(0.1)),
    fnn.BinaryCrossEntropy(summed=True),
    *(fnn.Zeros(), fnn.HeNormal(), fnn.HeUniform(), fnn.GlorotNormal(), fnn.GlorotUniform()),
    *(fnn.LecunNormal(), fnn.LecunUniform(), fnn.Orthogonal(2**0.5), fnn.ScaledNormal(5e-324)),
    *(fnn.Uniform(-0.1, 1.7976931348623157e308), fnn.TruncatedNormal(0.02)),
    *(fnn.Dense(3, "relu", "he_uniform", fnn.ScaledNormal(0.1), 1e-9, 0.1, 3), fnn.Dropout(1 / 3)),
    fnn.GaussianNoise(0.3, "relu"),
    *(fnn.BatchNorm("relu", 0.3, 1e-3), fnn.LayerNorm("relu", 1e-3)),
    *(fnn.Constant(0.1), fnn.StepDecay(0.1, 0.3, 7), fnn.ExponentialDecay(0.1, 0.3, 7), fnn.Warmup(0.1, 2**60)),
    *(fnn.Polynomial(0.1, 7, 0.9, 0.01), fnn.Cosine(0.1, 7, 3, 0.01), fnn.CosineRestarts(0.1, 7, 2, 0.01)),
    *(fnn.OneCycle(0.1, 7, 0.25, 0.05), fnn.Join((fnn.Warmup(0.1, 3), fnn.Cosine(0.1, 7)), (3,))),
    *(fnn.SGD(0.3), fnn.Momentum(0.1, 0.3, True), fnn.RMSProp(0.1, clip_norm=1 / 3), fnn.AdaGrad(clip_value=0.1)),
    *(fnn.Adam(fnn.Cosine(0.1, 7), 0.7), fnn.AdamW(weight_decay=0.1), fnn.NAdam(0.1), fnn.AMSGrad(0.1)),
    fnn.Adam(corrected_epsilon=False),
    *(fnn.Lion(weight_decay=0.1), fnn.Average(0.999)),
    *(NETWORK, fnn.Recipe(NETWORK, fnn.Adam(fnn.OneCycle(0.1, 9)), None, 2**60, "val_accuracy")),
    *(attrs.evolve(NETWORK, spread_penalties=True), fnn.Recipe(NETWORK, shuffle=False)),
]
NO_SPECS = {"Address", "Key", "Layout", "Shapes"}  # addresses
NO_SPECS |= {"Confusion", "Diagnosis", "Finding", "LayerHealth"}
NO_SPECS |= {"EpochRecord", "Evaluation", "GradientCheck", "Summary", "ClassificationReport", "RegressionReport"}


def back(spec: Any, *own: type) -> Any:
    """The spec through JSON: the same value, of the same class, with the same bits."""
    again = fnn.from_dict(json.loads(json.dumps(fnn.to_dict(spec))), *own)
    assert again == spec
    assert type(again) is type(spec)
    assert hash(again) == hash(spec)
    assert repr(again) == repr(spec)  # which shows every digit of a float, and the types
    assert fnn.digest(again) == fnn.digest(spec)
    return again


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_there_and_back(spec: Any) -> None:
    back(spec)
    assert fnn.from_dict(fnn.to_dict(spec)) == spec  # without JSON too
    needed = [getattr(spec, field.name) for field in attrs.fields(type(spec)) if field.default is attrs.NOTHING]
    assert repr(type(spec)(*needed)) == f"{type(spec).__name__}({', '.join(map(repr, needed))})"  # no default is shown


def test_every_public_spec_is_above() -> None:
    public = {getattr(fnn, name) for name in fnn.__all__ if name not in NO_SPECS}
    kinds = {kind for kind in public if isinstance(kind, type) and attrs.has(kind) and not issubclass(kind, fnn.State)}
    assert {type(spec) for spec in SPECS} == kinds


@pytest.mark.parametrize("value", [0.1, 1 / 255, 5e-324, 1.7976931348623157e308, -0.1, 2.0**60 + 256])
def test_floats_bit_for_bit(value: float) -> None:
    network = attrs.evolve(NETWORK, input_scale=value)
    assert back(network).input_scale.hex() == value.hex()


# Random networks and recipes.

shares = st.floats(0, 1, exclude_max=True)
positive = st.floats(5e-324, 1e300)
activations = st.one_of(
    st.sampled_from(["tanh", "relu", "gelu", "silu", "softplus", "exp", "identity"]),
    st.builds(fnn.LeakyRelu, shares),
    st.builds(fnn.Elu, positive),
)
initializers = st.one_of(
    st.sampled_from(["he_normal", "lecun_uniform", "zeros"]),
    st.builds(fnn.ScaledNormal, positive),
    st.builds(fnn.TruncatedNormal, positive),
    st.builds(fnn.Uniform, st.floats(-1, 0), st.floats(0, 1)),
)
layers = st.lists(
    st.one_of(
        st.builds(
            fnn.Dense,
            st.integers(1, 2**40),
            activations,
            st.none() | initializers,
            initializers,
            l1=positive,
            l2=shares,
            max_norm=st.none() | positive,
        ),
        st.builds(fnn.Dropout, shares),
        st.builds(fnn.GaussianNoise, positive, activations),
        st.builds(fnn.BatchNorm, activations, positive.map(lambda value: min(value, 1.0)), positive),
        st.builds(fnn.LayerNorm, activations, epsilon=positive),
    ),
    max_size=4,
)
heads = st.sampled_from(
    [
        (fnn.Softmax(), fnn.CrossEntropy(0.1)),
        ("sigmoid", "binary_cross_entropy"),
        ("sigmoid", fnn.BinaryCrossEntropy(summed=True)),
        ("exp", "poisson"),
        ("identity", fnn.Huber(1 / 3)),
    ]
)
rates = st.one_of(
    positive,
    st.builds(fnn.StepDecay, positive, st.floats(0.1, 1), st.integers(1, 2**60)),
    st.builds(lambda rate, n: fnn.Join((fnn.Warmup(rate, n), fnn.Cosine(rate, n)), (n,)), positive, st.integers(1, 99)),
)
optimizers = st.one_of(
    st.builds(fnn.Momentum, rates, shares, st.booleans(), clip_norm=st.none() | positive),
    st.builds(fnn.Adam, rates, shares, clip_value=st.none() | positive, corrected_epsilon=st.booleans()),
    st.builds(fnn.Lion, rates, weight_decay=positive),
)


@st.composite
def networks(draw: Any) -> fnn.Network:
    output, loss = draw(heads)
    head = fnn.Dense(draw(st.integers(2, 9)), output)
    scale = draw(st.floats(-1e300, 1e300).filter(bool))
    return fnn.Network(draw(st.integers(1, 2**60)), (*draw(layers), head), loss, scale, draw(st.booleans()))


recipes = st.builds(
    fnn.Recipe,
    networks(),
    optimizers,
    st.none() | st.integers(1, 2**60),
    st.integers(0, 2**64 - 1),
    st.sampled_from([None, "loss", "val_loss"]),
    st.booleans(),
)


@given(st.one_of(networks(), recipes))
@settings(deadline=None)
def test_random_ones_there_and_back(spec: Any) -> None:
    back(spec)
    assert eval(repr(spec), vars(fnn)) == spec


# Their text.


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (fnn.Dense(3), "Dense(3)"),
        (fnn.Dense(3, "relu", max_norm=2), "Dense(3, activation=Relu(), max_norm=2.0)"),
        (fnn.BatchNorm(), "BatchNorm()"),
        (fnn.LayerNorm("tanh", 1e-3), "LayerNorm(activation=Tanh(), epsilon=0.001)"),
        (
            NETWORK,
            "Network(4, (Dropout(0.1), Dense(3, activation=Elu(alpha=0.1), l2=5e-324), LayerNorm(activation=Tanh()), "
            "Dense(2, activation=Softmax())), CrossEntropy(label_smoothing=0.1), input_scale=0.00392156862745098)",
        ),
        (fnn.Network(2, (fnn.Dropout(0.5),), "mse"), "Network(2, (Dropout(0.5),), MSE())"),
        (
            fnn.Network(2, (fnn.Dense(1, "exp", l2=0.1),), "poisson", spread_penalties=True),
            "Network(2, (Dense(1, activation=Exp(), l2=0.1),), Poisson(), spread_penalties=True)",
        ),
        (fnn.BinaryCrossEntropy(), "BinaryCrossEntropy()"),
        (fnn.BinaryCrossEntropy(summed=True), "BinaryCrossEntropy(summed=True)"),
        (
            fnn.Recipe(fnn.mlp(2, 2), fnn.SGD(0.1), None, seed=1),
            "Recipe(Network(2, (Dense(2, activation=Softmax()),), CrossEntropy()), optimizer=SGD(learning_rate=0.1), "
            "batch_size=None, seed=1)",
        ),
        (fnn.Recipe(fnn.mlp(2, 2)), "Recipe(Network(2, (Dense(2, activation=Softmax()),), CrossEntropy()))"),
    ],
)
def test_text(spec: Any, text: str) -> None:
    assert repr(spec) == text
    assert eval(text, vars(fnn)) == spec


def test_the_whole_dictionary() -> None:
    assert fnn.to_dict(fnn.mlp(2, 1, output="identity", loss="mse")) == {
        "spec": "Network",
        "inputs": 2,
        "layers": [
            {
                "spec": "Dense",
                "units": 1,
                "activation": {"spec": "Identity"},
                "weight_init": None,
                "bias_init": {"spec": "Zeros"},
                "l1": 0.0,
                "l2": 0.0,
                "max_norm": None,
            }
        ],
        "loss": {"spec": "MSE"},
        "input_scale": 1.0,
        "spread_penalties": False,
    }


# A user's own.


@attrs.frozen
class Swish:
    beta: float = 1.0

    def value(self, z: Any) -> Any:
        return z / (1 + np.exp(-self.beta * z))

    def vjp(self, z: Any, a: Any, da: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Bumps:
    heights: tuple[float, ...]
    then: Any = None

    def __call__(self, step: int) -> float:
        return self.heights[step % len(self.heights)]


OWN = fnn.Recipe(
    fnn.Network(2, (fnn.Dense(3, Swish(0.1)), fnn.Dense(2, "softmax")), "cross_entropy"),
    fnn.Adam(fnn.Join((fnn.Constant(0.1), Bumps((0.1, 1 / 3), fnn.Warmup(0.1, 3))), (5,))),
)


def test_a_users_own_by_class() -> None:
    again = back(OWN, Swish, Bumps)
    assert type(again.network.layers[0].activation) is Swish
    assert type(again.optimizer.learning_rate.schedules[1]) is Bumps
    assert back(Swish(), Swish, Bumps) == Swish()
    assert back(Bumps((0.1,)), Bumps).then is None
    assert eval(repr(OWN.network), {**vars(fnn), "Swish": Swish}) == OWN.network


UNKNOWN = "`value` must have under 'spec' the name of a known class"
CLASSES = "`own` must be classes of frozen records of one's own, each with a name that no other has"
GIVE = "Give a class of your own after `value`."


def collides() -> type:
    @attrs.frozen
    class Dense:
        units: int = 1

    return Dense


FROM: list[tuple[Any, tuple[Any, ...], type[Exception], str]] = [
    ({"spec": "Dence", "units": 3}, (), ValueError, f"{UNKNOWN}, got 'Dence'. {GIVE}"),
    ({"units": 3}, (), ValueError, f"{UNKNOWN}, got None. {GIVE}"),
    ({}, (), ValueError, f"{UNKNOWN}, got None. {GIVE}"),
    ({"spec": "Swish"}, (), ValueError, f"{UNKNOWN}, got 'Swish'. {GIVE}"),
    ({"spec": "Swish"}, (Bumps,), ValueError, f"{UNKNOWN}, got 'Swish'. {GIVE}"),
    ({"spec": "AdamState"}, (), ValueError, f"{UNKNOWN}, got 'AdamState'. {GIVE}"),
    ({"spec": "TrainState"}, (), ValueError, f"{UNKNOWN}, got 'TrainState'. {GIVE}"),
    ({"spec": "Schedule"}, (), ValueError, f"{UNKNOWN}, got 'Schedule'. {GIVE}"),
    ({"spec": "Elu", "alpha": {"spec": "Swoosh"}}, (), ValueError, f"{UNKNOWN}, got 'Swoosh'. {GIVE}"),
    ({"spec": "Dropout", "rate": 0.5, "p": 1}, (), ValueError,
     "`value` must have settings of Dropout only, rate, got 'p'."),
    ({"spec": "Relu", "slope": 1}, (), ValueError,
     "`value` must have settings of Relu only, of which there are none, got 'slope'."),
    ({"spec": "Dropout"}, (collides(),), TypeError,
     f"{CLASSES}, got <class 'tests...ocals>.Dense'>. fnn has one of that name too."),
    ({"spec": "Dropout"}, (Swish(),), TypeError, f"{CLASSES}, got Swish(beta=1.0)."),
    ({"spec": "Dropout"}, ("Swish",), TypeError, f"{CLASSES}, got 'Swish'."),
]  # fmt: skip


@pytest.mark.parametrize(("value", "own", "error", "message"), FROM)
def test_from_dict_refuses(value: Any, own: tuple[Any, ...], error: type[Exception], message: str) -> None:
    refused(error, f"from_dict: {message}", fnn.from_dict, value, *own)


@attrs.frozen
class Holds:
    thing: Any


@attrs.define
class Thawed:
    rate: float = 0.1


NO_SPEC = "`spec` must be a spec such as Adam(), got"
FINITE = "`spec` must hold finite numbers, got"
TO: list[tuple[Any, type[Exception], str]] = [
    (3, TypeError, f"{NO_SPEC} 3."),
    ("relu", TypeError, f"{NO_SPEC} 'relu'."),
    (None, TypeError, f"{NO_SPEC} None."),
    ((fnn.Relu(),), TypeError, f"{NO_SPEC} (Relu(),)."),
    (fnn.Relu, TypeError, f"{NO_SPEC} <class 'fnn.activations.Relu'>."),
    (Thawed(), TypeError, f"{NO_SPEC} Thawed(rate=0.1)."),
    (PARAMS, TypeError, f"{NO_SPEC} Params(21 flo...s in 2 layers)."),
    (Holds(np.ones(2)), TypeError, f"{NO_SPEC} an array of float64 with shape (2,)."),
    (Holds([0.1]), TypeError, f"{NO_SPEC} [0.1]."),
    (Holds(float("inf")), ValueError, f"{FINITE} inf."),
    (Holds((0.1, float("nan"))), ValueError, f"{FINITE} nan."),
    (Holds(Holds(-float("inf"))), ValueError, f"{FINITE} -inf."),
]


@pytest.mark.parametrize(("spec", "error", "message"), TO)
def test_to_dict_refuses(spec: Any, error: type[Exception], message: str) -> None:
    refused(error, f"to_dict: {message}", fnn.to_dict, spec)


def test_a_setting_that_is_not_there_is_the_default() -> None:
    assert fnn.from_dict({"spec": "Adam"}) == fnn.Adam()
    assert fnn.from_dict({"spec": "Dense", "units": 3}) == fnn.Dense(3)
    assert fnn.from_dict({"spec": "Dense", "units": 3, "activation": "relu"}) == fnn.Dense(3, "relu")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rate", 1.5, "Dropout: `rate` must be a number in [0, 1), got 1.5."),
        ("rate", "0.5", "Dropout: `rate` must be a number in [0, 1), got '0.5'."),
        ("rate", [0.5], "Dropout: `rate` must be a number in [0, 1), got (0.5,)."),
    ],
)
def test_a_value_edited_by_hand_meets_the_specs_own_check(name: str, value: Any, message: str) -> None:
    edited = fnn.to_dict(fnn.Network(2, (fnn.Dropout(0.5), fnn.Dense(1)), "mse"))
    edited["layers"][0][name] = value
    with pytest.raises((TypeError, ValueError), match=exactly(message)):
        fnn.from_dict(edited)


def test_a_class_named_as_ours_has_no_dictionary() -> None:
    @attrs.frozen
    class Tanh:
        pass

    @attrs.frozen
    class Own:
        spec: int = 1

    for own in (Tanh(), Own()):
        refused(
            ValueError,
            f"to_dict: `spec` must not have the name of one of fnn's, nor a setting named 'spec', got {own!r}.",
            fnn.to_dict, own,
        )  # fmt: skip
    for abstract in ("Descent", "TwoMoments"):
        with pytest.raises(ValueError, match="the name of a known class"):
            fnn.from_dict({"spec": abstract, "learning_rate": 0.1})
    message = "from_dict: `value` must have every setting of Dense that has no default, got none for 'units'."
    refused(ValueError, message, fnn.from_dict, {"spec": "Dense"})
