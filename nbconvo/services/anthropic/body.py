"""What is asked of Anthropic's Messages protocol: a conversation and options to a request's body.

After Anthropic's API reference, "Messages", and its guides "Prompt caching", "Adaptive thinking",
"Extended thinking" and "Tool use".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo import tokens
from nbconvo.errors import InputError
from nbconvo.messages import Message
from nbconvo.services.anthropic.turns import turns_of
from nbconvo.specs import SchemaSpec, ToolSpec

__all__ = ["body_of"]

_MAX_TOKENS = 16_000  # has to be told; every model since Claude 3.7 can say as much
_OLD_MAX_TOKENS = 4_096  # the most of the first Claude 3 models
_LEAST_BUDGET = 1_024  # of thinking, by the API's reference
# Of models that think within a budget; the API names no such levels. With what is left for the
# reply, 32,000, which is the most of Claude Opus 4.
_BUDGETS = {"low": 2_048, "medium": 8_192, "high": 16_000}
# The least that any model keeps in its cache (Claude Opus 5; 1,024 to 4,096 of others). Below its
# own least a model keeps nothing, and charges nothing for it.
_LEAST_CACHED = 512
_CACHE = {"cache_control": {"type": "ephemeral"}}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")


def body_of(
    service: str, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of a request; see ``BaseService.request`` for the ``options``.

    Raises:
        InputError: If an option, or an attachment, is none that the protocol knows.
    """
    given = {name: value for name, value in options.items() if value is not None}
    given.pop("model", None)
    extra = given.pop("extra_body", {})
    body: dict[str, Any] = {"model": model} if model else {}
    body["max_tokens"] = given.pop("max_tokens", None)
    tools = [_tool(spec) for spec in given.pop("tools", ())]
    system = "\n\n".join(m.content for m in messages if m.role == "system" and m.content)
    if system:
        body["system"] = system
    body["messages"] = turns_of(service, messages)
    if tools:
        body["tools"] = tools
        if (choice := given.pop("tool_choice", None)) is not None:
            named = {"type": "tool", "name": choice}
            body["tool_choice"] = {"type": _CHOICES[choice]} if choice in _CHOICES else named
    elif called := dict.fromkeys(call.name for m in messages for call in m.calls):
        # Without tools, a history in which some were called is refused; none is to be called now.
        body["tools"] = [{"name": name, "input_schema": {"type": "object"}} for name in called]
        body["tool_choice"] = {"type": "none"}
    given.pop("tool_choice", None)
    config = {}
    if (schema := given.pop("schema", None)) is not None:
        config["format"] = _format(schema)
    if (effort := given.pop("reasoning_effort", None)) is not None:
        config["effort"] = effort
    if (reasoning := given.pop("reasoning", None)) is not None:
        _reason(service, model or "", reasoning, body, config)
    if config:
        body["output_config"] = config
    if body["max_tokens"] is None:
        body["max_tokens"] = _most(model or "")
    if (stop := given.pop("stop", None)) is not None:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if (user := given.pop("user", None)) is not None:
        body["metadata"] = {"user_id": user}
    for name in ("temperature", "top_p", "service_tier"):
        if name in given:
            body[name] = given.pop(name)
    if given.pop("stream", False):
        body["stream"] = True
    _check_rest(service, given)
    _mark(body)
    return {**body, **extra}


def _check_rest(service: str, options: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for what is asked and cannot be; none, 0 and 1 reply ask for nothing."""
    for name, value in options.items():
        if (name == "n" and value == 1) or (not value and name != "seed"):
            continue
        remedy = "; pass schema= instead" if name == "response_format" else ""
        raise InputError(f"{service} does not know the option {name!r}; leave it out{remedy}")


def _reason(
    service: str, model: str, asked: str | int, body: dict[str, Any], config: dict[str, Any]
) -> None:
    """Say how much the model is to think: as an effort, or to models before 4.6 as a budget.

    A number is a budget to all that take one, up to Claude 4.6, and to others an effort.
    """
    version = _version(model)
    if version >= (4, 7) or (version >= (4, 6) and isinstance(asked, str)):
        effort = asked if isinstance(asked, str) else _effort(asked)
        # Without the display later models think in secret: the text of their blocks is empty.
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        config.setdefault("effort", effort)
        return
    most = body["max_tokens"]
    if isinstance(asked, str):
        budget = _BUDGETS[asked]
        if most is not None:
            budget = max(_LEAST_BUDGET, min(budget, most // 2))
    elif asked < _LEAST_BUDGET:
        raise InputError(f"{service} thinks with {_LEAST_BUDGET} tokens or more, not {asked}")
    else:
        budget = asked
    if most is None:
        body["max_tokens"] = budget + _most(model)
    elif most <= budget:
        raise InputError(
            f"max_tokens {most} is not above the {budget} tokens of reasoning, which count too; "
            "raise it, or ask for less reasoning"
        )
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _effort(tokens_: int) -> str:
    return next((name for name, budget in _BUDGETS.items() if tokens_ <= budget), "high")


def _version(model: str) -> tuple[int, int]:
    """Return the version of a Claude model, such as ``(4, 6)``; of others the lowest.

    What others there are behind this protocol know the older of the two ways to think; a Claude
    without a number is newer than those with an old one.
    """
    if "claude" not in model:
        return (0, 0)
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def _most(model: str) -> int:
    return _OLD_MAX_TOKENS if (3, 0) <= _version(model) < (3, 7) else _MAX_TOKENS


def _tool(spec: ToolSpec) -> dict[str, Any]:
    described = {"description": spec.description} if spec.description else {}
    return {"name": spec.name, **described, "input_schema": dict(spec.parameters)}


def _format(spec: SchemaSpec) -> dict[str, Any]:
    return {"type": "json_schema", "schema": dict(spec.schema)}


def _mark(body: dict[str, Any]) -> None:
    """Have what comes before the conversation kept in the cache, where it is long enough.

    Tools come first, so a mark at the end of the system prompt is one for both. To write costs a
    quarter more than to read afresh, to read from the cache a tenth: it pays from the second time.
    """
    system, tools = body.get("system", ""), body.get("tools", [])
    length = tokens.estimate(system)
    if tools and length < _LEAST_CACHED:
        length += tokens.estimate(json.dumps(tools, default=str))
    if length < _LEAST_CACHED:
        return
    if system:
        body["system"] = [{"type": "text", "text": system, **_CACHE}]
    else:
        body["tools"] = [*tools[:-1], {**tools[-1], **_CACHE}]
