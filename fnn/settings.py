"""Validators for the settings of specs; a NumPy scalar becomes the plain Python value that it holds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import attrs
import numpy as np

from fnn import checks

Validator = Callable[[Any, Any, Any], None]


def _plain(spec: Any, field: Any, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
        object.__setattr__(spec, field.name, value)
    return value


def integer(least: int) -> Validator:
    """A validator: an int of at least `least`."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if type(value) is int and value >= least:  # as it is at each step of a run
            return
        checks.count(type(spec).__name__, field.name, _plain(spec, field, value), least)

    return check


def a_word(spec: Any, field: Any, value: Any) -> None:
    """A validator: an int that fits 64 bits, as a seed must."""
    if type(value) is int and 0 <= value < 2**64:
        return
    checks.word(type(spec).__name__, field.name, _plain(spec, field, value))


def number(rule: str, holds: Callable[[float], bool]) -> Validator:
    """A validator: a finite number for which `holds`; `rule` says so, as in "number in [0, 1)"."""

    def check(spec: Any, field: Any, value: Any) -> None:
        value = checks.number(type(spec).__name__, field.name, _plain(spec, field, value), rule, holds)
        object.__setattr__(spec, field.name, value + 0.0)  # 1 and 1.0, 0.0 and −0.0 are one setting

    return check


from_1_or_none: Validator = attrs.validators.optional(integer(1))
any_finite = number("finite number", lambda value: True)  # noqa: ARG005
at_least_0 = number("finite number of at least 0", lambda value: value >= 0)
above_0 = number("finite number above 0", lambda value: value > 0)
from_above_0_to_1 = number("number in (0, 1]", lambda value: 0 < value <= 1)
from_0_below_1 = number("number in [0, 1)", lambda value: 0 <= value < 1)
from_0_to_1 = number("number in [0, 1]", lambda value: 0 <= value <= 1)


def boolean(spec: Any, field: Any, value: Any) -> None:
    """A validator: True or False."""
    if not isinstance(_plain(spec, field, value), bool):
        raise checks.problem(TypeError, type(spec).__name__, field.name, "must be True or False", checks.show(value))


def that(rule: str, holds: Callable[[Any], bool], fix: str = "") -> Validator:
    """A validator: what `holds` is true of, as `rule` says it, and what to do else."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if not holds(value):
            raise checks.problem(ValueError, type(spec).__name__, field.name, rule, checks.show(value), fix)

    return check


def one_of(*words: str, fix: str = "") -> Validator:
    """A validator: one of these words; `fix` says how there is more."""
    rule = f"must be one of {', '.join(map(repr, words))}"
    return that(rule, lambda value: isinstance(value, str) and value in words, fix)


def or_else(word: object, check: Validator) -> Validator:
    """A validator: this one value, or what `check` takes."""
    kind = type(word)
    return lambda spec, field, value: None if isinstance(value, kind) and value == word else check(spec, field, value)


def part(names: Collection[str], *methods: str) -> Validator:
    """A validator: a frozen record that has `methods`. Its name is resolved before it comes here."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if checks.is_record(value, methods):
            return
        signatures = " and ".join(methods)
        rule = f"must be a frozen record with {signatures}"
        if names:
            rule = f"must be one of {', '.join(sorted(names))}, or a frozen record with {signatures}"
        fix = advice(value, names, methods)
        kind = ValueError if isinstance(value, str) and names else TypeError
        raise checks.problem(kind, type(spec).__name__, field.name, rule, checks.show(value), fix)

    return check


def advice(value: object, names: Collection[str], methods: Collection[str]) -> str:
    """What to do where `value` should have been one of `names`, or a frozen record with `methods`."""
    if isinstance(value, str):
        import difflib

        close = difflib.get_close_matches(value, names, 1)
        return f"Did you mean {close[0]!r}?" if close else ""
    if isinstance(value, type):
        return f"Did you mean `{value.__name__}()`?"
    missing = [method for method in methods if not callable(getattr(value, method, None))]
    if len(missing) < len(methods):
        return f"It has no {missing[0]}." if missing else "Decorate its class with `attrs.frozen`."
    return ""


def rate(a_number: Validator) -> Validator:
    """A validator: a number, as `a_number` wants it, or a frozen record to be called with the step."""

    def check(spec: Any, field: Any, value: Any) -> None:
        if checks.is_record(value, ("__call__",)):
            return
        try:
            a_number(spec, field, value)
        except TypeError:
            rule = "must be a finite number, or a frozen record with __call__(step)"
            fix = "A function is no value; make it a frozen record." if callable(value) else ""
            raise checks.problem(TypeError, type(spec).__name__, field.name, rule, checks.show(value), fix) from None

    return check
