"""What a network is made of: the activation functions, why it needs one, softmax done right, and the shapes."""

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

import fnn
from fnn import plots
from fnn.activations import ACTIVATIONS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figure goes")
parser.add_argument("--quick", action="store_true", help="the same: it takes a second")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

# %% Each activation and its derivative; a network learns by the derivative, and the step has none.
figure = Figure(figsize=(10, 6.6), layout="constrained")
axes = figure.subplots(3, 4).ravel()
drawn = ACTIVATIONS | {"leaky_relu": fnn.LeakyRelu(0.1)}  # by default 0.01, which looks like ReLU
for ax, activation in zip(axes, drawn.values(), strict=False):
    plots.activation(activation, ax)
axes[-1].axis("off")
figure.savefig(options.out / "functions_activations.png")

# %% The perceptron, one unit with a step, draws one line; XOR needs two, and a layer between.
x, xor = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
line = fnn.Network(2, (fnn.Dense(1, "step"),), loss="mse")
grid = np.linspace(-2, 2, 41)
best = max(
    fnn.accuracy(xor, fnn.predict(line, fnn.pack_params(line, [[[a], [b]], [c]]), x).astype(int))
    for a in grid for b in grid for c in grid[::4]
)  # fmt: skip
print(f"one unit with a step, {len(grid) ** 2 * len(grid[::4]):,} lines tried: at best {4 * best:.0f} of 4 right")
layers = (fnn.Dense(2, "step"), fnn.Dense(1, "step"))  # or, and not and
both = fnn.Network(2, layers, loss="mse")
params = fnn.pack_params(both, [[[1, 1], [1, 1]], [-0.5, -1.5], [[1], [-1]], [-0.5]])
print(f"two such units below it: {fnn.predict(both, params, x).astype(int)} is {xor}\n")

# %% Softmax without overflow: only the differences count.
softmax, z = fnn.Softmax(), np.array([[1010.0, 1000.0, 990.0]])
with np.errstate(over="ignore", invalid="ignore"):
    print("softmax as it is often written:", (np.exp(z) / np.exp(z).sum())[0])
print("softmax:", softmax.value(z)[0], "and of z - 1000:", softmax.value(z - 1000)[0])
z = np.array([[2.0, 1.0, 0.0], [12.0, 11.0, 10.0]])
whole = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
print("two rows that differ by 10, with the maximum and the sum of the whole batch:", whole.round(3).tolist())
print("with those of each row:", softmax.value(z).round(3).tolist(), end="\n\n")

# %% Layers without an activation are one layer: their product.
deep = fnn.mlp(4, 8, 8, 3, activation="identity", output="identity", loss="mse")
params = fnn.init_params(deep, seed=0, dtype=np.float64)
matrix = params[0].weight @ params[1].weight @ params[2].weight
rows = np.random.default_rng(0).standard_normal((5, 4))
off = np.abs(fnn.forward(deep, params, rows) - rows @ matrix).max()
print(f"three linear layers and one {matrix.shape} matrix differ by at most {off:.1e}\n")

# %% Three layers forward, step by step, and what the last one is for. The numbers are those of section 3.4 of Saito,
# "Deep Learning from Scratch", 2016.
arrays: list[ArrayLike] = [
    [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]], [0.1, 0.2, 0.3],
    [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]], [0.1, 0.2],
    [[0.1, 0.3], [0.2, 0.4]], [0.1, 0.2],
]  # fmt: skip
numbers = fnn.mlp(2, 3, 2, 2, activation="sigmoid", output="identity", loss="mse")
classes = fnn.mlp(2, 3, 2, 2, activation="sigmoid", output="softmax", loss="cross_entropy")
for network in (numbers, classes):
    params = fnn.pack_params(network, arrays)
    a = np.array([[1.0, 0.5]])
    for layer, p in zip(network.layers, params, strict=True):
        z = a @ p.weight + p.bias
        print(f"{a.shape} · {p.weight.shape} + {p.bias.shape} = {z.shape}, {layer.activation}: ", end="")
        a = layer.activation.value(z)
        print(a[0].round(8))
    print(f"forward says {fnn.forward(network, params, [[1.0, 0.5]])[0].round(8)}: {network.answers}\n")
