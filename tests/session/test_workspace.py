"""The registry of sessions, and the defaults that sessions share."""

from __future__ import annotations

import threading

import pytest

import nbconvo
from nbconvo import services
from nbconvo.errors import UnknownName
from nbconvo.session import Session, workspace
from nbconvo.session.workspace import split_model


def test_a_named_session_is_known_by_its_name(provider):
    session = Session(name="comedian")
    assert workspace["comedian"] is session
    assert "comedian" in workspace
    assert list(workspace) == [session]
    assert nbconvo.sessions is workspace


def test_a_session_without_a_name_is_not_known(provider):
    Session()
    assert workspace.names() == ()


def test_a_new_session_takes_the_name_of_an_old_one(provider):
    Session(name="comedian")
    newer = Session(name="comedian")
    assert workspace.get("comedian") is newer
    assert workspace.names() == ("comedian",)


def test_an_unknown_name_gets_the_nearest_known_one(provider):
    Session(name="comedian")
    with pytest.raises(UnknownName, match="no session 'comedien'; did you mean 'comedian'"):
        workspace.get("comedien")


def test_an_unknown_name_that_is_near_none_gets_the_way_to_begin_it(provider):
    with pytest.raises(UnknownName, match="begin one with: %%session critic"):
        workspace.get("critic")


def test_the_notebooks_own_session_begins_when_it_is_first_asked_for(provider):
    assert workspace.names() == ()
    own = workspace.own()
    assert own.name == "default"
    assert workspace.own() is own


def test_the_current_session_is_the_own_one_when_set(provider):
    workspace.current = Session(name="critic").name
    assert workspace.own().name == "critic"


def test_a_removed_session_is_forgotten_and_goes_on(provider):
    session = Session(name="critic")
    workspace.remove("critic")
    workspace.remove("critic")
    assert "critic" not in workspace
    assert nbconvo.run(session.ask("hello")) == "Hello from the fake provider."


def test_closing_ends_the_io_thread_and_the_connections(provider):
    nbconvo.run(Session().ask("hello"))
    assert _io_threads() == 1
    workspace.close()
    assert _io_threads() == 0
    workspace.close()


def test_all_sessions_share_one_pool_of_connections(provider):
    for _ in range(3):
        nbconvo.run(Session().ask("hello"))
    assert provider.connections == 1


@pytest.mark.parametrize(
    ("model", "service", "rest"),
    [
        ("openai:gpt", "openai", "gpt"),
        ("openrouter:meta/llama:free", "openrouter", "meta/llama:free"),
        ("offline:echo", "offline", "echo"),
        ("meta/llama:free", None, "meta/llama:free"),
        ("openai:", None, "openai:"),
        ("openai", None, "openai"),
        (":x", None, ":x"),
    ],
)
def test_a_prefix_is_a_service_only_where_it_is_a_known_one(provider, model, service, rest):
    found, named = split_model(model)
    assert (found.name if found else None, named) == (service, rest)


def test_a_configured_model_may_name_the_service(provider, config):
    config.model = "openrouter:big"
    assert workspace.default_service().name == "openrouter"
    assert workspace.default_model(workspace.default_service()) == "big"


def test_a_configured_service_that_is_unknown_is_told_of(provider, config):
    config.service = "opnai"
    with pytest.raises(UnknownName, match="did you mean 'openai'"):
        workspace.default_service()


def test_an_empty_variable_is_no_configuration(provider, monkeypatch):
    for name in ("NBCONVO_SERVICE", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "")
    assert workspace.default_service().name == "offline"


def _io_threads() -> int:
    return sum(thread.name == "nbconvo-io" for thread in threading.enumerate())


def test_the_default_service_is_the_first_whose_key_is_found(monkeypatch):
    order = [
        "openai",
        "openrouter",
        "gemini",
        "groq",
        "mistral",
        "deepseek",
        "xai",
        "together",
        "perplexity",
    ]
    assert [name for name in workspace.ORDER if name != "anthropic"] == order
    assert workspace.default_service().name == "offline"
    for name in reversed(order):
        monkeypatch.setenv(services.get(name).key_variable, "made-up")
        assert workspace.default_service() is services.get(name)


def test_an_address_in_the_environment_makes_a_service_the_default(monkeypatch):
    monkeypatch.setenv("GROQ_BASE_URL", "http://127.0.0.1:9/v1")
    assert workspace.default_service().name == "groq"


def test_a_server_on_this_machine_is_never_the_default_unasked(monkeypatch):
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9/v1")
    assert workspace.default_service().name == "offline"
