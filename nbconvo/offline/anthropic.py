"""Anthropic's Messages protocol, for the same models: requests, replies, streams, errors. Pure.

Shapes as in the types of Anthropic's Python client 2.13 for ``/v1/messages``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nbconvo.offline.models import DEFAULT
from nbconvo.offline.offer import Offer
from nbconvo.offline.replies import Completion, pieces
from nbconvo.offline.requests import (
    Chat,
    Refusal,
    content_of,
    decoded,
    functions,
    known_model,
    offered,
    schema_of,
    text_of,
    texts,
    whole_number,
)

__all__ = ["events", "failure", "read_messages", "whole"]

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_KINDS = {404: "not_found_error", 413: "request_too_large"}
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_GROWING = {"text": ("text_delta", "text"), "tool_use": ("input_json_delta", "partial_json")}
# What a reply of another service may have held, and the models here neither need nor read.
_UNREAD = ("thinking", "redacted_thinking", "tool_use")


def read_messages(data: bytes, *, counts: bool = False) -> Chat:
    """Read the body of a request; fields that mean nothing here are ignored.

    Args:
        data: The body.
        counts: Whether only its tokens are to be counted; else it needs ``max_tokens``.

    Raises:
        Refusal: If it is not one, holds what no model here reads, or the model is unknown.
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
        offer=_offer(body),
    )


def whole(completion: Completion) -> dict[str, Any]:
    """Return the reply as one object."""
    return _message(completion) | {
        "content": [block for block, _ in _blocks(completion)],
        "stop_reason": _reason(completion),
        "stop_sequence": completion.stopped_by,
    }


def events(completion: Completion) -> Iterator[dict[str, Any]]:
    """Yield the reply as the events of a stream."""
    message = _message(completion)
    begun = {**message, "usage": {**message["usage"], "output_tokens": 0}}
    yield {"type": "message_start", "message": begun}
    for index, (block, grows) in enumerate(_blocks(completion)):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        if index == 0:
            yield {"type": "ping"}
        kind, field = _GROWING[block["type"]]
        for piece in pieces(grows):
            delta = {"type": kind, field: piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _reason(completion), "stop_sequence": completion.stopped_by},
        "usage": message["usage"],
    }
    yield {"type": "message_stop"}


def _blocks(completion: Completion) -> list[tuple[dict[str, Any], str]]:
    """Return the blocks of the reply, each with the text as which it is streamed."""
    called = [
        (
            {
                "type": "tool_use",
                "id": call.id.replace("call_", "toolu_"),
                "name": call.name,
                "input": json.loads(call.arguments),
            },
            call.arguments,
        )
        for call in completion.calls
    ]
    return called or [({"type": "text", "text": completion.text}, completion.text)]


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
            result = content_of(block.get("content"), f"{param}.content.{at}")
            heard.append({"role": "tool", **result})
        elif kind not in _UNREAD:
            said.append(block)
    if said or not heard:
        heard.append({"role": role, **content_of(said, f"{param}.content")})
    return heard


def _offer(body: Mapping[str, Any]) -> Offer:
    given = body.get("tool_choice")
    asked: Mapping[str, Any] = given if isinstance(given, dict) else {}
    kind = asked.get("type")
    choice = asked.get("name", given) if kind == "tool" else _CHOICES.get(str(kind), given)
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    schema = schema_of(form, form, "output_config.format")
    is_parallel = not asked.get("disable_parallel_tool_use")
    return offered(functions(body, "custom"), choice, is_parallel, schema, "input_schema")


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
    return _REASONS[completion.finish_reason]
