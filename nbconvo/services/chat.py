"""The chat completions protocol: messages to a request, events to deltas.

After OpenAI's API reference, "Chat Completions", and what compatible servers were seen to leave
out or put elsewhere: every field of a chunk is optional, usage may come in a chunk of its own
before or after the end, or never.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbconvo.errors import ServiceError
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services.base import BaseService, ModelInfo, Request
from nbconvo.services.failures import status_of

__all__ = ["ChatService"]


class ChatService(BaseService):
    """Any service that speaks OpenAI's chat completions, at ``base_url``."""

    name = "custom"

    @property
    def max_tokens_field(self) -> str:
        """The name under which the service takes ``max_tokens``."""
        return "max_tokens"

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """Return the POST to ``/chat/completions``; options that are ``None`` are left out."""
        given = {name: value for name, value in options.items() if value is not None}
        extra = given.pop("extra_body", {})
        given.pop("model", None)
        if given.get("n") == 1:
            del given["n"]
        if "max_tokens" in given:
            given[self.max_tokens_field] = given.pop("max_tokens")
        if given.get("stream"):
            given["stream_options"] = {"include_usage": True}
        else:
            given.pop("stream", None)
        body = {
            **({"model": model} if model else {}),
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            **given,
            **extra,
        }
        return Request(f"{self.base_url}/chat/completions", body)

    def deltas(self, event: dict[str, Any]) -> list[Delta]:
        """Return the deltas of one chunk."""
        return self._deltas(event, "delta")

    def together(self, events: Iterable[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the deltas of events that came together; what is only more text is joined."""
        if getattr(self.deltas, "__func__", None) is not ChatService.deltas:
            yield from super().together(events)  # a subclass has its own way to read events
            return
        texts: list[str] = []
        model: object = None
        for event in events:
            text = _only_text(event)
            if texts and (text is None or event.get("model") != model):
                yield Delta("".join(texts), model=_name(model))
                texts = []
            if text is None:
                yield from self.deltas(event)
            else:
                texts.append(text)
                model = event.get("model")
        if texts:
            yield Delta("".join(texts), model=_name(model))

    def reply(self, body: dict[str, Any]) -> list[Delta]:
        """Return a reply that was not streamed, as deltas."""
        return self._deltas(body, "message")

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        """Return the models of ``GET /models``, in the service's order."""
        return tuple(
            ModelInfo(str(model["id"]), _whole(model.get("context_length")))
            for model in _dicts(body.get("data"))
            if "id" in model
        )

    def _deltas(self, data: dict[str, Any], part: str) -> list[Delta]:
        usage = None
        if (told := data.get("usage")) or (groq := data.get("x_groq")):
            usage = read_usage(told or (isinstance(groq, dict) and groq.get("usage")))
        model = _name(data.get("model"))
        found = []
        for choice in choices if isinstance(choices := data.get("choices"), list) else ():
            if not isinstance(choice, dict):
                continue
            reason = choice.get("finish_reason")
            if reason == "error" or choice.get("error"):
                raise self._failed(choice)
            text = reasoning = ""
            if isinstance(said := choice.get(part), dict):
                # A refusal is what the model has to say: it takes the place of the content.
                text = _text(said.get("content")) or _text(said.get("refusal"))
                reasoning = _text(said.get("reasoning")) or _text(said.get("reasoning_content"))
            if not isinstance(reason, str):
                reason = None
            if text or reasoning or reason:
                index = _whole(choice.get("index")) or 0
                found.append(Delta(text, reasoning, index, reason, usage, model))
                usage = model = None
        if usage or model:
            found.append(Delta(usage=usage, model=model))
        return found

    def _failed(self, choice: Mapping[str, Any]) -> ServiceError:
        """Return the failure that a choice reports: OpenRouter's way, once a model had begun."""
        error = choice.get("error")
        said = json.dumps({"error": error or "the model failed"})
        return self.failure(status_of(error), {}, said, None)


def read_usage(data: object) -> Usage | None:
    """Return the usage that a reply reports, or ``None`` if it reports none."""
    if not isinstance(data, dict):
        return None
    sent, said = _whole(data.get("prompt_tokens")), _whole(data.get("completion_tokens"))
    if sent is None and said is None:
        return None
    cached = data.get("prompt_cache_hit_tokens")  # DeepSeek's name
    if isinstance(prompt := data.get("prompt_tokens_details"), dict):
        cached = prompt.get("cached_tokens", cached)
    thought = None
    if isinstance(completion := data.get("completion_tokens_details"), dict):
        thought = completion.get("reasoning_tokens")
    cost = data.get("cost")
    if isinstance(cost, dict):  # Perplexity
        cost = cost.get("total_cost")
    return Usage(
        sent or 0,
        said or 0,
        _whole(cached) or 0,
        _whole(thought) or 0,
        float(cost) if isinstance(cost, int | float) else None,
        requests=1,
    )


def _only_text(event: Mapping[str, Any]) -> str | None:
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
            or (len(said) > 1 and (said.get("reasoning") or said.get("reasoning_content")))
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return text if type(text) is str and text and not tells_more else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _text(value: object) -> str:
    """The text of a content: a string, or (Mistral) a list of parts, of which text ones count."""
    if isinstance(value, str):
        return value
    if not value:
        return ""
    return "".join(part["text"] for part in _dicts(value) if isinstance(part.get("text"), str))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None  # a bool is none
