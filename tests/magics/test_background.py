"""A reply that comes while other cells run, in a shell of this process."""

from __future__ import annotations

import asyncio
import threading

import pytest

import nbconvo
from nbconvo.errors import AuthenticationFailed, Busy, Halted
from nbconvo.magics.background import Pending
from nbconvo.session import Session, workspace


def test_the_variable_gets_what_the_reply_can_be_waited_for_from(notebook, provider):
    provider.reply("ha", delay=0.05)
    ran = notebook.run("%%ask --background --to joke\na joke")
    joke = notebook.names["joke"]
    assert not joke.done()
    assert ran.result is None
    assert repr(joke) == "Pending(still answering: await it, or .result(), or .cancel())"
    assert joke.result(timeout=5) == "ha"
    assert joke.done()
    assert repr(joke) == "Pending('ha')"


def test_it_can_be_awaited_in_a_cell(notebook, provider):
    provider.reply("ha", delay=0.02)
    notebook.run("%%ask --background --to joke\na joke")
    assert notebook.run("await joke").result == "ha"


def test_its_output_is_there_before_the_reply_and_ends_with_it(notebook, provider):
    provider.reply("ha", delay=0.05)
    ran = notebook.run("%%ask --background --to joke\na joke")
    assert len(ran.outputs) == 1
    assert ran.text == ""
    publisher = notebook.shell.display_pub
    notebook.names["joke"].result(timeout=5)
    last = publisher.outputs[-1]
    assert last["update"]
    assert last["data"]["text/plain"] == "ha"
    assert last["transient"] == ran.outputs[0]["transient"]


def test_several_can_answer_in_the_background(notebook, provider):
    for name in ("kind", "stern"):
        Session(name=name)
    notebook.run("%%ask kind stern --background --to both\nhello")
    assert set(notebook.names["both"].result(timeout=5)) == {"kind", "stern"}


def test_a_failure_is_shown_in_its_output_and_raised_to_who_asks_for_the_result(notebook, provider):
    provider.error(401)
    notebook.run("%%ask --background --to joke\na joke")
    joke = notebook.names["joke"]
    with pytest.raises(AuthenticationFailed):
        joke.result(timeout=5)
    assert repr(joke).startswith("Pending(failed: openai: key refused (401)")
    last = notebook.shell.display_pub.outputs[-1]["data"]
    assert "nbconvo-error" in last["text/html"]
    assert last["text/plain"].startswith("openai: ")


def test_a_cancelled_reply_is_kept_as_far_as_it_came(notebook, provider):
    provider.reply(deltas=["half", " of it"], pace=30)
    notebook.run("%config NbConvo.repaint = 0.02")
    notebook.run("%%ask --background --to joke\na joke")
    joke, publisher = notebook.names["joke"], notebook.shell.display_pub
    while "half" not in publisher.outputs[-1]["data"]["text/plain"]:
        assert not joke.done()
        threading.Event().wait(0.01)
    joke.cancel()
    with pytest.raises(Halted, match=r"^stopped; 4 characters kept$"):
        joke.result(timeout=5)
    assert repr(joke) == "Pending(failed: stopped; 4 characters kept)"
    with pytest.raises(Halted, match=r"^stopped; 4 characters kept$"):
        asyncio.run(_awaited(joke))
    joke.cancel()  # does nothing
    assert workspace["default"].last == "half"
    assert workspace["default"].last.finish_reason == "stopped"
    assert "stopped" in publisher.outputs[-1]["data"]["text/html"]


def test_what_was_not_painted_yet_is_counted_too(notebook, provider):
    provider.reply(deltas=["half", " of it"], pace=30)
    notebook.run("%config NbConvo.repaint = 30.0")
    notebook.run("%%ask --background --to joke\na joke")
    (turn,) = workspace["default"].turns
    while not turn.tally.texts:
        threading.Event().wait(0.01)
    notebook.names["joke"].cancel()
    with pytest.raises(Halted, match=r"^stopped; 4 characters kept$"):
        notebook.names["joke"].result(timeout=5)


def test_one_that_the_end_of_the_extension_stops_says_so(notebook, provider):
    provider.reply(deltas=["half", " of it"], pace=30)
    notebook.run("%%ask --background --to joke\na joke")
    (turn,) = workspace["default"].turns
    while not turn.tally.texts:
        threading.Event().wait(0.01)
    nbconvo.unload_ipython_extension(notebook.shell)
    with pytest.raises(Halted, match=r"^stopped; 4 characters kept$"):
        notebook.names["joke"].result(timeout=5)


def test_a_terminal_writes_the_reply_when_it_comes(terminal, provider, capsys):
    provider.reply("ha")
    terminal.run("%%ask --background --to joke\na joke")
    terminal.names["joke"].result(timeout=5)


async def test_who_stops_waiting_does_not_stop_the_reply():
    release = threading.Event()

    def batches():
        release.wait(5)
        yield []

    pending = Pending(batches(), list, lambda: "reply", release.set)
    waiting = asyncio.ensure_future(_awaited(pending))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    assert await pending == "reply"


async def _awaited(pending: Pending) -> object:
    return await pending


def test_a_result_that_does_not_come_in_time_is_told_of():
    release = threading.Event()

    def batches():
        release.wait(5)
        yield []

    pending = Pending(batches(), list, lambda: "reply", release.set)
    with pytest.raises(TimeoutError):
        pending.result(timeout=0.01)
    release.set()
    assert pending.result(timeout=5) == "reply"


def test_a_session_is_busy_as_soon_as_its_background_cell_has_run(notebook, provider):
    notebook.run("%%session comedian --model m\nbe funny")
    notebook.run("%%ask comedian\nfirst")
    for _ in range(10):
        provider.hang()
        notebook.run("%%ask comedian --background --to joke\na joke")
        assert isinstance(notebook.run("%convo undo comedian").error, Busy)
        notebook.names["joke"].cancel()
        with pytest.raises(Halted):
            notebook.names["joke"].result(5)
    assert len(workspace["comedian"].conversation.messages) == 2
