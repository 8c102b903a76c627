"""The least value that a JSON Schema allows, made without understanding a word. Pure.

What is read of a schema are types, fields, lengths and bounds; a ``pattern`` is not kept to, nor
what ``not`` and ``if`` ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

__all__ = ["least"]

_OF_FORMAT = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.org",
    "uri": "http://example.org/",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "ipv4": "0.0.0.0",
    "ipv6": "::",
}
_TELLING = {"properties": "object", "required": "object", "items": "array", "prefixItems": "array"}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MOST_ITEMS = 1000  # of a list, and of the characters that a text is filled up with
_MOST_PARTS = 10_000  # of a whole value


class _Endless(Exception):
    """A value that would have to hold another of its kind, and so on."""


def least(schema: Mapping[str, Any], text: str) -> Any:
    """Return the least value under ``schema``, ``text`` where it holds a text; else ``None``."""
    try:
        return _Maker(schema, text).make(schema, ())
    except (_Endless, RecursionError, ArithmeticError):
        return None


class _Maker:
    def __init__(self, root: Mapping[str, Any], text: str) -> None:
        self._root = root
        self._text = text
        self._left = _MOST_PARTS

    def make(self, schema: object, within: Sequence[str]) -> Any:
        """Return the least value; ``within`` are the references that led here."""
        self._left -= 1
        if self._left < 0:
            raise RecursionError
        if not isinstance(schema, Mapping):
            return self._text
        if isinstance(reference := schema.get("$ref"), str):
            if reference in within:
                raise _Endless
            return self.make(self._referred(reference), (*within, reference))
        if "const" in schema:
            return schema["const"]
        if listed := _list(schema, "enum"):
            return listed[0]
        if branches := _list(schema, "anyOf") or _list(schema, "oneOf"):
            return self._first(schema, branches, within)
        if parts := _list(schema, "allOf"):
            return self.make(self._merged(schema, parts), within)
        return self._of_kind(_kind(schema), schema, within)

    def _of_kind(self, kind: object, schema: Mapping[str, Any], within: Sequence[str]) -> Any:
        match kind:
            case "object":
                fields = _dict(schema, "properties")
                # Of the fields, too, the least: those that may be missing are.
                needed = [name for name in _list(schema, "required") if isinstance(name, str)]
                return {name: self.make(fields.get(name), within) for name in needed}
            case "array":
                first = _list(schema, "prefixItems")
                size = max(min(_size(schema, "minItems", 0), _MOST_ITEMS), 0)
                parts = [
                    first[at] if at < len(first) else schema.get("items") for at in range(size)
                ]
                return [self.make(part, within) for part in parts]
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return False
            case "null":
                return None
        return _fitted(_OF_FORMAT.get(str(schema.get("format")), self._text), schema)

    def _first(
        self, schema: Mapping[str, Any], branches: Sequence[Any], within: Sequence[str]
    ) -> Any:
        """Return the least value of the first branch that comes to an end."""
        around = {name: part for name, part in schema.items() if name not in ("anyOf", "oneOf")}
        for branch in branches:
            try:
                return self.make(self._merged(around, [branch]), within)
            except _Endless:
                continue
        raise _Endless

    def _merged(self, schema: Mapping[str, Any], parts: Sequence[Any]) -> Mapping[str, Any]:
        """Return one schema for a schema and its parts, of which all hold."""
        bare = {name: part for name, part in schema.items() if name != "allOf"}
        if len(parts) == 1 and not {"type", "properties", "required"} & bare.keys():
            return parts[0] if isinstance(parts[0], Mapping) else bare
        for part in parts:
            if isinstance(part, Mapping) and isinstance(reference := part.get("$ref"), str):
                part = self._referred(reference)
            if not isinstance(part, Mapping):
                continue
            fields = {**_dict(bare, "properties"), **_dict(part, "properties")}
            needed = [*_list(bare, "required"), *_list(part, "required")]
            bare |= part
            bare |= {"properties": fields, "required": needed}
        return bare

    def _referred(self, reference: str) -> object:
        found: object = self._root
        for name in reference.removeprefix("#").strip("/").split("/"):
            name = name.replace("~1", "/").replace("~0", "~")
            if name:
                found = found.get(name) if isinstance(found, Mapping) else None
        return found


def _kind(schema: Mapping[str, Any]) -> object:
    told = schema.get("type")
    if isinstance(told, list):
        return told[0] if told else None
    telling = (kind for name, kind in _TELLING.items() if schema.get(name))
    return told or next(telling, "number" if _bounds(schema) else None)


def _fitted(text: str, schema: Mapping[str, Any]) -> str:
    text = text.ljust(min(_size(schema, "minLength", 0), _MOST_ITEMS), ".")
    return text[: max(_size(schema, "maxLength", len(text)), 0)]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    """Return 0, or else a number near a bound that keeps to all of them."""
    return next((value for value in _numbers(schema, whole) if _keeps(value, schema)), 0)


def _numbers(schema: Mapping[str, Any], whole: bool) -> Iterator[int | float]:
    bounds = list(_bounds(schema).values())
    step = schema.get("multipleOf")
    near = [0, *bounds, *(bound + by for bound in bounds for by in (1, -1))]
    for value in [*near, sum(bounds) / max(len(bounds), 1)]:
        if _is_number(step) and step > 0:
            yield from (
                times * step for times in (math.floor(value / step), math.ceil(value / step))
            )
        elif whole:
            yield from (math.floor(value), math.ceil(value))
        else:
            yield value


def _keeps(value: float, schema: Mapping[str, Any]) -> bool:
    low, high, above, below = (_bounds(schema).get(name) for name in _BOUNDS)
    return (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _bounds(schema: Mapping[str, Any]) -> dict[str, float]:
    return {name: schema[name] for name in _BOUNDS if _is_number(schema.get(name))}


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))


def _size(schema: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = schema.get(name)
    return value if type(value) is int else otherwise


def _list(schema: Mapping[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _dict(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = schema.get(name)
    return value if isinstance(value, dict) else {}
