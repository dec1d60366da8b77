"""Measure pseudonyms on planted values: which of them leave, and what is replaced without need.

    python bench/privacy.py [--conversations 1000] [--seed 17]

It makes conversations with five known values each, of ten kinds, in phrases of six languages, and replaces them as a
run does. It prints, kind by kind, how many values could still be read, for phrases that the recognisers were tuned on
and for phrases that were held apart. Then it prints how many amounts, dates, products and other values that have to
stay were changed, and how many conversations a perfect answer restores exactly.

    python bench/privacy.py --checks FILE.jsonl

It counts what the checks report in the references of a corpus, with the originals and with pseudonyms.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from privacy_phrases import HELD_APART, KEPT, SEEN, TUNED
from privacy_values import make_kept, make_value

from arf_programs.checks import run_checks
from arf_programs.config import CorpusConfig
from arf_programs.corpus.read import read_corpus
from arf_programs.privacy import Pseudonyms, code_key, disguise_conversation, pseudonyms_of, word_key
from arf_programs.text import word_set

VALUES = 5
GENERIC = word_set("Street Avenue Apt Flat Road Calle Via Lane Général")
_NAMES = re.compile(r"[A-ZÓ][\w'’-]+")
_IDS = re.compile(r"\d{4,}")
CODES = ("phone number", "card number", "IBAN", "order number", "licence plate")


@dataclass(frozen=True)
class Planted:
    """A conversation, its private values with their kinds, and the values that have to stay."""

    texts: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]


@dataclass
class Measured:
    """Counts by kind, of values and leaks; of kept values and changed ones; and of restored conversations."""

    values: Counter[str] = field(default_factory=Counter)
    leaks: Counter[str] = field(default_factory=Counter)
    leaked: list[tuple[str, str, str]] = field(default_factory=list)
    kept: int = 0
    changed: list[str] = field(default_factory=list)
    conversations: int = 0
    restored: int = 0


def make_conversations(phrases: Mapping[str, Sequence[str]], count: int, seed: int) -> Iterator[Planted]:
    """Yield conversations with `VALUES` private values each, all kinds equally often."""
    random = Random(seed)
    kinds = sorted(phrases)
    for number in range(count):
        texts, values, kept = ["Agent: Hello, how can I help you today?"], [], []
        for place in range(VALUES):
            kind = kinds[(number * VALUES + place) % len(kinds)]
            value = make_value(kind, random)
            speaker = "Customer" if place % 2 == 0 else "Agent"
            texts.append(f"{speaker}: {random.choice(phrases[kind]).format(value=value)}")
            values.append((kind, value))
            made, phrase = make_kept(random), random.choice(KEPT)
            texts.append(f"{speaker}: {phrase.format(**made)}")
            kept += [text for name, text in made.items() if f"{{{name}}}" in phrase]
        yield Planted(tuple(texts), tuple(values), tuple(kept))


def is_readable(kind: str, value: str, text: str) -> bool:
    """Say whether the value can be read in the text, in any case and with any punctuation.

    Of a name any word counts, of a street address any word of its name, of an e-mail address what stands before the
    "@", and of a URL its id.
    """
    if kind == "street address":
        words = {word.strip(".,!?:;\n") for word in text.split()}
        return any(word in words for word in _NAMES.findall(value) if word not in GENERIC)
    if kind == "e-mail address":
        return value.partition("@")[0].lower() in text.lower()
    if kind == "URL with an id":
        return any(number in text for number in _IDS.findall(value))
    if kind == "name":
        words = {word_key(word.strip(".,!?:;\n")) for word in text.split()}
        return any(word_key(word) in words for word in value.split())
    if kind in CODES:
        return code_key(value) in code_key(text)
    return value.lower() in text.lower()


def measure(planted: Iterator[Planted], seed: int) -> Measured:
    """Replace the values of each conversation, and count."""
    measured = Measured()
    for number, item in enumerate(planted):
        request = Pseudonyms(seed, str(number), item.texts).for_request()
        replaced = [request.replace(text) for text in item.texts]
        everything = "\n".join(replaced)
        for kind, value in item.values:
            measured.values[kind] += 1
            if is_readable(kind, value, everything):
                measured.leaks[kind] += 1
                measured.leaked.append((kind, value, next(text for text in item.texts if value in text)))
        measured.kept += len(item.kept)
        measured.changed += [value for value in item.kept if value not in everything]
        measured.conversations += 1
        measured.restored += all(request.restore(new) == old for new, old in zip(replaced, item.texts, strict=True))
    return measured


def compare_checks(path: Path, seed: int) -> tuple[Counter[str], Counter[str], int]:
    """Count the findings in all references by category, with the originals and with pseudonyms, and the references."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    references = 0
    for conversation in read_corpus(CorpusConfig(path=str(path)), base_dir=path.parent).conversations:
        disguised = disguise_conversation(conversation, pseudonyms_of(conversation, seed).for_request())
        for original, changed in zip(conversation.references, disguised.references, strict=True):
            references += 1
            before.update(note.category for note in run_checks(conversation, original))
            after.update(note.category for note in run_checks(disguised, changed))
    return before, after, references


def show_checks(path: Path, seed: int) -> None:
    """Print the table of the findings."""
    before, after, references = compare_checks(path, seed)
    print(f"{references} references\n| findings | originals | pseudonyms |\n| --- | --- | --- |")
    for category in sorted({*before, *after}):
        print(f"| {category} | {before[category]} | {after[category]} |")
    print(f"| all | {before.total()} | {after.total()} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--show", type=int, default=0, help="leaks and changed values that are shown")
    parser.add_argument("--checks", type=Path, help="a corpus with references")
    arguments = parser.parse_args()
    if arguments.checks:
        show_checks(arguments.checks, arguments.seed)
        return
    sets = {"tuned": {kind: TUNED[kind] + SEEN[kind] for kind in TUNED}, "held apart": HELD_APART}
    results = {}
    for name, phrases in sets.items():
        begun = time.perf_counter()
        results[name] = measure(make_conversations(phrases, arguments.conversations, arguments.seed), arguments.seed)
        print(f"{name}: {(time.perf_counter() - begun) / arguments.conversations * 1000:.1f} ms a conversation")
    print("| kind | values | readable (tuned phrases) | values | readable (phrases held apart) |")
    print("| --- | --- | --- | --- | --- |")
    for kind in TUNED:
        cells = [f"{results[name].values[kind]} | {results[name].leaks[kind]}" for name in sets]
        print(f"| {kind} | {' | '.join(cells)} |")
    for name, result in results.items():
        print(
            f"{name}: {len(result.changed)} of {result.kept} values that have to stay were changed; "
            f"{result.restored} of {result.conversations} conversations were restored exactly"
        )
        for line in result.leaked[: arguments.show]:
            print("  readable:", line)
        for value, count in Counter(result.changed).most_common(arguments.show):
            print("  changed:", value, count)


if __name__ == "__main__":
    main()
