"""Tell the answer of a reasoning model from its reasoning, where both stand in one text.

Models mark their reasoning in several ways: `<think>...</think>` (DeepSeek R1, Qwen), `[THINK]` (Magistral),
`<|START_THINKING|>` (Cohere), `<|begin_of_thought|>`, and the channels of gpt-oss. A chat template may write the
opening mark itself, so an answer may have the closing mark alone.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = (
    r"(?:\w+[:_])?(?:think|thinking|thoughts?|reason|reasoning|reflection|scratchpad|analysis|"
    r"(?:thought|thinking|reasoning)[ _-](?:process|scratchpad|steps)|cot|chain[_-]of[_-]thought|"
    r"(?:inner|internal)[_-](?:monologue|thoughts?)|deliberation|details)"
)
_SPECIAL: Final = r"thinking|think|thought|reasoning"
_MARK: Final = re.compile(
    rf"[<◁]\s*{_NAME}\s*/\s*[>▷]|(?P<open>[<◁]\s*{_NAME}(?:\s[^<>\n]*)?[>▷]|(?-i:\[THINK(?:ING)?\])|"
    rf"<\|(?:begin_of_|start_)?(?:{_SPECIAL})(?:_start)?\|>|<\|channel>thought)|<channel\|>"
    rf"|[<◁]\s*/\s*{_NAME}\s*[>▷]|(?-i:\[/THINK(?:ING)?\])|<\|(?:/|end_of_|end_)(?:{_SPECIAL})\|>|<\|(?:{_SPECIAL})_end\|>",
    re.IGNORECASE,
)
_OPENED: Final = re.compile(
    r"\s*<(?:(?P<tag>answer|final|final_answer|output|response|solution|summary)|\|begin_of_solution\||\|START_RESPONSE\|)>\s*",
    re.IGNORECASE,
)
_CLOSED: Final = r"</{}>|<\|end_of_solution\|>|<\|END_RESPONSE\|>"
# Words and tokens with which some models go from their reasoning to the answer (Apriel, Granite, Gemma, Solar).
_TURNED: Final = re.compile(
    r"\[BEGIN FINAL RESPONSE\]|^[ \t]*Here is my (?:thought process|reasoning)\b.*?^Here is my (?:response|answer):|"
    r"\A\s*Thinking\.\.\..*?^\.\.\.done thinking\.$|<unused95>|"
    r"<\|think\|>.*?<\|end\|>(?:<\|begin\|>assistant)?<\|content\|>|"
    r"<\|im_start\|>think\b.*?<\|im_start\|>answer\b",
    re.DOTALL | re.MULTILINE,
)
_END_OF_TURNED: Final = re.compile(r"\[END FINAL RESPONSE\]|<\|(?:im_)?end\|>")
_END_OF_LINE: Final = re.compile(r"[ \t\r]*(?:\n|\Z)")
# The channels of gpt-oss, and what is left of them when a server drops the special tokens.
_CHANNEL: Final = re.compile(r"<\|(?:channel|start)\|>")
_FINAL: Final = re.compile(r"<\|channel\|>\s{0,9}final\b(?:(?!<\|message\|>).){0,99}<\|message\|>", re.DOTALL)
_END_OF_FINAL: Final = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_BARE_ANALYSIS: Final = "analysis"
_BARE_REASONING: Final = re.compile(r"\s*analysis(?=[A-Z])")
_BARE_FINAL: Final = "assistantfinal"


def answer_span(text: str, prompt: str = "") -> tuple[int, int] | None:
    """Return where the answer begins and ends in `text`; None if there is only reasoning.

    All before the last closing mark is reasoning, and so is all after an opening mark without a closing one. Tags
    around the whole answer, such as `<answer>`, are no part of it. If `prompt` has such marks too, an answer may quote
    them. Then only marks count that open the text or fill an end of a line.
    """
    prompt = prompt.replace("< |", "<|")  # as the conversation has it (`hide_marks`)
    channels = _span_of_channels(text, prompt)
    if channels is None:
        return None
    begin, end = _span_behind_turn(text, prompt, *channels)
    start = _start_after_marks(text[begin:end], quotes_marks=_MARK.search(prompt) is not None)
    if start is None:
        return None
    return _within_tags(text, begin + start, end)


def _span_behind_turn(text: str, prompt: str, begin: int, end: int) -> tuple[int, int]:
    """Return the span behind words that turn to the answer, unless the prompt has them too."""
    turned = [] if _TURNED.search(prompt) else list(_TURNED.finditer(text, begin, end))
    if not turned:
        return begin, end
    closing = _END_OF_TURNED.search(text, turned[-1].end(), end)
    return turned[-1].end(), closing.start() if closing else end


def _within_tags(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return the span without the tags around it, if they hold anything. The end may be the server's stop."""
    opened = _OPENED.match(text, begin, end)
    if opened is None:
        return begin, end
    closing = list(re.compile(_CLOSED.format(opened["tag"]), re.IGNORECASE).finditer(text, opened.end(), end))
    if closing and text[closing[-1].end() : end].strip():
        return begin, end
    inside = text[opened.end() : closing[-1].start() if closing else end].rstrip()
    return (opened.end(), opened.end() + len(inside)) if inside else (begin, end)


def _span_of_channels(text: str, prompt: str) -> tuple[int, int] | None:
    has_channels = _CHANNEL.search(text) is not None
    if has_channels and (_CHANNEL.match(text.lstrip()) or not _CHANNEL.search(prompt)):
        finals = list(_FINAL.finditer(text))
        if not finals:
            return None
        begin = finals[-1].end()
        end = _END_OF_FINAL.search(text, begin)
        return begin, end.start() if end else len(text)
    if text.lstrip().startswith(_BARE_ANALYSIS):
        place = text.rfind(_BARE_FINAL)
        if place >= 0:
            return place + len(_BARE_FINAL), len(text)
        if _BARE_REASONING.match(text):
            return None
    return 0, len(text)


def _start_after_marks(text: str, *, quotes_marks: bool) -> int | None:
    marks = list(_MARK.finditer(text))
    closing = [mark for mark in marks if not mark["open"]]
    if quotes_marks:
        opens = _opens(text, marks)
        closing = [mark for mark in closing if _fills_an_end(text, mark)] or (closing if opens else [])
        return closing[-1].end() if closing else None if opens else 0
    start = closing[-1].end() if closing else 0
    return None if any(mark["open"] and mark.start() >= start for mark in marks) else start


def _opens(text: str, marks: list[re.Match[str]]) -> bool:
    """Return whether the text begins with an opening mark."""
    return bool(marks and marks[0]["open"] and not text[: marks[0].start()].strip())


def _fills_an_end(text: str, mark: re.Match[str]) -> bool:
    """Return whether nothing else stands before a mark in its line, or nothing after it."""
    begin = mark.start()
    while begin and text[begin - 1] in " \t\r":
        begin -= 1
    return not begin or text[begin - 1] == "\n" or _END_OF_LINE.match(text, mark.end()) is not None
