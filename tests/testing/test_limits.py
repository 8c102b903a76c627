"""Who is admitted and who is refused, and what both are told; by a clock that is made up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, get_args

import aiohttp
import pytest

from nbconvo.testing import FakeProvider, Faults, Limit, Limits
from nbconvo.testing.dialects import Dialect, go_duration
from nbconvo.testing.limits import Admitted, Refused

START = 1_800_000_000.0  # a whole minute


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(limits: Limits, prompt: int = 10, most: int | None = None) -> Admitted:
    found = limits.admit(prompt, most)
    assert isinstance(found, Admitted)
    return found


def refused(limits: Limits, prompt: int = 10, most: int | None = None) -> Refused:
    found = limits.admit(prompt, most)
    assert isinstance(found, Refused)
    return found


def until_refused(limits: Limits) -> Iterator[Admitted]:
    while isinstance(found := limits.admit(1), Admitted):
        yield found


# -- who is admitted ---------------------------------------------------------------------------


def test_a_bucket_of_a_minute_admits_a_minutes_burst(clock: Clock):
    limits = Limits(Limit("requests", 1200), clock=clock)
    assert len(list(until_refused(limits))) == 1200


def test_a_bucket_of_a_second_admits_a_seconds_burst(clock: Clock):
    limits = Limits(Limit("requests", 1200, holds=1), clock=clock)
    assert len(list(until_refused(limits))) == 20
    clock.now += 0.05
    assert len(list(until_refused(limits))) == 1


def test_a_clock_minute_begins_anew_for_everybody(clock: Clock):
    limits = Limits(Limit("requests", 5, kind="fixed"), clock=clock)
    clock.now += 50
    assert len(list(until_refused(limits))) == 5
    clock.now += 9.9
    assert refused(limits).wait == pytest.approx(0.1)
    clock.now += 0.1
    assert len(list(until_refused(limits))) == 5


def test_a_sliding_window_admits_again_when_the_first_has_left_it(clock: Clock):
    limits = Limits(Limit("requests", 2, kind="sliding"), clock=clock)
    admitted(limits)
    clock.now += 10
    admitted(limits)
    assert refused(limits).wait == pytest.approx(50)


def test_of_several_limits_all_hold_and_a_refusal_takes_nothing(clock: Clock):
    limits = Limits(Limit("requests", 100), Limit("tokens", 1000), clock=clock)
    admitted(limits, 900)
    refused(limits, 200)
    assert limits.remaining("requests") == 99
    assert limits.remaining("tokens") == 100
    assert (limits.admitted, limits.refused) == (1, 1)


@pytest.mark.parametrize(("reserves", "left"), [("larger", 700), ("sum", 600)])
def test_what_max_tokens_takes(clock: Clock, reserves: Any, left: int):
    limits = Limits(Limit("tokens", 1000), reserves=reserves, clock=clock)
    limits.settle(admitted(limits, 100, 300), 20)
    assert limits.remaining("tokens") == left


def test_what_a_reply_did_not_use_is_given_back_where_it_is_refunded(clock: Clock):
    limits = Limits(Limit("tokens", 1000), reserves="sum", refunds=True, clock=clock)
    request = admitted(limits, 100, 300)
    assert limits.remaining("tokens") == 600
    limits.settle(request, 50)
    assert limits.remaining("tokens") == pytest.approx(850)


def test_output_is_counted_when_it_was_made_and_may_make_debts(clock: Clock):
    limits = Limits(Limit("input", 1000), Limit("output", 600), dialect="anthropic", clock=clock)
    request = admitted(limits, 100, 5000)
    assert limits.remaining("output") == 600
    limits.settle(request, 900)
    assert limits.remaining("output") == pytest.approx(-300)
    assert limits.remaining("input") == 900
    assert refused(limits).wait == pytest.approx(30)


def test_what_is_larger_than_the_limit_is_never_due(clock: Clock):
    limits = Limits(Limit("tokens", 1000), clock=clock)
    refusal = refused(limits, 1001)
    assert refusal.wait == math.inf
    assert "retry-after" not in refusal.headers


def test_another_client_takes_its_share(clock: Clock):
    limits = Limits(Limit("requests", 1200, holds=1), other=0.5, seed=7, clock=clock)
    count = 0
    for _ in range(6000):
        clock.now += 0.01
        if count < (clock.now - START) * 10:  # our half
            count += isinstance(limits.admit(1), Admitted)
    assert count == pytest.approx(600, rel=0.02)
    assert limits.other_refused < 0.02
    for _ in range(6000):  # all that we can get
        clock.now += 0.01
        limits.admit(1)
    assert limits.other_refused > 0.2


# -- what they are told ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0005, "1ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (84, "1m24s"),
        (83_909.144, "23h18m29.144s"),
    ],
)
def test_a_duration_as_go_prints_it(seconds: float, text: str):
    assert go_duration(seconds) == text


def test_openai_tells_of_requests_and_tokens_in_go_durations(clock: Clock):
    limits = Limits(Limit("requests", 5000), Limit("tokens", 800_000), clock=clock)
    assert admitted(limits, 14).headers == {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": "800000",
        "x-ratelimit-remaining-tokens": "799986",
        "x-ratelimit-reset-tokens": "2ms",
    }


def test_openai_refuses_with_both_hints_and_a_text(clock: Clock):
    limits = Limits(Limit("requests", 60, holds=1), clock=clock)
    admitted(limits)
    refusal = refused(limits)
    assert refusal.headers["retry-after-ms"] == "1000"
    assert refusal.headers["retry-after"] == "1"
    assert refusal.headers["x-ratelimit-remaining-requests"] == "0"
    assert refusal.body["error"]["code"] == "rate_limit_exceeded"
    assert "RPM: Limit 60" in refusal.body["error"]["message"]
    assert "try again in 1s" in refusal.body["error"]["message"]


def test_groq_counts_requests_by_the_day_and_tokens_by_the_minute(clock: Clock):
    limits = Limits(
        Limit("requests", 500_000, period=86_400),
        Limit("tokens", 1000),
        dialect="groq",
        clock=clock,
    )
    headers = admitted(limits, 100).headers
    assert headers["x-ratelimit-limit-requests"] == "500000"
    assert headers["x-ratelimit-reset-requests"] == "173ms"
    assert headers["x-ratelimit-reset-tokens"] == "6s"
    refusal = refused(limits, 950)
    assert "retry-after-ms" not in refusal.headers
    assert refusal.headers["retry-after"] == "3"
    assert refusal.body["error"]["type"] == "tokens"


def test_anthropic_tells_input_and_output_apart_and_resets_as_dates(clock: Clock):
    limits = Limits(
        Limit("requests", 50),
        Limit("input", 30_000),
        Limit("output", 8000),
        dialect="anthropic",
        clock=clock,
    )
    headers = admitted(limits, 15_100).headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "49"
    assert headers["anthropic-ratelimit-input-tokens-limit"] == "30000"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "15000"  # rounded
    reset = datetime.fromisoformat(headers["anthropic-ratelimit-input-tokens-reset"])
    assert reset.timestamp() == START + 30
    assert headers["anthropic-ratelimit-output-tokens-remaining"] == "8000"
    refusal = refused(limits, 20_000)
    assert refusal.headers["retry-after"] == "11"
    assert refusal.body["error"]["type"] == "rate_limit_error"


def test_mistral_names_its_windows_and_tells_no_resets(clock: Clock):
    limits = Limits(
        Limit("requests", 20, period=10), Limit("tokens", 5000), dialect="mistral", clock=clock
    )
    assert admitted(limits, 100).headers == {
        "x-ratelimit-limit-req-10-second": "20",
        "x-ratelimit-remaining-req-10-second": "19",
        "x-ratelimit-limit-tokens-minute": "5000",
        "x-ratelimit-remaining-tokens-minute": "4900",
    }
    assert "retry-after" not in refused(limits, 4950).headers


def test_openrouter_tells_in_refusals_only(clock: Clock):
    limits = Limits(Limit("requests", 20, kind="fixed"), dialect="openrouter", clock=clock)
    clock.now += 30
    *_, last = until_refused(limits)
    assert last.headers == {}
    refusal = refused(limits)
    assert refusal.headers["x-ratelimit-reset"] == str(int((START + 60) * 1000))
    assert refusal.headers["x-ratelimit-remaining"] == "0"


def test_gemini_tells_in_the_body_only(clock: Clock):
    limits = Limits(Limit("requests", 60, holds=1), dialect="gemini", clock=clock)
    assert admitted(limits).headers == {}
    refusal = refused(limits)
    assert refusal.headers == {}
    (found,) = refusal.body
    assert found["error"]["details"][0]["retryDelay"] == "1s"


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_without_a_hint_no_dialect_says_when(clock: Clock, dialect: Dialect):
    limits = Limits(Limit("requests", 60, holds=1), dialect=dialect, hint="none", clock=clock)
    admitted(limits)
    refusal = refused(limits)
    assert not {"retry-after", "retry-after-ms"} & set(refusal.headers)
    assert " in " not in str(refusal.body)
    assert "retryDelay" not in str(refusal.body)


def test_a_level_that_nobody_tells(clock: Clock):
    limits = Limits(Limit("requests", 60, holds=1), dialect="none", clock=clock)
    assert admitted(limits).headers == {}
    assert refused(limits).headers == {}


# -- in the fake provider ----------------------------------------------------------------------


async def test_the_provider_admits_what_the_limits_do(provider: FakeProvider, ask: Any):
    provider.limits = Limits(Limit("requests", 2, period=86_400))
    answers = [await ask() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"
    assert int(answers[2].headers["retry-after-ms"]) > 40_000_000


async def test_a_refused_request_takes_no_answer_off_the_queue(provider: FakeProvider, ask: Any):
    provider.limits = Limits(Limit("requests", 1, period=86_400))
    provider.reply("first")
    provider.reply("second")
    await ask()
    await ask()
    assert provider.pending == 1


async def test_the_provider_gives_back_what_the_reply_left(
    provider: FakeProvider, ask: Any, clock: Clock
):
    provider.limits = Limits(Limit("tokens", 1000), reserves="sum", refunds=True, clock=clock)
    provider.reply("three words long")
    await ask(max_tokens=500)
    assert provider.limits.remaining("tokens") == pytest.approx(1000 - 2 - 3)


async def test_a_share_of_the_requests_fails_the_same_way_each_time(
    provider: FakeProvider, ask: Any
):
    async def failures() -> list[int]:
        provider.faults = Faults(0.3, kinds=["500", "502"], seed=5)
        return [(await ask()).status for _ in range(40)]

    first = await failures()
    assert first == await failures()
    assert {200, 500, 502} == set(first)
    assert provider.faults is not None
    assert provider.faults.happened == sum(status != 200 for status in first)


async def test_a_fault_can_reset_the_connection(provider: FakeProvider, ask: Any):
    provider.faults = Faults(1.0, kinds=["reset"])
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await ask()


def test_faults_happen_as_often_as_told():
    faults = Faults(0.04, seed=11)
    assert 20 < sum(fault is not None for fault in islice(iter(faults.next, ""), 1000)) < 60


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        Faults(4)
