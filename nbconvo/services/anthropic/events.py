"""Anthropic's events and messages to deltas. Pure.

After Anthropic's API reference, "Streaming messages", and the types of its Python client 2.13. An
event says by itself what it is about, but for the block: what belongs to one goes by its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbconvo.messages import CallDelta, Carry, Delta
from nbconvo.services.anthropic.turns import PROTOCOL
from nbconvo.usage import Usage

__all__ = ["deltas_of", "reply_of", "together", "whole"]

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def deltas_of(event: Mapping[str, Any]) -> list[Delta]:
    """Return the deltas of one event; pings and what is unknown have none."""
    kind = event.get("type")
    if kind == "content_block_delta":
        return _growth(_place(event), _dict(event.get("delta")))
    if kind == "content_block_start":
        return _block(_place(event), _dict(event.get("content_block")), is_whole=False)
    if kind == "message_start":
        message = _dict(event.get("message"))
        # Its count of output is that of the beginning: no figure to keep if the rest is cut.
        usage = {**_dict(message.get("usage")), "output_tokens": 0}
        return _about(usage=_usage(usage), model=_name(message.get("model")))
    if kind == "message_delta":
        reason = _reason(_dict(event.get("delta")).get("stop_reason"))
        return _about(reason, _usage(event.get("usage")))
    # The end of a stream that perhaps told no reason before; if it did, that one holds.
    return [Delta(finish_reason="stop")] if kind == "message_stop" else []


def together(events: Iterable[Mapping[str, Any]]) -> Iterator[Delta]:
    """Yield the deltas of events that came together; text of one block is joined."""
    texts: list[str] = []
    place = 0
    for event in events:
        text = _only_text(event)
        if texts and (text is None or event["index"] != place):
            yield _said("".join(texts), place)
            texts = []
        if text is None:
            yield from deltas_of(event)
        else:
            texts.append(text)
            place = event["index"]
    if texts:
        yield _said("".join(texts), place)


def reply_of(body: Mapping[str, Any]) -> list[Delta]:
    """Return a message that came whole, as deltas; the last one has its end and its usage."""
    content = body.get("content")
    blocks = content if isinstance(content, list) else []
    found = [
        delta
        for place, block in enumerate(blocks)
        for delta in _block(place, _dict(block), is_whole=True)
    ]
    usage, model = _usage(body.get("usage")), _name(body.get("model"))
    return [*found, *_about(_reason(body.get("stop_reason")), usage, model)]


def whole(value: object) -> int | None:
    """Return a count, or ``None`` for what is none."""
    return value if type(value) is int and value >= 0 else None  # a bool is none


def _about(
    finish_reason: str | None = None, usage: Usage | None = None, model: str | None = None
) -> list[Delta]:
    told = finish_reason or usage or model
    return [Delta(finish_reason=finish_reason, usage=usage, model=model)] if told else []


def _growth(place: int, delta: Mapping[str, Any]) -> list[Delta]:
    """Return what one ``content_block_delta`` appends to the block at ``place``."""
    kind = delta.get("type")
    if kind == "input_json_delta":
        if not (text := _text(delta.get("partial_json"))):
            return []
        part = Carry(PROTOCOL, place, {"input": text})
        return [Delta(calls=(CallDelta(place, arguments=text),), carry=(part,))]
    field = _GROWING.get(str(kind), "")
    if not (text := _text(delta.get(field))):
        return []
    if field == "text":
        return [_said(text, place)]
    part = Carry(PROTOCOL, place, {field: text}, needed=True)
    return [Delta(reasoning=text if field == "thinking" else "", carry=(part,))]


def _block(place: int, block: Mapping[str, Any], *, is_whole: bool) -> list[Delta]:
    """Return what a block says, the one that a stream begins with or (``is_whole``) all of it."""
    kind = block.get("type")
    if not isinstance(kind, str):
        return []
    carried = dict(block)
    if kind in {"text", "tool_use"}:
        # Its fields that the service may add, such as citations, are none to send back.
        carried = {name: block.get(name) for name in ("type", "text", "id", "name", "input")}
        carried = {name: value for name, value in carried.items() if value is not None}
    if "input" in carried and not is_whole:
        carried["input"] = _json(carried["input"])  # to which its pieces are appended
    part = Carry(PROTOCOL, place, carried, needed=kind not in {"text", "tool_use"})
    calls: tuple[CallDelta, ...] = ()
    if kind == "tool_use":
        given = _json(block.get("input"))
        calls = (CallDelta(place, _text(block.get("id")), _text(block.get("name")), given),)
    text = _text(block.get("text")) if kind == "text" else ""
    reasoning = _text(block.get("thinking")) if kind == "thinking" else ""
    return [Delta(text, reasoning, calls=calls, carry=(part,))]


def _only_text(event: Mapping[str, Any]) -> str | None:
    """Return the text of an event that adds some to a block; nearly all do."""
    try:
        delta = event["delta"]
        if delta["type"] != "text_delta" or event["type"] != "content_block_delta":
            return None
        text = delta["text"]
        return text if type(text) is str and text and type(event["index"]) is int else None
    except (KeyError, TypeError):
        return None


def _said(text: str, place: int) -> Delta:
    return Delta(text, carry=(Carry(PROTOCOL, place, {"text": text}),))


def _usage(data: object) -> Usage | None:
    """Return the usage that an event reports: prompts from the cache are counted in it apart."""
    told = _dict(data)
    output = whole(told.get("output_tokens")) or 0
    fresh = whole(told.get("input_tokens")) or 0
    written = whole(told.get("cache_creation_input_tokens")) or 0
    cached = whole(told.get("cache_read_input_tokens")) or 0
    if not (fresh or written or cached or output):  # a prompt of no tokens is one not counted
        return None
    thought = whole(_dict(told.get("output_tokens_details")).get("thinking_tokens"))
    return Usage(
        fresh + written + cached,
        output,
        cached,
        thought or 0,
        requests=1,
        cache_write_tokens=written,
    )


def _reason(value: object) -> str | None:
    return _REASONS.get(value, value) if isinstance(value, str) and value else None


def _json(value: object) -> str:
    """An input as text: none yet, where a stream begins with an empty one."""
    return json.dumps(value, ensure_ascii=False) if value else ""


def _place(event: Mapping[str, Any]) -> int:
    return whole(event.get("index")) or 0


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
