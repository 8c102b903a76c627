"""Chat completions, inward: the data of events and bodies to deltas, usage and models. Pure.

After OpenAI's API reference, "Chat Completions", and what compatible servers were seen to leave
out or put elsewhere: every field of a chunk is optional, usage may come in a chunk of its own
before or after the end, or never.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeGuard

from nbconvo.messages import CallDelta, Carry, Delta
from nbconvo.services.base import ModelInfo
from nbconvo.services.traits import DETAILS, EXTRAS
from nbconvo.usage import Usage

__all__ = ["name_of", "only_text", "read_choices", "read_models", "read_usage"]

_KINDS = ("reasoning.summary", "reasoning.text", "reasoning.encrypted")
_GROWING = ("text", "summary", "data")
_CONTEXT_FIELDS = ("context_length", "context_window", "max_context_length", "max_model_len")


def read_choices(
    data: Mapping[str, Any], part: str, failed: Callable[[Mapping[str, Any]], Exception]
) -> list[Delta]:
    """Return the deltas of a chunk (``part`` is ``delta``) or a body (``message``).

    Raises:
        Exception: What ``failed`` returns for a choice that reports an error.
    """
    usage = None
    if (told := data.get("usage")) or (groq := data.get("x_groq")):
        usage = read_usage(told or (isinstance(groq, dict) and groq.get("usage")))
    model = name_of(data.get("model"))
    found = []
    for choice in choices if isinstance(choices := data.get("choices"), list) else ():
        if not isinstance(choice, dict):
            continue
        reason = choice.get("finish_reason")
        if reason == "error" or choice.get("error"):
            raise failed(choice)
        said = choice.get(part)
        text, reasoning, calls, carry = _said(said, part) if isinstance(said, dict) else _NOTHING
        if not isinstance(reason, str):
            reason = None
        if text or reasoning or reason or calls or carry:
            index = _whole(choice.get("index")) or 0
            found.append(
                Delta(text, reasoning, index, reason, usage, model, calls=calls, carry=carry)
            )
            usage = model = None
    if usage or model:
        found.append(Delta(usage=usage, model=model))
    return found


def read_usage(data: object) -> Usage | None:
    """Return the usage that a reply reports, or ``None`` if it reports none."""
    if not isinstance(data, dict):
        return None
    sent, said = _count(data.get("prompt_tokens")), _count(data.get("completion_tokens"))
    if not (sent or said):  # a prompt of no tokens is one not counted
        return None
    cached = data.get("prompt_cache_hit_tokens")  # DeepSeek's name
    thought = data.get("reasoning_tokens")  # Perplexity's place
    written = None
    if isinstance(prompt := data.get("prompt_tokens_details"), dict):
        cached, written = prompt.get("cached_tokens", cached), prompt.get("cache_write_tokens")
    if isinstance(completion := data.get("completion_tokens_details"), dict):
        thought = completion.get("reasoning_tokens", thought)
    # Google and xAI count reasoning in the total, but not in the completion.
    if (apart := _count(data.get("total_tokens")) - sent - said) > 0:
        said, thought = said + apart, _count(thought) or apart
    return Usage(
        sent,
        said,
        _count(cached) if cached else 0,
        _count(thought) if thought else 0,
        _cost(data),
        requests=1,
        cache_write_tokens=_count(written) if written else 0,
    )


def only_text(event: Mapping[str, Any]) -> str | None:
    """Return the text of an event that adds some to the first alternative and tells no more.

    Nearly all events do: what is dear about the others is not done for them.
    """
    try:
        (choice,) = event["choices"]
        said = choice["delta"]
        text = said["content"]
        tells_more = (
            choice.get("finish_reason")
            or choice.get("index")
            or choice.get("error")
            or event.get("usage")
            or event.get("x_groq")
            or (
                len(said) > 1
                and (len(said) > 2 or "role" not in said)
                and (
                    said.get("reasoning")
                    or said.get("reasoning_content")
                    or said.get("tool_calls")
                    or said.get("reasoning_details")
                )
            )
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return text if type(text) is str and text and not tells_more else None


def read_models(body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
    """Return the models of ``GET /models``, in the service's order.

    The length of a conversation is looked for under the names of OpenRouter, Together, Groq,
    Mistral, vLLM and llama.cpp; prices as OpenRouter (texts, for a token) and Together (numbers,
    for a million) give them.
    """
    return tuple(
        ModelInfo(
            str(model["id"]).removeprefix("models/"),  # Google lists them so, and takes both
            _context(model),
            *_prices(_dict(model.get("pricing"))),
        )
        for model in _dicts(body.get("data"))
        if "id" in model
    )


def name_of(value: object) -> str | None:
    """Return a name, if that is what it is."""
    return value if isinstance(value, str) else None


_Said = tuple[str, str, tuple[CallDelta, ...], tuple[Carry, ...]]
_NOTHING: _Said = ("", "", (), ())
_SIDES = ("prompt", "completion")
_BESIDES = ("refusal", "reasoning", "reasoning_content", "tool_calls", "reasoning_details")


def _said(said: dict[str, Any], part: str) -> _Said:
    content = said.get("content")
    if type(content) is str and not any(map(said.get, _BESIDES)):
        return content, "", (), ()
    text, thought = _content(content)
    # A refusal is what the model has to say: it takes the place of the content.
    text = text or _content(said.get("refusal"))[0]
    thought += _content(said.get("reasoning"))[0] or _content(said.get("reasoning_content"))[0]
    listed, details = said.get("tool_calls"), said.get("reasoning_details")
    if not listed and not details:
        return text, thought, (), ()
    calls, carry = [], []
    for place, call in enumerate(_dicts(listed)):
        # A whole message lists its calls; the pieces of a stream say where they belong.
        told = _whole(call.get("index")) if part == "delta" else None
        calls.append(piece := _call(call, place if told is None else told))
        if isinstance(extra := call.get("extra_content"), dict):
            fields = {"id": [piece.id], "place": piece.place, "extra_content": extra}
            carry.append(Carry(EXTRAS, piece.place, fields, needed=True))
    for place, detail in enumerate(_dicts(details)):
        carry.append(_detail(detail, place))
    if not thought:
        shown = (detail.get("text") or detail.get("summary") for detail in _dicts(details))
        thought = "".join(one for one in shown if isinstance(one, str))
    return text, thought, tuple(calls), tuple(carry)


def _call(call: Mapping[str, Any], place: int) -> CallDelta:
    function = _dict(call.get("function"))
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments) if isinstance(arguments, dict) else ""
    return CallDelta(
        place, name_of(call.get("id")) or "", name_of(function.get("name")) or "", arguments
    )


def _detail(detail: Mapping[str, Any], place: int) -> Carry:
    """A piece of a block of ``reasoning_details``; what does not grow stands in a list of one."""
    index, kind = _whole(detail.get("index")), detail.get("type")
    kinds = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    fields = {
        name: value if name in _GROWING and isinstance(value, str) else [value]
        for name, value in detail.items()
        if value is not None
    }
    needed = bool(detail.get("signature") or detail.get("data"))
    # Blocks of two kinds were seen with the same index.
    return Carry(DETAILS, (place if index is None else index) * 4 + kinds, fields, needed)


def _content(value: object) -> tuple[str, str]:
    """The text and the reasoning of a content: a string, or (Mistral) a list of parts."""
    if isinstance(value, str):
        return value, ""
    if not value:
        return "", ""
    parts = [(part.get("thinking"), part.get("text")) for part in _dicts(value)]
    thought = "".join(_joined(thinking) for thinking, _ in parts)
    return "".join(text for _, text in parts if isinstance(text, str)), thought


def _joined(value: object) -> str:
    """The text of a part that is text, or has texts for parts."""
    if isinstance(value, str):
        return value
    return "".join(part["text"] for part in _dicts(value) if isinstance(part.get("text"), str))


def _cost(usage: Mapping[str, Any]) -> float | None:
    if (cost := usage.get("cost")) is None:
        return None
    if isinstance(cost, dict):  # Perplexity
        cost = cost.get("total_cost")
    if usage.get("is_byok") and _is_cost(cost):
        # OpenRouter's fee; the rest is paid by the account that the user's own key is of.
        upstream = _dict(usage.get("cost_details")).get("upstream_inference_cost")
        cost += upstream if _is_cost(upstream) else 0
    return float(cost) if _is_cost(cost) else None


def _is_cost(value: object) -> TypeGuard[int | float]:
    return type(value) in {int, float} and 0 <= value < 1e9  # type: ignore[operator]


def _context(model: Mapping[str, Any]) -> int | None:
    found = (_whole(model.get(name)) for name in _CONTEXT_FIELDS)
    return next(filter(None, found), None) or _whole(_dict(model.get("meta")).get("n_ctx_train"))


def _prices(pricing: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if "prompt" in pricing or "completion" in pricing:
        told, times = [pricing.get(side) for side in _SIDES], 1_000_000
    else:
        told, times = [pricing.get(side) for side in ("input", "output")], 1
    sent, said = (_price(value, times) for value in told)
    return sent, said


def _price(value: object, times: int) -> float | None:
    try:
        price = float(Decimal(str(value)) * times)
    except (ArithmeticError, ValueError):
        return None
    # OpenRouter gives -1 where it depends on the model that it chooses.
    return price if 0 <= price < math.inf else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None  # a bool is none


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
