"""Errors in a summary that are found without a model, by comparing it with its conversation."""

from arf_programs.checks.dates import Date, KnownMoments, find_dates, known_moments, times
from arf_programs.checks.finding import Material, words
from arf_programs.checks.identifiers import codes, squeeze
from arf_programs.checks.names import GIVEN_NAMES, TITLES, name_spans
from arf_programs.checks.quantities import Quantity, duration_in_days, find_quantities, readings
from arf_programs.checks.run import run_checks, unmistakable

__all__ = [
    "GIVEN_NAMES",
    "TITLES",
    "Date",
    "KnownMoments",
    "Material",
    "Quantity",
    "codes",
    "duration_in_days",
    "find_dates",
    "find_quantities",
    "known_moments",
    "name_spans",
    "readings",
    "run_checks",
    "squeeze",
    "times",
    "unmistakable",
    "words",
]
