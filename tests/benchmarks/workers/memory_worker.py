"""By how much memory grows while a new process trains on MNIST; says one line of JSON, in MB, and ends.

A small `fit` first brings in what `fit` imports, so that libraries are not counted; what comes after it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np

import fnn


def status(name: str) -> float:
    """A field of what Linux says of the process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def begin_anew() -> None:
    """Let the peak begin at what there is now."""
    Path("/proc/self/clear_refs").write_text("5")


network = fnn.mlp(784, 256, 128, 10, input_scale=1 / 255)
rng = np.random.default_rng(0)
few = fnn.Dataset(rng.integers(0, 256, (128, 784), dtype=np.uint8), rng.integers(0, 10, 128))
nowhere = open(os.devnull, "w")  # noqa: SIM115
with contextlib.redirect_stderr(nowhere):
    fnn.fit(network, few, epochs=1, progress=True)
    begin_anew()
    before = status("VmRSS")
    train, test = fnn.load_mnist(sys.argv[1] or None)
    loading, loaded = status("VmHWM") - before, status("VmRSS") - before
    begin_anew()
    fnn.fit(network, train, epochs=1, progress=True)
    training = status("VmHWM") - before
sizes = {"train": (train.x.nbytes + train.y.nbytes) / 1e6, "test": (test.x.nbytes + test.y.nbytes) / 1e6}
answer = {"loading": loading, "loaded": loaded, "training": training, "compiled": "numba" in sys.modules} | sizes
print(json.dumps(answer), flush=True)
