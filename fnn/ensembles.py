"""Several sets of parameters of one network, asked together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fnn import checks
from fnn.arrays import Floats, Rows
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_model, outputs_of


def ensemble(network: Network, members: Iterable[Params], x: Rows) -> Floats:
    """The mean of what the members say: (1/m) Σ forward(network, params, x), of m sets of parameters.

    After softmax or sigmoid these are probabilities again, of the equal mixture of the members (Lakshminarayanan,
    Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles", 2017, section
    2.4). Their cross-entropy is at most the mean of the members', as −log is convex, and so is their squared error.
    Of classes the answers are `.argmax(axis=1)`. Members may differ by their seed alone.

    Args:
        network: the spec.
        members: the `Params` of at least one training, of one dtype.
        x: as in `forward`.

    Returns:
        Shape (n, outputs), of the params' dtype; added in float64, in the members' order.

    Raises:
        TypeError, ValueError, FloatingPointError: as `forward`, for each member; ValueError where there is none.

    >>> import fnn
    >>> network = fnn.mlp(1, 2)
    >>> members = [fnn.pack_params(network, [[[0.0, z]], [0.0, 0.0]]) for z in (0.0, 2.0)]
    >>> fnn.ensemble(network, members, [[1.0]]).round(6)  # of (0.5, 0.5) and (0.119203, 0.880797)
    array([[0.309601, 0.690399]])
    """
    if isinstance(members, Params | np.ndarray) or not isinstance(members, Iterable):
        rule, fix = "must be a list of Params", "One set of them is asked by `forward`."
        got = "one alone" if isinstance(members, Params) else checks.show(members)
        raise checks.problem(TypeError, "ensemble", "members", rule, got, fix)
    members = tuple(members)
    if not members:
        raise checks.problem(ValueError, "ensemble", "members", "must have at least one Params", "none")
    for place, params in enumerate(members):
        check_model(f"ensemble, member {place}", network, params)
    dtypes = sorted({str(params.dtype) for params in members})
    if len(dtypes) > 1:
        raise checks.problem(ValueError, "ensemble", "members", "must be of one dtype", " and ".join(dtypes))
    x = checks.rows("ensemble", "x", x, network.inputs)
    mean = np.zeros((x.shape[0], network.outputs))
    for place, params in enumerate(members):
        mean += (outputs_of(network, params, x, f"ensemble, member {place}") - mean) / (place + 1)
    return mean.astype(members[0].dtype)
