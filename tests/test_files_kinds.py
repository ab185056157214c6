"""Files of other kinds, and what is no file at all; and what a user's own classes raise when they are made."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import signal
import socket
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
import pytest

import fnn
from fnn import tensorfile
from tests.model_files import edited, framed, model, refused, run, saved
from tests.stand_ins import exactly

LOADERS: list[Callable[..., Any]] = [fnn.load, fnn.load_run, fnn.load_arrays]
REGULAR = "must be a regular file, got"
LENGTH = "must be a safetensors file, with a header of 2 to"


class Evil:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def _zip(*members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member in members:
            archive.writestr(member, pickle.dumps({"weight": [1.0, 2.0]}))
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(12.0))
    return file.getvalue()


A_ZIP = "what looks like a zip file, as .npz (`load_arrays` reads it) and PyTorch's .pt are"
A_PICKLE = "what looks like a pickle, which is never read"
A_TEXT = "what looks like text"
OTHERS: dict[str, tuple[bytes, str]] = {
    **{f"a pickle of protocol {n}": (pickle.dumps([0.5] * 9, n), A_PICKLE) for n in (2, 3, 4, 5)},
    "a pickle of protocol 1": (pickle.dumps([0.5] * 9, 1), "a length of 63,119,969,629,532,509"),
    "a pickle of protocol 0": (pickle.dumps([0.5] * 9, 0), A_TEXT),
    "a torch-like zip": (_zip("archive/data.pkl", "archive/data/0"), A_ZIP),
    "an empty zip": (_zip(), A_ZIP),
    "a .npy file": (_npy(), "what looks like a .npy file, which `load_arrays` reads"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n" + bytes(100), "what looks like an HDF5 file"),
    "a gzip file": (gzip.compress(model(), mtime=0), "what looks like a gzip file, which is to be unpacked first"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "a length of 727,905,341,920,923,785"),
    "text": (b"# some text\n" * 9, A_TEXT),
    "random bytes": (np.random.default_rng(0).bytes(1000), "a length of …"),
}


@pytest.mark.parametrize("load", [fnn.load, fnn.load_run])
@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_kinds(tmp_path: Path, load: Callable[..., Any], name: str) -> None:
    path = tmp_path / "file"
    data, got = OTHERS[name]
    path.write_bytes(data)
    refused(load, path, f"{LENGTH} {len(data) - 8:,} bytes, got {got}.")


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("protocol", range(6))
def test_no_pickle_is_run(tmp_path: Path, load: Callable[..., Any], protocol: int) -> None:
    path, made = tmp_path / "file", tmp_path / "made"
    evil = pickle.dumps(Evil(made), protocol)
    path.write_bytes(evil)
    refused(load, path, f"{LENGTH} …")
    objects = np.empty(1, object)
    objects[0] = Evil(made)
    np.savez(tmp_path / "objects.npz", allow_pickle=True, a=objects)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    for other in (tmp_path / "objects.npz", tmp_path / "objects.npy"):
        with pytest.raises(fnn.ModelFileError):
            load(other)
    path.write_bytes(framed(evil))
    refused(load, path, "must have as the header one JSON object in UTF-8, got …")
    assert not made.exists()
    pickle.loads(evil).close()
    assert made.exists()  # it would have been made


# What is no regular file.


@pytest.fixture
def at_once() -> Iterator[None]:
    """What is not there at once hangs, and is woken."""

    def wake(*args: object) -> None:
        raise TimeoutError("it hangs")

    former = signal.signal(signal.SIGALRM, wake)
    signal.alarm(10)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.usefixtures("at_once")
def test_what_is_no_regular_file(tmp_path: Path, load: Callable[..., Any]) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path, target_is_directory=True)
    for folder in (tmp_path, link):
        refused(load, folder, f"{REGULAR} a folder.")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        links = [tmp_path / f"to {name}" for name in ("fifo", "null", "zero")]
        for link, target in zip(links, [str(tmp_path / "fifo"), "/dev/null", "/dev/zero"], strict=True):
            link.symlink_to(target)
        for other in (tmp_path / "fifo", tmp_path / "socket", Path("/dev/null"), Path("/dev/zero"), *links):
            refused(load, other, f"{REGULAR} a device or a pipe.")


@pytest.mark.usefixtures("at_once")
def test_a_file_that_becomes_a_pipe_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(path)
    other.write_bytes(model())
    was = os.stat(other)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: was)
        with pytest.raises(fnn.ModelFileError, match=exactly(f"load: `{path}` {REGULAR} a device or a pipe.")):
            fnn.load(path)


@pytest.mark.parametrize("load", LOADERS)
def test_where_there_is_none(tmp_path: Path, load: Callable[..., Any]) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none")
    for path in (tmp_path / "none", tmp_path / "none" / "file", link):
        with pytest.raises(FileNotFoundError) as caught:
            load(path)
        assert caught.type is FileNotFoundError
        assert caught.value.filename == str(path)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_bytes": 0}, ValueError, "`max_bytes` must be an integer of at least 1, got 0."),
        ({"max_bytes": True}, TypeError, "`max_bytes` must be an integer of at least 1, got True."),
        ({"max_bytes": 1e9}, TypeError, "`max_bytes` must be an integer of at least 1, got 1000000000.0."),
        ({"max_bytes": None}, TypeError, "`max_bytes` must be an integer of at least 1, got None."),
    ],
)
def test_arguments_that_are_none(
    tmp_path: Path, load: Callable[..., Any], settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "file").write_bytes(model())
    with pytest.raises(error, match=exactly(f"{load.__name__}: {message}")) as caught:
        load(tmp_path / "file", **settings)
    assert caught.type is error


@pytest.mark.parametrize("load", LOADERS)
def test_a_path_that_cannot_be_one(load: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=exactly(f"{load.__name__}: a zero byte in the path 'a\\x00b'")) as caught:
        load("a\0b")
    assert caught.type is ValueError


@pytest.mark.skipif(sys.platform != "linux", reason="others have names in UTF-8 only")
@pytest.mark.parametrize("load", LOADERS)
def test_a_name_that_cannot_be_printed(tmp_path: Path, load: Callable[..., Any]) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\x1b[2J\n"
    Path(os.fsdecode(path)).write_bytes(b"")
    message = rf"{load.__name__}: `{tmp_path}/\udcff\x1b[2J\n` must have at least 10 bytes, got 0."
    with pytest.raises(fnn.ModelFileError, match=exactly(message)):
        load(path)


# Sizes.


@pytest.mark.parametrize("load", LOADERS)
def test_a_file_larger_than_the_limit(tmp_path: Path, load: Callable[..., Any]) -> None:
    path, data = tmp_path / "file", run() if load is fnn.load_run else model()
    path.write_bytes(data)
    load(path, max_bytes=len(data))
    limit, fix = len(data) - 1, "A larger one is read with `max_bytes`."
    refused(load, path, f"must have at most {limit:,} bytes, got {limit + 1:,}. {fix}", max_bytes=limit)
    path.write_bytes(b"")
    os.truncate(path, 10 * 2**30)  # of which nothing is on the disk
    refused(load, path, f"must have at most 1,073,741,824 bytes, got 10,737,418,240. {fix}")


def test_a_header_larger_than_the_formats_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(framed(b"{}", length=100_000_001))
    os.truncate(path, 200_000_000)
    refused(fnn.load, path, f"{LENGTH} 100,000,000 bytes, got a length of 100,000,001.")


def _large() -> bytes:
    network = fnn.mlp(100, 200, 2)
    return saved(fnn.save, network, fnn.init_params(network, seed=0))


@pytest.mark.parametrize("load", [fnn.load, fnn.load_arrays])
@pytest.mark.parametrize("by", [-1, 1, -1000, 1000])
def test_a_file_that_grows_or_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[..., Any], by: int
) -> None:
    path, data, parsed = tmp_path / "file", _large(), tensorfile.parsed
    path.write_bytes(data)

    def meanwhile(*args: Any) -> Any:
        os.truncate(path, len(data) + by)
        return parsed(*args)

    monkeypatch.setattr(tensorfile, "parsed", meanwhile)
    message = f"{load.__name__}: `{path}` must stay at {len(data):,} bytes while it is read, got another size."
    with pytest.raises(fnn.ModelFileError, match=exactly(message)):
        load(path)


@pytest.mark.parametrize("left", [0, 5, 8, 100])
def test_a_file_that_is_cut_when_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    path, data, read = tmp_path / "file", _large(), tensorfile.read

    def meanwhile(where: str, path: str, file: BinaryIO, size: int, *key: str) -> Any:
        os.truncate(path, left)
        return read(where, path, file, size, *key)

    monkeypatch.setattr(tensorfile, "read", meanwhile)
    for load in (fnn.load, fnn.load_arrays):
        path.write_bytes(data)
        with pytest.raises(fnn.ModelFileError):
            load(path)


def test_a_whole_file_takes_little_more_than_its_size_twice(tmp_path: Path) -> None:
    network = fnn.mlp(1000, 1000, 2)
    path, params = tmp_path / "file", fnn.init_params(network, seed=0)
    fnn.save(path, network, params)
    tracemalloc.start()
    try:
        fnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2.1 * path.stat().st_size
    finally:
        tracemalloc.stop()


# What a user's own classes raise.


@attrs.frozen
class Own:
    """An activation that raises when it is made of 13."""

    value_of: Any = 1

    def __attrs_post_init__(self) -> None:
        if isinstance(self.value_of, str):
            raise ERRORS[self.value_of]

    def value(self, z: Any) -> Any:
        return z

    def vjp(self, z: Any, a: Any, da: Any) -> Any:
        return da


ERRORS: dict[str, BaseException] = {
    error.__class__.__name__: error
    for error in (
        *(ValueError("no such unit."), TypeError("no"), KeyError("x"), ZeroDivisionError(), RecursionError("deep")),
        *(MemoryError(), OSError(5, "broken"), AssertionError("not\x1bnow\nor then"), Warning("soft")),
        *(ExceptionGroup("two", [ValueError(1), TypeError(2)]), fnn.ModelFileError("mine")),
        *(KeyboardInterrupt(), SystemExit(3), GeneratorExit()),
    )
}
SAID = {
    "ValueError": "ValueError: no such unit", "KeyError": "KeyError: 'x'", "ZeroDivisionError": "ZeroDivisionError",
    "OSError": "OSError: [Errno 5] broken", "AssertionError": "AssertionError: not\\x1bnow",
    "MemoryError": "MemoryError", "ExceptionGroup": "ExceptionGroup: two (2 sub-exceptions)",
    "ModelFileError": "ModelFileError: mine",
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_an_own_class_raises(tmp_path: Path, name: str) -> None:
    path, error = tmp_path / "file", ERRORS[name]
    network = fnn.mlp(2, 3, 1, activation=Own(), output="identity", loss="mse")
    data = saved(fnn.save, network, fnn.init_params(network, seed=0), custom=(Own,))
    path.write_bytes(edited(data, {"network.layers.0.activation.value_of": name}))
    if isinstance(error, Exception):
        message = f"must hold what makes a Network, got {SAID.get(name, f'{name}: …')}."
        refused(fnn.load, path, message, custom=(Own,))
        with pytest.raises(fnn.ModelFileError) as caught:
            fnn.load(path, custom=[Own])
        assert caught.value.__cause__ is error
    else:
        with pytest.raises(type(error)):
            fnn.load(path, custom=(Own,))


@attrs.frozen
class OwnLayer(fnn.Dense):
    """A layer that has its shapes only where there are two units."""

    def shapes(self, inputs: int) -> Any:
        return {2: super().shapes(inputs)}[self.units]


def test_what_an_own_layer_raises_later(tmp_path: Path) -> None:
    path, network = tmp_path / "file", fnn.Network(2, (OwnLayer(2, "softmax"),), "cross_entropy")
    data = saved(fnn.save, network, fnn.init_params(network, seed=0), custom=(OwnLayer,))
    path.write_bytes(edited(data, {"network.layers.0.units": 3}))
    refused(fnn.load, path, "must hold what makes a Network, got KeyError: 3.", custom=(OwnLayer,))


@attrs.frozen
class OwnAdam(fnn.Adam):
    """An optimizer that has a state only at a rate of 1."""

    def init(self, params: fnn.Params) -> fnn.AdamState:
        states: dict[Any, fnn.AdamState] = {1.0: super().init(params)}
        return states[self.learning_rate]


def test_what_an_own_optimizer_raises_later(tmp_path: Path) -> None:
    path, begun = tmp_path / "file", fnn.start(fnn.mlp(2, 2), optimizer=OwnAdam(1))
    data = saved(fnn.save_run, begun, custom=(OwnAdam,))
    path.write_bytes(edited(data, {"recipe.optimizer.learning_rate": 2}))
    refused(fnn.load_run, path, "must hold what makes a TrainState, got KeyError: 2.0.", custom=(OwnAdam,))
