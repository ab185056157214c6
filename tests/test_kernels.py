"""The compiled loops give the same bits as the plain ones: random shapes, special values, read-only inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnn import compiled, kernels, plain
from fnn.arrays import Array

NAMES = [
    name
    for name, value in vars(compiled).items()
    if inspect.isfunction(value) and value.__module__ == compiled.__name__ and name != "compile_loop"
]
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-310, 3e38, -3e38, 1e308, 1e-20]
DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]


class Drawn:
    """Random numbers of one dtype, some of them special."""

    def __init__(self, seed: int, dtype: np.dtype[Any], special: float) -> None:
        self.random, self.dtype, self.special = np.random.default_rng(seed), dtype, special

    def array(self, *shape: int) -> Array:
        numbers = self.random.standard_normal(shape) * 10.0 ** self.random.integers(-3, 3, shape)
        chosen = self.random.random(shape) < self.special
        with np.errstate(over="ignore"):
            drawn: Array = np.where(chosen, self.random.choice(SPECIAL, shape), numbers).astype(self.dtype)
        return drawn

    def argument(self, kind: str, n: int, k: int, name: str) -> Any:
        if kind == "Vector":
            drawn = self.array(n * k if name in {"w", "g", "m", "v", "most"} else k)
            return np.abs(drawn) if name in {"v", "most"} else drawn  # sums of squares
        if kind in {"OutVector", "OutMatrix", "Matrix"}:
            whole = name.endswith("_new")
            return self.array(n * k) if whole else self.array(k) if kind == "OutVector" else self.array(n, k)
        return {
            "Number": lambda: self.dtype.type(self.random.choice([0.5, 1.0, 0.999, 3.7])),
            "OutWide": lambda: self.random.random(k),
            "Given": lambda: self.array(n + 3, k),
            "Indices": lambda: self.random.integers(0, k, n),
            "OutIndices": lambda: np.zeros(n, np.intp),
            "Bits": lambda: self.random.integers(0, 2**16, n * k).astype(np.uint16),
            "Count": lambda: int(self.random.integers(0, 2**16)),
            "Flag": lambda: bool(self.random.integers(2)),
        }[kind]()


def arguments(name: str, n: int, k: int, drawn: Drawn) -> list[Any]:
    parameters = inspect.signature(getattr(compiled, name)).parameters.values()
    made = [drawn.argument(p.annotation, n, k, p.name) for p in parameters]
    names = [p.name for p in parameters]
    if name == "rows":
        made[names.index("index")] = drawn.random.integers(0, n + 3, n)
    for row_by_row in {"others": ["out"], "label_rows": ["log_sum", "out"]}.get(name, []):
        made[names.index(row_by_row)] = drawn.array(n)
    return made


def copies(args: list[Any], name: str) -> Iterator[Any]:
    kinds = [p.annotation for p in inspect.signature(getattr(compiled, name)).parameters.values()]
    for kind, arg in zip(kinds, args, strict=True):
        copied = arg.copy() if isinstance(arg, np.ndarray) else arg
        if isinstance(arg, np.ndarray) and not kind.startswith("Out"):
            copied.flags.writeable = False
        yield copied


def same_bits(a: Array, b: Array) -> bool:
    """Byte for byte, but for which of its many NaN a NaN is."""
    either = np.isnan(a) | np.isnan(b)
    return bool((np.isnan(a) == np.isnan(b)).all()) and a[~either].tobytes() == b[~either].tobytes()


@pytest.fixture(scope="module")
def loops() -> dict[tuple[str, str], Callable[..., Any]]:
    pytest.importorskip("numba")
    return {
        (name, dtype.char): compiled.compile_loop(name, dtype, dtype.char if name == "rows" else "")
        for name in NAMES
        for dtype in DTYPES
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(
    n=st.integers(1, 70),
    k=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
    special=st.sampled_from([0.0, 0.02, 0.5]),
)
def test_the_same_bits(
    loops: dict[tuple[str, str], Callable[..., Any]],
    name: str,
    dtype: np.dtype[Any],
    n: int,
    k: int,
    seed: int,
    special: float,
) -> None:
    args = arguments(name, n, k, Drawn(seed, dtype, special))
    ours, theirs = list(copies(args, name)), list(copies(args, name))
    with np.errstate(all="ignore"):
        odd = getattr(plain, name)(*ours), loops[name, dtype.char](*theirs)
    by_name = dict(zip(inspect.signature(getattr(plain, name)).parameters, zip(ours, theirs, strict=True), strict=True))
    for p, (a, b) in by_name.items():
        if isinstance(a, np.ndarray):
            assert same_bits(a, b), p
    if "w_new" in by_name and not np.isfinite([by_name["w_new"][0], by_name["g"][0]]).all():
        assert all(odd)
