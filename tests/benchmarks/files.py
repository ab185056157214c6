"""Saving and loading 784-256-128-10 beside writing and reading the same bytes: `python -m tests.benchmarks.files`.

The four take turns, in one folder, and the median turn counts. The raw ones are `open`, `write` and `read`; the last
writes the bytes as `save` must, so that they outlast a loss of power: into a new file, synced and renamed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TURNS = 200


def main() -> None:
    import fnn
    from fnn import atomic

    network = fnn.mlp(784, 256, 128, 10)
    params = fnn.init_params(network, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path, raw = str(Path(folder, "model.safetensors")), Path(folder, "raw")
        fnn.save(path, network, params)
        data = Path(path).read_bytes()
        tasks: dict[str, Callable[[], object]] = {
            "save": lambda: fnn.save(path, network, params),
            "load": lambda: fnn.load(path),
            "raw write": lambda: raw.write_bytes(data),
            "raw read": lambda: raw.read_bytes(),
            "raw write, synced": lambda: atomic.write("files", str(raw), data),
        }
        turns = [{name: timed(task) for name, task in tasks.items()} for _ in range(TURNS + 10)][10:]
    for name in tasks:
        times = [turn[name] for turn in turns]
        print(f"{name:18} µs: median {statistics.median(times):6.0f}  least {min(times):6.0f}")
    for writing in ("raw write", "raw write, synced"):
        ratios = [(turn["save"] + turn["load"]) / (turn[writing] + turn["raw read"]) for turn in turns]
        print(f"(save + load) / ({writing} + raw read), turn by turn: median {statistics.median(ratios):.2f}")


def timed(task: Callable[[], object]) -> float:
    begun = time.perf_counter()
    task()
    return (time.perf_counter() - begun) * 1e6


if __name__ == "__main__":
    main()
