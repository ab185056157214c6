"""One row, a batch, all rows: the loop over samples that a first notebook writes, and what it costs."""

# %%
import argparse
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--quick", action="store_true", help="one epoch instead of ten, to see that it runs")
options = parser.parse_args()
epochs = 1 if options.quick else 10

# %% 784-100-10 with column vectors; weights of variance 1 / fan-in, biases of variance 1.
train, test = fnn.load_mnist(options.data)
dense = partial(fnn.Dense, weight_init="lecun_normal", bias_init=fnn.ScaledNormal(1.0))
network = fnn.Network(784, (dense(100, "relu"), dense(10, "softmax")), loss="cross_entropy", input_scale=1 / 255)
params = fnn.init_params(network, seed=0, dtype=np.float64)
Column = NDArray[np.float64]


def sample_gradient(x: Column, label: int) -> list[Column]:
    """The gradient of one sample, as the notebook writes it: x is a column, and products are from the left."""
    w1, b1, w2, b2 = params[0].weight.T, params[0].bias[:, None], params[1].weight.T, params[1].bias[:, None]
    z1 = w1 @ x + b1
    a1 = np.maximum(z1, 0)
    z2 = w2 @ a1 + b2
    e = np.exp(z2 - z2.max())
    delta2 = e / e.sum() - (np.arange(10)[:, None] == label)
    delta1 = w2.T @ delta2 * (z1 > 0)
    return [delta1 @ x.T, delta1, delta2 @ a1.T, delta2]


# %% The same gradient three ways: a loop whose gradients are added up, batches of 100, and all rows at once.
x, y = train.x[:1000], train.y[:1000]
total = [np.zeros_like(part) for part in sample_gradient(x[0][:, None] / 255, y[0])]
begun = perf_counter()
for row, label in zip(x, y, strict=True):
    total = [so_far + part for so_far, part in zip(total, sample_gradient(row[:, None] / 255, label), strict=True)]
per_sample = (perf_counter() - begun) / len(x)
g = fnn.grads(network, params, x, y)
by_batch = [g[0].weight.T, g[0].bias[:, None], g[1].weight.T, g[1].bias[:, None]]
differ = max(np.abs(ours - theirs / len(x)).max() for ours, theirs in zip(by_batch, total, strict=True))
begun = perf_counter()
some = min(6000, len(train))
for start in range(0, some, 100):
    fnn.grads(network, params, train.x[start : start + 100], train.y[start : start + 100])
per_row = (perf_counter() - begun) / some
begun = perf_counter()
fnn.grads(network, params, train.x, train.y)
at_once = (perf_counter() - begun) / len(train)
print(f"the loop and the batch differ by at most {differ:.1e}")
print(f"microseconds a row: the loop {1e6 * per_sample:.0f}, batches of 100 {1e6 * per_row:.1f}", end=", ")
print(f"all {len(train):,} rows at once {1e6 * at_once:.1f}\n")

# %% Training: the gradient of the whole batch; and the common slip, where each sample's overwrites the one before, and
# the last is divided by 100 all the same. Most of the harm is that division: see the fourth way.
ways = {
    "whole batch, rate 0.01": (0.01, slice(None)),
    "whole batch, rate 0.1": (0.1, slice(None)),
    "the slip, rate 0.01": (0.01 / 100, slice(-1, None)),
    "whole batch, rate 0.0001": (0.01 / 100, slice(None)),
    "last sample, not divided": (0.01, slice(-1, None)),
}
print(f"{'test accuracy after epoch 1 and':32} {epochs}")
for name, (rate, rows) in ways.items():
    sgd, trained, accuracies = fnn.SGD(rate), fnn.init_params(network, seed=0), []
    state = fnn.sgd_init(sgd, trained)
    for epoch in range(epochs):
        for batch in fnn.batches(train, batch_size=100, seed=0, epoch=epoch):
            g = fnn.grads(network, trained, batch.x[rows], batch.y[rows])
            trained, state = fnn.sgd_step(sgd, trained, state, g)
        accuracies.append(fnn.accuracy(test.y, fnn.predict(network, trained, test.x)))
    print(f"{name:26} {accuracies[0]:.3f} {accuracies[-1]:.3f}")
