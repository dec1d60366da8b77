"""JSON schemas narrowed until a small model can neither run on in a string nor fill a list without end.

Whatever fits the narrowed schema fits the given one. Limits that the given schema sets itself are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
_NESTED = ("$defs", "definitions", "properties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_FREE_STRING = frozenset({"maxLength", "enum", "const", "pattern", "format"})


@dataclass(frozen=True)
class Bounds:
    """Limits for what a schema leaves open.

    `text` and `nested_text` are characters, of a string field of the root and of any deeper one; `items` the length
    of a list; `properties` of an open mapping; `magnitude` of an integer; `step` the grid of a number.
    """

    text: int = 400
    nested_text: int = 160
    items: int = 4
    properties: int = 6
    magnitude: int = 999_999_999
    step: float = 0.001


def bound_schema(schema: Schema, bounds: Bounds | None = None) -> Schema:
    """A copy of `schema` with every string, list, mapping and number limited; an empty schema is any JSON object."""
    bounded: Schema = _bound(schema or _any_object(), bounds or Bounds(), depth=0)
    return bounded


def _bound(schema: Any, bounds: Bounds, depth: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    bounded = {key: _bound_value(key, value, bounds, depth) for key, value in schema.items()}
    types = bounded.get("type", [])
    for name in types if isinstance(types, list) else [types]:
        if name in _LIMITS:
            _LIMITS[name](bounded, bounds, depth)
    return bounded


def _bound_value(key: str, value: Any, bounds: Bounds, depth: int) -> Any:
    if key in _NESTED and isinstance(value, dict):
        # What `$defs` holds is used below the root, wherever it stands.
        below = depth + (1 if key == "properties" else 2)
        return {name: _bound(child, bounds, below) for name, child in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [_bound(child, bounds, depth) for child in value]
    if key in ("items", "additionalProperties"):
        return _bound(value, bounds, depth + 1)
    return value


def _limit_string(schema: Schema, bounds: Bounds, depth: int) -> None:
    if not _FREE_STRING & schema.keys():
        limit = bounds.text if depth <= 1 else bounds.nested_text
        schema["maxLength"] = max(limit, schema.get("minLength", 0))


def _limit_array(schema: Schema, bounds: Bounds, depth: int) -> None:
    least = max(schema.get("minItems", 0), len(schema.get("prefixItems", ())))
    schema.setdefault("maxItems", max(bounds.items, least))


def _limit_object(schema: Schema, bounds: Bounds, depth: int) -> None:
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    elif "additionalProperties" not in schema:
        schema["additionalProperties"] = _bound(_any_value(0), bounds, depth + 1)
    if schema.get("additionalProperties") is not False:
        least = max(schema.get("minProperties", 0), len(schema.get("properties", ())))
        schema.setdefault("maxProperties", max(bounds.properties, least))


def _limit_integer(schema: Schema, bounds: Bounds, depth: int) -> None:
    if {"enum", "const"} & schema.keys():
        return
    low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        schema["minimum"] = min(0, high or 0) - bounds.magnitude
    if high is None:
        schema["maximum"] = max(0, low or 0) + bounds.magnitude


def _limit_number(schema: Schema, bounds: Bounds, depth: int) -> None:
    if not {"enum", "const", "multipleOf"} & schema.keys():
        _limit_integer(schema, bounds, depth)
        schema["multipleOf"] = bounds.step


def _any_value(depth: int) -> Schema:
    plain: list[Schema] = [{"type": name} for name in ("string", "number", "boolean", "null")]
    nested: list[Schema] = [{"type": "array", "items": {"anyOf": plain}}]
    if depth > 0:
        nested.append({"type": "object", "additionalProperties": _any_value(depth - 1)})
    return {"anyOf": plain + nested}


def _any_object() -> Schema:
    return {"type": "object", "additionalProperties": _any_value(2)}


_LIMITS = {
    "string": _limit_string,
    "array": _limit_array,
    "object": _limit_object,
    "integer": _limit_integer,
    "number": _limit_number,
}
