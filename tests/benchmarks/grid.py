"""Training steps over a wide range of settings: `python -m tests.benchmarks.grid --help`.

As in `python -m tests.benchmarks`, but a round is a bounded number of steps, on the first rows of the data, and
there are fewer rounds. A row each: every library's median, and fnn over the fastest other, round by round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile

from tests.benchmarks import data, processes, report
from tests.benchmarks.processes import FNN, FNN_NUMPY, LABELS, OTHERS
from tests.benchmarks.rounds import SPREAD, Outcome, spreads, take_turns
from tests.benchmarks.settings import Setting

SLOW = 1.2  # a ratio above it is set in bold
USUAL = (256, 128)
WITHOUT_SKLEARN = ("with dropout", "with batch norm")  # it has neither


def of(name: str, steps: int, hidden: tuple[int, ...] = USUAL, batch: int = 64, **more: object) -> Setting:
    """A setting of so many steps in a round."""
    fields: dict[str, object] = {"name": name, "hidden": hidden, "batch": batch, "rows": steps * batch}
    return Setting(**fields | more)  # type: ignore[arg-type]


STEPS_OF_BATCH = {1: 500, 16: 300, 64: 200, 256: 100, 2048: 20}
STEPS_OF_WIDTH = {16: 400, 64: 400, 256: 200, 1024: 40, 4096: 40}
STEPS_OF_DEPTH = {1: 400, 2: 300, 5: 200, 10: 100, 20: 100}
BATCHES = {batch: of(f"batch {batch}", steps, batch=batch) for batch, steps in STEPS_OF_BATCH.items()}
WIDTHS = {width: of(f"width {width}", steps, (width, width)) for width, steps in STEPS_OF_WIDTH.items()}
DEPTHS = {depth: of(f"depth {depth}", steps, (128,) * depth) for depth, steps in STEPS_OF_DEPTH.items()}
MORE = [
    Setting("iris, full batch", (64, 64), batch=150, data="iris", epochs=200),
    of("with dropout", 200, dropout=0.2),
    of("with batch norm", 200, batch_norm=True),
    of("Momentum(0.9)", 200, optimizer="momentum", rate=0.01),
    of("float64", 200, dtype="float64"),
]
PANELS = {
    "rows in a batch (784-256-128-10)": BATCHES,
    "units of both hidden layers (batches of 64)": WIDTHS,
    "hidden layers of 128 (batches of 64)": DEPTHS,
}
SETTINGS = {one.name: one for one in [*BATCHES.values(), *WIDTHS.values(), *DEPTHS.values(), *MORE]}
RATIOS = ["fnn / fastest other", "NumPy alone / fastest other"]
HEAD = ["setting", *LABELS, *RATIOS, "largest spread"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Training steps over a wide range of settings: fnn and others.")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, metavar="NAME", help=", ".join(SETTINGS))
    parser.add_argument("--rounds", type=int, default=5, help="one more is run first, to warm up")
    parser.add_argument("--data", default=os.environ.get("FNN_DATA", ""), help="the folder of MNIST's four files")
    processes.add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="write the table and, of all settings, the figure")
    options = parser.parse_args()
    libraries = processes.libraries(options)
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.settings or SETTINGS:
            setting = SETTINGS[name]
            able = [one for one in libraries if one.package != OTHERS["scikit-learn"] or name not in WITHOUT_SKLEARN]
            path = data.write(setting.data, options.data, folder)
            outcomes[name] = take_turns(setting, able, path, options.rounds)
            print(report.table(HEAD, [row(outcomes[name])]).splitlines()[-1], *outcomes[name].warnings, flush=True)
    text = "\n\n".join([report.table(HEAD, [row(outcome) for outcome in outcomes.values()]), said(outcomes)])
    print(f"\n{text}")
    if options.write:
        whole = len(outcomes) == len(SETTINGS)
        picture = ["![Microseconds a step, over batch, width and depth](figures/grid.png)"] * whole
        report.write("grid", "\n\n".join([*picture, text, report.conditions("tests.benchmarks.grid", options)]))
        if whole:
            from tests.benchmarks import figures

            figures.growth(
                {title: [(at, outcomes[one.name]) for at, one in axis.items()] for title, axis in PANELS.items()}
            )


def row(outcome: Outcome) -> list[str]:
    """A setting's row: medians, and the medians of the ratios, bold where they are large."""
    cells = [outcome.setting.name]
    for label in LABELS:
        timing = outcome.of(label)
        cells.append(f"{timing.median:.0f}" if timing else "")
    for label in (FNN, FNN_NUMPY):
        ratios = outcome.ratios(label)
        median = statistics.median(ratios) if ratios else 0.0
        cells.append("" if not ratios else f"**{median:.2f}**" if median > SLOW else f"{median:.2f}")
    return [*cells, f"{max(spreads(outcome).values()):.2f}"]


def said(outcomes: dict[str, Outcome]) -> str:
    """What the table's numbers are, which machine was too noisy, and the versions."""
    lines = [
        f"Microseconds a step, medians of rounds; ratios are the rounds' medians, those above {SLOW} in bold. "
        "The spread is the 90 % over the 10 % quantile of the rounds, of the yardstick's or fnn's own times."
    ]
    noisy = [name for name, outcome in outcomes.items() if max(spreads(outcome).values()) > SPREAD]
    if noisy:
        lines.append(f"**Too noisy to tell, with a spread above {SPREAD}: {', '.join(noisy)}.**")
    versions: dict[str, None] = {}
    for outcome in outcomes.values():
        versions |= dict.fromkeys(f"{one.label}: {one.version}, {one.threads} threads" for one in outcome.timings)
        versions |= dict.fromkeys(outcome.warnings)
    lines.append("; ".join(one.rstrip(".") for one in versions) + ".")
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
