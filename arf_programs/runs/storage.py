"""What it means if a disk refuses to store or read a file: a message that names the folder, and how much is free there.

Only the owner can read the files of a run, because a run holds conversations of customers.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signatures.exceptions import ArfError, StorageError

_GOES_ON = "Nothing that was finished is lost: the same command goes on from there."
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_HANDLES = {errno.EMFILE, errno.ENFILE}
_GONE = {errno.ENOENT, errno.ESTALE}
_DAMAGED = errno.EBADMSG  # a file of SQLite: it has words alone
_IN_THE_WAY = {errno.EISDIR, errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY}
# No mistake of a user, whatever was to be read or written.
_TROUBLES = _FULL | _HANDLES | {errno.EIO, errno.ESTALE}
# SQLite and the writers of weights give no number.
_WORDS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"disk is full|no space left|os error 28|PytorchStreamWriter|iostream error", re.I), errno.ENOSPC),
    (re.compile(r"quota|os error 122", re.I), errno.EDQUOT),
    (re.compile(r"file too large|os error 27", re.I), errno.EFBIG),
    (re.compile(r"read-?only|os error 30", re.I), errno.EROFS),
    (re.compile(r"permission denied|os error 13", re.I), errno.EACCES),
    (re.compile(r"too many open files|os error 24", re.I), errno.EMFILE),
    (re.compile(r"is not a database|disk image is malformed", re.I), _DAMAGED),
    (re.compile(r"disk i/o error|os error 5\b", re.I), errno.EIO),
)


@contextmanager
def storing(path: Path, *, instead: str = "") -> Iterator[None]:
    """Turn what the disk raises in this block into a StorageError. `instead` says which other folder may be given."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise storage_error(error, path, instead=instead) from error


def storage_error(error: Exception, path: Path | None = None, *, instead: str = "") -> StorageError:
    """Say what the disk refused, where, and how to mend it. Without `path` the error itself has to name the file."""
    if "usable temporary directory" in str(error):
        return StorageError(f"{error}: set TMPDIR to a folder with room that you can write to. {_GOES_ON}")
    named = getattr(error, "filename", None)
    place = path or (Path(os.fsdecode(named)) if isinstance(named, str | bytes) else None)
    folder = None if place is None else _existing(place)
    number = _number(error, place)
    where = place or "a file or a connection of this command"
    why = str(error) if number in (0, _DAMAGED) else os.strerror(number)
    return StorageError(f"{where}: the disk refuses it ({why}){_free(folder)}. {_mend(number, instead)} {_GOES_ON}")


def refuse_read_only(folder: Path, *, instead: str) -> None:
    """Raise StorageError if nothing can be written to a folder, or to the one that it would be made in."""
    there = _existing(folder)
    if there is not None and not os.access(there, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES
        raise storage_error(OSError(number, ""), folder, instead=instead)


def trouble_behind(error: ArfError) -> StorageError | None:
    """Return the trouble of a disk that an error was raised from; None if there is none.

    A file that cannot be read is a mistake of the user in most places, but not if the disk or the limits of this
    process refuse it.
    """
    for one in errors_behind(error):
        if isinstance(one, StorageError):
            return one
        if isinstance(one, OSError) and one.errno in _TROUBLES:
            return storage_error(one)
    return None


def errors_behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def is_of_the_disk(error: Exception) -> bool:
    """Whether the error of another library says that the disk did not take a file."""
    return any(words.search(str(error)) for words, _ in _WORDS)


def _number(error: Exception, place: Path | None) -> int:
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = next((number for words, number in _WORDS if words.search(str(error))), 0)
    if found or place is None or "unable to open" not in str(error):
        return found
    # SQLite says no more than that.
    if not os.path.exists(place):  # noqa: PTH110
        return errno.ENOENT
    return errno.EMFILE if os.access(place, os.W_OK) else errno.EACCES


def _existing(place: Path) -> Path | None:
    # Unlike Path.is_dir, os.path.isdir raises nothing for a name that is too long.
    return next((folder for folder in (place, *place.absolute().parents) if os.path.isdir(folder)), None)  # noqa: PTH112


def _free(folder: Path | None) -> str:
    if folder is None:
        return ""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f"; {folder} has {free / 2**20:,.1f} MiB free"


def _mend(number: int, instead: str) -> str:
    other = f", or {instead}" if instead else ""
    if number in _FULL:
        return f"Make room{other}, also within your quota and your limit of file sizes (`ulimit -f`)."
    if number in _FORBIDDEN:
        return f"Make it writable for you{other}."
    if number in _HANDLES:
        return "Allow more open files (`ulimit -n`), or lower `workers` and `models.<role>.concurrency`."
    if number == errno.ENAMETOOLONG:
        return f"Give it a shorter path{other}."
    if number in _GONE:
        return f"It was removed or moved, or its disk is gone: put it back{other}."
    if number in _IN_THE_WAY:
        return f"A file or a folder of another kind has that name: move it away{other}."
    if number == _DAMAGED:
        return f"A file is damaged: put a copy back, or move it away{other}. Answers in it are then asked for again."
    return f"Look at the disk and at your limit of file sizes (`ulimit -f`){other}."


@contextmanager
def private_files() -> Iterator[None]:
    """Give folders that this block and its processes make the mode 0700, and files 0600, whatever the umask."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_private_folder(folder: Path, *, holds: str = "") -> None:
    """Make a folder that only its owner can read.

    A folder that is there becomes private if it is empty or holds the file `holds`. Otherwise it keeps its mode.
    Raises FileExistsError if a file is in its place.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        is_ours = bool(holds) and ((folder / holds).exists() or not any(folder.iterdir()))
        if is_ours:
            with suppress(PermissionError):  # the folder belongs to another user, who has given us access
                folder.chmod(0o700)
