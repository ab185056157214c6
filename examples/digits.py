"""Recognize the handwritten digits that scikit-learn embeds: 1,797 images of 8×8 pixels."""

# %%
import argparse

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40, help="how often to go through the training images")
parser.add_argument("--quick", action="store_true", help="five epochs, to see that it runs")
parser.add_argument("--seed", type=int, default=0, help="of the split, the first weights and the shuffles")
options = parser.parse_args()
epochs = 5 if options.quick else options.epochs

# %% The data: 1,437 images to train on and 360 to test on, each digit with its share in both.
train, test = fnn.split(fnn.load_digits(), 0.2, seed=options.seed)

# %% The network, and what it is made of.
network = fnn.mlp(64, 64, 32, 10, input_scale=1 / 16)
print(fnn.summary(network), end="\n\n")

# %% Training, with a tenth of the training images held out to watch.
run = fnn.fit(network, train, optimizer=fnn.Adam(3e-3), epochs=epochs, seed=options.seed, validation=0.1, progress=True)
print(fnn.history_table(run), end="\n\n")

# %% The test: images that the training never saw, and the parameters of the best epoch.
result = fnn.evaluate(network, run.best, test)
print(f"test accuracy {result.accuracy:.4f}, loss {result.loss:.4f} after epoch {run.best_epoch}", end="\n\n")
x, y, _ = test.take()
print(fnn.classification_report(y, fnn.predict(network, run.best, x)))
