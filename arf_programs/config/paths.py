"""Find the file that a path of arf.yaml names. Reading and hashing use the same function, so both use the same file."""

from __future__ import annotations

import os
from pathlib import Path


def find_path(name: str | Path, base_dir: Path) -> Path | None:
    """Find a file or folder beside arf.yaml (`base_dir`), then in the working directory. None if there is none.

    `~` is the home of the user.
    """
    wanted = expand_home(name)
    # Unlike Path.exists, os.path.exists raises nothing for a name that is too long or a folder that is closed.
    return next((place for place in (base_dir / wanted, Path.cwd() / wanted) if os.path.exists(place)), None)  # noqa: PTH110


def expand_home(name: str | Path) -> Path:
    """Replace `~` by the home of the user. The home of an unknown user stays as it is written."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)
