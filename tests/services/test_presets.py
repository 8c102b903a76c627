"""The presets: the exact request that each sends, and what each refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from nbconvo import services
from nbconvo.errors import InputError, MissingKey
from nbconvo.messages import Attachment, Message, ToolCall
from nbconvo.services import ChatService
from nbconvo.specs import SchemaSpec, ToolSpec

KEY = "made-up-Zq81xYw27vUt96"
TOOL = ToolSpec("clock", "What time it is.", {"type": "object", "properties": {}})
SCHEMA = SchemaSpec("Joke", {"type": "object"})
ASKED = (Message(role="system", content="Be funny."), Message(role="user", content="Whale?"))
OPTIONS = {
    "temperature": 0.5,
    "max_tokens": 50,
    "seed": 7,
    "n": 1,
    "stream": True,
    "stop": None,
    "tools": [TOOL],
    "tool_choice": "clock",
}
MESSAGES = [{"role": "system", "content": "Be funny."}, {"role": "user", "content": "Whale?"}]
FUNCTION = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "What time it is.",
        "parameters": {"type": "object", "properties": {}},
    },
}
#: What most are sent for the options above.
BODY = {
    "messages": MESSAGES,
    "temperature": 0.5,
    "max_tokens": 50,
    "seed": 7,
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [FUNCTION],
    "tool_choice": {"type": "function", "function": {"name": "clock"}},
}
HEADERS = {"Accept": "application/json", "Authorization": f"Bearer {KEY}"}


def but(*without: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in BODY.items() if name not in without} | more


LONG = but("max_tokens", max_completion_tokens=50)
#: By preset: its address, its default model, and its body.
SENT: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "openai": ("https://api.openai.com/v1", "gpt-5.4-mini", LONG),
    "openrouter": ("https://openrouter.ai/api/v1", "openrouter/auto", BODY),
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-3.8-flash",
        BODY,
    ),
    "groq": ("https://api.groq.com/openai/v1", "openai/gpt-oss-120b", BODY),
    "mistral": (
        "https://api.mistral.ai/v1",
        "mistral-small-latest",
        but("seed", "stream_options", random_seed=7),
    ),
    "deepseek": ("https://api.deepseek.com", "deepseek-flash", BODY),
    "xai": ("https://api.x.ai/v1", "grok-4.3", LONG),
    "together": ("https://api.together.ai/v1", "openai/gpt-oss-120b", BODY),
    "perplexity": (
        "https://api.perplexity.ai",
        "sonar",
        but("seed", "stream_options", "tools", "tool_choice"),
    ),
    "ollama": ("http://127.0.0.1:11434/v1", None, BODY),
    "lmstudio": ("http://127.0.0.1:1234/v1", None, BODY),
    "vllm": ("http://127.0.0.1:8000/v1", None, BODY),
    "llamacpp": ("http://127.0.0.1:8080/v1", None, but("tool_choice", tool_choice="required")),
}
#: What a preset refuses of the options above.
NOT_TAKEN = {"perplexity": {"seed", "tools", "tool_choice"}}


def preset(name: str) -> ChatService:
    service = services.get(name)
    assert isinstance(service, ChatService)
    return service


def test_every_preset_is_here():
    known = {
        name
        for name in services.names()
        if isinstance(services.get(name), ChatService) and name not in {"offline", "azure"}
    }
    assert known == set(SENT)


@pytest.mark.parametrize("name", SENT)
def test_a_preset_sends_this_request(name: str, monkeypatch: pytest.MonkeyPatch):
    address, model, body = SENT[name]
    service = preset(name)
    monkeypatch.setenv(service.key_variable, KEY)
    left_out = NOT_TAKEN.get(name, set())
    options = {option: value for option, value in OPTIONS.items() if option not in left_out}
    service.check(ASKED, options)
    request = service.request(ASKED, model or "small", options)
    assert request.url == f"{address}/chat/completions"
    assert request.headers == {}
    assert json.loads(json.dumps(request.body)) == {"model": model or "small", **body}
    assert {name: str(value) for name, value in service.request_headers().items()} == HEADERS
    assert service.default_model == model


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("openrouter", {"reasoning": {"effort": "low"}}),
        ("llamacpp", {"chat_template_kwargs": {"reasoning_effort": "low"}}),
        *(
            (name, {"reasoning_effort": "low"})
            for name in SENT
            if name not in {"openrouter", "llamacpp"}
        ),
    ],
)
def test_a_preset_asks_for_reasoning_in_its_way(name: str, field: dict):
    service = preset(name)
    body = service.request(ASKED, "small", {"reasoning": "low"}).body
    assert body == {"model": "small", "messages": MESSAGES, **field}


@pytest.mark.parametrize("name", SENT)
def test_a_preset_takes_tokens_of_reasoning_or_says_that_it_does_not(name: str):
    service = preset(name)
    if name in {"openrouter", "gemini"}:
        assert "2000" in json.dumps(service.request(ASKED, "small", {"reasoning": 2000}).body)
    else:
        with pytest.raises(InputError, match=f"{name} takes reasoning as low, medium or high"):
            service.request(ASKED, "small", {"reasoning": 2000})


@pytest.mark.parametrize("name", SENT)
def test_a_preset_keeps_to_a_schema_as_its_features_say(name: str):
    service = preset(name)
    body = service.request(ASKED, "small", {"schema": SCHEMA}).body
    assert body is not None
    kind = body["response_format"]["type"]
    assert kind == ("json_schema" if "schema" in service.features else "json_object")
    assert (kind == "json_schema") == (body["messages"] == MESSAGES)
    assert ("schema" in service.features) == (name != "deepseek")


@pytest.mark.parametrize("name", SENT)
def test_a_preset_takes_images_or_says_that_it_does_not(name: str):
    asked = (Message(role="user", content="?", attachments=(Attachment("image/png", b"x"),)),)
    if name == "deepseek":
        with pytest.raises(InputError, match="deepseek does not take images"):
            preset(name).check(asked, {})
    else:
        preset(name).check(asked, {})
        assert "image_url" in json.dumps(preset(name).request(asked, "small", {}).body)


@pytest.mark.parametrize("name", SENT)
def test_a_preset_takes_a_pdf_or_says_that_it_does_not(name: str):
    pdf = Attachment("application/pdf", b"%PDF", "a.pdf")
    asked = (Message(role="user", content="?", attachments=(pdf,)),)
    preset(name).check(asked, {})
    if name in {"openai", "openrouter"}:
        assert "file_data" in json.dumps(preset(name).request(asked, "small", {}).body)
    else:
        with pytest.raises(InputError, match=f"{name} does not take 'a.pdf', application/pdf"):
            preset(name).request(asked, "small", {})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        *(("groq", option) for option in ("logit_bias", "logprobs", "top_logprobs", "n")),
        *(("mistral", option) for option in ("logit_bias", "logprobs", "user", "verbosity")),
        *(("perplexity", option) for option in ("stop", "seed", "logit_bias")),
        *(("ollama", option) for option in ("n", "logit_bias", "user")),
    ],
)
def test_a_preset_refuses_an_option_that_its_service_does(name: str, option: str):
    with pytest.raises(InputError, match=f"{name} does not take {option}; leave it out"):
        preset(name).check(ASKED, {option: 2})


def test_perplexity_calls_no_tools():
    with pytest.raises(InputError, match="perplexity does not take tools"):
        preset("perplexity").check(ASKED, {"tools": [TOOL]})


@pytest.mark.parametrize("name", SENT)
def test_only_where_it_is_required_reasoning_goes_back(name: str):
    call = ToolCall("a", "clock", "{}")
    said = Message(role="assistant", content="", calls=(call,), reasoning="Hm.")
    back = json.dumps(preset(name).request((*ASKED, said), "small", {}).body)
    assert ("Hm." in back) == (name in {"deepseek", "openrouter"})


def test_mistral_is_given_ids_of_calls_as_it_takes_them():
    messages = []
    for id in ("call_1", "Ab3dE6gh9"):
        call = ToolCall(id, "clock", "{}")
        messages += [
            Message(role="assistant", content="", calls=(call,)),
            Message(role="tool", content="noon", call_id=id),
        ]
    sent = preset("mistral").request(messages, "small", {}).body["messages"]
    used = [message["tool_calls"][0]["id"] for message in sent[::2]]
    assert used == [message["tool_call_id"] for message in sent[1::2]]
    assert re.fullmatch("[a-zA-Z0-9]{9}", used[0])
    assert used[1] == "Ab3dE6gh9"


# --- keys, addresses, limits ---------------------------------------------------------------


@pytest.mark.parametrize("name", SENT)
def test_a_preset_of_this_machine_needs_no_key(name: str):
    service = preset(name)
    if service.base_url.startswith("http://127.0.0.1:"):
        assert service.checked_key() is None
        assert "Authorization" not in service.request_headers()
    else:
        variable = f"{name.upper()}_API_KEY"
        with pytest.raises(MissingKey, match=rf"{name} needs a key: .* set {variable} in"):
            service.request_headers()


def test_a_key_of_googles_other_name_is_found(monkeypatch: pytest.MonkeyPatch):
    gemini = preset("gemini")
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert (gemini.key_variable, gemini.key is not None) == ("GOOGLE_API_KEY", True)
    monkeypatch.setenv("GEMINI_API_KEY", "another")
    assert gemini.key is not None
    assert (gemini.key_variable, gemini.key.reveal()) == ("GEMINI_API_KEY", "another")


@pytest.mark.parametrize("name", SENT)
def test_a_preset_is_a_class_that_takes_limits_of_ones_own(name: str):
    kind = type(preset(name))
    assert getattr(services, kind.__name__) is kind
    mine = kind("key", max_requests_per_minute=30)
    assert (mine.max_requests_per_minute, mine.base_url) == (30, SENT[name][0])
    assert mine.typed_as == name


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:9999", "http://127.0.0.1:9999/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:9999", "http://127.0.0.1:9999/v1"),
        ("[::]:9999", "http://127.0.0.1:9999/v1"),
        ("[::1]:9999", "http://[::1]:9999/v1"),
        ("box", "http://box:11434/v1"),
        ("https://box.example/", "https://box.example/v1"),
        ("http://box.example:80/ollama", "http://box.example:80/ollama/v1"),
    ],
)
def test_ollama_is_where_its_own_variable_says(
    host: str, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert preset("ollama").base_url == url


def test_ollamas_own_variable_comes_last(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OLLAMA_HOST", "box")
    assert type(preset("ollama"))(base_url="http://a/v1").base_url == "http://a/v1"
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://b/v1")
    assert preset("ollama").base_url == "http://b/v1"
    monkeypatch.delenv("OLLAMA_BASE_URL")
    monkeypatch.setenv("OLLAMA_HOST", "http://[bad")
    with pytest.raises(InputError, match="is not an http address"):
        _ = preset("ollama").base_url
