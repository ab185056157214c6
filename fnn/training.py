"""The fold: a training run is a record that goes through pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, TypedDict, Unpack, get_args

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import State
from fnn.dataset import Batch, Dataset, batch_count, batches
from fnn.evaluation import Evaluation, evaluate
from fnn.network import Network, init_params
from fnn.optimizers import Adam, Optimizer, valid_optimizer
from fnn.params import Params
from fnn.passes import (
    Prepared,
    answers,
    backprop,
    cast_x,
    cast_y,
    check_data,
    check_model,
    project,
    true_answers,
)
from fnn.scores import rows_right
from fnn.tables import table

Monitor = Literal["loss", "accuracy", "val_loss", "val_accuracy", "val_r2"]


def _valid_batch_size(recipe: Any, field: Any, value: Any) -> None:
    if value is not None:
        checks.integer(1)(recipe, field, value)


@attrs.frozen(cache_hash=True)
class Recipe:
    """What a run is made by: with the data, all that its numbers depend on.

    Args:
        network: the spec.
        optimizer: `SGD`, `Momentum`, `RMSProp`, `Adam`, `AdamW`, or a user's own.
        batch_size: at least 1; None is the full batch.
        seed: of the first parameters, the shuffles and the masks; 0 … 2⁶⁴ − 1.
        monitor: the quantity of an epoch's record by which `best` is chosen, losses the lower, scores the
            higher the better. None is "val_loss" where there is validation data, else "loss".
    """

    network: Network = attrs.field()
    optimizer: Optimizer = attrs.field(default=Adam(), validator=valid_optimizer)
    batch_size: int | None = attrs.field(default=64, validator=_valid_batch_size)
    seed: int = attrs.field(default=0, validator=checks.integer(0))
    monitor: Monitor | None = attrs.field(default=None)

    def __attrs_post_init__(self) -> None:
        checks.instance("Recipe", "network", self.network, Network)
        checks.seed("Recipe", self.seed)
        checks.choice("Recipe", "monitor", self.monitor, (None, *get_args(Monitor)))


@attrs.frozen
class EpochRecord:
    """One epoch of a run's history.

    Attributes:
        epoch: 1, 2, …
        loss: the weighted mean over the epoch's rows of their losses in training, as the parameters went,
            without penalties, so that it compares with val_loss.
        accuracy: the share of right answers in training; None for a network whose answers are numbers.
        val_loss: the loss on the validation data after the epoch; None where there is none.
        val_accuracy: and the accuracy.
        val_r2: or the coefficient of determination.
    """

    epoch: int
    loss: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_r2: float | None = None


def history_table(run: TrainState) -> str:
    """The run's history as a text table, one line an epoch, without the quantities that it does not have.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.eye(2), np.arange(2))
    >>> run = fnn.fit(fnn.mlp(2, 2), data, epochs=2, optimizer=fnn.SGD(0))
    >>> print(fnn.history_table(run))
    epoch    loss  accuracy
    1      0.2372    1.0000
    2      0.2372    1.0000
    """
    checks.instance("history_table", "run", run, TrainState)
    optional = [field.name for field in attrs.fields(EpochRecord)][2:]
    names = ["epoch", "loss", *(n for n in optional if any(getattr(r, n) is not None for r in run.history))]
    return table(names, [[getattr(record, name) for name in names] for record in run.history])


@attrs.frozen
class Sums:
    """The unfinished epoch's sums over rows: of weights, of weighted losses, of weighted right answers."""

    weight: float = 0.0
    loss: float = 0.0
    right: float = 0.0


@attrs.frozen(eq=False, repr=False)
class TrainState(State):
    """A training run at a moment: all that going on exactly from there needs, and nothing else.

    Attributes:
        recipe: what the run is made by.
        params: the last parameters.
        optimizer_state: the optimizer's.
        epoch: how many epochs have ended.
        batch: how many steps the unfinished one has made.
        sums: the unfinished epoch's running sums.
        best: the parameters after the best epoch by the monitored quantity; the first ones before there is one.
        best_epoch: its number, 0 before there is one.
        history: a record for each epoch that has ended.
        stopped: why `fit` stopped: "epochs", "patience" or "interrupted"; None in a run that is under way.
    """

    recipe: Recipe
    params: Params
    optimizer_state: Any
    epoch: int
    batch: int
    sums: Sums
    best: Params
    best_epoch: int
    history: tuple[EpochRecord, ...]
    stopped: str | None = None

    def __repr__(self) -> str:
        last = f", {self.history[-1]}" if self.history else ""
        stopped = f", stopped by {self.stopped}" if self.stopped else ""
        return f"TrainState(epoch {self.epoch}, batch {self.batch}, best epoch {self.best_epoch}{last}{stopped})"


class Settings(TypedDict, total=False):
    """What `start` takes, and `train` and `fit` hand on to it."""

    optimizer: Optimizer
    batch_size: int | None
    seed: int
    monitor: Monitor | None
    params: Params


def start(
    network: Network,
    *,
    optimizer: Optimizer = Adam(),  # noqa: B008  # it is frozen
    batch_size: int | None = 64,
    seed: int = 0,
    monitor: Monitor | None = None,
    params: Params | None = None,
) -> TrainState:
    """A run before its first step.

    Args:
        network: the spec.
        optimizer: as in `Recipe`, like the next three.
        batch_size: as in `Recipe`.
        seed: as in `Recipe`.
        monitor: as in `Recipe`.
        params: to begin from; None is `init_params(network, seed)`.

    Raises:
        TypeError, ValueError: for settings that are none, or params of another network.

    >>> import fnn
    >>> fnn.start(fnn.mlp(2, 2), optimizer=fnn.SGD(0.1), batch_size=10)
    TrainState(epoch 0, batch 0, best epoch 0)
    """
    recipe = Recipe(network, optimizer, batch_size, seed, monitor)
    if params is None:
        params = init_params(network, recipe.seed)
    check_model("start", network, params)
    return TrainState(recipe, params, optimizer.init(params), 0, 0, Sums(), params, 0, ())


def train_step(run: TrainState, batch: Batch) -> TrainState:
    """The run after one more step: gradients, clipping, optimizer, projection.

    Args:
        run: the run.
        batch: from `batches`, or one's own; its key is the address of the dropout masks. Its numbers are
            trusted to be finite, as a `Dataset`'s are.

    Raises:
        ValueError: for a batch of another width, or labels out of range.
        FloatingPointError: where the loss is not finite any more; `run` is as good as before.

    >>> import numpy as np, fnn
    >>> run = fnn.start(fnn.mlp(2, 2), batch_size=4)
    >>> for batch in fnn.batches(fnn.Dataset(np.eye(2), np.arange(2)), batch_size=1):
    ...     run = fnn.train_step(run, batch)
    >>> run
    TrainState(epoch 0, batch 2, best epoch 0)
    """
    recipe, network, dtype = run.recipe, run.recipe.network, run.params.dtype
    if batch.x.ndim != 2 or batch.x.shape[1] != network.inputs:
        rule = f"must have shape (n, {network.inputs})"
        raise checks.problem(ValueError, "train_step", "batch.x", rule, str(batch.x.shape))
    y = cast_y(network, batch.y, dtype)
    if y.ndim == 1 and network.answers == "classes":
        checks.labels("train_step", y, network.outputs)
    prepared = Prepared(cast_x(network, batch.x, dtype), y, batch.sample_weight)
    with np.errstate(over="ignore", invalid="ignore"):
        result = backprop(network, run.params, prepared, batch.key)
        if not math.isfinite(result.loss):
            raise FloatingPointError(
                f"train_step: the loss is {result.loss} in epoch {run.epoch + 1}, batch {run.batch + 1}. "
                "Lower `learning_rate`, set `clip_norm`, or scale x by `input_scale`."
            )
        params, optimizer_state = recipe.optimizer.step(run.params, run.optimizer_state, result.grads)
    params = project(network, params)
    sums = _add(run.sums, network, result.loss, result.outputs, prepared)
    return TrainState(
        recipe, params, optimizer_state, run.epoch, run.batch + 1, sums, run.best, run.best_epoch, run.history
    )


def _add(sums: Sums, network: Network, loss: float, outputs: Any, batch: Prepared) -> Sums:
    w = batch.sample_weight
    weight = float(len(batch.x) if w is None else w.sum(dtype=np.float64))
    correct = 0.0
    if network.answers != "values":
        right = rows_right(true_answers(network, batch.y), answers(network, outputs))
        correct = float((right if w is None else w * right).sum(dtype=np.float64))
    return Sums(sums.weight + weight, sums.loss + weight * loss, sums.right + correct)


def end_epoch(run: TrainState, held_out: Dataset | None = None) -> TrainState:
    """The run with the epoch ended: its record in the history, and the best parameters so far.

    Args:
        run: after at least one step of the epoch.
        held_out: data to evaluate the parameters on, or None.

    Raises:
        ValueError: where no step was made since the last epoch, or the monitored quantity is not there.

    >>> import numpy as np, fnn
    >>> run = fnn.start(fnn.mlp(2, 2, activation="tanh"))
    >>> for batch in fnn.batches(fnn.Dataset(np.eye(2), np.arange(2))):
    ...     run = fnn.train_step(run, batch)
    >>> fnn.end_epoch(run).history[0].epoch
    1
    """
    checks.instance("end_epoch", "run", run, TrainState)
    network, sums = run.recipe.network, run.sums
    if run.batch == 0:
        rule = "must have made a step since the last epoch ended"
        raise checks.problem(ValueError, "end_epoch", "run", rule, repr(run))
    held = Evaluation(0, None, None, 0) if held_out is None else evaluate(network, run.params, held_out)
    record = EpochRecord(
        run.epoch + 1,
        sums.loss / sums.weight,
        None if network.answers == "values" else sums.right / sums.weight,
        None if held_out is None else held.loss,
        held.accuracy,
        held.r2,
    )
    quantity = run.recipe.monitor or ("loss" if held_out is None else "val_loss")
    value = getattr(record, quantity)
    if value is None:
        rule = "must be a quantity of the epoch's record"
        fix = "Is there `validation` data, and does the network answer with classes (accuracy) or numbers (r2)?"
        raise checks.problem(ValueError, "end_epoch", "monitor", rule, repr(quantity), fix)
    former = getattr(run.history[run.best_epoch - 1], quantity) if run.best_epoch else None
    better = former is None or (value < former if quantity.endswith("loss") else value > former)
    best, best_epoch = (run.params, record.epoch) if better else (run.best, run.best_epoch)
    return TrainState(
        run.recipe,
        run.params,
        run.optimizer_state,
        record.epoch,
        0,
        Sums(),
        best,
        best_epoch,
        (*run.history, record),
    )


def train(
    network: Network,
    data: Dataset,
    *,
    state: TrainState | None = None,
    validation: Dataset | None = None,
    every: Literal["epoch", "step"] = "epoch",
    **settings: Unpack[Settings],
) -> Iterator[TrainState]:
    """The endless sequence of a run's states: `train_step` folded over `batches`, `end_epoch` between.

    Args:
        network: the spec.
        data: to train on.
        state: a run to go on with, to the same bits as if it had never stopped; None starts one.
        validation: data for `end_epoch`.
        every: "epoch" yields the state after each epoch, "step" after each step; after an epoch's last step
            the epoch has ended too.
        settings: optimizer, batch_size, seed, monitor and params, as in `start`; not with `state`, whose
            recipe says them.

    Raises:
        TypeError, ValueError: for arguments that do not fit each other, at once.
        FloatingPointError: as `train_step`.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.eye(2), np.arange(2))
    >>> for run in fnn.train(fnn.mlp(2, 2), data, optimizer=fnn.SGD(0.5)):
    ...     if run.epoch == 3:
    ...         break
    >>> len(run.history)
    3
    """
    checks.choice("train", "every", every, ("epoch", "step"))
    run = begin("train", network, data, validation, state, settings)
    return _train(run, data, validation, every)


def _train(run: TrainState, data: Dataset, validation: Dataset | None, every: str) -> Iterator[TrainState]:
    recipe = run.recipe
    count = batch_count(data, recipe.batch_size)
    while True:
        for batch in islice(batches(data, recipe.batch_size, recipe.seed, run.epoch), run.batch, None):
            run = train_step(run, batch)
            if every == "step" and run.batch < count:
                yield run
        run = end_epoch(run, validation)
        yield run


def begin(
    where: str,
    network: Network,
    data: Dataset,
    validation: Dataset | None,
    state: TrainState | None,
    settings: Settings,
) -> TrainState:
    """The run to begin or go on with, after checking that everything fits."""
    checks.instance(where, "network", network, Network)
    check_data(where, "data", network, data)
    if validation is not None:
        check_data(where, "validation", network, validation)
    if state is None:
        return start(network, **settings)
    checks.instance(where, "state", state, TrainState)
    for name, value in settings.items():
        rule, fix = "must be left out when `state` is given", "The state's recipe says it."
        raise checks.problem(ValueError, where, name, rule, checks.show(value), fix)
    if state.recipe.network != network:
        rule = "must be the network of the state's recipe"
        raise checks.problem(ValueError, where, "network", rule, repr(network))
    if state.batch > batch_count(data, state.recipe.batch_size):
        rule = "must be as long as what the state was trained on"
        raise checks.problem(ValueError, where, "data", rule, f"{len(data)} rows for a state at batch {state.batch}")
    return state
