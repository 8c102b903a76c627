"""The client: one request from messages to deltas, over one pool of connections."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp

from nbconvo import prices
from nbconvo.budget import Budget, Hold
from nbconvo.client.accounts import Account, Accounts, AccountUsage
from nbconvo.client.connection import error_of, proxy_for, took_too_long, was_silent
from nbconvo.client.http import Pool, Response
from nbconvo.client.patience import Link, Patience
from nbconvo.client.reading import Reading, failure_of, object_of
from nbconvo.client.ready import Ready
from nbconvo.errors import ConnectionFailed, NbConvoError, RateLimited, ServiceError, TimedOut
from nbconvo.limiter import LONGEST_WAIT, Limiter, Permit
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services import BaseService, ModelInfo

__all__ = ["Client"]

_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.25
_CONNECT_ATTEMPTS = 3  # a server that is not there is told of soon
_SILENT_ATTEMPTS = 2  # what timed out may be under way, and be paid for
_JSON = {"Content-Type": "application/json"}
_AT_ONCE = 0.2  # seconds; what a program asks comes sooner, what is typed later
_WORTH_A_NOTICE = 0.3  # seconds of waiting that a reader wonders about


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
        self._connections: tuple[Pool, Patience] | None = None
        self._accounts = Accounts()
        self._opened: dict[int, BaseService] = {}
        self._warmed: set[str] = set()

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

        Text that the service sent in several pieces which arrive together may be one delta.
        A request that fails before its reply has begun is tried again, as often and as long as
        the service allows, at the time that it asks for; once it has begun never. ``bulk`` names
        the bulk work that it belongs to, which gives way to what people wait for.

        Raises:
            MissingKey, RequestTooLarge, ServiceDown: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        batches = self.batches(service, messages, model, options, bulk=bulk)
        try:
            async for batch in batches:
                for delta in batch:
                    yield delta
        finally:
            await batches.aclose()

    async def batches(
        self,
        service: BaseService,
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
        *,
        bulk: Hashable = None,
        budgets: Sequence[Budget] = (),
    ) -> AsyncGenerator[list[Delta]]:
        """As :meth:`stream`, yielding together the deltas that came together.

        Raises:
            BudgetExceeded: Before anything is sent: one of ``budgets`` has not so much left.
        """
        headers = await _headers(service)  # before anything is opened: the key may be missing
        await self._open(service)
        account = self._account(service)
        ready = Ready.of(service, headers, messages, model, options, account)
        hold = Hold(budgets, *await self._expected_cost(ready, budgets))
        hold.check()
        self._accounts.show(account, service)
        limiter, now = account.limiter, asyncio.get_running_loop().time
        left = service.total_timeout
        for attempt in itertools.count(1):
            waits = attempt > 1
            if not waits and (notice := _waiting(service, limiter, ready)):
                waits = True
                yield [Delta(notice=notice)]
            permit = await limiter.acquire(
                ready.expected,
                output=ready.expected - ready.prompt,
                first=attempt > 1,
                bulk=bulk,
                model=model,
            )
            sent_at = now()
            link = Link(service.timeout, sent_at + left)
            usage, output, response, answering = None, 0, None, model
            try:
                hold.take()
                if attempt == 1:
                    account.circuit.admit(lambda: _is_alone(limiter))
                if waits:
                    yield [Delta(notice="")]  # the wait is over, the request on its way
                response = await self._send(ready, link)
                if response.status >= 400:
                    failure = await failure_of(service, response, link, model)
                    refused = isinstance(failure, RateLimited)
                    account.observe(permit, response.headers, refused=refused)
                    raise failure
                account.observe(permit, response.headers)
                reading = Reading(ready, response, link)
                while (batch := await reading.next()) is not None:
                    for delta in batch:
                        output += len(delta.text) + len(delta.reasoning)
                        output += sum(len(p.name) + len(p.arguments) for p in delta.calls)
                        if delta.usage is not None:
                            usage = delta.usage
                        answering = delta.model or answering
                    if batch:
                        yield batch
                if usage is None:
                    usage = _estimated(ready, output)
                    yield [Delta(usage=usage)]
                account.circuit.answered()
                account.learn_output(model, usage.output_tokens / ready.replies)
                return
            except (ServiceError, aiohttp.ClientError, TimeoutError) as raised:
                left -= now() - sent_at
                failed = error_of(raised, service, link)
                delay = self._delay(failed, ready, account, permit, attempt, link, left)
            finally:
                link.leave()
                if response is not None:
                    response.close()
                if output and not (usage and usage.output_tokens):  # it broke off, or nobody reads
                    usage = _estimated(ready, output, usage)
                is_error = response is not None and response.status >= 400
                used = 0 if is_error else usage.total_tokens if usage else ready.prompt
                if usage is not None:
                    usage = service.priced(usage, answering, model)
                hold.settle(usage.cost if usage else None, used=usage is not None)
                account.settle(permit, used if link.reached else None, usage)
            yield [Delta(notice=f"{failed}; trying again in {delay:.3g} s")]
            if not isinstance(failed, RateLimited):  # else the limiter waits
                await self._sleep(delay)
                left -= delay

    async def warm(self, service: BaseService) -> None:
        """Have a connection at hand for a first request that does not come at once.

        Sends no request and tells of no failure. Left alone is a service that lacks its key, or
        that has something of its own to open.
        """
        if type(service).open is not BaseService.open:
            return
        with suppress(aiohttp.ClientError, NbConvoError, OSError):
            headers, address = await _headers(service), service.base_url
            if address in self._warmed:
                return
            self._warmed.add(address)
            if service.has_list_price and not prices.loaded():
                await asyncio.to_thread(prices.load)
            await self._sleep(_AT_ONCE)
            if not self._accounts.knows(service):
                pool = self._ensure_connections()[0]
                route = pool.route("POST", address, headers)
                (await pool.connect(route, service.connect_timeout)).release()

    async def models(self, service: BaseService) -> tuple[ModelInfo, ...]:
        """Return the models that the service offers.

        Raises:
            MissingKey: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        headers = await _headers(service)
        await self._open(service)
        request = service.models_request()
        link = Link()
        try:
            # Asked for so seldom that aiohttp's own session does it, over the same connections.
            async with aiohttp.ClientSession(
                connector=self._ensure_connections()[0].connector,
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as http:
                response = await http.request(
                    "GET",
                    request.url,
                    headers=headers | dict(request.headers),
                    proxy=proxy_for(request.url),
                    timeout=aiohttp.ClientTimeout(
                        total=service.total_timeout,
                        connect=service.connect_timeout,
                        sock_read=service.timeout,
                    ),
                    allow_redirects=False,
                )
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise error_of(error, service, link) from None
        if response.status >= 400:
            said = body.decode("utf-8", "replace")
            raise service.failure(response.status, response.headers, said, None)
        # Together lists them without anything around the list.
        listed = b'{"data":' + body + b"}" if body.lstrip()[:1] == b"[" else body
        return service.models(object_of(service, listed))

    async def close(self) -> None:
        """Close the connections, and the services that brought a server of their own."""
        opened, self._opened = self._opened, {}
        self._accounts.unshare()
        connections, self._connections = self._connections, None
        if connections is not None:
            pool, patience = connections
            patience.stop()
            await pool.close()
        for service in opened.values():
            await service.close()

    async def _send(self, ready: Ready, link: Link) -> Response:
        """Send the request; return the response once its head has come."""
        service = ready.service
        pool, patience = self._ensure_connections()
        route = pool.route(
            "POST", ready.request.url, {**_JSON, **ready.headers, **ready.request.headers}
        )
        connection = await pool.connect(route, service.connect_timeout)
        link.reached = True

        def sent(end: Callable[[BaseException], None], unsent: Callable[[], int]) -> None:
            def give_up(in_all: bool) -> None:
                end(took_too_long(service) if in_all else was_silent(service, link))

            patience.watch(link, give_up, unsent)

        response = await pool.send(connection, route, ready.payload, ready.more, sent)
        link.heard = math.inf
        return response

    async def _expected_cost(
        self, ready: Ready, budgets: Sequence[Budget]
    ) -> tuple[float | None, str]:
        """Return what a request may cost, if that is known, and what is asked, in words."""
        service, model = ready.service, ready.model
        asked = f"{model or 'its model'} at {service.name}"
        if service.has_list_price and not prices.loaded():
            # Not here, where other replies are coming; who has no budget need not wait for it.
            reading = asyncio.get_running_loop().run_in_executor(None, prices.load)
            if any(budget.limit is not None for budget in budgets):
                await reading
            else:
                return None, asked
        usage = Usage(ready.prompt, ready.expected - ready.prompt, requests=1)
        return service.priced(usage, model).cost, asked

    def _ensure_connections(self) -> tuple[Pool, Patience]:
        if self._connections is None:
            self._connections = Pool(), Patience(asyncio.get_running_loop())
        return self._connections

    async def _open(self, service: BaseService) -> None:
        if type(service).close is not BaseService.close:
            self._opened[id(service)] = service
        await service.open()

    def _delay(
        self,
        error: ServiceError,
        ready: Ready,
        account: Account,
        permit: Permit,
        attempt: int,
        link: Link,
        left: float,
    ) -> float:
        """Return after how many seconds a request that failed is tried again.

        Args:
            error: How it failed.
            ready: The request.
            account: Whose it is.
            permit: What it was sent with.
            attempt: Which sending failed, from 1.
            link: How far it got; once its reply has begun, there is no further attempt.
            left: Seconds that remain for all further attempts; none below 0.

        Raises:
            ServiceError: If it is not tried again: the very ``error``.
        """
        backoff = min(_FIRST_BACKOFF * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
        delay = error.retry_after or backoff * (1 - _JITTER * self._jitter())
        if isinstance(error, RateLimited):
            # For everybody, and before the permit is settled, which lets the next one go. This
            # request goes first afterwards.
            account.limiter.pause(delay, permit)
        is_too_late = delay > min(left, LONGEST_WAIT)
        if link.begun or is_too_late or not _worth_another(ready.service, error, attempt):
            account.circuit.gave_up(error, begun=link.begun)
            if attempt > 1:
                error.args = (f"{error}; tried {attempt} times",)
            # Not with the frames below: they hold what the service said, unscrubbed.
            raise error.with_traceback(None) from None
        return delay

    def _account(self, service: BaseService) -> Account:
        """Return the service's account, with the limits that it states now."""
        account = self._accounts.of(service)
        account.share(service)
        return account


async def _headers(service: BaseService) -> dict[str, str]:
    """Return the headers of a request; the keyring, where it is to be asked, takes its time."""
    if service.key_at_hand:
        return service.request_headers()
    return await asyncio.to_thread(service.request_headers)


def _worth_another(service: BaseService, error: ServiceError, attempt: int) -> bool:
    attempts = service.max_attempts
    if isinstance(error, ConnectionFailed):
        attempts = min(attempts, _CONNECT_ATTEMPTS)
    elif isinstance(error, TimedOut):
        attempts = min(attempts, _SILENT_ATTEMPTS)
    return error.retryable and attempt < attempts


def _is_alone(limiter: Limiter) -> bool:
    """Whether the request that has just been admitted is the only one."""
    usage = limiter.usage()
    return usage.in_flight == 1 and usage.queued == 0


def _estimated(ready: Ready, output: int, told: Usage | None = None) -> Usage:
    """Return the usage of a reply of ``output`` characters whose service ``told`` not all of it."""
    usage = told or Usage(ready.prompt, requests=1)
    return replace(usage, output_tokens=output // 4, estimated=True)


def _waiting(service: BaseService, limiter: Limiter, ready: Ready) -> str | None:
    """Say why the request has to wait, if a reader would wonder."""
    expected = ready.expected
    if (wait := limiter.wait(expected, ready.model)) <= _WORTH_A_NOTICE:
        return None
    usage = limiter.usage()
    most = usage.max_tokens_per_minute
    if usage.paused_for > LONGEST_WAIT or (most is not None and expected > most):
        return None
    how_long = f"{math.ceil(wait)} s" if math.isfinite(wait) else "for a place"
    return f"waiting {how_long}: the limit of {service.name} is reached"
