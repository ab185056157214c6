"""The fold: pure functions from a run and a batch to the next run."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from functools import partial
from time import perf_counter
from typing import Any, Literal, Unpack

import attrs
import numpy as np

from fnn import checks, kernels
from fnn.arrays import Array, Floats
from fnn.backprop import (
    Backprop,
    Prepared,
    answers,
    backprop,
    cast_x,
    cast_y,
    numbers,
    penalties,
    prepare,
    true_answers,
)
from fnn.buffers import Pool
from fnn.dataset import Batch, Dataset, batch_count, batch_of, order
from fnn.descent import is_descent
from fnn.divergence import RUN, TrainingDiverged, diverged
from fnn.evaluation import evaluate
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_model, check_parts, project
from fnn.randomness import Key
from fnn.runs import EpochRecord, Settings, Sums, TrainState, check_state, start
from fnn.scores import rows_right
from fnn.strides import stride

Every = Literal["epoch", "step"]


def train_step(run: TrainState, batch: Batch) -> TrainState:
    """The run after one more step: gradients, clipping, optimizer, projection.

    Args:
        run: the run.
        batch: from `batches`, or one's own; its key, the address of what is drawn, must be the run's seed, epoch
            and batch. Its x is trusted to be finite, as a `Dataset`'s is.

    Raises:
        TypeError, ValueError: for a batch that does not fit the network.
        TrainingDiverged: where the loss, the gradient or the new parameters are not finite; `run` is as good as before.

    >>> import numpy as np, fnn
    >>> run = fnn.start(fnn.mlp(2, 2), batch_size=1)
    >>> for batch in fnn.batches(fnn.Dataset(np.eye(2), np.arange(2)), batch_size=1):
    ...     run = fnn.train_step(run, batch)
    >>> run
    TrainState(epoch 0, batch 2, best epoch 0)
    """
    checks.instance("train_step", "run", run, TrainState)
    checks.instance("train_step", "batch", batch, Batch, "`batches(data)` makes them.")
    network, dtype = run.recipe.network, run.params.dtype
    if batch.key != run.key:
        fix = "A run in the middle of an epoch goes on with `islice(batches(…), run.batch, None)`."
        raise checks.problem(
            ValueError, "train_step", "batch.key", f"must be where the run is, {run.key}", repr(batch.key), fix
        )
    x = checks.rows("train_step", "batch.x", batch.x, network.inputs)
    n = x.shape[0]
    y = checks.targets("train_step", batch.y, n, network.outputs, network.targets, "batch.y")
    w = None if batch.sample_weight is None else checks.weights("train_step", batch.sample_weight, n)
    check_model("train_step", network, run.params)
    if is_descent(run.recipe.optimizer):
        run.recipe.optimizer.check_fit(run.params, run.optimizer_state)
    with np.errstate(over="ignore", invalid="ignore"):
        prepared = Prepared(cast_x(network, x, dtype), cast_y(network, y, dtype), w)
        return advance(run, prepared, lambda _: batch)


def advance(run: TrainState, prepared: Prepared, made_of: Callable[[Key], Batch]) -> TrainState:
    """The run after a step on what was prepared; the batch is only made when something went wrong with it."""
    network = run.recipe.network
    key = None if network.tower and not any(network.tower.drops) else run.key  # dense layers draw nothing
    result = backprop(network, run.params, prepared, key)
    fine, params, optimizer_state = math.isfinite(result.loss), run.params, None
    if fine:
        fine, params, optimizer_state = _stepped(run, result.grads)
    if not fine:
        checks.finite("train_step", "batch.x", prepared.x)
        checks.finite("train_step", "batch.y", prepared.y)
        batch = made_of(run.key)
        raise diverged(run, batch, prepared, params, partial(train_step, run, batch))
    sums = _add(run.sums, network, run.params, result, prepared)
    done, best, number = run.batch + 1, run.best, run.best_epoch
    return TrainState(run.recipe, params, optimizer_state, run.epoch, done, sums, best, number, run.history)


def _stepped(run: TrainState, g: Params) -> tuple[bool, Params, Any]:
    """Whether all is finite, the parameters, with g's running statistics, and the state, of an optimizer's step."""
    network, optimizer = run.recipe.network, run.recipe.optimizer
    after: Any
    if is_descent(optimizer):
        finite, *after = optimizer.trusting_step(run.params, run.optimizer_state, g)
    else:
        finite, after = False, optimizer.step(run.params, run.optimizer_state, g)
    params, state = after if finite else _checked(run, g, after)
    params = project(network, params) if network.limits else params
    fine = (finite and not network.limits) or _are_finite(params.vector, g.vector)
    return fine and bool(np.isfinite(params.running).all()), params, state


def _checked(run: TrainState, g: Params, after: Any) -> tuple[Params, Any]:
    """The parameters and the state that a user's own optimizer makes, or an update of one."""
    optimizer = run.recipe.optimizer
    params, state = after if isinstance(after, tuple | list) and len(after) == 2 else (None, None)
    if not isinstance(params, Params) or (params.layout, params.dtype) != (g.layout, g.dtype):
        rule, got = f"must return (params, state), params like {run.params!r}", checks.show(after)
        raise checks.problem(TypeError, type(optimizer).__name__, "step", rule, got)
    check_state(optimizer, "step", state)
    return params if params.running is g.running else attrs.evolve(params, running=g.running), state


def _are_finite(w: Floats, g: Floats) -> bool:
    # NaN and infinity spoil a sum of products, which is sooner made than each number is looked at
    return math.isfinite(np.dot(w, g)) or bool(np.isfinite(w).all() and np.isfinite(g).all())


def _add(sums: Sums, network: Network, params: Params, result: Backprop, batch: Prepared) -> Sums:
    weight, right, penalty = batch.weight, result.right, sums.penalty
    if right is None:
        right = 0.0 if network.answers == "values" else _right(network, result.outputs, batch.y, batch.sample_weight)
    if network.penalized:
        penalty += weight * penalties(network, params, weight)
    return Sums(sums.weight + weight, sums.loss + weight * result.loss, sums.right + right, penalty)


def _right(network: Network, outputs: Floats, y: Array, w: Array | None) -> float:
    """The weighted number of right answers; NaN where a user's targets are no answers."""
    true, said = true_answers(network, y), answers(network, outputs)
    if true.shape != said.shape:
        return math.nan
    right = rows_right(true, said)
    return float((right if w is None else w * right).sum(dtype=np.float64))


def end_epoch(run: TrainState, held_out: Dataset | None = None) -> TrainState:
    """The run with the epoch ended: its record in the history, and the best parameters so far.

    Args:
        run: after at least one step of the epoch.
        held_out: data to evaluate the parameters on, or None.

    Raises:
        ValueError: where no step was made since the last epoch, or the monitored quantity is not there.
        TrainingDiverged: where the loss on the validation data is not finite.

    >>> import numpy as np, fnn
    >>> run = fnn.start(fnn.mlp(2, 2, activation="tanh"))
    >>> for batch in fnn.batches(fnn.Dataset(np.eye(2), np.arange(2))):
    ...     run = fnn.train_step(run, batch)
    >>> fnn.end_epoch(run).history[0].epoch
    1
    """
    checks.instance("end_epoch", "run", run, TrainState)
    if held_out is not None:
        checks.instance("end_epoch", "held_out", held_out, Dataset, "Make one with `Dataset(x, y)`.")
    network, sums = run.recipe.network, run.sums
    if run.batch == 0:
        rule = "must have made a step since the last epoch ended"
        raise checks.problem(ValueError, "end_epoch", "run", rule, repr(run))
    accuracy = None if network.answers == "values" or math.isnan(sums.right) else sums.right / sums.weight
    penalty = sums.penalty / sums.weight if network.penalized else None
    record = EpochRecord(run.epoch + 1, sums.loss / sums.weight, accuracy, penalty=penalty)
    if held_out is not None:
        try:
            held = evaluate(network, run.params, held_out)
        except FloatingPointError:
            message = f"end_epoch: the loss on the validation data is not finite after epoch {record.epoch}. {RUN}"
            again = partial(end_epoch, run, held_out)
            raise TrainingDiverged(message, run, None, None, "val_loss", again) from None
        record = attrs.evolve(record, val_loss=held.loss, val_accuracy=held.accuracy, val_r2=held.r2)
    quantity = run.recipe.monitor or ("loss" if held_out is None else "val_loss")
    value = getattr(record, quantity)
    if value is None:
        rule = f"must be given for the monitor {quantity!r}"
        raise checks.problem(ValueError, "end_epoch", "held_out", rule, "None")
    former = getattr(run.history[run.best_epoch - 1], quantity) if run.best_epoch else None
    better = former is None or (value < former if quantity.endswith("loss") else value > former)
    best, best_epoch = (run.params, record.epoch) if better else (run.best, run.best_epoch)
    history = (*run.history, record)
    return attrs.evolve(
        run, epoch=record.epoch, batch=0, sums=Sums(), best=best, best_epoch=best_epoch, history=history, stopped=None
    )


def train(
    network: Network,
    data: Dataset,
    *,
    state: TrainState | None = None,
    validation: Dataset | None = None,
    every: Every = "epoch",
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
        settings: optimizer, batch_size, seed, monitor, shuffle and params, as in `start`; not with `state`, whose
            recipe says them.

    Raises:
        TypeError, ValueError: for arguments that do not fit each other, at once.
        TrainingDiverged: as `train_step` and `end_epoch`.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.eye(2), np.arange(2))
    >>> for run in fnn.train(fnn.mlp(2, 2), data, optimizer=fnn.SGD(0.5)):
    ...     if run.epoch == 3:
    ...         break
    >>> len(run.history)
    3
    """
    checks.choice("train", "every", every, ("epoch", "step"))
    run = resumed("train", network, state, settings)
    check_fits("train", run, data, validation)
    return fold(run, data, validation, every)


def fold(
    run: TrainState, data: Dataset, validation: Dataset | None, every: Every | Literal["while"], epochs: int = 1
) -> Generator[TrainState, TrainState | None]:
    """What `train` is, after its checks; by how many epochs are expected the kernels are chosen.

    "while" yields after as many steps as are made at once, and after each epoch. After an epoch it goes on with the
    run that is sent to it, with another learning rate say, or else with its own.
    """
    recipe, pool = run.recipe, Pool()
    count = batch_count(data, recipe.batch_size)
    ahead = None
    kernels.choose(min(epochs, 10**9) * count * numbers(recipe.network, len(data) / count))
    while True:
        rows, seconds, begun = 0, 0.0, perf_counter()
        if not ahead and every != "step":  # the loops in use may have become others
            ahead = stride(run, data)
        shuffled, each = order(data, recipe.batch_size, recipe.seed, run.epoch, shuffle=recipe.shuffle)
        while run.batch < count:
            with pool, np.errstate(over="ignore", invalid="ignore"):
                former = run.batch
                if ahead:
                    run = ahead.go(run, shuffled)
                    rows += (run.batch - former) * (recipe.batch_size or 0)
                if run.batch == former:
                    places = each[former]
                    prepared = prepare(recipe.network, data, places, run.params.dtype)
                    run, rows = advance(run, prepared, partial(batch_of, data, places)), rows + len(prepared.y)
            if every != "epoch" and run.batch < count:
                seconds += perf_counter() - begun
                yield run
                begun = perf_counter()
        seconds += perf_counter() - begun
        run = end_epoch(run, validation)
        if rows:
            last = attrs.evolve(run.history[-1], seconds=seconds, rows_per_second=rows / seconds)
            run = attrs.evolve(run, history=(*run.history[:-1], last))
        run = (yield run) or run


def resumed(where: str, network: Network, state: TrainState | None, settings: Settings) -> TrainState:
    """The run to begin or to go on with."""
    checks.instance(where, "network", network, Network)
    for name, value in settings.items():
        if name not in Settings.__annotations__:
            rule = f"must be one of {', '.join(Settings.__annotations__)}"
            raise checks.problem(TypeError, where, "settings", rule, f"{name}={checks.show(value)}")
        if state is not None:
            rule, fix = "must be left out when `state` is given", "The state's recipe says it."
            raise checks.problem(ValueError, where, name, rule, checks.show(value), fix)
    run = start(network, **settings) if state is None else state
    checks.instance(where, "state", run, TrainState)
    if run.recipe.network != network:
        rule = "must be the network of the state's recipe"
        raise checks.problem(ValueError, where, "network", rule, repr(network))
    return run


def check_fits(where: str, run: TrainState, data: Dataset, validation: Dataset | None) -> None:
    """Refuse data that the run cannot be trained or watched on."""
    recipe = run.recipe
    check_model(where, recipe.network, run.params)
    if is_descent(recipe.optimizer):
        recipe.optimizer.check_fit(run.params, run.optimizer_state)
    check_parts(where, recipe.network, run.params.dtype, data, validation)
    if validation is None and run.history and run.history[-1].val_loss is not None:
        fix = "Without it the held-out rows would be trained on. A new run from these is `start(network, params=…)`."
        raise checks.problem(ValueError, where, "validation", "must be given again to go on", "None", fix)
    if validation is None and (recipe.monitor or "").startswith("val_"):
        rule = f"must be given for the monitor {recipe.monitor!r}"
        raise checks.problem(ValueError, where, "validation", rule, "None")
    if run.batch > batch_count(data, recipe.batch_size):
        rule = f"must be as long as what the state was trained on, in batches of {recipe.batch_size}"
        raise checks.problem(ValueError, where, "data", rule, f"{len(data)} rows for a state at batch {run.batch}")
