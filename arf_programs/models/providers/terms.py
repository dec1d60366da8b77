"""What a configuration's choice of models means: terms against training on a model's output, and a biased judge.

The terms are a summary for warnings, not legal advice. docs/licences.md has sources and dates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from arf_programs.config import Config, ModelConfig, Role, TermsName, Writer
from signatures.exceptions import ConfigError

# These serve open weights, so no terms follow from the name of a model there.
_OPEN = ("embedded/", "scripted/", "ollama/", "ollama_chat/", "hosted_vllm/", "vllm/", "lm_studio/", "llamafile/")


@dataclass(frozen=True)
class Terms:
    """The terms of a provider.

    `prefixes` are LiteLLM's for the provider's own endpoints. `models` matches the names of its models.
    """

    name: TermsName
    provider: str
    prefixes: tuple[str, ...]
    models: re.Pattern[str]
    rule: str
    source: str

    def cover(self, model: ModelConfig | Writer) -> bool:
        """Return whether the terms bind a user of this model. At another endpoint only the model's name counts."""
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
        re.compile(r"(^|[/.\s])(ft:)?(gpt-\d|chatgpt-|o[134](-|$)|text-davinci)"),
        "output may not be used to develop models that compete with OpenAI",
        "https://openai.com/policies/",
    ),
    Terms(
        "anthropic",
        "Anthropic",
        ("anthropic/",),
        re.compile(r"(^|[/.\s])(anthropic\.)?claude"),
        "the services may not be used to train competing AI models",
        "https://www.anthropic.com/legal/commercial-terms",
    ),
    Terms(
        "google",
        "Google",
        ("gemini/",),
        re.compile(r"(^|[/.\s])gemini"),
        "the services may not be used to develop models that compete with them",
        "https://ai.google.dev/gemini-api/terms",
    ),
    Terms(
        "xai",
        "xAI",
        ("xai/",),
        re.compile(r"(^|[/.\s])grok"),
        "the service may not be used to help develop what competes with it",
        "https://x.ai/legal/terms-of-service-enterprise",
    ),
)


def trained_on(config: Config) -> tuple[Role, ...]:
    """Return the roles whose text a student learns: the teacher, and the editor if its revisions are trained on."""
    revised = config.train.arms != ("teacher",) or config.train.preference.method != "none"
    return ("teacher", "editor") if revised and config.asks_editor else ("teacher",)


def terms_of(config: Config, more: Sequence[Role] = ()) -> dict[Terms, list[Role]]:
    """Return the terms that training touches, each with the roles whose models it binds; `more` are further roles."""
    roles_of_terms: dict[Terms, list[Role]] = {}
    for role in (*trained_on(config), *more):
        for terms in TERMS:
            if any(map(terms.cover, config.models.writers(role))):
                roles_of_terms.setdefault(terms, []).append(role)
    return roles_of_terms


def terms_warnings(config: Config) -> list[str]:
    """Return a sentence for each of the terms, with how to acknowledge them if they are not acknowledged."""
    return [_warning(config, terms, roles) for terms, roles in terms_of(config).items()]


def check_terms(config: Config, more: Sequence[Role] = ()) -> None:
    """Raise ConfigError with all terms that `train.acknowledge_terms` lacks.

    `more` are roles whose text a student may learn, beside those of a run.
    """
    open_terms = {
        terms: roles for terms, roles in terms_of(config, more).items() if not _is_acknowledged(config, terms)
    }
    if open_terms:
        raise ConfigError([_warning(config, terms, roles) for terms, roles in open_terms.items()])


def _is_acknowledged(config: Config, terms: Terms) -> bool:
    return terms.name in config.train.acknowledge_terms


def _warning(config: Config, terms: Terms, roles: list[Role]) -> str:
    covered = [(role, model) for role in roles for model in config.models.writers(role) if terms.cover(model)]
    names = " and ".join(f"{role} {model.model}" for role, model in covered)
    rule = f"{names}: {terms.provider}'s terms say that {terms.rule} ({terms.source})"
    if _is_acknowledged(config, terms):
        return f"{rule}; acknowledged by train.acknowledge_terms"
    wanted = ", ".join([*config.train.acknowledge_terms, terms.name])
    return f"{rule}. Read them; if your training follows them, set train.acknowledge_terms: [{wanted}]"


# The first pattern that matches a part of the name counts. A family is named after who trained it, not who serves it.
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
# Servers whose name looks like that of a family.
_SERVERS = re.compile(r"^(ollama_chat|ollama|llamafile|llama_cpp)/")


def family(model: str) -> str:
    """Return the family of a LiteLLM model string, a hub id or a path.

    A model of no listed family is its own family, by its name in lower case. A scripted model has none ("").
    """
    if model.startswith("scripted/"):
        return ""
    name = _SERVERS.sub("", model).lower()
    return next((listed for listed, pattern in _FAMILIES if re.search(pattern, name)), name)


def judge_notes(config: Config) -> list[str]:
    """Return why the judge may favour a system; empty if there is no judge, or no other model is of its family.

    Models rate their own text higher (Panickssery et al. 2024, arXiv 2404.13076).
    """
    if not config.evaluate.judge:
        return []
    judge = config.models.judge.model
    others = (("the editor", config.models.editor.model), ("the student's base", config.train.base))
    own = family(judge)
    shared = [f"{who} ({model})" for who, model in others if own and family(model) == own]
    if not shared:
        return []
    return [
        f"models.judge: {judge} is of the same family as {' and '.join(shared)}, and models favour text of their own "
        "family: for a claim, configure a judge of another family"
    ]
