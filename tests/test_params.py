"""The layout: which number is where, and that nobody writes into it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from fnn.arrays import Floats
from fnn.params import Shapes

LAYERS = (fnn.Dense(2), fnn.BatchNorm(), fnn.Dropout(0.5), fnn.Dense(1))
NETWORK = fnn.Network(3, LAYERS, loss="mse")
# weight 3x2, bias 2 | weight 2, bias 2 | - | weight 2x1, bias 1
SIZE, RUNNING = 6 + 2 + 2 + 2 + 2 + 1, 4


def counted(dtype: Any = np.float64) -> fnn.Params:
    return fnn.Params(NETWORK.layout, np.arange(SIZE, dtype=dtype), np.arange(100, 104, dtype=dtype))


def test_the_layout() -> None:
    layout = NETWORK.layout
    assert (layout.size, layout.running_size) == (SIZE, RUNNING)
    batch_norm = Shapes(weight=(2,), bias=(2,), mean=(2,), variance=(2,))
    assert layout.layers == (Shapes((3, 2), (2,)), batch_norm, Shapes(), Shapes((2, 1), (1,)))
    assert layout == fnn.Layout(layout.layers)
    assert hash(layout) == hash(fnn.Layout(layout.layers))
    assert layout != fnn.mlp(3, 2, output="identity", loss="mse").layout
    assert fnn.mlp(784, 256, 128, 10).layout.size == 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10


def test_which_number_is_where() -> None:
    params = counted()
    assert len(params) == 4
    assert params[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]]  # inputs down, units across, row by row
    assert params[0].bias.tolist() == [6, 7]
    assert (params[1].weight.tolist(), params[1].bias.tolist()) == ([8, 9], [10, 11])
    assert (params[1].mean.tolist(), params[1].variance.tolist()) == ([100, 101], [102, 103])
    assert [tensor.shape for tensor in params[2]] == [(0,)] * 4
    assert (params[3].weight.tolist(), params[3].bias.tolist()) == ([[12], [13]], [14])
    assert params[3].mean.shape == params[3].variance.shape == params[0].mean.shape == (0,)
    assert params[-1] is params[3]
    assert [layer.bias.tolist() for layer in params] == [[6, 7], [10, 11], [], [14]]
    with pytest.raises(IndexError):
        params[4]


def test_views_share_the_vector_and_are_read_only() -> None:
    params = counted()
    for layer in params:
        for tensor in layer:
            assert not tensor.flags.writeable
            assert tensor.flags.c_contiguous
            whole = params.running if tensor is layer.mean or tensor is layer.variance else params.vector
            assert np.shares_memory(tensor, whole) == (tensor.size > 0)
            with pytest.raises(ValueError, match="read-only"):
                tensor[...] = 0
    for vector in (params.vector, params.running):
        assert vector.ndim == 1
        with pytest.raises(ValueError, match="read-only"):
            vector += 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        params.vector = np.zeros(SIZE)  # type: ignore[misc]


def test_evolve_is_another_set_of_numbers() -> None:
    params = counted()
    other = attrs.evolve(params, vector=-params.vector)
    assert other[0].weight.tolist() == [[0, -1], [-2, -3], [-4, -5]]
    assert other[1].mean.tolist() == [100, 101]
    assert other.layout is params.layout
    assert params[0].bias.tolist() == [6, 7]
    assert attrs.evolve(params, running=np.zeros(4))[1].variance.tolist() == [0, 0]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p)), attrs.evolve])
def test_copies_are_sealed_and_the_same(again: Callable[[fnn.Params], fnn.Params]) -> None:
    params = counted(np.float32)
    other = again(params)
    assert fnn.digest(other) == fnn.digest(params)
    assert other.dtype == np.float32
    assert not other.vector.flags.writeable
    assert not other[3].weight.flags.writeable
    assert not other.running.flags.writeable


def writable() -> Floats:
    return np.arange(SIZE, dtype=np.float64)


def seen_through_a_view() -> tuple[Floats, Floats]:
    owner = writable()
    view = owner[:]
    view.flags.writeable = False
    return owner, view


def of_a_buffer() -> tuple[Floats, Floats]:
    buffer = bytearray(writable().tobytes())
    view = np.frombuffer(buffer)
    view.flags.writeable = False
    return np.frombuffer(buffer), view


@pytest.mark.parametrize("given", [lambda: (a := writable(), a), seen_through_a_view, pytest.param(of_a_buffer)])
def test_what_somebody_could_write_into_is_copied(given: Callable[[], tuple[Floats, Floats]]) -> None:
    owner, vector = given()
    params = fnn.Params(NETWORK.layout, vector, np.zeros(RUNNING))
    owner[...] = -1
    assert params.vector.tolist() == list(range(SIZE))


def test_what_nobody_can_write_into_is_not_copied() -> None:
    params = counted()
    same = fnn.Params(NETWORK.layout, params.vector, params.running)
    assert np.shares_memory(same.vector, params.vector)
    assert np.shares_memory(same.running, params.running)
    strided = np.arange(2.0 * SIZE)[::2]
    strided.flags.writeable = False
    made = fnn.Params(NETWORK.layout, strided, params.running)
    assert made.vector.flags.c_contiguous
    assert made.vector.tolist() == list(range(0, 2 * SIZE, 2))


def test_states_are_told_apart_by_their_digest() -> None:
    params = counted()
    assert params != counted()
    assert fnn.digest(params) == fnn.digest(counted()) != fnn.digest(counted(np.float32))
    assert fnn.digest(attrs.evolve(params, running=params.running + 1)) != fnn.digest(params)
    assert repr(counted(np.float32)) == "Params(15 float32 numbers in 4 layers)"


def test_the_module_of_a_users_record_does_not_count_in_a_digest() -> None:
    modules = ("__main__", "fnn_extras", "tests.own", "fnn.layers")
    kinds = [attrs.make_class("Own", {"a": attrs.field(default=1)}, frozen=True) for _ in modules]
    for kind, module in zip(kinds, modules, strict=True):
        kind.__module__ = module
    first, *others, ours = (fnn.digest(kind()) for kind in kinds)
    assert set(others) == {first}
    assert ours != first


def test_the_running_statistics_take_the_vectors_dtype() -> None:
    mixed = fnn.Params(NETWORK.layout, np.zeros(SIZE, np.float32), np.array([0.1, 0.2, 1, 2]))
    assert mixed.running.dtype == mixed[1].mean.dtype == np.float32
    assert mixed.running.tolist() == np.array([0.1, 0.2, 1, 2], np.float32).tolist()
    assert not mixed.running.flags.writeable


def test_a_gradient_has_the_layout() -> None:
    params = fnn.init_params(NETWORK, seed=0)
    g = fnn.grads(NETWORK, params, np.ones((5, 3)), np.ones((5, 1)))
    assert g.layout == params.layout
    assert (g.vector.shape, g.dtype) == ((SIZE,), np.dtype(np.float32))
    assert not g.vector.flags.writeable
    assert g.running.tolist() == params.running.tolist()


def test_pack_params_puts_arrays_where_they_belong() -> None:
    tensors = [t for layer in counted() for t in layer if t.size]
    assert len(tensors) == 8
    assert fnn.digest(fnn.pack_params(NETWORK, tensors)) == fnn.digest(counted())


@pytest.mark.parametrize(
    ("vector", "running", "kind", "message"),
    [
        (np.zeros(SIZE - 1), np.zeros(4), ValueError, r"`vector` must have shape \(15,\), got \(14,\)"),
        (np.zeros((SIZE, 1)), np.zeros(4), ValueError, r"`vector` must have shape \(15,\), got \(15, 1\)"),
        (np.zeros(SIZE), np.zeros(5), ValueError, r"`running` must have shape \(4,\), got \(5,\)"),
        (np.zeros(SIZE, int), np.zeros(4), TypeError, "`vector` must be an array of float32 or float64, got an array"),
        (np.zeros(SIZE, np.float16), np.zeros(4), TypeError, "`vector` must be an array of float32 or float64, got"),
        (None, np.zeros(4), TypeError, "`vector` must be an array of float32 or float64, got"),
    ],
)
def test_other_vectors_are_refused(vector: Any, running: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^Params: {message}"):
        fnn.Params(NETWORK.layout, vector, running)
