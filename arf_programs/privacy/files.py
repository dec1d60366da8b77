"""The files of a run that are about privacy: which value has which stand-in, and what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from arf_programs.privacy.elsewhere import Elsewhere, Value
from arf_programs.privacy.guard import Guard
from arf_programs.privacy.mapping import Finder, Pseudonyms
from arf_programs.privacy.values import Kind
from arf_programs.runs import JsonlAppender, Run, RunFolder, read_jsonl
from signatures.records import Record


class KnownValue(Record):
    """A private value and its stand-in."""

    kind: Kind
    value: str
    stand_in: str


class ConversationValues(Record):
    """A row of `pseudonyms.jsonl`: the private values of a conversation."""

    conversation_id: str
    values: tuple[KnownValue, ...] = ()


class SentRequest(Record):
    """A row of `sent.jsonl`: the messages of a request that left this process, with its key in the store.

    `about` is the conversation that it was about; null for one about several, such as the merging of notes.
    """

    key: str
    about: str | None = None
    messages: list[Any] = Field(default_factory=list)


def values_of(name: str, pseudonyms: Pseudonyms) -> ConversationValues:
    """Return the row of a conversation."""
    values = tuple(KnownValue(kind=item.kind, value=item.value, stand_in=item.stand_in) for item in pseudonyms.values)
    return ConversationValues(conversation_id=name, values=values)


def read_values(folder: RunFolder) -> Iterator[ConversationValues]:
    """Read `pseudonyms.jsonl`; nothing if the run has none."""
    return read_jsonl(folder.pseudonyms, ConversationValues) if folder.pseudonyms.exists() else iter(())


def build_guard(run: Run, people: Finder | None = None) -> Guard | None:
    """Return the guard of a run; None where `privacy.pseudonyms` is off. What is sent is appended to `sent.jsonl`."""
    config = run.config.privacy
    if not config.pseudonyms:
        return None
    sent = JsonlAppender(run.folder.sent)

    def record(key: str, about: str | None, messages: list[Any]) -> None:
        sent.append(SentRequest(key=key, about=about, messages=messages))

    known = (Value(item.kind, item.value, item.stand_in) for row in read_values(run.folder) for item in row.values)
    elsewhere = Elsewhere.of(known)
    return Guard(run.config.seed, names=config.names, elsewhere=elsewhere, people=people, record=record)
