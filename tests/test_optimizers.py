"""Each optimizer against its published algorithm, worked number by number in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import fnn
from fnn.plain import BLOCK

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


def adagrad(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    total = 0.0
    for t, g in enumerate(gradients):
        total += g**2
        theta -= rate(t) * g / (math.sqrt(total) + 1e-5)
        yield theta


def adam(
    theta: float, gradients: list[float], rate: Callable[[int], float], beta1: float = 0.85, decay: float = 0.0
) -> Iterator[float]:
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = 0.99 * v + (1 - 0.99) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - 0.99**t)
        theta = theta - rate(t - 1) * (m_hat / (math.sqrt(v_hat) + 1e-7) + decay * theta)
        yield theta


def nadam(theta: float, gradients: list[float], rate: Callable[[int], float], beta1: float = 0.85) -> Iterator[float]:
    m = n = 0.0
    for t, g in enumerate(gradients, start=1):
        g_hat = g / (1 - beta1**t)
        m = beta1 * m + (1 - beta1) * g
        m_hat = m / (1 - beta1 ** (t + 1))
        n = 0.99 * n + (1 - 0.99) * g**2
        n_hat = n / (1 - 0.99**t)
        m_bar = (1 - beta1) * g_hat + beta1 * m_hat
        theta -= rate(t - 1) * m_bar / (math.sqrt(n_hat) + 1e-7)
        yield theta


def amsgrad(theta: float, gradients: list[float], rate: Callable[[int], float], beta1: float = 0.85) -> Iterator[float]:
    m, v = 0.0, [0.0]
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v.append(0.99 * v[-1] + (1 - 0.99) * g**2)
        theta -= rate(t - 1) * m / (1 - beta1**t) / (math.sqrt(max(v) / (1 - 0.99**t)) + 1e-7)
        yield theta


def beside_root(rate: float, t: int, beta1: float, m: float, v: float) -> float:
    """Adam's step with epsilon beside the root of v itself: Kingma and Ba 2015, end of section 2."""
    return rate * math.sqrt(1 - 0.99**t) / (1 - beta1**t) * m / (math.sqrt(v) + 1e-3)


def adam_of_section_2(
    theta: float, gradients: list[float], rate: Callable[[int], float], beta1: float = 0.85, decay: float = 0.0
) -> Iterator[float]:
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = 0.99 * v + (1 - 0.99) * g**2
        theta = theta - beside_root(rate(t - 1), t, beta1, m, v) - rate(t - 1) * decay * theta
        yield theta


def nadam_of_section_2(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    m = n = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.85 * m + (1 - 0.85) * g
        n = 0.99 * n + (1 - 0.99) * g**2
        m_bar = 0.85 * m / (1 - 0.85 ** (t + 1)) + (1 - 0.85) * g / (1 - 0.85**t)
        theta -= rate(t - 1) * math.sqrt(1 - 0.99**t) * m_bar / (math.sqrt(n) + 1e-3)
        yield theta


def amsgrad_of_section_2(theta: float, gradients: list[float], rate: Callable[[int], float]) -> Iterator[float]:
    m, v = 0.0, [0.0]
    for t, g in enumerate(gradients, start=1):
        m = 0.85 * m + (1 - 0.85) * g
        v.append(0.99 * v[-1] + (1 - 0.99) * g**2)
        theta -= beside_root(rate(t - 1), t, 0.85, m, max(v))
        yield theta


def lion(
    theta: float, gradients: list[float], rate: Callable[[int], float], beta1: float = 0.85, decay: float = 0.0
) -> Iterator[float]:
    m = 0.0
    for t, g in enumerate(gradients):
        c = beta1 * m + (1 - beta1) * g
        theta = theta - rate(t) * ((c > 0) - (c < 0) + decay * theta)
        m = 0.97 * m + (1 - 0.97) * g
        yield theta


TWO: dict[str, Any] = {"beta2": 0.99, "epsilon": 1e-7}
BESIDE: dict[str, Any] = {"beta1": 0.85, "beta2": 0.99, "epsilon": 1e-3, "corrected_epsilon": False}
CASES: dict[str, tuple[Any, Algorithm]] = {
    "sgd": (fnn.SGD(0.02), sgd),
    "momentum": (fnn.Momentum(0.02, momentum=0.8), momentum),
    "nesterov": (fnn.Momentum(0.02, momentum=0.8, nesterov=True), nesterov),
    "rmsprop": (fnn.RMSProp(0.02, decay=0.95, epsilon=1e-6), rmsprop),
    "adagrad": (fnn.AdaGrad(0.02, epsilon=1e-5), adagrad),
    "adam": (fnn.Adam(0.02, beta1=0.85, **TWO), adam),
    "adamw": (fnn.AdamW(0.02, beta1=0.85, weight_decay=0.3, **TWO), partial(adam, decay=0.3)),
    "nadam": (fnn.NAdam(0.02, beta1=0.85, **TWO), nadam),
    "amsgrad": (fnn.AMSGrad(0.02, beta1=0.85, **TWO), amsgrad),
    "lion": (fnn.Lion(0.02, beta1=0.85, beta2=0.97), lion),
    "adam without momentum": (fnn.Adam(0.02, beta1=0, **TWO), partial(adam, beta1=0)),
    "nadam without momentum": (fnn.NAdam(0.02, beta1=0, **TWO), partial(nadam, beta1=0)),
    "amsgrad without momentum": (fnn.AMSGrad(0.02, beta1=0, **TWO), partial(amsgrad, beta1=0)),
    "adam of section 2": (fnn.Adam(0.02, **BESIDE), adam_of_section_2),
    "adamw of section 2": (fnn.AdamW(0.02, weight_decay=0.3, **BESIDE), partial(adam_of_section_2, decay=0.3)),
    "nadam of section 2": (fnn.NAdam(0.02, **BESIDE), nadam_of_section_2),
    "amsgrad of section 2": (fnn.AMSGrad(0.02, **BESIDE), amsgrad_of_section_2),
    "lion with decay": (fnn.Lion(0.02, beta1=0.85, beta2=0.97, weight_decay=0.3), partial(lion, decay=0.3)),
    "lion of signs": (fnn.Lion(0.02, beta1=0, beta2=0.97, weight_decay=0.3), partial(lion, beta1=0, decay=0.3)),
}
each_case = pytest.mark.parametrize(("optimizer", "algorithm"), CASES.values(), ids=CASES)
NAMED = [name for name in CASES if name != "nesterov" and " " not in name]


def _params(vector: Any) -> fnn.Params:
    """That many numbers, as if of one layer's bias."""
    return fnn.Params(fnn.Layout((fnn.Shapes(bias=(len(vector),)),)), np.array(vector), np.empty(0))


def _gradients() -> Any:
    """1,000 gradients of all sizes, some 0."""
    rng = np.random.default_rng(11)
    g = rng.standard_normal((STEPS, SIZE)) * 10.0 ** rng.integers(-6, 3, (STEPS, SIZE))
    return np.where(rng.random(g.shape) < 0.1, 0, g)


def _follow(optimizer: Any, gradients: Any, begin: Any = BEGIN) -> Any:
    params = _params(begin)
    state = fnn.init(optimizer, params)
    path = []
    for g in gradients:
        params, state = fnn.step(optimizer, params, state, _params(g))
        path.append(params.vector)
    assert state.step == len(gradients)
    return np.array(path)


def _expected(algorithm: Algorithm, gradients: Any, rate: Callable[[int], float], begin: Any = BEGIN) -> Any:
    """Where the algorithm goes from `begin`, number by number."""
    columns = zip(begin.tolist(), gradients.T.tolist(), strict=True)
    return np.array([list(algorithm(first, column, rate)) for first, column in columns]).T


def _clipped(g: list[float]) -> list[float]:
    """By value to 5 and then by norm to 4."""
    cut = [min(max(number, -5.0), 5.0) for number in g]
    return [number * min(1.0, 4.0 / math.hypot(*cut)) for number in cut]


@each_case
@pytest.mark.parametrize("schedule", [None, fnn.Cosine(0.05, steps=900, warmup_steps=100, final=0.001)])
@pytest.mark.parametrize("clipping", [False, True])
def test_a_thousand_steps_follow_the_published_algorithm(
    optimizer: Any, algorithm: Any, schedule: Any, clipping: bool
) -> None:
    optimizer = attrs.evolve(optimizer, learning_rate=schedule) if schedule else optimizer
    gradients = clipped = _gradients()
    if clipping:
        optimizer = attrs.evolve(optimizer, clip_value=5.0, clip_norm=4.0)
        clipped = np.array([_clipped(g) for g in gradients.tolist()])
    expected = _expected(algorithm, clipped, schedule or (lambda _: 0.02))
    np.testing.assert_allclose(_follow(optimizer, gradients), expected, rtol=1e-10, atol=1e-10)


def test_the_published_first_steps_by_hand() -> None:
    g = np.full(SIZE, 0.5)
    # Adam's first step is η · g / (|g| + ε) whatever g; RMSProp's is η · g / (√0.1 |g| + ε)
    for optimizer, expected in [
        (fnn.Adam(0.1), BEGIN - 0.1),
        (fnn.RMSProp(0.1), BEGIN - 0.1 / math.sqrt(0.1)),
        (fnn.AdamW(0.1, weight_decay=0.5), 0.95 * BEGIN - 0.1),
        (fnn.AdaGrad(0.1), BEGIN - 0.1),
        (fnn.AMSGrad(0.1), BEGIN - 0.1),
        (fnn.NAdam(0.1), BEGIN - 0.1 * (0.9 / (1 + 0.9) + 1)),  # 0.9 · (1 − 0.9) / (1 − 0.9²), and 1
        (fnn.Lion(0.1, weight_decay=0.5), 0.95 * BEGIN - 0.1),
    ]:
        np.testing.assert_allclose(_follow(optimizer, [g])[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in CASES if "section 2" in name])
def test_epsilon_beside_the_root_of_v_itself(name: str) -> None:
    optimizer, algorithm = CASES[name]
    gradients = np.random.default_rng(6).standard_normal((6, SIZE)) * np.logspace(-5, 0, SIZE)
    path = _follow(optimizer, gradients)
    np.testing.assert_allclose(path, _expected(algorithm, gradients, lambda _: 0.02), rtol=1e-12, atol=1e-15)
    corrected = _follow(attrs.evolve(optimizer, corrected_epsilon=True), gradients)
    assert np.abs(corrected - path).max() > 1e-3  # of steps of 0.02
    np.testing.assert_allclose(
        _follow(attrs.evolve(optimizer, beta2=0.0), gradients),
        _follow(attrs.evolve(optimizer, beta2=0.0, corrected_epsilon=True), gradients),
        rtol=0,
        atol=1e-15,
    )


def test_epsilon_beside_the_root_of_v_itself_is_scikit_learns_adam() -> None:
    optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    gradients = np.random.default_rng(6).standard_normal((50, SIZE)) * np.logspace(-5, 0, SIZE)
    theirs, theta = optimizers.AdamOptimizer([BEGIN], 0.02, 0.85, 0.99, 1e-3), BEGIN.copy()
    path = []
    for g in gradients:
        theta = theta + theirs._get_updates([g])[0]
        path.append(theta)
    np.testing.assert_allclose(_follow(fnn.Adam(0.02, **BESIDE), gradients), path, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_momentum_of_1_is_not_slowed_down(nesterov: bool) -> None:
    g = np.linspace(-2, 3, SIZE)
    path = _follow(fnn.Momentum(0.25, momentum=1.0, nesterov=nesterov), [g] * 20)
    for k, theta in enumerate(path, start=1):  # the velocity is g, 2 g, … k g
        np.testing.assert_allclose(theta, BEGIN - 0.25 * g * (k * (k + 1) / 2 + k * nesterov), rtol=1e-13, atol=1e-13)


OF_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "corrected_epsilon": True}
DEFAULTS: list[tuple[Any, dict[str, Any]]] = [
    (fnn.SGD(), {"learning_rate": 0.01}),
    (fnn.Momentum(), {"learning_rate": 0.01, "momentum": 0.9, "nesterov": False}),
    (fnn.RMSProp(), {"learning_rate": 1e-3, "decay": 0.9, "epsilon": 1e-8}),
    (fnn.AdaGrad(), {"learning_rate": 0.01, "epsilon": 1e-10}),
    *((optimizer, OF_ADAM) for optimizer in (fnn.Adam(), fnn.NAdam(), fnn.AMSGrad())),
    (fnn.AdamW(), {**OF_ADAM, "weight_decay": 0.01}),
    (fnn.Lion(), {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}),
]


@pytest.mark.parametrize(
    ("optimizer", "settings"), DEFAULTS, ids=[type(optimizer).__name__ for optimizer, _ in DEFAULTS]
)
def test_the_defaults(optimizer: Any, settings: dict[str, Any]) -> None:
    assert attrs.asdict(optimizer) == {**settings, "clip_norm": None, "clip_value": None}


# Five steps from (½, −1, 2) along (k / 10, −0.3, 1 / k − 0.4), k = 1 … 5, in float64, by other libraries
RECORDED: dict[str, tuple[Any, list[float]]] = {
    # PyTorch 2.13: torch.optim.Adagrad(lr=0.05)
    "adagrad": (fnn.AdaGrad(0.05), [0.2949646239648937, -0.8384164677442489, 1.9742596803355348]),
    # PyTorch 2.13: torch.optim.Adam(lr=0.05, betas=(0.8, 0.9), amsgrad=True)
    "amsgrad": (fnn.AMSGrad(0.05, 0.8, 0.9), [0.25567815265596716, -0.7500000083333332, 1.885156379723514]),
    # Optax 0.2.8: optax.nadam(0.05, b1=0.8, b2=0.9)
    "nadam": (fnn.NAdam(0.05, 0.8, 0.9), [0.19022777112955835, -0.713552789494463, 1.9018067326551218]),
    # Optax 0.2.8: optax.lion(0.05, b1=0.9, b2=0.7, weight_decay=0.1)
    "lion": (fnn.Lion(0.05, 0.9, 0.7, 0.1), [0.2401119077796875, -0.727736284340625, 1.8029850374624998]),
    # Optax 0.2.8: optax.lion(0.05, b1=0.0, b2=0.7, weight_decay=0.0)
    "lion of signs": (fnn.Lion(0.05, 0.0, 0.7), [0.25000000000000006, -0.7499999999999998, 2.05]),
}


@pytest.mark.parametrize(("optimizer", "expected"), RECORDED.values(), ids=RECORDED)
def test_five_steps_are_those_of_other_libraries(optimizer: Any, expected: list[float]) -> None:
    gradients = [np.array([k / 10, -0.3, 1 / k - 0.4]) for k in range(1, 6)]
    path = _follow(optimizer, gradients, np.array([0.5, -1, 2]))
    np.testing.assert_allclose(path[-1], expected, rtol=1e-12)


@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_number_of_a_vector_of_any_length_is_moved_alike(
    optimizer: Any, algorithm: Any, dtype: Any, size: int
) -> None:
    few = np.random.default_rng(3).uniform(-1, 1, (5, 11)).astype(dtype)  # 11 does not divide a block
    path = _follow(optimizer, [np.resize(g, size) for g in few[1:]], np.resize(few[0], size))
    assert path.dtype == dtype
    expected = _expected(algorithm, few[1:], lambda _: 0.02, few[0])[-1]
    rounding = {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    np.testing.assert_allclose(path[-1], np.resize(expected, size), rtol=0, atol=rounding)
    assert len(np.unique(path[-1])) == min(size, 11)  # equal numbers, equal gradients: equal bits in every block


@pytest.mark.parametrize("name", NAMED)
def test_the_named_functions_are_the_generic_ones(name: str) -> None:
    optimizer = CASES[name][0]
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
    for optimizer, _ in CASES.values():
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


@pytest.mark.parametrize(
    "optimizer", [fnn.Momentum(0.1), fnn.RMSProp(), fnn.Adam(), fnn.NAdam(), fnn.AMSGrad(), fnn.Lion()]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_moments_become_0_at_every_32nd_step(optimizer: Any, dtype: Any) -> None:
    tiny = np.finfo(dtype).tiny
    params = fnn.Params(fnn.mlp(1, 2).layout, np.ones(4, dtype), np.empty(0))
    nothing = attrs.evolve(params, vector=np.zeros(4, dtype))
    first = fnn.init(optimizer, params)
    names = [field.name for field in attrs.fields(type(first))[1:] if field.name != "most"]
    moments = np.array([tiny / 2, 3 * tiny, 1, np.nan], dtype)
    for step, left in ((29, 4), (30, 4), (31, 3), (32, 4), (63, 3)):
        state = attrs.evolve(first, step=step, **dict.fromkeys(names, moments))
        with np.errstate(invalid="ignore"):
            after, state = fnn.step(optimizer, params, state, nothing)
        for name in names:
            assert np.count_nonzero(getattr(state, name)) == left, (step, name)
        assert after.vector[0] == 1 or isinstance(optimizer, fnn.Lion)
