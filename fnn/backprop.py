"""One pass forward and one back: what the public functions and the training are made of.

Nothing here checks what it is given; `fnn.passes` is the public edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np

from fnn import checks, kernels, stacks
from fnn.activations import Activation
from fnn.arrays import Array, Floats, Ints
from fnn.buffers import empty
from fnn.dataset import Dataset
from fnn.layers import Dense, Dropout, Layer
from fnn.network import Network
from fnn.params import LayerParams, Params
from fnn.randomness import Key
from fnn.regularizers import penalty
from fnn.stacks import Tower

Seen = dict[int, Floats] | None  # is told the derivative by each layer's z
CALLS = 1e5  # numbers that are gone through in the time of a step's calls
TILE = 2048  # rows that go through the network at once where nothing has to be kept


class Prepared(NamedTuple):
    """x and y as the pass wants them, and the weights."""

    x: Floats
    y: Array
    sample_weight: Array | None

    @property
    def weight(self) -> float:
        """Σ w of its rows."""
        return float(len(self.y) if self.sample_weight is None else self.sample_weight.sum(dtype=np.float64))


class Layered(NamedTuple):
    """What one layer leaves behind on the way forward."""

    layer: Layer
    p: LayerParams
    kept: Any
    z: Floats
    a: Floats


class Output(NamedTuple):
    """What the last layer leaves behind."""

    z: Floats
    a: Floats


class Backprop(NamedTuple):
    """The loss without penalties, the outputs it is of, the gradient with penalties, right answers where counted."""

    loss: float
    outputs: Floats
    grads: Params
    right: float | None = None


def cast_x(network: Network, x: Array, dtype: np.dtype[Any]) -> Floats:
    """x in the params' dtype, scaled; a sparse one stays so for a first layer that is dense.

    Where it overflows is for the caller to refuse.
    """
    is_array = isinstance(x, np.ndarray)
    if is_array and x.dtype == dtype and network.input_scale == 1:
        return x
    scaled: Any = x.astype(dtype)
    scaled *= dtype.type(network.input_scale)
    return cast(Floats, scaled if is_array or isinstance(network.layers[0], Dense) else scaled.toarray())


def cast_y(network: Network, y: Array, dtype: np.dtype[Any]) -> Array:
    """y as the loss wants it: integer labels as they are, the rest (n, outputs) in the params' dtype."""
    if network.targets == "any" or (network.targets == "classes" and y.ndim == 1):
        return y
    return (y[:, None] if y.ndim == 1 else y).astype(dtype, copy=False)


def prepare(network: Network, data: Dataset, places: slice | Ints, dtype: np.dtype[Any]) -> Prepared:
    """The rows at these places among those that count."""
    if isinstance(places, slice) or not isinstance(data.x, np.ndarray):
        x, y, w = data.take(places)
        return Prepared(cast_x(network, x, dtype), cast_y(network, y, dtype), w)
    rows = places if data.rows is None else data.rows[places]
    w = None if data.sample_weight is None else data.sample_weight[rows]
    x = kernels.take_rows(data.x, rows, network.input_scale, dtype)
    return Prepared(x, cast_y(network, data.y[rows], dtype), w)


def run_forward(network: Network, params: Params, x: Floats, key: Key | None) -> list[Layered]:
    """One pass, layer by layer, with all that the way back needs."""
    passed = []
    for index in range(len(network.layers)):
        passed.append(_through(network, params, x, key, index))
        x = passed[-1].a
    return passed


def outputs(network: Network, params: Params, x: Floats) -> Layered | Output:
    """Inference: one pass of which only the end is kept."""
    kernels.worked(0)  # before the first pass the setting is looked at
    if network.tower is not None and type(x) is np.ndarray:
        z = stacks.last_z(x, params.vector, params.layers, network.tower)
        return Output(z, _value(network.layers[-1].activation, z))
    for index in range(len(network.layers)):
        last = _through(network, params, x, None, index)
        x = last.a
    return last


def _through(network: Network, params: Params, x: Floats, key: Key | None, index: int) -> Layered:
    layer, p = network.layers[index], params.layers[index]
    z, kept = layer.forward(p, x, key, index)
    _check_shape(layer, "forward(p, x, key, index)", z, (x.shape[0], network.widths[index + 1]))
    return Layered(layer, p, kept, z, _value(layer.activation, z))


def _value(activation: Activation, z: Floats) -> Floats:
    a = activation.value(z)
    if type(a) is not np.ndarray or a.shape != z.shape:
        _check_shape(activation, "value(z)", a, z.shape)
    return a


def tiles(n: int) -> Iterator[slice]:
    """The rows 0 … n − 1 in pieces that bound the memory of a pass."""
    return (slice(start, start + TILE) for start in range(0, n, TILE))


def answers(network: Network, a: Floats) -> Array:
    """What `predict` makes of the outputs."""
    if network.answers == "classes":
        index: Array = a.argmax(axis=1)
        return index
    answer = a if network.answers == "values" else (a >= 0.5).astype(np.int64)
    return answer[:, 0] if answer.shape[1] == 1 else answer


def true_answers(network: Network, y: Array) -> Array:
    """The targets in the form of `predict`'s answers."""
    if network.answers == "classes" and y.ndim == 1:
        return y
    return answers(network, y[:, None] if y.ndim == 1 else y)


def loss_rows(network: Network, last: Layered | Output, y: Array) -> Floats:
    """The loss of each row, from the logits where the loss can."""
    if network.logit_loss:
        return network.logit_loss.rows_from_logits(last.z, y)
    rows = network.loss.rows(last.a, y)
    _check_shape(network.loss, "rows(a, y)", rows, last.a.shape[:1])
    return rows


def loss_sum(network: Network, last: Layered | Output, y: Array, w: Array | None) -> tuple[float, float]:
    """The weighted sum of the rows' losses, without penalties, and of the weights; in float64."""
    rows = loss_rows(network, last, y)
    if w is None:
        return kernels.total(rows), float(len(rows))
    w = w.astype(np.float64, copy=False)
    return float(np.dot(w, rows)), float(w.sum())


def mean_loss(network: Network, last: Layered | Output, batch: Prepared) -> float:
    """The weighted mean of the rows' losses, without penalties."""
    total, weight = loss_sum(network, last, batch.y, batch.sample_weight)
    return total / weight


def penalties(network: Network, params: Params, weight: float) -> float:
    """What l1 and l2 add to the objective of rows of that weight."""
    total = 0.0
    for i, layer in network.penalized:  # added one by one, as in `scans.steps`
        total += penalty(params[i].weight, layer.l1, layer.l2)
    return total / weight if network.spread_penalties else total


def numbers(network: Network, rows: float) -> float:
    """How many numbers a step on so many rows goes through, with what Python takes between its calls."""
    return network.layout.size + rows * sum(network.widths) + CALLS


def backprop(network: Network, params: Params, batch: Prepared, key: Key | None) -> Backprop:
    """One pass forward and one back."""
    kernels.worked(numbers(network, len(batch.y)))
    tower = network.tower
    stack = None if tower is None else stacks.stack(batch.x, params.vector, tower)
    if tower is None or stack is None or (key is None and True in tower.drops):
        passed = run_forward(network, params, batch.x, key)
        loss = mean_loss(network, passed[-1], batch)  # while the logits are in the cache
        return Backprop(loss, passed[-1].a, gradient(network, params, passed, batch))
    masks = _masks(network, tower, key, len(batch.x), params.dtype)
    work, z = stack.forward(batch.x, params.vector, masks)
    right = None
    if network.at_once and batch.sample_weight is None and (batch.y.ndim == 1) == (network.targets == "classes"):
        a, loss, dz, right = network.at_once.mean_from_logits(z, batch.y)
    else:
        a = _value(network.layers[-1].activation, z)
        loss = mean_loss(network, Output(z, a), batch)
        dz = _output_delta(network, Output(z, a), batch)
    vector = stack.backward(batch.x, params.vector, masks, work, dz)
    add_penalties(network, params, vector, batch.weight)
    return Backprop(loss, a, Params.made(params.layout, vector, params.running), right)


def _masks(network: Network, tower: Tower, key: Key | None, n: int, dtype: np.dtype[Any]) -> Floats:
    """What the dropout layers multiply by, one after the other."""
    drawn = [
        (p + 1, n * width) for p, width, drops in zip(tower.places, tower.widths[1:], tower.drops, strict=True) if drops
    ]
    masks, at = empty((sum(numbers for _, numbers in drawn),), dtype), 0
    for index, numbers in drawn:
        layer = cast(Dropout, network.layers[index])
        layer.mask(cast(Key, key), index, masks[at : at + numbers])
        at += numbers
    return masks


def gradient(network: Network, params: Params, passed: list[Layered], batch: Prepared, seen: Seen = None) -> Params:
    """The way back, penalties included, of the mean loss."""
    vector = empty((params.layout.size,), params.dtype)
    running = params.running.copy() if len(params.running) else params.running  # what no layer moves stays
    g = params.layout.views(vector, running)
    dz = _output_delta(network, passed[-1], batch)
    back(passed, dz, g, network.first_trained, seen)  # below it nothing has a gradient
    add_penalties(network, params, vector, batch.weight)
    return Params.made(params.layout, vector, running)


def add_penalties(network: Network, params: Params, vector: Floats, weight: float) -> None:
    """Add the derivatives of the penalties to those of the loss of rows of that weight, in place."""
    if network.penalized:
        share = 1 / weight if network.spread_penalties else 1.0
        g = params.layout.views(vector, params.running)
        for index, layer in network.penalized:
            kernels.add_penalty(g[index].weight, params[index].weight, layer.l1 * share, layer.l2 * share)


def back(
    passed: list[Layered], dz: Floats, g: tuple[LayerParams, ...], first: int, seen: Seen = None, *, to_x: bool = False
) -> Floats:
    """From the last z down to layer `first`, whose derivative by its inputs is returned where `to_x` asks for it."""
    for index in range(len(passed) - 1, first - 1, -1):
        layer, p, kept, _, _ = passed[index]
        if seen is not None:
            seen[index] = dz
        dz = layer.backward(p, kept, dz, g[index], to_x or index > first)
        if index > first:
            before = passed[index - 1]
            activation = before.layer.activation
            dz = _like(activation, "vjp(z, a, da)", activation.vjp(before.z, before.a, dz), before.z)
    return dz


def _output_delta(network: Network, last: Layered | Output, batch: Prepared) -> Floats:
    """The derivative of the mean loss by the last layer's z."""
    w = batch.sample_weight
    share: Any = 1 / len(last.a) if w is None else (w / w.sum()).astype(last.a.dtype)[:, None]
    if network.logit_loss:
        rows = network.logit_loss.vjp_from_logits(last.z, last.a, batch.y)
        dz: Floats = share * _like(network.loss, "vjp_from_logits(z, a, y)", rows, last.z)
        return dz
    da = network.loss.vjp(last.a, batch.y)
    _check_shape(network.loss, "vjp(a, y)", da, last.a.shape)
    activation = network.layers[-1].activation
    return _like(activation, "vjp(z, a, da)", activation.vjp(last.z, last.a, share * da), last.z)


def _like(part: object, method: str, array: Floats, z: Floats) -> Floats:
    """What a part made, refused where it has not z's shape, as an array that compiled code can work with."""
    _check_shape(part, method, array, z.shape)
    return np.require(array, z.dtype, ["C", "A", "W"])


def _check_shape(part: object, method: str, array: Floats, shape: tuple[int, ...]) -> None:
    """Refuse what a user's own part returns in another shape, before it broadcasts."""
    if np.shape(array) != shape:
        raise checks.problem(ValueError, type(part).__name__, method, f"must have shape {shape}", str(np.shape(array)))
