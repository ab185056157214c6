"""The compiled loops give the same bits as the plain ones: random shapes, special values, read-only inputs."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn import compiled, kernels, plain
from fnn.arrays import Array
from fnn.backprop import numbers
from fnn.compiling import compile_loop

NAMES = [
    name
    for name, value in vars(compiled).items()
    if inspect.isfunction(value) and value.__module__ == compiled.__name__
]
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-310, 3e38, -3e38, 1e308, 1e-20]
ROW_BY_ROW = {"others": ["out"], "label_rows": ["log_sum", "out"], "label_head": ["rest"], "label_loss": ["log_sum"]}
ROW_BY_ROW |= {"binary_rows": ["out"], "squared_rows": ["out"]}
ANSWERS = {"label_head", "label_loss", "total", "binary_head", "squared_head"}
DTYPES: list[np.dtype[Any]] = [np.dtype(np.float32), np.dtype(np.float64)]


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
        makers: dict[str, Callable[[], Any]] = {
            "Vector": lambda: self.array(k),
            "OutVector": lambda: self.array(n * k if name == "v" else k),
            "Matrix": lambda: self.array(n, k),
            "OutMatrix": lambda: self.array(n, k),
            "Number": lambda: self.dtype.type(self.random.choice([0.5, 1.0, 0.999, 3.7])),
            "OutWide": lambda: self.random.random(k),
            "Indices": lambda: self.random.integers(0, k, n),
            "Bits": lambda: self.random.integers(0, 2**16, n * k).astype(np.uint16),
            "Count": lambda: int(self.random.integers(0, 2**16)),
        }
        return makers[kind]()


def arguments(name: str, n: int, k: int, drawn: Drawn) -> list[Any]:
    parameters = inspect.signature(getattr(compiled, name)).parameters.values()
    made = [drawn.argument(p.annotation, n, k, p.name) for p in parameters]
    names = [p.name for p in parameters]
    if name == "outer":
        made[names.index("a")] = drawn.array(n)
    if name == "mask":
        made[names.index("out")] = drawn.array(n * k)
    for row_by_row in ROW_BY_ROW.get(name, []):
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
    return {(name, dtype.char): compile_loop(name, dtype) for name in NAMES for dtype in DTYPES}


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
    if name in ANSWERS:
        assert np.array_equal(*odd, equal_nan=True)


def fresh(monkeypatch: pytest.MonkeyPatch, setting: str | None) -> None:
    monkeypatch.setattr(kernels, "_compiling", False)
    monkeypatch.setattr(kernels, "_loops", {})
    monkeypatch.setattr(kernels, "_done", 0.0)
    monkeypatch.setattr(kernels, "_next", 0.0)
    kernels._is_there.cache_clear()
    if setting is None:
        monkeypatch.delenv("FNN_KERNELS", raising=False)
    else:
        monkeypatch.setenv("FNN_KERNELS", setting)


@pytest.mark.parametrize(
    ("setting", "numbers", "compiling"),
    [(None, 0, False), (None, 1e12, True), ("numpy", 1e12, False), ("numba", 0, True), ("", 1e12, True)],
)
def test_which_loops_are_chosen(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, numbers: float, compiling: bool
) -> None:
    pytest.importorskip("numba")
    fresh(monkeypatch, setting)
    kernels.choose(numbers)
    assert kernels._compiling is compiling
    kernels.choose(0)  # what is loaded stays
    assert kernels._compiling is compiling


def test_a_loop_of_ones_own_goes_over_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    fresh(monkeypatch, None)
    data, run = fnn.Dataset(np.eye(3), np.arange(3)), fnn.start(fnn.mlp(3, 5, 3), batch_size=1)
    monkeypatch.setattr(kernels, "WORTH", 2.5 * numbers(run.recipe.network, 1))
    seen = []
    for batch in fnn.batches(data, batch_size=1):
        run = fnn.train_step(run, batch)
        seen.append(kernels._compiling)
    assert seen == [False, False, True]
    fresh(monkeypatch, None)
    seen = []
    for _ in range(3):
        fnn.grads(run.recipe.network, run.params, np.eye(3)[:1], [0])
        seen.append(kernels._compiling)
    assert seen == [False, False, True]
    fresh(monkeypatch, "numba")
    fnn.grads(run.recipe.network, run.params, np.eye(3), [0, 1, 2])
    assert kernels._compiling
    fresh(monkeypatch, "numba")
    fnn.forward(run.recipe.network, run.params, np.eye(3))
    assert kernels._compiling
    fresh(monkeypatch, "numba")
    fnn.train_step(fnn.start(fnn.mlp(3, 5, 3), batch_size=1), next(iter(fnn.batches(data, batch_size=1))))
    assert kernels._compiling


def test_fit_goes_over_at_once_where_all_its_epochs_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    fresh(monkeypatch, None)
    data, network = fnn.Dataset(np.eye(3), np.arange(3)), fnn.mlp(3, 5, 3)
    kernels.relu(np.ones((2, 2), np.float32))
    monkeypatch.setattr(kernels, "WORTH", 9.5 * numbers(network, 3))
    fnn.fit(network, data, epochs=9)
    assert not kernels._compiling
    fnn.fit(network, data, epochs=10)
    assert kernels._compiling
    kernels.relu(np.ones((2, 2), np.float32))
    assert all(loop is not vars(plain)[name] for (name, *_), loop in kernels._loops.items())
    fresh(monkeypatch, None)
    for _ in range(2):  # and so are several of them together
        fnn.fit(network, data, epochs=5)
    assert kernels._compiling


def test_another_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(monkeypatch, "fast")
    with pytest.raises(ValueError, match=r"^FNN_KERNELS: must be 'numpy' or 'numba', or not be set, got 'fast'\.$"):
        kernels.choose(0)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    fresh(monkeypatch, None)
    kernels.choose(1e12)
    assert not kernels._compiling
    fresh(monkeypatch, "numba")
    with pytest.raises(
        ModuleNotFoundError, match=r"^FNN_KERNELS: 'numba' asks for numba, .* `pip install \"fnn\[fast\]\"`"
    ):
        kernels.choose(0)
    kernels._is_there.cache_clear()


def test_arrays_of_a_users_own_part_go_to_the_plain_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    fresh(monkeypatch, "numba")
    kernels.choose(0)
    z = np.asfortranarray(np.arange(-6, 6, dtype=np.float32).reshape(3, 4))
    assert np.array_equal(kernels.relu(z), np.maximum(z, 0))
    assert np.array_equal(kernels.relu_vjp(z, np.float64(3) * np.ones(z.shape)), 3 * (z > 0))
    out = np.empty(4, np.float32)
    kernels.column_sums(z, out)
    assert np.array_equal(out, z.sum(axis=0))


SCRIPT = """
import numpy as np, fnn
x = np.random.default_rng(0).random((100, 20))
run = fnn.fit(fnn.mlp(20, 30, 3), fnn.Dataset(x, np.arange(100) % 3), epochs=2)
print(fnn.digest(run))
"""


@pytest.mark.parametrize("kept_in", ["package", "home", "nowhere"])
def test_where_compiled_code_is_kept(tmp_path: Path, kept_in: str) -> None:
    # a file in a folder's place, since whoever runs this may write into any folder
    pytest.importorskip("numba")
    package, home = tmp_path / "fnn", tmp_path / "home"
    shutil.copytree(Path(fnn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    if kept_in != "package":
        (package / "__pycache__").write_text("no folder")
    if kept_in == "nowhere":
        home.write_text("no folder")
    else:
        home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    environment |= {"PYTHONPATH": str(tmp_path), "FNN_KERNELS": "numba", "HOME": str(home)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == fnn.digest(
        fnn.fit(
            fnn.mlp(20, 30, 3), fnn.Dataset(np.random.default_rng(0).random((100, 20)), np.arange(100) % 3), epochs=2
        )
    )
    kept = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.nbi")}
    assert kept == {"package": {"fnn"}, "home": {"home"}, "nowhere": set()}[kept_in]


def test_a_damaged_cache_does_no_harm(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "FNN_KERNELS": "numba", "PYTHONPATH": os.getcwd()}
    found = set()
    for damage in (None, b"", b"\x80\x04nonsense"):
        for path in tmp_path.rglob("*.nb?") if damage is not None else ():
            path.write_bytes(damage or b"")
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
