"""Services by name, and what each knows of its address, its key and its limits."""

from __future__ import annotations

import pickle
import re
import traceback

import pytest

from nbconvo import services
from nbconvo.errors import InputError, MissingKey, UnknownName
from nbconvo.keys import Key
from nbconvo.services import (
    AzureService,
    BaseService,
    ChatService,
    OpenAIService,
    OpenRouterService,
    Request,
    registry,
)

SECRET = "sk-proj-Zq81_xYw27vUt96sRq35pOn48mLk"
URL = "http://127.0.0.1:8080/v1"


@pytest.fixture
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(registry, "_broken", {})
    monkeypatch.setattr(registry, "_offered", None)


# --- by name -------------------------------------------------------------------------------


def test_the_known_services_are_found_by_name():
    assert isinstance(services.get("openai"), OpenAIService)
    assert isinstance(services.get("openrouter"), OpenRouterService)
    assert services.get("openai") is services.get("openai")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="no service 'opnai'; did you mean 'openai'"):
        services.get("opnai")


def test_a_name_like_no_other_is_answered_with_all():
    with pytest.raises(UnknownName, match=r"known are openai, .*or the http address"):
        services.get("zzz")


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("as_class", [True, False])
def test_a_service_can_be_registered(as_class: bool):
    class Mine(ChatService):
        name = "mine"
        address = URL

    services.register("mine", Mine if as_class else Mine())
    assert isinstance(services.get("mine"), Mine)
    assert services.names()[-1] == "mine"


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("name", ["", "two words", "a:b", "a/b", "tab\t"])
def test_a_name_that_could_not_be_typed_is_refused(name: str):
    with pytest.raises(InputError, match="one word"):
        services.register(name, ChatService(base_url=URL))
    assert name not in services.names()


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("service", ["notaservice", 5, None, str])
def test_what_is_no_service_is_not_registered(service: object):
    with pytest.raises(InputError, match=r"a service such as ChatService\(...\) can be registered"):
        services.register("mine", service)
    assert "mine" not in services.names()


@pytest.mark.parametrize("name", ["two words", "a:b", "a/b", "", "--x"])
def test_a_service_has_a_name_that_can_be_typed(name: str):
    with pytest.raises(InputError, match="a service's name is one word"):
        ChatService(base_url=URL, name=name)
    with pytest.raises(InputError, match="a service's name is one word"):
        services.register(name, ChatService(base_url=URL))


@pytest.mark.usefixtures("_registry")
def test_an_http_address_is_a_service_of_its_own():
    service = services.get("http://127.0.0.1:8080/v1")
    assert (service.base_url, service.name) == (URL, "127.0.0.1:8080")
    assert services.get("http://127.0.0.1:8080/v1") is service
    assert not any("127.0.0.1" in name for name in services.names())


@pytest.mark.usefixtures("_registry")
def test_a_service_found_by_its_address_is_then_known_by_its_host():
    with pytest.raises(UnknownName):
        services.get("127.0.0.1:8080")
    service = services.get("http://127.0.0.1:8080/v1")
    assert services.get("127.0.0.1:8080") is service


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize(
    "address", ["http://me:hunter2@[bad", "http://me:hunter2@host:99999/v1", "http://me:hunter2@h"]
)
def test_an_address_that_is_none_is_refused_without_showing_a_password(address: str):
    with pytest.raises(InputError, match="base_url") as caught:
        services.get(address)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.usefixtures("_registry")
def test_what_an_error_says_to_type_finds_the_service(monkeypatch: pytest.MonkeyPatch):
    mine = ChatService(base_url=URL)
    services.register("lab", mine)
    found = services.get("http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    for service in (mine, found, services.get("openai"), services.get("openrouter")):
        said = str(service.failure(404, {}, "", "small"))
        typed = re.search(r"'%convo models (\S+)' lists what it has", said)
        assert typed is not None
        assert services.get(typed[1]) is service


@pytest.mark.usefixtures("_registry")
def test_a_service_that_is_not_registered_is_named_by_its_address():
    assert ChatService(base_url=URL, name="mine").typed_as == URL
    assert OpenAIService("key").typed_as == "openai"


# --- the address ---------------------------------------------------------------------------


def test_the_environment_leads_a_service_elsewhere(monkeypatch: pytest.MonkeyPatch):
    service = OpenAIService()
    assert service.base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    assert service.base_url == "http://127.0.0.1:9/v1"


def test_an_address_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert OpenAIService(base_url=URL).base_url == URL


def test_a_service_without_an_address_says_how_to_give_one():
    said = "service 'custom' has no address; pass base_url=, or set CUSTOM_BASE_URL"
    with pytest.raises(InputError, match=said):
        _ = ChatService().base_url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "localhost:8080/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "http://[::1/v1",
        "http://host:99999/v1",
        "http://host:port/v1",
        "http://a..b/v1",
        f"http://{'a' * 64}/v1",
    ],
)
def test_what_is_no_http_address_is_refused(url: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="is not an http address such as"):
        ChatService(base_url=url)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(InputError, match="is not an http address such as"):
        _ = OpenAIService().base_url


@pytest.mark.parametrize(
    "url", ["http://a b/v1", "http://host/v 1", "http://host/v1 ", "http://h\n"]
)
def test_an_address_with_a_space_in_it_is_refused(url: str):
    with pytest.raises(InputError, match="holds a space or a line break; copy it again"):
        ChatService(base_url=url)


@pytest.mark.parametrize(
    ("url", "what"),
    [("http://me:hunter2@host/v1", "a user name"), ("https://host/v1?key=hunter2", "a query")],
)
def test_an_address_that_holds_a_secret_is_refused_without_showing_it(url: str, what: str):
    with pytest.raises(InputError, match=f"holds {what}; pass what identifies you") as caught:
        ChatService(base_url=url)
    assert "hunter2" not in str(caught.value)


# --- the key -------------------------------------------------------------------------------


def test_the_key_comes_from_the_argument_or_the_environment(monkeypatch: pytest.MonkeyPatch):
    assert OpenAIService().key is None
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\n")
    assert OpenAIService().key == Key(SECRET)
    assert OpenAIService("mine").key == Key("mine")
    assert OpenAIService(Key("mine")).key == Key("mine")


def test_the_variables_are_named_after_the_service(monkeypatch: pytest.MonkeyPatch):
    service = ChatService(name="my-lab.2")
    monkeypatch.setenv("MY_LAB_2_API_KEY", SECRET)
    monkeypatch.setenv("MY_LAB_2_BASE_URL", URL)
    assert (service.key_variable, service.key, service.base_url) == (
        "MY_LAB_2_API_KEY",
        Key(SECRET),
        URL,
    )


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_no_key(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", value)
    assert OpenAIService().key is None


def test_a_missing_key_is_told_with_the_remedy():
    with pytest.raises(MissingKey) as caught:
        OpenRouterService().checked_key()
    assert str(caught.value) == (
        "openrouter needs a key: '%convo key openrouter' asks for it; or set OPENROUTER_API_KEY "
        "in the environment or in a file .env beside the notebook; without one there is "
        "--service offline"
    )


def test_a_server_in_a_services_place_may_need_no_key():
    assert OpenAIService(base_url=URL).checked_key() is None
    assert ChatService(base_url=URL).checked_key() is None


def test_a_key_with_a_line_break_is_refused_without_showing_it():
    with pytest.raises(MissingKey, match="line break") as caught:
        OpenAIService(SECRET[:20] + "\n" + SECRET[20:]).checked_key()
    assert SECRET[:8] not in str(caught.value)


def test_nothing_that_prints_shows_the_key():
    service = OpenAIService(SECRET, headers={"X-Token": "t0ken"})
    shown = [service, service.request_headers(), service.headers, service.account, service.key]
    shown += [service.request([], "m", {}), Request(URL, headers=service.request_headers())]
    for value in shown:
        for secret in (SECRET[:8], SECRET[-6:], "t0ken"):
            assert secret not in repr(value) + f"{value}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"api_key": SECRET.encode()}, "api_key must be a text, not bytes"),
        ({"base_url": 5}, "base_url must be a text, not int"),
        ({"name": 5}, "name must be a text, not int"),
        ({"headers": [("X-Key", SECRET)]}, "headers must be names with their values, not list"),
        ({"headers": {"X-Key": SECRET, 5: "b"}}, "header 5: names and values must be texts"),
        ({"headers": {"X-Key": SECRET.encode()}}, "header 'X-Key': names and values must be"),
    ],
)
def test_what_is_no_text_is_refused_without_showing_it(given: dict, said: str):
    with pytest.raises(InputError, match=said) as caught:
        ChatService(**{"api_key": SECRET, **given})
    assert SECRET not in str(caught.value)


def test_no_traceback_of_the_constructor_shows_a_secret():
    class Mine(ChatService):
        @property
        def name(self) -> str:
            raise LookupError("no name")

    with pytest.raises(LookupError) as caught:
        Mine(SECRET, URL, headers={"X-Token": "t0ken-of-mine"})
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    (constructor,) = (frame for frame in frames if frame.f_code.co_name == "__init__")
    shown = repr({name: value for name, value in constructor.f_locals.items() if name != "self"})
    assert "api_key" in shown
    assert SECRET not in shown
    assert "t0ken" not in shown


def test_a_service_with_a_key_cannot_be_stored():
    with pytest.raises(TypeError):
        pickle.dumps(OpenAIService(SECRET))


# --- the rest ------------------------------------------------------------------------------


def test_services_of_one_account_are_told_by_address_and_key():
    assert OpenAIService(SECRET).account == OpenAIService(SECRET, timeout=5).account
    assert OpenAIService(SECRET).account != OpenAIService("another").account
    assert OpenAIService(SECRET).account != OpenAIService(SECRET, URL).account


@pytest.mark.parametrize(
    "name",
    [
        "max_requests_per_minute",
        "max_tokens_per_minute",
        "max_concurrent",
        "max_attempts",
        "timeout",
    ],
)
@pytest.mark.parametrize("value", [0, -1, True, "7", float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_by_name(name: str, value: object):
    said = f"{name} must be a (whole )?number above 0, not"
    with pytest.raises(InputError, match=said):
        ChatService(base_url=URL, **{name: value})
    service = ChatService(base_url=URL)
    before = repr(service), getattr(service, name)
    with pytest.raises(InputError, match=said):
        setattr(service, name, value)
    assert (repr(service), getattr(service, name)) == before


@pytest.mark.parametrize("name", ["max_attempts", "timeout"])
def test_what_has_to_be_a_number_cannot_be_none(name: str):
    with pytest.raises(InputError, match=f"{name} must be a (whole )?number above 0, not None$"):
        ChatService(base_url=URL, **{name: None})


@pytest.mark.parametrize("name", ["max_attempts", "max_concurrent"])
def test_what_counts_something_is_whole(name: str):
    with pytest.raises(InputError, match=f"{name} must be a whole number above 0, not 2.5"):
        ChatService(base_url=URL, **{name: 2.5})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rpm", "did you mean max_requests_per_minute?"),
        ("max_token_per_minute", "did you mean max_tokens_per_minute?"),
        ("apikey", "did you mean api_key?"),
        ("wings", "it takes api_key, "),
    ],
)
@pytest.mark.parametrize("kind", [ChatService, AzureService])
def test_a_setting_that_is_none_is_told_with_what_was_meant(kind: type, name: str, said: str):
    with pytest.raises(InputError) as caught:
        kind(base_url=URL, **{name: SECRET})
    assert str(caught.value).startswith(f"{kind.__name__} takes no {name}=; {said}")
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][1:]
    shown = [value for f in frames for name, value in f.f_locals.items() if name != "self"]
    assert SECRET not in repr(shown)


def test_headers_that_are_set_later_are_checked_and_hidden_too():
    service = ChatService(base_url=URL)
    service.headers = {"X-Token": "t0ken"}
    assert "t0ken" not in repr(vars(service))
    with pytest.raises(InputError, match="header 'X-A' holds a line break"):
        service.headers = {"X-A": "one\r\nX-B: two"}


@pytest.mark.parametrize(
    "headers", [{"X-A": "one\r\nX-B: two"}, {"X-A\n": "one"}, {"X-A": "nul\0"}]
)
def test_a_header_with_a_line_break_is_refused(headers: dict[str, str]):
    with pytest.raises(InputError, match=r"header 'X-A.* holds a line break"):
        ChatService(base_url=URL, headers=headers)


def test_a_service_shows_its_address_and_limits():
    service = ChatService(base_url=URL, max_requests_per_minute=100, max_concurrent=4)
    assert repr(service) == (
        "ChatService('http://127.0.0.1:8080/v1', max_requests_per_minute=100, max_concurrent=4)"
    )


def test_a_service_of_ones_own_needs_three_methods():
    service = BaseService(base_url=URL, name="mine")
    for unsaid in (
        lambda: service.request([], None, {}),
        lambda: service.deltas({}),
        lambda: service.reply({}),
        lambda: service.models({}),
    ):
        with pytest.raises(NotImplementedError):
            unsaid()
