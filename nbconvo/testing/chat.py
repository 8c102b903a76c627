"""The JSON shapes of OpenAI's chat completions, as pure functions.

Source: OpenAI's OpenAPI description, schemas ``CreateChatCompletionResponse`` and
``CreateChatCompletionStreamResponse``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbconvo.testing.journal import RecordedRequest

__all__ = ["DEFAULT_MODEL", "Shape", "count_tokens", "cut_text", "error_body", "model_list"]

DEFAULT_MODEL = "fake-model"
_CREATED = 1_700_000_000  # fixed, so that the same script gives the same bytes
_ERROR_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", "server_is_overloaded"),
}


def cut_text(text: str, deltas: Sequence[str] | int | None) -> list[str]:
    """Cuts a text into deltas: as given, every so many characters, or (``None``) into words."""
    if deltas is None:
        return re.findall(r"\s*\S+(?:\s+\Z)?", text) or ([text] if text else [])
    if isinstance(deltas, int):
        return [text[start : start + deltas] for start in range(0, len(text), deltas)]
    return list(deltas)


def count_tokens(text: str) -> int:
    """A token count that anyone can check by eye: the number of words."""
    return len(text.split())


def error_body(status: int, message: str | None = None) -> dict[str, Any]:
    """OpenAI's error object for a status, with the type and code that belong to it."""
    fallback = "server_error" if status >= 500 else "invalid_request_error"
    kind, code = _ERROR_TYPES.get(status, (fallback, None))
    message = message or f"the fake provider was told to answer {status}"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """The answer to ``GET /models``."""
    models = [
        {"id": name, "object": "model", "created": _CREATED, "owned_by": "fake"} for name in names
    ]
    return {"object": "list", "data": models}


class Shape:
    """Puts texts into the JSON that answers one request.

    Args:
        request: The request that is answered.
        model: Model name to answer with; by default the one that was asked for.
    """

    def __init__(self, request: RecordedRequest, model: str | None = None) -> None:
        asked = request.json if isinstance(request.json, dict) else {}
        self._asked: Mapping[str, Any] = asked
        self._common = {
            "id": f"chatcmpl-fake-{request.number}",
            "created": _CREATED,
            "model": model or asked.get("model") or DEFAULT_MODEL,
        }

    @property
    def wants_stream(self) -> bool:
        """Whether the request asks for server-sent events."""
        return self._asked.get("stream") is True

    @property
    def wants_usage(self) -> bool:
        """Whether the request asks for usage at the end of the stream."""
        options = self._asked.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def choice_count(self) -> int:
        """How many choices (``n``) the request asks for."""
        count = self._asked.get("n")
        return count if isinstance(count, int) and count > 0 else 1

    @property
    def max_tokens(self) -> int | None:
        """The most tokens that the request asks for, in all its choices; ``None`` if it is open."""
        asked = self._asked.get("max_completion_tokens", self._asked.get("max_tokens"))
        return asked * self.choice_count if isinstance(asked, int) else None

    def usage(self, texts: Sequence[str]) -> dict[str, int]:
        """Usage in words: those of the messages, and those of the reply."""
        messages = self._asked.get("messages")
        prompt = sum(_words(message) for message in messages) if isinstance(messages, list) else 0
        completion = sum(count_tokens(text) for text in texts)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def completion(
        self,
        messages: Sequence[Mapping[str, Any]],
        finish_reason: str | None,
        usage: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """A whole reply, for a request that does not stream."""
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", **message, "refusal": None},
                "logprobs": None,
                "finish_reason": finish_reason,
            }
            for index, message in enumerate(messages)
        ]
        body = {**self._common, "object": "chat.completion", "choices": choices}
        return body if usage is None else {**body, "usage": dict(usage)}

    def chunk(
        self, index: int, delta: Mapping[str, Any], finish_reason: str | None = None
    ) -> dict[str, Any]:
        """One event of a stream."""
        choice = {
            "index": index,
            "delta": dict(delta),
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        chunk = {**self._common, "object": "chat.completion.chunk", "choices": [choice]}
        return {**chunk, "usage": None} if self.wants_usage else chunk

    def usage_chunk(self, usage: Mapping[str, Any]) -> dict[str, Any]:
        """The last event of a stream whose request asked for usage; it has no choices."""
        return {
            **self._common,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": dict(usage),
        }


def _words(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    return sum(count_tokens(text) for text in _texts(content))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (part["text"] for part in content if isinstance(part.get("text"), str))
