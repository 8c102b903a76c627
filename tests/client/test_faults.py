"""Faults: nothing lost, nothing asked twice after its first delta, the limiter's books balanced."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from nbconvo.client import Client
from nbconvo.client.circuit import Circuit
from nbconvo.errors import ConnectionFailed, ServerFailed, ServiceDown, TimedOut
from nbconvo.services import ChatService, OpenAIService
from nbconvo.testing import FakeProvider

from .conftest import KEY, QUESTION, Answer, Ask


def balanced(client: Client, service: ChatService) -> bool:
    usage = client.limiter(service).usage()
    return usage.in_flight == 0 and usage.queued == 0


async def one(client: Client, service: ChatService) -> str:
    deltas = client.stream(service, QUESTION, "m", {"stream": True})
    return "".join([delta.text async for delta in deltas])


async def test_a_slow_drip_ends_when_it_takes_too_long_in_all(ask: Ask, provider: FakeProvider):
    provider.reply("a b c d e f g h", pace=0.1)
    service = ChatService(KEY, provider.base_url, timeout=5, total_timeout=0.35)
    answer = Answer()
    with pytest.raises(TimedOut, match=r"not complete within 0\.35 s; .* total_timeout="):
        await ask(service, into=answer)
    assert answer.text.startswith("a")
    assert len(provider.requests) == 1


async def test_attempts_end_when_the_total_time_does(ask: Ask, provider: FakeProvider):
    provider.error(500, times=9)
    with pytest.raises(ServerFailed, match="tried 2 times"):
        await ask(ChatService(KEY, provider.base_url, max_attempts=9, total_timeout=1.2))
    assert len(provider.requests) == 2


async def test_a_page_of_a_gateway_is_no_words_of_the_service(ask: Ask, provider: FakeProvider):
    provider.error(502, "<html>Bad Gateway</html>", headers={"content-type": "text/html"})
    provider.reply("Hi.")
    assert (await ask()).text == "Hi."


async def test_a_name_without_an_address_is_told_and_was_never_sent(client: Client):
    service = ChatService(KEY, "http://models.invalid/v1", name="fake", max_attempts=1)
    with pytest.raises(ConnectionFailed, match=r"no address found for models\.invalid"):
        await one(client, service)
    assert client.limiter(service).usage().total_requests == 0


async def test_what_came_while_the_loop_was_blocked_counts(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, timeout=0.2)
    provider.reply("a b c", delay=0.1)
    task = asyncio.create_task(one(client, service))
    await asyncio.to_thread(provider.wait_for_requests)
    time.sleep(0.5)  # noqa: ASYNC251 - it is what is tested
    assert await task == "a b c"
    assert balanced(client, service)


async def test_cancels_in_random_places_leave_the_books_balanced(client: Client):
    chance = random.Random(4)
    with FakeProvider(cut=None) as provider:
        service = ChatService(KEY, provider.base_url, max_concurrent=50)
        tasks = [asyncio.create_task(one(client, service)) for _ in range(1000)]
        for task in tasks:
            asyncio.get_running_loop().call_later(chance.random(), task.cancel)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = {type(result) for result in done}
        assert kinds <= {str, asyncio.CancelledError}
        assert balanced(client, service)
        assert len(provider.requests) <= 1000
        assert await one(client, service)


async def test_a_service_that_is_down_is_not_asked_by_everybody(provider: FakeProvider):
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    provider.stop()
    client = Client(sleep=sleep)
    service = ChatService(KEY, provider.base_url, max_concurrent=3, name="fake")
    tasks = [one(client, service) for _ in range(60)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    down = [result for result in results if isinstance(result, ServiceDown)]
    assert len(down) > 40
    assert str(down[0]).startswith("fake seems to be down, so this was not sent")
    with pytest.raises(ConnectionFailed):  # who is alone is not refused
        await one(client, service)
    assert balanced(client, service)
    await client.close()


def test_an_open_circuit_lets_one_try_after_a_pause_and_an_answer_closes_it():
    now = 0.0
    circuit = Circuit("fake", lambda: now)
    for _ in range(5):
        circuit.admit(lambda: False)
        circuit.gave_up(ConnectionFailed("fake: refused"))
    with pytest.raises(ServiceDown):
        circuit.admit(lambda: False)
    now = 5.0
    circuit.admit(lambda: False)
    with pytest.raises(ServiceDown):
        circuit.admit(lambda: False)
    circuit.answered()
    circuit.admit(lambda: False)


async def test_an_idempotency_key_is_kept_over_attempts(client: Client, provider: FakeProvider):
    provider.error(500)
    await one(client, OpenAIService(KEY, provider.base_url))
    await one(client, OpenAIService(KEY, provider.base_url))
    await one(client, ChatService(KEY, provider.base_url))
    keys = [request.headers.get("idempotency-key") for request in provider.requests]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] is None
