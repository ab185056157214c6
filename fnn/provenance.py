"""What a run was made on: everything that its last bits depend on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

Fact = str | int | None
SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_BLOCK_FACTOR")  # of all OPENBLAS_…, what changes bits


def made_on() -> dict[str, Fact]:
    """The versions, NumPy's BLAS with its kernel and threads, the vector instructions and OpenBLAS's settings here."""
    import platform

    from threadpoolctl import threadpool_info

    config = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    every = [library for library in threadpool_info() if library["user_api"] == "blas"]
    blas = next((library for library in every if "numpy" in library["filepath"]), every[0] if every else {})
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
        **{name: value for name, value in sorted(os.environ.items()) if name.startswith("OPENBLAS_")},
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
        counts = name in SETTINGS or not name.startswith("OPENBLAS_")
        if counts and then.get(name) != now.get(name):
            yield f"{name} {then.get(name, 'not set')}, here {now.get(name, 'not set')}"
