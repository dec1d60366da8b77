"""Hypothesis strategies that several property tests share."""

from __future__ import annotations

from hypothesis import strategies as st

from signatures.records import Conversation, Turn

# What has broken line-based files and text matching before: line separators of Unicode, control characters, emoji
# outside the first plane, joiners, letters that change their length with their case, and characters of JSON itself.
HOSTILE = "\u2028\u2029\x85\x0b\x0c\x1c\x00\x1f\x7f\r\n\t \u00a0\u200b\u200d\ufeff😀👩İßΣé‘’“”–…\"'\\{}[]:,"

hostile_text = st.text(st.sampled_from(HOSTILE) | st.characters(exclude_categories=["Cs"]), max_size=30)
"""Any text that UTF-8 can carry."""

# Of lists, as `st.text` makes no surrogates.
text_with_surrogates = st.lists(st.sampled_from([*HOSTILE, "\ud800", "\udfff"]) | st.characters(), max_size=30).map(
    "".join
)
"""Any text that Python can hold, lone surrogates too."""

words = st.text("abcdefgh", min_size=1, max_size=6)
"""Plain lower-case words."""

_ENDS = [". ", ". ", "! ", "? ", ".\n", "… ", ".” ", ".\n\n- ", ".\r\n"]
# fmt: off
_PIECES = [
    "Mr. ", "No. 5 ", "e.g. ", "3 p.m. ", "J. R. ", "(why) ", "$45.50 ", "1. ", "the\n", "“so” ", "a  b ", ", and ",
]
# fmt: on


@st.composite
def summaries(draw: st.DrawFn) -> str:
    """Prose of a few sentences, with abbreviations, numbers, quotes, list marks and uneven white space."""
    parts = draw(st.lists(st.tuples(st.lists(words | st.sampled_from(_PIECES), max_size=4), st.sampled_from(_ENDS))))
    return "".join(" ".join(body) + end for body, end in parts[:6])


def conversation(name: str, text: str, channel: str = "chat") -> Conversation:
    """A conversation of one turn."""
    return Conversation(id=name, channel=channel, turns=(Turn(speaker="Customer", text=text),))
