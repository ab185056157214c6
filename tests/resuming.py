"""Runs that are gone on with in a process of their own.

`python -m tests.resuming on FILE …` goes on with each run and prints its digest, and whether it is saved again to the
same bytes; `python -m tests.resuming train FILE` trains from the file where there is one, saves every step and says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import fnn

NETWORK = fnn.Network(
    6,
    (
        fnn.Dropout(0.1),
        fnn.Dense(12, "relu", l1=1e-4, l2=1e-3, max_norm=1.5),
        fnn.BatchNorm("tanh"),
        fnn.Dropout(0.3),
        fnn.LayerNorm(),
        fnn.Dense(3, "softmax"),
    ),
    loss=fnn.CrossEntropy(label_smoothing=0.05),
    input_scale=1 / 9,
)
EPOCHS, STEPS = 3, 4  # in batches of 10
LIVES = 100  # the epochs of a run that is killed again and again


@attrs.frozen(eq=False, repr=False)
class LookaheadState(fnn.State):
    inner: fnn.AdamState
    slow: fnn.Params
    step: int = 0


@attrs.frozen
class Lookahead:
    """An optimizer within an optimizer, whose state has another's and parameters in it."""

    inner: fnn.Adam
    every: int = 3

    def init(self, params: fnn.Params) -> LookaheadState:
        return LookaheadState(fnn.adam_init(self.inner, params), params)

    def step(self, params: fnn.Params, state: LookaheadState, g: fnn.Params) -> tuple[fnn.Params, LookaheadState]:
        fast, inner = fnn.adam_step(self.inner, params, state.inner, g)
        if (state.step + 1) % self.every:
            return fast, attrs.evolve(state, inner=inner, step=state.step + 1)
        slow = attrs.evolve(fast, vector=(fast.vector + state.slow.vector) / np.float32(2))
        return slow, LookaheadState(inner, slow, state.step + 1)


CUSTOM = (Lookahead, LookaheadState)
SCHEDULE = fnn.Cosine(0.05, steps=EPOCHS * STEPS, warmup_steps=5, final=0.001)
OPTIMIZERS: list[Any] = [
    fnn.SGD(SCHEDULE, clip_norm=0.5),
    fnn.Momentum(SCHEDULE, nesterov=True, clip_value=0.1),
    fnn.RMSProp(SCHEDULE, clip_norm=0.5),
    fnn.AdaGrad(SCHEDULE),
    fnn.Adam(SCHEDULE, clip_norm=0.5, clip_value=0.1),
    fnn.AdamW(fnn.Join((fnn.Warmup(0.05, 5), fnn.StepDecay(0.05, 0.5, 3)), (5,))),
    fnn.NAdam(SCHEDULE),
    fnn.AMSGrad(SCHEDULE),
    fnn.Lion(SCHEDULE, weight_decay=0.1),
    Lookahead(fnn.Adam(SCHEDULE)),
]


def _data(n: int, seed: int) -> fnn.Dataset:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10, (n, 6), dtype=np.uint8)
    y = (x[:, 0].astype(int) + x[:, 1]) % 3
    return fnn.Dataset(x, y, sample_weight=rng.integers(0, 3, n).astype(float))


DATA, HELD_OUT = _data(50, seed=0), _data(20, seed=1)


def go_on(run: fnn.TrainState, patience: int | None = 50) -> fnn.TrainState:
    """The run after epoch 3, or where patience ends it."""
    epochs = EPOCHS - run.epoch
    return fnn.fit(NETWORK, DATA, state=run, epochs=epochs, validation=HELD_OUT, patience=patience) if epochs else run


def main(task: str, *paths: str) -> None:
    if task == "on":
        for path in paths:
            run = fnn.load_run(path, custom=CUSTOM)
            before = Path(path).read_bytes()
            fnn.save_run(path, run, custom=CUSTOM)
            print(fnn.digest(go_on(run)), Path(path).read_bytes() == before)
        return
    file = Path(paths[0])
    optimizer = fnn.Adam(fnn.Cosine(0.01, LIVES * STEPS))
    run = fnn.load_run(file) if file.exists() else fnn.start(NETWORK, optimizer=optimizer, batch_size=10, seed=4)
    print("begun", flush=True)
    steps = fnn.train(NETWORK, DATA, state=run, validation=HELD_OUT, every="step")
    while run.epoch < LIVES:
        run = next(steps)
        fnn.save_run(file, run)
        print("saved", flush=True)
    print(fnn.digest(run), run.epoch, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
