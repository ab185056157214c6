"""Data sets: scikit-learn's digits, MNIST's files, and OpenML by name."""

from __future__ import annotations

import gzip
import math
import os
import zlib

import numpy as np

from fnn import checks
from fnn.arrays import Array, view
from fnn.dataset import Dataset

_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


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


def load_mnist(folder: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """MNIST's 60,000 training and 10,000 test images, from a folder with the four IDX files, gzipped or not.

    28×28 pixels of 0 … 255 as uint8, row by row in 784 columns; labels 0 … 9 (LeCun, Cortes and Burges, "The
    MNIST database of handwritten digits", 1998). A network takes them with `input_scale=1 / 255`.

    Args:
        folder: where train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte are, each plain or with .gz, or whose subfolder mnist has them. None is the
            folder that the environment variable FNN_DATA names.

    Returns:
        (train, test).

    Raises:
        FileNotFoundError: where a file, or FNN_DATA, is missing.
        ValueError: for a file that is not IDX, is cut short, or does not fit its partner.
    """
    path = _mnist_folder(folder)
    return _part(path, "train"), _part(path, "t10k")


def _mnist_folder(folder: str | os.PathLike[str] | None) -> str:
    named = os.environ.get("FNN_DATA") if folder is None else os.fspath(folder)
    if not named:
        raise FileNotFoundError(
            "load_mnist: no `folder` was given and the environment variable FNN_DATA is not set. "
            "Give the folder of the four IDX files, or use `load_openml('mnist_784')`."
        )
    first = os.path.join(named, "train-images-idx3-ubyte")
    inside = os.path.join(named, "mnist")
    return inside if os.path.isdir(inside) and not (os.path.exists(first) or os.path.exists(first + ".gz")) else named


def _part(folder: str, part: str) -> Dataset:
    images = f"{part}-images-idx3-ubyte"
    x = load_idx(os.path.join(folder, images))
    y = load_idx(os.path.join(folder, f"{part}-labels-idx1-ubyte"))
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
        rule = f"must hold images (n, height, width) and {part}-labels-idx1-ubyte as many labels"
        raise checks.problem(ValueError, "load_mnist", images, rule, f"shapes {x.shape} and {y.shape}")
    return Dataset(x.reshape(len(x), -1), y)


def load_idx(path: str | os.PathLike[str]) -> Array:
    """The array in an IDX file; where there is no file of that name, in the one with .gz behind it.

    The format: two bytes 0, a byte for the dtype, one for the number of dimensions, each of them as a
    big-endian 32-bit number, and the numbers themselves in C order, big-endian (LeCun, Cortes and Burges 1998).
    The array is read-only, in the machine's byte order.

    Raises:
        FileNotFoundError: where neither file is there.
        ValueError: for a file that is not IDX, or is shorter or longer than it says.

    >>> import pathlib, tempfile, fnn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     fnn.load_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        if not os.path.exists(path + ".gz"):
            raise FileNotFoundError(f"load_idx: there is neither {path} nor {os.path.basename(path)}.gz beside it.")
        path += ".gz"
    with open(path, "rb") as file:
        raw = file.read()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise ValueError(f"load_idx: {path} is not a whole gzip file: {error}.") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_DTYPES or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"load_idx: {path} is not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'}.")
    dtype = np.dtype(_IDX_DTYPES[raw[2]])
    start = 4 + 4 * raw[3]
    shape = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, start, 4))
    if len(raw) - start != math.prod(shape) * dtype.itemsize:
        rule = f"must hold {math.prod(shape) * dtype.itemsize:,} bytes for its shape {shape}"
        raise checks.problem(ValueError, "load_idx", os.path.basename(path), rule, f"{len(raw) - start:,}")
    try:
        array = np.frombuffer(raw, dtype, offset=start).reshape(shape)
    except ValueError:
        raise ValueError(f"load_idx: {path} is not an IDX file: its shape is {shape}.") from None
    return view(array.astype(dtype.newbyteorder("="), copy=False))


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
    pixels = x.min() >= 0 and x.max() <= 255 and bool((x == np.floor(x)).all())
    return Dataset(x.astype(np.uint8 if pixels else np.float32), _labels(y))


def _labels(y: Array) -> Array:
    if y.dtype.kind == "f":
        return y
    try:
        return y.astype(np.int64)
    except ValueError:
        return np.unique(y, return_inverse=True)[1]
