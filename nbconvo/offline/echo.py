"""The model ``echo``: says the last user message again, and plays calls, JSON and images by it.

It understands nothing: a line of the message that is spelled as the call of a tool is that call,
results are said again, and JSON under a schema is the message's own, else the least that fits.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbconvo.offline.beyond import example
from nbconvo.offline.heard import asked, enclosed, results
from nbconvo.offline.least import least
from nbconvo.offline.offer import NOTHING, Calls, Offer
from nbconvo.specs import ToolSpec

__all__ = ["reply"]

_CALL = re.compile(r"\s*([\w.:/-]+)(\(.*)")
_KINDS = {
    list: ("array",),
    str: ("string",),
    int: ("integer", "number"),
    float: ("number",),
    bool: ("boolean",),
}
_START = re.compile(r"[{\[]")
_MOST_STARTS = 1000  # at which JSON is looked for: each may lead to the message's end


def reply(messages: Sequence[Mapping[str, Any]], offer: Offer = NOTHING) -> str | Calls:
    """Return the last user message as it is, or what it plays; empty when there is none.

    Once the results of its calls are there, they are said again.
    """
    text, came = asked(messages), results(messages)
    if came:
        text = "\n".join(came)
    elif offer.callable:
        try:
            if calls := _calls(text, offer):
                return calls
        except ValueError as error:
            return str(error)
    if things := enclosed(messages):
        text = "\n\n".join([*([text] if text else []), *(f"[{thing}]" for thing in things)])
    return text if offer.schema is None else _filled(offer.schema.schema, text)


def _calls(text: str, offer: Offer) -> Calls:
    """Return the calls that the lines of ``text`` spell, or the one that has to be made."""
    tools = offer.callable
    spelled = [
        (found[1], _arguments(found[2], tools[found[1]]))
        for line in text.splitlines()
        if (found := _CALL.match(line)) and found[1] in tools
    ]
    if not spelled and offer.is_forced:
        first = next(iter(tools.values()))
        spelled = [(first.name, _filled(first.parameters, text))]
    return tuple(spelled if offer.parallel else spelled[:1])


def _arguments(code: str, tool: ToolSpec) -> str:
    """Return the arguments that ``code`` spells, in its brackets, as JSON text.

    Raises:
        ValueError: If they are no literals.
    """
    names = list(_fields(tool.parameters))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \\d, which stay what they are
            call = ast.parse(f"_{code.strip()}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        if len(call.args) > len(names):
            raise ValueError
        given = dict(zip(names, map(ast.literal_eval, call.args), strict=False))
        for keyword in call.keywords:
            value = ast.literal_eval(keyword.value)
            given |= value if keyword.arg is None else {keyword.arg: value}
        return json.dumps(given, ensure_ascii=False, allow_nan=False)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise ValueError(
            f"`{tool.name}{code.strip()}` is not called: its arguments have to be plain values in "
            f"Python's spelling, as in `{example(tool)}`"
        ) from None


def _filled(schema: Mapping[str, Any], text: str) -> str:
    """Return the JSON that ``text`` holds, as it stands there, else the least that fits."""
    fields = _fields(schema)
    for found, value in _jsons(text):
        if isinstance(value, dict) or schema.get("type") not in ("object", None):
            return found
        for name, field in fields.items() if len(fields) == 1 else ():
            if isinstance(field, dict) and field.get("type") in _KINDS.get(
                type(value), ()
            ):  # an object around what is none
                return json.dumps({name: value}, ensure_ascii=False)
    return json.dumps(least(schema, text), ensure_ascii=False)


def _fields(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = schema.get("properties")
    return fields if isinstance(fields, dict) else {}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _jsons(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the JSON in ``text`` and its value: all of it, else the objects and lists in it."""
    try:
        yield text.strip(), json.loads(text, parse_constant=_refuse)
        return
    except (ValueError, RecursionError):
        decoder, end = json.JSONDecoder(parse_constant=_refuse), 0
    for found, _ in zip(_START.finditer(text), range(_MOST_STARTS), strict=False):
        if found.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        yield text[found.start() : end], value
