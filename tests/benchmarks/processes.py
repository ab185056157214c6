"""Workers: libraries in processes of their own, in a clean environment, that are asked one thing at a time."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
# The first two slow a current OpenBLAS down where they are set for an older one, the third every import.
LEFT_OUT = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
PAUSE = 0.25  # seconds before a turn: OpenBLAS's threads wait busily for about 0.1 s after their last product
QUIET = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def clean_environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in LEFT_OUT} | QUIET | more


class WorkerEnded(Exception):
    """A worker ended before it answered; what it said is on stderr."""


class Worker:
    """A module of `tests.benchmarks.workers` in a process: a line in, a line of JSON out, the first one unasked."""

    def __init__(
        self, module: str, *arguments: str, python: str = sys.executable, environment: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-m", f"tests.benchmarks.workers.{module}", *arguments],
            cwd=ROOT,
            env=clean_environment(**environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise WorkerEnded
        return json.loads(line)

    def ask(self, request: str) -> Any:
        if self.process.stdin and self.process.poll() is None:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        return self.answer()

    def turn(self, request: str) -> Any:
        """Ask when the threads of the one before have gone to sleep."""
        time.sleep(PAUSE)
        return self.ask(request)

    def close(self) -> None:
        self.process.communicate()


@dataclass(frozen=True)
class Library:
    """One of those that are compared: its label, its worker, the package that it needs, and its environment."""

    label: str
    module: str
    package: str
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.module == "fnn_worker"

    def start(self, *arguments: str) -> Worker:
        return Worker(self.module, *arguments, python=self.python, environment=self.environment)


FNN, FNN_NUMPY = "fnn", "fnn, NumPy alone"
KERNELS = {FNN: "numba", FNN_NUMPY: "numpy"}  # the values of FNN_KERNELS
OTHERS = {"scikit-learn": "sklearn", "PyTorch": "torch", "JAX": "jax", "Keras": "keras"}
LABELS = [*KERNELS, *OTHERS]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="the python of an environment that has NAME: sklearn, torch, jax (with optax) or keras (with tensorflow)",
    )


def libraries(options: argparse.Namespace) -> list[Library]:
    """Those that there are, in this environment or one that `--python` names; a line says what is left out."""
    named = dict(pair.split("=", 1) for pair in options.python)
    if unknown := named.keys() - OTHERS.values():
        raise SystemExit(f"--python: the names are {', '.join(OTHERS.values())}; got {', '.join(sorted(unknown))}.")
    found = [
        Library(label, "fnn_worker", kernels, environment={"FNN_KERNELS": kernels})
        for label, kernels in KERNELS.items()
    ]
    for label, package in OTHERS.items():
        python = os.path.abspath(named[package]) if package in named else sys.executable
        found.append(Library(label, f"{package}_worker", package, python))
    there = [one for one in found if one.package in named or importlib.util.find_spec(one.package)]
    if missing := [one.label for one in found if one not in there]:
        print(f"Not installed here nor named by --python, and left out: {', '.join(missing)}.", flush=True)
    return there
