"""The rows of a data set in parts: one held out, or each in turn."""

from __future__ import annotations

import math

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import Array, Ints
from fnn.dataset import Dataset
from fnn.randomness import SPLIT, Address, words


def split(data: Dataset, fraction: float, seed: int = 0, stratify: bool | None = None) -> tuple[Dataset, Dataset]:
    """The rest and a part of the rows, chosen at random, sharing one x.

    Stratified, each label keeps its share in both, as scikit-learn's `train_test_split` does it, which this
    calls. Both are in the order of the data, and each of its rows is in one of them. `part.x` is still the whole
    x, which they share: the part's own rows are `x, y, sample_weight = part.take()`.

    Args:
        data: the rows.
        fraction: the part's share, in (0, 1); its size is rounded up.
        seed: 0 … 2⁶⁴ − 1.
        stratify: whether to; None is where y holds integers or booleans, one for each row.

    Returns:
        (rest, part).

    Raises:
        TypeError, ValueError: for a fraction that leaves one of them empty, or too few rows for the labels.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.zeros((100, 2)), np.arange(100) % 4)
    >>> rest, part = fnn.split(data, 0.2, seed=0)
    >>> len(rest), np.bincount(part.y[part.rows]).tolist()
    (80, [5, 5, 5, 5])
    """
    from sklearn.model_selection import train_test_split

    rows, y, stratify, random_state = _prepared("split", data, seed, stratify)
    fraction = checks.fraction("split", "fraction", fraction)
    n_part = math.ceil(fraction * len(rows))
    _check_sizes(y, len(rows) - n_part, n_part, stratify)
    parts = train_test_split(
        np.arange(len(rows)), test_size=n_part, stratify=y if stratify else None, random_state=random_state
    )
    rest, part = (attrs.evolve(data, rows=rows[np.sort(chosen)]) for chosen in parts)
    return rest, part


def kfold(
    data: Dataset, k: int = 5, seed: int = 0, stratify: bool | None = None
) -> tuple[tuple[Dataset, Dataset], ...]:
    """k pairs of the rest and a part, chosen at random: each row is in one part, and the parts share one x.

    Stratified, each label keeps its share in every part, to a row, as scikit-learn's `StratifiedKFold` does it,
    which this calls; otherwise its `KFold`. All are in the order of the data, as in `split`.

    Args:
        data: the rows.
        k: how many parts, at least 2 and at most the rows, or those of the rarest label.
        seed: 0 … 2⁶⁴ − 1.
        stratify: whether to; None is where y holds integers or booleans, one for each row.

    Returns:
        ((rest, part), …).

    Raises:
        TypeError, ValueError: for more parts than rows, or rows of a label.

    >>> import numpy as np, fnn
    >>> data = fnn.Dataset(np.zeros((10, 2)), np.arange(10) % 2)
    >>> [part.rows.tolist() for rest, part in fnn.kfold(data, 5, seed=0)]
    [[1, 8], [0, 3], [6, 9], [2, 7], [4, 5]]
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    rows, y, stratify, random_state = _prepared("kfold", data, seed, stratify)
    checks.count("kfold", "k", k, 2)
    least = np.unique(y, return_counts=True)[1].min() if stratify else len(rows)
    if k > least:
        rule = f"must be at most {least}, the rows{' of the rarest label' * stratify}"
        raise checks.problem(ValueError, "kfold", "k", rule, str(k), _PLAINLY * stratify)
    kind = StratifiedKFold if stratify else KFold
    pairs = kind(int(k), shuffle=True, random_state=random_state).split(rows, y)
    return tuple((attrs.evolve(data, rows=rows[rest]), attrs.evolve(data, rows=rows[part])) for rest, part in pairs)


def _prepared(where: str, data: Dataset, seed: int, stratify: bool | None) -> tuple[Ints, Array, bool, int]:
    """The rows that count, their y, whether to stratify, and scikit-learn's seed."""
    checks.instance(where, "data", data, Dataset)
    checks.word(where, "seed", seed)
    if not isinstance(stratify, bool | np.bool_ | None):
        raise checks.problem(TypeError, where, "stratify", "must be True, False or None", checks.show(stratify))
    rows = np.arange(data.x.shape[0]) if data.rows is None else data.rows
    y = data.y[rows]
    if stratify is None:
        stratify = y.ndim == 1 and y.dtype.kind in "uib"
    if stratify and (y.ndim == 2 or y.dtype.kind == "f"):
        y = np.unique(y, axis=0, return_inverse=True)[1].ravel()
    drawn = words(Address(int(seed), SPLIT, (0 if where == "split" else 1,)), 1)[0]
    return rows, y, bool(stratify), int(drawn >> np.uint64(32))


def _check_sizes(y: Array, n_rest: int, n_part: int, stratify: bool) -> None:
    labels, counts = np.unique(y, return_counts=True) if stratify else (np.zeros(1), np.array([2]))
    if min(n_rest, n_part) < len(labels):
        s = "s" * (len(labels) > 1)
        least = f"for {len(labels)} label{s}" if stratify else "in each"
        rule = f"must leave at least {len(labels)} row{s} {least}"
        raise checks.problem(ValueError, "split", "fraction", rule, f"{n_rest} and {n_part}", _PLAINLY * stratify)
    if counts.min() < 2:
        rule, got = "must have at least 2 rows of each label", f"1 of {labels[counts.argmin()]}"
        raise checks.problem(ValueError, "split", "data", rule, got, _PLAINLY)


_PLAINLY = "Targets that are no labels are split with `stratify=False`."
