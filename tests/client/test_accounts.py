"""What is told of each account that was asked: its limits, and what its replies took."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from nbconvo.client import AccountUsage, Client
from nbconvo.client.accounts import Accounts
from nbconvo.errors import InputError, NbConvoError, StreamCut
from nbconvo.messages import Usage
from nbconvo.services import ChatService
from nbconvo.testing import FakeProvider

from .conftest import KEY, QUESTION, Ask

FIGURES = {"prompt_tokens": 10, "completion_tokens": 4}


def only(client: Client) -> AccountUsage:
    (account,) = client.accounts()
    return account


async def test_an_account_tells_its_service_address_limits_and_usage(
    ask: Ask, client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, name="fake", max_requests_per_minute=60)
    provider.reply("Hi.", usage={**FIGURES, "cost": 0.25})
    await ask(service)
    account = only(client)
    assert (account.name, account.address) == ("fake", provider.base_url)
    assert (account.limits.max_requests_per_minute, account.limits.total_tokens) == (60, 14)
    assert account.usage == Usage(10, 4, cost=0.25, requests=1)
    assert (len(account.history), sum(account.history)) == (60, 1)


async def test_nothing_told_of_an_account_holds_its_key(ask: Ask, client: Client):
    await ask()
    assert KEY not in repr(client.accounts())
    assert "Key(" not in repr(client.accounts())


def test_a_limit_that_cannot_be_kept_is_refused_each_time_and_harms_no_other_service():
    class Odd(ChatService):
        @property
        def max_requests_per_minute(self) -> float:
            return -5

        @max_requests_per_minute.setter
        def max_requests_per_minute(self, value: object) -> None:
            pass

    odd, other = Odd(KEY, "http://127.0.0.1:1/v1"), ChatService(KEY, "http://127.0.0.1:1/v1")
    account = Accounts().of(odd)
    for _ in range(2):
        with pytest.raises(InputError, match="must be a number above 0"):
            account.share(odd)
        account.share(other)


def test_a_limit_that_is_stated_again_holds_again_whoever_asked_meanwhile():
    service, other = (
        ChatService(KEY, "http://127.0.0.1:1/v1", max_requests_per_minute=60) for _ in range(2)
    )
    account = Accounts().of(service)
    for _ in range(2):
        account.share(service)
    account.share(other)
    del other
    for limit in (200, 60):
        service.max_requests_per_minute = limit
        account.share(service)
        assert account.limiter.usage().max_requests_per_minute == limit


# --- which accounts ------------------------------------------------------------------------


async def test_an_account_that_was_never_asked_is_not_told_of(
    client: Client, service: ChatService, provider: FakeProvider
):
    assert client.accounts() == ()
    client.limiter(service)
    await client.models(service)
    assert client.accounts() == ()


async def test_an_account_whose_service_cannot_be_reached_was_asked(
    ask: Ask, client: Client, provider: FakeProvider
):
    provider.stop()
    with pytest.raises(NbConvoError):
        await ask()
    assert only(client).limits.total_requests == only(client).limits.retries == 0
    assert only(client).usage == Usage()


async def test_two_keys_at_one_service_have_two_names(
    ask: Ask, client: Client, provider: FakeProvider
):
    client.limiter(ChatService("never asked", provider.base_url, name="fake"))
    for key in ("one", "two", "one", "three"):
        await ask(ChatService(key, provider.base_url, name="fake"))
    told = [(account.name, account.usage.requests) for account in client.accounts()]
    assert told == [("fake", 2), ("fake (2)", 1), ("fake (3)", 1)]


async def test_services_with_one_account_are_one_by_the_name_that_asked_first(
    ask: Ask, client: Client, provider: FakeProvider
):
    for name in ("one", "two"):
        await ask(ChatService(KEY, provider.base_url, name=name))
    assert (only(client).name, only(client).usage.requests) == ("one", 2)


async def test_closing_the_connections_keeps_what_was_used(ask: Ask, client: Client):
    await ask()
    before = only(client)
    await client.close()
    assert only(client).usage == before.usage
    assert only(client).limits.total_requests == 1


# --- what its replies took -----------------------------------------------------------------


async def test_tokens_and_cost_of_all_replies_add_up(
    ask: Ask, client: Client, provider: FakeProvider
):
    for cost in (0.25, 0.5):
        provider.reply("Hi.", usage={**FIGURES, "cost": cost})
        await ask()
    assert only(client).usage == Usage(20, 8, cost=0.75, requests=2)


async def test_one_reply_of_unknown_cost_makes_the_cost_unknown_for_good(
    ask: Ask, client: Client, provider: FakeProvider
):
    for figures in ({**FIGURES, "cost": 0.25}, FIGURES, {**FIGURES, "cost": 0.25}):
        provider.reply("Hi.", usage=figures)
        await ask()
    assert only(client).usage == Usage(30, 12, cost=None, requests=3)


async def test_a_reply_without_usage_is_counted_by_estimate(
    ask: Ask, client: Client, provider: FakeProvider
):
    provider.reply("x" * 400, usage=False)
    answer = await ask()
    assert only(client).usage == answer.usage
    assert only(client).usage.estimated


async def test_attempts_without_a_reply_leave_the_cost_known(
    ask: Ask, client: Client, provider: FakeProvider
):
    provider.error(500)
    provider.drop()
    provider.error(429, headers={"retry-after-ms": "5"})
    provider.reply("Hi.", usage={**FIGURES, "cost": 0.25})
    await ask()
    assert only(client).usage == Usage(10, 4, cost=0.25, requests=1)
    assert (only(client).limits.total_requests, only(client).limits.retries) == (4, 3)
    assert only(client).limits.rate_limited == 1


async def test_a_reply_that_broke_off_took_tokens_at_an_unknown_cost(
    ask: Ask, client: Client, provider: FakeProvider
):
    provider.reply("Hi.", usage={**FIGURES, "cost": 0.25})
    await ask()
    provider.events([{"choices": [{"index": 0, "delta": {"content": "word " * 10}}]}])
    with pytest.raises(StreamCut):
        await ask()
    usage = only(client).usage
    assert (usage.output_tokens, usage.cost, usage.requests) == (14, None, 2)
    assert usage.estimated


async def test_a_reply_that_broke_off_after_its_usage_counts_by_that(
    ask: Ask, client: Client, provider: FakeProvider
):
    event = {"choices": [{"index": 0, "delta": {"content": "x" * 40}}]}
    provider.events([{**event, "usage": {**FIGURES, "cost": 0.25}}])
    with pytest.raises(StreamCut):
        await ask()
    assert only(client).usage == Usage(10, 4, cost=0.25, requests=1)


async def test_a_reply_that_its_reader_left_is_counted(
    client: Client, service: ChatService, provider: FakeProvider
):
    provider.reply("one two three", pace=20)
    async with aclosing(client.stream(service, QUESTION, "m", {"stream": True})) as batches:
        async for batch in batches:
            if any(delta.text for delta in batch):
                break
    usage = only(client).usage
    assert (usage.requests, usage.cost, usage.estimated) == (1, None, True)


# --- while it goes on ----------------------------------------------------------------------


async def test_who_waits_for_the_limit_is_told_of_while_waiting(
    client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, max_concurrent=1)
    provider.hang()

    async def read() -> None:
        async for _ in client.stream(service, QUESTION, "m", {"stream": True}):
            pass

    tasks = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.to_thread(provider.wait_for_requests)
    limits = (await asyncio.to_thread(only, client)).limits
    assert (limits.in_flight, limits.queued) == (1, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_accounts_can_be_read_from_another_thread_while_requests_pass():
    accounts, stop = Accounts(), threading.Event()
    seen: list[tuple[AccountUsage, ...]] = []

    def watch() -> None:
        while not stop.is_set():
            seen.append(accounts.usages())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for key in range(300):
        service = ChatService(f"key {key}", "http://127.0.0.1:1/v1", name="fake")
        accounts.show(account := accounts.of(service), service)
        for _ in range(20):
            permit = await account.limiter.acquire(14)
            account.settle(permit, 14, Usage(10, 4, requests=1))
    stop.set()
    watcher.join()
    counts = [len(told) for told in seen]
    assert counts == sorted(counts)
    assert all(
        account.usage.total_tokens == 14 * account.usage.requests
        for told in seen
        for account in told
    )
    assert [account.usage.requests for account in accounts.usages()] == [20] * 300
