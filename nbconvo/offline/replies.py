"""What the server writes: replies in the chat completions protocol, whole and as a stream. Pure.

Shapes as in OpenAI's public API description of ``/chat/completions`` and ``/models``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbconvo.offline.models import MODELS
from nbconvo.offline.requests import Chat, known_model
from nbconvo.tokens import estimate

__all__ = ["Completion", "listed_model", "listed_models", "pieces", "prompt_tokens"]

_PIECE = re.compile(r"\S{1,24}\s*|\s+")


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply to ``chat``, and the JSON objects that carry it.

    Attributes:
        chat: The request.
        text: The text of each alternative.
        finish_reason: ``stop``, or ``length`` when ``max_tokens`` cut the text.
        id: The completion's id.
        created: Seconds since 1970.
        stopped_by: The stop text at which the reply ended, if it was one.
    """

    chat: Chat
    text: str
    finish_reason: str
    id: str
    created: int
    stopped_by: str | None = None

    @classmethod
    def of(cls, chat: Chat, id: str, created: int) -> Completion:
        """Let the model that ``chat`` names answer."""
        text = MODELS[chat.model](chat.messages)
        stopped_by = None
        for stop in chat.stop:
            text, found, _ = text.partition(stop)
            stopped_by = stop if found else stopped_by
        short = _within(text, chat.max_tokens)
        if short != text:
            return cls(chat, short, "length", id, created)
        return cls(chat, short, "stop", id, created, stopped_by)

    @property
    def usage(self) -> dict[str, int]:
        """Estimated tokens, of the prompt and of all alternatives."""
        prompt = prompt_tokens(self.chat)
        completion = self.chat.n * estimate(self.text)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def whole(self) -> dict[str, Any]:
        """Return the reply as one object."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choices = [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": self.finish_reason,
            }
            for index in range(self.chat.n)
        ]
        return self._head("chat.completion") | {"choices": choices, "usage": self.usage}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield the reply as the objects of a stream, alternatives taking turns."""
        yield from self._each({"role": "assistant", "content": ""})
        for piece in pieces(self.text):
            yield from self._each({"content": piece})
        yield from self._each({}, self.finish_reason)
        if self.chat.include_usage:
            yield self._head("chat.completion.chunk") | {"choices": [], "usage": self.usage}

    def _each(
        self, delta: Mapping[str, str], finish_reason: str | None = None
    ) -> Iterator[dict[str, Any]]:
        for index in range(self.chat.n):
            choice = {"index": index, "delta": delta, "logprobs": None}
            chunk = self._head("chat.completion.chunk") | {
                "choices": [choice | {"finish_reason": finish_reason}]
            }
            yield chunk | {"usage": None} if self.chat.include_usage else chunk

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.chat.model}


def prompt_tokens(chat: Chat) -> int:
    """Return estimated tokens: 3 for each message and for the reply's start, beside the texts."""
    return 3 + sum(
        3 + estimate(message["role"]) + estimate(message["content"]) for message in chat.messages
    )


def pieces(text: str) -> Iterator[str]:
    """Yield ``text`` one to three words at a time; long words and unspaced scripts are split."""
    words = _PIECE.findall(text)
    at = 0
    while at < len(words):
        size = (2, 1, 3)[at % 3]
        yield "".join(words[at : at + size])
        at += size


def _within(text: str, max_tokens: int | None) -> str:
    """Return the longest beginning of ``text`` that is no more than ``max_tokens``."""
    if max_tokens is None or estimate(text) <= max_tokens:
        return text
    length = bisect_right(range(len(text)), max_tokens, key=lambda size: estimate(text[:size]))
    return text[: length - 1]


def listed_model(model: str, created: int) -> dict[str, Any]:
    """Return what the list of models says of one; raises ``Refusal`` if it is unknown."""
    return {
        "id": known_model(model),
        "object": "model",
        "created": created,
        "owned_by": "nbconvo",
    }


def listed_models(created: int) -> dict[str, Any]:
    """Return the list of models."""
    return {"object": "list", "data": [listed_model(model, created) for model in MODELS]}
