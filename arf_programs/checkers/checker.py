"""A checker at work: the probability that a conversation supports a sentence, in batches on a thread of its own.

It reads the whole conversation if that fits, else the turns that share most with the claim.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from arf_programs.checkers.loading import FORMS, LoadedChecker, load_weights, longest_input
from arf_programs.checks import find_words
from arf_programs.config import CheckerConfig
from arf_programs.models import find_placement
from signatures.records import Conversation

if TYPE_CHECKING:
    import torch

_REMEMBERED: Final = 100_000
_loading: Final = threading.Lock()


class Checker:
    """Scores claims in batches. A claim that is asked about while a batch is at work waits for the next batch.

    A claim that was scored before is not scored again.
    """

    def __init__(self, loaded: LoadedChecker, *, batch_size: int = 16, device: str = "auto") -> None:
        self.loaded = loaded
        self.batch_size = batch_size
        self.device = find_placement(device).device
        self.form = FORMS[loaded.form]
        self.longest = longest_input(loaded, self.form.max_tokens)
        loaded.model.to(self.device)
        self._tokenizing = threading.Lock()
        self._known: dict[tuple[str, str], Future[float]] = {}
        self._waiting: deque[tuple[tuple[str, str], Future[float]]] = deque()
        self._change = threading.Condition()
        self._worker: threading.Thread | None = None

    def ask(self, conversation: Conversation, claim: str) -> Future[float]:
        """Return the probability, 0 to 1, that the conversation supports the claim, as a future."""
        key = (self.document(conversation, claim), claim)
        with self._change:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            if key not in self._known:
                self._known[key] = Future()
                self._known[key].set_running_or_notify_cancel()  # others may wait for it: nobody can cancel it
                self._waiting.append((key, self._known[key]))
                self._start()
                self._change.notify()
            return self._known[key]

    def document(self, conversation: Conversation, claim: str) -> str:
        """Return the turns that are read for a claim: all, or those that share most with it and fit."""
        return fit_document(conversation, claim, lambda text: self._fits(text, claim))

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the probability of support of each (document, claim). Pairs of like length share a batch."""
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place][0]) + len(pairs[place][1]))
        scores = [0.0] * len(pairs)
        for first in range(0, len(order), self.batch_size):
            places = order[first : first + self.batch_size]
            for place, score in zip(places, self._score_batch([pairs[place] for place in places]), strict=True):
                scores[place] = score
        return scores

    def _fits(self, document: str, claim: str) -> bool:
        return len(self._encode([(document, claim)], cut=False)["input_ids"][0]) <= self.longest

    def _encode(self, pairs: Sequence[tuple[str, str]], *, cut: bool = True) -> Any:
        with self._tokenizing:  # a fast tokenizer cannot be told to cut while another thread uses it
            return self._tokens(pairs, cut=cut)

    def _tokens(self, pairs: Sequence[tuple[str, str]], *, cut: bool) -> Any:
        tokenizer = self.loaded.tokenizer
        settings: dict[str, Any] = {"padding": True, "return_tensors": "pt"} if cut else {"verbose": False}
        if self.form.template is None:
            settings |= {"truncation": "longest_first", "max_length": self.longest} if cut else {}
            return tokenizer([document for document, _ in pairs], [claim for _, claim in pairs], **settings)
        settings |= {"truncation": True, "max_length": self.longest} if cut else {}
        end = tokenizer.eos_token or tokenizer.sep_token or ""
        return tokenizer([self.form.write(document, claim, str(end)) for document, claim in pairs], **settings)

    def _score_batch(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        with torch.inference_mode():
            logits = self.loaded.model(**self._encode(pairs).to(self.device)).logits
            return _support(logits, self.loaded.supported)

    def _start(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._work, name="checker", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._waiting:
                    self._change.wait()
                batch = [self._waiting.popleft() for _ in range(min(self.batch_size, len(self._waiting)))]
            try:
                scores = self.score([pair for pair, _ in batch])
            except Exception as error:  # whoever asked is told
                for pair, future in batch:
                    self._known.pop(pair, None)
                    future.set_exception(error)
            else:
                for (_, future), score in zip(batch, scores, strict=True):
                    future.set_result(score)


def _support(logits: torch.Tensor, supported: int) -> list[float]:
    """Return p(supported) of each row. A classifier of tokens answers at the first one, and one output is a sigmoid."""
    rows = logits[:, 0] if logits.dim() == 3 else logits
    rows = rows.float()
    chances = rows[:, 0].sigmoid() if rows.shape[-1] == 1 else rows.softmax(-1)[:, supported]
    values: list[float] = chances.cpu().tolist()
    return values


def load_checker(config: CheckerConfig) -> Checker:
    """Load the checker of a configuration, once a process. Raises DataError for a model that cannot be loaded."""
    with _loading:
        return _load(config)


@lru_cache(maxsize=4)
def _load(config: CheckerConfig) -> Checker:
    return Checker(load_weights(config), batch_size=config.batch_size, device=config.device)


def rank_turns(texts: Sequence[str], claim: str) -> list[int]:
    """Return the places (from 0) of the turns, best first: by shared words, rare ones counting more, then by place.

    A word counts log(1 + turns / turns with the word), as in BM25 without lengths (Robertson and Zaragoza 2009).
    """
    words = [frozenset(find_words(text)) for text in texts]
    frequency = Counter(word for turn in words for word in turn)
    wanted = frozenset(find_words(claim))
    scores = [sum(math.log(1 + len(texts) / frequency[word]) for word in sorted(turn & wanted)) for turn in words]
    return sorted(range(len(texts)), key=lambda place: (-scores[place], place))


def fit_document(conversation: Conversation, claim: str, fits: Callable[[str], bool]) -> str:
    """Return the turns to read, one a line and in their order. `fits` says whether a document is short enough.

    At least one turn is returned, even if it is too long by itself: the tokenizer cuts it.
    """
    lines = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
    whole = "\n".join(lines)
    if fits(whole):
        return whole
    chosen: list[int] = []
    for place in rank_turns(lines, claim):
        document = "\n".join(lines[other] for other in sorted([*chosen, place]))
        if not chosen or fits(document):
            chosen.append(place)
    return "\n".join(lines[place] for place in sorted(chosen))
