"""A network before it is trained: how fast it answers, why one answer in ten is right, what training changes."""

# %%
import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split

import fnn
from fnn import plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figure goes")
parser.add_argument("--quick", action="store_true", help="one epoch, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

# %% All images, a fifth of them for the test; three matrices of 0.01 · a standard normal, and biases of 0.
files = fnn.load_mnist(options.data)
x, y = np.concatenate([part.x for part in files]), np.concatenate([part.y for part in files])
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
network = fnn.mlp(784, 50, 50, 10, activation="sigmoid", input_scale=1 / 255)
np.random.seed(42)
shapes = [(784, 50), (50, 50), (50, 10)]
arrays = [array for shape in shapes for array in (0.01 * np.random.randn(*shape), np.zeros(shape[1]))]
params = fnn.pack_params(network, arrays, dtype=np.float32)

# %% The same answers one image at a time, in batches of 100, and all at once; and how many images a second.
answers, seconds = {}, {}
for size in (1, 100, len(x_test)):
    begun = perf_counter()
    parts = [fnn.predict(network, params, x_test[i : i + size]) for i in range(0, len(x_test), size)]
    seconds[size], answers[size] = perf_counter() - begun, np.concatenate(parts)
for size, time in seconds.items():
    same = np.array_equal(answers[size], answers[100])
    print(f"{size:6,} at a time: {len(x_test) / time:9,.0f} images a second, the same answers: {same}")

# %% The running accuracy, after every 100 images.
right = answers[100] == y_test
running = np.cumsum(right) / np.arange(1, len(right) + 1)
print("\naccuracy so far:", " ".join(f"{share:.4f}" for share in running[99:2100:100]))

# %% It does not guess: it says nearly the same to every image, and a tenth of the images happen to be that.
said = np.bincount(answers[100], minlength=10)
p = fnn.forward(network, params, x_test)
most = int(said.argmax())
print(f"\nit says {most} to {said[most]:,} of {len(x_test):,} images, and {(y_test == most).sum():,} of them are")
print(f"its probabilities differ from image to image by at most {np.ptp(p, axis=0).max():.1e}")
print(f"loss {fnn.log_loss(y_test, p):.4f}; that of ten equal probabilities is ln 10 = {np.log(10):.4f}\n")

# %% Trained from these same numbers.
run = fnn.fit(
    network, fnn.Dataset(x_train, y_train), params=params, optimizer=fnn.Adam(1e-3), batch_size=100,
    epochs=1 if options.quick else 20, validation=fnn.Dataset(x_test, y_test), on_epoch=fnn.log_table,
)  # fmt: skip
figure = Figure(figsize=(9, 3.2), layout="constrained")
left, right_axes = figure.subplots(1, 2)
left.plot(np.arange(1, len(running) + 1), running, color=plots.COLORS[0])
left.set(xlabel="images so far", ylabel="accuracy", title="before training", ylim=(0, 0.3))
plots.history(run, "accuracy", right_axes).set(title="in training", ylim=(0, 1.02))
figure.savefig(options.out / "untrained.png")
