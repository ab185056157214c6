"""Reading a file of named arrays in the safetensors format, trusting nothing in it; and making the bytes of one."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fnn import checks
from fnn.arrays import Array, freeze

MAX_BYTES = 1 << 30
MAX_HEADER = 100_000_000  # the format's own limit
METADATA = "__metadata__"
DTYPES = {
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    **{f"{kind.upper()}{8 * size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    "BOOL": "|b1",
    "BF16": "<u2",  # the upper half of a float32
}
OTHERS = {
    b"PK": "what looks like a zip file, as .npz (`load_arrays` reads it) and PyTorch's .pt are",
    b"\x93NUMPY": "what looks like a .npy file, which `load_arrays` reads",
    **{bytes([0x80, protocol]): "what looks like a pickle, which is never read" for protocol in (2, 3, 4, 5)},
    b"\x89HDF": "what looks like an HDF5 file",
    b"\x1f\x8b": "what looks like a gzip file, which is to be unpacked first",
}


class ModelFileError(ValueError):
    """A file is not what it must be: cut short, damaged, of another kind, or made to harm.

    Its message says the function, the file, the rule and what there is instead.

    >>> import fnn, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     _ = path.write_bytes(b"PK")
    ...     try:
    ...         fnn.load(path)
    ...     except fnn.ModelFileError as error:
    ...         print(str(error).replace(folder, "…"))
    load: `…/model.safetensors` must have at least 10 bytes, got 2.
    """


class Contents(NamedTuple):
    """What is in a file: the arrays by name, what the header says of them, the metadata, and the arrays' bytes."""

    tensors: dict[str, Array]
    entries: dict[str, Any]
    metadata: dict[str, str]
    buffer: bytes


@contextmanager
def opened(where: str, path: str, max_bytes: int) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file of at most that size, open to be read, and its size.

    Raises:
        OSError: where there is none, or it may not be read.
        ValueError: for a path that cannot be one, with a zero byte in it.
        ModelFileError: for something else, or a larger one.
    """
    checks.count(where, "max_bytes", max_bytes, 1)
    if "\0" in path:
        raise ValueError(f"{where}: a zero byte in the path {path!r}")
    _regular(where, path, os.stat(path))  # before it is opened: to open a device can do something
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        size = _regular(where, path, os.fstat(file.fileno())).st_size
        if size > max_bytes:
            rule, fix = f"must have at most {max_bytes:,} bytes", "A larger one is read with `max_bytes`."
            raise refusal(where, path, rule, f"{size:,}", fix)
        yield file, size


def _regular(where: str, path: str, status: os.stat_result) -> os.stat_result:
    """What is known of a file, refused unless it is a regular one."""
    if not stat.S_ISREG(status.st_mode):
        got = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise refusal(where, path, "must be a regular file", got)
    return status


def refusal(where: str, path: str, rule: str, got: str, fix: str = "") -> Exception:
    """The error to raise of a file: a line that can be printed, whatever is in the file."""
    return checks.problem(ModelFileError, where, _escaped(path), printable(rule), printable(got), printable(fix))


def printable(text: str, most: int = 500) -> str:
    """A text from a file, of at most so many characters, none of which a terminal would obey."""
    return _escaped(text if len(text) <= most else f"{text[: most - 100]}…{text[-99:]}")


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def said(error: Exception) -> str:
    """What an error says that is not fnn's: its first line."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(".: ")


def read(where: str, path: str, file: BinaryIO, size: int, key: str | None = None) -> Contents:
    """What is in a file of the safetensors format, of one whose metadata is `key` alone where that is given.

    Nothing is allocated that the file's size does not allow, and the arrays are read last.
    """
    if size < 10:
        raise refusal(where, path, "must have at least 10 bytes", str(size))
    start = file.read(8)
    length = header_length(start)
    if not 2 <= length <= min(size - 8, MAX_HEADER):
        is_text = start.isascii() and start.translate(None, b"\t\n\r").decode().isprintable()
        other = "what looks like text" if is_text else f"a length of {length:,}"
        got = next((looks for begin, looks in OTHERS.items() if start.startswith(begin)), other)
        rule = f"must be a safetensors file, with a header of 2 to {min(size - 8, MAX_HEADER):,} bytes"
        raise refusal(where, path, rule, got)
    header = parsed(where, path, "the header", file.read(length))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise refusal(where, path, "must have metadata of texts by name", checks.show(metadata))
    places = _places(where, path, header, size - 8 - length)
    if key is not None and metadata.keys() != {key}:
        rule, fix = f"must have the metadata {key!r} alone", "The arrays of other files are read by `load_arrays`."
        raise refusal(where, path, rule, checks.show(sorted(metadata)), fix)
    buffer = file.read(size - 8 - length)
    if len(buffer) != size - 8 - length or file.read(1):
        raise refusal(where, path, f"must stay at {size:,} bytes while it is read", "another size")
    tensors = {name: _array(buffer, place, header[name]) for name, place in places.items()}
    return Contents(tensors, header, metadata, buffer)


def parsed(where: str, path: str, what: str, text: bytes | str) -> dict[str, Any]:
    """A JSON object, in which no name stands twice; finite numbers only."""
    import json

    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        if not text.startswith("{"):
            raise ValueError(f"{text[:1]!r} at its beginning")
        value: dict[str, Any] = json.loads(text, object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)
        return value
    except RecursionError:
        got = "one in another, too deep"
    except ValueError as error:
        got = str(error)
    raise refusal(where, path, f"must have as {what} one JSON object in UTF-8", got)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name twice")
    return made


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]}")
    return number


def _places(where: str, path: str, header: dict[str, Any], size: int) -> dict[str, int]:
    """Where each array's bytes begin: one after the other, with nothing between, before or behind."""
    for name, entry in header.items():
        fault = _fault(entry)
        if fault:
            raise refusal(where, path, f"must say of {checks.show(name)} its dtype, shape and data_offsets", fault)
    end, places = 0, {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, past = entry["data_offsets"]
        bytes_ = math.prod(entry["shape"]) * np.dtype(DTYPES[entry["dtype"]]).itemsize
        if (begin, past) != (end, end + bytes_):
            rule = f"must have {checks.show(name)} at the offsets {[end, end + bytes_]}"
            raise refusal(where, path, rule, str([begin, past]))
        places[name], end = begin, past
    if end != size:
        fix = "It is cut short." if size < end else ""
        raise refusal(where, path, f"must have {end:,} bytes after its header", f"{size:,}", fix)
    return places


def _fault(entry: Any) -> str:
    """What is wrong with an array's entry; "" where nothing is."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        return checks.show(entry)
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        return f"the dtype {checks.show(entry['dtype'])}, which is none of {', '.join(DTYPES)}"
    if not isinstance(shape, list) or not is_shape(tuple(shape)):
        return f"the shape {checks.show(shape)}"
    right = isinstance(offsets, list) and len(offsets) == 2 and _are_sizes(offsets)
    return "" if right else f"the offsets {checks.show(offsets)}"


def is_shape(value: Any) -> bool:
    """Whether a value is the shape of an array: of one that NumPy can hold."""
    return (
        isinstance(value, tuple)
        and len(value) <= 64
        and _are_sizes(value)
        and math.prod(max(n, 1) for n in value) < 2**59
    )


def _are_sizes(values: Sequence[Any]) -> bool:
    return all(type(each) is int and 0 <= each < 2**63 for each in values)


def _array(buffer: bytes, begin: int, entry: dict[str, Any]) -> Array:
    """A copy of an array, so that it is aligned and the buffer need not be kept."""
    shape, dtype = entry["shape"], np.dtype(DTYPES[entry["dtype"]])
    stored = np.frombuffer(buffer, np.uint8, math.prod(shape) * dtype.itemsize, begin)
    if entry["dtype"] == "BOOL":
        array: Array = stored != 0
    elif entry["dtype"] == "BF16":
        array = (stored.copy().view(dtype).astype("<u4") << 16).view("<f4").astype(np.float32, copy=False)
    else:
        array = stored.copy().view(dtype).astype(dtype.newbyteorder("="), copy=False)
    return freeze(array.reshape(shape))


def all_finite(where: str, path: str, tensors: dict[str, Array]) -> None:
    """Refuse NaN and infinity."""
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            fix = "`allow_nonfinite=True` lets it in."
            raise refusal(where, path, f"must have finite numbers in {name}", "NaN or infinity", fix)


def packed(tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a file with these arrays."""
    from safetensors.numpy import save  # which writes wrong numbers where an array is not contiguous

    return save({name: np.ascontiguousarray(array).reshape(array.shape) for name, array in tensors.items()}, metadata)


def header_length(data: bytes) -> int:
    """How long the header says that it is."""
    return int.from_bytes(data[:8], "little")


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of `packed` bytes, and the arrays' bytes after it."""
    import json

    start = 8 + header_length(data)
    return json.loads(data[8:start]), data[start:]
