"""Chat completions: what goes along with words, and what refers to what was said before."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nbconvo.errors import InputError
from nbconvo.messages import Attachment, Message, ToolCall
from nbconvo.services import ChatService, OpenAIService, Traits
from nbconvo.services.traits import DETAILS, EXTRAS
from nbconvo.specs import SchemaSpec, ToolSpec

URL = "http://127.0.0.1:8080/v1"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = ToolSpec("weather", "The weather in a city.", PARAMETERS)
CLOCK = ToolSpec("clock", "What time it is.", {"type": "object", "properties": {}})
SCHEMA = SchemaSpec("Joke", {"type": "object", "properties": {"text": {"type": "string"}}})
PIXEL = b"\x89PNG\r\n\x1a\n"


def service(**traits: Any) -> ChatService:
    class Mine(ChatService):
        name = "mine"

    Mine.traits = Traits(**traits)
    return Mine(base_url=URL)


def sent(*messages: Message, to: ChatService | None = None, **options: Any) -> dict[str, Any]:
    asked = to or service()
    given = messages or (Message(role="user", content="Whale?"),)
    asked.check(given, options)
    body = asked.request(given, "small", options).body
    assert body is not None
    return json.loads(json.dumps(body))  # as it is sent


def user(content: str, *attached: Attachment) -> Message:
    return Message(role="user", content=content, attachments=attached)


def called(*calls: ToolCall, **more: Any) -> Message:
    return Message(role="assistant", content="", calls=calls, **more)


# --- tools ---------------------------------------------------------------------------------


def test_tools_are_told_as_functions():
    assert sent(tools=[WEATHER]) == {
        "model": "small",
        "messages": [{"role": "user", "content": "Whale?"}],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": PARAMETERS,
                },
            }
        ],
    }


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_choice_of_tools_is_sent_as_it_is(choice: str):
    assert sent(tools=[WEATHER], tool_choice=choice)["tool_choice"] == choice


def test_a_tool_is_chosen_by_its_name():
    body = sent(tools=[WEATHER, CLOCK], tool_choice="clock")
    assert body["tool_choice"] == {"type": "function", "function": {"name": "clock"}}
    assert len(body["tools"]) == 2


def test_where_no_tool_can_be_named_it_is_the_only_one_to_choose():
    body = sent(to=service(names_tool=False), tools=[WEATHER, CLOCK], tool_choice="clock")
    assert body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["clock"]


def test_without_tools_nothing_is_said_of_them():
    options = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": False}
    assert sent(**options) == sent()
    assert sent(**options | {"tools": [CLOCK]})["parallel_tool_calls"] is False


def test_calls_and_their_results_go_back_with_their_ids():
    body = sent(
        user("Weather?"),
        called(ToolCall("a1", "weather", '{"city": "Bonn"}'), ToolCall("a2", "clock", "{}")),
        Message(role="tool", content="rain", call_id="a1"),
        Message(role="tool", content="no such clock", call_id="a2", failed=True),
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Bonn"}'},
                },
                {
                    "id": "a2",
                    "type": "function",
                    "function": {"name": "clock", "arguments": "{}"},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "a1", "content": "rain"},
        {"role": "tool", "tool_call_id": "a2", "content": "no such clock"},
    ]


@pytest.mark.parametrize(
    ("written", "goes_back"),
    [
        ("", "{}"),
        ('{"city":"Bonn"}', '{"city":"Bonn"}'),
        ('{"city": Bonn}', '{"invalid_arguments": "{\\"city\\": Bonn}"}'),
        ("[1]", '{"invalid_arguments": "[1]"}'),
        ("[" * 100_000, json.dumps({"invalid_arguments": "[" * 100_000})),
    ],
    ids=["none", "good", "no JSON", "no object", "deep"],
)
def test_arguments_go_back_as_json_whatever_was_written(written: str, goes_back: str):
    message = sent(user("?"), called(ToolCall("a", "weather", written)))["messages"][1]
    assert message["tool_calls"][0]["function"]["arguments"] == goes_back


def test_words_beside_calls_are_kept():
    said = Message(role="assistant", content="Let me see.", calls=(ToolCall("a", "clock", "{}"),))
    assert sent(user("?"), said)["messages"][1]["content"] == "Let me see."


# --- images and files ----------------------------------------------------------------------


def test_an_image_goes_along_as_a_data_url():
    body = sent(user("What is it?", Attachment("image/png", PIXEL, "a.png")))
    url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


def test_an_image_needs_no_words():
    (part,) = sent(user("", Attachment("image/png", PIXEL)))["messages"][0]["content"]
    assert part["type"] == "image_url"


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/csv; charset=utf-8", "application/json", "image/svg+xml"]
)
def test_only_texts_are_sent_as_texts(kind: str):
    content = sent(user("Sum up.", Attachment(kind, "Grüße".encode(), "a")))["messages"][0]
    assert isinstance(content["content"], str) == (not kind.startswith("image/"))


def test_a_text_file_is_sent_by_its_name_within_the_message():
    files = Attachment("text/plain", "Grüße".encode(), "a.txt"), Attachment("text/csv", b"1,2")
    assert sent(user("Sum up.", *files))["messages"][0]["content"] == (
        "Sum up.\n\nFile a.txt:\nGrüße\n\n1,2"
    )


def test_a_text_file_beside_an_image_is_a_part():
    files = Attachment("text/plain", b"a", "a.txt"), Attachment("image/png", PIXEL)
    parts = sent(user("", *files))["messages"][0]["content"]
    assert parts[0] == {"type": "text", "text": "File a.txt:\na"}


def test_a_pdf_is_a_file_where_the_service_takes_it():
    pdf = Attachment("application/pdf", b"%PDF", "paper.pdf")
    assert sent(user("", pdf), to=service(pdf=True))["messages"][0]["content"] == [
        {
            "type": "file",
            "file": {
                "filename": "paper.pdf",
                "file_data": "data:application/pdf;base64,JVBERg==",
            },
        }
    ]


@pytest.mark.parametrize(
    ("kind", "pdf", "text"),
    [
        ("application/pdf", False, "does not take 'a', application/pdf: it takes images and text"),
        (
            "application/zip",
            True,
            "does not take 'a', application/zip: it takes images, text files",
        ),
    ],
)
def test_a_file_that_the_service_does_not_take_is_refused(kind: str, pdf: bool, text: str):
    with pytest.raises(InputError, match=text):
        sent(user("", Attachment(kind, b"x", "a")), to=service(pdf=pdf))


# --- a schema ------------------------------------------------------------------------------


def test_a_schema_is_a_response_format():
    spec = SchemaSpec("Joke", SCHEMA.schema, strict=False, description="A joke.")
    assert sent(schema=spec)["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "Joke",
            "description": "A joke.",
            "schema": SCHEMA.schema,
            "strict": False,
        },
    }
    assert "description" not in sent(schema=SCHEMA)["response_format"]["json_schema"]


@pytest.mark.parametrize(
    ("mode", "field"), [("json_object", {"type": "json_object"}), (None, None)]
)
def test_a_service_without_schemas_is_told_in_words(mode: Any, field: object):
    body = sent(user("Whale?"), to=service(schema=mode), schema=SCHEMA)
    assert body.get("response_format") == field
    system, asked = body["messages"]
    assert system["role"] == "system"
    assert system["content"].endswith(":\n" + json.dumps(SCHEMA.schema))
    assert "JSON" in system["content"]
    assert asked == {"role": "user", "content": "Whale?"}


def test_a_schema_in_words_follows_the_system_message():
    asked = Message(role="system", content="Be funny."), user("Whale?")
    system, _ = sent(*asked, to=service(schema=None), schema=SCHEMA)["messages"]
    assert system["content"].startswith("Be funny.\n\nReply with nothing but one JSON value")


def test_two_ways_to_say_a_schema_are_one_too_many():
    with pytest.raises(InputError, match="schema and response_format say the same"):
        sent(schema=SCHEMA, response_format={"type": "json_object"})


# --- reasoning -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "asked", "field"),
    [
        ("reasoning_effort", "low", {"reasoning_effort": "low"}),
        ("reasoning", "high", {"reasoning": {"effort": "high"}}),
        ("reasoning", 2000, {"reasoning": {"max_tokens": 2000}}),
        ("thinking_config", "medium", {"reasoning_effort": "medium"}),
        (
            "thinking_config",
            2000,
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 2000}}}},
        ),
        ("chat_template_kwargs", "low", {"chat_template_kwargs": {"reasoning_effort": "low"}}),
    ],
)
def test_reasoning_is_asked_for_in_the_services_way(style: Any, asked: str | int, field: dict):
    plain = sent()
    assert sent(to=service(reasoning=style), reasoning=asked) == {**plain, **field}


@pytest.mark.parametrize("style", ["reasoning_effort", "chat_template_kwargs"])
def test_tokens_of_reasoning_are_refused_where_they_cannot_be_said(style: Any):
    with pytest.raises(InputError, match="mine takes reasoning as low, medium or high, not as 99"):
        sent(to=service(reasoning=style), reasoning=99)


def test_a_field_of_the_services_own_goes_before_reasoning():
    assert sent(reasoning="low", reasoning_effort="minimal")["reasoning_effort"] == "minimal"


@pytest.mark.parametrize("asked", [{"reasoning": "low"}, {"reasoning_effort": "high"}])
@pytest.mark.parametrize("model", ["gpt-5.4-mini", "gpt-5.6-sol", "gpt-6-luna", "gpt-10"])
def test_openai_is_not_asked_for_what_it_refuses(model: str, asked: dict):
    with pytest.raises(InputError, match=f"tools together with reasoning for '{model}'; leave"):
        OpenAIService("key").request((), model, {"tools": [CLOCK], **asked})


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt-5.6-sol", {"reasoning": "low"}),
        ("gpt-5.6-sol", {"tools": [CLOCK]}),
        ("gpt-5.6-sol", {"tools": [CLOCK], "reasoning_effort": "none"}),
        ("gpt-5.3", {"tools": [CLOCK], "reasoning": "low"}),
        ("gpt-5", {"tools": [CLOCK], "reasoning": "low"}),
        ("o3", {"tools": [CLOCK], "reasoning": "low"}),
    ],
)
def test_openai_is_asked_for_what_it_takes(model: str, options: dict):
    assert OpenAIService("key").request((), model, options).body


def test_a_server_in_openais_place_may_take_what_openai_refuses():
    asked = {"tools": [CLOCK], "reasoning": "low"}
    assert OpenAIService("key", URL).request((), "gpt-5.6-sol", asked).body


# --- what is carried back ------------------------------------------------------------------


def test_reasoning_never_goes_back_unasked():
    thought = called(ToolCall("a", "clock", "{}"), reasoning="Hm.")
    assert "Hm." not in json.dumps(sent(user("?"), thought))


def test_reasoning_goes_back_in_turns_with_calls_where_it_is_required():
    plain = Message(role="assistant", content="Hi", reasoning="greet")
    answer = Message(role="assistant", content="Noon.", reasoning="say it")
    body = sent(
        user("Hi"),
        plain,
        user("Time?"),
        called(ToolCall("a", "clock", "{}"), reasoning="look"),
        Message(role="tool", content="12:00", call_id="a"),
        answer,
        user("Thanks"),
        plain,
        to=service(reasoning_back="reasoning_content"),
    )
    went = [message.get("reasoning_content") for message in body["messages"]]
    assert went == [None, None, None, "look", None, "say it", None, None]


def test_details_go_back_as_they_came():
    blocks = (
        (DETAILS, {"type": ["reasoning.text"], "text": "Hm.", "signature": ["s"], "index": [0]}),
        (DETAILS, {"type": ["reasoning.encrypted"], "data": "x==", "id": ["r"], "index": [1]}),
    )
    said = Message(role="assistant", content="Hi", carried=blocks, reasoning="Hm.")
    to = service(carries=frozenset({DETAILS}), reasoning_back="reasoning")
    assert sent(user("?"), said, to=to)["messages"][1] == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0},
            {"type": "reasoning.encrypted", "data": "x==", "id": "r", "index": 1},
        ],
    }


def test_what_hangs_on_a_call_goes_back_with_it():
    extra = {"google": {"thought_signature": "s=="}}
    blocks = (
        (EXTRAS, {"id": ["b"], "place": 0, "extra_content": extra}),
        (EXTRAS, {"id": [""], "place": 0, "extra_content": {"google": {}}}),
        (EXTRAS, {"id": ["gone"], "place": 0, "extra_content": extra}),
        (EXTRAS, {"id": [""], "place": 7, "extra_content": extra}),
    )
    calls = ToolCall("a", "clock", "{}"), ToolCall("b", "clock", "{}")
    said = called(*calls, carried=blocks)
    to = service(carries=frozenset({EXTRAS}))
    found = sent(user("?"), said, to=to)["messages"][1]["tool_calls"]
    assert [call.get("extra_content") for call in found] == [{"google": {}}, extra]


def test_blocks_of_another_protocol_stay():
    said = called(
        ToolCall("a", "clock", "{}"),
        carried=(
            ("anthropic", {"type": "thinking", "thinking": "Hm.", "signature": "s"}),
            (DETAILS, {"type": ["reasoning.text"], "text": "Hm."}),
            (EXTRAS, {"id": ["a"], "place": 0, "extra_content": {"google": {"a": "Hm."}}}),
        ),
    )
    assert "Hm." not in json.dumps(sent(user("?"), said))


# --- what is refused -----------------------------------------------------------------------


def test_an_option_that_the_service_refuses_is_refused_before():
    mine = service(refused=frozenset({"n", "logit_bias"}))
    with pytest.raises(InputError, match="mine does not take logit_bias; leave it out"):
        mine.check((), {"logit_bias": {}})
    with pytest.raises(InputError, match="mine does not take n"):
        mine.check((), {"n": 2})
    mine.check((), {"n": 1, "logit_bias": None, "seed": 1})


def test_a_service_that_lacks_a_capability_refuses_it():
    class Blind(ChatService):
        name = "blind"
        features = frozenset({"tools"})

    with pytest.raises(InputError, match="blind does not take images"):
        Blind(base_url=URL).check((user("", Attachment("image/png", PIXEL)),), {})


# --- names -----------------------------------------------------------------------------------


def test_any_option_can_have_another_name():
    renamed = {"stream": "streaming", "stream_options": "so", "n": "count", "seed": "random_seed"}
    body = sent(to=service(renamed=renamed), stream=True, n=2, seed=7)
    del body["model"], body["messages"]
    assert body == {
        "streaming": True,
        "so": {"include_usage": True},
        "count": 2,
        "random_seed": 7,
    }


def test_a_renamed_response_format_is_still_one_beside_a_schema():
    mine = service(renamed={"response_format": "format"})
    with pytest.raises(InputError, match="the same in two ways"):
        sent(to=mine, schema=SCHEMA, response_format={"type": "json_object"})
