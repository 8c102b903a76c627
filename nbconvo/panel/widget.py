"""The panel as a widget: its page's requests, what it sends, and its life."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from nbconvo import cards, host
from nbconvo.errors import InputError, NbConvoError
from nbconvo.markdown import plain
from nbconvo.messages import Cell
from nbconvo.panel.actions import Answer, Request, answer, checked, one_line
from nbconvo.panel.painter import painter
from nbconvo.panel.twin import Twin
from nbconvo.panel.window import Window
from nbconvo.session import Session
from nbconvo.session.workspace import workspace
from nbconvo.widgets.base import LiveWidget
from nbconvo.widgets.scripts import PAGE, packed, script, style

__all__ = ["Panel"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be printed, into whichever cell is running

_HERE = Path(__file__).parent / "page"
_SCRIPTS = (
    *(
        "dom",
        "host",
        "store",
        "pointing",
        "rows",
        "rowlist",
        "reading",
        "pictures",
        "actions",
        "mentions",
        "composer",
    ),
    *("gauges", "search", "settings", "menu", "tabs", "toasts", "panel"),
)
_STYLES = ("panel", "rows", "gauges")


class Panel(LiveWidget):
    """A window onto conversations and rate limits, live, in the notebook's page.

    Read, search, edit, branch, ask and stop; all panels on a session show the same, since the
    session holds it. Where a notebook is shown without its page (GitHub, nbconvert, print), the
    output shows the panel as it was when it was opened.

    Args:
        session: The session to show, or its name; ``None`` shows any of them, and all together.
        usage: Whether to show the rate limits only.

    Raises:
        UnknownName: If there is no session of that name.
        InputError: If ``session`` is neither a session nor a name.
    """

    _esm = packed(script(PAGE / "growing.js", *(_HERE / f"{name}.js" for name in _SCRIPTS)))
    _css = (
        cards.STYLE
        + "\n"
        + style(PAGE / "growing.css", *(_HERE / f"{name}.css" for name in _STYLES))
    )

    def __init__(self, session: Session | str | None = None, *, usage: bool = False) -> None:
        only = workspace.get(session) if isinstance(session, str) else session
        if not isinstance(only, Session | None):
            raise InputError(f"a panel shows a session or a name, not {session!r:.80}")
        self.window = Window(only, usage=usage)
        #: Whether a page shows it; what nobody sees is not sent.
        self.watched = False
        self.cell: Cell | None = host.running_cell()
        self._lock = threading.RLock()
        self._handle: Any = None
        super().__init__()
        painter.add(self)

    # --- what the page gets --------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return all that the page needs, for a page that has nothing."""
        with self._lock:
            self._send_changes()  # so that what other pages have is no older
            cell = None if self.cell is None else self.cell.id
            return {**self.window.snapshot(), "cell": cell}

    def paint(self) -> float | None:
        """Send what is new, if a page shows it; return when to look again, in seconds."""
        if not self.watched:
            return None
        with self._lock:
            self._send_changes()
            return self.window.pause()

    def tell(self, request: int, given: Answer) -> None:
        """Answer a request of the page."""
        self.say({**given, "re": request})

    def say(self, content: dict[str, Any]) -> None:
        """Send ``content`` to the page."""
        self.push({"content": content})

    def toast(self, text: str, *, undo: dict[str, Any] | None = None) -> None:
        """Say a short word to whoever uses this panel, and how to undo what was done."""
        with self._lock:
            self._send_changes()
            self.window.seq += 1
            toast = {"text": plain(text), "error": False, "undo": undo}
            self.say({"seq": self.window.seq, "toast": toast})

    def greet(self, seq: int) -> Answer:
        """Welcome a page that has what was sent up to ``seq``."""
        self.watched = True
        if seq != self.window.seq:
            self.say(self.snapshot())
        return {"keepable": self._handle is not None}

    def _send_changes(self) -> None:
        if (changes := self.window.changes()) is not None:
            self.say(changes)

    # --- what the page asks for ----------------------------------------------------------------

    def heard(self, content: dict[str, Any]) -> None:
        """Do what the page asks, and answer; what is not understood is ignored, and logged."""
        request = checked(content)
        if request is None:
            asked = content.get("do") if isinstance(content, dict) else type(content).__name__
            _log.warning("a malformed message of the page is ignored: %.40r", asked)
            if isinstance(content, dict) and isinstance(content.get("re"), int):
                self.tell(content["re"], {"error": "not understood, or too long: nothing was done"})
            return
        # Within the lock, and the answer first: a change that comes after it puts right the rows
        # in it that were no longer so.
        with self._lock:
            if (given := self._answer(request)) is not None:
                # Beside the cells, that is: the page need not interrupt one to be heard.
                aside = threading.current_thread() is not threading.main_thread()
                self.tell(request["re"], {**given, "aside": aside})
            try:
                self._send_changes()
            except Exception:
                _log.exception("what %s changed could not be shown", request["do"])
        painter.ring()

    def _answer(self, request: Request) -> Answer | None:
        try:
            return answer(self, request)
        except NbConvoError as error:
            return {"error": one_line(error)}
        except Exception as error:
            _log.exception("%s failed", request["do"])
            return {"error": f"{request['do']} failed: {type(error).__name__}"}

    # --- its life ------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not host.shows_widgets():
            display(Twin(self.window))
            return
        self.cell = host.running_cell()
        self._take_place()
        # From now on: the page's greeting may reach a kernel that is busy only after the cell.
        self.watched = True
        bundle = {**Twin(self.window)._repr_mimebundle_(), **self.view()}
        self._handle = display(bundle, raw=True, display_id=True)

    def twin(self) -> dict[str, str]:
        """Return all that it shows now as static data of an output, by MIME type."""
        with self._lock:
            return Twin(self.window, most=Twin.WHOLE)._repr_mimebundle_()

    def keep(self) -> None:
        """Put what it shows now, static, in its place, and close it."""
        data = self.twin()
        handle, self._handle = self._handle, None
        self.close()
        if handle is not None:
            handle.update(data, raw=True)

    def close(self) -> None:
        """Close it, here and in the page."""
        painter.remove(self)
        super().close()

    def _take_place(self) -> None:
        """Close the panel that an earlier run of the cell left, and that no page shows any more."""
        for other in painter.painted:
            mine, its = self.cell, getattr(other, "cell", None)
            if mine and its and mine.id == its.id and mine.execution != its.execution:
                other.close()
