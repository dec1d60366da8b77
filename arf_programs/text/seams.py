"""The seams of an edit: the spaces, punctuation, capitals and repeated words where new text meets the old.

An editor writes a whole sentence in the place of a phrase, repeats the words beside its quote, or deletes what a list
marker or an "and" belongs to. The functions are pure. They change nothing of the old text but what stands right at the
seam: white space, punctuation, the case of a first letter, and what a deletion would leave dangling.
"""

from __future__ import annotations

import re
from typing import Final

from arf_programs.text.characters import without_empty_pair
from arf_programs.text.sentences import find_sentences, word_set

STOPS: Final = ".!?"
PUNCTUATION: Final = ".!?,;:"
_PAIRS: Final = {"(": ")", "[": "]", '"': '"', "“": "”"}
_LEADING: Final = re.compile(r"[.!?,;:]+\s*")
_ENDED: Final = re.compile(r"(?:[.!?…][\"'”’)\]]*|^)\s*$")
_MARKER: Final = re.compile(r"[ \t]*(?:[-*•–]|\(?(?P<number>\d{1,2})[.)])[ \t]+")
_LABEL: Final = r"(?:\*\*|__)?[^\W\d_][\w /&-]{0,30}(?::(?:\*\*|__)?|(?:\*\*|__):)"
_BARE_LINE: Final = re.compile(rf"(?:^|(?<=\n))[ \t]*(?:[-*•–]|\(?\d{{1,2}}[.)])?[ \t]*(?:{_LABEL})?[ \t]*\Z")
_REST_OF_LINE: Final = re.compile(r"[ \t\r.!?,;:]*(?:\n|\Z)")
_DANGLING: Final = re.compile(r",?\s+(?:and|or|but)$", re.IGNORECASE)
_INTRODUCING: Final = ":\"“'‘(["
_LEAST_WORDS: Final = 3
_CLAUSE: Final = word_set(
    "and but or so which who whose while because since although though unless until after before if when where whereas"
)
_RELATIVE: Final = word_set("who whose whom which where")
_OPENERS: Final = word_set(
    "the a an this that these those he she it they his her its their there in on at by for after before when since"
)
"""Words that have a capital only where they open a sentence."""


def close_gap(left: str, quote: str, right: str, floor: int) -> str:
    """Join `left` and `right` after the deletion of `quote`. `left` before `floor` is not changed."""
    tail, right = without_empty_pair(left[floor:], right)
    kept, left = left[:floor], left[:floor] + tail
    bare_line = _BARE_LINE.search(tail) if not kept or tail.count("\n") else None
    end_of_line = _REST_OF_LINE.match(right)
    if bare_line and bare_line.group().strip() and end_of_line:
        return _without_line(kept + tail[: bare_line.start()], right[end_of_line.end() :])
    if opens_sentence(left) and quote[:1].isupper():
        right = _capitalised_rest(right)
    if tail[-1:] in _PAIRS and right[:1] == _PAIRS[tail[-1]]:
        tail, right = tail[:-1], right[1:]
    bare, rest = tail.rstrip(), right.lstrip()
    if bare[-1:] == rest[:1] == "," and _in_apposition(quote, rest):
        bare, rest = bare[:-1], rest[1:].lstrip()
        return f"{kept}{bare} {rest}"
    if not rest or rest[0] in STOPS or "\n" in right[: len(right) - len(rest)]:
        bare = _DANGLING.sub("", bare)
    opens = not (kept + bare) or (kept + bare)[-1] in STOPS + "\n"
    if rest[:1] in tuple(PUNCTUATION) and (opens or bare[-1:] == rest[:1]):
        rest = _LEADING.sub("", rest, count=1)
        return kept + tail + rest if rest else kept + bare
    if rest[:1] in tuple(PUNCTUATION + ")]"):
        return kept + (bare.rstrip(",;:") if rest[0] in PUNCTUATION else bare) + rest
    if not rest:
        return kept + bare + ("" if bare or kept else right)
    return kept + bare + _wider(tail[len(bare) :], right[: len(right) - len(rest)], bool(kept + bare)) + rest


def _in_apposition(quote: str, rest: str) -> bool:
    """Say whether words between two commas only add to those before them: a relative clause, or a name."""
    following = rest[1:].split(maxsplit=1)[:1]
    if not following or following[0].casefold() in ("and", "or", "but"):
        return False
    return not _RELATIVE.isdisjoint(quote.split()[:1]) or (quote[:1].isupper() and following[0].islower())


def _without_line(left: str, right: str) -> str:
    """Join two texts between which a line went: a list marker, or a label, with nothing behind it."""
    return left + right if right else left.rstrip()


def _capitalised_rest(right: str) -> str:
    """Give a capital to the word that opens a sentence after a deletion."""
    place = len(right) - len(right.lstrip(" \t" + PUNCTUATION))
    return right[:place] + capitalised(right[place:])


def _wider(left: str, right: str, inside: bool) -> str:
    """Choose which of two runs of white space stays after a deletion: a line break rather than a space."""
    if not inside:
        return ""
    return right if right.count("\n") > left.count("\n") else left or right


def opens_sentence(left: str) -> bool:
    """Say whether a sentence begins after `left`: at the beginning, after a full stop, or in a new line or item."""
    line = left[left.rfind("\n") + 1 :]
    return _ENDED.search(left) is not None or not line.strip() or _MARKER.fullmatch(line) is not None


def capitalised(text: str) -> str:
    """Return the text with a capital first letter, unless its first word has capitals of its own ("iPhone")."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return text[:1].upper() + text[1:] if first.islower() else text


def fit_replacement(left: str, quote: str, text: str, right: str, floor: int) -> str:
    """Fit what replaces `quote` to the old text around: no word twice, one full stop, the case of a first letter.

    It is empty if all of it stands beside the quote already. `left` before `floor`, and what follows `right`, belong to
    other edits.
    """
    fitted = _without_repeats(left[floor:], quote, text, right)
    if not fitted:
        return ""
    if quote[-1] not in STOPS and goes_on(fitted, right):
        fitted = fitted.rstrip(STOPS) or fitted
    if quote[0].isupper() and opens_sentence(left):
        return capitalised(fitted)
    first, *more = fitted.split(maxsplit=1)
    inside = not opens_sentence(left) and left.rstrip()[-1] not in _INTRODUCING
    if inside and more and first.istitle() and first.lower() in _OPENERS and [first] != quote.split()[:1]:
        return first.lower() + fitted[len(first) :]
    return fitted


def fit_marker(before: str, start: int, quote: str, text: str) -> str:
    """Give `text`, in the place of a list item, the marker that the item had, and no second one."""
    line = before[before.rfind("\n", 0, start) + 1 : start]
    old, new = _MARKER.match(quote), _MARKER.match(text)
    if "\n" in before and not line.strip() and old and not (new and new["number"]):
        return old.group() + text[new.end() if new else 0 :]
    return text[new.end() :] if new and not old and _MARKER.fullmatch(line) else text


def goes_on(text: str, right: str) -> bool:
    """Say whether `text` ends a sentence although the old sentence goes on behind it."""
    following = right.split(maxsplit=1)[0] if right[:1].isspace() and right.strip() else ""
    ends = text[-1:] in tuple(STOPS) and following[:1].islower() and "\n" not in right[: right.find(following)]
    return ends and len(find_sentences(f"{text} {following}")) > len(find_sentences(text))


def _without_repeats(left: str, quote: str, text: str, right: str) -> str:
    """Take from `text` the words that stand beside the quote already: an editor copied them along."""
    words, old = text.split(), quote.split()
    if not (words and old):
        return text
    before, ahead = left[left.rfind("\n") + 1 :].split(), right.partition("\n")[0].split()
    if left[-1:].isspace() and words[0].casefold() != old[0].casefold():
        words = words[_shared(before[::-1], words) :]
    if words and right[:1].isspace() and _bare(words[-1]) != _bare(old[-1]):
        closes = words[-1][-1] in STOPS
        if not (closes and ahead and ahead[0][:1].isupper()):
            count = _shared_end(words, ahead)
            words = words[: len(words) - count]
    return text if words == text.split() else " ".join(words)


def _shared(before: list[str], words: list[str]) -> int:
    """Count the first words of `words` with which the text before ends; `before` is given from its end."""
    for count in range(min(len(before), len(words)), 0, -1):
        tail = [word.casefold() for word in before[:count][::-1]]
        if tail == [word.casefold() for word in words[:count]] and all(word.isalnum() for word in tail):
            return count
    return 0


def _shared_end(words: list[str], ahead: list[str]) -> int:
    """Count the last words of `words` with which the text behind begins."""
    for count in range(min(len(ahead), len(words)), 0, -1):
        tail = [*(word.casefold() for word in words[-count:-1]), _bare(words[-1])]
        head = [*(word.casefold() for word in ahead[: count - 1]), _bare(ahead[count - 1])]
        if tail == head and all(word.isalnum() for word in tail):
            return count
    return 0


def _bare(word: str) -> str:
    return word.rstrip(PUNCTUATION).casefold()


def place_insertion(before: str, start: int, end: int, text: str) -> tuple[int, str]:
    """Return where in `before` a text is inserted after the quote `start:end`, and the text as it stands there.

    Whole sentences come after the sentence of the quote, and a clause before its full stop. In a list, what is added at
    the end becomes an item. Words of the quote with which the text begins are left out.
    """
    text = _without_quote(before[start:end], text)
    stop = re.search(r"[.!?]+$", before[start:end] or before[:end])
    clause = text[0] in ",;:" or text.split()[0] in _CLAUSE
    if _MARKER.match(text) or is_sentence(text) or (not clause and (stop or start == end)):
        point = next((last for first, last in find_sentences(before) if first < end <= last), end)
        left = before[:point]
        return point, _as_item(left, text, added=start == end) or _after_stop(left, capitalised(_closed(text)))
    if stop:
        return end - len(stop.group()), text.rstrip(STOPS) or text
    right = before[end:]
    return end, (text.rstrip(STOPS) or text) if right[:1] in tuple(PUNCTUATION) or goes_on(text, right) else text


def is_sentence(text: str) -> bool:
    """Say whether a text is one or more whole sentences, and not a clause that goes on with another one."""
    first = next((char for char in text if char.isalnum()), "")
    return text[-1] in STOPS and not first.islower() and text[0] not in ",;:"


def _without_quote(quote: str, text: str) -> str:
    """Return what an insertion has beyond the words of its quote, with which it may begin."""
    plain = quote.rstrip(PUNCTUATION + " ")
    rest = text[len(plain) :].lstrip()
    if not plain or not text.casefold().startswith(plain.casefold()) or not any(char.isalnum() for char in rest):
        return text
    if text[len(plain)].isalnum():
        return text
    return _LEADING.sub("", rest, count=1) if rest[0] in STOPS else rest


def _as_item(left: str, text: str, *, added: bool) -> str:
    """Return the text as an item of the list with which `left` ends; empty if there is none, or nothing is added."""
    own = _MARKER.match(text)
    last = _MARKER.match(left[left.rfind("\n") + 1 :])
    if not last or not (own or added):
        return f"\n{text}" if own and left else ""
    text = _closed(text) if left.rstrip()[-1] in STOPS else text
    number = last["number"]
    marker = last.group().replace(number, str(int(number) + 1)) if number else last.group()
    return f"\n{marker}{text[own.end() :] if own else text}"


def _closed(text: str) -> str:
    """Return a sentence with its full stop; a few words are no sentence."""
    return f"{text}." if text[-1].isalnum() and len(text.split()) >= _LEAST_WORDS else text


def _after_stop(left: str, text: str) -> str:
    """Return a sentence with the full stop that the one before it lacks."""
    ended = not left.strip() or not (left.rstrip()[-1].isalnum() or left.rstrip()[-1] in ")]")
    return text if ended else f". {text}"


def set_off(left: str, text: str, right: str) -> str:
    """Add the spaces that separate an inserted text from its neighbours."""
    joined = not left or left[-1].isspace() or text[0].isspace() or text[0] in PUNCTUATION
    before = "" if joined else " "
    after = "" if not right or right[0].isspace() or right[0] in PUNCTUATION + ")]\"'" else " "
    return before + text + after


def keep_apart(left: str, quote: str, replacement: str, right: str) -> str:
    """Add a space where a word takes the place of the mark that kept its neighbour apart: ", who" becomes "and"."""
    before = left[-1:].isalnum() and replacement[0].isalnum() and not quote[0].isalnum()
    after = right[:1].isalnum() and replacement[-1].isalnum() and not quote[-1].isalnum()
    return " " * before + replacement + " " * after


def end_replacement(quote: str, replacement: str, right: str, ends_sentence: bool) -> str:
    """Give the replacement the final punctuation that its sentence needs."""
    if right[:1] and right[0] in PUNCTUATION:
        return replacement.rstrip(PUNCTUATION) or replacement
    if ends_sentence and quote[-1] in STOPS and replacement[-1].isalnum():
        return replacement + quote[-1]
    return replacement
