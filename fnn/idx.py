"""IDX files: one, a folder of them, and MNIST's four."""

from __future__ import annotations

import math
import os
import re

import numpy as np

from fnn import checks
from fnn.arrays import Array, view
from fnn.dataset import Dataset

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"((.+)-(images|labels)[-.]idx\d+-[^.]+)(\.gz)?")


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
    train, test = (
        _pair("load_mnist", path, f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
        for part in ("train", "t10k")
    )
    return train, test


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


def load_idx_folder(folder: str | os.PathLike[str]) -> dict[str, Dataset]:
    """Each pair of files "<name>-images-idx<k>-<type>" and "<name>-labels-idx<k>-<type>" of a folder, by its name.

    Each file plain or with .gz, its idx after a dash or a dot. "train" and "t10k" are MNIST's, Fashion-MNIST's and
    KMNIST's, "emnist-letters-train" is one of EMNIST's. Images, of any number of dimensions, become rows; labels stay
    as they are, QMNIST's of shape (n, 8) too. Other files are passed over. (In EMNIST's files each image is transposed,
    and stays so.)

    Raises:
        FileNotFoundError: where there is no pair, or a file without its partner.
        ValueError: for a file that is not IDX, is cut short, does not fit its partner, or for two of one kind.

    >>> import pathlib, tempfile, fnn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = pathlib.Path(folder, "t10k-images-idx3-ubyte")
    ...     _ = images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 8, 7, 6]))
    ...     labels = pathlib.Path(folder, "t10k-labels-idx1-ubyte")
    ...     _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 5]))
    ...     fnn.load_idx_folder(folder)
    {'t10k': Dataset(1 rows of 4 uint8 columns)}
    """
    where, folder = "load_idx_folder", os.fspath(folder)
    names = sorted({match.groups()[:3] for match in map(_NAME.fullmatch, os.listdir(folder)) if match})
    files: dict[str, dict[str, str]] = {}
    for file, name, kind in names:
        other = files.setdefault(name, {}).setdefault(kind, file)
        if other != file:
            raise checks.problem(
                ValueError, where, "folder", f"must have one file of {name}'s {kind}", f"{other} and {file}"
            )
    if not files:
        rule = "must have files such as train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or with .gz"
        raise checks.problem(FileNotFoundError, where, "folder", rule, f"none in {folder}")
    for name, pair in files.items():
        if len(pair) == 1:
            rule = f"must have the images and the labels of {name}"
            raise checks.problem(FileNotFoundError, where, "folder", rule, f"only {next(iter(pair.values()))}")
    return {name: _pair(where, folder, pair["images"], pair["labels"]) for name, pair in files.items()}


def _pair(where: str, folder: str, images: str, labels: str) -> Dataset:
    x, y = load_idx(os.path.join(folder, images)), load_idx(os.path.join(folder, labels))
    if f"idx{x.ndim}-" not in images or f"idx{y.ndim}-" not in labels or len(x) != len(y) or 0 in x.shape + y.shape:
        rule = f"must hold images (n, …) and {labels} as many labels, of the dimensions in their names"
        raise checks.problem(ValueError, where, images, rule, f"shapes {x.shape} and {y.shape}")
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
        import gzip
        import zlib

        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise ValueError(f"load_idx: {path} is not a whole gzip file: {error}.") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _DTYPES or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"load_idx: {path} is not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'}.")
    dtype = np.dtype(_DTYPES[raw[2]])
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
