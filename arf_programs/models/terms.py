"""Model families: a judge rates text of its own family higher than people do.

Providers whose terms restrict training models on their output, and which of them a configuration would train on.

A summary to warn by, not legal advice: docs/licences.md has sources and dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from arf_programs.config import Config, ModelConfig, Role, TermsName
from signatures.exceptions import ConfigError

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


# Where open weights are served: the name of a model says nothing of a provider's terms there.
_OPEN = ("embedded/", "scripted/", "ollama/", "ollama_chat/", "hosted_vllm/", "vllm/", "lm_studio/", "llamafile/")


@dataclass(frozen=True)
class Terms:
    """What a provider's terms say. `prefixes` are LiteLLM's for its own endpoints, `models` its models' names."""

    name: TermsName
    provider: str
    prefixes: tuple[str, ...]
    models: re.Pattern[str]
    rule: str
    source: str

    def cover(self, model: ModelConfig) -> bool:
        """Whether they bind whoever asks this model; by its name alone where it is served at another endpoint."""
        name = model.model.lower()
        if name.startswith(_OPEN) or _OPEN_WEIGHTS.search(name):
            return False
        own = not model.api_base and name.startswith(self.prefixes)
        return own or self.models.search(name) is not None


_OPEN_WEIGHTS = re.compile(r"gpt-oss|gemma|gpt2|gpt-j|gpt-neo|grok-1(?![.\d])")
TERMS: tuple[Terms, ...] = (
    Terms(
        "openai",
        "OpenAI",
        ("openai/", "azure/", "text-completion-openai/"),
        re.compile(r"(^|[/.])(ft:)?(gpt-\d|chatgpt-|o[134](-|$)|text-davinci)"),
        "output may not be used to develop models that compete with OpenAI",
        "https://openai.com/policies/",
    ),
    Terms(
        "anthropic",
        "Anthropic",
        ("anthropic/",),
        re.compile(r"(^|[/.])(anthropic\.)?claude"),
        "the services may not be used to train competing AI models",
        "https://www.anthropic.com/legal/commercial-terms",
    ),
    Terms(
        "google",
        "Google",
        ("gemini/",),
        re.compile(r"(^|[/.])gemini"),
        "the services may not be used to develop models that compete with them",
        "https://ai.google.dev/gemini-api/terms",
    ),
    Terms(
        "xai",
        "xAI",
        ("xai/",),
        re.compile(r"(^|[/.])grok"),
        "the service may not be used to help develop what competes with it",
        "https://x.ai/legal/terms-of-service-enterprise",
    ),
)


def trained_on(config: Config) -> tuple[Role, ...]:
    """The roles whose words a student of this configuration learns: the teacher's, and the editor's in revisions."""
    revised = config.train.arms != ("teacher",) or config.train.preference.method != "none"
    return ("teacher", "editor") if revised else ("teacher",)


def terms_of(config: Config) -> dict[Terms, list[Role]]:
    """The terms that training under this configuration touches, with the roles whose models they bind."""
    found: dict[Terms, list[Role]] = {}
    for role in trained_on(config):
        for terms in TERMS:
            if terms.cover(config.models.of(role)):
                found.setdefault(terms, []).append(role)
    return found


def terms_warnings(config: Config) -> list[str]:
    """A sentence for each of these terms, and how to acknowledge those that are not."""
    return [_warning(config, terms, roles) for terms, roles in terms_of(config).items()]


def check_terms(config: Config) -> None:
    """Raise ConfigError, naming them all, for terms that `train.acknowledge_terms` lacks."""
    open_terms = {terms: roles for terms, roles in terms_of(config).items() if not _is_acknowledged(config, terms)}
    if open_terms:
        raise ConfigError([_warning(config, terms, roles) for terms, roles in open_terms.items()])


def _is_acknowledged(config: Config, terms: Terms) -> bool:
    return terms.name in config.train.acknowledge_terms


def _warning(config: Config, terms: Terms, roles: list[Role]) -> str:
    names = " and ".join(f"{role} {config.models.of(role).model}" for role in roles)
    said = f"{names}: {terms.provider}'s terms say that {terms.rule} ({terms.source})"
    if _is_acknowledged(config, terms):
        return f"{said}; acknowledged by train.acknowledge_terms"
    wanted = ", ".join([*config.train.acknowledge_terms, terms.name])
    return f"{said}. Read them; if your training follows them, set train.acknowledge_terms: [{wanted}]"
