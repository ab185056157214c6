"""What the layers see: activations of ten digits, the first layer's weights as images, the pixels behind an answer."""

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import fnn
from fnn import plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figures go")
parser.add_argument("--quick", action="store_true", help="one epoch, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

# %% A network to look into. Its l2 keeps the weights of pixels that say nothing near 0.
train, test = fnn.load_mnist(options.data)
layers = (fnn.Dense(48, "relu", l2=1e-4), fnn.Dense(24, "relu", l2=1e-4), fnn.Dense(10, "softmax", l2=1e-4))
network = fnn.Network(784, layers, loss="cross_entropy", input_scale=1 / 255)
run = fnn.fit(network, train, optimizer=fnn.Adam(2e-3), batch_size=128, epochs=1 if options.quick else 8)
print(f"test accuracy {fnn.evaluate(network, run.params, test).accuracy:.4f}\n")

# %% The activations of one image of each digit, layer by layer: the deeper, the nearer to one unit for one digit.
rows = [int(np.flatnonzero(test.y == digit)[0]) for digit in range(10)]
x, y = test.x[rows], test.y[rows]
t = fnn.trace(network, run.params, x, y)
print(t, end="\n\n")
figure = Figure(figsize=(9, 8), layout="constrained")
for i, (ax, layer) in enumerate(zip(figure.subplots(3, 1), t.layers, strict=True)):
    plots.heat_map(layer.a, ax, rows=y.tolist(), label="activation").set(title=f"{i} {layer.layer}", ylabel="digit")
    print(f"{layer.layer}: {(layer.a == 0).mean():.0%} of the activations are 0")
figure.savefig(options.out / "inside_activations.png")

# %% The weights of the first layer, a picture for each unit: what it looks for in red, what speaks against it in blue.
figure = Figure(figsize=(9, 3.9), layout="constrained")
units = [str(unit) for unit in range(48)]
plots.images(run.params[0].weight.T, figure.subplots(), titles=units, columns=12, label="weight")
figure.savefig(options.out / "inside_weights.png")

# %% Which pixels an answer hangs on: the gradient of the answer's logit, and of the second best's.
p = fnn.forward(network, run.params, x)
second = np.argsort(p, axis=1)[:, -2]
figure = Figure(figsize=(9, 4.8), layout="constrained")
above, middle, below = figure.subplots(3, 1)
slope = "∂logit / ∂pixel"
plots.predictions(x[:6], y[:6], p[:6], above, columns=6)
plots.images(fnn.saliency(network, run.params, x[:6]), middle, titles=["for the answer"] * 6, label=slope)
second_best = fnn.saliency(network, run.params, x[:6], second[:6])
plots.images(second_best, below, titles=[f"for {c}" for c in second[:6]], label=slope)
figure.savefig(options.out / "inside_saliency.png")

# %% It is a derivative: a small change of the pixels moves the logit by just that.
derivative = fnn.saliency(network, run.params, x[:1])[0]
pixel = int(np.abs(derivative).argmax())
moved = x[:1].astype(np.float64)
moved[0, pixel] += 1
answer = int(p[0].argmax())
before, after = (fnn.trace(network, run.params, each, y[:1]).layers[-1].z[0, answer] for each in (x[:1], moved))
print(f"\none grey level more in pixel {pixel} moves the logit by {after - before:.5f};", end=" ")
print(f"the derivative says {derivative[pixel]:.5f}")
