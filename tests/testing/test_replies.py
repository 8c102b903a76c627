"""The form of scripted replies, streamed and whole."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from nbconvo.testing import FakeProvider


async def test_a_request_without_stream_gets_one_json_body(provider: FakeProvider, ask: Any):
    provider.reply("Why not?")
    answer = await ask()
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["object"] == "chat.completion"
    assert answer.json["model"] == "m"
    assert answer.json["choices"][0]["message"]["content"] == "Why not?"
    assert answer.json["choices"][0]["finish_reason"] == "stop"
    assert answer.json["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}


async def test_a_stream_is_role_then_deltas_then_finish_then_done(provider: FakeProvider, ask: Any):
    provider.reply("Why not?")
    answer = await ask(stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    deltas = [chunk["choices"][0]["delta"] for chunk in answer.chunks]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Why"},
        {"content": " not?"},
        {},
    ]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in answer.chunks]
    assert reasons == [None, None, None, "stop"]
    assert answer.data[-1] == "[DONE]"


async def test_all_chunks_of_a_stream_share_one_id(provider: FakeProvider, ask: Any):
    first, second = (await ask(stream=True)).chunks, (await ask(stream=True)).chunks
    assert len({chunk["id"] for chunk in first}) == 1
    assert first[0]["id"] != second[0]["id"]


async def test_a_stream_without_include_usage_never_mentions_usage(ask: Any):
    answer = await ask(stream=True)
    assert all("usage" not in chunk for chunk in answer.chunks)


async def test_include_usage_adds_one_last_chunk_without_choices(ask: Any):
    *others, last = (await ask(stream=True, stream_options={"include_usage": True})).chunks
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 2 + 5
    assert [chunk["usage"] for chunk in others] == [None] * len(others)


async def test_usage_counts_the_words_of_content_parts(provider: FakeProvider, ask: Any):
    parts = [{"type": "text", "text": "a b c"}, {"type": "image_url", "image_url": {"url": "x"}}]
    answer = await ask(messages=[{"role": "user", "content": parts}])
    assert answer.json["usage"]["prompt_tokens"] == 3


async def test_usage_given_as_a_dict_is_sent_as_it_is(provider: FakeProvider, ask: Any):
    usage = {"prompt_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 3}}
    provider.reply("x", usage=usage)
    provider.reply("x", usage=usage)
    streamed = await ask(stream=True, stream_options={"include_usage": True})
    assert streamed.chunks[-1]["usage"] == usage
    assert (await ask()).json["usage"] == usage


async def test_usage_false_leaves_it_out(provider: FakeProvider, ask: Any):
    provider.reply("x", usage=False)
    provider.reply("x", usage=False)
    streamed = await ask(stream=True, stream_options={"include_usage": True})
    assert all(chunk["choices"] for chunk in streamed.chunks)
    assert "usage" not in (await ask()).json


@pytest.mark.parametrize(
    ("deltas", "said"),
    [
        (None, ["ab", " cd\n"]),
        (2, ["ab", " c", "d\n"]),
        (100, ["ab cd\n"]),
        (["a", "b cd\n"], ["a", "b cd\n"]),
    ],
)
async def test_the_text_is_cut_as_told(provider: FakeProvider, ask: Any, deltas: Any, said: Any):
    provider.reply("ab cd\n", deltas=deltas)
    assert (await ask(stream=True)).said() == said


async def test_deltas_alone_say_the_text(provider: FakeProvider, ask: Any):
    provider.reply(deltas=["Hel", "lo"])
    assert (await ask()).json["choices"][0]["message"]["content"] == "Hello"


async def test_a_delta_may_hold_half_a_surrogate_pair(provider: FakeProvider, ask: Any):
    provider.reply(deltas=["\ud83e", "\udd16"])
    assert (await ask(stream=True)).said() == ["\ud83e", "\udd16"]


async def test_text_beyond_ascii_travels_as_utf8_and_not_escaped(provider: FakeProvider, ask: Any):
    provider.reply("鯨 🤖")
    answer = await ask(stream=True)
    assert "鯨".encode() in answer.body
    assert "".join(answer.said()) == "鯨 🤖"


async def test_reasoning_comes_before_the_text(provider: FakeProvider, ask: Any):
    provider.reply("So.", reasoning="Let me think")
    chunks = (await ask(stream=True)).chunks
    fields = [list(chunk["choices"][0]["delta"]) for chunk in chunks[1:-1]]
    assert fields == [["reasoning"]] * 3 + [["content"]]


async def test_the_name_of_reasoning_can_be_chosen(provider: FakeProvider, ask: Any):
    provider.reply("So.", reasoning="Hm", reasoning_field="reasoning_content")
    assert (await ask()).json["choices"][0]["message"]["reasoning_content"] == "Hm"


async def test_choices_are_streamed_in_turns(provider: FakeProvider, ask: Any):
    provider.reply(choices=["a b", "c"])
    answer = await ask(stream=True, n=2)
    indices = [chunk["choices"][0]["index"] for chunk in answer.chunks]
    assert indices == [0, 1, 0, 1, 0, 0, 1]
    assert (answer.said(0), answer.said(1)) == (["a", " b"], ["c"])


async def test_n_without_scripted_choices_repeats_the_text(ask: Any):
    assert len((await ask(n=3)).json["choices"]) == 3


async def test_model_finish_reason_and_headers_can_be_chosen(provider: FakeProvider, ask: Any):
    provider.reply(
        "x", model="real-1", finish_reason="length", headers={"X-RateLimit-Remaining-Requests": "3"}
    )
    answer = await ask(stream=True)
    assert answer.chunks[0]["model"] == "real-1"
    assert answer.chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert answer.headers["x-ratelimit-remaining-requests"] == "3"


async def test_a_header_given_replaces_the_own_one(provider: FakeProvider, ask: Any):
    provider.reply("x", headers={"Content-Type": "text/html"})
    assert (await ask()).headers["content-type"] == "text/html"


async def test_done_false_ends_without_the_done_event(provider: FakeProvider, ask: Any):
    provider.reply("x", done=False)
    assert (await ask(stream=True)).data[-1] != "[DONE]"


async def test_stream_overrides_what_the_request_says(provider: FakeProvider, ask: Any):
    provider.reply("x", stream=False)
    provider.reply("x", stream=True)
    assert (await ask(stream=True)).json["object"] == "chat.completion"
    assert (await ask()).data[-1] == "[DONE]"


async def test_end_after_ends_in_good_order_but_unfinished(provider: FakeProvider, ask: Any):
    provider.reply("a b c d", end_after=2)
    answer = await ask(stream=True)
    assert answer.said() == ["a", " b"]
    assert answer.data[-1] != "[DONE]"
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in answer.chunks)


async def test_drop_after_cuts_the_connection_once_the_deltas_are_read(
    provider: FakeProvider, http: aiohttp.ClientSession
):
    provider.reply("a b c d", drop_after=2)
    seen = bytearray()

    async def read() -> None:
        url = f"{provider.base_url}/chat/completions"
        async with http.post(url, json={"stream": True}) as response:
            async for piece in response.content.iter_any():
                seen.extend(piece)

    with pytest.raises(aiohttp.ClientPayloadError):
        await read()
    assert b'" b"' in seen
    assert b'" c"' not in seen


async def test_drop_after_cuts_a_json_body_in_the_middle(provider: FakeProvider, ask: Any):
    provider.reply("a b c d", drop_after=0)
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask()


async def test_events_are_sent_exactly_as_given(provider: FakeProvider, ask: Any):
    failure = {"error": {"message": "overloaded", "code": 502}}
    provider.events([": keep-alive\n\n", failure, "data: {broken\n\n"])
    answer = await ask(stream=True)
    assert answer.status == 200
    assert answer.data == [": keep-alive", json.dumps(failure), "{broken"]


async def test_an_error_has_the_shape_and_code_of_its_status(provider: FakeProvider, ask: Any):
    provider.error(429, headers={"Retry-After": "2"})
    answer = await ask()
    assert answer.status == 429
    assert answer.headers["retry-after"] == "2"
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert answer.json["error"]["code"] == "rate_limit_exceeded"


async def test_an_error_can_have_any_body_and_any_status(provider: FakeProvider, ask: Any):
    provider.error(422, {"detail": ["no"]})
    provider.error(529, "Overloaded")
    assert (await ask()).json == {"detail": ["no"]}
    answer = await ask()
    assert (answer.status, answer.body) == (529, b"Overloaded")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_times_repeats_an_error(provider: FakeProvider, ask: Any):
    provider.error(500, times=3)
    provider.reply("at last")
    assert [(await ask()).status for _ in range(4)] == [500, 500, 500, 200]


def test_deltas_of_no_length_are_refused(provider: FakeProvider):
    with pytest.raises(ValueError, match="0"):
        provider.reply("x", deltas=0)
