"""`arf embed train`: tunes an embedding so that a summary is nearest to its conversation, and compares it with BM25.

The training is that of sentence-transformers with in-batch negatives (Henderson et al. 2017, arXiv 1705.00652) and one
hard negative for each summary: the conversation of the same channel that BM25 takes for the most alike (the idea of
CustomIR, arXiv 2510.21729). The holdout is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from arf_programs import __version__
from arf_programs.config import EmbedTrainConfig
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
from arf_programs.metrics import EmbeddingRanking, Interval, Resampling, mean_interval
from arf_programs.models import find_placement
from arf_programs.pipeline import run_until
from arf_programs.planting import RightSummary, right_summaries
from arf_programs.runs import Progress, Run, write_text_atomic
from arf_programs.text import Ranking, WordRanking
from signatures.exceptions import DataError
from signatures.records import Conversation, Record

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CARD: Final = "embedding.json"
BM25: Final = "BM25"
TUNED: Final = "tuned"
_UNTUNED: Final = "untuned"
_DEPTH: Final = 10
_LEAST: Final = 20
Triple = tuple[str, str, str]
"""(summary, its conversation, another conversation that is like it)."""


class Recall(Record):
    """The shares of the queries whose own conversation a ranking puts first, and among the first ten."""

    ranking: str
    at_1: Interval
    at_10: Interval


class EmbeddingCard(Record):
    """How an embedding was tuned, and what came out.

    `queries` summaries of conversations that it has not seen were looked up among `candidates` conversations. `gain` is
    the tuned model's recall at 1 less that of BM25, with an interval that draws conversations.
    """

    base: str
    seed: int
    summaries: int
    queries: int
    candidates: int
    steps: int
    stopped: bool
    seconds: float
    found: tuple[Recall, ...]
    gain: Interval
    arf_version: str = Field(default=__version__)

    @property
    def beats_bm25(self) -> bool:
        """Whether the tuned embedding finds more than BM25, beyond chance."""
        return self.gain.low > 0


def train_embedding(run: Run) -> tuple[Path, EmbeddingCard]:
    """Tune an embedding on the run's training conversations. Return (its folder, its card).

    Raises ConfigError for a folder that holds something else, and DataError if there is too little to train on.
    """
    run_until(run, "corpus")
    settings, seed = run.config.embed, run.config.seed
    folder = target_folder(run.base_dir / settings.dir, CARD, "embed.dir")
    talks = dict(run.conversations("train").items())
    right = [item for item in right_summaries(run) if item.conversation.id in talks]
    sides = split_conversations(
        list(talks.values()), holdout=settings.test, seed=seed + 1, threshold=run.config.corpus.near_duplicate
    )
    held_out = set(sides.holdout)
    queries = [item for item in right if item.conversation.id in held_out]
    triples = make_triples([item for item in right if item.conversation.id not in held_out], talks, held_out)
    if len(triples) < _LEAST or not queries:
        raise DataError(
            f"embed: {len(triples)} summaries to train on and {len(queries)} to measure on, of which {_LEAST} and 1 "
            "are needed: give the corpus more references"
        )
    run.progress.say(f"embed: {len(triples)} summaries to train on, {len(queries)} of other conversations to find")
    model = new_embedding(find_base(settings.base, run.base_dir), settings, seed=seed)
    texts = {name: talk.as_text() for name, talk in talks.items()}
    ranks = {BM25: ranks_of(WordRanking(list(texts.values())), texts, queries)}
    ranks[_UNTUNED] = ranks_of(EmbeddingRanking(encoder(model), list(texts.values())), texts, queries)
    made = fit_embedding(model, triples, settings, seed=seed, progress=run.progress)
    ranks[TUNED] = ranks_of(EmbeddingRanking(encoder(model), list(texts.values())), texts, queries)
    card = _card(run, made, ranks, queries, len(triples), len(texts))
    with written_whole(folder) as new:
        model.save_pretrained(str(new), create_model_card=False)
        write_text_atomic(new / CARD, card.model_dump_json(indent=2) + "\n")
    return folder, card


def make_triples(right: Sequence[RightSummary], talks: Mapping[str, Conversation], out: set[str]) -> list[Triple]:
    """Return each summary with its conversation and the nearest other one of its channel, by BM25.

    Conversations in `out` are left out. If a channel has one conversation only, the nearest of all is taken.
    """
    names = [name for name in talks if name not in out]
    texts = [talks[name].as_text() for name in names]
    ranking = WordRanking(texts)
    triples = []
    for item in right:
        mine = item.conversation
        others = [place for place in ranking.order(item.text) if names[place] != mine.id]
        alike = [place for place in others if talks[names[place]].channel == mine.channel] or others
        if alike:
            triples.append((item.text, mine.as_text(), texts[alike[0]]))
    return triples


def new_embedding(base: str, settings: EmbedTrainConfig, *, seed: int) -> SentenceTransformer:
    """Load the base, and freeze its word embeddings and lower layers. A base without a pooling layer gets the mean.

    Raises DataError for a base that cannot be loaded. Only safetensors are read, and no code of a model is run.
    """
    from sentence_transformers import SentenceTransformer
    from transformers import set_seed

    set_seed(seed)
    try:
        model: SentenceTransformer = SentenceTransformer(
            base, device=find_placement().device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"embed.base: {base} cannot be loaded: {error}") from error
    model.max_seq_length = settings.max_tokens
    freeze(model, settings.frozen)
    return model


def encoder(model: SentenceTransformer) -> Any:
    """Return the function that embeds texts."""
    return lambda texts: model.encode(list(texts), show_progress_bar=False)


def fit_embedding(
    model: SentenceTransformer, triples: Sequence[Triple], settings: EmbedTrainConfig, *, seed: int, progress: Progress
) -> Fitted:
    """Train until the epochs or the minutes end. No text is twice in a batch, so no right answer counts as wrong."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    data = Dataset.from_dict({
        "summary": [triple[0] for triple in triples],
        "conversation": [triple[1] for triple in triples],
        "other": [triple[2] for triple in triples],
    })  # fmt: skip

    def build(arguments: dict[str, Any]) -> Any:
        return SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(**arguments, batch_sampler="no_duplicates"),
            train_dataset=data,
            loss=MultipleNegativesRankingLoss(model),
        )

    made = run_training(build, len(triples), settings, seed=seed, progress=progress)
    model.eval()
    return made


def ranks_of(ranking: Ranking, texts: Mapping[str, str], queries: Sequence[RightSummary]) -> list[int]:
    """Return the rank, from 0, of each query's own conversation among the texts."""
    names = list(texts)
    return [ranking.order(item.text).index(names.index(item.conversation.id)) for item in queries]


def _card(
    run: Run, made: Fitted, ranks: Mapping[str, list[int]], queries: Sequence[RightSummary], used: int, candidates: int
) -> EmbeddingCard:
    names, tool = [item.conversation.id for item in queries], Resampling(seed=run.config.seed)

    def share(ranking: str, depth: int) -> list[float]:
        return [float(rank < depth) for rank in ranks[ranking]]

    def interval(ranking: str, depth: int) -> Interval:
        found = mean_interval(share(ranking, depth), names, tool)
        assert found is not None  # noqa: S101 - there are queries
        return found

    differences = [tuned - words for tuned, words in zip(share(TUNED, 1), share(BM25, 1), strict=True)]
    gain = mean_interval(differences, names, tool)
    assert gain is not None  # noqa: S101 - there are queries
    return EmbeddingCard(
        base=name_of_base(run.config.embed.base),
        seed=run.config.seed,
        summaries=used,
        queries=len(queries),
        candidates=candidates,
        steps=made.steps,
        stopped=made.stopped,
        seconds=made.seconds,
        found=tuple(Recall(ranking=name, at_1=interval(name, 1), at_10=interval(name, _DEPTH)) for name in ranks),
        gain=gain,
    )
