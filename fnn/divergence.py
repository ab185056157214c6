"""What is raised of a training whose numbers are not finite any more, with all that it had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fnn.arrays import Floats
from fnn.backprop import Prepared, gradient, mean_loss, run_forward
from fnn.dataset import Batch
from fnn.params import Params
from fnn.runs import TrainState

Replay = Callable[[], TrainState]
RUN = "The run until then is `.run` of this error; its `.best` are where to begin anew."


class TrainingDiverged(FloatingPointError):  # noqa: N818  # a named event, as StopIteration is
    """A number of training is not finite any more. What was trained until then is in it, to the last bit.

    `start(network, params=error.run.best, optimizer=…)` begins anew from the best epoch, more carefully (from the first
    parameters, where there was none); `error.run.params` are finite, but may be far gone. `save_run(path, error.run)`
    keeps all of it, with `allow_nonfinite=True` where the squares in the optimizer's state have overflowed.

    Attributes:
        run: the last run whose parameters are finite: before the step, or before the end of the epoch.
        key: the step: its seed, epoch and batch, counted from 0 (the message counts from 1).
        batch: what the step was made of; None at an epoch's end.
        rows: the batch's rows in the data set's x, or None.
        layer: the index in `network.layers` of the one whose number was the first, in the order in which they are
            made, or None where it is the loss.
        quantity: which: "z", "a", "loss", and on the way back "delta", "dW", "db", as in `trace`; "weight", "bias",
            "mean" or "variance" after the step; "val_loss" at the end of an epoch.
        replay: a function of nothing that does it again, and raises the same.

    >>> import numpy as np, fnn
    >>> network = fnn.mlp(1, 1, output="identity", loss="mse")
    >>> run = fnn.start(network, params=fnn.pack_params(network, [[[1e20]], [0.0]], np.float32))
    >>> try:
    ...     fnn.train_step(run, fnn.Batch(np.array([[1.0], [1e20]]), [0, 0], key=run.key))
    ... except fnn.TrainingDiverged as error:
    ...     error.layer, error.quantity, error.run is run, error.rows
    (0, 'z', True, array([0, 1]))
    """

    def __init__(
        self, message: str, run: TrainState, batch: Batch | None, layer: int | None, quantity: str, replay: Replay
    ) -> None:
        super().__init__(message, run, batch, layer, quantity, replay)  # all of it, so that it can be pickled
        self.run, self.batch, self.layer, self.quantity, self.replay = run, batch, layer, quantity, replay
        self.key, self.rows = run.key, None if batch is None else batch.rows

    def __str__(self) -> str:
        return str(self.args[0])


def diverged(run: TrainState, batch: Batch, prepared: Prepared, after: Params, replay: Replay) -> TrainingDiverged:
    """The error to raise of a step to the parameters `after`, with the first of its numbers that is not finite."""
    made = _made(run, batch, prepared, after)
    found = ((layer, name) for layer, name, array in made if not np.isfinite(array).all())
    layer, quantity = next(found, (None, "loss"))
    what = "the loss" if layer is None else f"`{quantity}` of layer {layer}"
    message = (
        f"train_step: {what} is not finite in epoch {run.epoch + 1}, batch {run.batch + 1}. Lower `learning_rate`, set "
        f"`clip_norm`, or scale x by `input_scale`, or y. {RUN}"
    )
    return TrainingDiverged(message, run, batch, layer, quantity, replay)


def _made(run: TrainState, batch: Batch, prepared: Prepared, after: Params) -> Iterator[tuple[int | None, str, Any]]:
    """All that a step makes, in the order in which it makes it."""
    network = run.recipe.network
    passed = run_forward(network, run.params, prepared.x, batch.key)
    for i, layer in enumerate(passed):
        yield from ((i, "z", layer.z), (i, "a", layer.a))
    yield None, "loss", mean_loss(network, passed[-1], prepared)
    deltas: dict[int, Floats] = {}
    g = gradient(network, run.params, passed, prepared, deltas)
    for i in sorted(deltas, reverse=True):
        yield from ((i, "delta", deltas[i]), (i, "dW", g[i].weight), (i, "db", g[i].bias))
    for i, p in enumerate(after):
        yield from ((i, name, array) for name, array in p._asdict().items())
