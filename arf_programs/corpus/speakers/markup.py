"""Transcripts in the mark-up of captions, chat templates and web pages, as lines of `Speaker: ...`."""

from __future__ import annotations

import re
from textwrap import dedent

from arf_programs.corpus.speakers.words import ROLE

_CUE = re.compile(r"(?:^\d+[ \t]*\n)?^(?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3}[ \t]+-->[ \t]+.*\n?", re.MULTILINE)
_CAPTIONS = re.compile(r"\A\s*WEBVTT\b[^\n]*\n(?:(?!\n)[^\n]*\n)*|^NOTE\b.*\n?", re.MULTILINE)
_VOICE = re.compile(r"<v(?:\.[\w.]+)?[ \t]+([^<>\n]{1,60})>|</v>")

_TEMPLATE = re.compile(r"\s*(?:<s>\s*)?(?:<\|\w+\|>|<start_of_turn>|\[INST\]|<[｜|][^<>\n]{1,20}[｜|]>)")
_OPENING = re.compile(
    r"(?:<\|im_start\|>|<start_of_turn>|<\|start\|>|<\|start_header_id\|>|<\|header_start\|>|<\|role_start\|>)\s*"
    r"(?P<role>\w+)(?:<\|end_header_id\|>|<\|header_end\|>|<\|role_end\|>|<\|message\|>)?\s*"
    r"|<[|｜](?P<named>user|assistant|system|human|model|tool)[|｜]>\s*",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(r"(?:<s>\s*)?\[INST\]\s*(.*?)\s*\[/INST\]", re.DOTALL)
_SYSTEM = re.compile(r"\s*<<SYS>>.*?<</SYS>>\s*", re.DOTALL)
_CLOSING = re.compile(r"\s*(?:<[|｜][\w▁ ]{1,30}[|｜]>|<end_of_turn>|<bos>|<eos>|</?s>)[ \t]*")

_NUMBERED = re.compile(
    r"^(?:turn|message|utterance)\s*#?\d+\s*(?:[-–—.:)|]+\s*(?=[^\s:]+\s?:)|\((?P<name>[^()\n]+)\)(?=\s?:))",
    re.I | re.M,
)
_BREAK = re.compile(
    r"(?:(?<!\s)\s+)?(?:<br\s*/?>|</(?:p|div|li|tr|h\d)>|<(?:p|div|li|tr|h\d)(?:\s[^<>]*)?>)\s*", re.IGNORECASE
)
_TIME_RANGE = re.compile(r"^([^\n:(]{1,60}\(\d+(?::\d\d){1,2})\s?[-–]\s?\d+(?::\d\d){1,2}(?=\)\s?:)", re.MULTILINE)
_WRITTEN_OUT = re.compile(r"(?:\\r)?\\n")
_INLINE = re.compile(r"</?(?:b|i|u|em|strong|span|font|a|ul|ol|table|tbody|td|th)(?:\s[^<>]*)?>", re.IGNORECASE)
_ENTITIES = {"&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&amp;": "&"}
_ELEMENT = re.compile(r"^[ \t]*<(?P<tag>[a-z]\w*)(?:\s[^<>]*)?>(?P<text>.*?)</(?P=tag)>[ \t]*$", re.I | re.M | re.S)
_WITHIN = re.compile(r"(?:^|[\s|/;>])(?P<label>[^\W\d_]+)(?: \d+)?[:：]\s", re.IGNORECASE)


def plain_transcript(text: str) -> str:
    """Write a transcript with mark-up as lines of `Speaker: ...`. Any other text is returned as it is."""
    start = text.lstrip()
    if " --> " in text and _CUE.search(text):
        return _VOICE.sub(lambda voice: f"{voice[1]}: " if voice[1] else "", _CUE.sub("", _CAPTIONS.sub("", text)))
    if start.startswith(("<|", "<s>", "[INST]", "<start_of_turn>", "<bos>", "<｜")) and _TEMPLATE.match(start):
        return _without_template(start)
    if start.startswith("<") and (elements := _elements(text)):
        return elements
    if _INLINE.match(start):
        text = _INLINE.sub("", text)
    if "\n" not in start.rstrip() or _BREAK.match(start):
        return _in_lines(start)
    if re.match(r"(?:[ \t]*\n)*[ \t]", text):  # all of it may be indented
        text = dedent(text)
    text = _TIME_RANGE.sub(r"\1", text)
    return _NUMBERED.sub(lambda turn: f"{turn['name'] or ''}", text) if _NUMBERED.match(start) else text


def refuse_turns_within_lines(text: str) -> None:
    """Raise ValueError if labels of different roles stand in the middle of a line, in a text with one speaker."""
    labels = [match["label"] for match in _WITHIN.finditer(text) if ROLE.fullmatch(match["label"])]
    if len({label.casefold() for label in labels}) > 1:
        raise ValueError(
            f"the speakers {' and '.join(repr(label) for label in dict.fromkeys(labels))} stand within one line: "
            "begin each turn on a line of its own"
        )


def _without_template(text: str) -> str:
    text = _SYSTEM.sub("", text)
    text = _INSTRUCTION.sub(r"\nUser: \1\nAssistant: ", text)
    text = _OPENING.sub(lambda mark: f"\n{(mark['role'] or mark['named']).capitalize()}: ", text)
    return _CLOSING.sub("\n", text)


def _elements(text: str) -> str:
    """Return `<customer>hi</customer>` as `customer: hi`, if the text is made of such elements of roles."""
    elements = list(_ELEMENT.finditer(text))
    is_role = len(elements) > 1 and all(ROLE.fullmatch(element["tag"]) for element in elements)
    if not is_role or _ELEMENT.sub("", text).strip():
        return ""
    return "\n".join(f"{element['tag']}: {element['text'].strip()}" for element in elements)


def _in_lines(text: str) -> str:
    """Split the one line of a text where a web page or an export has written its line ends as something else."""
    if _BREAK.search(text):
        for entity, character in _ENTITIES.items():
            text = text.replace(entity, character)
        return re.sub(r"\n{3,}", "\n\n", _INLINE.sub("", _BREAK.sub("\n", text))).strip("\n")
    return _WRITTEN_OUT.sub("\n", text)
