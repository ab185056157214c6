"""Paths that a save takes and refuses, links, modes, and two savers at once."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fnn
from tests.stand_ins import exactly

NETWORK = fnn.mlp(4, 3)
OLD, NEW = (fnn.init_params(NETWORK, seed) for seed in (0, 1))
NO_FOLDER = "this is a folder. Give the name of a file in it"
NO_DEVICE = "a device or a pipe would be replaced. Give a file's name"
unix = pytest.mark.skipif(os.name == "nt", reason="Windows has other files, links and modes")


def save(path: str | os.PathLike[str] | bytes) -> None:
    fnn.save(path, NETWORK, NEW)  # type: ignore[arg-type]  # bytes are taken as `os` takes them


def digest(path: str | os.PathLike[str]) -> str:
    return fnn.digest(fnn.load(path)[1])


def everything(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """All that is in a folder: modes, numbers, times, and contents or where a link leads."""
    found: dict[str, tuple[int, int, int, bytes]] = {}
    for path in folder.rglob("*"):
        status, content = path.lstat(), b""
        if path.is_symlink():
            content = os.fsencode(os.readlink(path))
        elif path.is_file():
            content = path.read_bytes()
        found[str(path)] = (status.st_mode, status.st_ino, 0 if path.is_dir() else status.st_mtime_ns, content)
    return found


def refused(path: str, number: int, message: str, folder: Path) -> None:
    """Check what is raised, and that nothing in the folder is another thing than before."""
    before = everything(folder)
    with pytest.raises(OSError, match=exactly(f"[Errno {number}] save: {message}: {path!r}")) as caught:
        save(path)
    assert caught.value.filename == path
    assert type(caught.value) is type(OSError(number, ""))
    assert everything(folder) == before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: with an old file, a folder, and links to each, to nothing, in a circle."""
    monkeypatch.chdir(tmp_path)
    fnn.save("old", NETWORK, OLD)
    Path("folder").mkdir()
    for link, target in {"to-old": "old", "to-folder": "folder", "circle": "circle", "to-no-folder": "no/file"}.items():
        Path(link).symlink_to(target)
    return tmp_path


@unix
@pytest.mark.parametrize(
    ("path", "number", "message"),
    [
        ("folder", errno.EISDIR, NO_FOLDER),
        ("folder/", errno.EISDIR, NO_FOLDER),
        ("to-folder", errno.EISDIR, NO_FOLDER),
        (".", errno.EISDIR, NO_FOLDER),
        ("folder/..", errno.EISDIR, NO_FOLDER),
        ("", errno.EISDIR, NO_FOLDER),
        ("new/", errno.EISDIR, NO_FOLDER),
        ("new/.", errno.EISDIR, NO_FOLDER),
        ("old/", errno.ENOTDIR, "Not a directory"),
        ("old/.", errno.ENOTDIR, "Not a directory"),
        ("old/file", errno.ENOTDIR, "Not a directory"),
        ("to-old/", errno.ENOTDIR, "Not a directory"),
        ("no/file", errno.ENOENT, "the folder {folder}/no is not there. Make it first"),
        ("no/folder/file", errno.ENOENT, "the folder {folder}/no/folder is not there. Make it first"),
        ("to-no-folder", errno.ENOENT, "the folder {folder}/no is not there. Make it first"),
        ("no/../file", errno.ENOENT, "the folder no/.. is not there. Make it first"),
        ("circle", errno.ELOOP, os.strerror(errno.ELOOP)),
        ("circle/file", errno.ELOOP, os.strerror(errno.ELOOP)),
        (256 * "n", errno.ENAMETOOLONG, "File name too long"),
    ],
)
def test_refused(folder: Path, path: str, number: int, message: str) -> None:
    refused(path, number, message.format(folder=folder), folder)


@unix
def test_pipes_and_devices_stay_what_they_are(folder: Path) -> None:
    os.mkfifo("pipe")
    Path("to-pipe").symlink_to("pipe")
    for path in ("pipe", "to-pipe"):
        refused(path, errno.EINVAL, NO_DEVICE, folder)
    one, other = os.openpty()
    refused(os.ttyname(other), errno.EINVAL, NO_DEVICE, folder)
    assert stat.S_ISCHR(os.stat(os.ttyname(other)).st_mode)
    os.close(one)
    os.close(other)


@unix
def test_a_pipe_by_its_number(folder: Path) -> None:
    one, other = os.pipe()
    refused(f"/dev/fd/{other}", errno.EINVAL, NO_DEVICE, folder)  # as /dev/stdout is
    os.close(one)
    os.close(other)


@unix
def test_a_current_folder_that_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("folder")
    os.rmdir(folder / "folder")
    with pytest.raises(FileNotFoundError, match=exactly("[Errno 2] save: No such file or directory: 'file'")):
        save("file")


@pytest.mark.parametrize("path", ["a\0b", b"a\0b"])
def test_a_zero_byte(folder: Path, path: str | bytes) -> None:
    before = everything(folder)
    with pytest.raises(ValueError, match=r"^save: .*null.* in the path 'a\\x00b'$"):
        save(path)
    assert everything(folder) == before


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may do all; so be another meanwhile."""
    if root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@unix
@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        (0o555, "old", "Permission denied; nothing was changed"),
        (0o555, "new", "Permission denied; nothing was changed"),
        (0o444, "old", "Permission denied"),
    ],
)
def test_a_folder_that_may_not_be_written_or_entered(mode: int, name: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are in one that others may not enter
        fnn.save(f"{folder}/old", NETWORK, OLD)
        os.chmod(folder, mode)
        before = everything(Path(folder))
        path = f"{folder}/{name}"
        with as_nobody(), pytest.raises(PermissionError, match=exactly(f"[Errno 13] save: {message}: {path!r}")):
            save(path)
        os.chmod(folder, 0o700)
        assert everything(Path(folder)) == before


@pytest.mark.parametrize(
    "path", ["new", "old", "folder/new", "./new", "folder/../new", "to-folder/new", 255 * "n", "ünï", ".fnn-0.tmp", " "]
)
@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_taken(folder: Path, path: str, kind: Callable[[str], str | Path | bytes]) -> None:
    before = everything(folder)
    save(kind(path))
    assert digest(path) == fnn.digest(NEW)
    assert digest(folder / path) == fnn.digest(NEW)
    after = everything(folder)
    assert len(after.keys() - before.keys()) == (path != "old")
    assert all(after[other] == before[other] for other in before if other != str(folder / "old"))
    assert (after[str(folder / "old")] == before[str(folder / "old")]) == (path != "old")


@pytest.mark.skipif(sys.platform != "linux", reason="others have names in UTF-8 only")
def test_a_name_that_is_no_text(folder: Path) -> None:
    save(b"\xff\xfe")
    assert digest("\udcff\udcfe") == fnn.digest(NEW)
    assert b"\xff\xfe" in os.listdir(os.fsencode(folder))


def test_a_relative_path_is_in_the_folder_of_the_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("folder")
    save("old")
    assert digest(folder / "folder" / "old") == fnn.digest(NEW)
    assert digest(folder / "old") == fnn.digest(OLD)


@unix
def test_a_link_stays_one(folder: Path) -> None:
    Path("to-link").symlink_to(folder / "to-old")
    Path("to-new").symlink_to("folder/new")
    links = {link: os.readlink(link) for link in ("to-old", "to-link", "to-new")}
    for link, target in {"to-old": "old", "to-link": "old", "to-new": "folder/new"}.items():
        fnn.save("old", NETWORK, OLD)
        save(link)
        assert digest(target) == fnn.digest(NEW)
        assert not Path(target).is_symlink()
    assert {link: os.readlink(link) for link in links} == links


@unix
def test_another_name_of_the_old_file_keeps_it(folder: Path) -> None:
    os.link("old", "other")
    save("old")
    assert digest("other") == fnn.digest(OLD)
    assert os.stat("other").st_nlink == 1


@unix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("before", [None, 0o600, 0o444, 0o755])
def test_the_mode_is_by_the_umask(folder: Path, umask: int, mode: int, before: int | None) -> None:
    path = folder / ("old" if before else "new")
    if before:
        path.chmod(before)
    former = os.umask(umask)
    try:
        save(path)
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert digest(path) == fnn.digest(NEW)


# Two savers at once.

SAVER = """
import sys, fnn
network = fnn.mlp(4, 3)
params = fnn.init_params(network, int(sys.argv[2]))
for _ in range(40):
    fnn.save(sys.argv[1], network, params)
"""


def read_while(path: Path, busy: Callable[[], bool]) -> None:
    """Read the file again and again: it is always one of the two."""
    known = {fnn.digest(OLD), fnn.digest(NEW)}
    while busy():
        assert digest(path) in known
    assert digest(path) in known
    assert os.listdir(path.parent) == [path.name]


def test_two_threads_save_to_one_path(tmp_path: Path) -> None:
    path = tmp_path / "model"
    fnn.save(path, NETWORK, OLD)

    def saver(params: fnn.Params) -> None:
        for _ in range(40):
            fnn.save(path, NETWORK, params)

    threads = [threading.Thread(target=saver, args=(params,)) for params in (OLD, NEW)]
    for thread in threads:
        thread.start()
    read_while(path, lambda: any(thread.is_alive() for thread in threads))


def test_two_processes_save_to_one_path(tmp_path: Path) -> None:
    path, root = tmp_path / "model", Path(__file__).parents[1]
    fnn.save(path, NETWORK, OLD)
    processes = [subprocess.Popen([sys.executable, "-c", SAVER, str(path), seed], cwd=root) for seed in "01"]
    read_while(path, lambda: any(process.poll() is None for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
