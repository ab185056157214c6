"""Arrays that are handed out again: never one that anybody still has."""

from __future__ import annotations

import numpy as np
import pytest

import fnn
from fnn import buffers
from fnn.buffers import LARGE, Pool, empty

F = np.dtype(np.float32)


def test_an_array_comes_again_when_nobody_has_it() -> None:
    pool = Pool()
    with pool:
        first = empty((LARGE,), F)
        place = first.ctypes.data
        first.flags.writeable = False
        assert empty((LARGE,), F) is not first
        del first
        again = empty((LARGE,), F)
    assert again.ctypes.data == place
    assert again.flags.writeable


@pytest.mark.parametrize("hold", [lambda a: a[3:5], lambda a: a.reshape(2, -1).T, memoryview, lambda a: {"a": a}])
def test_what_holds_an_array_keeps_it(hold: object) -> None:
    assert callable(hold)
    pool = Pool()
    with pool:
        first = empty((LARGE,), F)
        place, held = first.ctypes.data, hold(first)
        del first
        assert empty((LARGE,), F).ctypes.data != place
        del held
        others = [empty((LARGE,), F) for _ in range(2)]
    assert place in {array.ctypes.data for array in others}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_begins_with_a_cache_line_and_can_be_sealed(dtype: type) -> None:
    with Pool():
        for shape in ((LARGE,), (LARGE + 1,), (3, LARGE)):
            array = empty(shape, np.dtype(dtype))
            assert array.shape == shape
            assert array.dtype == dtype
            assert array.ctypes.data % buffers.LINE == 0
            assert array.flags.c_contiguous
            array[...] = 1
            array.flags.writeable = False
            assert fnn.sealed(array) is array


def test_another_shape_or_dtype_is_another_array() -> None:
    with Pool():
        place = empty((2, LARGE), F).ctypes.data
        assert empty((LARGE, 2), F).shape == (LARGE, 2)
        assert empty((2, LARGE), np.dtype(np.float64)).dtype == np.float64
        assert empty((2, LARGE), F).ctypes.data == place


def test_what_a_caller_keeps_is_not_remembered_without_end() -> None:
    pool = Pool()
    with pool:
        kept = [empty((LARGE,), F) for _ in range(3 * buffers.MOST)]
        assert len({array.ctypes.data for array in kept}) == len(kept)
        del kept[2 * buffers.MOST :]  # the last ones are remembered
        assert {empty((LARGE,), F).ctypes.data for _ in range(9)}.isdisjoint(array.ctypes.data for array in kept)
    assert [len(arrays) for arrays in pool._arrays.values()] == [buffers.MOST]


def test_small_arrays_and_those_outside_are_fresh() -> None:
    pool = Pool()
    with pool:
        empty((3,), F)
        empty((LARGE - 1,), F)
        empty((128, 127), F)
    assert not pool._arrays
    assert buffers._current.pool is None
    with pool, Pool():
        empty((LARGE,), F)
    assert not pool._arrays


def test_states_that_are_kept_do_not_change() -> None:
    random = np.random.default_rng(0)
    data = fnn.Dataset(random.random((200, 150)), random.integers(0, 5, 200))
    network = fnn.mlp(150, 200, 5)
    kept, digests, views, copies = [], [], [], []
    for step, run in enumerate(fnn.train(network, data, every="step")):
        if step % 2:  # of every other only a view is held
            views.append(run.params[0].weight[3:])
            copies.append(views[-1].copy())
        else:
            kept.append(run)
            digests.append(fnn.digest(run))
        if run.epoch == 5:
            break
    assert [fnn.digest(run) for run in kept] == digests
    assert len(set(digests)) == len(digests)
    assert all(np.array_equal(view, copy) for view, copy in zip(views, copies, strict=True))
