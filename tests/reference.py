"""The same network written again with autograd's NumPy: an oracle that shares nothing with the library but specs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import autograd.scipy.special as aspecial
import numpy as np
from autograd import grad
from scipy.stats import norm

import fnn
from fnn.randomness import DROPOUT, NOISE, Address, bits16

Arrays = list[dict[str, Any]]


def _sigmoid(z: Any) -> Any:
    return 0.5 * (anp.tanh(0.5 * z) + 1)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "step": lambda z: anp.where(z > 0, 1.0, 0.0) + 0 * z,
    "sigmoid": _sigmoid,
    "tanh": anp.tanh,
    "relu": lambda z: anp.where(z > 0, z, 0.0),
    "leaky_relu": lambda z: anp.where(z > 0, z, 0.01 * z),
    "elu": lambda z: anp.where(z > 0, z, anp.exp(anp.where(z > 0, 0.0, z)) - 1),
    "gelu": lambda z: 0.5 * z * (1 + aspecial.erf(z / 2**0.5)),
    "silu": lambda z: z * _sigmoid(z),
    "softplus": lambda z: anp.logaddexp(0.0, z),
    "exp": anp.exp,
    "softmax": lambda z: anp.exp(z - aspecial.logsumexp(z, axis=1, keepdims=True)),
    "squareplus": lambda z: 0.5 * (z + anp.sqrt(z**2 + 4)),
    "own_softmax": lambda z: anp.exp(z - aspecial.logsumexp(z, axis=1, keepdims=True)),
    "own_sigmoid": _sigmoid,
    "own_exp": anp.exp,
}

LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda a, y: anp.mean((a - y) ** 2, axis=1),
    "squared_error": lambda a, y: anp.sum((a - y) ** 2, axis=1) / 2,
    "mae": lambda a, y: anp.mean(anp.abs(a - y), axis=1),
    "huber": lambda a, y: anp.mean(anp.where(anp.abs(a - y) <= 1, 0.5 * (a - y) ** 2, anp.abs(a - y) - 0.5), axis=1),
    "poisson": lambda a, y: anp.sum(a - y + anp.where(y > 0, y * anp.log(np.where(y > 0, y, 1.0) / a), 0.0), axis=1),
    "cross_entropy": lambda a, y: -anp.sum(y * anp.log(a), axis=1),
    "binary_cross_entropy": lambda a, y: -anp.mean(y * anp.log(a) + (1 - y) * anp.log(1 - a), axis=1),
    "summed_binary_cross_entropy": lambda a, y: -anp.sum(y * anp.log(a) + (1 - y) * anp.log(1 - a), axis=1),
    "quartic": lambda a, y: anp.sum((a - y) ** 4, axis=1),
}


def tensors(network: fnn.Network, params: fnn.Params) -> Arrays:
    """The trained tensors as plain writable arrays, layer by layer."""
    return [{"weight": p.weight.copy(), "bias": p.bias.copy()} for p in params]


def objective(
    network: fnn.Network,
    names: list[str],
    loss: str,
    params: fnn.Params,
    x: Any,
    y: Any,
    weight: Any = None,
    key: fnn.Key | None = None,
) -> Callable[[Arrays], Any]:
    """The objective as a function of the tensors; `names` are the layers' activations, `y` is one-hot or numbers."""

    def value(arrays: Arrays) -> Any:
        a, penalty = x * network.input_scale, 0.0
        for index, (layer, name, p) in enumerate(zip(network.layers, names, arrays, strict=True)):
            if isinstance(layer, fnn.Dense):
                penalty = penalty + layer.l1 * anp.sum(anp.abs(p["weight"])) + layer.l2 * anp.sum(p["weight"] ** 2) / 2
                a = anp.dot(a, p["weight"]) + p["bias"]
            elif isinstance(layer, fnn.BatchNorm):
                batch = (anp.mean(a, axis=0), anp.var(a, axis=0))
                mean, variance = batch if key else (params[index].mean, params[index].variance)
                a = (a - mean) / anp.sqrt(variance + layer.epsilon) * p["weight"] + p["bias"]
            elif isinstance(layer, fnn.LayerNorm):
                mean, variance = anp.mean(a, axis=1, keepdims=True), anp.var(a, axis=1, keepdims=True)
                a = (a - mean) / anp.sqrt(variance + layer.epsilon) * p["weight"] + p["bias"]
            elif isinstance(layer, fnn.Dropout) and key:
                drop = round(layer.rate * 65536)
                drawn = bits16(Address(key.seed, DROPOUT, (key.epoch, key.batch, index)), a.size)
                mask = (drawn >= drop).reshape(a.shape)
                a = a * mask / (1 - drop / 65536)
            elif isinstance(layer, fnn.GaussianNoise) and key:
                drawn = bits16(Address(key.seed, NOISE, (key.epoch, key.batch, index)), a.size)
                a = a + layer.std * norm.ppf((drawn + 0.5) / 65536).reshape(a.shape)
            a = ACTIVATIONS[name](a)
        rows = LOSSES[loss](a, y)
        w = np.ones(len(x)) if weight is None else weight
        return anp.sum(rows * w) / w.sum() + penalty / (w.sum() if network.spread_penalties else 1)

    return value


def gradient(value: Callable[[Arrays], Any], arrays: Arrays) -> list[np.ndarray[Any, Any]]:
    """The derivative by every tensor that is there, in the order of the vector."""
    return [part for p in grad(value)(arrays) for part in (p["weight"], p["bias"]) if part.size]


def parts(g: fnn.Params) -> list[np.ndarray[Any, Any]]:
    """The library's gradient in the same order."""
    return [part for p in g for part in (p.weight, p.bias) if part.size]
