"""From a new process: `python -m tests.benchmarks.starting --help`.

How long the imports take; and from the start of a process until fnn has a network of the digits that is right in 97 %
of the held-out ones, beside what the others take until they have made the first training step of that network.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

from tests.benchmarks import data, processes, report
from tests.benchmarks.processes import FNN_NUMPY, ROOT, Library, Worker, WorkerEnded, clean_environment
from tests.benchmarks.settings import Setting

STEP = Setting("the first step", (128,), rate=3e-3, batch=64, data="digits", rows=64)
MODULES = {"scikit-learn": "sklearn.neural_network", "PyTorch": "torch", "JAX": "jax", "Keras": "keras"}
CLOCK = "from time import perf_counter as clock; start = clock(); import {}; print(clock() - start)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Imports, and the way to a trained network, from new processes.")
    parser.add_argument("--rounds", type=int, default=9, help="one more is run first, which writes the byte code")
    processes.add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="write the tables")
    options = parser.parse_args()
    libraries = processes.libraries(options)
    text = f"{imports(libraries, options.rounds)}\n\n{networks(libraries, options.rounds)}"
    print(text)
    if options.write:
        report.write("starting", f"{text}\n\n{report.conditions('tests.benchmarks.starting', options)}")


def imports(libraries: list[Library], rounds: int) -> str:
    modules = {"numpy": sys.executable, "fnn": sys.executable}
    modules |= {MODULES[one.label]: one.python for one in libraries if one.label in MODULES}
    turns = [{module: import_seconds(module, python) for module, python in modules.items()} for _ in range(rounds + 1)]
    rows = []
    for module in modules:
        times = [turn[module] * 1e3 for turn in turns[1:]]
        over = [(turn[module] - turn["numpy"]) * 1e3 for turn in turns[1:]]
        rows.append([f"`import {module}`", report.spanned(times, 0), report.spanned(over, 0)])
    return report.table(["", "ms", "over `import numpy`, turn by turn, ms"], rows)


def import_seconds(module: str, python: str) -> float:
    command = [python, "-c", CLOCK.format(module)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def networks(libraries: list[Library], rounds: int) -> str:
    ours = {f"{one.label}: to 97 %": one for one in libraries if one.ours}
    others = {f"{one.label}: to the first step": one for one in libraries if one.label != FNN_NUMPY}
    times: dict[str, list[float]] = {}
    accuracies: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = data.write("digits", "", folder)
        for _ in range(rounds + 1):
            for name, library in ours.items():
                seconds, answer = to_the_end(library, path)
                times.setdefault(name, []).append(seconds)
                accuracies.append(answer)
            for name, library in others.items():
                try:
                    times.setdefault(name, []).append(to_the_first_step(library, path))
                except WorkerEnded:
                    print(f"{name}: its process ended, see above.", flush=True)
    rows = [[name, report.spanned(seconds[1:])] for name, seconds in times.items()]
    reached = f"The accuracy that fnn reached: {min(accuracies):.4f}."
    return report.table(["a new process, digits, 64-128-10", "seconds"], rows) + f"\n\n{reached}"


def to_the_end(library: Library, path: str) -> tuple[float, float]:
    """Seconds from a process's start to its end, and the accuracy that its network has."""
    begun = time.perf_counter()
    worker = Worker("digits_worker", path, environment=library.environment)
    accuracy = worker.answer()["accuracy"]
    worker.close()
    return time.perf_counter() - begun, accuracy


def to_the_first_step(library: Library, path: str) -> float:
    """Seconds from a process's start to the answer that a step was made; its end is not waited for."""
    begun = time.perf_counter()
    worker = library.start(STEP.to_json(), path)
    try:
        worker.answer()
        worker.ask("train")
        return time.perf_counter() - begun
    finally:
        worker.close()


if __name__ == "__main__":
    main()
