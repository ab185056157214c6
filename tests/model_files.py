"""Model files taken apart and put together again with sums that are right, so that a change reaches what is behind."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

NETWORK = fnn.Network(
    2, (fnn.Dense(3, "relu"), fnn.BatchNorm(), fnn.Dropout(0.5), fnn.Dense(2, "softmax")), "cross_entropy"
)
DATA = fnn.Dataset(np.linspace(-1, 1, 16).reshape(8, 2), np.arange(8) % 2)


@attrs.define
class Parts:
    """What a file is of: the header's entries of tensors, the record in its metadata, and the tensors' bytes."""

    entries: dict[str, Any]
    record: dict[str, Any]
    buffer: bytes

    def tensor(self, name: str) -> np.ndarray[Any, Any]:
        """A tensor's numbers, a copy that can be changed."""
        entry = self.entries[name]
        begin, end = entry["data_offsets"]
        return np.frombuffer(self.buffer[begin:end], f"<f{int(entry['dtype'][1:]) // 8}").reshape(entry["shape"]).copy()

    def put(self, name: str, array: np.ndarray[Any, Any]) -> None:
        """Other numbers in place of a tensor's."""
        begin, end = self.entries[name]["data_offsets"]
        assert array.nbytes == end - begin
        self.buffer = self.buffer[:begin] + array.tobytes() + self.buffer[end:]

    def add(self, name: str, dtype: str, shape: list[int], data: bytes) -> None:
        """One more tensor, behind the others."""
        begin = len(self.buffer)
        self.entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + len(data)]}
        self.buffer += data


def apart(data: bytes) -> Parts:
    """The parts of a file; its sums are left out of the record."""
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start])
    record = json.loads(entries.pop("__metadata__")["fnn"])
    del record["sha256"]
    return Parts(entries, record, data[start:])


def canonical(value: object, planted: str = "") -> str:
    """The one JSON text of a value, with another planted where "?" stands, which may be too deep for JSON's writer."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text.replace('"?"', planted) if planted else text


def sums(parts: Parts, planted: str = "") -> dict[str, str]:
    """The sums as they must be: of the tensors' bytes, and of the JSON of all else."""
    rest = canonical([parts.entries, parts.record], planted).encode()
    return {"tensors": hashlib.sha256(parts.buffer).hexdigest(), "rest": hashlib.sha256(rest).hexdigest()}


def record_text(parts: Parts, planted: str = "") -> str:
    """The record with its sums, as it stands in the metadata."""
    return canonical({**parts.record, "sha256": sums(parts, planted)}, planted)


def together(parts: Parts, text: str | None = None) -> bytes:
    """The parts as a file whose sums are right; `text` in place of the record's."""
    header = {"__metadata__": {"fnn": record_text(parts) if text is None else text}, **parts.entries}
    return framed(json.dumps(header, separators=(",", ":")).encode(), parts.buffer)


def framed(header: bytes, buffer: bytes = b"", length: int | None = None) -> bytes:
    """The header's length, or another, the header and what is behind it."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header + buffer


def changed(data: bytes, change: Callable[[Parts], object]) -> bytes:
    """A file with its parts changed, and sums that are right again."""
    parts = apart(data)
    change(parts)
    return together(parts)


def saved(save: Callable[..., None], *args: Any, **settings: Any) -> bytes:
    """The bytes that `fnn.save` or `fnn.save_run` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        save(path, *args, **settings)
        return path.read_bytes()


@cache
def model(dtype: Any = np.float32) -> bytes:
    """The file of a small network with a batch norm."""
    return saved(fnn.save, NETWORK, fnn.init_params(NETWORK, seed=0, dtype=dtype))


@cache
def state(optimizer: Any = fnn.Adam(), dtype: Any = np.float32) -> fnn.TrainState:  # noqa: B008  # it is frozen
    """A run of two epochs and a step."""
    params = fnn.init_params(NETWORK, seed=0, dtype=dtype)
    steps = fnn.train(NETWORK, DATA, optimizer=optimizer, batch_size=3, params=params, every="step", validation=DATA)
    return next(run for run in steps if (run.epoch, run.batch) == (2, 1))


@cache
def run(optimizer: Any = fnn.Adam(), dtype: Any = np.float32) -> bytes:  # noqa: B008
    """Its file."""
    return saved(fnn.save_run, state(optimizer, dtype))


def deep(depth: int, inner: Any = 0) -> Any:
    """Lists in lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


# What is refused.

GONE = object()
GRAMMAR = re.compile(r"\w+: `[^`]+` .+, got .+\.( .+[.?])?")
SECONDS, BYTES = 0.1, 50_000_000


def edited(data: bytes, edits: dict[str, Any]) -> bytes:
    """A file with what stands at some places of its record, as in "history.0.loss", changed or GONE."""

    def change(parts: Parts) -> None:
        for place, value in edits.items():
            inner: Any = parts.record
            *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
            for step in way:
                inner = inner[step]
            if value is GONE:
                del inner[last]
            else:
                inner[last] = value

    return changed(data, change)


def like(message: str) -> str:
    """The pattern of just that message; … stands for whatever the platform or another package says."""
    return f"^{re.escape(message).replace('…', '.+')}$"


def refused(load: Callable[..., object], path: Path, message: str, **settings: Any) -> None:
    """Loading raises just a ModelFileError with just this message, as in `like`, soon, and allocates little."""
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        with pytest.raises(fnn.ModelFileError) as caught:
            load(path, **settings)
        seconds.append(time.perf_counter() - begin)
    assert caught.type is fnn.ModelFileError
    said, whole = str(caught.value), f"{load.__name__}: `{path}` {message}"
    assert re.search(like(whole), said), said
    assert GRAMMAR.fullmatch(said)
    assert said.isprintable()
    assert len(said) < 2500
    assert min(seconds) < SECONDS
    tracemalloc.start()
    try:
        with pytest.raises(fnn.ModelFileError):
            load(path, **settings)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
