"""Activations against 900-digit decimals: the values by their formulas, the derivatives by differences."""

from __future__ import annotations

import copy
import pickle
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, get_args

import attrs
import numpy as np
import pytest
from scipy import stats

import fnn
from fnn.activations import ACTIVATIONS, Activation, ActivationName, resolve_activation
from fnn.arrays import Floats
from tests.decimals import pi
from tests.stand_ins import exactly

DIGITS = 900  # enough for differences over H at 1e300, and for 1 - sigmoid(1000)
H = Decimal("1e-330")
GRID = [0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 8.0, 20.0, 30.0, 37.0]
FAR = [1e-300, 1e-8, 350.0, 700.0, 1000.0, 1e300]
POINTS = sorted({sign * z for z in GRID + FAR for sign in (-1.0, 1.0)})


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with localcontext() as context:
        context.prec = DIGITS
        yield


def logistic(z: Decimal) -> Decimal:
    e = (-abs(z)).exp()
    return (1 if z >= 0 else e) / (1 + e)


def tanh(z: Decimal) -> Decimal:
    e = (-2 * abs(z)).exp()
    return ((1 - e) / (1 + e)).copy_sign(z)


def normal_cdf(z: Decimal) -> Decimal:
    """1/2 + exp(-z^2 / 2) / sqrt(2 pi) * the sum of z^(2k+1) / (1 * 3 * ... (2k+1)): Abramowitz and Stegun 26.2.11."""
    term = total = z
    k = 1
    while abs(term) > Decimal(10) ** -DIGITS:
        term *= z * z / (2 * k + 1)
        total, k = total + term, k + 1
    return Decimal("0.5") + (-z * z / 2).exp() * total / (2 * pi(DIGITS)).sqrt()


def gelu(z: Decimal) -> Decimal:
    if abs(z) > 39:  # here the tail, below exp(-z^2 / 2) / |z|, is 0 in float64
        return max(z, Decimal(0))
    return z * normal_cdf(z)


def softplus(z: Decimal) -> Decimal:
    return max(z, Decimal(0)) + (1 + (-abs(z)).exp()).ln()


def elu(alpha: str) -> Callable[[Decimal], Decimal]:
    return lambda z: z if z > 0 else Decimal(float(alpha)) * (z.exp() - 1)


def line(left: float) -> Callable[[Decimal], Decimal]:
    return lambda z: z if z > 0 else z * Decimal(left)


CASES: list[tuple[Activation, Callable[[Decimal], Decimal]]] = [
    (fnn.Identity(), lambda z: z),
    (fnn.Step(), lambda z: Decimal(1 if z > 0 else 0)),
    (fnn.Sigmoid(), logistic),
    (fnn.Tanh(), tanh),
    (fnn.Relu(), line(0.0)),
    (fnn.LeakyRelu(), line(0.01)),
    (fnn.LeakyRelu(0.3), line(0.3)),
    (fnn.Elu(), elu("1")),
    (fnn.Elu(0.7), elu("0.7")),
    (fnn.Gelu(), gelu),
    (fnn.Silu(), lambda z: z * logistic(z)),
    (fnn.Softplus(), softplus),
    (fnn.Exp(), Decimal.exp),
]
each_case = pytest.mark.parametrize(("f", "exact"), CASES, ids=[repr(f) for f, _ in CASES])
KINKED = (fnn.Step, fnn.Relu, fnn.LeakyRelu, fnn.Elu)


def most(f: Activation, dtype: Any = np.float64) -> float:
    """The largest z at which the value does not overflow, and a bit."""
    if isinstance(f, fnn.Exp):
        return 705.0 if dtype == np.float64 else 80.0
    return 1e301 if dtype == np.float64 else 1e30


def test_the_oracle_knows_the_normal_distribution() -> None:
    for z in (-30.0, -1.0, 0.3, 4.0):
        assert float(normal_cdf(Decimal(z))) == pytest.approx(float(stats.norm.cdf(z)), rel=1e-12)


@each_case
def test_values(f: Activation, exact: Callable[[Decimal], Decimal]) -> None:
    points = [p for p in POINTS if p < most(f)]
    z = np.array([points])
    want = [float(exact(Decimal(p))) for p in points]
    np.testing.assert_allclose(f.value(z)[0], want, rtol=1e-12, atol=0)
    fewer = [p for p in points if abs(p) < 1e30 and p < most(f, np.float32)]
    small = f.value(np.array(fewer, np.float32)[:, None])
    single = [float(exact(Decimal(float(np.float32(p))))) for p in fewer]
    assert small.dtype == np.float32
    np.testing.assert_allclose(small[:, 0], single, rtol=2e-5, atol=1e-37)


def check_derivatives(f: Activation, exact: Callable[[Decimal], Decimal], points: list[float]) -> None:
    slopes = [float((exact(Decimal(p) + H) - exact(Decimal(p) - H)) / (2 * H)) for p in points]
    z, da = np.array([points, points]), np.array([[1.0], [-2.5]]).repeat(len(points), axis=1)
    got = f.vjp(z, f.value(z), da)
    np.testing.assert_allclose(got, da * slopes, rtol=1e-12, atol=0)
    narrow = z[:, (np.abs(z[0]) < 1e3) & (z[0] < most(f, np.float32))].astype(np.float32)
    assert f.vjp(narrow, f.value(narrow), narrow).dtype == np.float32


@each_case
def test_derivatives(f: Activation, exact: Callable[[Decimal], Decimal]) -> None:
    check_derivatives(f, exact, [p for p in POINTS if abs(p) <= 2 and (p != 0 or not isinstance(f, KINKED))])


@pytest.mark.parametrize(("f", "exact"), [pytest.param(*c, id=repr(c[0])) for c in CASES])
def test_derivatives_far_out(f: Activation, exact: Callable[[Decimal], Decimal]) -> None:
    check_derivatives(f, exact, [p for p in POINTS if abs(p) > 2 and p < most(f)])


def test_from_where_on_exp_overflows() -> None:
    with np.errstate(over="ignore"):
        for dtype, last in ((np.float32, 88), (np.float64, 709)):
            assert np.isfinite(fnn.Exp().value(np.array([[last, last + 1]], dtype))).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("f", "at_0"),
    [(fnn.Step(), 0.0), (fnn.Relu(), 0.0), (fnn.LeakyRelu(0.25), 0.25), (fnn.Elu(0.75), 0.75), (fnn.Elu(), 1.0)],
)
def test_at_a_kink_the_derivative_is_the_one_from_the_left(f: Activation, at_0: float) -> None:
    z = np.array([[0.0, -0.0]])
    assert f.value(z).tolist() == [[0, 0]]
    assert f.vjp(z, f.value(z), np.array([[2.0, 2.0]])).tolist() == [[2 * at_0, 2 * at_0]]


LOGITS = [
    *([1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0], [-1e4, -1e4 - 1, -1e4 + 0.5]),
    *([1e300, 1e300, -1e300], [1e-300, -1e-300, 0.0]),
]


@pytest.mark.parametrize("logits", [*LOGITS, pytest.param([0.0, -60.0, -50.0])])
def test_softmax(logits: list[float]) -> None:
    z, da = np.array([logits]), np.array([[0.5, -1.0, 2.0]])
    powers = [(Decimal(v) - Decimal(max(logits))).exp() for v in logits]
    shares = [power / sum(powers) for power in powers]
    a = fnn.Softmax().value(z)
    np.testing.assert_allclose(a[0], [float(s) for s in shares], rtol=1e-12, atol=0)
    assert fnn.Softmax().value(z / 3).sum() == pytest.approx(1, rel=1e-15)
    # The Jacobian, entry by entry: a_i (1 - a_i) on the diagonal, -a_i a_j off it (Bridle 1990).
    slopes = [
        sum(Decimal(da[0, j]) * shares[i] * ((1 if i == j else 0) - shares[j]) for j in range(3)) for i in range(3)
    ]
    np.testing.assert_allclose(fnn.Softmax().vjp(z, a, da)[0], [float(s) for s in slopes], rtol=1e-12, atol=1e-300)


def test_softmax_is_of_each_row_alone() -> None:
    together = fnn.Softmax().value(np.array(LOGITS))
    for row, logits in zip(together, LOGITS, strict=True):
        assert row.tolist() == fnn.Softmax().value(np.array([logits]))[0].tolist()


def test_softmax_is_even_where_the_logits_are_and_does_not_see_a_shift() -> None:
    z = np.array([[0.0, 1.0, -2.0], [3.0, 3.0, 3.0]])
    a = fnn.Softmax().value(z)
    assert a[1].tolist() == [1 / 3] * 3
    for shift in (-512.0, 64.0, 1024.0):  # these sums are exact
        assert fnn.Softmax().value(z + shift).tolist() == a.tolist()
    assert fnn.Softmax().value(z.astype(np.float32)).dtype == np.float32
    one = np.array([[5.0], [-7.0]])
    assert fnn.Softmax().value(one).tolist() == [[1], [1]]
    assert fnn.Softmax().vjp(one, np.ones((2, 1)), one).tolist() == [[0], [0]]


@pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=str)
def test_nothing_is_written_into_and_shapes_stay(f: Activation) -> None:
    z, da = np.linspace(-3, 3, 12).reshape(4, 3), np.ones((4, 3))
    a = f.value(z)
    for array in (z, a, da):
        array.flags.writeable = False
    assert f.value(z).shape == f.vjp(z, a, da).shape == (4, 3)


def test_names_stand_for_records() -> None:
    assert set(get_args(ActivationName)) == set(ACTIVATIONS)
    for name in get_args(ActivationName):
        f = resolve_activation(name)
        assert type(f).__name__.lower() == name.replace("_", "")
        assert fnn.Dense(3, name) == fnn.Dense(3, f)
        assert f == type(f)()
        assert hash(f) == hash(type(f)())
        assert copy.deepcopy(f) == pickle.loads(pickle.dumps(f)) == f
    assert len(set(ACTIVATIONS.values())) == len(ACTIVATIONS)
    assert fnn.BatchNorm("tanh").activation == fnn.Tanh()
    assert f"{fnn.Relu()} {fnn.LeakyRelu(0.1)}" == "Relu() LeakyRelu(slope=0.1)"
    assert repr(fnn.Elu(alpha=2.0)) == "Elu(alpha=2.0)"
    assert fnn.LeakyRelu(0.01) == ACTIVATIONS["leaky_relu"] != fnn.LeakyRelu(0.02)


@attrs.frozen
class Cube:
    def value(self, z: Floats) -> Floats:
        return z * z * z

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return 3 * da * z * z


@dataclass(frozen=True)
class Square:
    def value(self, z: Floats) -> Floats:
        return z * z

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return 2 * da * z


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), float("inf")])
def test_settings_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"^LeakyRelu: `slope` must be .* in \[0, 1\), got "):
        fnn.LeakyRelu(value)
    with pytest.raises(ValueError, match=r"^Elu: `alpha` must be .* above 0, got "):
        fnn.Elu(min(value, 0))
    with pytest.raises(TypeError, match=r"^Elu: `alpha` must be .* above 0, got True\.$"):
        fnn.Elu(True)
    with pytest.raises(ValueError, match=r"got 'relo'\. Did you mean 'relu'\?$"):
        fnn.Dense(3, "relo")  # type: ignore[arg-type]
    for wrong in (Cube, object(), np.tanh, None):
        with pytest.raises(TypeError, match=r"^Dense: `activation` must be one of .* a frozen record with value and"):
            fnn.Dense(3, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mine", "a", "slope"), [(Cube(), 8.0, 12.0), (Square(), 4.0, 4.0)])
def test_a_users_own_goes_where_a_name_goes(mine: Activation, a: float, slope: float) -> None:
    network = fnn.mlp(1, 1, 1, activation=mine, output="identity", loss="squared_error")
    params = fnn.pack_params(network, [[[1.0]], [0.0], [[1.0]], [0.0]])
    assert fnn.forward(network, params, [[2.0]]).tolist() == [[a]]
    # squared_error's derivative at y = 0 is a; the first weight's is then a * slope * x
    assert fnn.grads(network, params, [[2.0]], [0.0])[0].weight.tolist() == [[a * slope * 2]]
    assert hash(network) == hash(fnn.mlp(1, 1, 1, activation=mine, output="identity", loss="squared_error"))
    assert fnn.BatchNorm(mine).activation is mine


class OneWay:
    def value(self, z: Floats) -> Floats:
        return z


@attrs.define
class Thawed(OneWay):
    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da


@pytest.mark.parametrize(
    ("mine", "advice"),
    [
        (attrs.frozen(OneWay)(), " It has no vjp."),
        (Thawed(), " Decorate its class with `attrs.frozen`."),
        (Cube, " Did you mean `Cube()`?"),
        (3, ""),
    ],
)
def test_what_is_missing_is_said(mine: Any, advice: str) -> None:
    rule = f"must be one of {', '.join(sorted(ACTIVATIONS))}, or a frozen record with value and vjp"
    with pytest.raises(TypeError, match=exactly(f"Dense: `activation` {rule}, got {reprlib.repr(mine)}.{advice}")):
        fnn.Dense(3, mine)


@attrs.frozen
class Returns:
    """A user's activation whose value is whatever a function makes of z."""

    of: Callable[[Floats], Any]

    def value(self, z: Floats) -> Any:
        return self.of(z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return da


@pytest.mark.parametrize(
    ("of", "shape"),
    [(lambda z: float(z.sum()), "()"), (lambda z: z[:, :1], "(3, 1)"), (lambda z: np.repeat(z, 2, axis=1), "(3, 4)")],
)
def test_what_a_users_own_returns_is_not_broadcast(of: Callable[[Floats], Any], shape: str) -> None:
    network = fnn.Network(2, (fnn.Dense(2, Returns(of)),), loss="mse")
    params, x = fnn.init_params(network, seed=0), np.ones((3, 2))
    message = exactly(f"Returns: `value(z)` must have shape (3, 2), got {shape}.")
    with pytest.raises(ValueError, match=message):
        fnn.forward(network, params, x)
    with pytest.raises(ValueError, match=message):
        fnn.loss(network, params, x, x)
