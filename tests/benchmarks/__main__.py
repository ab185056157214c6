"""A training step of fnn beside PyTorch's, a hand-written one or an earlier fnn's: `python -m tests.benchmarks --help`.

Each library has a process of its own, started once and asked for one epoch at a time, so that the two meet the
same machine minute by minute. The figure is microseconds a step over a whole epoch: for fnn a whole `fit` call.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent


class Worker:
    """A library in a process of its own."""

    def __init__(self, name: str, python: str, data: str, path: str = "") -> None:
        self.name = name
        # these two slow a current OpenBLAS down where a machine sets them for older ones
        clean = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        command = [python, str(HERE / f"{name}_worker.py"), data]
        if path:
            clean["PYTHONPATH"] = path
        self.process = subprocess.Popen(command, env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._line()

    def _line(self) -> str:
        stream: IO[str] | None = self.process.stdout
        line = stream.readline() if stream else ""
        if not line:
            raise SystemExit(f"{self.name}: its process ended; see above.")
        return line.strip()

    def epoch(self) -> float:
        """Microseconds a step over one more epoch."""
        if self.process.stdin:
            self.process.stdin.write("epoch\n")
            self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        self.process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description="A step of 784-256-128-10, Adam, batches of 64: fnn and another.")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--torch-python", help="the python of an environment that has torch")
    other.add_argument("--hand", action="store_true", help="the float64 network that one writes in a notebook instead")
    other.add_argument("--before", metavar="FOLDER", help="another checkout of fnn, to compare with instead")
    parser.add_argument("--data", default=os.environ.get("FNN_DATA", ""), help="the folder of MNIST's four files")
    parser.add_argument("--rounds", type=int, default=15, help="at least 9; one more is run first, to warm up")
    options = parser.parse_args()
    here = str(HERE.parent.parent)
    workers = [Worker("fnn", sys.executable, options.data, here)]
    if options.before:
        workers.append(Worker("fnn", sys.executable, options.data, str(Path(options.before).resolve())))
    elif options.hand:
        workers.append(Worker("hand", sys.executable, options.data, here))
    else:
        workers.append(Worker("torch", options.torch_python, options.data))
    rounds = [[worker.epoch() for worker in workers] for _ in range(options.rounds + 1)][1:]
    for worker, times in zip(workers, zip(*rounds, strict=True), strict=True):
        print(f"{worker.version:30} µs a step: median {statistics.median(times):7.0f}  least {min(times):7.0f}")
        worker.close()
    ratios = [ours / theirs for ours, theirs in rounds]
    print(f"the first / the second, round by round: median {statistics.median(ratios):.3f}", end="  ")
    print(f"from {min(ratios):.3f} to {max(ratios):.3f} in {len(ratios)} rounds")


if __name__ == "__main__":
    main()
