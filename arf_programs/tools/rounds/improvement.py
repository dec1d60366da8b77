"""`arf improve`: rounds in which a student is trained again, on what it got wrong on the dev side.

A round has four stages, with manifests like those of the pipeline: patterns of errors, training pairs for them, a new
student, and its figures. Each is done again when what it depends on changes. They never read the holdout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from arf_programs.config import Arm, Config, ModelConfig
from arf_programs.models import check_providers, check_terms
from arf_programs.pipeline import run_until
from arf_programs.planting import FACETS
from arf_programs.runs import (
    Run,
    digest,
    digest_file,
    digest_model,
    digest_prompts,
    private_files,
    read_lines,
    read_record,
    write_jsonl_atomic,
    write_lines_atomic,
    write_record,
)
from arf_programs.stages import (
    TRAIN,
    Stage,
    analyst_fingerprint,
    analysts,
    embedding_digest,
    own_model,
    run_stage,
    state_of,
    train_on,
)
from arf_programs.tools.rounds.augment import (
    Made,
    Pair,
    counterfactuals,
    example_of,
    filtered,
    nearest_first,
    shuffled,
    training_pairs,
    written_by_editor,
)
from arf_programs.tools.rounds.figures import read_watched, round_figures, watch, watching_depends
from arf_programs.tools.rounds.patterns import (
    cluster,
    errors_by_name,
    find_embedding,
    find_patterns,
    name_patterns,
    text_of,
)
from arf_programs.tools.rounds.records import Pattern, Round, RoundFigures, read_patterns, write_patterns
from signatures.describe_pattern import DescribePattern
from signatures.exceptions import ConfigError, DataError
from signatures.write_variant import WriteVariant


@dataclass(frozen=True)
class Improved:
    """The figures of all rounds, and the student that is left after them."""

    rounds: tuple[RoundFigures, ...]
    student: Path


def holdout_setting(run: Run, student: Path) -> str:
    """Return the setting with which `arf evaluate` scores `student`, asked as the students of the run are."""
    model = own_model(run, str(student)).model_dump(mode="json", exclude={"concurrency"}, exclude_defaults=True)
    return f"evaluate.systems.improved={json.dumps(model)}"


@private_files()
def improve(run: Run, rounds: int, *, untargeted: bool = False) -> Improved:
    """Do rounds 1 to `rounds`.

    Each begins with the student that the round before has left. A whole round is not done again.

    With `untargeted`, the baseline, as many training pairs are made, of random conversations and details. It ends early
    if there is no pattern of errors. Raises ConfigError without a dev side or without arm `arf`, and what the stages
    raise.
    """
    if not run.config.corpus.dev:
        raise ConfigError(
            "corpus.dev: is 0, so no conversations are kept in which the student's errors could be looked for: set it "
            "to a share such as 0.2 (the stages after it run again)"
        )
    refuse_without_arm(run.config, "improve")
    run_until(run, "train")
    done: list[RoundFigures] = []
    student = run.folder.student / ARM
    rows: tuple[Path, ...] = (run.folder.train / f"{ARM}.jsonl",)
    for number in range(1, rounds + 1):
        this = Round(run.folder, number, untargeted, student, rows)
        if not _do(run, this):
            run.progress.say(f"round {number}: there is no pattern of errors to learn from")
            break
        figures = read_record(this.figures, RoundFigures)
        if figures is None:
            raise DataError(f"{this.figures}: cannot be read: remove it, and run the same command again")
        done.append(figures)
        if figures.kept:
            student = this.student
            rows = (*rows, this.augmented)
    return Improved(tuple(done), student)


def refuse_without_arm(config: Config, command: str) -> None:
    """Raise ConfigError if the run has no student of arm `arf`."""
    if ARM not in config.train.arms:
        raise ConfigError(f"train.arms: `arf {command}` looks at the student of arm {ARM}: add {ARM}")


def _do(run: Run, this: Round) -> bool:
    """Do the stages of a round that are not whole. Return False if there is nothing to learn from."""
    first, *others = stages_of(this)
    do_stage(run, first)
    if not read_patterns(this.patterns):
        return False
    for stage in others:
        do_stage(run, stage)
    return True


def do_stage(run: Run, stage: Stage) -> None:
    """Do a stage that is not whole. Raises what it raises, and UserError for models without address, key or terms."""
    state = state_of(stage, run)
    if state.state == "whole":
        run.progress.say(f"{stage.name}: whole{', ' + state.why if state.why else ''}")
        return
    run.progress.say(f"{stage.name}: {stage.does}")
    check_providers(stage.asks(run.config))
    check_terms(run.config)
    manifest = run_stage(stage, run)
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    run.progress.say(f"  {counts} ({manifest.seconds:.0f} s)")


_TURNS: Final = 3  # counterfactuals of one training pair, at most, for a pattern
ARM: Final[Arm] = "arf"


def stages_of(this: Round) -> tuple[Stage, ...]:
    """Return the stages of a round in order."""
    return _patterns_stage(this), _pairs_stage(this), _student_stage(this), _figures_stage(this)


def _patterns_stage(this: Round) -> Stage:
    name = f"round-{this.name}-patterns"

    def fingerprint(run: Run) -> dict[str, str]:
        return {
            **watching_depends(run, this.start),
            f"{ARM}.jsonl": digest_file(this.rows[0]),
            "evaluate.similarity": embedding_digest(run),
            "pattern prompt": digest_prompts([DescribePattern]),
        }

    def work(run: Run) -> dict[str, int]:
        failures = watch(run, this.start, name, this.before)
        errors = errors_by_name(read_watched(this.before))
        patterns: list[Pattern] = []
        if errors:
            texts = [text_of(note) for note in errors.values()]
            labels = cluster(find_embedding(run, texts)(texts), run.config.seed)
            pairs = sum(1 for _ in read_lines(this.rows[0]))
            patterns, unnamed = name_patterns(run, name, find_patterns(errors, labels, pairs), errors)
            failures += unnamed
        run.folder.replace_failures(name, failures)
        write_patterns(this.patterns, patterns)
        return {"errors": len(errors), "patterns": len(patterns), "failed": len(failures)}

    outputs = (this.before, this.patterns)
    does = "what the student gets wrong on the dev side"
    return Stage(name, does, lambda _: outputs, fingerprint, work, asks=analysts)


def _pairs_stage(this: Round) -> Stage:
    name = f"round-{this.name}-pairs"

    def fingerprint(run: Run) -> dict[str, str]:
        editor = _asks_editor(run.config, this)
        return {
            "patterns.yaml": digest_file(this.patterns),
            "before.jsonl": digest_file(this.before),
            "conversations.jsonl": digest_file(run.folder.conversations),
            f"{ARM}.jsonl": digest_file(this.rows[0]),
            "summarize.instruction": digest(run.config.summarize.instruction),
            "evaluate.similarity": embedding_digest(run),
            **({"models.editor": digest_model(run.config.models.editor)} if editor else {}),
            **({"variant prompt": digest_prompts([WriteVariant])} if editor else {}),
            **analyst_fingerprint(run),
        }

    def work(run: Run) -> dict[str, int]:
        patterns = read_patterns(this.patterns)
        pairs = training_pairs(run, this.rows[0])
        made = (
            _untargeted(run, this, name, pairs, patterns)
            if this.untargeted
            else _for_patterns(run, this, name, pairs, patterns)
        )
        run.folder.replace_failures(name, made.failures)
        if not made.kept:
            raise DataError(
                f"{name}: no training pair was made ({made.refused} had an error, {len(made.failures)} failed): the "
                f"verified summaries may have no detail to change, or {this.patterns} asks for no pairs"
            )
        write_jsonl_atomic(this.augmented, (example_of(run, pair, this.number) for pair in made.kept))
        by_editor = sum(pair.made_by == "editor" for pair in made.kept)
        counts = {"pairs": len(made.kept), "not kept": made.refused, "failed": len(made.failures)}
        return {**counts, **({"by the editor": by_editor} if by_editor else {})}

    def asks(config: Config) -> tuple[ModelConfig, ...]:
        return (*analysts(config), *((config.models.editor,) if _asks_editor(config, this) else ()))

    does = "training pairs of random details" if this.untargeted else "training pairs for each pattern"
    return Stage(name, does, lambda _: (this.augmented,), fingerprint, work, asks)


def _asks_editor(config: Config, this: Round) -> bool:
    """Say whether the editor writes pairs too.

    An editor that is asked for edits `together` is assumed to be able to.
    """
    return not this.untargeted and config.asks_editor and config.edits_form() == "together"


def _untargeted(run: Run, this: Round, stage: str, pairs: Sequence[Pair], patterns: Sequence[Pattern]) -> Made:
    seed = f"{run.config.seed} {this.number}"
    source = counterfactuals(shuffled(pairs, seed), FACETS, seed, turns=_TURNS)
    return filtered(run, stage, source, sum(pattern.pairs for pattern in patterns))


def _for_patterns(run: Run, this: Round, stage: str, pairs: Sequence[Pair], patterns: Sequence[Pattern]) -> Made:
    dev = run.conversations("dev")
    embed = find_embedding(run, [pair.conversation.as_text() for pair in pairs])
    parts: list[Made] = []
    for pattern in patterns:
        failing = {error.rpartition("/")[0] for error in pattern.errors}
        near = nearest_first(pairs, [dev[name] for name in sorted(failing) if name in dev], embed)
        seed = f"{run.config.seed} {this.number} {pattern.id}"
        source: Iterator[Pair] = chain(
            counterfactuals(near, pattern.facets, seed, pattern=pattern.id, turns=_TURNS),
            counterfactuals(near, FACETS, seed, pattern=pattern.id, turns=_TURNS),  # where these are too few
        )
        if _asks_editor(run.config, this):
            written = written_by_editor(run, stage, near[: (pattern.pairs + 1) // 2], pattern)
            source = chain(written.kept, source)
            parts.append(written._replace(kept=[]))
        parts.append(filtered(run, stage, source, pattern.pairs))
    return Made(
        [pair for part in parts for pair in part.kept],
        sum(part.refused for part in parts),
        [failure for part in parts for failure in part.failures],
    )


def _student_stage(this: Round) -> Stage:
    rows = (*this.rows, this.augmented)

    def fingerprint(run: Run) -> dict[str, str]:
        depends = TRAIN.fingerprint(run)
        return {
            **{run.folder.name_of(path): digest_file(path) for path in rows},
            **{key: depends[key] for key in ("train", "seed")},
        }

    def work(run: Run) -> dict[str, int]:
        data = this.folder / "train.jsonl"
        write_lines_atomic(
            data, (line.decode("utf-8").rstrip("\n") for path in rows for _, _, line in read_lines(path))
        )
        return {"examples": train_on(run, data, this.student, arm=ARM, label=f"student of round {this.name}")}

    return Stage(f"round-{this.name}-student", "train the next student", lambda _: (this.student,), fingerprint, work)


def _figures_stage(this: Round) -> Stage:
    name = f"round-{this.name}-figures"

    def fingerprint(run: Run) -> dict[str, str]:
        evaluate = run.config.evaluate
        return {
            **watching_depends(run, this.student),
            "before.jsonl": digest_file(this.before),
            "patterns.yaml": digest_file(this.patterns),
            "augmented.jsonl": digest_file(this.augmented),
            "evaluate.similarity": embedding_digest(run),
            "resampling": digest([evaluate.samples, evaluate.confidence, evaluate.cluster]),
        }

    def work(run: Run) -> dict[str, int]:
        failures = watch(run, this.student, name, this.after)
        run.folder.replace_failures(name, failures)
        figures = round_figures(run, this)
        write_record(this.figures, figures)
        before, after = (sum(item.before for item in figures.patterns), sum(item.after for item in figures.patterns))
        return {"errors before": before, "errors after": after, "failed": len(failures)}

    does = "errors of the next student on the dev side"
    return Stage(name, does, lambda _: (this.after, this.figures), fingerprint, work, asks=analysts)
