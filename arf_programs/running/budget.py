"""The budget of a run, with what it has used so far."""

from __future__ import annotations

from arf_programs.models.call_budget import CallBudget
from arf_programs.models.spent import iter_ledger
from arf_programs.run import Run


def budget_of(run: Run) -> CallBudget:
    """The caps of the configuration, less what the run's ledger says was sent before, tries that failed included."""
    caps = run.config.budget
    budget = CallBudget(caps.calls, caps.tokens, caps.usd)
    if (caps.calls, caps.tokens, caps.usd) != (None, None, None):
        for call in iter_ledger(run.folder.ledger):
            if not call.cached:
                budget.book_before(calls=1, tokens=call.prompt_tokens + call.completion_tokens, usd=call.usd)
    return budget
