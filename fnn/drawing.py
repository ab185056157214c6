"""What figures share: their colors, the Axes that they are drawn on, lines, and grids of pictures."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn import checks
from fnn.arrays import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKS = ("o", "^", "s", "D", "v", "P", "X")
GREY = "#767676"

Points = Sequence[tuple[float, float]]


def axes_for(where: str, ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The Axes that were given, or those of a new figure of so many inches."""
    try:
        from matplotlib.axes import Axes
    except ModuleNotFoundError:
        fix = "Install it with `pip install matplotlib`."
        raise ModuleNotFoundError(f"{where}: matplotlib is needed. {fix}") from None
    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(figsize=size, layout="constrained")[1]
    fix = "A figure's are `figure.subplots()`." if hasattr(ax, "subplots") else ""
    fix = "Give one of them." if isinstance(ax, np.ndarray) else fix
    checks.instance(where, "ax", ax, Axes, fix)
    return ax


def plain(ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """The Axes with their labels, without a frame above and at the right."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def lines(where: str, ax: Axes | None, points: Mapping[str, Points], xlabel: str, ylabel: str) -> Axes:
    """Lines over whole numbers, told from each other by color, style and mark, with their names."""
    from matplotlib.ticker import MaxNLocator

    ax = axes_for(where, ax, (5.2, 3.4))
    for i, (name, line) in enumerate(points.items()):
        look: dict[str, Any] = {"color": COLORS[i % len(COLORS)], "linestyle": STYLES[i % len(STYLES)]}
        mark = MARKS[i % len(MARKS)] if len(line) <= 15 else ""
        ax.plot(*zip(*line, strict=True), marker=mark, markersize=4, label=name, **look)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for text in ax.legend(frameon=False, ncols=1 + len(points) // 12).get_texts():
        text.set_parse_math(False)
    return plain(ax, xlabel, ylabel)


def as_pictures(where: str, name: str, given: Any) -> list[Floats]:
    """Each picture as an array (height, width) of floats."""
    if isinstance(given, list | tuple) and given and all(np.ndim(one) == 2 for one in given):
        arrays = [checks.numeric(where, f"{name}[{i}]", one) for i, one in enumerate(given)]
    else:
        array = checks.numeric(where, name, given)
        side = math.isqrt(array.shape[1]) if array.ndim == 2 else 0
        if array.ndim != 3 and not 0 < side**2 == array.shape[-1:][0]:
            rule = "must have shape (n, height, width), or (n, pixels) of squares"
            fix = f"Give `{name}.reshape(-1, height, width)`." if array.ndim == 2 else ""
            raise checks.problem(ValueError, where, name, rule, str(array.shape), fix)
        arrays = [*(array.reshape(-1, side, side) if side else array)]
    if not arrays or not all(array.size for array in arrays):
        raise checks.problem(ValueError, where, name, "must be at least one, with pixels", "none")
    with np.errstate(over="ignore"):  # refused in the next lines
        drawn: list[Floats] = [array.astype(np.float64) for array in arrays]
    for i, picture in enumerate(drawn):
        checks.finite(where, f"{name}[{i}]", picture)
    return drawn


def texts(where: str, name: str, given: object, n: int) -> list[str]:
    """What is given as n texts, or what can be printed as one."""
    if isinstance(given, str) or not isinstance(given, Collection):
        raise checks.problem(TypeError, where, name, f"must be a list of {n} texts", checks.show(given))
    if len(given) != n:
        raise checks.problem(ValueError, where, name, f"must be {n} texts", str(len(given)))
    return [str(text) for text in given]


def grid(
    where: str, drawn: Sequence[Floats], ax: Axes | None, titles: Sequence[str] | None, columns: int, label: str = ""
) -> Axes:
    """Pictures in rows, each in a square of side 1 with its title above it."""
    checks.count(where, "columns", columns, 1)
    above_each = None if titles is None else texts(where, "titles", titles, len(drawn))
    columns = min(columns, len(drawn))
    rows, above = math.ceil(len(drawn) / columns), 0.04 if above_each is None else 0.26
    ax = axes_for(where, ax, (max(2.5, columns * 0.9 + 0.3), max(2, rows * (0.9 + above) + 0.3)))
    top, low = max(float(p.max()) for p in drawn), min(float(p.min()) for p in drawn)
    most = max(top, -low) or 1.0
    cmap, least = ("RdBu_r", -most) if low < 0 else ("gray", 0)
    for i, picture in enumerate(drawn):
        left, bottom = i % columns + 0.04, (i // columns + 1) * (1 + above)
        height, width = (0.92 * side / max(picture.shape) for side in picture.shape)
        left += (0.92 - width) / 2
        extent = (left, left + width, bottom - (0.92 - height) / 2, bottom - (0.92 + height) / 2)
        shown = ax.imshow(picture, extent=extent, interpolation="nearest", cmap=cmap, vmin=least, vmax=most)
        if above_each is not None:
            place = (i % columns + 0.5, bottom - 0.96)
            ax.text(*place, above_each[i], ha="center", va="bottom", fontsize="small", parse_math=False)
    ax.set(xlim=(0, columns), ylim=(rows * (1 + above) + 0.04, 0), aspect="equal")
    ax.axis("off")
    if low < 0:
        ax.figure.colorbar(shown, ax=ax, shrink=0.7, label=label)
    return ax
