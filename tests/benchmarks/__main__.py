"""A training step of fnn beside other libraries': `python -m tests.benchmarks --help`.

Each library has a process of its own, started once and asked for one epoch at a time, so that all meet the same
machine minute by minute. The figure is microseconds a step over a whole epoch: for fnn a whole `fit` call.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks import data, processes, report
from tests.benchmarks.processes import FNN_NUMPY, KERNELS, Worker
from tests.benchmarks.rounds import Outcome, take_turns, too_noisy
from tests.benchmarks.settings import MAIN, Setting

HEAD = ["library", "versions", "threads", "µs a step: median", "least", "over the fastest other", "test accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Training steps on MNIST: fnn and others, in turns.")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--hand", action="store_true", help="setting A beside the float64 network of a notebook instead")
    one.add_argument("--before", metavar="FOLDER", help="setting A beside another checkout of fnn instead")
    parser.add_argument("--settings", nargs="+", choices=MAIN, default=list(MAIN), help="which of the four")
    parser.add_argument("--rounds", type=int, default=9, help="9 for a verdict; one more is run first, to warm up")
    parser.add_argument("--rows", type=int, help="of the training data, the first alone: to try the program")
    parser.add_argument("--data", default=os.environ.get("FNN_DATA", ""), help="the folder of MNIST's four files")
    processes.add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="write the table and the figure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = data.write("mnist", options.data, folder)
        settings = {name: MAIN[name] for name in options.settings}
        if options.rows:
            settings = {name: Setting(**vars(setting) | {"rows": options.rows}) for name, setting in settings.items()}
        if options.hand or options.before:
            two(settings.get("A", MAIN["A"]), path, options)
            return
        libraries = processes.libraries(options)
        texts, outcomes = [], {}
        for name, setting in settings.items():
            outcomes[name] = take_turns(setting, libraries, path, options.rounds)
            texts.append(section(name, outcomes[name]))
            print(f"\n{texts[-1]}", flush=True)
    if options.write:
        from tests.benchmarks import figures

        texts.append(report.conditions("tests.benchmarks", options))
        report.write("training", "\n\n".join(["![Microseconds a step](figures/training.png)", *texts]))
        figures.training(outcomes)


def section(name: str, outcome: Outcome) -> str:
    """A setting's table, with what is to be said of it."""
    rows = []
    for timing in outcome.timings:
        ratio = report.spanned(outcome.ratios(timing.label)) if timing.label in KERNELS else ""
        numbers = [f"{timing.median:.0f}", f"{min(timing.times):.0f}", ratio, f"{timing.accuracy:.4f}"]
        rows.append([timing.label, timing.version, str(timing.threads), *numbers])
    lines = [f"**{name}: {outcome.setting.name}**", report.table(HEAD, rows), *outcome.warnings]
    if beside := outcome.ratios(FNN_NUMPY, "PyTorch"):
        lines.append(f"{FNN_NUMPY} / PyTorch, round by round: {report.spanned(beside)}.")
    warming = ", ".join(f"{timing.label} {timing.warming:.1f}" for timing in outcome.timings)
    lines.append(f"Seconds by which the first epoch, not counted, was longer than the median one: {warming}.")
    if noise := too_noisy(outcome):
        lines.append(f"**{noise}**")
    return "\n\n".join(lines)


def two(setting: Setting, path: str, options: argparse.Namespace) -> None:
    """fnn beside the notebook's network, or beside an earlier fnn."""
    arguments = setting.to_json(), path
    workers = {"fnn": Worker("fnn_worker", *arguments)}
    if options.before:
        workers["before"] = Worker("fnn_worker", *arguments, str(Path(options.before).resolve()))
    else:
        workers["by hand"] = Worker("hand_worker", *arguments)
    for worker in workers.values():
        worker.answer()
    rounds = [[worker.turn("train") for worker in workers.values()] for _ in range(options.rounds + 1)][1:]
    times = [[answer["seconds"] / answer["steps"] * 1e6 for answer in answers] for answers in rounds]
    for (name, worker), own in zip(workers.items(), zip(*times, strict=True), strict=True):
        label = f"{name}, {worker.ask('report')['version']}"
        print(f"{label:36} µs a step: median {statistics.median(own):7.0f}  least {min(own):7.0f}")
        worker.close()
    ratios = report.spanned([ours / theirs for ours, theirs in times], 3)
    print(f"the first / the second, round by round: median {ratios} in {len(times)} rounds")


if __name__ == "__main__":
    main()
