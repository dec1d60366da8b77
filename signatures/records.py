"""The records that flow through ARF: what is read, what models write, and what is measured."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from signatures.showing import show_turn

Severity = Literal["minor", "major", "critical"]
ErrorSource = Literal["lm", "check", "human", "planted"]
Preference = Literal["a", "b", "tie"]
HumanOutcome = Literal["accepted", "rewritten", "rejected"]


class Record(BaseModel):
    """Base of all records. A record cannot be changed, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(Record):
    """What one speaker says at once."""

    speaker: str = Field(min_length=1)
    text: str


class Conversation(Record):
    """A conversation. Turns are numbered from 1 wherever they are shown or cited.

    `draft` is a summary that the corpus has of it, where `models.teacher` is a column. No question shows it as a part
    of the conversation.
    """

    id: str = Field(min_length=1)
    channel: str = "default"
    turns: tuple[Turn, ...] = Field(min_length=1)
    references: tuple[str, ...] = ()
    draft: str | None = Field(default=None, exclude_if=lambda draft: draft is None)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def as_text(self) -> str:
        """Write the turns as `Speaker: text` lines. Students are trained and served with this form."""
        return "\n".join(self.show_turn(n) for n in range(1, len(self.turns) + 1))

    def as_numbered_text(self) -> str:
        """Write the turns as `[n] Speaker: text` lines, for questions whose answer cites turns."""
        return "\n".join(f"[{n}] {self.show_turn(n)}" for n in range(1, len(self.turns) + 1))

    def show_turn(self, number: int) -> str:
        """Write one turn as `Speaker: text`. No line of its text passes for a turn or a field of a prompt."""
        turn = self.turns[number - 1]
        return show_turn(turn.speaker, turn.text, [other.speaker for other in self.turns])


class Summary(Record):
    """A summary of a conversation, with the system (`teacher`, `base`, `student_arf`, ...) and model that wrote it."""

    conversation_id: str
    text: str
    system: str
    model: str
    cut_off: bool = Field(default=False, description="the model ended at max_tokens, not at its summary's end")


class ErrorNote(Record):
    """One error in one summary. Make it with `arf_programs.text.locate_error`, which checks quote and turns.

    `quote` is an exact substring of the summary, and empty for an omission. `start` is where it begins, in characters;
    without it the first occurrence is meant. `evidence` holds turn numbers from 1.
    `score` is the analyst's probability, 0 to 1, that the conversation does not support the quoted sentence. It is None
    if the analyst gives none. `correction` is what the analyst puts in place of the quote, or adds for an omission; an
    empty one deletes the quote. It is None if the analyst was not asked for it. `check` names the check that saw the
    error; it is None where no check did, and in records of runs before there was the name.
    """

    id: str
    category: str
    quote: str = ""
    evidence: tuple[int, ...] = ()
    explanation: str = ""
    severity: Severity = "major"
    source: ErrorSource = "lm"
    check: str | None = Field(default=None, exclude_if=lambda check: check is None)
    score: float | None = Field(default=None, ge=0, le=1)
    start: int | None = Field(default=None, ge=0)
    correction: str | None = Field(default=None, exclude_if=lambda correction: correction is None)


class Category(Record):
    """A kind of error. `id` is its name in records, and `count` the number of notes from which it was induced."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    definition: str
    severity: Severity = "major"
    example: str = ""
    count: int = Field(default=0, ge=0)


class Taxonomy(Record):
    """The kinds of error that a run looks for."""

    categories: tuple[Category, ...] = Field(min_length=1)

    def ids(self) -> tuple[str, ...]:
        return tuple(category.id for category in self.categories)

    def as_text(self) -> str:
        """Write one line for each category, as a model reads it."""
        return "\n".join(f"- {c.id}: {c.definition}" for c in self.categories)


# This docstring is part of a prompt: it goes into the JSON schema of `propose_edits`.
class EditOp(StrEnum):
    """What an edit does at its quote; `insert` puts the replacement right after it (empty quote: at the end)."""

    REPLACE = "replace"
    DELETE = "delete"
    INSERT = "insert"


class Edit(Record):
    """One change. `quote` is an exact substring of the summary, and `mends` holds the ids of the errors it removes.

    `start` is where the quote begins, in characters; without it the first occurrence is meant.
    `gain` says how much the edit raised the probability that the conversation supports the sentence. It is None if this
    was not measured.
    """

    op: EditOp
    quote: str = ""
    replacement: str = ""
    mends: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    gain: float | None = Field(default=None, ge=-1, le=1)
    start: int | None = Field(default=None, ge=0)


class RefusedEdit(Record):
    """An edit that was not applied, with the reason."""

    edit: Edit
    reason: str


class Verdict(StrEnum):
    """`unchanged`: nothing to mend; `verified`: mended and checked; `rejected`: could not be mended."""

    UNCHANGED = "unchanged"
    VERIFIED = "verified"
    REJECTED = "rejected"


class Revision(Record):
    """A draft and its revision.

    `after` is `before` with the edits in `applied`. With the strategies `rewrite` and `taxonomy`, and in the place of a
    draft that retells the conversation, the model writes the whole of `after`. `errors` were seen in `before`.
    `remaining` are those of them that are still there, and errors that the edits brought in. `noticed` are errors that
    verification saw in words that no edit wrote: they were overlooked in the draft, and do not count against the
    revision. `feedback` says what was wrong with each attempt that failed. `human` is what a person decided in a
    review, where a person did: then `after` is that person's text.
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
    noticed: tuple[ErrorNote, ...] = ()
    feedback: tuple[str, ...] = ()
    human: HumanOutcome | None = Field(default=None, exclude_if=lambda human: human is None)


class SentenceScore(Record):
    """The analyst's answer about one sentence of a summary.

    `score` is the probability, 0 to 1, that the conversation does not support the sentence; None if there is none.
    """

    sentence: str
    flagged: bool
    score: float | None = Field(default=None, ge=0, le=1)


class DraftErrors(Record):
    """The errors of one summary. `rejected` says why notes were refused: a quote or a turn does not exist."""

    conversation_id: str
    system: str
    errors: tuple[ErrorNote, ...] = ()
    rejected: tuple[str, ...] = ()


class Failure(Record):
    """A row that failed. It is kept with its reason, so that every row is counted."""

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
    """One row of `train/<arm>.jsonl`. `messages` is the prompt with which the student will be served.

    `edited` holds the places (start, end) of the completion, in characters, that the revision changed. `weight` is the
    weight of the whole example in the loss.
    """

    conversation_id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    completion: str = Field(min_length=1)
    arm: str
    weight: float = Field(default=1.0, gt=0)
    edited: tuple[tuple[int, int], ...] = ()
    provenance: dict[str, JsonValue] = Field(default_factory=dict)


class PreferencePair(Record):
    """One row of `train/preference.jsonl`, in TRL's conversational preference format.

    `chosen` is the verified revision. `rejected` is its draft or, with `planted` in the provenance, the revision with
    one error planted in it. Each is one message of the assistant.
    """

    conversation_id: str
    prompt: tuple[Message, ...] = Field(min_length=1)
    chosen: tuple[Message] = Field(min_length=1)
    rejected: tuple[Message] = Field(min_length=1)
    provenance: dict[str, JsonValue] = Field(default_factory=dict)


class Rating(Record):
    """A judge's ratings from 1 to 5: of the whole summary (`rating`) and of three aspects, with reasons.

    `prompt` is the version of the rubric, with a hash of the whole question.
    """

    rating: int = Field(ge=1, le=5)
    faithful: int | None = Field(default=None, ge=1, le=5)
    complete: int | None = Field(default=None, ge=1, le=5)
    concise: int | None = Field(default=None, ge=1, le=5)
    reasons: str = ""
    model: str = ""
    prompt: str = ""


class PairVerdict(Record):
    """The judge's choice between the summaries of two systems, asked in both orders.

    `a_first` is the answer when the summary of `a` is shown first, and `b_first` when that of `b` is. `winner` is a tie
    if the two answers disagree. Both answers are None if the texts are equal, since the judge is then not asked.
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
    """All measurements of one summary of the holdout. None means that something was not measured.

    `checker_score` is the checker's highest probability, 0 to 1, that the conversation does not support a sentence.
    """

    conversation_id: str
    channel: str
    system: str
    errors: tuple[ErrorNote, ...] = ()
    words: int = Field(ge=0)
    checker_flagged: bool | None = None
    checker_score: float | None = Field(default=None, exclude_if=lambda score: score is None)
    rating: Rating | None = None
    rouge1: float | None = None
    rouge2: float | None = None
    similarity: float | None = None
    rougeL: float | None = None  # noqa: N815 - the metric's own name
    rouge1_mean: float | None = None
    rouge2_mean: float | None = None
    rougeL_mean: float | None = None  # noqa: N815
