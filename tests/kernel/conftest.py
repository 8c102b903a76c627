"""Real kernels, driven as a notebook drives them, with a fake provider in the tests' process."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from nbconvo.testing import FakeProvider

ROOT = Path(__file__).parents[2]
KEY = "sk-made-up-Qz7Xw9Lk2Mv5Rt8Yp4Bn"
TIMEOUT = 20.0  # seconds; a kernel that takes longer hangs

FRESH = """
import nbconvo as _nbconvo
for _name in _nbconvo.sessions.names():
    _nbconvo.sessions.remove(_name)
_nbconvo.sessions.current = "default"
_nbconvo.sessions.settings.loop = "thread"
"""

Message = dict[str, Any]


@dataclass
class Cell:
    """One execution as the front end saw it; ``kernel`` tells of outputs updated later."""

    id: str
    kernel: Kernel
    sent: float
    reply: Message | None = None
    replied: float = 0.0
    idle: float = 0.0
    messages: list[tuple[float, Message]] = field(default_factory=list)
    asked: list[tuple[str, bool]] = field(default_factory=list)  # prompts, and whether unseen

    @property
    def done(self) -> bool:
        return self.reply is not None and self.idle > 0

    @property
    def status(self) -> str:
        assert self.reply is not None
        return str(self.reply["content"]["status"])

    def of(self, kind: str) -> list[tuple[float, Message]]:
        """The messages of a type, each with the time when it arrived."""
        return [(when, content) for when, content in self.messages if content["kind"] == kind]

    @property
    def outputs(self) -> list[Message]:
        """What the notebook would save below the cell, errors included."""
        kinds = {"display_data", "execute_result", "stream", "error"}
        saved: list[Message] = []
        for _, output in self.messages:
            if output["kind"] not in kinds:
                continue
            last = saved[-1] if saved else {}
            if output["kind"] == last.get("kind") == "stream" and output["name"] == last["name"]:
                last["text"] += output["text"]
            else:
                saved.append(dict(self.kernel.updated(output)))
        return saved

    @property
    def texts(self) -> list[str]:
        """The outputs, each as its plain text or as its error's lines."""
        return [_text(output) for output in self.outputs]

    @property
    def result(self) -> Any:
        """The value of the literal that the cell's last output shows."""
        assert self.status == "ok", self.texts
        return json.loads(self.texts[-1])


def _text(output: Message) -> str:
    if output["kind"] == "error":
        return "\n".join(output["traceback"])
    return str(output["text"] if output["kind"] == "stream" else output["data"]["text/plain"])


class Kernel:
    """A kernel, and everything that it said."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.said: list[Message] = []  # whole messages, of all channels
        self._cells: dict[str, Cell] = {}
        self._displays: dict[str, Message] = {}
        self._poller = zmq.Poller()
        for channel in (client.iopub_channel, client.shell_channel):
            self._poller.register(channel.socket, zmq.POLLIN)

    def send(self, source: str, *, cell: str | None = None, stdin: bool = False) -> Cell:
        """Ask to execute; ``cell`` is the cellId that JupyterLab would send."""
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": stdin,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell} if cell else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        sent = Cell(message["header"]["msg_id"], self, time.monotonic())
        self._cells[sent.id] = sent
        self.client.shell_channel.send(message)
        return sent

    def wait(self, *cells: Cell) -> None:
        """Wait until all of ``cells`` have ended."""
        self.read_until(lambda: all(cell.done for cell in cells))

    def run(self, *sources: str, cell: str | None = None) -> Cell:
        """Execute cells one by one; return the last one."""
        for source in sources:
            last = self.send(source, cell=cell)
            self.wait(last)
        return last

    def type(self, source: str, typed: str | None) -> Cell:
        """Execute a cell that asks, and type the answer to each question; None interrupts it."""
        cell = self.send(source, stdin=True)
        end = time.monotonic() + TIMEOUT
        while not cell.done and time.monotonic() < end:
            self._read()
            if not self.client.stdin_channel.msg_ready():
                continue
            content = self.client.get_stdin_msg(timeout=1)["content"]
            cell.asked.append((content["prompt"], content["password"]))
            if typed is None:
                self.interrupt()
            else:
                self.client.input(typed)
        assert cell.done, f"the cell hangs; it asked {cell.asked}"
        return cell

    def read_until(self, condition: Callable[[], bool]) -> None:
        """Read what the kernel says until ``condition`` holds."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > end:
                last = [message["msg_type"] for message in self.said[-5:]]
                raise TimeoutError(f"the kernel hangs; it last said {last}")
            self._read()

    def read_for(self, seconds: float) -> None:
        """Read what the kernel says for a while: to see that nothing comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read()

    def read_until_text(self, cell: Cell, text: str) -> None:
        """Read until an output of ``cell`` shows ``text``."""
        self.read_until(lambda: any(text in shown for shown in cell.texts))

    def interrupt(self) -> float:
        """Interrupt as the stop button does; return when."""
        when = time.monotonic()
        self.manager.interrupt_kernel()
        return when

    def value(self, expression: str) -> Any:
        """Return the JSON of what ``expression`` is in the kernel."""
        return self.run(f"import json; print(json.dumps({expression}))").result

    def history(self, session: str) -> list[list[str]]:
        """Role and content of a session's messages."""
        messages = f"_nbconvo.sessions[{session!r}].messages"
        return list(self.value(f"[(m.role, m.content) for m in {messages}]"))

    def updated(self, output: Message) -> Message:
        """Return an output as it is now, after the updates of its display."""
        shown = self._displays.get(output.get("transient", {}).get("display_id", ""))
        return output if shown is None else {**output, **shown}

    def _read(self) -> None:
        ready = dict(self._poller.poll(50))  # milliseconds
        if self.client.iopub_channel.socket in ready:
            self._take_iopub(self.client.get_iopub_msg(timeout=1))
        if self.client.shell_channel.socket in ready:
            self._take_reply(self.client.get_shell_msg(timeout=1))

    def _take_reply(self, message: Message) -> None:
        self.said.append(message)
        if cell := self._cells.get(message["parent_header"].get("msg_id", "")):
            cell.reply, cell.replied = message, time.monotonic()

    def _take_iopub(self, message: Message) -> None:
        now = time.monotonic()
        self.said.append(message)
        content = {**message["content"], "kind": message["msg_type"]}
        if message["msg_type"] in {"display_data", "update_display_data"}:
            display = content["transient"].get("display_id", "")
            self._displays[display] = {key: content[key] for key in ("data", "metadata")}
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        cell.messages.append((now, content))
        if content.get("execution_state") == "idle":
            cell.idle = now


def clean_environment(provider: FakeProvider, home: Path) -> dict[str, str]:
    """An environment from which no real account can be reached."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NBCONVO_", "OPENAI_", "OPENROUTER_", "PYTEST_", "JUPYTER_"))
        and not name.endswith(("_API_KEY", "_BASE_URL"))
    }
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | {
        "PYTHONPATH": path,
        "IPYTHONDIR": str(home),
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": KEY,
        "NBCONVO_MODEL": "fake-model",
    }


@pytest.fixture(scope="session")
def _provider() -> Iterator[FakeProvider]:
    # Uncut: split bytes are the client's to join, and cost a kernel's test seconds.
    with FakeProvider(cut=None) as provider:
        yield provider


@pytest.fixture
def provider(_provider: FakeProvider) -> Iterator[FakeProvider]:
    """The fake provider that kernels reach as ``openai``; its journal goes on between tests.

    What is not scripted is answered with ``reply to`` and the message.
    """
    _provider.respond(lambda request: f"reply to {request.json['messages'][-1]['content']}")
    yield _provider
    left = _provider.pending
    _provider.forget()
    assert left == 0, f"{left} scripted replies were never asked for"


MEASURED: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Notes a figure, which is printed below the results of the tests."""
    figures = request.config.stash.setdefault(MEASURED, [])
    return lambda label, figure: figures.append(f"{figure:.3g} {label}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the figures that tests measured."""
    for figure in config.stash.get(MEASURED, []):
        terminalreporter.write_line(f"measured: {figure}")


@pytest.fixture(scope="session")
def environment(
    _provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of kernels and terminals."""
    return clean_environment(_provider, tmp_path_factory.mktemp("ipython"))


StartKernel = Callable[[], Kernel]


def _start(environment: dict[str, str], folder: Path) -> Kernel:
    manager = KernelManager(connection_file=str(folder / "kernel.json"))
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(
        env=environment,
        cwd=str(folder),
        extra_arguments=["--HistoryManager.enabled=False", "--colors=nocolor"],
    )
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT)
    return Kernel(manager, client)


def _stop(kernel: Kernel) -> None:
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)
    kernel.manager.context.destroy()


def _starter(environment: dict[str, str], folders: pytest.TempPathFactory) -> Iterator[StartKernel]:
    kernels: list[Kernel] = []

    def start() -> Kernel:
        kernels.append(_start(environment, folders.mktemp("kernel")))
        return kernels[-1]

    yield start
    for kernel in kernels:
        _stop(kernel)


@pytest.fixture
def new_kernel(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartKernel]:
    """Starts kernels of the test's own, in which nothing is loaded."""
    yield from _starter(environment, tmp_path_factory)


@pytest.fixture(scope="module")
def start_kernel(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartKernel]:
    """Starts kernels that the tests of a module share, in which nothing is loaded."""
    yield from _starter(environment, tmp_path_factory)


@pytest.fixture(scope="session")
def _kernel(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    kernel = _start(environment, tmp_path_factory.mktemp("kernel"))
    yield kernel
    _stop(kernel)


@pytest.fixture
def fresh() -> Callable[[Kernel], Kernel]:
    """Makes a kernel that was used before as good as new: loaded, and without sessions."""

    def begin(kernel: Kernel) -> Kernel:
        kernel.said.clear()
        assert kernel.run("%load_ext nbconvo", FRESH).texts == []
        return kernel

    return begin


@pytest.fixture
def kernel(_kernel: Kernel, fresh: Callable[[Kernel], Kernel], provider: FakeProvider) -> Kernel:
    """The kernel that tests share, with nbconvo loaded and no sessions."""
    return fresh(_kernel)
