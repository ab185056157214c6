"""Stop a save at every system call in turn, and look what is there then.

    python -m tests.killing FOLDER WRITER:SIGNAL ...

A process of its own, so that to fork is safe. It makes everything ready and then forks a child for n = 0, 1, 2, …,
which saves, and gets the signal at its nth stop; a system call has two, one before it and one after it. The last child
comes through. What was found is printed as JSON.
"""

from __future__ import annotations

import ctypes
import fnmatch
import gc
import json
import os
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import fnn
from fnn import atomic

TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200  # of <linux/ptrace.h>, the same on every processor
SYSGOOD, EXITKILL = 1, 0x100000
FAILED, INTERRUPTED, NO_PTRACE = 1, 2, 3  # how a child may exit
SIGNALS = {"kill": "SIGKILL", "ctrl-c": "SIGINT"}
CASES = ("over", "none", "link")  # an old file, none, a link to an old one in another folder
NO_PTRACE_HERE = "killing: ptrace is not permitted here (by a container, or by Yama), so nothing has been tried"


class Kind(NamedTuple):
    """What is saved: the old one is 0, the new one 1; and the digest of what is there."""

    save: Callable[[Path, int], None]
    load: Callable[[Path], str]
    digests: list[str]


def models() -> Kind:
    network = fnn.mlp(4, 3)
    params = [fnn.init_params(network, seed) for seed in (0, 1)]
    save = lambda path, i: fnn.save(path, network, params[i])  # noqa: E731
    return Kind(save, lambda path: fnn.digest(fnn.load(path)[1]), [fnn.digest(each) for each in params])


def runs() -> Kind:
    each = [fnn.start(fnn.mlp(4, 3), seed=seed) for seed in (0, 1)]
    save = lambda path, i: fnn.save_run(path, each[i])  # noqa: E731
    return Kind(save, lambda path: fnn.digest(fnn.load_run(path)), [fnn.digest(run) for run in each])


def in_place(path: Path, data: bytes) -> None:
    """Wrong: the old file is emptied, and the new one comes in pieces."""
    with open(path, "wb", buffering=0) as file:
        file.write(data[:100])
        file.write(data[100:])


def remove_first(path: Path, data: bytes) -> None:
    """Wrong: for a moment there is no file."""
    fresh = path.with_name(".fnn-0.tmp")
    fresh.write_bytes(data)
    path.unlink(missing_ok=True)
    fresh.rename(path)


def write(path: Path, data: bytes) -> None:
    atomic.write("write", str(path), data)


def bytes_by(writer: Callable[[Path, bytes], None], folder: Path) -> Kind:
    """The bytes of models, which are there already when the child begins."""
    kind, data = models(), []
    for i in (0, 1):
        kind.save(folder / "data", i)
        data.append((folder / "data").read_bytes())
    return kind._replace(save=lambda path, i: writer(path, data[i]))


@cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def ptrace(request: int, pid: int, data: int = 0) -> bool:
    return int(libc().ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, ctypes.c_void_p(data))) == 0


def child(work: Callable[[], None]) -> NoReturn:
    code = FAILED
    try:
        if not ptrace(TRACEME, 0):
            os._exit(NO_PTRACE)
        signal.raise_signal(signal.SIGSTOP)  # from here on the parent leads
        work()
        code = 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def stopped(work: Callable[[], None], n: int, number: int) -> tuple[int, bool]:
    """How a child ends that gets a signal at its nth stop, and whether it came to that one."""
    pid = os.fork()
    if pid == 0:
        child(work)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status) or not ptrace(SETOPTIONS, pid, SYSGOOD | EXITKILL):
        sys.exit(NO_PTRACE_HERE)
    stops, sent = 0, 0
    while os.WIFSTOPPED(status):
        ptrace(SYSCALL, pid, sent)  # of a child that is killed it cannot be asked
        _, status = os.waitpid(pid, 0)
        stop = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        at_a_call = stop == signal.SIGTRAP | 0x80  # by SYSGOOD
        sent = 0 if at_a_call else stop  # a signal is passed on
        if at_a_call and stops == n:
            os.kill(pid, number)
        stops += at_a_call
    return os.waitstatus_to_exitcode(status), stops > n


def stage(folder: Path, case: str, old: bytes) -> Path:
    """Lay out a case anew; the path to save to."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "there").mkdir(parents=True)
    (folder / "bystander").write_bytes(b"stays")
    path = folder / "model"
    if case == "over":
        path.write_bytes(old)
    elif case == "link":
        (folder / "there" / "model").write_bytes(old)
        path.symlink_to(Path("there", "model"))
    return path


def look(kind: Kind, path: Path) -> str:
    """Old, new, none, or what is wrong with what is there."""
    try:
        digest = kind.load(path)
        return ("old", "new", "another")[[*kind.digests, digest].index(digest)]
    except FileNotFoundError:
        return "none"
    except Exception as error:
        return type(error).__name__


def strays(folder: Path) -> tuple[int, list[str]]:
    """How many temporary files are there, and what else is that was not, or is not as it was."""
    names = [path.name for path in folder.rglob("*") if not path.is_dir()]
    left = fnmatch.filter(names, ".fnn-*.tmp")
    others = sorted({*names} - {*left, "model", "bystander"})
    return len(left), others + ["bystander"] * ((folder / "bystander").read_bytes() != b"stays")


def sweep(kind: Kind, case: str, number: int, folder: Path) -> dict[str, Any]:
    """Send the signal at every stop in turn."""
    path = stage(folder, "none", b"")
    for i in (1, 0):
        kind.save(path, i)  # which also imports what a save imports
    old = path.read_bytes()
    seen, ends, left, other, again = Counter[str](), Counter[int](), [], set[str](), set[str]()
    n, reached = 0, True
    while reached:
        path = stage(folder, case, old)
        end, reached = stopped(partial(kind.save, path, 1), n, number)
        what = look(kind, path)
        seen[what] += 1
        ends[end] += 1
        temporary, odd = strays(folder)
        other.update(odd)
        if case == "link" and not path.is_symlink():
            other.add("no link")
        if temporary:
            left.append(n)
            kind.save(path, 1)
            again.add(look(kind, path))
        n += 1
    return {"seen": seen, "ends": ends, "last": what, "left": left, "other": sorted(other), "again": sorted(again)}


def main(folder: str, *asked: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have had it ignored
    gc.disable()  # nothing is to depend on when it runs
    kinds: dict[str, Callable[[], Kind]] = {"save": models, "save_run": runs}
    kinds |= {each.__name__: partial(bytes_by, each, Path(folder)) for each in (write, in_place, remove_first)}
    found: dict[str, dict[str, Any]] = {}
    for each in asked:
        writer, name = each.split(":")
        kind, cases = kinds[writer](), CASES if writer == "write" else CASES[:1]
        found[each] = {case: sweep(kind, case, signal.Signals[SIGNALS[name]], Path(folder, "stage")) for case in cases}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
