"""What the server writes: replies in the chat completions protocol, whole and as a stream. Pure.

Shapes as in OpenAI's public API description of ``/chat/completions`` and ``/models``.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbconvo.messages import ToolCall, paired
from nbconvo.offline.models import MODELS
from nbconvo.offline.offer import Calls
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
        finish_reason: ``stop``, ``tool_calls``, or ``length`` when ``max_tokens`` cut the text.
        id: The completion's id.
        created: Seconds since 1970.
        stopped_by: The stop text at which the reply ended, if it was one.
        calls: The calls of each alternative; there is no text then.
    """

    chat: Chat
    text: str
    finish_reason: str
    id: str
    created: int
    stopped_by: str | None = None
    calls: tuple[ToolCall, ...] = ()

    @classmethod
    def of(cls, chat: Chat, id: str, created: int) -> Completion:
        """Let the model that ``chat`` names answer."""
        text = MODELS[chat.model](chat.messages, chat.offer)
        if not isinstance(text, str):
            calls = _called(text, chat.max_tokens, id)
            is_cut = len(calls) < len(text)
            return cls(chat, "", "length" if is_cut else "tool_calls", id, created, calls=calls)
        text, stopped_by = paired(text), None
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
        calls = sum(_tokens_of(call.name, call.arguments) for call in self.calls)
        completion = self.chat.n * (estimate(self.text) + calls)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def whole(self) -> dict[str, Any]:
        """Return the reply as one object."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None}
        if self.calls:
            called = [_call(call, call.arguments) for call in self.calls]
            message |= {"content": None, "tool_calls": called}
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
        for place, call in enumerate(self.calls):
            yield from self._each({"tool_calls": [{"index": place, **_call(call, "")}]})
            for piece in pieces(call.arguments):
                more = {"index": place, "function": {"arguments": piece}}
                yield from self._each({"tool_calls": [more]})
        yield from self._each({}, self.finish_reason)
        if self.chat.include_usage:
            yield self._head("chat.completion.chunk") | {"choices": [], "usage": self.usage}

    def _each(
        self, delta: Mapping[str, Any], finish_reason: str | None = None
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
    offered = chat.offer.as_json()
    return (
        3 + sum(map(_of_message, chat.messages)) + (estimate(json.dumps(offered)) * bool(offered))
    )


def _of_message(message: Mapping[str, Any]) -> int:
    texts = (message["role"], message["content"], *message.get("enclosed", ()))
    return 3 + sum(map(estimate, texts))


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


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _called(calls: Calls, max_tokens: int | None, id: str) -> tuple[ToolCall, ...]:
    """Return the first of the calls, as many as are no more than ``max_tokens``, with their ids."""
    unique = id.rpartition("_")[2].rpartition("-")[2][:24]  # services take no more than 40 in all
    left = max_tokens
    found = []
    for place, (name, arguments) in enumerate(calls):
        if left is not None and (left := left - _tokens_of(name, arguments)) < 0:
            break
        found.append(ToolCall(f"call_{unique}_{place}", name, paired(arguments)))
    return tuple(found)


def _tokens_of(name: str, arguments: str) -> int:
    return estimate(name) + estimate(arguments)


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
