"""The options of a magic, declared once: for its help, its parser and its completion.

IPython's ``magic_arguments`` would do, but it builds each parser and formats its help when the
extension is loaded, which is half of the time that loading takes.
"""

from __future__ import annotations

import argparse
import inspect
import re
from functools import cached_property
from typing import Any, NoReturn

from nbconvo.errors import InputError

__all__ = [
    "MEDIA_OPTIONS",
    "MODEL_OPTIONS",
    "NONE",
    "TOOL_OPTIONS",
    "Options",
    "number",
    "option",
    "unless_none",
    "whole_number",
]

Option = tuple[str, dict[str, Any]]

#: What an option is set to that shall be as if it had never been set.
NONE = "none"


def number(text: str) -> float | str:
    """Return the number that is typed, or :data:`NONE`."""
    return NONE if text.lower() == NONE else float(text)


def whole_number(text: str) -> int | str:
    """Return the whole number that is typed, or :data:`NONE`."""
    return NONE if text.lower() == NONE else int(text)


def unless_none(value: Any) -> Any:
    """Return what an option names: ``None`` for :data:`NONE`."""
    return None if isinstance(value, str) and value.lower() == NONE else value


#: What the types of values are called in an error.
_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "number": "a number, or none",
    "whole_number": "a whole number, or none",
}


def option(name: str, **settings: Any) -> Option:
    """Declare an option or a positional, with the settings of ``argparse.add_argument``."""
    return name, settings


#: What chooses a service, a model and its parameters.
MODEL_OPTIONS = (
    option("--service", help="service: a known name or an http address"),
    option("--model", help="model, or service:model"),
    option("--temperature", type=number, metavar="T", help="how varied the reply is, 0 for least"),
    option("--reasoning", metavar="HOW", help="low, medium, high, or most tokens of reasoning"),
    option("--max-tokens", type=whole_number, metavar="N", help="most tokens of the reply"),
    option(
        "--option",
        action="append",
        metavar="KEY=VALUE",
        default=[],
        help="any other option of the request; the value is JSON or text",
    ),
)

#: Which functions of the notebook a model may call.
TOOL_OPTIONS = (
    option("--tools", metavar="F,G", help="functions of the notebook that the model may call"),
    option("--confirm", action="store_true", help="ask before each call of a function"),
    option("--no-confirm", action="store_true", help="don't ask before calls"),
    option(
        "--max-rounds",
        type=int,
        metavar="N",
        help="how often the model may call functions before it has to answer (default: 10)",
    ),
    option(
        "--tool-timeout",
        type=float,
        metavar="SECONDS",
        help="how long one call of a function may take (default: 60)",
    ),
)

#: What goes along with a message.
MEDIA_OPTIONS = (
    option(
        "--image",
        action="append",
        metavar="X",
        default=[],
        help="a path, an address, a variable or Out[n]; may be given several times",
    ),
    option(
        "--file",
        action="append",
        metavar="X",
        default=[],
        help="a PDF or a text, by path or address; may be given several times",
    ),
)


class Options:
    """Decorates a magic with its options; they become its attribute ``options``."""

    def __init__(self, *declared: Option) -> None:
        self.name = ""
        self._declared = declared

    def __call__(self, magic: Any) -> Any:
        """Keep the magic's name, and put its usage around its docstring."""
        self.name = magic.__name__
        usage = f"%{self.name} " + " ".join(
            _shown(*each) if each[0][0] != "-" else f"[{_shown(*each)}]" for each in self._declared
        )
        told = "\n".join(f"    {_shown(*each):24} {each[1]['help']}" for each in self._declared)
        magic.__doc__ = (
            f"{inspect.cleandoc(magic.__doc__ or '')}\n\nUsage:\n\n    {usage}\n\n{told}\n"
        )
        magic.options = self
        return magic

    @property
    def flags(self) -> tuple[str, ...]:
        """The options that begin with dashes."""
        return tuple(name for name, _ in self._declared if name.startswith("-"))

    def takes_value(self, flag: str) -> bool:
        """Whether a word after ``flag`` belongs to it."""
        return dict(self._declared)[flag].get("action") != "store_true"

    @cached_property
    def parser(self) -> argparse.ArgumentParser:
        """The parser of the magic's line, built for the first one."""
        # argparse would format the usage, which nobody reads here, anew for each line.
        parser = _Parser(usage=f"%{self.name}", add_help=False, allow_abbrev=False)
        for name, settings in self._declared:
            parser.add_argument(name, **settings)
        return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: it does not end the process."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        if missing := re.fullmatch(r"argument (\S+): expected one argument", message):
            flag = missing[1]
            value = self._option_string_actions[flag].metavar or flag.strip("-").upper()
            raise InputError(f"{flag} needs a value: {flag} {value}")
        if wrong := re.fullmatch(r"argument (\S+): invalid (\w+) value: (.*)", message):
            raise InputError(f"{wrong[1]} must be {_KINDS[wrong[2]]}, not {wrong[3]}")
        if wordy := re.fullmatch(r"argument (\S+): ignored explicit argument (.*)", message):
            raise InputError(f"{wordy[1]} takes no value, not {wordy[2]}")
        if few := re.fullmatch(r"the following arguments are required: (.*)", message):
            raise InputError(f"{few[1]} missing; {self.usage}? tells how it is used")
        raise InputError(message)


def _shown(name: str, settings: dict[str, Any]) -> str:
    if not name.startswith("-"):
        word = name.upper() if settings.get("nargs") in ("?", None) else f"{name.upper()} ..."
        return f"[{word}]" if settings.get("nargs") in ("?", "*") else word
    if settings.get("action") == "store_true":
        return name
    return f"{name} {settings.get('metavar') or name.strip('-').upper()}"
