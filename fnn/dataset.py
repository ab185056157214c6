"""Data as it is given, and the batches that a pass takes from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Array, Ints, State, view
from fnn.randomness import SHUFFLE, SPLIT, Address, Key, permutation, words


def _x(value: Any) -> Array:
    return view(checks.rows("Dataset", "x", value, None))


def _y(value: Any) -> Array:
    return view(checks.numeric("Dataset", "y", value))


def _optional(value: Any) -> Array | None:
    return None if value is None else view(np.asarray(value))


def _integers(value: Any) -> Ints | None:
    return None if value is None else view(checks.numeric("Dataset", "rows", value, "ui"))


@attrs.frozen(eq=False, repr=False)
class Dataset(State):
    """Rows of x with their targets, weights and a choice among them; views of what was given, nothing copied.

    x stays in its dtype (pixels as uint8 take a quarter of float32's memory); a batch is made floats when it
    is used. The arrays that were given must not be changed while the data set is in use.

    Args:
        x: shape (n, columns), n at least 1; booleans, integers or floats, all finite.
        y: n targets: shape (n,) or (n, outputs), all finite. Whether they fit a loss is checked when a network
            is trained on them.
        sample_weight: n weights, at least 0 and not all 0, or None: 1 each.
        rows: the indices of the rows that count, in order, each 0 … n − 1; None: all. This is how the parts
            of a split share one x.

    Raises:
        TypeError: for arrays that are not of real numbers.
        ValueError: for lengths that differ, no rows, NaN or infinity, an index out of range.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.zeros((70, 4), np.uint8), np.arange(70) % 3, rows=np.arange(50))
    >>> data, len(data)
    (Dataset(50 of 70 rows of 4 uint8 columns), 50)
    """

    x: Array = attrs.field(converter=_x)
    y: Array = attrs.field(converter=_y)
    sample_weight: Array | None = attrs.field(default=None, converter=_optional)
    rows: Ints | None = attrs.field(default=None, converter=_integers)

    def __attrs_post_init__(self) -> None:
        n = len(self.x)
        for piece in (self.x[start : start + 4096] for start in range(0, n, 4096)):
            checks.finite("Dataset", "x", piece)
        if self.y.ndim not in (1, 2) or len(self.y) != n or self.y.size == 0:
            rule = f"must have shape ({n},) or ({n}, outputs), for as many rows as x has"
            raise checks.problem(ValueError, "Dataset", "y", rule, str(self.y.shape))
        checks.finite("Dataset", "y", self.y)
        if self.sample_weight is not None:
            checks.weights("Dataset", self.sample_weight, n)
        if self.rows is not None:
            rows = self.rows
            if rows.ndim != 1 or rows.size == 0:
                raise checks.problem(
                    ValueError, "Dataset", "rows", "must have shape (m,), m at least 1", str(rows.shape)
                )
            if rows.min() < 0 or rows.max() >= n:
                got = f"a least of {rows.min()}, a most of {rows.max()}"
                raise checks.problem(ValueError, "Dataset", "rows", f"must be indices from 0 to {n - 1}", got)

    def __len__(self) -> int:
        return len(self.x) if self.rows is None else len(self.rows)

    def __repr__(self) -> str:
        n, columns = self.x.shape
        chosen = f"{n:,}" if self.rows is None else f"{len(self):,} of {n:,}"
        return f"Dataset({chosen} rows of {columns:,} {self.x.dtype} columns)"

    def take(self, index: slice | Ints) -> tuple[Array, Array, Array | None]:
        """x, y and the weights of some of the rows that count, by their place among them."""
        rows = index if self.rows is None else self.rows[index]
        w = None if self.sample_weight is None else self.sample_weight[rows]
        return self.x[rows], self.y[rows], w


@attrs.frozen(eq=False)
class Batch(State):
    """What one step is made of.

    Attributes:
        x: shape (rows, columns), in the data's dtype.
        y: the targets of these rows.
        sample_weight: their weights, or None.
        rows: their indices in the data set's x.
        key: where the batch is in the run, which is the address of its dropout masks.

    A batch of one's own, an augmented one say, is `attrs.evolve(batch, x=...)`.
    """

    x: Array = attrs.field(converter=view)
    y: Array = attrs.field(converter=view)
    sample_weight: Array | None = attrs.field(converter=_optional)
    rows: Ints = attrs.field(converter=view)
    key: Key


def weighted_rows(data: Dataset) -> Ints:
    """The places of the rows that can enter a batch: those whose weight is not 0."""
    if data.sample_weight is None:
        return np.arange(len(data))
    return np.flatnonzero(data.sample_weight if data.rows is None else data.sample_weight[data.rows])


def batch_count(data: Dataset, batch_size: int | None) -> int:
    """How many batches an epoch has, a partial last one included."""
    return 1 if batch_size is None else math.ceil(len(weighted_rows(data)) / batch_size)


def batches(data: Dataset, batch_size: int | None = 64, seed: int = 0, epoch: int = 0) -> Iterator[Batch]:
    """The batches of one epoch: all rows once, shuffled, the partial last batch included.

    The order is a pure function of (seed, epoch): epoch 5 is the same whether or not epoch 4 was asked for.
    Rows of weight 0 never enter a batch. The full batch (batch_size None) keeps the rows in their order.

    Args:
        data: the rows.
        batch_size: at least 1; None is all rows at once.
        seed: 0 … 2⁶⁴ − 1.
        epoch: 0, 1, …

    Raises:
        TypeError, ValueError: for arguments that are none of these.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.zeros((10, 2)), np.zeros(10))
    >>> [batch.rows.tolist() for batch in fnn.batches(data, batch_size=4, seed=0, epoch=0)]
    [[7, 8, 6, 2], [9, 3, 1, 0], [4, 5]]
    """
    checks.instance("batches", "data", data, Dataset)
    if batch_size is not None:
        checks.count("batches", "batch_size", batch_size, 1)
    checks.seed("batches", seed)
    checks.count("batches", "epoch", epoch, 0)
    return _batches(data, batch_size, int(seed), int(epoch))


def _batches(data: Dataset, batch_size: int | None, seed: int, epoch: int) -> Iterator[Batch]:
    order = weighted_rows(data)
    if batch_size is None:
        whole = len(order) == len(data)  # then a slice: views instead of a copy of all rows
        yield _batch(data, slice(None) if whole else order, order, Key(seed, epoch, 0))
        return
    order = order[permutation(Address(seed, SHUFFLE, (epoch,)), len(order))]
    for index, start in enumerate(range(0, len(order), batch_size)):
        places = order[start : start + batch_size]
        yield _batch(data, places, places, Key(seed, epoch, index))


def _batch(data: Dataset, index: slice | Ints, places: Ints, key: Key) -> Batch:
    x, y, w = data.take(index)
    return Batch(x, y, w, places if data.rows is None else data.rows[places], key)


def split(data: Dataset, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
    """The rest and a part of the rows, chosen at random and stratified: disjoint, sharing one x.

    Where y holds integer labels, each label keeps its share in both, as scikit-learn's `train_test_split`
    with `stratify` does it, which this calls; other targets are split without strata.

    Args:
        data: the rows.
        fraction: the part's share, in (0, 1); its size is rounded up.
        seed: 0 … 2⁶⁴ − 1.

    Returns:
        (rest, part), each with its rows in the order of the data.

    Raises:
        ValueError: for a fraction that leaves one of them empty, or a label with a single row.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.zeros((100, 2)), np.arange(100) % 4)
    >>> rest, part = fnn.split(data, 0.2, seed=0)
    >>> len(rest), np.bincount(part.y[part.rows]).tolist()
    (80, [5, 5, 5, 5])
    """
    from sklearn.model_selection import train_test_split

    checks.instance("split", "data", data, Dataset)
    checks.seed("split", seed)
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise checks.problem(ValueError, "split", "fraction", "must be a number in (0, 1)", checks.show(fraction))
    rows = np.arange(len(data.x)) if data.rows is None else data.rows
    y = data.y[rows]
    strata = y if y.ndim == 1 and y.dtype.kind in "uib" else None
    random_state = int(words(Address(int(seed), SPLIT, ()), 1)[0] >> np.uint64(32))
    try:
        parts = train_test_split(np.arange(len(rows)), test_size=fraction, stratify=strata, random_state=random_state)
    except ValueError as error:
        raise ValueError(f"split: {error}") from None
    rest, part = (attrs.evolve(data, rows=rows[np.sort(chosen)]) for chosen in parts)
    return rest, part
