"""Recipes for the numbers that are published for dense networks on MNIST, which `records.py` trains and tests."""

# %%
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import attrs

import fnn
from fnn import images


# %% A record leaves one setting to be chosen: a rate, a limit, a penalty, or the size of a noise.
class Record(NamedTuple):
    """What is published, and what is trained beside it."""

    published: str  # accuracy in %, and of whom
    layers: Callable[..., Iterable[fnn.Layer]]
    setting: str = ""  # the argument of `layers`
    values: tuple[float, ...] = ()  # to choose from
    epochs: int = 20
    optimizer: Callable[[fnn.Schedule], fnn.Optimizer] = partial(fnn.Momentum, momentum=0.9, nesterov=True)
    learning_rate: float = 0.1  # the highest, of a cosine
    distortion: images.Distortion | None = None

    def start(self, value: float, seed: int, rows: int, epochs: int) -> fnn.TrainState:
        """A run with that value before its first step."""
        layers = self.layers(**{self.setting: value} if self.setting else {})
        rate = fnn.Cosine(self.learning_rate, steps=(steps := epochs * -(-rows // 128)), warmup_steps=steps // 30)
        network = fnn.Network(784, tuple(layers), "cross_entropy", 1 / 255)
        return fnn.start(network, optimizer=self.optimizer(rate), batch_size=128, seed=seed)


# %% Two kinds of networks: with ReLU and perhaps dropout; and these with batch norm, and noise, before each activation.
def dense(*widths: int, std: float = 0, inputs: float = 0, rate: float = 0, **settings: Any) -> Iterable[fnn.Layer]:
    if std:
        yield fnn.GaussianNoise(std)
    if inputs:
        yield fnn.Dropout(inputs)
    for units in widths:
        yield fnn.Dense(units, "relu", **settings)
        if rate:
            yield fnn.Dropout(rate)
    yield fnn.Dense(10, "softmax", **settings)


def normed(*widths: int, noisy_inputs: bool = True, std: float = 0, **settings: Any) -> Iterable[fnn.Layer]:
    for layer in dense(*widths, std=std if noisy_inputs else 0, **settings):
        yield attrs.evolve(layer, activation="identity") if isinstance(layer, fnn.Dense) else layer
        if isinstance(layer, fnn.Dense):
            yield fnn.BatchNorm() if std else fnn.BatchNorm(layer.activation)
            if std:
                yield fnn.GaussianNoise(std, layer.activation)


# %% The records. Simard et al. 2003 have no dropout, Srivastava et al. 2014 a third layer of 2048.
small, dropped = partial(dense, 512, 512), partial(dense, 512, 512, inputs=0.2, rate=0.2)
two = partial(dense, 1024, 1024, inputs=0.2, max_norm=2)
limited, deep = partial(normed, 1024, 512, 256, inputs=0.2, max_norm=2), partial(normed, 1000, 500, 250, 250, 250)
flat, bent = partial(normed, 1000, 500, 250, noisy_inputs=False), images.Distortion(1, 10, 0.15, 38, 6)
WITHOUT_DISTORTION = {
    "128, input noise": Record("98.29 ± 0.07", partial(dense, 128), "std", (0.1, 0.2, 0.3), 40, fnn.Adam, 3e-3),
    "800, dropout": Record("98.4 Simard: 800", partial(dense, 800), "rate", (0.3, 0.5), 30, fnn.Adam, 2e-3),
    "512-512, dropout": Record("98.40 Keras' example", small, "rate", (0.2, 0.4), 20, fnn.Adam, 2e-3),
    "1024-1024, dropout, max-norm": Record("98.95 Srivastava", two, "rate", (0.4, 0.5), 50, fnn.Adam, 1e-3),
    "batch norm, dropout, max-norm": Record("", limited, "rate", (0.3, 0.4), 60, fnn.Adam, 2e-3),
    "batch norm": Record("", deep, epochs=40, optimizer=fnn.Adam, learning_rate=2e-3),
    "batch norm, noise": Record("99.20 ± 0.03 Rasmus", deep, "std", (0.2, 0.3), 40, fnn.Adam, 2e-3),
}
WITH_DISTORTION = {"distortion": Record("99.3 Simard: 800", flat, "std", (0.1, 0.2), 40, fnn.Adam, 3e-3, bent)}
TABLE_9 = {
    "table 9, none": Record("", small),
    "table 9, L2": Record("98.38", small, "l2", (1e-5, 1e-4)),
    "table 9, L1 and L2": Record("98.40", partial(small, l2=1e-5), "l1", (1e-6, 1e-5)),
    "table 9, max-norm": Record("98.65", small, "max_norm", (1, 2)),
    "table 9, dropout, L2": Record("98.75", dropped, "l2", (1e-6, 1e-5)),
    "table 9, dropout, max-norm": Record("98.95", dropped, "max_norm", (1, 2)),
}
