"""Mask secrets in everything that is written or printed.

Two forms: `mask` is for data, and replaces whole secrets that no ordinary text holds by chance. `mask_message` is for
what people read (errors, logs, the screen), and also replaces parts of secrets, logins in addresses and whatever looks
like a key.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
import threading
import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

from arf_programs.config.models import ModelConfig
from arf_programs.config.secrets import LOOKS_SECRET, is_secret_name, referenced_variables, secrets_in_address

MASK = "***"
_LEAST = 8  # characters of a secret that is masked in data
_LEAST_SHOWN = 4  # characters of a secret that is masked on the screen
_PART = 8  # characters of a secret that are masked on their own
_PLAIN = re.compile(r"[a-z]{1,15}|[A-Z]?[a-z]{1,15}|\d{1,11}|[\d.:]+")
_PIECE = re.compile(r"[^\s,;'\"]+")
_LISTED = re.compile(r"(?=\D*\d)(?=.*[A-Za-z]).{16,}")
_ENOUGH_TO_TELL = 2
_STARRED = re.compile(r"([\w.-]*)(?:\*{2,}|•{2,}|…|\.{3})([\w.-]*)")
_LOGIN = re.compile(r"(?<=://)[^/?#\s'\"<>@]*:[^/?#\s'\"<>@]*@")
_QUERY = re.compile(
    r"([?&;#](?:[\w-]{0,40}(?:key|token|secret|password|signature|credential)[\w-]*|sig)=)(?!\*)[^&;\s'\"<>]+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(  # KEY=value, "apiKey": "value"
    r"(?P<name>\b[\w-]{0,40}(?:passw(?:or)?d|passphrase|secret|(?:api|access|private|secret)[_-]?key|"
    r"(?:access|auth|session|refresh|id|bearer)[_-]?token)['\"]?\s*[:=]\s*['\"]?)(?!\*)(?=[^\s'\",;}&]*\d)[^\s'\",;}&]{6,}",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(\b(?:set-)?cookie['\"]?\s*:\s*['\"]?)(?!\*)[^\r\n'\"]{6,}", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_HEADER = re.compile(r"((?:authorization|api-key)['\"]?\s*[:=]\s*['\"]?(?:bearer |basic )?)(?!\*)[^\s'\",}]{6,}", re.I)


class _Known:
    """The secrets that this process knows: those of settings, and of all the longest first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.of_settings: set[str] = set()
        self.telling: tuple[str, ...] = ()
        self.every: tuple[str, ...] = ()


_known = _Known()


def remember_secrets(models: Iterable[ModelConfig] = ()) -> None:
    """Take note of the secrets in the environment and in the settings of `models`, so that they are masked.

    Call it where a configuration comes into a process.
    """
    found = set(_of_models(models))
    with _known.lock:
        _known.of_settings |= found
        values = (*_known.of_settings, *_of_environment())
        forms = {form for value in values for form in _forms(value) if len(form) >= _LEAST_SHOWN}
        _known.every = tuple(sorted(forms, key=len, reverse=True))
        _known.telling = tuple(form for form in _known.every if _is_telling(form))


def mask(text: str) -> str:
    """Replace the whole secrets in a text that is kept."""
    for secret in _known.telling:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def mask_message(text: str) -> str:
    """Replace secrets, their parts, logins in addresses, and what looks like a key, in a text for people."""
    if len(text) < _LEAST_SHOWN or text.isspace():
        return text
    for secret in _known.every:
        if secret in text and (_is_telling(secret) or re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)):
            text = text.replace(secret, MASK)
    text = _mask_parts(text)
    text = _LOGIN.sub("", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _ASSIGNED.sub(rf"\g<name>{MASK}", text)
    text = _COOKIE.sub(rf"\1{MASK}", text)
    text = _PRIVATE_KEY.sub(MASK, text)
    return LOOKS_SECRET.sub(MASK, text)


class MaskedStream:
    """A text stream that masks what is written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: Any) -> Any:
        """Write a text without its secrets."""
        return self._stream.write(mask_message(text) if isinstance(text, str) else text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts without their secrets."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def masked_streams() -> Iterator[None]:
    """Mask everything that this block writes to stdout and stderr, also logs, tracebacks and prints of libraries."""
    remember_secrets()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = MaskedStream(sys.stdout), MaskedStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def print_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a defect without secrets, as `sys.excepthook`."""
    sys.stderr.write(mask_message("".join(traceback.format_exception(kind, error, trace))))


def environment_without_secrets() -> dict[str, str]:
    """Return the environment for a program that loads models, without keys and what the settings take from it.

    The variables of the Hugging Face hub stay, its key too: the program may have to load a model that is not public.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("HF_") or not (is_secret_name(name) or value.strip() in _known.of_settings)
    }


def _of_models(models: Iterable[ModelConfig]) -> Iterator[str]:
    for model in models:
        variables = referenced_variables(model.parameters) | ({model.api_key_env} if model.api_key_env else set())
        yield from (value for name in variables if (value := os.environ.get(name, "").strip()))
        yield from _of_address(model.api_base or "")
        for given in model.parameters.values():
            yield from _of_address(given if isinstance(given, str) else "")


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if is_secret_name(name) and not _is_path(value):
            yield from _values_of(value.strip())
        yield from _of_address(value)


def _is_path(value: str) -> bool:
    """Whether a value is a path of this machine. A key may begin with a slash, too."""
    return value.startswith("/") and Path("/", *Path(value).parts[1:2]).exists()


def _values_of(text: str) -> Iterator[str]:
    """The secret itself, and the secrets of which it is made: a list of keys, JSON, `AccountKey=...;Password=...`."""
    yield text
    with suppress(ValueError):
        if isinstance(fields := json.loads(text), dict):
            yield from (value for name, value in fields.items() if isinstance(value, str) and is_secret_name(name))
            return
    for piece in _PIECE.findall(text):
        name, _, value = piece.partition("=")
        if is_secret_name(name):
            yield value
        elif _LISTED.fullmatch(piece):
            yield piece


def _of_address(text: str) -> Iterator[str]:
    found = secrets_in_address(text)
    yield from found
    yield from map(unquote, found)
    if len(found) > 1:
        yield b64encode(":".join(map(unquote, found[:2])).encode()).decode()


def _forms(secret: str) -> set[str]:
    """A secret as it is, and as JSON (also within JSON), an address, a page and base64 write it."""
    in_json = json.dumps(secret)[1:-1]
    in_base64 = b64encode(secret.encode(errors="surrogateescape")).decode()
    return {
        *(secret, in_json, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(in_json)[1:-1]),
        *(quote(secret, safe=""), html.escape(secret), in_base64),
    }


def _is_telling(secret: str) -> bool:
    """Whether the secret is so unusual that a text rarely contains it by chance."""
    return len(secret) >= _LEAST and _PLAIN.fullmatch(secret) is None


def _mask_parts(text: str) -> str:
    """Mask long parts of a secret, and a key with stars inside, as some providers echo it."""
    telling = _known.telling

    def starred(match: re.Match[str]) -> str:
        head, tail = match.groups()
        begins = len(head) >= _ENOUGH_TO_TELL and any(secret.startswith(head) for secret in telling)
        ends = len(tail) >= _ENOUGH_TO_TELL and any(secret.endswith(tail) for secret in telling)
        return MASK if begins or ends else match.group()

    text = _STARRED.sub(starred, text) if telling else text
    spans = sorted(span for secret in telling for span in _common(text, secret))
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        if start > done or not pieces:
            pieces += [text[done:start], MASK]
        done = max(done, end)
    return "".join(pieces) + text[done:]


def _common(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Find the places in `text` where at least 8 characters of `secret` stand."""
    for begin in range(len(secret) - _PART + 1):
        part = secret[begin : begin + _PART]
        at = text.find(part)
        while at >= 0:
            yield at, at + _PART
            at = text.find(part, at + 1)
