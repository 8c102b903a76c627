"""The stop button: prompt, keeps what came, harms nothing behind it."""

from __future__ import annotations

import pytest

TEXT = " ".join(f"word{number}" for number in range(400))
PROMPT = 0.2  # seconds in which an interrupted cell ends
STOP_DURING_THE_LAST_PAINT = """
import signal
from nbconvo.display.screens import NotebookScreen
paint = NotebookScreen.paint
def interrupted_paint(self, columns, *, final):
    if final:
        signal.raise_signal(signal.SIGINT)
    paint(self, columns, final=final)
NotebookScreen.paint = interrupted_paint
try:
    get_ipython().run_cell_magic("ask", "--to said", "hi")
finally:
    NotebookScreen.paint = paint
"""
WAYS_TO_AWAIT = {
    "ask": "await talk.ask('go on')",
    "stream": "async for delta in talk.stream('go on'): print(delta, end='')",
    "gather": "import asyncio\nawait asyncio.gather(talk.ask('go on'))",
}


def stop_in_mid_stream(kernel, provider, cell):
    """Interrupt ``cell`` once some words are on the page; return how long it took to end."""
    kernel.read_until_text(cell, "word20")
    closed = len(provider.closed)
    stopped = kernel.interrupt()
    kernel.wait(cell)
    provider.wait_for_closed(closed + 1)
    return cell.idle - stopped


def test_an_interrupt_in_mid_stream_ends_the_cell_promptly(kernel, provider, measured):
    provider.reply(TEXT, pace=0.01)
    seconds = stop_in_mid_stream(kernel, provider, kernel.send("%%ask\ngo on"))
    measured("seconds to stop in mid-stream", seconds)
    assert seconds < PROMPT


def test_an_interrupted_cell_says_in_one_line_what_was_kept(kernel, provider):
    provider.reply(TEXT, pace=0.01)
    cell = kernel.send("%%ask\ngo on")
    stop_in_mid_stream(kernel, provider, cell)
    shown, error = cell.outputs
    kept = kernel.history("default")[-1][1]
    assert error["traceback"] == [f"Stopped: {len(kept):,} characters kept"]
    assert shown["data"]["text/plain"].strip() == kept.strip()


def test_an_interrupted_reply_is_in_the_history_marked_stopped(kernel, provider):
    provider.reply(TEXT, pace=0.01)
    stop_in_mid_stream(kernel, provider, kernel.send("%%ask\ngo on"))
    (user, reply) = kernel.history("default")
    assert user == ["user", "go on"]
    assert reply[1].startswith("word0")
    assert TEXT.startswith(reply[1])
    assert kernel.value("_nbconvo.sessions['default'].last.finish_reason") == "stopped"


def test_the_cell_after_an_interrupted_one_runs(kernel, provider):
    provider.reply(TEXT, pace=0.01)
    stop_in_mid_stream(kernel, provider, kernel.send("%%ask\ngo on"))
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]


def test_cells_queued_behind_an_interrupted_one_do_not_run(kernel, provider):
    provider.reply(TEXT, pace=0.01)
    cell, behind = kernel.send("%%ask\ngo on"), kernel.send("%%ask\nhi")
    stop_in_mid_stream(kernel, provider, cell)
    kernel.wait(behind)
    assert [cell.status, behind.status] == ["error", "aborted"]


def test_an_interrupt_before_the_first_byte_ends_the_cell_promptly(kernel, provider, measured):
    provider.hang()
    before, closed = len(provider.requests), len(provider.closed)
    cell = kernel.send("%%ask\nanybody there?")
    provider.wait_for_requests(before + 1)
    stopped = kernel.interrupt()
    kernel.wait(cell)
    provider.wait_for_closed(closed + 1)
    measured("seconds to stop before the first byte", cell.idle - stopped)
    assert cell.idle - stopped < PROMPT


def test_an_interrupt_before_the_first_byte_adds_nothing_to_the_history(kernel, provider):
    kernel.run("%%ask\nhi")
    provider.hang()
    before = len(provider.requests)
    cell = kernel.send("%%ask\nanybody there?")
    provider.wait_for_requests(before + 1)
    kernel.interrupt()
    kernel.wait(cell)
    assert cell.texts == ["Stopped: 0 characters kept"]
    assert kernel.history("default") == [["user", "hi"], ["assistant", "reply to hi"]]
    assert kernel.run("%%ask\nhi again").texts == ["reply to hi again"]


def test_an_interrupt_during_the_last_paint_is_one_line_and_loses_nothing(kernel, provider):
    cell = kernel.run(STOP_DURING_THE_LAST_PAINT)
    assert cell.texts == ["reply to hi", "Stopped: interrupted"]
    assert kernel.value("said") == "reply to hi"
    assert kernel.history("default") == [["user", "hi"], ["assistant", "reply to hi"]]


def test_the_kernels_own_interrupt_is_back_after_a_cell(kernel, provider):
    kernel.run("%%ask\nhi")
    assert kernel.value("__import__('signal').getsignal(2).__qualname__") == "default_int_handler"


def test_an_interrupted_exchange_keeps_all_that_was_said(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.", "%%session critic\nYou are not.")
    provider.reply("whales are big")
    provider.reply(TEXT, pace=0.01)
    stop_in_mid_stream(kernel, provider, kernel.send("%%exchange comedian critic\nwhales"))
    assert kernel.history("comedian")[1:3] == [["user", "whales"], ["assistant", "whales are big"]]
    assert kernel.history("comedian")[3][1].startswith("word0")
    assert kernel.history("critic")[-1][1].startswith("word0")


@pytest.mark.parametrize("code", WAYS_TO_AWAIT.values(), ids=WAYS_TO_AWAIT)
def test_an_interrupted_await_returns_promptly_and_keeps_what_came(
    kernel, provider, measured, code
):
    kernel.run("talk = _nbconvo.Session(name='talk')")
    provider.reply(TEXT, pace=0.01)
    before, closed = len(provider.requests), len(provider.closed)
    cell = kernel.send(code)
    provider.wait_for_requests(before + 1)
    kernel.read_for(0.4)
    stopped = kernel.interrupt()
    kernel.wait(cell)
    provider.wait_for_closed(closed + 1)
    measured("seconds to stop an await", cell.idle - stopped)
    assert cell.status == "error"
    assert cell.idle - stopped < 1
    assert kernel.history("talk")[-1][1].startswith("word0")
    assert kernel.value("talk.last.finish_reason") == "stopped"
