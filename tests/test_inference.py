"""Inference goes through the rows in pieces: its memory is the answers and a few bytes for each row."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.arrays import Array

MANY, ROWS, COLUMNS, PIECE = 200_000, 40_000, 20, 2048
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (MANY, COLUMNS), dtype=np.uint8)
LABELS = RNG.integers(0, 3, MANY)
NETWORK = fnn.mlp(COLUMNS, 64, 64, 3, input_scale=1 / 255)
PARAMS = fnn.init_params(NETWORK, seed=0)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "forward": fnn.forward,
    "predict": fnn.predict,
    "predict_proba": fnn.predict_proba,
    "evaluate": lambda network, params, x: fnn.evaluate(network, params, fnn.Dataset(x, LABELS[: len(x)])),
}


def peak(name: str, network: fnn.Network, n: int) -> int:
    """The most bytes that are allocated at once for n rows."""
    function, params = FUNCTIONS[name], fnn.init_params(network, seed=0)
    function(network, params, X[:10])  # imports
    tracemalloc.start()
    try:
        function(network, params, X[:n])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# For each row: 12 bytes of outputs, and 3 that say whether they are finite; predict's answers are 8 more beside the
# outputs; evaluate keeps the predicted labels in pieces and whole, and the true ones, 8 each, and compares them.
@pytest.mark.parametrize(("name", "most"), [("forward", 16), ("predict", 21), ("predict_proba", 16), ("evaluate", 27)])
def test_memory_is_two_megabytes_and_a_few_bytes_for_each_row(name: str, most: int) -> None:
    """So a million rows take 29 MB at most; the first layer of all of them were 256 MB, and x in float32 80 MB."""
    narrow = fnn.mlp(COLUMNS, 3, input_scale=1 / 255)  # its pieces are small beside the rows
    each = (peak(name, narrow, MANY) - peak(name, narrow, MANY // 2)) / (MANY // 2)
    assert each < most
    assert peak(name, NETWORK, MANY // 2) < 2e6 + most * MANY // 2


def pieces(size: int) -> Iterator[Array]:
    return (X[start : min(start + size, ROWS)] for start in range(0, ROWS, size))


@pytest.mark.parametrize("name", ["forward", "predict", "predict_proba"])
def test_the_rows_in_pieces_have_the_same_answers(name: str) -> None:
    function = FUNCTIONS[name]
    whole = function(NETWORK, PARAMS, X[:ROWS])
    same = np.concatenate([function(NETWORK, PARAMS, piece) for piece in pieces(3 * PIECE)])
    assert whole.tobytes() == same.tobytes()
    if name != "predict":  # in pieces of another size BLAS may round the last bit otherwise
        near = np.concatenate([function(NETWORK, PARAMS, piece) for piece in pieces(7_001)])
        np.testing.assert_allclose(near, whole, rtol=1e-5)


def test_the_rows_in_pieces_have_the_same_evaluation() -> None:
    whole = fnn.evaluate(NETWORK, PARAMS, fnn.Dataset(X[:ROWS], LABELS[:ROWS]))
    starts = range(0, ROWS, 7_001)
    parts = [
        fnn.evaluate(NETWORK, PARAMS, fnn.Dataset(piece, LABELS[start : start + len(piece)]))
        for start, piece in zip(starts, pieces(7_001), strict=True)
    ]
    n = [part.n for part in parts]
    assert sum(n) == whole.n == ROWS
    assert whole.loss == pytest.approx(np.average([part.loss for part in parts], weights=n), rel=1e-6)
    assert whole.accuracy == pytest.approx(np.mean(fnn.predict(NETWORK, PARAMS, X[:ROWS]) == LABELS[:ROWS]), rel=1e-12)
