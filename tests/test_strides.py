"""Many steps in one compiled call: the bits of step by step, whatever the network, and what is not for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn import kernels, strides
from fnn.strides import Stride, stride

pytest.importorskip("numba")

from fnn import scans

ENDS: list[tuple[Any, Any]] = [
    ("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("sigmoid", fnn.BinaryCrossEntropy(summed=True)),
    ("identity", "mse"), ("identity", "squared_error"),
]  # fmt: skip
RATE = fnn.Cosine(0.03, steps=30, warmup_steps=3)
OPTIMIZERS: list[Any] = [
    fnn.SGD(RATE), fnn.Momentum(0.05, nesterov=True), fnn.RMSProp(RATE), fnn.AdaGrad(0.1),
    fnn.Lion(1e-3, weight_decay=0.1), fnn.Adam(RATE), fnn.AdamW(1e-2, weight_decay=0.1),
    fnn.NAdam(RATE), fnn.AMSGrad(1e-2), fnn.Adam(RATE, epsilon=1e-3, corrected_epsilon=False),
    fnn.Momentum(0.01, momentum=1.0),
]  # fmt: skip


@pytest.fixture(autouse=True)
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_compiling", True)
    monkeypatch.setattr(kernels, "_loops", {})
    monkeypatch.setattr(strides, "A_WHILE", 1e9)  # on the slowest machine, one step and then all of them


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each stride made."""
    counts: list[int] = []
    go = Stride.go

    def counted(self: Stride, run: fnn.TrainState, shuffled: Any) -> fnn.TrainState:
        after = go(self, run, shuffled)
        counts.append(after.batch - run.batch)
        return after

    monkeypatch.setattr(Stride, "go", counted)
    return counts


def each_takes_a_second(monkeypatch: pytest.MonkeyPatch, a_while: float) -> None:
    """By the clock, each stride; the next one may take so long."""
    clock = itertools.count()
    monkeypatch.setattr(strides, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(strides, "A_WHILE", a_while)


def some(n: int, inputs: int, classes: int, dtype: Any = np.uint8, seed: int = 0) -> fnn.Dataset:
    random = np.random.default_rng(seed)
    return fnn.Dataset(random.integers(0, 256, (n, inputs)).astype(dtype), random.integers(0, classes, n))


def step_by_step(network: fnn.Network, data: fnn.Dataset, epochs: int, **settings: Any) -> fnn.TrainState:
    for run in fnn.train(network, data, every="step", **settings):
        if run.epoch == epochs and not run.batch:
            return attrs.evolve(run, stopped="epochs")
    raise AssertionError


@settings(deadline=None, max_examples=60)
@given(
    widths=st.lists(st.integers(2, 90), min_size=1, max_size=3),
    outputs=st.integers(1, 12),
    end=st.sampled_from(ENDS),
    l2=st.sampled_from([0.0, 0.1, 3.0]),
    spread=st.booleans(),
    n=st.integers(2, 80),
    batch_size=st.integers(1, 30),
    activation=st.sampled_from(["relu", "identity"]),
    optimizer=st.sampled_from(OPTIMIZERS),
    dtype=st.sampled_from([np.float32, np.float64]),
    given_dtype=st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_]),
    scale=st.sampled_from([1.0, 1 / 255]),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 99),
    shuffle=st.booleans(),
)
def test_the_same_bits(
    widths: list[int], outputs: int, end: tuple[Any, Any], l2: float, spread: bool, n: int, batch_size: int,
    activation: Any, optimizer: Any, dtype: Any, given_dtype: Any, scale: float, epochs: int, seed: int, shuffle: bool,
) -> None:  # fmt: skip
    output, loss = end
    outputs += output == "softmax"
    data = some(n, widths[0], outputs, given_dtype, seed)
    y = np.random.default_rng(seed).integers(0, 2, (n, outputs)) * 0.3 if output == "identity" else data.y
    if output == "sigmoid":
        y = np.random.default_rng(seed).integers(0, 2, (n, outputs))
    data = fnn.Dataset(data.x, y[:, 0] if y.shape == (n, 1) and seed % 2 else y)
    layers = [fnn.Dense(units, activation, l2=l2) for units in widths[1:]]
    layers += [fnn.Dense(outputs, output, l2=l2 if seed % 3 else 0.0)]
    network = fnn.Network(widths[0], layers, loss, input_scale=scale, spread_penalties=spread)
    params = fnn.init_params(network, seed, dtype)
    how: Any = {"optimizer": optimizer, "batch_size": batch_size, "seed": seed, "params": params, "shuffle": shuffle}

    def outcome(fit: Callable[..., fnn.TrainState]) -> tuple[str, list[float]]:
        try:
            run = fit(network, data, epochs=epochs, **how)
        except fnn.TrainingDiverged as error:
            return str(error) + fnn.digest(error.run), []
        return fnn.digest(run), [record.loss for record in run.history]

    assert outcome(fnn.fit) == outcome(step_by_step)


def test_it_takes_as_many_steps_as_there_are(made: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    data, network = some(101, 7, 3), fnn.mlp(7, 5, 3)
    fnn.fit(network, data, epochs=2, batch_size=10)
    assert made == [1, 9, 0, 10, 0]  # and the last batch, of one row, in the usual way
    made.clear()
    each_takes_a_second(monkeypatch, 3.0)
    fnn.fit(network, data, epochs=1, batch_size=10)
    assert made == [1, 3, 6, 0]
    made.clear()
    for run in fnn.train(network, data, every="step", batch_size=10):
        if run.epoch:
            break
    assert made == []


def test_it_goes_on_within_an_epoch_and_on_part_of_the_rows(made: list[int]) -> None:
    whole, network = some(120, 7, 3), fnn.mlp(7, 5, 3)
    data, held_out = fnn.split(whole, 0.25, seed=1)
    there = fnn.fit(network, data, epochs=2, batch_size=8, validation=held_out)
    for run in fnn.train(network, data, every="step", batch_size=8, validation=held_out):
        if run.batch == 5:
            break
    made.clear()
    assert fnn.digest(fnn.fit(network, data, epochs=2, state=run, validation=held_out)) == fnn.digest(there)
    assert made == [1, 5, 0, 11, 0]


def test_unshuffled_it_takes_the_rows_in_their_order(made: list[int]) -> None:
    whole, network = some(60, 7, 3), fnn.mlp(7, 5, 3)
    chosen = fnn.Dataset(whole.x, whole.y, rows=np.arange(59, 2, -1))
    for data in (whole, chosen):
        run = fnn.start(network, batch_size=8, seed=3, shuffle=False)
        for epoch in range(2):
            for batch in fnn.batches(data, 8, 3, epoch, shuffle=False):
                run = fnn.train_step(run, batch)
            run = fnn.end_epoch(run)
        made.clear()
        ours = fnn.fit(network, data, epochs=2, batch_size=8, seed=3, shuffle=False)
        assert fnn.digest(ours) == fnn.digest(run)
        assert made == [1, 6, 0, 7, 0]
        assert fnn.digest(ours.params) != fnn.digest(fnn.fit(network, data, epochs=2, batch_size=8, seed=3).params)


def test_no_run_changes_afterwards() -> None:
    data, network, kept = some(64, 7, 3), fnn.mlp(7, 5, 3), []
    begun = fnn.start(network, batch_size=8)
    for run in fnn.train(network, data, state=begun):
        kept.append((run, fnn.digest(run), run.params.vector.copy(), run.optimizer_state.m.copy()))
        if run.epoch == 4:
            break
    for run, digest, vector, m in kept:
        assert fnn.digest(run) == digest
        assert np.array_equal(run.params.vector, vector)
        assert np.array_equal(run.optimizer_state.m, m)
        assert not run.params.vector.flags.writeable
        assert not run.optimizer_state.v.flags.writeable
    assert fnn.digest(begun) == fnn.digest(fnn.start(network, batch_size=8))


STAYS, JUMPS = fnn.Constant(0.1), fnn.Constant(1e39)


@pytest.mark.parametrize(
    "optimizer",
    [
        fnn.SGD(1e30),  # the loss is not finite any more
        fnn.SGD(fnn.StepDecay(0.1, factor=1e-3, every=7)),
        fnn.Adam(fnn.Join((STAYS, JUMPS), at=(8,))),  # nor are the parameters, of the first step of an epoch or a later
        fnn.Adam(fnn.Join((STAYS, JUMPS), at=(10,))),
    ],
)
def test_where_it_diverges_it_is_told_as_ever(optimizer: Any, made: list[int]) -> None:
    network, random = fnn.mlp(4, 6, 3), np.random.default_rng(0)
    x = random.standard_normal((70, 4)).astype(np.float32)
    x[33] = 3e38 if isinstance(optimizer, fnn.SGD) else 0
    data = fnn.Dataset(x, random.integers(0, 3, 70))
    found = []
    fits: list[Callable[..., fnn.TrainState]] = [fnn.fit, step_by_step]
    for fit in fits:
        with pytest.raises(fnn.TrainingDiverged) as caught:
            fit(network, data, epochs=3, optimizer=optimizer, batch_size=7)
        error = caught.value
        assert error.run is not None
        found.append((str(error), fnn.digest(error.run), error.layer, error.quantity))
    assert found[0] == found[1]
    assert made[-1] == 0


def test_subnormal_moments_are_tidied_at_the_same_steps() -> None:
    x = np.zeros((400, 3), np.float32)
    x[0] = 1e-18
    data, network = fnn.Dataset(x, np.arange(400) % 2), fnn.mlp(3, 4, 2)
    adam = fnn.Adam(0.01, beta1=0.3, beta2=0.3)
    ours = fnn.fit(network, data, epochs=3, optimizer=adam, batch_size=4)
    assert fnn.digest(ours) == fnn.digest(step_by_step(network, data, 3, optimizer=adam, batch_size=4))


def test_what_is_not_for_it() -> None:
    data = some(20, 4, 3)

    def is_for_it(network: fnn.Network, data: fnn.Dataset = data, **how: Any) -> bool:
        return stride(fnn.start(network, **({"batch_size": 10} | how)), data) is not None

    network = fnn.mlp(4, 5, 3)
    assert is_for_it(network)
    assert is_for_it(network, params=fnn.init_params(network, 0, np.float64))
    assert is_for_it(fnn.Network(4, (fnn.Dense(5, "relu", l2=0.1), fnn.Dense(3, "softmax")), loss="cross_entropy"))
    single, numbers = fnn.mlp(4, 5, 1, output="identity", loss="mse"), fnn.Dataset(data.x, np.arange(20.0))
    assert is_for_it(single, numbers)
    assert not is_for_it(single, numbers, batch_size=1)
    for other in (
        fnn.mlp(4, 5, 3, activation="tanh"),
        fnn.mlp(4, 1, 3),
        fnn.Network(4, (fnn.Dense(5, "relu", l1=0.1), fnn.Dense(3, "softmax")), loss="cross_entropy"),
        fnn.Network(4, (fnn.Dense(5, "relu", max_norm=1.0), fnn.Dense(3, "softmax")), loss="cross_entropy"),
        fnn.Network(4, (fnn.Dense(5, "relu"), fnn.Dropout(0.5), fnn.Dense(3, "softmax")), loss="cross_entropy"),
        fnn.Network(4, (fnn.Dense(3, "softmax"),), loss=fnn.CrossEntropy(0.1)),
        fnn.Network(4, (fnn.Dense(3, "softmax"),), loss="mse"),
    ):
        assert not is_for_it(other)
    for how in (
        {"batch_size": None},
        {"batch_size": 21},
        {"optimizer": fnn.Adam(clip_norm=1.0)},
        {"optimizer": fnn.SGD(clip_value=1.0)},
    ):
        assert not is_for_it(network, **how)
    x, y = data.x, data.y
    assert isinstance(x, np.ndarray)
    for no in (
        fnn.Dataset(np.asfortranarray(x), y),
        fnn.Dataset(x.astype(">f4"), y),
        fnn.Dataset(x.astype(np.float16), y),
        fnn.Dataset(x, y, np.arange(20.0)),
        fnn.Dataset(x, fnn.one_hot(y, 3)),
    ):
        assert not is_for_it(network, no)


def test_batches_longer_than_the_data_take_no_memory(made: list[int]) -> None:
    data, network = some(20, 4, 3), fnn.mlp(4, 5, 3)
    for size in (21, 10**12, 10**30):
        assert fnn.fit(network, data, epochs=2, batch_size=size).epoch == 2
    assert made == []


@attrs.frozen
class Breaks:
    """Diverges at step 30, and has no rate from step 60 on."""

    def __call__(self, step: int) -> float:
        return math.nan if step >= 60 else 1e38 if step >= 30 else 0.1


def test_a_schedule_is_asked_for_no_step_that_is_not_made() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 4)).astype(np.float32)
    data, network, found = fnn.Dataset(x, np.arange(2000) % 3), fnn.mlp(4, 5, 3), []
    fits: list[Callable[..., fnn.TrainState]] = [fnn.fit, step_by_step]
    for fit in fits:
        with pytest.raises(fnn.TrainingDiverged) as caught:
            fit(network, data, epochs=2, batch_size=10, optimizer=fnn.SGD(Breaks()))
        assert caught.value.run is not None
        found.append((str(caught.value), fnn.digest(caught.value.run)))
    assert found[0] == found[1]


def test_rows_that_someone_wrote_over_are_refused() -> None:
    rows = np.arange(40)
    data = fnn.Dataset(np.ones((40, 4), np.float32), np.arange(40) % 3, rows=rows)
    runs = fnn.train(fnn.mlp(4, 5, 3), data, batch_size=10)
    next(runs)
    rows[3] = 2**44
    with pytest.raises(IndexError):
        next(runs)


def test_where_numpy_is_another_it_goes_step_by_step(made: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    data, network = some(30, 4, 3), fnn.mlp(4, 5, 3)
    there = fnn.fit(network, data, epochs=1, batch_size=10)
    assert made == [1, 2]
    for name, gone in (("_ufunc", lambda *_: (0, 0)), ("_same", lambda *_: False)):
        made.clear()
        scans.compiled_steps.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(scans, name, gone)
            assert fnn.digest(fnn.fit(network, data, epochs=1, batch_size=10)) == fnn.digest(there)
        assert made == [0, 0, 0]
    scans.compiled_steps.cache_clear()


def test_arrays_that_compiled_code_does_not_take(made: list[int]) -> None:
    raw = np.frombuffer(bytearray(20 * 4 * 4 + 1), np.uint8)[1:].view(np.float32).reshape(20, 4)  # not aligned
    data, network = fnn.Dataset(raw, np.arange(20) % 3), fnn.mlp(4, 5, 3)
    assert fnn.fit(network, data, epochs=1, batch_size=10).epoch == 1


def test_the_loops_of_numpys_functions() -> None:
    for ufunc in (np.exp, np.log1p):
        for char in "fd":
            assert all(scans._ufunc(ufunc, char)[:1])
        assert scans._ufunc(ufunc, "M") == (0, 0)
    assert scans._ufunc(np.add, "f") == (0, 0)


def test_a_hook_sees_each_epoch_and_ctrl_c_leaves_the_last_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    data, network, seen = some(64, 7, 3), fnn.mlp(7, 5, 3), []
    fnn.fit(network, data, epochs=3, batch_size=8, on_epoch=lambda run: seen.append((run.epoch, run.batch)))
    assert seen == [(1, 0), (2, 0), (3, 0)]
    each_takes_a_second(monkeypatch, 4.0)
    go, calls = Stride.go, []

    def interrupted(self: Stride, run: fnn.TrainState, shuffled: Any) -> fnn.TrainState:
        calls.append(run.batch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return go(self, run, shuffled)

    monkeypatch.setattr(Stride, "go", interrupted)
    with pytest.warns(RuntimeWarning, match="interrupted in epoch 1"):
        run = fnn.fit(network, data, epochs=3, batch_size=8)
    assert (run.epoch, run.batch, calls) == (0, 5, [0, 1, 5])
    monkeypatch.setattr(Stride, "go", go)
    whole = fnn.fit(network, data, epochs=3, batch_size=8)
    assert fnn.digest(fnn.fit(network, data, epochs=3, state=run)) == fnn.digest(whole)
