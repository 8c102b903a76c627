"""The request of the Responses protocol: messages as items, options under its own names. Pure.

After the types of OpenAI's Python client 3.57 for ``POST /responses``, and what llama.cpp's server
was seen to insist on: a reply that goes back has its type and its text in a part.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbconvo.errors import InputError
from nbconvo.messages import Attachment, Message
from nbconvo.specs import SchemaSpec, ToolSpec

__all__ = ["PROTOCOL", "body_of", "break_after", "text_of"]

#: What blocks that are carried back to a service of this protocol are marked with.
PROTOCOL = "responses"

_UNKNOWN = ("stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias")
_RENAMED = {"max_tokens": "max_output_tokens", "user": "safety_identifier"}
# They answer a request for their encrypted reasoning with status 400.
_DOES_NOT_REASON = re.compile(r"gpt-3|gpt-4|chatgpt|.*-chat(-|$)")
_LITTLE, _MUCH = 4096, 16384  # tokens of reasoning; the protocol knows only words for it


def body_of(
    service: str, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of the request; ``options`` are those of :meth:`BaseService.request`.

    Raises:
        InputError: If the protocol does not know one of the options.
    """
    given = {name: value for name, value in options.items() if value is not None}
    given.pop("model", None)
    extra = given.pop("extra_body", {})
    if given.get("n") == 1:
        del given["n"]
    if not given.get("stream"):
        given.pop("stream", None)
    _refuse_unknown(service, given)
    body: dict[str, Any] = {"model": model} if model else {}
    if instructions := "\n\n".join(m.content for m in messages if m.role == "system"):
        body["instructions"] = instructions
    body["input"] = [item for message in messages for item in _items(service, message)]
    # Nothing is kept there: the conversation is the notebook's own.
    body |= {"store": False} | _include(model, given) | _tools(given) | _text(given)
    body |= _reasoning(given)
    for name, value in given.items():
        body[_RENAMED.get(name, name)] = value
    return body | dict(extra)


def text_of(item: Mapping[str, Any]) -> str:
    """Return what an item of a reply says to the reader, a refusal too."""
    parts = item.get("content")
    if item.get("type") != "message" or not isinstance(parts, list):
        return ""
    said = (part.get("text", part.get("refusal")) for part in parts if isinstance(part, dict))
    return "".join(text for text in said if isinstance(text, str))


def break_after(item: Mapping[str, Any]) -> str:
    """Return what follows a message that is said before the model goes on: it stands alone."""
    return "\n\n" if item.get("phase") == "commentary" and text_of(item) else ""


def _refuse_unknown(service: str, given: Mapping[str, Any]) -> None:
    unknown = [name for name in _UNKNOWN if name in given]
    if "n" in given:
        unknown.append("n above 1")
    if unknown:
        raise InputError(
            f"{service} does not take {', '.join(unknown)}: the Responses protocol has none; "
            "leave it out, or ask a service of chat completions, such as openai"
        )


def _items(service: str, message: Message) -> Iterator[Mapping[str, Any]]:
    if message.role == "user":
        yield {"role": "user", "content": _content(message)}
    elif message.role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": message.call_id,
            "output": message.content,
        }
    elif message.role == "assistant":
        yield from _carried(service, message) or _reply(message)


def _reply(message: Message) -> Iterator[Mapping[str, Any]]:
    if message.content:
        part = {"type": "output_text", "text": message.content}
        yield {"type": "message", "role": "assistant", "content": [part]}
    for call in message.calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }


def _carried(service: str, message: Message) -> list[Mapping[str, Any]]:
    """Return the reply's items as they came, if they say what it says.

    They don't where the reply was interrupted or edited, and the service refuses reasoning that
    nothing follows. Another service cannot read what is encrypted.
    """
    if message.service not in (None, service):
        return []
    items = [block for protocol, block in message.carried if protocol == PROTOCOL]
    said = "".join(text_of(item) + break_after(item) for item in items)
    calls = [item.get("call_id") for item in items if item.get("type") == "function_call"]
    are_all = said == message.content and calls == [call.id for call in message.calls]
    return items if are_all and items and items[-1].get("type") != "reasoning" else []


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.attachments:
        return message.content
    parts = [_part(attached) for attached in message.attachments]
    return [*parts, {"type": "input_text", "text": message.content}]


def _part(attached: Attachment) -> dict[str, Any]:
    if attached.media_type.startswith("text/"):  # which any server can read
        text = attached.data.decode("utf-8", "replace")
        named = f"{attached.name}:\n\n" if attached.name else ""
        return {"type": "input_text", "text": named + text}
    data = base64.b64encode(attached.data).decode("ascii")
    url = f"data:{attached.media_type};base64,{data}"
    if attached.is_image:
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    return {"type": "input_file", "filename": attached.name or "file", "file_data": url}


def _include(model: str | None, given: dict[str, Any]) -> dict[str, Any]:
    reasons = model is None or not _DOES_NOT_REASON.match(model.rpartition("/")[2])
    wanted = ["reasoning.encrypted_content"] if reasons else []
    if given.pop("logprobs", None):
        wanted.append("message.output_text.logprobs")
    return {"include": wanted} if wanted else {}


def _tools(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tools: Sequence[ToolSpec] = given.pop("tools", ())
    choice = given.pop("tool_choice", None)
    if tools:
        # Strict unless told otherwise, and then schemas with optional arguments are refused.
        found["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in tools
        ]
    if choice is not None:
        is_name = isinstance(choice, str) and choice not in {"auto", "none", "required"}
        found["tool_choice"] = {"type": "function", "name": choice} if is_name else choice
    return found


def _text(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    form = given.pop("response_format", None)
    schema: SchemaSpec | None = given.pop("schema", None)
    if schema is not None:
        found["format"] = {
            "type": "json_schema",
            "name": schema.name,
            "schema": schema.schema,
            "strict": schema.strict,
        }
        if schema.description:
            found["format"]["description"] = schema.description
    elif isinstance(form, Mapping) and isinstance(inner := form.get("json_schema"), Mapping):
        found["format"] = {"type": "json_schema", **inner}
    elif form is not None:
        found["format"] = form
    if (verbosity := given.pop("verbosity", None)) is not None:
        found["verbosity"] = verbosity
    return {"text": found} if found else {}


def _reasoning(given: dict[str, Any]) -> dict[str, Any]:
    """Return how much is to be thought; who asks for it by ``reasoning`` wants to read it too."""
    found: dict[str, Any] = {}
    if (wanted := given.pop("reasoning", None)) is not None:
        found = {"effort": wanted, "summary": "auto"}
        if isinstance(wanted, int):
            found["effort"] = (
                "low" if wanted <= _LITTLE else "medium" if wanted <= _MUCH else "high"
            )
    if (effort := given.pop("reasoning_effort", None)) is not None:
        found["effort"] = effort
    return {"reasoning": found} if found else {}
