"""One row through 784-256-128-10: `python -m tests.benchmarks.latency`.

`forward` beside the least that NumPy can do: the three products, the biases, relu and softmax written out, which checks
nothing. The two take turns, 2,000 calls each, and the median turn counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable

SLOWING = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}  # where a machine sets them for an older OpenBLAS
CALLS, TURNS = 2000, 15


def main() -> None:
    import numpy as np

    import fnn

    network = fnn.mlp(784, 256, 128, 10)
    params = fnn.init_params(network, seed=0)
    x = np.random.default_rng(0).random((1, 784), dtype=np.float32)

    def bare() -> object:
        a = x
        for p in params.layers[:-1]:
            z = a @ p.weight
            z += p.bias
            a = np.maximum(z, 0)
        z = a @ params[-1].weight
        z += params[-1].bias
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def forward() -> object:
        return fnn.forward(network, params, x)

    functions: list[Callable[[], object]] = [bare, forward]
    turns = [[timeit.timeit(function, number=CALLS) / CALLS * 1e6 for function in functions] for _ in range(TURNS + 1)]
    for function, times in zip(functions, zip(*turns[1:], strict=True), strict=True):
        name = function.__name__
        print(f"{name:8} µs a row: median {statistics.median(times):5.1f}  least {min(times):5.1f}")


if __name__ == "__main__":
    if SLOWING & os.environ.keys():  # OpenBLAS reads them when it is loaded
        clean = {name: value for name, value in os.environ.items() if name not in SLOWING}
        raise SystemExit(
            subprocess.run([sys.executable, "-m", "tests.benchmarks.latency"], env=clean, check=False).returncode
        )
    main()
