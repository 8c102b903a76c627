"""OpenAI's Responses protocol: the service, and the deltas of its events and replies.

After the types of OpenAI's Python client 3.57 for ``/responses``, and what llama.cpp's server and
others that stand in for it were seen to send. An event says by itself what it is about, but for
what belongs to which item: that goes by the item's place in the output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbconvo.errors import ServiceError
from nbconvo.messages import CallDelta, Carry, Delta, Message
from nbconvo.services.base import BaseService, ModelInfo, Request
from nbconvo.services.failures import status_of
from nbconvo.services.items import PROTOCOL, body_of, break_after, text_of
from nbconvo.usage import Usage

__all__ = ["ResponsesService"]

_MORE_TEXT = "response.output_text.delta"
_GROWING = {
    _MORE_TEXT: "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
_PARTS = frozenset({"response.reasoning_summary_part.added", "response.content_part.added"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_REASONS = {"max_output_tokens": "length", None: "length"}


class ResponsesService(BaseService):
    """OpenAI, or whatever speaks its Responses protocol at ``base_url``.

    The key and the address are those of OpenAI, unless it is given another name.
    """

    name = "openai-responses"
    address = "https://api.openai.com/v1"
    default_model = "gpt-5.4-mini"
    features = frozenset({"tools", "schema", "images", "files", "reasoning"})
    idempotency_header = "Idempotency-Key"  # which openai-python sends

    @property
    def _variable_prefix(self) -> str:
        is_openai = self.name == ResponsesService.name
        return "OPENAI" if is_openai else super()._variable_prefix

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """Return the POST to ``/responses``, which the service is asked not to keep.

        Raises:
            InputError: If the protocol does not know one of the options.
        """
        return Request(f"{self.base_url}/responses", body_of(self.name, messages, model, options))

    def deltas(self, event: dict[str, Any]) -> list[Delta]:
        """Return the deltas of one event; those that repeat what was said have none.

        Raises:
            ServiceError: If it reports a failure.
        """
        kind = event.get("type")
        if not isinstance(kind, str):
            return []
        if (what := _GROWING.get(kind)) is not None:
            said = _string(event.get("delta"))
            found = Delta(said) if what == "text" else Delta(reasoning=said)
            return [found] if said else []
        place = _whole(event.get("output_index"))
        if kind == "response.output_item.added":
            return _begun(place, _dict(event.get("item")))
        if kind == "response.output_item.done":
            return _ended(place, _dict(event.get("item")))
        if kind in _PARTS:
            return _parted(event)
        if kind in _ENDS:
            return [_last(_dict(event.get("response")))]
        if kind == "error":
            raise self._failed(event.get("error") or event)
        if kind == "response.failed":
            raise self._failed(_dict(event.get("response")).get("error"))
        if kind == "response.created":
            model = _name(_dict(event.get("response")).get("model"))
            return [Delta(model=model)] if model else []
        return []

    def together(self, events: Iterable[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the deltas of events that came together; what is only more text is joined."""
        if getattr(self.deltas, "__func__", None) is not ResponsesService.deltas:
            yield from super().together(events)  # a subclass has its own way to read events
            return
        texts: list[str] = []
        for event in events:
            if event.get("type") == _MORE_TEXT and type(text := event.get("delta")) is str:
                texts.append(text)
                continue
            if texts:
                yield Delta("".join(texts))
                texts = []
            yield from self.deltas(event)
        if texts:
            yield Delta("".join(texts))

    def reply(self, body: dict[str, Any]) -> list[Delta]:
        """Return a response that was not streamed, as deltas.

        Raises:
            ServiceError: If it failed.
        """
        status = body.get("status")
        if status in ("failed", "cancelled"):
            raise self._failed(body.get("error") or {"message": f"the response {status}"})
        output = body.get("output")
        found = []
        for place, item in enumerate(map(_dict, output if isinstance(output, list) else ())):
            if text := text_of(item):
                found.append(Delta(text))
            if thoughts := _thoughts(item):
                found.append(Delta(reasoning="\n\n" + thoughts if place else thoughts))
            found += _ended(place, item)
        # One that runs in the background is no reply yet.
        return found if status in ("queued", "in_progress") else [*found, _last(body)]

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        """Return the models of ``GET /models``, in the service's order."""
        data = body.get("data")
        listed = map(_dict, data if isinstance(data, list) else ())
        return tuple(ModelInfo(str(model["id"])) for model in listed if "id" in model)

    def _failed(self, error: object) -> ServiceError:
        """Return the failure that an event, or a response that failed, reports."""
        told = _dict(error) or {"message": "the model failed"}
        return self.failure(status_of(told), {}, json.dumps({"error": told}), None)


def _parted(event: Mapping[str, Any]) -> list[Delta]:
    """Return what stands between two parts of the reasoning, whichever items they are of."""
    is_thought = _dict(event.get("part")).get("type") in ("summary_text", "reasoning_text")
    places = (event.get(name) for name in ("output_index", "summary_index", "content_index"))
    return [Delta(reasoning="\n\n")] if is_thought and any(places) else []


def _begun(place: int | None, item: Mapping[str, Any]) -> list[Delta]:
    """Return what is to be known of an item at once: which tool is called."""
    # Without places, as of older servers of llama.cpp, calls could not be told apart at their end.
    if place is None or item.get("type") != "function_call":
        return []
    return [Delta(calls=(_call(place, item, ""),))]


def _ended(place: int | None, item: Mapping[str, Any]) -> list[Delta]:
    """Return what an item leaves that has come whole.

    The arguments of a call are taken from here: services need not stream them, and an event
    does not know whether they did. Reasoning goes back where it can be understood: encrypted, or
    in full; mere summaries of it are refused.
    """
    is_reasoning = item.get("type") == "reasoning"
    if is_reasoning and not (item.get("encrypted_content") or item.get("content")):
        return []
    text = break_after(item)
    calls: tuple[CallDelta, ...] = ()
    if item.get("type") == "function_call":
        calls = (_call(place or 0, item, _string(item.get("arguments"))),)
    carry = (Carry(PROTOCOL, place, item, needed=is_reasoning),) if place is not None else ()
    return [Delta(text, calls=calls, carry=carry)] if text or calls or carry else []


def _call(place: int, item: Mapping[str, Any], arguments: str) -> CallDelta:
    return CallDelta(place, _string(item.get("call_id")), _string(item.get("name")), arguments)


def _last(response: Mapping[str, Any]) -> Delta:
    """Return why the response ended, and what it took."""
    if response.get("status") == "incomplete":
        told = _dict(response.get("incomplete_details")).get("reason")
        reason = _REASONS.get(told, told) if isinstance(told, str | None) else "length"
    else:
        output = response.get("output")
        items = map(_dict, output if isinstance(output, list) else ())
        calls = any(item.get("type") == "function_call" for item in items)
        reason = "tool_calls" if calls else "stop"
    usage, model = _usage(response.get("usage")), _name(response.get("model"))
    return Delta(finish_reason=reason, usage=usage, model=model)


def _usage(data: object) -> Usage | None:
    told = _dict(data)
    sent, said = _whole(told.get("input_tokens")), _whole(told.get("output_tokens"))
    if not (sent or said):  # a prompt of no tokens is one not counted
        return None
    cached = _whole(_dict(told.get("input_tokens_details")).get("cached_tokens"))
    thought = _whole(_dict(told.get("output_tokens_details")).get("reasoning_tokens"))
    cost = told.get("cost")  # OpenRouter
    return Usage(
        sent or 0,
        said or 0,
        cached or 0,
        thought or 0,
        float(cost) if isinstance(cost, int | float) else None,
        requests=1,
    )


def _thoughts(item: Mapping[str, Any]) -> str:
    """Return the text of a ``reasoning`` item: its summary, else the reasoning itself."""
    if item.get("type") != "reasoning":
        return ""
    for parts in (item.get("summary"), item.get("content")):
        found = map(_dict, parts if isinstance(parts, list) else ())
        if texts := [text for part in found if (text := _string(part.get("text")))]:
            return "\n\n".join(texts)
    return ""


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None  # a bool is none
