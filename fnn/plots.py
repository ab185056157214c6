"""Figures: each function draws a record on matplotlib's `Axes` and returns them; it needs matplotlib.

`ax` are the Axes to draw on; None makes a figure of its own through pyplot, which shows where there is a screen and
a notebook, and nowhere else. Colors are those of Okabe and Ito, "Color universal design", 2008, or of maps that read
the same without red or green; what a color says, a label, a mark or a line's style says too.

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
from fnn.arrays import Array
from fnn.runs import Monitor
from fnn.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fnn.analysis import DecisionBoundary
    from fnn.metrics import ConfusionMatrix
    from fnn.preprocessing import ClassCounts
    from fnn.probabilities import Calibration
    from fnn.reports import Run
    from fnn.tracing import Trace

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKS = ("o", "^", "s", "D", "v", "P", "X")
GREY = "#767676"

Quantity = Literal["loss", "accuracy", "r2"]


def images(
    pictures: ArrayLike, ax: Axes | None = None, *, titles: Sequence[str] | None = None, columns: int = 10
) -> Axes:
    """Pictures in rows, each with its title above it.

    Pixels from 0 up are drawn from black to white: 255, or the largest of floats, is white. Pictures with negative
    numbers, as weights are, go from blue over white at 0 to red, on one scale for all, which is drawn beside them.

    Args:
        pictures: shape (n, pixels) of squares, (n, height, width), or n arrays of any heights and widths.
        ax: where to draw, or None.
        titles: n texts, or None.
        columns: how many in a row, at least 1.

    Raises:
        TypeError: for what is not of real numbers.
        ValueError: for no pictures, rows of pixels that are no squares, another number of titles, NaN or infinity.
    """
    return _grid("images", "pictures", pictures, ax, titles, columns)


def predictions(x: ArrayLike, y: ArrayLike, outputs: ArrayLike, ax: Axes | None = None, *, columns: int = 5) -> Axes:
    """Pictures with "true → predicted" above each and how sure the network was; those that are wrong in bold.

    x are n pictures and `columns` as in `images`, y their labels, and outputs the probabilities, shape (n, classes).

    Raises:
        TypeError, ValueError: as `images`; for labels or outputs that are not of as many rows.
    """
    p = checks.rows("predictions", "outputs", outputs, None)
    labels = checks.numeric("predictions", "y", y, "ui")
    for name, shape in (("y", labels.shape), ("x", np.shape(x)[:1])):
        if shape != p.shape[:1]:
            raise checks.problem(
                ValueError, "predictions", name, f"must be of the {len(p)} rows of `outputs`", f"{shape}"
            )
    said = p.argmax(axis=1)
    sure = [f"{100 * share:.1f} %" for share in p.max(axis=1)]
    titles = [f"{a} → {b}  {c}" for a, b, c in zip(labels, said, sure, strict=True)]
    ax = _grid("predictions", "x", x, ax, titles, columns)
    for text, right in zip(ax.texts, labels == said, strict=True):
        if not right:
            text.set(color=COLORS[1], fontweight="bold")
    return ax


def class_counts(counts: ClassCounts, ax: Axes | None = None) -> Axes:
    """Bars of how many rows each class has, those of several parts beside each other, with each part's rows in all."""
    ax = _axes("class_counts", ax, (6.4, 3.2))
    places, width = np.arange(len(counts.labels)), 0.8 / len(counts.parts)
    for i, (part, rows) in enumerate(zip(counts.parts, counts.counts, strict=True)):
        left = places + (i - (len(counts.parts) - 1) / 2) * width
        bars = ax.bar(left, rows, width * 0.95, color=COLORS[i % len(COLORS)], label=f"{part} ({rows.sum():,})")
        if len(counts.parts) == 1:
            ax.bar_label(bars, [f"{n:,}" for n in rows], fontsize="x-small", padding=2)
    ax.set_xticks(places, [str(label) for label in counts.labels])
    ax.legend(ncols=len(counts.parts), frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return _plain(ax, "class", "rows")


def history(run: Run, quantity: Quantity = "loss", ax: Axes | None = None) -> Axes:
    """A run's loss, accuracy or r2 in training and on validation data, epoch by epoch, and its best epoch.

    Raises:
        ValueError: for a quantity that is none of these, or that the run does not have.
    """
    checks.choice("history", "quantity", quantity, get_args(Quantity))
    parts = {"training": _points(run, quantity), "validation": _points(run, f"val_{quantity}")}
    if not any(parts.values()):
        raise checks.problem(ValueError, "history", "quantity", "must be one that the run has", repr(quantity))
    ax = _lines("history", ax, {name: points for name, points in parts.items() if points}, quantity, "epoch")
    best = getattr(run, "best_epoch", 0)
    if best and parts["validation"]:
        ax.axvline(best, color=GREY, linestyle=":", label=f"best: epoch {best}")
        ax.legend(frameon=False)
    return ax


def compare(runs: Mapping[str, Run], quantity: Monitor = "val_loss", ax: Axes | None = None) -> Axes:
    """One quantity of several runs, epoch by epoch, each with its name; a quantity as in `Recipe`'s monitor.

    Raises:
        ValueError: for another quantity, or one that a run does not have.
    """
    checks.choice("compare", "quantity", quantity, get_args(Monitor))
    what = "validation " * quantity.startswith("val_") + quantity.removeprefix("val_")
    return _lines("compare", ax, {name: _points(run, quantity) for name, run in runs.items()}, what, "epoch")


def confusion_matrix(matrix: ConfusionMatrix, ax: Axes | None = None) -> Axes:
    """A heat map with the counts in it; the color is the share of a true class's rows, on a scale of square roots."""
    from matplotlib.colors import PowerNorm

    n = len(matrix.labels)
    ax = _axes("confusion_matrix", ax, (0.5 * n + 1.6, 0.5 * n + 0.8))
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
    ax = _axes("per_class_accuracy", ax, (6.4, 3.0))
    share, places = matrix.per_class_accuracy, np.arange(len(matrix.labels))
    bars = ax.bar(places, np.nan_to_num(share), width=0.75, color=COLORS[0])
    ax.bar_label(bars, ["-" if math.isnan(s) else f"{s:.3f}" for s in share], fontsize="small", padding=2)
    ax.set_xticks(places, [str(label) for label in matrix.labels])
    ax.set_ylim(0, 1.08)
    return _plain(ax, "class", "accuracy")


def calibration(table: Calibration, ax: Axes | None = None) -> Axes:
    """The accuracy of the answers in each bin against how sure they were, with the number of rows beside each point."""
    ax = _axes("calibration", ax, (4.4, 3.8))
    some = table.counts > 0
    ax.plot([0, 1], [0, 1], ":", color=GREY, label="as sure as right")
    ax.plot(table.confidence[some], table.accuracy[some], "o-", color=COLORS[0], label=f"error {table.error:.4f}")
    for x, y, n in zip(table.confidence[some], table.accuracy[some], table.counts[some], strict=True):
        ax.annotate(f"{n:,}", (x, y), (5, -9), textcoords="offset points", fontsize="x-small", color=GREY)
    ax.set(xlim=(0, 1.06), ylim=(0, 1.06))
    ax.legend(frameon=False, loc="upper left")
    return _plain(ax, "confidence", "accuracy")


def schedule(schedule: Schedule, steps: int, ax: Axes | None = None) -> Axes:
    """A learning rate by step, from step 0 to steps − 1.

    Raises:
        TypeError, ValueError: for steps that are no integer of at least 1.
    """
    checks.count("schedule", "steps", steps, 1)
    ax = _axes("schedule", ax, (4.8, 2.6))
    ax.plot(range(steps), [schedule(step) for step in range(steps)], color=COLORS[0])
    ax.set_ylim(bottom=0)
    return _plain(ax, "step", "learning rate")


def activation(activation: Activation, ax: Axes | None = None) -> Axes:
    """An activation and its derivative, for z from −5 to 5; of softmax, the first of three whose other z are 0."""
    ax = _axes("activation", ax, (3.2, 2.4))
    z = np.zeros((1001, 3))
    z[:, 0] = np.linspace(-5, 5, len(z))
    a = activation.value(z)
    da = np.zeros_like(a)
    da[:, 0] = 1
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.plot(z[:, 0], a[:, 0], color=COLORS[0], label="a")
    ax.plot(z[:, 0], activation.vjp(z, a, da)[:, 0], "--", color=COLORS[1], label="da/dz")
    ax.set_title(type(activation).__name__)
    ax.legend(frameon=False)
    return _plain(ax, "z", "")


def decision_boundary(boundary: DecisionBoundary, ax: Axes | None = None) -> Axes:
    """What a network answers in the plane of its two inputs, and the rows of a data set in it.

    The probability of yes is orange at 0, white at 0.5, where the boundary is drawn, and purple at 1; of more than
    two classes each has its area. Rows have a mark for each class.
    """
    ax = _axes("decision_boundary", ax, (4.6, 3.8))
    if boundary.classes == 2:
        colors = ["#8C4A00", "#3B1E6D"]
        ax.pcolormesh(*boundary.sides, boundary.answers, cmap="PuOr", vmin=0, vmax=1, alpha=0.5, rasterized=True)
        ax.contour(*boundary.sides, boundary.answers, [0.5], colors="black", linewidths=1.2)
    else:
        colors = [COLORS[c % 6] for c in range(boundary.classes)]
        edges = np.arange(boundary.classes + 1) - 0.5
        ax.contourf(*boundary.sides, boundary.answers, edges, colors=colors, alpha=0.25)
    for c, color in enumerate(colors):
        x = boundary.x[boundary.y == c]
        look: dict[str, Any] = {"color": color, "marker": MARKS[c % len(MARKS)], "edgecolors": "white"}
        ax.scatter(x[:, 0], x[:, 1], s=22, linewidths=0.6, label=f"{c}", **look)
    ax.legend(title="class", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return _plain(ax, "x₀", "x₁")


def gradient_norms(traces: Mapping[str, Trace], ax: Axes | None = None) -> Axes:
    """The norms ‖∂loss/∂weight‖ of the dense layers, from the first to the last, on a log axis; a line a network."""
    weights = {name: [layer.dW for layer in trace.layers if layer.dW.ndim == 2] for name, trace in traces.items()}
    norms = {name: [float(np.linalg.norm(dW)) for dW in layers] for name, layers in weights.items()}
    lines = {name: list(enumerate(layers, 1)) for name, layers in norms.items()}
    ax = _lines("gradient_norms", ax, lines, "norm of the weights' gradient", "dense layer")
    ax.set_yscale("log")
    return ax


def heat_map(values: ArrayLike, ax: Axes | None = None, *, rows: Sequence[object] | None = None) -> Axes:
    """Finite numbers, shape (n, columns), as colors, a row a line: a layer's activations for some rows of x, say.

    Where some are negative these are blue and the positive ones red. `rows` are n labels.

    Raises:
        TypeError, ValueError: for values or rows that are none of these.
    """
    numbers = checks.rows("heat_map", "values", values, None).astype(np.float64)
    checks.finite("heat_map", "values", numbers)
    if rows is not None and len(rows) != len(numbers):
        raise checks.problem(ValueError, "heat_map", "rows", f"must be {len(numbers)} labels", str(len(rows)))
    ax = _axes("heat_map", ax, (6.4, 0.22 * len(numbers) + 1.0))
    top = max(float(np.abs(numbers).max()), 1e-12)
    signed = bool((numbers < 0).any())
    cmap, low = ("RdBu_r", -top) if signed else ("viridis", 0)
    shown = ax.imshow(numbers, aspect="auto", interpolation="nearest", cmap=cmap, vmin=low, vmax=top)
    ax.set(xlabel="unit", ylabel="row")
    ax.set_yticks(range(len(numbers)), map(str, range(len(numbers)) if rows is None else rows))
    ax.figure.colorbar(shown, ax=ax)
    return ax


def _axes(where: str, ax: Axes | None, size: tuple[float, float]) -> Axes:
    try:
        from matplotlib import pyplot
        from matplotlib.axes import Axes
    except ModuleNotFoundError:
        fix = "Install it with `pip install matplotlib`."
        raise ModuleNotFoundError(f"{where}: matplotlib is needed. {fix}") from None
    if ax is None:
        return pyplot.subplots(figsize=size, layout="constrained")[1]
    fix = "A figure's are `figure.subplots()`." if hasattr(ax, "subplots") else ""
    checks.instance(where, "ax", ax, Axes, fix)
    return ax


def _plain(ax: Axes, xlabel: str, ylabel: str) -> Axes:
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _lines(where: str, ax: Axes | None, lines: Mapping[str, list[tuple[int, float]]], what: str, along: str) -> Axes:
    """Lines over whole numbers, told from each other by color, style and mark, with their names."""
    from matplotlib.ticker import MaxNLocator

    missing = next((name for name, points in lines.items() if not points), None)
    if missing is not None or not lines:
        rule, got = "must have what is to be drawn", "nothing" if missing is None else f"none of it for {missing!r}"
        raise checks.problem(ValueError, where, "traces" if "layer" in along else "runs", rule, got)
    ax = _axes(where, ax, (5.2, 3.4))
    for i, (name, points) in enumerate(lines.items()):
        look: dict[str, Any] = {"color": COLORS[i % len(COLORS)], "linestyle": STYLES[i % len(STYLES)]}
        mark = MARKS[i % len(MARKS)] if len(points) <= 15 else ""
        ax.plot(*zip(*points, strict=True), marker=mark, markersize=4, label=name, **look)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    return _plain(ax, along, what)


def _points(run: Run, name: str) -> list[tuple[int, float]]:
    return [(r.epoch, getattr(r, name)) for r in run.history if getattr(r, name, None) is not None]


def _grid(where: str, name: str, pictures: Any, ax: Axes | None, titles: Sequence[str] | None, columns: int) -> Axes:
    checks.count(where, "columns", columns, 1)
    drawn = _pictures(where, name, pictures)
    if titles is not None and len(titles) != len(drawn):
        raise checks.problem(ValueError, where, "titles", f"must be {len(drawn)} texts", str(len(titles)))
    columns = min(columns, len(drawn))
    rows, above = math.ceil(len(drawn) / columns), 0.04 if titles is None else 0.26
    ax = _axes(where, ax, (columns * 0.9 + 0.3, rows * (0.9 + above) + 0.3))
    top, low = max(float(p.max()) for p in drawn), min(float(p.min()) for p in drawn)
    most = 255 if drawn[0].dtype == np.uint8 else max(top, -low, 1e-12)
    cmap, least = ("RdBu_r", -most) if low < 0 else ("gray", 0)
    for i, picture in enumerate(drawn):
        left, bottom = i % columns + 0.04, (i // columns + 1) * (1 + above)
        height, width = (0.92 * side / max(picture.shape) for side in picture.shape)
        left += (0.92 - width) / 2
        extent = (left, left + width, bottom - (0.92 - height) / 2, bottom - (0.92 + height) / 2)
        shown = ax.imshow(picture, extent=extent, interpolation="nearest", cmap=cmap, vmin=least, vmax=most)
        if titles is not None:
            ax.text(i % columns + 0.5, bottom - 0.96, titles[i], ha="center", va="bottom", fontsize="small")
    ax.set(xlim=(0, columns), ylim=(rows * (1 + above) + 0.04, 0), aspect="equal")
    ax.axis("off")
    if low < 0:
        ax.figure.colorbar(shown, ax=ax, shrink=0.7)
    return ax


def _pictures(where: str, name: str, given: Any) -> list[Array]:
    """Each picture as an array (height, width)."""
    if isinstance(given, list | tuple) and given and all(np.ndim(one) == 2 for one in given):
        pictures = [checks.numeric(where, f"{name}[{i}]", one) for i, one in enumerate(given)]
    else:
        array = checks.numeric(where, name, given)
        side = math.isqrt(array.shape[1]) if array.ndim == 2 else 0
        if array.ndim != 3 and not 0 < side**2 == array.shape[-1]:
            rule = "must have shape (n, height, width), or (n, pixels) of squares"
            fix = f"Give `{name}.reshape(-1, height, width)`." if array.ndim == 2 else ""
            raise checks.problem(ValueError, where, name, rule, str(array.shape), fix)
        pictures = list(array.reshape(-1, side, side) if side else array)
    if not pictures or not all(picture.size for picture in pictures):
        raise checks.problem(ValueError, where, name, "must be at least one, with pixels", "none")
    for i, picture in enumerate(pictures):
        checks.finite(where, f"{name}[{i}]", picture)
    return pictures
