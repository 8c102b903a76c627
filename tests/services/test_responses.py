"""OpenAI's Responses protocol: what is sent, and what comes of the bytes that are streamed."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from nbconvo import services
from nbconvo.client import Client
from nbconvo.errors import (
    AuthenticationFailed,
    BadRequest,
    InputError,
    MissingKey,
    ProtocolError,
    RateLimited,
    ServerFailed,
    ServiceError,
    StreamCut,
)
from nbconvo.messages import Attachment, CallDelta, Delta, Message, ToolCall, Usage
from nbconvo.services import ModelInfo, ResponsesService
from nbconvo.session.tally import Tally
from nbconvo.specs import SchemaSpec, ToolSpec
from nbconvo.testing import FakeProvider

URL = "http://127.0.0.1:8080/v1"
KEY = "sk-proj-Zq81_xYw27vUt96sRq35pOn48mLk"
ASKED = (Message(role="system", content="Be funny."), Message(role="user", content="Whale?"))
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
WEATHER = ToolSpec("weather", "Tells the weather.", SCHEMA)
USAGE = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 123,
}


def body(*messages: Message, model: str | None = "gpt-5.4", **options: Any) -> dict[str, Any]:
    request = ResponsesService(base_url=URL).request(messages or ASKED, model, options)
    assert request.url == f"{URL}/responses"
    return dict(request.body or {})


# --- the request ---------------------------------------------------------------------------


def test_the_request_holds_instructions_and_items_and_is_not_to_be_kept():
    assert body() == {
        "model": "gpt-5.4",
        "instructions": "Be funny.",
        "input": [{"role": "user", "content": "Whale?"}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5-chat-latest", "openai/gpt-4.1"])
def test_a_model_that_does_not_reason_is_not_asked_for_its_reasoning(model: str):
    assert "include" not in body(model=model)


def test_a_service_that_has_one_model_is_told_none():
    assert "model" not in body(model=None)


def test_a_reply_goes_back_with_its_calls_and_their_results():
    calls = (ToolCall("call_1", "weather", '{"n":1}'), ToolCall("call_2", "weather", "{}"))
    reply = Message(role="assistant", content="Let me look.", calls=calls)
    results = [
        Message(role="tool", content=text, call_id=f"call_{n}")
        for n, text in ((1, "sunny"), (2, "no such place"))
    ]
    assert body(ASKED[1], reply, *results)["input"] == [
        {"role": "user", "content": "Whale?"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me look."}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"n":1}'},
        {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call_2", "output": "no such place"},
    ]


def test_a_reply_that_says_nothing_is_no_item():
    silent = Message(role="assistant", content="", reasoning="Hm.", finish_reason="length")
    assert body(ASKED[1], silent)["input"] == [{"role": "user", "content": "Whale?"}]


def test_images_and_files_go_before_the_words():
    attached = (
        Attachment("image/png", b"\x89PNG"),
        Attachment("application/pdf", b"%PDF", "a.pdf"),
        Attachment("text/csv", "ä;1".encode(), "b.csv"),
    )
    (item,) = body(Message(role="user", content="Look.", attachments=attached))["input"]
    png, pdf = base64.b64encode(b"\x89PNG").decode(), base64.b64encode(b"%PDF").decode()
    assert item["content"] == [
        {"type": "input_image", "image_url": f"data:image/png;base64,{png}", "detail": "auto"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": f"data:application/pdf;base64,{pdf}",
        },
        {"type": "input_text", "text": "b.csv:\n\nä;1"},
        {"type": "input_text", "text": "Look."},
    ]


def test_a_tool_is_flat_and_not_strict():
    assert body(tools=(WEATHER,), tool_choice="auto")["tools"] == [
        {
            "type": "function",
            "name": "weather",
            "description": "Tells the weather.",
            "parameters": SCHEMA,
            "strict": False,
        }
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("weather", {"type": "function", "name": "weather"}),
    ],
)
def test_a_tool_is_chosen_by_word_or_by_name(choice: str, sent: object):
    assert body(tools=(WEATHER,), tool_choice=choice)["tool_choice"] == sent


def test_a_schema_is_the_format_of_the_text():
    spec = SchemaSpec("answer", SCHEMA, strict=False, description="A number.")
    assert body(schema=spec, verbosity="low")["text"] == {
        "format": {
            "type": "json_schema",
            "name": "answer",
            "schema": SCHEMA,
            "strict": False,
            "description": "A number.",
        },
        "verbosity": "low",
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
            {"type": "json_schema", "name": "a", "schema": SCHEMA},
        ),
    ],
)
def test_a_response_format_of_chat_completions_is_said_in_this_protocols_way(
    given: dict, sent: dict
):
    assert body(response_format=given)["text"] == {"format": sent}


@pytest.mark.parametrize(
    ("wanted", "effort"),
    [
        ("low", "low"),
        ("high", "high"),
        (1, "low"),
        (4096, "low"),
        (9999, "medium"),
        (32000, "high"),
    ],
)
def test_reasoning_is_an_effort_and_is_to_be_read(wanted: object, effort: str):
    assert body(reasoning=wanted)["reasoning"] == {"effort": effort, "summary": "auto"}


def test_an_effort_that_is_given_as_such_is_sent_as_it_is():
    assert body(reasoning_effort="xhigh")["reasoning"] == {"effort": "xhigh"}


def test_options_go_by_this_protocols_names():
    sent = body(
        stream=True, max_tokens=50, n=1, user="u1", service_tier="flex", temperature=0, top_p=None
    )
    del sent["input"], sent["instructions"], sent["include"]
    assert sent == {
        "model": "gpt-5.4",
        "store": False,
        "stream": True,
        "max_output_tokens": 50,
        "safety_identifier": "u1",
        "service_tier": "flex",
        "temperature": 0,
    }


def test_log_probabilities_are_asked_for_by_name():
    sent = body(logprobs=True, top_logprobs=2, model="gpt-4o")
    assert (sent["include"], sent["top_logprobs"]) == (["message.output_text.logprobs"], 2)


def test_no_stream_is_the_services_default():
    assert body(stream=False) == body()


def test_extra_fields_have_the_last_word():
    sent = body(extra_body={"store": True, "parallel_tool_calls": False})
    assert (sent["store"], sent["parallel_tool_calls"]) == (True, False)


def test_the_options_given_are_not_changed():
    options = {"max_tokens": 5, "extra_body": {"a": 1}, "tools": (WEATHER,), "reasoning": "low"}
    before = {**options}
    ResponsesService(KEY).request(ASKED, "small", options)
    assert options == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", ["\n"]),
        ("seed", 0),
        ("presence_penalty", 0.5),
        ("frequency_penalty", 0.5),
        ("logit_bias", {"1": 2}),
        ("n", 2),
    ],
)
def test_what_the_protocol_does_not_know_is_refused(name: str, value: object):
    with pytest.raises(InputError, match=rf"openai-responses does not take {name}.*as openai$"):
        body(**{name: value})


def test_all_that_it_does_not_know_is_refused_in_one_line():
    with pytest.raises(InputError, match="stop, seed, n above 1: ") as caught:
        body(stop="x", seed=1, n=3)
    assert "\n" not in str(caught.value)


# --- the service ---------------------------------------------------------------------------


def test_it_is_known_by_name_and_has_openais_key_and_address(monkeypatch: pytest.MonkeyPatch):
    service = services.get("openai-responses")
    assert isinstance(service, ResponsesService)
    assert service.base_url == "https://api.openai.com/v1"
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        service.checked_key()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    assert service.base_url == URL
    assert service.request_headers()["Authorization"] == f"Bearer {KEY}"
    assert service.account == services.get("openai").account


def test_one_with_a_name_of_its_own_does_not_get_openais_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ResponsesService(base_url=URL, name="mine").key is None


def test_models_are_listed_in_the_services_order():
    listed = {"data": [{"id": "b"}, {"id": "a"}, "junk", {"name": "c"}]}
    service = ResponsesService(base_url=URL)
    assert service.models(listed) == (ModelInfo("b"), ModelInfo("a"))
    assert service.models({}) == ()


# --- what is streamed ----------------------------------------------------------------------


class Script:
    """The events of a response as OpenAI sends them: named, numbered, each item told in full."""

    def __init__(self, newline: str = "\n") -> None:
        self._newline = newline
        self._head = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_772_700_000,
            "model": "gpt-5.4-2026-03-05",
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "store": False,
        }
        self.output: list[dict[str, Any]] = []
        self.sent: list[str] = []
        for kind in ("created", "in_progress"):
            self.event(f"response.{kind}", response=self._response("in_progress"))

    def event(self, kind: str, **data: Any) -> None:
        data = {"type": kind, "sequence_number": len(self.sent), **data}
        lines = (f"event: {kind}", f"data: {json.dumps(data)}", "", "")
        self.sent.append(self._newline.join(lines))

    def comment(self) -> None:
        self.sent.append(f": keep-alive{self._newline}{self._newline}")

    def message(self, *pieces: str, refusal: bool = False, **fields: Any) -> None:
        item = self._item("message", "msg", role="assistant", content=[], **fields)
        kind, field = ("refusal", "refusal") if refusal else ("output_text", "text")
        empty = {"type": kind, field: "", **({} if refusal else {"annotations": []})}
        part = {**empty, field: "".join(pieces)}
        more: dict[str, Any] = {} if refusal else {"logprobs": []}
        self._added(item)
        where = self._where(item) | {"content_index": 0}
        self.event("response.content_part.added", **where, part=empty)
        for piece in pieces:
            self.event(f"response.{kind}.delta", **where, **more, delta=piece, obfuscation="zzz")
        self.event(f"response.{kind}.done", **where, **more, **{field: part[field]})
        self.event("response.content_part.done", **where, part=part)
        self._done({**item, "content": [part]})

    def reasoning(self, *paragraphs: str, encrypted: str | None = "gAAA", **more: Any) -> None:
        item = self._item("reasoning", "rs", summary=[], encrypted_content=encrypted, **more)
        self._added({**item, "encrypted_content": "gA"})
        for index, text in enumerate(paragraphs):
            where = self._where(item) | {"summary_index": index}
            part = {"type": "summary_text", "text": ""}
            self.event("response.reasoning_summary_part.added", **where, part=part)
            for piece in (text[:3], text[3:]):
                self.event("response.reasoning_summary_text.delta", **where, delta=piece)
            self.event("response.reasoning_summary_text.done", **where, text=text)
        summary = [{"type": "summary_text", "text": text} for text in paragraphs]
        self._done({**item, "summary": summary})

    def call(self, name: str, arguments: str, *, streamed: bool = True) -> None:
        number = len(self.output)
        item = self._item("function_call", "fc", call_id=f"call_{number}", name=name, arguments="")
        self._added(item)
        for piece in (arguments[:4], arguments[4:]) if streamed else ():
            kind = "response.function_call_arguments.delta"
            self.event(kind, **self._where(item), delta=piece)
        kind = "response.function_call_arguments.done"
        self.event(kind, **self._where(item), arguments=arguments)
        self._done({**item, "arguments": arguments})

    def end(self, status: str = "completed", **more: Any) -> list[str]:
        response = self._response(status) | {"usage": USAGE, **more}
        self.event(f"response.{status}", response=response)
        return self.sent

    def _item(self, kind: str, prefix: str, **fields: Any) -> dict[str, Any]:
        item = {"id": f"{prefix}_{len(self.output)}", "type": kind, "status": "in_progress"}
        return item | fields

    def _where(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": len(self.output)}

    def _added(self, item: dict[str, Any]) -> None:
        self.event("response.output_item.added", output_index=len(self.output), item=item)

    def _done(self, item: dict[str, Any]) -> None:
        item = {**item, "status": "completed"}
        self.event("response.output_item.done", output_index=len(self.output), item=item)
        self.output.append(item)

    def _response(self, status: str) -> dict[str, Any]:
        rest = {"error": None, "incomplete_details": None, "usage": None}
        return {**self._head, "status": status, "output": list(self.output), **rest}


def test_the_script_has_the_shape_that_openais_own_types_describe():
    types = pytest.importorskip("openai.types.responses", reason="openai is not installed")
    described = TypeAdapter(types.ResponseStreamEvent)
    script = Script()
    script.reasoning("Hm.", content=[{"type": "reasoning_text", "text": "Hm."}])
    script.message("Let me see.", phase="commentary")
    script.message("No.", refusal=True)
    script.call("weather", "{}")
    script.event("error", code="server_error", message="Sorry.", param=None)
    for event in script.end("incomplete", incomplete_details={"reason": "max_output_tokens"}):
        data = json.loads(event.partition("data: ")[2])
        assert described.validate_python(data).type == data["type"]


@pytest.fixture
def service(fake_provider: FakeProvider) -> ResponsesService:
    return ResponsesService(KEY, fake_provider.base_url)


class Asking:
    """Asks through the real client; keeps the deltas, also when it fails in the end."""

    def __init__(self, client: Client, service: ResponsesService) -> None:
        self._client = client
        self._service = service
        self.deltas: list[Delta] = []

    async def __call__(self, *messages: Message, **options: Any) -> Message:
        tally = Tally(lambda: 0.0)
        options = {"stream": True, **options}
        async for batch in self._client.stream(
            self._service, messages or ASKED, "gpt-5.4", options
        ):
            self.deltas += batch
            for delta in batch:
                tally.add(delta)
        (message,) = tally.messages(None, self._service.name, "gpt-5.4")
        return message

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)


@pytest.fixture
async def ask(service: ResponsesService) -> AsyncIterator[Asking]:
    async def sleep(seconds: float) -> None:
        pass

    client = Client(sleep=sleep, jitter=lambda: 0.0)
    yield Asking(client, service)
    await client.close()


async def test_a_streamed_text_has_its_model_its_end_and_its_usage(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.message("The ", "blåhval ", "nods.")
    fake_provider.events(script.end())
    reply = await ask()
    assert reply.content == "The blåhval nods."
    assert (reply.model, reply.finish_reason) == ("gpt-5.4-2026-03-05", "stop")
    assert reply.usage == Usage(36, 87, cached_tokens=8, reasoning_tokens=64, requests=1)
    assert (reply.calls, reply.carried, reply.reasoning) == ((), (), "")
    (request,) = fake_provider.requests
    assert (request.path, request.json["stream"]) == ("/v1/responses", True)
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_usage_of_no_tokens_was_not_counted_and_is_estimated(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.message("The blåhval nods.")
    fake_provider.events(script.end(usage={"input_tokens": 0, "output_tokens": 0}))
    usage = (await ask()).usage
    assert usage is not None
    assert usage.estimated
    assert usage.output_tokens > 0


@pytest.mark.parametrize("newline", ["\r\n", "\r"], ids=["CRLF", "CR"])
async def test_lines_may_end_in_any_way_and_comments_are_passed_over(
    ask: Asking, fake_provider: FakeProvider, newline: str
):
    script = Script(newline)
    script.comment()
    script.message("The whale", " nöds.")
    script.comment()
    fake_provider.events(script.end())
    assert (await ask()).content == "The whale nöds."


async def test_two_calls_side_by_side_are_two_calls(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.message("I look.")
    script.call("weather", '{"n": 1}')
    script.call("weather", '{"n": 2}', streamed=False)
    fake_provider.events(script.end())
    reply = await ask(tools=(WEATHER,))
    assert (reply.content, reply.finish_reason) == ("I look.", "tool_calls")
    assert reply.calls == (
        ToolCall("call_1", "weather", '{"n": 1}'),
        ToolCall("call_2", "weather", '{"n": 2}'),
    )


async def test_a_call_is_known_by_name_before_its_arguments_are(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.call("weather", "{}")
    fake_provider.events(script.end())
    await ask(tools=(WEATHER,))
    pieces = [call for delta in ask.deltas for call in delta.calls]
    assert pieces == [
        CallDelta(0, "call_0", "weather"),
        CallDelta(0, "call_0", "weather", "{}"),
    ]


async def test_calls_of_a_server_that_tells_no_places_are_kept_apart(
    ask: Asking, fake_provider: FakeProvider
):
    items = [
        {
            "type": "function_call",
            "call_id": f"c{n}",
            "name": "weather",
            "arguments": f'{{"n":{n}}}',
        }
        for n in (1, 2)
    ]
    kinds = ("added", "done")
    events = [{"type": f"response.output_item.{kind}", "item": i} for kind in kinds for i in items]
    response = {"status": "completed", "output": items}
    fake_provider.events([*events, {"type": "response.completed", "response": response}])
    reply = await ask(tools=(WEATHER,))
    assert [(call.id, call.arguments) for call in reply.calls] == [
        ("c1", '{"n":1}'),
        ("c2", '{"n":2}'),
    ]


async def test_reasoning_is_read_and_goes_back_with_what_followed_it(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.reasoning("First this.", "Then that.")
    script.call("weather", "{}")
    fake_provider.events(script.end())
    reply = await ask(tools=(WEATHER,), reasoning="high")
    assert reply.reasoning == "First this.\n\nThen that."
    assert [block for _, block in reply.carried] == script.output

    answer = Script()
    answer.message("Sunny.")
    fake_provider.events(answer.end())
    result = Message(role="tool", content="sunny", call_id="call_1")
    await ask(ASKED[1], reply, result, tools=(WEATHER,), reasoning="high")
    assert fake_provider.requests[1].json["input"] == [
        {"role": "user", "content": "Whale?"},
        *script.output,
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ]
    assert script.output[0]["encrypted_content"] == "gAAA"


async def test_reasoning_that_is_only_summed_up_does_not_go_back(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.reasoning("Hm.", encrypted=None)
    script.message("Yes.")
    fake_provider.events(script.end())
    reply = await ask()
    assert (reply.reasoning, reply.carried) == ("Hm.", ())


async def test_reasoning_in_full_is_read_and_goes_back(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    where = {"item_id": "rs_0", "output_index": 0, "content_index": 0}
    for index, text in enumerate(("So it is.", "Or not.")):
        part = {"type": "reasoning_text", "text": ""}
        script.event("response.content_part.added", **where | {"content_index": index}, part=part)
        script.event("response.reasoning_text.delta", **where, delta=text)
    script.reasoning(encrypted="", content=[{"type": "reasoning_text", "text": "So it is."}])
    script.message("Yes.")
    fake_provider.events(script.end())
    reply = await ask()
    assert reply.reasoning == "So it is.\n\nOr not."
    assert [block["type"] for _, block in reply.carried] == ["reasoning", "message"]


async def thoughtful(ask: Asking, provider: FakeProvider) -> Message:
    script = Script()
    script.reasoning("Hm.")
    script.message("Let me see.", phase="commentary")
    script.reasoning("Ah.")
    script.message("It is ", "a whale.")
    provider.events(script.end())
    return await ask()


async def test_what_is_said_on_the_way_stands_alone(ask: Asking, fake_provider: FakeProvider):
    reply = await thoughtful(ask, fake_provider)
    assert reply.content == "Let me see.\n\nIt is a whale."
    assert reply.reasoning == "Hm.\n\nAh."
    sent = body(ASKED[1], reply)["input"][1:]
    assert [item["type"] for item in sent] == ["reasoning", "message", "reasoning", "message"]


@pytest.mark.parametrize(
    "change",
    [
        {"content": "It is a shark."},
        {"content": "Let me see.\n\nIt is", "finish_reason": "stopped"},
        {"calls": (ToolCall("call_9", "weather", "{}"),)},
        {"service": "another"},
    ],
    ids=["edited", "interrupted", "other calls", "of another service"],
)
async def test_carried_items_that_are_not_the_reply_stay_here(
    ask: Asking, fake_provider: FakeProvider, change: dict
):
    reply = replace(await thoughtful(ask, fake_provider), **change)
    item = body(ASKED[1], reply)["input"][1]
    assert item["content"] == [{"type": "output_text", "text": reply.content}]


async def test_reasoning_that_is_not_told_leaves_no_trace_to_read(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.message("Let me see.", phase="commentary")
    script.reasoning()
    script.message("Yes.")
    fake_provider.events(script.end())
    reply = await ask()
    assert reply.reasoning == ""
    assert [block["type"] for _, block in reply.carried] == ["message", "reasoning", "message"]


async def test_reasoning_that_nothing_follows_stays_here(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.reasoning("Hm.")
    details = {"reason": "max_output_tokens"}
    fake_provider.events(script.end("incomplete", incomplete_details=details))
    reply = await ask()
    assert (reply.finish_reason, len(reply.carried)) == ("length", 1)
    assert body(ASKED[1], reply, ASKED[1])["input"] == [{"role": "user", "content": "Whale?"}] * 2


def test_blocks_of_another_protocol_stay_here():
    reply = Message(role="assistant", content="", carried=(("messages", {"type": "thinking"}),))
    assert body(ASKED[1], reply)["input"] == [{"role": "user", "content": "Whale?"}]


async def test_a_refusal_is_what_is_said(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.message("I'd rather ", "not.", refusal=True)
    fake_provider.events(script.end())
    reply = await ask()
    assert (reply.content, reply.finish_reason) == ("I'd rather not.", "stop")


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "max_messages"}, "max_messages"),
        (None, "length"),
    ],
)
async def test_a_reply_that_is_not_whole_says_why(
    ask: Asking, fake_provider: FakeProvider, details: object, reason: str
):
    script = Script()
    script.message("The whale")
    fake_provider.events(script.end("incomplete", incomplete_details=details))
    reply = await ask()
    assert (reply.content, reply.finish_reason) == ("The whale", reason)


async def test_unknown_events_and_parts_are_passed_over(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.event("response.hologram.delta", delta="?", output_index=0)
    script.event("response.output_text.annotation.added", annotation={"type": "url_citation"})
    script.sent.append('data: {"type": 7}\n\n')
    script.sent.append('data: {"delta": "?"}\n\n')
    script.message("Hi.")
    script.event("response.output_item.done", output_index=1, item={"type": "hologram_call"})
    fake_provider.events(script.end())
    assert (await ask()).content == "Hi."


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("a \ud83e", "\udd16 b"), "a 🤖 b"),
        (("a \ud83e", " b"), "a � b"),
        (("a ", "\udd16"), "a �"),
        (("a \ud83e",), "a �"),
    ],
    ids=["split", "first half", "second half", "first half at the end"],
)
async def test_halves_of_a_character_are_joined_or_replaced(
    ask: Asking, fake_provider: FakeProvider, pieces: tuple[str, ...], text: str
):
    script = Script()
    script.message(*pieces)
    fake_provider.events(script.end())
    reply = await ask()
    assert reply.content == text
    assert reply.content.encode()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "invalid_prompt", BadRequest),
        (401, "invalid_api_key", AuthenticationFailed),
        (500, "server_error", ServerFailed),
    ],
)
async def test_an_error_before_the_stream_is_the_one_that_it_is(
    ask: Asking, fake_provider: FakeProvider, status: int, code: str, error: type[ServiceError]
):
    said = {"message": "Look here.", "type": "some_error", "param": None, "code": code}
    fake_provider.error(status, {"error": said}, times=5)
    with pytest.raises(error, match="Look here"):
        await ask()
    assert ask.text == ""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("rate_limit_exceeded", RateLimited),
        ("server_error", ServerFailed),
        ("invalid_prompt", BadRequest),
        ("image_too_large", BadRequest),
        (None, ServerFailed),
    ],
)
@pytest.mark.parametrize("kind", ["error", "error with a body", "response.failed"])
async def test_an_error_in_the_middle_ends_the_reply_and_keeps_what_was_said(
    ask: Asking,
    fake_provider: FakeProvider,
    kind: str,
    code: str | None,
    error: type[ServiceError],
):
    script = Script()
    script.message("The whale")
    told = {"code": code, "message": "Something broke.", "param": None}
    if kind == "error":
        script.event("error", **told)
    elif kind == "response.failed":
        script.end("failed", error=told)
    else:
        script.event("error", error=told)
    fake_provider.events(script.sent)
    with pytest.raises(error, match=r"^openai-responses: .*Something broke\."):
        await ask()
    assert ask.text == "The whale"
    assert len(fake_provider.requests) == 1


async def test_a_failure_that_says_nothing_is_a_failure(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.event("response.failed", response=None)
    fake_provider.events(script.sent)
    with pytest.raises(ServerFailed, match="the model failed"):
        await ask()


async def test_a_stream_without_its_end_is_cut(ask: Asking, fake_provider: FakeProvider):
    script = Script()
    script.message("The whale")
    fake_provider.events(script.sent)
    with pytest.raises(StreamCut):
        await ask()
    assert ask.text == "The whale"


# --- events that came together -------------------------------------------------------------


def words(text: object) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text, "logprobs": []}


def test_what_is_only_more_text_is_joined():
    service = ResponsesService(base_url=URL)
    assert list(service.together([words("The "), words("whale"), words(".")])) == [
        Delta("The whale.")
    ]


@pytest.mark.parametrize(
    "event",
    [
        words(None),
        {"type": "response.refusal.delta", "delta": "No."},
        {"type": "response.reasoning_text.delta", "delta": "Hm."},
        {"type": "response.completed", "response": {"usage": USAGE}},
        {"type": "response.completed"},
        {"type": ["response.output_text.delta"]},
        {},
    ],
)
def test_joined_or_not_events_say_the_same(event: dict):
    service = ResponsesService(base_url=URL)
    found = list(service.together([words("A"), event, words("C")]))
    assert found == [Delta("A"), *service.deltas(event), Delta("C")]


def test_what_came_before_a_failure_is_said():
    found = ResponsesService(base_url=URL).together([words("A"), {"type": "error"}])
    assert next(found) == Delta("A")
    with pytest.raises(ServiceError):
        next(found)


def test_a_subclass_that_reads_events_in_its_own_way_is_asked_for_each():
    class Loud(ResponsesService):
        def deltas(self, event: dict[str, Any]) -> list[Delta]:
            return [Delta(delta.text.upper()) for delta in super().deltas(event)]

    found = Loud(base_url=URL).together([words("a"), words("b")])
    assert list(found) == [Delta("A"), Delta("B")]


def named(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """The fields that the decoder looks at, with values of any kind."""
    names = (
        "response item output content summary text refusal delta usage status error code reason "
        "input_tokens input_tokens_details cached_tokens incomplete_details phase cost "
        "output_index summary_index call_id name arguments encrypted_content model"
    )
    return dict.fromkeys(names.split(), inner)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(("message", "reasoning", "function_call", 7, None))
    return st.fixed_dictionaries({"type": kinds}, optional=named(inner))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | objects(inner),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_part.added",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ]
)


@given(st.fixed_dictionaries({"type": KINDS | VALUES}, optional=named(VALUES)))
def test_whatever_an_event_or_a_reply_holds_it_is_deltas_or_a_failure(event: dict):
    service = ResponsesService(base_url=URL)
    for read in (service.deltas, service.reply):
        with suppress(ServiceError):
            assert all(isinstance(delta, Delta) for delta in read(event))


# --- a reply that comes whole --------------------------------------------------------------


async def test_a_whole_reply_says_what_the_stream_of_it_says(
    ask: Asking, fake_provider: FakeProvider
):
    script = Script()
    script.reasoning("First this.", "Then that.")
    script.message("Let me see.", phase="commentary")
    script.reasoning("Ah.")
    script.call("weather", '{"n": 1}')
    script.call("weather", '{"n": 2}')
    sent = script.end()
    fake_provider.events(sent)
    streamed = await ask()
    response = json.loads(sent[-1].partition("data: ")[2])["response"]
    fake_provider.error(200, response)
    whole = await ask(stream=False)
    assert whole == replace(streamed, id=whole.id, created=whole.created)
    assert len(whole.calls) == 2
    assert len(whole.carried) == 5


async def test_a_whole_reply_that_failed_is_a_failure(ask: Asking, fake_provider: FakeProvider):
    error = {"code": "invalid_prompt", "message": "Not that."}
    fake_provider.error(200, {"status": "failed", "error": error, "output": []})
    with pytest.raises(ServiceError, match="Not that"):
        await ask(stream=False)


async def test_a_whole_reply_that_was_cancelled_is_a_failure(
    ask: Asking, fake_provider: FakeProvider
):
    fake_provider.error(200, {"status": "cancelled", "error": None, "output": []}, times=5)
    with pytest.raises(ServerFailed, match="the response cancelled"):
        await ask(stream=False)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_a_response_that_is_still_under_way_is_no_reply(
    ask: Asking, fake_provider: FakeProvider, status: str
):
    fake_provider.error(200, {"status": status, "output": []})
    with pytest.raises(ProtocolError, match="holds no reply"):
        await ask(stream=False)
