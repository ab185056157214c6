"""Looking inside: the summary of a network, what it answers where and by which inputs, the check of its gradients."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Floats, Rows, State, freeze, sealed
from fnn.backprop import Prepared, back, backprop, cast_x, mean_loss, penalties, run_forward, true_answers
from fnn.dataset import Dataset
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_batch, check_model, check_parts, finite_x, outputs_of
from fnn.randomness import Key
from fnn.tables import table


@attrs.frozen
class LayerSummary:
    """One layer: its spec in short, the shapes of its tensors, its outputs, the numbers it trains, and its bytes."""

    layer: str
    weight: str
    bias: str
    outputs: int
    parameters: int
    bytes: int


@attrs.frozen
class Summary:
    """A network's layers, and the number and the bytes of its parameters; prints as a table.

    Attributes:
        layers: one `LayerSummary` each.
        parameters: how many numbers are trained.
        bytes: how many bytes these and the running statistics take in float32; in float64 twice as many. Adam keeps two
            more such vectors.
    """

    layers: tuple[LayerSummary, ...]
    parameters: int
    bytes: int

    def __str__(self) -> str:
        rows = [list(attrs.astuple(layer)) for layer in self.layers]
        return table(
            ["layer", "weight", "bias", "outputs", "parameters", "bytes"],
            [*rows, ["total", "", "", "", self.parameters, self.bytes]],
        )


def summary(network: Network) -> Summary:
    """The network's layers, the shapes of their weights and biases, and how many numbers and bytes these are.

    Raises:
        TypeError: for what is no `Network`.

    >>> import fnn
    >>> print(fnn.summary(fnn.mlp(784, 256, 128, 10)))
    layer           weight  bias  outputs  parameters    bytes
    Dense relu     784×256   256      256     200,960  803,840
    Dense relu     256×128   128      128      32,896  131,584
    Dense softmax   128×10    10       10       1,290    5,160
    total                                     235,146  940,584
    """
    checks.instance("summary", "network", network, Network)
    layers = []
    for layer, shapes, outputs in zip(network.layers, network.layout.layers, network.widths[1:], strict=True):
        weight, bias = ("-" if shape == (0,) else "×".join(map(str, shape)) for shape in (shapes.weight, shapes.bias))
        count = math.prod(shapes.weight) + math.prod(shapes.bias)
        size = 4 * (count + math.prod(shapes.mean) + math.prod(shapes.variance))
        layers.append(LayerSummary(_short(layer), weight, bias, outputs, count, size))
    return Summary(tuple(layers), network.layout.size, sum(layer.bytes for layer in layers))


def _short(layer: Any) -> str:
    """The layer's name with the settings that are not the defaults."""
    settings = []
    for field in attrs.fields(type(layer)):
        value = getattr(layer, field.name)
        if value != field.default and field.name != "units":
            settings.append(f"{type(value).__name__.lower()}" if attrs.has(type(value)) else f"{field.name}={value}")
    return " ".join([type(layer).__name__, *settings])


def saliency(network: Network, params: Params, x: Rows, classes: ArrayLike | None = None) -> Floats:
    """How much each input moves the logit of a class: ∂zᶜ/∂x, z the last layer's before its activation; inference.

    Its size says which pixels matter for an answer, its sign whether more of one speaks for the class (Simonyan,
    Vedaldi and Zisserman, "Deep inside convolutional networks", 2014, section 3). It is by x as it is given: the
    network's `input_scale` is in it. To first order, z moves by the sum over the inputs of ∂zᶜ/∂x · Δx.

    Args:
        network: the spec.
        params: its numbers.
        x: as in `forward`.
        classes: for each row the index of an output, shape (n,); None is the output whose logit is the largest.

    Returns:
        Shape (n, inputs), of the params' dtype.

    Raises:
        TypeError: for an x that is not of real numbers, or classes that are not integers.
        ValueError: for another shape, no rows, NaN or infinity, or a class out of range.
        FloatingPointError: where the logits or the derivatives are not finite.

    >>> import fnn
    >>> network = fnn.mlp(2, 2, 2, activation="relu", input_scale=0.5)
    >>> params = fnn.pack_params(network, [[[1, 0], [2, 1]], [0, -9], [[3, 1], [1, 1]], [0, 0]])
    >>> fnn.saliency(network, params, [[1, 1]])
    array([[1.5, 3. ]])
    """
    check_model("saliency", network, params)
    cast = finite_x("saliency", network, checks.rows("saliency", "x", x, network.inputs), params.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        passed = run_forward(network, params, cast, None)
        z = passed[-1].z
        chosen = z.argmax(axis=1) if classes is None else checks.numeric("saliency", "classes", classes, "ui")
        if chosen.shape != (len(z),):
            raise checks.problem(ValueError, "saliency", "classes", f"must have shape ({len(z)},)", str(chosen.shape))
        checks.labels("saliency", "classes", chosen, network.outputs)
        dz = np.zeros_like(z)
        dz[np.arange(len(z)), chosen] = 1
        unused = params.layout.views(np.empty(params.layout.size, params.dtype), params.running.copy())
        dx = back(passed, dz, unused, 0, to_x=True) * params.dtype.type(network.input_scale)
    if not (np.isfinite(z).all() and np.isfinite(dx).all()):
        raise FloatingPointError("saliency: the derivatives are not finite. Are `params`, or is `x` very large?")
    return dx


@attrs.frozen(eq=False, repr=False)
class DecisionBoundary(State):
    """What a network of two inputs answers over the plane, and the rows of a data set in it.

    Attributes:
        sides: the points along x₀ and x₁, a little beyond the rows, shape (2, steps).
        answers: shape (steps, steps), x₁ by x₀: of two classes the probability of the second, or of yes; of more the
            index of the class.
        classes: how many.
        x: the rows, shape (n, 2).
        y: their classes, shape (n,).
    """

    sides: Floats = attrs.field(converter=sealed)
    answers: Array = attrs.field(converter=sealed)
    classes: int
    x: Floats = attrs.field(converter=sealed)
    y: Array = attrs.field(converter=sealed)


def decision_boundary(network: Network, params: Params, data: Dataset, steps: int = 201) -> DecisionBoundary:
    """What a network answers on a grid over the plane of its two inputs, which reaches 15 % beyond the rows.

    Args:
        network: the spec, of 2 inputs, whose answers are classes, or one yes or no.
        params: its numbers.
        data: the rows, for the extent of the grid and to be drawn in it.
        steps: how many points along each side, at least 2.

    Raises:
        TypeError, ValueError: for another network, parts that do not fit each other, or x too large for a grid around
            it in the params' dtype.
        FloatingPointError: where the outputs are not finite.

    >>> import fnn
    >>> network = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
    >>> params = fnn.pack_params(network, [[[9], [0]], [0]])
    >>> boundary = fnn.decision_boundary(network, params, fnn.Dataset([[-1, -1], [1, 1]], [0, 1]), steps=3)
    >>> boundary.sides, boundary.answers[0].round(3)
    (array([[-1.3,  0. ,  1.3],
           [-1.3,  0. ,  1.3]]), array([0. , 0.5, 1. ]))
    """
    where = "decision_boundary"
    check_model(where, network, params)
    if network.inputs != 2 or network.answers == "values" or network.multilabel:
        rule = "must have 2 inputs and answer with classes, or one yes or no"
        got = f"{network.inputs} inputs and {network.outputs} outputs of {network.answers}"
        raise checks.problem(ValueError, where, "network", rule, got)
    check_parts(where, network, params.dtype, data, None)
    checks.count(where, "steps", steps, 2)
    rows, y, _ = data.take()
    given: Any = rows
    x, true = np.asarray(given.toarray() if checks.is_sparse(given) else given, np.float64), true_answers(network, y)
    if true.ndim != 1:
        raise checks.problem(ValueError, where, "data.y", "must be one class for each row", str(y.shape))
    low, high = x.min(axis=0), x.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        margin = np.where(high > low, 0.15 * (high - low), 1)
        sides = np.linspace(low - margin, high + margin, steps, axis=1)
        plane = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
        fits = np.isfinite(cast_x(network, plane, params.dtype)).all()
    if not fits:
        rule, got = f"must leave room around it in {params.dtype}", f"a least of {x.min():g}, a most of {x.max():g}"
        raise checks.problem(ValueError, where, "data.x", rule, got)
    a = outputs_of(network, params, plane, where)
    answers = a.argmax(axis=1) if a.shape[1] > 2 else a[:, -1]
    return DecisionBoundary(sides, answers.reshape(steps, steps), max(2, network.outputs), x, true)


@attrs.frozen
class TensorCheck:
    """One tensor's gradient against central differences.

    Attributes:
        tensor: its name.
        size: how many numbers it has.
        checked: how many of them were compared.
        kinks: how many were left out, because a kink lies within the step.
        worst: the largest |g − difference| / (10⁻⁶ · max(|g|, |difference|) + 10⁻⁹ · max(1, |loss|)).
        ok: whether that is at most 1.
    """

    tensor: str
    size: int
    checked: int
    kinks: int
    worst: float
    ok: bool


@attrs.frozen
class GradientCheck:
    """The check of a network's gradients; prints as a table, and is true when every tensor is ok.

    Attributes:
        tensors: one `TensorCheck` each.
    """

    tensors: tuple[TensorCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every tensor is, and anything was compared."""
        return all(tensor.ok for tensor in self.tensors) and any(tensor.checked for tensor in self.tensors)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        header = [field.name for field in attrs.fields(TensorCheck)]
        return table(header, [attrs.astuple(tensor) for tensor in self.tensors])


STEP, MOST = 1e-6, 1000


def check_grads(
    network: Network,
    params: Params,
    x: Rows,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    key: Key | None = None,
) -> GradientCheck:
    """`grads` against central differences of `loss`, (f(θ + h) − f(θ − h)) / 2h with h = 10⁻⁶, in float64.

    In tensors of more than 1,000 numbers, 1,000 of them evenly spread are compared. A number is left out where
    a layer's or the loss's derivative jumps between θ − h and θ + h, since the difference is then no derivative.

    Args:
        network: the spec.
        params: its numbers; computed with in float64 whatever their dtype.
        x: as in `loss`, like the other three.
        y: the targets.
        sample_weight: the weights.
        key: None for inference, or an address of the training function.

    Raises:
        TypeError, ValueError: as `loss`.

    >>> import numpy as np, fnn
    >>> network = fnn.mlp(2, 3, 2, activation="tanh")
    >>> params = fnn.init_params(network, seed=0)
    >>> fnn.check_grads(network, params, [[0.5, -1.0]], [1]).ok
    True
    """
    check_model("check_grads", network, params)
    params = Params(network.layout, params.vector.astype(np.float64), params.running)
    batch = check_batch("check_grads", network, params, x, y, sample_weight, key)
    value, _, g, _ = backprop(network, params, batch, key)
    loss = value + penalties(network, params, batch.weight)
    results = []
    start = 0
    for name, shape in network.layout.tensors:
        if name.endswith(("mean", "variance")):
            continue
        size = math.prod(shape)
        index = start + np.unique(np.linspace(0, size - 1, min(size, MOST)).round().astype(int))
        start += size
        pairs = [_difference(network, params, int(i), batch, key) for i in index]
        differences, smooth = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
        mine, numeric = g.vector[index][smooth], differences[smooth]
        allowed = 1e-6 * np.maximum(np.abs(mine), np.abs(numeric)) + 1e-9 * max(1, abs(loss))
        worst = float((np.abs(mine - numeric) / allowed).max(initial=0))  # NaN stays NaN
        ok = worst <= 1  # so that NaN is not
        results.append(TensorCheck(name, size, int(smooth.sum()), int((~smooth).sum()), worst, ok))
    return GradientCheck(tuple(results))


def _difference(network: Network, params: Params, i: int, batch: Prepared, key: Key | None) -> tuple[float, bool]:
    """The central difference by one number, and whether no kink lies between."""
    values, places, slopes = [], [], []
    for h in (STEP, -STEP):
        vector = params.vector.copy()
        vector[i] += h
        moved = Params(params.layout, freeze(vector), params.running)
        value, place, slope = _objective(network, moved, batch, key)
        values.append(value)
        places.append(place)
        slopes.append(slope)
    # what moves smoothly moves in proportion to the place at which it is taken
    smooth = 1e-3 * np.maximum(1, np.abs(slopes[0])) + np.minimum(10 * np.abs(places[0] - places[1]), 0.1)
    return (values[0] - values[1]) / (2 * STEP), not (np.abs(slopes[0] - slopes[1]) > smooth).any()


def _objective(network: Network, params: Params, batch: Prepared, key: Key | None) -> tuple[float, Floats, Floats]:
    """The objective; and, where it may have a kink, the places and the values that jump there.

    These are each activation and its derivative by z, the loss's derivative by a, and the signs of penalized weights.
    """
    passed = run_forward(network, params, batch.x, key)
    places, slopes = [], []
    for layer, _, _, z, a in passed:
        places += [z, z]
        slopes += [a / np.maximum(1, np.abs(a).max()), layer.activation.vjp(z, a, np.ones_like(a))]
    for i, layer in network.dense:
        if layer.l1:
            places.append(params[i].weight)
            slopes.append(np.sign(params[i].weight))
    if not network.logit_loss:
        places.append(passed[-1].a)
        slopes.append(network.loss.vjp(passed[-1].a, batch.y) * network.outputs)
    value = mean_loss(network, passed[-1], batch) + penalties(network, params, batch.weight)
    flat = [np.concatenate([part.ravel() for part in parts]) for parts in (places, slopes)]
    return value, flat[0], flat[1]
