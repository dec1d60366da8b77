"""Mend the chat template of a local model where that is safe, so that a student is asked just as it was trained.

A mend is written into the template itself. It is saved with a student's tokenizer, so training, evaluation, export and
every server use the same template. A template that needs no mend stays as it is, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from signatures.exceptions import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Chat = list[dict[str, str]]

_SYSTEM, _QUESTION, _ANSWER = "Qsystem", "Quser", "Qanswer"  # no template has these words, or changes them
_LIKE_A_TEXT = "Q <b> & \"c\" 'd' {e}\n\n" + "Q " * 10_000 + "Q"  # with all that a template might escape or cut
_PROMPT: Chat = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}]
_WHOLE: Chat = [*_PROMPT, {"role": "assistant", "content": _ANSWER}]
# What the code in a template raises, besides Jinja's own errors.
_OF_TEMPLATES = (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, ValueError, AssertionError)
# Meta's templates say this day where they cannot read a clock.
_DAY, _ANOTHER_DAY = date(2024, 7, 26), date(2001, 12, 3)
_DATE_CODES = ("-d", "-m", "e", *"aAbBcdHIjmMpSuUwWxXyYDFRT")
_NO_SYSTEM = (
    "{% if messages and messages[0]['role'] == 'system' %}"
    "{% if messages | length > 1 and messages[1]['role'] == 'user' %}"
    "{% set messages = [{'role': 'user', 'content': messages[0]['content'] + '\n\n' + messages[1]['content']}]"
    " + messages[2:] %}"
    "{% else %}"
    "{% set messages = [{'role': 'user', 'content': messages[0]['content']}] + messages[1:] %}"
    "{% endif %}{% endif %}"
)
_PARTS = (
    "{% set ours = namespace(messages=[]) %}{% for message in messages %}{% set content = message['content'] %}"
    "{% if content is string %}{% set content = [{'type': 'text', 'text': content}] %}{% endif %}"
    "{% set ours.messages = ours.messages + [{'role': message['role'], 'content': content}] %}"
    "{% endfor %}{% set messages = ours.messages %}"
)
# A prompt is what a whole chat has before its answer: so it is written with an answer, and cut there.
_ANSWER_FOLLOWS = (
    "{% set answer_follows = add_generation_prompt is defined and add_generation_prompt %}"
    "{% set add_generation_prompt = false %}"
    "{% if answer_follows %}"
    f"{{% set messages = messages + [{{'role': 'assistant', 'content': '{_ANSWER}'}}] %}}"
    "{% endif %}{% set written %}"
)
_UP_TO_THE_ANSWER = (
    "{% endset %}{% if answer_follows %}"
    f"{{{{ (written.split('{_ANSWER}')[:-1] | join('{_ANSWER}')).rstrip(' ') }}}}"
    "{% else %}{{ written }}{% endif %}"
)
_END = (
    "{%% if messages[-1]['role'] == 'assistant' %%}{%% set answer = messages[-1]['content'] | trim %%}"
    "{{ (ended.split(answer)[:-1] | join(answer)) + answer + %s }}{%% else %%}{{ ended }}{%% endif %%}"
)


def mend_template(tokenizer: PreTrainedTokenizerBase, stop_ids: Collection[int] = ()) -> tuple[str, ...]:
    """Mend the chat template of `tokenizer` in place, and return a sentence for each mend.

    It mends texts that are read as lists of parts alone, a system text that is refused or left out, today's date, and a
    prompt that is not the text before an answer in training, where there may be an empty think block. Where `stop_ids`
    are given, it also mends an answer without a stop token, or with a text before that token. What is still wrong
    afterwards is found when a prompt is rendered.
    """
    notes = []
    for mend in (_mend_parts, _mend_system, _mend_date, _mend_header, lambda it: _mend_end(it, stop_ids)):
        before = default_template(tokenizer)
        if before is None:
            break
        wanted = mend(tokenizer)
        if wanted is not None:
            template, note = wanted
            _set_template(tokenizer, template)
            if _is_sound(tokenizer):
                notes.append(note)
            else:
                _set_template(tokenizer, before)
    return tuple(notes)


def default_template(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the template for chats without tools; None where the tokenizer has none."""
    template: Any = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) and template.strip() else None


def render_text(tokenizer: PreTrainedTokenizerBase, messages: Chat, *, for_answer: bool) -> str:
    """Render a chat as the model reads it; `for_answer` appends what precedes an answer.

    Raises ValueError, with the words of the template, when it refuses the messages or is broken.
    """
    import jinja2

    try:
        return str(tokenizer.apply_chat_template(messages, add_generation_prompt=for_answer, tokenize=False))
    except (jinja2.TemplateError, *_OF_TEMPLATES) as error:
        raise ValueError(
            f"the chat template cannot write these messages: {str(error) or type(error).__name__}"
        ) from error


def refuse_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise DataError for a tokenizer whose template is missing or cannot write the messages of a summary."""
    if default_template(tokenizer) is None:
        raise DataError("The tokenizer of the base model has no chat template: choose an instruction-tuned base.")
    try:
        whole = render_text(tokenizer, _WHOLE, for_answer=False)
    except ValueError as error:
        raise DataError(f"The base model cannot be trained: {error}: choose another instruction-tuned base.") from None
    if not _is_sound(tokenizer):
        raise DataError(
            "The chat template of the base model leaves out or changes the instruction or the conversation: choose "
            "another instruction-tuned base."
        )
    if _ANSWER not in whole:
        raise DataError(
            "The chat template of the base model leaves out or changes the answer: choose another instruction-tuned "
            "base."
        )


def _render(tokenizer: PreTrainedTokenizerBase, messages: Chat, *, for_answer: bool = False) -> str | None:
    try:
        return render_text(tokenizer, messages, for_answer=for_answer)
    except ValueError:
        return None


def _is_sound(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the texts of system and user stand in a prompt as they are, and with the answer in a whole chat."""
    prompt, whole = _render(tokenizer, _PROMPT, for_answer=True), _render(tokenizer, _WHOLE)
    if not all(text is not None and _SYSTEM in text and _QUESTION in text for text in (prompt, whole)):
        return False
    shown = _render(tokenizer, [{**message, "content": _LIKE_A_TEXT} for message in _PROMPT], for_answer=True)
    return shown is not None and shown.count(_LIKE_A_TEXT) >= len(_PROMPT)


def _set_template(tokenizer: PreTrainedTokenizerBase, template: str) -> None:
    several: Any = tokenizer.chat_template
    # A template for tools is left as it is: no question of ours uses tools.
    tokenizer.chat_template = {**several, "default": template} if isinstance(several, dict) else template


def _mend_parts(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str] | None:
    if _is_sound(tokenizer):
        return None
    return _PARTS + _template(tokenizer), "it reads a text as a list of parts alone: each text now is such a list"


def _mend_system(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str] | None:
    if _is_sound(tokenizer):
        return None
    how = "leaves the system text out" if _render(tokenizer, _WHOLE) else "refuses a system text"
    return _NO_SYSTEM + _template(tokenizer), f"it {how}: that text now stands at the beginning of the user's turn"


def _mend_date(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str] | None:
    template = default_template(tokenizer) or ""
    shown = []
    for day in (_DAY, _ANOTHER_DAY):
        _set_template(tokenizer, _clock(day) + template)
        shown.append((_render(tokenizer, _PROMPT, for_answer=True), _render(tokenizer, _WHOLE)))
    _set_template(tokenizer, template)
    if shown[0] == shown[1]:
        return None
    return _clock(_DAY) + template, f"it writes today's date: the date is now always {_DAY:%d %b %Y}"


def _clock(day: date) -> str:
    """Return a macro that takes the place of `strftime_now`, and always says `day`, at midnight."""
    replaced = "".join(f" | replace('%{code}', {json.dumps(day.strftime(f'%{code}'))})" for code in _DATE_CODES)
    return f"{{% macro strftime_now(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}"


def _mend_header(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str] | None:
    """Let a prompt be the very text that precedes an answer in training."""
    asked, whole = _render(tokenizer, _PROMPT, for_answer=True), _render(tokenizer, _WHOLE)
    if asked is None or whole is None or _ANSWER not in whole:
        return None
    trained = whole.rpartition(_ANSWER)[0]
    # Space at the end is left to the model: tokens of a word often begin with it.
    is_same = trained.startswith(asked) and not trained[len(asked) :].strip()
    if is_same and _tokens(tokenizer, whole)[: len(_tokens(tokenizer, asked))] == _tokens(tokenizer, asked):
        return None
    header = trained.rpartition(_QUESTION)[2].rstrip(" ")
    mended = _ANSWER_FOLLOWS + _template(tokenizer) + _UP_TO_THE_ANSWER
    return mended, f"its prompts did not end with the text before an answer in training: they now end with {header!r}"


def _mend_end(tokenizer: PreTrainedTokenizerBase, stop_ids: Collection[int]) -> tuple[str, str] | None:
    whole = _render(tokenizer, _WHOLE)
    if whole is None or _ANSWER not in whole or not stop_ids:
        return None
    after = whole.rpartition(_ANSWER)[2]
    stops = said_after(tokenizer, after, stop_ids) is not None
    words = _said(tokenizer, _tokens(tokenizer, after))
    if stops and not words:
        return None
    end: Any = tokenizer.convert_ids_to_tokens(
        tokenizer.eos_token_id if tokenizer.eos_token_id in stop_ids else min(stop_ids)
    )
    how = f"writes {words!r} after an answer" if stops else "ends an answer without a stop token"
    mended = f"{{% set ended %}}{_template(tokenizer)}{{% endset %}}{_END % json.dumps(end, ensure_ascii=False)}"
    return mended, f"it {how}: {end} now follows an answer"


def said_after(tokenizer: PreTrainedTokenizerBase, text: str, stop_ids: Collection[int]) -> str | None:
    """Return what a student says from its answer, which `text` follows, to a stop token; None without that token."""
    ids = _tokens(tokenizer, text)
    end = next((place for place, token in enumerate(ids) if token in stop_ids), None)
    return None if end is None else _said(tokenizer, ids[:end])


def _said(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    said: Any = tokenizer.decode(ids, skip_special_tokens=True)
    return str(said).strip()


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def _template(tokenizer: PreTrainedTokenizerBase) -> str:
    """The present template without a line break at its end, which Jinja leaves out as well."""
    return (default_template(tokenizer) or "").removesuffix("\n")
