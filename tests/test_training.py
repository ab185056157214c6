"""The fold law, byte for byte, and what a run records."""

from __future__ import annotations

import copy
import pickle
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

NETWORK = fnn.Network(
    6,
    (
        fnn.Dropout(0.1),
        fnn.Dense(12, "relu", l1=1e-4, l2=1e-3, max_norm=1.5),
        fnn.BatchNorm("tanh"),
        fnn.Dropout(0.3),
        fnn.Dense(3, "softmax"),
    ),
    loss=fnn.CrossEntropy(label_smoothing=0.05),
    input_scale=1 / 9,
)
SCHEDULE = fnn.Cosine(0.05, steps=40, warmup_steps=5, final=0.001)
OPTIMIZERS: list[Any] = [
    fnn.SGD(SCHEDULE, clip_norm=0.5),
    fnn.Momentum(SCHEDULE, clip_norm=0.5),
    fnn.Momentum(SCHEDULE, nesterov=True, clip_value=0.1),
    fnn.RMSProp(SCHEDULE, clip_norm=0.5),
    fnn.Adam(SCHEDULE, clip_norm=0.5, clip_value=0.1),
    fnn.AdamW(SCHEDULE, clip_norm=0.5),
]
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)


def _data(n: int = 47, seed: int = 0) -> fnn.Dataset:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10, (n, 6), dtype=np.uint8)
    y = (x[:, 0].astype(int) + x[:, 1]) % 3
    return fnn.Dataset(x, y, sample_weight=rng.integers(0, 3, n).astype(float))


DATA, HELD_OUT = _data(), _data(20, seed=1)


def _fit(epochs: int, state: fnn.TrainState | None = None, **settings: Any) -> fnn.TrainState:
    if state is None:
        settings = {"batch_size": 10, "seed": 4} | settings
    return fnn.fit(NETWORK, DATA, epochs=epochs, validation=HELD_OUT, state=state, **settings)


@each_optimizer
def test_n_epochs_and_then_m_are_n_plus_m(optimizer: Any) -> None:
    whole = _fit(5, optimizer=optimizer)
    assert fnn.digest(_fit(3, _fit(2, optimizer=optimizer))) == fnn.digest(whole)
    assert fnn.digest(_fit(5, optimizer=optimizer)) == fnn.digest(whole)
    assert fnn.digest(_fit(5, optimizer=optimizer, seed=5)) != fnn.digest(whole)
    assert [record.epoch for record in whole.history] == [1, 2, 3, 4, 5]
    assert (whole.epoch, whole.batch, whole.stopped) == (5, 0, "epochs")


@each_optimizer
def test_a_run_that_stops_at_any_step_goes_on_to_the_same_bytes(optimizer: Any) -> None:
    whole = fnn.digest(_fit(3, optimizer=optimizer))
    begun = fnn.start(NETWORK, optimizer=optimizer, batch_size=10, seed=4)
    steps = list(islice(fnn.train(NETWORK, DATA, state=begun, validation=HELD_OUT, every="step"), 12))
    assert steps[-1].epoch == 3  # so an epoch has four steps, the last of them partial
    assert {state.batch for state in steps} == {0, 1, 2, 3}
    for state in [begun, *steps[:11]]:
        stored = pickle.loads(pickle.dumps(state))
        assert fnn.digest(_fit(3 - state.epoch, stored)) == whole


def test_the_users_own_loop_is_fit() -> None:
    run = fnn.start(NETWORK, optimizer=OPTIMIZERS[4], batch_size=10, seed=4)
    for epoch in range(3):
        for batch in fnn.batches(DATA, batch_size=10, seed=4, epoch=epoch):
            run = fnn.train_step(run, batch)
        run = fnn.end_epoch(run, HELD_OUT)
    fitted = _fit(3, optimizer=OPTIMIZERS[4])
    assert (run.stopped, fitted.stopped) == (None, "epochs")  # which alone does not count in a digest
    assert fnn.digest(run) == fnn.digest(fitted)


@each_optimizer
def test_unshuffled_it_is_the_users_own_loop_too(optimizer: Any) -> None:
    run = fnn.start(NETWORK, optimizer=optimizer, batch_size=10, seed=4, shuffle=False)
    for epoch in range(3):
        for batch in fnn.batches(DATA, batch_size=10, seed=4, epoch=epoch, shuffle=False):
            run = fnn.train_step(run, batch)
        run = fnn.end_epoch(run, HELD_OUT)
    fitted = _fit(3, optimizer=optimizer, shuffle=False)
    assert fnn.digest(run) == fnn.digest(fitted)
    assert fnn.digest(_fit(2, _fit(1, optimizer=optimizer, shuffle=False))) == fnn.digest(fitted)
    assert fnn.digest(fitted.params) != fnn.digest(_fit(3, optimizer=optimizer).params)
    begun = fnn.start(NETWORK, optimizer=optimizer, batch_size=10, seed=4, shuffle=False)
    steps = list(islice(fnn.train(NETWORK, DATA, state=begun, validation=HELD_OUT, every="step"), 12))
    assert fnn.digest(steps[-1]) == fnn.digest(fitted)


def test_train_yields_epochs_or_steps_of_the_same_run() -> None:
    settings: dict[str, Any] = {"optimizer": OPTIMIZERS[4], "batch_size": 10}
    epochs = list(islice(fnn.train(NETWORK, DATA, **settings), 3))
    steps = list(islice(fnn.train(NETWORK, DATA, every="step", **settings), 12))
    assert [fnn.digest(run) for run in steps if run.batch == 0] == [fnn.digest(run) for run in epochs]


def test_a_step_is_its_parts() -> None:
    """Gradients, clipping, optimizer, projection: by the public functions alone."""
    run = fnn.start(NETWORK, optimizer=OPTIMIZERS[4], batch_size=10, seed=4)
    batch = next(fnn.batches(DATA, batch_size=10, seed=4))
    g = fnn.grads(NETWORK, run.params, batch.x, batch.y, batch.sample_weight, batch.key)
    params, state = fnn.adam_step(OPTIMIZERS[4], run.params, run.optimizer_state, g)
    params = fnn.project(NETWORK, params)
    after = fnn.train_step(run, batch)
    assert fnn.digest((after.params, after.optimizer_state)) == fnn.digest((params, state))
    assert np.sqrt(np.square(params[1].weight).sum(axis=0)).max() <= 1.5 * (1 + 1e-6)
    assert np.sqrt(np.square(run.params[1].weight).sum(axis=0)).max() > 1.5
    assert not np.array_equal(params.running, run.params.running)


def test_an_epochs_loss_is_the_weighted_mean_over_its_batches() -> None:
    network = fnn.Network(6, (fnn.Dense(3, "softmax", l2=0.5),), loss="cross_entropy")
    run = fnn.start(network, optimizer=fnn.SGD(0.01), batch_size=10, seed=4)
    losses: list[float] = []
    right: list[Any] = []
    weights: list[float] = []
    for batch in fnn.batches(DATA, batch_size=10, seed=4):
        assert batch.sample_weight is not None
        part = fnn.Dataset(batch.x, batch.y, batch.sample_weight)
        result = fnn.evaluate(network, run.params, part)  # without penalties
        losses.append(result.loss)
        right.append(result.accuracy)
        weights.append(batch.sample_weight.sum())
        run = fnn.train_step(run, batch)
    record = fnn.end_epoch(run).history[0]
    assert record.loss == pytest.approx(np.average(losses, weights=weights), rel=1e-6)
    assert record.accuracy == pytest.approx(np.average(right, weights=weights), rel=1e-12)
    assert sum(weights) == DATA.sample_weight.sum()  # type: ignore[union-attr]
    assert record.val_loss is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [10, None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("spread", [False, True])
def test_an_epochs_penalty_is_the_weighted_mean_of_what_its_steps_added(
    spread: bool, weighted: bool, batch_size: int | None, dtype: Any
) -> None:
    network = attrs.evolve(NETWORK, spread_penalties=spread)
    data = fnn.Dataset(*DATA.take()) if weighted else fnn.Dataset(*DATA.take()[:2])
    how: Any = {"optimizer": fnn.SGD(0.3), "batch_size": batch_size, "params": fnn.init_params(network, 4, dtype)}
    run = fnn.start(network, **how)
    for epoch in range(3):
        added, weights = [], []
        for batch in fnn.batches(data, batch_size, epoch=epoch):
            given: Any = (run.params, batch.x, batch.y, batch.sample_weight, batch.key)
            added.append(fnn.loss(network, *given) - fnn.loss(network.unpenalized, *given))
            weights.append(len(batch.y) if batch.sample_weight is None else batch.sample_weight.sum())
            run = fnn.train_step(run, batch)
            assert run.sums.penalty == pytest.approx(np.dot(added, weights), rel=1e-9)
        run = fnn.end_epoch(run)
        assert run.history[-1].penalty == pytest.approx(np.average(added, weights=weights), rel=1e-9)
        assert run.sums.penalty == 0
    fitted = fnn.fit(network, data, epochs=3, **how)
    assert [record.penalty for record in fitted.history] == [record.penalty for record in run.history]
    assert len({record.penalty for record in run.history}) == 3


def test_without_penalties_no_penalty_is_recorded() -> None:
    for spread in (False, True):
        network = attrs.evolve(NETWORK.unpenalized, spread_penalties=spread)
        run = fnn.fit(network, DATA, epochs=2, batch_size=10)
        assert {record.penalty for record in run.history} == {None}
        assert "penalty" not in fnn.history_table(run)
        assert "penalty" not in repr(run)


def test_of_equal_epochs_the_first_is_the_best() -> None:
    run = fnn.fit(fnn.mlp(6, 3), DATA, epochs=3, validation=HELD_OUT, optimizer=fnn.SGD(0.0), monitor="val_accuracy")
    assert len({record.val_accuracy for record in run.history}) == 1
    assert run.best_epoch == 1


def test_a_batch_must_be_the_runs_next() -> None:
    run = fnn.start(NETWORK, batch_size=10, seed=4)
    batch = next(fnn.batches(DATA, batch_size=10, seed=4, epoch=1))
    with pytest.raises(ValueError, match=r"^train_step: `batch.key` must be where the run is, Key\(seed=4, epoch=0"):
        fnn.train_step(run, batch)


def test_a_run_that_was_watched_goes_on_watched() -> None:
    run = _fit(1, optimizer=fnn.SGD(0.1))
    with pytest.raises(ValueError, match=r"^fit: `validation` must be given again to go on, got None\."):
        fnn.fit(NETWORK, DATA, state=run, epochs=1)


def test_parameters_that_are_not_finite_are_no_result() -> None:
    network = fnn.mlp(2, 1, output="identity", loss="mse")
    data = fnn.Dataset(np.eye(2), np.array([1.0, 2.0]))
    message = "`weight` of layer 0 is not finite in epoch 1, batch 1."
    with pytest.raises(FloatingPointError, match=rf"^train_step: {message} Lower `learning_rate`"):
        fnn.fit(network, data, epochs=1, optimizer=fnn.SGD(1e39))


def test_an_augmented_batch_that_is_not_finite_is_named() -> None:
    run = fnn.start(NETWORK, batch_size=10, seed=4)
    batch = next(fnn.batches(DATA, batch_size=10, seed=4))
    with pytest.raises(ValueError, match=r"^train_step: `batch.x` must be finite in float32, got nan at \(0, 0\)\."):
        fnn.train_step(run, attrs.evolve(batch, x=np.full(batch.x.shape, np.nan)))


def test_last_and_best_are_both_there() -> None:
    run = _fit(12, optimizer=fnn.SGD(2.0))
    losses = [record.val_loss for record in run.history]
    assert run.best_epoch == int(np.argmin(np.array(losses))) + 1
    assert 1 < run.best_epoch < 12
    assert fnn.digest(run.best) == fnn.digest(_fit(run.best_epoch, optimizer=fnn.SGD(2.0)).params)
    assert fnn.evaluate(NETWORK, run.best, HELD_OUT).loss == losses[run.best_epoch - 1]
    assert fnn.evaluate(NETWORK, run.params, HELD_OUT).loss == losses[-1]


@pytest.mark.parametrize(
    ("monitor", "best"), [("val_accuracy", np.argmax), ("loss", np.argmin), ("accuracy", np.argmax)]
)
def test_best_is_by_the_monitored_quantity(monitor: Any, best: Any) -> None:
    run = _fit(12, optimizer=fnn.SGD(2.0), monitor=monitor)
    values = [getattr(record, monitor) for record in run.history]
    assert run.best_epoch == best(values) + 1
    assert len({round(value, 9) for value in values}) > 1


def test_a_regression_records_r2() -> None:
    data = fnn.Dataset(np.arange(8.0)[:, None] / 8, np.arange(8.0) / 4)
    network = fnn.mlp(1, 1, output="identity", loss="mse")
    run = fnn.fit(network, data, optimizer=fnn.Adam(0.05), epochs=200, validation=data, monitor="val_r2")
    last = run.history[-1]
    assert last.accuracy is None
    assert last.val_accuracy is None
    assert last.val_r2 == pytest.approx(1, abs=0.01)


def test_a_loss_that_is_not_finite_is_raised_with_what_to_do() -> None:
    data = fnn.Dataset(np.array([[1e3], [-1e3]]), np.array([[1.0], [2.0]]))
    network = fnn.mlp(1, 1, output="identity", loss="mse")
    with pytest.raises(FloatingPointError, match=r"^train_step: the loss is not finite in epoch 3, batch 1\. Lower"):
        fnn.fit(network, data, optimizer=fnn.SGD(1e6), epochs=100)


def test_states_go_through_pickle_and_deepcopy_unchanged() -> None:
    run = _fit(2, optimizer=OPTIMIZERS[4])
    for again in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run), copy.copy(run)):
        assert fnn.digest(again) == fnn.digest(run)
        assert again.recipe == run.recipe
        assert hash(again.recipe) == hash(run.recipe)


def test_the_history_prints_as_a_table_of_what_is_there() -> None:
    lines = fnn.history_table(_fit(3, optimizer=fnn.SGD(0.1))).split("\n")
    assert lines[0].split() == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "penalty"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert repr(fnn.start(NETWORK)) == "TrainState(epoch 0, batch 0, best epoch 0)"
