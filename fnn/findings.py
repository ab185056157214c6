"""What may be wrong with data, the inputs and the targets, and the record in which that and more is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Array, Floats, Ints
from fnn.backprop import tiles
from fnn.dataset import Dataset, weighted_rows
from fnn.layers import BatchNorm, Dropout, GaussianNoise, LayerNorm
from fnn.network import Network

Kind = Literal[
    "unscaled inputs", "constant columns", "class imbalance", "initial loss", "not finite", "identical units",
    "dead units", "saturation", "vanishing gradient", "exploding gradient", "large updates", "small updates",
    "worse than guessing",
]  # fmt: skip

# Where a finding begins, and how far networks went that learn well, on digits, MNIST, XOR, circles and small tables:
HIGH, LOW = 10.0, 0.01  # standardized 1, MNIST 0.7, diabetes 0.05
BACKGROUND = 0.1  # digits 0.46
RARE = 0.1  # cancer 0.59


@attrs.frozen
class Finding:
    """What may be wrong.

    Attributes:
        kind: "dead units", say.
        message: a sentence that says where, what, and what to try.
    """

    kind: Kind
    message: str


def finding(kind: Kind, where: str, what: str, advice: str) -> Finding:
    """The one grammar of them all."""
    return Finding(kind, f"{where[0].upper()}{where[1:]}: {what}; try {advice}.")


def of_inputs(network: Network, data: Dataset, x: Array, scaled: Floats) -> Iterator[Finding]:
    """What may be wrong with the inputs; x are the rows looked at, and `scaled` what the network gets of them."""
    pixels = checks.is_sparse(x) or x.dtype == np.uint8
    first = next((layer for layer in network.layers if not isinstance(layer, Dropout | GaussianNoise)), None)
    columns: Any = scaled.astype(np.float64)
    size, top = float(np.sqrt((columns * columns).mean(axis=0).max())), float(abs(columns).max())
    small = 0 < size < LOW and top < 10 * LOW  # not what is large in a few rows
    if (small or size > HIGH) and not isinstance(first, BatchNorm | LayerNorm):
        advice = (
            f"input_scale=1/{top / abs(network.input_scale):g}"
            if pixels
            else "fnn.standardize(fnn.standardizer(data), data)"
        )
        yield finding("unscaled inputs", "inputs", f"the largest column's root mean square is {size:.3g}", advice)
    if (same := _constant_columns(data, x)).size:
        what = f"{f'columns {_listed(same)} are' if len(same) > 1 else f'column {same[0]} is'} the same in every row"
        yield finding("constant columns", "inputs", what, "leaving out what tells nothing")


def _constant_columns(data: Dataset, x: Array) -> Ints:
    """The columns of one value in all rows that count, without those that are nothing but background."""
    places, sparse = weighted_rows(data), checks.is_sparse(x)
    parts = (data.take(places[tile])[0] for tile in tiles(len(places)))
    ends = [(part.min(axis=0), part.max(axis=0)) for part in parts]
    low, high = np.array([[end.toarray().ravel() if sparse else end for end in two] for two in ends]).swapaxes(0, 1)
    low, high = low.min(axis=0), high.max(axis=0)
    others, background = x[:, np.flatnonzero(low != high)], [0]
    if not sparse:
        background = [v for v in (0, low.min(), high.max()) if (others == v).sum() > BACKGROUND * others.size]
    return np.flatnonzero((low == high) & ~np.isin(low, background) & (len(places) > 1))


def _listed(indices: Ints) -> str:
    return ", ".join(map(str, indices[:5].tolist())) + (f" and {len(indices) - 5:,} more" if len(indices) > 5 else "")


def of_targets(network: Network, data: Dataset) -> Iterator[Finding]:
    """What may be wrong with the targets."""
    y = data.y if data.rows is None else data.y[data.rows]
    one_hot, classes = y.ndim == 2 and y.shape[1] > 1, max(2, network.outputs)
    if network.answers == "values" or network.multilabel:
        return  # numbers; or several questions, each with its yes or no
    if one_hot and not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
        return
    labels = y.argmax(axis=1) if one_hot else y.ravel()
    if not np.isin(labels, np.arange(classes)).all():
        return
    w = None if data.weights is None else data.weights.astype(np.float64)
    weights = np.bincount(labels.astype(np.int64), w, classes)
    shares = weights / weights.sum()
    rare, common = int(shares.argmin()), int(shares.argmax())
    if shares[rare] == 0:
        what = f"no row is of class {_listed(np.flatnonzero(shares == 0))}"
        yield finding("class imbalance", "targets", what, "adding such rows, or fewer outputs")
    elif shares[rare] < RARE * shares[common]:
        what = f"class {rare} has {shares[rare]:.1%} of the weight and class {common} {shares[common]:.1%}"
        flat = ".argmax(axis=1)" if one_hot else ".ravel()" * (y.ndim == 2) + ".astype(int)" * (y.dtype.kind == "f")
        yield finding("class imbalance", "targets", what, f'sample_weight=fnn.class_weights(y{flat}, "balanced")')
