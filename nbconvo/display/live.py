"""An output while its replies grow: a widget, where the page has shown that it can run one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbconvo import cards, host
from nbconvo.display.column import Column

if TYPE_CHECKING:
    from nbconvo.widgets.reply import GrowingCard, ReplyWidget

__all__ = ["Live"]


class Live:
    """A widget that is opened once the page can show it. Make it in the thread of the cell.

    Args:
        side_by_side: Whether several cards stand beside each other, or below.
    """

    def __init__(self, *, side_by_side: bool = False) -> None:
        self._side_by_side = side_by_side
        self._allowed = host.in_jupyter()
        self._widget: ReplyWidget | None = None

    def view(self) -> dict[str, Any]:
        """Return what shows the widget in an output; nothing while the page can't run one.

        The first call asks the page; the first that can opens the widget.
        """
        if self._widget is None and self._ready():
            from nbconvo.widgets.reply import ReplyWidget

            self._widget = ReplyWidget(side_by_side=self._side_by_side)
        return {} if self._widget is None else self._widget.view()

    def _ready(self) -> bool:
        if self._allowed:
            try:
                # Not before: a kernel that shows nothing in a page has no need of ipywidgets.
                from nbconvo.widgets.probe import probe
            except ImportError:
                self._allowed = False
        return self._allowed and probe().answered

    def show(self, columns: Sequence[Column]) -> None:
        """Show ``columns`` in the open widget."""
        if self._widget is not None:
            self._widget.show(_growing(columns))

    def end(self, columns: Sequence[Column]) -> None:
        """Show ``columns`` for the last time; the page will close the widget."""
        if self._widget is not None:
            self._widget.end(_growing(columns, busy=False))
        self._widget, self._allowed = None, False

    def close(self) -> None:
        """Close the widget at once, if there is one; no other will be opened."""
        widget, self._widget, self._allowed = self._widget, None, False
        if widget is not None:
            widget.close()


def _growing(columns: Sequence[Column], *, busy: bool = True) -> list[GrowingCard]:
    from nbconvo.widgets.reply import GrowingCard

    made = []
    for column in columns:
        card = column.card(busy=busy, html=False)
        closed, open_ = column.body()
        who, why, foot = cards.around(card)
        waits = card.busy and not closed and not card.notice
        rest = open_ or ("<p></p>" if waits else "")
        made.append(GrowingCard(card.busy, closed, rest, who=who, why=why, foot=foot))
    return made
