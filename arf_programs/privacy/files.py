"""The files of a run that are about privacy: which value has which stand-in, and what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from arf_programs.privacy.elsewhere import Elsewhere, Value
from arf_programs.privacy.guard import Guard
from arf_programs.privacy.mapping import Finder, Pseudonyms
from arf_programs.privacy.patterns import import_phonenumbers
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


@contextmanager
def open_guard(run: Run, people: Finder | None = None) -> Iterator[Guard | None]:
    """Give the guard of a run inside this block; None where `privacy.pseudonyms` is off.

    What is sent is appended to `sent.jsonl`. Raises MissingExtra if `phonenumbers` is not installed.
    """
    config = run.config.privacy
    if not config.pseudonyms:
        yield None
        return
    import_phonenumbers()  # before the first call, and not in the middle of a run
    known = (Value(item.kind, item.value, item.stand_in) for row in read_values(run.folder) for item in row.values)
    files: list[JsonlAppender] = []  # opened by the first request, since a look at a configuration writes nothing

    def record(key: str, about: str | None, messages: list[Any]) -> None:
        if not files:
            files.append(JsonlAppender(run.folder.sent))
        files[0].append(SentRequest(key=key, about=about, messages=messages))

    try:
        elsewhere = Elsewhere.of(known)
        yield Guard(run.config.seed, names=config.names, elsewhere=elsewhere, people=people, record=record)
    finally:
        for file in files:
            file.close()
