"""Figures: each function draws a record on matplotlib's `Axes` and returns them. It is used as `from fnn import plots`.

`ax` are the Axes to draw on; None makes a figure of its own through pyplot, which shows where there is a screen or
a notebook, and stays open until it is closed. Colors are those of Okabe and Ito, "Color universal design", 2008, or of
maps that read the same without red or green; what a color says, a label, a mark or a line's style says too.

Each raises TypeError for what is not the record that it draws, and for an `ax` that is none.

>>> import fnn
>>> from fnn import plots
>>> from matplotlib.figure import Figure
>>> ax = plots.schedule(fnn.StepDecay(0.1, every=2, factor=0.5), 4, Figure().subplots())
>>> ax.lines[0].get_ydata().tolist()
[0.1, 0.1, 0.05, 0.05]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.activations import Activation
from fnn.analysis import DecisionBoundary
from fnn.drawing import COLORS as COLORS
from fnn.drawing import GREY as GREY
from fnn.drawing import MARKS, Points, as_pictures, axes_for, grid, lines, plain, texts
from fnn.metrics import ConfusionMatrix
from fnn.preprocessing import ClassCounts
from fnn.probabilities import Calibration
from fnn.reports import Run
from fnn.runs import Monitor, TrainState
from fnn.schedules import Schedule
from fnn.tracing import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Quantity = Literal["loss", "accuracy", "r2"]
_A_MATRIX = "Make one with `fnn.confusion_matrix(y, predicted)`."


def images(
    pictures: ArrayLike,
    ax: Axes | None = None,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 10,
    label: str = "",
) -> Axes:
    """Pictures in rows, each with its title above it.

    Of pictures without negative numbers 0 is black, and the largest number of all of them white. Others, as weights
    are, go from blue over white at 0 to red, on one scale for all, which is drawn beside them.

    Args:
        pictures: shape (n, pixels) of squares, (n, height, width), or n arrays of any heights and widths; all finite.
        ax: where to draw, or None.
        titles: n texts, or None.
        columns: how many in a row, at least 1.
        label: what the numbers of the scale are.

    Raises:
        TypeError: for what is not of real numbers.
        ValueError: for no pictures, rows of pixels that are no squares, another number of titles, NaN or infinity.
    """
    return grid("images", as_pictures("images", "pictures", pictures), ax, titles, columns, label)


def predictions(x: ArrayLike, y: ArrayLike, outputs: ArrayLike, ax: Axes | None = None, *, columns: int = 5) -> Axes:
    """Pictures with "true → predicted" above each, and how sure the network was; those that are wrong in bold.

    Args:
        x: n pictures, as in `images`.
        y: n integer labels 0 … classes − 1.
        outputs: the probabilities of the classes, shape (n, classes), as `fnn.predict_proba` returns them; they sum
            to 1 in each row (within 10⁻³).
        ax: where to draw, or None.
        columns: as in `images`.

    Raises:
        TypeError, ValueError: as `images`; for labels and outputs that are none of these, or not n.
    """
    where = "predictions"
    p = checks.rows(where, "outputs", checks.numeric(where, "outputs", outputs), None)
    if p.shape[1] == 1:
        fix = "Of a network with one output these are `fnn.predict_proba(network, params, x)`."
        raise checks.problem(ValueError, where, "outputs", "must have a column for each class", str(p.shape), fix)
    n, classes = p.shape
    checks.targets(where, p, n, classes, "classes", "outputs")
    labels, drawn = checks.numeric(where, "y", y, "ui"), as_pictures(where, "x", x)
    for name, length in (("y", labels.shape), ("x", (len(drawn),))):
        if length != (n,):
            raise checks.problem(ValueError, where, name, f"must be of the {n} rows of `outputs`", str(length))
    checks.labels(where, "y", labels, classes)
    said = p.argmax(axis=1)
    sure = [f"{100 * share:.1f} %" for share in p.max(axis=1)]
    titles = [f"{a} → {b}  {c}" for a, b, c in zip(labels, said, sure, strict=True)]
    ax = grid(where, drawn, ax, titles, columns)
    for text, right in zip(ax.texts[-n:], labels == said, strict=True):
        if not right:
            text.set(color=COLORS[1], fontweight="bold")
    return ax


def class_counts(counts: ClassCounts, ax: Axes | None = None) -> Axes:
    """Bars of how many rows each class has, those of several parts beside each other, with each part's rows in all."""
    checks.instance("class_counts", "counts", counts, ClassCounts, "Make one with `fnn.class_counts(train=y)`.")
    ax = axes_for("class_counts", ax, (6.4, 3.2))
    places, width = np.arange(len(counts.labels)), 0.8 / len(counts.parts)
    for i, (part, rows) in enumerate(zip(counts.parts, counts.counts, strict=True)):
        left = places + (i - (len(counts.parts) - 1) / 2) * width
        bars = ax.bar(left, rows, width * 0.95, color=COLORS[i % len(COLORS)], label=f"{part} ({rows.sum():,})")
        if len(counts.parts) == 1:
            ax.bar_label(bars, [f"{n:,}" for n in rows], fontsize="x-small", padding=2)
    ax.set_xticks(places, [str(label) for label in counts.labels])
    columns = min(4, len(counts.parts))
    ax.legend(ncols=columns, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return plain(ax, "class", "rows")


def history(run: Run, quantity: Quantity = "loss", ax: Axes | None = None) -> Axes:
    """A run's loss, accuracy or r2 in training and on validation data, by epoch; with the latter, its best epoch.

    Args:
        run: a `TrainState`, or what `fit_lbfgs` returns.
        quantity: "loss", "accuracy" or "r2".
        ax: where to draw, or None.

    Raises:
        ValueError: for another quantity, or one that the run does not have.
    """
    checks.choice("history", "quantity", quantity, get_args(Quantity))
    parts = {"training": _points("history", run, quantity), "validation": _points("history", run, f"val_{quantity}")}
    if not any(parts.values()):
        raise checks.problem(ValueError, "history", "quantity", "must be one that the run has", repr(quantity))
    ax = lines("history", ax, {name: points for name, points in parts.items() if points}, "epoch", quantity)
    best = getattr(run, "best_epoch", 0)
    if best and parts["validation"]:
        by = getattr(getattr(run, "recipe", None), "monitor", None) or "val_loss"
        ax.axvline(best, color=GREY, linestyle=":", label=f"best {by}: epoch {best}")
        ax.legend(frameon=False)
    return ax


def compare(runs: Mapping[str, Run], quantity: Monitor = "val_loss", ax: Axes | None = None) -> Axes:
    """One quantity of several runs, by epoch, each with its name.

    Args:
        runs: the names and the runs, at least one.
        quantity: "loss", "accuracy", "val_loss", "val_accuracy" or "val_r2".
        ax: where to draw, or None.

    Raises:
        ValueError: for another quantity, or one that a run does not have.
    """
    checks.choice("compare", "quantity", quantity, get_args(Monitor))
    _check_mapping("compare", "runs", runs)
    points = {str(name): _points("compare", run, quantity, f"runs[{name!r}]") for name, run in runs.items()}
    missing = [name for name, line in points.items() if not line]
    if missing:
        got = f"{quantity!r}, which {missing[0]!r} has not"
        raise checks.problem(ValueError, "compare", "quantity", "must be one that each of the runs has", got)
    part, name = "validation" if quantity.startswith("val_") else "training", quantity.removeprefix("val_")
    return lines("compare", ax, points, "epoch", f"{part} {name}")


def confusion_matrix(matrix: ConfusionMatrix, ax: Axes | None = None) -> Axes:
    """A heat map with the counts in it; the color is the share of a true class's rows, on a scale of square roots."""
    checks.instance("confusion_matrix", "matrix", matrix, ConfusionMatrix, _A_MATRIX)
    n = len(matrix.labels)
    ax = axes_for("confusion_matrix", ax, (max(4.0, 0.5 * n + 1.6), max(3.2, 0.5 * n + 0.8)))
    from matplotlib.colors import PowerNorm

    share = matrix.counts / np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    shown = ax.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    for (i, j), count in np.ndenumerate(matrix.counts):
        color = "white" if share[i, j] > 0.4 else "black" if count else GREY
        ax.text(j, i, f"{count:,}", ha="center", va="center", color=color, fontsize="small")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(range(n), [str(label) for label in matrix.labels])
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="share of the true class")
    return ax


def per_class_accuracy(matrix: ConfusionMatrix, ax: Axes | None = None) -> Axes:
    """Bars of the share of each true class's rows that is right, with their values; a class without rows has none."""
    where = "per_class_accuracy"
    checks.instance(where, "matrix", matrix, ConfusionMatrix, _A_MATRIX)
    ax = axes_for(where, ax, (6.4, 3.0))
    share, places = matrix.per_class_accuracy, np.arange(len(matrix.labels))
    bars = ax.bar(places, np.nan_to_num(share), width=0.75, color=COLORS[0])
    ax.bar_label(bars, ["-" if math.isnan(s) else f"{s:.3f}" for s in share], fontsize="small", padding=2)
    ax.set_xticks(places, [str(label) for label in matrix.labels])
    ax.set_ylim(0, 1.08)
    return plain(ax, "class", "accuracy")


def calibration(table: Calibration, ax: Axes | None = None) -> Axes:
    """The accuracy of the answers in each bin against how sure they were, with the number of rows beside each point."""
    checks.instance("calibration", "table", table, Calibration, "Make one with `fnn.calibration(y, outputs)`.")
    ax = axes_for("calibration", ax, (4.4, 3.8))
    some = table.counts > 0
    ax.plot([0, 1], [0, 1], ":", color=GREY, label="as sure as right")
    ax.plot(table.confidence[some], table.accuracy[some], "o-", color=COLORS[0], label=f"error {table.error:.4f}")
    for x, y, n in zip(table.confidence[some], table.accuracy[some], table.counts[some], strict=True):
        ax.annotate(f"{n:,}", (x, y), (5, -9), textcoords="offset points", fontsize="x-small", color=GREY)
    ax.set(xlim=(0, 1.06), ylim=(0, 1.06))
    ax.legend(frameon=False, loc="upper left")
    return plain(ax, "confidence", "accuracy")


def schedule(schedule: Schedule, steps: int, ax: Axes | None = None) -> Axes:
    """A learning rate by step, from step 0 to steps − 1.

    Raises:
        ValueError: for steps that are no integer of at least 1.
    """
    checks.count("schedule", "steps", steps, 1)
    if not checks.is_record(schedule, ("__call__",)):
        rule, fix = "must be a schedule", "A constant is `fnn.Constant(0.1)`."
        raise checks.problem(TypeError, "schedule", "schedule", rule, checks.show(schedule), fix)
    rates = [schedule(step) for step in range(steps)]
    ax = axes_for("schedule", ax, (4.8, 2.6))
    ax.plot(range(steps), rates, color=COLORS[0])
    ax.set_ylim(bottom=0)
    return plain(ax, "step", "learning rate")


def activation(activation: Activation, ax: Axes | None = None) -> Axes:
    """An activation and its derivative, for z from −5 to 5; of softmax, the first of three whose other z are 0."""
    if not checks.is_record(activation, ("value", "vjp")):
        rule, fix = "must be an activation", "As in `fnn.Relu()`."
        raise checks.problem(TypeError, "activation", "activation", rule, checks.show(activation), fix)
    z = np.zeros((1001, 3))
    z[:, 0] = np.linspace(-5, 5, len(z))
    with np.errstate(all="ignore"):
        a = activation.value(z)
        slope = activation.vjp(z, a, np.eye(1, 3) + np.zeros_like(a))
    ax = axes_for("activation", ax, (3.2, 2.4))
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.plot(z[:, 0], a[:, 0], color=COLORS[0], label="a")
    ax.plot(z[:, 0], slope[:, 0], "--", color=COLORS[1], label="da/dz")
    ax.set_title(type(activation).__name__)
    ax.legend(frameon=False)
    return plain(ax, "z", "a and da/dz")


def decision_boundary(boundary: DecisionBoundary, ax: Axes | None = None) -> Axes:
    """What a network answers in the plane of its two inputs, and the rows of a data set in it.

    The probability of yes is orange at 0, white at 0.5, where the boundary is drawn, and purple at 1; of more than
    two classes each has its area. Rows have a mark for each class.
    """
    fix = "Make one with `fnn.decision_boundary(network, params, data)`."
    checks.instance("decision_boundary", "boundary", boundary, DecisionBoundary, fix)
    ax = axes_for("decision_boundary", ax, (4.6, 3.8))
    from matplotlib.colors import ListedColormap

    look: dict[str, Any] = {"cmap": "PuOr", "vmin": -0.3, "vmax": 1.3, "alpha": 0.6, "rasterized": True}
    colors = ["#8C4A00", "#3B1E6D"]
    if boundary.classes > 2:
        colors = [COLORS[c % len(COLORS)] for c in range(boundary.classes)]
        look |= {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": boundary.classes - 0.5, "alpha": 0.25}
    ax.pcolormesh(*boundary.sides, boundary.answers, **look)
    if boundary.classes == 2:
        ax.contour(*boundary.sides, boundary.answers, [0.5], colors="black", linewidths=1.2)
    for c, color in enumerate(colors):
        x = boundary.x[boundary.y == c]
        mark: dict[str, Any] = {"color": color, "marker": MARKS[c % len(MARKS)], "edgecolors": "white"}
        ax.scatter(x[:, 0], x[:, 1], s=22, linewidths=0.6, label=f"{c}", **mark)
    ax.legend(title="class", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return plain(ax, "x₀", "x₁")


def gradient_norms(traces: Mapping[str, Trace], ax: Axes | None = None) -> Axes:
    """The norms ‖∂loss/∂weight‖ of the dense layers, from the first to the last, on a log axis; a line a network.

    Args:
        traces: the names and what `fnn.trace` returns, at least one.
        ax: where to draw, or None.

    Raises:
        ValueError: for a trace without a dense layer whose gradient is not 0.
    """
    where = "gradient_norms"
    _check_mapping(where, "traces", traces)
    points = {}
    for name, trace in traces.items():
        checks.instance(where, f"traces[{name!r}]", trace, Trace, "Make one with `fnn.trace(network, params, x, y)`.")
        norms = [float(np.linalg.norm(layer.dW)) for layer in trace.layers if layer.dW.ndim == 2]
        if not any(norms):
            rule = "must have a dense layer whose gradient is not 0"
            raise checks.problem(ValueError, where, f"traces[{name!r}]", rule, "none")
        points[str(name)] = list(enumerate(norms, 1))
    ax = lines(where, ax, points, "dense layer", "norm of the weights' gradient")
    ax.set_yscale("log")
    return ax


def heat_map(
    values: ArrayLike, ax: Axes | None = None, *, rows: Sequence[object] | None = None, label: str = ""
) -> Axes:
    """Numbers as colors, a row a line: a layer's activations for some rows of x, say.

    Args:
        values: shape (n, columns), all finite; where some are negative these are blue and the positive ones red.
        ax: where to draw, or None.
        rows: n labels, or None.
        label: what the numbers are.

    Raises:
        TypeError, ValueError: for values or rows that are none of these.
    """
    given = checks.numeric("heat_map", "values", values)
    numbers = checks.rows("heat_map", "values", given, None).astype(np.float64)
    checks.finite("heat_map", "values", numbers)
    names = texts("heat_map", "rows", range(len(numbers)) if rows is None else rows, len(numbers))
    ax = axes_for("heat_map", ax, (6.4, 0.22 * len(numbers) + 1.0))
    top, signed = float(np.abs(numbers).max()) or 1.0, bool((numbers < 0).any())
    cmap, low = ("RdBu_r", -top) if signed else ("viridis", 0)
    shown = ax.imshow(numbers, aspect="auto", interpolation="nearest", cmap=cmap, vmin=low, vmax=top)
    ax.set(xlabel="unit", ylabel="row")
    ax.set_yticks(range(len(numbers)), names, parse_math=False)
    ax.figure.colorbar(shown, ax=ax, label=label)
    return ax


def _points(where: str, run: Run, name: str, argument: str = "run") -> Points:
    """The epochs at which a run has a quantity, with its values."""
    if not hasattr(run, "history"):
        checks.instance(where, argument, run, TrainState)
    return [(r.epoch, getattr(r, name)) for r in run.history if getattr(r, name, None) is not None]


def _check_mapping(where: str, name: str, given: object) -> None:
    if not isinstance(given, Mapping) or not given:
        kind = ValueError if isinstance(given, Mapping) else TypeError
        fix = f'As in `{where}({{"name": …}})`.'
        raise checks.problem(kind, where, name, "must be names and at least one", checks.show(given), fix)
