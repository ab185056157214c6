"""Recipes for the numbers that are published for dense networks on MNIST, which `records.py` trains and tests."""

# %%
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import fnn
from fnn import images

Layers = Iterable[fnn.Layer]


# %% A record leaves one setting to be chosen: a rate, a limit, a penalty, or the size of a noise.
class Record(NamedTuple):
    """What is published, and what is trained beside it."""

    published: str  # accuracy in %, and of whom
    layers: Callable[..., Layers]
    setting: str = ""  # the argument of `layers`
    values: tuple[float, ...] = ()  # to choose from
    epochs: int = 15
    optimizer: Callable[[fnn.Schedule], fnn.Optimizer] = partial(fnn.Momentum, momentum=0.9, nesterov=True)
    rate: float = 0.06  # the highest, of a cosine
    distortion: images.Distortion | None = None

    def start(self, value: float, seed: int, rows: int, epochs: int) -> fnn.TrainState:
        """A run with that value before its first step."""
        layers = self.layers(**{self.setting: value} if self.setting else {})
        rate = fnn.Cosine(self.rate, steps=(steps := epochs * -(-rows // 128)), warmup_steps=steps // 30)
        network = fnn.Network(784, tuple(layers), "cross_entropy", 1 / 255)
        return fnn.start(network, optimizer=self.optimizer(rate), batch_size=128, seed=seed)


# %% Two kinds of networks: with ReLU and perhaps dropout; and with batch norm and noise before each activation.
def dense(*widths: int, std: float = 0.0, inputs: float = 0.0, rate: float = 0.0, **settings: Any) -> Layers:
    if std:
        yield fnn.GaussianNoise(std)
    if inputs:
        yield fnn.Dropout(inputs)
    for units in widths:
        yield fnn.Dense(units, "relu", **settings)
        if rate:
            yield fnn.Dropout(rate)
    yield fnn.Dense(10, "softmax", **settings)


def normed(*widths: int, inputs: bool = False, std: float = 0.0) -> Layers:
    if inputs and std:
        yield fnn.GaussianNoise(std)
    activations: list[fnn.Activation] = [fnn.Relu() for _ in widths]
    for units, activation in zip((*widths, 10), (*activations, fnn.Softmax()), strict=True):
        yield fnn.Dense(units)
        yield fnn.BatchNorm() if std else fnn.BatchNorm(activation)
        if std:
            yield fnn.GaussianNoise(std, activation)


# %% The records. Simard et al. 2003 have no dropout, Srivastava et al. 2014 a third layer of 2048.
flat, deep = partial(normed, 1000, 500, 250), partial(normed, 1000, 500, 250, 250, 250, inputs=True)
small, dropped = partial(dense, 512, 512), partial(dense, 512, 512, inputs=0.2, rate=0.5)
two, bent = partial(dense, 1024, 1024, inputs=0.2, rate=0.5), images.Distortion(1, 10, 0.15, 38, 6)
WITHOUT_DISTORTION = {
    "128, input noise": Record("98.29 ± 0.07", partial(dense, 128), "std", (0.1, 0.2, 0.3), 40, fnn.Adam, 3e-3),
    "800, dropout": Record("98.4 Simard: 800", partial(dense, 800), "rate", (0.3, 0.5), 30, fnn.Adam, 2e-3),
    "512-512, dropout": Record("98.40 Keras' example", small, "rate", (0.2, 0.4), 20, fnn.Adam, 2e-3),
    "1024-1024, dropout, max-norm": Record("98.95 Srivastava", two, "max_norm", (2, 3), 90),
    "batch norm": Record("", deep, epochs=40, optimizer=fnn.Adam, rate=2e-3),
    "batch norm, noise": Record("99.20 ± 0.03 Rasmus", deep, "std", (0.2, 0.3), 40, fnn.Adam, 2e-3),
}
WITH_DISTORTION = {"distortion": Record("99.3 Simard: 800", flat, "std", (0.1, 0.2), 40, fnn.Adam, 3e-3, bent)}
TABLE_9 = {
    "table 9, none": Record("", small),
    "table 9, L2": Record("98.38", small, "l2", (1e-5, 1e-4)),
    "table 9, L1 and L2": Record("98.40", partial(small, l2=1e-5), "l1", (1e-6, 1e-5)),
    "table 9, max-norm": Record("98.65", small, "max_norm", (1, 2)),
    "table 9, dropout, L2": Record("98.75", dropped, "l2", (1e-6, 1e-5)),
    "table 9, dropout, max-norm": Record("98.95", dropped, "max_norm", (2, 3)),
}
