"""The models in the box, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nbconvo.offline import echo, eliza, guide
from nbconvo.offline.offer import Calls, Offer

__all__ = ["DEFAULT", "MODELS", "Model"]

#: A model turns the messages of a conversation, and what it is offered beside words, into the text
#: of a reply, in Markdown, or into calls. The same messages always give the same reply.
Model = Callable[[Sequence[Mapping[str, Any]], Offer], str | Calls]

DEFAULT = "guide"

MODELS: Mapping[str, Model] = MappingProxyType(
    {"guide": guide.reply, "echo": echo.reply, "eliza": eliza.reply}
)
