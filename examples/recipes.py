"""Recipes for the numbers that are published for dense networks on MNIST, which `records.py` trains and tests."""

# %%
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import fnn
from fnn import images

Layers = tuple[fnn.Layer, ...]


# %% A recipe leaves one thing to be chosen, its setting s: a rate, a limit, a penalty, or the size of a noise.
class Recipe(NamedTuple):
    """A network, of a setting, and how it is trained."""

    published: str  # accuracy in %
    layers: Callable[[float], Layers]
    settings: tuple[float, ...]
    epochs: int = 20
    optimizer: Callable[[fnn.Schedule], fnn.Optimizer] = partial(fnn.Momentum, momentum=0.9, nesterov=True)
    rate: float = 0.06  # the highest, of a cosine
    distortion: images.Distortion | None = None

    def start(self, s: float, seed: int, steps: int) -> fnn.TrainState:
        """A run with that setting before its first step."""
        network = fnn.Network(784, self.layers(s), "cross_entropy", 1 / 255)
        optimizer = self.optimizer(fnn.Cosine(self.rate, steps=steps, warmup_steps=steps // 30))
        return fnn.start(network, optimizer=optimizer, batch_size=128, seed=seed)


# %% Two kinds of networks: with ReLU and perhaps dropout; and with batch norm and noise before each activation.
def dense(*widths: int, rate: float = 0.0, inputs: float = 0.0, **settings: Any) -> Layers:
    def layers() -> Iterator[fnn.Layer]:
        yield from [fnn.Dropout(inputs)] * (inputs > 0)
        for units in widths:
            yield fnn.Dense(units, "relu", **settings)
            yield from [fnn.Dropout(rate)] * (rate > 0)
        yield fnn.Dense(10, "softmax", **settings)

    return tuple(layers())


def noisy(*widths: int, std: float, inputs: float = 0.0) -> Layers:
    def layers() -> Iterator[fnn.Layer]:
        yield from [fnn.GaussianNoise(inputs)] * (inputs > 0)
        for units in (*widths, 10):
            yield fnn.Dense(units)
            yield fnn.BatchNorm()
            yield fnn.GaussianNoise(std, "relu" if units > 10 else "softmax")

    return tuple(layers())


# %% The recipes.
deep = partial(noisy, 1000, 500, 250, 250, 250)
small, dropped = partial(dense, 512, 512), partial(dense, 512, 512, rate=0.5, inputs=0.2)
bent = images.Distortion(shift=1, rotate=10, scale=0.15, elastic=38, sigma=6)
WITHOUT_DISTORTION = {
    "128 units": Recipe("98.29", lambda s: (fnn.GaussianNoise(s), *dense(128)), (0.1, 0.2, 0.3), 40, fnn.Adam, 3e-3),
    "800 units": Recipe("98.40", lambda s: dense(800, rate=s), (0.3, 0.5), 30, fnn.Adam, 2e-3),
    "512-512, dropout": Recipe("98.40", lambda s: dense(512, 512, rate=s), (0.2, 0.4), 20, fnn.Adam, 2e-3),
    "1024-1024, dropout": Recipe("98.95", lambda s: dense(1024, 1024, rate=0.5, inputs=0.2, max_norm=s), (2, 3), 100),
    "noise": Recipe("99.20", lambda s: deep(inputs=s, std=s), (0.2, 0.3), 60, fnn.Adam, 2e-3),
    "noise left out": Recipe("", lambda s: deep(inputs=s, std=s), (0.0,), 60, fnn.Adam, 2e-3),
}
WITH_DISTORTION = {
    "distortion": Recipe("99.30", lambda s: noisy(1000, 500, 250, std=s), (0.1, 0.2), 40, fnn.Adam, 3e-3, bent),
}
TABLE_9 = {
    "none": Recipe("", lambda _: small(), (0.0,)),
    "L2": Recipe("98.38", lambda s: small(l2=s), (1e-5, 1e-4)),
    "L1 and L2": Recipe("98.40", lambda s: small(l1=s, l2=1e-5), (1e-6, 1e-5)),
    "max-norm": Recipe("98.65", lambda s: small(max_norm=s), (1, 2)),
    "dropout, L2": Recipe("98.75", lambda s: dropped(l2=s), (1e-6, 1e-5)),
    "dropout, max-norm": Recipe("98.95", lambda s: dropped(max_norm=s), (2, 3)),
}
