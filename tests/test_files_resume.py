"""A run that is saved and loaded goes on as if it had not been, in another process, from any step."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import fnn
from fnn import provenance
from tests.resuming import CUSTOM, DATA, HELD_OUT, LIVES, NETWORK, OPTIMIZERS, STEPS, go_on
from tests.stand_ins import exactly

ROOT = Path(__file__).parent.parent


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tests.resuming", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_from_any_step_with_every_optimizer_in_a_new_process(tmp_path: Path) -> None:
    """Dropout, batch norm, penalties, clipping, schedules, weights, validation and patience are all on."""
    expected, paths = [], []
    for optimizer in OPTIMIZERS:
        begun = fnn.start(NETWORK, optimizer=optimizer, batch_size=10, seed=4)
        steps = list(islice(fnn.train(NETWORK, DATA, state=begun, validation=HELD_OUT, every="step"), 3 * STEPS))
        assert steps[-1].epoch == 3
        whole = fnn.digest(go_on(begun))
        assert fnn.digest(steps[-1]) == whole
        for i, run in enumerate([begun, *steps]):
            paths.append(tmp_path / f"{type(optimizer).__name__}-{i}.safetensors")
            fnn.save_run(paths[-1], run, custom=CUSTOM)
            again = fnn.load_run(paths[-1], custom=CUSTOM)
            assert fnn.digest(again) == fnn.digest(run)
            assert [attrs.astuple(each) for each in again.history] == [attrs.astuple(each) for each in run.history]
            assert (again.recipe, again.stopped) == (run.recipe, run.stopped)
            expected.append(f"{whole} True")  # the same bytes in every process: nothing in them depends on an order
    assert len({line.split()[0] for line in expected}) == len(OPTIMIZERS)
    done = subprocess.run(
        command("on", *paths), capture_output=True, text=True, check=True, env=environment(), cwd=ROOT
    )
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("spread", [False, True])
def test_the_penalty_of_half_an_epoch_goes_on(tmp_path: Path, spread: bool) -> None:
    network = attrs.evolve(NETWORK, spread_penalties=spread)
    begun = fnn.start(network, batch_size=10, seed=4, shuffle=False)
    whole = fnn.fit(network, DATA, state=begun, epochs=2)
    steps = list(islice(fnn.train(network, DATA, state=begun, every="step"), 2 * STEPS))
    for run in steps:
        fnn.save_run(tmp_path / "run", run)
        again = fnn.load_run(tmp_path / "run")
        assert again.recipe == run.recipe
        assert again.sums == run.sums
        assert (again.sums.penalty > 0) == (run.batch > 0)
        assert [record.penalty for record in again.history] == [record.penalty for record in run.history]
        on = fnn.fit(network, DATA, state=again, epochs=2 - again.epoch) if again.epoch < 2 else again
        assert fnn.digest(on) == fnn.digest(whole)
        assert on.history == whole.history


def test_saved_by_on_epoch_and_stopped_by_patience(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"validation": HELD_OUT, "patience": 2}
    whole = fnn.fit(NETWORK, DATA, epochs=40, batch_size=10, optimizer=fnn.SGD(0.3), **settings)
    assert whole.stopped == "patience"
    saved: list[Path] = []

    def keep(run: fnn.TrainState) -> None:
        saved.append(tmp_path / f"{run.epoch}.safetensors")
        fnn.save_run(saved[-1], run)

    fnn.fit(NETWORK, DATA, epochs=whole.epoch, batch_size=10, optimizer=fnn.SGD(0.3), on_epoch=keep, **settings)
    assert len(saved) == whole.epoch > 3
    for path in saved[:-1]:
        run = fnn.load_run(path)
        assert fnn.digest(run.best) == fnn.digest(fnn.load_run(saved[run.best_epoch - 1]).params)
        on = fnn.fit(NETWORK, DATA, state=run, epochs=40, **settings)
        assert fnn.digest(on) == fnn.digest(whole)
        assert on.stopped == "patience"
        assert on.history == whole.history


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_full_batch_in_either_dtype(tmp_path: Path, dtype: Any) -> None:
    params = fnn.init_params(NETWORK, seed=1, dtype=dtype)
    begun = fnn.start(NETWORK, batch_size=None, params=params)
    whole = fnn.fit(NETWORK, DATA, state=begun, epochs=6)
    fnn.save_run(tmp_path / "run", fnn.fit(NETWORK, DATA, state=begun, epochs=2))
    run = fnn.load_run(tmp_path / "run")
    assert run.params.dtype == dtype
    assert fnn.digest(fnn.fit(NETWORK, DATA, state=run, epochs=4)) == fnn.digest(whole)


def _life(path: Path, steps: int, moment: float) -> int:
    """Train in a process of its own, and kill it a moment after it has saved so many steps."""
    with subprocess.Popen(
        command("train", path), stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    ) as work:
        assert work.stdout
        for _ in range(1 + steps):
            work.stdout.readline()
        time.sleep(moment)
        work.send_signal(signal.SIGKILL)
        return work.wait()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_killed_at_ten_random_moments_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    draw = random.Random()  # other moments each time
    begun, never = tmp_path / "run.safetensors", tmp_path / "never.safetensors"
    lives = []
    for life in range(10):
        code = _life(begun, draw.randrange(12 if life else 1), draw.uniform(0, 0.02))
        assert code == -signal.SIGKILL
        if begun.exists():  # it may have been killed before the first save
            run = fnn.load_run(begun)
            lives.append(run.epoch * STEPS + run.batch)
    assert lives == sorted(lives)
    assert lives[-1] < LIVES * STEPS  # so that none had come to the end
    ends = [
        subprocess.run(command("train", path), capture_output=True, text=True, check=True, env=environment(), cwd=ROOT)
        for path in (begun, never)
    ]
    killed, whole = (end.stdout.splitlines()[-1] for end in ends)
    assert killed == whole
    assert whole.endswith(f" {LIVES}")
    assert lives[-1] + ends[0].stdout.count("saved") == ends[1].stdout.count("saved") == LIVES * STEPS


def test_what_is_not_as_it_was_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    fnn.save_run(path, fnn.start(NETWORK))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fnn.load_run(path)
    here = provenance.made_on()
    there = here | {"blas_kernel": "Other", "blas_threads": 64, "numpy": "9.9", "OPENBLAS_CORETYPE": "Z80"}
    monkeypatch.setattr("fnn.files.made_on", lambda: there)
    core = here.get("OPENBLAS_CORETYPE", "not set")
    message = (
        f"load_run: {path} was made with another machine, versions or threads (numpy {here['numpy']}, here 9.9; "
        f"blas_kernel {here['blas_kernel']}, here Other; blas_threads {here['blas_threads']}, here 64; "
        f"OPENBLAS_CORETYPE {core}, here Z80). What follows can differ in its last bits."
    )
    with pytest.warns(RuntimeWarning, match=exactly(message)) as caught:
        run = fnn.load_run(path)
    assert caught[0].filename == __file__
    assert fnn.digest(run) == fnn.digest(fnn.start(NETWORK))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fnn.save(path, NETWORK, run.params)
        fnn.load(path)  # a model is not gone on with


def test_what_was_set_then_and_is_not_now_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Z80")
    fnn.save_run(tmp_path / "run", fnn.start(NETWORK))
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    with pytest.warns(RuntimeWarning, match=r"\(OPENBLAS_CORETYPE Z80, here not set\)"):
        fnn.load_run(tmp_path / "run")


def test_how_many_threads_were_asked_for_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many there are is."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "64")
    fnn.save_run(tmp_path / "run", fnn.start(NETWORK))
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    fnn.load_run(tmp_path / "run")


def test_the_vector_instructions_are_those_that_numpy_needs_and_those_that_it_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {"SIMD Extensions": {"baseline": ["SSE"], "found": ["AVX2", "FMA3"], "not found": ["AVX512F"]}}
    blas = {"Build Dependencies": {"blas": {"name": "scipy-openblas"}}}
    monkeypatch.setattr(np, "show_config", lambda mode: config | blas)
    assert provenance.made_on()["simd"] == "SSE AVX2 FMA3"


def test_of_several_blas_that_of_numpy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: str, threads: int, kind: str = "blas") -> dict[str, Any]:
        return {"user_api": kind, "internal_api": "openblas", "filepath": f"/{name}.libs/a.so", "num_threads": threads}

    there = [library("numpy", 5, "openmp"), library("scipy", 1), library("numpy", 3)]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: there)
    assert provenance.made_on()["blas_threads"] == 3
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: there[:2])
    assert provenance.made_on()["blas_threads"] == 1
    monkeypatch.setattr("threadpoolctl.threadpool_info", list)
    assert provenance.made_on()["blas_threads"] is None


def test_the_blas_is_numpys_and_not_scipys(monkeypatch: pytest.MonkeyPatch) -> None:
    site = os.path.dirname(os.path.dirname(np.__file__))
    ours, theirs, first = (
        {"user_api": "blas", "filepath": f"{site}/{folder}/lib.so", "internal_api": folder, "version": "1"}
        for folder in ("numpy.libs", "scipy.libs", "a.libs")
    )
    other = {"user_api": "openmp", "filepath": f"{site}/numpy.libs/omp.so", "internal_api": "omp"}
    for libraries in ([ours, theirs, first, other], [other, first, theirs, ours]):
        monkeypatch.setattr("threadpoolctl.threadpool_info", lambda libraries=libraries: libraries)
        assert provenance.made_on()["blas"] == "numpy.libs"


def test_a_system_that_does_not_tell_keeps_no_file_from_being_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError(24, "Too many open files", "/proc/self/maps")

    monkeypatch.setattr("threadpoolctl.threadpool_info", fails)
    fnn.save_run(tmp_path / "run", fnn.start(NETWORK))
    assert fnn.load_run(tmp_path / "run").epoch == 0
    assert provenance.made_on()["blas_threads"] is None


def test_the_threads_are_those_of_numpys_blas_at_the_time(tmp_path: Path) -> None:
    with threadpool_limits(1):
        fnn.save_run(tmp_path / "run", fnn.start(NETWORK))
    with threadpool_limits(2), pytest.warns(RuntimeWarning, match=r"\(blas_threads 1, here 2\)"):
        fnn.load_run(tmp_path / "run")


def test_what_it_was_made_on_is_in_the_file() -> None:
    facts = provenance.made_on()
    assert facts["numpy"] == np.__version__
    assert facts["blas"] == "openblas" or facts["blas_kernel"] is None
    assert {"fnn", "python", "machine", "libc", "simd", "blas_version", "blas_threads"} <= facts.keys()
    assert all(value is None or isinstance(value, str | int) for value in facts.values())
    assert not any("/" in str(value) for value in facts.values())  # no path of the machine
