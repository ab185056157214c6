"""Data as it is given, and the batches that a pass takes from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import attrs
import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Ints, Rows, State, view
from fnn.randomness import SHUFFLE, Address, Key, permutation


def _given(value: Rows) -> Array:
    """What may be given for an array; the record, which knows its name, makes an array of it."""
    return cast(Array, value)


def _given_or_none(value: ArrayLike | None) -> Array | None:
    return cast(Array | None, value)


def _hold_views(record: Any) -> None:
    """Put a read-only view in place of each array; refuse what is none of numbers."""
    where = type(record).__name__
    for name in ("x", "y", "sample_weight", "rows"):
        value = getattr(record, name)
        if name == "x" and checks.is_sparse(value):
            value = checks.rows(where, name, value, None)
        elif value is not None or name in ("x", "y"):
            value = checks.numeric(where, name, value, "ui" if name == "rows" else "buif")
        object.__setattr__(record, name, None if value is None else view(value))


@attrs.frozen(eq=False, repr=False)
class Dataset(State):
    """Rows of x with their targets, weights and a choice among them; views of what was given, nothing copied.

    x stays in its dtype (pixels as uint8 take a quarter of float32's memory); a batch is made floats when it
    is used. The arrays that were given must not be changed while the data set is in use. A data frame's columns are
    taken in the order they come; whoever names columns checks them.

    `data.x` and `data.y` are always all rows; those that count are `x, y, sample_weight = data.take()`.

    Args:
        x: shape (n, columns), n at least 1; booleans, integers or floats, all finite. A memory-mapped file is looked
            through once and then read batch by batch; one of scipy's sparse arrays is kept by rows (CSR).
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

    x: Array = attrs.field(converter=_given)
    y: Array = attrs.field(converter=_given)
    sample_weight: Array | None = attrs.field(default=None, converter=_given_or_none)
    rows: Ints | None = attrs.field(default=None, converter=_given_or_none)
    _finite_x: Array | None = attrs.field(default=None, alias="_finite_x", metadata={"digest": False})

    def __attrs_post_init__(self) -> None:
        known = self.x is self._finite_x  # handed on with it by evolve: a large file is looked through once
        _hold_views(self)
        n = checks.rows("Dataset", "x", self.x, None).shape[0]
        for start in range(0, 0 if known else n, 4096):
            checks.finite("Dataset", "x", self.x[start : start + 4096], start)
        object.__setattr__(self, "_finite_x", self.x)
        if self.y.ndim not in (1, 2) or len(self.y) != n or self.y.size == 0:
            rule = f"must have shape ({n},) or ({n}, outputs), for as many rows as x has"
            raise checks.problem(ValueError, "Dataset", "y", rule, str(self.y.shape))
        checks.finite("Dataset", "y", self.y)
        if self.rows is not None:
            if self.rows.ndim != 1 or self.rows.size == 0:
                rule = "must have shape (m,), m at least 1"
                raise checks.problem(ValueError, "Dataset", "rows", rule, str(self.rows.shape))
            if self.rows.min() < 0 or self.rows.max() >= n:
                got = f"a least of {self.rows.min()}, a most of {self.rows.max()}"
                raise checks.problem(ValueError, "Dataset", "rows", f"must be indices from 0 to {n - 1}", got)
        if self.sample_weight is not None:
            checks.weights("Dataset", self.sample_weight, n)
            if not len(weighted_rows(self)):
                rule = "must be above 0 for one of `rows`"
                raise checks.problem(ValueError, "Dataset", "sample_weight", rule, "0 for all of them")

    def __len__(self) -> int:
        return self.x.shape[0] if self.rows is None else len(self.rows)

    def __repr__(self) -> str:
        n, columns = self.x.shape
        chosen = f"{n:,}" if self.rows is None else f"{len(self):,} of {n:,}"
        kind = f"{'sparse ' * checks.is_sparse(self.x)}{self.x.dtype}"
        return f"Dataset({chosen} rows of {columns:,} {kind} columns)"

    @property
    def weights(self) -> Array | None:
        """The weights of the rows that count, or None."""
        return self.sample_weight if self.sample_weight is None or self.rows is None else self.sample_weight[self.rows]

    def take(self, index: slice | Ints = slice(None)) -> tuple[Array, Array, Array | None]:
        """x, y and the weights of the rows that count, or of some by their place among them."""
        rows = index if self.rows is None else self.rows[index]
        w = None if self.sample_weight is None else self.sample_weight[rows]
        return self.x[rows], self.y[rows], w


@attrs.frozen(eq=False, repr=False)
class Batch(State):
    """What one step is made of: from `batches`, or of one's own.

    A batch of one's own, from a generator say, is `Batch(x, y, key=run.key)`; an augmented one is
    `attrs.evolve(batch, x=...)`.

    Attributes:
        x: shape (rows, columns), in the data's dtype.
        y: the targets of these rows.
        sample_weight: their weights, or None.
        rows: their indices in the data set's x; 0, 1, … in a batch of one's own.
        key: where the batch is in the run, which is the address of all that is drawn for it.
    """

    x: Array = attrs.field(converter=_given)
    y: Array = attrs.field(converter=_given)
    sample_weight: Array | None = attrs.field(default=None, converter=_given_or_none)
    rows: Ints = attrs.field(default=None, converter=_given)
    key: Key = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        _hold_views(self)
        if self.rows is None:
            object.__setattr__(self, "rows", view(np.arange(self.x.shape[0] if self.x.ndim else 0)))
        checks.instance("Batch", "key", self.key, Key)


def weighted_rows(data: Dataset) -> Ints:
    """The places of the rows that can enter a batch: those whose weight is not 0."""
    return np.arange(len(data)) if data.weights is None else np.flatnonzero(data.weights)


def batch_count(data: Dataset, batch_size: int | None) -> int:
    """How many batches an epoch has, a partial last one included."""
    return 1 if batch_size is None else math.ceil(len(weighted_rows(data)) / batch_size)


def batches(
    data: Dataset, batch_size: int | None = 64, seed: int = 0, epoch: int = 0, *, shuffle: bool = True
) -> Iterator[Batch]:
    """The batches of one epoch: all rows of weight above 0 once, shuffled, the partial last batch included.

    The order is a pure function of (seed, epoch): epoch 5 is the same whether or not epoch 4 was asked for.
    The full batch (batch_size None) keeps the rows in their order.

    Args:
        data: the rows.
        batch_size: at least 1; None is all rows at once.
        seed: 0 … 2⁶⁴ − 1.
        epoch: 0 … 2⁶⁴ − 1.
        shuffle: False keeps the rows in their order.

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
    checks.word("batches", "seed", seed)
    checks.word("batches", "epoch", epoch)
    checks.instance("batches", "shuffle", shuffle, bool)
    return _batches(data, None if batch_size is None else int(batch_size), int(seed), int(epoch), shuffle=shuffle)


def _batches(data: Dataset, batch_size: int | None, seed: int, epoch: int, *, shuffle: bool) -> Iterator[Batch]:
    for index, places in enumerate(order(data, batch_size, seed, epoch, shuffle=shuffle)[1]):
        yield batch_of(data, places, Key(seed, epoch, index))


def order(
    data: Dataset, batch_size: int | None, seed: int, epoch: int, *, shuffle: bool
) -> tuple[Ints, list[slice | Ints]]:
    """The places of an epoch's rows among those that count, shuffled or not, and those of each batch."""
    places = weighted_rows(data)
    if batch_size is None:
        # a slice: views instead of a copy of all rows
        return places, [slice(None) if len(places) == len(data) else places]
    if shuffle:
        places = places[permutation(Address(seed, SHUFFLE, (epoch,)), len(places))]
    return places, [places[start : start + batch_size] for start in range(0, len(places), batch_size)]


def batch_of(data: Dataset, places: slice | Ints, key: Key) -> Batch:
    """The batch of the rows at these places."""
    x, y, w = data.take(places)
    rows = np.arange(len(data)) if isinstance(places, slice) else places
    return Batch(x, y, w, rows if data.rows is None else data.rows[rows], key=key)
