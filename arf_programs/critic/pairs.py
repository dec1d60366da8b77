"""The sentences that a checker is trained on: right ones, planted errors, harmless changes, and what people marked.

They are balanced by kind, length and word overlap, so that a checker cannot learn these alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from arf_programs.checks import find_words
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import Scored, measure_separation
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
_BOTH_WAYS: Final = (
    (r"did not", "didn't"),
    (r"does not", "doesn't"),
    (r"was not", "wasn't"),
    (r"could not", "couldn't"),
    (r"would not", "wouldn't"),
    (r"has not", "hasn't"),
    (r"is not", "isn't"),
    (r"cannot", "can't"),
    (r"asked for", "requested"),
    (r"said that", "stated that"),
    (r"told", "informed"),
    (r"got in touch with", "contacted"),
    (r"phone", "telephone"),
    (r"customer", "client"),
    (r"agent", "representative"),
    (r"also", "additionally"),
    (r"problem", "trouble"),
)
_ONE_WAY: Final = ((r"because", "since"), (r"but", "yet"), (r"in order to", "to"))
_SAME: Final = (*_BOTH_WAYS, *((right, left) for left, right in _BOTH_WAYS), *_ONE_WAY)
_CLAUSES: Final = re.compile(
    r"^(?P<first>[^,;]{12,}),? (?P<link>because|since|while|although) (?P<second>[^,;]{8,})\.$"
)
_VOWEL: Final = "aeiou"
_SHORT: Final = 40
_OVERLAPS: Final = 8
_LENGTHS: Final = 6
_FOLDS: Final = 5
_LEAST: Final = 20


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


def reword(sentence: str, rng: Random) -> str | None:
    """Return the sentence with some words exchanged for others of the same meaning, or with its clauses exchanged.

    None if nothing in it can be exchanged. An article before an exchanged word agrees with it afterwards.
    """
    match = _CLAUSES.match(sentence)
    if match and rng.random() < 0.5:
        first, link, second = match["first"], match["link"], match["second"]
        return f"{link.capitalize()} {second}, {_lower(first)}."
    changed = sentence
    usable = [pair for pair in _SAME if re.search(rf"\b{pair[0]}\b", sentence, re.IGNORECASE)]
    for old, new in rng.sample(usable, min(2, len(usable))):
        changed = _exchange(changed, old, new)
    return changed if changed != sentence else None


def _exchange(text: str, old: str, new: str) -> str:
    def write(match: re.Match[str]) -> str:
        article, word = match["article"] or "", match["word"]
        if article:
            fitting = "an " if new[0] in _VOWEL else "a "
            article = fitting.capitalize() if article[0].isupper() else fitting
        return article + (new[0].upper() + new[1:] if word[0].isupper() else new)

    return re.sub(rf"\b(?P<article>an? )?(?P<word>{old})\b", write, text, flags=re.IGNORECASE)


def join_sentences(sentences: list[str], rng: Random) -> str | None:
    """Return two short neighbouring sentences in one, or in the other order; None if there are none."""
    places = [place for place in range(len(sentences) - 1) if max(map(len, sentences[place : place + 2])) >= _SHORT]
    if not places:
        return None
    place = rng.choice(places)
    first, second = sentences[place].rstrip(), sentences[place + 1].rstrip()
    return f"{second} {first}" if rng.random() < 0.5 else f"{first} {second}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if text[:2] not in ("I ", "I'") else text


def features(pair: Pair) -> tuple[float, float]:
    """Return (share of the sentence's words that the conversation has, number of words)."""
    words = find_words(pair.sentence)
    known = set(find_words(pair.conversation.as_text()))
    return sum(word in known for word in words) / max(1, len(words)), float(len(words))


def balance(pairs: Sequence[Pair], most: int, *, seed: int) -> list[Pair]:
    """Return at most `most` pairs, half of them supported, with like lengths and overlaps on both sides.

    The pairs are put into cells by overlap and length. Each cell gives as many supported as unsupported ones, the kinds
    of each side taking turns. What is left over at `most` is of the frequent kinds. The order is that of a hash.
    """
    cells: dict[tuple[int, int], tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    measured = [features(pair) for pair in pairs]
    overlap_cuts, length_cuts = _cuts([m[0] for m in measured], _OVERLAPS), _cuts([m[1] for m in measured], _LENGTHS)
    for pair, (overlap, length) in zip(pairs, measured, strict=True):
        cell = (sum(overlap > cut for cut in overlap_cuts), sum(length > cut for cut in length_cuts))
        cells[cell][pair.supported].append(pair)
    couples: list[tuple[Pair, Pair]] = []
    for wrong, right in cells.values():
        couples += zip(_ranked(wrong, seed), _ranked(right, seed), strict=False)
    ranked = _ranked([wrong for wrong, _ in couples], seed)
    partner = {id(wrong): right for wrong, right in couples}
    kept = sorted((pair for pair in ranked[: most // 2]), key=lambda pair: _key(pair, seed))
    return [pair for wrong in kept for pair in (wrong, partner[id(wrong)])]


def _cuts(values: Sequence[float], parts: int) -> list[float]:
    import numpy as np

    return sorted({float(cut) for cut in np.quantile(values, [n / parts for n in range(1, parts)])}) if values else []


def _ranked(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Return the pairs with the first of each kind before the second of any, so that rare kinds come early."""
    counts: dict[str, int] = defaultdict(int)
    order = []
    for pair in sorted(pairs, key=lambda pair: _key(pair, seed)):
        order.append((counts[pair.kind], pair))
        counts[pair.kind] += 1
    return [pair for _, pair in sorted(order, key=lambda item: item[0])]


def _key(pair: Pair, seed: int) -> str:
    return digest([seed, pair.conversation.id, pair.sentence])


def overlap_auc(pairs: Sequence[Pair]) -> float | None:
    """Compute the area under the curve of a logistic regression that sees only word overlap and length.

    It is measured on other conversations than it is fitted on, in five folds. None for too few pairs.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = sorted({pair.conversation.id for pair in pairs})
    if len(pairs) < _LEAST or len(names) < _FOLDS:
        return None
    inputs = np.array([_powers(pair) for pair in pairs])
    wrong = np.array([not pair.supported for pair in pairs])
    folds = np.array([names.index(pair.conversation.id) % _FOLDS for pair in pairs])
    scores = np.zeros(len(pairs))
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        if len(set(wrong[train].tolist())) < 2:
            return None
        model: Any = make_pipeline(StandardScaler(), LogisticRegression())
        scores[test] = model.fit(inputs[train], wrong[train]).predict_proba(inputs[test])[:, 1]
    scored = [
        Scored(pair.conversation.id, float(score), () if pair.supported else ("wrong",))
        for pair, score in zip(pairs, scores, strict=True)
    ]
    area = measure_separation(scored, threshold=0.5).auc
    return None if area is None else area.value


def _powers(pair: Pair) -> tuple[float, float, float, float]:
    """Overlap and length with their squares, so that a curve cannot hide from a straight line."""
    overlap, length = features(pair)
    return overlap, overlap**2, length, length**2
