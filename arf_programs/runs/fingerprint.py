"""Hashes of what a stage depends on, so that a changed setting reruns only what depends on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from arf_programs.config import Config, ModelConfig

# Settings that change no answer: money, speed, and the place of the key.
_WITHOUT_EFFECT = {
    "api_key_env",
    "input_price",
    "output_price",
    "cache_marks",
    "device",
    "concurrency",
    "requests_per_minute",
    "tokens_per_minute",
    "timeout",
    "retries",
    "parse_retries",
    "license",
    "mode",
    "batch",
}

# Keys that are younger than the first run folders.
_UNSET = {"reasoning_effort": None, "dtype": "auto"}


_LARGE = 1_000_000  # bytes; a smaller file is hashed in less than a millisecond


def digest(value: Any) -> str:
    """Hash a value: SHA-256 of its canonical JSON, the first 16 hexadecimal digits."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """Hash a file, or all files of a folder: SHA-256, the first 16 hexadecimal digits. `missing` if there is none."""
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        return digest([[str(item.relative_to(path)), digest_file(item)] for item in files])
    if not path.is_file():
        return "missing"
    now = path.stat()
    if now.st_size < _LARGE:
        return _digest_content(path)
    return _digest_large(path, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


@lru_cache(maxsize=1_000)
def _digest_large(path: Path, *_unchanged: int) -> str:
    """Hash a file of weights or a large corpus once, for as long as its size and times stay the same."""
    return _digest_content(path)


def _digest_content(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]


def draw_key(seed: int | str, name: str) -> bytes:
    """Hash a name with a seed.

    Names sorted by this hash are in random order, and a larger sample holds each smaller one.
    """
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def digest_model(config: ModelConfig) -> str:
    """Hash all settings that change a model's answers. What `_UNSET` lists at its default counts as no setting."""
    settings = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    return digest({key: value for key, value in settings.items() if key not in _UNSET or value != _UNSET[key]})


def digest_prompts(signatures: Iterable[Any]) -> str:
    """Hash the questions that a stage asks: instructions, fields and their types."""
    return digest([[item.instructions, _schema_of(item)] for item in signatures])


@lru_cache(maxsize=100)
def _schema_of(signature: Any) -> dict[str, Any]:
    """Return the JSON schema of a signature, which takes pydantic a millisecond and never changes."""
    schema: dict[str, Any] = signature.model_json_schema()
    return schema


def digest_privacy(config: Config) -> dict[str, str]:
    """Return a hash of the section `privacy` by its name; empty where models see no pseudonyms."""
    privacy = config.privacy
    return {"privacy": digest(privacy.model_dump(mode="json"))} if privacy.pseudonyms else {}
