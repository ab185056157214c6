"""A notebook's network: float64, one-hot rows, a dictionary a layer, Adam array by array."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, numpy_threads, serve


def softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    shares: Array = e / np.sum(e, axis=1, keepdims=True)
    return shares


class Hand:
    def __init__(self, setting: Setting, data: Data) -> None:
        self.setting, self.x, self.y = setting, data.x.astype(np.float64), np.eye(data.widths[1])[data.y]
        self.rng = np.random.default_rng(0)
        widths = [data.widths[0], *setting.hidden, data.widths[1]]
        self.layers, self.steps = [], 0
        for inputs, units in pairwise(widths):
            limit = np.sqrt(6 / (inputs + units))
            self.layers.append({"W": self.rng.uniform(-limit, limit, (inputs, units)), "b": np.zeros((1, units))})
        self.first = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in self.layers]
        self.second = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in self.layers]

    def passed(self, x: Array) -> tuple[list[Array], list[Array]]:
        zs, activations = [], [x]
        for i, layer in enumerate(self.layers):
            zs.append(activations[-1] @ layer["W"] + layer["b"])
            activations.append(np.maximum(0, zs[-1]) if i < len(self.layers) - 1 else softmax(zs[-1]))
        return zs, activations

    def train_batch(self, x: Array, y: Array) -> Array:
        self.steps += 1
        layers, first, second = self.layers, self.first, self.second
        zs, activations = self.passed(x)
        loss: Array = -np.mean(np.sum(y * np.log(activations[-1] + 1e-8), axis=1))
        delta = activations[-1] - y
        for i in reversed(range(len(layers))):
            grads = {"W": activations[i].T @ delta / len(x), "b": np.sum(delta, axis=0, keepdims=True) / len(x)}
            if i > 0:
                delta = (delta @ layers[i]["W"].T) * (zs[i - 1] > 0)
            for name, grad in grads.items():
                first[i][name] = 0.9 * first[i][name] + 0.1 * grad
                second[i][name] = 0.999 * second[i][name] + 0.001 * grad**2
                m, v = first[i][name] / (1 - 0.9**self.steps), second[i][name] / (1 - 0.999**self.steps)
                layers[i][name] = layers[i][name] - 0.001 * m / (np.sqrt(v) + 1e-8)
        return loss

    def train(self) -> int:
        order, batch = self.rng.permutation(len(self.x)), self.setting.batch
        x_shuffled, y_shuffled = self.x[order], self.y[order]
        for start in range(0, len(self.x), batch):
            self.train_batch(x_shuffled[start : start + batch], y_shuffled[start : start + batch])
        return -(-len(self.x) // batch)

    def predict(self, x: Array) -> Array:
        return self.passed(x)[1][-1]

    def about(self) -> tuple[str, int]:
        return f"NumPy {np.__version__}", numpy_threads()


if __name__ == "__main__":
    serve(Hand)
