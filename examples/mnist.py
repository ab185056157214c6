"""Recognize MNIST's handwritten digits: 60,000 images of 28×28 pixels to train on, 10,000 to test on."""

# %%
import argparse

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--epochs", type=int, default=10, help="how often to go through the training images")
parser.add_argument("--seed", type=int, default=0, help="of the split, the first weights and the shuffles")
options = parser.parse_args()

# %% The data; the pixels stay uint8, and the network scales them.
train, test = fnn.load_mnist(options.data)
network = fnn.mlp(784, 256, 128, 10, input_scale=1 / 255)
print(fnn.summary(network), end="\n\n")

# %% Training, with a sixth of the training images held out, to stop when they get no better.
run = fnn.fit(
    network, train, optimizer=fnn.Adam(1e-3), epochs=options.epochs, seed=options.seed,
    validation=1 / 6, patience=3, progress=True,
)  # fmt: skip
print(fnn.history_table(run), end="\n\n")

# %% The test, with the parameters of the best epoch.
result = fnn.evaluate(network, run.best, test)
print(f"test accuracy {result.accuracy:.4f}, loss {result.loss:.4f} after epoch {run.best_epoch}", end="\n\n")
predicted = fnn.predict(network, run.best, test.x)
print(fnn.classification_report(test.y, predicted), end="\n\n")
print(fnn.confusion_matrix(test.y, predicted))
