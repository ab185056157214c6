"""What a writer asks of the file system, recorded; and a model of a disk that loses power in the middle of it.

The model is weak, so that what holds in it holds on any disk: until a file is synced each of its writes may be lost,
be there in half or leave zeros; until a folder is synced each change of its names may be lost, whatever became of the
others. A rename is one change.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

RENAMING = {"os.rename", "os.link", "os.remove", "os.truncate"}  # audit events
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Names(NamedTuple):
    """One change in a folder: which file, by its number, a name leads to now; None is none."""

    now: dict[str, int | None]


class Data(NamedTuple):
    """Bytes into a file."""

    file: int
    start: int
    data: bytes


class Empty(NamedTuple):
    """A file is cut to nothing."""

    file: int


class Sync(NamedTuple):
    """A file, by its number, or a folder, by its name."""

    what: int | str


Operation = Names | Data | Empty | Sync


class Disk(NamedTuple):
    """Which file a name leads to, and what is in the files."""

    names: dict[str, int]
    files: dict[int, bytes]

    def then(self, operations: Sequence[Operation | None]) -> dict[str, bytes]:
        """What is under each name after some operations."""
        names, files = dict(self.names), dict(self.files)
        for operation in operations:
            if isinstance(operation, Names):
                for name, file in operation.now.items():
                    names.pop(name, None)
                    if file is not None:
                        names[name] = file
            elif isinstance(operation, Data):
                _, start, data = operation
                before = files.get(operation.file, b"").ljust(start, b"\0")
                files[operation.file] = before[:start] + data + before[start + len(data) :]
            elif isinstance(operation, Empty):
                files[operation.file] = b""
        return {name: files.get(file, b"") for name, file in names.items()}

    def without_power(self, log: Sequence[Operation]) -> Iterator[dict[str, bytes]]:
        """What may be under each name where the power goes when all of these operations have been asked for."""
        fates = [_fates(operation, log[i:]) for i, operation in enumerate(log) if not isinstance(operation, Sync)]
        return map(self.then, itertools.product(*fates))


def _fates(operation: Operation, later: Sequence[Operation]) -> list[Operation | None]:
    """What may become of an operation: itself, less of it, or None."""
    synced = {each.what for each in later if isinstance(each, Sync)}
    needed = {os.path.dirname(n) for n in operation.now} if isinstance(operation, Names) else {operation[0]}
    if needed <= synced:
        return [operation]
    if isinstance(operation, Data):
        half, zeros = operation.data[: len(operation.data) // 2], bytes(len(operation.data))
        return [operation, operation._replace(data=half), operation._replace(data=zeros), None]
    return [operation, None]


def files_in(folder: str) -> dict[str, bytes]:
    """What is under each name in a real folder and those in it; links left out."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): path.read_bytes() for path in paths}


class Recorder:
    """Calls through to the functions of `os`, and notes what they did in a folder; only there may they change things.

    Attributes:
        log: the operations, in order.
        start: what was there before.
        missed: what was done past these functions, such as by the built-in `open`.
    """

    def __init__(self, folder: str) -> None:
        self.folder, self.log, self.missed, self._calling = folder, list[Operation](), list[str](), False
        before = files_in(folder)
        self.start = Disk({path: i for i, path in enumerate(before)}, dict(enumerate(before.values())))
        self._names, self._count = dict(self.start.names), itertools.count(len(before))
        self._third = 0  # of the file is what one write takes
        self._open: dict[int, list[Any]] = {}  # for each descriptor the folder, or the file and where it is in it
        self._os = {name: getattr(os, name) for name in FUNCTIONS}

    def _call(self, name: str, *args: Any) -> Any:
        self._calling = True
        try:
            return self._os[name](*args)
        finally:
            self._calling = False

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Note a change that no function here has led to."""
        changes = args[2] & CHANGING if event == "open" else event in RENAMING
        if changes and not self._calling and any(str(arg).startswith(self.folder) for arg in args):
            self.missed.append(event)

    def _note(self, now: dict[str, int | None]) -> None:
        self.log.append(Names(now))
        for name, file in now.items():
            self._names.pop(name, None)
            if file is not None:
                self._names[name] = file

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        descriptor: int = self._call("open", path, flags, mode)
        if path.startswith(self.folder) and os.path.isdir(path):
            self._open[descriptor] = [path]
        elif path.startswith(self.folder):
            if path not in self._names:
                self._note({path: next(self._count)})
            self._open[descriptor] = [self._names[path], 0]
            if flags & os.O_TRUNC:
                self.log.append(Empty(self._names[path]))
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        file, start = self._open[descriptor]
        self._third = self._third or -(-len(data) // 3)
        data = bytes(data[: self._third])
        done: int = self._call("write", descriptor, data)
        self.log.append(Data(file, start, data[:done]))
        self._open[descriptor][1] += done
        return done

    def fsync(self, descriptor: int) -> None:
        self._call("fsync", descriptor)
        self.log.append(Sync(self._open[descriptor][0]))

    def close(self, descriptor: int) -> None:
        self._call("close", descriptor)
        self._open.pop(descriptor, None)

    def replace(self, source: str, target: str) -> None:
        self._call("replace", source, target)
        self._note({source: None, target: self._names[source]})

    def link(self, source: str, target: str) -> None:
        self._call("link", source, target)
        self._note({target: self._names[source]})

    def unlink(self, path: str) -> None:
        self._call("unlink", path)
        self._note({path: None})

    rename, remove = replace, unlink


FUNCTIONS = ("open", "write", "fsync", "close", "replace", "rename", "link", "unlink", "remove")
_recorders: list[Recorder] = []


@cache
def _listen() -> None:
    """Have every event told to the recorder that is at work; an audit hook is there to stay."""

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if _recorders:
            _recorders[-1].audit(event, args)

    sys.addaudithook(hear)


@contextmanager
def recorded(folder: Path) -> Iterator[Recorder]:
    """A recorder of all that is done in a folder meanwhile."""
    _listen()
    recorder = Recorder(str(folder))
    _recorders.append(recorder)
    try:
        with mock.patch.multiple(os, **{name: getattr(recorder, name) for name in FUNCTIONS}):
            yield recorder
    finally:
        _recorders.pop()
