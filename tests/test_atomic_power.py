"""A save during which the power goes: the old file or the new one is there whole; after it, the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

import fnn
from fnn import atomic
from tests.disk import Data, Disk, Names, Operation, Recorder, Sync, files_in, recorded

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="folders cannot be synced here")

NETWORK = fnn.mlp(4, 3)
OLD, NEW = b"o" * 2100, b"n" * 2500
CASES = ("over", "none", "link")
Writer = Callable[[Path, int], None]  # of the old thing, 0, or the new one, 1


def save(path: Path, i: int) -> None:
    fnn.save(path, NETWORK, fnn.init_params(NETWORK, seed=i))


def save_run(path: Path, i: int) -> None:
    fnn.save_run(path, fnn.start(NETWORK, optimizer=fnn.SGD(), seed=i))


def write(path: Path, i: int) -> None:
    atomic.write("write", str(path), (OLD, NEW)[i])


def steps(order: str) -> Writer:
    """A writer that does these steps in this order."""

    def writer(path: Path, i: int) -> None:
        target = os.path.realpath(path)
        fresh = os.path.join(os.path.dirname(target), ".fnn-0.tmp")
        for step in order.split():
            match step:
                case "create":
                    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                case "empty":
                    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                case "write":
                    rest = (OLD, NEW)[i]
                    while rest:
                        rest = rest[os.write(file, rest) :]
                case "sync":
                    os.fsync(file)
                case "unlink":
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(target)
                case "rename":
                    os.rename(fresh, target)
                case "folder" | "folder-of-the-link":
                    opened = os.open(os.path.dirname(target if step == "folder" else path), os.O_RDONLY)
                    os.fsync(opened)
                    os.close(opened)
        os.close(file)

    return writer


class Found(NamedTuple):
    """What there may be, "old", "new" or "neither", where the power goes at any moment, and when the writer is done."""

    ever: set[str]
    done: set[str]


def lay_out(folder: Path, case: str, writer: Writer) -> tuple[Path, bytes]:
    """A folder with the old file, without it, or with a link to it; the path to save to, and what will be there."""
    (folder / "there").mkdir()
    writer(folder / "bystander", 1)
    path, target = folder / "model", folder / "there" / "model"
    if case == "link":
        path.symlink_to(target)
    if case != "none":
        writer(path, 0)
    return path, (folder / "bystander").read_bytes()


def others(disk: dict[str, bytes], target: str) -> dict[str, bytes]:
    """The files but one, and those that a saver may leave behind."""
    return {name: data for name, data in disk.items() if name != target and not fnmatch(name, "*/.fnn-*.tmp")}


def judged(recorder: Recorder, target: str, new: bytes) -> Found:
    """What may be under a name at any moment of a record; other files are what they were."""
    assert recorder.missed == []
    assert recorder.start.then(recorder.log) == files_in(recorder.folder)  # so that nothing is missing in it
    before = recorder.start.then([])
    words = {before.get(target): "old", new: "new"}
    found = []
    for n in range(len(recorder.log) + 1):
        disks = list(recorder.start.without_power(recorder.log[:n]))
        assert all(others(disk, target) == others(before, target) for disk in disks)
        found.append({words.get(disk.get(target), "neither") for disk in disks})
    return Found(set[str]().union(*found), found[-1])


def tried(writer: Writer, folder: Path, case: str) -> Found:
    path, new = lay_out(folder, case, writer)
    with recorded(folder) as recorder:
        writer(path, 1)
    return judged(recorder, os.path.realpath(path), new)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("writer", [save, save_run, write, steps("create write sync rename folder")])
def test_the_old_or_the_new_one_whole_and_after_it_the_new_one(tmp_path: Path, writer: Writer, case: str) -> None:
    assert tried(writer, tmp_path, case) == ({"old", "new"}, {"new"})


@pytest.mark.parametrize(
    ("order", "case", "found"),
    [
        ("create write rename folder", "over", ({"old", "new", "neither"}, {"new", "neither"})),
        ("create write rename folder", "none", ({"old", "new", "neither"}, {"new", "neither"})),
        ("create write sync rename", "over", ({"old", "new"}, {"old", "new"})),
        ("create write sync rename", "none", ({"old", "new"}, {"old", "new"})),
        ("create write sync folder rename", "over", ({"old", "new"}, {"old", "new"})),
        ("create write rename sync folder", "over", ({"old", "new", "neither"}, {"new"})),
        ("create write rename folder sync", "over", ({"old", "new", "neither"}, {"new"})),
        ("create sync write rename folder", "over", ({"old", "new", "neither"}, {"new", "neither"})),
        ("create write sync unlink rename folder", "over", ({"old", "new", "neither"}, {"new"})),
        ("empty write sync folder", "over", ({"old", "new", "neither"}, {"new"})),
        ("empty write sync folder", "none", ({"old", "new", "neither"}, {"new"})),
        ("create write sync rename folder-of-the-link", "link", ({"old", "new"}, {"old", "new"})),
    ],
)
def test_a_wrong_writer_is_found_out(tmp_path: Path, order: str, case: str, found: tuple[set[str], set[str]]) -> None:
    assert tried(steps(order), tmp_path, case) == found


@pytest.mark.parametrize(
    ("later", "left"),
    [
        ([], {None, b"", b"ab", b"\0\0\0\0", b"abcd"}),
        ([Sync(0)], {None, b"abcd"}),
        ([Sync("/a")], {b"", b"ab", b"\0\0\0\0", b"abcd"}),
        ([Sync(0), Sync("/a")], {b"abcd"}),
        ([Sync(0), Sync("/a"), Data(0, 1, b"X")], {b"abcd", b"aXcd", b"a\0cd"}),
        ([Sync(0), Sync("/a"), Names({"/a/new": None, "/b/new": 0})], {None, b"abcd"}),
    ],
)
def test_what_may_be_lost(later: list[Operation], left: set[bytes | None]) -> None:
    log = [Names({"/a/new": 0}), Data(0, 0, b"abcd"), *later]
    assert {disk.get("/a/new") for disk in Disk({}, {}).without_power(log)} == left


def test_what_is_done_past_the_recorder_is_found_out(tmp_path: Path) -> None:
    path, _ = lay_out(tmp_path, "over", write)
    with recorded(tmp_path) as recorder:
        path.write_bytes(NEW)
    assert recorder.missed == ["open"]
    assert recorder.start.then(recorder.log) != files_in(str(tmp_path))


def failing(name: str, number: int, where: Callable[[int], bool] = lambda mode: True) -> Any:
    """Have a function of `os` fail on files of some mode."""
    function = getattr(os, name)

    def fails(file: Any, *args: Any) -> Any:
        if where(os.stat(file).st_mode):
            raise OSError(number, os.strerror(number))
        return function(file, *args)

    return mock.patch.object(os, name, fails)


@pytest.mark.parametrize("case", CASES)
def test_where_there_are_no_hard_links(tmp_path: Path, case: str) -> None:
    with failing("link", errno.EPERM):
        assert tried(write, tmp_path, case) == ({"old", "new"}, {"new"})


@pytest.mark.parametrize("case", CASES)
def test_where_the_folder_cannot_be_synced(tmp_path: Path, case: str) -> None:
    path, new = lay_out(tmp_path, case, write)
    with (
        recorded(tmp_path) as recorder,
        failing("fsync", errno.EIO, stat.S_ISDIR),
        pytest.raises(OSError, match="Input/output error"),
    ):
        write(path, 1)
    assert judged(recorder, os.path.realpath(path), new) == ({"old", "new"}, {"old", "new"})
