"""Services that fail: which error is raised, how it reads, and what is never in it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from nbconvo.client import Client
from nbconvo.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    InputError,
    MissingKey,
    ModelNotFound,
    ProtocolError,
    ServiceError,
    TimedOut,
)
from nbconvo.messages import Message
from nbconvo.services import BaseService, ChatService, OpenAIService
from nbconvo.testing import FakeProvider

from .conftest import KEY, QUESTION, Answer, Ask


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "too hot", "type": "x", "param": None, "code": None}}, "too hot"),
        ('[{"error": {"code": 400, "message": "bad field", "status": "X"}}]', "bad field"),
        ({"type": "error", "error": {"type": "invalid", "message": "no max"}}, "no max"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "not allowed"}]}, "body.seed: not allowed"),
        ({"error": "just a text"}, "just a text"),
        ("Bad Request, says the proxy", "Bad Request, says the proxy"),
    ],
    ids=["OpenAI", "Gemini", "Anthropic", "FastAPI", "text in JSON", "text"],
)
async def test_the_words_of_every_error_body_are_told(
    ask: Ask, provider: FakeProvider, body: Any, said: str
):
    provider.error(400, body)
    with pytest.raises(BadRequest) as caught:
        await ask()
    assert str(caught.value) == f"fake: request refused (400): {said}"
    assert len(provider.requests) == 1


async def test_a_long_error_body_is_read_up_to_a_limit(client: Client):
    with FakeProvider(cut=None) as provider:
        provider.raw(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n"
            b"transfer-encoding: chunked\r\n\r\n10000\r\n" + b"x" * 65536 + b"\r\n",
            close=False,
        )
        before = time.monotonic()
        with pytest.raises(BadRequest, match="xxx…"):
            await _one(client, ChatService(KEY, provider.base_url, timeout=30))
        assert time.monotonic() - before < 5


async def test_an_error_body_that_breaks_off_still_tells_its_status(
    ask: Ask, provider: FakeProvider
):
    provider.raw(b"HTTP/1.1 401 No\r\ncontent-length: 999\r\n\r\nwho are")
    with pytest.raises(AuthenticationFailed, match=r"\(401\): who are"):
        await ask()


async def test_a_missing_key_is_refused_before_anything_is_sent(client: Client):
    class Nowhere(OpenAIService):
        async def open(self) -> None:
            raise AssertionError("opened")

    with pytest.raises(MissingKey, match="set OPENAI_API_KEY in the environment"):
        await _one(client, Nowhere())


async def test_a_wrong_key_is_refused_once_and_not_shown(ask: Ask, provider: FakeProvider):
    said = f"Incorrect API key provided: {KEY[:8]}****{KEY[-4:]}. Find yours at example.com."
    provider.error(401, {"error": {"message": said, "code": "invalid_api_key"}})
    with pytest.raises(AuthenticationFailed, match="check the key") as caught:
        await ask()
    assert KEY[:8] not in str(caught.value)
    assert KEY[-4:] not in str(caught.value)
    assert caught.value.code == "invalid_api_key"
    assert len(provider.requests) == 1


async def test_a_key_that_garbage_gives_back_is_not_shown(ask: Ask, provider: FakeProvider):
    provider.events([f"data: you sent {KEY}\n\n"])
    with pytest.raises(ProtocolError, match="you sent") as caught:
        await ask()
    assert KEY[:8] not in str(caught.value)


async def test_an_unknown_model_is_named_with_where_to_look(ask: Ask, provider: FakeProvider):
    provider.error(404)
    with pytest.raises(
        ModelNotFound, match=r"no model 'smal'.*%convo models http://127\.0\.0\.1:\d+/v1'"
    ):
        await ask(model="smal")
    assert len(provider.requests) == 1


@pytest.mark.parametrize("value", [{1, 2}, float("nan")])
async def test_an_option_that_is_no_json_is_refused_before_anything_is_sent(
    ask: Ask, client: Client, service: ChatService, provider: FakeProvider, value: object
):
    with pytest.raises(InputError, match="an option cannot be sent as JSON"):
        await ask(temperature=value)
    assert provider.requests == []
    assert client.limiter(service).usage().total_requests == 0


async def test_a_prompt_with_half_a_character_can_be_sent(client: Client, service: ChatService):
    asked = [Message(role="user", content="a\ud83e")]
    assert [
        d async for batch in client.stream(service, asked, "m", {"stream": True}) for d in batch
    ]


async def test_a_service_that_stays_silent_times_out(client: Client, provider: FakeProvider):
    service = ChatService(KEY, provider.base_url, timeout=0.1, max_attempts=2)
    provider.hang()
    provider.hang()
    with pytest.raises(TimedOut, match=r"nothing came for 0\.1 s.*timeout="):
        await _one(client, service)
    assert len(provider.requests) == 2


async def test_a_reply_that_stalls_times_out_and_is_not_asked_again(
    ask: Ask, provider: FakeProvider
):
    provider.reply("one two three", pace=20)
    answer = Answer()
    with pytest.raises(TimedOut, match=r"nothing came for 0\.2 s"):
        await ask(ChatService(KEY, provider.base_url, timeout=0.2, name="fake"), into=answer)
    assert answer.text == "one"
    assert len(provider.requests) == 1


async def test_a_slow_reply_is_no_stalled_one(ask: Ask, provider: FakeProvider):
    provider.reply("a b c d e f", pace=0.06)
    answer = await ask(ChatService(KEY, provider.base_url, timeout=0.3))
    assert answer.text == "a b c d e f"


async def test_a_large_prompt_is_sent_again_without_a_warning(
    client: Client, provider: FakeProvider
):
    text = "word " * 300_000
    asked = [Message(role="user", content=text)]
    provider.error(500)
    service = ChatService(KEY, provider.base_url)
    assert [
        d async for batch in client.stream(service, asked, "m", {"stream": True}) for d in batch
    ]
    assert [r.json["messages"][0]["content"] == text for r in provider.requests] == [True, True]


# --- secrets -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["refused", "401", "garbage", "cut", "silent", "not HTTP"])
async def test_no_traceback_shows_a_secret_even_with_its_local_variables(
    client: Client, provider: FakeProvider, way: str
):
    service = ChatService(
        KEY, provider.base_url, headers={"X-Token": "t0ken-of-mine"}, timeout=0.1, max_attempts=1
    )
    if way == "refused":
        provider.stop()
    elif way == "401":
        provider.error(401, f"not {KEY}")
    elif way == "garbage":
        provider.events(["data: <html>\n\n"])
    elif way == "cut":
        provider.reply("a b", drop_after=1)
    elif way == "silent":
        provider.hang()
    else:
        provider.raw(b"SSH-2.0 whatever\r\n")
    with pytest.raises(ServiceError) as caught:
        await _one(client, service)
    for shown in (_with_locals(caught.value), _as_ipython(caught.value)):
        assert "service" in shown
        for secret in (KEY, KEY[:8], KEY[-6:], "t0ken"):
            assert secret not in shown


def _with_locals(error: BaseException) -> str:
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(found.format())


def _as_ipython(error: BaseException) -> str:
    from IPython.core.ultratb import VerboseTB

    return VerboseTB().text(type(error), error, error.__traceback__)


async def _one(client: Client, service: ChatService) -> list[str]:
    return [
        d.text
        async for batch in client.stream(service, QUESTION, "small", {"stream": True})
        for d in batch
    ]


# --- what aiohttp raises -------------------------------------------------------------------


@pytest.fixture
def connecting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Lets every connection fail with an error."""

    def connecting(error: Exception) -> None:
        async def connect(*_: Any, **more: Any) -> None:
            raise error

        monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)

    return connecting


@pytest.mark.parametrize(
    ("raised", "error", "said"),
    [
        (TimeoutError(), ConnectionFailed, "no connection within 10 s"),
        (aiohttp.ServerDisconnectedError(), ConnectionFailed, "the connection was lost"),
        (aiohttp.ClientOSError(104, "reset"), ConnectionFailed, "the connection was lost"),
        (aiohttp.TooManyRedirects(None, ()), ProtocolError, "TooManyRedirects"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_the_network_raises_becomes_one_of_our_errors(
    client: Client,
    connecting: Callable[[Exception], None],
    raised: Exception,
    error: type[ServiceError],
    said: str,
):
    service = ChatService(KEY, "http://models.example/v1", name="fake", max_attempts=1)
    connecting(raised)
    with pytest.raises(error, match=f"fake: .*{said}"):
        await _one(client, service)


async def test_a_certificate_that_is_not_trusted_is_told_at_once(
    client: Client, connecting: Callable[[Exception], None]
):
    service = ChatService(KEY, "https://models.example/v1", name="fake")
    raised = aiohttp.ClientConnectorCertificateError(
        _Connection("models.example"), ValueError("self-signed certificate")
    )
    connecting(raised)
    with pytest.raises(ConnectionFailed, match=r"certificate of models\.example is not trusted"):
        await _one(client, service)


class _Connection:
    def __init__(self, host: str) -> None:
        self.host, self.port, self.is_ssl = host, 443, True


# --- a service of one's own ----------------------------------------------------------------


def _fails(*_: object) -> Any:
    raise KeyError("text")


@pytest.mark.parametrize("method", ["request", "deltas", "reply"])
@pytest.mark.parametrize(
    ("does", "cause"),
    [
        (_fails, KeyError),
        (lambda *_: None, TypeError),
        (lambda *_: {"text": "Hi"}, (TypeError, AttributeError)),
    ],
)
async def test_a_service_of_ones_own_that_fails_is_named_in_one_line(
    ask: Ask, provider: FakeProvider, method: str, does: Any, cause: Any
):
    made = type("ParrotService", (ChatService,), {method: does})
    if method == "deltas":
        made.together = BaseService.together
    provider.reply("Hi")
    with pytest.raises(ServiceError) as caught:
        await ask(made(base_url=provider.base_url, name="parrot"), stream=method != "reply")
    (line,) = caught.value._render_traceback_()
    assert line.startswith(f"ServiceError: parrot: ParrotService.{method}() failed: ")
    assert line.endswith(("it has to return deltas", "it has to return a Request"))
    assert isinstance(caught.value.__cause__, cause)
    assert type(caught.value.__cause__).__name__ in line
