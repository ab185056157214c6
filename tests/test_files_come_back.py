"""Whatever is saved comes back, and goes on to the same bits; what would not is refused when it is saved."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

import fnn
from fnn import provenance
from fnn.params import Shapes
from tests.model_files import DATA, edited, saved, state
from tests.stand_ins import exactly

NETWORK = fnn.mlp(2, 3, 2)
PARAMS = fnn.init_params(NETWORK, seed=0)


# Layers of a user's own.


@attrs.frozen
class Odd:
    """A layer that only adds: its tensors have whatever shapes it says, and its running ones whatever numbers."""

    settings: tuple[tuple[int, ...], ...]

    @property
    def activation(self) -> fnn.Activation:
        return fnn.Identity()

    def shapes(self, inputs: int) -> Shapes:
        return Shapes(*self.settings)

    def outputs(self, inputs: int) -> int:
        return inputs

    def draw(self, p: Any, inputs: int, seed: int, index: int) -> None:
        for array in p:
            array[...] = np.arange(array.size).reshape(array.shape) - 1

    def forward(self, p: Any, x: Any, key: Any, index: int) -> tuple[Any, None]:
        assert tuple(array.shape for array in p[: len(self.settings)]) == self.settings
        return x + p.weight.sum() + p.bias.sum(), None

    def backward(self, p: Any, kept: None, dz: Any, g: Any, to_x: bool) -> Any:
        for array in g[:2]:
            array[...] = dz.sum()
        for running, former in zip(g[2:], p[2:], strict=True):
            running[...] = former - 1
        return dz


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (2, 2)), ((2,), ()), ((), (2,)), ((0, 3), (3, 0)), ((2, 3, 4), (2, 3, 4)), ((0,), (2, 1, 2)),
        ((0,), (0,), (2, 2), (3, 1)), ((2,), (2,), (), ()), ((0,), (0,), (0,), (3,)),
    ],
)  # fmt: skip
def test_a_layer_whose_tensors_have_other_shapes(tmp_path: Path, shapes: tuple[tuple[int, ...], ...]) -> None:
    network = fnn.Network(2, (Odd(shapes), fnn.Dense(2, "softmax")), "cross_entropy")
    run = fnn.fit(network, DATA, optimizer=fnn.SGD(0.01), epochs=2)
    fnn.save_run(tmp_path / "run", run, custom=(Odd,))
    again = fnn.load_run(tmp_path / "run", custom=(Odd,))
    assert fnn.digest(again) == fnn.digest(run)
    assert [part.shape for part in again.params[0]][: len(shapes)] == list(shapes)
    fnn.save(tmp_path / "model", network, run.params, custom=(Odd,))
    assert fnn.digest(fnn.load(tmp_path / "model", custom=(Odd,))[1]) == fnn.digest(run.params)


@attrs.frozen
class Lists(Odd):
    """It says its shapes as lists."""

    def shapes(self, inputs: int) -> Shapes:
        made: Any = [[*shape] for shape in self.settings]
        return Shapes(*made)


def test_a_layer_that_says_its_shapes_as_lists(tmp_path: Path) -> None:
    network = fnn.Network(2, (Lists(((2, 3), (2, 2))), fnn.Dense(2, "softmax")), "cross_entropy")
    params = fnn.init_params(network, seed=0)
    fnn.save(tmp_path / "model", network, params, custom=(Lists,))
    assert np.array_equal(fnn.load(tmp_path / "model", custom=(Lists,))[1].vector, params.vector)


# What no file can hold whole.


@attrs.frozen(eq=False, repr=False)
class OwnParams(fnn.Params):
    more: int = 0


@attrs.frozen(eq=False, repr=False)
class OwnRun(fnn.TrainState):
    more: int = 0


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


RUN = state()
OTHER = fnn.init_params(NETWORK, seed=0)
DOUBLE = fnn.init_params(RUN.recipe.network, seed=0, dtype=np.float64)
BROKEN = attrs.evolve(RUN.best, running=RUN.best.running - 2)
MAKE = "Make them with `init_params(network, seed)` or `pack_params(network, arrays)`."
THEIRS = "`params` must be the network's (23 numbers in 4 layers), got Params(17 float32 numbers in 2 layers)."
NETWORKS = f"{THEIRS} {MAKE}"
MORE = "Of another, not all would come back."
STATE = "`run` must be a state of training, got"


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (attrs.evolve(RUN, best=OTHER), ValueError, NETWORKS),
        (attrs.evolve(RUN, params=OTHER, optimizer_state=fnn.init(fnn.Adam(), OTHER)), ValueError, NETWORKS),
        (attrs.evolve(RUN, best=DOUBLE), ValueError, f"{STATE} params of float32 and the best of float64."),
        (
            attrs.evolve(RUN, best=BROKEN),
            ValueError,
            f"`run.best` must have best.layers.1.variance of at least 0, got {BROKEN[1].variance.min()!s}.",
        ),
        (
            attrs.evolve(RUN, best=OwnParams(**_fields(RUN.best))),
            TypeError,
            f"`run.best` must be a Params, got an OwnParams. {MORE}",
        ),
        (OwnRun(**_fields(RUN)), TypeError, f"`run` must be a TrainState, got an OwnRun. {MORE}"),
    ],
)
def test_what_would_not_come_back_is_not_saved(
    tmp_path: Path, run: fnn.TrainState, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=exactly(f"save_run: {message}")):
        fnn.save_run(tmp_path / "file", run)
    assert list(tmp_path.iterdir()) == []


class Pair(NamedTuple):
    rate: float
    factor: float


def _halved(value: Any) -> Any:
    return value / 2


@attrs.frozen
class Falling:
    """A schedule with a setting that does not count in ==."""

    pair: Any = (0.1, 0.5)
    half: Any = attrs.field(default=1.0, eq=False, converter=_halved)

    def __call__(self, step: int) -> float:
        return float(self.half * self.pair[0])


def _depth(depth: int) -> Any:
    inner: Any = ()
    for _ in range(depth):
        inner = (inner,)
    return inner


BACK = "save_run: `custom` must hold records that come back equal from what is saved, got"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Falling(Pair(0.1, 0.5), half=0.0), r"TypeError: to_dict: .+, got Pair\(rate=0\.1, factor=0\.5\)\."),
        (Falling([0.1]), r"TypeError: to_dict: .+, got \[0\.1\]\."),
        (Falling(half=1.0), r"Recipe\(.+\) for Recipe\(.+\)\."),
        (Falling(_depth(2000), half=0.0), r"RecursionError: maximum recursion depth exceeded.*\."),
    ],
)
def test_a_spec_that_would_come_back_another(tmp_path: Path, schedule: Any, message: str) -> None:
    run = fnn.start(NETWORK, optimizer=fnn.SGD(schedule))
    with pytest.raises((TypeError, ValueError), match=f"^{BACK} {message}$"):
        fnn.save_run(tmp_path / "file", run, custom=(Falling,))
    assert list(tmp_path.iterdir()) == []


# States of a user's own optimizers.


def _scaled(m: Any) -> Any:
    return fnn.sealed(m / np.float32(3))


def _counted(count: Any) -> Any:
    return count + 1


@attrs.frozen(eq=False, repr=False)
class ScaledState(fnn.State):
    """A moment that is scaled whenever it is made."""

    m: Any = attrs.field(converter=_scaled)


@attrs.frozen(eq=False, repr=False)
class CountState(fnn.State):
    """A number that is one more whenever it is made."""

    count: Any = attrs.field(converter=_counted)


def _viewed(m: Any) -> Any:
    return fnn.sealed(m.view(np.int32 if m.dtype == np.float32 else np.float32))


@attrs.frozen(eq=False, repr=False)
class ViewState(fnn.State):
    """A moment whose bytes are read as another dtype whenever it is made."""

    m: Any = attrs.field(converter=_viewed)


@attrs.frozen
class Plain:
    """An optimizer whose state nobody looks at."""

    kind: str

    def init(self, params: fnn.Params) -> Any:
        ones = np.ones_like(params.vector)
        return {"ScaledState": ScaledState(ones), "CountState": CountState(0), "ViewState": ViewState(ones)}[self.kind]

    def step(self, params: fnn.Params, state: Any, g: fnn.Params) -> tuple[fnn.Params, Any]:
        return attrs.evolve(params, vector=params.vector - np.float32(0.1) * g.vector), state


@pytest.mark.parametrize("kind", [ScaledState, CountState, ViewState])
def test_a_state_that_would_come_back_another(tmp_path: Path, kind: type) -> None:
    run = fnn.start(NETWORK, optimizer=Plain(kind.__name__))
    message = f"must hold records that come back the same from what is saved, got another {kind.__name__}."
    fix = "A converter must leave alone what it has made."
    with pytest.raises(ValueError, match=exactly(f"save_run: `custom` {message} {fix}")):
        fnn.save_run(tmp_path / "file", run, custom=(Plain, kind))
    assert list(tmp_path.iterdir()) == []


@attrs.frozen(eq=False, repr=False)
class AveragedState(fnn.State):
    inner: fnn.AdamState
    mean: Any = attrs.field(converter=fnn.sealed)
    length: float = 0.0


@attrs.frozen
class Averaged(fnn.Adam):
    """Adam with a state of its own around Adam's, without a count of steps."""

    def init(self, params: fnn.Params) -> Any:
        return AveragedState(super().init(params), params.vector)

    def step(self, params: fnn.Params, state: Any, g: fnn.Params) -> tuple[fnn.Params, Any]:
        after, inner = super().step(params, state.inner, g)
        mean = np.float32(0.9) * state.mean + np.float32(0.1) * after.vector
        return after, AveragedState(inner, mean, float(np.linalg.norm(mean)))


def test_an_optimizer_that_is_an_adam_and_has_another_state(tmp_path: Path) -> None:
    path, custom = tmp_path / "run", (Averaged, AveragedState)
    whole = fnn.fit(NETWORK, DATA, optimizer=Averaged(0.01), epochs=4)
    fnn.save_run(path, fnn.fit(NETWORK, DATA, optimizer=Averaged(0.01), epochs=2), custom=custom)
    assert fnn.digest(fnn.fit(NETWORK, DATA, state=fnn.load_run(path, custom=custom), epochs=2)) == fnn.digest(whole)


# What it was made on.


def test_only_those_variables_are_in_the_file_that_change_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    before = provenance.made_on()
    for name in ("HOME", "ROOT", "LIB", "VERBOSE", "DEFAULT_NUM_THREADS", "THREAD_TIMEOUT"):
        monkeypatch.setenv(f"OPENBLAS_{name}", "/home/somebody/openblas")
    assert provenance.made_on() == before
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert provenance.made_on() == before | {"OPENBLAS_CORETYPE": "Haswell"}


def test_the_warning_is_one_line_whatever_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run"
    facts = {"numpy": "9\x1b[2J\nload_run: all is well\u202e", "\r": "x" * 10**6}
    path.write_bytes(edited(saved(fnn.save_run, RUN), {f"made_on.{name}": value for name, value in facts.items()}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fnn.load_run(path)
    message = str(caught[0].message)
    assert message.isprintable()
    assert r"numpy 9\x1b[2J\nload_run: all is well\u202e, here" in message
    assert len(message) < 3500 + len(str(path))
