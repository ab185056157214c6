"""Data sets: scikit-learn's digits, a file of comma-separated values, and OpenML by name."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator

import numpy as np

from fnn import checks
from fnn.arrays import Array
from fnn.dataset import Dataset

_PIECE = 1024  # lines: their text and their numbers as float64 are in memory at once


def load_digits() -> Dataset:
    """The 1,797 handwritten digits that scikit-learn embeds: 8×8 pixels of 0 … 16 as uint8, labels 0 … 9.

    Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998
    (its test part). A network takes them with `input_scale=1 / 16`.

    >>> import fnn
    >>> fnn.load_digits()
    Dataset(1,797 rows of 64 uint8 columns)
    """
    from sklearn import datasets

    x, y = datasets.load_digits(return_X_y=True)
    return Dataset(x.astype(np.uint8), y)


def load_csv(path: str | os.PathLike[str], header: bool = False) -> Dataset:
    r"""The rows of a file of comma-separated numbers, whose first column is the label or target.

    Columns of whole numbers from 0 to 255 become uint8, others float32, all of them alike. Targets become int64 where
    each is a whole number (7, 7.0 and 7e0 alike, below 2⁵³), float64 where each is a number, as of a regression;
    else they are names, and become their places in sorted order. A name, or any cell, may be in double quotes. Blank
    lines are passed over. A file of pixels takes little more than twice the memory of the result.

    Args:
        path: a file of UTF-8 text; gzipped where it ends in .gz.
        header: whether the first line names the columns.

    Raises:
        TypeError: for a header that is not True or False.
        ValueError: for a first line that is not what `header` says; for lines of other lengths, an empty cell, a
            cell that is no number, NaN, or infinity in float32; for no rows, no second column, text that is not
            UTF-8, or a broken gzip file. The message names the file and the line.
        OSError: where the file cannot be read.

    >>> import pathlib, tempfile, fnn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.csv")
    ...     _ = path.write_text("label,pixel0,pixel1\n7,0,255\n2,16,0\n")
    ...     data = fnn.load_csv(path, header=True)
    >>> data, data.x.tolist(), data.y.tolist()
    (Dataset(2 rows of 2 uint8 columns), [[0, 255], [16, 0]], [7, 2])
    """
    checks.instance("load_csv", "header", header, bool)
    path = os.fspath(path)
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise _bad_file(path, "must have at least one row", "none")
    cells = _cells(path, *first)
    numbers = [_number(cell) for cell in cells]
    if len(cells) == 1:
        raise _bad_file(path, f"must have a label and at least one number in line {first[0]}", checks.show(cells[0]))
    if header and None not in numbers:
        fix = "That row would be lost; leave out `header=True`."
        raise _bad_file(path, "must begin with the names of the columns", checks.show(first[1]), fix)
    names = _bad_file(
        path, "must begin with a row of numbers", checks.show(first[1]), "If it names the columns, give `header=True`."
    )
    if not header:
        if set(numbers[1:]) == {None}:
            raise names
        lines = itertools.chain([first], lines)
    labels, pieces = [], []
    while piece := list(itertools.islice(lines, _PIECE)):
        some, x = _rows(path, piece, len(cells))
        labels += some
        pieces.append(x)
    if not pieces:
        raise _bad_file(path, "must have at least one row", "none")
    numbers = [_number(label) for label in labels]
    if not header and numbers[0] is None and numbers[1:] and None not in numbers[1:]:  # columns named 0, 1, 2, …
        raise names
    if None in numbers:
        y = np.unique(np.array(labels, object), return_inverse=True)[1]
    else:
        y = np.array(numbers)
        if (y == np.floor(y)).all() and np.abs(y).max() < 2**53:  # from there on two whole numbers may be one float
            y = y.astype(np.int64)
    return Dataset(np.concatenate(pieces), y)


def _bad_file(path: str, rule: str, got: str, fix: str = "") -> Exception:
    return checks.problem(ValueError, "load_csv", os.path.basename(path), rule, got, fix)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    import gzip
    import zlib

    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        number = 1
        try:
            for number, raw in enumerate(file, 1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if line:
                    yield number, line
        except UnicodeDecodeError as error:
            got = f"the byte {error.object[error.start]:#04x}"
            raise _bad_file(path, f"must be UTF-8 in line {number}", got) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"load_csv: {path} is not a whole gzip file: {error}.") from None


def _cells(path: str, number: int, line: str) -> list[str]:
    import csv

    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise _bad_file(path, f"must have cells between commas in line {number}", f"{error}") from None


def _number(cell: str) -> float | None:
    """The number in a cell as loadtxt reads it, which is not to take 1_0 for 10."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None


def _rows(path: str, piece: list[tuple[int, str]], columns: int) -> tuple[list[str], Array]:
    """The labels and the numbers of some lines."""
    if any('"' in line for _, line in piece):  # loadtxt takes "1"2 for 12
        every = [_cells(path, number, line) for number, line in piece]
        cut = [(cells[0], ",", ",".join(cells[1:]) if len(cells) == columns else "") for cells in every]
    else:
        cut = [line.partition(",") for _, line in piece]
    labels, rests = [label.strip() for label, _, _ in cut], [rest for _, _, rest in cut]
    if all(rests) and all(label and math.isfinite(_number(label) or 0) for label in labels):
        try:
            x = _compact(np.loadtxt(rests, delimiter=",", comments=None, ndmin=2))
            if x.shape == (len(piece), columns - 1) and np.isfinite(x).all():
                return labels, x
        except ValueError:
            pass
    raise next(_faults(path, piece, columns), _bad_file(path, "must hold numbers", f"others after line {piece[0][0]}"))


def _faults(path: str, piece: list[tuple[int, str]], columns: int) -> Iterator[Exception]:
    """What is wrong in some lines, looked for cell by cell once something is."""
    for number, line in piece:
        cells = _cells(path, number, line)
        if len(cells) != columns:
            yield _bad_file(path, f"must have {columns} cells in line {number}, as before", str(len(cells)))
        for column, cell in enumerate(cells, 1):
            value, where = _number(cell), f"in line {number}, column {column}"
            if not cell.strip() or (value is None and column > 1):
                rule = f"must hold a {'label' if column == 1 else 'number'} {where}"
                yield _bad_file(path, rule, checks.show(cell))
            elif value is not None and not np.isfinite(value if column == 1 else _compact(np.array(value))):
                yield _bad_file(path, f"must be finite in float{'64' if column == 1 else '32'} {where}", cell.strip())


def load_openml(name: str, version: int = 1, cache: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set from OpenML by its name, through scikit-learn, which downloads it once and keeps it.

    "mnist_784" is all of MNIST, the 60,000 training rows and then the 10,000 test rows. Columns of whole
    numbers from 0 to 255 become uint8, others float32. Classes become int64: those named by whole numbers
    these numbers, others their places in sorted order. Targets that are numbers stay float64.

    Args:
        name: as OpenML has it.
        version: its version there.
        cache: the folder to keep it in; None is scikit-learn's.

    Raises:
        ValueError: for a name that OpenML does not have, a table that is not of numbers, or missing values.
        OSError: where OpenML cannot be reached.
    """
    from sklearn.datasets import fetch_openml

    checks.instance("load_openml", "name", name, str)
    table = fetch_openml(name, version=version, data_home=cache, as_frame=False, parser="liac-arff")
    x, y = table.data, table.target
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "buif":
        rule = "must be a table of numbers"
        raise checks.problem(ValueError, "load_openml", name, rule, checks.show(x))
    if y is None:
        raise checks.problem(
            ValueError, "load_openml", "name", "must be a data set with a target", f"{name!r}, which has none"
        )
    checks.finite("load_openml", name, x)
    return Dataset(_compact(x), _labels(y))


def _labels(y: Array) -> Array:
    if y.dtype.kind == "f":
        return y
    try:
        return y.astype(np.int64)
    except ValueError:
        return np.unique(y, return_inverse=True)[1]


def _compact(x: Array) -> Array:
    pixels = x.min() >= 0 and x.max() <= 255 and bool((x == np.floor(x)).all())
    with np.errstate(over="ignore"):
        return x.astype(np.uint8 if pixels else np.float32)
