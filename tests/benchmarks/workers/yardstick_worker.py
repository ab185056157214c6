"""Answers each line with how long a fixed piece of work took, on one thread: what the machine itself is worth now."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

a = np.random.default_rng(0).random((256, 256), dtype=np.float32)


def work() -> None:
    for _ in range(40):
        b = a @ a
        np.maximum(b, 0, out=b)
        np.sqrt(b, out=b)


print(json.dumps({}), flush=True)
for _line in sys.stdin:
    begun = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)
