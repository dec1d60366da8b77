"""How a corpus was understood, for a person who wants to see whether that is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from signatures.records import Conversation

_MOST_SPEAKERS = 8
_MOST_TURNS = 12
_MOST_CHARACTERS = 90


def describe_speakers(conversations: Iterable[Conversation]) -> list[str]:
    """Return lines that name the speakers with their counts, and the first conversation turn by turn.

    The longest lists and texts are cut.
    """
    turns: Counter[str] = Counter()
    spoken_in: Counter[str] = Counter()
    first: Conversation | None = None
    for conversation in conversations:
        first = first or conversation
        turns.update(turn.speaker for turn in conversation.turns)
        spoken_in.update({turn.speaker for turn in conversation.turns})
    if first is None:
        return []
    most = turns.most_common(_MOST_SPEAKERS)
    shown = [f"{name} ({count} turns in {spoken_in[name]} conversations)" for name, count in most]
    if len(turns) > len(most):
        shown.append(f"and {len(turns) - len(most)} more")
    return [f"speakers: {', '.join(shown)}", f"conversation {first.id} as it was understood:", *_turns(first)]


def _turns(conversation: Conversation) -> list[str]:
    lines = [
        f"  [{number}] {turn.speaker}: {_cut(turn.text)}"
        for number, turn in enumerate(conversation.turns[:_MOST_TURNS], start=1)
    ]
    left = len(conversation.turns) - len(lines)
    return [*lines, f"  and {left} more turns"] if left else lines


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else line[:_MOST_CHARACTERS] + "…"
