"""JAX: one jitted function is a whole epoch, a scan over the batches' rows, with donated buffers and optax.

The scan needs batches of one size: the last, partial one is left out, and not counted as a step. NumPy permutes the
rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, cores, serve

Tree = Any  # arrays in dictionaries and lists
MOMENTUM, EPSILON = 0.1, 1e-5  # of batch norm


def first_weights(setting: Setting, data: Data) -> Tree:
    """He's normal weights, biases of 0; and for batch norm scale, shift and the running statistics."""
    rng = np.random.default_rng(0)
    inputs, outputs = data.widths
    widths = [inputs, *setting.hidden, outputs]
    layers = []
    for fan_in, units in pairwise(widths):
        weight = rng.standard_normal((fan_in, units)) * np.sqrt(2 / fan_in)
        layers.append({"weight": jnp.array(weight, setting.dtype), "bias": jnp.zeros(units, setting.dtype)})
    norms = [{"scale": jnp.ones(n, setting.dtype), "shift": jnp.zeros(n, setting.dtype)} for n in setting.hidden]
    return {"layers": layers, "norms": norms if setting.batch_norm else []}


def first_running(setting: Setting) -> Tree:
    ones = [(jnp.zeros(n, setting.dtype), jnp.ones(n, setting.dtype)) for n in setting.hidden]
    return ones if setting.batch_norm else []


def logits_of(setting: Setting, params: Tree, running: Tree, x: Tree, key: Tree | None) -> tuple[Tree, Tree]:
    """The logits and what the running statistics become; with a key as in training."""
    moved = list(running)
    for i, layer in enumerate(params["layers"][:-1]):
        x = jax.nn.relu(x @ layer["weight"] + layer["bias"])
        if setting.batch_norm:
            mean, variance = running[i]
            if key is not None:
                batch_mean, batch_variance = x.mean(axis=0), x.var(axis=0)
                moved[i] = mean + MOMENTUM * (batch_mean - mean), variance + MOMENTUM * (batch_variance - variance)
                mean, variance = batch_mean, batch_variance
            x = (x - mean) * jax.lax.rsqrt(variance + EPSILON) * params["norms"][i]["scale"] + params["norms"][i][
                "shift"
            ]
        if setting.dropout and key is not None:
            kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - setting.dropout, x.shape)
            x = jnp.where(kept, x / (1 - setting.dropout), 0)
    last = params["layers"][-1]
    return x @ last["weight"] + last["bias"], moved


class Jax:
    def __init__(self, setting: Setting, data: Data) -> None:
        jax.config.update("jax_enable_x64", setting.dtype == "float64")
        self.setting = setting
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y.astype(np.int32))
        if setting.optimizer == "adam":
            optimizer = optax.adam(setting.rate)
        else:
            optimizer = optax.sgd(setting.rate, momentum=0.9 if setting.optimizer == "momentum" else None)
        params = first_weights(setting, data)
        self.state = params, optimizer.init(params), first_running(setting)
        self.rng, self.key = np.random.default_rng(1), jax.random.key(0)
        self.steps = len(data.x) // setting.batch

        def objective(params: Tree, running: Tree, x: Tree, y: Tree, key: Tree) -> tuple[Tree, Tree]:
            logits, moved = logits_of(setting, params, running, x, key)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), moved

        def epoch(state: Tree, x: Tree, y: Tree, rows: Tree, key: Tree) -> tuple[Tree, Tree]:
            def step(carry: Tree, at: Tree) -> tuple[Tree, Tree]:
                params, moments, running = carry
                batch, index = at
                inside = jax.random.fold_in(key, index)
                (loss, running), grads = jax.value_and_grad(objective, has_aux=True)(
                    params, running, x[batch], y[batch], inside
                )
                updates, moments = optimizer.update(grads, moments, params)
                return (optax.apply_updates(params, updates), moments, running), loss

            state, losses = jax.lax.scan(step, state, (rows, jnp.arange(len(rows))))
            return state, losses.mean()

        self.epoch = jax.jit(epoch, donate_argnums=0)
        self.forward = jax.jit(lambda state, x: jax.nn.softmax(logits_of(setting, state[0], state[2], x, None)[0]))

    def train(self) -> int:
        for _ in range(self.setting.epochs):
            self.key, key = jax.random.split(self.key)
            rows = self.rng.permutation(len(self.x))[: self.steps * self.setting.batch].astype(np.int32)
            batches = rows.reshape(self.steps, self.setting.batch)
            self.state, loss = self.epoch(self.state, self.x, self.y, batches, key)
        jax.block_until_ready((self.state, loss))
        return self.steps * self.setting.epochs

    def predict(self, x: Array) -> Array:
        return np.asarray(self.forward(self.state, x))

    def about(self) -> tuple[str, int]:
        return f"JAX {jax.__version__}, optax {optax.__version__}", cores()


if __name__ == "__main__":
    serve(Jax)
