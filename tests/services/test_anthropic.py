"""Anthropic's Messages: what is sent, exactly, and what is refused before anything is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nbconvo.errors import BadRequest, InputError, MissingKey, QuotaExhausted, ServerFailed
from nbconvo.messages import Attachment, Message, ToolCall
from nbconvo.services import AnthropicService, ModelInfo, Request, get
from nbconvo.specs import SchemaSpec, ToolSpec

URL = "http://127.0.0.1:8080/v1"
USER = Message(role="user", content="Whale?")
SYSTEM = Message(role="system", content="Be funny.")
WEATHER = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {}})
PNG = Attachment("image/png", b"\x89PNG", "plot.png", 10, 10)
CACHED = {"cache_control": {"type": "ephemeral"}}


def asked(*messages: Message, model: str | None = "claude-opus-4-6", **options: Any) -> Request:
    return AnthropicService("key", URL).request(messages or (USER,), model, options)


def body(*messages: Message, **options: Any) -> dict[str, Any]:
    request = asked(*messages, **options)
    assert request.body is not None
    return dict(request.body)


def turns(*messages: Message) -> list[dict[str, Any]]:
    return body(*messages)["messages"]


def reply(content: str = "", *calls: ToolCall, **fields: Any) -> Message:
    return Message(role="assistant", content=content, calls=calls, **fields)


def result(call_id: str, content: str = "", **fields: Any) -> Message:
    return Message(role="tool", content=content, call_id=call_id, **fields)


# --- where to, and as whom -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "goes_to"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/v1/messages"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/v1/messages"),
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/messages"),
        ("http://127.0.0.1:1/anthropic", "http://127.0.0.1:1/anthropic/v1/messages"),
    ],
)
def test_an_address_may_leave_out_the_version_as_anthropics_own_clients_do(
    given: str, goes_to: str, monkeypatch: pytest.MonkeyPatch
):
    assert AnthropicService(base_url=given).request((USER,), "m", {}).url == goes_to
    monkeypatch.setenv("ANTHROPIC_BASE_URL", given)
    assert AnthropicService().request((USER,), "m", {}).url == goes_to


def test_it_is_known_by_its_name_and_at_home_by_default():
    service = get("anthropic")
    assert isinstance(service, AnthropicService)
    assert service.request((USER,), "m", {}).url == "https://api.anthropic.com/v1/messages"
    with pytest.raises(MissingKey, match="set ANTHROPIC_API_KEY"):
        service.request_headers()


def test_a_key_goes_under_a_name_of_its_own():
    headers = AnthropicService("sk-ant-made-up").request_headers()
    assert headers == {"Accept": "application/json", "x-api-key": "sk-ant-made-up"}
    assert "made-up" not in repr(headers)


def test_a_token_of_the_environment_goes_as_bearer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "made-up")
    headers = AnthropicService().request_headers()
    assert headers == {"Accept": "application/json", "Authorization": "Bearer made-up"}
    assert "made-up" not in repr(headers)


def test_a_key_comes_before_a_token(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    assert AnthropicService().request_headers()["x-api-key"] == "key"
    assert "Authorization" not in AnthropicService().request_headers()


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({}, "2026-10-21"),
        ({"temperature": None}, "2026-10-21"),
        ({"temperature": 0}, "2023-06-01"),
        ({"top_p": 0.9}, "2023-06-01"),
        ({"extra_body": {"top_k": 5}}, "2023-06-01"),
    ],
)
def test_sampling_is_asked_of_the_version_that_still_has_it(options: dict, version: str):
    assert asked(**options).headers == {"anthropic-version": version}


def test_a_version_given_is_kept():
    service = AnthropicService("key", headers={"Anthropic-Version": "2023-06-01"})
    assert service.request((USER,), "m", {}).headers == {}


# --- the body ------------------------------------------------------------------------------


def test_a_request_holds_what_has_to_be_told():
    assert body(SYSTEM, USER, stream=True, n=1) == {
        "model": "claude-opus-4-6",
        "max_tokens": 16_000,
        "system": "Be funny.",
        "messages": [{"role": "user", "content": "Whale?"}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-latest", 4_096),
        ("claude-3-7-sonnet-latest", 16_000),
        ("claude-sonnet-4-20250514", 16_000),
        ("qwen3", 16_000),
        (None, 16_000),
    ],
)
def test_the_most_tokens_are_what_the_model_can_say(model: str | None, most: int):
    assert body(model=model)["max_tokens"] == most
    assert body(model=model, max_tokens=5)["max_tokens"] == 5


def test_options_have_the_protocols_names():
    sent = body(stop="\n\n", user="u1", service_tier="standard_only", temperature=0.5)
    assert sent["stop_sequences"] == ["\n\n"]
    assert sent["metadata"] == {"user_id": "u1"}
    assert (sent["service_tier"], sent["temperature"]) == ("standard_only", 0.5)
    assert body(stop=["a", "b"])["stop_sequences"] == ["a", "b"]


def test_extra_fields_have_the_last_word():
    sent = body(max_tokens=5, extra_body={"max_tokens": 7, "inference_geo": "eu"})
    assert (sent["max_tokens"], sent["inference_geo"]) == (7, "eu")
    assert "extra_body" not in sent


@pytest.mark.parametrize(
    "option",
    [
        {"n": 2},
        {"seed": 0},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"presence_penalty": 0.5},
        {"frequency_penalty": -1},
        {"logit_bias": {"1": 2}},
        {"verbosity": "low"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_that_the_protocol_lacks_is_refused_by_name(option: dict):
    with pytest.raises(InputError) as caught:
        body(**option)
    (name,) = option
    assert str(caught.value) == f"anthropic does not know the option {name!r}; leave it out"


def test_a_response_format_is_refused_with_what_takes_its_place():
    with pytest.raises(InputError, match="pass schema= instead"):
        body(response_format={"type": "json_object"})


def test_options_that_ask_for_nothing_are_left_out():
    assert body(logprobs=False, presence_penalty=0, n=1, seed=None, stream=False) == body()


def test_the_options_given_are_not_changed():
    options = {"max_tokens": 5, "extra_body": {"a": 1}, "n": 1, "tools": [WEATHER]}
    before = {**options}
    body(**options)
    assert options == before


def test_tools_and_the_choice_among_them():
    told = {
        "name": "weather",
        "description": "Tells the weather.",
        "input_schema": {"type": "object", "properties": {}},
    }
    assert body(tools=[WEATHER])["tools"] == [told]
    assert "tool_choice" not in body(tools=[WEATHER])
    choices = {
        "auto": {"type": "auto"},
        "none": {"type": "none"},
        "required": {"type": "any"},
        "weather": {"type": "tool", "name": "weather"},
    }
    for asked_for, sent in choices.items():
        assert body(tools=[WEATHER], tool_choice=asked_for)["tool_choice"] == sent
    assert "tool_choice" not in body(tool_choice="auto")


def test_a_schema_is_the_format_of_the_output():
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    sent = body(schema=SchemaSpec("answer", schema), reasoning_effort="max")
    config = {"format": {"type": "json_schema", "schema": schema}, "effort": "max"}
    assert sent["output_config"] == config


# --- reasoning -----------------------------------------------------------------------------

ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "asked_for", "thinking", "effort", "most"),
    [
        ("claude-opus-4-6", "low", ADAPTIVE, "low", 16_000),
        ("claude-opus-4-6", 5_000, {"type": "enabled", "budget_tokens": 5_000}, None, 21_000),
        ("claude-opus-4-7", "high", ADAPTIVE, "high", 16_000),
        ("claude-haiku-5-5", 9_000, ADAPTIVE, "high", 16_000),
        ("anthropic/claude-opus-4.8", 2_000, ADAPTIVE, "low", 16_000),
        ("claude-mythos-preview", 10**6, ADAPTIVE, "high", 16_000),
        (
            "claude-sonnet-4-5-20250929",
            "medium",
            {"type": "enabled", "budget_tokens": 8_192},
            None,
            24_192,
        ),
        (
            "claude-opus-4-20250514",
            "high",
            {"type": "enabled", "budget_tokens": 16_000},
            None,
            32_000,
        ),
        ("claude-3-7-sonnet", "low", {"type": "enabled", "budget_tokens": 2_048}, None, 18_048),
        ("qwen3:8b", "low", {"type": "enabled", "budget_tokens": 2_048}, None, 18_048),
    ],
)
def test_reasoning_is_asked_for_as_the_model_knows_it(
    model: str, asked_for: str | int, thinking: dict, effort: str | None, most: int
):
    sent = body(model=model, reasoning=asked_for)
    assert sent["thinking"] == thinking
    assert sent.get("output_config") == ({"effort": effort} if effort else None)
    assert sent["max_tokens"] == most


def test_a_level_leaves_half_of_the_most_tokens_to_the_reply():
    sent = body(model="claude-sonnet-4-5", reasoning="high", max_tokens=6_000)
    assert (sent["thinking"]["budget_tokens"], sent["max_tokens"]) == (3_000, 6_000)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reasoning": 1_000}, "1024 tokens or more, not 1000"),
        ({"reasoning": 2_000, "max_tokens": 2_000}, "max_tokens 2000 is not above the 2000"),
        ({"reasoning": "low", "max_tokens": 500}, "max_tokens 500 is not above the 1024"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(options: dict, said: str):
    with pytest.raises(InputError, match=said):
        body(model="claude-sonnet-4-5", **options)


# --- the cache -----------------------------------------------------------------------------

LONG = "A whale is no fish, whatever the sailors say. " * 100


def test_a_long_system_prompt_is_kept_in_the_cache_with_the_tools_before_it():
    sent = body(Message(role="system", content=LONG), USER, tools=[WEATHER])
    assert sent["system"] == [{"type": "text", "text": LONG, **CACHED}]
    assert "cache_control" not in sent["tools"][-1]


def test_long_tools_are_kept_without_a_system_prompt():
    tools = [ToolSpec(name, LONG, {"type": "object"}) for name in ("a", "b")]
    sent = body(tools=tools)
    assert [tool.keys() & {"cache_control"} for tool in sent["tools"]] == [set(), {"cache_control"}]


def test_tools_count_towards_what_is_worth_keeping():
    sent = body(SYSTEM, USER, tools=[ToolSpec("a", LONG, {"type": "object"})])
    assert sent["system"] == [{"type": "text", "text": "Be funny.", **CACHED}]


# --- the conversation ----------------------------------------------------------------------


def test_system_messages_go_to_the_top_wherever_they_are():
    late = Message(role="system", content="In rhyme.")
    sent = body(SYSTEM, USER, reply("A fish."), late, USER)
    assert sent["system"] == "Be funny.\n\nIn rhyme."
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]


def test_results_and_what_the_user_says_next_are_one_turn_with_the_results_first():
    calls = (ToolCall("t1", "weather", '{"city": "Bern"}'), ToolCall("t2", "weather", "{}"))
    found = turns(
        USER,
        reply("I look.", *calls),
        result("t1", "Rain."),
        USER,
        result("t2", "no such city", failed=True),
    )
    assert found == [
        {"role": "user", "content": "Whale?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bern"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "Rain."},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": "no such city",
                    "is_error": True,
                },
                {"type": "text", "text": "Whale?"},
            ],
        },
    ]


def test_an_empty_result_is_one_all_the_same():
    found = turns(USER, reply("", ToolCall("t1", "weather", "")), result("t1"))
    assert found[-1]["content"] == [{"type": "tool_result", "tool_use_id": "t1"}]


def test_calls_without_results_and_results_without_calls_are_left_out():
    found = turns(USER, reply("Hm.", ToolCall("t1", "weather", "{}")), result("t9", "Rain."), USER)
    assert [turn["content"] for turn in found] == ["Whale?", "Hm.", "Whale?"]


def test_a_call_has_its_result_before_the_next_reply_though_ids_come_again():
    call = ToolCall("call_1", "weather", "{}")
    found = turns(
        USER,
        reply("", call),
        result("call_1", "Rain."),
        result("call_1", "Sun."),
        reply("Again.", call),
        USER,
        reply("Hm."),
        result("call_1", "late"),
    )
    kinds = [
        turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["type"]
        for turn in found
    ]
    assert kinds == ["Whale?", "tool_use", "tool_result", "Again.", "Whale?", "Hm."]
    assert found[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain."}
    ]


def test_what_another_model_wrote_is_sent_in_the_forms_that_are_allowed():
    call = ToolCall("functions.weather:0", "weather", "[not json")
    found = turns(USER, reply("", call), result("functions.weather:0", "bad arguments"))
    used, told = found[1]["content"][0], found[2]["content"][0]
    assert (used["id"], used["input"]) == ("functions_weather_0", {})
    assert told["tool_use_id"] == "functions_weather_0"


def test_ids_that_come_again_in_later_replies_are_made_to_differ():
    # "tool_use ids must be unique", in the whole request.
    call, once = ToolCall("call_1", "weather", "{}"), result("call_1", "Rain.")
    found = turns(USER, reply("", call), once, reply("", call), once, USER)
    used = [turn["content"][0].get("id") for turn in found[1::2]]
    told = [turn["content"][0]["tool_use_id"] for turn in found[2::2]]
    assert used == told == ["call_1", "call_1_2"]


def test_a_history_with_calls_is_sent_with_tools_though_none_may_be_called():
    # "Requests which include `tool_use` or `tool_result` blocks must define tools."
    said = (USER, reply("", ToolCall("t1", "weather", "{}")), result("t1", "Rain."))
    assert body(*said)["tools"] == [{"name": "weather", "input_schema": {"type": "object"}}]
    assert body(*said)["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in body(*said, tools=[WEATHER])


def test_blank_texts_are_left_out_and_neighbours_joined():
    found = turns(USER, reply(" \n"), Message(role="user", content="Still there?"))
    assert found == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Whale?"},
                {"type": "text", "text": "Still there?"},
            ],
        }
    ]


def test_attachments_go_before_the_words():
    files = (
        PNG,
        Attachment("application/pdf", b"%PDF", "paper.pdf"),
        Attachment("text/csv", "a,ü".encode(), "data.csv"),
    )
    (turn,) = turns(Message(role="user", content="What is this?", attachments=files))
    assert turn["content"] == [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(PNG.data).decode(),
            },
        },
        {
            "type": "document",
            "source": {
                "type": "base64",
                "media_type": "application/pdf",
                "data": base64.b64encode(b"%PDF").decode(),
            },
            "title": "paper.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "a,ü"},
            "title": "data.csv",
        },
        {"type": "text", "text": "What is this?"},
    ]


def test_a_file_that_cannot_be_sent_is_refused():
    movie = Attachment("video/mp4", b"")
    with pytest.raises(InputError, match="anthropic does not take 'video/mp4'; give a PNG"):
        body(Message(role="user", content="?", attachments=(movie,)))


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "abc="}
USE = {"type": "tool_use", "id": "t1", "name": "weather", "input": '{"city": "Bern"}'}


def test_carried_blocks_go_back_in_the_place_of_what_they_say():
    blocks = (THOUGHT, {"type": "redacted_thinking", "data": "xyz"}, USE)
    said = reply(
        "",
        ToolCall("t1", "weather", '{"city": "Bern"}'),
        carried=tuple(("anthropic", block) for block in blocks),
    )
    found = turns(USER, said, result("t1", "Rain."))
    assert found[1]["content"] == [*blocks[:2], {**USE, "input": {"city": "Bern"}}]


@pytest.mark.parametrize(
    "fields",
    [
        {"carried": (("responses", {"type": "reasoning"}),)},
        {"carried": (("anthropic", THOUGHT),), "finish_reason": "stopped"},
        {"carried": (("anthropic", THOUGHT),), "finish_reason": "cut"},
    ],
    ids=["of another protocol", "stopped", "cut"],
)
def test_blocks_that_would_be_refused_stay_here(fields: dict):
    assert turns(USER, reply("A fish.", **fields))[1]["content"] == "A fish."


# --- models and failures -------------------------------------------------------------------


def test_all_models_are_listed_on_one_page():
    request = AnthropicService("key", URL).models_request()
    assert request == Request(
        f"{URL}/models?limit=1000", headers={"anthropic-version": "2026-10-21"}
    )


def test_models_tell_their_context_and_retired_ones_are_left_out():
    data = [
        {"type": "model", "id": "claude-a", "display_name": "A", "max_input_tokens": 200_000},
        {"type": "model", "id": "claude-b", "display_name": "B"},
        {"type": "model", "id": "claude-c", "lifecycle": "retired"},
        "nonsense",
    ]
    found = AnthropicService("key").models({"data": data, "has_more": False, "last_id": "claude-c"})
    assert found == (ModelInfo("claude-a", 200_000), ModelInfo("claude-b"))


def failure(status: int, kind: str, message: str = "no", **error: Any) -> Exception:
    told = {"type": "error", "error": {"type": kind, "message": message, **error}}
    service = AnthropicService("key", URL)
    return service.failure(status, {}, json.dumps({**told, "request_id": "req_1"}), "claude-a")


def test_being_overloaded_passes():
    error = failure(529, "overloaded_error", "Overloaded")
    assert isinstance(error, ServerFailed)
    assert error.retryable
    assert str(error) == "anthropic: the service failed (529): Overloaded"


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (413, "request_too_large", "Request exceeds the maximum size"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    ],
)
def test_what_is_too_long_is_to_be_shortened(status: int, kind: str, message: str):
    error = failure(status, kind, message)
    assert isinstance(error, BadRequest)
    assert "ask something shorter" in str(error)


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
def test_a_spend_limit_is_not_waited_for(code: str):
    error = failure(429, "rate_limit_error", details={"error_code": code})
    assert isinstance(error, QuotaExhausted)
    assert not error.retryable
    assert error.code == code
