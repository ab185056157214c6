"""States as plain values, which JSON can hold, and named arrays; and back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

import attrs
import numpy as np

from fnn import adam, averages, checks, optimizers, params, tensorfile
from fnn.arrays import Array, State, sealed
from fnn.descent import Descent
from fnn.runs import TrainState
from fnn.specs import arguments, by_name, from_dict, known, to_dict
from fnn.tensorfile import said

Tensors = dict[str, Array]
STOPPED = (None, "epochs", "patience", "interrupted")
STATES = {
    name: kind
    for room in (adam, averages, optimizers, params)
    for name, kind in vars(room).items()
    if isinstance(kind, type) and issubclass(kind, State) and kind is not State
}


def own_classes(where: str, custom: Collection[type]) -> dict[str, type]:
    """A user's own classes by their names."""
    if not isinstance(custom, tuple | list):
        fix = f"One class is `custom=({custom.__name__},)`." if isinstance(custom, type) else ""
        raise checks.problem(TypeError, where, "custom", "must be a tuple of classes", checks.show(custom), fix)
    return by_name(where, "custom", custom, {**STATES, **known()})


def plain_spec(where: str, spec: object, own: dict[str, type]) -> dict[str, Any]:
    """A spec as a dictionary; where its classes are known, refused unless it comes back equal."""
    rule = "must hold records that come back equal from what is saved"
    try:
        value = to_dict(spec)
        again = spec if any(unknown(value, own)) else from_dict(value, *own.values())
        same = again == spec and repr(to_dict(again)) == repr(value)  # not all fields need count in ==
    except Exception as error:  # whatever a user's class raises
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise checks.problem(kind, where, "custom", rule, said(error)) from error
    if not same:
        fix = "A class of that name was made again since." if repr(again) == repr(spec) else ""
        raise checks.problem(ValueError, where, "custom", rule, f"{again!r} for {spec!r}", fix)
    return value


def unknown(value: Any, own: dict[str, type]) -> Iterator[str]:
    """The names in a plain value of classes that are neither fnn's nor in `own`."""
    rest = [value]  # a function that calls itself would raise in a value that is deep
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            is_state = value.keys() == {"state", "fields"}
            name, kinds = (value["state"], STATES) if is_state else (value.get("spec"), known())
            if isinstance(name, str) and name.isidentifier() and name not in kinds and name not in own:
                yield name
            fields = value["fields"] if is_state else value  # a field may be called "spec" too
            value = list(fields.values()) if isinstance(fields, dict) else fields
        if isinstance(value, list):
            rest += value


def plain_state(where: str, name: str, state: object, tensors: Tensors, own: dict[str, type]) -> Any:
    """An optimizer's state as `plain` makes it; where its classes are known, refused unless it comes back the same."""
    held: Tensors = {}
    value = plain(where, name, state, held, own)
    if any(issubclass(kind, State) for kind in own.values()) and not any(unknown(value, own)):
        rule = "must hold records that come back the same from what is saved"
        try:
            again: Tensors = {}
            same = repr(plain(where, name, restored(value, {**held}, own), again, own)) == repr(value)
            same = same and all(_bits(again[each]) == _bits(held[each]) for each in held)
        except Exception as error:  # whatever a user's class raises
            raise checks.problem(ValueError, where, "custom", rule, said(error)) from error
        if not same:
            got, fix = f"another {type(state).__name__}", "A converter must leave alone what it has made."
            raise checks.problem(ValueError, where, "custom", rule, got, fix)
    tensors.update(held)
    return value


def _bits(array: Array) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.tobytes()


def plain(where: str, name: str, value: Any, tensors: Tensors, own: dict[str, type]) -> Any:
    """A value of a state as JSON can hold it; its arrays go into `tensors` by the names where they are."""
    if isinstance(value, np.ndarray):
        is_plain = type(value) is np.ndarray and value.dtype.isnative
        if value.dtype.kind not in "buif" or value.dtype.itemsize > 8 or not is_plain:
            rule = "must hold plain arrays of booleans, integers and floats of at most 64 bits"
            raise checks.problem(TypeError, where, "run", rule, f"{checks.show(value)} as {name}")
        if not value.flags.c_contiguous:  # sums and products in another order have other last bits
            rule, fix = "must hold arrays in C order", "A field with `converter=fnn.sealed` does."
            raise checks.problem(ValueError, where, "run", rule, f"{checks.show(value)} as {name}", fix)
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, State):
        kind: Any = type(value)
        if {**STATES, **own}.get(kind.__name__, kind) is not kind:
            rule = "must hold the classes of one's own records themselves"
            raise checks.problem(TypeError, where, "custom", rule, f"another {kind.__name__}")
        parts = {alias: getattr(value, field) for alias, field in arguments(kind).items()}
        return {
            "state": kind.__name__,
            "fields": {alias: plain(where, f"{name}.{alias}", part, tensors, own) for alias, part in parts.items()},
        }
    if type(value) is tuple:
        return [plain(where, f"{name}.{i}", item, tensors, own) for i, item in enumerate(value)]
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if value is None or type(value) in (bool, int, str):
        return value
    try:
        to_dict(value)
    except (TypeError, ValueError) as error:
        rule = "must hold arrays, records (of `fnn.State` where they hold arrays), tuples, numbers and text"
        fix = str(error) if checks.is_record(value, ()) else ""  # of what it holds
        if isinstance(value, np.generic):  # it would come back as a float, by which a float32 array stays one
            fix = "A NumPy scalar is made plain by `.item()`."
        raise checks.problem(type(error), where, "run", rule, f"{checks.show(value)} as {name}", fix) from error
    return plain_spec(where, value, own)


def restored(value: Any, tensors: Tensors, own: dict[str, type]) -> Any:
    """The value of which `plain` made this; its arrays are taken out of `tensors`.

    Raises:
        Exception: whichever, for what is none.
    """
    if isinstance(value, list):
        return tuple(restored(item, tensors, own) for item in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"tensor"}:
        if value["tensor"] not in tensors:
            raise ValueError(f"there is no tensor {value['tensor']!r}")
        return tensors.pop(value["tensor"])
    if value.keys() == {"float"} and value["float"] in ("nan", "inf", "-inf"):
        return float(value["float"])
    if value.keys() == {"state", "fields"}:
        kind = {**STATES, **own}[value["state"]]
        if not issubclass(kind, State):
            raise TypeError(f"{value['state']} is no state")
        parts = {alias: restored(part, tensors, own) for alias, part in value["fields"].items()}
        for field in attrs.fields(kind):  # type: ignore[arg-type]  # a State is attrs'
            part = parts.get(field.alias)  # of texts and lists an array could be made that is larger than the file
            if field.converter is sealed and field.alias in parts and not isinstance(part, np.ndarray):
                raise TypeError(f"{field.alias} is no array")
        if kind is params.Params and not _is_layout(parts.get("layout")):
            raise TypeError("the layout is none")
        return kind(**parts)
    return from_dict(value, *own.values())


def _is_layout(value: Any) -> bool:
    """Whether a layout is of shapes: it multiplies what it holds."""
    return isinstance(value, params.Layout) and all(
        isinstance(shapes, params.Shapes) and all(map(tensorfile.is_shape, attrs.astuple(shapes, recurse=False)))
        for shapes in value.layers
    )


def run_fault(run: TrainState) -> str:
    """What in a run's numbers no training makes, and going on would stumble over; "" where there is nothing."""
    sizes = [run.epoch, run.batch, run.best_epoch]
    if not all(is_word(size) for size in sizes) or run.best_epoch > run.epoch:
        return f"epoch, batch and best epoch {checks.show(sizes)}"
    epochs = [each.epoch for each in run.history]
    if len(epochs) != run.epoch or any(type(n) is not int or n != i for i, n in enumerate(epochs, 1)):
        return f"a history of the epochs {checks.show(epochs)} after epoch {run.epoch}"
    floats = [*attrs.astuple(run.sums), *(each.loss for each in run.history)]
    floats += [value for each in run.history for value in attrs.astuple(each)[2:] if value is not None]
    wrong = [value for value in floats if not isinstance(value, float)]
    if wrong:
        return f"{checks.show(wrong[0])} among the sums and the history"
    if (run.batch > 0) != (run.sums.weight > 0):
        return f"batch {run.batch} and a sum of weights of {run.sums.weight}"
    if run.best.dtype != run.params.dtype:
        return f"params of {run.params.dtype} and the best of {run.best.dtype}"
    if run.stopped not in STOPPED:
        return f"{checks.show(run.stopped)} for `stopped`"
    optimizer = run.recipe.optimizer
    if not isinstance(optimizer, Descent) or type(optimizer).step is not Descent.step:  # its state is its own affair
        return ""
    model, state = optimizer.init(run.params), run.optimizer_state
    same = type(state) is type(model) and is_word(state.step)
    for field in attrs.fields(type(model))[1:] if same else ():
        part, like = getattr(state, field.name), getattr(model, field.name)
        same = same and isinstance(part, np.ndarray) and (part.shape, part.dtype) == (like.shape, like.dtype)
    return "" if same else f"{state!r:.200} as the state of {type(optimizer).__name__}"


def is_word(value: object) -> bool:
    """Whether the value is an integer from 0 to 2⁶⁴ − 1."""
    return type(value) is int and 0 <= value < 2**64
