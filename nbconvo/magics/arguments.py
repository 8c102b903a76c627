"""The line of a magic, parsed with one clear line for a mistake."""

from __future__ import annotations

import argparse
import builtins
import json
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from nbconvo.configs import checked_options, set_on_service
from nbconvo.errors import InputError, nearest
from nbconvo.magics.naming import annotation, looked_up
from nbconvo.magics.options import Options, unless_none

__all__ = ["equipment", "overrides", "parse", "split_text", "variable"]

_WORD = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|\S)+)""")


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Return what :data:`MODEL_OPTIONS` were given, as keyword arguments; ``none`` is ``None``."""
    given = {
        "service": args.service,
        "model": args.model,
        "temperature": args.temperature,
        "max_tokens": args.max_tokens,
        "reasoning": _effort(args.reasoning),
    }
    named = {name: unless_none(value) for name, value in given.items() if value is not None}
    return named | checked_options(dict(_pair(text) for text in args.option))


def equipment(args: argparse.Namespace, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools, the schema and the images that a line names, as keyword arguments.

    Raises:
        InputError: If the notebook has no such thing among its ``names``.
    """
    given: dict[str, Any] = {}
    if args.tools is not None:
        words = [
            word.strip() for word in (unless_none(args.tools) or "").split(",") if word.strip()
        ]
        given["tools"] = [_tool(word, names) for word in words]
    if args.confirm and args.no_confirm:
        raise InputError("--confirm and --no-confirm are opposites; choose one")
    if args.confirm or args.no_confirm:
        given["confirm"] = args.confirm
    limits = {"max_rounds": args.max_rounds, "tool_timeout": args.tool_timeout}
    given |= {name: limit for name, limit in limits.items() if limit is not None}
    if images := getattr(args, "image", None):
        given["images"] = [_pictured(word, names) for word in images]
    if files := getattr(args, "file", None):
        given["files"] = files
    if schema := getattr(args, "schema", None):
        given["schema"] = annotation(schema, names)
    return given


def _tool(word: str, names: Mapping[str, Any]) -> Any:
    """Return the function of that name, which is looked up again for each ask."""
    from nbconvo.tools import tool_of

    look_up = partial(looked_up, "--tools", word, names)
    if not callable(found := look_up()):
        raise InputError(f"--tools {word!r} is no function, but of type {type(found).__name__}")
    return replace(tool_of(found), look_up=look_up)


def _pictured(word: str, names: Mapping[str, Any]) -> Any:
    """Return what ``--image`` names: what a cell put out, a variable, else a path or an address."""
    if found := re.fullmatch(r"(?:Out\[|_)(\d+)\]?", word):
        cells = names.get("Out", {})
        if (number := int(found[1])) not in cells:
            raise InputError(f"--image {word!r}: that cell has put out nothing")
        return cells[number]
    return names[word] if word.isidentifier() and word in names else word


def _effort(word: str | None) -> str | int | None:
    return int(word) if word is not None and word.isdecimal() else word


def parse(magic: Any, line: str) -> argparse.Namespace:
    """Parse the line of ``magic``; a trailing ``;`` is dropped.

    Raises:
        InputError: In one line, with the nearest option for one that is unknown.
    """
    options: Options = magic.options
    if {"-h", "--help"} & set(line.split()):
        raise InputError(f"%{options.name}? shows the help")
    words = [_unquoted(word) for word in _WORD.findall(line.rstrip().rstrip(";"))]
    # Intermixed: names may stand before, between and after options.
    args, unknown = options.parser.parse_known_intermixed_args(words)
    if unknown:
        if not unknown[0].startswith("-"):
            usage = f"%{options.name}? tells how it is used"
            raise InputError(f"{unknown[0]!r} is one word too many; {usage}")
        option, _, value = unknown[0].partition("=")
        value = value or next(iter(words[words.index(unknown[0]) + 1 :]), "N")
        raise InputError(f"unknown option {option!r}; {_hint(options, option, value)}")
    return args


def _hint(options: Options, option: str, value: str) -> str:
    """Return what may have been meant by an option that is not known."""
    if (remedy := set_on_service(option, "N" if value.startswith("-") else value)) is not None:
        return f"it is set on the service, for all who use it: {remedy}"
    near = nearest(option, options.flags)
    return f"did you mean {near!r}?" if near else f"%{options.name}? lists all"


def split_text(magic: Any, line: str, is_name: Callable[[str], bool]) -> tuple[str, str]:
    """Split the line of a one-line ask: options and one name first, then the text, untouched."""
    options: Options = magic.options
    place, named = 0, False
    while found := _WORD.match(line, place):
        word = found[1]
        name = word.partition("=")[0]
        if name in options.flags:
            place = found.end()
            if (
                options.takes_value(name)
                and "=" not in word
                and (value := _WORD.match(line, place))
            ):
                place = value.end()
        elif word.startswith("--"):
            place = found.end()
        elif not named and is_name(word):
            place, named = found.end(), True
        else:
            break
    return line[:place], line[place:].strip()


def variable(name: str | None, names: Mapping[str, Any]) -> None:
    """Raise ``InputError`` unless ``name`` can name a new variable among ``names``."""
    if name is None:
        return
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InputError(f"--to {name!r} is not a name for a Python variable")
    if name in vars(builtins) or type(names.get(name)).__name__ == "Session":
        raise InputError(f"--to {name} would hide what {name} is now; choose another name")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--option {text!r} is not of the form key=value")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _unquoted(word: str) -> str:
    """Drop the quotes that hold a word together: ``--dir "my logs"``, ``--option stop='a b'``."""
    return re.sub(r"""(?<![^=])(["'])(.*)\1$""", r"\2", word)
