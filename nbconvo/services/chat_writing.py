"""Chat completions, outward: messages and options to the body of a request. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbconvo.errors import InputError
from nbconvo.messages import Attachment, Message, ToolCall
from nbconvo.services.traits import DETAILS, EXTRAS, Traits
from nbconvo.specs import SchemaSpec, ToolSpec

__all__ = ["option_fields", "wire_messages"]

_DEAR = frozenset(
    {"extra_body", "parallel_tool_calls", "reasoning", "schema", "tool_choice", "tools"}
)
_SAID_OTHERWISE = _DEAR | {"model", "n", "stream"}
_TEXTS = ("application/json", "application/xml", "application/yaml", "application/x-ndjson")


def wire_messages(
    messages: Sequence[Message], traits: Traits, schema: SchemaSpec | None, service: str
) -> list[dict[str, Any]]:
    """Return ``messages`` as the service takes them, told of ``schema`` where that takes words.

    Raises:
        InputError: If the service does not take a file.
    """
    looped = _looped(messages) if traits.reasoning_back else frozenset()
    written: list[dict[str, Any]] = [
        # Nearly all messages are words alone, and all are written anew for each request.
        {"role": message.role, "content": message.content}
        if not (
            message.calls or message.call_id or message.attachments or message.carried or looped
        )
        else _written(message, traits, service, back=place in looped)
        for place, message in enumerate(messages)
    ]
    if schema is not None and traits.schema != "json_schema":
        _tell(written, schema)
    return written


def option_fields(
    options: Mapping[str, Any], traits: Traits, max_tokens: str, service: str
) -> dict[str, Any]:
    """Return the fields of the body that say what ``options`` do; ``max_tokens`` names its own.

    Raises:
        InputError: If two options say the same, or the service has no field for one.
    """
    names = {"max_tokens": max_tokens, **traits.renamed}
    fields = {
        names.get(name, name): value
        for name, value in options.items()
        if value is not None and name not in _SAID_OTHERWISE
    }
    if stream := options.get("stream"):
        fields[names.get("stream", "stream")] = stream
        if traits.stream_options:
            fields[names.get("stream_options", "stream_options")] = {"include_usage": True}
    if (n := options.get("n")) not in (None, 1):
        fields[names.get("n", "n")] = n
    if _DEAR.isdisjoint(options):  # as nearly always
        return fields
    given = {name: options[name] for name in _DEAR if options.get(name) is not None}
    tools, schema = given.get("tools", ()), given.get("schema")
    if tools and (parallel := given.get("parallel_tool_calls")) is not None:
        fields[names.get("parallel_tool_calls", "parallel_tool_calls")] = parallel
    if schema is not None and options.get("response_format") is not None:
        raise InputError("schema and response_format say the same in two ways; leave one out")
    return {
        **_reasoning(given.get("reasoning"), traits, service),
        **fields,
        **_tools(tools, given.get("tool_choice"), traits),
        **_schema(schema, traits),
        **given.get("extra_body", {}),
    }


def _written(message: Message, traits: Traits, service: str, *, back: bool) -> dict[str, Any]:
    if message.role == "assistant":
        return _assistant(message, traits, back=back)
    if message.role == "tool":
        id = _id(message.call_id or "", traits)
        return {"role": "tool", "tool_call_id": id, "content": message.content}
    return {"role": message.role, "content": _content(message, traits, service)}


def _looped(messages: Sequence[Message]) -> frozenset[int]:
    """The places of the messages of turns in which a tool was called.

    A turn begins with a user's message. DeepSeek's guide "Thinking mode" asks for the reasoning of
    all its replies from then on, and for none of the other turns.
    """
    places: list[int] = []
    looped: set[int] = set()
    called = False
    for place, message in enumerate(messages):
        if message.role == "user":
            places, called = [], False
        places.append(place)
        called = called or bool(message.calls)
        if called:
            looped.update(places)
    return frozenset(looped)


def _assistant(message: Message, traits: Traits, *, back: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": message.content}
    if message.calls:
        said["content"] = message.content or None
        said["tool_calls"] = [_call(call, traits) for call in message.calls]
    blocks = [
        (protocol, block) for protocol, block in message.carried if protocol in traits.carries
    ]
    if details := [_detail(block) for protocol, block in blocks if protocol == DETAILS]:
        said["reasoning_details"] = details
    elif back and traits.reasoning_back and message.reasoning:
        said[traits.reasoning_back] = message.reasoning
    for protocol, block in blocks:
        if protocol == EXTRAS and (call := _called(said.get("tool_calls", ()), block)):
            call["extra_content"] = block.get("extra_content")
    return said


def _call(call: ToolCall, traits: Traits) -> dict[str, Any]:
    return {
        "id": _id(call.id, traits),
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call.arguments)},
    }


def _id(id: str, traits: Traits) -> str:
    if not traits.short_ids or re.fullmatch(r"[a-zA-Z0-9]{9}", id):
        return id
    return hashlib.sha256(id.encode()).hexdigest()[:9]


def _arguments(text: str) -> str:
    """The arguments as JSON: servers parse them before their template sees them, and fail."""
    try:
        is_object = isinstance(json.loads(text or "{}"), dict)
    except (ValueError, RecursionError):
        is_object = False
    return (text or "{}") if is_object else json.dumps({"invalid_arguments": text})


def _detail(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block of ``reasoning_details``: what does not grow is kept in a list of one."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in block.items()
    }


def _called(calls: Sequence[dict[str, Any]], block: Mapping[str, Any]) -> dict[str, Any] | None:
    (named,), place = block.get("id", [""]), block.get("place")
    if named:
        return next((call for call in calls if call["id"] == named), None)
    return calls[place] if isinstance(place, int) and 0 <= place < len(calls) else None


def _content(message: Message, traits: Traits, service: str) -> str | list[dict[str, Any]]:
    if not message.attachments:
        return message.content
    parts = [{"type": "text", "text": message.content}] if message.content else []
    parts += [_part(attached, traits, service) for attached in message.attachments]
    if all(part["type"] == "text" for part in parts):
        # Servers without eyes often know texts only.
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _part(attached: Attachment, traits: Traits, service: str) -> dict[str, Any]:
    kind = attached.media_type.partition(";")[0].strip().lower()
    if attached.is_image:
        return {"type": "image_url", "image_url": {"url": _data_url(attached)}}
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml")):
        named = f"File {attached.name}:\n" if attached.name else ""
        return {"type": "text", "text": named + attached.data.decode("utf-8", "replace")}
    called = repr(attached.name) if attached.name else "the file"
    if kind != "application/pdf" or not traits.pdf:
        takes = "images, text files and PDF" if traits.pdf else "images and text files"
        raise InputError(f"{service} does not take {called}, {kind}: it takes {takes}")
    file = {"filename": attached.name or "document.pdf", "file_data": _data_url(attached)}
    return {"type": "file", "file": file}


def _data_url(attached: Attachment) -> str:
    return f"data:{attached.media_type};base64,{base64.b64encode(attached.data).decode()}"


def _tools(tools: Sequence[ToolSpec], choice: str | None, traits: Traits) -> dict[str, Any]:
    if not tools:
        return {}
    chosen: object = choice
    if choice is not None and choice not in {"auto", "none", "required"}:
        if traits.names_tool:
            chosen = {"type": "function", "function": {"name": choice}}
        else:
            chosen, tools = "required", [tool for tool in tools if tool.name == choice]
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in tools
        ],
        **({"tool_choice": chosen} if chosen is not None else {}),
    }


def _schema(schema: SchemaSpec | None, traits: Traits) -> dict[str, Any]:
    if schema is None or traits.schema is None:
        return {}
    if traits.schema == "json_object":
        return {"response_format": {"type": "json_object"}}
    described = {"description": schema.description} if schema.description else {}
    named = {"name": schema.name, **described, "schema": schema.schema, "strict": schema.strict}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _tell(written: list[dict[str, Any]], schema: SchemaSpec) -> None:
    """Add to the system's message what form the reply is to have."""
    about = f" ({schema.description})" if schema.description else ""
    told = (
        f"Reply with nothing but one JSON value{about} that is valid under this JSON Schema:\n"
        + json.dumps(schema.schema, ensure_ascii=False)
    )
    if written and written[0]["role"] == "system":
        written[0]["content"] = f"{written[0]['content']}\n\n{told}"
    else:
        written.insert(0, {"role": "system", "content": told})


def _reasoning(asked: str | int | None, traits: Traits, service: str) -> dict[str, Any]:
    return dict(_reasoning_fields(asked, traits, service)) if asked is not None else {}


def _reasoning_fields(
    asked: str | int, traits: Traits, service: str
) -> Iterator[tuple[str, object]]:
    is_word = isinstance(asked, str)
    if traits.reasoning == "reasoning":
        yield "reasoning", {"effort" if is_word else "max_tokens": asked}
    elif is_word and traits.reasoning == "chat_template_kwargs":
        yield "chat_template_kwargs", {"reasoning_effort": asked}
    elif is_word:
        yield "reasoning_effort", asked
    elif traits.reasoning == "thinking_config":
        # Google's guide "OpenAI compatibility": its own fields go in one called extra_body.
        yield "extra_body", {"google": {"thinking_config": {"thinking_budget": asked}}}
    else:
        raise InputError(
            f"{service} takes reasoning as low, medium or high, not as {asked} tokens of it"
        )
