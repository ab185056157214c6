"""The training of an estimator as a fold: frozen records of where it is, and pure functions from one to the next."""

from __future__ import annotations

import math
import warnings
from typing import Any

import attrs
import numpy as np

from fnn.arguments import optimizer_of
from fnn.arrays import Floats, State
from fnn.dataset import Dataset, weighted_rows
from fnn.lbfgs import check_smooth, objective
from fnn.network import Network
from fnn.optimizers import Momentum
from fnn.params import Params
from fnn.runs import EpochRecord, TrainState, start

AUTO = 200  # rows in a batch, at most, where batch_size is "auto"
SLOWEST = 1e-6  # the rate at which "adaptive" gives up


@attrs.frozen(eq=False, repr=False)
class Progress(State):
    """Where the training of an estimator is.

    Attributes:
        run: the run; where `by_score` is true its best is the one with the best score.
        t: how many rows it has seen, each as often as it was seen.
        scores: of the validation data, after each epoch that had any.
        least: the least loss of an epoch, or with early stopping the best score with its sign changed.
        stalled: how many epochs have gone by without a progress of `tol`.
        stopped: whether that was too long.
        by_score: whether predictions are made by the best parameters, by their score: those of early stopping.
    """

    run: TrainState
    t: int = 0
    scores: tuple[float, ...] = ()
    least: float = math.inf
    stalled: int = 0
    stopped: bool = False
    by_score: bool = False


def loss_of(record: EpochRecord) -> float:
    """The loss of an epoch as scikit-learn reports it, with what the penalties add."""
    return record.loss + (record.penalty or 0.0)


def going_on(progress: Progress, given: Any, network: Network) -> Progress:
    """The same with what the arguments say now; the optimizer's state stays where its kind does."""
    former: Any = progress.run.recipe.optimizer
    optimizer: Any = optimizer_of(given)
    if given.optimizer is None and given.solver == "sgd":
        found = former.learning_rate if isinstance(former, Momentum) else None
        kept = given.learning_rate == "adaptive" and isinstance(found, float)
        optimizer = attrs.evolve(optimizer, learning_rate=found if kept else _rate(given, progress.t))
    run = _with(attrs.evolve(progress.run, recipe=attrs.evolve(progress.run.recipe, network=network)), optimizer)
    least = min(
        (-score for score in progress.scores) if given.early_stopping else map(loss_of, run.history), default=math.inf
    )
    return attrs.evolve(progress, run=run, least=least, stopped=False)


def batched(where: str, progress: Progress, given: Any, data: Dataset) -> Progress:
    """The same in the batches that the arguments say, of these rows; those that are all of them are the full batch."""
    n = len(weighted_rows(data))
    if given.batch_size != "auto" and given.batch_size > n:
        warnings.warn(
            f"{where}: `batch_size`, {given.batch_size}, is cut down to the {n} rows there are.", stacklevel=4
        )
    size = AUTO if given.batch_size == "auto" else given.batch_size
    recipe = attrs.evolve(progress.run.recipe, batch_size=size if size < n else None, shuffle=given.shuffle)
    return attrs.evolve(progress, run=attrs.evolve(progress.run, recipe=recipe))


def after_epoch(progress: Progress, given: Any, run: TrainState, rows: int, score: float | None) -> Progress:
    """One more epoch on, of so many rows, after which the run is this, and what it is worth on the validation data."""
    t, value = progress.t + rows, loss_of(run.history[-1])
    scores = progress.scores if score is None else (*progress.scores, score)
    if given.early_stopping and score is not None:
        value = -score
    stalled = progress.stalled + 1 if value > progress.least - given.tol else 0
    if given.early_stopping:
        best = (progress.run.best, progress.run.best_epoch) if value >= progress.least else (run.params, run.epoch)
        run = attrs.evolve(run, best=best[0], best_epoch=best[1])
    too_long = stalled > given.n_iter_no_change
    optimizer: Any = run.recipe.optimizer
    if given.optimizer is None and given.solver == "sgd":
        rate = _rate(given, t) if given.learning_rate == "invscaling" else optimizer.learning_rate
        if too_long and given.learning_rate == "adaptive" and rate > SLOWEST:
            rate, stalled, too_long = rate / 5, 0, False
        run = _with(run, attrs.evolve(optimizer, learning_rate=rate))
    return Progress(run, t, scores, min(value, progress.least), stalled, too_long, given.early_stopping)


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


def report(given: Any, run: TrainState, epoch: int, score: float | None) -> None:
    """What the arguments ask for after an epoch."""
    if given.verbose:
        of_score = "" if score is None else f", validation score {score:.6f}"
        print(f"epoch {epoch}: loss {loss_of(run.history[-1]):.8f}{of_score}")
    if given.on_epoch:
        given.on_epoch(run)


def minimized(where: str, given: Any, run: TrainState, data: Dataset) -> tuple[TrainState, Any]:
    """A run of no epochs whose parameters are those that L-BFGS comes to from this one's, and what scipy says of it."""
    from scipy.optimize import minimize

    network, first = run.recipe.network, run.params
    check_smooth(where, network)

    def at(vector: Floats) -> Params:
        return Params(first.layout, vector.astype(first.dtype), first.running)

    def function(vector: Floats) -> tuple[float, Floats]:
        with np.errstate(over="ignore", invalid="ignore"):
            return objective(network, at(vector), data)

    limits = {"maxiter": given.max_iter, "maxfun": given.max_fun, "gtol": given.tol}
    method: dict[str, Any] = {"method": "L-BFGS-B", "jac": True, "options": limits}
    found: Any = minimize(function, first.vector.astype(np.float64), **method)
    if not math.isfinite(found.fun):
        raise ValueError(f"{where}: the loss is {found.fun}. Scale X, as StandardScaler does.")
    return start(network, seed=run.recipe.seed, params=at(found.x)), found
