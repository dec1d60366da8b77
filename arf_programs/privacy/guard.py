"""Stand between the programs and a model outside of this process: no private value passes.

Two files of a run are about that: which value has which stand-in, and what was sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import Field, JsonValue

from arf_programs.privacy.known_values import Elsewhere, Value
from arf_programs.privacy.mapping import NOTHING, Finder, Pseudonyms, Request
from arf_programs.privacy.patterns import import_phonenumbers
from arf_programs.privacy.values import Kind
from arf_programs.runs import JsonlAppender, Run, RunFolder, read_jsonl
from signatures.records import Conversation, Record

_KEPT: Final = 4096
Body = dict[str, Any]


class Guard:
    """Replaces the private values of requests, and restores them in the answers.

    Args:
        seed: of the stand-ins.
        names: keys of a conversation's metadata that hold names.
        elsewhere: values of all conversations of the run. They are also replaced in requests about other conversations:
            in demonstrations, in categories, in notes.
        people: finds further names, where a model of names is configured.
        record: is called with the key, the id of the conversation and the messages of each request before it is sent.
    """

    def __init__(
        self,
        seed: int,
        *,
        names: tuple[str, ...] = (),
        elsewhere: Elsewhere = NOTHING,
        people: Finder | None = None,
        record: Callable[[str, str | None, list[Any]], None] = lambda key, about, messages: None,
    ) -> None:
        self._seed, self._names, self._elsewhere, self._people = seed, names, elsewhere, people
        self._known: OrderedDict[tuple[str, str], Pseudonyms] = OrderedDict()
        self.record = record

    def begin(self, conversation: Conversation | None) -> Request:
        """Begin a request about a conversation, or about none. Without one, the names of all are replaced."""
        return self._pseudonyms(conversation).for_request(self._elsewhere)

    def _pseudonyms(self, conversation: Conversation | None) -> Pseudonyms:
        if conversation is None:
            return Pseudonyms(self._seed, "no conversation", (), people=self._people)
        key = (conversation.id, conversation.as_text())
        if key not in self._known:
            self._known[key] = pseudonyms_of(conversation, self._seed, names=self._names, people=self._people)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def disguise(request: Request, body: Body) -> Body:
    """Return the body of a request with stand-ins in its messages."""
    return {**body, "messages": map_texts(body["messages"], request.replace)}


def reveal(request: Request, answer: Body) -> Body:
    """Return an answer with the values in place of the stand-ins in its messages."""
    choices = [
        {**choice, "message": map_texts(choice["message"], request.restore)} if choice.get("message") else choice
        for choice in answer.get("choices") or []
        if isinstance(choice, dict)
    ]
    return {**answer, "choices": choices} if "choices" in answer else answer


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return the value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    if isinstance(value, dict):
        return {name: map_texts(item, change) for name, item in value.items()}
    return value


def pseudonyms_of(
    conversation: Conversation,
    seed: int,
    *,
    names: tuple[str, ...] = (),
    people: Finder | None = None,
    further: tuple[str, ...] = (),
) -> Pseudonyms:
    """Return the pseudonyms of a conversation. `names` are keys of its metadata; `further` are texts about it."""
    metadata = conversation.metadata
    texts = [turn.text for turn in conversation.turns]
    texts += [*conversation.references, *filter(None, [conversation.draft]), *_texts_in(dict(metadata)), *further]
    speakers = dict.fromkeys(turn.speaker for turn in conversation.turns)
    given = [name for key in names for name in _texts_in(metadata.get(key))]
    return Pseudonyms(seed, conversation.id, texts, names=[*speakers, *given], people=people)


def _texts_in(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_in(item)


def disguise_conversation(conversation: Conversation, request: Request) -> Conversation:
    """Return the conversation with stand-ins in all its texts. Its id and channel stay."""
    turns = tuple(
        turn.model_copy(update={"speaker": request.replace(turn.speaker), "text": request.replace(turn.text)})
        for turn in conversation.turns
    )
    return conversation.model_copy(
        update={
            "turns": turns,
            "references": tuple(map(request.replace, conversation.references)),
            "draft": None if conversation.draft is None else request.replace(conversation.draft),
            "metadata": map_texts(conversation.metadata, request.replace),
        }
    )


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
