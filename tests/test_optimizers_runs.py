"""Optimizers in whole runs, ours and a user's own: the fold law, byte for byte, and what is in the digest."""

from __future__ import annotations

import copy
import pickle
import re
from itertools import islice
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from fnn.descent import Descent
from tests.stand_ins import exactly

NETWORK = fnn.Network(
    4,
    (fnn.Dense(7, "relu", l2=1e-3, max_norm=1.0), fnn.LayerNorm("tanh"), fnn.Dropout(0.2), fnn.Dense(2, "softmax")),
    loss="cross_entropy",
    input_scale=1 / 9,
)
RNG = np.random.default_rng(2)
X = RNG.integers(0, 10, (33, 4), dtype=np.uint8)
DATA = fnn.Dataset(X, (X[:, 0] > X[:, 1]).astype(int), RNG.integers(0, 3, 33).astype(float))
HELD_OUT = fnn.Dataset(X[:12], RNG.integers(0, 2, 12))


@attrs.frozen(eq=False)
class SignState(fnn.State):
    step: int
    signs: Any = attrs.field(converter=fnn.sealed)


@attrs.frozen
class Sign:
    """A user's own optimizer: θ ← θ − η sign(g), which remembers the signs; two methods and nothing of ours."""

    learning_rate: float = 0.01

    def init(self, params: fnn.Params) -> SignState:
        return SignState(0, np.zeros(len(params.vector), np.int8))

    def step(self, params: fnn.Params, state: SignState, g: fnn.Params) -> tuple[fnn.Params, SignState]:
        signs = np.sign(g.vector).astype(np.int8)
        vector = params.vector - params.dtype.type(self.learning_rate) * signs
        return attrs.evolve(params, vector=vector, running=g.running), SignState(state.step + 1, signs)


@attrs.frozen(eq=False)
class DampedState(fnn.State):
    step: int
    v: Any = attrs.field(converter=fnn.sealed)
    last: Any = attrs.field(converter=fnn.sealed)


@attrs.frozen
class Damped(Descent[DampedState]):
    """A user's own descent, with two moments of its own: v ← ½ (v + g), θ ← θ − η (v + last g)."""

    state_kind = DampedState
    coefficients: Any = None  # for none of fnn's loops

    def update(self, w: Any, g: Any, rate: float, state: DampedState) -> tuple[Any, ...]:
        v = 0.5 * (state.v + g)
        return w - rate * (v + state.last), v, g.copy()


@attrs.frozen
class HalfAdam(fnn.Adam):
    """A user's own Adam, whose rate is halved."""

    def update(self, w: Any, g: Any, rate: float, state: fnn.AdamState) -> tuple[Any, ...]:
        return super().update(w, g, 0.5 * rate, state)


SCHEDULE = fnn.Cosine(0.03, steps=30, warmup_steps=3)
OPTIMIZERS: list[Any] = [
    fnn.AdaGrad(SCHEDULE, clip_norm=0.5),
    fnn.NAdam(SCHEDULE, clip_value=0.1),
    fnn.AMSGrad(SCHEDULE, beta1=0.0, clip_norm=0.5),
    fnn.Lion(SCHEDULE, weight_decay=0.1, clip_norm=0.5),
    Sign(),
    Damped(SCHEDULE, clip_norm=0.5),
    HalfAdam(SCHEDULE, clip_value=0.1),
]
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)


def _fit(epochs: int, state: fnn.TrainState | None = None, **settings: Any) -> fnn.TrainState:
    if state is None:
        settings = {"batch_size": 9, "seed": 3} | settings
    return fnn.fit(NETWORK, DATA, epochs=epochs, validation=HELD_OUT, state=state, **settings)


@each_optimizer
def test_n_epochs_and_then_m_are_n_plus_m(optimizer: Any) -> None:
    whole = _fit(5, optimizer=optimizer)
    for n in range(1, 5):
        assert fnn.digest(_fit(5 - n, _fit(n, optimizer=optimizer))) == fnn.digest(whole)
    begun = fnn.init_params(NETWORK, seed=3)
    assert np.abs(whole.params.vector - begun.vector).max() > 1e-3
    other = _fit(5, optimizer=attrs.evolve(optimizer, learning_rate=0.02))
    assert fnn.digest(other.params) != fnn.digest(whole.params)


@each_optimizer
def test_a_run_that_stops_at_any_step_goes_on_to_the_same_bytes(optimizer: Any) -> None:
    whole = fnn.digest(_fit(2, optimizer=optimizer))
    settings: dict[str, Any] = {"optimizer": optimizer, "batch_size": 9, "seed": 3, "validation": HELD_OUT}
    steps = list(islice(fnn.train(NETWORK, DATA, every="step", **settings), 5))
    assert (steps[-1].epoch, steps[-1].batch) == (1, 2)  # an epoch has three steps
    for state in steps:
        stored = pickle.loads(pickle.dumps(state))
        assert fnn.digest(_fit(2 - state.epoch, stored)) == whole


@each_optimizer
def test_steps_made_by_hand_are_those_of_fit(optimizer: Any) -> None:
    params = fnn.init_params(NETWORK, seed=3)
    state = fnn.init(optimizer, params)
    for epoch in range(2):
        for batch in fnn.batches(DATA, batch_size=9, seed=3, epoch=epoch):
            g = fnn.grads(NETWORK, params, batch.x, batch.y, batch.sample_weight, batch.key)
            params, state = fnn.step(optimizer, params, pickle.loads(pickle.dumps(state)), g)
            params = fnn.project(NETWORK, params)
    run = _fit(2, optimizer=optimizer)
    assert fnn.digest((params, state)) == fnn.digest((run.params, run.optimizer_state))
    assert state.step == 6


@each_optimizer
def test_patience_stops_it_and_goes_on(optimizer: Any) -> None:
    settings: dict[str, Any] = {"patience": 2, "monitor": "val_accuracy"}
    whole = _fit(60, optimizer=optimizer, **settings)
    assert whole.stopped == "patience"
    assert whole.epoch == whole.best_epoch + 2
    half = _fit(whole.epoch - 1, optimizer=optimizer, **settings)
    assert fnn.digest(_fit(60, half, patience=2)) == fnn.digest(whole)


@each_optimizer
def test_the_state_is_in_the_digest_number_by_number(optimizer: Any) -> None:
    run = _fit(1, optimizer=optimizer)
    state = run.optimizer_state
    for field in attrs.fields(type(state)):
        value = getattr(state, field.name)
        if field.name != "step":
            value = value.copy()
            value[-1] += 1
        changed = attrs.evolve(state, **{field.name: value + (field.name == "step")})
        assert fnn.digest(changed) != fnn.digest(state)
        assert fnn.digest(attrs.evolve(run, optimizer_state=changed)) != fnn.digest(run)
    for again in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state)):
        assert fnn.digest(again) == fnn.digest(state)
        arrays = [getattr(again, field.name) for field in attrs.fields(type(again))[1:]]
        assert not any(array.flags.writeable for array in arrays)


def _one(number: float) -> fnn.Params:
    return fnn.Params(fnn.Layout((fnn.Shapes(bias=(1,)),)), np.array([number]), np.empty(0))


def test_a_users_descent_takes_its_own_update_after_our_clipping_and_schedule() -> None:
    damped = Damped(fnn.StepDecay(0.5, factor=0.5, every=1), clip_value=2.0)
    params, state = _one(1.0), fnn.init(damped, _one(1.0))
    assert (state.v.tolist(), state.last.tolist()) == ([0], [0])
    path = []
    for g in (1.0, 3.0):
        params, state = fnn.step(damped, params, state, _one(g))
        path += [params.vector.item(), state.v.item(), state.last.item()]
    assert path == [0.75, 0.5, 1, 0.75 - 0.25 * (1.25 + 1), 1.25, 2]  # 3 is clipped to 2
    assert state.step == 2
    with pytest.raises(TypeError, match=r"^damped_step: `state` must be a DampedState, got an AdamState\."):
        fnn.step(damped, params, fnn.init(fnn.Adam(), params), params)
    with pytest.raises(
        ValueError, match=r"^damped_step: `state` must be that of Params\(1 float64 numbers in 1 layer\)"
    ):
        fnn.step(damped, params, attrs.evolve(state, last=np.zeros(2)), params)


@pytest.mark.parametrize("kind", [fnn.Momentum, fnn.RMSProp, fnn.AdaGrad, fnn.Adam, fnn.AMSGrad, fnn.Lion])
@pytest.mark.parametrize("wrong", [np.zeros(5, np.float32), np.zeros(6)])
def test_each_moment_is_like_the_params(kind: Any, wrong: Any) -> None:
    params = fnn.init_params(fnn.mlp(2, 2), seed=0)
    state = fnn.init(kind(), params)
    got = f"an array of {wrong.dtype} with shape {wrong.shape}"
    rule = "`state` must be that of Params(6 float32 numbers in 1 layer)"
    for field in attrs.fields(type(state))[1:]:
        with pytest.raises(ValueError, match=exactly(f"{kind.__name__.lower()}_step: {rule}, got {got}.")):
            fnn.step(kind(), params, attrs.evolve(state, **{field.name: wrong}), params)


def test_a_users_kind_of_adam_goes_by_its_own_update() -> None:
    half, adam = HalfAdam(0.1), fnn.Adam(0.05)
    params = fnn.init_params(NETWORK, seed=0)
    ours = theirs = fnn.init(adam, params)
    at = same = params
    for _ in range(3):
        at, ours = fnn.step(half, at, ours, params)
        same, theirs = fnn.step(adam, same, theirs, params)
    assert fnn.digest((at, ours)) == fnn.digest((same, theirs))
    rule = r"^adam_{}: `optimizer` must be an Adam, got a HalfAdam\. `fnn\.{}` takes any optimizer\.$"
    with pytest.raises(TypeError, match=rule.format("init", "init")):
        fnn.adam_init(half, params)
    with pytest.raises(TypeError, match=rule.format("step", "step")):
        fnn.adam_step(half, params, ours, params)


@pytest.mark.parametrize("optimizer", [Sign(), Damped(SCHEDULE), HalfAdam(0.1)], ids=["Sign", "Damped", "HalfAdam"])
def test_a_users_optimizer_goes_through_a_dictionary(optimizer: Any) -> None:
    assert fnn.from_dict(fnn.to_dict(optimizer), type(optimizer)) == optimizer


def test_a_users_optimizer_moves_by_whole_steps_of_its_rate() -> None:
    run = _fit(2, optimizer=Sign())
    moved = np.abs(run.params[3].weight - fnn.init_params(NETWORK, seed=3)[3].weight) / 0.01
    np.testing.assert_allclose(moved, moved.round(), rtol=0, atol=1e-4)
    assert moved.max() <= 6 + 1e-4


SMALL = fnn.mlp(2, 2)
ROWS = fnn.Dataset(np.eye(2), np.arange(2))


@attrs.frozen
class Returns:
    """An optimizer of a user's own whose step returns what it is told."""

    what: str

    def init(self, params: fnn.Params) -> Any:
        return np.zeros(3) if self.what == "array" else None

    def step(self, params: fnn.Params, state: Any, g: fnn.Params) -> Any:
        wide = fnn.init_params(SMALL, 0, np.float64)
        return {"params": params, "float64": (wide, None), "list": (params, []), "pair": (params, None)}[self.what]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("params", f"must return (params, state), params like {fnn.init_params(SMALL, 0)!r}, got"),
        ("float64", f"must return (params, state), params like {fnn.init_params(SMALL, 0)!r}, got"),
        ("list", "must make a state that is frozen, got []. Put arrays into a record of `fnn.State`"),
    ],
)
def test_a_step_that_returns_something_else_is_refused(what: str, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(f'Returns: `step` {message}')}"):
        fnn.fit(SMALL, ROWS, optimizer=Returns(what), epochs=1)


def test_a_state_that_can_be_written_into_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^Returns: `init` must make a state that is frozen, got an array of float64"):
        fnn.start(SMALL, optimizer=Returns("array"))


def test_running_statistics_go_on_whatever_the_optimizer_does() -> None:
    network = fnn.Network(2, (fnn.BatchNorm(), fnn.Dense(2, "softmax")), loss="cross_entropy")
    run = fnn.start(network, optimizer=Returns("pair"))
    batch = next(fnn.batches(ROWS))
    g = fnn.grads(network, run.params, batch.x, batch.y, key=batch.key)
    np.testing.assert_array_equal(fnn.train_step(run, batch).params.running, g.running)
    assert (g.running != run.params.running).any()


@attrs.frozen
class Widening(fnn.SGD):
    """A user's own update that makes float64 of float32."""

    def update(self, w: Any, g: Any, rate: float, state: fnn.SGDState) -> tuple[Any, ...]:
        return (w.astype(np.float64) - rate * g,)


def test_an_update_of_another_dtype_is_refused() -> None:
    data = fnn.Dataset(np.ones((4, 2)), np.arange(4) % 2)
    with pytest.raises(
        TypeError, match=r"^Widening: `step` must return \(params, state\), params like Params\(6 float32"
    ):
        fnn.fit(fnn.mlp(2, 2), data, optimizer=Widening(0.1), epochs=1)
