"""What regularization is worth when data are few: eight ways to train on 1,000 of MNIST's images, five seeds each."""

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import fnn
from fnn import plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figure goes")
parser.add_argument("--seeds", type=int, default=5, help="how often each way is tried, on other images each time")
parser.add_argument("--epochs", type=int, default=100, help="how often to go through the images")
parser.add_argument("--quick", action="store_true", help="two seeds and epochs, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
seeds, epochs = (2, 2) if options.quick else (options.seeds, options.epochs)


# %% Networks that differ in their regularization alone; the one that is stopped early is the first.
def network(
    *, l1: float = 0.0, l2: float = 0.0, dropout: float = 0.0, max_norm: float | None = None, normed: bool = False
) -> fnn.Network:
    dense = fnn.Dense(512, "identity" if normed else "relu", weight_init="he_normal", l1=l1, l2=l2, max_norm=max_norm)
    hidden: tuple[fnn.Layer, ...] = (dense, *[fnn.BatchNorm("relu")] * normed, fnn.Dropout(dropout))
    output = fnn.Dense(10, "softmax", l1=l1, l2=l2)
    layers: tuple[fnn.Layer, ...] = (fnn.Dropout(0.2 * bool(dropout)), *hidden, *hidden, output)
    return fnn.Network(784, layers, loss="cross_entropy", input_scale=1 / 255)


ways = {
    "none": network(),
    "early stopping": network(),
    "L1": network(l1=3e-5),
    "L2": network(l2=3e-3),
    "max-norm": network(max_norm=1.0),
    "batch norm": network(normed=True),
    "dropout": network(dropout=0.5),
    "dropout, max-norm": network(dropout=0.5, max_norm=1.0),
}

# %% Each on the same images and from the same seeds; early stopping holds a fifth of them out.
train, test = fnn.load_mnist(options.data)
scores: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
for seed in range(seeds):
    few = fnn.split(train, min(0.5, 1000 / len(train)), seed=seed)[1]
    most, held_out = fnn.split(few, 0.2, seed=seed)
    for way, spec in ways.items():
        adam, early = fnn.Adam(1e-3), way == "early stopping"
        if early:
            run = fnn.fit(spec, most, optimizer=adam, epochs=epochs, seed=seed, validation=held_out, patience=10)
        else:
            run = fnn.fit(spec, few, optimizer=adam, epochs=epochs, seed=seed)
        params, trained_on = (run.best, most) if early else (run.params, few)
        seen, unseen = (fnn.evaluate(spec, params, part).accuracy or 0.0 for part in (trained_on, test))
        scores[way].append((100 * seen, 100 * unseen))

# %% The gap between the images that were trained on and those that were not.
print("1,000 images, accuracy in %    training          test         gap")
figure = Figure(figsize=(7, 3.4), layout="constrained")
ax = figure.subplots()
for place, (way, pairs) in enumerate(scores.items()):
    (seen, unseen), (_, error) = np.mean(pairs, axis=0), np.std(pairs, axis=0, ddof=1) / len(pairs) ** 0.5
    print(f"{way:28} {seen:10.2f} {unseen:10.2f} ± {error:.2f} {seen - unseen:7.2f}")
    ax.plot([unseen, seen], [place, place], color=plots.GREY, linewidth=1)
    ax.errorbar(unseen, place, xerr=error, fmt="o", color=plots.COLORS[0], capsize=3, label="test" * (not place))
    ax.plot(seen, place, "^", color=plots.COLORS[1], label="training" * (not place))
ax.set(xlabel="accuracy in %", ylabel="way to train")
ax.set_yticks(range(len(ways)), list(ways))
ax.invert_yaxis()
ax.legend(frameon=False, loc="lower left")
figure.savefig(options.out / "regularization.png")
