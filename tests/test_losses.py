"""Losses against 120-digit decimals: the values by their formulas, the derivatives by differences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal, localcontext
from itertools import product
from typing import Any, get_args

import attrs
import numpy as np
import pytest

import fnn
from fnn.activations import ACTIVATIONS, Activation
from fnn.arrays import Array, Floats
from fnn.losses import LOSSES, Loss, LossName, resolve_loss
from tests.decimals import Formula, Row, decimals, mean, slopes, summed, total


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 120
        yield


def huber(delta: float) -> Formula:
    d = Decimal(delta)
    return mean(lambda a, y: (a - y) ** 2 / 2 if abs(a - y) <= d else d * (abs(a - y) - d / 2))


def squared_error(a: Row, y: Row) -> Decimal:
    return total((p - q) ** 2 for p, q in zip(a, y, strict=True)) / 2


REGRESSION: list[tuple[Loss, Formula]] = [
    (fnn.MSE(), mean(lambda a, y: (a - y) ** 2)),
    (fnn.SquaredError(), squared_error),
    (fnn.MAE(), mean(lambda a, y: abs(a - y))),
    (fnn.Huber(), huber(1.0)),
    (fnn.Huber(0.3), huber(0.3)),
]
A = np.array([[0.1, -2.0, 3.0], [1e-30, 0.7, -1e5], [1e10, -1e-9, 4.0]])
Y = np.array([[0.3, -2.5, 1e8], [0.0, 0.7 + 1e-12, 2.0], [-1e10, 1e-9, 0.0]])


@pytest.mark.parametrize(("loss", "formula"), REGRESSION, ids=[str(loss) for loss, _ in REGRESSION])
def test_losses_of_numbers(loss: Loss, formula: Formula) -> None:
    pairs = [(decimals(a), decimals(y)) for a, y in zip(A.tolist(), Y.tolist(), strict=True)]
    np.testing.assert_allclose(loss.rows(A, Y), [float(formula(a, y)) for a, y in pairs], rtol=1e-12, atol=0)
    np.testing.assert_allclose(loss.vjp(A, Y), [slopes(formula, a, y) for a, y in pairs], rtol=1e-12, atol=0)
    assert loss.rows(Y, Y).tolist() == [0, 0, 0]
    assert loss.vjp(Y, Y).tolist() == [[0, 0, 0]] * 3  # mae's at its kink, too


def test_hubers_two_halves_meet_at_delta() -> None:
    delta = 0.75
    loss = fnn.Huber(delta)
    sizes = np.array([[np.nextafter(delta, 0)], [delta], [np.nextafter(delta, 1)], [2.0]])
    for sign in (-1, 1):
        rows, slope = loss.rows(sign * sizes, np.zeros((4, 1))), loss.vjp(sign * sizes, np.zeros((4, 1)))
        np.testing.assert_allclose(rows, [delta**2 / 2] * 3 + [0.75 * (2 - 0.375)], rtol=1e-15)
        np.testing.assert_allclose(slope[:, 0], [sign * delta] * 4, rtol=1e-15)
    assert loss.rows(np.array([[1e300]]), np.zeros((1, 1))).tolist() == [0.75 * 1e300]  # the square is never taken


poisson = summed(lambda a, y: a - y + (y * (y / a).ln() if y else 0))


def test_the_loss_of_counts() -> None:
    a = np.array([[0.1, 2.0, 3.0], [1e-30, 0.7, 1e5], [4.0, 1e-9, 5.0], [0.7, 40.0, 1e-3]])
    y = np.array([[0.3, 0.0, 90.0], [0.0, 3.0, 2.0], [0.0, 1e-9, 1e-30], [0.7 + 1e-12, 40.0 - 1e-9, 1e-3]])
    pairs = [(decimals(p), decimals(q)) for p, q in zip(a.tolist(), y.tolist(), strict=True)]
    loss = fnn.Poisson()
    value, slope = [float(poisson(*pair)) for pair in pairs], np.array([slopes(poisson, *pair) for pair in pairs])
    # near a = y what is left is less than the rounding of its parts
    assert (np.abs(loss.rows(a, y) - value) <= 1e-12 * np.abs(value) + 1e-15 * (a + y).sum(axis=1)).all()
    assert (np.abs(loss.vjp(a, y) - slope) <= 1e-12 * np.abs(slope) + 1e-15 * (1 + y / a)).all()
    assert loss.rows(y, y).tolist() == [0, 0, 0, 0]
    assert loss.vjp(y, y).tolist() == (y == 0).astype(float).tolist()


def test_the_loss_of_counts_where_nothing_is_expected() -> None:
    a, y = np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([[0.0, 2.0], [1.0, 2.0]])
    assert fnn.Poisson().rows(a, y).tolist() == [0, math.inf]
    assert fnn.Poisson().vjp(a, y).tolist() == [[1, 0], [-math.inf, 0]]


def test_the_loss_of_counts_is_half_of_scikit_learns_deviance() -> None:
    from sklearn.metrics import mean_poisson_deviance

    rng = np.random.default_rng(0)
    network = fnn.mlp(4, 5, 1, output="exp", loss="poisson")
    params = fnn.init_params(network, 0, np.float64)
    x, y, w = rng.standard_normal((3000, 4)), rng.poisson(2.0, 3000), rng.uniform(0, 2, 3000)
    assert (y == 0).any()
    expected = mean_poisson_deviance(y, fnn.predict(network, params, x), sample_weight=w) / 2
    assert fnn.loss(network, params, x, y, w) == pytest.approx(expected, rel=1e-12)
    seen = fnn.evaluate(network, params, fnn.Dataset(x, y, w))
    assert seen.loss == pytest.approx(expected, rel=1e-12)
    assert seen.accuracy is None


@pytest.mark.parametrize(
    "loss", [fnn.CrossEntropy(), fnn.BinaryCrossEntropy(), fnn.BinaryCrossEntropy(summed=True), fnn.Poisson()]
)
def test_a_loss_of_0_is_not_negative(loss: Loss) -> None:
    a = np.array([[1.0, 0.0]])
    assert str(loss.rows(a, a).tolist()) == "[0.0]"


def cross_entropy(smoothing: float) -> Formula:
    s = Decimal(smoothing)
    return lambda a, y: -total(((1 - s) * t + s / len(a)) * p.ln() for p, t in zip(a, y, strict=True) if t or s)


def _binary(p: Decimal, t: Decimal) -> Decimal:
    return (-t * p.ln() if t else 0) - ((1 - t) * (1 - p).ln() if t != 1 else Decimal(0))


SHARES: list[tuple[Loss, Formula]] = [
    (fnn.CrossEntropy(), cross_entropy(0.0)),
    (fnn.CrossEntropy(0.1), cross_entropy(0.1)),
    (fnn.BinaryCrossEntropy(), mean(_binary)),
    (fnn.BinaryCrossEntropy(summed=True), summed(_binary)),
]


@pytest.mark.parametrize(("loss", "formula"), SHARES, ids=[str(loss) for loss, _ in SHARES])
def test_losses_of_shares(loss: Loss, formula: Formula) -> None:
    a = np.array([[0.2, 0.3, 0.5], [1e-30, 1e-9, 1 - 1e-9], [0.9, 0.05, 0.05]])
    y = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.25, 0.125, 0.625]])
    pairs = [(decimals(p), decimals(t)) for p, t in zip(a.tolist(), y.tolist(), strict=True)]
    np.testing.assert_allclose(loss.rows(a, y), [float(formula(p, t)) for p, t in pairs], rtol=1e-12, atol=0)
    np.testing.assert_allclose(loss.vjp(a, y), [slopes(formula, p, t) for p, t in pairs], rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", [fnn.CrossEntropy(), fnn.BinaryCrossEntropy(), fnn.BinaryCrossEntropy(summed=True)])
def test_losses_of_sure_outputs(loss: Loss) -> None:
    a = np.array([[1.0, 0.0]])
    assert loss.rows(a, a).tolist() == [0.0]
    assert loss.vjp(a, a)[0, 0] < 0
    assert loss.rows(a, 1 - a).tolist() == [math.inf]


@pytest.mark.parametrize(
    "loss", [*LOSSES.values(), fnn.CrossEntropy(0.1), fnn.BinaryCrossEntropy(summed=True)], ids=str
)
def test_dtypes_stay_and_nothing_is_written_into(loss: Loss) -> None:
    for dtype in (np.float32, np.float64):
        a: Floats = np.array([[0.25, 0.75], [0.5, 0.5]], dtype)
        y = np.array([[1, 0], [0, 1]], dtype)
        a.flags.writeable = y.flags.writeable = False
        assert loss.rows(a, y).dtype == loss.vjp(a, y).dtype == dtype
        assert (loss.rows(a, y).shape, loss.vjp(a, y).shape) == ((2,), (2, 2))


def test_names_stand_for_records() -> None:
    assert get_args(LossName) == tuple(LOSSES)
    for name in get_args(LossName):
        assert type(resolve_loss(name)).__name__.lower() == name.replace("_", "")
        assert resolve_loss(name) == type(resolve_loss(name))()
    assert repr(fnn.CrossEntropy(0.1)) == "CrossEntropy(label_smoothing=0.1)"
    assert repr(fnn.Huber(2.0)) == "Huber(delta=2.0)"
    assert hash(fnn.Huber(2.0)) == hash(fnn.Huber(2.0))
    assert fnn.Huber(2.0) != fnn.Huber()
    assert len(set(LOSSES.values())) == len(LOSSES)
    with pytest.raises(ValueError, match=r"^CrossEntropy: `label_smoothing` must be .* in \[0, 1\), got 1\.0\.$"):
        fnn.CrossEntropy(1.0)
    with pytest.raises(ValueError, match=r"^Huber: `delta` must be .* above 0, got 0\.$"):
        fnn.Huber(0)


@pytest.mark.parametrize(("loss", "output"), [*product(LOSSES, ACTIVATIONS)])
def test_which_pairs_a_network_refuses(loss: Any, output: Any) -> None:
    after = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exp"}
    wanted = after.get(loss, output)
    if output == wanted:
        assert fnn.mlp(3, 2, output=output, loss=loss).loss == LOSSES[loss]
        return
    with pytest.raises(ValueError, match=f"^Network: `loss` must go with a last activation of {wanted.title()}"):
        fnn.mlp(3, 2, output=output, loss=loss)


def test_other_networks_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Network: `loss` must go with a last activation of Softmax"):
        fnn.Network(3, (fnn.Dense(3, "softmax"), fnn.Dropout(0.5)), loss="cross_entropy")
    with pytest.raises(ValueError, match=r"^Network: `layers` must have at least 2 outputs"):
        fnn.mlp(3, 1)
    with pytest.raises(ValueError, match=r"^Network: `loss` .* Did you mean 'mse'\?$"):
        fnn.mlp(3, 1, output="identity", loss="mes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Network: `loss` must be one of .* a frozen record with rows and vjp"):
        fnn.mlp(3, 1, loss=fnn.Relu())  # type: ignore[arg-type]


@attrs.frozen
class Pinball:
    """The quantile loss of one output, with y as it was given (Koenker and Bassett 1978)."""

    quantile: float = 0.5

    def rows(self, a: Floats, y: Array) -> Floats:
        assert y.ndim == 1
        assert y.dtype == np.int64
        r = y - a[:, 0]
        return np.asarray(np.maximum(self.quantile * r, (self.quantile - 1) * r))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.where(y > a[:, 0], -self.quantile, 1 - self.quantile)[:, None]


@attrs.frozen
class Share:
    """Odds to probabilities, in rows."""

    def value(self, z: Floats) -> Floats:
        shares: Floats = z / z.sum(axis=1, keepdims=True)
        return shares

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        slope: Floats = (da - (da * a).sum(axis=1, keepdims=True)) / z.sum(axis=1, keepdims=True)
        return slope


@attrs.frozen
class Tempered(fnn.Softmax):
    """A softmax of its own: exp(z / 2), normalized."""

    def value(self, z: Floats) -> Floats:
        return super().value(z / 2)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return super().vjp(z / 2, a, da) / 2


def test_a_users_own_loss_goes_where_a_name_goes() -> None:
    network = fnn.Network(1, (fnn.Dense(1),), loss=Pinball(0.75))
    params = fnn.pack_params(network, [[[1.0]], [0.0]])
    y = np.array([3, 0], np.int64)  # the outputs are 1 and 2: the losses 0.75 * 2 and 0.25 * 2
    value, g = fnn.loss_and_grads(network, params, [[1.0], [2.0]], y)
    assert value == 1.0
    assert g.vector.tolist() == [(-0.75 * 1 + 0.25 * 2) / 2, (-0.75 + 0.25) / 2]


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    ("mine", "z"),
    [(Share(), [1.0, 3.0]), pytest.param(Tempered(), [0.0, math.log(9)])],
)
def test_cross_entropy_after_a_users_own_activation(mine: Activation, z: list[float], label: int) -> None:
    share = (0.25, 0.75)[label]
    # -ln share by the logit of the label: for Share -1/z + 1/(sum of z), for Tempered (share - 1) / 2
    slope = -1 / z[label] + 1 / sum(z) if isinstance(mine, Share) else (share - 1) / 2
    network = fnn.Network(2, (fnn.Dense(2, mine),), loss="cross_entropy")
    params = fnn.pack_params(network, [np.eye(2), [0, 0]])
    value, g = fnn.loss_and_grads(network, params, [z], [label])
    assert value == pytest.approx(-math.log(share), rel=1e-14)
    assert g[0].bias[label] == pytest.approx(slope, rel=1e-14)
