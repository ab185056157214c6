"""A plain text table, for the records that print as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns two spaces apart: the first to the left, the others to the right, floats in four digits.

    >>> print(table(["layer", "loss"], [["first", 0.25], ["second", None]]))
    layer     loss
    first   0.2500
    second       -
    """
    cells = [list(header), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for first, *rest in cells:
        aligned = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float | np.floating):
        return f"{value:.4f}"
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return f"{value:,}" if whole else str(value)
