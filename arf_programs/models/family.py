"""Model families: a judge rates text of its own family higher than people do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from arf_programs.config.schema import Config

# The first that matches a part of the model's name; text is called by whoever trained it, whoever serves it.
_FAMILIES: tuple[tuple[str, str], ...] = (
    ("gpt", r"gpt|chatgpt|davinci|\bo[1-9]\b"),
    ("claude", r"claude"),
    ("gemini", r"gemini|gemma|palm"),
    ("smollm", r"smollm"),
    ("llama", r"llama|vicuna|alpaca"),
    ("mistral", r"mistral|mixtral|ministral|codestral|magistral"),
    ("qwen", r"qwen|qwq"),
    ("deepseek", r"deepseek"),
    ("phi", r"\bphi\b|phi-?[1-9]"),
    ("command", r"command-|\bcommand\b|cohere|aya"),
    ("nova", r"\bnova\b|amazon\.titan"),
    ("grok", r"grok"),
    ("glm", r"\bglm|chatglm"),
    ("granite", r"granite"),
)
# Servers whose own name would be taken for that of a family.
_SERVERS = re.compile(r"^(ollama_chat|ollama|llamafile|llama_cpp)/")


def family(model: str) -> str:
    """The family of a LiteLLM model string, a hub id or a path; its own name in lower case where none is known.

    Empty for a scripted model, which plays anybody.
    """
    if model.startswith("scripted/"):
        return ""
    name = _SERVERS.sub("", model).lower()
    return next((known for known, pattern in _FAMILIES if re.search(pattern, name)), name)


def judge_notes(config: Config) -> list[str]:
    """Why the judge's ratings may favour a system; empty if it is asked nothing, or shares no family.

    Panickssery et al. 2024 (arXiv 2404.13076): models rate what they wrote themselves higher.
    """
    if not config.evaluate.judge:
        return []
    judge = config.models.judge.model
    others = (("the editor", config.models.editor.model), ("the student's base", config.train.base))
    own = family(judge)
    shared = [f"{who} ({model})" for who, model in others if own and family(model) == own]
    return [_note(judge, shared)] if shared else []


def _note(judge: str, shared: Iterable[str]) -> str:
    return (
        f"models.judge: {judge} is of the same family as {' and '.join(shared)}, and models favour text of their own "
        "family: for a claim, configure a judge of another family"
    )
