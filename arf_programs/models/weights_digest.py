"""The weights behind an embedded model as a hash, so that a student that is trained anew is asked anew."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def weights_digest(model: str) -> str:
    """SHA-256 over the safetensors files of an `embedded/FOLDER` model; empty for every other model."""
    provider, _, name = model.partition("/")
    folder = Path(name)
    if provider != "embedded" or not folder.is_dir():
        return ""
    files = sorted(folder.glob("*.safetensors"))
    return _digest(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int], ...]) -> str:
    digest = hashlib.sha256()
    for file, _ in files:
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
