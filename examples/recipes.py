"""Recipes for the numbers that are published for dense networks on MNIST, which `records.py` trains and tests."""

# %%
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import fnn
from fnn import images

Layers = Iterable[fnn.Layer]


# %% A record leaves one thing to be chosen, its setting s: a rate, a limit, a penalty, or the size of a noise.
class Record(NamedTuple):
    """What is published, and what is trained beside it."""

    published: str  # accuracy in %, and by whom
    layers: Callable[[float], Layers]
    settings: tuple[float, ...]
    epochs: int = 15
    optimizer: Callable[[fnn.Schedule], fnn.Optimizer] = partial(fnn.Momentum, momentum=0.9, nesterov=True)
    rate: float = 0.06  # the highest, of a cosine
    distortion: images.Distortion | None = None

    def start(self, s: float, seed: int, rows: int, epochs: int) -> fnn.TrainState:
        """A run with that setting before its first step."""
        steps = epochs * -(-rows // 128)
        optimizer = self.optimizer(fnn.Cosine(self.rate, steps=steps, warmup_steps=steps // 30))
        network = fnn.Network(784, tuple(self.layers(s)), "cross_entropy", 1 / 255)
        return fnn.start(network, optimizer=optimizer, batch_size=128, seed=seed)


# %% Two kinds of networks: with ReLU and perhaps dropout; and with batch norm and noise before each activation.
def dense(*widths: int, inputs: float = 0.0, rate: float = 0.0, **settings: Any) -> Layers:
    if inputs:
        yield fnn.Dropout(inputs)
    for units in widths:
        yield fnn.Dense(units, "relu", **settings)
        if rate:
            yield fnn.Dropout(rate)
    yield fnn.Dense(10, "softmax", **settings)


def normed(*widths: int, noise: float) -> Layers:
    activations: list[fnn.Activation] = [fnn.Relu() for _ in widths]
    for units, activation in zip((*widths, 10), (*activations, fnn.Softmax()), strict=True):
        yield fnn.Dense(units)
        yield fnn.BatchNorm() if noise else fnn.BatchNorm(activation)
        if noise:
            yield fnn.GaussianNoise(noise, activation)


# %% The records.
SIMARD, BENT = "98.4, Simard et al. 2003: 800", "99.3, Simard et al. 2003: 800, elastic"
SRIVASTAVA, RASMUS = "98.95, Srivastava et al. 2014: 1024-1024-2048", "99.20 ± 0.03, Rasmus et al. 2015: the same"
N, two, deep = fnn.GaussianNoise, partial(dense, 1024, 1024), partial(normed, 1000, 500, 250, 250, 250)
three, small, dropped = partial(normed, 1000, 500, 250), partial(dense, 512, 512), {"inputs": 0.2, "rate": 0.5}
bent = images.Distortion(shift=1, rotate=10, scale=0.15, elastic=38, sigma=6)
WITHOUT_DISTORTION = {
    "128, input noise": Record("98.29 ± 0.07", lambda s: (N(s), *dense(128)), (0.1, 0.2, 0.3), 40, fnn.Adam, 3e-3),
    "800, dropout": Record(SIMARD, lambda s: dense(800, rate=s), (0.3, 0.5), 30, fnn.Adam, 2e-3),
    "512-512, dropout": Record("98.40, Keras", lambda s: dense(512, 512, rate=s), (0.2, 0.4), 20, fnn.Adam, 2e-3),
    "1024-1024, dropout, max-norm": Record(SRIVASTAVA, lambda s: two(max_norm=s, **dropped), (2, 3), 90),
    "batch norm": Record("", lambda s: deep(noise=s), (0.0,), 40, fnn.Adam, 2e-3),
    "batch norm, noise": Record(RASMUS, lambda s: (N(s), *deep(noise=s)), (0.2, 0.3), 40, fnn.Adam, 2e-3),
}
WITH_DISTORTION = {
    "distortion, batch norm, noise": Record(BENT, lambda s: three(noise=s), (0.1, 0.2), 40, fnn.Adam, 3e-3, bent),
}
TABLE_9 = {
    "table 9, none": Record("", lambda _: small(), (0.0,)),
    "table 9, L2": Record("98.38", lambda s: small(l2=s), (1e-5, 1e-4)),
    "table 9, L1 and L2": Record("98.40", lambda s: small(l1=s, l2=1e-5), (1e-6, 1e-5)),
    "table 9, max-norm": Record("98.65", lambda s: small(max_norm=s), (1, 2)),
    "table 9, dropout, L2": Record("98.75", lambda s: small(l2=s, **dropped), (1e-6, 1e-5)),
    "table 9, dropout, max-norm": Record("98.95", lambda s: small(max_norm=s, **dropped), (2, 3)),
}
