"""Text that every later stage can store and show: no control characters, no lone surrogates."""

from __future__ import annotations

import re
from typing import TypeVar

Value = TypeVar("Value")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Line ends become `\\n`, other control characters but tab go, and a lone surrogate becomes U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def clean_values(value: Value) -> Value:
    """A copy of a JSON-like value with every text in it cleaned, keys included."""
    cleaned: object = value
    if isinstance(value, str):
        cleaned = clean_text(value)
    elif isinstance(value, list):
        cleaned = [clean_values(item) for item in value]
    elif isinstance(value, dict):
        cleaned = {clean_values(key): clean_values(item) for key, item in value.items()}
    return cleaned  # type: ignore[return-value]
