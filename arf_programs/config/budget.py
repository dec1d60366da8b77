"""The `budget` section: caps on what a run may send and spend."""

from __future__ import annotations

from pydantic import Field

from arf_programs.config.section import Section


class BudgetConfig(Section):
    """Caps over all of a run, earlier commands included; null is no cap. Stored answers are free."""

    calls: int | None = Field(default=None, ge=0, description="calls sent, retries included")
    tokens: int | None = Field(default=None, ge=0, description="tokens of prompts and answers")
    usd: float | None = Field(default=None, ge=0, description="US dollars, where the prices are known")
