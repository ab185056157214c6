"""Answers each line with the microseconds a step of one `fit` over one epoch."""

import sys
import time

import numpy as np

import fnn

train, test = fnn.load_mnist(sys.argv[1])
network = fnn.mlp(784, 256, 128, 10, input_scale=1 / 255)
run = fnn.start(network, optimizer=fnn.Adam(1e-3), batch_size=64)
steps = -(-len(train) // 64)
print(f"fnn of {fnn.__file__.split('/')[-3]}, NumPy {np.__version__}", flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    run = fnn.fit(network, train, state=run, epochs=1)
    print((time.perf_counter() - begun) / steps * 1e6, flush=True)
