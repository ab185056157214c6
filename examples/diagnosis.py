"""Six networks that do not learn as they should: what is wrong, what to try, and the accuracy before and after."""

# %%
import argparse

import attrs
import numpy as np

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where MNIST's four IDX files are; without it, on small digits")
parser.add_argument("--quick", action="store_true", help="train for six epochs instead of twenty")
options = parser.parse_args()

# %% The images; and training images with few digits from 5 on, each of which counts the more in a third set.
if options.data:
    (train, test), scale = fnn.load_mnist(options.data), 1 / 255
    train = attrs.evolve(train, rows=np.arange(min(len(train), 10000)))
else:
    (train, test), scale = fnn.split(fnn.load_digits(), 0.2, seed=0), 1 / 16
x, y, _ = train.take()
kept = (y < 5) | (np.cumsum(y >= 5) % 20 == 0)
rare = fnn.Dataset(x[kept], y[kept])
weighted = attrs.evolve(rare, sample_weight=fnn.class_weights(rare.y, "balanced"))


# %% Each network that is ill, its optimizer and its images; and the same after the advice.
def network(*hidden: fnn.Dense, scale: float = scale) -> fnn.Network:
    layers = (*hidden, fnn.Dense(10, "softmax"))
    return fnn.Network(x.shape[1], layers, loss="cross_entropy", input_scale=scale)


Case = tuple[fnn.Network, fnn.Optimizer, fnn.Dataset]
sgd, relu, sigmoid = fnn.SGD(0.1), fnn.Dense(64, "relu"), fnn.Dense(64, "sigmoid")
zeros = fnn.Dense(64, "relu", weight_init="zeros")
plain = network(relu, relu)
cases: dict[str, tuple[Case, Case]] = {
    "pixels as they are": ((network(relu, relu, scale=1.0), sgd, train), (plain, sgd, train)),
    "weights of 0": ((network(zeros, zeros), sgd, train), (plain, sgd, train)),
    "eight layers of sigmoid": ((network(*[sigmoid] * 8), sgd, train), (network(*[relu] * 8), sgd, train)),
    "a learning rate of 1": ((plain, fnn.SGD(1.0), train), (plain, sgd, train)),
    "a learning rate of 10⁻⁶": ((plain, fnn.Adam(1e-6), train), (plain, fnn.Adam(1e-3), train)),
    "few digits from 5 on": ((plain, sgd, rare), (plain, sgd, weighted)),
}


# %% Each is looked at before its first step, and if nothing is found yet, when it is trained.
def look(spec: fnn.Network, optimizer: fnn.Optimizer, images: fnn.Dataset) -> tuple[fnn.Diagnosis, float]:
    begun = fnn.start(spec, optimizer=optimizer)
    first = fnn.diagnose(begun, images)
    run = fnn.fit(spec, images, state=begun, epochs=6 if options.quick else 20)
    return fnn.diagnose(run, images) if first.ok else first, fnn.evaluate(spec, run.params, test).accuracy or 0.0


table = [f"{'test accuracy':24}  before   after  findings left"]
for name, (ill, cured) in cases.items():
    (diagnosis, before), (again, after) = look(*ill), look(*cured)
    print(f"{name}\n{diagnosis}\n")
    table.append(f"{name:24}  {before:.4f}  {after:.4f}  {len(again.findings):13}")

# %%
print("\n".join(table))
