"""The network: a spec of layers and a loss, and its first parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import attrs
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fnn import checks, settings
from fnn.activations import ACTIVATIONS, Activation, ActivationName, Identity, Relu, Sigmoid, Softmax
from fnn.arrays import Array, Spec, freeze
from fnn.entropies import BinaryCrossEntropy, CrossEntropy, Targets
from fnn.layers import Dense, Dropout, Layer
from fnn.losses import MSE, Loss, LossAtOnce, LossFromLogits, LossName, SquaredError, resolve_loss, valid_loss
from fnn.params import Layout, Params, Shapes
from fnn.stacks import Tower

OURS = {type(activation) for activation in ACTIVATIONS.values()}
Answers = Literal["classes", "yes or no", "values"]


def _layers(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    if not isinstance(layers, Iterable):
        rule = "must be a tuple of layers"
        fix = f"One layer is `({type(layers).__name__}(…),)`." if checks.is_record(layers, ("forward",)) else ""
        raise checks.problem(TypeError, "Network", "layers", rule, checks.show(layers), fix)
    return tuple(layers)


@attrs.frozen(cache_hash=True, repr=False)
class Network(Spec):
    """A fully connected network: layers one after the other, and the loss that they are trained for.

    A value: it prints, compares, hashes, and holds no numbers; those are a `Params`.

    Args:
        inputs: the number of columns of x, at least 1.
        layers: `Dense`, `Dropout`, `GaussianNoise`, `BatchNorm` and `LayerNorm`, any number in any order, at least one.
        loss: a name, or a frozen record with rows and vjp. "cross_entropy" wants softmax and
            "binary_cross_entropy" sigmoid as the last activation, or a user's own; the others go with any.
        input_scale: x is multiplied by it in every function, so that training and prediction on uint8 pixels
            (1/255) cannot differ. Finite, not 0.
        spread_penalties: whether l1 and l2 are divided by Σ w of the rows that the objective is asked of, so that they
            count less the more rows there are, as scikit-learn's alpha does. Else they are added as they are.

    Raises:
        TypeError, ValueError: for parts that do not fit.

    >>> import fnn
    >>> fnn.Network(2, (fnn.Dense(3, "tanh"), fnn.Dense(1, "sigmoid")), loss="binary_cross_entropy").outputs
    1
    """

    inputs: int = attrs.field(validator=settings.integer(1))
    layers: tuple[Layer, ...] = attrs.field(converter=_layers)
    loss: Loss = attrs.field(converter=resolve_loss, validator=valid_loss)
    input_scale: float = attrs.field(
        default=1.0, validator=settings.number("finite number other than 0", lambda value: value != 0)
    )
    spread_penalties: bool = attrs.field(default=False, validator=settings.boolean)

    def __attrs_post_init__(self) -> None:
        if not self.layers:
            raise checks.problem(ValueError, "Network", "layers", "must have at least one layer", "none")
        methods = ("shapes", "outputs", "draw", "forward", "backward")
        for index, layer in enumerate(self.layers):
            activation = getattr(layer, "activation", None)
            if not checks.is_record(layer, methods) or not checks.is_record(activation, ("value", "vjp")):
                rule = "must hold layers such as Dense(256, 'relu')"
                raise checks.problem(TypeError, "Network", "layers", rule, f"{checks.show(layer)} at {index}")
        wanted = getattr(self.loss, "after", None)
        output = self.layers[-1].activation
        if wanted and not isinstance(output, wanted) and type(output) in OURS:
            rule = f"must go with a last activation of {wanted.__name__}"
            fix = f"Make the last layer's activation {wanted.__name__.lower()!r}, or the loss 'mse'."
            if isinstance(output, Sigmoid):
                fix = "After sigmoid, make it 'binary_cross_entropy'."
            raise checks.problem(ValueError, "Network", "loss", rule, f"{self.loss} after {output}", fix)
        if self.outputs == 1 and (isinstance(self.loss, CrossEntropy) or isinstance(output, Softmax)):
            rule, got = "must have at least 2 outputs for softmax or cross-entropy", "1"
            fix = "One output is 'sigmoid' with 'binary_cross_entropy', or 'identity' with 'mse'."
            raise checks.problem(ValueError, "Network", "layers", rule, got, fix)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, and of each layer's outputs."""
        widths = [self.inputs]
        for layer in self.layers:
            widths.append(layer.outputs(widths[-1]))
        return tuple(widths)

    @property
    def outputs(self) -> int:
        """The number of columns that `forward` returns."""
        return self.widths[-1]

    @cached_property
    def layout(self) -> Layout:
        """Where each layer's numbers are in the vector of a `Params`."""
        pairs = zip(self.layers, self.widths, strict=False)  # widths has one more: the outputs
        return Layout(tuple(layer.shapes(inputs) for layer, inputs in pairs))

    @cached_property
    def logit_loss(self) -> LossFromLogits | None:
        """The loss, where it is computed from the last layer's z rather than its a; else None."""
        if type(self.layers[-1].activation) is not getattr(self.loss, "after", None):
            return None
        owner = {name: kind for kind in reversed(type(self.loss).__mro__) for name in vars(kind)}
        # a subclass's own rows or vjp, without logits, are not to be passed over
        from_logits = all(issubclass(owner.get(f"{name}_from_logits", object), owner[name]) for name in ("rows", "vjp"))
        return cast(LossFromLogits, self.loss) if from_logits else None

    @cached_property
    def at_once(self) -> LossAtOnce | None:
        """The loss, where it makes all that a step wants of the last z at once (of labels, for classes); else None."""
        after: dict[Any, Any]
        after = {MSE: Identity, SquaredError: Identity, BinaryCrossEntropy: Sigmoid, CrossEntropy: Softmax}
        known = after.get(type(self.loss)) is type(self.layers[-1].activation)
        return cast(LossAtOnce, self.loss) if known and not getattr(self.loss, "label_smoothing", 0) else None

    @cached_property
    def first_trained(self) -> int:
        """The index of the first layer that has numbers to train; below it no gradient goes."""
        return next((i for i, shapes in enumerate(self.layout.layers) if shapes != Shapes()), len(self.layers))

    @property
    def targets(self) -> Targets:
        """What the loss wants: "classes", "shares" (in [0, 1]), "amounts" (≥ 0), "values", or "any" (a user's loss)."""
        kind: Targets = getattr(self.loss, "targets", "any")
        return kind

    @cached_property
    def answers(self) -> Answers:
        """What `predict` returns: "classes" (indices), "yes or no" (1 or 0), or "values"."""
        output = self.layers[-1].activation
        if isinstance(output, Softmax) or isinstance(self.loss, CrossEntropy):
            return "classes"
        if isinstance(output, Sigmoid) or isinstance(self.loss, BinaryCrossEntropy):
            return "yes or no"
        return "values"

    @property
    def multilabel(self) -> bool:
        """Whether it answers several questions with yes or no."""
        return self.answers == "yes or no" and self.outputs > 1

    @cached_property
    def penalized(self) -> tuple[tuple[int, Dense], ...]:
        """The dense layers that have a penalty, each with its index."""
        return tuple((i, layer) for i, layer in self.dense if layer.l1 or layer.l2)

    @cached_property
    def unpenalized(self) -> Network:
        """The same network without its penalties."""
        if not self.penalized:
            return self
        bare = (attrs.evolve(each, l1=0.0, l2=0.0) if isinstance(each, Dense) else each for each in self.layers)
        return attrs.evolve(self, layers=tuple(bare))

    @cached_property
    def tower(self) -> Tower | None:
        """The layers where they are dense, each but the last relu or the identity, with dropout or not; else None."""
        places = [index for index, layer in enumerate(self.layers) if type(layer) is Dense]
        after = [self.layers[i + 1] if i + 1 < len(self.layers) else None for i in places]
        drops = [type(layer) is Dropout for layer in after]
        hidden = [type(self.layers[i].activation) for i in places[:-1]]
        if len(places) + sum(drops[:-1]) < len(self.layers) or not {*hidden} <= {Relu, Identity}:
            return None
        relus = [kind is Relu for kind in hidden]
        widths = (self.inputs, *(self.widths[i + 1] for i in places))
        return Tower(tuple(places), widths, (*relus, False), tuple(drops))

    @cached_property
    def limits(self) -> tuple[tuple[int, float], ...]:
        """The index and the `max_norm` of each layer that has one."""
        return tuple((i, layer.max_norm) for i, layer in self.dense if layer.max_norm is not None)

    @cached_property
    def dense(self) -> tuple[tuple[int, Dense], ...]:
        """The dense layers, each with its index: those that have penalties and constraints."""
        return tuple((i, layer) for i, layer in enumerate(self.layers) if isinstance(layer, Dense))


def mlp(
    *widths: int,
    activation: ActivationName | Activation = "relu",
    output: ActivationName | Activation = "softmax",
    loss: LossName | Loss = "cross_entropy",
    input_scale: float = 1.0,
) -> Network:
    """A multi-layer perceptron: the number of inputs, the units of each hidden layer, the number of outputs.

    Args:
        widths: at least two, each at least 1.
        activation: of the hidden layers.
        output: the last layer's; "softmax" for classes, "sigmoid" for yes or no, "identity" for numbers.
        loss: as in `Network`; "binary_cross_entropy" goes with sigmoid, "mse" with identity.
        input_scale: as in `Network`.

    Raises:
        TypeError, ValueError: for fewer than two widths, or parts that do not fit.

    >>> import fnn
    >>> fnn.mlp(784, 256, 128, 10).layout.size
    235146
    >>> fnn.mlp(10, 32, 1, output="identity", loss="mse").outputs
    1
    """
    if len(widths) < 2:
        rule = "must be at least two: the inputs, any hidden layers, the outputs"
        fix = "Spread it: `mlp(*widths)`." if widths and isinstance(widths[0], Sequence) else ""
        raise checks.problem(ValueError, "mlp", "widths", rule, str(widths), fix)
    Dense(1, activation)  # checked also where there is no hidden layer
    hidden = [Dense(units, activation) for units in widths[1:-1]]
    return Network(widths[0], (*hidden, Dense(widths[-1], output)), loss=loss, input_scale=input_scale)


def init_params(network: Network, seed: int, dtype: DTypeLike = np.float32) -> Params:
    """The network's first parameters, a pure function of the seed.

    Each tensor's values depend on the seed, the layer's index and the layer alone. They are drawn in float64
    and then rounded to the dtype, so that float32 and float64 begin alike.

    Args:
        network: the spec.
        seed: 0 … 2⁶⁴ − 1.
        dtype: float32 or float64.

    Raises:
        TypeError, ValueError: for another dtype or seed.

    >>> import fnn
    >>> fnn.init_params(fnn.mlp(784, 256, 128, 10), seed=0)[2].bias
    array([0., 0., 0., 0., 0., 0., 0., 0., 0., 0.], dtype=float32)
    """
    checks.instance("init_params", "network", network, Network)
    checks.word("init_params", "seed", seed)
    dtype = _float_dtype("init_params", dtype)
    vector, running = np.empty(network.layout.size), np.empty(network.layout.running_size)
    for index, p in enumerate(network.layout.views(vector, running)):
        network.layers[index].draw(p, network.widths[index], int(seed), index)
    with np.errstate(over="ignore"):  # an overflow is refused in the next line
        vector, running = vector.astype(dtype), running.astype(dtype)
    checks.finite("init_params", "the numbers drawn", vector)
    return Params(network.layout, freeze(vector), freeze(running))


def pack_params(network: Network, arrays: Sequence[ArrayLike], dtype: DTypeLike | None = None) -> Params:
    """Parameters from given numbers.

    Args:
        network: the spec.
        arrays: in the order of the layers, weight (inputs, units) and bias (units,) of each dense layer;
            weight, bias, running mean and running variance (units,) of each batch norm, the first two of each layer
            norm; nothing for dropout and noise. A weight stored as (units, inputs), as PyTorch does, goes in as
            `weight.T`.
        dtype: float32 or float64; None is float32 where all arrays are, else float64.

    Raises:
        TypeError: for arrays that are not of real numbers.
        ValueError: for another number of arrays, another shape, NaN or infinity.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> fnn.pack_params(network, [[[0.1], [0.2]], [0.3]]).vector
    array([0.1, 0.2, 0.3])
    """
    where = "pack_params"
    checks.instance(where, "network", network, Network)
    if isinstance(arrays, np.ndarray) or not isinstance(arrays, Sequence):
        rule = "must be a list of arrays, weight and bias of each layer in turn"
        raise checks.problem(TypeError, where, "arrays", rule, checks.show(arrays))
    tensors = network.layout.tensors
    if len(arrays) != len(tensors):
        rule = f"must be {len(tensors)} arrays ({', '.join(name for name, _ in tensors)})"
        raise checks.problem(ValueError, where, "arrays", rule, str(len(arrays)))
    given = [_tensor(i, array, *tensors[i]) for i, array in enumerate(arrays)]
    if dtype is None:
        dtype = np.float32 if all(a.dtype == np.float32 for a in given) else np.float64
    dtype = _float_dtype(where, dtype)
    vector, running = np.empty(network.layout.size, dtype), np.empty(network.layout.running_size, dtype)
    targets = [view for p in network.layout.views(vector, running) for view in p if view.size]
    with np.errstate(over="ignore"):
        for target, array in zip(targets, given, strict=True):
            target[...] = array
    for i, target in enumerate(targets):
        checks.finite(where, f"arrays[{i}]", target)
    return Params(network.layout, freeze(vector), freeze(running))


def _tensor(index: int, value: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    where, argument = "pack_params", f"arrays[{index}]"
    array = checks.numeric(where, argument, value)
    if array.shape != shape:
        fix = f"It is transposed: `arrays[{index}].T`." if len(shape) == 2 and array.shape == shape[::-1] else ""
        raise checks.problem(
            ValueError, where, argument, f"is {name} and must have shape {shape}", str(array.shape), fix
        )
    checks.finite(where, argument, array)
    if name.endswith("variance") and array.min() < 0:
        raise checks.problem(ValueError, where, argument, f"is {name} and must be at least 0", f"{array.min()}")
    return array


def _float_dtype(where: str, dtype: DTypeLike) -> np.dtype[Any]:
    try:
        known = np.dtype(dtype if isinstance(dtype, type | np.dtype | str) else object)
    except TypeError:
        known = np.dtype(object)
    if known not in (np.float32, np.float64):
        raise checks.problem(TypeError, where, "dtype", "must be float32 or float64", checks.show(dtype))
    return known
