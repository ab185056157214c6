"""As many steps at once as a fifth of a second has time for, where nobody asks for the states between them."""

from __future__ import annotations

from time import perf_counter
from typing import Any, cast

import attrs
import numpy as np

from fnn import kernels
from fnn.arrays import DTYPES, Ints
from fnn.buffers import empty
from fnn.dataset import Dataset
from fnn.descent import TIDYING, Descent, is_descent, moments
from fnn.params import Params
from fnn.runs import Sums, TrainState

A_WHILE = 0.2  # seconds, after which Ctrl-C and a bar have their turn; how many steps that is changes no bit


class Stride:
    """Steps of one run on full batches of one data set, to the bits of step by step."""

    def __init__(self, run: TrainState, data: Dataset) -> None:
        from fnn.scans import HEADS, compiled_steps

        recipe, dtype = run.recipe, run.params.dtype
        optimizer: Any = recipe.optimizer
        names = moments(optimizer.state_kind)
        made = compiled_steps(optimizer.loop, dtype, data.x.dtype.char, 1 + len(names))
        self._steps: Any = made and made[0]
        self._places: Any = made and made[1]
        self._rows, self._x = data.rows, data.x
        self._y = data.y.reshape(len(data.y), -1).astype(dtype)  # of labels, which are whole numbers, too
        self._most = 1  # steps
        network, tower, loss = recipe.network, cast(Any, recipe.network.tower), cast(Any, recipe.network.at_once)
        widths, n = tower.widths, recipe.batch_size or 1
        spread = float(n) if network.spread_penalties else 1.0
        l2 = np.array([cast(Any, network.layers[place]).l2 for place in tower.places])
        self._n, self._scale = n, dtype.type(network.input_scale)
        self._network = *(np.array(part) for part in tower[1:]), HEADS[loss.head], dtype.type(loss.over(widths[-1]))
        self._penalties = l2, (l2 * (1 / spread)).astype(dtype), spread
        out, most = (n, widths[-1]), max(widths[1:])
        shapes = [(n * sum(widths[1:]),), (2, n * most), (n, widths[0]), out, out, (n,), (n * widths[-1],), out]
        work = [empty(shape, dtype) for shape in shapes]
        goals = empty((n, self._y.shape[1]), dtype)
        self._work = *work, np.empty(most), goals, np.empty(n, np.intp), np.empty(8, np.intp)

    def go(self, run: TrainState, shuffled: Ints) -> TrainState:
        """The run after as many steps of the epoch as go at once, which may be none."""
        begun = perf_counter()
        n, dtype, state = self._n, run.params.dtype, run.optimizer_state
        optimizer: Any = run.recipe.optimizer
        count = min(len(shuffled) // n - run.batch, self._most)
        if self._steps is None or count < 1:
            return run
        places = shuffled[run.batch * n : (run.batch + count) * n]
        rows = places if self._rows is None else self._rows[places]
        coefficients: list[Any] = []
        try:
            each = range(state.step, state.step + count)
            coefficients.extend(optimizer.coefficients(optimizer.rate(t), t + 1, dtype) for t in each)
        except Exception:  # by a schedule of a user's own, to be raised at the step that it is of
            count = len(coefficients)
        if not count or not 0 <= rows.min() <= rows.max() < len(self._y):  # the rows were written over
            return run
        told = np.array(coefficients, dtype)
        tidy = np.arange(state.step, state.step + count) % TIDYING == TIDYING - 1
        old = (run.params.vector, *(getattr(state, name) for name in moments(optimizer.state_kind)))
        new = tuple(empty(vector.shape, dtype) for vector in old)
        g = empty(old[0].shape, dtype)

        while True:
            sums = np.array(attrs.astuple(run.sums))
            try:
                done = self._steps(
                    self._places, self._x, self._y, rows, n, self._scale, *self._network, *self._penalties,
                    told[:count], tidy, kernels.TINY[dtype.char], old, new, new[1:], g, g, *self._work, sums,
                )  # fmt: skip
            except TypeError:  # by numba, before anything is computed
                return run
            if done in (0, count):
                break
            count = done  # what the step after wrote over is made once more
        if not done:
            return run
        self._most = max(1, int(done * A_WHILE / (perf_counter() - begun)))
        vector, *others = new
        params = Params.made(run.params.layout, vector, run.params.running)
        after, batch = optimizer.state_kind.made(state.step + done, *others), run.batch + done
        summed = Sums(*sums.tolist())
        return TrainState(run.recipe, params, after, run.epoch, batch, summed, run.best, run.best_epoch, run.history)


def stride(run: TrainState, data: Dataset) -> Stride | None:
    """What makes many steps at once; None where they are of another kind."""
    recipe, x, y = run.recipe, data.x, data.y
    network, tower, optimizer = recipe.network, recipe.network.tower, recipe.optimizer
    plain = network.at_once and not network.limits and not any(layer.l1 for _, layer in network.penalized)
    if not kernels.in_use() or not plain or tower is None or True in tower.drops or min(tower.widths[:-1]) < 2:
        return None
    if not is_descent(optimizer) or type(optimizer).update is not Descent.update or optimizer.clips:
        return None
    dense = type(x) is np.ndarray and x.flags.c_contiguous and x.dtype.isnative and x.dtype.char in kernels.GIVEN
    fit = data.sample_weight is None and (network.targets != "classes" or y.ndim == 1)
    least = 1 if tower.widths[-1] > 1 else 2
    batches = recipe.batch_size is not None and least <= recipe.batch_size <= len(data)
    return Stride(run, data) if dense and fit and batches and run.params.dtype in DTYPES else None
