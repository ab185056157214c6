"""The training of an estimator as a fold: frozen records of where it is, and pure functions from one to the next."""

from __future__ import annotations

import math
import warnings
from typing import Any

import attrs

from fnn.arguments import optimizer_of, uses
from fnn.arrays import Array, State
from fnn.dataset import Dataset, weighted_rows
from fnn.losses import SquaredError
from fnn.network import Network
from fnn.optimizers import Momentum
from fnn.runs import TrainState

AUTO = 200  # rows in a batch, at most, where batch_size is "auto"
SLOWEST = 1e-6  # the rate at which "adaptive" gives up


@attrs.frozen(eq=False, repr=False)
class Progress(State):
    """Where the training of an estimator is.

    Attributes:
        run: the run; where `by_score` is true its best is the one with the best score.
        t: how many rows it has seen, each as often as it was seen.
        scores: of the validation data, after each epoch that had any.
        best_value: the least loss of an epoch, or with early stopping the best score with its sign changed.
        stalled: how many epochs have gone by without a progress of `tol`.
        stopped: whether that was too long.
        by_score: whether predictions are made by the best parameters, by their score: those of early stopping.
    """

    run: TrainState
    t: int = 0
    scores: tuple[float, ...] = ()
    best_value: float = math.inf
    stalled: int = 0
    stopped: bool = False
    by_score: bool = False


@attrs.frozen(eq=False)
class Classes:
    """What a classifier has learned of y: its classes, or that there are several labels, 0, 1, ….

    Attributes:
        labels: in order.
        several: whether each is a question of its own, with 1 or 0.
    """

    labels: Array
    several: bool


def loss_of(run: TrainState, epoch: int = -1) -> float:
    """The loss of an epoch as scikit-learn reports it: with penalties, and of several squared errors their mean."""
    record, network = run.history[epoch], run.recipe.network
    over = network.outputs if type(network.loss) is SquaredError else 1
    return record.loss / over + (record.penalty or 0.0)


def losses(run: TrainState) -> list[float]:
    """The loss of each epoch."""
    return [loss_of(run, epoch) for epoch in range(len(run.history))]


def going_on(progress: Progress, given: Any, network: Network) -> Progress:
    """The same with what the arguments say now; the optimizer's state stays where its kind does."""
    former: Any = progress.run.recipe.optimizer
    optimizer: Any = optimizer_of(given)
    if uses(given, "sgd"):
        found = former.learning_rate if isinstance(former, Momentum) else None
        kept = given.learning_rate == "adaptive" and isinstance(found, float)
        optimizer = attrs.evolve(optimizer, learning_rate=found if kept else _rate(given, progress.t))
    run = _with(attrs.evolve(progress.run, recipe=attrs.evolve(progress.run.recipe, network=network)), optimizer)
    best_value = progress.best_value
    if given.early_stopping != progress.by_score:
        best_value = best_of(run, progress.scores, by_score=given.early_stopping)
    return attrs.evolve(progress, run=run, best_value=best_value, stopped=False)


def batched(where: str, progress: Progress, given: Any, data: Dataset) -> Progress:
    """The same in the batches that the arguments say, of these rows; those that are all of them are the full batch."""
    n = len(weighted_rows(data))
    if given.batch_size != "auto" and given.batch_size > n:
        warnings.warn(
            f"{where}: `batch_size`, {given.batch_size}, is cut down to the {n} rows there are.", stacklevel=4
        )
    size = AUTO if given.batch_size == "auto" else given.batch_size
    recipe = progress.run.recipe
    score: Any = "val_r2" if recipe.network.answers == "values" else "val_accuracy"
    how: Any = {"shuffle": given.shuffle, "monitor": score if given.early_stopping else None}
    recipe = attrs.evolve(recipe, batch_size=size if size < n else None, **how)
    return attrs.evolve(progress, run=attrs.evolve(progress.run, recipe=recipe))


def best_of(run: TrainState, scores: tuple[float, ...], *, by_score: bool) -> float:
    """The least loss so far, or the best score with its sign changed."""
    return min((-score for score in scores) if by_score else losses(run), default=math.inf)


def after_epoch(progress: Progress, given: Any, run: TrainState, rows: int, score: float | None) -> Progress:
    """One more epoch on, of so many rows, after which the run is this, and what it is worth on the validation data."""
    t, value = progress.t + rows, loss_of(run)
    scores = progress.scores if score is None else (*progress.scores, score)
    if given.early_stopping and score is not None:
        value = -score
    stalled = progress.stalled + 1 if value > progress.best_value - given.tol else 0
    if given.early_stopping:
        best = (progress.run.best, progress.run.best_epoch) if value >= progress.best_value else (run.params, run.epoch)
        run = attrs.evolve(run, best=best[0], best_epoch=best[1])
    too_long = stalled > given.n_iter_no_change
    optimizer: Any = run.recipe.optimizer
    if uses(given, "sgd"):
        rate = _rate(given, t) if given.learning_rate == "invscaling" else optimizer.learning_rate
        if too_long and given.learning_rate == "adaptive" and rate > SLOWEST:
            rate, stalled, too_long = rate / 5, 0, False
        run = _with(run, attrs.evolve(optimizer, learning_rate=rate))
    return Progress(run, t, scores, min(value, progress.best_value), stalled, too_long, given.early_stopping)


def _rate(given: Any, t: int) -> float:
    """The learning rate of SGD after so many rows, where that alone decides."""
    rate: float = given.learning_rate_init
    return rate / (t + 1) ** given.power_t if given.learning_rate == "invscaling" else rate


def _with(run: TrainState, optimizer: Any) -> TrainState:
    """The run with another optimizer; a velocity takes the parameters as far as before, whatever the rate."""
    former: Any = run.recipe.optimizer
    if optimizer == former:
        return run
    state = run.optimizer_state
    if type(optimizer) is not type(former):
        state = optimizer.init(run.params)
    elif type(optimizer) is Momentum and {type(former.learning_rate), type(optimizer.learning_rate)} == {float}:
        ratio = former.learning_rate / optimizer.learning_rate
        state = attrs.evolve(state, v=state.v * state.v.dtype.type(ratio))
    return attrs.evolve(run, recipe=attrs.evolve(run.recipe, optimizer=optimizer), optimizer_state=state)


def report(given: Any, progress: Progress, epoch: int) -> None:
    """What the arguments ask for after an epoch."""
    run = progress.run
    if given.verbose:
        print(f"Iteration {epoch}, loss = {loss_of(run):.8f}")
        if progress.scores:
            print(f"Validation score: {progress.scores[-1]:.6f}")
        if progress.stopped:
            print(f"No progress by tol={given.tol:g} for {given.n_iter_no_change} epochs. Stopping.")
    if given.on_epoch:
        given.on_epoch(run)
