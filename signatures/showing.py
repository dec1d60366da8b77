"""How texts of customers are shown in prompts: nothing in them passes for a field, a turn or a control token.

A tokenizer reads the control tokens of a chat template, such as `<|im_end|>` or `</s>`, wherever they stand. So a
customer could end the user's message and write the answer. Letters of other scripts that look like Latin ones are read
as those.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_MARK = re.compile(r"\[{2,}(?=\s*#)")
_CONTROL = re.compile(
    r"<(?=[|｜])|<(?=</?SYS>>)|<(?=/think>)|"
    r"<(?=/?(?:s|bos|eos|pad|unk|mask|cls|sep|(?:start|end)_of_turn|(?:start|end)_of_image|tool_call|tool_response|"
    r"tools?|img|image|audio|video|sop|eop|eod|(?:extra_id|unused|reserved)_?\d{0,4})>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|IMG|IMG_BREAK|"
    r"IMG_END|CLS|SEP|MASK|PAD|UNK|BOS|EOS|[gs]MASK|unused\d{1,4})\])"
)
_LINE = re.compile("(?<=[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029])[^\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]+")
_NUMBER = re.compile(r"\s*(?:\[\s*\d+\s*\]|turn\s*#?\s*\d+\b)", re.IGNORECASE)
_TURN = re.compile(r"\s*\[\s*\d+\s*\][^:\n]{1,60}:")
_HEADING = re.compile(
    r"\s*(?:Conversation:|Sentence of the summary:|Write the summary of this conversation\.|"
    r"Does the conversation support)",
    re.IGNORECASE,
)
# Names of speakers that no conversation needs to have: a prompt of another kind, or a customer, begins turns with them.
_ROLES = (
    "admin|adviser|advisor|agent|AI|assistant|bot|chatbot|client|customer|human|manager|model|moderator|operator|rep|"
    "representative|supervisor|support|system|user"
)
# A name in brackets, a number or a time of day after the name: `Agent (Anna):`, `Agent 2:`, `Agent, 10:32 am:`.
_AFTER_NAME = r"(?:\s*\([^()\n]{1,40}\))?[\s*_)\]>]*(?:[\s*_(\[<,#-]*\d{1,4}(?::\d\d){0,2}(?:\s?[ap]m)?[\s*_)\]>]*)?"


def show_text(text: str) -> str:
    """Write a text without marks (`hide_marks`). A line that looks like a numbered turn gets "> "."""
    return _LINE.sub(lambda line: _quoted(line.group(), _TURN), f"\n{hide_marks(text)}")[1:]


def hide_marks(text: str) -> str:
    """Write `[[ ##`, which opens a field, as `[ ##`, and put a space into a control token: `< |im_end|>`."""
    return _CONTROL.sub(r"\g<0> ", _MARK.sub("[", text))


def show_turn(speaker: str, text: str, speakers: Iterable[str]) -> str:
    """Write a turn as `Speaker: text`. A later line that looks like a turn, of whomever, or a heading gets "> "."""
    name = hide_marks(" ".join(speaker.split()) if len(speaker.splitlines()) > 1 else speaker)
    shown = hide_marks(text)
    if len(shown.splitlines()) > 1:
        names = "|".join(re.escape(_plain(other)) for other in sorted(set(speakers)))
        starts = re.compile(rf"[\W\d_]*(?:{names}|{_ROLES}){_AFTER_NAME}:", re.IGNORECASE)
        shown = _LINE.sub(lambda line: _quoted(line.group(), _NUMBER, _HEADING, starts), shown)
    return f"{name}: {shown}"


def _quoted(line: str, *patterns: re.Pattern[str]) -> str:
    return f"> {line}" if any(pattern.match(_plain(line)) for pattern in patterns) else line


def _plain(text: str) -> str:
    """Return the text as it looks: full-width characters made plain, invisible ones left out, look-alikes in Latin."""
    if text.isascii():
        return text
    shown = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return write_in_latin(shown)


_LETTERS: Final = re.compile(r"[^\W\d_]+")
_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁһԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧνορυα", "ABESIJKMHOPCTYXaesijopcyxdhqwlABEZHIKMNOPTYXvopua"
)


def write_in_latin(text: str) -> str:
    """Write a word that mixes Latin letters with Cyrillic or Greek ones in Latin letters alone, as it looks.

    Nobody means such a word: `Сustomer` with a Cyrillic first letter is `Customer`.
    """
    return text if text.isascii() else _LETTERS.sub(_in_latin, text)


def _in_latin(word: re.Match[str]) -> str:
    return word.group().translate(_LATIN) if re.search("[A-Za-z]", word.group()) else word.group()
