"""Writing a file so that the old or the new one is there whole, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

_BINARY = getattr(os, "O_BINARY", 0)  # on Windows


def write(where: str, path: str, data: bytes) -> None:
    """Put `data` into the file `path` names; where that fails, what was there before is there still.

    Into a new file beside it, which is synced and then takes its name; then the folder is synced. When this returns,
    the file outlasts a loss of power. A link stays one: what it leads to is written. The file's mode is by the umask.
    A kill, or a loss of power then or soon after, may leave a file `.fnn-….tmp` in the folder.

    Raises:
        OSError: for a path that is a folder's or a device's, a folder that is missing or read-only, a full disk,
            an input or output error; it names the path. `where` is whom it blames.
        ValueError: for a path that cannot be one, with a zero byte in it.
    """
    target = _target(where, path)
    folder = os.path.dirname(target)
    fresh, former = (os.path.join(folder, f".fnn-{os.urandom(8).hex()}.tmp") for _ in range(2))
    untouched = True
    try:
        _create(fresh, data)
        kept = _keep(target, former)
        os.replace(fresh, target)
        try:
            _sync_folder(folder)
        except OSError:
            untouched = kept and _restore(target, former)
            raise
    except OSError as error:
        then = "nothing was changed" if untouched else "the new file is there, but may yet be lost"
        raise OSError(error.errno, f"{where}: {error.strerror}; {then}", path) from error
    finally:
        try:
            _remove(fresh, former)
        finally:  # again, where Ctrl-C came in between
            _remove(fresh, former)


def _target(where: str, path: str) -> str:
    """What a path leads to: a file, or a name for one in a folder that is there. Refuse any other."""
    try:
        target = os.path.realpath(path)
        mode = stat.S_IFDIR if os.path.basename(path) in ("", os.curdir) else stat.S_IFREG
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(path).st_mode  # not the target's: behind a file, / and /. lead nowhere
    except OSError as error:
        raise OSError(error.errno, f"{where}: {error.strerror}", path) from error
    except ValueError as error:
        raise ValueError(f"{where}: {error} in the path {path!r}") from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, f"{where}: this is a folder. Give the name of a file in it", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{where}: a device or a pipe would be replaced. Give a file's name", path)
    for folder in (os.path.dirname(target), os.path.dirname(path) or os.curdir):  # "no/../file" leads nowhere either
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, f"{where}: the folder {folder} is not there. Make it first", path)
    return target


def _create(path: str, data: bytes) -> None:
    """A new file with `data`, synced."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _keep(target: str, former: str) -> bool:
    """Give the old file a second name, from which it can be put back; False where the file system cannot."""
    try:
        os.link(target, former)
    except FileNotFoundError:  # there is none
        return True
    except OSError:
        return False
    return True


def _restore(target: str, former: str) -> bool:
    """Put the old file back, or the new one away where there was none."""
    try:
        if os.path.exists(former):
            os.replace(former, target)
        else:
            os.unlink(target)
    except OSError:
        return False
    return True


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _sync_folder(folder: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no such thing
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have none either
            raise
    finally:
        os.close(opened)
