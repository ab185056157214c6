"""The memory that training on MNIST takes, over the libraries': `python -m tests.benchmarks.memory --help`.

A new process for each kind of kernels trains 784-256-128-10 for one epoch on the uint8 pixels. Linux only.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.processes import KERNELS, Worker

HEAD = [
    "kernels",
    "peak of loading",
    "after it",
    "peak of training",
    "the data",
    "training over the data",
    "both over the data",
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of an epoch on MNIST, over what the libraries take.")
    parser.add_argument("--data", default=os.environ.get("FNN_DATA", ""), help="the folder of MNIST's four files")
    parser.add_argument("--write", action="store_true", help="write the table")
    options = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        raise SystemExit("The peak is read from Linux's /proc, which is not here.")
    rows = []
    folder = os.path.abspath(options.data) if options.data else ""
    for label, kernels in KERNELS.items():
        if importlib.util.find_spec(kernels) is None:
            print(f"{kernels} is not installed; left out: {label}.")
            continue
        worker = Worker("memory_worker", folder, environment={"FNN_KERNELS": kernels})
        answer = worker.answer()
        worker.close()
        held = answer["train"] + answer["test"]
        numbers = [answer["loading"], answer["loaded"], answer["training"], held]
        numbers += [answer["training"] - held, max(answer["loading"], answer["training"]) - held]
        name = label if answer["compiled"] == (kernels == "numba") else f"{label} (the label is wrong)"
        rows.append([name, *(f"{number:.0f}" for number in numbers)])
    text = f"{report.table(HEAD, rows)}\n\nMB over what the process had after its imports and a fit of 128 rows."
    print(text)
    if options.write:
        report.write("memory", f"{text}\n\n{report.conditions('tests.benchmarks.memory', options)}")


if __name__ == "__main__":
    main()
