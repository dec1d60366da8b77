"""Read and write `taxonomy.yaml`, which people may edit. Also the seed taxonomy, before a run has its own."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

import yaml

from arf_programs.config import find_path, load_yaml
from arf_programs.runs import Run, write_text_atomic
from signatures.exceptions import ConfigError
from signatures.records import Category, Severity, Taxonomy

_KEYS: Final = tuple(Category.model_fields)
_NEEDED: Final = ("id", "name", "definition")
_SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)
_ID: Final = re.compile(r"[a-z][a-z0-9_]*")
_HEADER: Final = (
    "# The kinds of error that this run looks for. Edit definitions, add or remove categories;\n"
    "# the stages that depend on them run again. severity: minor, major or critical.\n"
)


def read_taxonomy(path: Path) -> Taxonomy:
    """Read the taxonomy of a YAML file.

    Raises ConfigError with all problems at once, each naming the file, the category, the key and how to mend it.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return parse_taxonomy(text, str(path))


def write_taxonomy(path: Path, taxonomy: Taxonomy) -> None:
    """Write the taxonomy as YAML, completely or not at all."""
    rows = [category.model_dump(mode="json") for category in taxonomy.categories]
    body = yaml.safe_dump({"categories": rows}, sort_keys=False, allow_unicode=True, width=100)
    write_text_atomic(path, _HEADER + body)


def parse_taxonomy(text: str, source: str) -> Taxonomy:
    """Parse the taxonomy of a YAML text, called `source` in messages. Raises ConfigError like `read_taxonomy`."""
    try:
        loaded = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise ConfigError(f"{source}{place}: is not YAML ({problem}); check indentation, colons and quotes") from error
    problems: list[str] = []
    rows = _rows(loaded, source, problems)
    categories = [_category(row, f"{source}: categories[{n}]", problems) for n, row in enumerate(rows)]
    problems += _repeated([row["id"] for row in rows if isinstance(row, dict) and "id" in row], source)
    if problems:
        raise ConfigError(problems)
    return Taxonomy(categories=tuple(category for category in categories if category is not None))


def _rows(loaded: Any, source: str, problems: list[str]) -> list[Any]:
    """Return the list under `categories`, the only key of the file."""
    if not isinstance(loaded, dict):
        problems.append(f"{source}: must be a mapping with the key `categories`; begin it with `categories:`")
        return []
    for key in loaded:
        if key != "categories":
            problems.append(f"{source}: unknown key {key!r}; the only key is `categories`")
    rows = loaded.get("categories")
    if not isinstance(rows, list) or not rows:
        problems.append(f"{source}: categories: must be a list of at least one category; begin each with `- id: ...`")
        return []
    return rows


def _category(row: Any, place: str, problems: list[str]) -> Category | None:
    """Read the category of one row. Return None if it has problems, which are noted."""
    if not isinstance(row, dict):
        problems.append(f"{place}: must be a mapping with the keys {', '.join(_NEEDED)}")
        return None
    label = f"{place} ({row['id']})" if isinstance(row.get("id"), str) else place
    wrong = [*_unknown_keys(row, label), *_wrong_values(row, label)]
    problems += wrong
    return None if wrong else Category(**row)


def _unknown_keys(row: dict[Any, Any], label: str) -> list[str]:
    problems = []
    for key in row:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            mend = f"did you mean `{near[0]}`?" if near else f"the keys are {', '.join(_KEYS)}"
            problems.append(f"{label}: unknown key {key!r}; {mend}")
    return problems


def _wrong_values(row: dict[Any, Any], label: str) -> list[str]:
    """List what is wrong with the values of a row, and how to mend it."""
    problems = []
    for key in (*_NEEDED, "example"):
        value = row.get(key)
        if value is None and key not in _NEEDED and key not in row:
            continue
        if not isinstance(value, str):
            problems.append(
                f"{label}: {key}: must be text, not {value!r}; put it in quotes"
                if key in row
                else f"{label}: {key}: is missing; add `{key}: ...`"
            )
        elif key in _NEEDED and not value.strip():
            problems.append(f"{label}: {key}: is empty; write one")
    if isinstance(row.get("id"), str) and row["id"].strip() and not _ID.fullmatch(row["id"]):
        mend = re.sub(r"\W+", "_", row["id"].strip().lower()).strip("_")
        problems.append(f"{label}: id: must be small letters, digits and underscores; for example {mend!r}")
    severity = row.get("severity", "major")
    if severity not in _SEVERITIES:
        problems.append(f"{label}: severity: must be one of {', '.join(_SEVERITIES)}, not {severity!r}")
    count = row.get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        problems.append(f"{label}: count: must be a whole number from 0, not {count!r}; leave it out if unknown")
    return problems


def _repeated(ids: list[Any], source: str) -> list[str]:
    twice = sorted({str(name) for name in ids if ids.count(name) > 1})
    return [f"{source}: the id {name!r} is there more than once; rename or remove one" for name in twice]


FORM_CATEGORIES: Final = ("verbatim_copy", "repetition", "length")
"""Categories that only the checks report. They are about the form of a summary, not its content."""

NOT_OF_FACT: Final = frozenset((*FORM_CATEGORIES, "irrelevant", "private_data"))
"""Categories of the seed taxonomy that are not about whether the summary is true."""


def load_configured_taxonomy(run: Run) -> Taxonomy:
    """The taxonomy that `analyze.taxonomy` names, beside arf.yaml or in the working directory; else the seed."""
    given = run.config.analyze.taxonomy
    if not given:
        return load_seed_taxonomy()
    return read_taxonomy(find_path(given, run.base_dir) or Path(given))


@cache
def load_seed_taxonomy() -> Taxonomy:
    """Load the seed categories: ten kinds of wrong content, then `FORM_CATEGORIES`."""
    resource = files("arf_programs.corpus") / "seed.yaml"
    return parse_taxonomy(resource.read_text("utf-8"), "seed.yaml")
