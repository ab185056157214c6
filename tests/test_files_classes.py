"""Records of a user's own in files: they come back by `custom`, and whatever does not is refused when it is saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

import fnn
from tests.model_files import GRAMMAR, edited, like, refused, saved
from tests.own import OwnSoftmax, Quartic, Squareplus
from tests.stand_ins import exactly

# The classes that are given.


@attrs.frozen
class OwnInit:
    """All numbers are one."""

    value: float = 0.5

    def draw(self, shape: Any, inputs: int, outputs: int, at: Any) -> Any:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Halving:
    """A schedule; its settings have names that mean something in a file."""

    state: str = "abc"
    fields: tuple[Any, ...] = (1, (2.0, None), "x")
    tensor: str = "layers.0.weight"

    def __call__(self, step: int) -> float:
        return 0.1 * 0.5 ** (step // 3)


@attrs.frozen
class Doubling(fnn.Dense):
    """A layer that counts its inputs twice."""

    def forward(self, p: Any, x: Any, key: Any, index: int) -> Any:
        return super().forward(p, 2 * x, key, index)

    def backward(self, p: Any, kept: Any, dz: Any, g: Any, to_x: bool) -> Any:
        return 2 * super().backward(p, kept, dz, g, to_x)


@attrs.frozen(eq=False, repr=False)
class SignState(fnn.State):
    m: Any = attrs.field(converter=fnn.sealed)
    rest: Any = None
    spec: Any = "text"
    state: str = "abc"
    _hidden: Any = 3


@attrs.frozen
class Sign:
    """An optimizer whose state holds what it is told."""

    learning_rate: Any = 0.1
    rest: Any = None

    def init(self, params: fnn.Params) -> SignState:
        return SignState(np.zeros_like(params.vector))

    def step(self, params: fnn.Params, state: SignState, g: fnn.Params) -> tuple[fnn.Params, SignState]:
        m = 0.9 * state.m + g.vector
        rate = np.float32(self.learning_rate if isinstance(self.learning_rate, float) else self.learning_rate(1))
        return attrs.evolve(params, vector=params.vector - rate * np.sign(m)), attrs.evolve(state, m=m)


CUSTOM = (Squareplus, OwnSoftmax, Quartic, OwnInit, Halving, Doubling, Sign, SignState)
DATA = fnn.Dataset(np.linspace(-1, 1, 12).reshape(6, 2), np.arange(6) % 2)


@pytest.mark.parametrize(
    ("network", "optimizer", "names"),
    [
        (fnn.mlp(2, 3, 2, activation=Squareplus()), fnn.SGD(0.1), "Squareplus,"),
        (fnn.mlp(2, 3, 2, output=OwnSoftmax()), fnn.SGD(0.1), "OwnSoftmax,"),
        (fnn.mlp(2, 3, 2, output="identity", loss=Quartic()), fnn.SGD(0.01), "Quartic,"),
        (fnn.Network(2, (fnn.Dense(2, "softmax", OwnInit(0.1)),), "cross_entropy"), fnn.SGD(0.1), "OwnInit,"),
        (fnn.Network(2, (Doubling(3, "tanh"), fnn.Dense(2, "softmax")), "cross_entropy"), fnn.SGD(0.1), "Doubling,"),
        (fnn.mlp(2, 2), fnn.Adam(Halving()), "Halving,"),
        (fnn.mlp(2, 2), fnn.Adam(fnn.Join((Halving("x"), Halving()), (3,))), "Halving,"),
        (fnn.mlp(2, 2), Sign(), "Sign, SignState"),
        (fnn.mlp(2, 2), Sign(Halving(tensor="y")), "Halving, Sign, SignState"),
    ],
)
def test_each_kind_of_record(tmp_path: Path, network: fnn.Network, optimizer: Any, names: str) -> None:
    path = tmp_path / "file"
    custom = tuple(kind for kind in CUSTOM if kind.__name__ in names.replace(",", "").split())
    begun = fnn.fit(network, DATA, optimizer=optimizer, batch_size=2, epochs=1)
    fnn.save_run(path, begun, custom=custom)
    for given in (custom, [*custom], CUSTOM):
        loaded = fnn.load_run(path, custom=given)
        assert loaded.recipe == begun.recipe
        assert fnn.digest(loaded) == fnn.digest(begun)
    on, again = (fnn.fit(network, DATA, state=each, epochs=2) for each in (begun, loaded))
    assert fnn.digest(on) == fnn.digest(again)
    fix = f"Give `custom=({names})`."
    refused(fnn.load_run, path, f"must need no class that is not given, got {names.rstrip(',')}. {fix}")
    message = "save_run: `custom` must have the class of each record that is not fnn's, got none for"
    with pytest.raises(TypeError, match=exactly(f"{message} {names.rstrip(',')}. {fix}")):
        fnn.save_run(path, begun)
    if optimizer == fnn.SGD(0.1):
        fnn.save(path, network, begun.best, custom=custom)
        again_network, params = fnn.load(path, custom=custom)
        assert again_network == network
        assert np.array_equal(fnn.forward(again_network, params, DATA.x), fnn.forward(network, begun.best, DATA.x))
        refused(fnn.load, path, f"must need no class that is not given, got {names.rstrip(',')}. {fix}")


def test_what_is_to_be_given_is_said_whole(tmp_path: Path) -> None:
    path, run = tmp_path / "file", fnn.start(fnn.mlp(2, 2), optimizer=Sign())
    end = "got none for SignState. Give `custom=(Sign, SignState)`."
    with pytest.raises(TypeError, match=like(f"save_run: `custom` must have … {end}")):
        fnn.save_run(path, run, custom=(Sign,))
    fnn.save_run(path, run, custom=(Sign, SignState))
    message = "must need no class that is not given, got SignState. Give `custom=(Sign, SignState)`."
    refused(fnn.load_run, path, message, custom=(Sign,))


def _named(name: str, base: type = object, **fields: Any) -> type:
    return attrs.make_class(name, fields, bases=(base,), frozen=True, eq=base is object)


class Plain:
    pass


class Side(IntEnum):
    LEFT = 1


class Pair(NamedTuple):
    one: int
    two: int


TUPLE = "`custom` must be a tuple of classes, got"
RECORDS = "`custom` must be classes of frozen records of one's own, each with a name that no other has, got"
GIVEN: list[tuple[Any, str]] = [
    (Squareplus, f"{TUPLE} <class 'tests.own.Squareplus'>. One class is `custom=(Squareplus,)`."),
    (None, f"{TUPLE} None."),
    ("Squareplus", f"{TUPLE} 'Squareplus'."),
    ({"Squareplus": Squareplus}, f"{TUPLE} {{'Squareplus': <class 'tests.own.Squareplus'>}}."),
    ({Squareplus}, f"{TUPLE} {{<class 'tests.own.Squareplus'>}}."),
    (Squareplus(), f"{TUPLE} Squareplus()."),
    ((Squareplus(),), f"{RECORDS} Squareplus()."),
    (("Squareplus",), f"{RECORDS} 'Squareplus'."),
    ((None,), f"{RECORDS} None."),
    ((Squareplus, int), f"{RECORDS} <class 'int'>."),
    ((Plain,), f"{RECORDS} <class 'tests.…Plain'>."),
    ((Pair,), f"{RECORDS} <class 'tests.…Pair'>."),
    ((_named("Dense"),), f"{RECORDS} <class 'tests.…Dense'>. fnn has one of that name too."),
    ((_named("AdamState", fnn.State),), f"{RECORDS} <class 'tests.…AdamState'>. fnn has one of that name too."),
    ((_named("Params", fnn.State),), f"{RECORDS} <class 'tests.…Params'>. fnn has one of that name too."),
    ((fnn.Dense,), f"{RECORDS} <class 'fnn.layers.Dense'>. fnn has one of that name too."),
    ((Squareplus, Squareplus), f"{RECORDS} <class 'tests.own.Squareplus'>."),
    ((Squareplus, _named("Squareplus")), f"{RECORDS} <class 'tests.…Squareplus'>."),
]


@pytest.mark.parametrize(("given", "message"), GIVEN)
def test_classes_that_are_none(tmp_path: Path, given: Any, message: str) -> None:
    path, network = tmp_path / "file", fnn.mlp(2, 2)
    run = fnn.start(network)
    calls: dict[str, Callable[[], object]] = {
        "save": lambda: fnn.save(path, network, run.params, custom=given),
        "load": lambda: fnn.load(path, custom=given),
        "save_run": lambda: fnn.save_run(path, run, custom=given),
        "load_run": lambda: fnn.load_run(path, custom=given),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=like(f"{name}: {message}")):
            call()
    assert not path.exists()


def test_another_class_of_the_same_name(tmp_path: Path) -> None:
    path, network = tmp_path / "file", fnn.mlp(2, 3, 2, activation=Squareplus())
    other = attrs.make_class("Squareplus", {"width": attrs.field(default=1)}, frozen=True)
    params = fnn.init_params(network, seed=0)
    with pytest.raises(TypeError, match=r"Dense: `activation` must be one of .+ got Squareplus\(width=1\)"):
        fnn.save(path, network, params, custom=(other,))
    near = attrs.make_class("Squareplus", {}, bases=(Squareplus,), frozen=True)
    with pytest.raises(
        ValueError, match=r"^save: `custom` must hold records that come back equal from what is saved, got"
    ):
        fnn.save(path, network, params, custom=(near,))
    assert not path.exists()
    fnn.save(path, network, params, custom=(Squareplus,))
    refused(
        fnn.load, path, "must hold what makes a Network, got TypeError: Dense: `activation` must …", custom=(other,)
    )
    run = fnn.start(fnn.mlp(2, 2), optimizer=Sign())
    near = attrs.make_class("SignState", {}, bases=(SignState,), frozen=True, eq=False)
    message = "save_run: `custom` must hold the classes of one's own records themselves, got another SignState."
    with pytest.raises(TypeError, match=exactly(message)):
        fnn.save_run(path, run, custom=(Sign, near))


def test_a_class_that_has_changed_since(tmp_path: Path) -> None:
    path, network = tmp_path / "file", fnn.mlp(2, 3, 2, activation=Squareplus())
    data = saved(fnn.save, network, fnn.init_params(network, seed=0), custom=(Squareplus,))
    path.write_bytes(edited(data, {"network.layers.0.activation.width": 2}))
    rule = "must have settings of Squareplus only, of which there are none, got 'width'"
    message = f"must hold what makes a Network, got ValueError: from_dict: `value` {rule}."
    refused(fnn.load, path, message, custom=(Squareplus,))


def test_a_spec_where_a_state_should_be(tmp_path: Path) -> None:
    path, spec = tmp_path / "file", {"state": "Squareplus", "fields": {}}
    data = saved(fnn.save_run, _run(None), custom=CUSTOM)
    path.write_bytes(edited(data, {"optimizer_state.fields.rest": spec}))
    message = "must hold what makes a TrainState, got TypeError: Squareplus is no state."
    refused(fnn.load_run, path, message, custom=CUSTOM)


# A state of one's own.

ALL_THE_SAME = "`allow_nonfinite=True` saves it all the same."

EVERY = (
    *(None, True, False, 0, -1, 2**63, 2**64, -(10**100), 0.1, -0.0, 5e-324, float("nan"), float("inf"), -float("inf")),
    *("", 'a "quoted" \\ text', "größe\0\n\x1b\u2028", "\ud800", "nan", "🙂"),
    *((), ((),), (1, (2, (3.0, None)))),
    *(fnn.Adam(fnn.Cosine(0.1, 7)), fnn.mlp(2, 3, 2, activation=Squareplus()), Halving(), fnn.Key(1, 2, 3)),
    *(np.arange(6, dtype=dtype).reshape(2, 3) for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2")),
    *(np.array([True, False]), np.array(np.nan), np.array(7), np.array(True), np.zeros((0, 3)), np.zeros(0, "i1")),
    np.ones((1,) * 64),
    *(np.array([np.nan, -np.nan, np.inf, -0.0]), np.array([2**64 - 1], np.uint64), np.array([-(2**63)])),
    np.frombuffer(bytes.fromhex("0100807f"), "<f4"),  # a signaling NaN
)  # fmt: skip


def _run(rest: Any) -> fnn.TrainState:
    run = fnn.start(fnn.mlp(2, 2), optimizer=Sign())
    return attrs.evolve(run, optimizer_state=attrs.evolve(run.optimizer_state, rest=rest))


def test_a_state_of_everything_comes_back(tmp_path: Path) -> None:
    path, params = tmp_path / "file", fnn.init_params(fnn.Network(2, (fnn.BatchNorm(), fnn.Dense(1)), "mse"), seed=0)
    states = (params, fnn.init(fnn.Adam(), params), fnn.SGDState(3), fnn.average_init(fnn.Average(0.9), params))
    run = _run((EVERY, *states, SignState(np.ones(2), (SignState(np.ones(0)),))))
    fnn.save_run(path, run, custom=CUSTOM, allow_nonfinite=True)
    again = fnn.load_run(path, custom=CUSTOM, allow_nonfinite=True)
    assert fnn.digest(again) == fnn.digest(run)
    for one, two in zip(again.optimizer_state.rest[0], EVERY, strict=True):
        assert type(one) is type(two)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (two.dtype, two.shape)  # type: ignore[union-attr]
            assert one.tobytes() == two.tobytes()  # type: ignore[union-attr]
            assert not one.flags.writeable
        else:
            assert repr(one) == repr(two)
    assert again.optimizer_state.spec == "text"
    first = next(i for i, value in enumerate(EVERY) if isinstance(value, np.ndarray) and np.isnan(value).any())
    refused(fnn.load_run, path, f"must have finite numbers in optimizer_state.rest.0.{first}, got …", custom=CUSTOM)
    message = f"save_run: `optimizer_state.rest.0.{first}` must be finite in float64, got nan at ()."
    with pytest.raises(ValueError, match=exactly(f"{message} {ALL_THE_SAME}")):
        fnn.save_run(path, run, custom=CUSTOM)


@attrs.frozen(eq=False, repr=False)
class Sized(fnn.State):
    m: Any = attrs.field(converter=fnn.sealed)
    size: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.m))


def test_what_a_state_makes_itself_is_not_saved(tmp_path: Path) -> None:
    path, run = tmp_path / "file", _run(Sized(np.ones(3)))
    fnn.save_run(path, run, custom=(*CUSTOM, Sized))
    assert fnn.load_run(path, custom=(*CUSTOM, Sized)).optimizer_state.rest.size == 3


class Text(str):
    pass


class Count(IntEnum):
    ONE = 1


@attrs.frozen
class Holds:
    thing: Any


class Exact(float):
    """A float that is more than one."""


ITEM = "A NumPy scalar is made plain by `.item()`."
ORDER = "must hold arrays in C order, got an array of"
SEALED = "A field with `converter=fnn.sealed` does."
PLAIN = "must hold plain arrays of booleans, integers and floats of at most 64 bits, got"
KINDS = "must hold arrays, records (of `fnn.State` where they hold arrays), tuples, numbers and text, got"
NO: list[tuple[Any, str]] = [
    ([1.0], f"{KINDS} [1.0] as AT."),
    ({"a": 1}, f"{KINDS} {{'a': 1}} as AT."),
    ({1}, f"{KINDS} {{1}} as AT."),
    (Pair(1, 2), f"{KINDS} Pair(one=1, two=2) as AT."),
    (np.float64(0.5), f"{KINDS} np.float64(0.5) as AT. {ITEM}"),  # by which a float32 array becomes float64
    (np.float32(0.5), f"{KINDS} np.float32(0.5) as AT. {ITEM}"),
    (np.int64(3), f"{KINDS} np.int64(3) as AT. {ITEM}"),
    (np.bool_(True), f"{KINDS} np.True_ as AT. {ITEM}"),
    (np.str_("a"), f"{KINDS} np.str_('a') as AT. {ITEM}"),
    (Exact(0.5), f"{KINDS} 0.5 as AT."),
    (Side.LEFT, f"{KINDS} <Side.LEFT: 1> as AT."),
    (1j, f"{KINDS} 1j as AT."),
    (Text("a"), f"{KINDS} 'a' as AT."),
    (Count.ONE, f"{KINDS} <Count.ONE: 1> as AT."),
    (b"bytes", f"{KINDS} b'bytes' as AT."),
    (Decimal(1), f"{KINDS} Decimal('1') as AT."),
    (Sign, f"{KINDS} <class 'tests.…Sign'> as AT."),
    (len, f"{KINDS} <built-in function len> as AT."),
    (range(3), f"{KINDS} range(0, 3) as AT."),
    (Plain(), f"{KINDS} <tests.…> as AT."),
    (Holds([1]), f"{KINDS} Holds(thing=[1]) as AT. to_dict: `spec` must be a spec such as Adam(), got [1]."),
    (Holds(np.ones(2)), f"{KINDS} Holds(thing=…) as AT. to_dict: `spec` must be …, got an array …."),
    (_named("Relu")(), f"{KINDS} Relu() as AT. to_dict: `spec` must not have the name of one of fnn's, …."),
    (Holds(Pair(1, 2)), f"{KINDS} Holds(…) as AT. to_dict: `spec` must be …, got Pair(…)."),
    (np.ones((2, 3)).T, f"{ORDER} float64 with shape (3, 2) as AT. {SEALED}"),
    (np.arange(12.0)[::-2], f"{ORDER} float64 with shape (6,) as AT. {SEALED}"),
    (np.broadcast_to(np.float32(1), (2, 3)), f"{ORDER} float32 with shape (2, 3) as AT. {SEALED}"),
    (np.ones(2, complex), f"{PLAIN} an array of complex128 with shape (2,) as AT."),
    (np.ones(2, np.longdouble), f"{PLAIN} an array of {np.dtype(np.longdouble)} with shape (2,) as AT."),
    (np.array([None]), f"{PLAIN} an array of object with shape (1,) as AT."),
    (np.array(["a"]), f"{PLAIN} an array of <U1 with shape (1,) as AT."),
    (np.array(["2026"], "M8[D]"), f"{PLAIN} an array of datetime64[D] with shape (1,) as AT."),
    (np.zeros(1, [("a", "f4")]), f"{PLAIN} an array of [('a', '<f4')] with shape (1,) as AT."),
    (np.ones(2, ">f4"), f"{PLAIN} an array of >f4 with shape (2,) as AT."),
    (np.ma.masked_array([1.0, 2.0], [True, False]), f"{PLAIN} an array of float64 with shape (2,) as AT."),
    (np.ones((2, 2)).view(np.matrix), f"{PLAIN} an array of float64 with shape (2, 2) as AT."),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(("value", "message"), NO, ids=[type(value).__name__ for value, _ in NO])
def test_what_cannot_be_saved_is_refused_where_it_is(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "file"
    places = {"rest": value, "rest.1": (0, value), "rest.0.0": ((value,),), "rest.rest": SignState(np.ones(1), value)}
    for place, rest in places.items():
        whole = f"save_run: `run` {message.replace('AT', f'optimizer_state.{place}')}"
        with pytest.raises((TypeError, ValueError), match=like(whole)) as caught:
            fnn.save_run(path, _run(rest), custom=(*CUSTOM, Holds))
        assert GRAMMAR.fullmatch(str(caught.value))
    assert not path.exists()


def test_a_number_that_is_not_finite_in_a_record_of_a_state(tmp_path: Path) -> None:
    message = "Holds(thing=inf) as optimizer_state.rest. to_dict: `spec` must hold finite numbers, got inf."
    with pytest.raises(ValueError, match=exactly(f"save_run: `run` {KINDS} {message}")):
        fnn.save_run(tmp_path / "file", _run(Holds(float("inf"))), custom=(*CUSTOM, Holds))
