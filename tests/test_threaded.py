"""The loops on several threads give the bits of the plain ones, in one piece and in many."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn import blas, compiling, kernels, plain
from tests.test_kernels import DTYPES, Drawn, same_bits

pytest.importorskip("numba")

from fnn.threaded import BOX, LEAST, MOST, compile_threaded

SETTINGS = {"sgd": 1, "momentum": 3, "rmsprop": 4, "lion": 6, "adam": 7, "nadam": 8, "amsgrad": 6}
SQUARES = {"v", "most"}  # sums of them

# In the place of BLAS's threads: one after the other, the last piece first.
Job = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def backwards(threads: int, loop: int, boxes: int, stride: int) -> int:
    pieces.append(threads)
    assert stride == BOX * np.dtype(np.intp).itemsize
    for part in reversed(range(threads)):
        Job(loop)(boxes + part * stride)
    return 0


pieces: list[int] = []  # of each call
SPREAD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(backwards)
COUNT = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1000)


def in_pieces(name: str, dtype: np.dtype[Any], given_dtype: str = "") -> Callable[..., Any]:
    made = compile_threaded(name, dtype, given_dtype)
    assert isinstance(made, partial)
    spread, count = (ctypes.cast(function, ctypes.c_void_p).value for function in (SPREAD, COUNT))
    return partial(made.func, made.args[0], spread, count)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("name", SETTINGS)
@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(0, 100) | st.integers(2 * LEAST - 2, 5 * LEAST),
    seed=st.integers(0, 2**32 - 1),
    special=st.sampled_from([0.0, 0.02, 0.5]),
)
def test_the_same_bits(name: str, dtype: np.dtype[Any], n: int, seed: int, special: float) -> None:
    drawn = Drawn(seed, dtype, special)
    names = list(signature(getattr(plain, name)).parameters)[1:]
    numbers = drawn.random.choice([0.5, 1.0, 0.999, 3.7], SETTINGS[name]).astype(dtype)
    if name == "momentum":
        numbers[2] = seed % 2  # nesterov
    given_ones = [np.abs(drawn.array(n)) if p in SQUARES else drawn.array(n) for p in names]
    found = []
    for loop in (getattr(plain, name), compile_threaded(name, dtype, ""), in_pieces(name, dtype)):
        vectors = [vector.copy() for vector in given_ones]
        for p, vector in zip(names, vectors, strict=True):
            vector.flags.writeable = p.endswith("_new")
        with np.errstate(all="ignore"):
            odd = loop(numbers, *vectors)
        found.append(vectors)
        new, g = (vectors[names.index(p)] for p in ("w_new", "g"))
        with np.errstate(all="ignore"):
            if not np.isfinite(new + g).all():
                assert odd
            elif loop is not getattr(plain, name):  # which says so too where a sum of products overflows
                assert odd == 0
    for p, *theirs in zip(names, *found, strict=True):
        assert all(same_bits(theirs[0], other) for other in theirs[1:]), p


@pytest.mark.parametrize("given_dtype", [np.dtype(char) for char in kernels.GIVEN], ids=lambda dtype: dtype.char)
@pytest.mark.parametrize("scale", [1.0, 1 / 255])
@pytest.mark.parametrize("rows", [0, 1, 4, 5 * LEAST // 130])
def test_rows_of_every_dtype(given_dtype: np.dtype[Any], scale: float, rows: int) -> None:
    random = np.random.default_rng(0)
    x = random.integers(-(2**62), 2**62, (9, 130)).view(np.uint64).astype(given_dtype)
    x.flags.writeable = False
    index = random.integers(0, 9, rows)
    for dtype in DTYPES:
        found = []
        for loop in (
            plain.rows,
            compile_threaded("rows", dtype, given_dtype.char),
            in_pieces("rows", dtype, given_dtype.char),
        ):
            out = np.empty((rows, 130), dtype)
            loop(x, index, dtype.type(scale), out)
            found.append(out.tobytes())
        assert len(set(found)) == 1


def test_how_many_pieces() -> None:
    sgd, found = in_pieces("sgd", DTYPES[0]), []
    for n in (LEAST, 2 * LEAST - 1, 2 * LEAST, 7 * LEAST + 1, (MOST + 9) * LEAST):
        pieces.clear()
        sgd(np.ones(1, np.float32), *(np.ones(n, np.float32) for _ in range(3)))
        found.append(list(pieces))
    assert found == [[], [], [2], [7], [MOST]]


PROGRAM = """
import numpy as np
from fnn import plain
from fnn.threaded import LEAST, compile_threaded
w, g = np.random.default_rng(0).random((2, 5 * LEAST + 1))
ours, theirs = np.empty_like(w), np.empty_like(w)
plain.sgd(np.full(1, 0.1), g, w, ours)
for _ in range(100):
    theirs[:] = 0
    compile_threaded("sgd", w.dtype, "")(np.full(1, 0.1), g, w, theirs)
    assert np.array_equal(ours, theirs)
"""


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_on_the_threads_of_numpys_blas(threads: str) -> None:
    command = [sys.executable, "-c", PROGRAM]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": threads}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_threads_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "address", lambda *_: 0)
    w, g, w_new = np.random.default_rng(0).random((3, 3 * LEAST))
    assert compile_threaded("sgd", w.dtype, "")(np.full(1, 0.5), g, w, w_new) == 0
    assert np.array_equal(w_new, w - 0.5 * g)


def test_no_such_function() -> None:
    assert blas.address("no_blas_has_this") == 0


def twice(a: float) -> float:
    return a * 2


def test_what_is_on_disk_is_of_these_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    of = numba.float64(numba.float64)

    def hits() -> int:
        return sum(compiling.compile_as(of, twice).stats.cache_hits.values())

    assert (hits(), hits()) == (0, 1)
    monkeypatch.setattr(compiling, "_sources", lambda: "others")
    assert (hits(), hits()) == (0, 1)
    assert set(compiling.INLINED) == {room.stem for room in Path(fnn.__file__).parent.glob("*.py") if inlined(room)}


def inlined(room: Path) -> bool:
    """Whether it is compiled, or says how what is compiled is."""
    text = room.read_text()
    return room.stem == "compiled" or "from llvmlite" in text or "import numba\nimport numpy" in text
