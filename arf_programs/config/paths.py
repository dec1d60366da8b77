"""Paths of arf.yaml: which can be none, and which file one names. Reading and hashing use the same function."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator

from signatures.exceptions import ConfigError

CACHE_VARIABLE: Final = "ARF_CACHE_DIR"
_SHOWN: Final = 100
_LONGEST_NAME: Final = 255  # bytes of one name, on the file systems in use
_LONGEST_PATH: Final = 4095  # PATH_MAX of Linux


def refuse_impossible(path: object) -> object:
    """Raise ValueError for a text that names no file anywhere. What is no text or path is left to others."""
    if not isinstance(path, str | os.PathLike):
        return path
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip():
        raise ValueError("an empty path names no file: give one, or leave the key out")
    odd = next((char for char in text if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")), None)
    if odd is not None:
        raise ValueError(f"a path cannot have the character {odd!a}: take it out")
    sizes = [len(name.encode()) for name in text.split("/")]
    if max(sizes) > _LONGEST_NAME or sum(sizes) + len(sizes) > _LONGEST_PATH:
        raise ValueError(
            f"the path is too long ({sum(sizes):,} bytes; a name may have {_LONGEST_NAME}, all of it "
            f"{_LONGEST_PATH:,}): shorten it"
        )
    return path


PathText = Annotated[str, BeforeValidator(refuse_impossible)]
"""A path, or the id of a model or a data set: a text without characters that no path has."""

FolderPath = Annotated[Path, BeforeValidator(refuse_impossible)]


def find_path(name: str | Path, base_dir: Path) -> Path | None:
    """Find a file or folder beside arf.yaml (`base_dir`), then in the working directory. None if there is none.

    `~` is the home of the user.
    """
    wanted = expand_home(name)
    places = (as_it_is_there(folder / wanted) for folder in (base_dir, Path.cwd()))
    return next((place for place in places if _exists(place)), None)


def as_it_is_there(path: Path) -> Path:
    """Return the path in the other encoding of its accents if only that is there, as of a folder copied from a Mac."""
    if str(path).isascii() or _exists(path):
        return path
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    below = (path.parent / unicodedata.normalize(form, path.name) for form in ("NFC", "NFD"))
    return next((place for place in (*below, *forms) if _exists(place)), path)


def _exists(path: Path) -> bool:
    # Unlike Path.exists, os.path.exists raises nothing for a name that is too long or a folder that is closed.
    return os.path.exists(path)  # noqa: PTH110


def expand_home(name: str | Path) -> Path:
    """Replace `~` by the home of the user. The home of an unknown user stays as it is written."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def refuse_wrong_kinds(folders: Mapping[str, Path], files: Mapping[str, Path | None]) -> None:
    """Raise ConfigError, with all problems, if a file stands in the way of a folder, or a folder in that of a file.

    Args:
        folders: Folders that are there or will be made, by their keys.
        files: Files that will be read, by their keys. None is left out: another check names a file that is missing.
    """
    in_the_way: dict[Path, str] = {}  # each only once: stored answers are by default within the folder of the run
    for key, folder in folders.items():
        if not os.path.isdir(there := _existing(folder)):  # noqa: PTH112
            in_the_way.setdefault(there, f"{key}: {there} is no folder: give another {key}.")
    problems = list(in_the_way.values())
    problems += [
        f"{key}: {path} is a folder: name the file in it."
        for key, path in files.items()
        if path is not None and os.path.isdir(path)  # noqa: PTH112
    ]
    if problems:
        raise ConfigError(problems)


def _existing(folder: Path) -> Path:
    """Return the folder or the first of its parents that is there, as whatever it is."""
    return next((place for place in (folder, *folder.absolute().parents) if os.path.lexists(place)), folder)


def cache_folder() -> Path:
    """Return the folder of converted weights: `ARF_CACHE_DIR`, or `~/.cache/arf`. Raises ConfigError if it is odd."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        try:
            refuse_impossible(given)
        except ValueError as error:
            raise ConfigError(f"{CACHE_VARIABLE}: {error} (it is {shorten(given)}).") from None
    folder = expand_home(given or "~/.cache/arf")
    if not given and not folder.is_absolute():
        raise ConfigError(f"No home folder is known here: set {CACHE_VARIABLE} to a folder that you can write to.")
    return folder


def shorten(text: str) -> str:
    """Return a text as Python writes it, cut where it is long."""
    shown = ascii(text) if any(unicodedata.category(char) == "Cs" for char in text) else repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...'"
