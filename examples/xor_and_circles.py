"""Two problems that one line cannot solve: XOR, and a circle within a circle."""

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import make_circles

import fnn
from fnn import plots
from fnn.activations import ActivationName
from fnn.losses import LossName

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figures go")
parser.add_argument("--quick", action="store_true", help="fewer seeds and epochs, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
seeds, epochs = (2, 10) if options.quick else (30, 100)

# %% XOR with four hidden units and all four rows in a step, so that an epoch is one step; the boundary as it forms.
xor = fnn.Dataset([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
network = fnn.mlp(2, 4, 1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
figure = Figure(figsize=(11, 2.9), layout="constrained")
axes = iter(figure.subplots(1, 4))
for run in fnn.train(network, xor, optimizer=fnn.Adam(0.05), batch_size=None):
    if run.epoch in (1, 20, 60, 300):
        ax = plots.decision_boundary(fnn.decision_boundary(network, run.params, xor), next(axes))
        ax.set_title(f"step {run.epoch}: loss {fnn.evaluate(network, run.params, xor).loss:.3f}", fontsize="medium")
        if run.epoch < 300 and (legend := ax.get_legend()):
            legend.remove()
    if run.epoch == 300:
        break
figure.savefig(options.out / "xor.png")
print("XOR:", fnn.predict(network, run.params, xor.x), "where yes is a probability of at least 0.5\n")

# %% How many first weights of thirty lead there, in a thousand steps of Adam at 0.05.
names: tuple[ActivationName, ...] = ("sigmoid", "tanh", "relu")
for name in names:
    network = fnn.mlp(2, 4, 1, activation=name, output="sigmoid", loss="binary_cross_entropy")
    runs = [
        fnn.fit(network, xor, optimizer=fnn.Adam(0.05), batch_size=None, epochs=10 * epochs, seed=seed)
        for seed in range(seeds)
    ]
    solved = sum(bool((fnn.predict(network, run.params, xor.x) == xor.y).all()) for run in runs)
    print(f"XOR with {name}: {solved} of {seeds} seeds")

# %% Circles: 400 points to train on and 100 to test on; the loss that is printed is the loss that is descended.
points, labels = make_circles(500, noise=0.1, factor=0.5, random_state=0)
train, test = fnn.split(fnn.Dataset(points, labels), 0.2, seed=0)
figure = Figure(figsize=(10.5, 3.4), layout="constrained")
first, second, last = figure.subplots(1, 3)
runs_of = {}
losses: tuple[LossName, ...] = ("binary_cross_entropy", "mse")
print("\ncircles, descended by    accuracy    cross-entropy    squared error")
for loss, ax in zip(losses, (first, second), strict=True):
    title = "cross-entropy" if loss == "binary_cross_entropy" else "squared error"
    network = fnn.mlp(2, 16, 8, 1, output="sigmoid", loss=loss)
    run = fnn.fit(network, train, optimizer=fnn.Adam(1e-2), batch_size=32, epochs=epochs, validation=test)
    runs_of[title] = run
    x, y, _ = test.take()
    p = fnn.forward(network, run.params, x)[:, 0]
    accuracy = fnn.accuracy(y, fnn.predict(network, run.params, x))
    error = np.mean((p - y) ** 2)
    print(f"{title:24} {accuracy:8.3f} {fnn.log_loss(y, p):16.4f} {error:16.4f}")
    plots.decision_boundary(fnn.decision_boundary(network, run.params, test), ax).set_title(f"by {title}")
plots.compare(runs_of, "val_accuracy", last).set_ylabel("test accuracy")
figure.savefig(options.out / "circles.png")
