"""Optimizers and initial weights side by side: the same network, the same seed, the same batches."""

# %%
import argparse
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

import fnn
from fnn import plots
from fnn.activations import ActivationName
from fnn.initializers import InitializerName

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figures go")
parser.add_argument("--quick", action="store_true", help="one epoch, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
epochs = 1 if options.quick else 12

# %% A fifth of the training images, and a tenth to watch.
every, test = fnn.load_mnist(options.data)
train, rest = fnn.split(every, 0.8, seed=0)
held_out = fnn.split(rest, 0.125, seed=0)[1]

# %% Six optimizers, each at the best of five rates on the images to watch.
optimizers: dict[str, Callable[[float], fnn.Optimizer]] = {
    "SGD": lambda rate: fnn.SGD(30 * rate),
    "momentum": lambda rate: fnn.Momentum(10 * rate, momentum=0.9),
    "Nesterov": lambda rate: fnn.Momentum(10 * rate, momentum=0.9, nesterov=True),
    "RMSProp": lambda rate: fnn.RMSProp(rate),
    "Adam": lambda rate: fnn.Adam(rate),
    "AdamW": lambda rate: fnn.AdamW(rate, weight_decay=0.05),
}
network = fnn.mlp(784, 128, 64, 10, input_scale=1 / 255)
rates = (1e-3,) if options.quick else (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
runs = {}
print("optimizer  learning rate   validation: epoch 1, best, its epoch; test")


def top(run: fnn.TrainState) -> float:
    """The best validation accuracy of any epoch."""
    return run.history[run.best_epoch - 1].val_accuracy or 0.0


for name, optimizer in optimizers.items():
    tried = [
        fnn.fit(network, train, optimizer=optimizer(rate), epochs=epochs, validation=held_out, monitor="val_accuracy")
        for rate in rates
    ]
    best = max(range(len(rates)), key=lambda i: top(tried[i]))
    run = runs[name] = tried[best]
    final = fnn.evaluate(network, run.best, test).accuracy
    first = run.history[0].val_accuracy
    rate = getattr(run.recipe.optimizer, "learning_rate", None)
    print(f"{name:10} {rate:13g} {first:9.4f} {top(run):9.4f} {run.best_epoch:5} {final:9.4f}")
figure = Figure(figsize=(9.5, 3.6), layout="constrained")
left, right = figure.subplots(1, 2)
plots.compare(runs, "loss", left).set_yscale("log")
plots.compare(runs, "val_accuracy", right)
figure.savefig(options.out / "optimizers.png")

# %% First weights, with ReLU and with tanh, by plain SGD, which forgives the least.
names: tuple[InitializerName, ...] = ("he_normal", "glorot_uniform", "lecun_normal", "orthogonal")
print("\nvalidation accuracy after", epochs, "epochs of SGD(0.1), five layers")
figure = Figure(figsize=(9.5, 3.6), layout="constrained")
activations: tuple[ActivationName, ...] = ("relu", "tanh")
for ax, activation in zip(figure.subplots(1, 2, sharey=True), activations, strict=True):
    runs = {}
    for init in (*names, fnn.ScaledNormal(0.01), fnn.ScaledNormal(0.3)):
        layers = [fnn.Dense(64, activation, weight_init=init) for _ in range(4)]
        network = fnn.Network(784, (*layers, fnn.Dense(10, "softmax")), loss="cross_entropy", input_scale=1 / 255)
        run = fnn.fit(network, train, optimizer=fnn.SGD(0.1), epochs=epochs, validation=held_out)
        runs[str(init)] = run
        print(f"{activation} {init!s:20} {run.history[-1].val_accuracy:.4f}")
    plots.compare(runs, "val_accuracy", ax).set_title(activation, fontsize="medium")
figure.savefig(options.out / "initializers.png")
