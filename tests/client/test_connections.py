"""Connections: kept, shared, closed at once when nobody reads, and which way they go."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import aclosing

import aiohttp
import pytest

from nbconvo.client import Client
from nbconvo.client.connection import proxy_for
from nbconvo.errors import BadRequest, ConnectionFailed, InputError
from nbconvo.keys import remember
from nbconvo.services import ChatService, OpenAIService
from nbconvo.testing import FakeProvider

from .conftest import CERTIFICATE, KEY, QUESTION, Ask, serving


async def test_one_connection_serves_request_after_request(ask: Ask, provider: FakeProvider):
    for _ in range(3):
        await ask()
    await ask(stream=False)
    provider.reply("no [DONE]", done=False)
    await ask()
    provider.error(500)
    await ask()
    provider.error(400)
    with pytest.raises(BadRequest):
        await ask()
    await ask()
    assert provider.connections == 1


async def test_what_comes_after_done_does_not_cost_the_connection(ask: Ask, provider: FakeProvider):
    end = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    provider.events([end, ": bye\n\n"], pace=0.02)
    await ask()
    await ask()
    assert provider.connections == 1


async def test_services_share_the_pool(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider
):
    await ask()
    await ask(ChatService("another key", provider.base_url))
    await client.models(service)
    assert provider.connections == 1


async def test_no_request_waits_for_the_connections_of_others(
    client: Client, service: ChatService, provider: FakeProvider
):
    service.max_requests_per_minute = 60_000  # else it would begin gently
    for _ in range(300):
        provider.hang()
    tasks = [asyncio.create_task(_read(client, service)) for _ in range(300)]
    await asyncio.to_thread(provider.wait_for_requests, 300)
    provider.reply("And one more.")
    assert await _read(client, service) == "And one more."
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert client.limiter(service).usage().in_flight == 0


async def test_a_server_that_does_not_end_its_response_does_not_hold_the_reply_up(
    ask: Ask, provider: FakeProvider
):
    events = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    events += b"data: [DONE]\n\n"
    provider.raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
        + events,
        close=False,
    )
    before = time.monotonic()
    assert (await ask()).text == "Hi"
    assert time.monotonic() - before < 2


@pytest.mark.parametrize("silent", [True, False], ids=["before the first byte", "in mid-stream"])
async def test_a_cancelled_request_closes_its_connection_at_once(
    client: Client, service: ChatService, provider: FakeProvider, silent: bool
):
    if silent:
        provider.hang()
    else:
        provider.reply("one two three", pace=20)
    words = asyncio.Event()
    task = asyncio.create_task(_read(client, service, words))
    await asyncio.to_thread(provider.wait_for_requests)
    if not silent:
        await words.wait()
    cancelled = time.monotonic()
    task.cancel()
    (closed,) = await asyncio.to_thread(provider.wait_for_closed)
    assert closed.time - cancelled < 0.5
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_the_client_closes_its_connections_and_services(
    ask: Ask, provider: FakeProvider
):
    closed = []

    class Served(ChatService):
        async def open(self) -> None:
            closed.append("opened")

        async def close(self) -> None:
            closed.append("closed")

    client = Client()
    await _read(client, Served(KEY, provider.base_url))
    await client.close()
    assert closed == ["opened", "closed"]
    assert client._connections is None


async def test_a_closed_client_can_be_used_again(ask: Ask, client: Client, provider: FakeProvider):
    await ask()
    await client.close()
    await ask()
    assert provider.connections == 2


async def test_streams_over_tls_share_a_connection(client: Client):
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
            writer.write(b"transfer-encoding: chunked\r\n\r\n")
            for word in ("The ", "whale ", "sings."):
                await asyncio.sleep(0.01)
                event = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % word.encode()
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            end = b'data: {"choices":[{"finish_reason":"stop"}]}\n\n'
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))
        writer.close()

    at_home = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at_home.load_cert_chain(CERTIFICATE)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with serving(connected, ssl=at_home) as address:
        pool = client._ensured().pool
        await pool.close()
        pool._connector = aiohttp.TCPConnector(ssl=trusting)
        service = ChatService(KEY, f"https://{address}/v1")
        for _ in range(2):
            assert await _read(client, service) == "The whale sings."
    assert connections == 1


async def test_a_service_is_held_up_while_nobody_reads_and_then_goes_on(client: Client):
    words, times = b"whale " * 50_000, 40

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        event = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % words
        writer.writelines([event] * times)
        writer.write(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
        await writer.drain()
        writer.close()

    async with serving(connected) as address:
        service = ChatService(KEY, f"http://{address}/v1")
        reply = client.stream(service, QUESTION, "m", {"stream": True})
        async with aclosing(reply) as batches:
            said = sum([len(delta.text) for delta in await anext(batches)])
            (handler,) = client._ensured().pool.connector._acquired
            for _ in range(500):
                if handler._reading_paused:
                    break
                await asyncio.sleep(0.01)
            assert handler._reading_paused
            async for batch in batches:
                said += sum(len(delta.text) for delta in batch)
    assert said == times * len(words)


async def test_the_end_comes_though_it_lay_in_the_parser_while_nobody_read(client: Client):
    # As many chunks as aiohttp keeps unread, of one byte each: its parser then holds back a rest.
    unread, goes_on = 16_384, asyncio.Event()
    event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    end = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'

    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n" + chunk(event))
        await asyncio.sleep(0.1)
        tiny = b": " + b"x" * (unread - 3) + b"\n"
        for start in range(0, unread, 2_000):
            writer.write(b"".join([chunk(b"%c" % byte) for byte in tiny[start : start + 2_000]]))
            await writer.drain()
        await goes_on.wait()
        writer.write(chunk(event) + chunk(event) + chunk(end) + b"0\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with serving(connected) as address:
        service = ChatService(KEY, f"http://{address}/v1", timeout=5)
        said = ""
        reply = client.stream(service, QUESTION, "m", {"stream": True})
        async with aclosing(reply) as batches:
            async for batch in batches:
                said += "".join(delta.text for delta in batch)
                if not goes_on.is_set():
                    await asyncio.sleep(0.5)
                    asyncio.get_running_loop().call_later(0.2, goes_on.set)
    assert said == "aaa"


# --- before the first request ----------------------------------------------------------------


async def test_a_warmed_connection_serves_the_first_request(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider, pauses: list[float]
):
    await client.warm(service)
    await client.warm(service)
    assert await asyncio.to_thread(_connections, provider) == 1
    assert provider.requests == []
    assert len(pauses) == 1
    await ask()
    assert provider.connections == 1


async def test_a_service_that_is_asked_at_once_is_not_warmed(service: ChatService):
    async def sleep(_: float) -> None:
        client.limiter(service)

    client = Client(sleep=sleep)
    await client.warm(service)
    assert client._connections is None


async def test_a_service_that_cannot_be_reached_is_warmed_without_a_word(
    client: Client, service: ChatService, provider: FakeProvider, pauses: list[float]
):
    provider.stop()
    await client.warm(service)
    assert len(pauses) == 1


async def test_a_service_without_its_key_or_with_more_to_open_is_not_warmed(
    client: Client, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    class Served(ChatService):
        async def open(self) -> None:
            raise AssertionError

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    await client.warm(OpenAIService())
    await client.warm(Served(KEY, provider.base_url))
    assert client._connections is None


# --- headers -------------------------------------------------------------------------------


async def test_the_key_goes_into_its_header_and_nowhere_else(ask: Ask, provider: FakeProvider):
    await ask()
    request = provider.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.json) + request.path
    assert [name for name, value in request.headers.items() if KEY in value] == ["authorization"]


async def test_json_is_sent_as_json(ask: Ask, provider: FakeProvider):
    await ask()
    assert provider.requests[0].headers["content-type"] == "application/json"


async def test_a_given_key_stays_known_however_many_others_are_used(
    ask: Ask, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url)
    for number in range(100):
        remember(f"another-secret-{number:04}")
    provider.reply(f"it is {KEY} ok")
    assert (await ask(service)).text == "it is [key] ok"


async def test_without_a_key_there_is_no_authorization(ask: Ask, provider: FakeProvider):
    await ask(ChatService(base_url=provider.base_url))
    assert "authorization" not in provider.requests[0].headers


async def test_the_users_headers_are_sent_over_the_services_own(ask: Ask, provider: FakeProvider):
    headers = {"X-Title": "whales", "authorization": "Token 7", "Content-Type": "application/x"}
    await ask(ChatService(KEY, provider.base_url, headers=headers))
    sent = provider.requests[0].headers
    assert sent["x-title"] == "whales"
    assert sent["authorization"] == "Token 7"
    assert sent["content-type"] == "application/x"


async def test_cookies_are_not_kept(ask: Ask, provider: FakeProvider):
    provider.reply("Hi.", headers={"set-cookie": "who=me"})
    await ask()
    await ask()
    assert "cookie" not in provider.requests[1].headers


# --- proxies -------------------------------------------------------------------------------


async def test_no_proxy_stands_between_this_machine_and_itself(
    ask: Ask, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await ask()).text
    assert proxy_for("http://localhost:11434/v1") is None
    assert proxy_for("http://[::1]:8080/v1") is None


async def test_the_environments_proxy_leads_to_other_machines(
    ask: Ask, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", provider.base_url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "inside.example")
    assert (await ask(ChatService(KEY, "http://models.example/v1"))).text
    assert provider.requests[0].path == "http://models.example/v1/chat/completions"
    assert proxy_for("http://models.inside.example/v1") is None


async def test_a_proxy_that_the_environment_names_later_is_taken(
    ask: Ask, client: Client, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("nbconvo.client.http._PROXY_BELIEVED", 0.0)
    service = ChatService(KEY, provider.base_url.replace("127.0.0.1", "127.0.0.1.nip.invalid"))
    with pytest.raises(ConnectionFailed):
        await ask(service)
    monkeypatch.setenv("http_proxy", provider.base_url.removesuffix("/v1"))
    assert (await ask(service)).text
    pool = client._ensured().pool
    ways = [pool.route("POST", service.base_url, {}) for _ in range(2)]
    assert ways[0] is ways[1]


async def test_a_proxy_without_a_scheme_is_an_http_one(
    ask: Ask, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", provider.base_url.removesuffix("/v1").removeprefix("http://"))
    assert (await ask(ChatService(KEY, "http://models.example/v1"))).text
    monkeypatch.setenv("https_proxy", "me:word@proxy.local:3128")
    assert str(proxy_for("https://models.example/v1")) == "http://me:word@proxy.local:3128"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:pass@proxy.local:1080",
        "http://me:pass@:3128",
        "me:pass@proxy.local:port",
        "http://me:pass@proxy.local:99999",
        "http://me:pass@[proxy.local:3128",
    ],
    ids=["SOCKS", "no host", "a port in letters", "a port too large", "half a bracket"],
)
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    client: Client, monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str
):
    monkeypatch.setenv(f"{scheme}_proxy".upper(), proxy)
    service = ChatService(KEY, f"{scheme}://models.example/v1")
    with pytest.raises(InputError, match=rf"of {scheme.upper()}_PROXY cannot be used") as raised:
        await _read(client, service)
    assert "pass" not in str(raised.value)
    assert "base_url" not in str(raised.value)
    usage = client.limiter(service).usage()
    assert (usage.in_flight, usage.queued, usage.total_requests) == (0, 0, 0)


def _connections(provider: FakeProvider) -> int:
    """How many there are once there is one, or after 5 seconds."""
    end = time.monotonic() + 5
    while not provider.connections and time.monotonic() < end:
        time.sleep(0.01)
    return provider.connections


async def _read(client: Client, service: ChatService, words: asyncio.Event | None = None) -> str:
    said = ""
    async for batch in client.stream(service, QUESTION, "m", {"stream": True}):
        said += "".join(delta.text for delta in batch)
        if words is not None and said:
            words.set()
    return said
