"""Reading codes: order numbers, references, models, versions; and the check that the conversation has them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks.finding import Finding, Material

_CODE: Final = re.compile(
    r"(?<![\w@#/.])#?(?=[\w./_-]*\d)(?:[A-Za-z]+[-_/.]?\d|\d+[-_/.]?[A-Za-z]|\d+[-_]\d|\d+\.\d+\.\d)[\w]*(?:[-_/.]\w+)*"
)
_UNIT: Final = re.compile(
    r"\d+(?:[.,]\d+)?-?(?:st|nd|rd|th|s|am|pm|a\.m|p\.m|h|hr|hrs|hours?|min|mins|minutes?|sec|secs|days?|weeks?|months?|"
    r"years?|k|m|mm|cm|km|g|kg|mg|lb|lbs|oz|l|ml|kb|mb|gb|tb|mbps|gbps|ft|in|inch|x|w|kw|kwh|v|p|c|f|eur|usd|gbp|euros?|"
    r"dollars?|pounds?|way|star|year-old|minutes?-\w+|hours?-\w+|days?-\w+)\.?",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"\d{1,3}(?:\.\d+)?-\d{1,3}(?:\.\d+)?|\d+(?:\.\d+)?-?(?:to-)?\d*-?[a-z]+", re.IGNORECASE)
_GROUPS: Final = re.compile(r"(?<![\w.,])\+?\(?\d{2,}\)?(?:[ -]\(?\d{2,}\)?)+(?![\w])")
_LONG: Final = 7


class Code(NamedTuple):
    """A code at `start:end`; `key` is it in lower case without punctuation."""

    key: str
    start: int
    end: int


def codes(text: str) -> list[Code]:
    """The codes in `text`: letters and digits mixed, versions, and digits in groups; no plain numbers or measures."""
    found = []
    for match in _CODE.finditer(text):
        code = match.group().rstrip(".-_/")
        measure = _UNIT.fullmatch(code) or _RANGE.fullmatch(code) or "/" in code
        if len(squeeze(code)) > 2 and not measure:
            found.append(Code(squeeze(code), match.start(), match.start() + len(code)))
    for match in _GROUPS.finditer(text):
        overlaps = any(match.start() < code.end and code.start < match.end() for code in found)
        if len(squeeze(match.group())) >= _LONG and not overlaps:
            found.append(Code(squeeze(match.group()), match.start(), match.end()))
    return sorted(found, key=lambda code: code.start)


def squeeze(text: str) -> str:
    """`text` in lower case with nothing but letters and digits, so that "KD-77 120" equals "kd77120"."""
    return "".join(char for char in text.lower() if char.isalnum())


def check_codes(material: Material) -> list[Finding]:
    """Codes of the summary that no turn of the conversation contains, however it spaces or hyphenates them."""
    said = [squeeze(turn.text) for turn in material.conversation.turns]
    having = {turn for turn, text in enumerate(material.conversation.turns, start=1) if codes(text.text)}
    findings = []
    for code in codes(material.summary):
        if any(code.key in text for text in said):
            continue
        quote = material.summary[code.start : code.end]
        evidence = material.nearest_turns(having, code.start)
        category = "wrong_fact" if evidence else "fabricated"
        reason = f'The conversation does not contain the code "{quote}".'
        findings.append(Finding(category, code.start, code.end, reason, "major", evidence))
    return findings
