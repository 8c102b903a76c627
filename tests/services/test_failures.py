"""Error responses: every shape of body, every source of a delay, and no piece of a key."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.errors import (
    AuthenticationFailed,
    BadRequest,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    ServiceError,
)
from nbconvo.keys import Key
from nbconvo.services.failures import failure, retry_after, status_of

NOW = datetime(2015, 10, 21, 7, 28, tzinfo=UTC).timestamp()


def failed(status: int, body: object = "", headers: dict[str, str] | None = None, **more):
    text = body if isinstance(body, str) else json.dumps(body)
    return failure("openai", status, headers or {}, text, **more)


# --- which error ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequest, False),
        (401, AuthenticationFailed, False),
        (402, QuotaExhausted, False),
        (403, AuthenticationFailed, False),
        (404, ModelNotFound, False),
        (408, ServerFailed, True),
        (409, ServerFailed, True),
        (413, BadRequest, False),
        (422, BadRequest, False),
        (429, RateLimited, True),
        (500, ServerFailed, True),
        (502, ServerFailed, True),
        (503, ServerFailed, True),
        (529, ServerFailed, True),
    ],
)
def test_the_status_tells_the_error_and_whether_to_ask_again(status, kind, retryable):
    error = failed(status)
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.status == status


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
def test_a_429_for_a_quota_is_not_to_be_repeated(code):
    error = failed(429, {"error": {"message": "no", "type": "insufficient_quota", "code": code}})
    assert type(error) is QuotaExhausted
    assert not error.retryable


@pytest.mark.parametrize(
    "error",
    [
        {"type": "insufficient_quota", "code": None},
        {"type": None, "code": "credit_balance_exhausted"},
        {"type": "enforced_spend_limit_reached"},
        {"type": "billing_error"},
    ],
)
def test_type_or_code_alone_tell_a_quota(error):
    assert type(failed(429, {"error": {"message": "no", **error}})) is QuotaExhausted


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("requests", "rate_limit_exceeded"),
        ("tokens", "rate_limit_exceeded"),
        ("rate_limit_error", "slow_down"),
        ("rate_limit_error", None),
    ],
)
def test_other_429s_are_to_be_repeated(kind, code):
    error = failed(429, {"error": {"message": "no", "type": kind, "code": code}})
    assert type(error) is RateLimited
    assert error.code == code


@pytest.mark.parametrize("status", [429, 503, 529])
def test_who_is_asked_too_much_says_how_long_to_wait(status: int):
    assert "; it asks to wait 1.5 s" in str(failed(status, headers={"retry-after": "1.5"}))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (502, "the service failed (502): {}; is base_url 'http://127.0.0.1:8080' right?"),
        (
            403,
            "not allowed (403): {}; is base_url 'http://127.0.0.1:8080' right, and does a firewall "
            "or a proxy stand between?",
        ),
    ],
)
@pytest.mark.parametrize("page", ["<html><h1>502</h1></html>", " \n<p>", "<!DOCTYPE html>"])
def test_a_web_page_is_told_as_one_with_where_the_request_went(status: int, told: str, page: str):
    error = failed(status, page, address="http://127.0.0.1:8080")
    assert str(error) == "openai: " + told.format("a web page came, not a reply")


@pytest.mark.parametrize("status", [404, 405])
def test_where_there_is_no_model_to_miss_the_address_is_wrong(status):
    error = failed(status, "<html>", address="http://127.0.0.1:8080")
    assert str(error) == (
        f"openai: nothing is at this address ({status}); "
        "is base_url 'http://127.0.0.1:8080' right? most end in /v1"
    )


def test_a_refused_key_is_told_with_where_it_comes_from():
    error = failed(401, key=Key("something"), key_variable="OPENAI_API_KEY")
    assert str(error) == (
        "openai: key refused (401); check the key: set OPENAI_API_KEY, "
        "or pass api_key= to the service"
    )


def test_a_key_that_is_missing_is_told_with_where_to_put_it():
    assert str(failed(401, key_variable="LAB_API_KEY")) == (
        "openai: refused without a key (401); set LAB_API_KEY, or pass api_key= to the service"
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "context_length_exceeded"), (413, None), (400, "exceed_context_size_error")],
)
def test_what_is_too_long_is_told_how_to_become_shorter(status, code):
    error = failed(status, {"error": {"message": "too long", "type": code}})
    assert str(error).endswith("too long; ask something shorter, or begin afresh: '%convo reset'")


def test_a_refused_model_is_named():
    error = failed(404, {"error": {"message": "no such model"}}, model="gtp-4")
    assert "no model 'gtp-4'" in str(error)
    assert "%convo models openai" in str(error)


# --- the body ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        pytest.param(
            {"error": {"message": "Bad.", "type": "t", "param": None, "code": "c"}},
            "Bad.",
            "c",
            id="OpenAI",
        ),
        pytest.param({"error": {"message": "Bad.", "type": "t"}}, "Bad.", None, id="no code"),
        pytest.param({"error": {"message": "Bad.", "code": 400}}, "Bad.", "400", id="llama.cpp"),
        pytest.param(
            [{"error": {"code": 400, "message": "Bad.", "status": "INVALID_ARGUMENT"}}],
            "Bad.",
            "400",
            id="Gemini",
        ),
        pytest.param(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Bad."}},
            "Bad.",
            None,
            id="Anthropic",
        ),
        pytest.param({"detail": "Bad."}, "Bad.", None, id="FastAPI"),
        pytest.param(
            {
                "detail": [
                    {"type": "missing", "loc": ["body", "model"], "msg": "Bad.", "input": {"a": 1}},
                    {"type": "int", "loc": ["body", "messages", 0], "msg": "Worse."},
                ]
            },
            "body.model: Bad.; body.messages.0: Worse.",
            None,
            id="FastAPI 422",
        ),
        pytest.param(
            {"object": "error", "message": {"detail": [{"loc": ["body"], "msg": "Bad."}]}},
            "body: Bad.",
            None,
            id="Mistral 422",
        ),
        pytest.param(
            {"object": "error", "message": "Bad.", "type": "t", "code": "1500"},
            "Bad.",
            "1500",
            id="Mistral",
        ),
        pytest.param({"error": "Bad."}, "Bad.", None, id="text in error"),
        pytest.param({"error": None, "message": "Bad."}, "Bad.", None, id="null in error"),
        pytest.param({"error": True, "message": "Bad."}, "Bad.", None, id="flag in error"),
        pytest.param({"error": {"reason": "Bad."}}, '{"reason": "Bad."}', None, id="no message"),
        pytest.param("Internal Server Error", "Internal Server Error", None, id="plain text"),
        pytest.param('"Bad."', "Bad.", None, id="JSON text"),
        pytest.param("[]", "[]", None, id="empty list"),
    ],
)
def test_the_service_s_own_words_and_code_are_found(body, text, code):
    error = failed(422, body)
    assert str(error) == f"openai: request refused (422): {text}"
    assert error.code == code


@pytest.mark.parametrize(
    "body", ["", "{}", '{"error": {}}', '{"error": null}', "<?xml version='1.0'?><Error/>"]
)
def test_a_body_without_words_adds_none(body):
    assert str(failed(502, body)) == "openai: the service failed (502)"


def test_the_text_is_one_line_of_bounded_length():
    text = str(failed(400, {"error": {"message": "word \n\t" * 1000}}))
    assert "\n" not in text
    assert len(text) < 350
    assert text.endswith("…")


def test_no_terminal_escape_sequence_gets_through():
    assert "\x1b" not in str(failed(500, "\x1b[2Jgone\x07"))


def test_half_a_surrogate_pair_does_not_get_through():
    str(failed(500, '{"error": "\\ud83e"}')).encode()


def test_json_nested_too_deeply_is_taken_as_text():
    assert type(failed(500, "[" * 60_000)) is ServerFailed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "type", "loc", "msg", "status"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None, database=None)
@given(JSON, st.sampled_from([400, 401, 404, 418, 429, 500]))
def test_any_json_makes_an_error_of_one_printable_line(body, status):
    error = failed(status, body)
    assert isinstance(error, ServiceError)
    assert str(error).isprintable()


# --- keys ----------------------------------------------------------------------------------

SECRET = "sk-test-9f8e7d6c5b4a39281706abcd"


@pytest.mark.parametrize("key", [None, Key(SECRET)], ids=["key unknown", "key known"])
@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: sk-test-**********************abcd. You can find your API key"
        " at https://platform.openai.com/account/api-keys.",
        f"Incorrect API key provided: {SECRET}.",
        "invalid key sk-tes...abcd",
        "Your api key: ****abcd is invalid",
        f"Received header 'Authorization: Bearer {SECRET}'",
        "x" * 285 + " " + SECRET,  # cut in the middle of the key
    ],
)
@pytest.mark.parametrize(
    "shape", [lambda t: {"error": {"message": t}}, lambda t: {"detail": t}, str]
)
def test_no_piece_of_a_key_survives_in_a_401(said, shape, key):
    text = str(failed(401, shape(said), key=key))
    assert "[key]" in text
    assert not re.search(r"sk-t|9f8e|abcd|\*\*", text)
    assert "check the key" in text


def test_a_key_that_looks_like_nothing_is_masked_too():
    error = failed(401, "no access with mysecretpassword", key=Key("mysecretpassword"))
    assert "mysecret" not in str(error)


@pytest.mark.parametrize("levels", [300, 700, 100_000])
def test_a_body_nested_deeply_is_a_failure_like_others(levels: int):
    error = failed(500, '{"error": ' + "[" * levels + "]" * levels + "}")
    assert isinstance(error, ServerFailed)
    assert len(str(error)) < 400


# --- failures in mid-stream ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 502, "message": "model down"}, 502),
        ({"code": "429", "message": ""}, 429),
        ({"type": "overloaded_error"}, 529),
        ({"type": "request_too_large"}, 413),
        ({"type": "timeout_error"}, 504),
        ({"type": "api_error"}, 500),
        ({"type": "rate_limit_error", "code": "slow_down"}, 429),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, 429),
        ({"code": "invalid_api_key", "type": "invalid_request_error"}, 401),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, 429),
        ({"code": None, "type": "server_error"}, 500),
        ({"code": 7}, 500),
        ({}, 500),
        ("text", 500),
    ],
)
def test_an_error_in_a_stream_stands_for_a_status(error, status):
    assert status_of(error) == status


# --- when to ask again -----------------------------------------------------------------------

# From the one that counts most to the one that counts least, with the seconds each asks for.
SOURCES = [
    ({"retry-after-ms": "300"}, "", 0.3),
    ({"retry-after": "2.5"}, "", 2.5),
    ({"llm_provider-retry-after": "7"}, "", 7.0),
    ({}, '"retryDelay": "46s"', 46.0),
    ({}, "Please try again in 5.289s.", 5.289),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, "", 360.0),
]


@pytest.mark.parametrize("first", range(len(SOURCES)))
def test_delays_are_looked_for_in_this_order(first):
    headers = {name: value for found, _, _ in SOURCES[first:] for name, value in found.items()}
    # The hints of less weight stand first in the body: it is the order of weight that counts.
    body = " ".join(hint for _, hint, _ in reversed(SOURCES[first:]))
    assert retry_after(headers, body) == pytest.approx(SOURCES[first][2])


def test_no_delay_is_told_where_none_is_asked_for():
    assert retry_after({}, "no") is None
    assert failed(429).retry_after is None


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", None),
    ],
)
def test_a_retry_after_may_be_an_http_date(date, seconds):
    assert retry_after({"retry-after": date}, "", now=lambda: NOW) == seconds


def test_a_date_without_a_zone_is_not_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        headers = {"retry-after": "Wed, 21 Oct 2015 07:28:30"}
        assert retry_after(headers, "", now=lambda: NOW) == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "value",
    ["soon", "", "-1", "0", "0.0", "nan", "inf", "Oct 1 25:61:61 99999999999 Oct UTC UTC ( Wed,"],
)
def test_a_retry_after_that_says_nothing_is_passed_over(value):
    headers = {"retry-after-ms": value, "retry-after": value, "llm_provider-retry-after": "3"}
    assert retry_after(headers, "") == 3.0


def test_gemini_s_hint_is_found_where_it_is():
    body = [
        {
            "error": {
                "code": 429,
                "message": "Quota exceeded. Please retry in 46.218s.",
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "46s"}
                ],
            }
        }
    ]
    error = failed(429, body)
    assert type(error) is RateLimited
    assert error.retry_after == 46.0


def test_gemini_s_hint_is_found_inside_a_quoted_body():
    raw = json.dumps({"retryDelay": "46s"})
    assert retry_after({}, json.dumps({"error": {"metadata": {"raw": raw}}})) == 46.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Please try again in 5.289s. Visit", 5.289),
        ("please try again in 120ms.", 0.12),
        ("Try again in 1m30.5s", 90.5),
        ("Please retry in 46s", 46.0),
        ("try again in a while", None),
    ],
)
def test_a_hint_in_words_is_read(said, seconds):
    assert retry_after({}, said) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("6m0s", 360.0),
        ("1s", 1.0),
        ("12ms", 0.012),
        ("0s", None),
        ("172.799999ms", 0.172799999),
        ("23h18m29.144s", 83909.144),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("60", None),
        ("6m 0s", None),
        ("", None),
    ],
)
def test_a_reset_is_a_go_duration(duration, seconds):
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": duration}
    expected = None if seconds is None else pytest.approx(seconds)
    assert retry_after(headers, "") == expected


def test_a_reset_counts_only_where_nothing_remains():
    headers = {
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
    }
    assert retry_after(headers, "") == 2.0


def test_of_two_empty_limits_the_longer_counts():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
    }
    assert retry_after(headers, "") == 2.0
