"""Anthropic's Messages protocol, for the same models: requests, replies, streams, errors. Pure.

Shapes as in the types of Anthropic's Python client 2.13 for ``/v1/messages``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nbconvo.offline.models import DEFAULT
from nbconvo.offline.replies import Completion, pieces
from nbconvo.offline.requests import (
    Chat,
    Refusal,
    decoded,
    known_model,
    text_of,
    texts,
    whole_number,
)

__all__ = ["events", "failure", "read_messages", "whole"]

_KINDS = {404: "not_found_error", 413: "request_too_large"}
# What a reply of another service may have held, and the models here neither need nor read.
_UNREAD = ("thinking", "redacted_thinking", "tool_use")


def read_messages(data: bytes, *, counts: bool = False) -> Chat:
    """Read the body of a request; fields that mean nothing here, tools among them, are ignored.

    Args:
        data: The body.
        counts: Whether only its tokens are to be counted; else it needs ``max_tokens``.

    Raises:
        Refusal: If it is not one, holds anything but text, or the model is unknown.
    """
    body = decoded(data)
    model = known_model(body.get("model") or DEFAULT)
    most = whole_number(body, "max_tokens")
    if most is None and not counts:
        raise Refusal("'max_tokens' is required: a whole number above 0", param="max_tokens")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal("'messages' must be a list of at least one message", param="messages")
    system = text_of(body.get("system"), "system")
    heard: list[Mapping[str, Any]] = [{"role": "system", "content": system}] if system else []
    for at, message in enumerate(messages):
        heard += _heard(message, f"messages.{at}")
    return Chat(
        model=model,
        messages=heard,
        stream=bool(body.get("stream")),
        max_tokens=most,
        stop=texts(body, "stop_sequences"),
    )


def whole(completion: Completion) -> dict[str, Any]:
    """Return the reply as one object."""
    return _message(completion) | {
        "content": [{"type": "text", "text": completion.text}],
        "stop_reason": _reason(completion),
        "stop_sequence": completion.stopped_by,
    }


def events(completion: Completion) -> Iterator[dict[str, Any]]:
    """Yield the reply as the events of a stream."""
    message = _message(completion)
    begun = {**message, "usage": {**message["usage"], "output_tokens": 0}}
    yield {"type": "message_start", "message": begun}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "ping"}
    for piece in pieces(completion.text):
        delta = {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _reason(completion), "stop_sequence": completion.stopped_by},
        "usage": message["usage"],
    }
    yield {"type": "message_stop"}


def failure(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Return the error body of a refusal."""
    fallback = "api_error" if refusal.status >= 500 else "invalid_request_error"
    error = {"type": _KINDS.get(refusal.status, fallback), "message": str(refusal)}
    return {"type": "error", "error": error, "request_id": request_id}


def _heard(message: object, param: str) -> list[Mapping[str, Any]]:
    """Return a message as the models hear it; results of tools are messages of their own."""
    if not isinstance(message, dict) or not isinstance(role := message.get("role"), str):
        raise Refusal(f"'{param}' must be an object with 'role' and 'content'", param=param)
    content = message.get("content")
    if not isinstance(content, list):
        return [{"role": role, "content": text_of(content, f"{param}.content")}]
    heard: list[Mapping[str, Any]] = []
    said = []
    for at, block in enumerate(content):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_result":
            result = text_of(block.get("content"), f"{param}.content.{at}")
            heard.append({"role": "tool", "content": result})
        elif kind not in _UNREAD:
            said.append(block)
    if said or not heard:
        heard.append({"role": role, "content": text_of(said, f"{param}.content")})
    return heard


def _message(completion: Completion) -> dict[str, Any]:
    """Return the reply before its first word; its usage is that of the whole."""
    used = completion.usage
    return {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.chat.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": used["prompt_tokens"],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": used["completion_tokens"],
        },
    }


def _reason(completion: Completion) -> str:
    if completion.stopped_by is not None:
        return "stop_sequence"
    return "end_turn" if completion.finish_reason == "stop" else "max_tokens"
