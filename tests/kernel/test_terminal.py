"""The magics in ``ipython``, in a terminal."""

from __future__ import annotations

import re
import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect")

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
LOADED = "The nbconvo extension is already loaded. To reload it, use:\n  %reload_ext nbconvo\n\n"
FRESH = (
    "import nbconvo; [nbconvo.sessions.remove(name) for name in nbconvo.sessions.names()]; "
    "nbconvo.sessions.current = 'default'"
)
RUN = "\x1b\r"  # runs a cell of several lines


class Terminal:
    """An ``ipython`` with nbconvo loaded; ``run`` and ``until_prompt`` return what is on screen."""

    def __init__(self, environment: dict[str, str], folder: str) -> None:
        options = ["--no-banner", "--no-confirm-exit", "--colors=nocolor"]
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", *options, "--HistoryManager.enabled=False"],
            # prompt_toolkit asks the terminal where its cursor is; nobody here would answer.
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            cwd=folder,
            encoding="utf-8",
            timeout=20,
            dimensions=(50, 120),
        )
        self.process.delaybeforesend = None
        self._number = 1
        self.until_prompt()

    def until_prompt(self) -> str:
        """Return what comes before the next prompt."""
        # The prompt of a line is painted several times; the next one's number is new.
        self.process.expect(rf"In \[{self._number}\]:")
        self._number += 1
        return ESCAPES.sub("", self.process.before)

    def send(self, cell: str) -> None:
        """Type ``cell`` and run it."""
        self.process.send(cell.replace("\n", "\r") + (RUN if "\n" in cell else "\r"))
        # What is typed comes back, painted over and over; after this only output comes.
        self.process.expect_exact("\x1b[?2004l")

    def run(self, cell: str) -> str:
        """Type ``cell``, run it, and return its output."""
        self.send(cell)
        return self.until_prompt()

    def expect(self, text: str) -> None:
        """Wait until ``text`` is written."""
        self.process.expect_exact(text)


@pytest.fixture(scope="module")
def _terminal(environment, tmp_path_factory):
    terminal = Terminal(environment, str(tmp_path_factory.mktemp("terminal")))
    yield terminal
    terminal.process.close(force=True)


@pytest.fixture
def terminal(_terminal, provider):
    """An ``ipython`` with nbconvo loaded and no sessions."""
    assert _terminal.run("%load_ext nbconvo") in {"\n", LOADED}
    assert _terminal.run(FRESH) == "\n"
    return _terminal


def test_a_reply_is_plain_text_that_comes_as_it_is_said(terminal, provider):
    provider.reply("one **two** three", pace=0.3)
    terminal.send("%%ask\ncount")
    terminal.expect("one")
    started = time.monotonic()
    shown = terminal.until_prompt()
    assert time.monotonic() - started > 0.2
    assert shown.startswith(" **two** three\n[openai:fake-model")


def test_nothing_is_left_where_out_would_be(terminal, provider):
    provider.reply("one two three")
    shown = terminal.run("%%ask\ncount")
    assert "one two three" in shown
    assert "Out[" not in shown
    assert "object at" not in shown


def test_the_reply_is_the_last_value(terminal, provider):
    provider.reply("one two three")
    terminal.run("%%ask\ncount")
    assert "'Reply' 'ONE TWO THREE'" in terminal.run(
        "print(repr(type(_).__name__), repr(_.upper()))"
    )


def test_a_reply_shows_its_text_when_displayed_again(terminal, provider):
    provider.reply("one two three")
    terminal.run("%%ask\ncount")
    assert terminal.run("_").rstrip().endswith("one two three")


def test_ctrl_c_in_mid_stream_keeps_what_came(terminal, provider, measured):
    provider.reply(" ".join(f"word{number}" for number in range(300)), pace=0.02)
    closed = len(provider.closed)
    terminal.send("%ask go on")
    terminal.expect("word9")
    stopped = time.monotonic()
    terminal.process.send("\x03")
    shown = terminal.until_prompt()
    seconds = time.monotonic() - stopped
    measured("seconds to stop in a terminal", seconds)
    provider.wait_for_closed(closed + 1)
    assert seconds < 0.5
    (kept,) = re.findall(r"Stopped: (\d+) characters kept", shown)
    assert "Traceback" not in shown
    assert terminal.run("print(len(nbconvo.sessions['default'].last))").strip() == kept
    assert "reply to hi" in terminal.run("%ask hi")


def test_an_error_is_one_line(terminal, provider):
    provider.error(404)
    shown = terminal.run("%ask hi").strip()
    assert shown.startswith("ModelNotFound: ")
    assert "\n" not in shown


def test_several_participants_answer_under_their_names(terminal, provider):
    terminal.run("%%session comedian\nYou are funny.")
    terminal.run("%%session critic\nYou are not.")
    shown = terminal.run("%%ask comedian critic\nwhales")
    assert re.search(r"comedian:\nreply to whales\n.*critic:\nreply to whales\n", shown, re.DOTALL)
