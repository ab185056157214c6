"""A whole pass through dense layers at once, whose activations are relu or none, in NumPy.

The bits are those of layer by layer; `fnn.stacked` has `forward` and `backward` compiled, to the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from fnn import kernels, plain
from fnn.arrays import Floats


def last_z(x: Floats, layers: Iterable[Any], relus: Iterable[bool]) -> Floats:
    """The last z of dense layers, given their weights and biases: x · weight + bias, and relu where it is said."""
    for p, is_relu in zip(layers, relus, strict=True):
        x = kernels.product(x, p.weight)
        x += p.bias
        if is_relu:
            np.maximum(x, np.zeros(x.shape[1:], x.dtype), out=x)
    return x


def _layers(vector: Floats, widths: tuple[int, ...]) -> list[tuple[Floats, Floats]]:
    """Each layer's weight and bias."""
    views, at = [], 0
    for inputs, units in pairwise(widths):
        middle, end = at + inputs * units, at + inputs * units + units
        views.append((vector[at:middle].reshape(inputs, units), vector[middle:end]))
        at = end
    return views


def _outputs(work: Floats, n: int, widths: tuple[int, ...]) -> list[Floats]:
    """Each layer's outputs."""
    ends = list(accumulate([n * units for units in widths], initial=-n * widths[0]))
    return [work[at:end].reshape(n, -1) for at, end in pairwise(ends[1:])]


def _masked(masks: Floats, n: int, widths: tuple[int, ...], drops: tuple[bool, ...]) -> list[Floats | None]:
    """Each layer's mask, where it has one."""
    views: list[Floats | None] = []
    at = 0
    for units, drop in zip(widths[1:], drops, strict=True):
        views.append(masks[at : at + n * units].reshape(n, units) if drop else None)
        at += n * units * drop
    return views


def forward(
    x: Floats, vector: Floats, widths: tuple[int, ...], relus: tuple[bool, ...], drops: tuple[bool, ...],
    masks: Floats, work: Floats,
) -> None:  # fmt: skip
    """Write each dense layer's outputs into `work`; the last layer's are before its activation."""
    layers, outputs = _layers(vector, widths), _outputs(work, len(x), widths)
    for (weight, bias), z, is_relu, mask in zip(
        layers, outputs, relus, _masked(masks, len(x), widths, drops), strict=True
    ):
        kernels.product(x, weight, z)
        np.add(z, bias, out=z)
        if is_relu:
            np.maximum(z, np.zeros(z.shape[1:], z.dtype), out=z)
        if mask is not None:
            np.multiply(z, mask, out=z)
        x = z


def backward(
    x: Floats, vector: Floats, widths: tuple[int, ...], relus: tuple[bool, ...], drops: tuple[bool, ...],
    masks: Floats, work: Floats, dz: Floats, spare: Floats, g: Floats,
) -> None:  # fmt: skip
    """Write the gradient into g, from the derivative by the last z; `spare` has two rows for the others'."""
    weights, sums, n = _layers(vector, widths), _layers(g, widths), len(x)
    inputs, kept = [x, *_outputs(work, n, widths)], _masked(masks, n, widths, drops)
    for layer in reversed(range(len(weights))):
        kernels.weight_gradient(inputs[layer], dz, sums[layer][0])
        plain.column_sums(dz, sums[layer][1])
        if layer:
            da = spare[layer % 2, : n * widths[layer]].reshape(n, -1)
            dz, mask = kernels.product(dz, weights[layer][0].T, da), kept[layer - 1]
            if mask is not None:
                np.multiply(da, mask, out=da)
            if relus[layer - 1]:
                np.multiply(da, inputs[layer] > 0, out=da)
