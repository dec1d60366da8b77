"""`arf checker train`: fine-tunes a classifier of (conversation, sentence), and measures it on unseen conversations.

The training is that of sentence-transformers' cross-encoders. The conversations are split in three: those to train on,
those that set the threshold, and those on which the checker is measured. The holdout is not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from arf_programs.checkers import Checker, LoadedChecker
from arf_programs.config import CheckerTrainConfig
from arf_programs.corpus import split_conversations
from arf_programs.critic.fitting import (
    Fitted,
    find_base,
    freeze,
    name_of_base,
    run_training,
    target_folder,
    written_whole,
)
from arf_programs.critic.pairs import Pair, balance, collect_pairs, overlap_auc
from arf_programs.critic.probe import (
    CARD,
    TrainedChecker,
    checker_scorer,
    checks_scorer,
    hash_id,
    measure,
    sets_of,
    unseen_labels,
    write_card,
)
from arf_programs.metrics import CHECKER_PROBE, CheckerProbe, logit
from arf_programs.models import find_placement
from arf_programs.pipeline import run_until
from arf_programs.planting import RightSummary, plant_sentences, right_summaries
from arf_programs.runs import Progress, Run, write_record
from signatures.exceptions import DataError
from signatures.records import Conversation

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_OF_THRESHOLD: Final = 0.1
_THRESHOLD_SENTENCES: Final = 400
_LEAST_PAIRS: Final = 20
Row = tuple[str, str, bool]
"""(document, claim, whether the document supports the claim)."""


class Sides(NamedTuple):
    """The conversations to train on, to set the threshold by, and to measure on."""

    train: Mapping[str, Conversation]
    threshold: Mapping[str, Conversation]
    test: Mapping[str, Conversation]


def train_checker(run: Run) -> tuple[Path, TrainedChecker, CheckerProbe]:
    """Train a checker on the run's training conversations. Return (its folder, its card, what was measured).

    Raises ConfigError for a folder that holds something else, and DataError if there is too little to train on.
    """
    run_until(run, "corpus")
    folder = target_folder(run.base_dir / run.config.checker.dir, CARD, "checker.dir")
    right, labelled = right_summaries(run), unseen_labels(run, ())
    talks = {**run.conversations("train"), **{item.conversation.id: item.conversation for item in labelled}}
    sides = _split(run, talks)
    pairs = balance(collect_pairs(run, sides.train, right, labelled), run.config.checker.pairs, seed=run.config.seed)
    if len(pairs) < _LEAST_PAIRS:
        raise DataError(f"checker: only {len(pairs)} balanced sentences to train on: give the corpus more references")
    run.progress.say(f"checker: {len(pairs)} sentences of {len(sides.train)} conversations, half of them wrong")
    model, checker, made = _fit(run, pairs)
    _set_threshold(run, model, checker, [item for item in right if item.conversation.id in sides.threshold])
    probe = _probe(run, checker, folder.name, sides, right)
    card = _card(run, made, pairs, sides)
    with written_whole(folder) as new:
        model.save_pretrained(str(new), create_model_card=False)
        write_card(new, card, probe)
        write_record(new / CHECKER_PROBE, probe)
    return folder, card, probe


def _split(run: Run, talks: Mapping[str, Conversation]) -> Sides:
    """Split the conversations. Near-duplicates stay on one side."""
    config = run.config
    threshold = config.corpus.near_duplicate
    first = split_conversations(
        list(talks.values()), holdout=config.checker.test, seed=config.seed + 1, threshold=threshold
    )
    rest = [talks[name] for name in first.train]
    second = split_conversations(rest, holdout=_OF_THRESHOLD, seed=config.seed + 2, threshold=threshold)
    ids = (second.train, second.holdout, first.holdout)
    return Sides(*({name: talks[name] for name in side} for side in ids))


def _fit(run: Run, pairs: Sequence[Pair]) -> tuple[CrossEncoder, Checker, Fitted]:
    settings = run.config.checker
    base = find_base(settings.base, run.base_dir)
    model = new_cross_encoder(base, settings, seed=run.config.seed)
    checker = Checker(LoadedChecker(model.model, model.tokenizer, "pair", 0), batch_size=settings.batch_size)
    rows = [(checker.document(pair.conversation, pair.sentence), pair.sentence, pair.supported) for pair in pairs]
    made = fit(model, rows, settings, seed=run.config.seed, progress=run.progress)
    return model, checker, made


def _set_threshold(run: Run, model: CrossEncoder, checker: Checker, right: Sequence[RightSummary]) -> None:
    """Move the model's output so that 0.5 flags the wished share of the right sentences."""
    talks = plant_sentences(right, seed=run.config.seed, most=_THRESHOLD_SENTENCES) if right else []
    futures = [
        checker.ask(talk.summary.conversation, item.sentence)
        for talk in talks
        for item in talk.sentences
        if item.kind is None
    ]
    scores = sorted(future.result() for future in futures)
    if scores:
        shift_output(model, -logit(scores[int(run.config.analyze.false_alarms * len(scores))]))


def _probe(run: Run, checker: Checker, name: str, sides: Sides, right: Sequence[RightSummary]) -> CheckerProbe:
    seen = {*sides.train, *sides.threshold}
    mine = [item for item in right if item.conversation.id in sides.test]
    if not mine:
        raise DataError("checker: no summary of the test conversations is believed right: raise checker.test")
    sets = sets_of(run, mine, seen=seen)
    made = measure([checker_scorer(checker, name), checks_scorer()], sets, seed=run.config.seed)
    return made.model_copy(update={"checker": name})


def _card(run: Run, made: Fitted, pairs: Sequence[Pair], sides: Sides) -> TrainedChecker:
    settings = run.config.checker
    return TrainedChecker(
        base=name_of_base(settings.base),
        seed=run.config.seed,
        pairs=dict(Counter(pair.kind for pair in pairs).most_common()),
        conversations=tuple(sorted(map(hash_id, {*sides.train, *sides.threshold}))),
        test_conversations=len(sides.test),
        epochs=settings.epochs,
        steps=made.steps,
        stopped=made.stopped,
        seconds=made.seconds,
        loss_first=made.losses[0] if made.losses else None,
        loss_last=made.losses[-1] if made.losses else None,
        overlap_auc=overlap_auc(pairs),
        false_alarms=run.config.analyze.false_alarms,
    )


def new_cross_encoder(base: str, settings: CheckerTrainConfig, *, seed: int) -> CrossEncoder:
    """Load the base with a new output of one number, and freeze its embeddings and lower layers.

    Raises DataError for a base that cannot be loaded. Only safetensors are read, and no code of a model is run.
    """
    from sentence_transformers import CrossEncoder
    from transformers import set_seed

    set_seed(seed)
    try:
        model: CrossEncoder = CrossEncoder(
            base,
            num_labels=1,
            max_length=settings.max_tokens,
            device=find_placement().device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "ignore_mismatched_sizes": True},
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"checker.base: {base} cannot be loaded: {error}") from error
    model.tokenizer.model_max_length = settings.max_tokens  # the checker reads as many tokens as it was trained on
    freeze(model.model, settings.frozen)
    return model


def fit(
    model: CrossEncoder, rows: Sequence[Row], settings: CheckerTrainConfig, *, seed: int, progress: Progress
) -> Fitted:
    """Train the model on the rows with binary cross-entropy, until the epochs or the minutes end."""
    from datasets import Dataset
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    data = Dataset.from_dict({
        "document": [row[0] for row in rows],
        "claim": [row[1] for row in rows],
        "label": [float(row[2]) for row in rows],
    })  # fmt: skip

    def build(arguments: dict[str, Any]) -> Any:
        return CrossEncoderTrainer(
            model=model,
            args=CrossEncoderTrainingArguments(**arguments),
            train_dataset=data,
            loss=BinaryCrossEntropyLoss(model),
        )

    made = run_training(build, len(rows), settings, seed=seed, progress=progress)
    model.eval()
    return made


def shift_output(model: CrossEncoder, by: float) -> None:
    """Add a number to the model's output, on the scale of log-odds, by the bias of its last layer."""
    import torch

    network: Any = model.model
    heads = [part for part in network.modules() if isinstance(part, torch.nn.Linear) and part.out_features == 1]
    with torch.no_grad():
        heads[-1].bias += by
