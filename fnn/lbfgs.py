"""Full-batch training by L-BFGS, scipy's, on the one vector."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Floats, State
from fnn.backprop import Prepared, add_penalties, backprop, cast_x, cast_y, penalties, tiles
from fnn.dataset import Dataset, weighted_rows
from fnn.evaluation import evaluate
from fnn.layers import BatchNorm, Dropout, GaussianNoise
from fnn.network import Network, init_params
from fnn.params import Params
from fnn.passes import check_model, check_parts
from fnn.runs import EpochRecord

Stopped = Literal["converged", "iterations", "no progress", "interrupted"]


@attrs.frozen(eq=False, repr=False)
class LBFGSRun(State):
    """What `fit_lbfgs` returns.

    Attributes:
        params: the last parameters.
        best: those of the iteration with the lowest val_loss; without validation data, the last.
        best_epoch: its number; 0 before the first.
        history: an `EpochRecord` for each iteration: loss (without penalties), accuracy, penalty, and those of the
            validation.
        stopped: "converged": the gradient is within the tolerance, or the objective falls no more; "iterations";
            "no progress": the line search found no lower point, at the limit of the dtype mostly; "interrupted".
    """

    params: Params
    best: Params
    best_epoch: int
    history: tuple[EpochRecord, ...]
    stopped: Stopped = attrs.field(metadata={"digest": False})

    def __repr__(self) -> str:
        last = [f"{name} {value}" for name, value in self.history[-1].quantities().items()] if self.history else []
        parts = [f"{len(self.history)} iterations", f"best {self.best_epoch}", *last, f"stopped by {self.stopped}"]
        return f"LBFGSRun({', '.join(parts)})"


def fit_lbfgs(
    network: Network,
    data: Dataset,
    *,
    iterations: int = 200,
    tolerance: float = 1e-5,
    validation: Dataset | None = None,
    seed: int = 0,
    params: Params | None = None,
) -> LBFGSRun:
    """Minimize the objective, `loss` with its penalties, by L-BFGS with ten corrections (Liu and Nocedal 1989).

    For small data and small networks: no learning rate, no batches. Each evaluation goes through all rows, in pieces;
    scipy's `minimize` (L-BFGS-B: Byrd, Lu, Nocedal and Zhu 1995) does the rest. The same bytes come out
    again, as from `fit`.

    Args:
        network: the spec; without `Dropout`, `GaussianNoise`, `BatchNorm` and max_norm: one function is minimized.
        data: to train on.
        iterations: at most so many, at least 1.
        tolerance: converged when no number of the gradient is larger, above 0; or when an iteration does not lower
            the objective any more.
        validation: data to evaluate each iteration on, or None.
        seed: of the first parameters; 0 … 2⁶⁴ − 1.
        params: to begin from; None is `init_params(network, seed, np.float64)`. In float32 it ends earlier.

    Raises:
        TypeError, ValueError: for arguments that do not fit each other, before anything is trained.
        FloatingPointError: where the objective is not finite at the beginning.

    >>> import fnn
    >>> line = fnn.mlp(1, 1, output="identity", loss="mse")
    >>> run = fnn.fit_lbfgs(line, fnn.Dataset([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]))
    >>> run.params.vector.round(4), run.stopped
    (array([2., 1.]), 'converged')
    """
    first = _checked(network, data, validation, seed, params)
    checks.count("fit_lbfgs", "iterations", iterations, 1)
    tolerance = checks.number("fit_lbfgs", "tolerance", tolerance, "finite number above 0", lambda value: value > 0)
    history: list[EpochRecord] = []
    params = best = first
    best_epoch, lowest = 0, math.inf

    def after_iteration(vector: Floats) -> None:
        nonlocal params, best, best_epoch, lowest
        reached = _at(first, vector)
        history.append(_record(network, reached, data, validation, len(history) + 1))
        params = reached
        value = history[-1].val_loss
        if value is None or value < lowest:
            best, best_epoch, lowest = params, len(history), math.inf if value is None else value

    limits = {"maxiter": int(iterations), "maxfun": 100 * int(iterations), "gtol": tolerance, "ftol": 0.0}
    stopped: Stopped = "interrupted"
    try:
        _, result = minimized("fit_lbfgs", network, first, data, limits, after_iteration)
        stopped = ("converged", "iterations", "no progress")[result.status]
    except KeyboardInterrupt:
        where = f"in iteration {len(history) + 1}; what there is so far is returned"
        warnings.warn(f"fit_lbfgs: interrupted {where}. Go on with `params=run.params`.", RuntimeWarning, stacklevel=2)
    return LBFGSRun(params, best, best_epoch, tuple(history), stopped)


def _checked(network: Network, data: Dataset, validation: Dataset | None, seed: int, params: Params | None) -> Params:
    where = "fit_lbfgs"
    checks.instance(where, "network", network, Network)
    check_smooth(where, network)
    if params is None:
        checks.word(where, "seed", seed)
        params = init_params(network, seed, np.float64)
    check_model(where, network, params)
    checks.finite(where, "params", params.vector)
    check_parts(where, network, params.dtype, data, validation)
    return params


def check_smooth(where: str, network: Network) -> None:
    """Refuse a network whose training is not the minimizing of one function."""
    for layer in network.layers:
        if isinstance(layer, Dropout | GaussianNoise | BatchNorm) or getattr(layer, "max_norm", None) is not None:
            rule = "must have no Dropout, GaussianNoise, BatchNorm or max_norm"
            fix = "Optimizers such as Adam train with these."
            raise checks.problem(ValueError, where, "network", rule, repr(layer), fix)


def minimized(
    where: str, network: Network, params: Params, data: Dataset, limits: dict[str, Any], callback: Any = None
) -> tuple[Params, Any]:
    """The parameters to which L-BFGS comes from these, and what scipy says of it.

    Raises:
        FloatingPointError: where the objective is not finite at these.
    """
    from scipy.optimize import minimize

    def function(vector: Floats) -> tuple[float, Floats]:
        with np.errstate(over="ignore", invalid="ignore"):
            return objective(network, _at(params, vector), data)

    if not math.isfinite(function(params.vector)[0]):
        raise FloatingPointError(f"{where}: the loss is not finite at the first parameters. Scale x by `input_scale`.")
    settings: dict[str, Any] = {"method": "L-BFGS-B", "jac": True, "callback": callback, "options": limits}
    result = minimize(function, params.vector.astype(np.float64), **settings)
    return _at(params, result.x), result


def _at(params: Params, vector: Floats) -> Params:
    return Params(params.layout, vector.astype(params.dtype), params.running)


def objective(network: Network, params: Params, data: Dataset) -> tuple[float, Floats]:
    """The objective and its gradient, from pieces: each has its share of the weights."""
    rows, bare = weighted_rows(data), network.unpenalized
    total, value, gradient = 0.0, 0.0, np.zeros(params.layout.size)
    for tile in tiles(len(rows)):
        x, y, w = data.take(rows[tile])
        w = None if w is None else w.astype(np.float64)
        batch = Prepared(cast_x(network, x, params.dtype), cast_y(network, y, params.dtype), w)
        loss, _, g, _ = backprop(bare, params, batch, None)
        total += batch.weight
        value += batch.weight * loss
        gradient += batch.weight * g.vector.astype(np.float64)
    of_penalties = np.zeros_like(params.vector)
    add_penalties(network, params, of_penalties, total)
    return value / total + penalties(network, params, total), gradient / total + of_penalties


def _record(network: Network, params: Params, data: Dataset, validation: Dataset | None, number: int) -> EpochRecord:
    seen = evaluate(network, params, data)
    weight = float(len(data) if data.weights is None else data.weights.sum(dtype=np.float64))
    penalty = penalties(network, params, weight) if network.penalized else None
    record = EpochRecord(number, seen.loss, seen.accuracy, penalty=penalty)
    if validation is None:
        return record
    held = evaluate(network, params, validation)
    return attrs.evolve(record, val_loss=held.loss, val_accuracy=held.accuracy, val_r2=held.r2)
