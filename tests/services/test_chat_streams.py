"""Chat completions: whole streams, as services send them, to the messages that come of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.errors import ServiceError
from nbconvo.messages import Message, ToolCall, Usage
from nbconvo.services import ChatService, DeepSeekService, GeminiService, OpenRouterService
from nbconvo.services.traits import DETAILS, EXTRAS
from nbconvo.session.tally import Tally

URL = "http://127.0.0.1:8080/v1"


def chunk(delta: object, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def call(index: int | None, call_id: str | None, name: str | None, arguments: object) -> dict:
    function = {"name": name, "arguments": arguments}
    told = {"index": index, "id": call_id, "type": "function"}
    return {
        **{name: value for name, value in told.items() if value is not None},
        "function": {name: value for name, value in function.items() if value is not None},
    }


def said(events: Iterable[dict[str, Any]], service: ChatService | None = None) -> Message:
    """The message that comes of a stream; the same whether its events come one by one."""
    service = service or ChatService(base_url=URL)
    events = json.loads(json.dumps(list(events)))
    found = []
    for batches in ([[event] for event in events], [events]):
        tally = Tally()
        for batch in batches:
            for delta in service.together(batch):
                tally.add(delta)
        (message,) = tally.messages(None, "custom", None)
        found.append((message, tally.usage))
    assert [(m.content, m.reasoning, m.calls, m.carried, u) for m, u in found][1:] == [
        (m.content, m.reasoning, m.calls, m.carried, u) for m, u in found
    ][:1]
    return found[0][0]


def whole(message: dict[str, Any], reason: str = "stop") -> Message:
    tally = Tally()
    body = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    for delta in ChatService(base_url=URL).reply(body):
        tally.add(delta)
    return tally.messages(None, "custom", None)[0]


# --- calls ---------------------------------------------------------------------------------

TWO = (
    ToolCall("call_1", "weather", '{"city":"Bonn"}'),
    ToolCall("call_2", "clock", "{}"),
)


@pytest.mark.parametrize("together", [True, False])
def test_calls_without_ids_that_are_all_given_the_same_place_are_told_apart(together: bool):
    calls = [
        call(0, "", "weather", '{"city":"Bonn"}'),
        call(0, "", "weather", '{"city":"Oslo"}'),
        call(0, "", "clock", "{}"),
    ]
    events = [calls] if together else [[one] for one in calls]
    message = said([*(chunk({"tool_calls": event}) for event in events), chunk({}, "tool_calls")])
    assert [(one.name, one.arguments) for one in message.calls] == [
        ("weather", '{"city":"Bonn"}'),
        ("weather", '{"city":"Oslo"}'),
        ("clock", "{}"),
    ]


def test_a_name_that_is_told_with_each_piece_is_that_of_one_call():
    pieces = ('{"city"', ':"Bonn"}', "")
    message = said(
        [
            *(chunk({"tool_calls": [call(0, None, "weather", p)]}) for p in pieces),
            chunk({}, "tool_calls"),
        ]
    )
    assert [one.arguments for one in message.calls] == ['{"city":"Bonn"}']


def test_two_calls_come_in_pieces_side_by_side():
    message = said(
        [
            chunk({"role": "assistant", "content": None}),
            chunk({"tool_calls": [call(0, "call_1", "weather", "")]}),
            chunk({"tool_calls": [call(0, None, None, '{"city":')]}),
            chunk({"tool_calls": [call(1, "call_2", "clock", "")]}),
            chunk({"tool_calls": [call(0, None, None, '"Bonn"}'), call(1, None, None, "{}")]}),
            chunk({}, "tool_calls"),
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}},
        ]
    )
    assert message.calls == TWO
    assert (message.content, message.finish_reason) == ("", "tool_calls")
    assert message.usage == Usage(9, 5, requests=1)


def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids():
    message = said(
        [
            chunk({"tool_calls": [call(0, "call_1", "weather", '{"city":')]}),
            chunk({"tool_calls": [call(0, "call_1", None, '"Bonn"}')]}),
            chunk({"tool_calls": [call(0, "call_2", "clock", "{}")]}),
            chunk({}, "tool_calls"),
        ]
    )
    assert message.calls == TWO


def test_calls_without_an_index_are_told_apart_by_their_place():
    listed = [
        call(None, "call_1", "weather", '{"city":"Bonn"}'),
        call(None, "call_2", "clock", "{}"),
    ]
    assert said([chunk({"tool_calls": listed}, "tool_calls")]).calls == TWO


@pytest.mark.parametrize("index", [None, 0])
def test_calls_of_a_whole_message_are_its_list(index: int | None):
    listed = [
        call(index, None, "weather", {"city": "Bonn"}),
        call(index, None, "clock", None),
    ]
    found = whole({"content": None, "tool_calls": listed}, "tool_calls").calls
    assert [(one.name, one.arguments) for one in found] == [
        ("weather", '{"city": "Bonn"}'),
        ("clock", "{}"),
    ]
    assert found[0].id != found[1].id


@pytest.mark.parametrize("together", [True, False])
def test_a_stop_after_calls_is_one_for_calls(together: bool):
    calls = {"tool_calls": [call(0, "call_2", "clock", "{}")]}
    events = [chunk(calls, "stop")] if together else [chunk(calls), chunk({}, "stop")]
    assert said(events).finish_reason == "tool_calls"


def test_text_before_calls_is_kept():
    events = [
        chunk({"content": "Let me "}),
        chunk({"content": "see."}),
        chunk({"content": "", "tool_calls": [call(0, "call_2", "clock", "{}")]}, "tool_calls"),
    ]
    assert (said(events).content, said(events).calls) == ("Let me see.", TWO[1:])


def test_calls_beside_text_are_not_lost_on_the_short_way():
    event = chunk({"content": "Hm", "tool_calls": [call(0, "call_2", "clock", "{}")]})
    assert said([chunk({"content": "a"}), event, chunk({}, "tool_calls")]).calls == TWO[1:]


def test_no_calls_are_none():
    assert said([chunk({"content": "Hi", "tool_calls": None}, "stop")]).calls == ()
    assert said([chunk({"content": "Hi", "tool_calls": []}, "stop")]).finish_reason == "stop"


def test_the_old_form_of_a_call_is_not_read():
    event = chunk({"content": None, "function_call": {"name": "clock", "arguments": "{}"}})
    assert said([event, chunk({}, "function_call")]).calls == ()


# --- reasoning -----------------------------------------------------------------------------


def test_parts_of_thinking_are_reasoning():
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "A whale"}]}
    message = said(
        [
            chunk({"content": [thinking]}),
            chunk({"content": [{"type": "thinking", "thinking": " laughs."}]}),
            chunk({"content": [{"type": "text", "text": "Ha"}]}),
            chunk({"content": "!"}, "stop"),
        ]
    )
    assert (message.content, message.reasoning) == ("Ha!", "A whale laughs.")


def detail(index: int | None, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"reasoning.{kind}", "format": "f-v1", "index": index, **more}


def test_details_are_put_together_and_go_back_as_one_block_each():
    openrouter = OpenRouterService("key")
    message = said(
        [
            chunk({"reasoning": "A wh", "reasoning_details": [detail(0, "text", text="A wh")]}),
            chunk({"reasoning": "ale", "reasoning_details": [detail(0, "text", text="ale")]}),
            chunk({"reasoning_details": [detail(0, "text", signature="s==")]}),
            chunk({"reasoning_details": [detail(0, "encrypted", data="x==", id="r")]}),
            chunk({"content": "Ha"}, "stop"),
        ],
        openrouter,
    )
    assert message.reasoning == "A whale"
    assert {protocol for protocol, _ in message.carried} == {DETAILS}
    body = openrouter.request((message,), "m", {}).body
    assert body is not None
    assert body["messages"][0]["reasoning_details"] == [
        detail(0, "text", text="A whale", signature="s=="),
        detail(0, "encrypted", data="x==", id="r"),
    ]


def test_details_alone_are_shown_too():
    events = [
        chunk({"reasoning_details": [detail(0, "summary", summary="A ")]}),
        chunk({"reasoning_details": [detail(None, "text", text="whale")]}),
        chunk({"content": "Ha"}, "stop"),
    ]
    assert said(events).reasoning == "A whale"


def test_details_that_say_no_more_than_the_reasoning_are_not_kept():
    event = chunk({"reasoning": "Hm", "reasoning_details": [detail(0, "text", text="Hm")]})
    assert said([event, chunk({"content": "Ha"}, "stop")]).carried == ()


def test_a_thought_signature_comes_and_goes_with_its_call():
    gemini, extra = GeminiService("key"), {"google": {"thought_signature": "s=="}}
    signed = {**call(0, "call_1", "weather", '{"city":"Bonn"}'), "extra_content": extra}
    message = said(
        [chunk({"tool_calls": [signed, call(1, "call_2", "clock", "{}")]}, "stop")], gemini
    )
    assert message.calls == TWO
    assert [protocol for protocol, _ in message.carried] == [EXTRAS]
    body = gemini.request((message,), "m", {}).body
    assert body is not None
    first, second = body["messages"][0]["tool_calls"]
    assert first["extra_content"] == extra
    assert "extra_content" not in second


def test_reasoning_of_a_call_goes_back_to_deepseek():
    deepseek = DeepSeekService("key")
    events = [
        chunk({"role": "assistant", "content": None, "reasoning_content": "Loo"}),
        chunk({"content": None, "reasoning_content": "k."}),
        chunk({"tool_calls": [call(0, "call_2", "clock", "{}")]}, "tool_calls"),
    ]
    message = said(events, deepseek)
    asked = Message(role="user", content="Time?")
    body = deepseek.request((asked, message), "m", {}).body
    assert body is not None
    assert body["messages"][1]["reasoning_content"] == "Look."


# --- ends ----------------------------------------------------------------------------------


def test_a_refusal_is_what_is_said_at_the_end():
    events = [chunk({"refusal": "I would "}), chunk({"refusal": "rather not."}), chunk({}, "stop")]
    assert (said(events).content, said(events).finish_reason) == ("I would rather not.", "stop")


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_why_a_reply_ends_is_told_as_the_service_says_it(reason: str):
    assert said([chunk({"content": "Ha"}), chunk({}, reason)]).finish_reason == reason


# --- usage ---------------------------------------------------------------------------------

TOLD = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


@pytest.mark.parametrize(
    "events",
    [
        [chunk({}, "stop"), {"choices": [], "usage": TOLD}],
        [chunk({}, "stop", usage=TOLD)],
        [chunk({}, "stop"), chunk({}, usage=TOLD)],
        [chunk({}, "stop", x_groq={"id": "r", "usage": TOLD})],
        [chunk({}, "stop", usage=TOLD), {"choices": [], "usage": None}],
        [
            chunk({"content": "!"}, usage={**TOLD, "completion_tokens": 1}),
            chunk({}, "stop", usage=TOLD),
        ],
    ],
    ids=["apart", "at the end", "after it", "Groq", "then null", "in every chunk"],
)
def test_usage_is_found_wherever_it_comes(events: list[dict]):
    first = chunk({"content": "Ha"}, usage=None)
    assert said([first, *events]).usage == Usage(9, 5, requests=1)


def test_no_usage_is_none():
    assert said([chunk({"content": "Ha"}, "stop")]).usage is None


# --- whatever comes ------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("choices", "delta", "message", "content", "index", "finish_reason", "usage"),
                    *("tool_calls", "function", "arguments", "id", "name", "extra_content", "type"),
                    *("reasoning_details", "reasoning", "thinking", "text", "data", "signature"),
                    *("prompt_tokens", "completion_tokens", "total_tokens", "cost", "is_byok"),
                    *("prompt_tokens_details", "cost_details", "total_cost", "pricing", "prompt"),
                    *("upstream_inference_cost", "meta", "n_ctx_train", "context_length", "model"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
events = st.dictionaries(
    st.sampled_from(["choices", "usage", "model", "data"]), values
) | st.builds(
    lambda said, rest: {"choices": [{"delta": said, "message": said}], **rest},
    values,
    st.dictionaries(st.just("usage"), values),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=4))
def test_whatever_comes_is_a_reply_or_an_error_of_ours(events: list[dict[str, Any]]):
    service, tally = ChatService(base_url=URL), Tally()
    try:
        for event in events:
            for delta in (*service.deltas(event), *service.reply(event)):
                tally.add(delta)
            service.models(event)
    except ServiceError:
        return
    if found := tally.messages(None, "custom", None):
        body = service.request(found, "m", {}).body
        assert json.dumps(body)


def test_thinking_within_thinking_is_no_end_of_it():
    content: list[dict] = [{"type": "text", "text": "x"}]
    for _ in range(2000):
        content = [{"type": "thinking", "thinking": content}]
    assert ChatService(base_url=URL).deltas(chunk({"content": content}, "stop"))[0].text == ""
