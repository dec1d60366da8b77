"""The command `arf init`: writes a configuration and sample files to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from signatures.exceptions import ConfigError

_NAMES = ("arf.yaml", "conversations.jsonl", "labeled.jsonl")


def write_templates(directory: Path) -> list[Path]:
    """Write the starting files. Raises ConfigError, before anything is written, if one of them is there already."""
    targets = [directory / name for name in _NAMES]
    there = [str(path) for path in targets if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: already there, and not overwritten: choose another folder.")
    directory.mkdir(parents=True, exist_ok=True)
    templates = files("arf_programs.cli") / "templates" / "init"
    for name, target in zip(_NAMES, targets, strict=True):
        target.write_text((templates / name).read_text(encoding="utf-8"), encoding="utf-8")
    return targets
