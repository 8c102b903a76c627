"""What an adapter offers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["KEY", "Peer", "Told"]

KEY = "sk-benchmark-not-a-key"


@dataclass(frozen=True)
class Told:
    """The limits that a client is told, per minute; ``None`` is none."""

    requests: float | None = None
    tokens: float | None = None


class Peer:
    """A client of one server; subclasses define what the tables that they take part in need.

    One that can only stream asks for a whole reply so.

    Args:
        url: The address of the server, such as ``http://127.0.0.1:40123/v1``.
        told: The limits that it is to keep.
    """

    #: What it is told where no limit is to be in the way.
    unlimited: ClassVar[Told] = Told()

    def __init__(self, url: str, told: Told) -> None:
        self.url = url
        self.told = told

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        """Ask for a whole reply and return its text, within the limits, as often as it takes."""
        return "".join([piece async for piece in self.stream(model, text)])

    def stream(self, model: str, text: str) -> AsyncIterator[str]:
        """Ask for a stream, and yield the text of each delta as it comes."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close what is open."""
