"""%convo services, models and doctor: what there is to ask, and how."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nbconvo import services
from nbconvo.client import Client
from nbconvo.magics.doctor import Finding, doctor_table, look
from nbconvo.magics.verbs import VERBS
from nbconvo.services import ChatService, ModelInfo, registry

LOCAL = ("ollama", "lmstudio", "vllm", "llamacpp")


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(registry, "_broken", {})
    monkeypatch.setattr(registry, "_offered", {})
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


def listed(*ids: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in ids]}).encode()


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback that answers every GET alike; returns its address."""
    servers = []

    def serve(body: bytes = b"", status: int = 200, hold: threading.Event | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                if hold is not None:
                    hold.wait(10)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(ConnectionError):  # who asks may not wait
                    super().handle()

        asked: list[tuple[str, dict[str, str]]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}/v1"
        serve.asked[url] = asked  # type: ignore[attr-defined]
        return url

    serve.asked = {}  # type: ignore[attr-defined]
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def closed_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/v1"


# --- looking -------------------------------------------------------------------------------


async def found(*urls: str, longest_wait: float = 10.0) -> list[Finding]:
    local = [ChatService(base_url=url, name="mine") for url in urls]
    return await look(local, longest_wait=longest_wait)


@pytest.mark.parametrize(
    ("body", "status", "finding"),
    [
        (listed("llama3", "qwen"), 200, Finding("answers", ("llama3", "qwen"))),
        (listed(), 200, Finding("answers, and has no model loaded")),
        (b"<html>", 200, Finding("something answers (200), and lists no models")),
        (b"[]", 200, Finding("something answers (200), and lists no models")),
        (b'{"data": 5}', 200, Finding("something answers (200), and lists no models")),
        (b"", 404, Finding("something answers (404), and lists no models")),
        (b"", 307, Finding("something answers (307), and lists no models")),
        (b"{}", 401, Finding("answers, and asks for a key: set MINE_API_KEY")),
        (b"[" * 2_000_000, 200, Finding("something else answers")),
    ],
    ids=["models", "none", "page", "list", "odd", "no such path", "leads on", "key", "endless"],
)
async def test_what_answers_is_told(serve: Serve, body: bytes, status: int, finding: Finding):
    assert await found(serve(body, status)) == [finding]


async def test_a_port_at_which_nobody_listens_is_told():
    assert await found(closed_port()) == [Finding("nothing answers")]


async def test_who_is_slow_is_not_waited_for(serve: Serve):
    hold = threading.Event()
    try:
        slow, quick = await found(serve(b"", 200, hold), serve(listed("a")), longest_wait=1.0)
    finally:
        hold.set()
    assert slow == Finding("no answer in time")
    assert quick == Finding("answers", ("a",))


async def test_all_are_asked_at_once(serve: Serve):
    """Each answers only when all have been asked."""
    together = threading.Barrier(3)

    class All(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            together.wait(timeout)
            return True

    findings = await found(*(serve(listed("a"), 200, All()) for _ in range(3)))
    assert findings == [Finding("answers", ("a",))] * 3


async def test_what_speaks_no_http_is_something_else():
    def answer() -> None:
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(b"220 smtp at your service\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        (finding,) = await found(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
    assert finding == Finding("something else answers")


async def test_another_machine_is_not_asked():
    assert await found("http://192.0.2.1:11434/v1") == [Finding("not on this machine: not asked")]


async def test_no_key_is_sent_to_who_may_be_anybody(serve: Serve):
    url = serve(listed("a"))
    service = ChatService("made-up-Zq81xYw27vUt96", url, headers={"X-Key": "t0ken"})
    await look([service], longest_wait=10.0)
    ((path, headers),) = serve.asked[url]  # type: ignore[attr-defined]
    assert path == "/v1/models"
    assert not {"authorization", "x-key"} & {name.lower() for name in headers}


# --- %convo doctor -------------------------------------------------------------------------


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leads the services of this machine to servers of the test's; the others to none."""

    def at(**urls: str) -> None:
        for name in LOCAL:
            monkeypatch.setenv(f"{name.upper()}_BASE_URL", urls.get(name) or closed_port())

    return at


def test_doctor_offers_the_line_to_use_what_it_found(notebook, provider, serve, at):
    at(ollama=serve(listed("llama3:8b", "b", "c", "d", "e")), lmstudio=serve(listed("My Model")))
    rows = {row[0]: row for row in doctor_table(longest_wait=10.0).rows}
    assert rows["ollama"][2:] == (
        "answers",
        "llama3:8b, b, c and 2 more",
        "%%session NAME --service ollama --model llama3:8b",
    )
    assert rows["lmstudio"][4] == '%%session NAME --service lmstudio --model "My Model"'
    assert rows["vllm"][2:] == ("nothing answers", "", "")
    assert "offline" not in rows


def test_the_line_that_doctor_offers_works(notebook, provider, at):
    at(vllm=provider.base_url)
    provider.models[:] = ["served"]
    rows = {row[0]: row for row in doctor_table(longest_wait=10.0).rows}
    line = rows["vllm"][4].replace("NAME", "local")
    assert notebook.run(f"{line}\nbe brief").error is None
    provider.reply("from here")
    assert notebook.run("%ask local hello").text.startswith("from here")
    assert provider.requests[-1].json["model"] == "served"


def test_doctor_tells_which_keys_are_found_without_showing_them(
    notebook, provider, at, monkeypatch
):
    at()
    monkeypatch.setenv("GROQ_API_KEY", "gsk_made-up-Qz7Xw9Lk2Mv5")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up-Az7Xw9Lk2Mv5")
    table = notebook.run("%convo doctor").result
    assert table.header == ("service", "address", "found", "models", "to use it")
    rows = {row[0]: row for row in table.rows}
    assert rows["ollama"][2:] == ("nothing answers", "", "")
    assert rows["groq"] == (
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY found",
        "openai/gpt-oss-120b",
        "%%session NAME --service groq",
    )
    assert rows["mistral"][2:] == ("MISTRAL_API_KEY missing", "mistral-small-latest", "")
    assert rows["azure"][1:] == (
        "",
        "AZURE_OPENAI_API_KEY found",
        "",
        "%%session NAME --service azure --model MODEL",
    )
    assert "Lk2Mv5" not in str(table)


def test_an_address_that_is_none_is_told_and_the_rest_is_looked_at(
    notebook, provider, serve, at, monkeypatch
):
    at(vllm=serve(listed("a")))
    monkeypatch.setenv("OLLAMA_BASE_URL", "nowhere")
    rows = {row[0]: row for row in doctor_table(longest_wait=10.0).rows}
    assert "'nowhere' is not an http address" in rows["ollama"][2]
    assert rows["vllm"][2] == "answers"


def test_doctor_asks_an_address_on_this_machine_that_a_variable_tells(
    notebook, provider, serve, at, monkeypatch
):
    at()
    monkeypatch.setenv("OPENAI_BASE_URL", serve(listed("served", "b")))
    monkeypatch.setenv("GROQ_BASE_URL", serve(b"{}", 401))
    monkeypatch.setenv("MISTRAL_BASE_URL", closed_port())
    rows = {row[0]: row[2:] for row in doctor_table(longest_wait=10.0).rows}
    assert rows["openai"] == (
        "answers; OPENAI_API_KEY found",
        "served, b",
        "%%session NAME --service openai --model served",
    )
    assert rows["groq"][0] == "answers, and asks for a key: set GROQ_API_KEY"
    assert rows["mistral"] == ("nothing answers", "mistral-small-latest", "")


def test_the_help_names_each_verb(notebook):
    said = notebook.shell.find_line_magic("convo").__doc__
    assert [verb for verb in VERBS if f"\n{verb} " not in said] == []


# --- %convo services and models ------------------------------------------------------------


def test_services_lists_all_with_keys_and_addresses(notebook, provider, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "made-up-Qz7Xw9Lk2Mv5")
    rows = {row[0]: row[1:] for row in notebook.run("%convo services").result.rows}
    assert set(rows) == {name for name in services.names() if name != "openai"} | {
        "openai (default)"
    }
    assert rows["gemini"][0] == "GOOGLE_API_KEY found"
    assert rows["deepseek"][:2] == ("DEEPSEEK_API_KEY missing", "https://api.deepseek.com")
    assert rows["ollama"] == ("not needed", "http://127.0.0.1:11434/v1", "none", "none")
    assert rows["azure"][:2] == ("AZURE_OPENAI_API_KEY missing", "AZURE_OPENAI_ENDPOINT missing")


def test_services_tells_why_one_is_broken(notebook, provider, tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_offered", None)
    info = tmp_path / "bad_pkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-pkg\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nbconvo.services]\nsingular = bad_pkg:Mine\n")
    rows = {row[0]: row[1:] for row in notebook.run("%convo services").result.rows}
    assert rows["singular"] == ("broken", "ModuleNotFoundError: No module named 'bad_pkg'", "", "")
    assert "openai (default)" in rows
    ran = notebook.run("%%session a --service singular\nbe brief")
    (line,) = ran.lines
    assert "service 'singular' of 'bad-pkg' is broken: ModuleNotFoundError" in line
    assert "singular" in " ".join(notebook.complete("%session a --service sing"))
    assert notebook.complete("%session a --model groq")


def test_models_tells_lengths_and_prices_where_they_are_known(notebook, serve, monkeypatch):
    model = {
        "id": "vendor/big",
        "context_length": 131072,
        "pricing": {"prompt": "0.0000025", "completion": "0.000000375"},
    }
    body = json.dumps({"data": [model, {"id": "vendor/free", "pricing": {"prompt": "0"}}]})
    monkeypatch.setenv("OPENROUTER_BASE_URL", serve(body.encode()))
    table = notebook.run("%convo models openrouter").result
    assert table.header == ("model", "context", "$/M in", "$/M out")
    assert table.rows == (
        ("vendor/big", "131,072", "$2.5", "$0.375"),
        ("vendor/free", "", "$0", ""),
    )


def test_models_marks_what_a_list_of_prices_tells_and_leaves_blank_what_none_does(
    notebook, monkeypatch
):
    told = (
        ModelInfo("gpt-5.4-mini"),
        ModelInfo("gpt-4o", context=7, input_price=0.0),
        ModelInfo("text-embedding-3-small"),
        ModelInfo("no-such-model", context=0),
    )

    async def offered(client: Any, service: Any) -> tuple[ModelInfo, ...]:
        return told

    monkeypatch.setattr(Client, "models", offered)
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert notebook.run("%convo models openai").result.rows == (
        ("gpt-5.4-mini", "~400,000", "~$0.75", "~$4.5"),
        ("gpt-4o", "7", "$0", "~$10"),
        ("text-embedding-3-small", "~8,192", "~$0.02", ""),
        ("no-such-model", "", "", ""),
    )


def test_models_of_a_server_on_this_machine_have_no_list_prices(notebook, serve, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", serve(listed("gpt-4o")))
    assert notebook.run("%convo models openai").result.rows == (("gpt-4o", "", "", ""),)


def test_a_list_of_models_without_anything_around_it_is_read(notebook, serve, monkeypatch):
    monkeypatch.setenv("TOGETHER_BASE_URL", serve(b' [{"id": "a", "context_length": 8}]'))
    assert notebook.run("%convo models together").result.rows == (("a", "8", "", ""),)
