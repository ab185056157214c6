"""What a run prints and measures: `log_table`, the seconds of an epoch, a state's text and the bar."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from tests.stand_ins import exactly

NETWORK = fnn.mlp(2, 8, 2, activation="tanh")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
DATA = fnn.Dataset(X, (X[:, 0] > 0).astype(int))
LINE = fnn.mlp(2, 1, output="identity", loss="mse")
VALUES = fnn.Dataset(X, X[:, 1])
SETTINGS: dict[str, Any] = {"optimizer": fnn.Adam(0.05), "batch_size": 16}  # four steps an epoch


# log_table.


def lines_of(run: fnn.TrainState, *columns: str) -> list[str]:
    """The lines that belong to a run's epochs, the two last cells left open: right-aligned, eight wide or more."""
    widths = [max(len(name), 8) for name in (*columns, "seconds", "rows_per_second")]
    lines = []
    for record in run.history:
        numbers = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in
                   (getattr(record, name) for name in columns)]  # fmt: skip
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths, strict=False)]
        lines.append("  ".join([re.escape(cell) for cell in cells] + [r" {0,4}\d+\.\d\d", r"(?=.{15}$) +[\d,]+"]))
    return lines


def logged(out: str, run: fnn.TrainState, *columns: str) -> None:
    """Each line that was printed is that of an epoch of the run, under one header."""
    header, *lines = out.splitlines()
    assert header.split() == [*columns, "seconds", "rows_per_second"]
    assert len(lines) == len(run.history)
    for line, pattern in zip(lines, lines_of(run, *columns), strict=True):
        assert re.fullmatch(pattern, line), line
        assert len(line) == len(header)


def test_one_header_and_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    run = fnn.fit(NETWORK, DATA, epochs=4, on_epoch=fnn.log_table, **SETTINGS)
    shown = capsys.readouterr()
    assert shown.err == ""
    logged(shown.out, run, "epoch", "loss", "accuracy")


def test_with_validation(capsys: pytest.CaptureFixture[str]) -> None:
    run = fnn.fit(NETWORK, DATA, epochs=2, validation=0.25, on_epoch=fnn.log_table, **SETTINGS)
    logged(capsys.readouterr().out, run, "epoch", "loss", "accuracy", "val_loss", "val_accuracy")


def test_of_a_regression(capsys: pytest.CaptureFixture[str]) -> None:
    run = fnn.fit(LINE, VALUES, epochs=3, validation=0.25, on_epoch=fnn.log_table, **SETTINGS)
    logged(capsys.readouterr().out, run, "epoch", "loss", "val_loss", "val_r2")


def test_the_header_again_at_epoch_21_and_not_where_a_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    settings: dict[str, Any] = {"epochs": 5, "on_epoch": fnn.log_table}
    half = fnn.fit(NETWORK, DATA, **settings, **SETTINGS)
    capsys.readouterr()
    fnn.fit(NETWORK, DATA, state=half, **settings | {"epochs": 37})
    first_cells = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    before_21, before_41 = map(str, range(6, 21)), map(str, range(21, 41))
    assert first_cells == [*before_21, "epoch", *before_41, "epoch", "41", "42"]


def test_in_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    data = fnn.Dataset(np.eye(2), np.arange(2))
    run = fnn.start(fnn.mlp(2, 2), optimizer=fnn.SGD(0))
    for _ in range(2):
        for batch in fnn.batches(data, epoch=run.epoch):
            run = fnn.train_step(run, batch)
        run = fnn.end_epoch(run)
        assert fnn.log_table(run) is None  # type: ignore[func-returns-value]
    assert capsys.readouterr().out == (
        "   epoch      loss  accuracy\n"
        "       1    0.2372    1.0000\n"
        "       2    0.2372    1.0000\n"
    )  # fmt: skip


def test_what_log_table_refuses() -> None:
    run = fnn.start(NETWORK)
    message = "log_table: `run` must have ended an epoch, got TrainState(epoch 0, batch 0, best epoch 0)."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.log_table(run)
    with pytest.raises(TypeError, match=exactly("log_table: `run` must be a TrainState, got a Network.")):
        fnn.log_table(NETWORK)  # type: ignore[arg-type]


# Seconds and rows per second.


class Clock:
    """Stands for `perf_counter`: every step takes 2 seconds, and what the consumer does as long as it says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, step, evaluate = Clock(), fnn.training.advance, fnn.evaluate

    def slow(function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def slowly(*args: Any) -> Any:
            clock.now += seconds
            return function(*args)

        return slowly

    monkeypatch.setattr(fnn.training, "perf_counter", clock)
    monkeypatch.setattr(fnn.training, "advance", slow(step, 2.0))
    monkeypatch.setattr(fnn.training, "evaluate", slow(evaluate, 500.0))
    return clock


def measured(run: fnn.TrainState) -> list[tuple[Any, Any]]:
    return [(record.seconds, record.rows_per_second) for record in run.history]


def test_the_seconds_are_those_of_the_steps(clock: Clock) -> None:
    def consume(run: fnn.TrainState) -> None:
        clock.now += 1000

    run = fnn.fit(NETWORK, DATA, epochs=2, validation=DATA, on_epoch=consume, **SETTINGS)
    assert measured(run) == [(8, 60 / 8)] * 2


@pytest.mark.parametrize("every", ["epoch", "step"])
def test_the_consumers_time_is_not_counted(every: Any, clock: Clock) -> None:
    states: Iterator[fnn.TrainState] = fnn.train(NETWORK, DATA, every=every, validation=DATA, **SETTINGS)
    for run in states:
        if run.epoch == 2:
            break
        clock.now += 100
    assert measured(run) == [(8, 60 / 8)] * 2


@pytest.mark.parametrize(("done", "seconds", "rows"), [(1, 6, 44), (3, 2, 12)])
def test_what_goes_on_in_an_epoch_counts_its_own_rows(done: int, seconds: float, rows: int, clock: Clock) -> None:
    begun = next(islice(fnn.train(NETWORK, DATA, every="step", **SETTINGS), done - 1, None))
    assert begun.batch == done
    run = fnn.fit(NETWORK, DATA, epochs=2, state=begun)
    assert measured(run) == [(seconds, rows / seconds), (8, 60 / 8)]


def test_an_epoch_that_has_only_to_be_ended_is_not_measured(clock: Clock) -> None:
    begun = fnn.start(NETWORK, **SETTINGS)
    for batch in fnn.batches(DATA, batch_size=16):
        begun = fnn.train_step(begun, batch)
    run = fnn.fit(NETWORK, DATA, epochs=2, state=begun)
    assert measured(run) == [(None, None), (8, 60 / 8)]
    assert measured(fnn.end_epoch(begun)) == [(None, None)]


def test_by_the_real_clock() -> None:
    begun = time.perf_counter()
    for run in fnn.train(NETWORK, DATA, every="step", **SETTINGS):
        if run.epoch == 2:
            break
        time.sleep(0.03)  # between steps, seven times
    for record in run.history:
        assert record.seconds is not None
        assert record.rows_per_second is not None
        assert 0 < record.seconds < time.perf_counter() - begun - 0.2
        assert record.seconds * record.rows_per_second == pytest.approx(60)


def test_they_count_neither_in_a_digest_nor_as_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    run = fnn.fit(NETWORK, DATA, epochs=2, **SETTINGS)
    bare = tuple(attrs.evolve(record, seconds=None, rows_per_second=None) for record in run.history)
    assert run.history == bare
    assert hash(run.history) == hash(bare)
    assert fnn.digest(run) == fnn.digest(attrs.evolve(run, history=bare))
    assert fnn.digest(run.history[0]) == fnn.digest(bare[0])
    assert run.history[0] != attrs.evolve(bare[0], loss=0.5)
    assert fnn.history_table(run) == fnn.history_table(attrs.evolve(run, history=bare))
    assert fnn.history_table(run).splitlines()[0].split() == ["epoch", "loss", "accuracy"]


def test_quantities() -> None:
    record = fnn.EpochRecord(3, 0.25, None, 1 / 3, val_r2=1.0, seconds=2.0, rows_per_second=30.0)
    assert record.quantities() == {"loss": "0.2500", "val_loss": "0.3333", "val_r2": "1.0000"}


# A state's text.


def test_the_text_of_a_state() -> None:
    run = fnn.start(NETWORK, seed=5, **SETTINGS)
    assert repr(run) == "TrainState(epoch 0, batch 0, best epoch 0)"
    assert run.key == fnn.Key(5, 0, 0)
    history = (fnn.EpochRecord(1, 0.5, 0.75, 2 / 3, 0.5), fnn.EpochRecord(2, 0.25, 0.8, 1 / 3, 0.6))
    run = attrs.evolve(run, epoch=2, batch=3, best_epoch=2, history=history)
    last = "loss 0.2500, accuracy 0.8000, val_loss 0.3333, val_accuracy 0.6000"
    assert repr(run) == f"TrainState(epoch 2, batch 3, best epoch 2, {last})"
    assert run.key == fnn.Key(5, 2, 3)
    stopped = attrs.evolve(run, stopped="patience")
    assert repr(stopped) == f"TrainState(epoch 2, batch 3, best epoch 2, {last}, stopped by patience)"


# The bar.


class Bar:
    """Stands for tqdm's."""

    made: list[Bar]

    def __init__(self, **settings: Any) -> None:
        self.settings, self.calls, self.texts = settings, 0, []  # type: ignore[var-annotated]
        self.closed = False
        Bar.made.append(self)

    def update(self, steps: int) -> bool:
        self.calls += steps
        return True

    def set_description(self, text: str, refresh: bool) -> None:
        self.texts.append(text)

    def set_postfix(self, quantities: dict[str, str], refresh: bool) -> None:
        self.texts.append(quantities)

    def close(self) -> None:
        self.closed = True


def test_the_bar_is_the_one_that_fits_the_terminal_or_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bar, "made", [], raising=False)
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    begun = fnn.fit(NETWORK, DATA, epochs=1, **SETTINGS)
    assert Bar.made == []
    run = fnn.fit(NETWORK, DATA, epochs=2, state=begun, progress=True)
    (bar,) = Bar.made
    assert bar.settings == {"total": 8, "initial": 0, "unit": "step"}
    assert (bar.calls, bar.closed) == (8, True)
    record = run.history[-1]
    assert bar.texts[-2:] == ["epoch 3/3", {"loss": f"{record.loss:.4f}", "accuracy": f"{record.accuracy:.4f}"}]
