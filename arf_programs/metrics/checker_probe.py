"""What was measured about a checker, as `checker_probe.json` of a run or of a checker's folder holds it."""

from __future__ import annotations

from typing import Final

from arf_programs.metrics.prevalence import ErrorRates
from arf_programs.metrics.separation import Separation
from signatures.records import Record

CHECKER_PROBE: Final = "checker_probe.json"
PLANTED_SUMMARIES: Final = "planted summaries"
LABELLED: Final = "labelled summaries"
_ENOUGH: Final = 20  # right, and wrong, labelled summaries from which their rates are taken


class CheckerFigures(Record):
    """The figures of one scorer (a checker by its name, or `checks`) on one set of texts."""

    data: str
    scorer: str
    figures: Separation


class CheckerProbe(Record):
    """All figures of a probe. `checker` is the measured one; `digest` says which weights, form and threshold it had."""

    checker: str | None = None
    digest: str = ""
    rows: tuple[CheckerFigures, ...]

    def rates(self) -> tuple[str, ErrorRates] | None:
        """Return (their source, the error rates of the checker on whole summaries): labelled ones if there are enough.

        Planted errors are the source otherwise. None if the checker was not measured on either.
        """
        measured = {row.data: row.figures for row in self.rows if row.scorer == self.checker}
        labelled = measured.get(LABELLED)
        enough = labelled is not None and min(labelled.wrong, labelled.texts - labelled.wrong) >= _ENOUGH
        source = LABELLED if enough else PLANTED_SUMMARIES
        found = measured.get(source)
        if found is None or found.sensitivity is None or found.specificity is None:
            return None
        return source, ErrorRates(found.sensitivity, found.specificity)
