"""Scripted answers to every question that the quickstart asks up to its revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from scripted_team import FLAW

from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.runs.jsonl import write_jsonl_atomic

QUICKSTART: Final = Path(__file__).parent.parent / "examples/quickstart/arf.yaml"
ASKING_MORE: Final = (
    "analyze.analyst=true",
    "analyze.strategy=holistic",
    "analyze.notes_sample=6",
    "revise.edits=one_by_one",
    "revise.candidates=2",
)
"""Settings with which the run asks every question of the script. The quickstart itself asks fewer."""

RECORDS: Final = ("drafts.jsonl", "taxonomy.yaml", "errors.jsonl", "revisions.jsonl", "failures.jsonl")

_ERROR = {
    "quote": FLAW,
    "evidence": [2],
    "explanation": "It is invented.",
    "category": "fabricated",
    "severity": "major",
}
_CATEGORY = {
    "id": "fabricated",
    "name": "Fabricated",
    "definition": "Invented.",
    "severity": "major",
    "example": "",
    "notes": [1, 2, 3, 4, 5, 6],
}
_ANSWERS = [
    ScriptedAnswer(match=match, answer=answer)
    for match, answer in (
        ("note every problem in it", {"notes": ["The refund is invented."]}),
        ("Sort notes about errors", {"known": [], "categories": [_CATEGORY]}),
        ("(?s)Find the errors in a summary.*invoice", "It is no usable answer."),
        ("Find the errors in a summary", {"errors": [_ERROR]}),
        ("Write one sentence of a customer-service summary anew", {"corrected": FLAW.upper()}),
        ("Write the one sentence that", {"missing": "The customer wrote that something came broken."}),
        ("parcel", "The customer wrote about a parcel and the agent found it."),
        ("", f"The customer wrote about an order and the agent helped. {FLAW}"),
    )
]


def write_script(path: Path) -> Path:
    """The answers as a file for `scripted/PATH`."""
    write_jsonl_atomic(path, _ANSWERS)
    return path


def answer(body: dict[str, Any]) -> str:
    """What the script answers to the body of a request."""
    prompt = "\n".join(str(message["content"]) for message in body["messages"])
    return next(item for item in _ANSWERS if item.matches(prompt)).text()
