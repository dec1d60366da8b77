"""Turn drafts and revisions into the training examples of an arm: pure functions, no torch.

The arms differ only in their completions. `teacher` trains on the drafts as they are, `arf` on the revisions of the
configured strategy, `rewrite` and `taxonomy` on those of their own strategy.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import JsonValue

from arf_programs.config import Arm
from arf_programs.text import build_messages, find_changes
from signatures.exceptions import DataError
from signatures.records import Conversation, Message, PreferencePair, Revision, Summary, TrainingExample, Verdict

if TYPE_CHECKING:
    from arf_programs.planting import DrawnError

OnReject = Literal["drop", "keep_draft", "keep_partial"]
LeftOut = Literal["no_draft", "no_revision", "rejected", "empty"]
Provenance = dict[str, JsonValue]
Item = TypeVar("Item", Summary, Revision)


@dataclass(frozen=True)
class ArmData:
    """The examples of an arm, in the order of the conversations, and the number of those left out by reason.

    Without sampled revisions the two add up to the number of training conversations. With them a conversation may have
    several examples.
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
    samples: Sequence[Revision] = (),
    share_weight: bool = False,
) -> ArmData:
    """Build the training examples of `arm` for `conversations`, which come from the training split only.

    Drafts and revisions of other conversations are ignored, so nothing of the holdout can slip in. `on_reject` says
    what a rejected revision gives: nothing (`drop`), its draft (`keep_draft`), or the text with the verified edits
    (`keep_partial`; nothing if no edit was verified). `samples` are further revisions; each verified one is an example
    too (rejection-sampling fine-tuning: Yuan et al. 2023, arXiv 2308.01825). If a conversation has such a sample, its
    rejected revision gives nothing. With `share_weight` the examples of a conversation weigh 1 in sum, else 1 each.
    Raises DataError when a conversation has two drafts or two revisions.
    """
    drafts_by_id = _by_conversation(drafts, "drafts")
    revisions_by_id = _by_conversation(revisions, "revisions")
    sampled = _group_verified(samples)
    examples: list[TrainingExample] = []
    left_out: Counter[LeftOut] = Counter()
    for conversation in conversations.values():
        draft, revision = drafts_by_id.get(conversation.id), revisions_by_id.get(conversation.id)
        targets = _targets(arm, draft, revision, sampled[conversation.id], on_reject)
        if isinstance(targets, str):
            left_out[targets] += 1
            continue
        messages = build_messages(instruction, conversation)
        weight = 1 / len(targets) if share_weight else 1.0
        examples += [_example(arm, conversation, messages, target, weight) for target in targets]
    return ArmData(tuple(examples), dict(left_out))


def build_pairs(
    *,
    conversations: Mapping[str, Conversation],
    revisions: Iterable[Revision],
    instruction: str,
    corrected: Iterable[tuple[Revision, Revision]] = (),
    planted: Iterable[tuple[Revision, DrawnError]] = (),
) -> tuple[PreferencePair, ...]:
    """Build the preference pairs of `conversations`.

    A pair is made from each verified revision that changed its draft, in the revisions' order. `corrected` holds
    revisions as a person left them with what they were before: the person's text is preferred to the model's.
    `planted` holds revisions with an error planted in them, and comes last; the provenance of its pairs has `planted`.
    """
    no_more: Provenance = {}
    verified = ((row, row.before, no_more) for row in revisions if row.verdict is Verdict.VERIFIED)
    worse = ((row, was.after, no_more) for row, was in corrected)
    wrong = ((row, error.text, _planted(error)) for row, error in planted)
    pairs = (
        _pair(conversations.get(row.conversation_id), row, rejected, instruction, more)
        for row, rejected, more in chain[tuple[Revision, str, Provenance]](verified, worse, wrong)
    )
    return tuple(pair for pair in pairs if pair is not None)


def _planted(error: DrawnError) -> Provenance:
    change = error.change
    right = error.summary.text[change.start : change.end]
    return {"planted": {"kind": change.kind, "category": change.category, "right": right, "wrong": change.wrong}}


def _pair(
    conversation: Conversation | None, row: Revision, worse: str, instruction: str, more: Provenance
) -> PreferencePair | None:
    """Build one pair; None if its conversation is not trained on, or if a text is empty or both are equal."""
    chosen, rejected = row.after.strip(), worse.strip()
    if conversation is None or not chosen or not rejected or chosen == rejected:
        return None
    messages = build_messages(instruction, conversation)
    return PreferencePair(
        conversation_id=row.conversation_id,
        prompt=messages,
        chosen=(Message(role="assistant", content=chosen),),
        rejected=(Message(role="assistant", content=rejected),),
        provenance={**_revision_provenance(row), **more, "prompt_sha256": prompt_sha256(messages)},
    )


def _group_verified(revisions: Iterable[Revision]) -> Mapping[str, list[Revision]]:
    """Group the verified revisions that have a text by conversation; a conversation without any has an empty list."""
    verified: defaultdict[str, list[Revision]] = defaultdict(list)
    for row in revisions:
        if row.verdict is Verdict.VERIFIED and row.after.strip():
            verified[row.conversation_id].append(row)
    return verified


def prompt_sha256(messages: Sequence[Message]) -> str:
    """Hash the messages as compact JSON with sorted keys: SHA-256 in hexadecimal."""
    text = json.dumps([message.model_dump() for message in messages], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Target:
    text: str
    provenance: Provenance
    edited: tuple[tuple[int, int], ...] = ()


def _example(
    arm: Arm, conversation: Conversation, messages: tuple[Message, ...], target: _Target, weight: float
) -> TrainingExample:
    return TrainingExample(
        conversation_id=conversation.id,
        messages=messages,
        completion=target.text,
        arm=arm,
        weight=weight,
        edited=target.edited,
        provenance={**target.provenance, "prompt_sha256": prompt_sha256(messages)},
    )


def _targets(
    arm: Arm, draft: Summary | None, revision: Revision | None, further: Sequence[Revision], on_reject: OnReject
) -> list[_Target] | LeftOut:
    """Choose the texts to train on for one conversation; `further` are its verified samples."""
    target = _target(arm, draft, revision, on_reject)
    if arm == "teacher" or draft is None or not further:
        return target if isinstance(target, str) else [target]
    sampled = [_revised(draft, row, "after") for row in further]
    good = revision is not None and revision.verdict is not Verdict.REJECTED
    return [target, *sampled] if good and not isinstance(target, str) else sampled


def _target(arm: Arm, draft: Summary | None, revision: Revision | None, on_reject: OnReject) -> _Target | LeftOut:
    if draft is None:
        return "no_draft"
    if arm == "teacher":
        target = _Target(draft.text.strip(), _draft_provenance(draft))
    elif revision is None:
        return "no_revision"
    elif _is_dropped(revision, on_reject):
        return "rejected"
    else:
        target = _revised(draft, revision, _kept_side(revision, on_reject))
    return target if target.text else "empty"


def _revised(draft: Summary, revision: Revision, kept: Literal["before", "after"]) -> _Target:
    text = (revision.before if kept == "before" else revision.after).strip()
    provenance = {**_draft_provenance(draft), **_revision_provenance(revision), "kept": kept}
    return _Target(text, provenance, find_changes(revision.before, text))


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
        "noticed": [note.id for note in revision.noticed],
        **({"human": revision.human} if revision.human else {}),
    }


def _by_conversation(records: Iterable[Item], what: str) -> dict[str, Item]:
    by_id: dict[str, Item] = {}
    for record in records:
        if record.conversation_id in by_id:
            raise DataError(f"{what}: conversation {record.conversation_id!r} is there twice: remove one of its rows.")
        by_id[record.conversation_id] = record
    return by_id
