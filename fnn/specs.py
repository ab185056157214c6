"""Specs as plain dictionaries, which JSON can hold, and back."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from typing import Any

import attrs

from fnn import (
    activations,
    adam,
    averages,
    checks,
    entropies,
    initializers,
    layers,
    losses,
    network,
    optimizers,
    params,
    randomness,
    runs,
    schedules,
)
from fnn.arrays import Spec

ROOMS = (
    activations, adam, averages, entropies, initializers, layers, losses, network, optimizers, params, randomness, runs,
    schedules,
)  # fmt: skip


def to_dict(spec: object) -> dict[str, Any]:
    """A spec as a dictionary of plain values: its class by name under "spec", and every setting, defaults too.

    Args:
        spec: a network, a layer, an optimizer, a recipe, …, or a user's own frozen record; of specs, numbers, texts
            and tuples.

    Raises:
        TypeError: for what is no spec, or holds something else.
        ValueError: for a number that is not finite, which JSON cannot hold.

    >>> import json, fnn
    >>> json.dumps(fnn.to_dict(fnn.Dropout(0.5)))
    '{"spec": "Dropout", "rate": 0.5}'
    """
    kind: Any = type(spec)
    ours = kind.__module__.startswith("fnn.")
    if not checks.is_record(spec, ()) or (ours and not isinstance(spec, Spec)):
        raise checks.problem(TypeError, "to_dict", "spec", "must be a spec such as Adam()", checks.show(spec))
    if not ours and (kind.__name__ in known() or "spec" in arguments(kind)):
        rule = "must not have the name of one of fnn's, nor a setting named 'spec'"
        raise checks.problem(ValueError, "to_dict", "spec", rule, checks.show(spec))
    return {"spec": kind.__name__, **{alias: _plain(getattr(spec, name)) for alias, name in arguments(kind).items()}}


@lru_cache(maxsize=256)
def arguments(kind: Any) -> dict[str, str]:
    """What makes a record, attrs' or a dataclass: the argument for each setting, and the name of its field."""
    fields: Any = attrs.fields(kind) if attrs.has(kind) else dataclasses.fields(kind)
    return {getattr(field, "alias", field.name): field.name for field in fields if field.init}


def _plain(value: Any) -> Any:
    if type(value) is tuple:  # a named one would come back without its names
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise checks.problem(ValueError, "to_dict", "spec", "must hold finite numbers", str(value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    return to_dict(value)


def from_dict(value: dict[str, Any], *own: type) -> Any:
    """The spec that `to_dict` made a dictionary of: equal to it.

    Args:
        value: the dictionary, as it was made or as it came back from JSON. A setting that it lacks is the default.
        own: the classes of a user's own specs, found by their names.

    Returns:
        The spec, checked as when it is made.

    Raises:
        TypeError, ValueError: for a class or a setting that is not known, or a setting that is refused.

    >>> import fnn
    >>> fnn.from_dict({"spec": "Dense", "units": 10, "activation": {"spec": "Tanh"}})
    Dense(10, activation=Tanh())
    """
    kinds = {**known(), **by_name("from_dict", "own", own, known())}
    checks.instance("from_dict", "value", value, dict)
    return _made(value, kinds)


def by_name(where: str, name: str, own: Iterable[type], taken: Collection[str]) -> dict[str, type]:
    """A user's own classes by their names, refused unless each is a record's, with a name that no other has."""
    kinds: dict[str, type] = {}
    for kind in own:
        is_record = isinstance(kind, type) and (attrs.has(kind) or dataclasses.is_dataclass(kind))
        if not is_record or kind.__name__ in kinds or kind.__name__ in taken:
            rule = "must be classes of frozen records of one's own, each with a name that no other has"
            fix = "fnn has one of that name too." if is_record and kind.__name__ in taken else ""
            raise checks.problem(TypeError, where, name, rule, checks.show(kind), fix)
        kinds[kind.__name__] = kind
    return kinds


@cache
def known() -> dict[str, type]:
    """fnn's own classes of specs, by their names."""
    every = {name: kind for room in ROOMS for name, kind in vars(room).items() if isinstance(kind, type)}
    return {name: kind for name, kind in every.items() if issubclass(kind, Spec) and not inspect.isabstract(kind)}


def _made(value: Any, kinds: dict[str, type]) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_made(item, kinds) for item in value)
    if not isinstance(value, dict):
        return value
    name = value.get("spec")
    if not isinstance(name, str) or name not in kinds:
        rule, fix = "must have under 'spec' the name of a known class", "Give a class of your own after `value`."
        raise checks.problem(ValueError, "from_dict", "value", rule, checks.show(name), fix)
    settings = {key: _made(item, kinds) for key, item in value.items() if key != "spec"}
    unknown = settings.keys() - arguments(kinds[name]).keys()
    if unknown:
        rule = f"must have settings of {name} only, {', '.join(arguments(kinds[name])) or 'of which there are none'}"
        raise checks.problem(ValueError, "from_dict", "value", rule, min(map(repr, unknown)))
    for needed in _needed(kinds[name]):
        if needed not in settings:
            rule = f"must have every setting of {name} that has no default"
            raise checks.problem(ValueError, "from_dict", "value", rule, f"none for {needed!r}")
    return kinds[name](**settings)


@lru_cache(maxsize=256)  # a file may hold very many of a kind
def _needed(kind: Any) -> tuple[str, ...]:
    """The arguments of a record that have no default."""
    parameters = inspect.signature(kind).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)
