"""The section `evaluate`: which systems are compared on the holdout, and how."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from arf_programs.config.models import DEVICE, Dtype, ModelConfig, Section, spell_out_models
from arf_programs.config.paths import PathText
from arf_programs.config.train import STUDENTS

AUTO = "auto"
EngineName = Literal["auto", "embedded", "vllm"]
_SERVED = ("base", *(f"student_{name}" for name in STUDENTS))
_BUILT_IN = (*_SERVED, "teacher", "reviser")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class EvaluateConfig(Section):
    """How the systems are compared on the holdout."""

    analyst: bool = Field(default=True, description="count the analyst's errors too, not only those of the checks")
    judge: bool = Field(default=True, description="rate every summary from 1 to 5")
    pairwise: bool = Field(default=True, description="have the judge compare pairs of systems, in both orders")
    pairs: tuple[tuple[str, str], ...] = Field(
        default=(), description="further pairs; each student and its teacher always are one"
    )
    reviser: bool = Field(default=True, description="score the editor's revisions of the teacher's holdout drafts")
    systems: dict[str, ModelConfig] = Field(default_factory=dict, description="names and models of further systems")
    similarity: PathText | None = Field(default=AUTO, description="embedding model for the similarity to references")
    max_tokens: int = Field(default=200, ge=16, description="longest summary of base and students, in tokens")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="further parameters of base and students in this process"
    )
    device: str = Field(
        default=AUTO, pattern=DEVICE, description="where base and students answer in this process, as of a model"
    )
    dtype: Dtype = Field(default="auto", description="precision of base and students in this process, as of a model")
    engine: EngineName = Field(
        default="auto", description="where base and students answer; auto: by vLLM where it is installed with a GPU"
    )
    serve: dict[str, ModelConfig] = Field(
        default_factory=dict,
        description="models that serve a system (base, student_arf, ...) from another endpoint",
    )
    samples: int = Field(default=2000, ge=100, description="bootstrap resamples")
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    cluster: str | None = Field(default=None, description="metadata column whose equal values are resampled together")

    @field_validator("serve", "systems", mode="before")
    @classmethod
    def _strings_are_models(cls, value: Any) -> Any:
        return spell_out_models(value) if isinstance(value, dict) else value

    @field_validator("serve")
    @classmethod
    def _served_systems_exist(cls, value: dict[str, ModelConfig]) -> dict[str, ModelConfig]:
        unknown = [system for system in value if system not in _SERVED]
        if unknown:
            raise ValueError(f"no system is called {unknown[0]!r}: name one of {', '.join(_SERVED)}")
        return value

    @field_validator("systems")
    @classmethod
    def _names_are_free(cls, value: dict[str, ModelConfig]) -> dict[str, ModelConfig]:
        for name in value:
            if name in _BUILT_IN:
                raise ValueError(f"{name!r} is a system of every run: take another name, or `evaluate.serve`")
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a system: lower case, digits and _, a letter first")
        return value

    @model_validator(mode="after")
    def _paired_systems_exist(self) -> Self:
        systems = (*_BUILT_IN, *self.systems)
        for a, b in self.pairs:
            unknown = [system for system in (a, b) if system not in systems]
            if unknown:
                raise ValueError(f"pairs: no system is called {unknown[0]!r}: name two of {', '.join(systems)}")
            if a == b:
                raise ValueError(f"pairs: {a!r} cannot be compared with itself")
        return self
