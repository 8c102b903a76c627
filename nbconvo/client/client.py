"""The client: one request from messages to deltas, over one pool of connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import aiohttp

from nbconvo import prices
from nbconvo.budget import Budget
from nbconvo.client.accounts import Account, Accounts, AccountUsage
from nbconvo.client.connection import error_of
from nbconvo.client.connections import Connections
from nbconvo.client.listing import listed
from nbconvo.client.patience import Link
from nbconvo.client.reading import failure_of
from nbconvo.client.ready import Ready
from nbconvo.client.retrying import Attempts
from nbconvo.client.spending import Output, estimated, hold_of
from nbconvo.client.streamed import Streamed
from nbconvo.client.waiting import reason_to_wait
from nbconvo.client.whole import Whole
from nbconvo.errors import NbConvoError, RateLimited, ServiceError
from nbconvo.limiter import Limiter
from nbconvo.messages import Delta, Message
from nbconvo.services import BaseService, ModelInfo

__all__ = ["Client"]

_AT_ONCE = 0.2  # seconds; what a program asks comes sooner, what is typed later


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
        self._connections: Connections | None = None
        self._accounts = Accounts()
        self._to_close: dict[int, BaseService] = {}
        self._warmed: set[str] = set()

    def limiter(self, service: BaseService) -> Limiter:
        """Return the limiter of the service's account."""
        return self._account(service).limiter

    def keep_limits(self, service: BaseService) -> None:
        """Keep the limits that the service states now, without waiting for its next request.

        An account that was not asked yet has none to change.
        """
        if self._accounts.knows(service):
            self._account(service)

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
        budgets: Sequence[Budget] = (),
    ) -> AsyncGenerator[list[Delta]]:
        """Ask, and yield the reply's deltas as they come, together what came together.

        The last ones hold the usage. Text that the service sent in several pieces which arrive
        together may be one delta.
        A request that fails before its reply has begun is tried again, as often and as long as
        the service allows, at the time that it asks for; once it has begun never. ``bulk`` names
        the bulk work that it belongs to, which gives way to what people wait for.

        Raises:
            BudgetExceeded: Before anything is sent: one of ``budgets`` has not so much left.
            MissingKey, RequestTooLarge, ServiceDown: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        headers = await self._opened(service)
        account = self._account(service)
        ready = Ready.of(service, headers, messages, model, options, account)
        hold = await hold_of(ready, budgets)
        self._accounts.show(account, service)
        limiter = account.limiter
        asked: dict[str, Any] = {
            "output": ready.expected - ready.prompt,
            "bulk": bulk,
            "model": model,
        }
        with Attempts(ready, account, self._jitter) as attempts:
            while True:
                waits = is_again = attempts.number > 1
                if not is_again and account.circuit.is_tried:
                    waits = True
                    yield [Delta(notice=account.circuit.notice)]
                    await account.circuit.outcome()
                permit = limiter.acquire_nowait(ready.expected, first=is_again, **asked)
                if permit is None:
                    if not is_again and (notice := reason_to_wait(service, limiter, ready)):
                        waits = True
                        yield [Delta(notice=notice)]
                    permit = await limiter.acquire(ready.expected, first=is_again, **asked)
                begun_at = monotonic()
                link = Link(service, begun_at + attempts.left)
                usage, output, response = None, Output(), None
                try:
                    hold.take()
                    if not is_again and not account.circuit.admit(attempts, attempts.seen):
                        continue  # to wait without the permit, which the one that tries may need
                    if waits:
                        yield [Delta(notice="")]  # the wait is over, the request on its way
                    response = await self._ensured().send(ready, link)
                    permit.sent_at = link.sent_at
                    if response.status >= 300:
                        failure = await failure_of(service, response, link, model)
                        refused = isinstance(failure, RateLimited)
                        account.observe(permit, response.headers, refused=refused)
                        raise failure
                    account.observe(permit, response.headers)
                    kind = Whole if response.is_json else Streamed
                    reply = kind(ready, response, link)
                    while (batch := await reply.next()) is not None:
                        if batch:
                            if not output.came:
                                account.circuit.answered()
                            output.came += batch
                            yield batch
                    if (usage := output.usage) is None:
                        usage = estimated(ready, output)
                        yield [Delta(usage=usage)]
                    account.circuit.answered()
                    account.learn_output(model, usage.output_tokens / ready.replies)
                    return
                except (ServiceError, aiohttp.ClientError, TimeoutError) as raised:
                    attempts.left -= monotonic() - begun_at
                    failed = error_of(raised, link)
                    delay = attempts.delay(failed, permit, link)
                finally:
                    link.leave()
                    if response is not None:
                        response.close()
                    usage = usage or output.usage
                    if not (usage and usage.output_tokens) and output:
                        # It broke off, or nobody reads.
                        usage = estimated(ready, output, usage)
                    is_error = response is not None and response.status >= 300
                    used = 0 if is_error else usage.total_tokens if usage else ready.prompt
                    if usage is not None:
                        usage = service.priced(usage, output.model, model)
                    hold.settle(usage.cost if usage else None, used=usage is not None)
                    account.settle(permit, None if link.sent_at is None else used, usage)
                yield [Delta(notice=f"{failed}; trying again in {delay:.3g} s")]
                if not isinstance(failed, RateLimited):  # else the limiter waits
                    await self._sleep(delay)
                    attempts.left -= delay

    async def warm(self, service: BaseService) -> None:
        """Have a connection at hand for a first request that does not come at once.

        Sends no request and tells of no failure. Left alone is a service that lacks its key, or
        that has something of its own to open.
        """
        if type(service).open is not BaseService.open:
            return
        with suppress(aiohttp.ClientError, NbConvoError, OSError):
            headers, address = await self._opened(service), service.base_url
            if address in self._warmed:
                return
            self._warmed.add(address)
            if service.has_list_price and not prices.loaded():
                await asyncio.to_thread(prices.load)
            await self._sleep(_AT_ONCE)
            if not self._accounts.knows(service):
                pool = self._ensured().pool
                route = pool.route("POST", address, headers)
                (await pool.connect(route, service.connect_timeout)).release()

    async def models(self, service: BaseService) -> tuple[ModelInfo, ...]:
        """Return the models that the service offers.

        Raises:
            MissingKey: Before anything is sent.
            ServiceError: If the service does not answer as asked.
        """
        headers = await self._opened(service)
        return await listed(service, headers, self._ensured().pool.connector)

    async def close(self) -> None:
        """Close the connections, and the services that brought a server of their own."""
        to_close, self._to_close = self._to_close, {}
        self._accounts.unshare()
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()
        for service in to_close.values():
            await service.close()

    def _ensured(self) -> Connections:
        if self._connections is None:
            self._connections = Connections()
        return self._connections

    async def _opened(self, service: BaseService) -> dict[str, str]:
        """Have a service ready to be asked; return the headers of its requests.

        Nothing is opened where the key is missing.
        """
        if service.key_at_hand:
            headers = service.request_headers()
        else:  # the keyring takes its time
            headers = await asyncio.to_thread(service.request_headers)
        kind = type(service)
        if kind.close is not BaseService.close:
            self._to_close[id(service)] = service
        if kind.open is not BaseService.open:
            await service.open()
        return headers

    def _account(self, service: BaseService) -> Account:
        """Return the service's account, with the limits that it states now."""
        account = self._accounts.of(service)
        account.share(service)
        return account
