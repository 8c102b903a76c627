"""What the widgets have in common: a page that begins with a whole, and hears what changed."""

from __future__ import annotations

import logging
from typing import Any

import anywidget
import traitlets

__all__ = ["LiveWidget"]

_log = logging.getLogger(__name__)


class LiveWidget(anywidget.AnyWidget):
    """A widget whose state is a snapshot, made at the moment when a page asks for it.

    The page finds it in ``first``, both when the widget is displayed and after a reload; it
    is never pushed by itself. What changed afterwards goes in messages (``send``).
    """

    # A widget's layout is a second widget, with a comm that nobody would close.
    layout = None

    first = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(self._on_message)

    def __del__(self) -> None:
        # ipywidgets would close it, in whichever thread collects garbage, one that holds a lock
        # perhaps; but an open widget is in its registry, so only a closed one gets here.
        pass

    def snapshot(self) -> dict[str, Any]:
        """Return all that the page needs, for a page that has nothing; on any thread."""
        raise NotImplementedError

    def heard(self, content: dict[str, Any]) -> None:
        """Take a message of the page, on any thread. Print and display nothing."""

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the state, or the parts that ``key`` names, with a fresh snapshot."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None or key == "first" or (not isinstance(key, str) and "first" in key):
            state["first"] = self.snapshot()
        return state

    def open(self) -> None:
        """Open the comm to the page."""
        super().open()
        # As it comes, a message counts as an execution: extensions act on that (matplotlib shows
        # the figures of the cell that is running), and here it would be in another thread.
        self.comm.handle_msg = self._handle_msg
        # ipykernel 7.4 hands a message from the page to the thread that wrote to the page last:
        # to the one that is busy with a cell. The front end asks for a free one; let it.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda data, default: default

    def push(self, data: dict[str, Any], method: str = "custom") -> None:
        """Send a message as :meth:`send` does, but not as a part of the running cell.

        It would bring the cell's request along, and be handled by the cell's output as well.
        """
        data = {"method": method, **data}
        kernel = getattr(self.comm, "kernel", None)
        if kernel is None or self.comm is None:
            self._send(data)
            return
        message = {"data": data, "comm_id": self.comm.comm_id}
        kernel.session.send(kernel.iopub_socket, "comm_msg", message, ident=self.comm.topic)

    def view(self) -> dict[str, Any]:
        """Return what shows it in an output, to stand beside forms for other hosts."""
        data, _ = self._repr_mimebundle_() or ({}, {})
        return {mime: part for mime, part in data.items() if mime != "text/plain"}

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        # ipywidgets would show the traceback in whichever cell is running.
        try:
            self.heard(content)
        except Exception:
            _log.debug("a message of the page was not understood", exc_info=True)
