import json

import pytest
from pydantic import TypeAdapter

from nbconvo.offline.anthropic import events, failure, read_messages, whole
from nbconvo.offline.replies import Completion
from nbconvo.offline.requests import Refusal

TEXT = "A blue whale and a big shark meet at the bar."
HELLO = [{"role": "user", "content": TEXT}]


def read(*, counts=False, **body):
    body = {"model": "echo", "max_tokens": 99, "messages": HELLO} | body
    return read_messages(json.dumps(body).encode(), counts=counts)


def answered(**body):
    return Completion.of(read(**body), "msg_1", 1_700_000_000)


def test_system_comes_first_as_a_message():
    parts = [{"type": "text", "text": "Be", "cache_control": {}}, {"type": "text", "text": "brief"}]
    assert read(system=parts).messages[0] == {"role": "system", "content": "Be\nbrief"}
    assert list(read().messages) == HELLO


def test_results_of_tools_are_messages_of_their_own_and_calls_are_passed_over():
    turns = [
        {
            "role": "assistant",
            "content": [{"type": "thinking"}, {"type": "text", "text": "I look"}],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "sunny"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [{"type": "text", "text": "wet"}],
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ]
    assert [(m["role"], m["content"]) for m in read(messages=turns).messages] == [
        ("assistant", "I look"),
        ("assistant", ""),
        ("tool", "sunny"),
        ("tool", "wet"),
        ("user", "And now?"),
    ]


def test_fields_that_mean_nothing_here_are_ignored():
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    assert read(tools=tools, thinking={"type": "adaptive"}, temperature=7) == read()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"max_tokens": None}, "'max_tokens' is required"),
        ({"max_tokens": 0}, "'max_tokens' must be a whole number above 0"),
        ({"messages": []}, "'messages' must be a list"),
        ({"messages": ["hi"]}, r"'messages\.0' must be an object"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "text, images and files.*'image'",
        ),
        ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, "images and files"),
        ({"messages": [{"role": "user", "content": ["hi"]}]}, "images and files"),
        ({"messages": [{"role": "user", "content": 7}]}, "must be a text"),
        ({"stop_sequences": 7}, "'stop_sequences' must be"),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": ["any"]}}, "'tool_choice' must be"),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "tool"}}, "'tool_choice' must be"),
        ({"model": "claude-haiku-5-5"}, "the models are guide, echo, eliza"),
    ],
)
def test_what_is_wrong_is_said(body, says):
    with pytest.raises(Refusal, match=says):
        read(**body)


def test_counting_needs_no_max_tokens():
    assert read(counts=True, max_tokens=None).messages == read().messages


@pytest.mark.parametrize(
    ("body", "text", "reason", "sequence"),
    [
        ({}, TEXT, "end_turn", None),
        ({"max_tokens": 2}, TEXT[:8], "max_tokens", None),
        ({"stop_sequences": [" big", " shark"]}, "A blue whale and a", "stop_sequence", " big"),
        ({"stop_sequences": [" big"], "max_tokens": 1}, "A b", "max_tokens", None),
    ],
)
def test_a_reply_says_why_it_ended_whole_and_streamed(body, text, reason, sequence):
    message = whole(answered(**body))
    assert text.startswith(message["content"][0]["text"])
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)
    assert message["usage"]["output_tokens"] > 0
    *_, last, stop = events(answered(**body))
    assert last["delta"] == {"stop_reason": reason, "stop_sequence": sequence}
    assert last["usage"] == message["usage"]
    assert stop == {"type": "message_stop"}


def test_a_stream_opens_and_closes_one_block():
    sent = list(events(answered()))
    kinds = [event["type"] for event in sent if event["type"] != "content_block_delta"]
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    begun = sent[0]["message"]
    assert (begun["id"], begun["content"], begun["usage"]["output_tokens"]) == ("msg_1", [], 0)
    assert begun["usage"]["input_tokens"] > 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (500, "api_error"),
    ],
)
def test_an_error_has_the_type_of_its_status(status, kind):
    assert failure(Refusal("no", status=status), "req_1") == {
        "type": "error",
        "error": {"type": kind, "message": "no"},
        "request_id": "req_1",
    }


@pytest.mark.parametrize("body", [{}, {"max_tokens": 2}, {"stop_sequences": [" big"]}])
def test_all_has_the_shape_that_anthropics_own_types_describe(body):
    types = pytest.importorskip("anthropic.types", reason="anthropic is not installed")
    described = TypeAdapter(types.RawMessageStreamEvent)
    for event in events(answered(**body)):
        # Its client drops pings before anything else looks at them.
        assert event["type"] == "ping" or described.validate_python(event).type == event["type"]
    assert types.Message.model_validate(whole(answered(**body))).content[0].text
