"""Activations and losses of a user's own, for the tests."""

from __future__ import annotations

import attrs
import numpy as np

from fnn.arrays import Array, Floats


@attrs.frozen
class Squareplus:
    """½ (z + √(z² + 4)) (Barron 2021)."""

    def value(self, z: Floats) -> Floats:
        return np.asarray(0.5 * (z + np.sqrt(z * z + 4)))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(da * 0.5 * (1 + z / np.sqrt(z * z + 4)))


@attrs.frozen
class OwnSoftmax:
    """Softmax again, so that cross-entropy is computed from probabilities."""

    def value(self, z: Floats) -> Floats:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(a * (da - (a * da).sum(axis=1, keepdims=True)))


@attrs.frozen
class OwnSigmoid:
    """Sigmoid again, so that binary cross-entropy is computed from probabilities."""

    def value(self, z: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-z)))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(da * a * (1 - a))


@attrs.frozen
class OwnExp:
    """The exponential again, so that the loss of counts is computed from their expectations."""

    def value(self, z: Floats) -> Floats:
        return np.asarray(np.exp(z))

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(da * a)


@attrs.frozen
class Quartic:
    """Σ (a − y)⁴."""

    def rows(self, a: Floats, y: Array) -> Floats:
        return np.asarray(((a - y) ** 4).sum(axis=1))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.asarray(4 * (a - y) ** 3)
