"""The section `plant` of arf.yaml: which errors are planted, and into what."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from arf_programs.config.section import Section

Kind = Literal["number", "amount", "date", "name", "speaker", "negation", "outcome", "unsupported", "action"]
KINDS: tuple[Kind, ...] = (
    *("number", "amount", "date", "name", "speaker", "negation", "outcome", "unsupported", "action"),
)


class PlantConfig(Section):
    """A labelled set made by planting known errors in summaries believed right."""

    source: Literal["auto", "references", "labeled", "revisions"] = Field(
        default="auto", description="which summaries are believed right"
    )
    kinds: tuple[Kind, ...] = KINDS
    min_errors: int = Field(default=1, ge=1, le=10, description="fewest errors planted in a summary")
    max_errors: int = Field(default=3, ge=1, le=10, description="most errors planted in a summary")
    clean: float = Field(default=0.25, ge=0, lt=1, description="share of the items left without an error")
    per_kind: int = Field(default=20, ge=1, description="errors wanted of each kind, origin and category")
    per_summary: int = Field(default=4, ge=1, description="most items made of one summary")
    naturalize: bool = Field(default=False, description="let the editor word planted errors more naturally")

    @field_validator("kinds")
    @classmethod
    def _kinds_once(cls, value: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name each kind once, and at least one of: " + ", ".join(KINDS))
        return value

    @model_validator(mode="after")
    def _fewest_before_most(self) -> Self:
        if self.min_errors > self.max_errors:
            raise ValueError(f"min_errors ({self.min_errors}) is above max_errors ({self.max_errors}): lower it")
        return self
