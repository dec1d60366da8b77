"""Stage `taxonomy`: open notes on a sample of drafts, merged into named categories that a person may edit."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from pathlib import Path

from arf_programs.checks import run_checks
from arf_programs.config import Config, ModelConfig, find_path
from arf_programs.corpus import load_seed_taxonomy, read_taxonomy, write_taxonomy
from arf_programs.models import build_lm
from arf_programs.programs import MergeNotes, TakeNotes, count_errors
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, digest_model, digest_privacy, digest_prompts, draw_key
from arf_programs.stages.stage import Stage
from signatures.exceptions import StageError
from signatures.induce_taxonomy import InduceTaxonomy
from signatures.note_problems import NoteProblems
from signatures.records import ErrorNote, Summary, Taxonomy


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.taxonomy,)


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    if config.analyze.taxonomy:
        return {"analyze.taxonomy": digest_file(_given(run))}
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "drafts.jsonl": digest_file(run.folder.drafts),
        "models.analyst": digest_model(config.models.analyst),
        "analyze.notes_sample": digest(config.analyze.notes_sample),
        "analyze.checks": digest(config.analyze.checks),
        "analyze.max_categories": digest(config.analyze.max_categories),
        "seed taxonomy": digest(load_seed_taxonomy().model_dump(mode="json")),
        "prompts": digest_prompts([NoteProblems, InduceTaxonomy]),
        "seed": digest(config.seed),
        **digest_privacy(config),
    }


def work(run: Run) -> dict[str, int]:
    if run.config.analyze.taxonomy:
        taxonomy, notes = read_taxonomy(_given(run)), 0
    else:
        sample = sample_drafts(run.drafts("train"), run.config.analyze.notes_sample, run.config.seed)
        collected, checked = _take_notes(run, sample), _check(run, sample)
        taxonomy, notes = count_errors(_induce(run, collected), checked), len(collected) + len(checked)
    write_taxonomy(run.folder.taxonomy, taxonomy)
    return {"notes": notes, "categories": len(taxonomy.categories)}


def sample_drafts(drafts: Iterable[Summary], size: int, seed: int) -> list[Summary]:
    """Return `size` drafts, chosen by a hash of seed and conversation id.

    A larger `size` keeps the drafts of a smaller one.
    """
    return heapq.nsmallest(size, drafts, key=lambda draft: draw_key(seed, draft.conversation_id))


def _check(run: Run, sample: list[Summary]) -> list[ErrorNote]:
    """Return the errors that the deterministic checks find. They have a category, so no model needs to sort them."""
    if not run.config.analyze.checks:
        return []
    conversations = run.conversations("train")
    return [note for draft in sample for note in run_checks(conversations[draft.conversation_id], draft.text)]


def _take_notes(run: Run, sample: list[Summary]) -> list[str]:
    config = run.config
    conversations = run.conversations("train")
    program = TakeNotes(retries=config.models.analyst.parse_retries)
    program.set_lm(build_lm(config.models.analyst, seed=config.seed))

    async def note(draft: Summary) -> list[str]:
        answer = await program.acall(conversation=conversations[draft.conversation_id], summary=draft.text)
        return list(answer.notes)

    outcome = ask_rows(
        run,
        STAGE.name,
        sample,
        note,
        key=lambda row: RowKey(row.conversation_id),
        concurrency=config.models.analyst.concurrency,
        label="notes",
    )
    run.folder.replace_failures(STAGE.name, outcome.failures)
    return [text for notes in outcome.results.values() for text in notes]


def _induce(run: Run, notes: list[str]) -> Taxonomy:
    config = run.config
    if not notes:
        return load_seed_taxonomy()
    program = MergeNotes(max_categories=config.analyze.max_categories, retries=config.models.analyst.parse_retries)
    program.set_lm(build_lm(config.models.analyst, seed=config.seed))

    async def induce(collected: list[str]) -> Taxonomy:
        answer = await program.acall(notes=collected, seed=load_seed_taxonomy())
        taxonomy: Taxonomy = answer.taxonomy
        return taxonomy

    try:
        outcome = ask_rows(
            run, STAGE.name, [notes], induce, key=lambda _: RowKey("all notes"), concurrency=1, label="induction"
        )
    except StageError as error:
        raise StageError(
            f"No taxonomy could be induced: {error} "
            "Name a file in analyze.taxonomy, or set analyze.notes_sample to 0 to work with the seed taxonomy."
        ) from None
    return next(iter(outcome.results.values()))


def _given(run: Run) -> Path:
    path = Path(run.config.analyze.taxonomy or "")
    return find_path(path, run.base_dir) or path


def asks(config: Config) -> tuple[ModelConfig, ...]:
    return () if config.analyze.taxonomy or not config.analyze.notes_sample else (config.models.analyst,)


STAGE = Stage(
    "taxonomy", "open notes on a sample, merged into categories", outputs, fingerprint, work, asks, keeps_edits=True
)
