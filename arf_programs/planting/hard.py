"""Operators that make a conversation harder to summarise, each with the facts of its result. No model is asked.

An operator takes a conversation with a right summary. It returns the harder conversation, the summary that is right for
it, and what a careless summary says wrongly: the trap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final, Literal, get_args

from arf_programs.checks import Material, find_words
from arf_programs.config import Kind
from arf_programs.planting.choose import FACT_KINDS, PLANTERS
from arf_programs.planting.details import GIVEN
from arf_programs.planting.records import Change, with_turns
from arf_programs.text import split_sentences
from signatures.records import Conversation, Turn

OperatorName = Literal["second_number", "similar_amount", "correction", "denied_refund", "two_agents", "digression"]
OPERATOR_NAMES: Final[tuple[OperatorName, ...]] = get_args(OperatorName)


@dataclass(frozen=True)
class Trap:
    """What a careless summary says wrongly: one of the words `wrong`, and none of the words `right`.

    With `denial` it is right to say the wrong words in a sentence that denies them.
    """

    wrong: tuple[str, ...]
    right: tuple[str, ...] = ()
    denial: bool = False

    def caught(self, summary: str) -> bool:
        """Say whether a summary is caught in the trap."""
        said = [
            sentence for sentence in split_sentences(summary) if any(_says(sentence, words) for words in self.wrong)
        ]
        if self.denial:
            return any(not _DENIED.search(sentence) for sentence in said)
        return bool(said) and not any(_says(summary, words) for words in self.right)


@dataclass(frozen=True)
class Hard:
    """A harder conversation, the summary that is right for it, and its trap."""

    conversation: Conversation
    summary: str
    operator: OperatorName
    trap: Trap


_Made = tuple[Sequence[Turn], str, Trap]
_Operator = Callable[[Conversation, str, Random], _Made | None]
_DENIED: Final = re.compile(
    r"\b(?:not|no|never|nothing|without|but|however|cannot|\w+n['’]t|took|taken|withdr\w+|den\w+|declin\w+|refus\w+|reject\w+|"
    r"revers\w+|unable|instead|correct\w+)\b",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r"\b(?:I['’]?m|I am|[Mm]y name is|[Tt]his is|speaking|here)\b")
_SHORT: Final = 2  # a number of at most so many digits may stand for several things
_AGENT: Final = ("agent", "bot", "representative", "advisor", "assistant", "support", "teammate")


def harden(conversation: Conversation, summary: str, operator: OperatorName, rng: Random) -> Hard | None:
    """Apply an operator; None where the conversation has nothing that it works on."""
    made = _OPERATORS[operator](conversation, summary, rng)
    if made is None:
        return None
    turns, right, trap = made
    return Hard(with_turns(conversation, tuple(turns)), right, operator, trap)


def _says(text: str, words: str) -> bool:
    return re.search(rf"(?<![\w.,]){re.escape(words)}(?!\w|[.,]\d)", text, re.IGNORECASE) is not None


def _second_number(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """The customer names another order or case, which is settled."""
    change = _invented(talk, summary, ["number"], rng, lambda old: sum(map(str.isdigit, old)) > 3)
    if change is None:
        return None
    right, wrong = summary[change.start : change.end], change.wrong
    more = f"By the way, {wrong} is another one of mine, but that one is settled."
    return _with_words(talk, right, more), summary, Trap((wrong,), (right,))


def _similar_amount(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """An amount that differs by one digit stands beside the right one, and belongs to something else."""
    change = _invented(talk, summary, ["amount"], rng)
    if change is None:
        return None
    right = summary[change.start : change.end]
    wrong = _other_digit(right, rng)
    if wrong is None or any(_says(turn.text, wrong) for turn in talk.turns):
        return None
    more = f"The {wrong} that stands beside it belongs to something else and is in order."
    return _with_words(talk, right, more), summary, Trap((wrong,), (right,))


def _correction(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """Somebody says a detail wrongly first, and corrects it in the same turn."""
    change = _invented(talk, summary, FACT_KINDS, rng, lambda old: len(old) > _SHORT)
    if change is None:
        return None
    right, wrong = summary[change.start : change.end], change.wrong
    turns = list(talk.turns)
    place = next(number for number, turn in enumerate(turns) if _says(turn.text, right))
    text = re.sub(rf"(?<!\w){re.escape(right)}(?!\w)", lambda _: wrong, turns[place].text, flags=re.IGNORECASE)
    more = f"Sorry, I mixed that up: it is {right}, not {wrong}."
    turns[place] = turns[place].model_copy(update={"text": f"{text} {more}"})
    return turns, summary, Trap((wrong,), (right,))


def _denied_refund(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """The agent promises a refund, and then takes it back."""
    customer, agent = _speakers(talk)
    amount = f"{rng.randint(11, 89)}.{rng.choice(('15', '35', '45', '65', '85'))}"
    if any(amount in turn.text for turn in talk.turns):
        return None
    turns = [
        *talk.turns,
        Turn(speaker=agent, text=f"For your trouble I will also refund {amount} to you."),
        Turn(speaker=customer, text="Thank you, that is kind."),
        Turn(speaker=agent, text=f"I have to correct myself: that was declined. The {amount} will not be refunded."),
    ]
    right = f"{summary.rstrip()} The agent promised to refund {amount}, but then said that it was declined."
    return turns, right, Trap((amount,), denial=True)


def _two_agents(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """A second agent takes over, and does what comes after."""
    _, agent = _speakers(talk)
    places = [number for number, turn in enumerate(talk.turns) if turn.speaker == agent]
    known = {word for turn in talk.turns for text in (turn.speaker, turn.text) for word in find_words(text)}
    free = [name for name in GIVEN if name.lower() not in known]
    if len(places) < 2 or len(free) < 2 or any(_NAMED.search(talk.turns[place].text) for place in places):
        return None
    first, second = rng.sample(free, 2)
    turns = list(talk.turns)
    for place, words in (
        (places[0], f"{first} here."),
        (places[-1], f"{second} here, I have taken over from {first}."),
    ):
        turns[place] = turns[place].model_copy(update={"text": f"{words} {turns[place].text}"})
    right = f"{summary.rstrip()} {second} had taken over from {first}."
    return turns, right, Trap((first,), (second,))


_DIGRESSIONS: Final = (
    (
        ("marathon", "knee"),
        "Sorry, I am slow today: I ran a marathon on the weekend, and my knee hurts.",
        "A marathon! I stopped running years ago, because of my own knee.",
        "It was raining all the way, and at the end they had run out of bananas.",
        "They always do. Let us come back to your matter.",
    ),
    (
        ("piano", "granddaughter"),
        "One moment, my granddaughter practises the piano, I can hardly hear myself.",
        "How nice. What does she play?",
        "The same four bars of a waltz since lunch. Her teacher says that it will get better.",
        "I am sure it will. Back to what you wrote about.",
    ),
    (
        ("hedgehog", "compost"),
        "Oh, there is a hedgehog on my terrace! It lives behind the compost, I think.",
        "We have one too. The neighbours feed it, though one should not.",
        "Mine eats everything that falls off the bird table. It is getting rather round.",
        "They have to be, before the winter. But you had a question.",
    ),
)


def _digression(talk: Conversation, summary: str, rng: Random) -> _Made | None:
    """Both talk about something else for four turns."""
    customer, agent = _speakers(talk)
    said = talk.as_text().lower()
    free = [row for row in _DIGRESSIONS if not any(word in said for word in row[0])]
    if len(talk.turns) < 2 or not free:
        return None
    words, *texts = rng.choice(free)
    aside = [Turn(speaker=(customer, agent)[number % 2], text=text) for number, text in enumerate(texts)]
    return [*talk.turns[:1], *aside, *talk.turns[1:]], summary, Trap(words)


_OPERATORS: Final[MappingProxyType[OperatorName, _Operator]] = MappingProxyType(
    {
        "second_number": _second_number,
        "similar_amount": _similar_amount,
        "correction": _correction,
        "denied_refund": _denied_refund,
        "two_agents": _two_agents,
        "digression": _digression,
    }
)


def _invented(
    talk: Conversation,
    summary: str,
    kinds: Sequence[Kind],
    rng: Random,
    fits: Callable[[str], bool] = lambda _: True,
) -> Change | None:
    """Choose a change to a detail that the conversation does not have, of a detail that a turn has word for word."""
    material = Material(talk, summary)
    changes = [
        change
        for kind in kinds
        for change in PLANTERS[kind](material, rng)
        if change.origin == "invented"
        and fits(summary[change.start : change.end])
        and any(_says(turn.text, summary[change.start : change.end]) for turn in talk.turns)
    ]
    return rng.choice(changes) if changes else None


def _other_digit(number: str, rng: Random) -> str | None:
    """Change one digit of a number, but not its first."""
    places = [place for place, char in enumerate(number) if char.isdigit()][1:]
    if not places:
        return None
    place = rng.choice(places)
    other = rng.choice([digit for digit in "123456789" if digit != number[place]])
    return number[:place] + other + number[place + 1 :]


def _with_words(talk: Conversation, after: str, more: str) -> list[Turn]:
    """Add words to the first turn that says `after`."""
    turns = list(talk.turns)
    place = next(number for number, turn in enumerate(turns) if _says(turn.text, after))
    turns[place] = turns[place].model_copy(update={"text": f"{turns[place].text.rstrip()} {more}"})
    return turns


def _speakers(talk: Conversation) -> tuple[str, str]:
    """Return the customer's and the agent's name: by the usual words, else the first and the second speaker."""
    names = list(dict.fromkeys(turn.speaker for turn in talk.turns))
    agent = next((name for name in names if any(word in name.lower() for word in _AGENT)), names[-1])
    customer = next((name for name in names if name != agent), "Customer")
    return customer, agent
