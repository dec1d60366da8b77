"""The calibration that a run makes for its analyst before the first draft is analysed.

Errors are planted in sentences that are believed right, and the analyst is asked about both, as in the analysis. The
threshold is fitted for a wished share of false alarms. A model that cannot tell wrong from right is not asked later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from arf_programs.config import AUTO, Config
from arf_programs.metrics import Calibration, ScoredSentence, SelfCalibration, fit_self_calibration, is_hopeless
from arf_programs.models import EMBEDDED, gives_logprobs
from arf_programs.planting import (
    PlantedSentence,
    PlantedTalk,
    labelled_talks,
    plant_sentences,
    summaries_to_calibrate,
)
from arf_programs.programs import SIGNS, SentenceSupport, program_fingerprint, program_folder, read_card, read_signs
from arf_programs.report import calibration_lines
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, digest_model, digest_prompts, read_record, write_record
from arf_programs.stages import draft
from signatures.exceptions import EndpointError, ModelError
from signatures.records import Failure
from signatures.support_sentence import SupportSentence

NAME = "calibration"
"""The stage that calls and failures are booked to."""

AT_ONCE = 40
"""The calibration asks about this number of sentences, and then decides whether to go on."""


def makes_own_calibration(run: Run) -> bool:
    """Say whether a run calibrates its analyst itself.

    It asks sentence by sentence, and has no calibration from outside.

    A checker scores the sentences in the analyst's place and has a threshold of its own, unless it is stacked.
    """
    analyze = run.config.analyze
    scored = analyze.checker.model is None or analyze.stack
    asks = analyze.analyst and run.config.analysis_form() == "sentencewise" and scored
    return asks and analyze.calibration == AUTO and _compiled(run) is None


def subtracts_prior(config: Config) -> bool:
    """Say whether the analyst is also asked about each sentence without its conversation.

    Embedded models are by default, because they are small, and a prompt without a conversation costs them little.
    """
    given = config.analyze.subtract_prior
    wanted = config.models.analyst.model.startswith(EMBEDDED) if given is None else given
    asks = config.analyze.checker.model is None
    return wanted and asks and config.analysis_form() == "sentencewise" and gives_logprobs(config.models.analyst)


def _compiled(run: Run) -> Calibration | None:
    """Return the calibration of the compiled analyst in use; None if it has none, or one of another model."""
    folder = program_folder(run, "analyze")
    calibration = read_card(folder, "analyze").calibration if folder is not None else None
    return calibration if calibration and calibration.model == run.config.models.analyst.model else None


def calibration_fingerprint(run: Run, demos: str) -> str:
    """Return a hash of all that the run's own calibration depends on. `demos` is that of the demonstrations."""
    config = run.config
    return digest({
        "analyze": [config.analyze.false_alarms, config.analyze.calibration_questions, config.analyze.samples],
        "prior": subtracts_prior(config),
        **({"stack": [SIGNS, config.analyze.checker.model]} if config.analyze.stack else {}),
        "models.analyst": digest_model(config.models.analyst),
        "drafts": draft.depends(run),
        "prompt": digest_prompts((SupportSentence,)),
        "demonstrations": [demos, digest_file(run.folder.taxonomy) if config.labeled.demos else ""],
        "programs": program_fingerprint(run, "analyze"),
        "seed": config.seed,
        "conversations.jsonl": digest_file(run.folder.conversations),
        "labelled set": run.content_digest(config.labeled.path or ""),
    })  # fmt: skip


def own_calibration(run: Run, demos: str) -> SelfCalibration | None:
    """Return the run's own calibration; None if there is none yet, or one for other settings."""
    made = read_record(run.folder.calibration, SelfCalibration)
    return made if made and made.fingerprint == calibration_fingerprint(run, demos) else None


def planted_talks(run: Run) -> list[PlantedTalk]:
    """Return the sentences that a calibration asks about, by conversation, in the order in which they are asked."""
    most = run.config.analyze.calibration_questions
    planted = plant_sentences(summaries_to_calibrate(run, most), seed=run.config.seed, most=most)
    return [*planted, *(labelled_talks(run, most) if run.config.analyze.stack else [])]


class _Answer(NamedTuple):
    conversation: str
    sentence: str
    score: float | None
    kind: str


def calibrate_analyst(run: Run, demos: str, support: SentenceSupport) -> None:
    """Calibrate the analyst's support question, write `calibration.json`, and say what came out.

    Answers are stored, so an interrupted calibration goes on where it was. The figures do not depend on the order of
    the answers. Raises what `ask_rows` raises.
    """
    talks = planted_talks(run)
    wanted = sum(len(talk.sentences) for talk in talks)
    run.progress.say(f"{NAME}: {wanted} sentences at most, half of them wrong on purpose, show what the analyst sees")
    asked, failures, scored = _ask_all(run, support, talks, wanted)
    stack = run.config.analyze.stack
    made = fit_self_calibration(
        _with_signs(talks, asked) if stack else [ScoredSentence(name, score, kind) for name, _, score, kind in asked],
        false_alarms=run.config.analyze.false_alarms,
        model=run.config.analyze.checker.model or run.config.models.analyst.model,
        prompt=support.prompt_digest(),
        seed=run.config.seed,
        fingerprint=calibration_fingerprint(run, demos),
        source=", ".join(sorted({talk.summary.source for talk in talks})),
        wanted=wanted,
        failed=len(failures),
    )
    if not scored and not stack:
        made = made.model_copy(update={"outcome": "no_scores"})
    run.folder.replace_failures(NAME, failures)
    write_record(run.folder.calibration, made)
    for line in calibration_lines(made):
        run.progress.say(f"  {line}")


def _ask_all(
    run: Run, support: SentenceSupport, talks: Sequence[PlantedTalk], wanted: int
) -> tuple[list[_Answer], list[Failure], bool]:
    """Return (scores, failures, whether the model gives scores).

    Asking ends early if the first sentence has no score, and when the model will hardly be able to tell.
    """
    scores: list[_Answer] = []
    failures: list[Failure] = []
    for group in _groups(talks):
        answered, failed = _ask(run, support, group)
        failures += failed
        if answered and not any(answer.score is not None for answer in answered):
            return scores, failures, False
        scores += [answer for answer in answered if answer.score is not None]
        sentences = [ScoredSentence(name, score, kind) for name, _, score, kind in scores]
        if is_hopeless(sentences, wanted, run.config.seed):
            break
    return scores, failures, True


def _with_signs(talks: Sequence[PlantedTalk], asked: Sequence[_Answer]) -> list[ScoredSentence]:
    """Return all sentences with their signs, and those that were asked about with their scores."""
    scores = {(answer.conversation, answer.sentence): answer.score for answer in asked}
    return [
        ScoredSentence(talk.id, scores.get((talk.id, item.sentence)), item.kind or "", read_signs(talk, item.sentence))
        for talk, sentences in ((each.summary.conversation, each.sentences) for each in talks)
        for item in sentences
    ]


def _groups(talks: Sequence[PlantedTalk]) -> list[list[PlantedTalk]]:
    """Return the first conversation by itself, and the others in groups of `AT_ONCE` sentences."""
    groups: list[list[PlantedTalk]] = [list(talks[:1])]
    for talk in talks[1:]:
        full = len(groups) == 1 or sum(len(item.sentences) for item in groups[-1]) >= AT_ONCE
        if full:
            groups.append([])
        groups[-1].append(talk)
    return groups


def _ask(run: Run, support: SentenceSupport, talks: Sequence[PlantedTalk]) -> tuple[list[_Answer], list[Failure]]:
    """Ask about all sentences of these conversations, those of one conversation together."""

    async def ask(talk: PlantedTalk) -> list[_Answer]:
        conversation = talk.summary.conversation

        async def score(item: PlantedSentence) -> _Answer:
            try:
                raw = (await support.acall(conversation=conversation, sentence=item.sentence)).raw
            except EndpointError:
                raise
            except ModelError:  # the other sentences of the conversation count all the same
                raw = None
            return _Answer(conversation.id, item.sentence, raw, item.kind or "")

        # The first question leaves the conversation in the cache of the model or the provider.
        first, *rest = talk.sentences
        return [await score(first), *await asyncio.gather(*map(score, rest))]

    keys = {id(talk): RowKey(talk.summary.conversation.id, f"{NAME} {n}") for n, talk in enumerate(talks)}
    outcome = ask_rows(
        run,
        NAME,
        talks,
        ask,
        key=lambda talk: keys[id(talk)],
        concurrency=run.config.models.analyst.concurrency,
    )
    return [answer for answers in outcome.results.values() for answer in answers], outcome.failures
