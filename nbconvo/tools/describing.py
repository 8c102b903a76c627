"""A Python function as a tool: its JSON Schema, and its arguments from JSON."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbconvo.errors import InputError
from nbconvo.schemas import Misfit, spelled
from nbconvo.specs import ToolSpec

__all__ = ["Tool", "tool_of"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAMES = "__nbconvo_names__"  # of a model's fields: the parameters that they stand for
_CANNOT: dict[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "takes any number of arguments (*{})",
    inspect.Parameter.VAR_KEYWORD: "takes any arguments (**{})",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call.

    Attributes:
        spec: What the model is told of it.
        function: What is called, sync or async.
        look_up: Finds the function anew, where it was given by a name that may be redefined.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    _arguments: Any
    look_up: Callable[[], Any] | None = None

    def current(self) -> Tool:
        """Return the tool that its name stands for now.

        Raises:
            InputError: If the name is gone, or what it is now cannot be told to a model.
        """
        if self.look_up is None or (found := self.look_up()) == self.function:
            return self
        return replace(tool_of(found), look_up=self.look_up)

    @property
    def name(self) -> str:
        """The name by which the model calls it."""
        return self.spec.name

    @property
    def is_async(self) -> bool:
        """Whether calling it returns what is to be awaited, or an async generator."""
        called = inspect.unwrap(self.function)
        while isinstance(called, functools.partial):
            called = called.func
        return any(
            inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
            for one in (called, getattr(called, "__call__", None))  # noqa: B004
        )

    def bound(self, arguments: str) -> tuple[list[Any], dict[str, Any]]:
        """Return what the function is to be called with, for ``arguments`` as JSON text.

        Raises:
            Misfit: If they are no JSON object, or do not fit the function.
        """
        from pydantic import ValidationError

        try:
            # Not strictly: a text that is a number will do for one, as models tend to write it.
            found = self._arguments.model_validate_json(arguments.strip() or "{}")
        except ValidationError as error:
            raise Misfit(f"the arguments do not fit: {spelled(error)}") from None
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for field, (name, is_positional) in getattr(self._arguments, _NAMES).items():
            if is_positional:
                positional.append(getattr(found, field))
            elif field in found.model_fields_set:
                named[name] = getattr(found, field)
        return positional, named


def tool_of(function: Any) -> Tool:
    """Return the tool that ``function`` is: any callable with a name, sync or async.

    Its schema comes from its annotations, what it says of itself and of its parameters from its
    docstring, be it in Google's, NumPy's or Sphinx's style.

    Raises:
        InputError: If it cannot be told to a model.
    """
    if isinstance(function, Tool):
        return function
    name = _name_of(function)
    if not callable(function) or isinstance(function, type):
        kind = "a class" if isinstance(function, type) else f"a {type(function).__name__}"
        raise InputError(f"a tool must be a function, not {kind}")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a tool needs a name of letters, digits, '_' and '-', at most 64: not {name!r}; "
            "define it with def"
        )
    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(_hinted(function), include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise InputError(f"the tool {name!r} cannot be told to a model: {error}") from None
    description, said = _docstring(function)
    arguments = _arguments_of(name, signature, hints, said)
    try:
        schema = arguments.model_json_schema(by_alias=True)
    except Exception as error:  # of several kinds, and from any type's own hooks
        raise _untold(name, error) from None
    return Tool(ToolSpec(name, description, _tidied(schema)), function, arguments)


def _arguments_of(
    name: str, signature: inspect.Signature, hints: Mapping[str, Any], said: Mapping[str, str]
) -> Any:
    """Return a pydantic model of the parameters.

    Its fields have names of their own, since a parameter may be called as a method of the model.
    """
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    names: dict[str, tuple[str, bool]] = {}
    for number, (parameter, about) in enumerate(signature.parameters.items()):
        if (why := _CANNOT.get(about.kind)) is not None:
            raise InputError(
                f"the tool {name!r} cannot be told to a model: it {why.format(parameter)}; "
                "name its parameters"
            )
        default = ... if about.default is inspect.Parameter.empty else about.default
        described = said.get(parameter)
        field = Field(default, alias=parameter, description=described)
        fields[f"p{number}"] = (hints.get(parameter, Any), field)
        names[f"p{number}"] = (parameter, about.kind is inspect.Parameter.POSITIONAL_ONLY)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
    try:
        made = create_model(name, __config__=config, **fields)
    except Exception as error:  # of several kinds, and from any type's own hooks
        raise _untold(name, error) from None
    setattr(made, _NAMES, names)
    return made


def _untold(name: str, error: Exception) -> InputError:
    said = " ".join(str(error).partition("\n")[0].split())
    return InputError(f"the tool {name!r} cannot be told to a model: {said:.200}")


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without titles, which repeat the names, and say nothing to a model."""
    made = {key: value for key, value in schema.items() if key not in ("title", "description")}
    made.setdefault("properties", {})
    for part in made["properties"].values():
        part.pop("title", None)
    return made


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _hinted(function: Any) -> Any:
    """Return what holds the annotations of a callable: of a partial or an object, its function."""
    while isinstance(function, functools.partial):
        function = function.func
    is_function = inspect.isroutine(function) or inspect.isfunction(function)
    return function if is_function else type(function).__call__


def _docstring(function: Any) -> tuple[str, dict[str, str]]:
    """Return what a function says of itself, and of its parameters by name."""
    import docstring_parser

    while isinstance(function, functools.partial):
        function = function.func
    found = docstring_parser.parse(inspect.getdoc(function) or "")
    said = {each.arg_name.lstrip("*"): each.description or "" for each in found.params}
    return (found.description or "").strip(), {
        name: " ".join(text.split()) for name, text in said.items() if text
    }
