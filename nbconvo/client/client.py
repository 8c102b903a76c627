"""The client: one request from messages to deltas, over one pool of connections."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from nbconvo.client.connection import Link, connected, new_http, proxy_for, timeouts
from nbconvo.client.reading import deltas_of, failure_of, json_of
from nbconvo.client.ready import Ready
from nbconvo.errors import ConnectionFailed, RateLimited, ServiceError
from nbconvo.limiter import Limiter, LocalLimiter
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services import BaseService, ModelInfo, Request

if TYPE_CHECKING:
    import io

    import aiohttp

__all__ = ["Client"]

_LONGEST_WAIT = 120.0  # seconds; a service that asks for more is not asked again
_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.25
_CONNECT_ATTEMPTS = 3  # a server that is not there is told of soon
_WORTH_A_NOTICE = 0.3  # seconds of waiting that a reader wonders about
_TYPICAL_OUTPUT = 256  # tokens, until replies have been seen


class _Again(Exception):
    """A request failed and is to be tried again after ``delay`` seconds."""

    def __init__(self, failed: ServiceError, delay: float) -> None:
        super().__init__(failed)
        self.failed = failed
        self.delay = delay


class Client:
    """Sends requests within their services' limits; lives on one event loop.

    Args:
        sleep: Waits for a number of seconds.
        jitter: Returns a random number from 0 up to 1.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._sleep = sleep
        self._jitter = jitter
        self._http: aiohttp.ClientSession | None = None
        self._limiters: dict[object, LocalLimiter] = {}
        self._limits: dict[object, tuple[float | None, float | None, int | None]] = {}
        self._opened: dict[int, BaseService] = {}
        self._mean_output: dict[tuple[object, str | None], float] = {}

    def limiter(self, service: BaseService) -> Limiter:
        """Return the limiter of the service's account.

        Of several services with one account, a limit that one leaves open is the others'; of
        those that set it, the one that asked last.
        """
        account = service.account
        had = self._limits.get(account, (None, None, None))
        limits = (
            service.max_requests_per_minute or had[0],
            service.max_tokens_per_minute or had[1],
            service.max_concurrent or had[2],
        )
        if account not in self._limiters:
            self._limiters[account] = LocalLimiter(*limits, name=service.name)
        elif limits != had:
            self._limiters[account].set_limits(
                max_requests_per_minute=limits[0],
                max_tokens_per_minute=limits[1],
                max_concurrent=limits[2],
            )
        self._limits[account] = limits
        return self._limiters[account]

    async def stream(
        self,
        service: BaseService,
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
    ) -> AsyncGenerator[Delta]:
        """Ask, and yield the reply's deltas as they come; the last ones hold the usage.

        A request that fails before its first delta is tried again, as often as the service
        allows and at the time that it asks for; after the first delta never.

        Raises:
            MissingKey, RequestTooLarge: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        service.checked_key()
        await self._open(service)
        typical = self._mean_output.get((service.account, model), _TYPICAL_OUTPUT)
        ready = Ready.of(service, messages, model, options, typical)
        limiter = self.limiter(service)
        for attempt in itertools.count(1):
            try:
                async with aclosing(self._attempt(ready, limiter, attempt)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except _Again as again:
                failed, delay = again.failed, again.delay
            yield Delta(notice=f"{failed}; trying again in {delay:.3g} s")
            if not isinstance(failed, RateLimited):  # else the limiter waits
                await self._sleep(delay)

    async def models(self, service: BaseService) -> tuple[ModelInfo, ...]:
        """Return the models that the service offers.

        Raises:
            MissingKey: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        service.checked_key()
        await self._open(service)
        request = service.models_request()
        with connected(service, Link()):
            async with self._send(service, request) as response:
                if response.status >= 400:
                    raise await failure_of(service, response, None)
                return service.models(await json_of(service, response))

    async def close(self) -> None:
        """Close the connections, and the services that brought a server of their own."""
        opened, self._opened = self._opened, {}
        http, self._http = self._http, None
        if http is not None:
            await http.close()
        for service in opened.values():
            await service.close()

    async def _attempt(self, ready: Ready, limiter: Limiter, attempt: int) -> AsyncGenerator[Delta]:
        """Send the request once, within the limits, and settle with them whatever happens.

        Raises:
            _Again: If it failed before its first delta, and is to be tried again.
        """
        service = ready.service
        if attempt == 1 and (notice := _waiting(service, limiter, ready.expected)):
            yield Delta(notice=notice)
        permit = await limiter.acquire(ready.expected, first=attempt > 1)
        link = Link()
        used, usage, output = ready.prompt, None, 0
        try:
            with connected(service, link):
                async with self._send(service, ready.request, ready.data) as response:
                    if response.status >= 400:
                        used = 0
                        raise await failure_of(service, response, ready.model)
                    async with aclosing(deltas_of(service, response, ready.model)) as deltas:
                        async for delta in deltas:
                            output += len(delta.text) + len(delta.reasoning)
                            usage = delta.usage or usage
                            used = usage.total_tokens if usage else ready.prompt + output // 4
                            yield delta
            if usage is None:
                usage = Usage(ready.prompt, output // 4, requests=1, estimated=True)
                yield Delta(usage=usage)
            self._learn_output(ready, usage.output_tokens)
        except ServiceError as error:
            delay = None if output else self._delay(service, error, attempt)
            if delay is None:
                raise
            if isinstance(error, RateLimited):
                # For everybody, and before the permit is settled, which lets the next one go.
                # This request goes first afterwards.
                limiter.pause(delay)
            raise _Again(error, delay) from None
        finally:
            limiter.settle(permit, used if link.reached else None)

    def _send(
        self, service: BaseService, request: Request, data: bytes | io.BytesIO | None = None
    ) -> Any:
        """Return the request under way, to be entered; its connection comes from the pool."""
        if self._http is None:
            self._http = new_http()
        kind = {} if data is None else {"Content-Type": "application/json"}
        return self._http.request(
            "GET" if data is None else "POST",
            request.url,
            data=data,
            headers=kind | service.request_headers() | dict(request.headers),
            proxy=proxy_for(request.url),
            timeout=timeouts(service.timeout),
            allow_redirects=False,
        )

    async def _open(self, service: BaseService) -> None:
        self._opened[id(service)] = service
        await service.open()

    def _delay(self, service: BaseService, error: ServiceError, attempt: int) -> float | None:
        """Seconds until the next attempt, or ``None`` if there is to be none."""
        attempts = service.max_attempts
        if isinstance(error, ConnectionFailed):
            attempts = min(attempts, _CONNECT_ATTEMPTS)
        if not error.retryable or attempt >= attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= _LONGEST_WAIT else None
        backoff = min(_FIRST_BACKOFF * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
        return backoff * (1 - _JITTER * self._jitter())

    def _learn_output(self, ready: Ready, output: int) -> None:
        key, each = (ready.service.account, ready.model), output / ready.replies
        mean = self._mean_output.get(key, each)
        self._mean_output[key] = mean + 0.2 * (each - mean)


def _waiting(service: BaseService, limiter: Limiter, expected: int) -> str | None:
    """Say why the request has to wait, if a reader would wonder."""
    wait, most = limiter.wait(expected), limiter.usage().max_tokens_per_minute
    if wait <= _WORTH_A_NOTICE or (most is not None and expected > most):  # refused at once
        return None
    how_long = f"{math.ceil(wait)} s" if math.isfinite(wait) else "for a place"
    return f"waiting {how_long}: the limit of {service.name} is reached"
