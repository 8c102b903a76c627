"""Replies in a cell's output while they grow; the page gets what changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbconvo import cards
from nbconvo.widgets.base import LiveWidget
from nbconvo.widgets.growth import Growth, changed
from nbconvo.widgets.probe import probe
from nbconvo.widgets.scripts import PAGE, script, style

__all__ = ["GrowingCard", "ReplyWidget"]


@dataclass(frozen=True, slots=True)
class GrowingCard:
    """A card as it is now, as HTML: closed blocks and the rest, and what stands around them."""

    busy: bool
    closed: str
    open: str
    who: str = ""
    why: str = ""
    foot: str = ""


class ReplyWidget(LiveWidget):
    """Cards that grow, one below the other or side by side.

    A page that is loaded anew asks for the state, and may miss a message until it listens. It
    can't always say so: some kernels don't hear it while a cell runs. So from then on the whole
    goes along with the messages 1, 2, 4, 8 and so on; only a page that missed one looks at it.
    """

    _esm = script(PAGE / "growing.js", PAGE / "reply.js")
    _css = cards.STYLE + "\n" + style(PAGE / "growing.css", PAGE / "reply.css")

    def __init__(self, *, side_by_side: bool = False) -> None:
        self._side_by_side = side_by_side
        self._lock = threading.Lock()
        self._held: list[_Held] = []
        self._seq = 0
        self._asked_at: int | None = None
        self._ended = False
        super().__init__()
        self._asked_at = None  # to open is not to ask

    def show(self, shown: Sequence[GrowingCard]) -> None:
        """Send what changed since the last time, if anything did."""
        self._send_changes(shown)

    def end(self, shown: Sequence[GrowingCard]) -> None:
        """Send the last change. The widget closes when the page says that it shows it no more.

        It can't know whether the page still is the one that has the output: one that was loaded
        anew since never hears of an update of the output, and shows the widget on.
        """
        self._ended = True
        self._send_changes(shown)
        probe().keep(self)

    def heard(self, content: dict[str, Any]) -> None:
        """Close it, if it has ended and is not in the page."""
        if self._ended and content.get("views") == 0:
            self.close()

    def snapshot(self) -> dict[str, Any]:
        """Return all cards as the page should have them now."""
        with self._lock:
            self._asked_at = self._seq
            return self._whole()

    def _send_changes(self, shown: Sequence[GrowingCard]) -> None:
        with self._lock:
            changes = self._change(shown)
            if not changes and not self._ended:
                return
            self._seq += 1
            message = {"seq": self._seq, "cards": changes, "ended": self._ended}
            whole = self._whole() if self._is_due() else None
        self.push({"content": message})
        if whole is not None:
            self.push({"state": {"first": whole}, "buffer_paths": []}, "update")

    def _change(self, shown: Sequence[GrowingCard]) -> dict[str, dict[str, Any]]:
        self._held += (_Held() for _ in shown[len(self._held) :])
        changes = (held.delta(card) for held, card in zip(self._held, shown, strict=True))
        return {str(place): change for place, change in enumerate(changes) if change}

    def _is_due(self) -> bool:
        return self._asked_at is not None and (self._seq - self._asked_at).bit_count() == 1

    def _whole(self) -> dict[str, Any]:
        every = [held.whole() for held in self._held]
        return {"seq": self._seq, "beside": self._side_by_side, "cards": every}


class _Held:
    """What the page has of one card."""

    def __init__(self) -> None:
        self._card: GrowingCard | None = None
        self._body = Growth(moving=True)

    def delta(self, card: GrowingCard) -> dict[str, Any]:
        old, self._card = self._card, card
        changes: dict[str, Any] = {"body": self._body.delta(card.closed, card.open, card.why)}
        if old is None or old.busy != card.busy:
            changes["busy"] = card.busy
        for name in ("who", "foot"):
            before, now = getattr(old, name, ""), getattr(card, name)
            if before != now:
                changes[name] = changed(before, now)
        return {name: change for name, change in changes.items() if change is not None}

    def whole(self) -> dict[str, Any]:
        card = self._card or GrowingCard(True, "", "")
        around = {"who": changed("", card.who), "foot": changed("", card.foot)}
        return {"busy": card.busy, "body": self._body.whole(), **around}
