"""No key that was given in whatever way is found in anything that can be seen, whole or in part."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import random
import string
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbconvo
from nbconvo import services
from nbconvo.errors import InputError, NbConvoError
from nbconvo.panel.twin import Twin
from nbconvo.panel.window import Window
from nbconvo.services import AzureService, ChatService
from nbconvo.services.system_keyring import SystemKeyring
from nbconvo.session import Session, workspace
from nbconvo.testing import FakeProvider

HOME = str(Path(nbconvo.__file__).parent)
PIECE = 6


def _random(seed: int, length: int) -> str:
    letters = random.Random(seed).choices(string.ascii_letters + string.digits, k=length - 2)
    return "".join(letters) + "7q"


#: The part that all keys of a service begin with, and the secret part.
KEYS = st.tuples(
    st.sampled_from(["sk-", "sk-proj-", "sk-ant-api03-", "gsk_", "AIza", ""]),
    st.builds(_random, st.integers(0, 2**32), st.integers(18, 60)),
)

#: How a server shows a key that it was sent.
SHOWN: dict[str, Callable[[str], str]] = {
    "whole": str,
    "in quotes": repr,
    "its ends": lambda key: f"{key[:9]}*****************{key[-4:]}",
    "its ends, dotted": lambda key: f"{key[:12]}...{key[-8:]}",
    "its head": lambda key: f"{key[: len(key) // 2]}",
    "its tail": lambda key: f"…{key[len(key) // 2 :]}",
    "in a URL": lambda key: f"https://host/v1?key={quote(key)}&alt=sse",
    "all of it percent-encoded": lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
    "in JSON": lambda key: json.dumps(json.dumps({"Authorization": f"Bearer {key}"})),
    "in JSON, escaped": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "in a header": lambda key: f"{{'Authorization': 'Bearer {key}', 'Host': 'x'}}",
    "in a Basic header": lambda key: "Basic " + base64.b64encode(f"me:{key}".encode()).decode(),
    "in a Basic header, as the user": lambda key: base64.b64encode(f"{key}:".encode()).decode(),
}


def _as_401(provider: FakeProvider, said: str) -> None:
    provider.error(401, {"error": {"message": f"wrong key: {said}", "code": said}})


def _as_text(provider: FakeProvider, said: str) -> None:
    provider.error(500, f"upstream refused {said}")


def _as_detail(provider: FakeProvider, said: str) -> None:
    provider.error(422, {"detail": [{"loc": ["header", said], "msg": said, "input": said}]})


def _in_the_stream(provider: FakeProvider, said: str) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "well"}}]}
    provider.events([chunk, {"error": {"message": said, "code": 401}}])


def _no_json(provider: FakeProvider, said: str) -> None:
    provider.events([f"data: {{{said}\n\n"])


def _no_reply(provider: FakeProvider, said: str) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    body = json.dumps([said]).encode()
    provider.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _no_http(provider: FakeProvider, said: str) -> None:
    provider.raw(f"{said}\r\n\r\n".encode())


def _good(provider: FakeProvider, said: str) -> None:
    provider.reply("hello")


ANSWERS = [_good, _as_401, _as_text, _as_detail, _in_the_stream, _no_json, _no_reply, _no_http]


class Given:
    """The ways to give a key; each leads to a service, which the magics may know by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, url: str, notebook: Any) -> None:
        self.monkeypatch, self.url, self.notebook = monkeypatch, url, notebook

    def argument(self, key: str) -> ChatService:
        return ChatService(key, self.url, max_attempts=1)

    def environment(self, key: str) -> ChatService:
        self.monkeypatch.setenv("CUSTOM_API_KEY", key)
        return ChatService(base_url=self.url, max_attempts=1)

    def dotenv(self, key: str) -> ChatService:
        Path(".env").write_text(f"CUSTOM_API_KEY={key}\n")
        return ChatService(base_url=self.url, max_attempts=1)

    def keyring(self, key: str) -> ChatService:
        self.monkeypatch.setattr("keyring.get_password", lambda service, user: key)
        return ChatService(base_url=self.url, max_attempts=1)

    def asked(self, key: str) -> ChatService:
        service = ChatService(base_url=self.url, max_attempts=1)
        services.register("custom", service)
        self.monkeypatch.setattr("getpass.getpass", lambda prompt: key)
        ran = self.notebook.run("%convo key custom")
        assert ran.error is None
        self.printed = ran.printed
        return service

    def header(self, key: str) -> ChatService:
        return ChatService(base_url=self.url, max_attempts=1, headers={"X-Key": key})

    def bearer(self, key: str) -> ChatService:
        headers = {"Authorization": f"Bearer {key}"}
        return ChatService(base_url=self.url, max_attempts=1, headers=headers)

    def basic(self, key: str) -> ChatService:
        login = base64.b64encode(f"me:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        return ChatService(base_url=self.url, max_attempts=1, headers=headers)


WAYS = [name for name in vars(Given) if not name.startswith("_")]


def leaks(seen: str, secret: str) -> list[str]:
    """The pieces of the secret that are in what was seen."""
    pieces = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
    return sorted(piece for piece in pieces if piece in seen)


def in_full(error: BaseException | None) -> Iterator[str]:
    """Everything that a traceback may show: our frames with their variables, causes included."""
    while error is not None:
        yield from (repr(error), str(error), repr(error.args), repr(vars(error)))
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith(HOME):
                for name, value in list(frame.f_locals.items()):
                    with contextlib.suppress(AttributeError):  # of what is half made
                        yield f"{frame.f_code.co_filename}:{line} {name} {value!r}"
        error = error.__cause__ or error.__context__


def outputs(ran: Any) -> str:
    return ran.printed + repr(ran.outputs) + str(ran.result) + "".join(in_full(ran.error))


def seen_of(notebook: Any, session: Session, directory: Path) -> Iterator[tuple[str, str]]:
    """Whatever can be seen of a session that was asked."""
    for cell in (
        "%%ask s\nhello",
        "%tb",
        "%%ask s --dry-run\nhello",
        "%convo services",
        "%convo models custom",
        "%convo show s",
        "%convo usage",
        "%session",
        "s",
        "s.service, s.service.key, s.service.headers, s.turns, s.failed_turns",
        "[vars(turn) for turn in s.failed_turns]",
    ):
        yield cell, outputs(notebook.run(cell))
    try:
        nbconvo.run(session.ask("hello"))
    except NbConvoError as error:
        yield "from Python", "".join(in_full(error))
    yield "the panel", repr(Twin(Window(None))._repr_mimebundle_())
    yield "reprs", repr((session, session.service, session.service.request_headers()))
    for file in directory.glob("*.jsonl"):
        yield "the log", file.read_text()


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    key=KEYS,
    way=st.sampled_from(WAYS),
    shown=st.sampled_from(sorted(SHOWN)),
    answer=st.sampled_from(ANSWERS),
)
def test_no_piece_of_a_key_is_seen_however_it_was_given_and_is_told_back(
    key, way, shown, answer, notebook, provider, tmp_path, caplog
):
    prefix, secret = key
    whole = prefix + secret
    directory = tmp_path / secret[:4] / way
    directory.mkdir(parents=True, exist_ok=True)
    caplog.set_level(logging.DEBUG)
    notebook.run("%xmode Verbose")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as warned:
        patch.chdir(directory)
        patch.setenv("NBCONVO_DOTENV", "1")
        patch.setattr("nbconvo.keys._known", ())
        # What an earlier example found in its keyring is not known to this one.
        patch.setattr(nbconvo.services.endpoint.credentials, "_keyring", SystemKeyring())
        notebook.run("%config NbConvo.dotenv = True")
        given = Given(patch, provider.base_url, notebook)
        service = getattr(given, way)(whole)
        service.name = "custom"
        sent = "".join(service.request_headers().values())
        assert whole in sent or way == "basic"
        with contextlib.suppress(NbConvoError):
            services.register("custom", service)
        workspace.remove("s")
        session = Session(name="s", service=service, model="m", dir=directory / "log")
        notebook.names["s"] = session
        for _ in range(3):
            answer(provider, SHOWN[shown](whole))
        for where, seen in seen_of(notebook, session, directory / "log"):
            assert leaks(seen, secret) == [], (where, seen)
    provider.forget()
    services.registry._registry.pop("custom", None)
    nbconvo.services.endpoint.credentials.forget("custom")
    assert leaks("".join(str(w.message) for w in warned) + caplog.text, secret) == []


@pytest.mark.parametrize("where", ["argument", "environment", "service", "magic"])
@settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(key=KEYS)
def test_no_piece_of_a_password_in_an_address_is_seen(where, key, notebook, provider, monkeypatch):
    prefix, secret = key
    url = f"http://me:{prefix}{secret}@127.0.0.1:9/v1"
    error: BaseException | None = None
    printed = ""
    if where == "magic":
        ran = notebook.run(f"%session a --service {url}")
        printed, error = ran.printed + repr(ran.outputs), ran.error
    else:
        if where == "environment":
            monkeypatch.setenv("CUSTOM_BASE_URL", url)
        try:
            if where == "service":
                Session(service=url)
            else:
                _ = ChatService(base_url=url if where == "argument" else None).base_url
        except NbConvoError as raised:
            error = raised
    assert error is not None
    assert leaks(printed, secret) == []
    for text in in_full(error):
        # The line of a cell, and what its parser made of it, are the user's own text.
        if where != "magic" or "/magics/" not in text:
            assert leaks(text, secret) == [], text


@pytest.mark.parametrize("kind", [ChatService, AzureService])
@pytest.mark.parametrize(
    "given",
    [
        lambda secret: {"api_key": secret.encode()},
        lambda secret: {"api_key": [secret]},
        lambda secret: {"headers": {"X-Key": secret.encode()}},
        lambda secret: {"headers": [("X-Key", secret)]},
        lambda secret: {"api_key": secret, "base_url": "nowhere"},
        lambda secret: {"headers": {"X-Key": secret}, "base_url": "nowhere"},
    ],
)
def test_what_cannot_be_a_key_is_not_seen_in_the_error_either(kind, given):
    secret = "Qz7Xw9Lk2Mv5Rt8Yp4Bn"
    with pytest.raises(InputError) as raised:
        kind(**given(secret))
    for text in in_full(raised.value):
        assert leaks(text, secret) == [], text


def test_a_leak_is_found_by_the_pieces_that_this_looks_for():
    assert leaks("the key ends in 9Lk2Mv5x", "Qz7Xw9Lk2Mv5x") == ["9Lk2Mv", "Lk2Mv5", "k2Mv5x"]
