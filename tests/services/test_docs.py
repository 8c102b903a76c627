"""docs/services.md holds what it promises: tables made of the classes, examples that run."""

from __future__ import annotations

import json
import re
import runpy
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nbconvo import services
from nbconvo.messages import Delta, Message
from nbconvo.services import registry
from nbconvo.session import Session, workspace

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "services.md").read_text("utf-8")
ASKED = (Message(role="user", content="Sing!"),)


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """What makes the tables."""
    return runpy.run_path(str(DOCS / "services.py"))


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples register ends with the test."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(registry, "_broken", {})
    monkeypatch.setattr(registry, "_offered", {})


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table of the page."""
    (text,) = re.findall(rf"<!-- {name}: .*? -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    header, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()
    )
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_tables_are_those_that_the_script_makes(script):
    assert script["page"](TEXT) == TEXT, "run python docs/services.py"


@pytest.mark.parametrize("name", ["abilities", "keys"])
def test_a_table_has_each_service(name: str):
    assert {row["service"].strip("`") for row in table(name)} == set(services.names())


@pytest.mark.parametrize("row", table("abilities"), ids=lambda row: row["service"])
def test_the_page_says_of_a_service_what_its_class_does(row: dict[str, str]):
    features = services.get(row["service"].strip("`")).features
    for ability, column in {"files": "texts", "reasoning": "levels"}.items():
        assert (ability in features) == (column in row[ability])
    for ability in ("tools", "images"):
        assert (ability in features) == (row[ability] == "yes")
    assert ("schema" in features) == (row["schema"] == "enforced")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """All examples, run one after the other in a module."""
    module = ModuleType("house")
    monkeypatch.setitem(sys.modules, "house", module)
    for code in examples("python"):
        exec(compile(code, "services.md", "exec", dont_inherit=True), module.__dict__)
    return module


def test_a_service_with_an_address_and_limits_of_ones_own_keeps_to_them(ran):
    assert ran.proxied.request(ASKED, "m", {}).url == "http://127.0.0.1:4000/v1/chat/completions"
    assert ran.proxied.request_headers()["X-Team"] == "whales"
    assert (ran.claude.max_requests_per_minute, ran.claude.max_concurrent) == (50, 4)
    assert ran.claude.found_in == "argument"


def test_one_call_registers_a_service(ran, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "made-up-0000")
    lab = services.get("lab")
    assert (lab.key_variable, lab.found_in, lab.price) == ("LAB_API_KEY", "LAB_API_KEY", (0.2, 0.6))


def test_the_entry_point_names_a_service(ran, monkeypatch):
    offered = tomllib.loads(examples("toml")[0])["project"]["entry-points"][registry.GROUP]
    for name, value in offered.items():
        module, _, kind = value.partition(":")
        services.register(name, getattr(sys.modules[module], kind))
        body = services.get(name).request(ASKED, None, {"max_tokens": 9}).body
        assert body is not None
        assert body["max_completion_tokens"] == 9


def test_another_protocol_is_three_methods(ran):
    parrot = ran.ParrotService()
    request = parrot.request(ASKED, None, {"stream": True})
    assert (request.url, request.body) == (
        "http://127.0.0.1:9000/say",
        {"text": "Sing!", "stream": True},
    )
    assert parrot.deltas({"text": "Si"}) == [Delta("Si")]
    assert parrot.deltas({"end": "stop"}) == [Delta(finish_reason="stop")]
    assert parrot.reply({"text": "Sing!"}) == [Delta("Sing!", finish_reason="stop")]


@pytest.fixture
def cage() -> Iterator[str]:
    """A server that speaks the parrot's protocol; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind, said = "application/json", json.dumps({"text": asked["text"]})
            if self.path == "/say" and asked["stream"]:
                events = ({"text": asked["text"]}, {"end": "stop"})
                kind = "text/event-stream"
                said = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("stream", [True, False])
async def test_the_service_with_another_protocol_is_asked_as_it_stands_there(
    ran, cage: str, monkeypatch: pytest.MonkeyPatch, stream: bool
):
    monkeypatch.setenv("PARROT_BASE_URL", cage)
    services.register("parrot", ran.ParrotService)
    reply = await Session(service="parrot").ask("Sing!", stream=stream)
    workspace.close()
    assert reply == "Sing!"
    assert (reply.finish_reason, reply.message.model) == ("stop", "grey")


def test_a_resource_of_azure_is_asked_with_a_token(ran):
    azure = services.get("azure-eu")
    url = azure.request(ASKED, "my-deployment", {}).url
    assert url == (
        "https://eu.openai.azure.com/openai/deployments/my-deployment/chat/completions"
        "?api-version=2024-10-21"
    )
    assert azure.request_headers()["Authorization"] == f"Bearer {ran.token}"
    assert azure.price == (2.5, 10)


def test_azure_is_set_up_by_two_variables_of_the_page(monkeypatch: pytest.MonkeyPatch):
    told = dict(re.findall(r"^(AZURE_\w+)=(.*)$", TEXT, re.MULTILINE))
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    azure = services.get("azure")
    assert azure.request_headers()["api-key"] == told["AZURE_OPENAI_API_KEY"]
    assert azure.request(ASKED, "d", {}).url.startswith(told["AZURE_OPENAI_ENDPOINT"] + "/openai/")
