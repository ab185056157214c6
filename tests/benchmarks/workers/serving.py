"""What the workers share: the data, the clock, and the answers."""

from __future__ import annotations

import json
import os
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.settings import Setting

Array = NDArray[Any]
CALLS = 1000  # of one row, in a round


class Data(NamedTuple):
    x: Array
    y: Array
    x_test: Array
    y_test: Array

    @property
    def widths(self) -> tuple[int, int]:
        """Of the inputs and the outputs."""
        return self.x.shape[1], int(self.y.max()) + 1


class Trainer(Protocol):
    """A library's network in training."""

    def train(self) -> int:
        """A round more, of `setting.epochs` epochs; how many steps it made."""

    def predict(self, x: Array) -> Array:
        """The probabilities of rows that are like the data's."""

    def about(self) -> tuple[str, int]:
        """The versions, and the number of threads."""


def read(path: str, setting: Setting, scaled: bool) -> Data:
    with np.load(path) as arrays:
        data = Data(*(arrays[name] for name in Data._fields))
    rows = slice(setting.rows)
    data = data._replace(x=data.x[rows], y=data.y[rows])
    if not scaled:
        return data
    scale, dtype = setting.input_scale, np.dtype(setting.dtype)
    return data._replace(
        x=data.x.astype(dtype) * dtype.type(scale), x_test=data.x_test.astype(dtype) * dtype.type(scale)
    )


def numpy_threads() -> int:
    """How many threads NumPy's BLAS has."""
    from threadpoolctl import threadpool_info

    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


def cores() -> int:
    return os.cpu_count() or 1


def serve(make: Callable[[Setting, Data], Trainer], scaled: bool = True) -> None:
    """Answer what the standard input asks: "train", "row", "report"; `scaled`: whether x is scaled and cast before."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes elsewhere

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    setting = Setting.from_json(sys.argv[1])
    data = read(sys.argv[2], setting, scaled)
    trainer = make(setting, data)
    row = data.x[:1]

    def predict_row() -> None:
        trainer.predict(row)

    say({})
    for line in sys.stdin:
        if line.strip() == "train":
            begun = time.perf_counter()
            steps = trainer.train()
            say({"seconds": time.perf_counter() - begun, "steps": steps})
        elif line.strip() == "row":
            say({"seconds": timeit.timeit(predict_row, number=CALLS) / CALLS})
        else:
            right = trainer.predict(data.x_test).argmax(axis=1) == data.y_test
            version, threads = trainer.about()
            say({"version": version, "threads": threads, "accuracy": float(right.mean())})
