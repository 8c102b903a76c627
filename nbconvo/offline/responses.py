"""OpenAI's Responses protocol, for the same models: requests, replies, streams. Pure.

Shapes as in the types of OpenAI's Python client 3.57 for ``/responses``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nbconvo.messages import ToolCall
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
    whole_number,
)

__all__ = ["events", "read_response", "whole"]

# What a reply of another service may have held, and the models here neither need nor read.
_UNREAD = ("reasoning", "function_call")


def read_response(data: bytes) -> Chat:
    """Read the body of a request; fields that mean nothing here are ignored.

    Raises:
        Refusal: If it is not one, holds what no model here reads, leans on what was said in an
            earlier one, or the model is unknown.
    """
    body = decoded(data, "input")
    model = known_model(body.get("model") or DEFAULT)
    for name in ("previous_response_id", "conversation"):
        if body.get(name):
            what = "nothing is kept here; send the whole conversation in 'input'"
            raise Refusal(f"{name!r} leads nowhere: {what}", param=name)
    instructions = text_of(body.get("instructions"), "instructions")
    heard: list[Mapping[str, Any]] = []
    if instructions:
        heard.append({"role": "system", "content": instructions})
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise Refusal("'input' must be a text or a list of at least one item", param="input")
    for at, item in enumerate(given):
        heard += _heard(item, f"input[{at}]")
    return Chat(
        model=model,
        messages=heard,
        stream=bool(body.get("stream")),
        max_tokens=whole_number(body, "max_output_tokens"),
        offer=_offer(body),
    )


def whole(completion: Completion) -> dict[str, Any]:
    """Return the reply as one object."""
    used = completion.usage
    is_cut = completion.finish_reason == "length"
    return _response(completion) | {
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": _items(completion),
        "usage": {
            "input_tokens": used["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": used["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["total_tokens"],
        },
    }


def events(completion: Completion) -> Iterator[dict[str, Any]]:
    """Yield the reply as the events of a stream, numbered."""
    number = itertools.count()

    def event(kind: str, **data: Any) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(number), **data}

    response = whole(completion)
    for kind in ("created", "in_progress"):
        yield event(kind, response=_response(completion))
    for place, item in enumerate(response["output"]):
        empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
        begun = {**item, "status": "in_progress", **empty}
        yield event("output_item.added", output_index=place, item=begun)
        growing = _said if item["type"] == "message" else _called
        for kind, data in growing(item):
            yield event(kind, item_id=item["id"], output_index=place, **data)
        yield event("output_item.done", output_index=place, item=item)
    yield event(response["status"], response=response)


def _said(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events in which a message grows: what each is, and what it holds."""
    (part,) = item["content"]
    where, text = {"content_index": 0}, part["text"]
    yield "content_part.added", {**where, "part": {**part, "text": ""}}
    for piece in pieces(text):
        yield "output_text.delta", {**where, "delta": piece, "logprobs": []}
    yield "output_text.done", {**where, "text": text, "logprobs": []}
    yield "content_part.done", {**where, "part": part}


def _called(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events in which the arguments of a call grow."""
    for piece in pieces(item["arguments"]):
        yield "function_call_arguments.delta", {"delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield "function_call_arguments.done", done


def _heard(item: object, param: str) -> list[Mapping[str, Any]]:
    """Return an item as the models hear it, if they do."""
    if not isinstance(item, dict):
        raise Refusal(f"'{param}' must be an object", param=param)
    kind = item.get("type", "message")
    if kind in _UNREAD:
        return []
    if kind == "function_call_output":
        return [{"role": "tool", **content_of(item.get("output"), f"{param}.output")}]
    if kind != "message" or not isinstance(role := item.get("role"), str):
        raise Refusal(f"'{param}' must be a message, with 'role' and 'content'", param=param)
    content = item.get("content")
    if isinstance(content, list):  # a refusal is said, like all else
        content = [
            {"text": part["refusal"]} if isinstance(part, dict) and "refusal" in part else part
            for part in content
        ]
    return [{"role": role, **content_of(content, f"{param}.content")}]


def _offer(body: Mapping[str, Any]) -> Offer:
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = choice.get("name")
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    schema = schema_of(form, form, "text.format")
    return offered(functions(body, "function"), choice, body.get("parallel_tool_calls"), schema)


def _response(completion: Completion) -> dict[str, Any]:
    """Return the response as it begins: what it is asked with is told as it is taken."""
    offer = completion.chat.offer
    tools = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": False,
        }
        for tool in offer.tools
    ]
    named = {"type": "function", "name": offer.choice}
    held: dict[str, Any] = {"type": "text"}
    if (schema := offer.schema) is not None:
        held = {"type": "json_schema", "name": schema.name, "schema": schema.schema}
    return {
        "id": completion.id,
        "object": "response",
        "created_at": completion.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": completion.chat.max_tokens,
        "metadata": {},
        "model": completion.chat.model,
        "output": [],
        "parallel_tool_calls": offer.parallel,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": held},
        "tool_choice": named if offer.choice in offer.named else offer.choice,
        "tools": tools,
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
    }


def _items(completion: Completion) -> list[dict[str, Any]]:
    return [_call(call) for call in completion.calls] or [_message(completion)]


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id.replace("call_", "fc_"),
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _message(completion: Completion) -> dict[str, Any]:
    is_cut, text = completion.finish_reason == "length", completion.text
    return {
        "id": "msg_" + completion.id.removeprefix("resp_"),
        "type": "message",
        "status": "incomplete" if is_cut else "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
