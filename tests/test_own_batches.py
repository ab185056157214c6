"""Batches of one's own in one's own loop: from a generator, augmented, or without end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fnn
from tests.stand_ins import exactly

Array = NDArray[Any]
RNG = np.random.default_rng(0)
X, Y, W = RNG.normal(size=(30, 4)), np.arange(30) % 3, RNG.integers(1, 4, 30) / 2
NETWORK = fnn.Network(
    4, (fnn.Dense(5, "tanh", max_norm=2.0), fnn.Dropout(0.3), fnn.BatchNorm(), fnn.Dense(3, "softmax")), "cross_entropy"
)
SETTINGS: dict[str, Any] = {"optimizer": fnn.Adam(0.01), "batch_size": 8}


def begun(seed: int = 0) -> fnn.TrainState:
    return fnn.start(NETWORK, seed=seed, **SETTINGS)


def orders(seed: int, epoch: int) -> Iterator[Array]:
    """A stand-in for a reader: the rows of each batch, in the order of `fnn.batches`."""
    return (batch.rows for batch in fnn.batches(fnn.Dataset(X, Y), 8, seed, epoch))


# From a generator.


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_same_rows_are_the_same_bytes(seed: int, weights: Any) -> None:
    """Parameters, optimizer, history and sums, as `train` makes them, after each epoch and in the middle of one."""
    states = fnn.train(NETWORK, fnn.Dataset(X, Y, weights), **SETTINGS, seed=seed, every="step")
    run, found = begun(seed), []
    for epoch in range(3):
        for rows in orders(seed, epoch):
            w = None if weights is None else weights[rows]
            run = fnn.train_step(run, fnn.Batch(X[rows], Y[rows], w, key=run.key))
            if run.batch == 4:
                run = fnn.end_epoch(run)
            found.append(fnn.digest(run))
    assert found == [fnn.digest(run) for run in islice(states, 12)]


def test_a_run_goes_over_to_own_batches_and_back() -> None:
    data = fnn.Dataset(X, Y)
    whole = fnn.fit(NETWORK, data, epochs=3, **SETTINGS)
    run = fnn.fit(NETWORK, data, epochs=1, **SETTINGS)
    for rows in islice(orders(0, 1), 2):
        run = fnn.train_step(run, fnn.Batch(X[rows], Y[rows], key=run.key))
    assert fnn.digest(fnn.fit(NETWORK, data, state=run, epochs=2)) == fnn.digest(whole)


@pytest.mark.parametrize("form", [lambda x: x.tolist(), np.asfortranarray, sparse.csr_array, sparse.coo_array])
def test_x_as_it_comes(form: Any) -> None:
    """The number of a step, whatever the rows come in."""
    run = fnn.start(fnn.mlp(4, 3, activation="tanh"), params=fnn.init_params(fnn.mlp(4, 3), 0, np.float64))
    expected = fnn.train_step(run, fnn.Batch(X, Y, key=run.key))
    found = fnn.train_step(run, fnn.Batch(form(X), Y.tolist(), key=run.key))
    np.testing.assert_allclose(found.params.vector, expected.params.vector, rtol=0, atol=1e-12)
    assert found.sums.loss == pytest.approx(expected.sums.loss, rel=1e-12)


def test_the_key_moves_by_a_batch_and_an_epoch() -> None:
    run = begun(seed=7)
    assert run.key == fnn.Key(7, 0, 0)
    for epoch, steps in enumerate([3, 1, 2]):
        for step in range(steps):
            assert run.key == fnn.Key(7, epoch, step)
            run = fnn.train_step(run, fnn.Batch(X[:5], Y[:5], key=run.key))
        assert run.key == fnn.Key(7, epoch, steps)
        run = fnn.end_epoch(run)
    assert run.key == fnn.Key(7, 3, 0)
    assert fnn.fit(NETWORK, fnn.Dataset(X, Y), epochs=2, **SETTINGS).key == fnn.Key(0, 2, 0)


def test_the_key_is_the_address_of_the_dropout_masks() -> None:
    """The step goes down the gradient of just that key."""
    network = fnn.Network(4, (fnn.Dense(5, "tanh"), fnn.Dropout(0.5), fnn.Dense(3, "softmax")), "cross_entropy")
    run = fnn.start(network, optimizer=fnn.SGD(0.5), params=fnn.init_params(network, 0, np.float64), seed=3)
    for _ in range(3):
        stepped = fnn.train_step(run, fnn.Batch(X, Y, W, key=run.key))
        g = fnn.grads(network, run.params, X, Y, W, key=run.key).vector
        np.testing.assert_allclose(stepped.params.vector, run.params.vector - 0.5 * g, rtol=0, atol=1e-14)
        other = fnn.grads(network, run.params, X, Y, W, key=attrs.evolve(run.key, batch=run.batch + 1)).vector
        assert np.abs(other - g).max() > 1e-3
        run = stepped


# Augmented.


def test_an_augmented_batch_is_the_batch_of_augmented_data() -> None:
    data, turned = fnn.Dataset(X, Y, W), fnn.Dataset(X[:, ::-1] * 2, Y, W)
    run = begun()
    for batch in fnn.batches(data, 8):
        augmented = attrs.evolve(batch, x=batch.x[:, ::-1] * 2)
        assert (augmented.key, augmented.rows.tolist()) == (batch.key, batch.rows.tolist())
        run = fnn.train_step(run, augmented)
    assert fnn.digest(fnn.end_epoch(run).params) == fnn.digest(fnn.fit(NETWORK, turned, epochs=1, **SETTINGS).params)
    assert data.x.tobytes() == X.tobytes()


def test_rows_drawn_twice_are_weight_2() -> None:
    """A batch may repeat rows, as a bootstrap does."""
    network = fnn.mlp(4, 3)
    run = fnn.start(network, optimizer=fnn.SGD(0.1), params=fnn.init_params(network, 0, np.float64))
    rows, counts = np.array([4, 9, 9, 1, 4, 9]), np.array([1.0, 2.0, 3.0])
    drawn = fnn.train_step(run, fnn.Batch(X[rows], Y[rows], key=run.key, rows=rows))
    weighted = fnn.train_step(run, fnn.Batch(X[[1, 4, 9]], Y[[1, 4, 9]], counts, key=run.key))
    np.testing.assert_allclose(drawn.params.vector, weighted.params.vector, rtol=0, atol=1e-14)
    assert (drawn.sums.weight, drawn.sums.right) == (weighted.sums.weight, weighted.sums.right)


# Without end.


def stream(teacher: Array, seed: int) -> Iterator[tuple[Array, Array]]:
    """Pairs of x and x · teacher, of any number of rows, for ever."""
    rng = np.random.default_rng(seed)
    while True:
        x = rng.normal(size=(rng.integers(1, 20), len(teacher)))
        yield x, x @ teacher


def test_endless_data_and_epochs_that_end_at_will() -> None:
    """The teacher's numbers are found, and an epoch's loss is the mean over its rows, as the parameters went."""
    teacher = np.array([[0.5], [-1.0], [2.0]])
    network = fnn.mlp(3, 1, output="identity", loss="mse")
    run = fnn.start(network, optimizer=fnn.SGD(0.1), params=fnn.init_params(network, 0, np.float64))
    total, n, expected, ends = 0.0, 0, [], [1, 4, 30, 31, 200]
    for steps, (x, y) in enumerate(islice(stream(teacher, 0), 200), start=1):
        total, n = total + len(x) * fnn.loss(network, run.params, x, y), n + len(x)
        run = fnn.train_step(run, fnn.Batch(x, y, key=run.key))
        if steps in ends:
            run = fnn.end_epoch(run, fnn.Dataset(x, y))
            expected.append(total / n)
            total, n = 0.0, 0
    assert [record.epoch for record in run.history] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([record.loss for record in run.history], expected, rtol=1e-12)
    np.testing.assert_allclose(run.params[0].weight, teacher, rtol=0, atol=1e-6)
    held_out = [record.val_loss for record in run.history]
    assert run.best_epoch == 1 + held_out.index(min(held_out, key=lambda loss: loss or 0.0))


def test_an_epoch_without_a_step_does_not_end() -> None:
    run = fnn.end_epoch(fnn.train_step(begun(), fnn.Batch(X, Y, key=begun().key)))
    message = f"end_epoch: `run` must have made a step since the last epoch ended, got {run!r}."
    with pytest.raises(ValueError, match=exactly(message)):
        fnn.end_epoch(run)


# What a batch holds.


def test_rows_are_numbered_from_0_where_none_are_given() -> None:
    for x in (X, X.tolist(), sparse.csr_array(X)):
        assert fnn.Batch(x, Y, key=fnn.Key(0, 0, 0)).rows.tolist() == list(range(30))
    assert fnn.Batch(X[:1], Y[:1], key=fnn.Key(0, 0, 0)).rows.tolist() == [0]
    assert fnn.Batch(X[:2], Y[:2], rows=[9, 4], key=fnn.Key(0, 0, 0)).rows.tolist() == [9, 4]


def test_a_batch_holds_read_only_views() -> None:
    x, y, w = X.copy(), Y.copy(), W.copy()
    batch = fnn.Batch(x, y, w, key=fnn.Key(0, 0, 0))
    for given, held in ((x, batch.x), (y, batch.y), (w, batch.sample_weight)):
        assert held is not None
        assert np.shares_memory(given, held)
        assert given.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            held[0] = 0
    assert not batch.rows.flags.writeable


# What is refused.

FIX = "A run in the middle of an epoch goes on with `islice(batches(…), run.batch, None)`."


@pytest.mark.parametrize("key", [fnn.Key(1, 0, 1), fnn.Key(0, 1, 1), fnn.Key(0, 0, 0), fnn.Key(0, 0, 2)])
def test_a_key_that_is_not_the_run_s(key: fnn.Key) -> None:
    run = fnn.train_step(begun(), fnn.Batch(X, Y, key=fnn.Key(0, 0, 0)))
    where = "train_step: `batch.key` must be where the run is, Key(seed=0, epoch=0, batch=1)"
    with pytest.raises(ValueError, match=exactly(f"{where}, got {key!r}. {FIX}")):
        fnn.train_step(run, fnn.Batch(X, Y, key=key))
    assert fnn.train_step(run, fnn.Batch(X, Y, key=run.key)).batch == 2


def test_a_batch_has_a_key() -> None:
    with pytest.raises(TypeError, match=r"missing 1 required keyword-only argument: 'key'$"):
        fnn.Batch(X, Y)  # type: ignore[call-arg]
    for key, got in ((0, "an int"), ((0, 0, 0), "a tuple"), (begun(), "a TrainState")):
        with pytest.raises(TypeError, match=exactly(f"Batch: `key` must be a Key, got {got}.")):
            fnn.Batch(X, Y, key=key)  # type: ignore[arg-type]


BAD = np.where(np.arange(30)[:, None] == [-1, 7, -1, -1], np.nan, X)


@pytest.mark.parametrize(
    ("x", "y", "w", "kind", "message"),
    [
        (X[:, :3], Y, None, ValueError, "`batch.x` must have shape (n, 4), got (30, 3)."),
        (X[0], Y[:1], None, ValueError, "`batch.x` must have shape (n, 4), got (4,). One row is `batch.x[None, :]`."),
        (X[:0], Y[:0], None, ValueError, "`batch.x` must have at least one row and column, got (0, 4)."),
        (X, Y[:29], None, ValueError, "`batch.y` must have 30 rows, as x has, got (29,)."),
        (X, Y + 1, None, ValueError, "`batch.y` must be labels from 0 to 2, got 3 in row 2."),
        (X, Y, W[:29], ValueError, "`sample_weight` must have shape (30,), got (29,)."),
        (BAD, Y, None, ValueError, "`batch.x` must be finite in float32, got nan at (7, 1)."),
        (sparse.csr_array((2, 9)), [0, 1], None, ValueError, "`batch.x` must have shape (n, 4), got (2, 9)."),
    ],
)
def test_what_a_step_refuses(x: Any, y: Any, w: Any, kind: type[Exception], message: str) -> None:
    run = begun()
    before = fnn.digest(run)
    with pytest.raises(kind, match=exactly(f"train_step: {message}")):
        fnn.train_step(run, fnn.Batch(x, y, w, key=run.key))
    assert fnn.digest(run) == before


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (X * 1j, TypeError, "`x` must be an array of real numbers, got dtype complex128."),
        (None, TypeError, "`x` must be an array of real numbers, got None."),
        (
            np.ma.masked_array(X),
            TypeError,
            "`x` must not be masked, got a MaskedArray. Fill it, or leave the masked rows out.",
        ),
    ],
)
def test_what_a_batch_refuses(x: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"Batch: {message}")):
        fnn.Batch(x, Y, key=fnn.Key(0, 0, 0))


def test_a_number_is_no_rows() -> None:
    with pytest.raises(
        ValueError, match=r"^(Batch|train_step): `(batch\.)?x` must have shape \(n, (columns|4)\), got \(\)\.$"
    ):
        fnn.train_step(begun(), fnn.Batch(3.0, [0], key=begun().key))
