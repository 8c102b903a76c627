"""Sessions: what they send, what holds and for how long, and what a failure leaves."""

from __future__ import annotations

import asyncio
import threading
import warnings
from contextlib import aclosing

import pytest

import nbconvo
from nbconvo.configs import oai_schema
from nbconvo.errors import (
    AuthenticationFailed,
    Busy,
    InputError,
    MissingKey,
    ModelNotFound,
    NbConvoError,
    StreamCut,
    UnknownName,
)
from nbconvo.services import OpenAIService, OpenRouterService
from nbconvo.session import Reply, Session, workspace
from nbconvo.testing import FakeProvider


def said(provider: FakeProvider, place: int = -1) -> list[tuple[str, str]]:
    """The messages of a request, as (role, content)."""
    return [(m["role"], m["content"]) for m in provider.requests[place].json["messages"]]


def path(session: Session) -> list[str]:
    return [message.content for message in session.conversation.messages]


# --- asking ----------------------------------------------------------------------------------


async def test_an_ask_sends_the_system_prompt_and_the_message(provider):
    await Session("be brief").ask("hello")
    assert said(provider) == [("system", "be brief"), ("user", "hello")]


async def test_the_next_ask_sends_all_that_was_said(provider):
    session = Session("be brief")
    provider.reply("first")
    await session.ask("one")
    await session.followup("two")
    assert said(provider) == [
        ("system", "be brief"),
        ("user", "one"),
        ("assistant", "first"),
        ("user", "two"),
    ]


async def test_a_followup_before_anything_was_said_sends_the_system_prompt_too(provider):
    await Session("be brief").followup("hello")
    assert said(provider)[0] == ("system", "be brief")


async def test_without_a_system_prompt_none_is_sent(provider):
    await Session().ask("hello")
    assert said(provider) == [("user", "hello")]


async def test_initiate_begins_afresh_and_destroys_nothing(provider):
    session = Session("be brief")
    await session.ask("one")
    await session.initiate("two")
    assert said(provider) == [("system", "be brief"), ("user", "two")]
    assert path(session)[0] == "two"
    assert [m.content for m in session.conversation if m.role == "user"] == ["one", "two"]


async def test_a_reply_is_a_text_that_knows_its_making(provider):
    provider.reply("ha ha", model="big-1", usage={"prompt_tokens": 9, "completion_tokens": 2})
    session = Session(name="comedian", model="big")
    reply = await session.ask("a joke")
    assert reply == "ha ha"
    assert isinstance(reply, Reply)
    assert (reply.speaker, reply.finish_reason) == ("comedian", "stop")
    assert (reply.message.service, reply.message.model) == ("openai", "big-1")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 2)
    assert reply.message.seconds > 0
    assert reply.message is session.conversation.messages[-1]


async def test_a_stream_yields_the_deltas_and_afterwards_last_is_the_reply(provider):
    more = threading.Event()
    provider.reply(deltas=["ha", " ha", "!"], hold=more)
    session, said = Session(), ""
    async for delta in session.stream("a joke"):
        said += str(delta)
        if said == "ha ha":  # in one delta, or in two
            more.set()
    assert more.is_set()
    assert session.last == "ha ha!"


async def test_a_reply_need_not_be_streamed(provider):
    provider.reply("whole")
    assert await Session(stream=False).ask("x") == "whole"
    assert "stream" not in provider.requests[0].json


def test_run_asks_from_sync_code(provider):
    assert nbconvo.run(Session().ask("hello")) == "Hello from the fake provider."


async def test_run_works_beside_a_running_event_loop(provider):
    assert nbconvo.run(Session().ask("hello")) == "Hello from the fake provider."


def test_a_session_outlives_the_event_loop_that_asked_first(provider):
    session = Session()
    for text in ("one", "two"):
        asyncio.run(_asked(session, text))
    assert len(session.conversation.messages) == 4


async def _asked(session: Session, text: str) -> Reply:
    return await session.ask(text)


async def test_a_session_goes_on_after_everything_was_closed(provider):
    session = Session()
    await session.ask("one")
    await asyncio.to_thread(workspace.close)
    await session.ask("two")
    assert len(said(provider)) == 3


async def test_an_empty_message_is_refused_and_nothing_is_sent(provider):
    with pytest.raises(InputError, match="nothing to ask"):
        await Session().ask(" \n")
    assert not provider.requests


async def test_the_context_stands_below_the_instruction(provider):
    await Session().ask("Judge this.", context={"joke": "knock knock"})
    assert said(provider) == [("user", "Judge this.\n\njoke: knock knock")]


# --- what holds for one call, and what stays -------------------------------------------------


async def test_what_is_given_to_a_call_holds_for_this_call_only(provider, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url + "/router")
    session = Session("be brief", model="small", temperature=0.1)
    await session.ask(
        "one",
        system="be long",
        service="openrouter",
        model="large",
        temperature=0.9,
        max_tokens=5,
    )
    await session.ask("two")
    first, second = provider.requests
    assert first.path.startswith("/v1/router/")
    assert (first.json["model"], first.json["temperature"], first.json["max_tokens"]) == (
        "large",
        0.9,
        5,
    )
    assert said(provider, 0)[0] == ("system", "be long")
    assert second.path == "/v1/chat/completions"
    assert (second.json["model"], second.json["temperature"]) == ("small", 0.1)
    assert "max_tokens" not in second.json
    assert said(provider, 1)[0] == ("system", "be brief")


async def test_another_service_for_one_call_gets_its_own_model(provider, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url)
    await Session(model="small").ask("one", service="openrouter")
    assert provider.requests[0].json["model"] == "openrouter/auto"


async def test_setters_hold_for_every_call_after_them(provider, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url + "/router")
    session = Session("old", service="openai", model="small")
    session.set_system("new")
    session.set_service("openrouter", "large")
    session.set_options(temperature=0.3)
    for ask in (session.initiate, session.followup, session.initiate):
        await ask("x")
    for place, request in enumerate(provider.requests):
        assert request.path.startswith("/v1/router/")
        assert (request.json["model"], request.json["temperature"]) == ("large", 0.3)
        assert said(provider, place)[0] == ("system", "new")


async def test_set_model_keeps_the_service_unless_it_names_one(provider):
    session = Session(service="openrouter", model="small")
    session.set_model("large")
    assert (session.service.name, session.model) == ("openrouter", "large")
    session.set_model("openai:huge")
    assert (session.service.name, session.model) == ("openai", "huge")


async def test_set_service_takes_the_model_of_the_service_with_it(provider):
    session = Session(service="openai", model="small")
    session.set_service("openrouter")
    assert session.model == "openrouter/auto"


async def test_a_model_may_name_its_service(provider):
    session = Session(model="offline:echo")
    assert (session.service.name, session.model) == ("offline", "echo")


@pytest.mark.parametrize("model", ["meta/llama:free", "ft:small:org", "openai/gpt:extended"])
async def test_a_colon_in_a_models_name_is_part_of_it(provider, model):
    session = Session(service="openrouter", model=model)
    assert (session.service.name, session.model) == ("openrouter", model)


async def test_an_http_address_is_a_service(provider):
    session = Session(service=provider.base_url, model="mine")
    await session.ask("x")
    assert provider.requests[0].json["model"] == "mine"
    assert "authorization" not in provider.requests[0].headers


async def test_a_server_without_a_default_model_asks_for_one(provider):
    with pytest.raises(InputError, match=r"no model chosen for 127\.0\.0\.1:\d+; name one"):
        await Session(service=provider.base_url).ask("x")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Session(temprature=1), "no option 'temprature'; did you mean 'temperature'?"),
        (lambda: Session(service="opnai"), "no service 'opnai'; did you mean 'openai'?"),
        (lambda: Session(name="a/b"), "session name 'a/b' cannot be used"),
        (lambda: Session(name="../x"), "session name '../x' cannot be used"),
        (lambda: Session(name=""), "session name '' cannot be used"),
        (lambda: Session(max_tokens=0), "max_tokens must be a whole number above 0, not 0"),
        (lambda: Session(service=7), "service must be a name, an http address or a service"),
        (lambda: Session(5, name="x"), "the system prompt must be a text, not 5"),
        (lambda: Session("x", name="x", dir=5), "dir must be the path of a directory, not 5"),
        (
            lambda: (session := Session("x")).remove(session.messages[0]),
            "that is the system prompt; set_system() changes it",
        ),
        (lambda: Session("x", name=5), "session name 5 cannot be used"),
        (lambda: Session("x").set_system(5), "the system prompt must be a text, not 5"),
        (lambda: nbconvo.run(5), 'run() takes a coroutine such as session.ask("..."), not 5'),
        (lambda: nbconvo.run(Session("x").stream("y")), "not <async_generator object"),
    ],
)
def test_what_cannot_be_used_is_refused_and_no_session_is_left(provider, make, text):
    with pytest.raises(InputError) as caught:
        make()
    assert text in str(caught.value)
    assert not workspace.names()


async def test_an_unknown_option_of_a_call_is_refused_before_anything_is_sent(provider):
    with pytest.raises(UnknownName, match="did you mean 'max_tokens'"):
        await Session().ask("x", max_tokns=5)
    assert not provider.requests


async def test_max_token_works_and_warns_in_one_line(provider):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await Session().ask("x", max_token=50)
    assert provider.requests[0].json["max_tokens"] == 50
    (warning,) = caught
    assert str(warning.message) == "'max_token' is taken as 'max_tokens'"
    shown = warnings.formatwarning(
        warning.message, warning.category, warning.filename, warning.lineno
    )
    assert shown.count("\n") == 1


async def test_options_are_each_sessions_own(provider):
    one, other = Session(extra_body={"k": 1}), Session()
    one.set_options(temperature=0.5)
    one.options["stop"] = ["x"]
    assert other.options["temperature"] is None
    assert other.options["stop"] is None
    assert oai_schema["chat"]["config"]["temperature"] is None


async def test_a_changed_default_holds_for_sessions_made_after_it(provider, monkeypatch):
    before = Session()
    monkeypatch.setitem(oai_schema["chat"]["config"], "temperature", 0.7)
    assert before.options["temperature"] is None
    assert Session().options["temperature"] == 0.7


def test_the_line_comes_before_the_session_and_so_on_down_to_the_default(
    provider, config, monkeypatch
):
    def model(session: Session, **line: str) -> str | None:
        return session.asking.prepare("x", **line).model

    assert model(Session()) == "gpt-5.4-mini"
    monkeypatch.setenv("NBCONVO_MODEL", "of-environment")
    assert model(Session()) == "of-environment"
    config.model = "of-config"
    assert model(Session()) == "of-config"
    assert model(Session(model="of-session")) == "of-session"
    assert model(Session(model="of-session"), model="of-line") == "of-line"


def test_a_configured_service_goes_before_the_environments_and_the_sessions_before_it(
    provider, config, monkeypatch
):
    assert Session().service.name == "openai"
    monkeypatch.setenv("NBCONVO_SERVICE", "openrouter")
    assert Session().service.name == "openrouter"
    config.service = "offline"
    assert Session().service.name == "offline"
    session = Session(service="openai")
    assert session.service.name == "openai"
    assert session.asking.prepare("x", service="openrouter").service.name == "openrouter"


def test_a_configured_model_is_not_asked_of_another_service(provider, config):
    config.model = "openai:of-config"
    assert Session(service="openrouter").model == "openrouter/auto"


def test_the_offline_service_answers_only_where_nothing_is_configured(provider, monkeypatch):
    assert Session().service.name == "openai"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert Session().service.name == "openai"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert (Session().service.name, Session().model) == ("offline", "guide")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-made-up")
    assert Session().service.name == "openrouter"


async def test_a_missing_key_is_refused_before_anything_is_sent(provider, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        await Session(service="openai").ask("x")
    assert not provider.requests


# --- failures, cuts and interrupts -----------------------------------------------------------


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationFailed), (404, ModelNotFound)])
async def test_a_failed_ask_leaves_the_history_as_it_was(provider, status, error):
    session = Session()
    await session.ask("one")
    before = path(session)
    provider.error(status)
    with pytest.raises(error):
        await session.ask("two")
    assert path(session) == before
    assert len(session.conversation) == len(before)
    await session.ask("three")
    assert [text for role, text in said(provider) if role == "user"] == ["one", "three"]


async def test_a_failed_initiate_leaves_the_history_as_it_was(provider):
    session = Session()
    await session.ask("one")
    before = path(session)
    provider.error(400)
    with pytest.raises(NbConvoError):
        await session.initiate("two")
    assert path(session) == before


async def test_a_reply_that_breaks_off_is_kept_off_the_path_and_marked(provider):
    session = Session()
    await session.ask("one")
    before = path(session)
    provider.reply(deltas=["half", " of it"], end_after=1)
    with pytest.raises(StreamCut):
        await session.ask("two")
    assert path(session) == before
    cut = list(session.conversation)[-1]
    assert (cut.content, cut.finish_reason) == ("half", "cut")
    assert session.conversation[session.conversation.parent(cut.id)].content == "two"


async def test_a_cancelled_ask_keeps_what_had_come_and_closes_the_request(provider, watched):
    session = Session(service=watched)
    provider.reply(deltas=["half", " of it"], pace=30)
    task = asyncio.create_task(session.ask("one"))
    await asyncio.to_thread(watched.said.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert path(session) == ["one", "half"]
    assert session.last.finish_reason == "stopped"
    await asyncio.to_thread(provider.wait_for_closed)
    await session.ask("two")
    assert said(provider)[1] == ("assistant", "half")


async def test_a_stream_that_is_closed_early_keeps_what_had_come(provider):
    session = Session()
    provider.reply(deltas=["half", " of it"], pace=30)
    async with aclosing(session.stream("one")) as deltas:
        async for delta in deltas:
            if delta.text:
                break
    assert path(session) == ["one", "half"]
    assert session.last.finish_reason == "stopped"
    assert not session.busy


async def test_an_ask_cancelled_before_the_first_byte_leaves_nothing(provider):
    session = Session()
    provider.hang()
    task = asyncio.create_task(session.ask("one"))
    await asyncio.to_thread(provider.wait_for_requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(session.conversation) == 0


# --- several at once -------------------------------------------------------------------------


async def test_three_asks_at_once_go_one_after_the_other(provider):
    session = Session()
    provider.respond(lambda request: f"to {request.json['messages'][-1]['content']}")
    await asyncio.gather(*(session.ask(text) for text in ("a", "b", "c")))
    assert path(session) == ["a", "to a", "b", "to b", "c", "to c"]
    assert [len(request.json["messages"]) for request in provider.requests] == [1, 3, 5]


async def test_an_ask_that_waits_for_another_says_so(provider):
    session = Session(name="comedian")
    provider.reply("first", delay=0.05)
    first = asyncio.create_task(session.ask("a"))
    await asyncio.to_thread(provider.wait_for_requests)
    notices = [d.notice async for d in session.stream("b") if d.notice]
    assert notices == ["'comedian' is still answering what was asked before"]
    assert await first == "first"


async def test_two_sessions_do_not_wait_for_each_other(provider):
    provider.hang()
    waiting = asyncio.create_task(Session().ask("never answered"))
    await asyncio.to_thread(provider.wait_for_requests)
    assert await Session().ask("hello") == "Hello from the fake provider."
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_history_cannot_be_changed_while_a_reply_is_under_way(provider):
    session = Session(name="comedian")
    await session.ask("one")
    provider.hang()
    task = asyncio.create_task(session.ask("two"))
    await asyncio.to_thread(provider.wait_for_requests, 2)
    assert session.busy
    message = session.messages[0]
    for change in (
        session.undo,
        session.reset,
        lambda: session.branch(message),
        lambda: session.select(message),
    ):
        with pytest.raises(Busy, match="'comedian' is answering"):
            change()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not session.busy
    assert path(session)[0] == "one"


# --- the tree --------------------------------------------------------------------------------


async def test_more_choices_become_alternatives(provider):
    provider.reply(choices=["red", "green", "blue"])
    session = Session()
    reply = await session.ask("a colour", n=3)
    assert provider.requests[0].json["n"] == 3
    assert reply == "red"
    assert reply.choices == ("red", "green", "blue")
    assert [m.content for m in session.alternatives(reply.message)] == ["red", "green", "blue"]
    assert path(session) == ["a colour", "red"]
    assert session.usage.requests == 1


async def test_a_retry_makes_an_alternative_and_sends_the_same_again(provider):
    session = Session("be brief")
    provider.reply("bad")
    provider.reply("better")
    first = await session.ask("a joke")
    second = await session.retry(temperature=0.9)
    assert said(provider, 0) == said(provider, 1)
    assert provider.requests[1].json["temperature"] == 0.9
    assert path(session) == ["a joke", "better"]
    assert session.alternatives(second.message) == (first.message, second.message)


async def test_nothing_said_cannot_be_retried(provider):
    with pytest.raises(InputError, match="nothing to retry"):
        await Session(name="comedian").retry()


async def test_undo_takes_the_last_exchange_off_the_path_and_keeps_it(provider):
    session = Session()
    await session.ask("one")
    await session.ask("two")
    session.undo()
    assert path(session)[0] == "one"
    assert len(path(session)) == 2
    assert len(session.conversation) == 4
    await session.ask("three")
    assert [text for role, text in said(provider) if role == "user"] == ["one", "three"]


async def test_undo_has_its_end(provider):
    with pytest.raises(InputError, match="nothing to undo"):
        Session().undo()


async def test_reset_begins_afresh_and_destroys_nothing(provider):
    session = Session("be brief")
    await session.ask("one")
    session.reset()
    assert path(session) == []
    await session.ask("two")
    assert said(provider) == [("system", "be brief"), ("user", "two")]
    assert len(session.conversation) == 4


async def test_a_branch_goes_on_from_an_earlier_message_and_select_leads_back(provider):
    session = Session()
    first = await session.ask("one")
    second = await session.ask("two")
    session.branch(first.message)
    await session.ask("other two")
    assert path(session)[2] == "other two"
    session.select(second.message.id)
    assert path(session)[2] == "two"


async def test_a_branch_to_a_message_of_another_session_is_refused(provider):
    reply = await Session().ask("one")
    with pytest.raises(InputError, match="no message"):
        Session().branch(reply.message)


async def test_usage_counts_replies_off_the_path_too(provider):
    session = Session()
    for _ in range(2):
        provider.reply("x", usage={"prompt_tokens": 10, "completion_tokens": 1})
        await session.ask("one")
        session.undo()
    assert (session.usage.requests, session.usage.input_tokens) == (2, 20)


async def test_messages_begin_with_the_system_prompt(provider):
    session = Session("be brief")
    await session.ask("one")
    assert [m.role for m in session.messages] == ["system", "user", "assistant"]
    assert [m["content"] for m in provider.requests[0].json["messages"]] == ["be brief", "one"]


async def test_exports_hold_what_messages_hold(provider):
    session = Session("be brief", name="comedian")
    await session.ask("one")
    assert session.to_jsonl().count("\n") == 3
    assert session.to_csv().count("\r\n") == 4
    assert session.to_markdown().startswith("# comedian\n")
    assert list(session.to_pandas()["content"]) == [m.content for m in session.messages]


async def test_the_repr_tells_name_model_and_length(provider):
    session = Session(name="comedian", service=OpenRouterService(), model="big")
    assert repr(session) == "Session('comedian', 'openrouter:big', 0 messages)"


async def test_a_service_object_holds_for_its_session(provider):
    service = OpenAIService(api_key="sk-other", base_url=provider.base_url + "/own")
    session = Session(service=service)
    await session.ask("one")
    assert provider.requests[0].path.startswith("/v1/own/")
    assert provider.requests[0].headers["authorization"] == "Bearer sk-other"


def test_the_configured_model_comes_before_the_default_options(monkeypatch):
    monkeypatch.setitem(nbconvo.configs.oai_schema["chat"]["config"], "model", "of-schema")
    session = Session(service="openai")
    assert session.model == "of-schema"
    monkeypatch.setenv("NBCONVO_SERVICE", "openai")
    monkeypatch.setenv("NBCONVO_MODEL", "of-environment")
    assert session.model == "of-environment"


def test_the_model_is_no_option():
    with pytest.raises(InputError, match=r"set_model\(\)"):
        Session().set_options(model="m")
