"""What widgets have in common: a snapshot on demand, messages that disturb no cell."""

from __future__ import annotations

from typing import Any

import pytest

from nbconvo.widgets.base import LiveWidget


class Counting(LiveWidget):
    """Counts how often it was asked for its state."""

    _esm = "export default {};\n"

    def __init__(self) -> None:
        self.asked = 0
        self.got: list[dict[str, Any]] = []
        super().__init__()

    def snapshot(self) -> dict[str, Any]:
        self.asked += 1
        return {"asked": self.asked}

    def heard(self, content: dict[str, Any]) -> None:
        self.got.append(content)
        assert "wrong" not in content


def message(**data: Any) -> dict[str, Any]:
    """A message of the page, as the kernel hands it over."""
    return {"content": {"data": data}, "buffers": []}


@pytest.fixture
def widget(wire) -> Counting:
    return Counting()


def test_the_page_gets_a_fresh_snapshot_whenever_it_asks(widget, wire):
    (kind, opened), *more = wire
    assert (kind, more) == ("comm_open", [])  # one comm: no layout goes along
    assert opened["state"]["first"] == {"asked": 1}
    widget.comm.handle_msg(message(method="request_state"))
    assert wire[-1][1]["state"]["first"] == {"asked": 2}


@pytest.mark.parametrize(("key", "asked"), [("first", 2), (["first"], 2), ("tooltip", 1), ([], 1)])
def test_a_snapshot_is_made_only_where_it_is_asked_for(widget, key, asked):
    assert ("first" in widget.get_state(key)) == (asked == 2)
    assert widget.asked == asked


def test_a_snapshot_is_not_pushed_by_itself(widget, wire):
    widget.tooltip = "another part of the state"
    assert ["first" in data["state"] for _, data in wire[1:]] == [False]


def test_a_message_of_the_page_is_heard(widget):
    widget.comm.handle_msg(message(method="custom", content={"do": "it"}))
    assert widget.got == [{"do": "it"}]


def test_a_message_that_goes_wrong_shows_nothing(widget, shell, capsys):
    widget.comm.handle_msg(message(method="custom", content={"wrong": True}))
    assert widget.got
    assert capsys.readouterr() == ("", "")


def test_a_message_of_the_page_is_no_execution(widget, shell):
    events: list[str] = []
    for name in ("pre_execute", "post_execute"):
        shell.events.register(name, lambda name=name: events.append(name))
    widget.comm.handle_msg(message(method="custom", content={}))
    assert events == []


def test_a_message_goes_to_whichever_thread_the_page_asked_for(wire, monkeypatch):
    import comm

    class Routing(comm.create_comm):  # type: ignore[misc,name-defined]
        def _reply_subshell_for(self, data: object, default: object) -> object:
            return "the busy one"

    monkeypatch.setattr(comm, "create_comm", Routing)
    assert Counting().comm._reply_subshell_for({}, "a free one") == "a free one"


def test_a_push_goes_without_the_request_of_the_running_cell(widget, wire):
    widget.push({"content": {"a": 1}})
    assert wire[-1] == ("comm_msg", {"method": "custom", "content": {"a": 1}})

    sent: list[Any] = []

    class Session:
        def send(self, *args: Any, **more: Any) -> None:
            sent.append((args, more))

    class Kernel:
        session, iopub_socket = Session(), "iopub"

    widget.comm.kernel = Kernel()
    widget.push({"content": {"a": 2}})
    data = {"data": {"method": "custom", "content": {"a": 2}}, "comm_id": widget.model_id}
    assert sent == [(("iopub", "comm_msg", data), {"ident": widget.comm.topic})]


def test_nothing_is_left_of_a_closed_widget(widget, wire, kinds_open):
    assert kinds_open() == [Counting]
    widget.close()
    assert wire[-1][0] == "comm_close"
    assert kinds_open() == []
    widget.push({"content": {}})
    assert wire[-1][0] == "comm_close"


def test_its_view_leaves_the_plain_text_to_others(widget):
    (view,) = widget.view().items()
    assert view[0] == "application/vnd.jupyter.widget-view+json"
    assert view[1]["model_id"] == widget.model_id


def test_the_garbage_collector_closes_nothing_in_whichever_thread_it_runs(widget, kinds_open):
    widget.__del__()
    assert kinds_open() == [Counting]
