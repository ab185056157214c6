"""What regularization is worth when data are few: five ways to train on 1,000 of MNIST's images, five seeds each."""

# %%
import argparse

import numpy as np

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--seeds", type=int, default=5, help="how often each way is tried, on other images each time")
parser.add_argument("--epochs", type=int, default=100, help="how often to go through the images")
options = parser.parse_args()


# %% Five networks that differ in their regularization alone; the last is the first, stopped early.
def network(*, l2: float = 0.0, dropout: float = 0.0, max_norm: float | None = None) -> fnn.Network:
    dense = fnn.Dense(512, "relu", l2=l2, max_norm=max_norm)
    layers = (fnn.Dropout(0.2 * bool(dropout)), dense, fnn.Dropout(dropout), dense, fnn.Dropout(dropout))
    return fnn.Network(784, (*layers, fnn.Dense(10, "softmax", l2=l2)), loss="cross_entropy", input_scale=1 / 255)


ways = {
    "none": network(),
    "early stopping": network(),
    "L2": network(l2=3e-3),
    "dropout": network(dropout=0.5),
    "dropout, max-norm": network(dropout=0.5, max_norm=1.0),
}

# %% Each on the same images and from the same seeds; early stopping holds a fifth of them out.
train, test = fnn.load_mnist(options.data)
accuracies: dict[str, list[float]] = {way: [] for way in ways}
for seed in range(options.seeds):
    few = fnn.split(train, 1000 / len(train), seed=seed)[1]
    for way, spec in ways.items():
        early = way == "early stopping"
        run = fnn.fit(
            spec, few, optimizer=fnn.Adam(1e-3), epochs=options.epochs, seed=seed,
            validation=0.2 if early else None, patience=10 if early else None,
        )  # fmt: skip
        params = run.best if early else run.params
        accuracies[way].append(fnn.evaluate(spec, params, test).accuracy or 0.0)

# %%
print("1,000 images, test accuracy in %")
for way, values in accuracies.items():
    mean, error = 100 * np.mean(values), 100 * np.std(values, ddof=1) / len(values) ** 0.5
    print(f"{way:18} {mean:6.2f} ± {error:.2f}")
