"""Dense layers in one compiled call: the bits of layer by layer, and of NumPy alone; what does not fit goes without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn import kernels
from fnn.activations import ActivationName
from fnn.arrays import Array
from fnn.losses import LossName

ENDS: list[tuple[ActivationName, LossName]] = [
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("identity", "mse"),
    ("tanh", "huber"),
    ("relu", "squared_error"),
]


def in_turn(monkeypatch: pytest.MonkeyPatch, compute: Any) -> list[Any]:
    """By NumPy alone and compiled, at once and layer by layer."""
    pytest.importorskip("numba")
    found = []
    with monkeypatch.context() as patch:
        for compiling in (False, True):
            patch.setattr(kernels, "_compiling", compiling)
            patch.setattr(kernels, "_loops", {})
            found.append(compute())
            with monkeypatch.context() as without:
                without.setattr(kernels, "stack", lambda *_: None)
                found.append(compute())
    return found


@settings(deadline=None)
@given(
    widths=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    n=st.integers(1, 40),
    end=st.sampled_from(ENDS),
    activation=st.sampled_from(["relu", "identity", "tanh"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    weighted=st.booleans(),
    shares=st.booleans(),
    l2=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 99),
)
def test_the_same_bits(
    widths: list[int],
    n: int,
    end: tuple[ActivationName, LossName],
    activation: ActivationName,
    dtype: type[Any],
    weighted: bool,
    shares: bool,
    l2: float,
    seed: int,
) -> None:
    output, loss = end
    widths[-1] += output == "softmax"
    hidden = [fnn.Dense(units, activation, l2=l2) for units in widths[1:-1]]
    network = fnn.Network(widths[0], (*hidden, fnn.Dense(widths[-1], output, l2=l2)), loss=loss)
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, widths[0]))
    y: Array = random.dirichlet(np.ones(widths[-1]), n) if widths[-1] > 1 else random.random((n, 1))
    if output == "softmax" and not shares:
        y = random.integers(0, widths[-1], n)
    w = random.random(n) + 0.1 if weighted else None
    params = fnn.init_params(network, seed, dtype)
    with pytest.MonkeyPatch.context() as patch:
        found = in_turn(patch, lambda: fnn.loss_and_grads(network, params, x, y, w))
    digests = {(value.hex(), fnn.digest(g)) for value, g in found}
    assert len(digests) == 1


def test_a_run_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    data = fnn.Dataset(random.integers(0, 256, (500, 30), dtype=np.uint8), random.integers(0, 7, 500))
    layers = (
        fnn.Dense(20, "relu"),
        fnn.BatchNorm("relu"),
        fnn.Dropout(0.3),
        fnn.Dense(9, "relu", l1=0.01, max_norm=1.0),
    )
    for network in (
        fnn.mlp(30, 20, 9, 7, input_scale=1 / 255),
        fnn.Network(30, (*layers, fnn.Dense(7, "softmax")), loss="cross_entropy", input_scale=1 / 255),
    ):
        for optimizer in (
            fnn.Adam(0.01),
            fnn.Momentum(0.1, nesterov=True),
            fnn.Lion(0.001),
            fnn.AMSGrad(clip_norm=0.1),
        ):
            runs = in_turn(monkeypatch, lambda n=network, o=optimizer: fnn.fit(n, data, optimizer=o, epochs=3))
            assert len({fnn.digest(run) for run in runs}) == 1
            assert len({run.history for run in runs}) == 1


def test_what_is_compiled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(kernels, "_compiling", True)
    x, v = np.ones((4, 3), np.float32), np.ones(99, np.float32)

    def compiled(x: Array, *widths: int) -> bool:
        stack = kernels.stack(x, v, widths, (True, False))
        assert stack is not None
        return bool(stack._gemm)

    assert compiled(x, 3, 5, 2)
    assert not compiled(np.asfortranarray(x), 3, 5, 2)
    assert not compiled(x[:1], 3, 5, 2)
    assert not compiled(x, 3, 1, 2)
    assert kernels.stack(x.astype(np.float64), v, (3, 5, 2), (True, False)) is None
    assert kernels.stack(x, v, (3, 5, 2), None) is None
    monkeypatch.setattr(kernels, "_compiling", False)
    assert not compiled(x, 3, 5, 2)


def test_which_networks_are_stacked() -> None:
    assert fnn.mlp(3, 4, 5, 2).relus == (True, True, False)
    assert fnn.mlp(3, 4, 5, 2, activation="identity").relus == (False, False, False)
    assert fnn.mlp(3, 2).relus == (False,)
    assert fnn.mlp(3, 4, 2, activation="tanh").relus is None
    relu = fnn.Dense(2, "relu")
    assert fnn.Network(3, (relu,), loss="mse").relus == (False,)
    for layer in (fnn.Dropout(0.5), fnn.BatchNorm("relu"), fnn.LayerNorm()):
        assert fnn.Network(3, (layer, relu), loss="mse").relus is None
        assert fnn.Network(3, (relu, layer), loss="mse").relus is None
