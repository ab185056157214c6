"""Answers each line with the microseconds a step of a notebook's network over one epoch: float64, array by array."""

import sys
import time

import numpy as np

import fnn
from fnn.arrays import Array

train, _ = fnn.load_mnist(sys.argv[1])
x, y = train.x / 255.0, np.eye(10)[train.y]
rng = np.random.default_rng(0)
layers = []
for inputs, units in ((784, 256), (256, 128), (128, 10)):
    limit = np.sqrt(6 / (inputs + units))
    layers.append({"W": rng.uniform(-limit, limit, (inputs, units)), "b": np.zeros((1, units))})
first = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in layers]
second = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in layers]
steps = 0


def softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    shares: Array = e / np.sum(e, axis=1, keepdims=True)
    return shares


def train_batch(x: Array, y: Array) -> Array:
    global steps
    steps += 1
    zs, activations = [], [x]
    for i, layer in enumerate(layers):
        zs.append(activations[-1] @ layer["W"] + layer["b"])
        activations.append(np.maximum(0, zs[-1]) if i < 2 else softmax(zs[-1]))
    loss: Array = -np.mean(np.sum(y * np.log(activations[-1] + 1e-8), axis=1))
    delta = activations[-1] - y
    for i in (2, 1, 0):
        grads = {"W": activations[i].T @ delta / len(x), "b": np.sum(delta, axis=0, keepdims=True) / len(x)}
        if i > 0:
            delta = (delta @ layers[i]["W"].T) * (zs[i - 1] > 0)
        for name, grad in grads.items():
            first[i][name] = 0.9 * first[i][name] + 0.1 * grad
            second[i][name] = 0.999 * second[i][name] + 0.001 * grad**2
            m, v = first[i][name] / (1 - 0.9**steps), second[i][name] / (1 - 0.999**steps)
            layers[i][name] = layers[i][name] - 0.001 * m / (np.sqrt(v) + 1e-8)
    return loss


print(f"by hand, NumPy {np.__version__}", flush=True)
for _line in sys.stdin:
    started = time.perf_counter()
    order = rng.permutation(len(x))
    x_shuffled, y_shuffled = x[order], y[order]
    for start in range(0, len(x), 64):
        train_batch(x_shuffled[start : start + 64], y_shuffled[start : start + 64])
    print((time.perf_counter() - started) / -(-len(x) // 64) * 1e6, flush=True)
