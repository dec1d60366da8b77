"""The section `models`: which LiteLLM model plays which role. Also `Section`, the base of all sections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, field_validator, model_validator

from arf_programs.config.paths import PathText
from arf_programs.config.secrets import looks_secret, refuse_secrets
from signatures.exceptions import ConfigError


class Section(BaseModel):
    """Base of all sections. A section cannot be changed, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class BatchConfig(Section):
    """How `mode: batch` collects and sends requests. Limits are OpenAI's (platform.openai.com/docs/guides/batch)."""

    max_requests: int = Field(default=50_000, ge=1, le=100_000, description="most requests in one batch")
    max_megabytes: int = Field(default=200, ge=1, le=1000, description="largest file of one batch")
    max_batches: int = Field(default=16, ge=1, le=1000, description="most batches at work at once")
    quiet: float = Field(default=5.0, gt=0, description="seconds without a new request after which a batch is sent")
    poll: float = Field(default=60.0, gt=0, description="seconds between questions whether a batch is done")
    discount: float = Field(default=0.5, ge=0, le=1, description="price of a batch as a share of the live price")


# The forms of texts; config/load.py says them in words.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
DEVICE = r"^(auto|cpu|mps|cuda(:\d+)?)$"
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Role = Literal["teacher", "analyst", "editor", "judge", "prompt", "reflection", "proposer"]
ROLES: tuple[Role, ...] = get_args(Role)
PIPELINE_ROLES: tuple[Role, ...] = ("teacher", "analyst", "editor", "judge")
FALLBACKS: tuple[tuple[Role, Role], ...] = (
    ("editor", "teacher"),
    ("analyst", "editor"),
    ("judge", "analyst"),
    ("prompt", "analyst"),
    ("reflection", "analyst"),
)
_IN_PROCESS = ("embedded/", "scripted/")
# OpenAI's reasoning models, by any provider. Their chat variants do not reason.
_OPENAI_REASONING = re.compile(r"(?:ft:)?(?:o[1-9](?:-.*)?|gpt-[5-9](?!.*-chat).*)", re.IGNORECASE)
# Other models that reason before each answer, by their names: hybrid ones too, which do so unless they are told not to.
_REASONING = re.compile(
    r"deepseek-(?:r1|reasoner)|\bqwq\b|\bqwq-|magistral|gpt-oss|grok-4|gemini-(?:2\.5-pro|3)|"
    r"\bqwen-?3(?!.*(?:instruct|coder|embed|rerank|max))|\bglm-?(?:4\.[5-9]|[5-9]|z1)|\bminimax-m\d|\bsmollm3|"
    r"\bthink(?:ing|er)?\b|-reasoning\b|-reasoner\b",
    re.IGNORECASE,
)
# DSPy refuses a smaller limit for OpenAI's reasoning models (dspy.clients.lm), since reasoning counts as answer.
_LEAST_FOR_OPENAI_REASONING = 16_000
_ROOM_FOR_REASONING = 8_000
_RESERVED_PARAMETERS = {
    "model": "models.<role>.model",
    "temperature": "models.<role>.temperature",
    "max_tokens": "models.<role>.max_tokens",
    "api_base": "models.<role>.api_base",
    "timeout": "models.<role>.timeout",
    "num_retries": "models.<role>.retries",
    "cache_control_injection_points": "models.<role>.cache_marks",
    "api_key": "models.<role>.api_key_env, the name of an environment variable",
    "aws_access_key_id": "the environment variable AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "the environment variable AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "the environment variable AWS_SESSION_TOKEN",
    "azure_ad_token": "the environment variable AZURE_AD_TOKEN",
}
_ELSEWHERE = (
    *("fallbacks", "context_window_fallback_dict", "content_policy_fallbacks", "model_list"),
    *("callbacks", "success_callback", "failure_callback"),
)
"""LiteLLM's parameters by which a conversation goes to another model or service."""


class ModelConfig(Section):
    """A LiteLLM model with its parameters. A string alone means `{model: <string>}`.

    A model that reasons before it answers has other defaults: room for the reasoning in `max_tokens`, and for OpenAI's
    the temperature 1, the only one that they accept.
    """

    model: PathText = Field(min_length=1, description="LiteLLM model string, e.g. openai/gpt-4o-mini")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=1024, ge=1, description="longest answer, in tokens, its reasoning included")
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = Field(
        default=None, description="how much a reasoning model reasons; null: the provider's default"
    )
    api_base: str | None = Field(default=None, description="endpoint of an OpenAI-compatible server")
    api_key_env: str | None = Field(
        default=None, pattern=VARIABLE, description="environment variable that holds the key"
    )
    json_schema: bool | None = Field(
        default=None, description="whether the endpoint enforces a JSON schema; null: see LiteLLM's table"
    )
    logprobs: bool | None = Field(
        default=None, description="whether the endpoint gives log-probabilities; null: see LiteLLM's table"
    )
    input_price: float | None = Field(default=None, ge=0, description="USD per million prompt tokens")
    output_price: float | None = Field(default=None, ge=0, description="USD per million completion tokens")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="further LiteLLM parameters")
    device: str = Field(
        default="auto",
        pattern=DEVICE,
        description="where an embedded model runs; auto: on the GPU, if there is one",
    )
    dtype: Dtype = Field(
        default="auto", description="precision of an embedded model; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    cache_marks: bool = Field(
        default=False, description="mark where the prompt's common part ends, for Claude's prompt caching"
    )
    concurrency: int = Field(
        default=64, ge=1, le=4096, description="most calls in flight; the endpoint's answers decide how many there are"
    )
    requests_per_minute: float | None = Field(default=None, gt=0, description="null: what the endpoint's headers say")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="null: what the endpoint's headers say")
    timeout: float = Field(default=120, gt=0, description="longest time for one call, in seconds")
    retries: int = Field(default=4, ge=0, le=20, description="retries of a call whose failure may pass")
    parse_retries: int = Field(default=2, ge=0, le=10, description="further tries after a malformed answer")
    mode: Literal["live", "batch"] = Field(default="live", description="batch: use the provider's batch API")
    batch: BatchConfig = BatchConfig()
    license: str | None = Field(default=None, description="note on the terms for the model's output, kept in the run")

    @model_validator(mode="before")
    @classmethod
    def _defaults_fit_the_model(cls, value: Any) -> Any:
        name = value.get("model") if isinstance(value, dict) else None
        return {**default_limits(name), **value} if isinstance(name, str) else value

    @model_validator(mode="after")
    def _openai_reasoning_models_have_limits(self) -> ModelConfig:
        if not is_openai_reasoning(self.model):
            return self
        if self.temperature != 1:
            raise ValueError(f"{self.model} accepts no temperature but 1: leave temperature out, or set it to 1")
        if self.max_tokens < _LEAST_FOR_OPENAI_REASONING:
            raise ValueError(
                f"{self.model} needs a max_tokens of at least {_LEAST_FOR_OPENAI_REASONING}, since its reasoning "
                "counts as answer: leave max_tokens out, or raise it"
            )
        return self

    @field_validator("parameters")
    @classmethod
    def _parameters_have_their_own_keys(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for key in value:
            if key in _RESERVED_PARAMETERS:
                raise ValueError(f"{key!r} does not belong here: use {_RESERVED_PARAMETERS[key]}")
            if key in _ELSEWHERE:
                raise ValueError(f"{key!r} would send conversations to hosts that are not listed: leave it out")
        refuse_secrets(value)
        return value

    @field_validator("api_key_env")
    @classmethod
    def _key_is_only_named(cls, value: str | None) -> str | None:
        if value and looks_secret(value):
            raise ValueError("this looks like a key: give the name of the environment variable that holds it")
        return value

    @model_validator(mode="after")
    def _batch_mode_needs_a_provider(self) -> ModelConfig:
        if self.mode == "batch" and self.model.startswith(_IN_PROCESS):
            raise ValueError(f"{self.model} runs in this process, which has no batch API: leave out `mode: batch`")
        return self

    @model_validator(mode="after")
    def _only_models_of_this_process_have_a_device(self) -> ModelConfig:
        if {self.device, self.dtype} != {"auto"} and not self.model.startswith(_IN_PROCESS):
            raise ValueError(f"{self.model} runs elsewhere: leave out device and dtype, which are for embedded/...")
        return self

    @model_validator(mode="after")
    def _prices_come_in_pairs(self) -> ModelConfig:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("give both input_price and output_price, or neither")
        return self


class Writer(NamedTuple):
    """A model whose text may be trained on, with the note on its licence; `api_base` as its ModelConfig has it."""

    model: str
    license: str | None
    api_base: str | None = None


class DraftColumn(Section):
    """A teacher whose drafts stand in a column of the corpus. Nobody is asked for a draft that is there."""

    column: str = Field(min_length=1, description="column of the corpus that holds the drafts")
    name: str | None = Field(
        default=None, min_length=1, description="the model that wrote them, for the model card and the terms"
    )
    license: str | None = Field(default=None, description="note on the terms for its output, kept in the run")
    otherwise: ModelConfig | None = Field(
        default=None, description="model that drafts the rows without a draft; null: such a row is a failure"
    )

    @field_validator("otherwise", mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    @property
    def writer(self) -> Writer:
        """Who wrote the drafts, as they name it."""
        return Writer(self.name or f"column {self.column}", self.license)


def is_openai_reasoning(model: str) -> bool:
    """Say whether a model, by its name, is one of OpenAI's reasoning models (o1 and later, gpt-5 and later)."""
    if model.startswith(_IN_PROCESS):
        return False
    return _OPENAI_REASONING.fullmatch(model.rsplit("/", 1)[-1]) is not None


def default_limits(model: str) -> dict[str, Any]:
    """Return the defaults that a model needs by its name, where they differ from those of other models."""
    if model.startswith(_IN_PROCESS):
        return {}
    if is_openai_reasoning(model):
        return {"temperature": 1.0, "max_tokens": _LEAST_FOR_OPENAI_REASONING}
    return {"max_tokens": _ROOM_FOR_REASONING} if _REASONING.search(model) else {}


def _is_column(teacher: Any) -> bool:
    return "column" in teacher if isinstance(teacher, dict) else isinstance(teacher, DraftColumn)


def _kind_of_teacher(value: Any) -> str:
    return (DraftColumn if _is_column(value) else ModelConfig).__name__


class ModelsConfig(Section):
    """One model for each role. A role that is left out uses the model of another role.

    `editor` uses that of the teacher, `analyst` that of the editor, and the others that of the analyst. `prompt` and
    `reflection` write instructions when a program is compiled; a run never asks them. `proposer` has no other model in
    its place, and only `arf stress` asks it. A teacher that is a column of the corpus is no model that another role
    can use.
    """

    teacher: Annotated[
        Annotated[ModelConfig, Tag(ModelConfig.__name__)] | Annotated[DraftColumn, Tag(DraftColumn.__name__)],
        Discriminator(_kind_of_teacher),
    ]
    analyst: ModelConfig
    editor: ModelConfig
    editors: tuple[ModelConfig, ...] = Field(
        default=(), max_length=8, description="further editors: each revises every draft too, for arm arf"
    )
    judge: ModelConfig
    prompt: ModelConfig
    reflection: ModelConfig
    proposer: ModelConfig | None = Field(
        default=None, description="writes conversations on which the student may fail, for `arf stress`; null: none"
    )

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return fill_roles(value) if isinstance(value, dict) else value

    @field_validator("editors", mode="before")
    @classmethod
    def _spell_out_editors(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"model": item} if isinstance(item, str) else item for item in value]

    @model_validator(mode="after")
    def _editors_differ(self) -> ModelsConfig:
        known = [self.editor]
        for model in self.editors:
            if model in known:
                raise ValueError(
                    f"editors: {model.model} is there twice, or is models.editor: name each once; revise.samples asks "
                    "every editor several times"
                )
            known.append(model)
        return self

    @property
    def draft_column(self) -> str | None:
        """The column of the corpus that holds the drafts; None where a model is asked for all of them."""
        return self.teacher.column if isinstance(self.teacher, DraftColumn) else None

    def asked(self, roles: Iterable[Role]) -> dict[Role, ModelConfig]:
        """Return the models that are asked in these roles. A teacher that is a column alone is left out."""
        models = {role: getattr(self, role) for role in roles}
        if isinstance(self.teacher, DraftColumn) and "teacher" in models:
            models["teacher"] = self.teacher.otherwise
        return {role: model for role, model in models.items() if model is not None}

    def of(self, role: Role) -> ModelConfig:
        """Return the model that is asked in a role.

        Raises ConfigError for a teacher that is a column alone, and for a role that no model has.
        """
        model = self.asked((role,)).get(role)
        if model is None and role != "teacher":
            raise ConfigError(f"models.{role}: is not set: give a model")
        if model is None:
            raise ConfigError(
                "models.teacher is a column of the corpus, and no model to ask: give a model, or set "
                "models.teacher.otherwise"
            )
        return model

    def writers(self, role: Role) -> tuple[Writer, ...]:
        """Return the models whose text a role brings in. A column may have a second one, for rows without a draft."""
        column = [self.teacher.writer] if role == "teacher" and isinstance(self.teacher, DraftColumn) else []
        asked = [*self.asked((role,)).values(), *(self.editors if role == "editor" else ())]
        return (*column, *(Writer(model.model, model.license, model.api_base) for model in asked))


def spell_out_models(models: dict[str, Any]) -> dict[str, Any]:
    """Write each model that is a string alone as a mapping."""
    return {name: {"model": model} if isinstance(model, str) else model for name, model in models.items()}


def fill_roles(models: dict[str, Any]) -> dict[str, Any]:
    """Fill in the roles that the `models` section leaves out, and write each model as a mapping."""
    filled = spell_out_models(models)
    for role, fallback in FALLBACKS:
        if filled.get(role) is None and fallback in filled and not _is_column(filled[fallback]):
            filled[role] = filled[fallback]
    return filled
