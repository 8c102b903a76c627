"""A request that is ready to be sent, as often as it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from nbconvo import tokens
from nbconvo.client.accounts import Account
from nbconvo.client.encoding import encoded
from nbconvo.client.own import requested
from nbconvo.messages import Message, new_id
from nbconvo.services import BaseService

__all__ = ["Ready"]

_JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Ready:
    """A request, its body encoded once, and what it is expected to take.

    Attributes:
        url: Where to.
        headers: The service's and the request's own; secret ones don't print.
        payload: The body as it is sent.
        more: Headers of this request alone: who reads it twice knows that it is one.
        prompt: Tokens of the messages.
        replies: How many alternatives are asked for.
        expected: Tokens of the prompt and all replies, to be reserved.
    """

    service: BaseService
    url: str
    headers: Mapping[str, str]
    payload: bytes
    more: Mapping[str, str]
    model: str | None
    prompt: int
    replies: int
    expected: int

    @classmethod
    def of(
        cls,
        service: BaseService,
        headers: Mapping[str, str],
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
        account: Account,
    ) -> Self:
        """Return the request for these messages; its ``account`` knows what replies took so far.

        Raises:
            InputError: If the service cannot be asked this, or an option cannot be sent as JSON.
        """
        service.check(messages, options)
        request = requested(service, messages, model, options)
        prompt = tokens.prompt_tokens(messages, count=account.counter(model))
        replies = options.get("n") or 1
        expected = prompt + int(
            (options.get("max_tokens") or account.typical_output(model)) * replies
        )
        header = service.idempotency_header
        more = {header: f"nbconvo-{new_id()}"} if header else {}
        payload = encoded(request.body)
        headers = {**_JSON, **headers, **request.headers}
        return cls(service, request.url, headers, payload, more, model, prompt, replies, expected)
