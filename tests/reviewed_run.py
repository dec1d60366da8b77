"""A run folder for the tests of the review: drafts, revisions with edits of every kind, and hostile words."""

from __future__ import annotations

from pathlib import Path

from arf_programs.config import load_config
from arf_programs.corpus import load_seed_taxonomy, write_taxonomy
from arf_programs.runs import RunFolder, SplitConversation, write_jsonl_atomic, write_text_atomic
from signatures.records import (
    Conversation,
    DraftErrors,
    Edit,
    EditOp,
    ErrorNote,
    Revision,
    Summary,
    Turn,
    Verdict,
)

HOSTILE = "</textarea><script>document.title='owned'</script><img src=x onerror=alert(1)> \u202eevil"
DRAFT = "The customer's kettle leaked on Monday. The agent sent a lamp by Friday. A refund of 39 was paid."


def conversation(number: int) -> Conversation:
    return Conversation(
        id=f"kettle-{number:02d}",
        channel=("email", "bot_chat")[number % 2],
        turns=(
            Turn(speaker="Customer", text=f"The kettle of order {number} leaks since Monday. {HOSTILE}"),
            Turn(speaker="Agent", text="Sorry! We send a new kettle by Thursday."),
            Turn(speaker="Customer", text="Thank you."),
        ),
    )


def note(number: int, name: str, quote: str, category: str = "wrong_fact") -> ErrorNote:
    return ErrorNote(
        id=f"{name}{number}",
        category=category,
        quote=quote,
        start=DRAFT.index(quote),
        evidence=(2,),
        explanation=f"Not {quote}. {HOSTILE}",
        source="check" if name == "thing" else "lm",
        score=0.5 + number / 1000,
    )


def revision(number: int) -> Revision:
    """Return an unchanged, a verified or a rejected one by turns."""
    name, base = f"kettle-{number:02d}", {"before": DRAFT, "strategy": "edits", "model": "scripted/editor"}
    if number % 3 == 0:
        return Revision(conversation_id=name, after=DRAFT, verdict=Verdict.UNCHANGED, attempts=0, **base)
    thing, day = note(number, "thing", "lamp"), note(number, "day", "Friday", "fabricated")
    edits = (
        Edit(op=EditOp.REPLACE, quote="lamp", replacement="kettle", mends=(thing.id,), start=DRAFT.index("lamp")),
        Edit(op=EditOp.REPLACE, quote="Friday", replacement="Thursday", mends=(day.id,), start=DRAFT.index("Friday")),
    )
    after = DRAFT.replace("lamp", "kettle").replace("Friday", "Thursday")
    verdict = Verdict.VERIFIED if number % 3 == 1 else Verdict.REJECTED
    return Revision(
        conversation_id=name, after=after, verdict=verdict, attempts=1, applied=edits, errors=(thing, day), **base
    )


def write_run(path: Path, count: int = 12, holdout: int = 2) -> RunFolder:
    """Write a run with `count` training conversations; the last `holdout` more have a student's summary as well."""
    folder = RunFolder(path)
    every = [conversation(number) for number in range(count + holdout)]
    train = [f"kettle-{number:02d}" for number in range(count)]
    write_jsonl_atomic(
        folder.conversations,
        (SplitConversation(split="train" if item.id in train else "holdout", conversation=item) for item in every),
    )
    draft = {"text": DRAFT, "system": "teacher", "model": "scripted/teacher"}
    write_jsonl_atomic(folder.drafts, (Summary(conversation_id=item.id, **draft) for item in every))
    revisions = [revision(number) for number in range(count)]
    write_jsonl_atomic(folder.revisions, revisions)
    write_jsonl_atomic(
        folder.errors,
        (DraftErrors(conversation_id=row.conversation_id, system="teacher", errors=row.errors) for row in revisions),
    )
    student = {"text": "A new kettle comes by Thursday.", "system": "student_arf", "model": "student/arf"}
    held = [item for item in every if item.id not in train]
    write_jsonl_atomic(folder.predictions, (Summary(conversation_id=item.id, **student) for item in held))
    write_taxonomy(folder.taxonomy, load_seed_taxonomy())
    write_text_atomic(
        folder.config,
        f"name: kettles\nrun_dir: {path}\ncorpus: {{path: conversations.jsonl}}\nmodels: {{teacher: scripted/model}}\n",
    )
    load_config(folder.config)
    return folder
