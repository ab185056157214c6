"""Forward and back: what the network says, what it costs, and the gradient of that cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Floats, freeze
from fnn.dataset import Dataset
from fnn.layers import Layer
from fnn.network import Network
from fnn.params import LayerParams, Params
from fnn.randomness import Key
from fnn.regularizers import add_penalty_gradient, max_norm, penalty

TILE = 2048  # rows that go through the network at once where nothing has to be kept


def forward(network: Network, params: Params, x: ArrayLike) -> Floats:
    """The network's outputs: inference, without dropout and with running statistics.

    a₀ = input_scale · x; zᵢ = aᵢ₋₁ · weightᵢ + biasᵢ; aᵢ = activationᵢ(zᵢ); the last a is returned.

    Args:
        network: the spec.
        params: its numbers.
        x: shape (n, inputs), n at least 1; booleans, integers or floats, cast to the params' dtype.

    Returns:
        Shape (n, outputs), of the params' dtype: probabilities after softmax or sigmoid.

    Raises:
        TypeError: for an x that is not of real numbers.
        ValueError: for another shape, no rows, NaN or infinity.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.forward(network, params, [[1.0, 2.0]]).round(6)
    array([[0.689974]])
    """
    check_model("forward", network, params)
    return outputs(network, params, checks.rows("forward", "x", x, network.inputs), "forward")


def predict(network: Network, params: Params, x: ArrayLike) -> Array:
    """The network's answers.

    After softmax, or with cross-entropy: the index of the class with the largest output, shape (n,), int64.
    After sigmoid, or with binary cross-entropy: 1 where the output is at least 0.5, else 0; int64.
    Otherwise the outputs themselves. The last two have shape (n,) for one output, else (n, outputs), so that
    they compare with targets of that shape row by row.

    Args:
        network: the spec.
        params: its numbers.
        x: as in `forward`.

    Raises:
        TypeError, ValueError: as `forward`.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.predict(network, params, [[1.0, 2.0], [-9.0, 0.0]])
    array([1, 0])
    """
    check_model("predict", network, params)
    return answers(network, outputs(network, params, checks.rows("predict", "x", x, network.inputs), "predict"))


def loss(
    network: Network,
    params: Params,
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> float:
    """The objective: Σ w·l / Σ w over the rows, and the penalties.

    Args:
        network: the spec.
        params: its numbers.
        x: as in `forward`.
        y: for cross-entropy n integer labels 0 … outputs − 1, or shape (n, outputs), one-hot or probabilities;
            for the other losses shape (n, outputs), or (n,) for one output.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.
        key: the address of the dropout masks and batch statistics of training; None is inference.

    Raises:
        TypeError: for arrays that are not of real numbers, or labels that are not integers.
        ValueError: for shapes that do not fit, labels out of range, no rows, NaN or infinity.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> round(fnn.loss(network, params, [[1.0, 2.0]], [1]), 6)
    0.371101
    """
    batch = check_batch("loss", network, params, x, y, sample_weight, key)
    return mean_loss(network, run_forward(network, params, batch.x, key)[-1], batch) + penalties(network, params)


def grads(
    network: Network,
    params: Params,
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> Params:
    """The gradient of `loss` by the parameters, with the same arguments, exactly.

    Returns:
        A `Params` of the same layout. Its `running` is what the running statistics become: with a key moved
        by this batch, without one as they are.

    Raises:
        TypeError, ValueError: as `loss`.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.grads(network, params, [[1.0, 2.0]], [1]).vector.round(6)
    array([-0.310026, -0.620051, -0.310026])
    """
    return backprop(network, params, check_batch("grads", network, params, x, y, sample_weight, key), key).grads


def loss_and_grads(
    network: Network,
    params: Params,
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> tuple[float, Params]:
    """`loss` and `grads` in one pass, with the same arguments: the same numbers to the last bit.

    Raises:
        TypeError, ValueError: as `loss`.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> value, g = fnn.loss_and_grads(network, params, [[1.0, 2.0]], [1])
    >>> round(value, 6), g[0].bias.round(6)
    (0.371101, array([-0.310026]))
    """
    batch = check_batch("loss_and_grads", network, params, x, y, sample_weight, key)
    result = backprop(network, params, batch, key)
    return result.loss + penalties(network, params), result.grads


def project(network: Network, params: Params) -> Params:
    """The parameters with each unit's incoming weights within its layer's `max_norm`.

    w · min(1, max_norm / ‖w‖₂), column by column (Srivastava et al. 2014, section 5.1). Where no layer has a
    `max_norm` these are the parameters that were given.

    Raises:
        TypeError, ValueError: for params that are not of this network.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, max_norm=1.0),), loss="mse")
    >>> fnn.project(network, fnn.pack_params(network, [[[3.0], [4.0]], [5.0]])).vector
    array([0.6, 0.8, 5. ])
    """
    check_model("project", network, params)
    limits = [(i, layer.max_norm) for i, layer in network.dense if layer.max_norm is not None]
    if not limits:
        return params
    vector = params.vector.copy()
    views = params.layout.views(vector, params.running)
    for i, limit in limits:
        views[i].weight[...] = max_norm(params[i].weight, limit)
    return Params(params.layout, freeze(vector), params.running)


# What the functions above and the training are made of. Nothing below checks what it is given.


class Prepared(NamedTuple):
    """x and y as the pass wants them, and the weights."""

    x: Floats
    y: Array
    sample_weight: Array | None


class Layered(NamedTuple):
    """What one layer leaves behind on the way forward."""

    layer: Layer
    p: LayerParams
    kept: Any
    z: Floats
    a: Floats


class Backprop(NamedTuple):
    """The loss without penalties, the outputs that it is of, and the gradient with penalties."""

    loss: float
    outputs: Floats
    grads: Params


def cast_x(network: Network, x: Array, dtype: np.dtype[Any]) -> Floats:
    """x in the params' dtype, scaled."""
    if network.input_scale == 1:
        return x.astype(dtype, copy=False)
    scaled: Floats = np.multiply(x, dtype.type(network.input_scale), dtype=dtype, casting="unsafe")
    return scaled


def cast_y(network: Network, y: Array, dtype: np.dtype[Any]) -> Array:
    """y as the loss wants it: integer labels as they are, the rest (n, outputs) in the params' dtype."""
    kind = getattr(network.loss, "targets", "any")
    if kind == "any" or (kind == "classes" and y.ndim == 1):
        return y
    return (y[:, None] if y.ndim == 1 else y).astype(dtype, copy=False)


def run_forward(network: Network, params: Params, x: Floats, key: Key | None) -> list[Layered]:
    """One pass, layer by layer, with all that the way back needs."""
    passed = []
    for index, layer in enumerate(network.layers):
        p = params[index]
        z, kept = layer.forward(p, x, key, index)
        x = layer.activation.value(z)
        passed.append(Layered(layer, p, kept, z, x))
    return passed


def tiles(n: int) -> Iterator[slice]:
    """The rows 0 … n − 1 in pieces that bound the memory of a pass."""
    return (slice(start, start + TILE) for start in range(0, n, TILE))


def outputs(network: Network, params: Params, x: Array, where: str) -> Floats:
    """The outputs for all rows of x, tile by tile; `where` is whom to blame for a number that is not finite."""
    out = np.empty((len(x), network.outputs), params.dtype)
    for tile in tiles(len(x)):
        a = _finite_x(where, network, x[tile], params.dtype)
        for index, layer in enumerate(network.layers):
            a = layer.activation.value(layer.forward(params[index], a, None, index)[0])
        out[tile] = a
    return out


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


def loss_rows(network: Network, last: Layered, y: Array) -> Floats:
    """The loss of each row, from the logits where the loss can."""
    if network.from_logits:
        rows: Floats = network.loss.rows_from_logits(last.z, y)  # type: ignore[attr-defined]  # `after` says so
        return rows
    return network.loss.rows(last.a, y)


def mean_loss(network: Network, last: Layered, batch: Prepared) -> float:
    """The weighted mean of the rows' losses, without penalties; summed in float64."""
    rows = loss_rows(network, last, batch.y)
    if batch.sample_weight is None:
        return float(rows.sum(dtype=np.float64)) / len(rows)
    w = batch.sample_weight
    return float((w * rows).sum(dtype=np.float64)) / float(w.sum(dtype=np.float64))


def penalties(network: Network, params: Params) -> float:
    """What l1 and l2 add to the objective."""
    return math.fsum(penalty(params[i].weight, layer.l1, layer.l2) for i, layer in network.dense)


def backprop(network: Network, params: Params, batch: Prepared, key: Key | None) -> Backprop:
    """One pass forward and one back."""
    passed = run_forward(network, params, batch.x, key)
    vector = np.empty(params.layout.size, params.dtype)
    running = np.empty(params.layout.running_size, params.dtype)
    g = params.layout.views(vector, running)
    dz = _output_delta(network, passed[-1], batch)
    for index in reversed(range(len(passed))):
        layer, p, kept, _, _ = passed[index]
        da = layer.backward(p, kept, dz, g[index], index > 0)
        if index:
            before = passed[index - 1]
            dz = before.layer.activation.vjp(before.z, before.a, da)
    for index, layer in network.dense:
        add_penalty_gradient(g[index].weight, params[index].weight, layer.l1, layer.l2)
    grads = Params(params.layout, freeze(vector), freeze(running))
    return Backprop(mean_loss(network, passed[-1], batch), passed[-1].a, grads)


def _output_delta(network: Network, last: Layered, batch: Prepared) -> Floats:
    """The derivative of the mean loss by the last layer's z."""
    w = batch.sample_weight
    share: Any = 1 / len(batch.x) if w is None else (w / w.sum(dtype=np.float64)).astype(last.a.dtype)[:, None]
    if network.from_logits:
        dz: Floats = share * network.loss.vjp_from_logits(last.a, batch.y)  # type: ignore[attr-defined]  # as above
        return dz
    return last.layer.activation.vjp(last.z, last.a, share * network.loss.vjp(last.a, batch.y))


def check_model(where: str, network: Network, params: Params) -> None:
    """Refuse params that are not of this network."""
    checks.instance(where, "network", network, Network)
    checks.instance(where, "params", params, Params)
    if params.layout is not network.layout and params.layout != network.layout:
        rule = f"must be the network's ({network.layout.size:,} numbers in {len(network.layers)} layers)"
        fix = "Make them with `init_params(network, seed)` or `pack_params(network, arrays)`."
        raise checks.problem(ValueError, where, "params", rule, repr(params), fix)


def _finite_x(where: str, network: Network, x: Array, dtype: np.dtype[Any]) -> Floats:
    with np.errstate(over="ignore"):  # an overflow is refused in the next line
        cast = cast_x(network, x, dtype)
    checks.finite(where, "x", cast)
    return cast


def check_batch(
    where: str,
    network: Network,
    params: Params,
    x: ArrayLike,
    y: ArrayLike,
    w: ArrayLike | None,
    key: Key | None,
) -> Prepared:
    """Everything that `loss` is given, checked and cast."""
    check_model(where, network, params)
    if key is not None:
        checks.instance(where, "key", key, Key)
    given = checks.rows(where, "x", x, network.inputs)
    targets = check_targets(where, network, y, len(given))
    weights = None if w is None else checks.weights(where, w, len(given))
    return Prepared(_finite_x(where, network, given, params.dtype), cast_y(network, targets, params.dtype), weights)


def check_targets(where: str, network: Network, y: ArrayLike, n: int) -> Array:
    """y, refused where it is not n targets of the network's loss."""
    return checks.targets(where, y, n, network.outputs, getattr(network.loss, "targets", "any"))


def check_data(where: str, name: str, network: Network, data: Dataset) -> None:
    """Refuse data whose columns or targets do not fit the network."""
    checks.instance(where, name, data, Dataset, "Make one with `Dataset(x, y)`.")
    checks.rows(where, "x", data.x, network.inputs)
    y = data.y if data.rows is None else data.y[data.rows]
    check_targets(where, network, y, len(y))
