"""What the network says, what it costs, and the gradient of that cost: the public edge of the pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Floats, Rows, freeze
from fnn.backprop import (
    Prepared,
    answers,
    backprop,
    cast_x,
    cast_y,
    mean_loss,
    outputs,
    penalties,
    run_forward,
    tiles,
)
from fnn.dataset import Dataset
from fnn.network import Network
from fnn.params import Params
from fnn.randomness import Key
from fnn.regularizers import max_norm


def forward(network: Network, params: Params, x: Rows) -> Floats:
    """The network's outputs: inference, without dropout and with running statistics.

    a₀ = input_scale · x; zᵢ = aᵢ₋₁ · weightᵢ + biasᵢ; aᵢ = activationᵢ(zᵢ); the last a is returned.

    Args:
        network: the spec.
        params: its numbers.
        x: shape (n, inputs), n at least 1; booleans, integers or floats, cast to the params' dtype; or one of
            scipy's sparse arrays, which a first layer that is `Dense` multiplies as it is.

    Returns:
        Shape (n, outputs), of the params' dtype: probabilities after softmax or sigmoid.

    Raises:
        TypeError: for an x that is not of real numbers.
        ValueError: for another shape, no rows, NaN or infinity.
        FloatingPointError: where the outputs are not finite.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.forward(network, params, [[1.0, 2.0]]).round(6)
    array([[0.689974]])
    """
    check_model("forward", network, params)
    return outputs_of(network, params, checks.rows("forward", "x", x, network.inputs), "forward")


def predict(network: Network, params: Params, x: Rows) -> Array:
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
        TypeError, ValueError, FloatingPointError: as `forward`.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.predict(network, params, [[1.0, 2.0], [-9.0, 0.0]])
    array([1, 0])
    """
    check_model("predict", network, params)
    return answers(network, outputs_of(network, params, checks.rows("predict", "x", x, network.inputs), "predict"))


def predict_proba(network: Network, params: Params, x: Rows) -> Floats:
    """The probability of each class, one column each, whichever head the network has.

    After softmax, or with cross-entropy: `forward`. After one sigmoid: the columns 1 − p and p, of no and of yes.
    After several: `forward`, each column the probability of its own yes.

    Args:
        network: the spec; its answers must be classes, or yes or no.
        params: its numbers.
        x: as in `forward`.

    Returns:
        Shape (n, classes), of the params' dtype.

    Raises:
        ValueError: for a network whose answers are numbers.
        TypeError, ValueError, FloatingPointError: as `forward`.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> fnn.predict_proba(network, params, [[1.0, 2.0]]).round(6)
    array([[0.310026, 0.689974]])
    """
    check_model("predict_proba", network, params)
    if network.answers == "values":
        rule = "must have a head of probabilities, softmax or sigmoid"
        raise checks.problem(ValueError, "predict_proba", "network", rule, repr(network.layers[-1]))
    p = outputs_of(network, params, checks.rows("predict_proba", "x", x, network.inputs), "predict_proba")
    return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p


def loss(
    network: Network,
    params: Params,
    x: Rows,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> float:
    """The objective: Σ w·l / Σ w over the rows, and the penalties. Where it overflows it is inf.

    Args:
        network: the spec.
        params: its numbers.
        x: as in `forward`.
        y: for cross-entropy n integer labels 0 … outputs − 1, or shape (n, outputs), one-hot or probabilities that
            sum to 1 in each row; for the other losses shape (n, outputs), or (n,) for one output; for binary
            cross-entropy within [0, 1], for poisson at least 0.
        sample_weight: n weights, at least 0 and not all 0; None is 1 each.
        key: asks for the training function, and is the address of what that draws; None is inference.

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
    return mean_loss(network, run_forward(network, params, batch.x, key)[-1], batch) + penalties(
        network, params, batch.weight
    )


def grads(
    network: Network,
    params: Params,
    x: Rows,
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
    x: Rows,
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
    return result.loss + penalties(network, params, batch.weight), result.grads


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
    if not network.limits:
        return params
    vector = params.vector.copy()
    views = params.layout.views(vector, params.running)
    for i, limit in network.limits:
        views[i].weight[...] = max_norm(params[i].weight, limit)
    return Params(params.layout, freeze(vector), params.running)


def outputs_of(network: Network, params: Params, x: Array, where: str) -> Floats:
    """The outputs for all rows of x, tile by tile; `where` is whom to blame for a number that is not finite."""
    out = np.empty((x.shape[0], network.outputs), params.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what they make of the outputs is refused below
        for tile in tiles(x.shape[0]):
            a = cast_x(network, x[tile], params.dtype)
            if not _is_surely_finite(a):
                checks.finite(where, "x", a, tile.start)
            out[tile] = outputs(network, params, a).a
        if not _is_surely_finite(out) and not np.isfinite(out).all():
            raise FloatingPointError(f"{where}: the outputs are not finite. Are `params`, or is `x` very large?")
    return out


def _is_surely_finite(a: Floats) -> bool:
    # sooner made than each number is looked at: squares that NaN and infinity spoil, and seldom one that overflows
    return isinstance(a, np.ndarray) and math.isfinite(np.vdot(a, a))


def check_model(where: str, network: Network, params: Params) -> None:
    """Refuse params that are not of this network."""
    checks.instance(where, "network", network, Network)
    if not isinstance(params, Params):
        hint = "A run's are `run.params` and `run.best`." if hasattr(params, "best") else ""
        hint = "Its parameters are `.params`." if hasattr(params, "params") and not hint else hint
        checks.instance(where, "params", params, Params, hint)
    if params.layout is not network.layout and params.layout != network.layout:
        rule = f"must be the network's ({network.layout.size:,} numbers in {len(network.layers)} layers)"
        fix = "Make them with `init_params(network, seed)` or `pack_params(network, arrays)`."
        raise checks.problem(ValueError, where, "params", rule, repr(params), fix)


def finite_x(
    where: str, network: Network, x: Array, dtype: np.dtype[Any], first_row: int = 0, name: str = "x"
) -> Floats:
    """x as the pass wants it; refused where it is not finite in the params' dtype."""
    with np.errstate(over="ignore"):  # refused below
        cast = cast_x(network, x, dtype)
    checks.finite(where, name, cast, first_row)
    return cast


def _finite_y(where: str, network: Network, y: Array, dtype: np.dtype[Any], name: str = "y") -> Array:
    with np.errstate(over="ignore"):
        cast = cast_y(network, y, dtype)
    checks.finite(where, name, cast)
    return cast


def check_batch(
    where: str, network: Network, params: Params, x: Rows, y: ArrayLike, w: ArrayLike | None, key: Key | None
) -> Prepared:
    """Everything that `loss` is given, checked and cast."""
    check_model(where, network, params)
    if key is not None:
        checks.instance(where, "key", key, Key)
    given = checks.rows(where, "x", x, network.inputs)
    n = given.shape[0]
    targets = checks.targets(where, y, n, network.outputs, network.targets)
    weights = None if w is None else checks.weights(where, w, n)
    cast = _finite_y(where, network, targets, params.dtype)
    return Prepared(finite_x(where, network, given, params.dtype), cast, weights)


def check_data(where: str, name: str, network: Network, data: Dataset, dtype: np.dtype[Any]) -> None:
    """Refuse data that does not fit the network, or a y not finite in the params' dtype; `name` is the argument."""
    checks.instance(where, name, data, Dataset, "Make one with `Dataset(x, y)`.")
    prefix = "" if name == "data" else f"{name}."
    checks.rows(where, f"{prefix}x", data.x, network.inputs)
    y = data.y if data.rows is None else data.y[data.rows]
    checks.targets(where, y, len(y), network.outputs, network.targets, f"{prefix}y", data.rows)
    _finite_y(where, network, y, dtype, f"{prefix}y")


def check_parts(where: str, network: Network, dtype: np.dtype[Any], data: Dataset, validation: Dataset | None) -> None:
    """Refuse data to train or to watch on that does not fit the network, or whose x overflows in the params' dtype."""
    parts = {"data": data} if validation is None else {"data": data, "validation": validation}
    for name, part in parts.items():
        check_data(where, name, network, part, dtype)
        if part.x.dtype.itemsize > dtype.itemsize or abs(network.input_scale) > 1:
            for tile in tiles(len(part)):
                x = part.take(tile)[0]
                finite_x(where, network, x, dtype, tile.start, "x" if name == "data" else "validation.x")
