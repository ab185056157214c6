"""The two figures: how long a step takes each library, and how that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.benchmarks.processes import KERNELS, LABELS
from tests.benchmarks.report import FIGURES
from tests.benchmarks.rounds import Outcome

LONGEST = 4  # of a bar, so that the others can be told apart
# Okabe and Ito's colours, which differ for every kind of eye
COLOURS = dict(zip(LABELS, ["#D55E00", "#E69F00", "#999999", "#0072B2", "#009E73", "#CC79A7"], strict=True))


def training(outcomes: Mapping[str, Outcome]) -> None:
    """Bars for each setting, over the fastest other library's median, with the microseconds beside them."""
    rows = -(-len(outcomes) // 2)
    figure = Figure(figsize=(10, 0.5 + 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, (name, outcome) in zip(grid, outcomes.items(), strict=False):
        timings = outcome.timings[::-1]
        unit = min((timing.median for timing in outcome.others), default=timings[-1].median)
        values = [timing.median / unit for timing in timings]
        lengths = [min(value, LONGEST) for value in values]
        axes.barh(range(len(timings)), lengths, color=[COLOURS[timing.label] for timing in timings])
        for i, (value, length) in enumerate(zip(values, lengths, strict=True)):
            text = axes.text(length, i, f" {value * unit:,.0f} µs, {value:.2f}", va="center", fontsize=9)
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(timings)), [timing.label for timing in timings])
        axes.set_xlim(0, 1.3 * max(lengths))
        axes.set_title(f"{name}: {outcome.setting.name}", fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(outcomes) :]:
        axes.set_axis_off()
    figure.supxlabel(
        f"time of a training step, over that of the fastest other library; bars end at {LONGEST}", fontsize=10
    )
    save(figure, "training")


def growth(panels: Mapping[str, Sequence[tuple[int, Outcome]]]) -> None:
    """A panel for each axis of the grid, log-log, with a line for each library."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False).ravel()
    for axes, (title, points) in zip(grid, panels.items(), strict=True):
        for label in LABELS:
            line = [(at, timing.median) for at, outcome in points if (timing := outcome.of(label))]
            if not line:
                continue
            width = 2.2 if label in KERNELS else 1.4
            axes.loglog(
                *zip(*line, strict=True), "o-", color=COLOURS[label], label=label, linewidth=width, markersize=4
            )
        ticks = [at for at, _ in points]
        axes.set_xticks(ticks, [str(at) for at in ticks])
        axes.minorticks_off()
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("µs a training step")
    grid[0].legend(fontsize=9, frameon=False)
    save(figure, "grid")


def save(figure: Figure, name: str) -> None:
    FigureCanvasAgg(figure)
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", dpi=100)
