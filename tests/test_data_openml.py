"""`fnn.load_openml` through scikit-learn's own code, from a stand-in of OpenML's server on this machine."""

from __future__ import annotations

import socket
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import _openml

import fnn
from tests.stand_ins import OpenML, Table, exactly, openml

PIXELS = {"pixel1": "real", "pixel2": "real", "pixel3": "real"}
MNIST = Table({**PIXELS, "class": "{0,1,2,7}"}, [(0, 255, 3, 7), (1, 0, 0, 0), (9, 8, 7, 2), (0, 0, 0, 7)])


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scikit-learn ask that address wherever it would ask OpenML's."""
    hosts = ("https://www.openml.org", "https://api.openml.org", "https://openml.org")
    constants = {
        name: (value, host)
        for name, value in vars(_openml).items()
        for host in hosts
        if name.startswith("_") and isinstance(value, str) and value.startswith(host)
    }
    assert constants
    for name, (value, host) in constants.items():
        monkeypatch.setattr(_openml, name, url + value.removeprefix(host))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_openml, "time", types.SimpleNamespace(sleep=lambda seconds: None))  # between its retries


@contextmanager
def serving(table: Table, name: str = "mnist_784") -> Iterator[OpenML]:
    with pytest.MonkeyPatch.context() as patch, openml(name, table) as server:
        point_at(server.url, patch)
        yield server


def load(tmp_path: Path, table: Table) -> fnn.Dataset:
    with serving(table):
        return fnn.load_openml("mnist_784", cache=tmp_path)


def test_pixels_and_labels(tmp_path: Path) -> None:
    with serving(MNIST) as server:
        data = fnn.load_openml("mnist_784", cache=tmp_path)
        assert [path.split("/json/data/")[-1] for path in server.asked[:4]] == [
            "list/data_name/mnist_784/limit/2/data_version/1",
            "554",
            "features/554",
            "qualities/554",
        ]
        assert server.asked[-1] == "/data/v1/download/52667"
    assert data.x.dtype == np.uint8
    assert data.x.tolist() == [[0, 255, 3], [1, 0, 0], [9, 8, 7], [0, 0, 0]]
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [7, 0, 2, 7]
    assert repr(data) == "Dataset(4 rows of 3 uint8 columns)"


def test_the_second_call_does_not_ask_the_server(tmp_path: Path) -> None:
    with serving(MNIST) as server:
        first = fnn.load_openml("mnist_784", cache=tmp_path)
        asked = len(server.asked)
        assert asked == 5
        second = fnn.load_openml("mnist_784", cache=str(tmp_path))
        assert len(server.asked) == asked
    with serving(MNIST) as server:  # nor another one, after this one is gone
        third = fnn.load_openml("MNIST_784", cache=tmp_path)
        assert server.asked == []
    assert fnn.digest(first) == fnn.digest(second) == fnn.digest(third)


def test_without_a_cache_folder_it_is_that_of_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with serving(MNIST):
        fnn.load_openml("mnist_784")
    assert list(tmp_path.rglob("52667.gz"))


def test_labels_that_are_words_become_their_place_in_sorted_order(tmp_path: Path) -> None:
    data = load(tmp_path, Table({**PIXELS, "class": "{pear,apple,fig}"}, [(1, 2, 3, "pear"), (4, 5, 6, "fig")] * 2))
    assert data.y.dtype.kind == "i"
    assert data.y.tolist() == [1, 0, 1, 0]  # apple is in no row


def test_labels_that_are_negative_whole_numbers_stay(tmp_path: Path) -> None:
    data = load(tmp_path, Table({**PIXELS, "class": "{-1,1}"}, [(1, 2, 3, -1), (4, 5, 6, 1)]))
    assert data.y.tolist() == [-1, 1]


def test_targets_that_are_numbers(tmp_path: Path) -> None:
    data = load(tmp_path, Table({**PIXELS, "class": "real"}, [(1, 2, 3, 0.1), (4, 5, 6, -2.5)]))
    assert data.y.dtype == np.float64
    assert data.y.tolist() == [0.1, -2.5]


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_columns_that_are_no_pixels_are_float32(tmp_path: Path, value: float) -> None:
    data = load(tmp_path, Table({**PIXELS, "class": "{0,1}"}, [(1, value, 3, 0), (4, 5, 6, 1)]))
    assert data.x.dtype == np.float32
    assert data.x.tolist() == [[1, value, 3], [4, 5, 6]]


def test_the_target_may_stand_anywhere(tmp_path: Path) -> None:
    data = load(tmp_path, Table({"a": "real", "class": "{0,1}", "b": "real"}, [(3, 1, 4), (5, 0, 6)]))
    assert data.x.tolist() == [[3, 4], [5, 6]]
    assert data.y.tolist() == [1, 0]


def test_missing_values(tmp_path: Path) -> None:
    message = "load_openml: `mnist_784` must be finite in float64, got nan at (1, 2)."
    with pytest.raises(ValueError, match=exactly(message)):
        load(tmp_path, Table({**PIXELS, "class": "{0,1}"}, [(1, 2, 3, 0), (4, 5, "?", 1)]))


def test_a_sparse_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^load_openml: `mnist_784` must be a table of numbers, got <"):
        load(tmp_path, Table({**PIXELS, "class": "{0,1}"}, [(1, 0, 3, 0), (4, 5, 0, 1)], sparse=True))


def test_a_table_without_a_target(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^load_openml: `name` must be a data set with a target"):
        load(tmp_path, Table(PIXELS, [(1, 2, 3), (4, 5, 6)], target="none"))


@pytest.mark.parametrize(("name", "version"), [("mnist_785", 1), ("mnist_784", 2)])
def test_an_unknown_name_or_version(tmp_path: Path, name: str, version: int) -> None:
    with serving(MNIST), pytest.raises(ValueError, match=rf"Dataset {name} with version {version} not found\.$"):
        fnn.load_openml(name, version, cache=tmp_path)


def test_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"  # bound, but nobody listens
        point_at(url, monkeypatch)
        with pytest.warns(UserWarning, match="Retrying"), pytest.raises(OSError, match="refused") as caught:
            fnn.load_openml("mnist_784", cache=tmp_path)
    assert isinstance(caught.value, URLError)
    assert not list(tmp_path.rglob("*.gz"))
