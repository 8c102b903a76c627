"""The client: one request from messages to deltas, over one pool of connections."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from nbconvo.client.accounts import Account, Accounts, AccountUsage
from nbconvo.client.connection import Link, connected, new_http, proxy_for, timeouts
from nbconvo.client.reading import deltas_of, failure_of, json_of
from nbconvo.client.ready import Ready
from nbconvo.errors import ConnectionFailed, RateLimited, ServiceError, TimedOut
from nbconvo.limiter import LONGEST_WAIT, Limiter
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services import BaseService, ModelInfo, Request

if TYPE_CHECKING:
    import io

    import aiohttp

__all__ = ["Client"]

_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.25
_CONNECT_ATTEMPTS = 3  # a server that is not there is told of soon
_SILENT_ATTEMPTS = 2  # what timed out may be under way, and be paid for
_WORTH_A_NOTICE = 0.3  # seconds of waiting that a reader wonders about


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
        self._accounts = Accounts()
        self._opened: dict[int, BaseService] = {}

    def limiter(self, service: BaseService) -> Limiter:
        """Return the limiter of the service's account."""
        return self._account(service).limiter

    def accounts(self) -> tuple[AccountUsage, ...]:
        """Return what each account that was asked has used since the client was made.

        In the order in which they were first asked. Cheap, and safe from any thread.
        """
        return self._accounts.usages()

    async def stream(
        self,
        service: BaseService,
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
        *,
        bulk: Hashable = None,
    ) -> AsyncGenerator[Delta]:
        """Ask, and yield the reply's deltas as they come; the last ones hold the usage.

        A request that fails before its reply has begun is tried again, as often as the service
        allows and at the time that it asks for; once it has begun never. ``bulk`` names the bulk
        work that it belongs to, which gives way to what people wait for.

        Raises:
            MissingKey, RequestTooLarge: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        service.checked_key()
        await self._open(service)
        typical = self._accounts.of(service).typical_output(model)
        ready = Ready.of(service, messages, model, options, typical)
        account = self._account(service)
        self._accounts.show(account, service)
        for attempt in itertools.count(1):
            try:
                async with aclosing(self._attempt(ready, account, attempt, bulk)) as deltas:
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
        self._accounts.unshare()
        http, self._http = self._http, None
        if http is not None:
            await http.close()
        for service in opened.values():
            await service.close()

    async def _attempt(
        self, ready: Ready, account: Account, attempt: int, bulk: Hashable
    ) -> AsyncGenerator[Delta]:
        """Send the request once, within the limits, and settle with them whatever happens.

        Raises:
            _Again: If it failed before the reply began, and is to be tried again.
        """
        service, limiter = ready.service, account.limiter
        waits = attempt > 1
        if attempt == 1 and (notice := _waiting(service, limiter, ready.expected)):
            waits = True
            yield Delta(notice=notice)
        permit = await limiter.acquire(
            ready.expected, output=ready.expected - ready.prompt, first=attempt > 1, bulk=bulk
        )
        link = Link()
        used, usage, output = ready.prompt, None, 0
        try:
            if waits:
                yield Delta(notice="")  # the wait is over, the request on its way
            with connected(service, link):
                async with self._send(service, ready.request, ready.data) as response:
                    if response.status >= 400:
                        used = 0
                        failure = await failure_of(service, response, ready.model)
                        refused = isinstance(failure, RateLimited)
                        account.observe(permit, response.headers, refused=refused)
                        raise failure
                    account.observe(permit, response.headers)
                    async with aclosing(deltas_of(ready, response, link)) as deltas:
                        async for delta in deltas:
                            output += len(delta.text) + len(delta.reasoning)
                            usage = delta.usage or usage
                            used = usage.total_tokens if usage else ready.prompt + output // 4
                            yield delta
            if usage is None:
                usage = _estimated(ready, output)
                yield Delta(usage=usage)
            account.learn_output(ready.model, usage.output_tokens / ready.replies)
        except ServiceError as error:
            delay = error.retry_after or self._backoff(attempt)
            if isinstance(error, RateLimited):
                # For everybody, and before the permit is settled, which lets the next one go.
                # This request goes first afterwards.
                limiter.pause(delay)
            if link.begun or delay > LONGEST_WAIT or not _worth_another(service, error, attempt):
                if attempt > 1:
                    error.args = (f"{error}; tried {attempt} times",)
                raise
            raise _Again(error, delay) from None
        finally:
            if usage is None and output:  # it broke off, or its reader left
                usage = _estimated(ready, output)
            account.settle(permit, used if link.reached else None, usage)

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
        if type(service).close is not BaseService.close:
            self._opened[id(service)] = service
        await service.open()

    def _backoff(self, attempt: int) -> float:
        backoff = min(_FIRST_BACKOFF * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
        return backoff * (1 - _JITTER * self._jitter())

    def _account(self, service: BaseService) -> Account:
        """Return the service's account, with the limits that it states now."""
        account = self._accounts.of(service)
        account.share(service)
        return account


def _worth_another(service: BaseService, error: ServiceError, attempt: int) -> bool:
    attempts = service.max_attempts
    if isinstance(error, ConnectionFailed):
        attempts = min(attempts, _CONNECT_ATTEMPTS)
    elif isinstance(error, TimedOut):
        attempts = min(attempts, _SILENT_ATTEMPTS)
    return error.retryable and attempt < attempts


def _estimated(ready: Ready, output: int) -> Usage:
    """Return the usage of a reply of ``output`` characters whose service told none."""
    return Usage(ready.prompt, output // 4, requests=1, estimated=True)


def _waiting(service: BaseService, limiter: Limiter, expected: int) -> str | None:
    """Say why the request has to wait, if a reader would wonder."""
    wait, usage = limiter.wait(expected), limiter.usage()
    most = usage.max_tokens_per_minute
    refused = usage.paused_for > LONGEST_WAIT or (most is not None and expected > most)
    if wait <= _WORTH_A_NOTICE or refused:
        return None
    how_long = f"{math.ceil(wait)} s" if math.isfinite(wait) else "for a place"
    return f"waiting {how_long}: the limit of {service.name} is reached"
