"""Read the turns of a text: which lines begin a turn, and who speaks.

A line begins a turn if it begins with the label of a speaker and a colon. `Note: ...`, `Trip type: ...` and
`https://...` look the same but belong to the turn before. Speakers are the first label, labels that end in a word for a
role (`Sales Agent`, `Customer 2`), and labels that come back in different turns. A label that occurs once is a speaker
only if there is no second speaker without it, or if it is a given name among given names. Headers of quoted mails have
no speakers.

Exports of chats have a time beside each name. Then only lines with such a time begin a turn. A text that begins with
the header of a mail, or without a label and quotes a mail, is a thread of mails, in which the senders speak.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from arf_programs.corpus.speakers.chat_exports import StampedTurn, read_export
from arf_programs.corpus.speakers.labels import QUOTED, Label, read_label
from arf_programs.corpus.speakers.mail import find_headers
from arf_programs.corpus.speakers.markup import plain_transcript, refuse_turns_within_lines
from arf_programs.corpus.speakers.named_lines import NamedLine, read_named_lines, refuse_names_without_colon
from arf_programs.corpus.speakers.threads import (
    as_customer_and_agent,
    is_thread,
    name_senders,
    read_thread,
    unify_names,
)
from arf_programs.corpus.speakers.words import NOTICE, SYSTEM, SYSTEMS, TALKING
from arf_programs.text import fold
from signatures.records import Turn
from signatures.showing import write_in_latin


def parse_turns(text: str) -> tuple[Turn, ...]:
    """Split text into turns. Lines without a speaker belong to the turn before.

    Raises ValueError, with a reason for the user, if there is text before the first speaker, or if it cannot be told
    who says a line.
    """
    lines = plain_transcript(text).split("\n")
    headers = find_headers(lines)
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if headers and headers[0].start == first and headers[0].sender and headers[0].is_mail:
        return parse_mails("\n".join(lines))
    quoted = {number for header in headers for number in range(header.start, header.end)}
    read = _read_numbered if _NUMBERED.match(lines[first].strip()) else read_label
    labels = _unquoted([None if number in quoted else read(line) for number, line in enumerate(lines)])
    labels = _in_one_writing(labels)
    begun: Mapping[int, StampedTurn | NamedLine] | None = read_export(lines, labels)
    if begun is None and labels[first] is None:
        if is_thread(lines):
            return parse_mails("\n".join(lines))
        begun = read_named_lines(lines)
    turns = _join(_begun_parts(lines, begun) if begun else _labelled_parts(lines, _without_heading(labels)))
    if len({turn.speaker for turn in turns}) == 1:
        refuse_turns_within_lines(text)
        refuse_names_without_colon(lines, turns[0].speaker)
    return turns


def parse_mails(text: str, *, roles: bool = False, company: Sequence[str] = ()) -> tuple[Turn, ...]:
    """Read a thread of mails: the oldest first, each spoken by its sender.

    With `roles` the speakers are `Customer` and `Agent`; `company` has the domains and addresses of agents. Raises
    ValueError, with a reason for the user, if a sender cannot be told.
    """
    mails = read_thread(text)
    if not mails:
        return ()
    name_senders(mails)
    unify_names(mails)
    subject = next((f"Subject: {mail.subject}\n" for mail in mails if mail.subject), "")
    speakers = as_customer_and_agent(mails, company) if roles else [mail.sender for mail in mails]
    return tuple(
        Turn(speaker=speaker, text=(subject if place == 0 else "") + mail.text)
        for place, (speaker, mail) in enumerate(zip(speakers, mails, strict=True))
    )


_NUMBERED = re.compile(r"(?P<number>\d{4,12})\s?[:：]\s+(?P<text>.*)")
"""A speaker who is only a number, as the accounts of a data set."""


def _read_numbered(line: str) -> Label | None:
    match = _NUMBERED.match(line)
    return Label(match["number"], match["text"], "name") if match else read_label(line)


def _unquoted(labels: list[Label | None]) -> list[Label | None]:
    """Remove names in quotation marks that also occur without marks: there somebody quotes what was said."""
    plain = {label.name for label in labels if label and label.mark != QUOTED}
    return [None if label and label.mark == QUOTED and label.name in plain else label for label in labels]


def _in_one_writing(labels: list[Label | None]) -> list[Label | None]:
    """Write a name in every place as it is written first."""
    names: dict[str, str] = {}
    for label in labels:
        if label:
            names.setdefault(_spoken(label.name), write_in_latin(label.name))
    return [label and replace(label, name=names[_spoken(label.name)]) for label in labels]


def _without_heading(labels: list[Label | None]) -> list[Label | None]:
    """Remove the labels of a heading above the chat, such as `Ticket: 4471`, if at least two speakers follow."""
    given = [label for label in labels if label]
    heading = list(takewhile(lambda label: label.is_heading and not label.is_role, given))
    names = {label.name for label in heading}
    rest = {label.name for label in given[len(heading) :]}
    if not names or len(rest) < 2 or names & rest:
        return labels
    return [None if label and label.name in names else label for label in labels]


_LONGEST_NOTICE = 120
_ALSO_SPEAK = ("symbol", "@", "~", QUOTED)
Part = tuple[str | None, str]
"""The speaker of a line, or None for a line of the turn before, and its text."""


def _join(parts: Iterable[Part]) -> tuple[Turn, ...]:
    turns: list[tuple[str, list[str]]] = []
    for speaker, text in parts:
        if speaker is not None:
            turns.append((speaker, [text]))
        elif turns:
            turns[-1][1].append(text)
        elif text.strip():
            raise ValueError(f"the text begins with {_shown(text)}, not with a `Speaker: ...` line")
    names: dict[str, str] = {}
    for speaker, _ in turns:
        names.setdefault(_spoken(speaker), speaker)
    return tuple(Turn(speaker=names[_spoken(speaker)], text="\n".join(texts).strip()) for speaker, texts in turns)


def _spoken(name: str) -> str:
    """Return what all spellings of a name have in common: `Joe Miller`, `JOE MILLER`, with any white space."""
    return " ".join(write_in_latin(fold(name).text).casefold().split())


def _shown(line: str) -> str:
    short = line.strip()
    return repr(short if len(short) <= 40 else short[:40] + "…")


def _begun_parts(lines: list[str], begun: Mapping[int, StampedTurn | NamedLine]) -> Iterable[Part]:
    for number, line in enumerate(lines):
        turn = begun.get(number)
        yield (turn.speaker, turn.text) if turn else (None, line)


def _labelled_parts(lines: list[str], labels: list[Label | None]) -> Iterable[Part]:
    speakers = _speakers(labels)
    first = next((label for label in labels if label and label.name in speakers), None)
    if first and first.is_person:  # in a talk of people by their names, all such names speak
        speakers |= {label.name for label in labels if label and label.is_person and label.kind == first.kind}
    between_roles = any(label and label.is_role and label.name in speakers for label in labels)
    begun = False
    for line, label in zip(lines, labels, strict=True):
        if label and label.name in speakers:
            yield label.name, label.text
        elif (len(speakers) > 1 and _is_notice(line)) or (not begun and _is_heading(line)):
            yield SYSTEM, line
        elif label and label.kind != "marked" and _may_speak(label, first, between_roles=between_roles):
            raise ValueError(
                f"it cannot be told whether {_shown(line)} begins a turn, since {label.name!r} stands there only once: "
                "write a second turn, a role such as `Agent (Anna)`, or indent what is quoted"
            )
        else:
            yield None, line
        begun = begun or bool(label and label.name in speakers)


def _is_notice(line: str) -> bool:
    return len(line) <= _LONGEST_NOTICE and NOTICE.fullmatch(line.strip()) is not None


def _is_heading(line: str) -> bool:
    label = read_label(line)
    return label is not None and label.is_heading


def _may_speak(label: Label, first: Label | None, *, between_roles: bool) -> bool:
    """Say whether a label that stands there once may be a person. Between roles most are not, unless they talk."""
    if label.is_person:
        return True
    if first is None or not label.may_be_person(first):
        return False
    return not between_roles or TALKING.search(label.text) is not None


def _speakers(labels: list[Label | None]) -> frozenset[str]:
    """Choose the labels that are speakers, by the rule at the top of this file."""
    # "at 5:30" and "Customer:yes" both have no space after the colon. A digit tells them apart.
    every = [label for label in labels if label and not label.text[:1].isdigit()]
    if not every:
        return frozenset()
    first = every[0]
    # Marks are those of lists and of emphasis, unless the first label or a role has them.
    usable = [label for label in every if label.kind != "marked" or label.mark == first.mark or label.is_role]
    sure = {first.name} | {label.name for label in usable if _is_sure(label, first)}
    if len(sure) > 1:
        return frozenset(sure | _in_several_turns(usable, sure))
    others = [label for label in usable if label.name not in sure]
    if others and first.name.casefold() in SYSTEMS:
        # The chat system takes no part in the talk, so two people are looked for beside it.
        first, others = others[0], [label for label in others if label.name != others[0].name]
        sure.add(first.name)
    # Nobody talks alone in several turns: then a name with an emoji before it, or in quotes, is the second speaker.
    others = others or [label for label in every if label.mark in _ALSO_SPEAK and label.name not in sure]
    return frozenset(sure | _second_speakers(others, usable, first))


def _is_sure(label: Label, first: Label) -> bool:
    """Say whether a label is a role.

    With the mark of a list before it, it is one only if the first label has this mark too.
    """
    return label.is_role and label.mark in ("", "symbol", first.mark)


def _second_speakers(others: list[Label], usable: list[Label], first: Label) -> set[str]:
    """Choose the other speakers where only the first is sure: labels that come back, else the next one."""
    times = Counter(label.name for label in others)
    back = {label.name for label in others if times[label.name] > 1 and not label.is_field}
    plain = [label for label in others if label.kind == "plain"] or others
    names = [label.name for label in plain if not label.is_field] or [label.name for label in plain]
    if back:
        return back
    alone = sum(label.name == first.name for label in usable) == 1
    return set(names) if alone else set(names[:1])


def _in_several_turns(labels: list[Label], sure: set[str]) -> set[str]:
    """Find labels that occur in at least two turns of sure speakers, unlike fields listed in one message."""
    turn = 0
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for label in labels:
        if label.name in sure:
            turn += 1
        elif not label.is_field:
            seen[label.name].add(turn)
    return {name for name, turns in seen.items() if len(turns) > 1}
