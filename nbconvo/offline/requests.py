"""What the server reads: requests in the chat completions protocol, checked. Pure.

Fields as in OpenAI's public API description of ``/chat/completions``. Requests of the other
protocols are read with the same checks, and become the same ``Chat``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbconvo.messages import paired
from nbconvo.offline.enclosed import told_of
from nbconvo.offline.models import DEFAULT, MODELS
from nbconvo.offline.offer import ANY_OBJECT, NOTHING, Offer
from nbconvo.specs import SchemaSpec, ToolSpec

__all__ = [
    "Chat",
    "Refusal",
    "content_of",
    "decoded",
    "functions",
    "known_model",
    "offered",
    "read_chat",
    "schema_of",
    "text_of",
    "texts",
    "whole_number",
]


class Refusal(Exception):
    """A request that is refused: an HTTP status, and the error body that says why.

    The body is that of OpenAI's protocols.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, slots=True)
class Chat:
    """A request for a chat completion, checked. ``max_tokens`` is per alternative."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    offer: Offer = NOTHING


def read_chat(data: bytes) -> Chat:
    """Read the body of a request; fields that mean nothing here are ignored.

    Raises:
        Refusal: If the body is not JSON, a field is of the wrong kind, or the model is unknown.
    """
    body = decoded(data)
    limits = [
        limit
        for name in ("max_tokens", "max_completion_tokens")
        if (limit := whole_number(body, name)) is not None
    ]
    options = body.get("stream_options")
    return Chat(
        model=known_model(body.get("model") or DEFAULT),
        messages=_messages(body.get("messages")),
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        max_tokens=min(limits, default=None),
        stop=texts(body, "stop"),
        n=whole_number(body, "n", most=128) or 1,
        offer=_offer(body),
    )


def decoded(data: bytes, needed: str = "messages") -> dict[str, Any]:
    """Return the JSON object of a body, which needs a field of that name."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Refusal(f"the body is not valid JSON; send a JSON object with {needed!r}") from None
    if not isinstance(body, dict):
        raise Refusal(f"the body is not a JSON object; send one with {needed!r}")
    return body


def known_model(model: object) -> str:
    """Return ``model`` if there is such a model; else raise ``Refusal``."""
    if isinstance(model, str) and model in MODELS:
        return model
    raise Refusal(
        f"the model {str(model)!r} does not exist here; the models are {', '.join(MODELS)}",
        status=404,
        code="model_not_found",
        param="model",
    )


def whole_number(body: Mapping[str, Any], name: str, most: int | None = None) -> int | None:
    """Return a field that is a whole number above 0, or left out."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 1 or (most is not None and value > most):
        bounds = "above 0" if most is None else f"from 1 to {most}"
        raise Refusal(f"'{name}' must be a whole number {bounds}, not {value!r}", param=name)
    return value


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a field that is a text or a list of texts, empty ones left out."""
    value = body.get(name)
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Refusal(f"{name!r} must be a text or a list of texts, not {value!r}", param=name)
    return tuple(item for item in found if item)


def _messages(value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not value:
        raise Refusal("'messages' must be a list of at least one message", param="messages")
    return tuple(_message(message, f"messages[{at}]") for at, message in enumerate(value))


def _message(message: object, param: str) -> Mapping[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refusal(f"'{param}' must be an object with 'role' and 'content'", param=param)
    known = {name: value for name, value in message.items() if name != "enclosed"}  # our own
    return known | content_of(message.get("content"), f"{param}.content")


def _offer(body: Mapping[str, Any]) -> Offer:
    tools = [tool.get("function") for tool in functions(body, "function")]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and isinstance(named := choice.get("function"), dict):
        choice = named.get("name")
    form = body.get("response_format")
    held = form.get("json_schema") if isinstance(form, dict) else None
    schema = schema_of(form, held, "response_format")
    return offered(tools, choice, body.get("parallel_tool_calls"), schema)


def functions(body: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return those of the tools that are functions, of a ``kind``: others run at services only."""
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise Refusal("'tools' must be a list of objects", param="tools")
    return [tool for tool in tools if (tool.get("type") or kind) == kind]


def offered(
    tools: Iterable[object],
    choice: object,
    parallel: object,
    schema: SchemaSpec | None,
    parameters: str = "parameters",
) -> Offer:
    """Return what is offered, if all of it is what it should be; else raise ``Refusal``."""
    specs = []
    for tool in tools:
        name = tool.get("name") if isinstance(tool, dict) else None
        takes = tool.get(parameters) or {} if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(name, str) or not isinstance(takes, dict):
            raise Refusal(
                f"a tool needs a 'name', and {parameters!r} as JSON Schema", param="tools"
            )
        specs.append(ToolSpec(paired(name), str(tool.get("description") or ""), takes))
    named = [spec.name for spec in specs]
    if not specs or choice is None:
        choice = "auto"
    if not isinstance(choice, str) or choice not in ("auto", "none", "required", *named):
        raise Refusal(
            f"'tool_choice' must be auto, none, required or one of the tools, not {choice!r}",
            param="tool_choice",
        )
    return Offer(tuple(specs), choice, parallel is not False, schema)


def schema_of(form: object, held: object, param: str) -> SchemaSpec | None:
    """Return the schema that a reply is to keep to: that in ``held``, of a ``form`` of replies."""
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        return None
    if not isinstance(held, dict) or not isinstance(schema := held.get("schema"), dict):
        raise Refusal(f"{param!r} needs a JSON Schema under 'schema'", param=param)
    return SchemaSpec(str(held.get("name") or "reply"), schema, bool(held.get("strict")))


def content_of(content: object, param: str) -> dict[str, Any]:
    """Return a content's text, and what it encloses, if it does, told in words."""
    if not isinstance(content, list):
        return {"content": text_of(content, param)}
    enclosed, texts = [], []
    for part in content:
        try:
            told = told_of(part) if isinstance(part, dict) else None
        except ValueError as error:
            raise Refusal(str(error), param=param) from None
        enclosed.append(paired(told)) if told else texts.append(part)
    text = text_of(texts, param)
    return {"content": text, "enclosed": tuple(enclosed)} if enclosed else {"content": text}


def text_of(content: object, param: str) -> str:
    """Return a content's text: itself, or that of its parts, all of which must be texts."""
    if content is None or isinstance(content, str):
        return paired(content or "")
    if not isinstance(content, list):
        raise Refusal(f"'{param}' must be a text or a list of parts", param=param)
    return "\n".join(_part(part, param) for part in content)


def _part(part: object, param: str) -> str:
    if isinstance(part, dict) and isinstance(text := part.get("text"), str):
        return paired(text)  # JSON may hold halves of surrogate pairs, UTF-8 not
    kind = part.get("type") if isinstance(part, dict) else part
    raise Refusal(
        f"the offline models read text, images and files, not a part {kind!r}", param=param
    )
