"""Chat completions: the request's body, and every form in which a reply comes."""

from __future__ import annotations

from typing import Any

import pytest

from nbconvo.errors import AuthenticationFailed, ServerFailed, ServiceError
from nbconvo.messages import Delta, Message, Usage
from nbconvo.services import ChatService, ModelInfo, OpenAIService, OpenRouterService
from nbconvo.services.chat_reading import read_usage

URL = "http://127.0.0.1:8080/v1"
ASKED = (Message(role="system", content="Be funny."), Message(role="user", content="Whale?"))


def body(service: ChatService | None = None, model: str | None = "small", **options: Any) -> dict:
    request = (service or ChatService(base_url=URL)).request(ASKED, model, options)
    assert request.body is not None
    return dict(request.body)


def deltas(*choices: dict, **rest: Any) -> list[Delta]:
    return list(ChatService(base_url=URL).deltas({"choices": list(choices), **rest}))


# --- the request ---------------------------------------------------------------------------


def test_the_request_holds_the_messages_and_the_model():
    assert body() == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be funny."},
            {"role": "user", "content": "Whale?"},
        ],
    }


@pytest.mark.parametrize("url", [URL, URL + "/"])
def test_the_request_goes_below_the_address(url: str):
    request = ChatService(base_url=url).request(ASKED, None, {})
    assert request.url == "http://127.0.0.1:8080/v1/chat/completions"


def test_a_service_that_has_one_model_is_told_none():
    assert "model" not in body(model=None)


def test_the_model_asked_for_is_not_that_of_the_options():
    request = ChatService(base_url=URL).request(ASKED, "small", {"model": "large"})
    assert request.body["model"] == "small"


def test_options_are_sent_as_they_are_and_none_is_left_out():
    sent = body(temperature=0, top_p=None, seed=7, stop=["\n"], user="")
    assert (sent["temperature"], sent["seed"], sent["stop"], sent["user"]) == (0, 7, ["\n"], "")
    assert "top_p" not in sent


def test_a_stream_is_asked_for_with_its_usage():
    sent = body(stream=True)
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


def test_no_stream_is_the_services_default():
    assert body(stream=False) == body()


def test_one_reply_is_the_services_default():
    assert "n" not in body(n=1)
    assert body(n=2)["n"] == 2


def test_extra_fields_have_the_last_word():
    sent = body(temperature=1, extra_body={"temperature": 0.2, "provider": {"order": ["a"]}})
    assert (sent["temperature"], sent["provider"]) == (0.2, {"order": ["a"]})
    assert "extra_body" not in sent


def test_the_options_given_are_not_changed():
    options = {"max_tokens": 5, "extra_body": {"a": 1}, "n": 1, "stream": True}
    before = {**options}
    OpenAIService("key").request(ASKED, "small", options)
    assert options == before


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (ChatService(base_url=URL), "max_tokens"),
        (OpenRouterService("key"), "max_tokens"),
        (OpenAIService("key"), "max_completion_tokens"),
        (OpenAIService("key", URL), "max_tokens"),
    ],
    ids=["compatible", "OpenRouter", "OpenAI", "in OpenAI's place"],
)
def test_max_tokens_has_the_name_that_the_service_knows(service: ChatService, name: str):
    sent = body(service, max_tokens=50)
    assert {field: sent[field] for field in sent if "tokens" in field} == {name: 50}


def test_a_server_in_openais_place_by_the_environment_knows_the_old_name(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    assert body(OpenAIService(), max_tokens=50)["max_tokens"] == 50


# --- the reply -----------------------------------------------------------------------------


def test_a_chunk_is_one_delta_with_all_that_it_holds():
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    choice = {"index": 1, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    assert deltas(choice, usage=usage, model="small-2", id="x", obfuscation="zzz") == [
        Delta("Hi", index=1, finish_reason="stop", usage=Usage(3, 1, requests=1), model="small-2")
    ]


def test_the_first_chunk_of_a_stream_tells_the_model():
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    assert deltas(choice, model="small-2") == [Delta(model="small-2")]


def test_usage_counts_once_however_many_choices_a_chunk_has():
    choices = [{"index": i, "delta": {"content": "a"}} for i in range(2)]
    found = deltas(*choices, usage={"prompt_tokens": 3, "completion_tokens": 1})
    assert [delta.usage for delta in found] == [Usage(3, 1, requests=1), None]


def test_a_chunk_that_says_nothing_is_no_delta():
    assert deltas({"index": 0, "delta": {}, "finish_reason": None}, usage=None) == []


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("part", ["delta", "message"])
def test_reasoning_goes_by_two_names(field: str, part: str):
    data = {"choices": [{part: {field: "Hm.", "content": None}}]}
    service = ChatService(base_url=URL)
    read = service.deltas if part == "delta" else service.reply
    assert list(read(data)) == [Delta(reasoning="Hm.")]


def test_a_refusal_is_what_is_said():
    assert deltas({"delta": {"refusal": "I would rather not."}})[0].text == "I would rather not."


def test_content_in_parts_is_joined_without_what_is_no_text():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "The "},
        {"type": "text", "text": "whale"},
    ]
    assert deltas({"delta": {"content": parts}})[0].text == "The whale"


def test_a_whole_reply_has_its_end():
    data = {
        "model": "small-2",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"},
            {"index": 1, "message": {"content": "B"}, "finish_reason": "length"},
        ],
    }
    assert list(ChatService(base_url=URL).reply(data)) == [
        Delta("A", finish_reason="stop", model="small-2"),
        Delta("B", index=1, finish_reason="length"),
    ]


def test_an_error_in_a_choice_is_raised_as_what_it_is():
    with pytest.raises(AuthenticationFailed, match=r"custom: not allowed \(403\): flagged"):
        deltas({"delta": {}, "error": {"code": 403, "message": "flagged"}})


def test_a_choice_that_ends_in_error_is_raised_as_a_failure():
    with pytest.raises(ServerFailed, match="the model failed"):
        deltas({"delta": {"content": ""}, "finish_reason": "error"})


# --- usage ---------------------------------------------------------------------------------


def test_usage_holds_what_its_details_tell():
    usage = read_usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 80},
            "completion_tokens_details": {"reasoning_tokens": 30},
            "cost": 0.0125,
        }
    )
    assert usage == Usage(100, 50, 80, 30, 0.0125, requests=1)


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({"prompt_tokens_details": None, "cost": None}, Usage(9, 1, requests=1)),
        ({"prompt_cache_hit_tokens": 4}, Usage(9, 1, 4, requests=1)),
        ({"cost": {"total_cost": 0.5}}, Usage(9, 1, cost=0.5, requests=1)),
        ({"cost": {}}, Usage(9, 1, requests=1)),
        ({"cost": "free"}, Usage(9, 1, requests=1)),
        ({"cost": -1}, Usage(9, 1, requests=1)),
        ({"cost": True}, Usage(9, 1, requests=1)),
        ({"reasoning_tokens": 1}, Usage(9, 1, 0, 1, requests=1)),
        ({"total_tokens": 10}, Usage(9, 1, requests=1)),
        ({"total_tokens": 60}, Usage(9, 51, 0, 50, requests=1)),
        (
            {"total_tokens": 60, "completion_tokens_details": {"reasoning_tokens": 50}},
            Usage(9, 51, 0, 50, requests=1),
        ),
        (
            {"prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 5}},
            Usage(9, 1, 2, requests=1, cache_write_tokens=5),
        ),
        (
            {
                "cost": 0.25,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.5},
            },
            Usage(9, 1, cost=0.75, requests=1),
        ),
        (
            {
                "cost": 0.25,
                "is_byok": False,
                "cost_details": {"upstream_inference_cost": 0.25},
            },
            Usage(9, 1, cost=0.25, requests=1),
        ),
    ],
    ids=[
        "nulls",
        "DeepSeek",
        "Perplexity",
        "no total",
        "no number",
        "less than none",
        "no amount",
        "Perplexity's reasoning",
        "all told",
        "Google",
        "xAI",
        "a written cache",
        "a key of the user's own",
        "a key of the service",
    ],
)
def test_usage_is_read_in_each_services_form(more: dict, usage: Usage):
    assert read_usage({"prompt_tokens": 9, "completion_tokens": 1, **more}) == usage


@pytest.mark.parametrize(
    "data",
    [
        *(None, {}, [], "9", {"prompt_tokens": None}, {"cost": 1}),
        {"prompt_tokens": 0, "completion_tokens": 0},
    ],
)
def test_usage_that_counts_no_tokens_is_none(data: object):
    assert read_usage(data) is None


# --- models --------------------------------------------------------------------------------


def test_models_are_listed_in_the_services_order():
    listed = {"data": [{"id": "b", "context_length": 8192}, {"id": "a"}, "junk", {"name": "c"}]}
    service = ChatService(base_url=URL)
    assert service.models(listed) == (ModelInfo("b", 8192), ModelInfo("a"))
    assert service.models({}) == ()
    assert service.models_request().url == f"{URL}/models"
    assert service.models_request().body is None


@pytest.mark.parametrize(
    ("told", "model"),
    [
        ({"id": "models/gemini-x"}, ModelInfo("gemini-x")),
        ({"id": "a", "context_window": 131072}, ModelInfo("a", 131072)),
        ({"id": "a", "max_context_length": 32768}, ModelInfo("a", 32768)),
        ({"id": "a", "max_model_len": 4096}, ModelInfo("a", 4096)),
        ({"id": "a", "meta": {"n_ctx_train": 2048}}, ModelInfo("a", 2048)),
        ({"id": "a", "context_length": 0, "meta": None}, ModelInfo("a")),
        (
            {"id": "a", "pricing": {"prompt": "0.0000025", "completion": "0.00001"}},
            ModelInfo("a", None, 2.5, 10.0),
        ),
        ({"id": "a", "pricing": {"prompt": "0", "completion": "-1"}}, ModelInfo("a", None, 0.0)),
        ({"id": "a", "pricing": {"input": 0.18, "output": 0.59}}, ModelInfo("a", None, 0.18, 0.59)),
        ({"id": "a", "pricing": {"prompt": "dear", "completion": "1e999999"}}, ModelInfo("a")),
        ({"id": "a", "pricing": "free"}, ModelInfo("a")),
    ],
    ids=[
        "Google",
        "Groq",
        "Mistral",
        "vLLM",
        "llama.cpp",
        "none",
        "OpenRouter",
        "it depends",
        "Together",
        "no prices",
        "no price list",
    ],
)
def test_a_model_is_read_in_each_services_form(told: dict, model: ModelInfo):
    assert ChatService(base_url=URL).models({"data": [told]}) == (model,)


# --- events that came together -------------------------------------------------------------


def words(text: object, **more: Any) -> dict:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}


def test_what_is_only_more_text_is_joined():
    events = [words("The ", model="m"), words("whale", model="m"), words(".", model="m")]
    service = ChatService(base_url=URL)
    assert list(service.together(events)) == [Delta("The whale.", model="m")]


@pytest.mark.parametrize(
    "event",
    [
        words("B", usage={"prompt_tokens": 3, "completion_tokens": 1}),
        words("B", x_groq={"usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
        words("B", model="another"),
        words(""),
        words(None),
        words([{"type": "text", "text": "B"}]),
        {"choices": [{"delta": {"content": "B", "reasoning": "Hm."}}]},
        {"choices": [{"delta": {"content": "B", "reasoning_content": "Hm."}}]},
        {"choices": [{"delta": {"refusal": "No."}}]},
        {"choices": [{"delta": {"content": "B", "tool_calls": [{"id": "a"}]}}]},
        {"choices": [{"delta": {"content": "B", "reasoning_details": [{"text": "Hm."}]}}]},
        {"choices": [{"delta": {"content": "B"}, "index": 1}]},
        {"choices": [{"delta": {"content": "B"}, "finish_reason": "stop"}]},
        {"choices": [{"delta": {"content": "B"}}, {"delta": {"content": "C"}, "index": 1}]},
        {"choices": [{"delta": None}]},
        {"choices": [None]},
        {"choices": None},
        {},
    ],
)
def test_joined_or_not_events_say_the_same(event: dict):
    service = ChatService(base_url=URL)
    found = list(service.together([words("A"), event, words("C")]))
    assert found == [Delta("A"), *service.deltas(event), Delta("C")]


def test_what_came_before_a_failure_is_said():
    found = ChatService(base_url=URL).together([words("A"), {"choices": [{"error": "x"}]}])
    assert next(found) == Delta("A")
    with pytest.raises(ServiceError):
        next(found)


def test_a_subclass_that_reads_events_in_its_own_way_is_asked_for_each():
    class Loud(ChatService):
        def deltas(self, event: dict[str, Any]) -> list[Delta]:
            return [Delta(delta.text.upper()) for delta in super().deltas(event)]

    found = Loud(base_url=URL).together([words("a"), words("b")])
    assert list(found) == [Delta("A"), Delta("B")]
