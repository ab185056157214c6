"""The whole digit project, on all 70,000 of MNIST's images: look, train, test, and look at what went wrong."""

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
parser.add_argument("--quick", action="store_true", help="two epochs, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
epochs, short = (2, 1) if options.quick else (50, 5)

# %% The data: a fifth for the test, an eighth of the rest to watch, each digit with its share in all three.
files = fnn.load_mnist(options.data)
every = fnn.Dataset(np.concatenate([part.x for part in files]), np.concatenate([part.y for part in files]))
rest, test = fnn.split(every, 0.2, seed=0)
train, held_out = fnn.split(rest, 0.125, seed=0)
counts = fnn.class_counts(train=train, validation=held_out, test=test)
print(counts, end="\n\n")
x, y, _ = train.take(slice(0, 20))
figure = Figure(figsize=(8, 5), layout="constrained")
above, below = figure.subplots(2, 1)
plots.images(x, above, titles=[f"{label}" for label in y])
plots.class_counts(counts, below)
figure.savefig(options.out / "mnist_data.png")

# %% The network and its training; the table has a line for each epoch, with its time.
layers = [fnn.Dense(n, "relu", weight_init="glorot_uniform") for n in (256, 128)]
network = fnn.Network(784, (*layers, fnn.Dense(10, "softmax")), loss="cross_entropy", input_scale=1 / 255)
print(fnn.summary(network), end="\n\n")
run = fnn.fit(
    network, train, optimizer=fnn.Adam(1e-3), batch_size=64, epochs=epochs, validation=held_out, on_epoch=fnn.log_table
)
print(f"\nThe validation loss was least after epoch {run.best_epoch} of {epochs}: run.best are its parameters.")
figure = Figure(figsize=(9, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
plots.history(run, "loss", left)
plots.history(run, "accuracy", right)
figure.savefig(options.out / "mnist_history.png")

# %% The test, which no choice has looked at: the last parameters, those of the best epoch, and the last from a file.
for name, params in (("last", run.params), ("best", run.best)):
    result = fnn.evaluate(network, params, test)
    print(f"{name}: test loss {result.loss:.4f}, accuracy {result.accuracy:.4f}")
x, y, _ = test.take()
p = fnn.forward(network, run.params, x)
fnn.save(options.out / "mnist.safetensors", network, run.params)
print("loaded, it predicts the same:", np.array_equal(fnn.forward(*fnn.load(options.out / "mnist.safetensors"), x), p))
matrix = fnn.confusion_matrix(y, p.argmax(axis=1))
print(f"\n{fnn.classification_report(y, p.argmax(axis=1))}\n")
figure = Figure(figsize=(7, 8.4), layout="constrained")
above, below = figure.subplots(2, 1, height_ratios=(5, 2))
plots.confusion_matrix(matrix, above)
plots.per_class_accuracy(matrix, below)
figure.savefig(options.out / "mnist_confusion.png")

# %% What went wrong: the commonest confusions, mistakes from the surest to the least sure, and five single answers.
wrong = fnn.mistakes(y, p)
print(f"{wrong}; most often", ", ".join(str(pair) for pair in matrix.most_confused(10)), end="\n\n")
figure = Figure(figsize=(6, 7), layout="constrained")
five = [int(np.flatnonzero(y == digit)[0]) for digit in range(1, 10, 2)]
rows = [*wrong.rows[np.linspace(0, len(wrong) - 1, 20).astype(int)], *five]
plots.predictions(x[rows], y[rows], p[rows], figure.subplots())
figure.savefig(options.out / "mnist_mistakes.png")

# %% Other settings, for a few epochs each, by their accuracy on the validation part.
print("hidden     rate    validation accuracy")
for hidden, rate in [(hidden, rate) for hidden in ((64,), (256, 128)) for rate in (1e-2, 1e-3, 1e-4)]:
    spec = fnn.mlp(784, *hidden, 10, input_scale=1 / 255)
    tried = fnn.fit(spec, train, optimizer=fnn.Adam(rate), epochs=short, validation=held_out)
    print(f"{'-'.join(map(str, hidden)):10} {rate:<7} {tried.history[-1].val_accuracy:.4f}")
