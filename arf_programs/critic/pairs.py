"""The sentences that a checker is trained on: right ones, planted errors, harmless changes, and what people marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks import find_words
from arf_programs.corpus import LabeledExample
from arf_programs.critic.harmless import join_sentences, reword
from arf_programs.planting import FACT_KINDS, RightSummary, plant_sentences
from arf_programs.runs import Run, digest, read_jsonl
from arf_programs.text import group_by_sentence, split_sentences
from signatures.records import Conversation, Revision, Verdict

RIGHT: Final = "right"
REWORDED: Final = "reworded"
ELSEWHERE: Final = "other conversation"
LABEL: Final = "label"
DRAFT: Final = "draft"
_RARE: Final = 0.05
_LONG: Final = 4
_TRIED: Final = 20
_HALF: Final = 0.5
_ROUNDS: Final = 3
_VERSIONS: Final = 8  # a sentence and its planted versions, at most


class Pair(NamedTuple):
    """A sentence about a conversation. `kind` says where it comes from, or which error was planted in it."""

    conversation: Conversation
    sentence: str
    supported: bool
    kind: str


def collect_pairs(
    run: Run, talks: Mapping[str, Conversation], right: Sequence[RightSummary], labelled: Sequence[LabeledExample]
) -> list[Pair]:
    """Collect all pairs about these conversations, each sentence of a conversation once.

    `right` are the summaries that are believed right, `labelled` the examples of people.
    """
    seed = run.config.seed
    mine = [item for item in right if item.conversation.id in talks]
    pairs = [
        *_planted(mine, seed),
        *_harmless(mine, seed),
        *_elsewhere(mine, talks, seed),
        *_marked(item for item in labelled if item.conversation.id in talks),
        *_revised(run, talks),
    ]
    # Where sources disagree about a sentence, the first one counts.
    return list({(pair.conversation.id, pair.sentence): pair for pair in reversed(pairs)}.values())[::-1]


def _planted(right: Sequence[RightSummary], seed: int) -> Iterator[Pair]:
    """The sentences of right summaries, and planted versions of them. Wrong values are of the same conversation.

    Values are planted several times, each time others. Sentences of the kind `unsupported` are left out: there are few
    of them, so a checker would know them by heart.
    """
    if not right:
        return
    most = sum(_VERSIONS * len(split_sentences(item.text)) for item in right)
    rng = Random(f"{seed} words")  # noqa: S311 - repeatable, not secret
    for number in range(_ROUNDS):
        for talk in plant_sentences(right, seed=seed + number, most=most):
            for sentence, kind in talk.sentences:
                if kind is None or ((kind in FACT_KINDS or not number) and kind != "unsupported"):
                    yield _reworded(Pair(talk.summary.conversation, sentence, kind is None, kind or RIGHT), rng)


def _reworded(pair: Pair, rng: Random) -> Pair:
    """Return half of the wrong pairs in other words, as half of the right ones are, so that words are no sign."""
    changed = reword(pair.sentence, rng) if not pair.supported and rng.random() < _HALF else None
    return pair if changed is None else pair._replace(sentence=changed)


def _harmless(right: Sequence[RightSummary], seed: int) -> Iterator[Pair]:
    """Sentences that say the same in other words or in another order."""
    for item in right:
        rng = Random(f"{item.key(seed)} harmless")  # noqa: S311 - repeatable, not secret
        sentences = split_sentences(item.text)
        for sentence in sentences:
            if (changed := reword(sentence, rng)) is not None:
                yield Pair(item.conversation, changed, True, REWORDED)
        if (joined := join_sentences(sentences, rng)) is not None:
            yield Pair(item.conversation, joined, True, REWORDED)


def _elsewhere(right: Sequence[RightSummary], talks: Mapping[str, Conversation], seed: int) -> Iterator[Pair]:
    """Sentences of one conversation as claims about another, with a rare word that the other does not have.

    Without such a word a sentence such as "The agent asked for details" may be true of both. Of some conversations
    drawn, that which shares most words is taken, so that the sentence is not wrong at first sight.
    """
    words = {name: frozenset(find_words(talk.as_text())) for name, talk in talks.items()}
    frequency = Counter(word for own in words.values() for word in own)
    rare = {word for word, count in frequency.items() if count <= max(1, _RARE * len(talks)) and len(word) >= _LONG}
    names = sorted(talks, key=lambda name: digest([seed, name]))
    for item in right:
        rng = Random(f"{item.key(seed)} elsewhere")  # noqa: S311 - repeatable, not secret
        for sentence in split_sentences(item.text):
            said = frozenset(find_words(sentence))
            drawn = rng.sample(names, min(_TRIED, len(names)))
            others = [name for name in drawn if name != item.conversation.id and said & rare - words[name]]
            if others:
                nearest = max(others, key=lambda name: (len(said & words[name]), name))
                yield _reworded(Pair(talks[nearest], sentence, False, ELSEWHERE), rng)


def _marked(labelled: Iterator[LabeledExample]) -> Iterator[Pair]:
    """The sentences that people marked as wrong, the others of these summaries, and the corrected ones."""
    for example in labelled:
        wrong = group_by_sentence(example.summary, example.errors)
        for place, sentence in enumerate(split_sentences(example.summary)):
            yield Pair(example.conversation, sentence, place not in wrong, LABEL)
        for sentence in split_sentences(example.revised or ""):
            yield Pair(example.conversation, sentence, True, LABEL)


def _revised(run: Run, talks: Mapping[str, Conversation]) -> Iterator[Pair]:
    """Sentences of drafts that a verified revision changed, and the sentences in their place."""
    if not run.folder.revisions.exists():
        return
    for row in read_jsonl(run.folder.revisions, Revision):
        talk = talks.get(row.conversation_id)
        if talk is None or row.verdict is not Verdict.VERIFIED:
            continue
        before, after = split_sentences(row.before), split_sentences(row.after)
        for sentences, others, supported in ((before, after, False), (after, before, True)):
            for sentence in sentences:
                if sentence not in others:
                    yield Pair(talk, sentence, supported, DRAFT)
