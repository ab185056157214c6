"""Predictions of 784-256-128-10: `python -m tests.benchmarks.predicting --help`.

One row, as an array of NumPy in and out, each library in a process of its own, in turns of 1,000 calls. And 10,000 rows
through `forward`, beside its matrix products alone in the same process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

from tests.benchmarks import data, processes, report
from tests.benchmarks.processes import KERNELS, Library, Worker
from tests.benchmarks.rounds import started
from tests.benchmarks.settings import Setting

SETTING = Setting("one row", (256, 128), data="noise")
BARE = Library("NumPy by hand", "bare_worker", "numpy")
ROWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description="One row and 10,000 rows through 784-256-128-10.")
    parser.add_argument("--rounds", type=int, default=15, help="one more is run first, to warm up")
    processes.add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="write the tables")
    options = parser.parse_args()
    # Keras says itself that its `predict` is for many rows
    libraries = [BARE, *(one for one in processes.libraries(options) if one.label != "Keras")]
    text = f"{one_row(libraries, options.rounds)}\n\n{many_rows(libraries, options.rounds)}"
    print(text)
    if options.write:
        report.write("predicting", f"{text}\n\n{report.conditions('tests.benchmarks.predicting', options)}")


def one_row(libraries: list[Library], rounds: int) -> str:
    with (
        tempfile.TemporaryDirectory() as folder,
        started(libraries, SETTING.to_json(), data.write("noise", "", folder)) as workers,
    ):
        for label, worker in workers.items():
            if label != BARE.label:
                worker.ask("train")  # scikit-learn cannot predict before
        turns = [
            {label: worker.turn("row")["seconds"] * 1e6 for label, worker in workers.items()} for _ in range(rounds + 1)
        ]
        abouts = {label: worker.ask("report") for label, worker in workers.items()}
    rows = []
    for label, about in abouts.items():
        times = [turn[label] for turn in turns[1:]]
        over = report.spanned([turn[label] / turn[BARE.label] for turn in turns[1:]])
        cells = [label, about["version"], str(about["threads"]), f"{statistics.median(times):.1f}", f"{min(times):.1f}"]
        rows.append([*cells, over])
    head = ["one row", "versions", "threads", "µs: median", "least", f"over {BARE.label}, turn by turn"]
    return report.table(head, rows)


def many_rows(libraries: list[Library], turns: int) -> str:
    rows = []
    for library in libraries:
        if library.ours:
            environment = {"FNN_KERNELS": KERNELS[library.label]}
            worker = Worker("forward_worker", str(ROWS), str(turns), environment=environment)
            answer = worker.answer()
            worker.close()
            medians = [statistics.median(answer[name]) * 1e3 for name in ("forward", "products")]
            share = [a / b for a, b in zip(answer["products"], answer["forward"], strict=True)]
            rows.append(
                [library.label, *(f"{ms:.2f}" for ms in medians), report.spanned(share), f"{answer['peak']:.1f}"]
            )
    head = [
        f"{ROWS:,} rows",
        "`forward`, ms",
        "its three products alone, ms",
        "their share, turn by turn",
        "peak memory, MB",
    ]
    return report.table(head, rows)


if __name__ == "__main__":
    main()
