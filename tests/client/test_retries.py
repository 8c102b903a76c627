"""When a request is sent again, after how long, and when it is not."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import Any

import pytest

from nbconvo.client import Client
from nbconvo.errors import (
    BadRequest,
    ConnectionFailed,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    ServiceError,
    StreamCut,
    TimedOut,
)
from nbconvo.services import ChatService
from nbconvo.testing import FakeProvider

from .conftest import KEY, QUESTION, Answer, Ask


async def test_three_server_errors_and_then_a_reply_are_a_reply(
    ask: Ask, provider: FakeProvider, pauses: list[float]
):
    provider.error(500, times=3)
    provider.reply("Hi.")
    answer = await ask()
    assert answer.text == "Hi."
    assert len(provider.requests) == 4
    assert pauses == [0.5, 1.0, 2.0]
    assert [notice.rpartition("; ")[2] for notice in answer.notices] == [
        "trying again in 0.5 s",
        "trying again in 1 s",
        "trying again in 2 s",
    ]


async def test_a_request_is_tried_as_often_as_the_service_says(
    ask: Ask, provider: FakeProvider, pauses: list[float]
):
    provider.error(503, times=9)
    with pytest.raises(ServerFailed):
        await ask(ChatService(KEY, provider.base_url, max_attempts=7))
    assert len(provider.requests) == 7
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


async def test_the_same_request_is_sent_again(ask: Ask, provider: FakeProvider):
    provider.error(500)
    await ask(temperature=0.5)
    first, second = provider.requests
    assert first.json == second.json


async def test_chance_shortens_a_pause_by_a_quarter_at_most(
    provider: FakeProvider, service: ChatService
):
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    provider.error(500)
    client = Client(sleep=sleep, jitter=lambda: 1.0)
    assert [
        d async for batch in client.stream(service, QUESTION, "m", {"stream": True}) for d in batch
    ]
    await client.close()
    assert pauses == [0.375]


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_tried_again(ask: Ask, provider: FakeProvider, status: int):
    provider.error(status)
    await ask()
    assert len(provider.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
async def test_what_will_not_pass_is_not_tried_again(ask: Ask, provider: FakeProvider, status: int):
    provider.error(status)
    with pytest.raises(Exception, match=f"\\({status}\\)"):
        await ask()
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("status", "said", "tried"), [(500, "false", 1), (400, "true", 5)])
async def test_the_service_has_the_last_word_on_trying_again(
    ask: Ask, provider: FakeProvider, status: int, said: str, tried: int
):
    provider.error(status, headers={"x-should-retry": said}, times=9)
    with pytest.raises((ServerFailed, BadRequest)):
        await ask()
    assert len(provider.requests) == tried


# --- the delay -----------------------------------------------------------------------------

_HINT = {"error": {"message": "Please try again in 5.289s."}}
_GEMINI = json.dumps([{"error": {"details": [{"retryDelay": "46s"}], "message": "later"}}])
_EMPTY = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}
_FULL = {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1m2s"}


@pytest.mark.parametrize(
    ("headers", "body", "delay"),
    [
        ({"retry-after-ms": "1500", "retry-after": "7"}, _HINT, 1.5),
        ({"retry-after": "7.5", "llm_provider-retry-after": "9"}, _HINT, 7.5),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT", **_EMPTY}, _HINT, 5.289),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, None, 0.5),
        ({"retry-after-ms": "0", "retry-after": "0"}, None, 0.5),
        ({"llm_provider-retry-after": "9"}, _HINT, 9.0),
        (_EMPTY, _HINT, 5.289),
        (_EMPTY, _GEMINI, 46.0),
        (_EMPTY, None, 62.0),
        (_FULL, None, 0.5),
    ],
)
async def test_the_delay_is_what_the_service_asks_for(
    ask: Ask, provider: FakeProvider, pauses: list[float], headers: dict, body: Any, delay: float
):
    provider.error(503, body, headers=headers)
    await ask()
    assert pauses == [delay]


@pytest.mark.parametrize(("asked", "tried"), [("120", 2), ("121", 1)])
async def test_two_minutes_are_waited_for_and_no_more(
    ask: Ask, provider: FakeProvider, pauses: list[float], asked: str, tried: int
):
    provider.error(503, headers={"retry-after": asked})
    if tried == 1:
        with pytest.raises(ServerFailed) as caught:
            await ask()
        assert caught.value.retry_after == 121
    else:
        await ask()
        assert pauses == [120.0]
    assert len(provider.requests) == tried


# --- 429 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"retry-after-ms": "60", "retry-after": "50"}, {"Retry-After": "0.06"}]
)
async def test_a_rate_limit_makes_everybody_wait_as_long_as_it_says(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider, headers: dict
):
    provider.error(429, headers=headers)
    before = time.monotonic()
    answer = await ask()
    assert provider.requests[1].time - before >= 0.06
    assert time.monotonic() - before < 5
    assert answer.notices[0].endswith("trying again in 0.06 s")
    assert client.limiter(service).usage().rate_limited == 1


async def test_after_a_rate_limit_the_request_goes_before_those_who_waited(
    client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, max_concurrent=1)
    provider.error(429, headers={"retry-after-ms": "30"})

    async def one(user: str) -> None:
        async for _ in client.stream(service, QUESTION, "m", {"stream": True, "user": user}):
            pass

    await asyncio.gather(*(one(user) for user in "abc"))
    assert [request.json["user"] for request in provider.requests] == ["a", "a", "b", "c"]
    assert provider.requests[1].time - provider.requests[0].time >= 0.03


async def test_a_rate_limit_that_names_no_time_is_backed_off_from(ask: Ask, provider: FakeProvider):
    provider.error(429)
    answer = await ask()
    first, second = provider.requests
    assert second.time - first.time >= 0.45
    assert len(answer.notices) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_of_more_than_two_minutes_is_told_at_once_with_why_nobody_waits(
    ask: Ask, provider: FakeProvider, status: int
):
    provider.error(status, headers={"retry-after": "3600"})
    told = "it asks to wait 3,600 s.*; not tried again, as the wait is longer than 120 s: ask again"
    with pytest.raises(ServiceError, match=told) as caught:
        await ask()
    assert caught.value.retry_after == 3600
    assert len(provider.requests) == 1


async def test_a_wait_that_total_timeout_does_not_leave_is_told_so(
    ask: Ask, provider: FakeProvider
):
    provider.error(503, headers={"retry-after": "100"})
    with pytest.raises(ServerFailed, match=r"as the wait is longer than total_timeout= leaves"):
        await ask(ChatService(KEY, provider.base_url, total_timeout=50))


async def test_a_rate_limit_that_is_not_tried_again_makes_the_others_wait_too(
    ask: Ask, client: Client, provider: FakeProvider
):
    service = ChatService(KEY, provider.base_url, max_attempts=1)
    provider.error(429, headers={"retry-after": "100"})
    with pytest.raises(RateLimited):
        await ask(service)
    assert 99 < client.limiter(service).usage().paused_for <= 100
    async with aclosing(client.stream(service, QUESTION, "m", {})) as batches:
        assert (await anext(batches))[0].notice == "waiting 100 s: the limit of custom is reached"


async def test_during_a_long_pause_requests_are_refused_at_once_and_not_sent(
    ask: Ask, provider: FakeProvider
):
    provider.error(429, headers={"retry-after": "7200"})
    with pytest.raises(RateLimited):
        await ask()
    answer = Answer()
    with pytest.raises(RateLimited, match=r"^fake: rate limit: .* 2 h are left") as caught:
        await ask(into=answer)
    assert 7199 < caught.value.retry_after <= 7200
    assert answer.notices == []
    assert len(provider.requests) == 1


async def test_a_rate_limit_in_mid_stream_makes_the_others_wait(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider
):
    began = {"choices": [{"index": 0, "delta": {"content": "The"}}]}
    provider.events([began, {"error": {"message": "slow down", "code": 429}}])
    with pytest.raises(RateLimited):
        await ask()
    assert 0 < client.limiter(service).usage().paused_for <= 0.5


@pytest.mark.parametrize(
    "error",
    [
        {"type": "requests", "code": "rate_limit_exceeded"},
        {"type": "tokens", "code": "rate_limit_exceeded"},
        {"type": "rate_limit_error", "code": "slow_down"},
    ],
)
async def test_a_limit_that_passes_is_tried_again(
    ask: Ask, provider: FakeProvider, error: dict[str, str]
):
    provider.error(429, {"error": {"message": "slow", **error}}, headers={"retry-after-ms": "5"})
    await ask()
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ],
)
async def test_a_quota_used_up_is_not_tried_again(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider, code: str
):
    body = {"error": {"message": "pay", "type": "insufficient_quota", "code": code}}
    provider.error(429, body, headers={"retry-after-ms": "5"})
    with pytest.raises(QuotaExhausted, match="billing"):
        await ask()
    assert len(provider.requests) == 1
    assert client.limiter(service).usage().paused_for == 0


# --- connections ---------------------------------------------------------------------------


async def test_a_server_that_is_not_there_is_told_of_soon(
    ask: Ask, provider: FakeProvider, service: ChatService, pauses: list[float]
):
    provider.stop()
    with pytest.raises(ConnectionFailed) as caught:
        await ask()
    assert "Connection refused" in str(caught.value)
    assert repr(provider.base_url) in str(caught.value)
    assert pauses == [0.5, 1.0]


async def test_a_connection_lost_before_the_reply_is_tried_again(ask: Ask, provider: FakeProvider):
    provider.drop()
    provider.reply("Hi.")
    assert (await ask()).text == "Hi."
    assert len(provider.requests) == 2


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.mark.parametrize(
    "start",
    [
        b"content-length: 99\r\n\r\n",
        b"content-length: 99\r\n\r\n: PROCESSING\n\n",
        b"content-length: 14\r\n\r\n: PROCESSING\n\n",
    ],
    ids=["reset", "reset after a comment", "end"],
)
async def test_a_stream_lost_before_its_first_event_is_tried_again(
    ask: Ask, provider: FakeProvider, start: bytes
):
    provider.raw(_HEAD + start)
    provider.reply("Hi.")
    assert (await ask()).text == "Hi."
    assert len(provider.requests) == 2


@pytest.mark.parametrize("broken", [{"drop_after": 0}, {"end_after": 0}], ids=["reset", "end"])
async def test_a_stream_that_began_is_not_tried_again_even_before_its_first_word(
    ask: Ask, provider: FakeProvider, broken: dict
):
    provider.reply("The whale", **broken)
    with pytest.raises(StreamCut, match="broke off"):
        await ask()
    assert len(provider.requests) == 1


async def test_an_error_after_the_stream_began_is_not_asked_again(ask: Ask, provider: FakeProvider):
    began = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    provider.events([began, {"error": {"message": "overloaded", "code": 503}}])
    with pytest.raises(ServerFailed):
        await ask()
    assert len(provider.requests) == 1


async def test_silence_is_waited_for_twice_at_most(ask: Ask, provider: FakeProvider):
    for _ in range(5):
        provider.hang()
    with pytest.raises(TimedOut):
        await ask(ChatService(KEY, provider.base_url, timeout=0.05))
    assert len(provider.requests) == 2


@pytest.mark.parametrize("broken", [{"drop_after": 1}, {"end_after": 1}], ids=["reset", "end"])
@pytest.mark.parametrize("thought", [None, "hmm"], ids=["in the text", "in the reasoning"])
async def test_a_stream_lost_after_its_first_word_is_not_tried_again(
    ask: Ask, provider: FakeProvider, broken: dict, thought: str | None
):
    provider.reply("The whale nods", reasoning=thought, **broken)
    answer = Answer()
    with pytest.raises(StreamCut, match="broke off before its end; ask again"):
        await ask(into=answer)
    assert answer.text + answer.reasoning == (thought or "The")
    assert len(provider.requests) == 1
    assert answer.notices == []


async def test_half_a_whole_reply_is_not_paid_for_twice(ask: Ask, provider: FakeProvider):
    provider.reply("The whale", drop_after=0)
    with pytest.raises(StreamCut):
        await ask(stream=False)
    assert len(provider.requests) == 1


async def test_the_last_error_says_how_often_it_was_tried(fake_provider, service, ask, pauses):
    fake_provider.error(500, times=5)
    with pytest.raises(ServerFailed, match=r"; tried 5 times$"):
        await ask(service)
