"""Backpropagation, one step at a time: one sample through 2-3-1, each number checked by the chain rule written out."""

# %%
import argparse

import numpy as np
from numpy.typing import ArrayLike

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="the same: it takes a second")
parser.parse_args()

# %% A network of two inputs, three hidden units and one output, its numbers, and one sample.
network = fnn.mlp(2, 3, 1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
weight1, bias1 = np.array([[0.1, -0.4, 0.8], [0.2, 0.3, -0.5]]), np.array([0.3, -0.1, 0.4])
weight2, bias2 = np.array([[0.5], [-0.7], [0.2]]), np.array([0.1])
params = fnn.pack_params(network, [weight1, bias1, weight2, bias2])
x, y = np.array([[1.0, 2.0]]), np.array([1])
t = fnn.trace(network, params, x, y)
print(t, end="\n\n")
worst = 0.0


def step(name: str, formula: str, by_hand: ArrayLike, traced: ArrayLike) -> None:
    """Print a number that is worked out here beside the one in the trace."""
    global worst
    hand, ours = np.ravel(by_hand), np.ravel(traced)
    worst = max(worst, float(np.abs(hand - ours).max()))
    print(f"{name:8} = {formula:28} {hand.round(6)}  traced {ours.round(6)}")


# %% Forward: each layer's z, and a.
hidden, output = t.layers
z1 = np.array([sum(x[0, i] * weight1[i, j] for i in range(2)) + bias1[j] for j in range(3)])
step("z1", "x · weight1 + bias1", z1, hidden.z)
a1 = (np.exp(z1) - np.exp(-z1)) / (np.exp(z1) + np.exp(-z1))
step("a1", "tanh(z1)", a1, hidden.a)
z2 = sum(a1[j] * weight2[j, 0] for j in range(3)) + bias2[0]
step("z2", "a1 · weight2 + bias2", z2, output.z)
a2 = 1 / (1 + np.exp(-z2))
step("a2", "1 / (1 + exp(-z2))", a2, output.a)
loss = -(y[0] * np.log(a2) + (1 - y[0]) * np.log(1 - a2))
step("loss", "-y ln a2 - (1 - y) ln(1 - a2)", loss, t.loss)

# %% Backward: what the loss does when z2 moves, and from there down, a factor at a time.
print()
d_a2 = -y[0] / a2 + (1 - y[0]) / (1 - a2)
delta2 = d_a2 * a2 * (1 - a2)  # which is a2 - y: the two long factors cancel
step("delta2", "dloss/da2 · a2 (1 - a2)", delta2, output.delta)
step("", "a2 - y", a2 - y[0], output.delta)
step("dweight2", "a1 · delta2", [a1[j] * delta2 for j in range(3)], output.dW)
step("dbias2", "delta2", delta2, output.db)
d_a1 = np.array([weight2[j, 0] * delta2 for j in range(3)])
delta1 = d_a1 * (1 - a1**2)
step("delta1", "weight2 delta2 · (1 - a1²)", delta1, hidden.delta)
step("dweight1", "x · delta1", [[x[0, i] * delta1[j] for j in range(3)] for i in range(2)], hidden.dW)
step("dbias1", "delta1", delta1, hidden.db)

# %% One step downhill, by hand and by the library; and the check that needs no calculus.
rate = 0.5
g = fnn.grads(network, params, x, y)
moved, _ = fnn.sgd_step(fnn.SGD(rate), params, fnn.sgd_init(fnn.SGD(rate), params), g)
print()
step("weight2'", "weight2 - 0.5 dweight2", weight2[:, 0] - rate * a1 * delta2, moved[1].weight)
print(f"\nloss {t.loss:.6f} before the step, {fnn.loss(network, moved, x, y):.6f} after it")
print(f"the largest difference between hand and trace: {worst:.1e}\n")
print(fnn.check_grads(network, params, x, y))
