"""A typed use of the public API: mypy reads it in strict mode, nobody runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

from IPython.core.interactiveshell import InteractiveShell

import nbconvo
from nbconvo import Delta, Message, Reply, Session, Usage
from nbconvo.configs import oai_schema
from nbconvo.errors import NbConvoError, ServiceError, Stopped, UnknownName
from nbconvo.log import Recorded, read
from nbconvo.services import (
    BaseService,
    ChatService,
    ModelInfo,
    OpenAIService,
    OpenRouterService,
    Request,
    register,
)
from nbconvo.testing import FakeProvider


class OwnService(BaseService):
    name = "own"
    address = "http://127.0.0.1:9/v1"
    default_model = "one"

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        return Request(f"{self.base_url}/say", {"text": messages[-1].content})

    def deltas(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        yield Delta(text=str(event["text"]), finish_reason="stop", usage=Usage(1, 2, requests=1))

    def reply(self, body: Mapping[str, Any]) -> Iterator[Delta]:
        return self.deltas(body)

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        return (ModelInfo("one", context=8_192),)


class Preset(ChatService):
    name = "preset"
    address = "https://example.org/v1"


async def converse() -> None:
    service = OpenRouterService(
        max_requests_per_minute=100,
        max_tokens_per_minute=24_000,
        max_concurrent=4,
        timeout=30,
        headers={"X-Title": "a notebook"},
    )
    session = Session("be brief", dir=Path("logs"), service=service, model="m", temperature=0.5)
    assert_type(await session.initiate("hello", {"a": 1}, max_tokens=50), Reply)
    assert_type(await session.followup(instruction="hello", context=[1, 2]), Reply)
    assert_type(await session.ask("hello", service="openai", model="m"), Reply)
    assert_type(await session.retry(temperature=1.0), Reply)
    async for delta in session.stream("hello", system="be long"):
        assert_type(delta, Delta)
        assert_type(delta.text, str)

    turns = [
        turn
        async for turn in nbconvo.exchange([session, Session(name="critic")], "begin", rounds=2)
    ]
    assert_type(turns, list[Reply])


def look(session: Session, reply: Reply) -> None:
    assert_type(nbconvo.run(session.ask("hello")), Reply)
    assert_type(reply.message, Message)
    assert_type(reply.usage + session.usage, Usage)
    assert_type(reply.cost, float | None)
    assert_type(reply.finish_reason, str | None)
    assert_type(reply.code_blocks, tuple[str, ...])
    assert_type(reply.choices, tuple[str, ...])
    assert_type(session.messages, tuple[Message, ...])
    assert_type(session.last, Reply | None)
    assert_type(session.service, BaseService)
    assert_type(session.model, str | None)
    assert_type(session.alternatives(reply.message), tuple[Message, ...])
    assert_type(session.to_jsonl(), str)
    assert_type(session.conversation.path(reply.message.id), tuple[Message, ...])
    shouted: str = reply.upper()
    print(shouted, session.to_csv(), session.to_markdown(), session.to_pandas().columns)


def change(session: Session, reply: Reply) -> None:
    session.set_system(None)
    session.set_service(OpenAIService(api_key="sk-made-up"), "m")
    session.set_service("http://127.0.0.1:8080/v1")
    session.set_model("offline:echo")
    session.set_options(temperature=0.2, stop=["x"])
    session.set_dir("logs")
    session.set_dir(None)
    session.undo()
    session.branch(reply.message)
    session.select(reply.message.id)
    session.reset()


def share(shell: InteractiveShell) -> None:
    register("own", OwnService)
    register("preset", Preset(base_url="http://127.0.0.1:9/v1", max_requests_per_minute=60))
    assert_type(nbconvo.sessions["comedian"], Session)
    assert_type(nbconvo.sessions.names(), tuple[str, ...])
    assert_type(nbconvo.__version__, str)
    oai_schema["chat"]["config"]["temperature"] = 0.3
    nbconvo.load_ipython_extension(shell)
    nbconvo.unload_ipython_extension(shell)


def fail() -> None:
    try:
        nbconvo.run(Session(model="m").ask("hello"))
    except UnknownName as error:
        print(error)
    except ServiceError as error:
        assert_type(error.status, int | None)
        assert_type(error.retry_after, float | None)
        assert_type(error.retryable, bool)
    except (NbConvoError, Stopped):
        raise


def rebuild(path: Path) -> None:
    recorded = read(path)
    assert_type(recorded, Recorded)
    assert_type(recorded.conversation.messages, tuple[Message, ...])


def imitate() -> None:
    with FakeProvider(cut=None) as provider:
        provider.reply("ha", usage={"prompt_tokens": 1, "completion_tokens": 1})
        provider.error(429, headers={"Retry-After": "1"})
        assert_type(provider.base_url, str)
