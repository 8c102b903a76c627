from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm, CommManager
from ipywidgets import Widget
from ipywidgets.widgets import widget as registry

from nbconvo.widgets.probe import probe

Message = tuple[str, dict[str, Any]]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """What goes to the page over comms, in order: the kind of message, and its data."""
    sent: list[Message] = []

    class Wire(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            sent.append((msg_type, data))

    monkeypatch.setattr(comm, "create_comm", Wire)
    manager = CommManager()
    monkeypatch.setattr(comm, "get_comm_manager", lambda: manager)
    probe.cache_clear()
    yield sent
    probe.cache_clear()
    Widget.close_all()


@pytest.fixture
def kinds_open(wire: list[Message]) -> Callable[[], list[type]]:
    """Tells the kinds of the widgets that are open."""
    return lambda: [type(widget).__mro__[1] for widget in registry._instances.values()]
