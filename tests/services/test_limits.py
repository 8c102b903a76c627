"""What is read from the rate-limit headers of each provider."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from nbconvo.services.limits import LimitTold, duration, limits_told

NOW = 1_763_800_000.0  # 2025-11-22T08:26:40Z


def told(headers: dict[str, str]) -> tuple[LimitTold, ...]:
    return limits_told(CIMultiDict(headers), now=lambda: NOW)


def three(pattern: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    fields = {"limit": limit, "remaining": remaining, "reset": reset}
    return {pattern.format(field): value for field, value in fields.items()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            three("x-ratelimit-{}-requests", "5000", "4999", "12ms")
            | three("x-ratelimit-{}-tokens", "800000", "799986", "1ms"),
            (
                LimitTold("requests", "requests", 5000, 4999, 0.012),
                LimitTold("tokens", "tokens", 800_000, 799_986, 0.001),
            ),
            id="openai",
        ),
        pytest.param(
            three("x-ratelimit-{}-project-tokens", "9000", "8000", "6m0s"),
            (LimitTold("project-tokens", "tokens", 9000, 8000, 360, 1.0),),
            id="openai, of a project",
        ),
        pytest.param(
            three("x-ratelimit-{}-requests", "500000", "499999", "172.799999ms"),
            (LimitTold("requests", "requests", 500_000, 499_999, pytest.approx(0.1728)),),
            id="groq",
        ),
        pytest.param(
            three("anthropic-ratelimit-input-tokens-{}", "80000", "79000", "2025-11-22T08:26:59Z")
            | three("anthropic-ratelimit-output-tokens-{}", "9", "8", "2025-11-22T08:26:39Z"),
            (
                LimitTold("input-tokens", "input_tokens", 80_000, 79_000, 19, 1.0),
                LimitTold("output-tokens", "output_tokens", 9, 8, 0, 1.0),
            ),
            id="anthropic",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-tokens-minute": "500",
                "x-ratelimit-remaining-tokens-minute": "499",
                "x-ratelimit-tokens-query-cost": "5",
                "x-ratelimit-limit-req-10-second": "7",
                "x-ratelimit-remaining-req-10-second": "6",
                "x-ratelimit-remaining-tokens-month": "9",
            },
            (
                LimitTold("tokens-minute", "tokens", 500, 499, grain=1.0, window=60),
                LimitTold("req-10-second", "requests", 7, 6, grain=1.0, window=10),
                LimitTold("tokens-month", "tokens", None, 9, grain=1.0, window=2_592_000),
            ),
            id="mistral",
        ),
        pytest.param(
            three("ratelimitbysize-{}", "500", "499", "30"),
            (LimitTold("tokens", "tokens", 500, 499, 30, 1.0),),
            id="mistral, until 2025",
        ),
        pytest.param(
            {"x-ratelimitbysize-limit-minute": "5", "x-ratelimitbysize-remaining-minute": "4"},
            (LimitTold("tokens-minute", "tokens", 5, 4, grain=1.0, window=60),),
            id="mistral, until 2025, by the minute",
        ),
        pytest.param(
            three("x-ratelimit-{}", "10", "9", "0.1") | three("x-tokenlimit-{}", "300", "200", "1"),
            (
                LimitTold("requests", "requests", 10, 9, 0.1),
                LimitTold("tokens", "tokens", 300, 200, 1, 1.0),
            ),
            id="together",
        ),
        pytest.param(
            three("X-RateLimit-{}", "20", "0", "1763800030500"),
            (LimitTold("requests", "requests", 20, 0, 30.5),),
            id="openrouter",
        ),
        pytest.param(
            three("x-ratelimit-{}-requests", "20", "0", "1763800030"),
            (LimitTold("requests", "requests", 20, 0, 30, 1.0),),
            id="seconds of Unix time",
        ),
        pytest.param(
            three("ratelimit-{}", "100, 100;w=60", "99", "50"),
            (LimitTold("requests", "requests", 100, 99, 50, 1.0),),
            id="the draft of the IETF",
        ),
        pytest.param(
            three("llm_provider-x-ratelimit-{}-requests", "10", "9", "6s"),
            (LimitTold("requests", "requests", 10, 9, 6, 1.0),),
            id="behind a litellm proxy",
        ),
    ],
)
def test_each_dialect_is_read(headers, expected):
    assert told(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/event-stream", "x-request-id": "req_1"},
        {"x-ratelimit-limit-images": "5", "x-ratelimit-remaining-images": "4"},
        {"x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "nan"},
        {"x-ratelimit-limit-requests": "-1"},
        {"x-limit": "5", "limit": "5", "x-ratelimit": "5", "x-ratelimit-limit-reset": "5"},
    ],
)
def test_what_tells_of_no_limit_is_left_out(headers):
    assert told(headers) == ()


def test_a_reset_is_reckoned_by_the_clock_of_the_service():
    # Ours is two minutes behind.
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "40",
        "anthropic-ratelimit-requests-reset": "2026-11-22T12:40:59Z",
        "Date": "Sun, 22 Nov 2026 12:40:47 GMT",
    }
    (one,) = limits_told(headers, now=lambda: 1_795_351_127.0)
    assert one.reset == 12


@pytest.mark.parametrize("limit", ["0", "1e-9", "1e-320"])
def test_a_limit_below_one_is_none(limit):
    assert told(three("x-ratelimit-{}-requests", limit, "0", "1s")) == ()


def test_a_window_beyond_all_measure_is_not_believed():
    nines = "9" * 400
    assert told({f"x-ratelimit-limit-req-{nines}-day": "60"}) == ()
    assert duration(f"{nines}h") is None


def test_a_reset_that_cannot_be_read_leaves_the_rest():
    assert told(three("x-ratelimit-{}-requests", "10", "9", "soon")) == (
        LimitTold("requests", "requests", 10, 9, None, 1.0),
    )


@settings(suppress_health_check=[HealthCheck.too_slow])  # texts take long on a busy machine
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-req-10-second",
                "anthropic-ratelimit-tokens-reset",
                "x-ratelimit-limit",
                "x-tokenlimit-remaining",
                "ratelimit-reset",
            ]
        )
        | st.text("x-ratelmi0", max_size=30),
        st.text(max_size=20) | st.from_regex(r"\d{1,20}(ms|s|h)?", fullmatch=True),
    )
)
def test_whatever_a_server_sends_is_read_without_an_error(headers):
    for one in limits_told(headers, now=lambda: NOW):
        assert one.reset is None or one.reset >= 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("12ms", 0.012), ("0s", 0), ("1h2m3.5s", 3723.5), ("10us", 1e-5)],
)
def test_a_go_duration_is_read(text, seconds):
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "6", "s", "1s2", "-1s", "1 s", "one second"])
def test_what_is_no_go_duration_is_none(text):
    assert duration(text) is None
