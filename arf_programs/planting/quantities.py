"""The kinds of error that change a number (`number`) or an amount of money (`amount`) to another."""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks import (
    Material,
    Quantity,
    convert_to_days,
    find_codes,
    find_quantities,
    read_number,
    squeeze,
)
from arf_programs.config import Kind
from arf_programs.planting.records import Change, swapped
from arf_programs.values import ValueKind, find_numbers, write_like

_TRIES: Final = 60
_LONG: Final = 4


class _Number(NamedTuple):
    """A number of a text: the span of its digits or words, whether it is an amount of money, and how it was read."""

    start: int
    end: int
    kind: ValueKind
    read: Quantity


def plant_numbers(material: Material, rng: Random) -> list[Change]:
    """Change counts, percentages, durations and codes."""
    numbers = [number for number in _numbers(material.summary) if number.kind == "number"]
    changes = [change for number in numbers for change in _both(material, rng, "number", number)]
    return changes + _codes(material, rng)


def plant_amounts(material: Material, rng: Random) -> list[Change]:
    """Change amounts of money, and bare numbers with two decimals, which are prices."""
    numbers = [number for number in _numbers(material.summary) if number.kind == "amount"]
    return [change for number in numbers for change in _both(material, rng, "amount", number)]


def _numbers(text: str) -> list[_Number]:
    """The numbers that can be changed: no "one"."""
    return [
        _Number(value.start, value.end, value.kind, value.quantity)
        for value in find_numbers(text)
        if value.quantity is not None and value.quantity.value not in (0, 1)
    ]


def _both(material: Material, rng: Random, kind: Kind, number: _Number) -> list[Change]:
    """Change the number to another of the conversation, and to an invented one. Either may be missing."""
    span = (number.start, number.end)
    old = material.summary[slice(*span)]
    changes = []
    others = sorted({write_like(old, value) or spelling for value, spelling in _others(material, kind, number)} - {old})
    if others:
        changes.append(swapped(material, kind, span, rng.choice(others), "conversation"))
    invented = _invent(material, rng, number, old)
    if invented:
        changes.append(swapped(material, kind, span, invented, "invented"))
    return changes


def _others(material: Material, kind: Kind, number: _Number) -> set[tuple[float, str]]:
    """Other values of the same sort in the conversation, with their spelling there.

    The sort is the kind of quantity, for a duration also its unit, and for a bare number also its length.
    """
    wanted, values = number.read, set()
    for text in material.texts:
        for other in _numbers(text):
            alike = other.kind == "amount" if kind == "amount" else other.read.kind == wanted.kind
            if alike and kind == "number" and wanted.kind == "plain":
                alike = abs(len(str(int(other.read.value))) - len(str(int(wanted.value)))) <= 1
            same_unit = other.read.unit == wanted.unit if wanted.kind == "time" else True
            if alike and same_unit and other.read.value != wanted.value:
                values.add((other.read.value, text[other.start : other.end]))
    return values


def _invent(material: Material, rng: Random, number: _Number, old: str) -> str | None:
    """A number of similar size that the conversation does not contain, in digits or in words."""
    mentioned = _values(material)
    days = {d for d in (convert_to_days(item.value, item.unit) for item in _quantities(material)) if d is not None}
    for _ in range(_TRIES):
        value = _near(rng, number.read, old)
        new = write_like(old, value)
        same_time = convert_to_days(value, number.read.unit) in days if number.read.kind == "time" else False
        if new is None or new == old or value in mentioned or value == number.read.value or same_time:
            continue
        if len(new) < _LONG or squeeze(new) not in material.squeezed:
            return new
    return None


def _near(rng: Random, quantity: Quantity, old: str) -> float:
    """A random value of the size and roundness of the old one."""
    value = quantity.value
    if quantity.spelled:
        return float(rng.randint(2, min(20, max(9, int(2 * value)))))
    if quantity.unit == "%":
        return float(rng.randint(2, 98)) if value % 5 else 5.0 * rng.randint(1, 19)
    cents = re.search(r"[.,](\d\d)$", old)
    if cents:
        return round(value * rng.uniform(0.4, 2.5) * 2, 1 if cents[1].endswith("0") else 2) / 2
    if value >= 10 ** (_LONG - 1) and value == int(value):
        return float(rng.randrange(10 ** (len(str(int(value))) - 1), 10 ** len(str(int(value)))))
    step = 10 if value % 10 == 0 and value > 20 else 5 if value % 5 == 0 and value > 5 else 1
    return float(step * rng.randint(max(1, int(value * 0.3 / step)) + (step == 1), int(value * 2.5 / step) + 3))


def _quantities(material: Material) -> list[Quantity]:
    return [item for text in material.texts for item in find_quantities(text)]


def _values(material: Material) -> set[float]:
    """All values that the numbers of the conversation may mean."""
    values = {value for item in _quantities(material) for value in (item.value, *item.also)}
    for text in material.texts:
        for match in re.finditer(r"\d+(?:[.,]\d+)*", text):
            values |= read_number(match.group()) | {float(part) for part in re.split("[.,]", match.group())}
    return values


def _codes(material: Material, rng: Random) -> list[Change]:
    """Change order numbers, references and models to another of the conversation, and to one with other digits."""
    codes = sorted({text[code.start : code.end] for text in material.texts for code in find_codes(text)})
    changes = []
    for code in find_codes(material.summary):
        span = (code.start, code.end)
        others = [other for other in codes if code.key not in squeeze(other) and squeeze(other) not in code.key]
        if others:
            changes.append(swapped(material, "number", span, rng.choice(others), "conversation"))
        new = re.sub(
            r"\d", lambda digit: str((int(digit[0]) + rng.randint(1, 8)) % 9 + 1), material.summary[slice(*span)]
        )
        if squeeze(new) != code.key and squeeze(new) not in material.squeezed:
            changes.append(swapped(material, "number", span, new, "invented"))
    return changes
