"""The check of speakers: what only an agent or only a customer does, told of the other."""

from __future__ import annotations

from arf_programs.checks.finding import Finding, Material


def check_speakers(material: Material) -> list[Finding]:
    """Clauses that give an act of one side to the other."""
    return []
