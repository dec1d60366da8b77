"""Texts as a person may see them: characters that could deceive a reader are made visible."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Controls that a browser would obey or hide: bidirectional embeddings, overrides and isolates, invisible characters
# that split or join words, and tag characters. Left-to-right and right-to-left marks (200E, 200F, 061C) stay: Hebrew
# and Arabic need them, and each text is isolated in its own element.
_HIDDEN: Final = re.compile("[\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
_LINE_ENDS: Final = re.compile("\r\n?|[\u2028\u2029\u0085]")
_KEPT: Final = "\n\t"
REPLACEMENT: Final = "\ufffd"


def clean(text: str) -> str:
    """Replace each control character or override in `text`, which could deceive a reader, by a visible U+FFFD."""
    shown = _HIDDEN.sub(REPLACEMENT, _LINE_ENDS.sub("\n", text))
    if shown.isprintable():
        return shown
    return "".join(REPLACEMENT if _is_control(char) else char for char in shown)


def _is_control(char: str) -> bool:
    return char not in _KEPT and unicodedata.category(char) in ("Cc", "Cs")
