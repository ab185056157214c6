"""`fit`: the endless training with a stopping rule, a bar and one hook."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Unpack

import attrs
import numpy as np

from fnn import checks
from fnn.dataset import Dataset, batch_count
from fnn.network import Network
from fnn.passes import check_data
from fnn.runs import Settings, TrainState
from fnn.splits import split
from fnn.tables import cell
from fnn.training import check_fits, fold, resumed


def fit(
    network: Network,
    data: Dataset,
    *,
    epochs: int,
    validation: Dataset | float | None = None,
    patience: int | None = None,
    state: TrainState | None = None,
    progress: bool = False,
    on_epoch: Callable[[TrainState], object] | None = None,
    **settings: Unpack[Settings],
) -> TrainState:
    """Train for a number of epochs, or with `patience` until the monitored quantity stops getting better.

    n epochs and then m more, by `state`, are n + m epochs byte for byte; so is a run that was stopped in the
    middle of an epoch and goes on. Ctrl-C ends the training, but not the script, with a warning, and hands back what
    there is: look at `run.stopped`, and save that run, since `on_epoch` has seen whole epochs alone. Where numba is
    installed and the work is worth it, the inner loops are compiled ones, which give the same bits; the environment
    variable FNN_KERNELS, "numpy" or "numba", says otherwise.

    Args:
        network: the spec.
        data: to train on.
        epochs: how many more, at least 0; the rest of an unfinished one counts as one.
        validation: data to evaluate each epoch on; or a fraction of `data`, in (0, 1), that is split off as
            `split(data, fraction, seed)` does it; or None. A run that had it needs it again to go on.
        patience: stop when the monitored quantity has not been better for so many epochs, counted from the best
            epoch whichever call it was in, and so at once where they are over; at least 1, or None.
        state: a run to go on with; None starts one.
        progress: whether to show a bar with loss and accuracy, on stderr.
        on_epoch: called with the state after each epoch; an error that it raises ends the training and goes through.
        settings: optimizer (Adam()), batch_size (64; None is the full batch), seed (0), monitor ("val_loss" or
            "loss"; "accuracy", "val_accuracy", "val_r2"), shuffle (True) and params, as in `start`; not with `state`,
            whose recipe says them.

    Returns:
        The run: `run.params` are the last parameters and `run.best` the best, by the monitored quantity;
        `run.history` has a record for each epoch, and `run.stopped` is "epochs", "patience" or "interrupted".

    Raises:
        TypeError, ValueError: for arguments that do not fit each other, before anything is trained.
        TrainingDiverged: where a number is not finite any more; what was trained until then is in it.

    >>> import numpy as np, fnn
    >>> x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    >>> xor = fnn.mlp(2, 4, 1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
    >>> run = fnn.fit(xor, fnn.Dataset(x, y), optimizer=fnn.Adam(0.05), epochs=1000, batch_size=None)
    >>> fnn.predict(xor, run.params, x)
    array([0, 1, 1, 0])
    """
    checks.count("fit", "epochs", epochs, 0)
    if patience is not None:
        checks.count("fit", "patience", patience, 1)
    if on_epoch is not None and not callable(on_epoch):
        raise checks.problem(TypeError, "fit", "on_epoch", "must be a function of the state", checks.show(on_epoch))
    run = begun = resumed("fit", network, state, settings)
    if isinstance(validation, int | float | np.floating):
        checks.fraction("fit", "validation", validation)
        check_data("fit", "data", network, data, run.params.dtype)
        stratify = False if network.answers == "values" else None
        data, validation = split(data, float(validation), run.recipe.seed, stratify)
    check_fits("fit", run, data, validation)
    goal = run.epoch + int(epochs)
    stopped = _ended(run, goal, patience)
    bar = Bar(run, goal, batch_count(data, run.recipe.batch_size)) if progress and not stopped else None
    try:
        for run in () if stopped else fold(begun, data, validation, "while", epochs):
            if bar:
                bar.show(run)
            if on_epoch and not run.batch:
                on_epoch(run)
            if stopped := _ended(run, goal, patience):
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
        warnings.warn(
            f"fit: interrupted in epoch {run.epoch + 1}; the run so far is returned. Go on with `state=run`.",
            RuntimeWarning,
            stacklevel=2,
        )
    finally:
        if bar:
            bar.close()
    return attrs.evolve(run, stopped=stopped)


def _ended(run: TrainState, goal: int, patience: int | None) -> str | None:
    """Why the training ends where the run is, or None."""
    if patience and not run.batch and run.epoch - run.best_epoch >= patience:
        return "patience"
    return "epochs" if run.epoch >= goal else None


class Bar:
    """A tqdm bar over the steps, with the unfinished epoch's loss and accuracy and the last validation's."""

    def __init__(self, run: TrainState, goal: int, steps: int) -> None:
        from tqdm.auto import tqdm

        self.goal, self.steps, self.shown = goal, steps, run.epoch * steps + run.batch
        self.bar = tqdm(total=(goal - run.epoch) * steps, initial=run.batch, unit="step")

    def show(self, run: TrainState) -> None:
        """Show where the run is."""
        done = run.epoch * self.steps + run.batch
        shown, self.shown = self.bar.update(done - self.shown), done
        if shown or not run.batch:
            epoch = run.epoch + 1 if run.batch else run.epoch
            self.bar.set_description(f"epoch {epoch}/{self.goal}", refresh=False)
            self.bar.set_postfix(_quantities(run), refresh=bool(shown))

    def close(self) -> None:
        """Leave it as it is."""
        self.bar.close()


def _quantities(run: TrainState) -> dict[str, str]:
    last = run.history[-1].quantities() if run.history else {}
    if run.batch:
        last["loss"] = cell(run.sums.loss / run.sums.weight)
        if run.recipe.network.answers != "values":
            last["accuracy"] = cell(run.sums.right / run.sums.weight)
    return last
