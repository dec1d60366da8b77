"""YAML of files that people write. A few lines cannot grow into gigabytes, or into a value that holds itself."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

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
