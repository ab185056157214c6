"""What `images.distort` makes of ten digits: shifted, turned, scaled, bent; and the same again from the same key."""

# %%
import argparse
import timeit
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from recipes import bent

import fnn
from fnn import images, plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figure goes")
parser.add_argument("--quick", action="store_true", help="nothing else: it takes a second")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
train = fnn.load_mnist(options.data)[0]

# %% One of each digit, in a batch whose key is the address of all that is drawn.
x, y, _ = train.take()
first = np.unique(y, return_index=True)[1]
batch = fnn.Batch(x[first], y[first], key=fnn.Key(seed=0, epoch=0, batch=0))

# %% Each kind by itself, and all of them as `recipes.py` has them, in three epochs.
kinds = {
    "as they are": images.Distortion(),
    "shift=3": images.Distortion(shift=3),
    "rotate=30": images.Distortion(rotate=30),
    "scale=0.3": images.Distortion(scale=0.3),
    "elastic=34, sigma=4": images.Distortion(elastic=34, sigma=4),
    "elastic=38, sigma=6": images.Distortion(elastic=38, sigma=6),
}
rows = {kind: images.distort(distortion, batch).x for kind, distortion in kinds.items()}
for epoch in range(3):
    later = fnn.Batch(batch.x, batch.y, key=fnn.Key(seed=0, epoch=epoch, batch=0))
    rows[f"all, epoch {epoch}"] = images.distort(bent, later).x
figure = Figure(figsize=(6, 7.2), layout="constrained")
for ax, (kind, pictures) in zip(figure.subplots(len(rows)), rows.items(), strict=True):
    plots.images(pictures, ax).set_title(kind, loc="left", fontsize="small")
figure.savefig(options.out / "distortion.png")

# %% The same key draws the same; and how long a batch of 128 takes.
print("the same again:", np.array_equal(images.distort(bent, batch).x, rows["all, epoch 0"]))
print("another epoch: ", np.array_equal(rows["all, epoch 1"], rows["all, epoch 0"]))
many = fnn.Batch(x[:128], y[:128], key=batch.key)
seconds = timeit.repeat(lambda: images.distort(bent, many), number=1, repeat=10)
print(f"a batch of 128: {1000 * np.median(seconds):.1f} ms")
