"""What a request lets a reply be beside words: calls of tools, JSON under a schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbconvo.specs import SchemaSpec, ToolSpec

__all__ = ["ANY_OBJECT", "NOTHING", "Calls", "Offer"]

#: Names of tools, each with its arguments as JSON text.
Calls = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to a model, checked.

    Attributes:
        tools: The tools that it may call.
        choice: ``auto``, ``none``, ``required``, or the name of the tool that it has to call.
        parallel: Whether it may call several at once.
        schema: What its text has to keep to.
    """

    tools: Sequence[ToolSpec] = ()
    choice: str = "auto"
    parallel: bool = True
    schema: SchemaSpec | None = None

    @property
    def named(self) -> Mapping[str, ToolSpec]:
        """The tools by name."""
        return {tool.name: tool for tool in self.tools}

    @property
    def callable(self) -> Mapping[str, ToolSpec]:
        """Those that may be called, by name."""
        named = {} if self.choice == "none" else self.named
        return {self.choice: named[self.choice]} if self.choice in named else named

    @property
    def is_forced(self) -> bool:
        """Whether a tool has to be called."""
        return bool(self.tools) and self.choice not in ("auto", "none")

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return what of it a model would have to read."""
        told: list[Mapping[str, Any]] = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in self.tools
        ]
        return [*told, self.schema.schema] if self.schema is not None else told


NOTHING = Offer()
ANY_OBJECT = SchemaSpec("reply", {"type": "object"}, strict=False)
