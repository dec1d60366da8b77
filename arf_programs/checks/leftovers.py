"""The check of form: prompt text, markup and talk about the task that a model left in its summary."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.checks.finding import Finding, Material

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
    """Field markers, chat-template tokens, code fences, JSON, headings, placeholders, preambles and assistant talk."""
    findings = []
    for pattern, reason in _KINDS:
        for match in pattern.finditer(material.summary):
            text = match.group()
            start = match.start() + len(text) - len(text.lstrip())
            findings.append(Finding("irrelevant", start, match.start() + len(text.rstrip()), reason, "minor"))
    return findings
