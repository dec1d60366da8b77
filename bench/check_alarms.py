"""Measure how often each check reports an error in a summary that a person wrote, and what it finds of planted errors.

    python bench/check_alarms.py --data tweetsumm.jsonl --data sales_calls.jsonl --list names

Reads JSONL rows with a conversation and texts that are believed right: `references`, `revised`, and `summary` where
`errors` is []. A row without any gives the turns of its agent instead, each as a text: they stand in the conversation,
so a check of facts must not report anything in them. A person may be wrong too, so read what `--list CHECK` prints. The
texts of one conversation are one cluster of the intervals. Planted errors are values from outside the conversation, and
customer and agent exchanged in a sentence, one in each copy of a text. Prints two tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.run import CHECKS
from arf_programs.config import Kind
from arf_programs.config.schema import ColumnsConfig
from arf_programs.corpus.read import hash_turns
from arf_programs.corpus.turns import read_turns
from arf_programs.metrics.bootstrap import cluster_ratio
from arf_programs.planting.choose import FACT_KINDS, find_changes_of
from signatures.records import Conversation

FACTS = ("codes", "dates", "times", "numbers", "rates", "names", "speakers")
"""The checks that compare a text with the conversation. The others judge its form, or whether it is fit to be shown."""

SPEAKER: Kind = "speaker"
"""The kind of an error in which customer and agent are exchanged. It is not in the row of all planted values."""

OWN_TURNS = "turns"
SUMMARIES = "summaries"


class Text(NamedTuple):
    """A text that is believed right. `kind` is SUMMARIES or OWN_TURNS."""

    conversation: Conversation
    text: str
    kind: str


class Alarm(NamedTuple):
    """A finding of a check in a text that is believed right."""

    check: str
    text: Text
    finding: Finding


class Found(NamedTuple):
    """A planted error, and whether a check of facts reported its place."""

    kind: str
    text: Text
    wrong: str
    hit: bool


def read_texts(path: Path) -> list[Text]:
    """Read the texts of a file. Each text of a conversation counts once."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = [text for row in rows for text in _texts(row)]
    return list({(item.conversation.id, item.text): item for item in texts}.values())


def _texts(row: dict) -> Iterator[Text]:
    turns = read_turns(row["conversation"], ColumnsConfig())
    talk = Conversation(id=hash_turns(turns), turns=turns)
    right = [*(row.get("references") or []), *([row["revised"]] if row.get("revised") else [])]
    if row.get("errors") == [] and row.get("summary"):
        right.append(row["summary"])
    if right:
        yield from (Text(talk, text, SUMMARIES) for text in right if text.strip())
    elif not row.get("summary"):
        yield from (Text(talk, turn.text, OWN_TURNS) for turn in turns if turn.speaker != turns[0].speaker)


def find_alarms(texts: Iterable[Text], checks: Iterable[str]) -> list[Alarm]:
    """Run each check by itself on each text."""
    alarms = []
    for item in texts:
        material = Material.folded(item.conversation, item.text)
        alarms += [Alarm(name, item, finding) for name in checks for finding in CHECKS[name](material)]
    return alarms


def plant(texts: Iterable[Text], per_kind: int = 1) -> list[Found]:
    """Plant values from outside the conversation and exchanged speakers, each in its own copy of a text.

    At most `per_kind` errors of each kind are planted in a text.
    """
    found = []
    for item in texts:
        changes = find_changes_of(Material(item.conversation, item.text), (*FACT_KINDS, SPEAKER), item.text)
        for kind in (*FACT_KINDS, SPEAKER):
            origin = "none" if kind == SPEAKER else "invented"
            outside = [change for change in changes if change.kind == kind and change.origin == origin]
            chosen = Random(item.text).sample(outside, min(per_kind, len(outside)))
            found += [_check(item, kind, change.start, change.end, change.wrong) for change in chosen]
    return found


def _check(item: Text, kind: str, start: int, end: int, wrong: str) -> Found:
    """Put the wrong words in their place, and see whether a check of facts reports the place."""
    text = item.text[:start] + wrong + item.text[end:]
    material = Material.folded(item.conversation, text)
    findings = [finding for name in FACTS for finding in CHECKS[name](material)]
    spans = [(material.writing or material).span(f.start, f.end) for f in findings]  # type: ignore[union-attr]
    return Found(kind, item, wrong, any(a < start + len(wrong) and start < b for a, b in spans))


def alarm_table(name: str, texts: list[Text], alarms: list[Alarm]) -> list[str]:
    """Return the rows of a file: for each check, texts with an alarm, their share and its interval."""
    rows = []
    for check in CHECKS:
        hit = {(alarm.text.conversation.id, alarm.text.text) for alarm in alarms if alarm.check == check}
        if check in FACTS or texts[0].kind == SUMMARIES:
            rows.append(f"| {name} | {check} | {len(hit)} of {len(texts)} | {_share(texts, hit)} |")
    hit = {(alarm.text.conversation.id, alarm.text.text) for alarm in alarms if alarm.check in FACTS}
    return [*rows, f"| {name} | any check of facts | {len(hit)} of {len(texts)} | {_share(texts, hit)} |"]


def _share(texts: list[Text], hit: set[tuple[str, str]]) -> str:
    values = [float((item.conversation.id, item.text) in hit) for item in texts]
    return _interval(values, [item.conversation.id for item in texts])


def _interval(values: list[float], clusters: list[str]) -> str:
    interval = cluster_ratio(values, [1.0] * len(values), clusters)
    return f"{interval.value:.1%} ({interval.low:.1%}-{interval.high:.1%})" if interval else "-"


def recall_table(name: str, found: list[Found]) -> list[str]:
    """Return the rows of a file: for each kind of error, how many were planted, and the share that was found."""
    rows = []
    for kind in (*FACT_KINDS, "all values", SPEAKER):
        of_kind = [item for item in found if item.kind == kind or (kind == "all values" and item.kind != SPEAKER)]
        if of_kind:
            share = _interval([float(item.hit) for item in of_kind], [item.text.conversation.id for item in of_kind])
            rows.append(f"| {name} | {kind} | {len(of_kind)} | {share} |")
    return rows


def main() -> None:
    arguments = parse()
    alarm_rows, recall_rows = [], []
    for path in arguments.data:
        texts = read_texts(path)
        if not texts:
            print(f"{path.name}: no text to check")
            continue
        kind = texts[0].kind
        name = f"{path.stem}, {kind}"
        alarms = find_alarms(texts, FACTS if kind == OWN_TURNS else CHECKS)
        alarm_rows += alarm_table(name, texts, alarms)
        if kind == SUMMARIES:
            found = plant(texts)
            recall_rows += recall_table(name, found)
            for missed in [item for item in found if not item.hit] if arguments.missed else []:
                print(f"MISSED {missed.kind} {missed.wrong!r}: {missed.text.text}")
        for alarm in alarms:
            if alarm.check in arguments.list:
                quote = alarm.text.text if not alarm.finding.end else alarm.finding.explanation
                print(f"ALARM {alarm.check} {quote} | {alarm.text.text}")
                if arguments.conversations:
                    print(alarm.text.conversation.as_numbered_text(), end="\n\n")
    print(
        "\n| texts | check | with an alarm | share (95% interval) |\n| --- | --- | --- | --- |", *alarm_rows, sep="\n"
    )
    if recall_rows:
        print(
            "\n| texts | planted | errors | found (95% interval) |\n| --- | --- | --- | --- |", *recall_rows, sep="\n"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, action="append", required=True, help="a JSONL file; may be repeated")
    parser.add_argument("--list", action="append", default=[], choices=list(CHECKS), help="print the alarms of a check")
    parser.add_argument("--conversations", action="store_true", help="print the conversation with each alarm")
    parser.add_argument("--missed", action="store_true", help="print the planted errors that no check found")
    return parser.parse_args()


if __name__ == "__main__":
    main()
