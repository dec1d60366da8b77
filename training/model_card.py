"""The model card of a student, in the form of the Hugging Face Hub: YAML metadata, then Markdown.

A card is public, and the run is not. So a card holds counts, scores and settings, and no conversation, id, path or
endpoint.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from arf_programs import __version__
from arf_programs.config import PREFERENCE_STUDENTS, Config, Role, load_config
from arf_programs.metrics import METRICS, Comparison, Interval, in_order
from arf_programs.models import SMOLLM2
from arf_programs.report import RunSummary, figure
from arf_programs.runs import Manifest, RunFolder, digest_file, read_jsonl, read_record
from arf_programs.stages import student_name, training_log
from arf_programs.text import build_user_text, clean
from signatures.records import PreferencePair, Record, TrainingExample

if TYPE_CHECKING:
    from jinja2 import Environment

MARK: Final = "made by arf export"
ADAPTER: Final = "LoRA adapter"
UNKNOWN_LICENSE: Final = "other"
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]#!|~$])")
_TAGS: Final = ("arf", "summarization", "customer-service", "distillation")
_KNOWN_BASES = {SMOLLM2: ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_COMPARED = ("error_rate", "errors_per_summary", "rating", "rougeL")  # the other metrics are in the table of systems
_ELSEWHERE = {"base", "arm"}  # settings that stand in other places of the card


class RoleNote(Record):
    """A model that helped to make the training data; `license` is the note of the configuration."""

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
    """The facts of a card. `form` is `LoRA adapter`, `merged model` or `model`; `hub_base` the base's id on the Hub."""

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
    lineage: tuple[tuple[str, str], ...] = ()


def gather(folder: RunFolder, arm: str, *, form: str, license: str | None = None) -> Card:
    """Gather the facts about the student of `arm`, as exported in `form`; `license` overrides that of the base.

    Scores are taken only from a report about these very students. Raises ConfigError, DataError or StageError when a
    file of the run is missing or broken.
    """
    config, log = load_config(folder.config), training_log(folder, arm)
    hub_base, known_license = base_of(log["base"])
    summary = _summary(folder)
    return Card(
        name=config.name,
        arm=arm,
        form=form,
        base=hub_base or Path(log["base"]).name,
        hub_base=hub_base,
        base_license=license or known_license,
        instruction=config.summarize.instruction,
        examples=log["examples"],
        roles=_roles(config, arm),
        training=_training(log),
        lineage=_lineage(folder, arm, log),
        **_data(folder, arm),
        **(_scores(summary, config, arm) if summary else {}),
        arf_version=__version__,
    )


def base_of(name: str) -> tuple[str | None, str]:
    """Return the Hub id of a base model, None for a folder, and its licence, `other` if it is unknown."""
    if name in _KNOWN_BASES:
        return _KNOWN_BASES[name]
    is_id = bool(_HUB_ID.fullmatch(name)) and not Path(name).exists()
    return (name if is_id else None), UNKNOWN_LICENSE


def shown_model(model: str) -> str:
    """Remove the folders of the machine from a model string: `embedded/PATH` keeps the last name of the path."""
    provider, _, path = model.partition("/")
    is_folder = provider == "embedded" and (path.startswith((".", "~", "/")) or Path(path).exists())
    return f"{provider}/{Path(path).name}" if is_folder else model


def _summary(folder: RunFolder) -> RunSummary | None:
    """Read the figures of the run; None if there are none, or if they are about students trained earlier."""
    manifest = read_record(folder.manifest("report"), Manifest)
    if manifest is None or manifest.fingerprint.get(folder.student.name) != digest_file(folder.student):
        return None
    return RunSummary.model_validate_json(folder.summary.read_bytes())


def _data_file(folder: RunFolder, arm: str) -> Path:
    """The file that the student was trained on."""
    return folder.train / ("preference.jsonl" if _is_preference(arm) else f"{arm}.jsonl")


def _is_preference(arm: str) -> bool:
    return arm in PREFERENCE_STUDENTS.values()


def _data(folder: RunFolder, arm: str) -> dict[str, Any]:
    kind: type[PreferencePair | TrainingExample] = PreferencePair if _is_preference(arm) else TrainingExample
    provenances = [row.provenance for row in read_jsonl(_data_file(folder, arm), kind)]
    verdicts = Counter(str(made.get("verdict", "draft as it was written")) for made in provenances)
    left_out: dict[str, int] = json.loads((folder.train / "left_out.json").read_bytes()).get(arm, {})
    sides = Counter(json.loads(line)["split"] for line in folder.conversations.read_bytes().splitlines() if line)
    return {
        "conversations": sides.total(),
        "holdout": sides["holdout"],
        "made_of": tuple((name if arm == "teacher" else f"revision {name}", n) for name, n in verdicts.most_common()),
        "left_out": tuple(left_out.items()),
    }


def _roles(config: Config, arm: str) -> tuple[RoleNote, ...]:
    asked: dict[Role, bool] = {"teacher": True}
    if arm != "teacher":
        asked |= {"analyst": config.analyze.analyst, "editor": config.asks_editor}
    roles = [role for role, is_asked in asked.items() if is_asked]
    return tuple(
        RoleNote(name=role, model=shown_model(writer.model), license=writer.license)
        for role in roles
        for writer in config.models.writers(role)
    )


def _scores(summary: RunSummary, config: Config, arm: str) -> dict[str, Any]:
    systems = summary.evaluate.systems
    metrics = [name for name in METRICS if any(name in figures for figures in systems.values())]
    own = student_name(arm)
    return {
        "confidence": f"{config.evaluate.confidence:.0%}",
        "judged": config.evaluate.analyst or config.evaluate.judge,
        "metrics": tuple(METRICS[name].label for name in metrics),
        "systems": tuple(_system_row(name, systems[name], metrics) for name in in_order(systems)),
        "differences": tuple(
            _difference_row(row) for row in summary.compared() if row.a == own and row.metric in _COMPARED
        ),
    }


def _system_row(name: str, figures: dict[str, Interval], metrics: list[str]) -> SystemRow:
    n = max((interval.n for interval in figures.values()), default=0)
    return SystemRow(name=name, n=n, cells=tuple(_cell(metric, figures.get(metric)) for metric in metrics))


def _cell(metric: str, interval: Interval | None) -> str:
    if interval is None:
        return "-"
    value, low, high = (figure(number, metric) for number in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def _difference_row(row: Comparison) -> DifferenceRow:
    value, low, high = (figure(number, row.metric, signed=True) for number in (row.difference, row.low, row.high))
    return DifferenceRow(
        other=row.b, metric=METRICS[row.metric].label, difference=f"{value} ({low} to {high})", n=row.n
    )


def _training(log: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    settings = {key: value for key, value in log["settings"].items() if key not in _ELSEWHERE}
    for section in ("preference", "schedule", "lora"):
        keys = settings.pop(section, None) or {}
        settings.update({f"{section}.{key}": value for key, value in keys.items()})
    figures = {
        "steps": log["steps"],
        "tokens": log["tokens"],
        "trainable parameters": log["trainable_parameters"],
        "loss, first and last tenth of the steps (nats a token)": f"{log['loss_first']} and {log['loss_last']}",
        "device": log["device"],
        "batch": log.get("smaller_batch"),
        "chat template, as it differs from that of the base": "; ".join(log.get("template", ())) or None,
    }
    return tuple((name, str(value)) for name, value in {**figures, **settings}.items() if value is not None)


def _lineage(folder: RunFolder, arm: str, log: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    files = (folder.config, folder.drafts, folder.taxonomy, folder.revisions, _data_file(folder, arm))
    digests = {f"SHA-256 of {path.name}, first 16 digits": digest_file(path) for path in files}
    versions = {f"version of {name}": value for name, value in log["versions"].items()}
    return tuple({"training fingerprint": log["fingerprint"], **digests, **versions}.items())


def render_card(card: Card) -> str:
    """Write the README.md of an exported student. Every text may be hostile, so it is cleaned and escaped."""
    template = _environment().get_template("model_card.md.j2")
    text = template.render(
        card=card,
        mark=Markup(MARK),  # noqa: S704 - a constant
        metadata=Markup(_metadata(card)),  # noqa: S704 - YAML from the safe dumper of huggingface_hub
        user_message=build_user_text("Customer: ...\nAgent: ..."),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def escape(value: object) -> object:
    """Turn a text into one line in which nothing is Markdown or HTML; Jinja does it to every value."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return "" if value is None else value
    line = " ".join(clean(value).split())
    return _MARKDOWN.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code_block(value: str) -> Markup:
    """Indent a text as a code block. The text cannot leave the block, since none of its lines begins at the margin."""
    return Markup("\n".join(f"    {line}" for line in clean(value).split("\n")))  # noqa: S704 - as the docstring says


def _metadata(card: Card) -> str:
    from huggingface_hub import ModelCardData

    named = card.base_license != UNKNOWN_LICENSE
    data = ModelCardData(
        base_model=card.hub_base,
        license=card.base_license,
        license_name=None if named else "that-of-the-base-model",
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
