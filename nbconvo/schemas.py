"""Types and JSON Schemas as forms that a reply has to have, and the reading of replies."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import isroutine
from typing import Any

from nbconvo.errors import InputError
from nbconvo.specs import SchemaSpec

__all__ = ["Form", "Misfit", "form_of", "spelled"]

_FENCED = re.compile(r"^\s*```\w*\s*\n(.*?)^\s*```\s*$", re.DOTALL | re.MULTILINE)
_ROOT = "value"  # the only field of an object around what is none: services ask for an object
# What services that enforce a schema refuse in one (OpenAI, "Structured model outputs").
_NOT_STRICT = frozenset(
    {"allOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else"}
    | {"patternProperties", "propertyNames", "unevaluatedProperties"}
    | {"prefixItems", "uniqueItems", "contains", "unevaluatedItems"}
)
_MOST_MISFITS = 5  # that are told to the model at once


class Misfit(ValueError):
    """A text that does not keep to a form; says what is wrong, for whoever wrote it to mend it."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a reply has to look like, and how it is read.

    Attributes:
        spec: What the service is asked for.
    """

    spec: SchemaSpec
    _read: Callable[[Any], Any]
    _is_wrapped: bool = False

    def read(self, text: str) -> Any:
        """Return the object that ``text`` is; it may stand in a fence of Markdown.

        Raises:
            Misfit: If it is no JSON, or does not keep to the form.
        """
        value = _json_of(text)
        if not self._is_wrapped:
            return self._read(value)
        if isinstance(value, dict) and _ROOT in value:
            return self._read(value[_ROOT])
        try:
            return self._read(value)  # without what was put around it
        except Misfit:
            if isinstance(value, dict):
                raise Misfit(f"the JSON object needs the field {_ROOT!r}") from None
            raise


def form_of(kind: Any) -> Form:
    """Return the form that ``kind`` stands for.

    ``kind`` is a pydantic model, a dataclass, a ``TypedDict``, any other annotation such as
    ``list[Model]``, or a JSON Schema as a mapping.

    Raises:
        InputError: If it is none of these, or cannot be told as JSON Schema.
    """
    if isinstance(kind, Mapping):
        return _form_of_schema(kind)
    if isinstance(kind, str | bytes | int | float | list) or kind is None or isroutine(kind):
        raise InputError(
            f"schema must be a pydantic model, a dataclass, a TypedDict or a JSON Schema, "
            f"not {kind!r:.80}"
        )
    return _form_of_type(kind)


def _form_of_schema(schema: Mapping[str, Any]) -> Form:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    checker = validator_for(schema)
    try:
        checker.check_schema(dict(schema))
    except SchemaError as error:
        raise InputError(f"schema is no JSON Schema: {_one_line(error.message)}") from None
    validator = checker(dict(schema))

    def read(value: Any) -> Any:
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        if errors:
            raise Misfit(
                "; ".join(
                    f"{'.'.join(map(str, error.path)) or 'the value'}: {_one_line(error.message)}"
                    for error in errors[:_MOST_MISFITS]
                )
            )
        return value

    return _form(schema, str(schema.get("title") or "reply"), read)


def _form_of_type(kind: Any) -> Form:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError
    from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(_as_pydantic_takes_it(kind))
        schema = adapter.json_schema()
    except (
        PydanticInvalidForJsonSchema,
        PydanticSchemaGenerationError,
        PydanticUserError,
        NameError,
        TypeError,
    ) as error:
        raise InputError(
            f"schema {_name_of(kind)!r} cannot be told as JSON Schema: {_first_line(error)}"
        ) from None

    def read(value: Any) -> Any:
        try:
            # From JSON, whose rules let a text be a date and an array a tuple.
            return adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            raise Misfit(spelled(error)) from None

    return _form(schema, _name_of(kind), read)


def spelled(error: Any) -> str:
    """Return what a pydantic ``ValidationError`` says, each fault with its place, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'the value'}: {found['msg']}"
        for found in error.errors(include_url=False, include_input=False)[:_MOST_MISFITS]
    )


def _as_pydantic_takes_it(kind: Any) -> Any:
    """Return a ``TypedDict`` as that of typing_extensions, which pydantic wants before 3.12."""
    is_old = sys.version_info < (3, 12) and type(kind).__module__ == "typing"
    if not is_old or not hasattr(kind, "__required_keys__"):
        return kind
    import typing

    import typing_extensions

    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {
        name: hint if name in kind.__required_keys__ else typing_extensions.NotRequired[hint]
        for name, hint in hints.items()
    }
    make: Any = typing_extensions.TypedDict
    made = make(kind.__name__, fields)
    made.__doc__ = kind.__doc__
    return made


def _form(schema: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> Form:
    is_wrapped = not _is_object(schema)
    if is_wrapped:
        bare = {key: value for key, value in schema.items() if key != "$defs"}
        around = {"type": "object", "properties": {_ROOT: bare}, "required": [_ROOT]}
        schema = {**around, **({"$defs": schema["$defs"]} if "$defs" in schema else {})}
    strict = _can_be_strict(schema)
    shown = _strict(schema, _defined(schema)) if strict else dict(schema)
    told = re.sub(r"[^\w-]+|[^\x00-\x7f]+", "_", name).strip("_")[:64] or "reply"
    return Form(SchemaSpec(told, shown, strict), read, is_wrapped)


def _is_object(schema: Mapping[str, Any]) -> bool:
    reference = str(schema.get("$ref", ""))
    if reference.startswith("#/$defs/"):
        schema = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    return schema.get("type") == "object" or ("properties" in schema and "type" not in schema)


def _can_be_strict(schema: Any) -> bool:
    """Whether it keeps to what can be enforced: no object is open, nothing says "not" or "if"."""
    if isinstance(schema, list):
        return all(map(_can_be_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if _NOT_STRICT & schema.keys():
        return False
    is_object = schema.get("type") == "object"
    if is_object and ("properties" not in schema or schema.get("additionalProperties")):
        return False
    if not schema.keys() - {"title", "description", "default"}:
        return False  # it allows anything
    required = schema.get("required", ())
    if any(
        name not in required and "default" not in part
        for name, part in schema.get("properties", {}).items()
        if isinstance(part, Mapping)
    ):
        return False  # a field that may be missing: nothing says what it is then
    parts = [value for key, value in schema.items() if key not in _NAMES]
    named = [part for key in _NAMES for part in schema.get(key, {}).values()]
    return all(map(_can_be_strict, parts)) and all(map(_can_be_strict, named))


_NAMES = ("properties", "$defs", "definitions")
_DATA = ("enum", "const", "required", "examples")


def _defined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a schema defines, by the references to it."""
    return {
        f"#/{key}/{name}": part
        for key in ("$defs", "definitions")
        for name, part in schema.get(key, {}).items()
    }


def _strict(schema: Any, defined: Mapping[str, Any]) -> Any:
    """Return a schema as services enforce it: all fields required, no others, no defaults.

    Nothing may stand beside a reference, such as what a field is for; what is ``defined`` takes
    its place there (as openai-python has it).
    """
    if isinstance(schema, list):
        return [_strict(part, defined) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: value for key, value in schema.items() if key not in ("default", "discriminator")}
    if len(kept) > 1 and kept.get("$ref") in defined:
        return _strict({**defined[kept.pop("$ref")], **kept}, defined)
    made: dict[str, Any] = {}
    for key, value in kept.items():
        if key in _NAMES:
            made[key] = {name: _strict(part, defined) for name, part in value.items()}
        elif key in _DATA:
            made[key] = value
        else:
            made["anyOf" if key == "oneOf" else key] = _strict(value, defined)
    if "properties" in made:
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    return made


def _json_of(text: str) -> Any:
    found = _FENCED.findall(text)
    for candidate in (text, *(found if len(found) == 1 else ())):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError) as error:
            said = error
    raise Misfit(f"it is not JSON: {_one_line(str(said))}")


def _name_of(kind: Any) -> str:
    return str(getattr(kind, "__name__", None) or kind)


def _first_line(error: Exception) -> str:
    return _one_line(str(error).partition("\n")[0])


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:299] + "…"
