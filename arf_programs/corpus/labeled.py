"""The small labelled set: summaries whose errors people have marked. They serve as examples and as a measure.

What is odd but stops nothing is noted: keys that nothing reads, and categories that no taxonomy has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from arf_programs.config import ColumnsConfig, Config, LabeledConfig, find_path
from arf_programs.corpus.read import hash_turns, read_corpus, read_id
from arf_programs.corpus.tables import Problems, Row, read_json_rows
from arf_programs.corpus.taxonomy import load_configured_taxonomy, read_taxonomy
from arf_programs.corpus.turns import clean_values, read_turns
from arf_programs.runs import Run
from arf_programs.text import locate_error
from signatures.exceptions import DataError, QuoteError
from signatures.records import Conversation, ErrorNote, Record, Severity

_ID = "id"
_CONVERSATION = "conversation"
_ITS_CONVERSATION = "conversation_id"
_OWN_COLUMNS = ColumnsConfig()
# What `arf review` and `arf plant` write beside: people read it, and nothing else does.
_BESIDE = ("channel", "metadata", "references", "aspects", "reviewer", "plants", "source")


class LabeledExample(Record):
    """A conversation and its summary, with the errors that people marked. No error means that they saw none.

    `revised` is the corrected summary. `rating` is a person's rating from 1 to 5, on the scale of
    `signatures.rate_summary`. `system` wrote the summary.
    """

    conversation: Conversation
    summary: str = Field(min_length=1)
    errors: tuple[ErrorNote, ...] = ()
    revised: str | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    system: str = ""


class _Error(BaseModel):
    """An error as it is in the file. Null is the same as a missing key."""

    model_config = ConfigDict(extra="ignore")

    category: str = Field(min_length=1)
    quote: str = ""
    evidence: tuple[int, ...] = ()
    explanation: str = ""
    severity: Severity = "major"

    @field_validator("quote", "explanation", mode="before")
    @classmethod
    def _no_text(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("evidence", mode="before")
    @classmethod
    def _no_turns(cls, value: object) -> object:
        return () if value is None else value


class _Labels(BaseModel):
    """What people wrote about one summary. `errors` has no default, since a row without it was not checked."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    summary: str = Field(min_length=1)
    errors: tuple[_Error, ...]
    revised: str | None = Field(default=None, min_length=1)
    rating: int | None = Field(default=None, ge=1, le=5)
    system: str | None = None


KEYS_OF_ROWS = (*_Labels.model_fields, _ID, _CONVERSATION, _ITS_CONVERSATION)
KEYS_OF_ERRORS = tuple(dict.fromkeys((*_Error.model_fields, *ErrorNote.model_fields)))
"""The keys that are read of a row and of an error in it, with those of the records that `arf plant` writes."""


def read_labeled(
    config: LabeledConfig,
    conversations: Mapping[str, Conversation],
    columns: ColumnsConfig,
    base_dir: Path,
    *,
    mails_of: Sequence[str] | None = None,
    limited: bool = False,
) -> tuple[LabeledExample, ...]:
    """Read the labelled examples in the order of the file. None if no file is configured.

    A row without a conversation has the id of one in `conversations`. With `limited` these are only a part of the
    corpus, and a row about another conversation is left out. `mails_of` is as in `read_turns`. Raises DataError with
    every problem of the file, each with its line. A quote or a turn that does not exist is one.
    """
    if config.path is None:
        return ()
    path = find_path(config.path, base_dir)
    if path is None:
        raise DataError(
            f"{config.path}: no such file, neither beside arf.yaml ({base_dir.resolve()}) nor in the "
            "working directory: set labeled.path"
        )
    problems = Problems(config.path)
    rows = read_json_rows(path, problems)
    examples = [_example(row, conversations, columns, mails_of, problems, limited=limited) for row in rows]
    if not examples and not problems:
        problems.add("holds no labelled rows: add some, or set labeled.path to null")
    problems.raise_any()
    return tuple(example for example in examples if example is not None)


def _example(
    row: Row,
    conversations: Mapping[str, Conversation],
    columns: ColumnsConfig,
    mails_of: Sequence[str] | None,
    problems: Problems,
    *,
    limited: bool,
) -> LabeledExample | None:
    """Read the example of a row. Return None if it has problems, which are noted, or its conversation was not read."""
    labels = _labels(row, problems)
    try:
        conversation = _conversation(row.values, conversations, columns, mails_of)
    except _UnknownIdError as error:
        if not limited:
            problems.add(str(error), at=row.number)
        return None
    except ValueError as error:
        problems.add(str(error), at=row.number)
        return None
    if labels is None:
        return None
    errors = _errors(labels, conversation, row.number, problems)
    return LabeledExample(
        conversation=conversation,
        summary=labels.summary,
        errors=errors,
        revised=labels.revised,
        rating=labels.rating,
        system=labels.system or "",
    )


def _labels(row: Row, problems: Problems) -> _Labels | None:
    try:
        return _Labels.model_validate(clean_values(row.values))
    except ValidationError as error:
        for problem in error.errors():
            field, inside = _place(problem["loc"])
            hint = ": write [] for a summary without errors" if field == "errors" else ""
            problems.add(f"{field}: {problem['msg']}{hint}", at=row.number, inside=inside)
    except ValueError as error:
        problems.add(str(error), at=row.number)
    return None


def _place(location: tuple[int | str, ...]) -> tuple[str, str]:
    """Return the key at a location of pydantic, and the error that it belongs to, counted from 1."""
    match location:
        case ("errors", int(number), *rest):
            return ".".join(map(str, rest)) or "errors", f"error {number + 1}"
    return ".".join(map(str, location)), ""


class _UnknownIdError(ValueError):
    """The corpus has no conversation of an id."""


def _conversation(
    values: Mapping[str, object],
    conversations: Mapping[str, Conversation],
    columns: ColumnsConfig,
    mails_of: Sequence[str] | None,
) -> Conversation:
    """Return the row's own conversation, else that of its id. Raises ValueError if there is neither.

    Rows about one conversation may have ids of their own, as `arf plant` writes them. Then `conversation_id` names the
    conversation, and the columns have their default names.
    """
    if values.get(_ITS_CONVERSATION) is not None:
        values = {**values, _ID: values[_ITS_CONVERSATION]}
        columns = _OWN_COLUMNS
    own_id = read_id(values.get(columns.id or _ID, values.get(_ID)))
    own = values.get(columns.conversation, values.get(_CONVERSATION))
    if own is not None:
        turns = read_turns(own, columns, mails_of=mails_of)
        return Conversation(id=own_id or hash_turns(turns), turns=turns)
    if not own_id:
        raise ValueError("neither an id nor a conversation: give one of them")
    if own_id not in conversations:
        raise _UnknownIdError(
            f"no conversation of id {own_id!r} in the corpus (or too long): mend the id, give the row its "
            "conversation, or set labeled.path to null"
        )
    return conversations[own_id]


def _errors(labels: _Labels, conversation: Conversation, line: int, problems: Problems) -> tuple[ErrorNote, ...]:
    notes: list[ErrorNote] = []
    for number, error in enumerate(labels.errors, start=1):
        try:
            notes.append(
                locate_error(
                    labels.summary,
                    conversation,
                    category=error.category,
                    quote=error.quote,
                    evidence=error.evidence,
                    explanation=error.explanation,
                    severity=error.severity,
                    source="human",
                )
            )
        except QuoteError as problem:
            problems.add(f"{problem}: copy it from the summary or the conversation", at=line, inside=f"error {number}")
    return tuple(notes)


def read_labeled_of(
    config: Config, conversations: Mapping[str, Conversation], base_dir: Path
) -> tuple[LabeledExample, ...]:
    """Read the labelled set of a configuration. Its own conversations have the form of the corpus."""
    corpus, limited = config.corpus, config.corpus.limit is not None
    mails_of = corpus.mails_of
    return read_labeled(config.labeled, conversations, corpus.columns, base_dir, mails_of=mails_of, limited=limited)


def load_labeled(run: Run) -> tuple[LabeledExample, ...]:
    """Read the labelled set of a run. It is empty if none is configured.

    Raises DataError with every problem of the file.
    """
    config = run.config
    if config.labeled.path and config.privacy.pseudonyms and config.privacy.keep == "pseudonyms":
        kept = LabeledConfig(path=str(run.folder.labeled_pseudonyms.resolve()))  # as stage `corpus` has written it
        return read_labeled(kept, run.conversations(), _OWN_COLUMNS, run.base_dir)
    return read_labeled_of(config, run.conversations(), run.base_dir)


def refuse_no_labels(config: LabeledConfig) -> None:
    """Raise DataError if no labelled set is configured."""
    if not config.path:
        raise DataError("labeled.path: `arf compile` needs a labelled set: `arf init DIR` writes a template of one")


def load_labeled_of_corpus(run: Run) -> tuple[LabeledExample, ...]:
    """Read the labelled set with the conversations of the corpus file, so that no stage is needed.

    Raises DataError with every problem of either file.
    """
    config = run.config
    conversations = {item.id: item for item in read_corpus(config.corpus, base_dir=run.base_dir).conversations}
    return read_labeled_of(config, conversations, run.base_dir)


def read_labeled_file(
    path: str | Path, conversations: Iterable[Conversation] = (), *, columns: ColumnsConfig | None = None
) -> tuple[LabeledExample, ...]:
    """Read a file of labelled summaries (JSONL), in order.

    A row without a conversation of its own is about the one of `conversations` with its id. Raises DataError with every
    problem of the file, each with its line.
    """
    by_id = {conversation.id: conversation for conversation in conversations}
    return read_labeled(LabeledConfig(path=str(path)), by_id, columns or ColumnsConfig(), Path())


def label_notes(run: Run) -> list[str]:
    """Name the keys of the labelled set that nothing reads, and its categories that the taxonomy lacks.

    A set that is missing or broken has no notes. Raises ConfigError for a taxonomy that cannot be read.
    """
    path = find_path(run.config.labeled.path, run.base_dir) if run.config.labeled.path else None
    if path is None:
        return []
    notes = Problems(str(run.config.labeled.path))
    source, categories = _categories(run)
    for row in read_json_rows(path, Problems(notes.file)):
        known = (*KEYS_OF_ROWS, *_BESIDE, *_columns(run.config.corpus.columns))
        _note_keys(row.values, known, row, notes)
        for number, error in enumerate(_errors_of(row), start=1):
            _note_keys(error, KEYS_OF_ERRORS, row, notes, inside=f"error {number}")
            category = error.get("category")
            if isinstance(category, str) and category not in categories:
                mend = _near(category, categories) or f"add it there, or use one of {', '.join(categories)}"
                notes.add(f"category {category!r} is not in {source}: {mend}", at=row.number, inside=f"error {number}")
    return notes.lines()


def _categories(run: Run) -> tuple[str, tuple[str, ...]]:
    """Return the name of the taxonomy and its categories: that of the run, if there is one, else the configured."""
    if run.folder.taxonomy.is_file():
        return str(run.folder.taxonomy), read_taxonomy(run.folder.taxonomy).ids()
    name = run.config.analyze.taxonomy or "the seed taxonomy (analyze.taxonomy is not set)"
    return name, load_configured_taxonomy(run).ids()


def _columns(columns: ColumnsConfig) -> Iterator[str]:
    return (name for name in (columns.id, columns.conversation, columns.channel, columns.references) if name)


def _errors_of(row: Row) -> list[dict[str, object]]:
    errors = row.values.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _note_keys(
    values: dict[str, object], known: Collection[str], row: Row, notes: Problems, *, inside: str = ""
) -> None:
    for key in values:
        if key not in known:
            mend = _near(key, known) or "nothing needs it"
            notes.add(f"key {key!r} is not read: {mend}", at=row.number, inside=inside)


def _near(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else ""
