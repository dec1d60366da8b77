"""`arf compile` optimises the prompts of one program, or shows them. `arf transfer` measures it on other models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from arf_programs.cli.session import (
    ConfigPath,
    Json,
    Limit,
    RunDir,
    Set,
    Verbose,
    opened_run,
    print_figures,
    print_json,
    print_lines,
    reporting,
)
from arf_programs.config import OPTIMIZERS, OptimizerName
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from arf_programs.programs import Card
    from arf_programs.runs import Run
    from arf_programs.tools.transfer import Transfer

Target = Literal["analyze", "revise", "judge", "summarize"]


def compile_command(
    target: Annotated[Target, typer.Argument(metavar="TARGET", help="analyze, revise, judge or summarize.")],
    config: ConfigPath,
    optimizer: Annotated[
        str | None, typer.Option("--optimizer", metavar="NAME", help=f"One of {', '.join(OPTIMIZERS)}.")
    ] = None,
    budget_calls: Annotated[
        int | None, typer.Option("--budget-calls", min=1, help="Send at most N calls, and end with the best so far.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Use the program even if it is not better on dev.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the prompt that a model would really see, and ask nothing.")
    ] = False,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compile one program, or show its prompts."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.corpus import refuse_no_labels

        # Both are refused before the slow imports, and before a run folder is made.
        if target == "summarize":
            run.config.models.of("teacher")
        refuse_no_labels(run.config.labeled)
        from arf_programs.runs import lock_run
        from arf_programs.tools.compiling import compile_program, show_prompts

        name = None if show else _optimizer(optimizer)
        with lock_run(run):
            if name is None:
                _print_prompts(show_prompts(run, target), as_json)
                return
            card, path = compile_program(run, target, name, budget_calls=budget_calls, force=force)
        if as_json:
            print_json({"ok": True, "card": str(path), "adopted": card.adopted, **card.model_dump(mode="json")})
        else:
            _show_card(card, path, run)


def _optimizer(name: str | None) -> OptimizerName:
    for optimizer in OPTIMIZERS:
        if optimizer == name:
            return optimizer
    wrong = f"there is no optimizer {name!r}" if name else "no optimizer is named"
    raise ConfigError(f"--optimizer: {wrong}: name one of {', '.join(OPTIMIZERS)}")


def _print_prompts(prompts: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "prompts": prompts})
        return
    for name, prompt in prompts.items():
        typer.echo(f"=== {name} ===\n{prompt}\n")


def _show_card(card: Card, path: Path, run: Run) -> None:
    from arf_programs.tools.compiling import score_texts

    rows = [(name, str(side.cases), *score_texts(side)) for name, side in (("dev", card.dev), ("test", card.test))]
    columns = ("cases", "before", "after", "difference")
    print_figures(f"{card.target}, {card.optimizer}", ("side",), columns, rows)
    print_lines(*_facts(card, path, run))


def _facts(card: Card, path: Path, run: Run) -> list[str]:
    spent: Any = card.spent
    lines = [
        f"{card.why[:1].upper()}{card.why[1:]}.",
        f"{card.ended[:1].upper()}{card.ended[1:]}: {spent.sent} calls sent, {spent.replayed} replayed, "
        f"{spent.prompt_tokens + spent.completion_tokens} tokens, {spent.usd:.4f} USD.",
    ]
    if card.adopted and getattr(run.config.programs, card.target) is None:
        lines.append(f"To use it: programs: {{{card.target}: {run.config.compile.dir}/{card.target}}}")
    return [*lines, f"Card: {path}"]


def transfer(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A compiled program: its folder, or its file.")],
    models: Annotated[str, typer.Option("--models", metavar="A,B,C", help="The models to measure it on.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="The arf.yaml, instead of that in a folder above PROGRAM.")
    ] = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure a compiled program on other models, beside the uncompiled one, on the labelled set."""
    with reporting(as_json=as_json, verbose=verbose):
        names = _names(models)
        from arf_programs.tools.transfer import find_config, measure_transfer, read_program

        saved = read_program(program)
        path = config or find_config(program)
        with opened_run(path, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
            from arf_programs.corpus import refuse_no_labels
            from arf_programs.runs import lock_run

            refuse_no_labels(run.config.labeled)
            with lock_run(run):
                result = measure_transfer(run, saved, names)
            if as_json:
                print_json({"ok": True, "table": str(saved.table), **result.model_dump(mode="json")})
            else:
                _show_transfer(result)
                print_lines(f"Table: {saved.table}")


def _names(models: str) -> list[str]:
    names = [name.strip() for name in models.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise ConfigError(f"--models {models}: name each model once, with commas between them")
    return names


def _show_transfer(result: Transfer) -> None:
    from arf_programs.tools.compiling import score_texts

    cases = sum(result.cases.values())
    print_figures(
        f"{result.target}, compiled with {result.compiled_with} by {result.optimizer}: {cases} cases of dev and test",
        ("model",),
        ("uncompiled", "compiled", "difference", "compiled is"),
        [(row.model, *score_texts(row.scores), row.verdict) for row in result.rows],
    )
    print_lines(
        f"Scores are from 0 to 1, with {result.confidence:.0%} intervals over conversations; differences are paired.",
        *(
            f"{row.model}: without a usable answer {row.scores.failed_before} uncompiled and "
            f"{row.scores.failed_after} compiled, which score 0."
            for row in result.rows
            if row.scores.failed_before or row.scores.failed_after
        ),
    )
