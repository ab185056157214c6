"""What a network is worth on data."""

from __future__ import annotations

import math

import attrs
import numpy as np

from fnn.backprop import answers, cast_y, loss_sum, outputs, tiles, true_answers
from fnn.dataset import Dataset
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_data, check_model, finite_x
from fnn.scores import accuracy, r2


@attrs.frozen
class Evaluation:
    """The worth of a network on data.

    Attributes:
        loss: the weighted mean of the rows' losses, without penalties.
        accuracy: the weighted share of right answers; None for a network whose answers are numbers.
        r2: the coefficient of determination, for a network whose answers are numbers; else None.
        n: the number of rows.
    """

    loss: float
    accuracy: float | None
    r2: float | None
    n: int


def evaluate(network: Network, params: Params, data: Dataset) -> Evaluation:
    """The loss, and the accuracy or r2, on data: inference, piece by piece; only targets and answers are kept whole.

    Args:
        network: the spec.
        params: its numbers.
        data: the rows, with their weights.

    Raises:
        TypeError, ValueError: for parts that do not fit each other.
        FloatingPointError: where the loss is not finite.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3]])
    >>> result = fnn.evaluate(network, params, fnn.Dataset([[1.0, 2.0], [-9.0, 0.0]], [1, 1]))
    >>> round(result.loss, 6), result.accuracy, result.n
    (0.704294, 0.5, 2)
    """
    check_model("evaluate", network, params)
    check_data("evaluate", "data", network, data, params.dtype)
    total, weight = 0.0, 0.0
    true, predicted = [], []
    for tile in tiles(len(data)):
        x, y, w = data.take(tile)
        x, y = finite_x("evaluate", network, x, params.dtype, tile.start), cast_y(network, y, params.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            last = outputs(network, params, x)
            parts = loss_sum(network, last, y, w)
        total, weight = total + parts[0], weight + parts[1]
        true.append(true_answers(network, y))
        predicted.append(answers(network, last.a))
    if not math.isfinite(total):
        raise FloatingPointError(f"evaluate: the loss is {total}. Are `params` finite?")
    y, answer = np.concatenate(true), np.concatenate(predicted)
    result = Evaluation(total / weight, None, None, len(data))
    if y.shape != answer.shape:  # a user's loss, whose targets are something else
        return result
    w = data.weights
    if network.answers == "values":
        return attrs.evolve(result, r2=r2(y, answer, w))
    return attrs.evolve(result, accuracy=accuracy(y, answer, w))
