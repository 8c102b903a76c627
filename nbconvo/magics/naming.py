"""What a word on the line of a magic means in the notebook: a name, or a type made of some."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

from nbconvo.errors import InputError, nearest

__all__ = ["annotation", "looked_up"]


def looked_up(option: str, word: str, names: Mapping[str, Any]) -> Any:
    """Return what the notebook means by ``word``, which may have dots in it; nothing is run."""
    first, *rest = word.split(".")
    if first not in names:
        near = nearest(first, _likely(option, names))
        hint = f"did you mean {near!r}?" if near else "define it in a cell before"
        raise InputError(f"{option} {word!r}: the notebook has no {first!r}; {hint}")
    found = names[first]
    for name in rest:
        if not hasattr(found, name):
            raise InputError(f"{option} {word!r}: {first!r} has no {name!r}")
        found = getattr(found, name)
    return found


def _likely(option: str, names: Mapping[str, Any]) -> list[str]:
    """Return the names of the notebook's own functions, or types, that the option may mean."""
    return [
        name
        for name, value in names.items()
        if not name.startswith("_")
        and not hasattr(builtins, name)
        and (isinstance(value, type | dict) if option == "--schema" else callable(value))
    ]


def annotation(text: str, names: Mapping[str, Any]) -> Any:
    """Return the type that ``--schema`` names: ``Joke``, ``list[Joke]``, ``Joke | None``.

    Nothing is called: there may be names, dots, brackets, ``|`` and, in brackets, values.

    Raises:
        InputError: If it is none, or the notebook has no such name.
    """
    try:
        return _meant(ast.parse(text, mode="eval").body, {**vars(builtins), **names})
    except (SyntaxError, TypeError) as error:
        raise InputError(
            f"--schema {text!r} is no type ({error}); name one of the notebook, such as Joke or "
            "list[Joke]"
        ) from None


def _meant(part: ast.expr, names: Mapping[str, Any]) -> Any:
    match part:
        case ast.Name() | ast.Attribute(value=ast.Name() | ast.Attribute()):
            return looked_up("--schema", ast.unparse(part), names)
        case ast.Subscript(value=kind, slice=inner):
            return _meant(kind, names)[_meant(inner, names)]
        case ast.Tuple(elts=parts):
            return tuple(_meant(each, names) for each in parts)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _meant(left, names) | _meant(right, names)
        case ast.Constant(value=value):
            return value
    raise TypeError(f"{ast.unparse(part)!r} is no part of one")
