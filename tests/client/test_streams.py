"""What servers stream, in all the ways in which they were seen to do it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbconvo.errors import ProtocolError, ServerFailed, StreamCut
from nbconvo.messages import Usage
from nbconvo.testing import FakeProvider

from .conftest import KEY, Answer, Ask

DONE = "data: [DONE]\n\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}


def piece(text: str | None = None, finish_reason: str | None = None, **delta: Any) -> dict:
    if text is not None:
        delta["content"] = text
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


STOP = piece(finish_reason="stop")


# --- the end -------------------------------------------------------------------------------


async def test_a_reply_is_whole_with_its_finish_reason(ask: Ask, provider: FakeProvider):
    provider.reply("The whale nods.", finish_reason="length", model="small-2")
    answer = await ask()
    assert (answer.text, answer.finish_reason) == ("The whale nods.", "length")
    assert answer.deltas[0].model == "small-2"


async def test_a_stream_need_not_end_with_done(ask: Ask, provider: FakeProvider):
    provider.events([piece("Hi."), STOP])
    assert (await ask()).text == "Hi."


@pytest.mark.parametrize("empty", ["data:\n\n", "data: \n\n", "data: \r\n\r\n"])
async def test_an_event_without_data_only_keeps_the_connection(
    ask: Ask, provider: FakeProvider, empty: str
):
    provider.events([empty, piece("Hi"), empty, empty, piece("."), STOP, empty])
    assert (await ask()).text == "Hi."


@pytest.mark.parametrize("end", [[], [DONE]], ids=["nothing", "[DONE]"])
async def test_a_stream_without_finish_reason_is_cut(
    ask: Ask, provider: FakeProvider, end: list[str]
):
    provider.events([piece("The whale"), *end])
    answer = Answer()
    with pytest.raises(StreamCut, match="broke off"):
        await ask(into=answer)
    assert answer.text == "The whale"


async def test_a_reset_after_the_finish_reason_does_no_harm(ask: Ask, provider: FakeProvider):
    body = b"".join(
        b"%x\r\n%b\r\n" % (len(data), data)
        for data in (f"data: {json.dumps(event)}\n\n".encode() for event in (piece("Hi."), STOP))
    )
    provider.raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\n\r\n" + body
    )
    assert (await ask()).text == "Hi."
    assert len(provider.requests) == 1


async def test_an_error_after_the_finish_reason_does_no_harm(ask: Ask, provider: FakeProvider):
    provider.events([piece("Hi."), STOP, {"error": {"message": "late"}}])
    assert (await ask()).finish_reason == "stop"


async def test_a_reply_of_no_words_is_a_reply(ask: Ask, provider: FakeProvider):
    provider.events([STOP, DONE])
    answer = await ask()
    assert (answer.text, answer.finish_reason) == ("", "stop")


def choice(index: int, text: str | None = None, finish_reason: str | None = None) -> dict:
    event = piece(text, finish_reason)
    event["choices"][0]["index"] = index
    return event


@pytest.mark.parametrize("end", [[], [DONE]], ids=["nothing", "[DONE]"])
async def test_a_stream_is_cut_when_one_of_its_alternatives_has_not_ended(
    ask: Ask, provider: FakeProvider, end: list[str]
):
    provider.events([choice(0, "A whole."), choice(0, None, "stop"), choice(1, "B is cut"), *end])
    answer = Answer()
    with pytest.raises(StreamCut, match="broke off"):
        await ask(into=answer, n=2)
    assert answer.text == "A whole.B is cut"
    assert len(provider.requests) == 1


async def test_a_reset_before_the_last_alternative_began_cuts_the_stream(
    ask: Ask, provider: FakeProvider
):
    events = [choice(0, "A whole."), choice(0, None, "stop")]
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    provider.raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n" + data
    )
    with pytest.raises(StreamCut):
        await ask(n=2)


async def test_a_service_may_give_one_reply_where_more_were_asked_for(
    ask: Ask, provider: FakeProvider
):
    provider.events([piece("Hi."), STOP, DONE])
    assert (await ask(n=2)).text == "Hi."


async def test_every_delta_says_something_though_each_chunk_names_the_model(
    ask: Ask, provider: FakeProvider
):
    first = piece("", role="assistant")
    provider.events(
        [{**event, "model": "small-2"} for event in (first, piece("Hi"), piece(""), piece("!"))]
        + [STOP, {"choices": [], "usage": USAGE, "model": "small-2"}]
    )
    deltas = (await ask()).deltas
    assert [(d.text, d.finish_reason, bool(d.usage)) for d in deltas] == [
        ("Hi", None, False),
        ("!", None, False),
        ("", "stop", False),
        ("", None, True),
    ]


async def test_a_model_that_only_an_empty_chunk_names_is_told_with_the_first_words(
    ask: Ask, provider: FakeProvider
):
    provider.events([{**piece("", role="assistant"), "model": "small-2"}, piece("Hi"), STOP])
    assert [delta.model for delta in (await ask()).deltas] == ["small-2", None, None]


# --- usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [STOP, {"choices": [], "usage": USAGE}, DONE],
        [{**STOP, "usage": USAGE}],
        [STOP, {**piece(), "usage": USAGE}, DONE],
        [{**piece("."), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
         {**STOP, "usage": USAGE}, {"choices": [], "usage": None}],
        [{**STOP, "x_groq": {"usage": USAGE}}],
        [{**STOP, "usage": USAGE}, {"choices": [], "usage": {}}],
    ],
    ids=["own chunk", "finish chunk", "later chunk", "last one", "Groq's", "empty after"],
)  # fmt: skip
async def test_usage_is_found_wherever_it_is(ask: Ask, provider: FakeProvider, events: list):
    provider.events([piece("Hi"), *events])
    assert (await ask()).usage == Usage(3, 7, requests=1)


async def test_usage_that_never_comes_is_estimated(ask: Ask, provider: FakeProvider):
    provider.events([piece("word " * 20), STOP])
    usage = (await ask()).usage
    assert usage is not None
    assert usage.estimated
    assert usage.input_tokens > 0
    assert usage.output_tokens == 20


async def test_usage_is_asked_for(ask: Ask, provider: FakeProvider):
    await ask()
    assert provider.requests[0].json["stream_options"] == {"include_usage": True}


# --- events --------------------------------------------------------------------------------


async def test_every_field_of_a_chunk_may_be_missing(ask: Ask, provider: FakeProvider):
    provider.events(
        [
            {},
            {"choices": []},
            {"choices": None, "id": None},
            {"choices": [{}]},
            {"choices": [{"delta": None}]},
            {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
            {"choices": [{"delta": {"content": "Hi"}}]},
            {"choices": [{"finish_reason": "stop"}]},
        ]
    )
    assert (await ask()).text == "Hi"


async def test_comments_names_crlf_and_missing_blanks_are_read(ask: Ask, provider: FakeProvider):
    hi, stop = json.dumps(piece("Hi")), json.dumps(STOP, indent=1).splitlines()
    provider.events(
        [
            ": OPENROUTER PROCESSING\n\n",
            ": keep-alive\r\n\r\n",
            f"event: message\r\nid: 1\r\ndata:{hi}\r\n\r\n",
            "".join(f"data: {line}\n" for line in stop) + "\n",
        ]
    )
    assert (await ask()).text == "Hi"


async def test_the_last_event_need_not_end_with_a_blank_line(ask: Ask, provider: FakeProvider):
    provider.events([piece("Hi"), f"data: {json.dumps(STOP)}"])
    assert (await ask()).finish_reason == "stop"


async def test_characters_survive_being_cut_in_bytes(ask: Ask, provider: FakeProvider):
    text = "Größe 鯨 🐋🦈 " * 20
    provider.reply(text, deltas=3)
    assert (await ask()).text == text


@pytest.mark.parametrize("field", ["content", "reasoning"])
async def test_half_a_surrogate_pair_waits_for_its_other_half(
    ask: Ask, provider: FakeProvider, field: str
):
    provider.events(
        [piece(**{field: "a\ud83e"}), piece(), piece(**{field: "\udd16b"}), STOP],
    )
    answer = await ask()
    assert (answer.text or answer.reasoning) == "a🤖b"


async def test_each_alternative_waits_for_its_own_half(ask: Ask, provider: FakeProvider):
    def of(index: int, text: str, reason: str | None = None) -> dict:
        return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]}

    provider.events(
        [
            *(of(0, "\ud83e"), of(1, "\ud83d"), of(0, "\udd16"), of(1, "\udc0b")),
            *(of(0, "", "stop"), of(1, "", "stop")),
        ]
    )
    said = [(d.index, d.text) for d in (await ask(n=2)).deltas if d.text]
    assert said == [(0, "🤖"), (1, "🐋")]


@pytest.mark.parametrize("text", ["a\ud83e", "\udd16a", "a\ud83eb"])
async def test_half_a_character_without_its_other_half_is_replaced(
    ask: Ask, provider: FakeProvider, text: str
):
    provider.events([piece(text), piece("", "stop")])
    said = (await ask()).text
    assert "\ufffd" in said
    said.encode()


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_is_apart_from_the_text(ask: Ask, provider: FakeProvider, field: str):
    provider.reply("So: yes.", reasoning="Let me think.", reasoning_field=field)
    answer = await ask()
    assert (answer.reasoning, answer.text) == ("Let me think.", "So: yes.")


async def test_alternatives_come_interleaved_by_index(ask: Ask, provider: FakeProvider):
    provider.reply(choices=["a b c", "x y z"])
    answer = await ask(n=2)
    texts = {0: "", 1: ""}
    for delta in answer.deltas:
        texts[delta.index] += delta.text
    assert texts == {0: "a b c", 1: "x y z"}


# --- errors under HTTP 200 -----------------------------------------------------------------


async def test_an_error_in_the_stream_fails_it_even_beside_choices(
    ask: Ask, provider: FakeProvider
):
    failing = {
        **piece("", "error"),
        "error": {"code": 502, "message": "upstream gave up", "metadata": {"error_type": "x"}},
    }
    provider.events([piece("The whale"), failing, DONE])
    answer = Answer()
    with pytest.raises(ServerFailed, match=r"\(502\): upstream gave up"):
        await ask(into=answer)
    assert answer.text == "The whale"
    assert len(provider.requests) == 1


async def test_an_error_in_the_stream_before_the_first_word_is_asked_again(
    ask: Ask, provider: FakeProvider, pauses: list[float]
):
    provider.events([{"error": {"message": "overloaded", "code": "server_is_overloaded"}}])
    provider.reply("Hi.")
    assert (await ask()).text == "Hi."
    assert pauses == [0.5]


async def test_a_choice_that_ends_in_error_fails(ask: Ask, provider: FakeProvider):
    provider.events([piece("The whale"), piece("", "error")])
    with pytest.raises(ServerFailed, match="the model failed"):
        await ask()


async def test_an_error_in_a_whole_reply_fails_it(ask: Ask, provider: FakeProvider):
    provider.raw(json_response({"error": {"code": 400, "message": "no such thing"}}))
    with pytest.raises(Exception, match=r"request refused \(400\): no such thing"):
        await ask()


async def test_an_error_in_a_choice_of_a_whole_reply_fails_it(ask: Ask, provider: FakeProvider):
    choice = {"error": {"code": 403, "message": "flagged"}, "message": {"content": "The"}}
    provider.raw(json_response({"choices": [choice]}))
    with pytest.raises(Exception, match=r"not allowed \(403\): flagged"):
        await ask()


# --- whole replies and garbage -------------------------------------------------------------


def json_response(body: object, before: str = "") -> bytes:
    data = (before + (body if isinstance(body, str) else json.dumps(body))).encode()
    head = f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + data


async def test_a_whole_reply_is_taken_where_a_stream_was_asked_for(
    ask: Ask, provider: FakeProvider
):
    provider.reply("Whole.", reasoning="Hm.", stream=False)
    answer = await ask()
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Whole.", "Hm.", "stop")
    assert answer.usage == Usage(3, 1, requests=1)


async def test_a_whole_reply_can_be_asked_for(ask: Ask, provider: FakeProvider):
    provider.reply("Whole.")
    assert (await ask(stream=False)).text == "Whole."
    assert "stream" not in provider.requests[0].json
    assert "stream_options" not in provider.requests[0].json


async def test_blank_lines_may_come_before_a_whole_reply(ask: Ask, provider: FakeProvider):
    body = {"choices": [{"message": {"content": "Hi \ud83e\udd16"}, "finish_reason": "stop"}]}
    provider.raw(json_response(body, before="\n\r\n\n  "))
    assert (await ask()).text == "Hi 🤖"


@pytest.mark.parametrize(
    "body",
    ["{'single': 1}", "[]", "null", "", "{}", '{"choices": []}', '{"choices": [{}]}', "[" * 5000],
    ids=["not JSON", "list", "null", "empty", "no choices", "none", "no message", "too deep"],
)
async def test_json_that_is_no_reply_is_a_protocol_error(
    ask: Ask, provider: FakeProvider, body: str
):
    provider.raw(json_response(body))
    with pytest.raises(ProtocolError, match="fake: "):
        await ask()
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("text/event-stream", "data: <html>oh no</html>\n\n"),
        ("text/event-stream", 'data: ["a list"]\n\n'),
        ("text/html", "<html>Sign in to the café</html>"),
        ("text/plain", "Hello"),
        ("application/octet-stream", "\x00\x01"),
    ],
)
async def test_garbage_in_the_place_of_events_is_a_protocol_error(
    ask: Ask, provider: FakeProvider, head: str, body: str
):
    data = body.encode()
    provider.raw(
        f"HTTP/1.1 200 OK\r\ncontent-type: {head}\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    with pytest.raises(ProtocolError, match=r"fake: .*not a reply"):
        await ask()
    assert len(provider.requests) == 1


async def test_what_is_not_http_is_a_protocol_error(ask: Ask, provider: FakeProvider):
    provider.raw(b"220 mail.example ESMTP\r\n")
    with pytest.raises(ProtocolError, match="not HTTP"):
        await ask()


async def test_a_redirect_is_not_followed(ask: Ask, provider: FakeProvider):
    provider.raw(
        b"HTTP/1.1 302 Found\r\nlocation: /login?token=secret\r\n"
        b"content-type: application/json\r\ncontent-length: 0\r\n\r\n"
    )
    with pytest.raises(ProtocolError) as caught:
        await ask()
    login = provider.base_url.removesuffix("/v1") + "/login"
    assert str(caught.value) == f"fake: it redirects to '{login}'; is base_url right?"
    assert len(provider.requests) == 1


# --- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 99])
async def test_a_known_key_in_a_reply_is_never_seen(ask: Ask, provider: FakeProvider, size: int):
    said = f"Your key is {KEY}, is it?"
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    thought = [piece(reasoning_content=part) for part in pieces]
    provider.events([*thought, *map(piece, pieces), STOP])
    answer = await ask()
    assert answer.text == answer.reasoning == "Your key is [key], is it?"


async def test_a_known_key_in_a_reply_that_comes_whole_is_not_seen(
    ask: Ask, provider: FakeProvider
):
    provider.reply(f"It is {KEY}")
    assert (await ask(stream=False)).text == "It is [key]"


async def test_what_could_have_begun_a_key_is_not_lost(ask: Ask, provider: FakeProvider):
    provider.events([piece("My cats"), STOP])
    assert (await ask()).text == "My cats"
    provider.events([piece("All its sk-proj")])
    answer = Answer()
    with pytest.raises(StreamCut):
        await ask(into=answer)
    assert answer.text == "All its sk-proj"
