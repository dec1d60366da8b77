"""Turns of chats that were exported with a time beside each name. Such exports are regular: every turn looks alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from arf_programs.corpus.speakers.labels import Label, is_name
from arf_programs.corpus.speakers.mail import is_quotation
from arf_programs.corpus.speakers.named_lines import read_named_line
from arf_programs.corpus.speakers.stamps import Stamped, is_stamp, plain_line, stamp_before, stamp_behind, stamp_heading
from arf_programs.corpus.speakers.words import SYSTEM

_LABELLED = re.compile(r"(?P<name>[^:：;!?\"\n]{1,60})[:：](?!//)(?P<text>.*)", re.DOTALL)
_TO_ALL = re.compile(r"from\s+(?P<name>.+?)(?:\s+to\s+.+)?", re.IGNORECASE)
_MAY_HAVE_TIME = re.compile(r"\d[:.h]\d\d|\d{4}|[(\[]\s?\d+(?:[hms]\b|\.\d)")
_RULE = re.compile(r"[-=_*#~\s]*")
_FRAME = re.compile(r"[\[\]()<>|–—•·]")
_STATUS = re.compile(r"\s:[\w+'-]{2,30}:(?=\s|$)")  # :palm_tree:
_APP = re.compile(r"(?<=\S)\s{2,}(?:APP|BOT)$")
_TAGGED = re.compile(r"[\w.]{2,32}#\d{4}")
_EDITED = re.compile(
    r"\s*[,•·|]?\s*\(?(?:edited|bearbeitet|modifié|editado|modificato|gewijzigd|redigerad|redigeret|编辑|編集済み)\)?\s*$",
    re.IGNORECASE,
)
_BRACKETED = " <>"  # behind the form of a time: the name stands in brackets, so no other line begins a turn
_LONGEST_LINE = 120  # characters of a line with a name and a time, and no message
_MOST_WORDS = 8


@dataclass(frozen=True)
class StampedTurn:
    """A line that begins a turn: its speaker, its text with the time, and the form of the time."""

    speaker: str
    text: str
    shape: str
    is_heading: bool = False


def read_export(lines: list[str], labels: list[Label | None]) -> dict[int, StampedTurn] | None:
    """Return the lines that begin a turn, by their numbers. None if the text is no export with times.

    `labels` are those of lines without a time. Raises ValueError, with a reason for the user, if only some of the turns
    have a time.
    """
    turns = _regular(_stamped_turns(lines))
    if not turns or not _begins_with(turns, lines, labels):
        return None
    _refuse_turns_without_time(turns, lines, labels)
    begin = min(turns)
    first = next(number for number, line in enumerate(lines) if line.strip())
    if first < begin:
        turns[first] = StampedTurn(SYSTEM, lines[first], "")
    return turns | _messages_of_the_system(turns, lines, begin)


def _stamped_turns(lines: list[str]) -> dict[int, StampedTurn]:
    turns: dict[int, StampedTurn] = {}
    for number, line in enumerate(lines):
        below = plain_line(lines[number + 1]) if number + 1 < len(lines) else ""
        turn = _read_turn(plain_line(line), below)
        if turn:
            turns[number] = turn
    return turns


def _read_turn(line: str, below: str) -> StampedTurn | None:
    """Read a line with a name and a time, or a name above a time."""
    if not _MAY_HAVE_TIME.search(line):
        named = len(line) <= _LONGEST_LINE and is_name(line.strip()) and is_stamp(below)
        return StampedTurn(line.strip(), "", "name above", is_heading=True) if named else None
    if is_quotation(line):
        return None
    if is_stamp(line) and is_name(below.strip()):
        return StampedTurn(below.strip(), line.strip(), "name below", is_heading=True)
    before, behind = stamp_before(line), stamp_behind(line)
    marked = read_named_line(before.text, "<>", "[]", "tab", "@") if before else None
    if before and marked:
        return StampedTurn(_speaker(marked.speaker), _with_time(before, marked.text), before.shape + _BRACKETED)
    labelled = before and _LABELLED.match(before.text)
    if before and labelled and len(labelled["name"].split()) <= _MOST_WORDS:
        return StampedTurn(_speaker(labelled["name"]), _with_time(before, labelled["text"]), before.shape)
    if behind and len(behind.name.split()) <= _MOST_WORDS:
        return StampedTurn(_speaker(behind.name), _with_time(behind, behind.text), behind.shape)
    return _read_heading(line, before) if len(line) <= _LONGEST_LINE else None


def _read_heading(line: str, before: Stamped | None) -> StampedTurn | None:
    """Read a name and a time on a line of their own. A status beside the name and a mark of an edit are left out."""
    line = _EDITED.sub("", _STATUS.sub("", line))
    if before and (is_name(before.text.strip()) or _TAGGED.fullmatch(before.text.strip())):
        return StampedTurn(before.text.strip(), _with_time(before, ""), before.shape, is_heading=True)
    heading = stamp_heading(line)
    name = _APP.sub("", heading.name) if heading else ""
    is_nickname = heading and heading.stamp.startswith(("[", "(", "—")) and " " not in name
    if heading and (is_nickname or is_name(name)):
        return StampedTurn(_speaker(name), _with_time(heading, ""), heading.shape, is_heading=True)
    return None


def _speaker(name: str) -> str:
    to_all = _TO_ALL.fullmatch(name.strip())
    return " ".join(_APP.sub("", to_all["name"] if to_all else name).split()).strip("*_ ") or SYSTEM


def _with_time(stamped: Stamped, text: str) -> str:
    """Keep the time in the turn, since a summary may cite it."""
    return f"{stamped.stamp.strip(' -–—|,:•·')} {text.strip()}"


def _regular(turns: dict[int, StampedTurn]) -> dict[int, StampedTurn]:
    """Return the turns that look like the first: those with a colon if there are any, else lines with a name alone.

    The form of a time may change within an export, as from `59:58` to `1:00:02` or from `Yesterday at` to a date. Then
    a line is a turn if its name speaks, or may be that of a person, unlike in a log: `[10:32:11] Error: ...`.
    """
    labelled = {number: turn for number, turn in turns.items() if not turn.is_heading}
    chosen = labelled or turns
    if not chosen:
        return {}
    first = chosen[min(chosen)]
    names = {turn.speaker for turn in chosen.values() if turn.shape == first.shape}
    return {
        number: turn
        for number, turn in chosen.items()
        if turn.shape == first.shape
        or (_frame(turn.shape) == _frame(first.shape) and (turn.speaker in names or _is_like(turn, first)))
    }


def _frame(shape: str) -> str:
    """The brackets and dashes around a time, and on which side of the name it stands."""
    side = "behind" if shape.startswith("name ") else "before"
    return " ".join([side, *_FRAME.findall(shape)])


def _is_like(turn: StampedTurn, first: StampedTurn) -> bool:
    label = Label(turn.speaker, "")
    return label.is_role or label.is_person or label.may_be_person(Label(first.speaker, ""))


def _begins_with(turns: dict[int, StampedTurn], lines: list[str], labels: list[Label | None]) -> bool:
    """Say whether turns of this form make up the text, rather than a log or a chat that is quoted in a turn.

    Raises ValueError if this cannot be told.
    """
    begin = min(turns)
    preamble = [line for line in lines[:begin] if not _RULE.fullmatch(line)]
    if turns[begin].is_heading or not preamble:
        return not preamble and (len(turns) > 1 or not turns[begin].is_heading)
    before = [label for label in labels[:begin] if label and not is_stamp(label.text) and not label.text[:1].isdigit()]
    if not before:
        return len(turns) > 1
    names = {turn.speaker for turn in turns.values()}
    # An export may list its participants first.
    if len(names) > 1 and all(any(name in label.text for label in before) for name in names):
        return True
    known = {label.name for label in before}
    if len(names) > 1 and all(Label(name, "").is_heading for name in known):
        return True
    if any(
        label and number not in turns and (label.is_role or label.name in known)
        for number, label in _after(labels, begin)
    ):
        return False
    if any(name in known or Label(name, "").is_role for name in names):
        raise ValueError(_cannot_tell(lines[begin]))
    return False


def _after(labels: list[Label | None], begin: int) -> list[tuple[int, Label | None]]:
    return [(number, label) for number, label in enumerate(labels) if number > begin]


def _refuse_turns_without_time(turns: dict[int, StampedTurn], lines: list[str], labels: list[Label | None]) -> None:
    """Raise ValueError if a line has the label of a speaker but no time, as in a quoted chat or an odd turn."""
    names = {turn.speaker for turn in turns.values()}
    for number, label in _after(labels, min(turns)):
        if label is None or number in turns or label.kind == "marked" or label.text[:1].isdigit():
            continue
        if label.name in names or (len(names) == 1 and label.is_role):
            raise ValueError(_cannot_tell(lines[number]))


def _cannot_tell(line: str) -> str:
    shown = line.strip()[:60]
    return (
        f"it cannot be told whether {shown!r} begins a turn, since only some of the turns have a time: "
        "give a time to all turns or to none, or indent what is quoted"
    )


def _messages_of_the_system(turns: dict[int, StampedTurn], lines: list[str], begin: int) -> dict[int, StampedTurn]:
    """Return the lines that have a time like the turns but no name, such as `12:04 - Joe left`. Nobody says them."""
    shape = turns[begin].shape.removesuffix(_BRACKETED)
    is_plain_time = re.fullmatch(r"9[:.]9(?:[:.]9)?(?: ?a)?", turns[begin].shape) is not None
    messages = {}
    for number, line in enumerate(lines):
        before = None if number in turns or is_plain_time else stamp_before(plain_line(line))
        if before and before.shape == shape:
            messages[number] = StampedTurn(SYSTEM, _with_time(before, before.text), shape)
    return messages
