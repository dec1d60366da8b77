"""Refuses folders on network file systems, where SQLite's locks do not hold and answers would be lost."""

from __future__ import annotations

import os
from pathlib import Path

from signatures.exceptions import ConfigError

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "beegfs",
    "gpfs",
    "ncpfs",
}
_MOUNTS = Path("/proc/self/mountinfo")


def refuse_network_folder(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raise ConfigError where `folder` lies on a network file system; says nothing where the system does not tell."""
    kind = file_system(folder, mounts)
    if kind in _NETWORK or kind.startswith("fuse."):
        raise ConfigError(
            f"{folder} is on a network file system ({kind}), where several processes cannot safely share the store of "
            "answers: set calls_dir to a folder on a local disk (the rest of the run may stay where it is)."
        )


def file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `folder`, as Linux names it; empty where it is not told."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    wanted = folder.resolve()
    found = [(point, kind) for point, kind in map(_mount, lines) if wanted.is_relative_to(point)]
    return max(found, key=lambda item: len(item[0].parts), default=(Path("/"), ""))[1]


def _mount(line: str) -> tuple[Path, str]:
    """Mount point and type in a line of mountinfo, proc(5): `id parent dev root POINT options - TYPE source`."""
    before, _, after = line.partition(" - ")
    point = before.split(" ")[4] if before.count(" ") >= 4 else "/nowhere"
    return Path(os.fsdecode(point.encode().decode("unicode_escape"))), after.split(" ")[0]
