"""Labels and columns looked at and made ready: how many of each class, one-hot targets, weights, standard columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, overload

import attrs
import numpy as np
from numpy.typing import ArrayLike

from fnn import checks
from fnn.arrays import Array, Floats, Ints, State, sealed
from fnn.backprop import tiles
from fnn.dataset import Dataset, weighted_rows
from fnn.tables import table


@attrs.frozen(eq=False, repr=False)
class ClassCounts(State):
    """How many rows of each class there are, in one or more parts; prints as a table.

    Attributes:
        parts: their names.
        labels: the classes that occur in any part, in order.
        counts: shape (parts, classes).
    """

    parts: tuple[str, ...]
    labels: tuple[int, ...]
    counts: Ints = attrs.field(converter=sealed)

    def __str__(self) -> str:
        rows = [[str(label), *counts] for label, counts in zip(self.labels, self.counts.T, strict=True)]
        return table(["class", *self.parts], [*rows, ["all", *self.counts.sum(axis=1)]])


def class_counts(rows: Dataset | ArrayLike | None = None, /, **parts: Dataset | ArrayLike) -> ClassCounts:
    """How many rows of each class there are; or in each of several parts, under the name that it is given by.

    Args:
        rows: a data set, whose own rows are counted, whatever their weight; or labels: n integers or booleans.
        parts: more of these.

    Raises:
        TypeError: for labels that are not integers or booleans.
        ValueError: for no part, a shape other than (n,), no rows, or labels of 2⁶³ and more.

    >>> import fnn
    >>> print(fnn.class_counts(train=[0, 0, 1, 2], test=[2, 0]))
    class  train  test
    0          2     1
    1          1     0
    2          1     1
    all        4     2
    """
    if rows is not None:
        if "rows" in parts:
            raise checks.problem(TypeError, "class_counts", "rows", "must be given once", "two of them")
        parts = {"rows": rows, **parts}
    if not parts:
        fix = "As in `class_counts(train=train, test=test)`."
        raise checks.problem(ValueError, "class_counts", "parts", "must be at least one", "none", fix)
    columns = []
    for name, part in parts.items():
        if isinstance(part, Dataset):
            part = part.y if part.rows is None else part.y[part.rows]
        labels = checks.numeric("class_counts", name, part, "bui")
        _check_column("class_counts", labels, name)
        if int(labels.max()) >= 2**63:
            raise checks.problem(ValueError, "class_counts", name, "must be labels below 2**63", str(labels.max()))
        columns.append(labels.astype(np.int64))
    labels = np.unique(np.concatenate(columns))
    counts = [np.bincount(np.searchsorted(labels, y), minlength=len(labels)) for y in columns]
    return ClassCounts(tuple(parts), tuple(map(int, labels)), np.array(counts))


def one_hot(y: ArrayLike, classes: int) -> Floats:
    """A row of zeros for each label, with a one at its place: the targets of a loss that wants (n, classes).

    Args:
        y: n integer labels 0 … classes − 1.
        classes: how many, at least 1.

    Returns:
        Shape (n, classes), float32.

    Raises:
        TypeError: for labels, or a number of classes, that are not integers.
        ValueError: for a shape other than (n,), no rows, or a label out of range.

    >>> import fnn
    >>> fnn.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = checks.numeric("one_hot", "y", y)
    _check_column("one_hot", labels)
    checks.count("one_hot", "classes", classes, 1)
    checks.labels("one_hot", "y", labels, classes)
    rows: Floats = (labels[:, None] == np.arange(classes)).astype(np.float32)
    return rows


def class_weights(y: ArrayLike, weights: Literal["balanced"] | Mapping[int, float]) -> Floats:
    """The weight of each row's label: the `sample_weight` of a `Dataset` with these labels.

    "balanced" is n / (classes · rows with the label), over the labels that occur, so that each label weighs the
    same and the weights sum to n: scikit-learn's `compute_sample_weight`, after King and Zeng, "Logistic regression
    in rare events data", 2001. A row of weight 0 never enters one of `batches`. A part of a split has all rows' labels:
    `attrs.evolve(part, sample_weight=class_weights(part.y, "balanced"))`.

    Args:
        y: n labels, integers or booleans.
        weights: "balanced", or a mapping from each label of y to its weight, finite and at least 0.

    Returns:
        Shape (n,), float64.

    Raises:
        TypeError: for labels that are not integers or booleans, or weights that are no mapping or not of numbers.
        ValueError: for a shape other than (n,), no rows, a label without a weight, or a weight below 0 or not finite.

    >>> import fnn
    >>> fnn.class_weights([0, 0, 0, 1], "balanced").round(6)
    array([0.666667, 0.666667, 0.666667, 2.      ])
    >>> fnn.class_weights([0, 0, 0, 1], {0: 1, 1: 2.5})
    array([1. , 1. , 1. , 2.5])
    """
    labels = checks.numeric("class_weights", "y", y, "bui")
    _check_column("class_weights", labels)
    present, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(weights, Mapping):
        each = np.array([_weight(weights, label) for label in present.tolist()])
    elif isinstance(weights, str) and weights == "balanced":
        each = len(labels) / (len(present) * counts)
    else:
        kind = ValueError if isinstance(weights, str) else TypeError
        rule = "must be 'balanced' or a mapping from label to weight"
        raise checks.problem(kind, "class_weights", "weights", rule, checks.show(weights))
    return each[place]


def _weight(weights: Mapping[int, float], label: int) -> float:
    if label not in weights:
        rule = "must have a weight for each label of `y`"
        raise checks.problem(ValueError, "class_weights", "weights", rule, f"none for {label}")
    name, rule = f"weights[{label}]", "finite number of at least 0"
    return checks.number("class_weights", name, weights[label], rule, lambda value: value >= 0)


def _check_column(where: str, y: Array, name: str = "y") -> None:
    if y.ndim != 1 or y.size == 0:
        fix = f"A column of labels is made flat by `{name}.ravel()`." if y.ndim == 2 and y.shape[1] == 1 else ""
        raise checks.problem(ValueError, where, name, "must have shape (n,), n at least 1", str(y.shape), fix)


@attrs.frozen(eq=False, repr=False)
class Standardizer(State):
    """What `standardize` takes from each column, and what it divides it by.

    Attributes:
        mean: the columns' means, shape (columns,), float64.
        scale: their standard deviations, above 0, shape (columns,), float64.
    """

    mean: Floats = attrs.field(converter=sealed)
    scale: Floats = attrs.field(converter=sealed)

    def __attrs_post_init__(self) -> None:
        for name in ("mean", "scale"):
            array = getattr(self, name)
            if array.dtype != np.float64:
                raise checks.problem(TypeError, "Standardizer", name, "must be an array of float64", checks.show(array))
            if array.ndim != 1 or array.shape != self.mean.shape:
                rule = "must have shape (columns,)" if name == "mean" else f"must have shape {self.mean.shape}"
                raise checks.problem(ValueError, "Standardizer", name, rule, str(array.shape))
            checks.finite("Standardizer", name, array)
        if (self.scale <= 0).any():
            raise checks.problem(
                ValueError, "Standardizer", "scale", "must be above 0", f"a least of {self.scale.min()}"
            )


def standardizer(data: Dataset) -> Standardizer:
    """The mean and the standard deviation of each column, over the rows of a data set that count.

    mean = Σ w·x / Σ w; scale = √(Σ w·(x − mean)² / Σ w), the biased one, and 1 for a column that is constant to
    within rounding: scikit-learn's `StandardScaler`, which is given the rows piece by piece, so that a memory-mapped
    x is never whole in memory. Weights count by their ratios.

    Args:
        data: the rows, with their weights.

    Raises:
        TypeError: for what is no `Dataset`, or one of sparse x.
        ValueError: for a column whose variance overflows.

    >>> import fnn
    >>> fnn.standardizer(fnn.Dataset([[1, 7], [2, 7], [3, 7]], [0, 1, 0]))
    Standardizer(mean=[2.0, 7.0], scale=[0.816496580927726, 1.0])
    """
    from sklearn.preprocessing import StandardScaler

    checks.instance("standardizer", "data", data, Dataset, "Make one with `Dataset(x, y)`.")
    _check_dense("standardizer", "data.x", data.x)
    places = weighted_rows(data)
    w = None if data.weights is None else data.weights[places].astype(np.float64)
    w = None if w is None else w / w.mean()
    scaler = StandardScaler()
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is refused below
        for tile in tiles(len(places)):
            scaler.partial_fit(data.take(places[tile])[0].astype(np.float64), None, None if w is None else w[tile])
    bad = np.flatnonzero(~np.isfinite(scaler.var_))
    if len(bad):
        got = f"{scaler.var_[bad[0]]} in column {bad[0]}"
        raise checks.problem(ValueError, "standardizer", "data.x", "must have columns of finite variance", got)
    return Standardizer(scaler.mean_, scaler.scale_)


@overload
def standardize(standardizer: Standardizer, x: Dataset) -> Dataset: ...
@overload
def standardize(standardizer: Standardizer, x: ArrayLike) -> Floats: ...
def standardize(standardizer: Standardizer, x: Dataset | ArrayLike) -> Dataset | Floats:
    """(x − mean) / scale, column by column: of the rows that the `standardizer` is of, mean 0 and deviation 1.

    Held-out rows are moved by the same numbers, which are not their own. Parts of a split that share one x share
    the new one by `attrs.evolve(test, x=train.x)`, after `train = fnn.standardize(standardizer, train)`.

    Args:
        standardizer: the means and scales, of as many columns.
        x: rows, shape (n, columns); or a `Dataset`, all of whose x is moved, and which keeps the rest.

    Returns:
        A `Dataset`, or shape (n, columns): float64 for x of float64, else float32; computed in float64.

    Raises:
        TypeError: for an x that is sparse, or not of real numbers.
        ValueError: for another shape, no rows, NaN or infinity.

    >>> import fnn
    >>> by = fnn.Standardizer([2.0, 7.0], [0.5, 1.0])
    >>> fnn.standardize(by, [[1, 7], [3, 8]])
    array([[-2.,  0.],
           [ 2.,  1.]], dtype=float32)
    """
    fix = "Make one with `standardizer(data)`."
    checks.instance("standardize", "standardizer", standardizer, Standardizer, fix)
    if isinstance(x, Dataset):
        return attrs.evolve(x, x=_moved(standardizer, x.x))
    return _moved(standardizer, x)


def _moved(by: Standardizer, x: ArrayLike) -> Floats:
    _check_dense("standardize", "x", x)
    given = checks.rows("standardize", "x", x, len(by.mean))
    double = given.dtype.kind == "f" and given.dtype.itemsize > 4
    out = np.empty(given.shape, np.float64 if double else np.float32)
    for tile in tiles(len(given)):
        with np.errstate(over="ignore"):  # an overflow is refused in the next line
            out[tile] = (given[tile] - by.mean) / by.scale
        checks.finite("standardize", "x", out[tile], tile.start)
    return out


def _check_dense(where: str, name: str, x: object) -> None:
    if checks.is_sparse(x):
        fix = f"Centered it would be dense: give `{name}.toarray()`."
        raise checks.problem(TypeError, where, name, "must be dense", f"a {type(x).__name__}", fix)
