"""What each request takes from its service's limits, however it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from nbconvo import tokens
from nbconvo.budget import Budget
from nbconvo.client import Client
from nbconvo.client.http import Pool
from nbconvo.errors import BudgetExceeded, NbConvoError, RateLimited, RequestTooLarge
from nbconvo.limiter import Permit
from nbconvo.services import ChatService
from nbconvo.testing import FakeProvider
from nbconvo.testing.limits import Limit, Limits
from nbconvo.tokens import estimate

from .conftest import KEY, QUESTION, Ask

PROMPT = tokens.prompt_tokens(QUESTION, "m")


async def test_a_reply_is_settled_to_its_usage(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider
):
    provider.reply("Hi.", usage={"prompt_tokens": 100, "completion_tokens": 23})
    await ask(max_tokens=5000)
    usage = client.limiter(service).usage()
    assert (usage.total_requests, usage.total_tokens, usage.in_flight) == (1, 123, 0)


async def test_a_reply_without_usage_is_settled_to_an_estimate(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider
):
    provider.reply("x" * 400, usage=False)
    answer = await ask()
    assert client.limiter(service).usage().total_tokens == answer.usage.total_tokens
    assert answer.usage.output_tokens == estimate("x" * 400)


@pytest.mark.parametrize(
    ("failing", "requests", "prompts"),
    [
        ("400", 1, 0),
        ("drop", 3, 3),
        ("silent", 1, 1),
        ("garbage", 1, 1),
        ("refused", 0, 0),
        ("missing option", 0, 0),
    ],
)
async def test_a_failure_is_settled_to_what_the_service_may_have_counted(
    client: Client, provider: FakeProvider, failing: str, requests: int, prompts: int
):
    service = ChatService(KEY, provider.base_url, timeout=0.1, max_attempts=3)
    options: dict[str, object] = {}
    if failing == "400":
        provider.error(400)
    elif failing == "drop":
        provider.drop(times=3)
    elif failing == "silent":
        service.max_attempts = 1
        provider.hang()
    elif failing == "garbage":
        provider.events(["data: <html>\n\n"])
    elif failing == "refused":
        provider.stop()
    else:
        options["stop"] = object()
    with pytest.raises(NbConvoError):
        await _read(client, service, **options)
    usage = client.limiter(service).usage()
    assert usage.in_flight == 0
    assert (usage.total_requests, usage.total_tokens) == (requests, prompts * PROMPT)


@pytest.mark.parametrize("silent", [True, False], ids=["before the first byte", "in mid-stream"])
async def test_a_cancelled_request_is_settled(
    client: Client, service: ChatService, provider: FakeProvider, silent: bool
):
    provider.hang() if silent else provider.reply("one two three", pace=20)
    task = asyncio.create_task(_read(client, service))
    await asyncio.to_thread(provider.wait_for_requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    usage = client.limiter(service).usage()
    assert (usage.in_flight, usage.queued, usage.total_requests) == (0, 0, 1)


async def test_a_reader_who_leaves_settles(
    client: Client, service: ChatService, provider: FakeProvider
):
    provider.reply("one two three", pace=20)
    async with aclosing(client.stream(service, QUESTION, "m", {"stream": True})) as batches:
        async for batch in batches:
            if any(delta.text for delta in batch):
                break
    assert client.limiter(service).usage().in_flight == 0


async def test_a_cancelled_wait_for_the_limit_sends_nothing(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, max_concurrent=1)
    provider.hang()
    tasks = [asyncio.create_task(_read(client, service)) for _ in range(2)]
    await asyncio.to_thread(provider.wait_for_requests)
    assert client.limiter(service).usage().queued == 1
    for task in reversed(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    usage = client.limiter(service).usage()
    assert (usage.in_flight, usage.queued, usage.total_requests) == (0, 0, 1)
    assert len(provider.requests) == 1


async def test_a_request_larger_than_the_limit_is_refused_with_the_numbers(
    client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, max_tokens_per_minute=500)
    async with aclosing(client.stream(service, QUESTION, "m", {"max_tokens": 5000})) as batches:
        with pytest.raises(RequestTooLarge, match=r"5,\d\d\d tokens is more than the 500"):
            await anext(batches)
    assert provider.requests == []


async def test_no_more_than_max_concurrent_are_sent_at_once(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, max_concurrent=2)
    for _ in range(6):
        provider.reply("Hi.", delay=0.02)
    most = 0

    async def one() -> None:
        nonlocal most
        async for _ in client.stream(service, QUESTION, "m", {"stream": True}):
            most = max(most, client.limiter(service).usage().in_flight)

    await asyncio.gather(*(one() for _ in range(6)))
    assert most == 2
    assert provider.connections == 2


async def test_a_wait_for_a_place_is_told(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, max_concurrent=1, name="fake")
    provider.hang()
    first = asyncio.create_task(_read(client, service))
    await asyncio.to_thread(provider.wait_for_requests)
    async with aclosing(client.stream(service, QUESTION, "m", {})) as batches:
        assert (await anext(batches))[
            0
        ].notice == "waiting for a place: the limit of fake is reached"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_wait_for_the_rate_is_told_in_seconds(
    ask: Ask, client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, max_requests_per_minute=2, name="fake")
    await ask(service)
    async with aclosing(client.stream(service, QUESTION, "m", {})) as batches:
        assert (await anext(batches))[0].notice == "waiting 30 s: the limit of fake is reached"


async def test_the_limiter_is_told_when_a_request_was_sent(
    ask: Ask, client: Client, service: ChatService, monkeypatch: pytest.MonkeyPatch
):
    late: list[float] = []
    limiter, connect = client.limiter(service), Pool.connect
    observe = limiter.observe

    async def slowly(*given: Any) -> Any:
        await asyncio.sleep(0.05)
        return await connect(*given)

    def observing(permit: Permit, *given: Any, **told: Any) -> None:
        late.append((permit.sent_at or 0.0) - permit.at)
        observe(permit, *given, **told)

    monkeypatch.setattr(Pool, "connect", slowly)
    monkeypatch.setattr(limiter, "observe", observing)
    await ask()
    assert 0.05 <= late[0] < 1.0


async def test_reservations_follow_the_replies_so_far(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider
):
    reserved = []
    service.max_tokens_per_minute = 1e6
    limiter = client.limiter(service)
    acquire_nowait = limiter.acquire_nowait

    def watched(tokens: int, **rest):
        reserved.append(tokens - PROMPT)
        return acquire_nowait(tokens, **rest)

    limiter.acquire_nowait = watched
    usage = {"prompt_tokens": 9, "completion_tokens": 40}
    for _ in range(2):
        provider.reply(choices=["a", "b"], usage=usage)
        await ask(n=2)
    await ask(max_tokens=7, n=3)
    assert reserved == [512, 40, 21]


# --- whose limits --------------------------------------------------------------------------


def test_services_with_one_account_share_a_limiter(client: Client):
    one, two = (ChatService(KEY, "http://127.0.0.1:1/v1") for _ in range(2))
    assert client.limiter(one) is client.limiter(two)


@pytest.mark.parametrize(
    "other",
    [ChatService("another", "http://127.0.0.1:1/v1"), ChatService(KEY, "http://127.0.0.1:2/v1")],
    ids=["another key", "another address"],
)
def test_other_accounts_have_limiters_of_their_own(client: Client, other: ChatService):
    assert client.limiter(ChatService(KEY, "http://127.0.0.1:1/v1")) is not client.limiter(other)


def test_a_service_that_sets_no_limit_does_not_lift_that_of_its_account(client: Client):
    url = "http://127.0.0.1:1/v1"
    limited = ChatService(KEY, url, max_requests_per_minute=10, max_concurrent=4)
    client.limiter(limited)
    usage = client.limiter(ChatService(KEY, url, max_concurrent=2)).usage()
    assert (usage.max_requests_per_minute, usage.max_concurrent) == (10, 2)


def test_a_service_that_is_gone_limits_nobody(client: Client):
    url = "http://127.0.0.1:1/v1"
    client.limiter(ChatService(KEY, url, max_requests_per_minute=10))
    usage = client.limiter(ChatService(KEY, url)).usage()
    assert usage.max_requests_per_minute is None


def test_a_limit_that_is_set_anew_holds_from_then_on(client: Client):
    service = ChatService(KEY, "http://127.0.0.1:1/v1", max_requests_per_minute=10)
    limiter = client.limiter(service)
    service.max_requests_per_minute = 20
    assert client.limiter(service) is limiter
    assert limiter.usage().max_requests_per_minute == 20


def test_a_limit_can_be_lifted(client: Client):
    url = "http://127.0.0.1:1/v1"
    one = ChatService(KEY, url, max_requests_per_minute=10, max_tokens_per_minute=500)
    two = ChatService(KEY, url, max_requests_per_minute=20)
    for service in (one, two):
        client.limiter(service)
    two.max_requests_per_minute = None
    usage = client.limiter(two).usage()
    assert (usage.max_requests_per_minute, usage.max_tokens_per_minute) == (10, 500)
    one.max_requests_per_minute = one.max_tokens_per_minute = None
    usage = client.limiter(two).usage()
    assert (usage.max_requests_per_minute, usage.max_tokens_per_minute) == (None, None)


def test_of_two_limits_that_of_the_service_that_asked_last_holds(client: Client):
    one, two = (
        ChatService(KEY, "http://127.0.0.1:1/v1", max_requests_per_minute=rate) for rate in (10, 20)
    )
    asked = [client.limiter(service).usage().max_requests_per_minute for service in (one, two, one)]
    assert asked == [10, 20, 10]


async def test_services_of_a_closed_client_limit_nobody(client: Client):
    url = "http://127.0.0.1:1/v1"
    client.limiter(ChatService(KEY, url, max_requests_per_minute=10))
    await client.close()
    assert client.limiter(ChatService(KEY, url)).usage().max_requests_per_minute is None


async def _read(client: Client, service: ChatService, **options: object) -> None:
    async for _ in client.stream(service, QUESTION, "m", {"stream": True, **options}):
        pass


# --- limits that the headers do not tell ---------------------------------------------------


async def _rows(client: Client, provider: FakeProvider, count: int) -> None:
    service = ChatService(KEY, provider.base_url)

    async def row() -> None:
        stream = client.stream(service, QUESTION, "m", {"stream": True, "max_tokens": 5}, bulk=1)
        async for _ in stream:
            pass

    await asyncio.gather(*(row() for _ in range(count)))


async def test_more_at_once_than_a_service_answers_lose_no_row(
    client: Client, provider: FakeProvider
):
    provider.limits = Limits(Limit("requests", 50_000), at_once=8)
    provider.respond(lambda request: "one two three")
    await _rows(client, provider, 300)
    assert provider.limits.admitted == 300
    assert provider.limits.refused < 30


async def test_bursts_that_a_service_refuses_without_a_word_lose_no_row(
    client: Client, provider: FakeProvider
):
    burst = Limit("requests", 1200, holds=0.1, told=False)
    provider.limits = Limits(Limit("requests", 1200), burst)
    provider.respond(lambda request: "one two three")
    await _rows(client, provider, 60)
    assert provider.limits.admitted == 60
    assert provider.limits.refused < 30


async def test_a_model_whose_limit_is_used_up_holds_up_no_other(
    client: Client, provider: FakeProvider
):
    a_day = 86_400
    provider.model_limits["small"] = Limits(Limit("requests", 2, period=a_day), dialect="groq")
    provider.model_limits["large"] = Limits(Limit("requests", 500, period=a_day), dialect="groq")
    service = ChatService(KEY, provider.base_url)

    async def ask(model: str) -> None:
        async for _ in client.stream(service, QUESTION, model, {"max_tokens": 5}):
            pass

    for model in ("small", "large", "small", "large"):
        await ask(model)
    with pytest.raises(RateLimited, match="used up"):
        await ask("small")
    for _ in range(10):
        await ask("large")
    assert provider.model_limits["small"].refused == provider.model_limits["large"].refused == 0
    assert provider.model_limits["large"].admitted == 12


async def test_a_stream_keeps_to_its_budgets(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, price=(1e6, 1e6))
    budget = Budget("the budget", "{}", 1000.0)
    provider.reply("Hi.", usage={"prompt_tokens": 100, "completion_tokens": 23})
    stream = client.stream(service, QUESTION, "m", {"max_tokens": 10}, budgets=[budget])
    async with aclosing(stream) as batches:
        assert [batch async for batch in batches]
    assert (budget.spent, budget.reserved) == (123.0, 0.0)
    stream = client.stream(service, QUESTION, "m", {"max_tokens": 1000}, budgets=[budget])
    with pytest.raises(BudgetExceeded):
        await anext(stream)
    assert len(provider.requests) == 1


async def test_a_level_that_nobody_tells_is_found_without_losing_a_row(
    client: Client, provider: FakeProvider
):
    provider.limits = Limits(Limit("requests", 300, holds=1), dialect="none")
    provider.respond(lambda request: "one two three")
    await _rows(client, provider, 20)
    assert provider.limits.admitted == 20
