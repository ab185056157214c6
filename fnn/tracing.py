"""Every number of one pass forward and back, layer by layer."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike

from fnn.arrays import Floats, Rows, State, sealed
from fnn.backprop import gradient, mean_loss, penalties, run_forward
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_batch
from fnn.randomness import Key
from fnn.tables import table


@attrs.frozen(eq=False, repr=False)
class LayerTrace(State):
    """One layer's part of a pass; what a layer lacks has length 0.

    Attributes:
        layer: its name.
        z: what the layer makes of its inputs, shape (n, units).
        a: what its activation makes of z.
        delta: the derivative of the loss by z; of length 0 below the first layer with numbers to train.
        dW: the derivative of the objective by the weight, shape (inputs, units).
        db: and by the bias, shape (units,).
    """

    layer: str
    z: Floats = attrs.field(converter=sealed)
    a: Floats = attrs.field(converter=sealed)
    delta: Floats = attrs.field(converter=sealed)
    dW: Floats = attrs.field(converter=sealed)  # noqa: N815  # as it is written
    db: Floats = attrs.field(converter=sealed)


@attrs.frozen(eq=False, repr=False)
class Trace(State):
    """A pass, layer by layer; prints as a table of root mean squares.

    Attributes:
        loss: the objective, penalties included.
        layers: a `LayerTrace` for each.
    """

    loss: float
    layers: tuple[LayerTrace, ...]

    def __str__(self) -> str:
        names = [field.name for field in attrs.fields(LayerTrace)][1:]
        rows = [[layer.layer, *(_size(getattr(layer, name)) for name in names)] for layer in self.layers]
        return f"{table(['root mean square', *names], rows)}\nloss {self.loss:.6g}"


def _size(array: Floats) -> str:
    return f"{np.sqrt(np.square(array, dtype=np.float64).mean()):.3g}" if array.size else "-"


def trace(
    network: Network,
    params: Params,
    x: Rows,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> Trace:
    """Every z, a, delta, dW and db of one pass forward and back, with the arguments of `loss`.

    zᵢ = aᵢ₋₁ · weightᵢ + biasᵢ, aᵢ = activationᵢ(zᵢ), deltaᵢ = ∂loss/∂zᵢ; dWᵢ = aᵢ₋₁ᵀ · deltaᵢ and the penalties'
    derivative, dbᵢ = Σ deltaᵢ: to the last bit what `grads` returns (Nielsen 2015, chapter 2, BP1 to BP4).

    Args:
        network: the spec.
        params: its numbers.
        x: as in `loss`, like the other three.
        y: the targets.
        sample_weight: the weights.
        key: None for inference, or an address of the training function.

    Raises:
        TypeError, ValueError: as `loss`.

    >>> import fnn
    >>> network = fnn.mlp(2, 1, 1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[0.1], [0.2]], [0.3], [[0.5]], [-0.1]])
    >>> t = fnn.trace(network, params, [[1.0, 2.0]], [1])
    >>> print(t)
    root mean square      z      a  delta     dW     db
    Dense tanh          0.8  0.664  0.124  0.195  0.124
    Dense sigmoid     0.232  0.558  0.442  0.294  0.442
    loss 0.583852
    >>> t.layers[0].dW.round(6)
    array([[-0.123622],
           [-0.247245]])
    """
    batch = check_batch("trace", network, params, x, y, sample_weight, key)
    passed = run_forward(network, params, batch.x, key)
    deltas: dict[int, Floats] = {}
    g = gradient(network, params, passed, batch, deltas)
    none = np.zeros(0, params.dtype)
    layers = tuple(
        LayerTrace(layer_name(layer), z, a, deltas.get(i, none), g[i].weight, g[i].bias)
        for i, (layer, _, _, z, a) in enumerate(passed)
    )
    return Trace(mean_loss(network, passed[-1], batch) + penalties(network, params, batch.weight), layers)


def layer_name(layer: object) -> str:
    """The layer and its activation, in short."""
    activation = type(getattr(layer, "activation", None)).__name__.lower()
    return f"{type(layer).__name__} {activation}"
