"""The taxonomy to begin with, before a run has induced its own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from arf_programs.taxonomy.files import parse_taxonomy
from signatures.records import Taxonomy

FORM_CATEGORIES: Final = ("verbatim_copy", "repetition", "length")
"""Categories that only the deterministic checks report: the form of a summary, not what it says."""


@cache
def seed_taxonomy() -> Taxonomy:
    """The seed categories: nine kinds of wrong content, then `FORM_CATEGORIES`."""
    resource = files("arf_programs.taxonomy") / "seed.yaml"
    return parse_taxonomy(resource.read_text("utf-8"), "seed.yaml")
