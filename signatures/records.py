"""The records that flow through ARF, frozen and strict, each carrying what produced it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Severity = Literal["minor", "major", "critical"]
ErrorSource = Literal["lm", "check", "human", "planted"]
Preference = Literal["a", "b", "tie"]


class Record(BaseModel):
    """Base of all records: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(Record):
    """One utterance."""

    speaker: str = Field(min_length=1)
    text: str


class Conversation(Record):
    """A conversation; turns are numbered from 1 wherever they are shown or cited."""

    id: str = Field(min_length=1)
    channel: str = "default"
    turns: tuple[Turn, ...] = Field(min_length=1)
    references: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def as_text(self) -> str:
        """The turns as `Speaker: text` lines, the form in which a student is trained and served."""
        return "\n".join(f"{turn.speaker}: {turn.text}" for turn in self.turns)

    def as_numbered_text(self) -> str:
        """The turns as `[n] Speaker: text` lines, for questions whose answer cites turns."""
        return "\n".join(f"[{n}] {turn.speaker}: {turn.text}" for n, turn in enumerate(self.turns, start=1))


class Summary(Record):
    """A summary of a conversation, by a system (`teacher`, `base`, `student_arf`, ...) and its model."""

    conversation_id: str
    text: str
    system: str
    model: str
    cut_off: bool = Field(default=False, description="the model ended at max_tokens, not at its summary's end")


class ErrorNote(Record):
    """One error in one summary. Make it with `arf_programs.quotes.locate_error`, which rejects what does not exist.

    `quote` is an exact substring of the summary, empty for an omission; `evidence` holds turn numbers from 1.
    `score` is the probability, 0 to 1, that the conversation does not support the sentence of the quote, as the analyst
    gives it; None where it gives none.
    """

    id: str
    category: str
    quote: str = ""
    evidence: tuple[int, ...] = ()
    explanation: str = ""
    severity: Severity = "major"
    source: ErrorSource = "lm"
    score: float | None = Field(default=None, ge=0, le=1)


class Category(Record):
    """A kind of error: `id` is its name in records, `count` how many notes it was induced from."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    definition: str
    severity: Severity = "major"
    example: str = ""
    count: int = Field(default=0, ge=0)


class Taxonomy(Record):
    """The categories of error that a run looks for."""

    categories: tuple[Category, ...] = Field(min_length=1)

    def ids(self) -> tuple[str, ...]:
        return tuple(category.id for category in self.categories)

    def as_text(self) -> str:
        """One line a category, as a model reads it."""
        return "\n".join(f"- {c.id}: {c.definition}" for c in self.categories)


class EditOp(StrEnum):
    """What an edit does at its quote; `insert` puts the replacement right after it (empty quote: at the end)."""

    REPLACE = "replace"
    DELETE = "delete"
    INSERT = "insert"


class Edit(Record):
    """One change: `quote` is an exact substring of the summary, `mends` the ids of the errors it removes.

    `gain` is by how much it raised the probability that the conversation supports the sentence, where that was asked.
    """

    op: EditOp
    quote: str = ""
    replacement: str = ""
    mends: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    gain: float | None = Field(default=None, ge=-1, le=1)


class RefusedEdit(Record):
    """An edit that was not applied, and why."""

    edit: Edit
    reason: str


class Verdict(StrEnum):
    """`unchanged`: nothing to mend; `verified`: mended and checked; `rejected`: could not be mended."""

    UNCHANGED = "unchanged"
    VERIFIED = "verified"
    REJECTED = "rejected"


class Revision(Record):
    """A draft and what became of it. `after` follows from `before` and `applied` by a pure function
    (except for the `rewrite` and `taxonomy` strategies, where the model writes it whole).

    `errors` are those found in `before`, `remaining` those found in `after`; `feedback` says, for each attempt
    that failed, what was wrong with it.
    """

    conversation_id: str
    before: str
    after: str
    strategy: str
    model: str
    verdict: Verdict
    attempts: int = Field(ge=0)
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()
    errors: tuple[ErrorNote, ...] = ()
    remaining: tuple[ErrorNote, ...] = ()
    feedback: tuple[str, ...] = ()


class SentenceScore(Record):
    """How the analyst sees one sentence of a summary: flagged or not, and the score on which that rests, if any.

    `score` is the probability, 0 to 1, that the conversation does not support the sentence.
    """

    sentence: str
    flagged: bool
    score: float | None = Field(default=None, ge=0, le=1)


class DraftErrors(Record):
    """The errors found in one summary; `rejected` gives the reasons for notes that quote or cite nothing real."""

    conversation_id: str
    system: str
    errors: tuple[ErrorNote, ...] = ()
    rejected: tuple[str, ...] = ()


class Failure(Record):
    """A row that failed at work: counted and kept, with its reason."""

    conversation_id: str
    stage: str
    system: str = ""
    reason: str
    attempts: int = Field(default=0, ge=0, description="calls that were sent for the row")
    usd: float = Field(default=0.0, ge=0, description="what they cost")


class Message(Record):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class TrainingExample(Record):
    """One row of `train/<arm>.jsonl`; `messages` is the prompt that the student will be served with.

    `edited` holds the places (start, end) of the completion, in characters, that revision wrote anew; `weight` is that
    of the whole example in the loss.
    """

    conversation_id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    completion: str = Field(min_length=1)
    arm: str
    weight: float = Field(default=1.0, gt=0)
    edited: tuple[tuple[int, int], ...] = ()
    provenance: dict[str, JsonValue] = Field(default_factory=dict)


class PreferencePair(Record):
    """One row of `train/preference.jsonl`, in TRL's conversational preference format: the verified revision is
    `chosen`, its draft `rejected`, each one message of the assistant. With edits they differ in the edits alone.
    """

    conversation_id: str
    prompt: tuple[Message, ...] = Field(min_length=1)
    chosen: tuple[Message] = Field(min_length=1)
    rejected: tuple[Message] = Field(min_length=1)
    provenance: dict[str, JsonValue] = Field(default_factory=dict)


class Rating(Record):
    """A judge's ratings from 1 to 5, of the whole (`rating`) and by aspect, with its reasons.

    `model` and `prompt` produced it; `prompt` is the version of the rubric and the hash of all that is asked.
    """

    rating: int = Field(ge=1, le=5)
    faithful: int | None = Field(default=None, ge=1, le=5)
    complete: int | None = Field(default=None, ge=1, le=5)
    concise: int | None = Field(default=None, ge=1, le=5)
    reasons: str = ""
    model: str = ""
    prompt: str = ""


class PairVerdict(Record):
    """Which of two systems' summaries of a conversation the judge prefers, asked in both orders.

    `a_first` is its answer with the summary of `a` shown first, `b_first` that with the summary of `b` shown first;
    both are None where nobody was asked, since the texts are the same. `winner` is a tie where the two disagree.
    """

    conversation_id: str
    channel: str
    a: str
    b: str
    winner: Preference
    a_first: Preference | None = None
    b_first: Preference | None = None
    words_a: int = Field(ge=0)
    words_b: int = Field(ge=0)
    reasons: tuple[str, ...] = ()
    model: str = ""
    prompt: str = ""


class Score(Record):
    """Everything measured about one summary on the holdout; `None` where it was not measured."""

    conversation_id: str
    channel: str
    system: str
    errors: tuple[ErrorNote, ...] = ()
    words: int = Field(ge=0)
    rating: Rating | None = None
    rouge1: float | None = None
    rouge2: float | None = None
    similarity: float | None = None
    rougeL: float | None = None  # noqa: N815 - the metric's own name
    rouge1_mean: float | None = None
    rouge2_mean: float | None = None
    rougeL_mean: float | None = None  # noqa: N815
