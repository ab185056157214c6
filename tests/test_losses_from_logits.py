"""The losses that are computed from logits, against 120-digit decimals: through a network that is given its logits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.arrays import Floats
from fnn.losses import Loss
from tests.decimals import Formula, Row, decimals, mean, slopes, summed, total


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 120
        yield


def from_logits(loss: Loss, z: Sequence[float], y: Any, dtype: Any = np.float64) -> tuple[float, Floats]:
    """The loss of one row and its derivative by the logits, which are given: the weights are the unit matrix."""
    output: Any = {fnn.CrossEntropy: "softmax", fnn.Poisson: "exp"}.get(type(loss), "sigmoid")
    network = fnn.Network(len(z), (fnn.Dense(len(z), output),), loss=loss)
    params = fnn.pack_params(network, [np.eye(len(z)), np.zeros(len(z))], dtype=dtype)
    value, g = fnn.loss_and_grads(network, params, [z], [y])
    assert g.dtype == dtype
    return value, g[0].bias


def after_softmax(smoothing: float) -> Formula:
    s = Decimal(smoothing)

    def formula(z: Row, y: Row) -> Decimal:
        # the sum over i of t_i ln(sum over j of exp(z_j - z_i)): no term cancels another
        sums = (((1 - s) * t + s / len(z), [v - own for v in z]) for own, t in zip(z, y, strict=True))
        return total(t * total(v.exp() for v in shifted).ln() for t, shifted in sums if t)

    return formula


def _binary(z: Decimal, y: Decimal) -> Decimal:
    return y * (1 + (-z).exp()).ln() + (1 - y) * (1 + z.exp()).ln()


after_sigmoid = mean(_binary)
after_exp = summed(lambda z, y: z.exp() - y + (y * (y.ln() - z) if y else 0))

Rows = list[tuple[list[float], list[float]]]
SOFTMAX: Rows = [
    ([1.0, 2.0, 3.0], [0.0, 1.0, 0.0]),
    ([1e4, 0.0, -1e4], [0.0, 0.0, 1.0]),
    ([1e4, 1e4 - 1, 1e4 + 0.5], [1.0, 0.0, 0.0]),
    ([-1e4, -1e4 + 1e-9, 700.0], [0.0, 0.0, 1.0]),
    ([0.0, 70.0], [1.0, 0.0]),
    ([30.0, 0.5, -1.0], [0.25, 0.625, 0.125]),
    ([1.0, 2.0, 4.0], [0.5, 0.25, 0.25048828125]),  # almost 1
    ([0.0, 70.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]),
]
SOFTMAX_SURE: Rows = [
    ([70.0, 0.0, 0.5], [1.0, 0.0, 0.0]),  # the loss is 1e-30
    ([25.0, 0.0, 0.5], [1.0, 0.0, 0.0]),
    ([0.0, 70.0], [0.0, 1.0]),
]
SIGMOID: Rows = [
    ([0.5], [1.0]),
    ([-70.0], [0.0]),  # the loss is 1e-30
    ([1e4], [0.0]),
    ([-1e4, 1e4, 70.0], [1.0, 1.0, 0.0]),
    ([-3.0, 0.0, 2.0, 36.0], [0.25, 0.5, 0.75, 1.0]),
]
SIGMOID_SURE: Rows = [([70.0], [1.0]), ([25.0], [1.0]), ([1000.0, -1000.0], [1 - 1e-10, 1e-10])]
EXP: Rows = [
    ([0.5], [0.0]),
    ([-70.0], [0.0]),  # the loss is 4e-31
    ([-1e4], [0.0]),
    ([-50.0], [3.0]),
    ([3.0, -2.0, 0.25], [10.0, 0.0, 2.5]),
    ([20.0, 1.0], [1e3, 1e-30]),
]
NEAR: Rows = [([math.log(5)], [5.0]), ([math.log(0.3), 2.0], [0.3, 7.5]), ([1e-9, 1.0], [1.0, 0.0])]
GROUPS: list[tuple[Loss, Formula, Rows]] = [
    (fnn.CrossEntropy(), after_softmax(0.0), SOFTMAX),
    (fnn.CrossEntropy(), after_softmax(0.0), SOFTMAX_SURE),
    (fnn.CrossEntropy(0.1), after_softmax(0.1), SOFTMAX + SOFTMAX_SURE),
    (fnn.BinaryCrossEntropy(), after_sigmoid, SIGMOID),
    (fnn.BinaryCrossEntropy(), after_sigmoid, SIGMOID_SURE),
    (fnn.BinaryCrossEntropy(summed=True), summed(_binary), SIGMOID + SIGMOID_SURE),
    (fnn.Poisson(), after_exp, EXP),
]
LOGITS = [pytest.param(loss, formula, z, y, id=f"{loss}-{z}-{y}") for loss, formula, rows in GROUPS for z, y in rows]


@pytest.mark.parametrize(("loss", "formula", "rows"), GROUPS, ids=[str(group[0]) for group in GROUPS])
def test_tiny_losses(loss: Loss, formula: Formula, rows: Rows) -> None:
    for z, y in rows:
        if max(y) == 1:
            value, _ = from_logits(loss, z, y)
            assert value == pytest.approx(float(formula(decimals(z), decimals(y))), rel=1e-12, abs=0)


@pytest.mark.parametrize(("loss", "formula", "z", "y"), LOGITS)
def test_from_logits(loss: Loss, formula: Formula, z: list[float], y: list[float]) -> None:
    value, dz = from_logits(loss, z, y)
    assert value == pytest.approx(float(formula(decimals(z), decimals(y))), rel=1e-12, abs=0)
    want = np.array(slopes(formula, decimals(z), decimals(y)))
    np.testing.assert_allclose(dz, want, rtol=1e-12, atol=1e-12 * np.abs(want).max())
    single, dz = from_logits(loss, z, y, np.float32)
    z32, y32 = (decimals(np.array(row, np.float32)) for row in (z, y))
    assert single == pytest.approx(float(formula(z32, y32)), rel=1e-5, abs=0)
    if isinstance(loss, fnn.CrossEntropy) and max(y) == 1:  # the same target as a label
        label_value, label_dz = from_logits(loss, z, y.index(1.0))
        assert label_value == pytest.approx(value, rel=1e-15)
        np.testing.assert_allclose(label_dz, want, rtol=1e-12, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("z", "y"), EXP + NEAR)
def test_counts_near_what_is_expected(z: list[float], y: list[float], dtype: Any) -> None:
    """What is left there is less than the rounding of its parts."""
    value, dz = from_logits(fnn.Poisson(), z, y, dtype)
    given, counts = (decimals(np.array(row, dtype)) for row in (z, y))
    want, rounding = float(after_exp(given, counts)), float(np.finfo(dtype).eps)
    parts = np.exp(np.array(z)) + np.array(y)
    assert value == pytest.approx(want, rel=20 * rounding, abs=4.5 * rounding * parts.sum())
    slope = slopes(after_exp, given, counts)
    assert (np.abs(dz - slope) <= 20 * rounding * np.abs(slope) + 4.5 * rounding * parts).all()


def test_counts_by_hand() -> None:
    # a = 1 and 2, y = 0 and 4: 1 + (2 - 4 + 4 ln 2)
    value, dz = from_logits(fnn.Poisson(), [0.0, math.log(2)], [0, 4])
    assert value == pytest.approx(4 * math.log(2) - 1, rel=1e-15)
    np.testing.assert_allclose(dz, [1, -2], rtol=1e-15)


def test_label_smoothing_by_hand() -> None:
    # Szegedy et al. 2016, section 7: with e = 0.2 and K = 4, q' = 0.8 q + 0.05. In bits, with p = 1/2, 1/4, 1/8,
    # 1/8 and the second class true: 0.05 * 1 + 0.85 * 2 + 0.05 * 3 + 0.05 * 3 = 2.05.
    p = np.array([[1 / 2, 1 / 4, 1 / 8, 1 / 8]])
    loss, t = fnn.CrossEntropy(label_smoothing=0.2), np.array([[0.05, 0.85, 0.05, 0.05]])
    one_hot = np.array([[0.0, 1.0, 0.0, 0.0]])
    for y in (np.array([1]), np.array([1], np.uint8), one_hot):
        np.testing.assert_allclose(loss.rows(p, y), [2.05 * math.log(2)], rtol=1e-15)
        np.testing.assert_allclose(loss.vjp(p, y), -t / p, rtol=1e-15)
    targets: tuple[Any, ...] = (1, [0, 1, 0, 0], [False, True, False, False], one_hot[0])
    for target in targets:
        value, dz = from_logits(loss, np.log(p[0]).tolist(), target)
        assert value == pytest.approx(2.05 * math.log(2), rel=1e-14)
        np.testing.assert_allclose(dz, (p - t)[0], rtol=1e-14)


def test_binary_cross_entropy_is_a_mean_over_its_questions() -> None:
    # p = 1/2 and 3/4 with answers yes and no: (ln 2 + ln 4) / 2
    value, dz = from_logits(fnn.BinaryCrossEntropy(), [0.0, math.log(3)], [1, 0])
    assert value == pytest.approx(1.5 * math.log(2), rel=1e-15)
    np.testing.assert_allclose(dz, [-0.25, 0.375], rtol=1e-15)
    value, dz = from_logits(fnn.BinaryCrossEntropy(summed=True), [0.0, math.log(3)], [1, 0])
    assert value == pytest.approx(3 * math.log(2), rel=1e-15)
    np.testing.assert_allclose(dz, [-0.5, 0.75], rtol=1e-15)
