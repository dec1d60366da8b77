"""Lets the analyst name and describe patterns of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import dspy

from arf_programs.models import build_lm
from arf_programs.programs import Program, ask
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run
from arf_programs.tools.rounds.patterns import text_of
from arf_programs.tools.rounds.records import Pattern
from signatures.describe_pattern import DescribePattern
from signatures.records import ErrorNote, Failure

_SHOWN: Final = 20  # errors of a pattern that the analyst is shown


class DescribePatterns(Program):
    """Names and describes the errors of a pattern."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.describe = dspy.Predict(DescribePattern)

    async def aforward(self, pattern: Pattern, notes: Sequence[ErrorNote]) -> dspy.Prediction:
        """Return Prediction(pattern: Pattern). Raises ModelError when the answers cannot be parsed."""
        lines = "\n".join(text_of(note) for note in notes[:_SHOWN])
        answer = await ask(self.describe, retries=self.retries, errors=lines)
        name, description = (" ".join(text.split()) for text in (answer.name, answer.description))
        changes = {"name": name or pattern.name, "description": description or pattern.description}
        return dspy.Prediction(pattern=pattern.model_copy(update=changes))


def name_patterns(
    run: Run, stage: str, patterns: Sequence[Pattern], errors: Mapping[str, ErrorNote]
) -> tuple[list[Pattern], list[Failure]]:
    """Return the patterns in the analyst's words, and the failures: those patterns keep their plain names.

    Without an analyst all do.
    """
    if not run.config.analyze.analyst or not patterns:
        return list(patterns), []
    analyst = run.config.models.analyst
    program = DescribePatterns(retries=analyst.parse_retries)
    program.set_lm(build_lm(analyst, seed=run.config.seed))

    async def name(pattern: Pattern) -> Pattern:
        named: Pattern = (
            await program.acall(pattern=pattern, notes=[errors[error] for error in pattern.errors])
        ).pattern
        return named

    outcome = ask_rows(
        run, stage, patterns, name, key=lambda pattern: RowKey("", pattern.id), concurrency=analyst.concurrency
    )
    named = {pattern.id: pattern for pattern in outcome.results.values()}
    return [named.get(pattern.id, pattern) for pattern in patterns], outcome.failures
