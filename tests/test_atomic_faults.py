"""A save that the file system refuses, at each call in turn: it says so, and nothing was changed."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import fnn
from fnn import atomic
from tests.stand_ins import exactly

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="folders cannot be synced here")

NETWORK = fnn.mlp(4, 3)
OLD, NEW = (fnn.init_params(NETWORK, seed) for seed in (0, 1))
CALLS = {"open": 2, "write": 3, "fsync": 2, "close": 2, "link": 1, "replace": 1, "unlink": 4}  # that one save makes
NEEDED = [(name, n) for name in ("open", "write", "fsync", "close", "replace") for n in range(CALLS[name])]
STILL = "nothing was changed"
MAYBE = "the new file is there, but may yet be lost"


class Faulty:
    """The module os, of which the nth calls of some functions fail; a write takes a third of the file."""

    def __init__(self, *faults: tuple[str, int, BaseException]) -> None:
        self.faults, self.made = {(name, n): error for name, n, error in faults}, Counter[str]()
        self.opened, self.third = set[int](), 0

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        if name not in CALLS:
            return function

        def call(*args: Any) -> Any:
            error = self.faults.pop((name, self.made[name]), None)
            self.made[name] += 1
            if name == "write":
                self.third = self.third or -(-len(args[1]) // 3)
                args = args[0], args[1][: self.third]
            if name == "close":
                self.opened.remove(args[0])
            if error is None:
                done = function(*args)
                if name == "open":
                    self.opened.add(done)
                return done
            if name == "close" or isinstance(error, KeyboardInterrupt):  # these come after it is done
                with contextlib.suppress(FileNotFoundError):
                    function(*args)
            raise error

        return call


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.fixture(params=["over", "none"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A name that the old file has, or none; with something else beside it."""
    (tmp_path / "bystander").write_bytes(b"stays")
    if request.param == "over":
        fnn.save(tmp_path / "model", NETWORK, OLD)
    return tmp_path / "model"


def contents(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


def save_with(path: Path, *faults: tuple[str, int, BaseException]) -> Faulty:
    """Save, with faults that must come into it; whatever becomes of it, it leaves nothing open."""
    faulty = Faulty(*faults)
    try:
        with mock.patch.object(atomic, "os", faulty):
            fnn.save(path, NETWORK, NEW)
    finally:
        assert (faulty.faults, faulty.opened) == ({}, set())
    return faulty


def is_new(path: Path) -> bool:
    return fnn.digest(fnn.load(path)[1]) == fnn.digest(NEW)


def test_these_are_the_calls_that_a_save_makes(path: Path) -> None:
    assert save_with(path).made == CALLS
    assert is_new(path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize(("name", "n"), NEEDED)
def test_a_call_that_fails(path: Path, name: str, n: int, number: int) -> None:
    before = contents(path)
    error = failure(number)
    with pytest.raises(OSError, match=exactly(f"[Errno {number}] save: {error.strerror}; {STILL}: '{path}'")) as caught:
        save_with(path, (name, n, error))
    assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert type(caught.value) is type(error)  # a PermissionError, say
    assert contents(path) == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSPC])
def test_without_hard_links_it_is_saved(path: Path, number: int) -> None:
    save_with(path, ("link", 0, failure(number)))
    assert is_new(path)
    assert contents(path).keys() == {"model", "bystander"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_knows_no_sync(path: Path, number: int) -> None:
    save_with(path, ("fsync", 1, failure(number)))
    assert is_new(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_that_knows_no_sync_is_none_to_rely_on(path: Path, number: int) -> None:
    before = contents(path)
    with pytest.raises(OSError, match=f"^\\[Errno {number}\\] save: "):
        save_with(path, ("fsync", 0, failure(number)))
    assert contents(path) == before


def test_without_a_way_to_open_folders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")  # as on Windows
    assert save_with(path).made == {**CALLS, "open": 1, "fsync": 1, "close": 1}
    assert is_new(path)


@pytest.mark.parametrize("unlucky", [("link", 0), ("replace", 1), ("unlink", 0)])
def test_a_change_that_cannot_be_taken_back_is_said_to_be_there(tmp_path: Path, unlucky: tuple[str, int]) -> None:
    path = tmp_path / "model"
    if unlucky[0] != "unlink":  # by which a file is put away where there was none
        fnn.save(path, NETWORK, OLD)
    with pytest.raises(OSError, match=exactly(f"[Errno {errno.EIO}] save: Input/output error; {MAYBE}: '{path}'")):
        save_with(path, ("fsync", 1, failure(errno.EIO)), (*unlucky, failure(errno.EPERM)))
    assert is_new(path)
    assert contents(path).keys() == {"model"}


def test_leftovers_that_cannot_be_removed_are_left(path: Path) -> None:
    save_with(path, *(("unlink", n, failure(errno.EACCES)) for n in range(4)))
    assert is_new(path)
    left = contents(path).keys() - {"model", "bystander"}
    assert all(name.startswith(".fnn-") and name.endswith(".tmp") for name in left)


@pytest.mark.parametrize(("name", "n"), [(name, n) for name, count in CALLS.items() for n in range(count)])
def test_ctrl_c_in_a_call(path: Path, name: str, n: int) -> None:
    before = contents(path)
    with pytest.raises(KeyboardInterrupt):
        save_with(path, (name, n, KeyboardInterrupt()))
    assert contents(path).keys() <= {"model", "bystander"}
    assert contents(path) == before or is_new(path)


def test_who_is_blamed(tmp_path: Path) -> None:
    with (
        mock.patch.object(atomic, "os", Faulty(("write", 1, failure(errno.ENOSPC)))),
        pytest.raises(
            OSError, match=exactly(f"[Errno 28] save_run: No space left on device; {STILL}: '{tmp_path}/run'")
        ),
    ):
        fnn.save_run(tmp_path / "run", fnn.start(NETWORK))


def test_the_path_that_was_given_is_named(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("model")
    error = failure(errno.ENOSPC)
    with pytest.raises(OSError, match=exactly(f"[Errno {error.errno}] save: {error.strerror}; {STILL}: '{link}'")):
        save_with(link, ("write", 0, error))


# What the kernel itself refuses.

TOO_LARGE = """
import resource, sys, fnn
network = fnn.mlp(4, 3)
fnn.save(sys.argv[1], network, fnn.init_params(network, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))  # a write takes 300 bytes, the next none
try:
    fnn.save(sys.argv[1], network, fnn.init_params(network, 1))
except OSError as error:
    print(error)
network, params = fnn.load(sys.argv[1])
print(fnn.digest(params) == fnn.digest(fnn.init_params(network, 0)))
"""


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TOO_LARGE, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    message = f"[Errno {errno.EFBIG}] save: {os.strerror(errno.EFBIG)}; {STILL}: '{tmp_path / 'model'}'"
    assert (done.stdout, done.stderr) == (f"{message}\nTrue\n", "")
    assert contents(tmp_path / "model").keys() == {"model"}
