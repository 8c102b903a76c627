"""Faults: nothing lost, nothing asked twice after its first delta, the limiter's books balanced."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import threading
import time
from collections import Counter

import pytest

from nbconvo.client import Client
from nbconvo.client.circuit import Circuit
from nbconvo.errors import (
    BadRequest,
    ConnectionFailed,
    ServerFailed,
    ServiceDown,
    StreamCut,
    TimedOut,
)
from nbconvo.messages import Message
from nbconvo.services import ChatService, OpenAIService
from nbconvo.testing import FakeProvider

from .conftest import CERTIFICATE, KEY, QUESTION, Answer, Ask, serving


def balanced(client: Client, service: ChatService) -> bool:
    usage = client.limiter(service).usage()
    return usage.in_flight == 0 and usage.queued == 0


async def one(client: Client, service: ChatService) -> str:
    batches = client.stream(service, QUESTION, "m", {"stream": True})
    return "".join([delta.text async for batch in batches for delta in batch])


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


async def test_a_name_without_an_address_is_told_and_was_never_sent(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    async def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    service = ChatService(KEY, "http://models.example/v1", name="fake", max_attempts=1)
    with pytest.raises(ConnectionFailed, match=r"no address found for models\.example"):
        await one(client, service)
    assert client.limiter(service).usage().total_requests == 0
    assert balanced(client, service)


async def test_a_self_signed_certificate_is_told_and_nothing_is_sent(client: Client):
    received = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with serving(connected, ssl=context) as address:
        service = ChatService(KEY, f"https://{address}/v1", name="fake")
        said = r"fake: the certificate of 127\.0\.0\.1 is not trusted: .*self.signed"
        with pytest.raises(ConnectionFailed, match=said):
            await one(client, service)
    assert received == []
    assert client.limiter(service).usage().total_requests == 0
    assert balanced(client, service)


async def test_a_server_that_takes_no_connection_is_given_up(client: Client):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):  # fill its queue: what comes after is left without an answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        service = ChatService(
            KEY,
            f"http://127.0.0.1:{server.getsockname()[1]}/v1",
            name="fake",
            connect_timeout=0.2,
            max_attempts=2,
        )
        with pytest.raises(ConnectionFailed, match=r"no connection within 0\.2 s.*tried 2 times"):
            await one(client, service)
    assert client.limiter(service).usage().total_requests == 0
    assert balanced(client, service)


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in mid-stream"])
async def test_a_half_closed_connection_is_a_lost_one(client: Client, ask: Ask, begun: bool):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    event = b'data: {"choices":[{"index":0,"delta":{"content":"The whale"}}]}\n\n'
    asked, left = 0, asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        if begun:
            writer.write(head + event)
        writer.write_eof()  # the server says no more, and would still listen
        await reader.read()
        left.set()
        writer.close()

    answer = Answer()
    async with serving(connected) as address:
        service = ChatService(KEY, f"http://{address}/v1", name="fake", max_attempts=2)
        with pytest.raises(StreamCut if begun else ConnectionFailed):
            await ask(service, into=answer)
        async with asyncio.timeout(5):
            await left.wait()  # the client has closed its side, too
    assert answer.text == ("The whale" if begun else "")
    assert asked == (1 if begun else 2)
    assert balanced(client, service)


async def test_a_kept_connection_that_was_half_closed_is_not_used_again(client: Client):
    reply = b'{"choices":[{"message":{"content":"Hi."},"finish_reason":"stop"}]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    connections, ended = 0, asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head % len(reply) + reply)
        writer.write_eof()
        await reader.read()
        ended.set()
        writer.close()

    async with serving(connected) as address:
        service = ChatService(KEY, f"http://{address}/v1", name="fake")
        assert await one(client, service) == "Hi."
        async with asyncio.timeout(5):
            await ended.wait()
        assert await one(client, service) == "Hi."
    assert connections == 2
    assert balanced(client, service)


async def test_what_came_while_the_loop_was_blocked_counts(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, timeout=0.2)
    provider.reply("a b c", delay=0.1)
    task = asyncio.create_task(one(client, service))
    await asyncio.to_thread(provider.wait_for_requests)
    time.sleep(0.5)  # noqa: ASYNC251 - it is what is tested
    assert await task == "a b c"
    assert balanced(client, service)


async def test_cancels_in_random_places_leave_the_books_balanced(client: Client):
    """And nothing is asked twice: what breaks off does so after its first delta."""
    chance = random.Random(4)

    async def ask(number: int) -> str:
        messages = (Message(role="user", content=f"question {number}"),)
        batches = client.stream(service, messages, "m", {"stream": True})
        return "".join([delta.text async for batch in batches for delta in batch])

    with FakeProvider(cut=None) as provider:
        for number in range(1000):
            provider.reply("The whale sings.", end_after=None if number % 3 else 1)
        service = ChatService(KEY, provider.base_url, max_concurrent=50)
        tasks = [asyncio.create_task(ask(number)) for number in range(1000)]
        for task in tasks:
            asyncio.get_running_loop().call_later(chance.random(), task.cancel)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = Counter(type(result) for result in done)
        assert kinds.keys() == {str, asyncio.CancelledError, StreamCut}
        assert balanced(client, service)
        asked = Counter(request.json["messages"][-1]["content"] for request in provider.requests)
        assert set(asked.values()) == {1}
        # What is left of the script breaks off every third time.
        two = await asyncio.gather(ask(1000), ask(1001), return_exceptions=True)
        assert "The whale sings." in two


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
    with pytest.raises(ConnectionFailed):  # what is asked anew is not refused
        await one(client, service)
    assert balanced(client, service)
    await client.close()


@pytest.mark.parametrize("limits", [{}, {"max_concurrent": 8}, {"max_requests_per_minute": 600}])
async def test_of_many_rows_few_are_sent_to_a_service_that_is_down(
    provider: FakeProvider, limits: dict[str, int]
):
    client = Client(sleep=lambda _: asyncio.sleep(0.01))  # as long as others take their turn
    service = ChatService(KEY, provider.base_url, name="fake", **limits)
    provider.error(503, times=5000)
    results = await asyncio.gather(
        *(one(client, service) for _ in range(1000)), return_exceptions=True
    )
    assert Counter(map(type, results)).keys() == {ServerFailed, ServiceDown}
    assert len(provider.requests) <= 100
    assert balanced(client, service)
    await client.close()


async def test_a_few_attempts_that_fail_in_a_row_hold_up_the_others_until_one_is_answered(
    client: Client, service: ChatService, provider: FakeProvider
):
    provider.error(500, times=12)
    tasks = [asyncio.create_task(one(client, service)) for _ in range(40)]
    assert await asyncio.gather(*tasks) == ["Hello from the fake provider."] * 40
    assert len(provider.requests) == 52
    assert balanced(client, service)


async def test_who_waits_for_another_model_that_fails_tries_next_and_is_answered(
    client: Client, service: ChatService, provider: FakeProvider
):
    circuit = client._account(service).circuit
    for by in range(5):
        circuit.goes_on(ConnectionFailed("fake: refused"), by)
    waiting = asyncio.create_task(one(client, service))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    circuit.gave_up(ConnectionFailed("fake: refused"), 4)
    assert await waiting == "Hello from the fake provider."
    assert (circuit.failures, circuit.is_tried) == (0, False)


def opened(now: float = 0.0) -> Circuit:
    circuit = Circuit("fake", lambda: now)
    for _ in range(5):
        assert circuit.admit(None, 0)
        circuit.gave_up(ConnectionFailed("fake: refused"))
    return circuit


def test_who_was_asked_before_the_circuit_opened_is_refused_until_a_pause_is_over():
    now = 0.0
    circuit = Circuit("fake", lambda: now)
    for _ in range(5):
        circuit.gave_up(ConnectionFailed("fake: refused"))
    with pytest.raises(ServiceDown, match=r"the last with: fake: refused; ask again, best in 5 s"):
        circuit.admit("old", 4)
    now = 5.0
    assert circuit.admit("old", 4)


def test_of_those_that_are_asked_later_one_tries_and_an_answer_closes_the_circuit():
    circuit = opened()
    assert circuit.admit("one", circuit.failures)
    assert not circuit.admit("two", circuit.failures)
    circuit.answered()
    assert circuit.admit("two", 5)
    assert not circuit.is_tried


def test_only_a_request_that_tries_in_vain_makes_the_pause_longer():
    circuit = opened()
    for _ in range(25):  # they were under way with the others
        circuit.gave_up(ConnectionFailed("fake: refused"))
    with pytest.raises(ServiceDown, match="best in 5 s"):
        circuit.admit("old", 0)
    assert circuit.admit("one", circuit.failures)
    circuit.gave_up(ConnectionFailed("fake: refused"), "one")
    with pytest.raises(ServiceDown, match="best in 10 s"):
        circuit.admit("old", 0)


async def batch_after_an_outage(
    client: Client, service: ChatService, provider: FakeProvider, rows: int = 30
) -> list[asyncio.Task[str]]:
    provider.error(503, times=5 * 5)
    for _ in range(5):
        with pytest.raises(ServerFailed):
            await one(client, service)
    return [asyncio.create_task(one(client, service)) for _ in range(rows)]


@pytest.mark.parametrize("limits", [{}, {"max_concurrent": 1}, {"max_requests_per_minute": 6000}])
async def test_the_first_batch_on_a_recovered_service_is_answered(
    client: Client, provider: FakeProvider, limits: dict[str, int]
):
    service = ChatService(KEY, provider.base_url, name="fake", **limits)
    tasks = await batch_after_an_outage(client, service, provider)
    assert await asyncio.gather(*tasks) == ["Hello from the fake provider."] * 30
    assert len(provider.requests) == 25 + 30
    assert balanced(client, service)


async def test_where_the_one_that_tries_fails_the_others_are_not_sent(
    client: Client, service: ChatService, provider: FakeProvider
):
    tasks = await batch_after_an_outage(client, service, provider)
    provider.error(503, times=99)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert Counter(map(type, results)) == {ServerFailed: 1, ServiceDown: 29}
    assert len(provider.requests) == 25 + 5
    assert balanced(client, service)


async def test_who_waits_for_the_one_that_tries_goes_on_with_its_first_words(
    client: Client, service: ChatService, provider: FakeProvider
):
    tasks = await batch_after_an_outage(client, service, provider, rows=2)
    hold = threading.Event()
    provider.reply("a b c", hold=hold)
    assert await tasks[1] == "Hello from the fake provider."
    assert not tasks[0].done()
    hold.set()
    assert await tasks[0] == "a b c"


async def test_where_the_one_that_tries_is_cancelled_the_next_one_tries(
    client: Client, service: ChatService, provider: FakeProvider
):
    tasks = await batch_after_an_outage(client, service, provider)
    provider.hang()
    await asyncio.to_thread(provider.wait_for_requests, 26)
    for task in tasks[:3]:  # two of them wait
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert Counter(map(type, results)) == {asyncio.CancelledError: 3, str: 27}
    assert len(provider.requests) == 25 + 1 + 27
    assert balanced(client, service)


async def test_who_waits_for_the_one_that_tries_is_told_and_holds_no_permit(
    client: Client, service: ChatService, provider: FakeProvider
):
    tasks = await batch_after_an_outage(client, service, provider, rows=1)
    provider.hang()
    await asyncio.to_thread(provider.wait_for_requests, 26)
    waiting = client.stream(service, QUESTION, "m", {"stream": True})
    (delta,) = await anext(waiting)
    assert delta.notice.startswith("waiting: fake seems to be down")
    assert client.limiter(service).usage().in_flight == 1
    await waiting.aclose()
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert balanced(client, service)


async def test_a_refusal_of_the_one_that_tries_lets_the_others_go_on(
    client: Client, service: ChatService, provider: FakeProvider
):
    tasks = await batch_after_an_outage(client, service, provider)
    provider.error(400)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert Counter(map(type, results)) == {BadRequest: 1, str: 29}


async def test_an_idempotency_key_is_kept_over_attempts(client: Client, provider: FakeProvider):
    provider.error(500)
    await one(client, OpenAIService(KEY, provider.base_url))
    await one(client, OpenAIService(KEY, provider.base_url))
    await one(client, ChatService(KEY, provider.base_url))
    keys = [request.headers.get("idempotency-key") for request in provider.requests]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] is None


def test_services_that_hang_are_down_too_but_not_those_that_break_off():
    circuit = Circuit("fake")
    for _ in range(9):
        circuit.gave_up(TimedOut("silent"), begun=True)
    assert circuit.failures == 0
    for _ in range(5):
        circuit.gave_up(TimedOut("silent"))
    assert circuit.failures == 5


async def test_a_whole_reply_that_stalls_is_paid_for_once(client: Client):
    asked = 0

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b'Content-Length: 99\r\n\r\n{"choices"')
        await reader.read()
        writer.close()

    async with serving(stall) as url:
        with pytest.raises(TimedOut, match="in the middle of the reply"):
            await one(client, ChatService(KEY, f"http://{url}", timeout=0.1))
    assert asked == 1


async def test_a_long_way_out_is_no_silence(client: Client):
    async def sip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while left > 0:
            await asyncio.sleep(0.02)
            left -= len(await reader.read(400_000))
        body = b'{"choices":[{"index":0,"message":{"content":"Hi."},"finish_reason":"stop"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    long = [Message(role="user", content="whale " * 3_000_000)]
    async with serving(sip) as url:
        service = ChatService(KEY, f"http://{url}", timeout=0.4, max_attempts=1)
        batches = client.stream(service, long, "m", {})
        assert "".join([delta.text async for batch in batches for delta in batch]) == "Hi."
