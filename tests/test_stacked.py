"""Dense layers in one compiled call: the bits of layer by layer, and of NumPy alone; what does not fit goes without."""

from __future__ import annotations

import tracemalloc
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn import kernels, stacks
from fnn.activations import ActivationName
from fnn.arrays import Array
from fnn.backprop import TILE
from fnn.layers import Layer
from fnn.losses import LossName
from fnn.stacks import Tower

ENDS: list[tuple[ActivationName, LossName]] = [
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("identity", "mse"),
    ("tanh", "huber"),
    ("relu", "squared_error"),
    ("identity", "squared_error"),
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
                without.setattr(stacks, "stack", lambda *_: None)
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
    drops=st.lists(st.sampled_from([None, None, 0.0, 0.3]), min_size=5, max_size=5),
    key=st.sampled_from([None, fnn.Key(1, 2, 3)]),
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
    drops: list[float | None],
    key: fnn.Key | None,
    seed: int,
) -> None:
    output, loss = end
    widths[-1] += output == "softmax"
    hidden: list[Layer] = []
    for units, rate in zip(widths[1:-1], drops, strict=False):
        hidden.append(fnn.Dense(units, activation, l2=l2))
        if rate is not None:
            hidden.append(fnn.Dropout(rate))
    network = fnn.Network(widths[0], (*hidden, fnn.Dense(widths[-1], output, l2=l2)), loss=loss)
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, widths[0]))
    y: Array = random.dirichlet(np.ones(widths[-1]), n) if widths[-1] > 1 else random.random((n, 1))
    if output == "softmax" and not shares:
        y = random.integers(0, widths[-1], n)
    w = random.random(n) + 0.1 if weighted else None
    params = fnn.init_params(network, seed, dtype)
    with pytest.MonkeyPatch.context() as patch:
        found = in_turn(patch, lambda: fnn.loss_and_grads(network, params, x, y, w, key=key))
        answers = in_turn(patch, lambda: fnn.forward(network, params, x).tobytes())
    digests = {(value.hex(), fnn.digest(g)) for value, g in found}
    assert len(digests) == 1
    assert len(set(answers)) == 1


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
        fnn.Network(30, (fnn.Dense(20, "relu"), fnn.Dropout(0.2), fnn.Dense(7, "softmax")), loss="cross_entropy"),
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
        stack = stacks.stack(x, v, Tower((0, 1), widths, (True, False), (False, False)))
        assert stack is not None
        return bool(stack._products)

    assert compiled(x, 3, 5, 2)
    assert not compiled(np.asfortranarray(x), 3, 5, 2)
    assert compiled(x[:1], 3, 5, 2)
    assert not compiled(x[:0], 3, 5, 2)
    assert not compiled(x, 3, 1, 2)
    assert compiled(x, 3, 5, 1)
    assert not compiled(x[:1], 3, 5, 1)
    assert stacks.stack(x.astype(np.float64), v, Tower((0,), (3, 2), (False,), (False,))) is None
    monkeypatch.setattr(kernels, "_compiling", False)
    assert not compiled(x, 3, 5, 2)


def test_which_losses_are_made_at_once() -> None:
    assert fnn.mlp(3, 2).at_once == fnn.CrossEntropy()
    assert fnn.mlp(3, 1, output="sigmoid", loss="binary_cross_entropy").at_once == fnn.BinaryCrossEntropy()
    for loss in (fnn.MSE(), fnn.SquaredError()):
        assert fnn.mlp(3, 2, output="identity", loss=loss).at_once == loss
    smooth = fnn.Network(3, (fnn.Dense(2, "softmax"),), loss=fnn.CrossEntropy(0.1))
    own = fnn.Network(3, (fnn.Dense(2, Shaped(None)),), loss="cross_entropy")
    below = fnn.Network(3, (fnn.Dense(2, "softmax"),), loss=Logits())
    others = [fnn.mlp(3, 2, output=output, loss="mse") for output in ("softmax", "sigmoid", "relu")]
    for network in (smooth, own, below, *others, fnn.mlp(3, 2, output="identity", loss="mae")):
        assert network.at_once is None


def test_which_networks_are_stacked() -> None:
    no = (False, False, False)
    assert fnn.mlp(3, 4, 5, 2).tower == Tower((0, 1, 2), (3, 4, 5, 2), (True, True, False), no)
    assert fnn.mlp(3, 4, 5, 2, activation="identity").tower == Tower((0, 1, 2), (3, 4, 5, 2), no, no)
    assert fnn.mlp(3, 2).tower == Tower((0,), (3, 2), no[:1], no[:1])
    assert fnn.mlp(3, 4, 2, activation="tanh").tower is None
    relu, drop = fnn.Dense(2, "relu"), fnn.Dropout(0.5)

    def tower(*layers: Layer) -> Tower | None:
        return fnn.Network(3, layers, loss="mse").tower

    assert tower(relu) == Tower((0,), (3, 2), (False,), (False,))
    assert tower(relu, drop, relu) == Tower((0, 2), (3, 2, 2), (True, False), (True, False))
    assert tower(relu, relu, drop, relu) == Tower((0, 1, 3), (3, 2, 2, 2), (True, True, False), (False, True, False))
    assert tower(relu, drop, drop, relu) is None
    assert tower(fnn.Dense(2, "tanh"), drop, relu) is None
    for layer in (drop, fnn.BatchNorm("relu"), fnn.LayerNorm()):
        assert tower(layer) is None
        assert tower(layer, relu) is None
        assert tower(relu, layer) is None
        assert tower(relu, layer, drop, relu) is None


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

    def other(*args: Any) -> None:
        forward(*args)
        args[-1][-1] = np.nextafter(args[-1][-1], args[-1].dtype.type(0))

    stacked.compile_passes.cache_clear()
    assert stacked.compile_passes("f") is not None
    stacked.compile_passes.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(dense, "forward", other)
        assert stacked.compile_passes("f") is None
        patch.setattr(dense, "forward", forward)
        names = stacked.NAMES
        for gone in ([("no_{}gemm",), names[1]], [names[0], ("no_{}gemv",)]):
            stacked.compile_passes.cache_clear()
            patch.setattr(stacked, "NAMES", gone)
            assert stacked.compile_passes("f") is None
    stacked.compile_passes.cache_clear()


# What would have compiled code read or write where it must not.


def refusal(monkeypatch: pytest.MonkeyPatch, kind: type[Exception], attempt: Any) -> str:
    """The one message with which it is refused, whichever loops there are."""

    def refused() -> str:
        with pytest.raises(kind) as caught:
            attempt()
        return str(caught.value)

    messages: set[str] = set(in_turn(monkeypatch, refused))
    assert len(messages) == 1
    return messages.pop()


@pytest.mark.parametrize("widths", [(5, 3), (5, 40, 3)])
@pytest.mark.parametrize("optimizer", [fnn.SGD(), fnn.Adam()])
def test_a_run_with_the_parameters_of_another_network(
    monkeypatch: pytest.MonkeyPatch, widths: Any, optimizer: Any
) -> None:
    data = fnn.Dataset(np.ones((8, 5)), np.arange(8) % 3)
    run, others = fnn.start(fnn.mlp(5, 4, 3), optimizer=optimizer), fnn.init_params(fnn.mlp(*widths), 0)
    wrong = attrs.evolve(run, params=others, optimizer_state=fnn.init(optimizer, others))
    batch = next(iter(fnn.batches(data)))
    for where, attempt in (
        ("fit", lambda: fnn.fit(run.recipe.network, data, state=wrong, epochs=1)),
        ("train", lambda: fnn.train(run.recipe.network, data, state=wrong)),
        ("train_step", lambda: fnn.train_step(wrong, batch)),
    ):
        message = refusal(monkeypatch, ValueError, attempt)
        assert message.startswith(f"{where}: `params` must be the network's (39 numbers in 2 layers), got Params(")


@attrs.frozen
class Lying(fnn.Dropout):
    """A user's own layer that makes other columns than it says."""

    columns: int = 7

    def forward(self, p: Any, x: Array, key: Any, index: int) -> tuple[Array, Any]:
        return np.ones((len(x), self.columns), x.dtype), None


@pytest.mark.parametrize("columns", [1, 4, 200_000])
def test_a_users_own_layer_that_makes_other_columns(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    x, y, key = np.ones((6, 5)), np.ones((6, 5)), fnn.Key(0, 0, 0)
    for after in (fnn.BatchNorm(), fnn.Dense(5, "relu"), fnn.Dropout(0.5)):
        network = fnn.Network(5, (Lying(0.1, columns=columns), after), loss="mse")
        params = fnn.init_params(network, 0)
        message = refusal(monkeypatch, ValueError, lambda n=network, p=params: fnn.grads(n, p, x, y, key=key))
        assert message == f"Lying: `forward(p, x, key, index)` must have shape (6, 5), got (6, {columns})."


@pytest.mark.parametrize("y", [[0, 3, 1], [-1, 0, 1], [0, 1], [0.0, 1.0, 2.0]])
def test_labels_that_are_none(monkeypatch: pytest.MonkeyPatch, y: Any) -> None:
    z, y = np.zeros((3, 3)), np.array(y)
    for attempt in (
        lambda: fnn.CrossEntropy().rows_from_logits(z, y),
        lambda: fnn.CrossEntropy().vjp_from_logits(z, np.full((3, 3), 1 / 3), y),
    ):
        assert refusal(monkeypatch, IndexError, attempt) == "labels must be 3 integers from 0 to 2."


@pytest.mark.parametrize("dtype", ["float16", "longdouble", ">f4", ">f8"])
def test_a_users_own_part_of_another_dtype(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    x, y, key = np.random.default_rng(0).random((6, 3)), np.arange(6) % 4, fnn.Key(0, 0, 0)
    own = fnn.Dense(4, Typed(dtype))
    for layers in ((own, fnn.BatchNorm("relu")), (own, fnn.Dense(5, "relu"))):
        network = fnn.Network(3, (*layers, fnn.Dense(4, "softmax")), loss="cross_entropy")
        params = fnn.init_params(network, 0)
        found = in_turn(monkeypatch, lambda n=network, p=params: fnn.loss_and_grads(n, p, x, y, key=key))
        assert len({(value, fnn.digest(g)) for value, g in found}) == 1
    for kind in (fnn.Relu, fnn.Softmax):
        z = np.ones((2, 2)).astype(dtype)
        for value in in_turn(monkeypatch, lambda k=kind, z=z: k().value(z)):
            assert np.array_equal(value, kind().value(np.ones((2, 2))))


@attrs.frozen
class Typed:
    """A user's own identity that returns another dtype."""

    dtype: str

    def value(self, z: Array) -> Array:
        return z.astype(self.dtype)

    def vjp(self, z: Array, a: Array, da: Array) -> Array:
        return da.astype(self.dtype)


def unaligned(array: Array) -> Array:
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    made: Array = np.ndarray(array.shape, array.dtype, buffer, 1)
    made[...] = array
    return made


def test_arrays_that_are_unaligned_or_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(0).random((20, 30), np.float32), np.arange(20) % 4
    network = fnn.mlp(30, 50, 4)
    params = fnn.init_params(network, 0)
    for rows in (unaligned(x), x):
        found = in_turn(monkeypatch, lambda g=rows: fnn.loss_and_grads(network, params, g, y))
        assert len({(value, fnn.digest(g)) for value, g in found}) == 1
    own = fnn.Network(30, (fnn.Dense(50, "relu"), fnn.Dense(4, Shaped(fnn.sealed))), loss="mse")
    p, t = fnn.init_params(own, 0), np.ones((20, 4))
    assert len({fnn.digest(g) for g in in_turn(monkeypatch, lambda: fnn.grads(own, p, x, t))}) == 1


def test_epochs_without_number() -> None:
    data = fnn.Dataset(np.ones((4, 2)), np.arange(4) % 2)
    assert fnn.fit(fnn.mlp(2, 2), data, epochs=10**400, patience=1, optimizer=fnn.SGD(1e-300)).stopped == "patience"


def test_what_is_between_is_let_go_tile_by_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(kernels, "_compiling", True)
    network = fnn.mlp(4, 300, 300, 1, output="identity", loss="mse")
    params = fnn.init_params(network, 0)
    data = fnn.Dataset(np.ones((10 * TILE, 4), np.float32), np.ones(10 * TILE))
    fnn.evaluate(network, params, data)
    tracemalloc.start()
    try:
        fnn.evaluate(network, params, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * TILE * 601 * 4  # numbers of a tile, in float32
