"""The laws of the design on more random networks: every layer and setting, optimizer, and way that x may be given."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn

KEY = fnn.Key(seed=0, epoch=1, batch=2)
activations = st.sampled_from(["identity", "sigmoid", "tanh", "relu", "elu", "gelu", "silu", "softplus", "softmax"])
layer_norms = st.builds(fnn.LayerNorm, activations, epsilon=st.sampled_from([0.1, 1.0]))
dropouts = st.builds(fnn.Dropout, st.sampled_from([0.0, 0.2, 0.7]))
penalties: dict[str, Any] = {
    "l1": st.sampled_from([0.0, 0.05]),
    "l2": st.sampled_from([0.0, 0.1]),
    "max_norm": st.sampled_from([None, 0.5, 2.0]),
}
denses = st.builds(fnn.Dense, st.integers(1, 7), activations, **penalties)
hidden_layers = st.lists(st.one_of(denses, layer_norms, st.builds(fnn.BatchNorm, activations), dropouts), max_size=4)
heads = st.sampled_from(
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("identity", "mse"), ("tanh", "huber")]
)
dtypes = st.sampled_from([np.float32, np.float64])
sizes = st.sampled_from([None, 1, 2, 3, 1000])


def _given_as(form: str, x: Any) -> Any:
    """x, or what it is in a dtype that holds less, in memory of one kind or another; `.base` is all of that memory."""
    if form in ("uint8", "int64", "bool"):
        return np.abs(np.round(x)).astype(form)
    if form == "fortran":
        return np.asfortranarray(x)
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 1e3)
    place = {"strided": np.s_[::2, 1::3], "backwards": np.s_[::-2, ::-3]}.get(form, np.s_[: len(x), : x.shape[1]])
    view = wide[place]
    view[...] = x
    return view


forms = st.sampled_from(["part", "fortran", "strided", "backwards", "uint8", "int64", "bool"])


@attrs.frozen
class Case:
    network: fnn.Network
    params: fnn.Params
    x: Any
    y: Any
    w: Any

    @property
    def tolerance(self) -> float:
        return 1e-9 if self.params.dtype == np.float64 else 2e-4


@st.composite
def cases(draw: Any, kinds: Any = dtypes) -> Case:
    """A network, its parameters, x in some form, y, and weights, some of them 0."""
    inputs, outputs, n = draw(st.integers(1, 6)), draw(st.integers(2, 4)), draw(st.integers(1, 9))
    output, loss = draw(heads)
    first = draw(st.sampled_from([(), (fnn.Dropout(0.4),), (fnn.LayerNorm(epsilon=0.1),)]))
    head = draw(st.builds(fnn.Dense, st.just(outputs), st.just(output), **penalties))
    layers = (*first, *draw(hidden_layers), head)
    network = fnn.Network(inputs, layers, loss=loss, input_scale=draw(st.sampled_from([1.0, 0.3])))
    network = attrs.evolve(network, spread_penalties=draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    params = fnn.init_params(network, seed=draw(st.integers(0, 99)), dtype=draw(kinds))
    vector = params.vector + 0.2 * rng.standard_normal(len(params.vector)).astype(params.dtype)
    params = attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))
    y = rng.integers(0, outputs, n) if loss == "cross_entropy" else rng.uniform(0, 1, (n, outputs))
    w = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n).filter(any)))
    return Case(network, params, _given_as(draw(forms), 2 * rng.standard_normal((n, inputs))), y, w)


def _assert_near(got: Any, expected: Any, tolerance: float) -> None:
    largest = max(np.abs(expected).max(initial=0), 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * largest)


@given(cases())
@settings(deadline=None, max_examples=150)
def test_weight_2_is_the_row_twice_and_weight_0_the_row_left_out(case: Case) -> None:
    network, params, x, y = case.network, case.params, case.x, case.y
    rows = np.repeat(np.arange(len(x)), case.w)
    value, g = fnn.loss_and_grads(network, params, x, y, sample_weight=case.w)
    expected, expected_g = fnn.loss_and_grads(network, params, x[rows], y[rows])
    assert value == pytest.approx(expected, rel=case.tolerance)
    _assert_near(g.vector, expected_g.vector, case.tolerance)
    assert np.array_equal(g.running, params.running)
    some = np.flatnonzero(case.w)
    left, left_g = fnn.loss_and_grads(network, params, x[some], y[some], sample_weight=case.w[some])
    assert value == pytest.approx(left, rel=case.tolerance)
    _assert_near(g.vector, left_g.vector, case.tolerance)


@given(cases())
@settings(deadline=None, max_examples=150)
def test_the_memory_and_dtype_of_x_change_no_number(case: Case) -> None:
    network, params = case.network, case.params
    plain = np.array(case.x, np.float64, order="C")
    for key in (None, KEY):
        value, g = fnn.loss_and_grads(network, params, case.x, case.y, case.w, key)
        expected, expected_g = fnn.loss_and_grads(network, params, plain, case.y, case.w, key)
        assert value == pytest.approx(expected, rel=case.tolerance)
        _assert_near(g.vector, expected_g.vector, case.tolerance)
        _assert_near(g.running, expected_g.running, case.tolerance)


rates = st.one_of(
    st.sampled_from([0.0, 1e-3, 0.03]),
    st.builds(fnn.Cosine, st.just(0.03), steps=st.integers(4, 40), warmup_steps=st.integers(0, 3)),
    st.builds(fnn.StepDecay, st.just(0.03), factor=st.just(0.5), every=st.integers(1, 9)),
    st.builds(fnn.Warmup, st.just(0.03), steps=st.integers(1, 9)),
)
clipping = {"clip_norm": st.sampled_from([0.5, 5.0]), "clip_value": st.sampled_from([None, 0.1])}
moments = {"beta1": st.sampled_from([0.0, 0.9]), "beta2": st.sampled_from([0.5, 0.99])}
decays = {"weight_decay": st.sampled_from([0.0, 0.1])}
optimizers: Any = st.one_of(
    [
        *[st.builds(kind, rates, **clipping) for kind in (fnn.SGD, fnn.RMSProp, fnn.AdaGrad)],
        st.builds(fnn.Momentum, rates, nesterov=st.booleans(), **clipping),
        *[st.builds(kind, rates, **moments, **clipping) for kind in (fnn.Adam, fnn.NAdam, fnn.AMSGrad)],
        *[st.builds(kind, rates, **moments, **decays, **clipping) for kind in (fnn.AdamW, fnn.Lion)],
    ]
)


@given(cases(), st.data())
@settings(deadline=None, max_examples=120)
def test_n_epochs_and_then_m_and_any_stop_between_are_n_plus_m(case: Case, data: Any) -> None:
    rows = fnn.Dataset(case.x, case.y, case.w)
    size, n, m = data.draw(sizes), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    settings: dict[str, Any] = {
        "optimizer": data.draw(optimizers),
        "batch_size": size,
        "seed": data.draw(st.one_of(st.integers(0, 9), st.integers(2**64 - 9, 2**64 - 1))),
        "params": case.params,
    }
    network = case.network
    whole = fnn.fit(network, rows, epochs=n + m, **settings)
    parts = fnn.fit(network, rows, epochs=m, state=fnn.fit(network, rows, epochs=n, **settings))
    assert fnn.digest(parts) == fnn.digest(whole)
    steps = (n + m) * sum(1 for _ in fnn.batches(rows, size))
    assert whole.optimizer_state.step == steps
    stop = data.draw(st.integers(1, steps - 1))
    middle = next(islice(fnn.train(network, rows, every="step", **settings), stop - 1, stop))
    assert middle.optimizer_state.step == stop
    assert fnn.digest(middle) != fnn.digest(whole)
    rest = fnn.fit(network, rows, epochs=n + m - middle.epoch, state=middle)
    assert fnn.digest(rest) == fnn.digest(whole)


@st.composite
def towers(draw: Any) -> tuple[fnn.Network, list[int]]:
    """Dense layers with norms between, and for each dense one how many layers there are until the next."""
    layers: list[Any] = []
    lengths = []
    for _ in range(draw(st.integers(1, 3))):
        units = draw(st.integers(2, 7))
        norms = draw(st.lists(st.one_of(layer_norms, st.builds(fnn.BatchNorm, activations)), max_size=2))
        layers += [draw(st.builds(fnn.Dense, st.just(units), activations, **penalties)), *norms]
        lengths.append(1 + len(norms))
    return fnn.Network(4, (*layers, fnn.Dense(3, "softmax", l1=0.01)), loss="cross_entropy"), lengths


def _permuted(network: fnn.Network, lengths: list[int], params: fnn.Params, seed: int) -> fnn.Params:
    """The same network with the units of each hidden layer in another order."""
    rng = np.random.default_rng(seed)
    tensors, order, index = [], np.arange(network.inputs), 0
    for length in lengths:
        before, order = order, rng.permutation(network.widths[index + 1])
        tensors += [params[index].weight[before][:, order], params[index].bias[order]]
        for norm in params.layers[index + 1 : index + length]:
            tensors += [tensor[order] for tensor in norm if tensor.size]
        index += length
    return fnn.pack_params(network, [*tensors, params[-1].weight[order], params[-1].bias], params.dtype)


@given(towers(), st.integers(0, 99))
@settings(deadline=None, max_examples=80)
def test_permuted_hidden_units_give_the_same_outputs_and_permuted_gradients(tower: Any, seed: int) -> None:
    network, lengths = tower
    params = fnn.init_params(network, seed=seed, dtype=np.float64)
    rng = np.random.default_rng(seed)
    vector = params.vector + 0.2 * rng.standard_normal(len(params.vector))
    params = attrs.evolve(params, vector=vector, running=rng.uniform(0.5, 1.5, len(params.running)))
    mixed = _permuted(network, lengths, params, seed)
    x, y = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    np.testing.assert_allclose(fnn.forward(network, mixed, x), fnn.forward(network, params, x), rtol=1e-10)
    for key in (None, KEY):
        value, g = fnn.loss_and_grads(network, params, x, y, key=key)
        mixed_value, mixed_g = fnn.loss_and_grads(network, mixed, x, y, key=key)
        assert mixed_value == pytest.approx(value, rel=1e-10)
        expected = _permuted(network, lengths, g, seed)
        _assert_near(mixed_g.vector, expected.vector, 1e-9)
        _assert_near(mixed_g.running, expected.running, 1e-9)
    projected = _permuted(network, lengths, fnn.project(network, params), seed)
    np.testing.assert_allclose(fnn.project(network, mixed).vector, projected.vector, rtol=1e-12)


def _global_state() -> tuple[Any, ...]:
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), *state[2:]


@given(cases(), optimizers, sizes)
@settings(deadline=None, max_examples=60)
def test_nothing_given_is_changed_and_no_global_random_state_is_touched(case: Case, optimizer: Any, size: Any) -> None:
    network, params, x, y, w = case.network, case.params, case.x, case.y, case.w
    memory = x if x.base is None else x.base
    data = fnn.Dataset(x, y, w)
    settings: dict[str, Any] = {"optimizer": optimizer, "batch_size": size, "params": params}
    begun = fnn.start(network, **settings)
    state, average = fnn.init(optimizer, params), fnn.average_init(fnn.Average(0.9), params)
    records = (params, begun, state, average)
    g = fnn.grads(network, params, x, y, w, KEY)

    def what_there_is() -> Any:
        return _global_state(), [array.tobytes() for array in (memory, y, w)], fnn.digest((*records, g))

    before = what_there_is()
    fnn.init_params(network, seed=1)
    for key in (None, KEY):
        fnn.loss(network, params, x, y, w, key)
        fnn.loss_and_grads(network, params, x, y, w, key)
    fnn.forward(network, params, x)
    fnn.predict(network, params, x)
    fnn.evaluate(network, params, data)
    fnn.project(network, params)
    fnn.step(optimizer, params, state, g)
    fnn.average_step(fnn.Average(0.9), average, params)
    run = begun
    for batch in fnn.batches(data, size):
        run = fnn.train_step(run, batch)
    fnn.end_epoch(run, data)
    fnn.fit(network, data, epochs=2, validation=data, patience=1, **settings)
    list(islice(fnn.train(network, data, validation=data, every="step", **settings), 3))
    fnn.check_grads(network, params, x, y, w, KEY)
    assert what_there_is() == before
    assert x.flags.writeable


@given(cases(st.just(np.float32)))
@settings(deadline=None, max_examples=200)
def test_a_row_is_the_same_alone_and_within_a_batch_in_float32(case: Case) -> None:
    together = fnn.forward(case.network, case.params, case.x)
    for i in range(len(case.x)):
        alone = fnn.forward(case.network, case.params, case.x[i : i + 1])[0]
        if case.network.answers == "classes":
            bound = 1e-6 * (1 + np.ptp(np.log(together[i]))) * together[i]
        else:  # the outputs are the logits, or are less steep than them
            bound = np.full(len(alone), 1e-6 * (1 + np.abs(together[i]).max()))
        assert (np.abs(alone - together[i]) <= bound).all()


@pytest.mark.parametrize(("dtype", "weight"), [(np.float16, 100), (np.float32, 1e30), (np.uint8, 200)])
def test_weights_count_by_their_ratios_whatever_their_dtype(dtype: Any, weight: float) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3000, 2)), np.where(np.arange(3000) % 2, weight, weight / 2).astype(dtype)
    y, ratios = (x[:, 0] > 0).astype(int), np.where(np.arange(3000) % 2, 2.0, 1.0)
    network = fnn.Network(2, (fnn.Dense(2, "softmax", l2=0.1),), loss="cross_entropy")
    params = fnn.init_params(network, seed=0, dtype=np.float64)
    expected, g = fnn.loss_and_grads(network, params, x, y, sample_weight=ratios)
    value, mine = fnn.loss_and_grads(network, params, x, y, sample_weight=w)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(mine.vector, g.vector, rtol=1e-9)
    runs = [fnn.fit_lbfgs(network, fnn.Dataset(x, y, weights)) for weights in (w, ratios)]
    np.testing.assert_allclose(runs[0].params.vector, runs[1].params.vector, atol=1e-6)
