"""One notebook over three protocols, unchanged, against a server that nobody here wrote.

The server is ``@copilotkit/aimock`` (npm, on Node.js 20.15). It is looked for on ``PATH``, and in
what ``npm install --prefix DIR @copilotkit/aimock`` made, where ``AIMOCK_PREFIX`` is ``DIR``. It
tells of the requests that it got in the form of chat completions, without the pictures and schemas
of the other protocols: how these are sent is tested in ``tests/services/``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: The cells; which service answers them is told by ``NBCONVO_SERVICE`` alone.
NOTEBOOK = {
    "load": "%load_ext nbconvo",
    "session": "%%session meteo\nYou are a meteorologist.",
    "stream": "%%ask meteo\nhello",
    "tool": "def weather(city: str) -> str:\n"
    "    'Tell the weather of a city.'\n"
    "    return f'rain in {city}'",
    "loop": "%%ask meteo --tools weather\nWhat is the weather in Oslo?",
    "form": "from dataclasses import dataclass\n"
    "@dataclass\nclass Forecast:\n    day: str\n    degrees: int",
    "schema": "%%ask meteo --schema Forecast --to forecast\nA structured one, please.",
    "picture": "from PIL import Image\ncloud = Image.new('RGB', (8, 8), 'grey')",
    "image": "%%ask meteo --image cloud\nWhat is in the picture?",
    "error": "%%ask meteo\nrefuse this",
    "interrupt": "%%ask meteo\ngo on and on",
    "after": "%%ask meteo\nAre you still there?",
    "usage": "%convo usage",
}
LONG = " ".join(f"word{number}" for number in range(400))
HELLO = "Hello **there**: 🌧, then 🤖."
WEATHER = {"userMessage": "weather in Oslo"}
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "hello"}, "response": {"content": HELLO}},
    {
        "match": {**WEATHER, "hasToolResult": False},
        "response": {
            "content": "I look.",
            "toolCalls": [{"name": "weather", "arguments": '{"city": "Oslo"}'}],
        },
    },
    {"match": {**WEATHER, "hasToolResult": True}, "response": {"content": "Take an umbrella."}},
    {
        "match": {"userMessage": "structured"},
        "response": {"content": '{"day": "Monday", "degrees": 7}'},
    },
    {"match": {"userMessage": "picture"}, "response": {"content": "A cloud."}},
    {
        "match": {"userMessage": "refuse"},
        "response": {"error": {"message": "no such sky"}, "status": 400},
    },
    {"match": {"userMessage": "on and on"}, "response": {"content": LONG}, "latency": 10},
    {"match": {"userMessage": "still there"}, "response": {"content": "I am."}},
]
PATHS = {
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
}


def llmock() -> str | None:
    found = shutil.which("llmock")
    if not found and (prefix := os.environ.get("AIMOCK_PREFIX")):
        found = shutil.which("llmock", path=str(Path(prefix) / "node_modules" / ".bin"))
    return found


LLMOCK = llmock()  # before a test's environment is cleaned
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="a kernel here is interrupted by a signal"),
    pytest.mark.skipif(
        LLMOCK is None,
        reason="needs aimock: npm install --prefix DIR @copilotkit/aimock, AIMOCK_PREFIX=DIR",
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server, which sends pieces of three characters."""
    folder = tmp_path_factory.mktemp("fixtures")
    (folder / "fixtures.json").write_text(json.dumps({"fixtures": FIXTURES}))
    assert LLMOCK is not None
    command = [LLMOCK, "-p", "0", "-f", str(folder), "-c", "3", "--log-level", "info"]
    # A Node.js that was installed along goes before the system's.
    path = os.pathsep.join((str(Path(LLMOCK).parent), os.environ["PATH"]))
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": path},
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.decode())
            if "http://" in said[-1]:
                break
        else:
            pytest.fail(f"aimock does not start: {''.join(said)}")
        yield "http://" + said[-1].partition("http://")[2].strip()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()


@pytest.fixture(scope="module", params=PATHS)
def environment(
    environment: dict[str, str], server: str, request: pytest.FixtureRequest
) -> dict[str, str]:
    """That of the kernel: one variable tells the three apart."""
    return environment | {
        "OPENAI_BASE_URL": f"{server}/v1",
        "ANTHROPIC_BASE_URL": server,
        "ANTHROPIC_API_KEY": "sk-ant-made-up-0000",
        "NBCONVO_SERVICE": request.param,
    }


@dataclass(frozen=True)
class Run:
    """The notebook as it ran: its cells, the kernel, and the requests that the server got."""

    service: str
    cells: dict[str, Any]
    kernel: Any
    requests: list[dict[str, Any]]

    def messages(self) -> list[Any]:
        """What is in the history: role, text, and how a reply ended."""
        told = "[(m.role, m.content, m.finish_reason) for m in meteo.messages]"
        return list(self.kernel.value(told))

    def replies(self, *fields: str) -> list[Any]:
        """Fields of the replies in the history."""
        told = ", ".join(f"m.{field}" for field in fields)
        return list(
            self.kernel.value(f"[[{told}] for m in meteo.messages if m.role == 'assistant']")
        )


@pytest.fixture(scope="module")
def ran(start_kernel: Any, environment: dict[str, str], server: str) -> Run:
    """The notebook, run once for each service."""
    kernel, cells = start_kernel(), {}
    for name, source in NOTEBOOK.items():
        cells[name] = cell = kernel.send(source)
        if name == "interrupt":
            kernel.read_until_text(cell, "word20")
            kernel.interrupt()
        kernel.wait(cell)
    service = environment["NBCONVO_SERVICE"]
    with urllib.request.urlopen(f"{server}/v1/_requests", timeout=10) as journal:
        entries = json.load(journal)
    asked = [entry["body"] for entry in entries if entry["path"] == PATHS[service]]
    return Run(service, cells, kernel, asked)


def test_all_cells_run_but_the_refused_and_the_interrupted_one(ran):
    failed = {name for name, cell in ran.cells.items() if cell.status != "ok"}
    assert failed == {"error", "interrupt"}


def test_every_request_went_to_the_address_of_the_protocol(ran):
    # Seven cells ask once, and the tool's result is sent with another request.
    assert len(ran.requests) == 8


def test_the_replies_are_those_of_the_service(ran):
    assert {service for (service,) in ran.replies("service")} == {ran.service}


def test_text_that_comes_in_pieces_is_whole(ran):
    (output,) = ran.cells["stream"].outputs
    assert output["data"]["text/plain"] == HELLO
    assert "<strong>there</strong>" in output["data"]["text/html"]


def test_the_tool_is_told_called_and_its_result_sent_back(ran):
    assert ran.cells["loop"].texts == ["Take an umbrella."]
    first, second = ran.requests[1:3]
    (told,) = first["tools"]
    assert told["function"]["parameters"]["properties"] == {"city": {"type": "string"}}
    assert [one["content"] for one in second["messages"] if one["role"] == "tool"] == [
        "rain in Oslo"
    ]
    looped = [said for said in ran.messages() if said[1] in {"I look.", "rain in Oslo"}]
    assert looped == [["assistant", "I look.", "tool_calls"], ["tool", "rain in Oslo", None]]


def test_a_reply_with_a_schema_is_an_object(ran):
    assert ran.kernel.value("[type(forecast.parsed).__name__, vars(forecast.parsed)]") == [
        "Forecast",
        {"day": "Monday", "degrees": 7},
    ]


def test_an_image_goes_along_and_stays_in_the_history(ran):
    assert ran.cells["image"].texts == ["A cloud."]
    attached = "[[a.media_type for a in m.attachments] for m in meteo.messages if m.attachments]"
    assert ran.kernel.value(attached) == [["image/png"]]


def test_a_refusal_is_one_line_and_leaves_no_trace_in_the_history(ran):
    assert ran.cells["error"].texts == [
        f"BadRequest: {ran.service}: request refused (400): no such sky"
    ]
    assert "refuse this" not in [text for _, text, _ in ran.messages()]


def test_an_interrupt_keeps_the_piece_that_had_come(ran):
    asked, kept = ran.messages()[-4:-2]
    assert asked[:2] == ["user", "go on and on"]
    assert kept[0] == "assistant"
    assert "word20" in kept[1]
    assert LONG.startswith(kept[1])
    assert len(kept[1]) < len(LONG)
    assert kept[2] == "stopped"
    assert ran.cells["interrupt"].texts[-1] == f"Stopped: {len(kept[1])} characters kept"


def test_the_cell_after_the_interrupt_asks_with_the_piece_in_the_history(ran):
    assert ran.cells["after"].texts == ["I am."]
    kept, asked = ran.requests[-1]["messages"][-2:]
    assert kept["content"] == ran.messages()[-3][1]
    assert asked["content"] == "Are you still there?"


def test_no_reply_with_words_in_it_counts_no_tokens(ran):
    # The server tells of chat completions what they took, and of the others 0.
    assert all(usage > 0 for (usage,) in ran.replies("usage.output_tokens"))
