"""scipy's sparse arrays as x: the numbers of the dense array, in the memory of the sparse one."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

import fnn
from tests.stand_ins import exactly

Array = NDArray[Any]
KEY = fnn.Key(seed=3, epoch=1, batch=2)
N, COLUMNS = 41, 6
RNG = np.random.default_rng(0)
TABLE = RNG.integers(1, 9, (N, COLUMNS)) * (RNG.random((N, COLUMNS)) < 0.3)
LABELS = np.arange(N) % 3
WEIGHTS = np.arange(N) % 4 / 2


def network(*first: Any) -> fnn.Network:
    """One that begins with these layers, for integers up to 8."""
    return fnn.Network(COLUMNS, (*first, fnn.Dense(3, "softmax")), loss="cross_entropy", input_scale=1 / 7)


NETWORKS = {
    "dense": network(fnn.Dense(5, "tanh", l2=0.01)),
    "softmax": network(),
    "dropout": network(fnn.Dropout(0.4), fnn.Dense(5, "tanh")),
    "batch_norm": network(fnn.BatchNorm("tanh"), fnn.Dense(5, "tanh")),
}


def by_rows(rows: list[list[tuple[int, Any]]], dtype: Any) -> Any:
    """A csr_array of these (column, value) entries, in the order in which they are given."""
    entries = [entry for row in rows for entry in row]
    columns, values = np.array([c for c, _ in entries], np.int32), np.array([v for _, v in entries], dtype)
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return sparse.csr_array((values, columns, ends), shape=(len(rows), COLUMNS))


def entries(row: Array) -> list[tuple[int, Any]]:
    return [(int(column), row[column]) for column in np.flatnonzero(row)]


def halved(row: Array) -> list[tuple[int, Any]]:
    return [part for column, value in entries(row) for part in ((column, value - 1), (column, 1))]


FORMS: dict[str, Callable[[], Any]] = {
    "csr_array": lambda: sparse.csr_array(TABLE.astype(float)),
    "csr_matrix": lambda: sparse.csr_matrix(TABLE.astype(float)),
    "csc_array": lambda: sparse.csc_array(TABLE.astype(float)),
    "coo_array": lambda: sparse.coo_array(TABLE.astype(float)),
    "lil_array": lambda: sparse.lil_array(TABLE.astype(float)),
    "float32": lambda: sparse.csr_array(TABLE.astype(np.float32)),
    "int64": lambda: sparse.csr_array(TABLE),
    "uint8": lambda: sparse.csr_array(TABLE.astype(np.uint8)),
    "bool": lambda: sparse.csr_array(TABLE > 4),
    "explicit zeros": lambda: by_rows([list(enumerate(row)) for row in TABLE], float),
    "unsorted": lambda: by_rows([entries(row)[::-1] for row in TABLE], float),
    "duplicates": lambda: by_rows([halved(row) for row in TABLE], float),
    "unsorted integer duplicates": lambda: by_rows([halved(row)[::-1] for row in TABLE], np.int16),
}


def dense(form: str) -> Array:
    """What the form holds, of the table itself and not of scipy's reading."""
    return TABLE > 4 if form == "bool" else TABLE


def near(found: Any, expected: Any) -> None:
    """Equal to 1e-12 of the largest."""
    scale = float(np.abs(np.asarray(expected, float)).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


def double(net: fnn.Network) -> fnn.Params:
    return fnn.init_params(net, 0, np.float64)


# The numbers are those of the dense array.


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("form", FORMS)
def test_a_pass(form: str, name: str) -> None:
    net, x, table = NETWORKS[name], FORMS[form](), dense(form)
    params = double(net)
    near(fnn.forward(net, params, x), fnn.forward(net, params, table))
    assert fnn.predict(net, params, x).tolist() == fnn.predict(net, params, table).tolist()
    for key in (None, KEY):
        for weights in (None, WEIGHTS):
            value, g = fnn.loss_and_grads(net, params, table, LABELS, weights, key)
            near(fnn.loss(net, params, x, LABELS, weights, key), value)
            both = fnn.loss_and_grads(net, params, x, LABELS, weights, key)
            near(both[0], value)
            for found in (fnn.grads(net, params, x, LABELS, weights, key), both[1]):
                near(found.vector, g.vector)
                near(found.running, g.running)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("form", FORMS)
def test_a_training(form: str, name: str) -> None:
    net, params = NETWORKS[name], double(NETWORKS[name])
    sparsely, densely = (fnn.Dataset(x, LABELS, WEIGHTS) for x in (FORMS[form](), dense(form)))
    runs = [
        fnn.fit(net, data, epochs=2, batch_size=8, optimizer=fnn.Momentum(0.1), validation=0.25, params=params)
        for data in (sparsely, densely)
    ]
    for record, expected in zip(runs[0].history, runs[1].history, strict=True):
        for quantity in ("loss", "accuracy", "val_loss", "val_accuracy"):
            near(getattr(record, quantity), getattr(expected, quantity))
    near(runs[0].params.vector, runs[1].params.vector)
    near(runs[0].params.running, runs[1].params.running)
    found, wanted = (fnn.evaluate(net, runs[1].params, data) for data in (sparsely, densely))
    near(found.loss, wanted.loss)
    assert attrs.evolve(found, loss=0.0) == attrs.evolve(wanted, loss=0.0)


def test_dropout_has_the_masks_of_the_dense_array() -> None:
    """In whole numbers there is nothing to round off: the same bytes, and not those of another batch."""
    net = fnn.Network(COLUMNS, (fnn.Dropout(0.5),), loss="mse")
    params, y = double(net), np.zeros((N, COLUMNS))
    values = {fnn.loss(net, params, x, y, key=KEY) for x in (TABLE, FORMS["csr_array"](), FORMS["coo_array"]())}
    assert len(values) == 1
    assert fnn.loss(net, params, FORMS["csr_array"](), y, key=attrs.evolve(KEY, batch=3)) not in values


def test_gradients_are_those_of_differences() -> None:
    assert fnn.check_grads(NETWORKS["dense"], double(NETWORKS["dense"]), FORMS["csr_array"](), LABELS, key=KEY).ok


@pytest.mark.parametrize(("dtype", "values"), [("?", [1, 1]), ("u1", [200, 100])])
def test_entries_of_one_cell_are_added_up_in_their_dtype(dtype: str, values: list[int]) -> None:
    x = by_rows([[(2, value) for value in values]], dtype)
    net = fnn.Network(COLUMNS, (fnn.Dense(2),), loss="mse")
    near(fnn.forward(net, double(net), x), fnn.forward(net, double(net), x.toarray()))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, COLUMNS - 1), st.floats(-10, 10, width=32)), max_size=60),
    st.sampled_from(["f4", "f8", "i2", "?"]),
    st.sampled_from(["coo", "csc", "csr", "bsr", "dok"]),
    st.sampled_from(sorted(NETWORKS)),
)
def test_any_sparse_array(cells: list[tuple[int, int, float]], dtype: str, layout: str, name: str) -> None:
    rows, columns, values = ([cell[i] for cell in cells] for i in range(3))
    at, numbers = (np.array(rows, int), np.array(columns, int)), np.array(values).astype(dtype)
    coo: Any = sparse.coo_array((numbers, at), shape=(10, COLUMNS))
    x, table = coo.asformat(layout), np.zeros((10, COLUMNS), dtype)
    np.add.at(table, at, numbers)
    net, y = NETWORKS[name], LABELS[:10]
    data = fnn.Dataset(x, y)
    assert data.x.shape == (10, COLUMNS)
    assert data.x.dtype == table.dtype
    params = double(net)
    atol = 1e-4 if dtype == "f4" else 1e-12  # whose duplicates are added up in any order
    for key in (None, KEY):
        value, g = fnn.loss_and_grads(net, params, table, y, key=key)
        found = fnn.loss_and_grads(net, params, x, y, key=key)
        np.testing.assert_allclose(found[0], value, rtol=0, atol=atol)
        np.testing.assert_allclose(found[1].vector, g.vector, rtol=0, atol=atol)


# What is held.


def test_parts_of_a_split_and_chosen_rows_are_those_of_the_dense_array() -> None:
    rows = np.array([7, 7, 0, 40, 3])
    data = fnn.Dataset(FORMS["csc_array"](), LABELS, WEIGHTS, rows)
    x, y, w = data.take(slice(1, None))
    assert isinstance(x, sparse.csr_array)
    assert x.toarray().tolist() == TABLE[rows[1:]].tolist()
    assert w is not None
    assert (y.tolist(), w.tolist()) == (LABELS[rows[1:]].tolist(), WEIGHTS[rows[1:]].tolist())
    for batch in fnn.batches(fnn.Dataset(FORMS["uint8"](), LABELS), 16):
        assert batch.x.dtype == np.uint8
        assert batch.x.toarray().tolist() == TABLE[batch.rows].tolist()
    whole = fnn.Dataset(FORMS["csr_array"](), LABELS)
    for part in fnn.split(whole, 0.3):
        assert np.shares_memory(part.x.data, whole.x.data)
    assert repr(whole) == "Dataset(41 rows of 6 sparse float64 columns)"


@pytest.mark.parametrize("form", ["csr_array", "csr_matrix", "explicit zeros", "unsorted", "duplicates", "bool"])
@pytest.mark.parametrize("name", NETWORKS)
def test_read_only_views_are_held_and_what_was_given_is_untouched(form: str, name: str) -> None:
    x, net = FORMS[form](), NETWORKS[name]
    parts = (x.data, x.indices, x.indptr)
    before = [part.tobytes() for part in parts]
    data, params = fnn.Dataset(x, LABELS, WEIGHTS), double(net)
    held: Any = data.x
    for given_part, part in zip(parts, (held.data, held.indices, held.indptr), strict=True):
        assert np.shares_memory(given_part, part) == (form not in ("unsorted", "duplicates"))  # put in order once
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 0
    fnn.fit(net, data, epochs=1, batch_size=8, validation=0.25)
    fnn.evaluate(net, params, data)
    fnn.predict(net, params, x)
    fnn.loss_and_grads(net, params, x, LABELS, key=KEY)
    assert (x.data is parts[0], x.indices is parts[1], x.indptr is parts[2]) == (True, True, True)
    assert all(part.flags.writeable for part in parts)
    assert [part.tobytes() for part in parts] == before


@pytest.mark.parametrize("form", ["csr_array", "unsorted", "duplicates"])
def test_arrays_that_nobody_may_write_into(form: str) -> None:
    x, net = FORMS[form](), NETWORKS["dense"]
    for part in (x.data, x.indices, x.indptr):
        part.flags.writeable = False
    fnn.fit(net, fnn.Dataset(x, LABELS), epochs=1, validation=0.25)
    near(fnn.forward(net, double(net), x), fnn.forward(net, double(net), TABLE))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))])
def test_a_copy_is_the_same_and_read_only(copied: Callable[[fnn.Dataset], fnn.Dataset]) -> None:
    data = fnn.Dataset(FORMS["unsorted"](), LABELS, WEIGHTS, np.arange(30))
    other, net = copied(data), NETWORKS["dense"]
    held: Any = other.x
    assert held.toarray().tolist() == TABLE.tolist()
    for part in (held.data, held.indices, held.indptr):
        assert not part.flags.writeable
    assert fnn.digest(fnn.fit(net, other, epochs=1)) == fnn.digest(fnn.fit(net, data, epochs=1))


def test_x_is_never_made_dense() -> None:
    """Whole it were 8 GB, a batch of 64 of it 26 MB, and the rows that are evaluated at once 819 MB."""
    n, columns, each = 20_000, 100_000, 10
    rng = np.random.default_rng(0)
    parts = rng.random(n * each, np.float32), rng.integers(0, columns, n * each), np.arange(0, n * each + 1, each)
    x, y = sparse.csr_array(parts, shape=(n, columns)), np.arange(n) % 2
    net = fnn.mlp(columns, 4, 2)
    run = fnn.start(net, optimizer=fnn.SGD(0.1))
    tracemalloc.start()
    try:
        data = fnn.Dataset(x, y)
        run = fnn.train_step(run, next(fnn.batches(data)))
        assert fnn.evaluate(net, run.params, data).n == n
        assert fnn.predict(net, run.params, x).shape == (n,)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6


# What is refused.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_a_number_that_is_not_finite_is_named_by_row_and_column(layout: str, bad: float) -> None:
    table = np.zeros((9000, 4))
    table[[5000, 5000, 8999], [3, 2, 0]] = bad, bad, np.nan
    by_row: Any = sparse.csr_array(table)
    x, y = by_row.asformat(layout), np.zeros(9000, int)
    net = fnn.mlp(4, 2)
    calls: dict[str, Callable[[], object]] = {
        "Dataset": lambda: fnn.Dataset(x, y),
        "forward": lambda: fnn.forward(net, double(net), x),
        "predict": lambda: fnn.predict(net, double(net), x),
        "loss": lambda: fnn.loss(net, double(net), x, y),
        "grads": lambda: fnn.grads(net, double(net), x, y),
    }
    for where, call in calls.items():
        with pytest.raises(
            ValueError, match=exactly(f"{where}: `x` must be finite in float64, got {bad} at (5000, 2).")
        ):
            call()


def test_a_number_too_large_for_float32() -> None:
    table = np.zeros((3, 2))
    table[2, 1] = 1e39
    x, net, message = sparse.csr_array(table), fnn.mlp(2, 2), "`x` must be finite in float32, got inf at (2, 1)."
    with pytest.raises(ValueError, match=exactly(f"forward: {message}")):
        fnn.forward(net, fnn.init_params(net, 0), x)
    with pytest.raises(ValueError, match=exactly(f"fit: {message}")):
        fnn.fit(net, fnn.Dataset(x, [0, 1, 0]), epochs=1)


NO_ROWS = sparse.csr_array((0, 6))
SHAPE = "`x` must have shape (n, {}), got"


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (NO_ROWS, ValueError, "`x` must have at least one row and column, got (0, 6)."),
        (sparse.csr_array((2, 7)), ValueError, f"{SHAPE} (2, 7)."),
        (sparse.csr_array(np.eye(6) * 1j), TypeError, "`x` must be an array of real numbers, got dtype complex128."),
    ],
)
def test_what_is_refused(x: Any, kind: type[Exception], message: str) -> None:
    net = NETWORKS["dense"]
    with pytest.raises(kind, match=exactly(f"forward: {message.format(COLUMNS)}")):
        fnn.forward(net, double(net), x)
    if x.shape == (2, 7):
        return
    with pytest.raises(kind, match=exactly(f"Dataset: {message.format('columns')}")):
        fnn.Dataset(x, np.zeros(x.shape[0]))


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (sparse.coo_array(np.ones(6)), "(6,). One row is `x[None, :]`."),
        (sparse.csr_array(np.ones(6)), "(6,). One row is `x[None, :]`."),
        (sparse.coo_array(np.ones((2, 2, 3))), "(2, 2, 3)."),
    ],
)
def test_shapes_of_which_there_is_no_row(x: Any, got: str) -> None:
    with pytest.raises(ValueError, match=exactly(f"forward: `x` must have shape (n, 6), got {got}")):
        fnn.forward(NETWORKS["dense"], double(NETWORKS["dense"]), x)


def test_data_of_other_columns() -> None:
    data = fnn.Dataset(sparse.csr_array((2, 7)), [0, 1])
    with pytest.raises(ValueError, match=exactly("fit: `x` must have shape (n, 6), got (2, 7).")):
        fnn.fit(NETWORKS["dense"], data, epochs=1)
    with pytest.raises(ValueError, match=exactly("evaluate: `x` must have shape (n, 6), got (2, 7).")):
        fnn.evaluate(NETWORKS["dense"], double(NETWORKS["dense"]), data)


def test_only_x_may_be_sparse() -> None:
    with pytest.raises(TypeError, match=r"^Dataset: `y` must be an array of real numbers, got <.*>\.$"):
        fnn.Dataset(np.eye(2), sparse.csr_array(np.eye(2)))


@pytest.mark.parametrize(("indices", "indptr"), [([0, 6], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, 2, 1])])
def test_indices_beyond_the_columns_are_refused(indices: list[int], indptr: list[int]) -> None:
    x = sparse.csr_array((np.ones(2), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 6))
    x.indices[:], x.indptr[:] = indices, indptr
    with pytest.raises(ValueError, match=r"^Dataset: `x` must have indices from 0 to 5 in rows one after the other"):
        fnn.Dataset(x, [0, 1])
