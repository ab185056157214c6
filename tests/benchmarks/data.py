"""The data of the settings, written once by the asking process as plain arrays that every worker reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import fnn

ROWS_OF_NOISE = 1000


def write(name: str, mnist: str, folder: str) -> str:
    """Where the arrays x, y, x_test and y_test of "mnist", "digits", "iris" or "noise" are, in a folder."""
    path = Path(folder, f"{name}.npz")
    if not path.exists():
        x, y, x_test, y_test = arrays(name, mnist)
        np.savez(path, x=x, y=y, x_test=x_test, y_test=y_test)
    return str(path)


def arrays(name: str, mnist: str) -> tuple[np.ndarray, ...]:
    if name == "mnist":
        train, test = fnn.load_mnist(mnist or None)
        return train.x, train.y, test.x, test.y
    if name == "digits":
        train, test = fnn.split(fnn.load_digits(), 0.2, seed=0)
        return (*train.take()[:2], *test.take()[:2])
    if name == "iris":
        from sklearn.datasets import load_iris

        x, y = load_iris(return_X_y=True)
        x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
        return x, y, x, y
    rng = np.random.default_rng(0)
    x, y = rng.random((ROWS_OF_NOISE, 784), dtype=np.float32), np.arange(ROWS_OF_NOISE) % 10
    return x, y, x, y
