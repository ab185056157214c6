"""A training whose numbers stop being finite hands back what it had, and says which went first."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.stand_ins import exactly

LINE = fnn.mlp(1, 1, output="identity", loss="mse")
ABSOLUTE = attrs.evolve(LINE, loss=fnn.MAE())


@attrs.frozen
class Exp:
    """Grows beyond float32 at 89."""

    def value(self, z: Any) -> Any:
        return np.exp(z)

    def vjp(self, z: Any, a: Any, da: Any) -> Any:
        return da * a


@attrs.frozen
class Steep:
    """A loss of 0 whose derivative is what it is told."""

    slope: float

    def rows(self, a: Any, y: Any) -> Any:
        return np.zeros(len(a), a.dtype)

    def vjp(self, a: Any, y: Any) -> Any:
        return np.full_like(a, self.slope)


@attrs.frozen
class Infinite:
    """A loss whose derivative is infinite."""

    def rows(self, a: Any, y: Any) -> Any:
        return np.zeros(len(a), a.dtype)

    def vjp(self, a: Any, y: Any) -> Any:
        return np.full_like(a, np.inf)


def line(weight: float, bias: float, network: fnn.Network = LINE) -> fnn.Params:
    return fnn.pack_params(network, [[[weight]], [bias]], np.float32)


def diverged(run: fnn.TrainState, x: Sequence[float], y: Sequence[float]) -> fnn.TrainingDiverged:
    batch = fnn.Batch(np.array(x)[:, None], np.array(y), rows=np.arange(7, 7 + len(x)), key=run.key)
    before = fnn.digest(run)
    with pytest.raises(fnn.TrainingDiverged) as caught:
        fnn.train_step(run, batch)
    error = caught.value
    assert error.run is run
    assert fnn.digest(error.run) == before
    assert error.batch is batch
    assert error.key == run.key
    assert error.rows is not None
    assert error.rows.tolist() == [7 + i for i in range(len(x))]
    return error


OWN = fnn.Network(1, (fnn.Dense(1), fnn.Dense(1, Exp())), "mse")
DEEP = fnn.Network(1, (fnn.Dense(1), fnn.Dropout(0.0), fnn.Dense(1)), fnn.MAE())
PENALIZED = attrs.evolve(LINE, layers=(fnn.Dense(1, l2=1e30),))
CASES: dict[str, tuple[fnn.Network, list[Any], Any, list[float], int | None, str]] = {
    "z": (LINE, [[[1e30]], [0]], fnn.SGD(), [1.0, 1e20], 0, "z"),
    "z of a later layer": (DEEP, [[[1e30]], [0], [[1e30]], [0]], fnn.SGD(), [1.0], 2, "z"),
    "a": (OWN, [[[1]], [0], [[1]], [0]], fnn.SGD(), [1.0, 90.0], 1, "a"),
    "loss": (LINE, [[[1]], [0]], fnn.SGD(), [1e20], None, "loss"),
    "delta": (attrs.evolve(LINE, loss=Infinite()), [[[1]], [0]], fnn.SGD(), [1.0], 0, "delta"),
    "dW": (attrs.evolve(LINE, loss=Steep(1e30)), [[[0]], [0]], fnn.SGD(), [1e20], 0, "dW"),
    "db": (attrs.evolve(DEEP, loss=Steep(3e38)), [[[0]], [0], [[2]], [0]], fnn.SGD(), [1e-3] * 3, 0, "db"),
    "dW and db": (attrs.evolve(DEEP, loss=Steep(3e38)), [[[0]], [0], [[2]], [0]], fnn.SGD(), [1.0] * 3, 0, "dW"),
    "dW of a penalty": (PENALIZED, [[[1e10]], [0]], fnn.SGD(), [0.0], 0, "dW"),
    "delta of an earlier layer": (
        attrs.evolve(DEEP, loss=Steep(1e30)), [[[0]], [0], [[1e20]], [0]], fnn.SGD(), [1.0], 1, "delta",
    ),
    "weight": (ABSOLUTE, [[[1]], [0]], fnn.SGD(1e38), [10.0], 0, "weight"),
    "bias": (attrs.evolve(LINE, loss=Steep(-1)), [[[1]], [3e38]], fnn.SGD(2e38), [1e-20], 0, "bias"),
    "clipped by value": (attrs.evolve(LINE, loss=Steep(1e30)), [[[0]], [0]], fnn.SGD(clip_value=1.0), [1e20], 0, "dW"),
    "by its sign": (attrs.evolve(LINE, loss=Steep(1e30)), [[[0]], [0]], fnn.Lion(), [1e20], 0, "dW"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_went_first(name: str) -> None:
    network, numbers, optimizer, x, layer, quantity = CASES[name]
    params = fnn.pack_params(network, numbers, np.float32)
    run = fnn.start(network, optimizer=optimizer, params=params)
    error = diverged(run, x, [-3.0] * len(x))
    assert (error.layer, error.quantity) == (layer, quantity)
    what = "the loss" if layer is None else f"`{quantity}` of layer {layer}"
    assert str(error) == (
        f"train_step: {what} is not finite in epoch 1, batch 1. Lower `learning_rate`, set `clip_norm`, or scale x by "
        "`input_scale`, or y. The run until then is `.run` of this error; its `.best` are where to begin anew."
    )
    with pytest.raises(fnn.TrainingDiverged) as again:
        error.replay()
    assert (str(again.value), again.value.layer, again.value.quantity) == (str(error), layer, quantity)


def test_the_running_statistics_count_too() -> None:
    network = fnn.Network(1, (fnn.Dense(1), fnn.BatchNorm()), "mse")
    run = fnn.start(network)
    broken = attrs.evolve(run.params, running=np.array([np.inf, 1.0]))  # which training does not look at
    error = diverged(attrs.evolve(run, params=broken), [1.0, 2.0], [1.0, 2.0])
    assert (error.layer, error.quantity) == (1, "mean")


def test_numbers_that_are_large_are_no_failure() -> None:
    """The product that tells is infinite, but the numbers are not."""
    run = fnn.start(ABSOLUTE, optimizer=fnn.SGD(1.0), params=line(0, 1e30, ABSOLUTE))
    after = fnn.train_step(run, fnn.Batch([[1e20]], [0.0], key=run.key))
    assert after.params.vector.tolist() == [np.float32(-1e20), np.float32(1e30)]


def test_fit_hands_back_the_run_before_the_step(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 10)[:, None]
    data = fnn.Dataset(x, x[:, 0])
    optimizer = fnn.Momentum(fnn.Join((fnn.Constant(0.01), fnn.Constant(1e6)), (12,)))
    settings: dict[str, Any] = {"optimizer": optimizer, "batch_size": 3, "seed": 5}
    with pytest.raises(fnn.TrainingDiverged) as caught:
        fnn.fit(LINE, data, epochs=100, **settings)
    error = caught.value
    assert error.run.key == error.key
    epoch, batch = error.key.epoch, error.key.batch
    assert (epoch, batch) > (3, 0)  # 12 steps of 4 an epoch went well
    expected = list(fnn.batches(data, batch_size=3, seed=5, epoch=epoch))[batch].rows
    assert error.rows is not None
    assert np.array_equal(error.rows, expected)
    for run in fnn.train(LINE, data, every="step", **settings):
        if (run.epoch, run.batch) == (epoch, batch):
            break
    assert fnn.digest(error.run) == fnn.digest(run)
    assert len(error.run.history) == epoch

    fnn.save_run(tmp_path / "run", error.run)
    kept = fnn.load_run(tmp_path / "run")
    assert error.batch is not None
    with pytest.raises(fnn.TrainingDiverged, match=exactly(str(error))):
        fnn.train_step(kept, error.batch)
    onward = fnn.start(LINE, params=error.run.best, optimizer=fnn.SGD(0.1))
    assert fnn.fit(LINE, data, state=onward, epochs=30).history[-1].loss < 1e-3


def test_a_loss_on_validation_data_that_is_not_finite() -> None:
    data, far = fnn.Dataset([[1.0], [2.0]], [1.0, 2.0]), fnn.Dataset([[1e30]], [0.0])
    with pytest.raises(fnn.TrainingDiverged) as caught:
        fnn.fit(LINE, data, epochs=3, validation=far)
    error = caught.value
    assert str(error) == (
        "end_epoch: the loss on the validation data is not finite after epoch 1. "
        "The run until then is `.run` of this error; its `.best` are where to begin anew."
    )
    assert (error.layer, error.quantity, error.batch, error.rows) == (None, "val_loss", None, None)
    assert (error.run.epoch, error.run.batch) == (0, 1)
    with pytest.raises(fnn.TrainingDiverged, match=exactly(str(error))):
        error.replay()
    assert len(fnn.fit(LINE, data, state=error.run, epochs=2, validation=data).history) == 2


@attrs.frozen
class Careful:
    """An optimizer that refuses what is not finite by itself."""

    def init(self, params: fnn.Params) -> None:
        return None

    def step(self, params: fnn.Params, state: None, g: fnn.Params) -> tuple[fnn.Params, None]:
        if not np.isfinite(g.vector).all() or g.vector[0] == 4:
            raise ArithmeticError("I will not")
        return attrs.evolve(params, vector=params.vector - g.vector), None


def test_an_optimizer_that_refuses_by_itself() -> None:
    error = diverged(fnn.start(LINE, optimizer=Careful(), params=line(1e30, 0)), [1e20], [0.0])
    assert (error.layer, error.quantity) == (0, "z")
    run = fnn.start(LINE, optimizer=Careful(), params=line(1, 0))
    with pytest.raises(ArithmeticError, match=exactly("I will not")):  # of numbers that are finite
        fnn.train_step(run, fnn.Batch([[1.0]], [-1.0], key=run.key))


def test_a_target_beyond_the_dtype_is_no_divergence() -> None:
    run = fnn.start(LINE)
    message = "train_step: `batch.y` must be finite in float32, got inf at (0, 0)."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.train_step(run, fnn.Batch([[1.0]], [1e300], key=run.key))


def test_it_goes_through_pickle() -> None:
    error = diverged(fnn.start(LINE, params=line(1e30, 0)), [1e20], [0.0])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.layer, again.quantity) == (str(error), error.layer, error.quantity)
    assert fnn.digest(again.run) == fnn.digest(error.run)
    with pytest.raises(fnn.TrainingDiverged, match=exactly(str(error))):
        again.replay()


def test_it_is_a_floating_point_error() -> None:
    assert issubclass(fnn.TrainingDiverged, FloatingPointError)
