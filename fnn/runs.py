"""A training run as a record: what it is made by, where it is, and what it has been."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, get_args

import attrs
import numpy as np

from fnn import checks, settings
from fnn.adam import Adam
from fnn.arrays import Spec, State, field_names
from fnn.descent import Optimizer, valid_optimizer
from fnn.network import Network, init_params
from fnn.params import Params
from fnn.passes import check_model
from fnn.randomness import Key
from fnn.tables import cell

Monitor = Literal["loss", "accuracy", "val_loss", "val_accuracy", "val_r2"]


@attrs.frozen(cache_hash=True, repr=False)
class Recipe(Spec):
    """What a run is made by: with the data, all that its numbers depend on.

    Args:
        network: the spec.
        optimizer: `Adam()` or another, or a user's own.
        batch_size: at least 1; None is the full batch.
        seed: of the first parameters, the shuffles, the masks and the noise; 0 … 2⁶⁴ − 1.
        monitor: the quantity of an epoch's record by which `best` is chosen: "loss" or "val_loss", the lower the
            better; "accuracy", "val_accuracy" or "val_r2", the higher. None is "val_loss" where there is validation
            data, else "loss".
        shuffle: whether each epoch takes the rows in an order of its own; False: always as they come.
    """

    network: Network = attrs.field()
    optimizer: Optimizer = attrs.field(default=Adam(), validator=valid_optimizer)
    batch_size: int | None = attrs.field(default=64, validator=settings.from_1_or_none)
    seed: int = attrs.field(default=0, validator=settings.a_word)
    monitor: Monitor | None = attrs.field(default=None)
    shuffle: bool = attrs.field(default=True, validator=settings.boolean)

    def __attrs_post_init__(self) -> None:
        checks.instance("Recipe", "network", self.network, Network)
        checks.choice("Recipe", "monitor", self.monitor, (None, *get_args(Monitor)))
        missing = ("val_r2",) if self.network.answers != "values" else ("accuracy", "val_accuracy")
        if self.monitor in missing:
            rule = f"must be what a network that answers with {self.network.answers} has"
            raise checks.problem(ValueError, "Recipe", "monitor", rule, repr(self.monitor))


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
        penalty: the mean over the same rows of what l1 and l2 added to their objective; None where there are none.
        seconds: how long the epoch's steps took, in `fit` or `train`; without the validation, and without what was
            done before going on with the epoch in another call. None in a loop of one's own. Like the next it
            counts neither in a digest nor in `==`.
        rows_per_second: how many rows went through training in each of these.
    """

    epoch: int
    loss: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_r2: float | None = None
    penalty: float | None = None
    seconds: float | None = attrs.field(default=None, eq=False, metadata={"digest": False})
    rows_per_second: float | None = attrs.field(default=None, eq=False, metadata={"digest": False})

    def quantities(self) -> dict[str, str]:
        """The quantities that there are, in four digits."""
        named = {name: getattr(self, name) for name in field_names(EpochRecord)[1:]}
        return {name: cell(value) for name, value in named.items() if value is not None}


@attrs.frozen
class Sums:
    """The unfinished epoch's sums over rows: of weights, of weighted losses, right answers and penalties."""

    weight: float = 0.0
    loss: float = 0.0
    right: float = 0.0
    penalty: float = 0.0


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
        stopped: why `fit` stopped: "epochs", "patience" or "interrupted"; None in a run that is under way. It does
            not count in a digest.
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
    stopped: str | None = attrs.field(default=None, metadata={"digest": False})

    @property
    def key(self) -> Key:
        """Where the run is: the key that its next batch must have."""
        return Key(self.recipe.seed, self.epoch, self.batch)

    def __repr__(self) -> str:
        parts = [f"epoch {self.epoch}", f"batch {self.batch}", f"best epoch {self.best_epoch}"]
        if self.history:
            parts += [f"{name} {value}" for name, value in self.history[-1].quantities().items()]
        return f"TrainState({', '.join(parts)}{f', stopped by {self.stopped}' if self.stopped else ''})"


class Settings(TypedDict, total=False):
    """What `start` takes, and `train` and `fit` hand on to it."""

    optimizer: Optimizer
    batch_size: int | None
    seed: int
    monitor: Monitor | None
    shuffle: bool
    params: Params


def start(
    network: Network,
    *,
    optimizer: Optimizer = Adam(),  # noqa: B008  # it is frozen
    batch_size: int | None = 64,
    seed: int = 0,
    monitor: Monitor | None = None,
    shuffle: bool = True,
    params: Params | None = None,
) -> TrainState:
    """A run before its first step.

    Args:
        network: the spec.
        optimizer: as in `Recipe`, like the next four.
        batch_size: as in `Recipe`.
        seed: as in `Recipe`.
        monitor: as in `Recipe`.
        shuffle: as in `Recipe`.
        params: to begin from; None is `init_params(network, seed)`.

    Raises:
        TypeError, ValueError: for settings that are none, or params of another network.

    >>> import fnn
    >>> fnn.start(fnn.mlp(2, 2), optimizer=fnn.SGD(0.1), batch_size=10)
    TrainState(epoch 0, batch 0, best epoch 0)
    """
    recipe = Recipe(network, optimizer, batch_size, seed, monitor, shuffle)
    if params is None:
        params = init_params(network, recipe.seed)
    check_model("start", network, params)
    checks.finite("start", "params", params.vector)
    state = optimizer.init(params)
    check_state(optimizer, "init", state)
    return TrainState(recipe, params, state, 0, 0, Sums(), params, 0, ())


def check_state(optimizer: Optimizer, function: str, state: object) -> None:
    """Refuse a user's optimizer's state that could be written into: the runs before would change with it."""
    if isinstance(state, np.ndarray | list | dict | set):
        rule, fix = "must make a state that is frozen", "Put arrays into a record of `fnn.State`; its help says how."
        raise checks.problem(TypeError, type(optimizer).__name__, function, rule, checks.show(state), fix)
