"""Anthropic as a service: where it is, what identifies a caller, and which version is spoken.

After Anthropic's API reference, "Versioning" and "Models", and its Python client 2.13.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbconvo.keys import Key, Masked
from nbconvo.messages import Delta, Message
from nbconvo.services.anthropic import events as reading
from nbconvo.services.anthropic.body import body_of
from nbconvo.services.base import BaseService, ModelInfo, Request
from nbconvo.services.credentials import credentials

__all__ = ["AnthropicService"]

_VERSION = "2026-10-21"
_VERSION_THAT_SAMPLES = "2023-06-01"  # the later one refuses these fields, defaults included
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})


class AnthropicService(BaseService):
    """Anthropic, or whatever speaks its Messages protocol at ``base_url``, with or without /v1."""

    name = "anthropic"
    address = "https://api.anthropic.com/v1"
    default_model = "claude-haiku-5-5"
    features = frozenset({"tools", "schema", "images", "files", "reasoning"})

    @property
    def base_url(self) -> str:
        """The address in force; ``/v1`` is added, since Anthropic's own clients are told none."""
        url = super().base_url
        return url if re.search(r"/v\d+$", url) else f"{url}/v1"

    @property
    def key(self) -> Key | None:
        """The key in force, or else the token of ``ANTHROPIC_AUTH_TOKEN``. It never prints."""
        return super().key or self._token

    @property
    def _token(self) -> Key | None:
        value = credentials.variable(f"{self._variable_prefix}_AUTH_TOKEN")
        return Key(value) if value and super().key is None else None

    def request_headers(self) -> dict[str, str]:
        """Return the headers of every request: a key as ``x-api-key``, a token as ``Bearer``."""
        headers: dict[str, str] = {"Accept": "application/json"}
        if (key := self.checked_key()) is not None:
            if self._token is None:  # older proxies know no other name
                headers["x-api-key"] = Masked(key.reveal())
            else:
                headers["Authorization"] = Masked("Bearer " + key.reveal())
        return headers | dict(self.headers)

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """Return the POST to ``/messages``.

        Raises:
            InputError: If an option, or an attachment, is none that the protocol knows.
        """
        body = body_of(self.name, messages, model, options)
        version = _VERSION_THAT_SAMPLES if body.keys() & _SAMPLING else _VERSION
        return Request(f"{self.base_url}/messages", body, self._version(version))

    def deltas(self, event: dict[str, Any]) -> list[Delta]:
        """Return the deltas of one event; pings and what is unknown have none."""
        return reading.deltas_of(event)

    def together(self, events: Iterable[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the deltas of events that came together; text of one block is joined."""
        if getattr(self.deltas, "__func__", None) is not AnthropicService.deltas:
            return super().together(events)  # a subclass has its own way to read events
        return reading.together(events)

    def reply(self, body: dict[str, Any]) -> list[Delta]:
        """Return a message that was not streamed, as deltas."""
        return reading.reply_of(body)

    def models_request(self) -> Request:
        """Return the request that lists the models, as many as one page can hold."""
        return Request(f"{self.base_url}/models?limit=1000", headers=self._version(_VERSION))

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        """Return the models of ``GET /models`` that can still be asked, in the service's order."""
        data = body.get("data")
        return tuple(
            ModelInfo(str(model["id"]), reading.whole(model.get("max_input_tokens")))
            for model in (data if isinstance(data, list) else ())
            if isinstance(model, dict) and "id" in model and model.get("lifecycle") != "retired"
        )

    def _version(self, version: str) -> dict[str, str]:
        given = any(name.lower() == "anthropic-version" for name in self.headers)
        return {} if given else {"anthropic-version": version}
