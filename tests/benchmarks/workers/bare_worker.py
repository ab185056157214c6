"""The least that NumPy can do for a row: the products, the biases, relu and softmax, without a check. No training."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.hand_worker import Hand
from tests.benchmarks.workers.serving import Array, Data, serve


class Bare(Hand):
    def __init__(self, setting: Setting, data: Data) -> None:
        super().__init__(setting, data)
        self.weights = [(layer["W"].astype(data.x.dtype), layer["b"].astype(data.x.dtype)) for layer in self.layers]

    def predict(self, x: Array) -> Array:
        a = x
        for weight, bias in self.weights[:-1]:
            z = a @ weight
            z += bias
            a = np.maximum(z, 0)
        weight, bias = self.weights[-1]
        z = a @ weight
        z += bias
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        probabilities: Array = z
        return probabilities


if __name__ == "__main__":
    serve(Bare)
