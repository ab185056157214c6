"""`forward` of many rows beside its three matrix products alone, in turns; and by how much memory peaks in it.

The products write into arrays that were made before. Says one line of JSON, and ends.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import fnn

rows, turns = int(sys.argv[1]), int(sys.argv[2])
network = fnn.mlp(784, 256, 128, 10)
params = fnn.init_params(network, seed=0)
x = np.random.default_rng(0).random((rows, 784), dtype=np.float32)
products = [np.empty((rows, units), np.float32) for units in (256, 128, 10)]


def multiply() -> None:
    a = x
    for p, product in zip(params.layers, products, strict=True):
        a = np.matmul(a, p.weight, out=product)


def forward() -> None:
    fnn.forward(network, params, x)


def timed(function: Callable[[], None]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


times = [[timed(multiply), timed(forward)] for _ in range(turns + 1)][1:]
tracemalloc.start()
forward()
peak = tracemalloc.get_traced_memory()[1]
print(json.dumps({"products": [a for a, _ in times], "forward": [b for _, b in times], "peak": peak / 1e6}), flush=True)
