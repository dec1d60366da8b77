"""Stage `plant`: a labelled set of planted errors. `arf plant` and `arf probe` run it; `arf run` does not."""

from __future__ import annotations

from pathlib import Path

from arf_programs import __version__
from arf_programs.config import Config, ModelConfig
from arf_programs.models import build_lm, check_providers
from arf_programs.pipeline import run_until
from arf_programs.planting import (
    NaturalizeErrors,
    PlantedItem,
    choose_items,
    labels_are_planted,
    make_item,
    needs_revisions,
    right_summaries,
    short_of,
)
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, digest_model, digest_prompts, read_jsonl, write_jsonl_atomic
from arf_programs.stages import Stage, run_stage, state_of
from signatures.naturalize_error import NaturalizeError


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.planted,)


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    # If the labelled set is planted.jsonl itself, its hash would make the stage stale each time that it is done.
    labeled = "" if labels_are_planted(run) else run.content_digest(config.labeled.path or "")
    parts = {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "labelled set": labeled,
        "plant": digest(config.plant.model_dump(mode="json")),
        "seed": digest(config.seed),
        "arf_version": __version__,
    }
    if run.folder.conversations.exists() and needs_revisions(run):
        parts["revisions.jsonl"] = digest_file(run.folder.revisions)
    if config.plant.naturalize:
        parts["models.editor"] = digest_model(config.models.editor)
        parts["naturalize prompt"] = digest_prompts([NaturalizeError])
    return parts


def work(run: Run) -> dict[str, int]:
    config = run.config
    chosen = choose_items(right_summaries(run), config.plant, config.seed)
    items = [make_item(choice, config.seed) for choice in chosen]
    failed = 0
    if config.plant.naturalize:
        items, failed = _naturalize(run, items)
    write_jsonl_atomic(run.folder.planted, items)
    for kind, count in short_of(items, config.plant).items():
        run.progress.say(f"  the texts allow only {count} of {config.plant.per_kind} errors of: {kind}")
    counts = {
        "items": len(items),
        "errors": sum(len(item.errors) for item in items),
        "clean": sum(not item.errors for item in items),
    }
    if config.plant.naturalize:
        counts["naturalised"] = sum(item.naturalized for item in items)
        counts["failed"] = failed
    return counts


def ensure_planted(run: Run) -> list[PlantedItem]:
    """Read the planted items; make them first if they are missing or stale. Raises what planting raises."""
    run_until(run, "corpus")
    state = state_of(STAGE, run)
    if state.state == "whole":
        run.progress.say("plant: whole")
    else:
        run.progress.say(f"plant: {STAGE.does}")
        check_providers(STAGE.asks(run.config))
        manifest = run_stage(STAGE, run)
        run.progress.say("  " + ", ".join(f"{count} {name}" for name, count in manifest.counts.items()))
    return list(read_jsonl(run.folder.planted, PlantedItem))


def _naturalize(run: Run, items: list[PlantedItem]) -> tuple[list[PlantedItem], int]:
    """The items in the editor's words if these are acceptable, and the number of calls that failed."""
    editor = run.config.models.editor
    program = NaturalizeErrors(retries=run.config.models.editor.parse_retries)
    program.set_lm(build_lm(editor, seed=run.config.seed))

    async def naturalize(item: PlantedItem) -> PlantedItem:
        result: PlantedItem = (await program.acall(item=item)).item
        return result

    outcome = ask_rows(
        run,
        STAGE.name,
        [item for item in items if any(plant.wrong.strip() for plant in item.plants)],
        naturalize,
        key=lambda item: RowKey(item.conversation_id, item.id),
        concurrency=editor.concurrency,
    )
    run.folder.replace_failures(STAGE.name, outcome.failures)
    done = {item.id: item for item in outcome.results.values()}
    return [done.get(item.id, item) for item in items], len(outcome.failures)


def asks(config: Config) -> tuple[ModelConfig, ...]:
    return (config.models.editor,) if config.plant.naturalize else ()


STAGE = Stage("plant", "plant known errors in summaries believed right", outputs, fingerprint, work, asks)
