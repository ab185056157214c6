"""What may be wrong with a network: its data, its first loss, its layers and its next step, looked at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs
import numpy as np

from fnn import checks
from fnn.activations import Identity, Sigmoid, Softmax, Tanh
from fnn.arrays import Array, Floats
from fnn.backprop import Layered, Prepared, cast_x, cast_y, gradient, mean_loss, run_forward
from fnn.dataset import Dataset, batch_count, batches
from fnn.entropies import BinaryCrossEntropy, CrossEntropy
from fnn.findings import Finding, finding, of_inputs, of_targets
from fnn.layers import Dense
from fnn.network import Network, init_params
from fnn.params import Params
from fnn.passes import check_parts, project
from fnn.runs import TrainState
from fnn.tables import table
from fnn.tracing import layer_name
from fnn.training import train_step

ROWS = 2048  # are looked at, at most
# Where a finding begins, and how far networks went that learn well, on digits, MNIST, XOR, circles and small tables:
UNSURE = 3.0  # 2.75, of 150 seeds on small tables
DEAD, FEW = 0.5, 10  # 0.41; 0.52 with Adam(0.01), which is too much
FLAT, STEEPEST = 1 / 20, {Sigmoid: 0.25, Tanh: 1.0}
SATURATED = 0.5  # 0.04; 0.56 when it has learned
VANISHING, EXPLODING = 2e-3, 1e2  # 0.027 to 20; six hidden layers of sigmoid 0.0006
LARGE, USUAL, SMALL = 1.0, 1e-2, 3e-5  # 0.5; 0.0001 before it has learned
MARGIN, EPOCHS, STEPS = (
    1.02,
    20,
    150,
)  # after which even small tables are better than guessing
LEARNED = 0.9
ROUNDED = 1e-4


@attrs.frozen
class LayerHealth:
    """How a layer is; None where a quantity does not apply; NaN or inf where it is not finite.

    Attributes:
        layer: its name.
        dead: of a hidden layer, the share of units whose activation has the slope 0 in every row.
        saturated: of a hidden layer of sigmoid or tanh, the share of its outputs at which the slope is below a
            twentieth of the steepest, ¼ or 1.
        gradient_norm: ‖dW‖, the Frobenius norm of the derivative of the loss, without penalties, by the weight.
        weight_norm: ‖W‖.
        update_ratio: ‖ΔW‖ / ‖W‖, where ΔW is what the run's next step changes; None where W is 0.
    """

    layer: str
    dead: float | None
    saturated: float | None
    gradient_norm: float | None
    weight_norm: float | None
    update_ratio: float | None


@attrs.frozen
class Diagnosis:
    """What `diagnose` has found; prints as a table of the layers and a line for each finding.

    Attributes:
        layers: a `LayerHealth` for each.
        findings: a `Finding` for each trouble; what may be the cause of others comes first.
        loss: of the rows looked at, without penalties.
        initial_loss: and that of the first parameters.
    """

    layers: tuple[LayerHealth, ...]
    findings: tuple[Finding, ...]
    loss: float
    initial_loss: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        names = [field.name.replace("_", " ") for field in attrs.fields(LayerHealth)]
        rows = []
        for i, layer in enumerate(self.layers):
            numbers = zip(attrs.astuple(layer)[1:], (".1%", ".1%", ".3g", ".3g", ".3g"), strict=True)
            rows.append([f"{i} {layer.layer}", *(None if v is None else format(v, spec) for v, spec in numbers)])
        losses = f"loss {self.loss:.6g}, of the first parameters {self.initial_loss:.6g}"
        found = [finding.message for finding in self.findings] or ["Nothing was found."]
        return "\n".join([table(names, rows), losses, *found])


def diagnose(run: TrainState, data: Dataset) -> Diagnosis:
    """What may be wrong with a run and its data: for each trouble a sentence that says what to try.

    Up to 2,048 rows of weight above 0, the first of the epoch's shuffle, go through the training function, with the key
    of the epoch's first batch; on that batch `train_step` makes one step. What is found, causes first:

    - inputs: after `input_scale` the largest column's root mean square is above 10 or below 0.01, and no norm comes
      first; columns have one value in all rows, other than 0, the least or the largest number where more than a tenth
      of the other columns' numbers are that, as around pictures;
    - targets: a class has less than a tenth of the commonest one's weight in all rows, or none;
    - loss: it begins above three times the cross-entropy of guessing, ln k (ln 2 if binary), which it should be near
      (Karpathy, "A recipe for training neural networks", 2019); before the first step it is that of the run's
      parameters, later of `init_params(network, seed)`;
    - outputs, loss, gradient or next step that are not finite;
    - units: all of a layer the same, gradients too (Goodfellow, Bengio and Courville 2016, section 8.4); over half of
      them dead (of fewer than 10 rows: all); over half of the outputs saturated, while it has not learned;
    - gradients: ‖dW‖ of the first dense layer below 0.002 or above 100 times the last one's (Glorot and Bengio 2010);
    - updates: a ratio above 1; or all below 0.00003, while it has not learned and no schedule is in its first epoch.
      It has learned when the loss is at most 0.9 of the first;
    - history, from 20 epochs and 150 steps on: the loss is above 1.02 times that of guessing, in training (unless it is
      below on validation data) or on validation data; or val_r2 is below 0. Of validation data also before 150 steps,
      once the loss in training is below 0.9 times that of guessing.

    Args:
        run: just from `start`, or trained.
        data: what it trains on.

    Raises:
        TypeError, ValueError: for parts that do not fit each other, as in `train`.

    >>> import fnn
    >>> data = fnn.Dataset([[3, 40], [0, 50], [1, 30], [2, 60]], [0, 1, 0, 1])
    >>> print(fnn.diagnose(fnn.start(fnn.mlp(2, 2), optimizer=fnn.SGD(0.001)), data))
    layer            dead  saturated  gradient norm  weight norm  update ratio
    0 Dense softmax     -          -           24.8         1.52        0.0163
    loss 16.2348, of the first parameters 16.2348
    Inputs: the largest column's root mean square is 46.4; try fnn.standardize(fnn.standardizer(data), data).
    Loss: it begins at 16.2, and guessing has ln 2 = 0.693; try scaled inputs, or smaller first weights.
    """
    checks.instance("diagnose", "run", run, TrainState, "One of parameters alone is `start(network, params=params)`.")
    network = run.recipe.network
    check_parts("diagnose", network, run.params.dtype, data, None)
    with np.errstate(all="ignore"):  # what is not finite is a finding
        seen = _seen(attrs.evolve(run, params=project(network, run.params)), data)
        looks = (_of_data, _of_loss, _of_units, _of_gradients, _of_step, _of_history)
        findings = tuple(found for look in looks for found in look(seen))
    return Diagnosis(seen.layers, findings, seen.loss, seen.initial)


class _Seen(NamedTuple):
    """What the findings are made of."""

    run: TrainState
    data: Dataset
    x: Array  # of the rows looked at
    scaled: Floats
    passed: list[Layered]
    g: Params
    after: Params  # the next step
    layers: tuple[LayerHealth, ...]
    loss: float
    initial: float
    learns: bool

    def at(self, index: int) -> str:
        return f"layer {index} ({self.layers[index].layer})"

    def alike(self, index: int) -> bool:
        """Whether the units of a hidden dense layer have the same numbers and gradients, and so always will."""
        layer, p, g = self.passed[index].layer, self.run.params[index], self.g[index]
        if not isinstance(layer, Dense) or layer.units < 2 or index >= self.run.recipe.network.dense[-1][0]:
            return False
        parts = (p.weight, p.bias, g.weight, g.bias)
        return all(bool(np.ptp(part, axis=-1).max() <= ROUNDED * np.abs(part).max()) for part in parts)

    @property
    def blocked(self) -> bool:
        """Whether some layer lets no gradient through, as one of weights 0 before its first step."""
        return any(layer.dead == 1 or layer.weight_norm == 0 for layer in self.layers)


def _seen(run: TrainState, data: Dataset) -> _Seen:
    """All of it, of a run whose parameters are within their `max_norm`."""
    recipe, network, params, key = run.recipe, run.recipe.network, run.params, attrs.evolve(run, batch=0).key
    rows = next(batches(data, ROWS, recipe.seed, run.epoch))
    w = None if rows.sample_weight is None else rows.sample_weight.astype(np.float64)
    batch = Prepared(cast_x(network, rows.x, params.dtype), cast_y(network, rows.y, params.dtype), w)
    passed = run_forward(network, params, batch.x, key)
    loss = initial = mean_loss(network, passed[-1], batch)
    if run.epoch > 0 or run.batch > 0:
        first = project(network, init_params(network, recipe.seed, params.dtype))
        initial = mean_loss(network, run_forward(network, first, batch.x, key)[-1], batch)
    g = gradient(network.unpenalized, params, passed, batch)  # of the loss alone
    try:
        step = next(batches(data, recipe.batch_size, recipe.seed, run.epoch, shuffle=recipe.shuffle))
        after = train_step(attrs.evolve(run, batch=0), step).params
    except FloatingPointError:
        after = attrs.evolve(params, vector=np.full_like(params.vector, np.nan))
    layers = tuple(_health(passed, i, g[i].weight, after[i].weight) for i in range(len(passed)))
    return _Seen(run, data, rows.x, batch.x, passed, g, after, layers, loss, initial, loss <= LEARNED * initial)


def _health(passed: list[Layered], index: int, dw: Floats, after: Floats) -> LayerHealth:
    layer, p, _, z, a = passed[index]
    kind: type[Any] = type(layer.activation)
    name, dead, saturated = layer_name(layer), None, None
    if index < len(passed) - 1 and kind not in (Identity, Softmax):
        uneven = np.resize(np.arange(1, 8, dtype=a.dtype), a.shape)  # ones alone vanish where units sum to 1
        fine = np.isfinite(a).all()
        dead = float((layer.activation.vjp(z, a, uneven) == 0).all(axis=0).mean()) if fine else math.nan
        if kind in STEEPEST:
            slope = layer.activation.vjp(z, a, np.ones_like(a))
            saturated = float((slope < FLAT * STEEPEST[kind]).mean()) if fine else math.nan
    if not p.weight.size:
        return LayerHealth(name, dead, saturated, None, None, None)
    parts = (dw, p.weight, after - p.weight)
    slant, norm, change = (float(np.sqrt(np.square(part, dtype=np.float64).sum())) for part in parts)
    return LayerHealth(name, dead, saturated, slant, norm, change / norm if norm else None)


def _of_data(seen: _Seen) -> Iterator[Finding]:
    network = seen.run.recipe.network
    yield from of_inputs(network, seen.data, seen.x, seen.scaled)
    yield from of_targets(network, seen.data)


def _guess(network: Network) -> tuple[float, str]:
    """The cross-entropy of guessing, and how it is said; inf where the loss is another."""
    classes = network.outputs if isinstance(network.loss, CrossEntropy) else 2
    least = math.log(classes) if isinstance(network.loss, CrossEntropy | BinaryCrossEntropy) else math.inf
    return least, f"guessing has ln {classes} = {least:.3g}"


def _of_loss(seen: _Seen) -> Iterator[Finding]:
    least, guessing = _guess(seen.run.recipe.network)
    if seen.initial > UNSURE * least:
        what = f"it begins at {seen.initial:.3g}, and {guessing}"
        yield finding("initial loss", "loss", what, "scaled inputs, or smaller first weights")
    broken = [(seen.at(i), "its outputs are") for i, part in enumerate(seen.passed) if not np.isfinite(part.a).all()]
    wrong = (("loss", seen.loss), ("gradient", seen.g.vector), ("next step", seen.after.vector))
    broken += [(name, "it is") for name, numbers in wrong if not np.isfinite(numbers).all()]
    if broken:
        where, what = broken[0]
        yield finding("not finite", where, f"{what} not finite", "a lower learning_rate, clip_norm, or scaled inputs")


def _of_units(seen: _Seen) -> Iterator[Finding]:
    for i, layer in enumerate(seen.layers):
        n, units = seen.passed[i].a.shape
        dead, saturated = layer.dead or 0.0, layer.saturated or 0.0
        if seen.alike(i):
            what = f"its {units:,} units are the same, and so are their gradients"
            yield finding("identical units", seen.at(i), what, "he_normal or glorot_uniform weights")
        elif dead == 1 or (dead > DEAD and n >= FEW):
            what = f"{round(dead * units):,} of {units:,} units have the slope 0 in every row"
            advice = "a lower learning_rate, he_normal weights, or leaky_relu"
            yield finding("dead units", seen.at(i), what, advice)
        elif saturated > SATURATED and not seen.learns:
            what = f"{saturated:.0%} of its outputs are where the slope is near 0"
            yield finding("saturation", seen.at(i), what, "scaled inputs, smaller first weights, or relu")


def _of_gradients(seen: _Seen) -> Iterator[Finding]:
    dense = [i for i, _ in seen.run.recipe.network.dense] or [0]
    first, last = (seen.layers[dense[end]].gradient_norm or 0.0 for end in (0, -1))
    if seen.blocked or last == 0 or not first + last < math.inf:
        return
    what = f"its gradient is {first / last:.2g} times that of {seen.at(dense[-1])}"
    if first < VANISHING * last:
        yield finding("vanishing gradient", seen.at(dense[0]), what, "relu, BatchNorm, or fewer layers")
    elif first > EXPLODING * last:
        yield finding("exploding gradient", seen.at(dense[0]), what, "smaller first weights, BatchNorm, or clip_norm")


def _of_step(seen: _Seen) -> Iterator[Finding]:
    ratios = {i: layer.update_ratio for i, layer in enumerate(seen.layers) if layer.update_ratio is not None}
    if not ratios or not np.isfinite(seen.after.vector).all():
        return
    most = max(ratios, key=lambda i: ratios[i])
    ratio = ratios[most]
    what = f"the next step moves its weights by {ratio:.2g} times their norm"
    warming = seen.run.epoch == 0 and callable(getattr(seen.run.recipe.optimizer, "learning_rate", None))
    if ratio > LARGE:
        advice = f"a learning_rate {10 ** math.floor(math.log10(10 * ratio)):,} times lower"
        yield finding("large updates", seen.at(most), what, advice)
    elif ratio < SMALL and not (seen.learns or seen.blocked or warming):
        times = f"{10 ** round(math.log10(USUAL / ratio)):,} times" if ratio else "much"
        advice = f"a learning_rate {times} higher, or he_normal weights"
        yield finding("small updates", seen.at(most), f"{what}, and no layer's by more", advice)


def _of_history(seen: _Seen) -> Iterator[Finding]:
    run, (least, guessing) = seen.run, _guess(seen.run.recipe.network)
    if run.epoch < EPOCHS or not run.history:
        return
    last, after = run.history[-1], f"after {run.epoch} epochs its"
    least, val_loss, scaling = MARGIN * least, last.val_loss or 0.0, "the same scaling for both parts"
    begun = run.epoch * batch_count(seen.data, run.recipe.batch_size) >= STEPS
    known = begun or last.loss < LEARNED * least < math.inf
    if begun and last.loss > least and not 0 < val_loss <= least:  # dropout makes the one in training larger
        what = f"{after} loss is {last.loss:.3g}, and {guessing}"
        yield finding("worse than guessing", "training", what, "another learning_rate, or labels that fit the rows")
    elif known and val_loss > least:
        what = f"{after} loss is {val_loss:.3g}, and {guessing}"
        yield finding("worse than guessing", "validation", what, f"{scaling}, labels that fit the rows, or run.best")
    elif known and (last.val_r2 or 0.0) < 0:
        what = f"{after} r2 is {last.val_r2:.3g}, and the mean has 0"
        yield finding("worse than guessing", "validation", what, f"{scaling} and for the targets, or run.best")
