"""Read arf.yaml with `--set` overrides. All problems are reported at once, each with its place and how to mend it.

A few lines of YAML cannot grow into gigabytes, or into a value that holds itself.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from yaml.constructor import SafeConstructor

from arf_programs.config.masking import MASK, mask_message
from arf_programs.config.models import DEVICE, NAME, VARIABLE, DraftColumn, ModelConfig, fill_roles
from arf_programs.config.paths import shorten
from arf_programs.config.schema import Config
from arf_programs.config.secrets import is_secret_name, looks_secret, without_logins
from signatures.exceptions import ConfigError

Key = tuple[str | int, ...]
_LONGEST_SHOWN = 200  # characters of an override
_LINE = re.compile(r".*? line (\d+): ")
# What `models.teacher` may be. pydantic puts the class into the location of a problem.
_TEACHERS: dict[str | int, type[BaseModel]] = {kind.__name__: kind for kind in (ModelConfig, DraftColumn)}


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a configuration.

    `overrides` are `key.sub=value` strings whose value is YAML. Raises ConfigError with every problem.
    """
    document, places = _read_yaml(path)
    for override in overrides:
        _apply_override(document, places, override)
    return validate(document, places, source=str(path))


def validate(document: dict[str, Any], places: dict[Key, str], *, source: str) -> Config:
    """Turn a mapping into a Config. `places` says where each key was given. Raises ConfigError with every problem."""
    problems = [
        f"{_place(key, places, source)}: {_dotted(key)} holds what looks like a key, and this file is copied into the "
        "run: take it out, and name the environment variable that holds it in api_key_env."
        for key, text in _texts(document)
        if looks_secret(text)
    ]
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems += [
            _describe(item, places, source)
            for item in error.errors(include_url=False)
            if not _is_inherited_role(item["loc"], places)
        ]
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_line_number))
    return config


def _texts(value: Any, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Yield the texts of a document with their places, but those of `parameters`, which are looked at more closely."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            if name != "parameters":
                yield from _texts(item, (*key, name))


def _line_number(problem: str) -> int:
    """Return the line that a problem begins with. What no line says comes last."""
    found = _LINE.match(problem)
    return int(found[1]) if found else sys.maxsize


def dump_config(config: Config) -> str:
    """Write the resolved configuration as YAML. It has the names of variables that hold keys, and no secret."""
    document = without_logins(config.model_dump(mode="json"))
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[Key, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file or folder. `arf init DIR` writes an arf.yaml to start from.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from None
    places: dict[Key, str] = {}
    problems: list[str] = []
    try:
        root = compose_yaml(text)
        _collect_places(root, (), path, places, problems)
        document = construct_yaml(root)
    except yaml.YAMLError as error:
        hint = _data_hint(path) or " Mend it there: often an indentation, a colon or a quote is wrong."
        raise ConfigError(f"{path}: not valid YAML: {describe_yaml_error(error)}.{hint}") from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path}: expected sections such as `corpus:` and `models:`.{_data_hint(path) or ' See `arf init DIR`.'}"
        )
    if problems:
        raise ConfigError(problems)
    return document, places


def _data_hint(path: Path) -> str:
    """Say what to do with a corpus that is given in the place of an arf.yaml; empty for a YAML file."""
    return "" if path.suffix in (".yaml", ".yml") else f" It is no arf.yaml: name {path.name} as corpus.path in one."


def _collect_places(node: yaml.Node | None, key: Key, path: Path, places: dict[Key, str], problems: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            child = (*key, str(key_node.value))
            place = f"{path} line {key_node.start_mark.line + 1}"
            if child in places:
                problems.append(
                    f"{place}: {_dotted(child)} is given twice, first at {places[child]}: keep one of them."
                )
                continue  # what stands below it is given twice as well
            places[child] = place
            _collect_places(value_node, child, path, places, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[(*key, index)] = f"{path} line {item.start_mark.line + 1}"
            _collect_places(item, (*key, index), path, places, problems)


def _apply_override(document: dict[str, Any], places: dict[Key, str], override: str) -> None:
    dotted, separator, raw = override.partition("=")
    keys = tuple(dotted.strip().split("."))
    if not separator or not all(keys):
        raise ConfigError(f"--set {mask_message(override)}: expected key=value, for example `--set train.epochs=3`.")
    try:
        value = load_yaml(raw)
    except yaml.YAMLError:
        raise ConfigError(f"--set {dotted}=...: the value is not valid YAML; quote it.") from None
    if keys[0] == "models" and len(keys) >= 3:
        _spell_out_role(document, keys[1])
    target: Any = document
    for key in keys[:-1]:
        if not isinstance(target.get(key), dict):
            target[key] = {}
        target = target[key]
    target[keys[-1]] = value
    # What is set may be a secret in the wrong place.
    shown = f"{dotted}={MASK}" if "parameters" in keys or is_secret_name(keys[-1]) else mask_message(override)
    shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."
    for length in range(1, len(keys) + 1):
        places[keys[:length]] = f"--set {shown}" if length == len(keys) else places.get(keys[:length], "--set")


def _spell_out_role(document: dict[str, Any], role: str) -> None:
    """Write a role as a mapping, so that one key of it can be set. The file may leave it out or give a string."""
    models = document.get("models")
    if isinstance(models, dict):
        filled = fill_roles(models).get(role)
        if isinstance(filled, dict):
            models[role] = deepcopy(filled)


# What a text has to look like, in words instead of the pattern.
_FORMS = {
    NAME: "use letters, digits, dots, _ and -, with a letter or a digit first",
    VARIABLE: "use letters, digits and _, with no digit first",
    DEVICE: "name auto, cpu, mps, cuda or cuda:N",
}


def _describe(error: Any, places: dict[Key, str], source: str) -> str:
    location: Key = tuple(part for part in error["loc"] if part not in _TEACHERS)
    place = _place(location, places, source)
    name = _dotted(location)
    if error["type"] == "extra_forbidden":
        return f"{place}: {name} is not a known key{_suggestion(tuple(error['loc']))}"
    if error["type"] == "missing":
        return f"{place}: {name} is missing: add it{_no_fallback(error['input'], location)}."
    message = _FORMS.get(error.get("ctx", {}).get("pattern", ""), error["msg"].removeprefix("Value error, "))
    is_shown = not (isinstance(error.get("input"), dict | list) or location[-1:] == ("api_key_env",))
    shown = f" (it is {mask_message(_shown(error.get('input')))})" if is_shown else ""
    return f"{place}: {name or 'the configuration'}: {message[:1].lower()}{message[1:]}{shown}."


def _shown(value: object) -> str:
    return shorten(value) if isinstance(value, str) else repr(value)


def _no_fallback(models: Any, location: Key) -> str:
    """Say why a role has no model, where the teacher whose model it would use is a column of the corpus."""
    is_role = location[:1] == ("models",) and len(location) == 2 and location != ("models", "teacher")
    return ", since the teacher is a column of the corpus" if is_role and "teacher" in models else ""


def _is_inherited_role(location: Key, places: dict[Key, str]) -> bool:
    """Say whether the file leaves the role out. It then repeats the problems of its fallback."""
    return location[:1] == ("models",) and len(location) > 2 and location[:2] not in places


def _place(location: Key, places: dict[Key, str], source: str) -> str:
    for length in range(len(location), 0, -1):
        if location[:length] in places:
            return places[location[:length]]
    return source


def _suggestion(location: Key) -> str:
    keys = _keys_of_section(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), keys, n=1)
    if close:
        return f": did you mean {close[0]}?"
    return f": the keys here are {', '.join(keys)}." if keys else "."


def _keys_of_section(parents: Key) -> list[str]:
    start = max((place for place, part in enumerate(parents, start=1) if part in _TEACHERS), default=0)
    model = _TEACHERS[parents[start - 1]] if start else Config
    for parent in parents[start:]:
        field = model.model_fields.get(str(parent))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def _dotted(location: Key) -> str:
    return ".".join(str(part) for part in location)


MOST_NODES = 100_000
_DEEPEST = 100
_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_LONGEST_NUMBER = 100
_MOST_BRACKETS = 1_000  # open at once, those in texts included; the parser's time grows with their square
# YAML 1.1 reads 010 as 8, and 1:30 as 90.
_OF_OTHER_BASE = re.compile(r"[+-]?(?:0[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)")
_BRACKET = re.compile(r"[\[\]{}]")
_NAMED = re.compile(r"(?:(?<=alias)|(?<=tag)) ['\"].*['\"]")


def load_yaml(text: str) -> Any:
    """Read YAML as `yaml.safe_load` does.

    Raises yaml.YAMLError for text that is not valid, aliases that hold themselves or multiply beyond MOST_NODES
    values, and values that are nested too deeply.
    """
    return construct_yaml(compose_yaml(text))


def describe_yaml_error(error: yaml.YAMLError) -> str:
    """Say what is wrong with YAML, and where. No text of the file is shown, since a secret may stand there."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    mark = error.problem_mark or error.context_mark
    said = _NAMED.sub("", ", ".join(part for part in (error.context, error.problem) if part))
    return said if mark is None else f"{said} at line {mark.line + 1}, column {mark.column + 1}"


def compose_yaml(text: str) -> yaml.Node | None:
    """Return the nodes of YAML with their places. Raises what `load_yaml` raises."""
    if _depth(text) > _MOST_BRACKETS:
        raise yaml.MarkedYAMLError(problem="it is nested too deeply")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError as error:
        raise yaml.MarkedYAMLError(problem="it is nested too deeply") from error
    except (ValueError, OverflowError) as error:
        raise yaml.MarkedYAMLError(problem=f"a value cannot be read: {error}") from error
    if root is not None:
        _Counter().count(root, 0)
    return root


def construct_yaml(root: yaml.Node | None) -> Any:
    """Return the values of the nodes of `compose_yaml`. Keys that are merged by `<<` are written into the nodes.

    Raises yaml.YAMLError for a value that cannot be read.
    """
    if root is None:
        return None
    try:
        return SafeConstructor().construct_document(root)
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:  # such as the 99th of a month
        raise yaml.MarkedYAMLError(problem=f"a value cannot be read: {error}") from error


def _depth(text: str) -> int:
    """Return how deep brackets are nested, those in texts included."""
    deepest = depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket.group() in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


class _Counter:
    """Counts the values that a document has when its aliases are written out."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def count(self, node: yaml.Node, depth: int) -> int:
        """Return the number of values of a node. Raises yaml.MarkedYAMLError with the place if there are too many."""
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        if id(node) in self._open:
            raise _refusal(node, "an alias holds itself: write the values out")
        if depth > _DEEPEST:
            raise _refusal(node, "it is nested too deeply")
        if node.tag == _INTEGER and len(node.value) > _LONGEST_NUMBER:
            raise _refusal(node, f"a number has more than {_LONGEST_NUMBER} digits")
        if node.tag in (_INTEGER, _FLOAT) and _OF_OTHER_BASE.fullmatch(node.value):
            raise _refusal(
                node,
                "YAML reads this number otherwise than it looks: write it without 0 at its beginning "
                "and without colons, or in quotes if it is a text",
            )
        self._open.add(id(node))
        size = 1 + sum(self.count(child, depth + 1) for child in _children(node))
        self._open.remove(id(node))
        if size > MOST_NODES:
            raise _refusal(node, f"aliases multiply to more than {MOST_NODES} values: write the values out")
        self._sizes[id(node)] = size
        return size


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _refusal(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
