"""A request that is ready to be sent, as often as it takes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from nbconvo import tokens
from nbconvo.errors import InputError
from nbconvo.messages import Message
from nbconvo.services import BaseService, Request

__all__ = ["Ready"]

_LARGE = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """A request, its body encoded once, and what it is expected to take.

    Attributes:
        payload: The body as it is sent.
        prompt: Tokens of the messages.
        replies: How many alternatives are asked for.
        expected: Tokens of the prompt and all replies, to be reserved.
    """

    service: BaseService
    request: Request
    payload: bytes
    model: str | None
    prompt: int
    replies: int
    expected: int

    @classmethod
    def of(
        cls,
        service: BaseService,
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
        typical: float,
    ) -> Self:
        """Return the request for these messages; ``typical`` is how many tokens a reply had so far.

        Raises:
            InputError: If an option cannot be sent as JSON.
        """
        request = service.request(messages, model, options)
        prompt = tokens.prompt_tokens(messages, model)
        replies = options.get("n") or 1
        expected = prompt + int((options.get("max_tokens") or typical) * replies)
        return cls(service, request, _encoded(request.body), model, prompt, replies, expected)

    @property
    def data(self) -> bytes | io.BytesIO:
        """The payload for one sending; aiohttp would send large bytes in one piece, and warns."""
        return self.payload if len(self.payload) < _LARGE else io.BytesIO(self.payload)


def _encoded(body: Mapping[str, Any] | None) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"an option cannot be sent as JSON: {error}") from None
    return text.encode("utf-8", "replace")
