"""An output that is a widget while its replies grow, where the page can run one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm, CommManager
from ipywidgets import Widget
from ipywidgets.widgets import widget as registry

from nbconvo import host
from nbconvo.display.column import Column
from nbconvo.display.screens import NotebookScreen
from nbconvo.errors import AuthenticationFailed
from nbconvo.messages import Cell, Delta, Message
from nbconvo.session import Reply
from nbconvo.widgets.probe import probe

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What goes to a page of JupyterLab over comms, in order."""
    sent: list[tuple[str, Any]] = []

    class Wire(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            sent.append((msg_type, data))

    manager = CommManager()
    monkeypatch.setattr(comm, "create_comm", Wire)
    monkeypatch.setattr(comm, "get_comm_manager", lambda: manager)
    monkeypatch.setattr(host, "running_cell", lambda: Cell("4f9c-a", "execution"))
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    probe.cache_clear()
    yield sent
    probe.cache_clear()
    Widget.close_all()


@pytest.fixture
def live(wire: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The same, for a page that has shown that it can run widgets."""
    probe().heard({"alive": True})
    wire.clear()
    return wire


def column(*items: Any, name: str | None = None) -> Column:
    made = Column(name)
    for item in items:
        made.add(item)
    return made


def changes(wire: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [data["content"]["cards"] for kind, data in wire if kind == "comm_msg"]


def views(page: list[dict[str, Any]]) -> list[bool]:
    return [VIEW in output["data"] for output in page]


def widgets() -> int:
    return len(registry._instances) - 1  # the probe stays


def test_words_go_to_the_widget_and_the_output_is_published_once_more(page, live):
    screen, growing = NotebookScreen(), column(Delta("one "))
    screen.paint([growing], final=False)
    growing.add(Delta("two"))
    screen.paint([growing], final=False)
    growing.add(Reply(Message(role="assistant", content="one two", model="m")))
    screen.paint([growing], final=True)
    assert views(page) == [True, False]
    assert [output["update"] for output in page] == [False, True]
    assert page[0]["data"]["text/plain"] == "one "
    assert "aria-busy" in page[0]["data"]["text/html"]
    first, second, last = changes(live)
    assert first["0"]["body"]["tail"] == "<p>one</p>\n"
    assert second == {"0": {"body": {"keep": 6, "tail": " two</p>\n"}}}
    assert last["0"]["busy"] is False


def test_the_end_is_what_it_is_without_a_widget(page, live, monkeypatch):
    ended = column(Delta("ha"), Reply(Message(role="assistant", content="ha", model="m")))
    for cell in (Cell("a", "b"), None):
        monkeypatch.setattr(host, "running_cell", lambda cell=cell: cell)
        screen = NotebookScreen()
        screen.paint([column(Delta("ha"))], final=False)
        screen.paint([ended], final=True)
    assert views(page) == [True, False, False, False]
    assert (page[1]["data"], page[1]["metadata"]) == (page[3]["data"], page[3]["metadata"])


def test_a_page_that_has_not_answered_gets_the_static_form_until_it_does(page, wire, clock):
    screen, growing = NotebookScreen(clock=clock), column(Delta("a"))
    screen.paint([growing], final=False)
    probe().heard({"alive": True})
    for text in "bc":
        clock.now += 1
        growing.add(Delta(text))
        screen.paint([growing], final=False)
    screen.paint([growing], final=True)
    assert views(page) == [False, True, False]


def test_the_page_loads_the_widget_while_nothing_has_come_yet(page, live):
    screen = NotebookScreen()
    screen.paint([column()], final=False)
    assert [kind for kind, _ in live] == ["comm_open"]
    assert page == []
    screen.paint([column()], final=True)
    assert page == []
    assert live[-1][1]["content"]["ended"]


@pytest.mark.parametrize("name", ["vscode-notebook-cell:/a.ipynb#W1", None])
def test_other_front_ends_get_no_widget(page, live, monkeypatch, name):
    cell = None if name is None else Cell(name, "execution")
    monkeypatch.setattr(host, "running_cell", lambda: cell)
    NotebookScreen().paint([column(Delta("a"))], final=False)
    assert views(page) == [False]
    assert live == []


def test_a_kernel_that_no_jupyter_server_started_opens_no_widget(page, live, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME")
    NotebookScreen().paint([column(Delta("a"))], final=False)
    assert views(page) == [False]


def test_without_ipywidgets_the_output_is_static(page, wire, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nbconvo.widgets.probe", None)
    NotebookScreen().paint([column(Delta("a"))], final=False)
    assert views(page) == [False]


def test_an_output_made_before_there_is_anything_in_it_shows_the_widget_at_once(page, live):
    screen = NotebookScreen(at_once=True)
    assert views(page) == [True]
    screen.paint([column(Delta("a"))], final=False)
    screen.paint([column(Delta("a"))], final=True)
    assert views(page) == [True, False]
    assert len(changes(live)) == 2


def test_a_painter_in_another_thread_opens_no_widget(page, wire):
    screen = NotebookScreen(at_once=True)
    probe().heard({"alive": True})
    screen.paint([column(Delta("a"))], final=False)
    assert views(page) == [False, False]


def test_cards_tell_who_speaks_what_is_thought_and_what_went_wrong(page, live):
    failed = column(Delta("ha", reasoning="why"), AuthenticationFailed("broken"), name="A")
    NotebookScreen(side_by_side=True).paint([failed, column(name="B")], final=False)
    (first,) = changes(live)
    assert "A</strong>" in first["0"]["who"]["tail"]
    assert "why" in first["0"]["body"]["why"]["tail"]
    assert "broken" in first["0"]["foot"]["tail"]
    assert first["0"]["busy"] is False
    assert first["1"]["body"]["tail"] == "<p></p>"  # where the next word is waited for


def test_a_notice_has_no_empty_line_above_it(page, live):
    NotebookScreen().paint([column(Delta(notice="running f()"))], final=False)
    (first,) = changes(live)
    assert "body" not in first["0"]
    assert "running f()" in first["0"]["foot"]["tail"]


def test_nothing_is_left_of_the_widget_when_the_page_shows_it_no_more(page, live):
    screen = NotebookScreen()
    screen.paint([column(Delta("a"))], final=False)
    assert widgets() == 1
    screen.paint([column(Delta("a"))], final=True)
    (shown,) = (one for one in registry._instances.values() if one is not probe())
    shown.heard({"views": 0})
    assert widgets() == 0
    assert live[-1][0] == "comm_close"


@pytest.mark.parametrize("final", [False, True])
def test_nothing_is_left_of_the_widget_when_painting_fails(page, live, monkeypatch, final):
    screen = NotebookScreen()
    screen.paint([column(Delta("a"))], final=False)

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Column, "body", fail)
    with pytest.raises(RuntimeError, match="broken"):
        screen.paint([column(Delta("b"))], final=final)
    assert widgets() == 0
    assert live[-1][0] == "comm_close"
