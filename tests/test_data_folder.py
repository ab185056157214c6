"""`fnn.load_idx_folder`: the pairs in folders as MNIST's successors come in, and folders in which a file is missing."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fnn
from tests.stand_ins import MNIST_FILES, exactly, idx, write_mnist

CODES = {"ubyte": 0x08, "int": 0x0C}


def write(folder: Path, name: str, *shape: int, seed: int = 0) -> NDArray[Any]:
    """A file of random numbers, of the dtype in its name, gzipped where it ends in .gz; and what is in it."""
    code = CODES[name.removesuffix(".gz").rpartition("-")[2]]
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(">i4" if code == 0x0C else "u1")
    raw = idx(code, shape, array.tobytes())
    (folder / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return array


def refused(folder: Path, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"load_idx_folder: {message}")):
        fnn.load_idx_folder(folder)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_mnist_is_what_load_mnist_loads(tmp_path: Path, zipped: bool | None) -> None:
    write_mnist(tmp_path, zipped)
    pairs = fnn.load_idx_folder(str(tmp_path))
    assert list(pairs) == ["t10k", "train"]
    for data, expected in zip((pairs["train"], pairs["t10k"]), fnn.load_mnist(tmp_path), strict=True):
        assert fnn.digest(data) == fnn.digest(expected)


def test_names_and_shapes_of_the_others(tmp_path: Path) -> None:
    letters = write(tmp_path, "emnist-letters-train-images-idx3-ubyte.gz", 4, 2, 3, seed=1)
    names = write(tmp_path, "emnist-letters-train-labels-idx1-ubyte.gz", 4, seed=2)
    digits = write(tmp_path, "qmnist-test-images-idx3-ubyte", 5, 3, 3, seed=3)
    sources = write(tmp_path, "qmnist-test-labels-idx2-int.gz", 5, 8, seed=4)
    for other in ("qmnist-test-labels.tsv.gz", "images-idx3-ubyte", "train-images-idx3-ubyte.zip", "readme.txt"):
        (tmp_path / other).write_text("passed over")
    (tmp_path / "train-labels").mkdir()
    colours, kinds = write(tmp_path, "z-images.idx4-ubyte", 3, 2, 2, 3), write(tmp_path, "z-labels.idx1-ubyte", 3)
    pairs = fnn.load_idx_folder(tmp_path)
    assert list(pairs) == ["emnist-letters-train", "qmnist-test", "z"]
    for data, x, y in zip(pairs.values(), (letters, digits, colours), (names, sources, kinds), strict=True):
        np.testing.assert_array_equal(data.x, x.reshape(len(x), -1))
        np.testing.assert_array_equal(data.y, y)
    assert pairs["qmnist-test"].y.dtype == np.int32


def test_the_plain_one_of_two_goes_first_as_in_load_idx(tmp_path: Path) -> None:
    write(tmp_path, "a-labels-idx1-ubyte", 2)
    write(tmp_path, "a-images-idx3-ubyte.gz", 2, 2, 2, seed=1)
    plain = write(tmp_path, "a-images-idx3-ubyte", 2, 2, 2, seed=2)
    assert fnn.load_idx_folder(tmp_path)["a"].x.ravel().tolist() == plain.ravel().tolist()


def test_a_folder_without_pairs(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "train-images.zip").touch()
    rule = "must have files such as train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or with .gz"
    refused(tmp_path, FileNotFoundError, f"`folder` {rule}, got none in {tmp_path}.")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fnn.load_idx_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("name", MNIST_FILES)
def test_a_file_without_its_partner(tmp_path: Path, name: str) -> None:
    write_mnist(tmp_path)
    for path in tmp_path.glob(name + "*"):
        path.unlink()
    part = name.partition("-")[0]
    (left,) = (other for other in MNIST_FILES if other.startswith(part) and other != name)
    refused(tmp_path, FileNotFoundError, f"`folder` must have the images and the labels of {part}, got only {left}.")


def test_two_files_of_one_kind(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write(tmp_path, "train-labels-idx2-int", 5, 8)
    got = "train-labels-idx1-ubyte and train-labels-idx2-int"
    refused(tmp_path, ValueError, f"`folder` must have one file of train's labels, got {got}.")


@pytest.mark.parametrize(
    ("images", "labels"), [((4, 2, 2), (3,)), ((4, 4), (4,)), ((4, 2, 2), (4, 2)), ((0, 2, 2), (0,))]
)
def test_images_and_labels_that_do_not_match(tmp_path: Path, images: tuple[int, ...], labels: tuple[int, ...]) -> None:
    write(tmp_path, "a-images-idx3-ubyte.gz", *images)
    write(tmp_path, "a-labels-idx1-ubyte", *labels)
    rule = "must hold images (n, …) and a-labels-idx1-ubyte as many labels, of the dimensions in their names"
    refused(tmp_path, ValueError, f"`a-images-idx3-ubyte` {rule}, got shapes {images} and {labels}.")


@pytest.mark.skipif(not os.environ.get("FNN_DATA"), reason="FNN_DATA names no folder with MNIST's four IDX files")
def test_real_mnist() -> None:
    folder = Path(os.environ["FNN_DATA"])
    pairs = fnn.load_idx_folder(folder / "mnist" if (folder / "mnist").is_dir() else folder)
    for data, expected in zip((pairs["train"], pairs["t10k"]), fnn.load_mnist(), strict=True):
        assert fnn.digest(data) == fnn.digest(expected)
