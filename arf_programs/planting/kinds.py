"""The kinds of planted error, and all changes of those kinds that a summary allows."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from types import MappingProxyType
from typing import Final

from arf_programs.checks.finding import Material
from arf_programs.config.plant import Kind
from arf_programs.planting.change import Change, Planter
from arf_programs.planting.dates import plant_dates
from arf_programs.planting.names import plant_names
from arf_programs.planting.quantities import plant_amounts, plant_numbers
from arf_programs.planting.sentences import plant_outcome, plant_speakers, plant_unsupported
from arf_programs.planting.statements import plant_actions, plant_negations

PLANTERS: Final[MappingProxyType[Kind, Planter]] = MappingProxyType(
    {
        "number": plant_numbers,
        "amount": plant_amounts,
        "date": plant_dates,
        "name": plant_names,
        "speaker": plant_speakers,
        "negation": plant_negations,
        "outcome": plant_outcome,
        "unsupported": plant_unsupported,
        "action": plant_actions,
    }
)

FACT_KINDS: Final[tuple[Kind, ...]] = ("number", "amount", "date", "name")
"""Kinds that change a detail: of those, deterministic checks can see the ones that are invented."""


def possible_changes(material: Material, kinds: Iterable[Kind], seed: str) -> list[Change]:
    """All changes of these kinds, in the order of the kinds; `seed` decides what each detail is changed to.

    Each kind has a generator of its own, so that leaving one out changes nothing of the others.
    """
    # Chosen words need no secrecy, only repeatability.
    return [change for kind in kinds for change in PLANTERS[kind](material, Random(f"{seed} {kind}"))]  # noqa: S311
