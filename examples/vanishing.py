"""How the gradient fades, or does not, on its way down: networks of 2 to 10 layers, measured and not drawn by hand."""

# %%
import argparse
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

import fnn
from fnn import plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figures go")
parser.add_argument("--quick", action="store_true", help="the training at the end on fewer images, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
train, test = fnn.load_mnist(options.data)
few = fnn.split(train, 0.01 if options.quick else 0.2, seed=0)[1]
x, y, _ = few.take(slice(0, 256))

Name = Literal["sigmoid", "relu"]
Init = Literal["glorot_uniform", "he_normal"]


def deep(depth: int, activation: Name, init: Init, normed: bool) -> fnn.Network:
    """So many hidden layers of 64 units; with batch norm, it stands between the sums and their activation."""
    dense = fnn.Dense(64, "identity" if normed else activation, weight_init=init)
    hidden = (dense, fnn.BatchNorm(activation)) if normed else (dense,)
    return fnn.Network(784, (*hidden * depth, fnn.Dense(10, "softmax")), loss="cross_entropy", input_scale=1 / 255)


def first_over_last(trace: fnn.Trace) -> float:
    """How much of the last layer's gradient the first layer gets."""
    norms = [float(np.linalg.norm(layer.dW)) for layer in trace.layers if layer.dW.size and layer.dW.ndim == 2]
    return norms[0] / norms[-1]


# %% The gradients of networks before any training, on 256 images.
kinds: dict[str, tuple[Name, Init]] = {
    "sigmoid, Xavier": ("sigmoid", "glorot_uniform"),
    "sigmoid, He": ("sigmoid", "he_normal"),
    "ReLU, Xavier": ("relu", "glorot_uniform"),
    "ReLU, He": ("relu", "he_normal"),
}
key = fnn.Key(seed=0, epoch=0, batch=0)  # as in training, where batch norm takes the batch's statistics
figure = Figure(figsize=(10, 3.6), layout="constrained")
for ax, normed in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
    print(f"\nthe first layer's gradient over the last one's, {'with' if normed else 'without'} batch norm")
    print("hidden layers   ", *(f"{depth:>9}" for depth in range(2, 11, 2)))
    deepest = {}
    for name, (activation, init) in kinds.items():
        networks = [deep(depth, activation, init, normed) for depth in range(2, 11, 2)]
        traces = [fnn.trace(network, fnn.init_params(network, seed=0), x, y, key=key) for network in networks]
        print(f"{name:16}", *(f"{first_over_last(trace):9.1e}" for trace in traces))
        deepest[name] = traces[-1]
    plots.gradient_norms(deepest, ax)
    ax.set_title(f"ten hidden layers, {'with' if normed else 'without'} batch norm", fontsize="medium")
figure.savefig(options.out / "vanishing.png")

# %% What it means for training: ten hidden layers, three epochs.
print("\nten hidden layers, after three epochs on", len(few), "images")
for normed in (False, True):
    for name, (activation, init) in kinds.items():
        network = deep(10, activation, init, normed)
        run = fnn.fit(network, few, optimizer=fnn.Adam(1e-3), epochs=3, seed=0)
        accuracy = fnn.evaluate(network, run.params, test).accuracy
        print(f"{name:16} {'with' if normed else 'without':7} batch norm: test accuracy {accuracy:.3f}")
