"""Formulas in `decimal`, and their derivatives by differences: oracles of as many digits as one asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, getcontext
from functools import lru_cache

Row = list[Decimal]
Formula = Callable[[Row, Row], Decimal]


def decimals(numbers: Iterable[float]) -> Row:
    """The numbers, exactly."""
    return [Decimal(float(number)) for number in numbers]


def total(terms: Iterable[Decimal]) -> Decimal:
    return sum(terms, Decimal(0))


@lru_cache
def pi(digits: int) -> Decimal:
    """Pi by Machin's formula, 16 atan(1/5) - 4 atan(1/239), to within the context's digits."""

    def atan_of_inverse(n: int) -> Decimal:
        power, value, k = Decimal(1) / n, Decimal(0), 0
        while power > Decimal(10) ** -(digits + 5):
            value += (-1) ** k * power / (2 * k + 1)
            power, k = power / (n * n), k + 1
        return value

    return 16 * atan_of_inverse(5) - 4 * atan_of_inverse(239)


def slopes(formula: Formula, a: Row, y: Row) -> list[float]:
    """The derivatives of formula(a, y) by a, from differences over a third of the context's digits."""
    h = Decimal(10) ** -(getcontext().prec // 3)

    def moved(i: int, by: Decimal) -> Decimal:
        return formula([v + by if i == j else v for j, v in enumerate(a)], y)

    return [float((moved(i, h) - moved(i, -h)) / (2 * h)) for i in range(len(a))]


def mean(one: Callable[[Decimal, Decimal], Decimal]) -> Formula:
    """The mean over outputs of one(a, y)."""
    return lambda a, y: summed(one)(a, y) / len(a)


def summed(one: Callable[[Decimal, Decimal], Decimal]) -> Formula:
    """The sum over outputs of one(a, y)."""
    return lambda a, y: total(one(*pair) for pair in zip(a, y, strict=True))
