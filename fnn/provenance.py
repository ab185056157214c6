"""What a run was made on: everything that its last bits depend on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

Fact = str | int | None
SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_BLOCK_FACTOR")  # of OpenBLAS, which change last bits


def made_on() -> dict[str, Fact]:
    """The versions, NumPy's BLAS with its kernel and threads, the vector instructions and OpenBLAS's settings here."""
    import platform

    from threadpoolctl import threadpool_info

    config = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    every: list[dict[str, Any]] = []
    with suppress(Exception):  # of what it reads of the system; a file is not to be lost by that
        every = [library for library in threadpool_info() if library["user_api"] == "blas"]
    package = os.path.dirname(os.path.realpath(np.__file__))
    numpys = (package + os.sep, f"{package}.libs{os.sep}")  # not scipy's, which has one too
    blas = min(every, key=lambda it: (not it["filepath"].startswith(numpys), it["filepath"]), default={})
    return {
        "fnn": _version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "simd": " ".join(simd.get("baseline", []) + simd.get("found", [])),
        "blas": blas.get("internal_api") or config["Build Dependencies"]["blas"]["name"],
        "blas_version": blas.get("version"),
        "blas_kernel": blas.get("architecture"),
        "blas_threads": blas.get("num_threads"),
        **{name: os.environ[name] for name in (*SETTINGS, "OPENBLAS_NUM_THREADS") if name in os.environ},
    }


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fnn")
    except PackageNotFoundError:  # it is run from its folder
        return "unknown"


def differences(then: Mapping[str, Fact], now: Mapping[str, Fact]) -> Iterator[str]:
    """What is not as it was, each as "numpy 2.3.1, here 2.4.6"."""
    for name in dict.fromkeys([*now, *then]):
        if then.get(name) != now.get(name) and name != "OPENBLAS_NUM_THREADS":  # blas_threads is what came of it
            yield f"{name} {then.get(name, 'not set')}, here {now.get(name, 'not set')}"
