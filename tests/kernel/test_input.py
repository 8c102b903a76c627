"""What is typed into a running cell: keys, and whether a tool may be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NUMBER = 'def secret() -> int:\n    "Tell the number."\n    return 42'
ASK = "%%ask --tools secret --confirm\nthe number?"
KEY = "sk-made-up-Hj4Gf8Ds2Aq6Wz9Xc3"


@pytest.fixture
def called(provider: Any) -> Callable[[], str]:
    """Has a model call the tool; returns what it was told."""
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    return lambda: str(provider.requests[-1].json["messages"][-1]["content"])


@pytest.mark.parametrize("typed", ["y", "YES "])
def test_a_call_that_is_allowed_runs_and_is_in_the_history(kernel, called, typed):
    kernel.run(NUMBER)
    cell = kernel.type(ASK, typed)
    assert cell.status == "ok"
    assert cell.asked == [
        ("default wants to run secret()\nAllow it? [y/N] ", False),
    ]
    assert called() == "42"
    assert [role for role, _ in kernel.history("default")] == [
        "user", "assistant", "tool", "assistant",
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["n", "", "always", "maybe"])
def test_one_that_is_not_does_not_and_the_model_is_told(kernel, called, typed):
    kernel.run(NUMBER)
    assert kernel.type(ASK, typed).status == "ok"
    assert called() == "the user did not allow this call"
    assert ["tool", "the user did not allow this call"] in kernel.history("default")


def test_an_interrupt_at_the_question_stops_the_cell_and_the_next_one_runs(kernel, provider):
    kernel.run(NUMBER)
    provider.reply("", calls=[("secret", {})])
    before = len(provider.requests)
    cell = kernel.type(ASK, None)
    assert cell.status == "error"
    assert len(provider.requests) == before + 1
    assert ["tool", "not run: stopped"] in kernel.history("default")
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]


def test_where_the_front_end_takes_no_input_the_call_is_refused_with_a_line(kernel, called):
    kernel.run(NUMBER)
    cell = kernel.run(ASK)
    assert cell.status == "ok"
    assert "nobody can be asked here whether to run secret(): not allowed\n" in cell.texts
    assert called() == "not run: nobody could be asked whether to allow this call"


def test_a_tool_that_prints_prints_below_the_cell_and_its_cell_ends(kernel, provider):
    kernel.run('def secret() -> int:\n    print("looking")\n    return 42')
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    cell = kernel.run("%%ask --tools secret\nx")
    assert cell.status == "ok"
    assert any("looking" in text for text in cell.texts)


@pytest.mark.parametrize("how", ["raise SystemExit(1)", "raise KeyboardInterrupt", "input()"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_no_tool_ends_the_kernel_or_the_io_thread(kernel, provider, how, kind):
    kernel.run(f"{kind} secret() -> int:\n    {how}")
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    cell = kernel.run("%%ask --tools secret\nx")
    assert cell.status == "ok"
    assert provider.requests[-1].json["messages"][-1]["content"].startswith("error: ")
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]


def test_an_interrupt_leaves_a_tool_that_never_returns_behind(kernel, provider):
    kernel.run(
        "import threading\nthe_end = threading.Event()\n"
        "def secret() -> int:\n    print('on')\n    the_end.wait()"
    )
    provider.reply("", calls=[("secret", {})])
    cell = kernel.send("%%ask --tools secret\nx")
    kernel.read_until_text(cell, "on")
    kernel.interrupt()
    kernel.wait(cell)
    assert cell.status == "error"
    (shown,) = (h for out in cell.outputs if (h := out.get("data", {}).get("text/html")))
    assert "<summary>1 tool call · 1 failed</summary>" in shown
    assert "stopped while it ran" in shown
    assert "stopped</small>" in shown
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]
    kernel.run("the_end.set()")  # later tests count the threads


def test_a_key_is_typed_without_echo_and_kept_for_the_process(kernel):
    cell = kernel.type("%convo key groq", KEY)
    assert cell.asked == [("Key of groq: ", True)]
    assert cell.texts == ["groq: key kept for this process\n"]
    assert kernel.value("_nbconvo.services.get('groq').found_in") == "asked"
    assert kernel.run("%convo key groq --forget").texts == ["groq: key gone from this process\n"]
    assert KEY not in repr(kernel.said)


def test_an_interrupt_at_the_question_for_a_key_keeps_none(kernel):
    assert kernel.type("%convo key groq", None).status == "error"
    assert kernel.value("_nbconvo.services.get('groq').found_in") is None


def test_where_no_key_can_be_typed_the_remedy_is_told(kernel):
    cell = kernel.run("%convo key groq")
    assert cell.status == "error"
    assert "nobody can be asked here; set GROQ_API_KEY in the environment" in cell.texts[-1]


def test_a_keyring_that_does_not_take_the_key_says_so_without_it(kernel):
    cell = kernel.type("%convo key groq --keyring", KEY)
    assert cell.status == "error"
    assert "leave --keyring out to keep it for this process" in cell.texts[-1]
    assert KEY not in repr(kernel.said)
