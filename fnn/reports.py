"""A run's history as text: whole, or line by line while it grows."""

from __future__ import annotations

from typing import Protocol

import attrs

from fnn import checks
from fnn.arrays import field_names
from fnn.runs import EpochRecord, TrainState
from fnn.tables import cell, table


class Run(Protocol):
    """What has a history: a `TrainState`, or what `fit_lbfgs` returns."""

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """A record for each epoch, or iteration."""


def history_table(run: Run) -> str:
    """A run's history as a text table, one line an epoch, without the quantities that it does not have.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.eye(2), np.arange(2))
    >>> run = fnn.fit(fnn.mlp(2, 2), data, epochs=2, optimizer=fnn.SGD(0))
    >>> print(fnn.history_table(run))
    epoch    loss  accuracy
    1      0.2372    1.0000
    2      0.2372    1.0000
    """
    if not hasattr(run, "history"):
        checks.instance("history_table", "run", run, TrainState)
    names = [name for name in field_names(EpochRecord) if any(getattr(r, name) is not None for r in run.history)]
    return table(names or ["epoch", "loss"], [[getattr(record, name) for name in names] for record in run.history])


def log_table(run: TrainState) -> None:
    """Print the run's last epoch as a line of a table: for `fit(…, on_epoch=log_table)`.

    The columns are those of `history_table`, and the seconds and rows per second of training. Their names are printed
    above epoch 1, 21, 41 and so on.

    Raises:
        TypeError: for what is no `TrainState`.
        ValueError: for a run without an epoch.

    >>> import numpy as np, fnn
    >>> run = fnn.start(fnn.mlp(2, 2), optimizer=fnn.SGD(0))
    >>> for batch in fnn.batches(fnn.Dataset(np.eye(2), np.arange(2))):
    ...     run = fnn.train_step(run, batch)
    >>> fnn.log_table(fnn.end_epoch(run))
       epoch      loss  accuracy
           1    0.2372    1.0000
    """
    checks.instance("log_table", "run", run, TrainState)
    if not run.history:
        raise checks.problem(ValueError, "log_table", "run", "must have ended an epoch", repr(run))
    last = {name: value for name, value in attrs.asdict(run.history[-1]).items() if value is not None}
    if "seconds" in last:
        last |= {"seconds": f"{last['seconds']:.2f}", "rows_per_second": int(last["rows_per_second"])}
    widths = [max(len(name), 8) for name in last]
    lines = [list(last)] * (run.epoch % 20 == 1) + [[cell(value) for value in last.values()]]
    for line in lines:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)), flush=True)
