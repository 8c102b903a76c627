"""The life of the provider, its queue, its journal and its connections."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import urllib.request
from dataclasses import FrozenInstanceError
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from nbconvo.testing import FakeProvider


def connect(provider: FakeProvider) -> socket.socket:
    address = urlsplit(provider.base_url)
    return socket.create_connection((address.hostname, address.port), timeout=5)


def post(body: bytes, headers: str = "") -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(4096), b""))


# -- life --------------------------------------------------------------------------------------


def test_it_listens_on_loopback_only(provider: FakeProvider):
    assert urlsplit(provider.base_url).hostname == "127.0.0.1"
    assert provider.base_url.endswith("/v1")


def test_two_providers_have_two_addresses():
    with FakeProvider() as one, FakeProvider() as other:
        assert one.base_url != other.base_url


def test_there_is_no_address_before_the_start():
    with pytest.raises(RuntimeError, match="start"):
        FakeProvider().base_url  # noqa: B018


def test_it_cannot_be_started_twice(provider: FakeProvider):
    with pytest.raises(RuntimeError, match="running"):
        provider.start()


def test_after_stop_connections_are_refused_and_the_thread_is_gone():
    before = set(threading.enumerate())
    provider = FakeProvider().start()
    provider.stop()
    provider.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(provider)
    assert set(threading.enumerate()) <= before


def test_stop_closes_what_hangs_and_does_not_call_it_early():
    with FakeProvider() as provider:
        provider.hang()
        connection = connect(provider)
        connection.sendall(post(b"{}"))
        provider.wait_for_requests()
    with connection:
        assert read_all(connection) == b""
    assert provider.closed == []


def test_it_starts_again_after_a_stop():
    provider = FakeProvider().start()
    provider.stop()
    with provider, connect(provider):
        pass


def test_it_can_be_used_inside_a_running_event_loop_with_a_sync_client(provider: FakeProvider):
    def listed() -> bytes:
        with urllib.request.urlopen(f"{provider.base_url}/models", timeout=5) as response:
            return response.read()

    async def blocking() -> bytes:
        return listed()

    assert b"fake-model" in asyncio.run(blocking())


def test_a_cut_below_one_byte_is_refused():
    with pytest.raises(ValueError, match="0"):
        FakeProvider(cut=0)


# -- what is answered --------------------------------------------------------------------------


async def test_answers_are_taken_in_order_and_then_the_default(provider: FakeProvider, ask: Any):
    provider.reply("one")
    provider.reply("two")
    assert provider.pending == 2
    said = [(await ask()).json["choices"][0]["message"]["content"] for _ in range(3)]
    assert said == ["one", "two", "Hello from the fake provider."]
    assert provider.pending == 0


async def test_respond_sees_the_request_and_answers_what_is_not_queued(
    provider: FakeProvider, ask: Any
):
    provider.respond(lambda request: request.json["messages"][-1]["content"].upper())
    provider.reply("queued")
    assert (await ask(stream=True)).said() == ["queued"]
    assert (await ask(stream=True)).said() == ["ONE", " TWO"]


async def test_respond_that_raises_is_told_to_the_client(provider: FakeProvider, ask: Any):
    provider.respond(lambda request: request.json["nothing"])
    answer = await ask()
    assert answer.status == 500
    assert "KeyError('nothing')" in answer.json["error"]["message"]


async def test_models_are_listed_as_configured(http: aiohttp.ClientSession):
    with FakeProvider(models=["a"]) as provider:
        provider.models.append("b")
        async with http.get(f"{provider.base_url}/models") as response:
            body = await response.json()
    assert [model["id"] for model in body["data"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/chat/completions"), ("POST", "/embeddings")]
)
async def test_any_other_path_is_404_in_json_and_takes_no_answer(
    provider: FakeProvider, http: aiohttp.ClientSession, method: str, path: str
):
    provider.reply("kept")
    async with http.request(method, provider.base_url + path, json={}) as response:
        assert response.status == 404
        assert path in (await response.json())["error"]["message"]
    assert provider.pending == 1


async def test_a_body_that_is_not_an_object_is_400(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    async with http.post(f"{provider.base_url}/chat/completions", data=b"{broken") as response:
        assert response.status == 400
    assert provider.requests[0].json is None


# -- the journal -------------------------------------------------------------------------------


async def test_the_journal_holds_each_request(http: aiohttp.ClientSession):
    with FakeProvider(clock=lambda: 12.5) as provider:
        url = f"{provider.base_url}/chat/completions?x=1"
        async with http.post(url, json={"model": "m"}, headers={"X-Title": "t"}) as response:
            await response.read()
    (request,) = provider.requests
    assert (request.number, request.method, request.path) == (1, "POST", "/v1/chat/completions")
    assert request.json == {"model": "m"}
    assert request.headers["x-title"] == request.headers["X-TITLE"] == "t"
    assert "X-Title" in request.headers
    assert request.headers.get("absent") is None
    assert request.time == 12.5


async def test_a_recorded_request_cannot_be_changed(provider: FakeProvider, ask: Any):
    await ask()
    with pytest.raises(FrozenInstanceError):
        provider.requests[0].method = "PUT"  # type: ignore[misc]


async def test_the_journal_prints_no_key_but_has_it(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    headers = {"Authorization": "Bearer sk-test-not-a-key"}
    async with http.get(f"{provider.base_url}/models", headers=headers) as response:
        await response.read()
    assert "sk-test-not-a-key" not in repr(provider.requests)
    assert provider.requests[0].headers["authorization"] == "Bearer sk-test-not-a-key"


def test_waiting_for_requests_that_do_not_come_says_how_many_did(provider: FakeProvider):
    with pytest.raises(TimeoutError, match=r"2 request\(s\) wanted, 0 seen"):
        provider.wait_for_requests(2, timeout=0.01)


def test_waiting_returns_as_soon_as_the_requests_are_there(provider: FakeProvider):
    provider.hang()
    with connect(provider) as connection:
        connection.sendall(post(b'{"model": "m"}'))
        assert provider.wait_for_requests()[0].json == {"model": "m"}


# -- connections -------------------------------------------------------------------------------


async def test_a_connection_is_kept_alive_for_all_kinds_of_answer(provider: FakeProvider, ask: Any):
    provider.error(500)
    for stream in (False, True, False, True):
        await ask(stream=stream)
    assert provider.connections == 1
    assert {request.connection for request in provider.requests} == {1}


async def test_concurrent_requests_come_on_connections_of_their_own(
    provider: FakeProvider, ask: Any
):
    provider.hang()
    hanging = asyncio.create_task(ask())
    await asyncio.to_thread(provider.wait_for_requests)
    await ask()  # is answered while the other one hangs
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert [request.connection for request in provider.requests] == [1, 2]


async def test_drop_resets_before_any_byte_and_the_next_request_is_served(
    provider: FakeProvider, ask: Any
):
    provider.drop(times=2)
    for _ in range(2):
        with pytest.raises(aiohttp.ClientOSError):
            await ask()
    assert (await ask()).status == 200
    assert provider.connections == 3


def test_drop_is_a_reset_and_not_an_end_in_good_order(provider: FakeProvider):
    provider.drop()
    with connect(provider) as connection:
        connection.sendall(post(b"{}"))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_raw_sends_exactly_these_bytes_and_closes(provider: FakeProvider):
    provider.raw(b"HTTP/1.1 200 OK\r\n\r\n<html>")
    with connect(provider) as connection:
        connection.sendall(post(b"{}"))
        assert read_all(connection) == b"HTTP/1.1 200 OK\r\n\r\n<html>"


def test_raw_can_keep_the_connection(provider: FakeProvider):
    provider.raw(b"HTTP/1.1 204 No Content\r\n\r\n", close=False)
    with connect(provider) as connection:
        connection.sendall(post(b"{}"))
        provider.wait_for_requests(1)
        connection.sendall(post(b"{}"))
        assert provider.wait_for_requests(2)[1].connection == 1


def test_connection_close_is_honoured(provider: FakeProvider):
    with connect(provider) as connection:
        connection.sendall(post(b"{}", "connection: close\r\n"))
        assert read_all(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_chunked_request_body_is_understood(provider: FakeProvider):
    head = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n"
    with connect(provider) as connection:
        body = b'8\r\n{"model"\r\n6;x=y\r\n: "m"}\r\n0\r\n\r\n'
        connection.sendall(head + b"connection: close\r\n\r\n" + body)
        read_all(connection)
    assert provider.requests[0].json == {"model": "m"}


@pytest.mark.parametrize(
    "garbage", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
)
def test_what_is_not_http_is_hung_up_on(provider: FakeProvider, garbage: bytes):
    with connect(provider) as connection:
        connection.sendall(garbage)
        assert read_all(connection) == b""
    assert provider.requests == []


# -- clients that leave ------------------------------------------------------------------------


async def test_a_held_reply_sends_its_last_delta_when_it_may(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    end = threading.Event()
    provider.reply(deltas=["first", "last"], hold=end)
    url = f"{provider.base_url}/chat/completions"
    async with http.post(url, json={"stream": True}) as response:
        came = b""
        while b"first" not in came:
            came += await response.content.readany()
        await asyncio.sleep(0.05)
        assert b"last" not in came + response.content.read_nowait()
        end.set()
        assert b"last" in await response.content.read()


async def leave_after_first_delta(provider: FakeProvider, http: aiohttp.ClientSession) -> None:
    url = f"{provider.base_url}/chat/completions"
    async with http.post(url, json={"stream": True}) as response:
        await response.content.readuntil(b"content")
        response.close()


async def test_a_client_that_closes_in_mid_stream_is_noted(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    provider.reply("word " * 500, pace=0.05)
    await leave_after_first_delta(provider, http)
    (closed,) = await asyncio.to_thread(provider.wait_for_closed)
    assert closed.request == provider.requests[0]
    assert closed.time >= closed.request.time


async def test_leaving_is_noticed_during_a_long_pause(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    provider.reply("a b", pace=3600)
    begun = time.monotonic()
    await leave_after_first_delta(provider, http)
    await asyncio.to_thread(provider.wait_for_closed)
    assert time.monotonic() - begun < 5


def test_leaving_a_silent_provider_is_noted(provider: FakeProvider):
    provider.hang()
    with connect(provider) as connection:
        connection.sendall(post(b"{}"))
        provider.wait_for_requests()
    assert len(provider.wait_for_closed()) == 1


async def test_a_client_that_reads_to_the_end_has_not_left(provider: FakeProvider, ask: Any):
    await ask(stream=True)
    await ask()
    assert provider.closed == []
