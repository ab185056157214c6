"""Each optimizer against its published algorithm, worked number by number in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import pytest

import fnn

NETWORK = fnn.mlp(2, 2, 1, output="identity", loss="mse")
SIZE, STEPS = NETWORK.layout.size, 1000
BEGIN = np.linspace(-1, 1, SIZE)

# One number's θ after each step, from a sequence of its gradients: what each paper says, and nothing shared.
Algorithm = Callable[[float, list[float], Callable[[int], float]], Iterator[float]]


def sgd(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    for t, g in enumerate(gradients):
        theta -= rate(t) * g
        yield theta


def momentum(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    v = 0.0
    for t, g in enumerate(gradients):
        v = 0.8 * v + g
        theta -= rate(t) * v
        yield theta


def nesterov(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    v = 0.0
    for t, g in enumerate(gradients):
        v = 0.8 * v + g
        theta -= rate(t) * (g + 0.8 * v)
        yield theta


def rmsprop(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    mean_square = 0.0
    for t, g in enumerate(gradients):
        mean_square = 0.95 * mean_square + 0.05 * g**2
        theta -= rate(t) * g / (math.sqrt(mean_square) + 1e-6)
        yield theta


def adam(theta: float, gradients: list[float], rate: Callable[[int], float], decay: float = 0.0) -> Iterator[float]:
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.85 * m + (1 - 0.85) * g
        v = 0.99 * v + (1 - 0.99) * g**2
        m_hat, v_hat = m / (1 - 0.85**t), v / (1 - 0.99**t)
        theta = theta - rate(t - 1) * (m_hat / (math.sqrt(v_hat) + 1e-7) + decay * theta)
        yield theta


def adamw(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    return adam(theta, gradients, rate, decay=0.3)


CASES: list[tuple[Any, Algorithm]] = [
    (fnn.SGD(0.02), sgd),
    (fnn.Momentum(0.02, momentum=0.8), momentum),
    (fnn.Momentum(0.02, momentum=0.8, nesterov=True), nesterov),
    (fnn.RMSProp(0.02, decay=0.95, epsilon=1e-6), rmsprop),
    (fnn.Adam(0.02, beta1=0.85, beta2=0.99, epsilon=1e-7), adam),
    (fnn.AdamW(0.02, beta1=0.85, beta2=0.99, epsilon=1e-7, weight_decay=0.3), adamw),
]
NAMES = [algorithm.__name__ for _, algorithm in CASES]


def _params(vector: Any) -> fnn.Params:
    return fnn.Params(NETWORK.layout, np.array(vector), np.empty(0))


def _gradients() -> Any:
    """1,000 gradients of all sizes, some 0."""
    rng = np.random.default_rng(11)
    g = rng.standard_normal((STEPS, SIZE)) * 10.0 ** rng.integers(-6, 3, (STEPS, SIZE))
    return np.where(rng.random(g.shape) < 0.1, 0, g)


def _follow(optimizer: Any, gradients: Any) -> Any:
    params = _params(BEGIN)
    state = fnn.init(optimizer, params)
    path = []
    for g in gradients:
        params, state = fnn.step(optimizer, params, state, _params(g))
        path.append(params.vector)
    assert state.step == len(gradients)
    return np.array(path)


@pytest.mark.parametrize(("optimizer", "algorithm"), CASES, ids=NAMES)
@pytest.mark.parametrize("schedule", [None, fnn.Cosine(0.05, steps=900, warmup_steps=100, final=0.001)])
def test_a_thousand_steps_follow_the_published_algorithm(optimizer: Any, algorithm: Any, schedule: Any) -> None:
    optimizer = attrs.evolve(optimizer, learning_rate=schedule) if schedule else optimizer
    gradients = _gradients()
    path = _follow(optimizer, gradients)
    for i in range(SIZE):
        rate = schedule or (lambda _: 0.02)
        expected = np.array(list(algorithm(float(BEGIN[i]), gradients[:, i].tolist(), rate)))
        np.testing.assert_allclose(path[:, i], expected, rtol=1e-10, atol=1e-10)


def test_the_published_first_steps_by_hand() -> None:
    g = np.full(SIZE, 0.5)
    # Adam's first step is η · g / (|g| + ε) whatever g; RMSProp's is η · g / (√0.1 |g| + ε)
    for optimizer, expected in [
        (fnn.Adam(0.1), BEGIN - 0.1),
        (fnn.RMSProp(0.1), BEGIN - 0.1 / math.sqrt(0.1)),
        (fnn.AdamW(0.1, weight_decay=0.5), 0.95 * BEGIN - 0.1),
    ]:
        np.testing.assert_allclose(_follow(optimizer, [g])[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("optimizer", "algorithm"), CASES, ids=NAMES)
def test_every_number_of_a_long_vector_is_moved_alike(optimizer: Any, algorithm: Any) -> None:
    network = fnn.mlp(300, 350, 1, output="identity", loss="mse")  # more than three blocks of the kernels
    size = network.layout.size
    params = fnn.Params(network.layout, np.resize(BEGIN, size), np.empty(0))
    state = fnn.init(optimizer, params)
    gradients = _gradients()[:3]
    for g in gradients:
        params, state = fnn.step(optimizer, params, state, attrs.evolve(params, vector=np.resize(g, size)))
    assert np.array_equal(params.vector, np.resize(_follow(optimizer, gradients)[-1], size))


@pytest.mark.parametrize("name", ["sgd", "momentum", "rmsprop", "adam", "adamw"])
def test_the_named_functions_are_the_generic_ones(name: str) -> None:
    optimizer = {n: o for n, (o, _) in zip(NAMES, CASES, strict=True)}[name]
    params, g = _params(BEGIN), _params(BEGIN[::-1])
    state = getattr(fnn, f"{name}_init")(optimizer, params)
    moved, after = getattr(fnn, f"{name}_step")(optimizer, params, state, g)
    same, also = fnn.step(optimizer, params, fnn.init(optimizer, params), g)
    assert fnn.digest((moved, after)) == fnn.digest((same, also))
    assert after.step == 1
    assert fnn.digest(state) != fnn.digest(after)


def test_a_step_keeps_float32_and_takes_the_running_statistics_of_the_gradient() -> None:
    network = fnn.Network(2, (fnn.BatchNorm(),), loss="mse")
    params = fnn.init_params(network, seed=0)
    g = attrs.evolve(params, running=np.array([1, 2, 3, 4], np.float32))
    for optimizer, _ in CASES:
        moved, state = fnn.step(optimizer, params, fnn.init(optimizer, params), g)
        assert moved.vector.dtype == np.float32
        assert moved.running.tolist() == [1, 2, 3, 4]
        assert all(getattr(state, f.name).dtype == np.float32 for f in attrs.fields(type(state)) if f.name != "step")


def test_clipping_is_by_value_and_then_by_the_norm_of_the_whole_vector() -> None:
    g = np.zeros(SIZE)
    g[:3] = [30, 4, -40]
    clipped = _follow(fnn.SGD(1.0, clip_value=4.0, clip_norm=2.0), [g])[0] - BEGIN
    expected = -np.array([4, 4, -4]) * 2 / math.sqrt(48)
    np.testing.assert_allclose(clipped[:3], expected, rtol=1e-12)
    unclipped = _follow(fnn.SGD(1.0, clip_value=40.0, clip_norm=51.0), [g])[0] - BEGIN
    np.testing.assert_allclose(unclipped[:3], -g[:3], rtol=1e-12)


def test_clipping_by_norm_survives_squares_that_overflow() -> None:
    params = fnn.init_params(NETWORK, seed=0)
    g = attrs.evolve(params, vector=np.full(SIZE, 1e25, np.float32))
    moved, _ = fnn.step(fnn.SGD(1.0, clip_norm=3.0), params, fnn.init(fnn.SGD(), params), g)
    np.testing.assert_allclose(params.vector - moved.vector, 3 / math.sqrt(SIZE), rtol=1e-5)


@attrs.frozen(eq=False)
class SignState(fnn.State):
    step: int


@attrs.frozen
class Sign:
    """A user's own optimizer: θ ← θ − η sign(g)."""

    learning_rate: float = 0.01

    def init(self, params: fnn.Params) -> SignState:
        return SignState(0)

    def step(self, params: fnn.Params, state: SignState, g: fnn.Params) -> tuple[fnn.Params, SignState]:
        vector = params.vector - params.dtype.type(self.learning_rate) * np.sign(g.vector)
        return attrs.evolve(params, vector=vector, running=g.running), SignState(state.step + 1)


def test_a_users_own_optimizer_goes_through_fit() -> None:
    data = fnn.Dataset(np.array([[0.0, 1], [1, 0]]), np.array([[1.0], [0.0]]))
    run = fnn.fit(NETWORK, data, optimizer=Sign(), epochs=3, batch_size=1)
    assert run.optimizer_state.step == 6
    moved = np.abs(run.params.vector - fnn.init_params(NETWORK, seed=0).vector)
    assert moved.max() <= 6 * 0.01 + 1e-6
    assert moved.max() > 0.005
