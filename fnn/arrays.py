"""Arrays, and the records that hold them or are settings: sealing, printing, hashing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))  # of parameters


class Sparse(Protocol):
    """One of scipy's sparse arrays or matrices."""

    def tocsr(self) -> Any:
        """By rows."""


Rows = ArrayLike | Sparse


def freeze(array: Array) -> Array:
    """Make an array that we made ourselves read-only, and return it."""
    array.flags.writeable = False
    return array


def view(array: Array) -> Array:
    """A read-only view, of a csr_array another one; nothing is copied."""
    if isinstance(array, np.ndarray):
        return freeze(array.view())
    parts = tuple(view(part) for part in (array.data, array.indices, array.indptr))
    return type(array)(parts, shape=array.shape)


def sealed(array: Array) -> Array:
    """The array itself when it is C-contiguous and nobody can write into it, else a frozen copy.

    >>> import numpy as np
    >>> sealed(np.zeros(2)).flags.writeable
    False
    """
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if type(array) is np.ndarray and array.flags.c_contiguous and (owner is None or isinstance(owner, bytes)):
        return array
    return freeze(np.array(array, order="C", subok=False))


def _rebuild(cls: Callable[..., Any], fields: dict[str, Any]) -> Any:
    return cls(**fields)


class Spec:
    """A record of settings. It prints as the shortest call that makes it again, without those that are the defaults.

    >>> import fnn
    >>> fnn.mlp(784, 256, 10)
    Network(784, (Dense(256, activation=Relu()), Dense(10, activation=Softmax())), CrossEntropy())
    """

    __slots__ = ()

    def __repr__(self) -> str:
        by_place, by_name = [], []
        for field in attrs.fields(type(self)):  # type: ignore[arg-type]  # every subclass is an attrs class
            value = getattr(self, field.name)
            if field.default is attrs.NOTHING:
                by_place.append(repr(value))
            elif value != field.default:
                by_name.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join([*by_place, *by_name])})"


def _shown(value: object) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    return str(value.tolist()) if value.size <= 4 else f"{value.dtype}{list(value.shape)}"


@cache
def _setters(kind: Any) -> tuple[Callable[[object, Any], None], ...]:
    return tuple(vars(kind)[field.name].__set__ for field in attrs.fields(kind))


class State:
    """A record of arrays. Copied or unpickled, it goes through its constructor, which seals them.

    The state of a user's own optimizer is an `attrs.frozen(eq=False)` subclass of it, whose array fields have
    `converter=fnn.sealed`.

    >>> import attrs, fnn, numpy as np, pickle
    >>> params = fnn.init_params(fnn.mlp(2, 2), seed=0)
    >>> pickle.loads(pickle.dumps(params)).vector.flags.writeable
    False
    """

    __slots__ = ()

    @classmethod
    def made(cls, *values: Any) -> Self:
        """The record of just these values, which were made for it: nothing is asked of them, and arrays are frozen."""
        self = object.__new__(cls)
        for place, value in zip(_setters(cls), values, strict=True):  # type: ignore[arg-type]  # a class is hashable
            if type(value) is np.ndarray:
                value.setflags(write=False)
            place(self, value)
        return self

    def __repr__(self) -> str:
        fields = attrs.fields(type(self))  # type: ignore[arg-type]  # every subclass is an attrs class
        return f"{type(self).__name__}({', '.join(f'{f.name}={_shown(getattr(self, f.name))}' for f in fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = attrs.fields(type(self))  # type: ignore[arg-type]  # every subclass is an attrs class
        return _rebuild, (type(self), {f.alias: getattr(self, f.name) for f in fields if f.init})


def field_names(kind: type) -> list[str]:
    """The names of the fields of a kind of record, attrs' or a dataclass, that count in its digest."""
    fields: Any = attrs.fields(kind) if attrs.has(kind) else dataclasses.fields(kind)
    return [field.name for field in fields if field.metadata.get("digest", True)]


def digest(state: object) -> str:
    """A hash of the exact numbers in a record: 32 hexadecimal digits, in one line.

    Two states are the same when their digests are. Every field counts but why a run stopped and the seconds in its
    history: the bytes, shape and dtype of each array, each float to its last bit, each setting of a spec, whatever the
    records are nested in.

    Args:
        state: a `Params`, an optimizer's state, a `TrainState`, a spec, an array, or a tuple of these.

    Raises:
        TypeError: for anything but records, arrays, tuples, numbers and text.

    >>> import numpy as np, fnn
    >>> network = fnn.mlp(2, 3, 2)
    >>> params = fnn.pack_params(network, [np.ones((2, 3)), np.zeros(3), np.ones((3, 2)), np.zeros(2)])
    >>> fnn.digest(params)
    '1db9a127128449d4aa69a5dad955cc3e'
    """
    import hashlib

    hasher = hashlib.blake2b(digest_size=16)
    _feed(hasher.update, state)
    return hasher.hexdigest()


def _feed(update: Callable[[bytes], None], value: Any) -> None:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "buif" or value.dtype.itemsize > 8 or isinstance(value, np.ma.MaskedArray):
            got = f"{'a masked array' if isinstance(value, np.ma.MaskedArray) else 'an array'} of {value.dtype}"
            raise TypeError(f"digest: `state` must hold arrays of exact numbers, got {got}.")
        update(f"array {value.dtype.str} {value.shape};".encode())
        update(np.ascontiguousarray(value).tobytes())
    elif hasattr(type(value), "tocsr"):
        value = value.tocsr()
        update(f"sparse {value.shape};".encode())
        _feed(update, (value.data, value.indices, value.indptr))
    elif attrs.has(type(value)) or dataclasses.is_dataclass(value):
        owner = "fnn" if type(value).__module__.startswith("fnn.") else "own"  # whatever module that is run as
        update(f"record {owner} {type(value).__qualname__};".encode())
        for name in field_names(type(value)):
            update(f"{name}=".encode())
            _feed(update, getattr(value, name))
    elif isinstance(value, tuple | list):
        update(f"items {len(value)};".encode())
        for item in value:
            _feed(update, item)
    elif isinstance(value, float):
        update(f"float {float(value).hex()};".encode())
    elif value is None or isinstance(value, bool | int | str):
        update(f"{type(value).__name__} {value!r};".encode())
    else:
        rule = "must hold only arrays, records, tuples, numbers and text"
        raise TypeError(f"digest: `state` {rule}, got a value of type {type(value).__name__}.")
