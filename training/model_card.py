"""The model card of a student, in the form of the Hugging Face Hub: YAML metadata, then Markdown. No torch.

A card is public, and the run is not: it holds counts, scores and settings, and no conversation, id, path or endpoint.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup
from pydantic import Field

from arf_programs.report.text import clean
from arf_programs.student_prompt import user_text
from signatures.records import Record

if TYPE_CHECKING:
    from jinja2 import Environment

MARK: Final = "made by arf export"
ADAPTER: Final = "LoRA adapter"
UNKNOWN_LICENSE: Final = "other"
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]#!|~$])")
_TAGS: Final = ("arf", "summarization", "customer-service", "distillation")


class RoleNote(Record):
    """A model that had a part in the training data; `license` is the note of the configuration."""

    name: str
    model: str
    license: str | None = None


class SystemRow(Record):
    """The scores of one system, a cell for each metric."""

    name: str
    n: int
    cells: tuple[str, ...]


class DifferenceRow(Record):
    """The student less another system in one metric."""

    other: str
    metric: str
    difference: str
    n: int


class Card(Record):
    """All that a card says. `form` is `LoRA adapter`, `merged model` or `model`; `hub_base`: its base on the Hub."""

    name: str
    arm: str
    form: str
    base: str
    hub_base: str | None = None
    base_license: str = UNKNOWN_LICENSE
    arf_version: str
    instruction: str
    examples: int
    conversations: int = 0
    holdout: int = 0
    made_of: tuple[tuple[str, int], ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    roles: tuple[RoleNote, ...] = ()
    confidence: str = ""
    metrics: tuple[str, ...] = ()
    systems: tuple[SystemRow, ...] = ()
    differences: tuple[DifferenceRow, ...] = ()
    judged: bool = False
    training: tuple[tuple[str, str], ...] = ()
    lineage: tuple[tuple[str, str], ...] = Field(default=())


def render_card(card: Card) -> str:
    """The README.md of an exported student. Every text is taken to be hostile: it is cleaned and escaped."""
    template = _environment().get_template("model_card.md.j2")
    text = template.render(
        card=card,
        mark=Markup(MARK),  # noqa: S704 - a constant
        metadata=Markup(_metadata(card)),  # noqa: S704 - YAML from the safe dumper of huggingface_hub
        user_message=user_text("Customer: ...\nAgent: ..."),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def escape(value: object) -> object:
    """What Jinja does to every value: a text becomes one line in which nothing is Markdown or HTML."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return "" if value is None else value
    line = " ".join(clean(value).split())
    return _MARKDOWN.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code_block(value: str) -> Markup:
    """A text as an indented code block, which it cannot leave, since no line of it begins at the margin."""
    return Markup("\n".join(f"    {line}" for line in clean(value).split("\n")))  # noqa: S704 - as the docstring says


def _metadata(card: Card) -> str:
    from huggingface_hub import ModelCardData

    known = card.base_license != UNKNOWN_LICENSE
    data = ModelCardData(
        base_model=card.hub_base,
        license=card.base_license,
        license_name=None if known else "that-of-the-base-model",
        library_name="peft" if card.form == ADAPTER else "transformers",
        pipeline_tag="text-generation",
        tags=list(_TAGS),
    )
    return str(data.to_yaml()).strip()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, which `escape` makes harmless
        loader=PackageLoader("training"),
        undefined=StrictUndefined,
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code_block"] = code_block
    return environment
