"""fnn: a whole `fit` call on the pixels as they came, with its checks, shuffling, batches, history and bar.

A third argument names the folder of another checkout, whose fnn it then is.
"""

from __future__ import annotations

import contextlib
import os
import sys

import numpy as np

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, numpy_threads, serve

sys.path[:0] = sys.argv[3:]
import fnn  # noqa: E402

OPTIMIZERS = {"adam": fnn.Adam, "sgd": fnn.SGD, "momentum": fnn.Momentum}


class Fnn:
    def __init__(self, setting: Setting, data: Data) -> None:
        layers: list[fnn.Layer] = []
        for units in setting.hidden:
            layers.append(fnn.Dense(units, "relu"))
            layers += [fnn.BatchNorm()] * setting.batch_norm
            layers += [fnn.Dropout(setting.dropout)] * (setting.dropout > 0)
        inputs, outputs = data.widths
        layers.append(fnn.Dense(outputs, "softmax"))
        self.network = fnn.Network(inputs, tuple(layers), loss="cross_entropy", input_scale=setting.input_scale)
        self.data = fnn.Dataset(data.x, data.y)
        self.run = fnn.start(
            self.network,
            optimizer=OPTIMIZERS[setting.optimizer](setting.rate),
            batch_size=setting.batch,
            params=fnn.init_params(self.network, seed=0, dtype=np.dtype(setting.dtype)),
        )
        self.epochs, self.steps = setting.epochs, -(-len(data.x) // setting.batch) * setting.epochs
        self.nowhere = open(os.devnull, "w")  # noqa: SIM115

    def train(self) -> int:
        with contextlib.redirect_stderr(self.nowhere):
            self.run = fnn.fit(self.network, self.data, state=self.run, epochs=self.epochs, progress=True)
        return self.steps

    def predict(self, x: Array) -> Array:
        return fnn.forward(self.network, self.run.params, x)

    def about(self) -> tuple[str, int]:
        versions = [f"NumPy {np.__version__}"]
        if "numba" in sys.modules:
            versions.append(f"numba {sys.modules['numba'].__version__}")
        return ", ".join(versions), numpy_threads()


if __name__ == "__main__":
    serve(Fnn, scaled=False)
