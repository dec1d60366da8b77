"""Turns drafts and revisions into the training examples of an arm: pure functions, no torch.

The arms differ in their completions alone: `teacher` trains on the drafts as they are, `arf` on the revised ones.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import JsonValue

from arf_programs.student_prompt import student_messages
from signatures.exceptions import DataError
from signatures.records import Conversation, Message, Revision, Summary, TrainingExample, Verdict

Arm = Literal["arf", "teacher"]
OnReject = Literal["drop", "keep_draft", "keep_partial"]
LeftOut = Literal["no_draft", "no_revision", "rejected", "empty"]
Provenance = dict[str, JsonValue]
Item = TypeVar("Item", Summary, Revision)


@dataclass(frozen=True)
class ArmData:
    """The examples of an arm, in the order of the conversations, and how many were left out for which reason.

    The two add up to the number of training conversations.
    """

    examples: tuple[TrainingExample, ...]
    left_out: dict[LeftOut, int]


def build_arm(
    arm: Arm,
    *,
    conversations: Mapping[str, Conversation],
    drafts: Sequence[Summary],
    revisions: Sequence[Revision],
    instruction: str,
    on_reject: OnReject,
) -> ArmData:
    """The training examples of `arm` for `conversations`, which are those of the training split alone.

    Drafts and revisions of other conversations are passed over, so nothing of the holdout can slip in. `on_reject`
    says what a rejected revision gives: nothing (`drop`), its draft (`keep_draft`), or the text with those edits that
    were verified (`keep_partial`; nothing if there are none). Raises DataError when a conversation has two drafts or
    two revisions.
    """
    drafts_by_id = _by_conversation(drafts, "drafts")
    revisions_by_id = _by_conversation(revisions, "revisions")
    examples: list[TrainingExample] = []
    left_out: Counter[LeftOut] = Counter()
    for conversation in conversations.values():
        target = _target(arm, drafts_by_id.get(conversation.id), revisions_by_id.get(conversation.id), on_reject)
        if isinstance(target, str):
            left_out[target] += 1
            continue
        messages = student_messages(instruction, conversation)
        examples.append(
            TrainingExample(
                conversation_id=conversation.id,
                messages=messages,
                completion=target.text,
                arm=arm,
                provenance={**target.provenance, "prompt_sha256": prompt_sha256(messages)},
            )
        )
    return ArmData(tuple(examples), dict(left_out))


def prompt_sha256(messages: Sequence[Message]) -> str:
    """SHA-256, in hexadecimal, of the messages as compact JSON with sorted keys."""
    text = json.dumps([message.model_dump() for message in messages], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Target:
    text: str
    provenance: Provenance


def _target(arm: Arm, draft: Summary | None, revision: Revision | None, on_reject: OnReject) -> _Target | LeftOut:
    if draft is None:
        return "no_draft"
    if arm == "teacher":
        text, provenance = draft.text, _draft_provenance(draft)
    elif revision is None:
        return "no_revision"
    elif _is_dropped(revision, on_reject):
        return "rejected"
    else:
        kept = _kept_side(revision, on_reject)
        text = revision.before if kept == "before" else revision.after
        provenance = {**_draft_provenance(draft), **_revision_provenance(revision), "kept": kept}
    return _Target(text.strip(), provenance) if text.strip() else "empty"


def _is_dropped(revision: Revision, on_reject: OnReject) -> bool:
    if revision.verdict is not Verdict.REJECTED:
        return False
    # Where no edit verified, the text is still the draft with its errors.
    return on_reject == "drop" or (on_reject == "keep_partial" and revision.after == revision.before)


def _kept_side(revision: Revision, on_reject: OnReject) -> Literal["before", "after"]:
    if revision.verdict is Verdict.VERIFIED:
        return "after"
    if revision.verdict is Verdict.UNCHANGED:
        return "before"
    return "after" if on_reject == "keep_partial" else "before"


def _draft_provenance(draft: Summary) -> Provenance:
    return {"draft_model": draft.model, "draft_system": draft.system}


def _revision_provenance(revision: Revision) -> Provenance:
    return {
        "revision_model": revision.model,
        "strategy": revision.strategy,
        "verdict": revision.verdict.value,
        "errors": [note.id for note in revision.errors],
        "remaining": [note.id for note in revision.remaining],
    }


def _by_conversation(records: Iterable[Item], what: str) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for record in records:
        if record.conversation_id in found:
            raise DataError(f"{what}: conversation {record.conversation_id!r} is there twice: remove one of its rows.")
        found[record.conversation_id] = record
    return found
