"""`fit`: when it stops, what it shows, what it hands on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn

NETWORK = fnn.mlp(2, 8, 2, activation="tanh")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
DATA = fnn.Dataset(X, (X[:, 0] > 0).astype(int))
NOISE = fnn.Dataset(X, RNG.integers(0, 2, 60))
SETTINGS: dict[str, Any] = {"optimizer": fnn.Adam(0.05), "batch_size": 16}


def test_patience_stops_so_many_epochs_after_the_best() -> None:
    run = fnn.fit(NETWORK, NOISE, epochs=500, validation=DATA, patience=4, **SETTINGS)
    assert run.stopped == "patience"
    assert run.epoch == run.best_epoch + 4
    losses = [record.val_loss for record in run.history]
    assert min(losses) == losses[-5]  # type: ignore[type-var]
    assert fnn.evaluate(NETWORK, run.best, DATA).loss == losses[-5]


def test_patience_goes_on_where_it_was() -> None:
    whole = fnn.fit(NETWORK, NOISE, epochs=500, validation=DATA, patience=4, **SETTINGS)
    half = fnn.fit(NETWORK, NOISE, epochs=whole.epoch - 2, validation=DATA, patience=4, **SETTINGS)
    assert half.stopped == "epochs"
    rest = fnn.fit(NETWORK, NOISE, epochs=500, validation=DATA, patience=4, state=half)
    assert fnn.digest(rest) == fnn.digest(whole)


def test_a_run_that_has_ended_is_not_trained_on() -> None:
    """Saved by `on_epoch` in its last epoch, killed, and started again, it is what it would have been."""
    seen: list[fnn.TrainState] = []
    settings: dict[str, Any] = {"validation": DATA, "patience": 4}
    whole = fnn.fit(NETWORK, NOISE, epochs=500, on_epoch=seen.append, **settings, **SETTINGS)
    for _ in range(2):
        again = fnn.fit(NETWORK, NOISE, epochs=500, state=seen[-1], on_epoch=seen.append, progress=True, **settings)
        assert (fnn.digest(again), again.stopped) == (fnn.digest(whole), "patience")
    assert len(seen) == whole.epoch
    exactly = fnn.fit(NETWORK, NOISE, epochs=whole.epoch, **settings, **SETTINGS)
    assert exactly.stopped == "patience"  # of two reasons the one that says that more would be in vain
    one_by_one = fnn.start(NETWORK, **SETTINGS)
    while one_by_one.stopped != "patience":
        one_by_one = fnn.fit(NETWORK, NOISE, epochs=1, state=one_by_one, **settings)
    assert fnn.digest(one_by_one) == fnn.digest(whole)
    longer = fnn.fit(NETWORK, NOISE, epochs=1, state=whole, validation=DATA, patience=5)
    assert longer.epoch == whole.epoch + 1


def test_no_epochs_are_none() -> None:
    run = fnn.fit(NETWORK, DATA, epochs=2, **SETTINGS)
    steps = fnn.train(NETWORK, DATA, state=run, every="step")
    for state in (fnn.start(NETWORK), run, next(steps)):
        same = fnn.fit(NETWORK, DATA, epochs=0, state=state)
        assert (fnn.digest(same), same.stopped) == (fnn.digest(state), "epochs")


def test_patience_waits_for_the_end_of_an_epoch() -> None:
    whole = fnn.fit(NETWORK, NOISE, epochs=500, validation=DATA, patience=4, **SETTINGS)
    step = next(fnn.train(NETWORK, NOISE, state=whole, validation=DATA, every="step"))
    assert step.batch == 1
    assert fnn.fit(NETWORK, NOISE, epochs=9, state=step, validation=DATA, patience=4).epoch > whole.epoch


def test_on_epoch_is_handed_each_state() -> None:
    seen: list[fnn.TrainState] = []
    run = fnn.fit(NETWORK, DATA, epochs=3, on_epoch=seen.append, **SETTINGS)
    assert [state.epoch for state in seen] == [1, 2, 3]
    assert seen[-1].history == run.history


@pytest.mark.parametrize("at", [1, 3, 6])
def test_ctrl_c_hands_back_what_there_is_and_the_run_goes_on(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fnn.fit(NETWORK, DATA, epochs=3, **SETTINGS)
    calls = iter(range(1, 100))
    original = fnn.training.advance

    def interrupted(*args: Any) -> fnn.TrainState:
        if next(calls) == at:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(fnn.training, "advance", interrupted)
        with pytest.warns(RuntimeWarning, match=r"^fit: interrupted in epoch \d; the run so far is returned\."):
            run = fnn.fit(NETWORK, DATA, epochs=3, **SETTINGS)
    assert run.stopped == "interrupted"
    assert run.epoch * 4 + run.batch == at - 1
    assert fnn.digest(fnn.fit(NETWORK, DATA, epochs=3 - run.epoch, state=run)) == fnn.digest(whole)


def test_ctrl_c_in_on_epoch_keeps_the_epoch() -> None:
    def stop(run: fnn.TrainState) -> None:
        if run.epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(RuntimeWarning, match="interrupted"):
        run = fnn.fit(NETWORK, DATA, epochs=9, on_epoch=stop, **SETTINGS)
    assert (run.epoch, run.batch, run.stopped) == (2, 0, "interrupted")


def test_the_bar_shows_loss_and_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    run = fnn.fit(NETWORK, DATA, epochs=3, validation=0.25, progress=True, **SETTINGS)
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.split("\r")[-1]
    record = run.history[-1]
    assert "epoch 3/3" in last
    assert "9/9" in last
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert f"{name}={getattr(record, name):.4f}" in last


def test_the_bar_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    plain = fnn.fit(NETWORK, DATA, epochs=3, **SETTINGS)
    assert capsys.readouterr().err == ""
    assert fnn.digest(fnn.fit(NETWORK, DATA, epochs=3, progress=True, **SETTINGS)) == fnn.digest(plain)


def test_a_fraction_is_the_stratified_split_of_the_seed() -> None:
    rest, part = fnn.split(DATA, 0.2, seed=7)
    explicit = fnn.fit(NETWORK, rest, epochs=2, validation=part, seed=7, **SETTINGS)
    run = fnn.fit(NETWORK, DATA, epochs=2, validation=0.2, seed=7, **SETTINGS)
    assert fnn.digest(run) == fnn.digest(explicit)
    again = fnn.fit(NETWORK, DATA, epochs=1, validation=0.2, state=run)
    assert fnn.digest(again) == fnn.digest(fnn.fit(NETWORK, DATA, epochs=3, validation=0.2, seed=7, **SETTINGS))


def test_going_on_with_a_fraction_counts_the_batches_of_the_part() -> None:
    begun = fnn.start(NETWORK, batch_size=16)
    for batch in fnn.batches(DATA, batch_size=16):
        begun = fnn.train_step(begun, batch)
    with pytest.raises(ValueError, match=r"^fit: `data` must be as long as what the state was trained on"):
        fnn.fit(NETWORK, DATA, state=begun, epochs=1, validation=0.5)


def test_full_batch_is_one_step_an_epoch_of_the_whole_objective() -> None:
    run = fnn.fit(NETWORK, DATA, epochs=1, optimizer=fnn.SGD(0.5), batch_size=None)
    params = fnn.init_params(NETWORK, seed=0)
    g = fnn.grads(NETWORK, params, DATA.x, DATA.y)
    moved, _ = fnn.sgd_step(fnn.SGD(0.5), params, fnn.sgd_init(fnn.SGD(0.5), params), g)
    assert fnn.digest(run.params) == fnn.digest(moved)
    assert run.history[0].loss == pytest.approx(fnn.loss(NETWORK, params, DATA.x, DATA.y), rel=1e-12)


def test_training_begins_from_given_params_and_in_their_dtype() -> None:
    params = fnn.init_params(NETWORK, seed=9, dtype=np.float64)
    run = fnn.fit(NETWORK, DATA, epochs=1, params=params, **SETTINGS)
    assert run.params.vector.dtype == np.float64
    other = fnn.fit(NETWORK, DATA, epochs=1, params=attrs_evolved(params), **SETTINGS)
    assert fnn.digest(run.params) != fnn.digest(other.params)


def attrs_evolved(params: fnn.Params) -> fnn.Params:
    return fnn.Params(params.layout, params.vector + 0.1, params.running)
