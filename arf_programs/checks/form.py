"""Four checks of form: copied passages, leftovers of the prompt, length, and repetition."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from arf_programs.checks.finding import WORD, Finding, Material, find_words

LONGEST_COPY: Final = 20
"""Words in a row that a summary may share with a turn. Fewer than 1 in 100 human references of threads share more."""

_LINE: Final = re.compile(r"^[ \t>*_-]*(?P<speaker>[A-Za-z][\w .'-]{0,30}?)[*_]*:[*_]*\s+\S.*$", re.MULTILINE)
_SPEAKERS: Final = frozenset(("customer", "agent", "client", "bot", "representative", "user", "assistant", "caller"))
_LEAST_LINES: Final = 2


def check_copying(material: Material) -> list[Finding]:
    """Report passages of more than `LONGEST_COPY` words that a turn contains, and `Speaker: ...` lines."""
    return [*_dialogue(material), *_copies(material)]


def _dialogue(material: Material) -> list[Finding]:
    """Report the text from the first to the last `Speaker: ...` line if there are two, or the text begins with one."""
    speakers = _SPEAKERS | {turn.speaker.lower() for turn in material.conversation.turns}
    lines = [line for line in _LINE.finditer(material.summary) if line["speaker"].lower() in speakers]
    begins = bool(lines) and not material.summary[: lines[0].start()].strip()
    if len(lines) < _LEAST_LINES and not begins:
        return []
    reason = "The summary retells the conversation as a dialogue instead of summarising it."
    return [Finding("verbatim_copy", lines[0].start(), lines[-1].end(), reason, "major")]


def _copies(material: Material) -> list[Finding]:
    matches = list(WORD.finditer(material.summary))
    plain = find_words(material.summary)
    copies: list[Finding] = []
    for turn, text in enumerate(material.texts, start=1):
        other = find_words(text)
        if len(other) <= LONGEST_COPY:
            continue
        for block in SequenceMatcher(None, plain, other, autojunk=False).get_matching_blocks():
            if block.size > LONGEST_COPY:
                start, end = matches[block.a].start(), matches[block.a + block.size - 1].end()
                reason = f"{block.size} words in a row are copied from turn {turn}."
                copies.append(Finding("verbatim_copy", start, end, reason, "minor", (turn,)))
    return copies


_MARKUP: Final = re.compile(
    r"\[\[\s*##.*?(?:##\s*\]\]|$)|<\|[^|>]*\|>|</?(?:s|summary|think|assistant|user|system)>|```\w*|"
    r"\{\s*\"\w+\"\s*:|\[/?INST\]|^#{1,6} .*$|^\s*#{2,}.*$|\*\*[^*\n]{1,40}\*\*:?|"
    r"\{\w{1,30}\}|\[(?:name|insert|your|customer|agent|company|date|link|number)[^\]\n]{0,30}\]",
    re.IGNORECASE | re.MULTILINE,
)
_PREAMBLE: Final = re.compile(
    r"^\s*(?:(?:sure|certainly|of course|okay|ok|absolutely)[,!.:]\s*)?(?:"
    r"here(?:'s|’s| is| are)\s[^.\n:]{0,60}(?:summary|summarization|overview|rewritten|revised)[^.\n:]{0,60}[:.\n]"
    r"|(?:final |brief |short |concise |conversation |revised |corrected )*(?:summary|summarization|answer|output)\s*:"
    r"|(?:the following is|below is|this is)\s[^.\n:]{0,40}summary[^.\n:]{0,60}[:.\n]"
    r"|(?:sure|certainly|of course)[,!]\s[^\n:]{0,80}:"
    r")",
    re.IGNORECASE,
)
_CHAT: Final = re.compile(
    r"\b(?:as an ai(?: language)? (?:model|assistant)\b|i hope this helps\b|let me know if you\b|i (?:cannot|can't|am "
    r"unable to) summari[sz]e\b|(?:i'm|i am) an ai\b|please provide the (?:conversation|transcript)\b)[^.!?\n]*[.!?]?",
    re.IGNORECASE,
)
_KINDS: Final = (
    (_MARKUP, "Markup or prompt text was left in the summary."),
    (_PREAMBLE, "The summary announces itself instead of beginning."),
    (_CHAT, "The model talks about its task instead of the conversation."),
)


def check_leftovers(material: Material) -> list[Finding]:
    """Report field markers, chat-template tokens, code fences, JSON, headings, placeholders, preambles and chat.

    A placeholder of the conversation itself, such as the `[link]` of an export, is none that a prompt left.
    """
    findings = []
    for pattern, reason in _KINDS:
        for match in pattern.finditer(material.summary):
            text = match.group()
            if text.startswith("[") and text.endswith("]") and any(text in turn for turn in material.texts):
                continue
            start = match.start() + len(text) - len(text.lstrip())
            findings.append(Finding("irrelevant", start, match.start() + len(text.rstrip()), reason, "minor"))
    return findings


MOST_WORDS: Final = 120
"""A summary of at most this many words is never too long."""

MOST_SHARE: Final = 0.6
"""A longer summary is too long if it has more than this share of the conversation's words."""

HARD_LIMIT: Final = 300
"""A summary of more words is always too long."""

_CLOSING: Final = ".!?…\"'”’)]*"
_LEAST_WORDS: Final = 3
_ITEM: Final = re.compile(r"(?:[-*•–]|\d{1,2}[.)])\s")


def check_length(material: Material) -> list[Finding]:
    """Report a summary that is empty, that is too long, or whose last sentence is cut off."""
    count = len(find_words(material.summary))
    if count < _LEAST_WORDS:
        return [Finding("length", 0, len(material.summary.rstrip()), "The summary is empty.", "critical")]
    findings = []
    total = sum(len(find_words(text)) for text in material.texts)
    if count > min(HARD_LIMIT, max(MOST_WORDS, MOST_SHARE * total)):
        start = _beyond(material)
        reason = f"The summary is too long: {count} words."
        findings.append(Finding("length", start, len(material.summary.rstrip()), reason, "major"))
    start, end = material.sentences[-1]
    last = material.summary[start:end]
    if last[-1] not in _CLOSING and not _ends_list(material):
        findings.append(Finding("length", start, end, "The last sentence is cut off or has no full stop.", "minor"))
    return findings


def _ends_list(material: Material) -> bool:
    """Say whether the last sentence is the item of a list in which an earlier item has no full stop either."""
    *others, last = (material.summary[start:end] for start, end in material.sentences)
    return bool(_ITEM.match(last)) and any(_ITEM.match(item) and item[-1] not in _CLOSING for item in others)


def _beyond(material: Material) -> int:
    """Find where the first sentence beyond `MOST_WORDS` begins."""
    for start, end in material.sentences:
        if len(find_words(material.summary[:end])) > MOST_WORDS:
            return start
    return material.sentences[-1][0]


SAME_SHARE: Final = 0.9
"""Sentences are the same if their words agree to this share (difflib's ratio)."""

_LEAST_REPEATED_WORDS: Final = 4
_LOOP: Final = re.compile(
    r"\b(?P<unit>(?:[\w$€£'’.-]+[,;]?\s+){0,7}[\w$€£'’.-]+)(?:[,;]?\s+(?:and\s+)?(?P=unit)\b){2,}", re.IGNORECASE
)


def check_repetition(material: Material) -> list[Finding]:
    """Report sentences with nearly the same words as an earlier one, and phrases three times in a row."""
    return [*_sentences(material), *_loops(material)]


def _sentences(material: Material) -> list[Finding]:
    repeats = []
    earlier: list[list[str]] = []
    for start, end in material.sentences:
        words = find_words(material.summary[start:end])
        if len(words) >= _LEAST_REPEATED_WORDS and any(_same(words, other) for other in earlier):
            reason = "The sentence repeats an earlier one."
            repeats.append(Finding("repetition", start, end, reason, "minor"))
        earlier.append(words)
    return repeats


def _same(one: list[str], other: list[str]) -> bool:
    """Say whether two sentences have the same numbers, and the same words up to `SAME_SHARE`."""
    if _digits(one) != _digits(other):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= SAME_SHARE and matcher.ratio() >= SAME_SHARE


def _digits(words: list[str]) -> list[str]:
    return [word for word in words if any(char.isdigit() for char in word)]


def _loops(material: Material) -> list[Finding]:
    reason = "The same words are repeated in a loop."
    return [
        Finding("repetition", match.start(), match.end(), reason, "major")
        for match in _LOOP.finditer(material.summary)
        if not match["unit"].isdecimal()
    ]
