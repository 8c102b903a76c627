"""The chat completions protocol, as OpenAI began it and most services have it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from nbconvo.errors import InputError, ServiceError
from nbconvo.messages import Delta, Message
from nbconvo.services.base import BaseService, Feature, ModelInfo, Request
from nbconvo.services.chat_reading import name_of, only_text, read_choices, read_models
from nbconvo.services.chat_writing import option_fields, wire_messages
from nbconvo.services.failures import status_of
from nbconvo.services.traits import DETAILS, EXTRAS, Traits

__all__ = ["ChatService"]


class ChatService(BaseService):
    """Any service that speaks OpenAI's chat completions, at ``base_url``.

    A subclass for one that deviates says how in its ``traits``.
    """

    name = "custom"
    features: ClassVar[frozenset[Feature]] = frozenset(
        {"tools", "schema", "images", "files", "reasoning"}
    )
    # What an unknown server sent, it is sent back: it may stand before one that needs it.
    traits: ClassVar[Traits] = Traits(carries=frozenset({DETAILS, EXTRAS}))

    @property
    def max_tokens_field(self) -> str:
        """The name under which the service takes ``max_tokens``."""
        return self.traits.max_tokens

    def check(self, messages: Sequence[Message], options: Mapping[str, Any]) -> None:
        """Raise ``InputError`` for what the service does not take, options that it refuses too."""
        super().check(messages, options)
        if not (refused := self.traits.refused):
            return
        for name, value in options.items():
            if name in refused and value is not None and (name, value) != ("n", 1):
                raise InputError(f"{self.name} does not take {name}; leave it out")

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """Return the POST to ``/chat/completions``; options that are ``None`` are left out."""
        traits = self.traits
        body: dict[str, Any] = {"model": model} if model else {}
        body["messages"] = wire_messages(messages, traits, options.get("schema"), self.name)
        max_tokens = self.max_tokens_field if "max_tokens" in options else ""
        body |= option_fields(options, traits, max_tokens, self.name)
        return Request(self.chat_url(model), body)

    def chat_url(self, model: str | None) -> str:
        """Return where the request to ``model`` goes."""
        return f"{self.base_url}/chat/completions"

    def deltas(self, event: dict[str, Any]) -> list[Delta]:
        """Return the deltas of one chunk."""
        return read_choices(event, "delta", self._failed)

    def together(self, events: Iterable[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the deltas of events that came together; what is only more text is joined."""
        if getattr(self.deltas, "__func__", None) is not ChatService.deltas:
            yield from super().together(events)  # a subclass has its own way to read events
            return
        texts: list[str] = []
        model: object = None
        for event in events:
            text = only_text(event)
            if texts and (text is None or event.get("model") != model):
                yield Delta("".join(texts), model=name_of(model))
                texts = []
            if text is None:
                yield from self.deltas(event)
            else:
                texts.append(text)
                model = event.get("model")
        if texts:
            yield Delta("".join(texts), model=name_of(model))

    def reply(self, body: dict[str, Any]) -> list[Delta]:
        """Return a reply that was not streamed, as deltas."""
        return read_choices(body, "message", self._failed)

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        """Return the models of ``GET /models``, in the service's order."""
        return read_models(body)

    def _failed(self, choice: Mapping[str, Any]) -> ServiceError:
        """Return the failure that a choice reports: OpenRouter's way, once a model had begun."""
        error = choice.get("error")
        said = json.dumps({"error": error or "the model failed"})
        return self.failure(status_of(error), {}, said, None)
