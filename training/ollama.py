"""Write a Modelfile, from which `ollama create` makes a model that is asked just as the student was trained.

A student knows one form of prompt: a system text, the user's text, and its answer. So the chat template is rendered
once with a mark for each of them, and the Modelfile's TEMPLATE is the text between the marks, letter by letter. The
format: https://docs.ollama.com/modelfile; TEMPLATE is a Go template (https://pkg.go.dev/text/template).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from arf_programs.models import render_text
from arf_programs.text import build_user_text
from signatures.exceptions import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODELFILE = "Modelfile"
_MARKS = ("Qsystem", "Quser", "Qanswer")
# Texts that a template may treat otherwise than the marks: braces, quotes, line breaks, other letters.
_PROBES = ('Say {{ what }} "happened".\n\n- In a list', "Conversation:\nAnna: 3 > 2 & <b>?\nBen: früh {% x %}.")


@dataclass(frozen=True)
class Form:
    """The text before the system text, before the user's text, before the answer, and after it."""

    before_system: str
    before_user: str
    before_answer: str
    after_answer: str

    def prompt(self, system: str, user: str) -> str:
        """The prompt as the model reads it."""
        return self.before_system + system + self.before_user + user + self.before_answer


def write_modelfile(tokenizer: PreTrainedTokenizerBase, instruction: str, *, context: int, answer: int) -> str:
    """Write the Modelfile that stands beside a merged student.

    `instruction` is the system text, `context` the tokens of a prompt with its answer, `answer` those of the answer.
    Raises DataError for a chat template that changes the three texts, or does more than to put fixed texts between
    them. It is also raised for a text that a Modelfile cannot hold.
    """
    form = read_form(tokenizer)
    end = tokenizer.eos_token
    request = build_user_text("<the conversation>").replace("\n", "\n#   ")
    template = (
        f"{_literal(_without_bos(tokenizer, form.before_system))}{{{{ .System }}}}{_literal(form.before_user)}"
        f"{{{{ .Prompt }}}}{_literal(form.before_answer)}{{{{ .Response }}}}{_literal(form.after_answer)}"
    )
    return f"""# A student of ARF. In this folder: ollama create my-student -f {MODELFILE}
# Each question is a conversation in this form:
#   {request}
FROM .
TEMPLATE {_quoted(template)}
SYSTEM {_quoted(instruction)}
PARAMETER temperature 0
PARAMETER num_ctx {context}
PARAMETER num_predict {answer}
""" + (f"PARAMETER stop {_quoted(str(end))}\n" if end else "")


def read_form(tokenizer: PreTrainedTokenizerBase) -> Form:
    """Read the texts between system, user and answer. Raises DataError for a template of another form."""
    form = _form(tokenizer)
    if form is None or form.prompt(*_PROBES) != _asked(tokenizer, *_PROBES):
        raise DataError(
            "The chat template of the student does more than to put text around system, user and answer, so no "
            "Modelfile can be written: export it without --ollama, and convert it by the tools of llama.cpp."
        )
    return form


def _form(tokenizer: PreTrainedTokenizerBase) -> Form | None:
    system, user, answer = _MARKS
    asked = _asked(tokenizer, system, user)
    roles = ("system", "user", "assistant")
    messages = [{"role": role, "content": text} for role, text in zip(roles, _MARKS, strict=True)]
    whole = render_text(tokenizer, messages, for_answer=False)
    if any(text.count(mark) != 1 for mark in (system, user) for text in (asked, whole)) or whole.count(answer) != 1:
        return None
    before_system, rest = asked.split(system)
    if user not in rest:
        return None
    before_user, before_answer = rest.split(user)
    return Form(before_system, before_user, before_answer, whole.split(answer)[1])


def _asked(tokenizer: PreTrainedTokenizerBase, system: str, user: str) -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return render_text(tokenizer, messages, for_answer=True)


def _without_bos(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Remove the token that begins every text if the tokenizer adds it by itself, since Ollama then adds it too."""
    bos = tokenizer.bos_token
    added = bos and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(str(bos)) if added else text


def _literal(text: str) -> str:
    """Write a text so that a Go template gives it back."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    """Quote a value of a Modelfile, which has no escapes."""
    if '"""' in text or text.endswith('"'):
        raise DataError('A Modelfile cannot hold a text with """ or with a quotation mark at its end: change it.')
    return f'"""{text}"""'
