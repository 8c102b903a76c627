"""What a request asks of a model beside words: tools that it may call, a schema to keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["SchemaSpec", "ToolSpec"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it.

    Attributes:
        name: Of letters, digits, ``_`` and ``-``, at most 64.
        description: What it does and when to use it.
        parameters: The JSON Schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaSpec:
    """The form that a reply has to have.

    Attributes:
        name: Of letters, digits, ``_`` and ``-``, at most 64.
        schema: A JSON Schema.
        strict: Whether it keeps to the part of JSON Schema that services can enforce: objects
            without additional properties, all of them required.
        description: What it is for.
    """

    name: str
    schema: Mapping[str, Any]
    strict: bool = True
    description: str = ""
