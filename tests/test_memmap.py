"""A memory-mapped file as x: looked through once, and read batch by batch, also where it would not fit into memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

import fnn
from fnn import checks
from tests.stand_ins import exactly

Array = NDArray[Any]
COLUMNS = 784
NETWORK = fnn.mlp(COLUMNS, 8, 10)


def written(path: Path, n: int, dtype: Any = np.float32) -> Array:
    """A file of n rows, all zeros but for every hundredth, mapped."""
    x = open_memmap(path, "w+", dtype, (n, COLUMNS))
    rows = np.arange(0, n, 100)
    x[rows, rows % COLUMNS] = 1
    x.flush()
    del x
    mapped: Array = np.load(path, mmap_mode="r")
    return mapped


# Larger than memory.

PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np
import fnn

def refused(make):
    try:
        make()
    except MemoryError:
        return True
    return False

network, adam = fnn.mlp(784, 8, 10), fnn.Adam()
# All is imported, and BLAS has its buffers, before the limit is set.
few = fnn.Dataset(np.eye(200, 784, dtype=np.float32), np.arange(200) % 10)
fnn.predict(network, fnn.fit(network, few, epochs=1, validation=0.5).params, few.x)

x = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(x)) % 10
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + x.nbytes // 3
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

data = fnn.Dataset(x, y)
run = fnn.fit(network, data, optimizer=adam, epochs=1, batch_size=128, validation=0.5)
print(json.dumps({
    "copies refused": [refused(lambda: np.array(x)), refused(lambda: np.array(x[: len(x) // 2]))],
    "history": len(run.history),
    "val_loss": run.history[0].val_loss,
    "held out": fnn.evaluate(network, run.params, fnn.split(data, 0.5)[1]).loss,
    "loss": fnn.evaluate(network, run.params, data).loss,
    "by rows": [fnn.evaluate(network, run.params, part).loss for part in fnn.split(data, 0.5)],
    "predicted": len(fnn.predict(network, run.params, x)),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space is Linux's")
def test_a_file_three_times_as_large_as_the_memory_that_is_left(tmp_path: Path) -> None:
    n = 60_000
    x = written(tmp_path / "x.npy", n)
    assert x.nbytes == 188_160_000
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "x.npy")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["copies refused"] == [True, True]
    assert (found["history"], found["predicted"]) == (1, n)
    assert found["val_loss"] == found["held out"]
    assert found["loss"] == pytest.approx(np.mean(found["by rows"]), rel=1e-12)


def peaks(path: Path, n: int) -> list[int]:
    """The most bytes that are allocated at once by a data set, a training, an evaluation and a prediction."""
    x, y, found = written(path, n), np.arange(n) % 10, []
    tracemalloc.start()
    try:
        data = fnn.Dataset(x, y)
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        run = fnn.fit(NETWORK, data, epochs=1, validation=0.5)
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        fnn.evaluate(NETWORK, run.params, fnn.split(data, 0.5)[1])
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        fnn.predict(NETWORK, run.params, x)
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    return found


def test_a_row_more_of_3136_bytes_takes_at_most_128(tmp_path: Path) -> None:
    """Not one copy of x: the split, the epoch's order, the targets and the answers are some 8-byte numbers a row."""
    n = 8192
    fnn.fit(NETWORK, fnn.Dataset(np.zeros((64, COLUMNS)), np.arange(64) % 10), epochs=1, validation=0.5)  # imports
    once, twice = (np.array(peaks(tmp_path / f"{rows}.npy", rows)) for rows in (n, 2 * n))
    assert ((twice - once) / n < 128).all(), (once, twice)
    assert twice[0] - once[0] < 1000  # of a data set nothing


# Looked through once.


def looked_through(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of rows of x that `Dataset` looks through from here on."""
    seen, finite = [], checks.finite

    def counting(where: str, name: str, array: Any, first_row: int = 0) -> None:
        if (where, name) == ("Dataset", "x"):
            seen.append(array.shape[0])
        finite(where, name, array, first_row)

    monkeypatch.setattr(checks, "finite", counting)
    return seen


def test_parts_and_other_records_of_it_are_not_looked_through_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 10_000
    seen, x, y = looked_through(monkeypatch), written(tmp_path / "x.npy", n), np.arange(n) % 10
    data = fnn.Dataset(x, y)
    assert sum(seen) == n
    rest, part = fnn.split(data, 0.2)
    fnn.split(rest, 0.5)
    fnn.kfold(part, 3)
    attrs.evolve(data, y=y[::-1])
    weighted = attrs.evolve(part, sample_weight=np.ones(n))
    fnn.evaluate(NETWORK, fnn.fit(NETWORK, weighted, epochs=1, validation=0.2).params, rest)
    assert sum(seen) == n
    attrs.evolve(data, x=x)  # given anew
    assert sum(seen) == 2 * n
    attrs.evolve(data, x=data.x[:], rows=np.arange(3))
    assert sum(seen) == 3 * n


@pytest.mark.parametrize("evolved", [False, True])
def test_a_number_that_is_not_finite_is_found_when_the_data_set_is_made(tmp_path: Path, evolved: bool) -> None:
    n = 9000
    good, x = np.zeros((n, COLUMNS), np.float32), open_memmap(tmp_path / "x.npy", "w+", np.float32, (n, COLUMNS))
    x[n - 1, 5] = np.nan
    x.flush()
    mapped, y = np.load(tmp_path / "x.npy", mmap_mode="r"), np.zeros(n, int)
    with pytest.raises(ValueError, match=exactly("Dataset: `x` must be finite in float32, got nan at (8999, 5).")):
        attrs.evolve(fnn.Dataset(good, y), x=mapped) if evolved else fnn.Dataset(mapped, y)


# What is read is what is in the file.


@pytest.mark.parametrize("dtype", ["u1", "?", "i2", "f4", "f8"])
@pytest.mark.parametrize("kind", ["npy", "raw", "columns first"])
def test_the_bytes_of_a_training_are_those_of_the_array_in_memory(tmp_path: Path, kind: str, dtype: str) -> None:
    x = (np.random.default_rng(0).random((150, 12)) * 9).astype(dtype)
    path, y = tmp_path / "x", np.arange(150) % 3
    if kind == "raw":
        x.tofile(path)
        mapped: Array = np.memmap(path, dtype, "r", shape=x.shape)
    else:
        with path.open("wb") as file:
            np.save(file, np.asfortranarray(x) if kind == "columns first" else x)
        mapped = np.load(path, mmap_mode="r")
    network, before = fnn.mlp(12, 5, 3, input_scale=1 / 9), path.read_bytes()
    data = fnn.Dataset(mapped, y)
    assert np.shares_memory(data.x, mapped)
    assert data.x.dtype == np.dtype(dtype)
    for part in fnn.split(data, 0.2):
        assert np.shares_memory(part.x, mapped)
    runs = [fnn.fit(network, each, epochs=2, batch_size=16, validation=0.2) for each in (data, fnn.Dataset(x, y))]
    assert fnn.digest(runs[0]) == fnn.digest(runs[1])
    assert fnn.evaluate(network, runs[0].params, data) == fnn.evaluate(network, runs[0].params, fnn.Dataset(x, y))
    assert fnn.forward(network, runs[0].params, mapped).tobytes() == fnn.forward(network, runs[0].params, x).tobytes()
    assert path.read_bytes() == before


def test_a_file_that_may_be_written_into_is_not(tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "x", np.uint8, "w+", shape=(40, 6))
    x[...] = np.arange(240).reshape(40, 6)
    data = fnn.Dataset(x, np.arange(40) % 2)
    with pytest.raises(ValueError, match="read-only"):
        data.x[0] = 0
    fnn.fit(fnn.mlp(6, 4, 2, input_scale=1 / 240), data, epochs=1, validation=0.25)
    assert x.flags.writeable
    assert x.tolist() == np.arange(240).reshape(40, 6).tolist()
