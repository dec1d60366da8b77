"""Stage `corpus`: read the conversations and split them into training, holdout and dev.

For `privacy` it writes the pseudonyms, and may put them in the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from arf_programs.corpus import LabeledExample, split_corpus, store_corpus
from arf_programs.models import finder_of_people
from arf_programs.privacy import (
    Pseudonyms,
    Request,
    disguise_conversation,
    import_phonenumbers,
    pseudonyms_of,
    values_of,
)
from arf_programs.runs import Run, SplitConversation, digest, digest_privacy, write_jsonl_atomic
from arf_programs.stages.stage import Stage
from arf_programs.text import find_sentences
from signatures.records import Conversation, ErrorNote


def outputs(run: Run) -> tuple[Path, ...]:
    labeled = (run.folder.labeled_pseudonyms,) if keeps_pseudonyms(run) else ()
    return (run.folder.conversations, *((run.folder.pseudonyms, *labeled) if run.config.privacy.pseudonyms else ()))


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    # Without these keys, the hash is that of runs that were made before the keys were there.
    without = {key for key in ("subset", "dev") if not getattr(config.corpus, key)}
    column = config.models.draft_column
    return {
        **({} if column is None else {"models.teacher.column": digest(column)}),
        "corpus settings": digest(config.corpus.model_dump(mode="json", exclude=without)),
        "corpus file": run.content_digest(config.corpus.path),
        "labelled set": run.content_digest(config.labeled.path or ""),
        "seed": digest(config.seed),
        **digest_privacy(config),
    }


def store_conversations(run: Run) -> dict[str, int]:
    read = run.folder.parts / f"{STAGE.name}-read.jsonl"
    corpus = store_corpus(run.config, base_dir=run.base_dir, path=read)
    sides, labeled = split_corpus(run, corpus)
    side = dict.fromkeys(sides.holdout, "holdout") | dict.fromkeys(sides.dev, "dev")
    store_pseudonyms(run, corpus.conversations.values(), labeled)
    write_jsonl_atomic(
        run.folder.conversations,
        (
            SplitConversation(split=side.get(item.id, "train"), conversation=item)
            for item in disguise_rows(run, corpus.conversations.values(), labeled)
        ),
    )
    run.folder.replace_failures(STAGE.name, list(corpus.skipped))
    dev = {"dev": len(sides.dev)} if sides.dev else {}
    return {"train": len(sides.train), "holdout": len(sides.holdout), **dev, "skipped": len(corpus.skipped)}


class _Row(BaseModel):
    """A row of `labeled_pseudonyms.jsonl`, in the form of a labelled set."""

    id: str
    conversation: list[dict[str, str]]
    summary: str
    errors: list[dict[str, JsonValue]]
    revised: str | None
    rating: int | None
    system: str


def keeps_pseudonyms(run: Run) -> bool:
    """Return whether the files of the run hold pseudonyms in place of the originals."""
    return run.config.privacy.pseudonyms and run.config.privacy.keep == "pseudonyms"


def store_pseudonyms(run: Run, conversations: Iterable[Conversation], labeled: Sequence[LabeledExample]) -> None:
    """Write `pseudonyms.jsonl`, and with `keep: pseudonyms` the labelled set with stand-ins.

    Conversations that only the labelled set has are part of it. Does nothing where `privacy.pseudonyms` is off.
    """
    if not run.config.privacy.pseudonyms:
        return
    import_phonenumbers()
    labels = _texts_of_labels(labeled)
    own = {item.conversation.id: item.conversation for item in labeled}

    def rows() -> Iterator[BaseModel]:
        for conversation in conversations:
            own.pop(conversation.id, None)
            yield values_of(conversation.id, _pseudonyms(run, conversation, labels))
        for conversation in list(own.values()):
            yield values_of(conversation.id, _pseudonyms(run, conversation, labels))

    write_jsonl_atomic(run.folder.pseudonyms, rows())
    if keeps_pseudonyms(run):
        made = (_disguise_label(item, _pseudonyms(run, item.conversation, labels).for_request()) for item in labeled)
        write_jsonl_atomic(run.folder.labeled_pseudonyms, made)


def disguise_rows(
    run: Run, conversations: Iterable[Conversation], labeled: Sequence[LabeledExample]
) -> Iterator[Conversation]:
    """Yield the conversations as the run keeps them: with stand-ins by `keep: pseudonyms`, else as they are."""
    labels = _texts_of_labels(labeled)
    for conversation in conversations:
        if keeps_pseudonyms(run):
            yield disguise_conversation(conversation, _pseudonyms(run, conversation, labels).for_request())
        else:
            yield conversation


def _texts_of_labels(labeled: Sequence[LabeledExample]) -> dict[str, tuple[str, ...]]:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for item in labeled:
        texts[item.conversation.id] += [item.summary, *filter(None, [item.revised])]
        texts[item.conversation.id] += [error.explanation for error in item.errors if error.explanation]
    return {name: tuple(found) for name, found in texts.items()}


def _pseudonyms(run: Run, conversation: Conversation, labels: dict[str, tuple[str, ...]]) -> Pseudonyms:
    config = run.config
    return pseudonyms_of(
        conversation,
        config.seed,
        names=config.privacy.names,
        people=finder_of_people(config.privacy.ner),
        further=labels.get(conversation.id, ()),
    )


def _disguise_label(item: LabeledExample, request: Request) -> _Row:
    conversation = disguise_conversation(item.conversation, request)
    summary = request.replace(item.summary)
    return _Row(
        id=conversation.id,
        conversation=[{"speaker": turn.speaker, "text": turn.text} for turn in conversation.turns],
        summary=summary,
        errors=[_disguise_error(error, item.summary, summary, request) for error in item.errors],
        revised=None if item.revised is None else request.replace(item.revised),
        rating=item.rating,
        system=item.system,
    )


def _disguise_error(error: ErrorNote, before: str, after: str, request: Request) -> dict[str, Any]:
    quote = request.replace(error.quote)
    if quote not in after:  # the quote ends inside of a value: its sentence is quoted
        place = error.start if error.start is not None else before.find(error.quote)
        number = sum(end <= place for _, end in find_sentences(before))
        start, end = find_sentences(after)[min(number, len(find_sentences(after)) - 1)]
        quote = after[start:end]
    return {
        "category": error.category,
        "quote": quote,
        "evidence": list(error.evidence),
        "explanation": request.replace(error.explanation),
        "severity": error.severity,
    }


STAGE = Stage("corpus", "read and split the conversations", outputs, fingerprint, store_conversations)
