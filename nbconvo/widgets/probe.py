"""Find out whether the page can run our widgets, before an output depends on it."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any

from nbconvo.widgets.base import LiveWidget
from nbconvo.widgets.scripts import PAGE, script

__all__ = ["Probe", "probe"]

_KEPT = 8  # widgets; a page that is gone for good lets go of none


class Probe(LiveWidget):
    """A widget without a view: a page that can run it says so.

    The kernel can't know otherwise. The server that serves the page often is in an environment
    of its own, which may lack ipywidgets, or anywidget: an output would show an error then.
    """

    _esm = script(PAGE / "probe.js")

    def __init__(self) -> None:
        self.answered = False
        self._kept: deque[LiveWidget] = deque()
        super().__init__()

    def snapshot(self) -> dict[str, Any]:
        """Return nothing: there is nothing to show."""
        return {}

    def heard(self, content: dict[str, Any]) -> None:
        """Note the answer. Where the kernel has no subshells it comes after the cell."""
        self.answered = True
        self.send({"heard": True})

    def keep(self, widget: LiveWidget) -> None:
        """Leave ``widget`` to the page, which closes it; of those that it does not, the last."""
        self._kept.append(widget)
        if len(self._kept) > _KEPT:
            self._kept.popleft().close()


@functools.cache
def probe() -> Probe:
    """Return this kernel's only probe, sent out at the first call.

    It stays open: for an answer that comes late, the kernel would print a warning into a cell.
    """
    return Probe()
