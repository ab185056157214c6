"""Dense layers in one compiled call: the bits of layer by layer, and of NumPy alone; what does not fit goes without."""

from __future__ import annotations

from typing import Any

import attrs
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


def test_which_losses_are_made_at_once() -> None:
    assert fnn.mlp(3, 2).plain_cross_entropy == fnn.CrossEntropy()
    smooth = fnn.Network(3, (fnn.Dense(2, "softmax"),), loss=fnn.CrossEntropy(0.1))
    own = fnn.Network(3, (fnn.Dense(2, Shaped(None)),), loss="cross_entropy")
    below = fnn.Network(3, (fnn.Dense(2, "softmax"),), loss=Logits())
    for network in (smooth, own, below, fnn.mlp(3, 2, output="identity", loss="mse")):
        assert network.plain_cross_entropy is None


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


@attrs.frozen
class Shaped:
    """A user's own activation whose derivative has another shape, order or dtype."""

    change: Any = attrs.field(eq=False)

    def value(self, z: Array) -> Array:
        return z

    def vjp(self, z: Array, a: Array, da: Array) -> Any:
        return self.change(da)


@attrs.frozen
class Logits(fnn.CrossEntropy):
    """A user's own cross-entropy, whose derivative by the logits has another one."""

    change: Any = attrs.field(default=None, eq=False)

    def rows_from_logits(self, z: Array, y: Array) -> Array:
        return super().rows_from_logits(z, y)

    def vjp_from_logits(self, z: Array, a: Array, y: Array) -> Any:
        return self.change(super().vjp_from_logits(z, a, y))


def own_networks(change: Any) -> list[fnn.Network]:
    own = fnn.Dense(4, Shaped(change))
    return [
        fnn.Network(3, (fnn.Dense(5, "relu"), own), loss="mse"),
        fnn.Network(3, (own, fnn.Dense(4, "softmax")), loss="cross_entropy"),
        fnn.Network(3, (fnn.Dense(5, "relu"), fnn.Dense(4, "softmax")), loss=Logits(change=change)),
    ]


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda da: da.astype(np.float64), lambda da: np.repeat(da, 2, 0)[::2]]
)
def test_a_users_own_derivative_of_another_order_or_dtype(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    x = np.random.default_rng(0).random((6, 3), dtype=np.float32)
    for network in own_networks(change):
        y = np.arange(6) % 4 if network.answers == "classes" else np.ones((6, 4))
        params = fnn.init_params(network, 0)
        found = in_turn(monkeypatch, lambda n=network, p=params, t=y: fnn.grads(n, p, x, t))
        assert len({fnn.digest(g) for g in found}) == 1
        assert not any(g.vector.flags.writeable for g in found)


@pytest.mark.parametrize(
    "change", [lambda da: da[:, :1], lambda da: da[:1], lambda da: np.repeat(da, 2, 1), lambda da: da[0, 0]]
)
def test_a_users_own_derivative_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    for network in own_networks(change):
        y = np.arange(6) % 4 if network.answers == "classes" else np.ones((6, 4))

        def refused(network: fnn.Network = network, y: Array = y) -> str:
            with pytest.raises(ValueError, match=r"must have shape \(6, 4\), got \(") as caught:
                fnn.grads(network, fnn.init_params(network, 0), np.ones((6, 3)), y)
            return str(caught.value)

        assert len(set(in_turn(monkeypatch, refused))) == 1


def test_where_numpys_products_are_others_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from fnn import dense, stacked

    forward = dense.forward

    def other(x: Array, vector: Array, widths: Any, relus: Any, work: Array) -> None:
        forward(x, vector, widths, relus, work)
        work[-1] = np.nextafter(work[-1], work.dtype.type(0))

    stacked.compiled.cache_clear()
    assert stacked.compiled("f") is not None
    stacked.compiled.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(dense, "forward", other)
        assert stacked.compiled("f") is None
        stacked.compiled.cache_clear()
        patch.setattr(stacked, "NAMES", ("no_{}gemm",))
        assert stacked.compiled("f") is None
    stacked.compiled.cache_clear()
