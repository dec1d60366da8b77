"""The section `privacy`: whether models see pseudonyms, and what the files of a run hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from arf_programs.config.models import Section


class PrivacyConfig(Section):
    """Pseudonyms for private values, before any call to a model that does not run in this process."""

    pseudonyms: bool = Field(
        default=False,
        description="replace private values in each call to a model outside of this process",
    )
    keep: Literal["originals", "pseudonyms"] = Field(
        default="originals",
        description="what the files of the run and the training text hold; pseudonyms: no original value at all",
    )
    names: tuple[str, ...] = Field(
        default=(), description="columns of the corpus, or keys of its metadata, that hold names of people"
    )
    ner: str | None = Field(
        default=None,
        min_length=1,
        description="folder or hub id of a token-classification model that finds further names; null: none",
    )
