"""What is planted: a line of `planted.jsonl`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, JsonValue

from arf_programs.config.plant import Kind
from arf_programs.metrics.repair import Place
from signatures.records import Conversation, ErrorNote, Record, Turn

Origin = Literal["conversation", "invented", "none"]
"""Where the wrong words come from: another place of the conversation, nowhere, or neither (a negation, a deletion)."""

Source = Literal["references", "labeled", "revisions"]


class Plant(Record):
    """One planted error: at character `start` of the right summary, `wrong` stands in the place of `right`.

    `error_id` is the id of its ErrorNote, which holds category, quote and evidence.
    """

    error_id: str
    kind: Kind
    origin: Origin
    start: int = Field(ge=0)
    right: str
    wrong: str

    def place(self) -> Place:
        """The place in the right summary, as the metrics of repair take it."""
        return Place(self.start, self.start + len(self.right), self.wrong)


class PlantedItem(Record):
    """A summary with planted errors, or a clean one: also a row of a labelled set (`labeled.path`).

    `summary` follows from `revised`, which is believed right, and `plants` (`plant_text`), in the order of the text;
    `errors` is parallel to `plants`. `source` says where the right summary comes from.
    """

    id: str
    conversation_id: str
    channel: str
    conversation: tuple[Turn, ...] = Field(min_length=1)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    summary: str = Field(min_length=1)
    revised: str = Field(min_length=1)
    errors: tuple[ErrorNote, ...] = ()
    plants: tuple[Plant, ...] = ()
    source: Source
    seed: int
    naturalized: bool = False

    def talk(self) -> Conversation:
        """The conversation as a record."""
        return Conversation(
            id=self.conversation_id, channel=self.channel, turns=self.conversation, metadata=self.metadata
        )


def plant_text(right: str, places: Sequence[Place]) -> str:
    """`right` with the wrong words of each place in it. Places are in the order of the text and do not overlap."""
    pieces, last = [], 0
    for place in places:
        pieces += [right[last : place.start], place.wrong]
        last = place.end
    return "".join([*pieces, right[last:]])


def planted_spans(places: Sequence[Place]) -> list[tuple[int, int]]:
    """Where the wrong words stand in the planted text: `(start, end)` for each place."""
    spans, shift = [], 0
    for place in places:
        start = place.start + shift
        spans.append((start, start + len(place.wrong)))
        shift += len(place.wrong) - (place.end - place.start)
    return spans
