"""The digits, and MNIST from tiny files that the tests write and from the real ones where they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import datasets

import fnn
from tests.stand_ins import MNIST_FILES, MNIST_ROWS, exactly, idx, write_mnist


def test_digits_are_those_of_scikit_learn() -> None:
    data = fnn.load_digits()
    x, y = datasets.load_digits(return_X_y=True)
    assert data.x.shape == (1797, 64)
    assert data.x.dtype == np.uint8
    assert data.y.dtype.kind == "i"
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)
    assert (data.x.min(), data.x.max()) == (0, 16)
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.sample_weight is None
    assert data.rows is None


def assert_is_mnist(found: tuple[fnn.Dataset, fnn.Dataset], arrays: dict[str, NDArray[np.uint8]]) -> None:
    for data, part in zip(found, MNIST_ROWS, strict=True):
        images, labels = (arrays[name] for name in MNIST_FILES if name.startswith(part))
        assert data.x.dtype == data.y.dtype == np.uint8
        np.testing.assert_array_equal(data.x, images.reshape(len(images), 6))
        np.testing.assert_array_equal(data.y, labels)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_mnist_from_a_folder(tmp_path: Path, zipped: bool | None) -> None:
    arrays = write_mnist(tmp_path, zipped)
    assert_is_mnist(fnn.load_mnist(tmp_path), arrays)
    assert_is_mnist(fnn.load_mnist(str(tmp_path)), arrays)


def test_mnist_from_the_subfolder_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = write_mnist(tmp_path / "mnist")
    assert_is_mnist(fnn.load_mnist(tmp_path), arrays)
    for named in (tmp_path, tmp_path / "mnist"):
        monkeypatch.setenv("FNN_DATA", str(named))
        assert_is_mnist(fnn.load_mnist(), arrays)
    monkeypatch.setenv("FNN_DATA", str(tmp_path / "elsewhere"))  # what is given goes before what is set
    assert_is_mnist(fnn.load_mnist(tmp_path), arrays)


@pytest.mark.parametrize("value", [None, ""])
def test_mnist_from_nowhere(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FNN_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("FNN_DATA", value)
    message = (
        "load_mnist: no `folder` was given and the environment variable FNN_DATA is not set. "
        "Give the folder of the four IDX files, or use `load_openml('mnist_784')`."
    )
    with pytest.raises(FileNotFoundError, match=exactly(message)):
        fnn.load_mnist()


@pytest.mark.parametrize("name", MNIST_FILES)
def test_mnist_with_a_file_missing(tmp_path: Path, name: str) -> None:
    write_mnist(tmp_path, zipped=False)
    (tmp_path / name).unlink()
    message = f"load_idx: there is neither {tmp_path / name} nor {name}.gz beside it."
    with pytest.raises(FileNotFoundError, match=exactly(message)):
        fnn.load_mnist(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [((4, 2, 2), (3,)), ((4, 4), (4,)), ((4, 2, 2), (4, 1)), ((3, 2, 2), (4,)), ((0, 2, 2), (0,)), ((3, 0, 2), (3,))],
)
def test_mnist_with_images_and_labels_that_do_not_match(
    tmp_path: Path, images: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    write_mnist(tmp_path, zipped=False)
    for name, shape in zip(MNIST_FILES[2:], (images, labels), strict=True):
        (tmp_path / name).write_bytes(idx(0x08, shape, bytes(int(np.prod(shape)))))
    message = (
        "load_mnist: `t10k-images-idx3-ubyte` must hold images (n, …) and "
        f"t10k-labels-idx1-ubyte as many labels, of the dimensions in their names, got shapes {images} and {labels}."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.load_mnist(tmp_path)


@pytest.fixture(scope="module")
def real() -> tuple[fnn.Dataset, fnn.Dataset]:
    if not os.environ.get("FNN_DATA"):
        pytest.skip("the environment variable FNN_DATA names no folder with MNIST's four IDX files")
    return fnn.load_mnist()


def test_real_mnist(real: tuple[fnn.Dataset, fnn.Dataset]) -> None:
    train, test = real
    assert (train.x.shape, test.x.shape) == ((60_000, 784), (10_000, 784))
    assert {a.dtype for data in real for a in (data.x, data.y)} == {np.dtype(np.uint8)}
    assert np.bincount(train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    shades = sum(np.bincount(train.x[at : at + 2000].ravel(), minlength=256) for at in range(0, 60_000, 2000))
    mean = np.average(np.arange(256), weights=shades)
    std = np.sqrt(np.average((np.arange(256) - mean) ** 2, weights=shades))
    assert mean == pytest.approx(33.318, abs=5e-4)
    assert std == pytest.approx(78.567, abs=1e-3)
