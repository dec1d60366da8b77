"""Check everything that can be checked before money is spent, and list all problems at once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from arf_programs.cli.session import print_lines
from arf_programs.config import PIPELINE_ROLES, ROLES
from arf_programs.runs import Run
from signatures.exceptions import ArfError, ConfigError

if TYPE_CHECKING:
    from arf_programs.corpus import Split
    from arf_programs.stages import Preview
    from signatures.records import Conversation

_HUB_OFFLINE = "HF_HUB_OFFLINE"
_GIB = 2**30
_NO_CHANNEL = "default"  # of a row without one
_INDENT = "  "  # of a line that belongs to the line above
_MOST_NAMES = 8
_MOST_TURNS = 12
_MOST_CHARACTERS = 90
_FEW_COPIES = 0.8  # of the conversations held out, the share that are no near-duplicates of others


@dataclass
class Findings:
    """What is right, warnings and problems, each a sentence; a warning stops nothing.

    `hosts` are those that a run asks. `first` is a conversation of the corpus, and `preview` is that conversation as a
    student would be trained on it. `training` are the conversations to train on, which can be read once.
    """

    good: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    first: Conversation | None = None
    preview: Preview | None = None
    training: Iterable[Conversation] = ()

    def extend(self, later: Findings) -> None:
        """Add what was found later."""
        self.good += later.good
        self.warnings += later.warnings
        self.problems += later.problems
        self.hosts, self.preview = later.hosts, later.preview

    def as_json(self, *, example: bool = False) -> dict[str, Any]:
        found = {
            "ok": not self.problems,
            "hosts": self.hosts,
            "good": self.good,
            "warnings": self.warnings,
            "problems": self.problems,
        }
        if not example or self.preview is None:
            return found
        return {**found, "example": {"prompt": self.preview.prompt, "learns": self.preview.learns}}


def preflight(
    run: Run,
    *,
    example: bool = False,
    offline: bool = False,
    show: Callable[[Findings], None] = lambda found: None,
) -> Findings:
    """Check the files first, then the base, programs, terms and hosts, and that every role answers tiny calls.

    Each of the two parts is given to `show` when it is known. With `example` there is a preview of every base, also of
    the built-in one, which needs no look otherwise. With `offline` no model is asked, and nothing is fetched.
    """
    with TemporaryDirectory() as folder:
        findings = Findings()
        _take((partial(_check_corpus, folder=Path(folder)), _check_taxonomy, _check_folder), run, findings)
        show(findings)
        later = Findings(first=findings.first, training=findings.training)
        with _offline() if offline else nullcontext():
            _check_rest(run, later, example=example, offline=offline)
        show(later)
    findings.extend(later)
    return findings


def show_findings(findings: Findings, *, example: bool = False) -> None:
    """Print the `example` if it is wanted, then what is right, the warnings, and every problem."""
    if example and findings.preview is not None:
        print_lines("-- a student is asked:", findings.preview.prompt)
        print_lines("-- and learns to say:", findings.preview.learns, "--")
    print_lines(
        *(line if line.startswith(_INDENT) else f"ok: {line}" for line in findings.good),
        *(f"beware: {line}" for line in findings.warnings),
        *(f"problem: {line}" for line in findings.problems),
    )


def show_verdict(findings: Findings, *, offline: bool = False) -> None:
    """Say how many problems there are."""
    count = len(findings.problems)
    ready = "Ready to run, as far as files say: no model was asked." if offline else "Ready to run."
    print_lines(f"{count} problem{'s' if count > 1 else ''} to mend." if count else ready)


def _check_rest(run: Run, findings: Findings, *, example: bool, offline: bool) -> None:
    steps = (
        partial(_check_base, show=example),
        _check_programs,
        _check_checker,
        _check_calibration,
        _check_evaluation,
        _check_terms,
    )
    _take(steps, run, findings)
    if not offline:
        from arf_programs.cli.check_models import check_models

        asyncio.run(check_models(run, findings.good, findings.warnings, findings.problems))
    _check_hosts(run, findings)
    if not offline:  # LiteLLM asks some servers for their prices
        findings.warnings += _warn_of_prices(run)


def _take(steps: Iterable[Callable[[Run, Findings], None]], run: Run, findings: Findings) -> None:
    """Take each step; its error is a problem, and stops no other."""
    for step in steps:
        try:
            step(run, findings)
        except ArfError as error:
            findings.problems += getattr(error, "problems", None) or str(error).splitlines()


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the libraries of the Hugging Face hub from it, in this process and those that it starts."""
    before = os.environ.get(_HUB_OFFLINE)
    os.environ[_HUB_OFFLINE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_HUB_OFFLINE]
        else:
            os.environ[_HUB_OFFLINE] = before


def _check_corpus(run: Run, findings: Findings, *, folder: Path) -> None:
    from arf_programs.corpus import split_corpus, store_corpus

    config = run.config.corpus
    corpus = store_corpus(run.config, base_dir=run.base_dir, path=folder / "corpus.jsonl")
    sides, labeled = split_corpus(run, corpus)
    conversations = corpus.conversations
    _check_drafts(run, conversations.values(), findings)
    findings.first = next(iter(conversations.values()), None)
    findings.training = (conversations[name] for name in sides.train)
    counts = f"{len(sides.train)} for training and {len(sides.holdout)} held out"
    counts += f", {len(sides.dev)} for dev" if sides.dev else ""
    findings.good.append(f"{config.path}: {len(conversations)} conversations, {counts}")
    lines = [*describe_columns(conversations.values(), corpus.unread), *describe_speakers(conversations.values())]
    findings.good += [line if line.startswith(_INDENT) else f"{config.path}: {line}" for line in lines]
    findings.warnings += [] if run.config.evaluate.cluster else _warn_of_copies(sides)
    if corpus.skipped:
        findings.good.append(f"{config.path}: {len(corpus.skipped)} skipped: {corpus.skipped[0].reason}")
    if run.config.labeled.path:
        findings.good.append(_use_of_labels(run, len(labeled)))


def _warn_of_copies(sides: Split) -> list[str]:
    """Warn of a holdout with many near-duplicates, where intervals draw those together."""
    rows, groups = len(sides.holdout), sides.holdout_groups
    if groups > _FEW_COPIES * rows:
        return []
    return [
        f"corpus: {rows} conversations are held out, and only {groups} without near-duplicates. Intervals draw "
        "near-duplicates together, so they rest on the smaller number: add different conversations, or set "
        "evaluate.cluster to a key of the metadata by which intervals should draw"
    ]


def _use_of_labels(run: Run, count: int) -> str:
    """Say how many labelled summaries there are, and what they are for."""
    settings = run.config.labeled
    if settings.demos:
        shown = f"analyst and editor see {settings.demos} of them with each question"
    else:
        shown = "set labeled.demos to show some to analyst and editor"
    limit = run.config.corpus.limit
    of = "" if limit is None else f" of the first {limit} conversations"
    return f"{settings.path}: {count} labelled summaries{of}, for arf compile and arf calibrate; {shown}"


def _check_drafts(run: Run, conversations: Collection[Conversation], findings: Findings) -> None:
    """Count the drafts that the corpus has, where the teacher is a column of it."""
    from arf_programs.config import DraftColumn

    teacher = run.config.models.teacher
    if not isinstance(teacher, DraftColumn):
        return
    there, rows = sum(item.draft is not None for item in conversations), len(conversations)
    if not there and teacher.otherwise is None:
        findings.problems.append(f"models.teacher: no row has a draft in column {teacher.column!r}")
        return
    findings.good.append(f"models.teacher: {there} of {rows} rows have a draft in column {teacher.column!r}")
    if there < rows and teacher.otherwise is None:
        findings.warnings.append(
            f"models.teacher: {rows - there} of {rows} rows have no draft in column {teacher.column!r} and will be "
            "counted as failures: set models.teacher.otherwise to a model that drafts them"
        )
    if teacher.name is None:
        findings.warnings.append(
            "models.teacher: set models.teacher.name to the model that wrote the drafts. The model card shows it, and "
            "ARF looks for the terms of its provider by it"
        )


def describe_columns(conversations: Iterable[Conversation], unread: Sequence[str]) -> list[str]:
    """Return lines that say which channels and references were found, and which columns nothing reads."""
    channels: Counter[str] = Counter()
    total = referenced = 0
    for conversation in conversations:
        channels[conversation.channel] += 1
        total += 1
        referenced += bool(conversation.references)
    named = [f"{name} ({count})" for name, count in channels.most_common() if name != _NO_CHANNEL]
    lines = [
        f"channels: {_first_of(named) or 'none found (corpus.columns.channel)'}",
        f"references: {f'in {referenced} of {total} rows' if referenced else 'none found (corpus.columns.references)'}",
    ]
    return [*lines, f"columns that nothing reads: {_first_of(unread)}"] if unread else lines


def _first_of(names: Sequence[str]) -> str:
    left = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {left} more" if left > 0 else "")


def describe_speakers(conversations: Iterable[Conversation]) -> list[str]:
    """Return lines that name the speakers with their counts, and the first conversation turn by turn.

    The longest lists and texts are cut.
    """
    turns: Counter[str] = Counter()
    spoken_in: Counter[str] = Counter()
    first: Conversation | None = None
    for conversation in conversations:
        first = first or conversation
        turns.update(turn.speaker for turn in conversation.turns)
        spoken_in.update({turn.speaker for turn in conversation.turns})
    if first is None:
        return []
    shown = [f"{name} ({count} turns in {spoken_in[name]} conversations)" for name, count in turns.most_common()]
    return [f"speakers: {_first_of(shown)}", f"conversation {first.id} as it was understood:", *_turn_lines(first)]


def _turn_lines(conversation: Conversation) -> list[str]:
    lines = [
        f"{_INDENT}[{number}] {turn.speaker}: {_cut(turn.text)}"
        for number, turn in enumerate(conversation.turns[:_MOST_TURNS], start=1)
    ]
    left = len(conversation.turns) - len(lines)
    return [*lines, f"{_INDENT}and {left} more turns"] if left else lines


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else line[:_MOST_CHARACTERS] + "…"


def _check_taxonomy(run: Run, findings: Findings) -> None:
    """Look at the configured taxonomy, and compare the labelled set with it."""
    from arf_programs.corpus import label_notes, load_configured_taxonomy

    given = run.config.analyze.taxonomy
    if given:
        taxonomy = load_configured_taxonomy(run)
        findings.good.append(f"{given}: {len(taxonomy.categories)} categories")
    findings.warnings += label_notes(run)


def _check_base(run: Run, findings: Findings, *, show: bool) -> None:
    """Look at the base of the students and at its chat template, as training would use them."""
    from arf_programs.models import resolve_weights
    from arf_programs.stages import preview_base

    base = run.config.train.base
    is_here = isinstance(resolve_weights(base), Path)
    findings.preview = preview = preview_base(run, findings.first, findings.training, show=show)
    findings.good.append(f"train.base: {base}" + ("" if is_here else " (from the hub)"))
    findings.good += [f"the chat template of {base} is mended: {note}" for note in preview.mended]
    if preview.unread:
        findings.warnings.append(f"train.base: its chat template was not looked at: {preview.unread}")
    if figures := preview.training:
        size, device = figures["memory"]["total"] / _GIB, figures["device_memory"] / _GIB
        findings.good.append(f"train: a student takes about {size:.1f} of {device:.1f} GiB ({figures['device']})")
        findings.warnings += [f"train: {warning}" for warning in figures["warnings"]]


def _check_folder(run: Run, findings: Findings) -> None:
    from arf_programs.runs import refuse_foreign_folder, refuse_read_only

    refuse_foreign_folder(run)
    refuse_read_only(run.folder.path, instead="give another --run-dir")
    refuse_read_only(run.calls, instead="set calls_dir to another folder")
    findings.good.append(f"run folder: {run.folder.path}")


def _check_programs(run: Run, findings: Findings) -> None:
    from arf_programs.programs import TARGET_ROLES, program_folder, program_notes, read_card, strategy_of
    from arf_programs.tools.transfer import transfer_notes

    for target in TARGET_ROLES:
        folder = program_folder(run, target)
        wanted = strategy_of(run, target)
        if folder is not None and read_card(folder, target).strategy != wanted:
            raise ConfigError(f"programs.{target}: {folder} is for another strategy than {target}.strategy: {wanted}")
    findings.warnings += program_notes(run)
    good, warnings = transfer_notes(run)
    findings.good += good
    findings.warnings += warnings


def _check_checker(run: Run, findings: Findings) -> None:
    """Look at the configuration of the checker, and say which form and licence it has."""
    from arf_programs.checkers import known_checker
    from arf_programs.programs import CheckerSupport
    from arf_programs.stages import build_support

    name = run.config.analyze.checker.model
    support = build_support(run) if name else None
    if not name or not isinstance(support, CheckerSupport):
        return
    known = known_checker(name)
    findings.good.append(f"analyze.checker: {name}, form {support.form}" + (f", {known.licence}" if known else ""))
    if known is None:
        findings.warnings.append(f"analyze.checker.model: the licence of {name} is not known to ARF: read it")
    if run.config.analysis_form() == "holistic":
        findings.warnings.append(
            "analyze.checker only scores candidates of the editor: analyze.strategy: sentencewise lets it find errors"
        )


def _check_calibration(run: Run, findings: Findings) -> None:
    from arf_programs.config import AUTO
    from arf_programs.stages import build_support, refuse_calibration

    if run.config.analyze.calibration not in (None, AUTO):
        support = build_support(run)
        # The demonstrations depend on the taxonomy, which may not be there yet: stage analyze compares them.
        refuse_calibration(run, support, prompt=not run.config.labeled.demos)
        findings.good.append(f"{run.config.analyze.calibration}: a calibration, threshold {support.threshold:.2f}")


def _check_terms(run: Run, findings: Findings) -> None:
    """Warn of terms against training that are acknowledged. Others are a problem, since they stop `arf run`."""
    from arf_programs.models import check_terms, terms_warnings

    check_terms(run.config)
    findings.warnings += terms_warnings(run.config)


def _check_evaluation(run: Run, findings: Findings) -> None:
    """Warn of a judge of the same family, and look for the embedding model of the configuration."""
    from arf_programs.config import AUTO
    from arf_programs.metrics import find_model
    from arf_programs.models import judge_notes
    from arf_programs.stages import vllm_to_use

    findings.warnings += judge_notes(run.config)
    if program := vllm_to_use(run.config):
        findings.good.append(f"evaluate.engine: base and students are asked at vLLM ({program})")
    name = run.config.evaluate.similarity
    if name not in (None, AUTO):
        find_model(name, run.base_dir)


def _warn_of_prices(run: Run) -> list[str]:
    """Name the models that a cap in dollars does not count. Call it after the models have declared their prices."""
    from arf_programs.models import is_local, listed_price

    if run.config.budget.usd is None:
        return []
    asked = [*run.config.models.asked(PIPELINE_ROLES).values(), *run.config.models.editors]
    models = dict.fromkeys(model.model for model in asked)
    return [
        f"budget.usd does not count {model}, whose price is not known: set its input_price and output_price, or "
        "budget.calls or budget.tokens"
        for model in models
        if not is_local(model) and listed_price(model) is None
    ]


def _check_hosts(run: Run, findings: Findings) -> None:
    """List the hosts that a run may ask, those of served students and of further systems too."""
    from arf_programs.models import check_providers, describe_hosts

    evaluate = run.config.evaluate
    asked = run.config.models.asked(ROLES).values()
    for config in [*asked, *run.config.models.editors, *evaluate.serve.values(), *evaluate.systems.values()]:
        try:
            hosts = check_providers([config])
        except ConfigError as error:
            said = "\n".join(findings.problems)
            findings.problems += [problem for problem in error.problems if problem not in said]
        else:
            for host, names in hosts.items():
                findings.hosts[host] = sorted({*findings.hosts.get(host, []), *names})
    if findings.hosts or not findings.problems:  # a model with a problem may have another host
        findings.good.append(describe_hosts(findings.hosts))
