"""Where replies are painted: one output of a notebook cell, or a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

from nbconvo import cards
from nbconvo.display.column import Column
from nbconvo.display.live import Live
from nbconvo.markdown import plain

__all__ = ["NoScreen", "NotebookScreen", "Screen", "TerminalScreen"]

# A repaint sends the whole reply: a long one is repainted less often, so that what the front
# end has to read stays below this.
_BYTES_PER_SECOND = 500_000


class Screen(Protocol):
    """Paints columns as they grow."""

    def paint(self, columns: Sequence[Column], *, final: bool) -> None:
        """Show ``columns`` as they are now; ``final`` is the last time."""
        ...


class NoScreen:
    """Paints nothing (``--quiet``)."""

    def paint(self, columns: Sequence[Column], *, final: bool) -> None:
        """Do nothing."""


class NotebookScreen:
    """One output record, painted over and over, that ends as static, sanitised HTML.

    While replies grow it is a widget where the page can run one: that gets what changed, and
    not the whole each time.

    Args:
        side_by_side: Whether several columns stand beside each other, or below.
        at_once: Whether to make the output now, for a painter in another thread: new output
            from there would land in whichever cell is running, an update finds its own.
    """

    def __init__(
        self,
        *,
        side_by_side: bool = False,
        at_once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._side_by_side = side_by_side
        self._clock = clock
        self._handle: Any = None
        self._not_before = 0.0
        self._shown = ""
        self._live = Live(side_by_side=side_by_side)
        self._viewed = False
        if at_once:
            view = self._live.view()
            self._viewed = bool(view)
            self._publish({"text/html": cards.html([]), "text/plain": "", **view})
            if not view:
                self._live.close()  # a widget opened in the other thread has no cell

    def paint(self, columns: Sequence[Column], *, final: bool) -> None:
        """Show ``columns``, unless nothing changed or it is too soon for so much text."""
        try:
            if final:
                self._end(columns)
            else:
                self._grow(columns)
        except BaseException:
            self._live.close()
            raise

    def _end(self, columns: Sequence[Column]) -> None:
        if self._handle is not None or not all(column.empty for column in columns):
            self._publish(self._static(columns, busy=False), _metadata(columns))
        self._live.end(columns)

    def _grow(self, columns: Sequence[Column]) -> None:
        view = self._live.view()  # at once: the page can load it while nothing has come yet
        if self._handle is None and all(column.empty for column in columns):
            return
        if view:
            self._live.show(columns)
            if not self._viewed:
                self._viewed = True
                self._publish({**self._static(columns), **view})
        elif self._clock() >= self._not_before:
            self._repaint(columns)

    def _repaint(self, columns: Sequence[Column]) -> None:
        data = self._static(columns)
        if data["text/html"] != self._shown:
            self._shown = data["text/html"]
            self._not_before = self._clock() + len(self._shown) / _BYTES_PER_SECOND
            self._publish(data)

    def _static(self, columns: Sequence[Column], *, busy: bool = True) -> dict[str, str]:
        shown = [column.card(busy=busy) for column in columns]
        html = cards.html(shown, side_by_side=self._side_by_side)
        return {"text/html": html, "text/plain": cards.text(shown)}

    def _publish(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        from IPython.display import display

        more = {"raw": True, "metadata": metadata or {}}
        if self._handle is None:
            self._handle = display(data, display_id=True, **more)
        else:
            self._handle.update(data, **more)


class TerminalScreen:
    """Writes what has come, as it comes; of several speakers, one after the other."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._place = 0
        self._written = self._steps = 0
        self._notice: str | None = None

    def paint(self, columns: Sequence[Column], *, final: bool) -> None:
        """Write what is new."""
        while self._place < len(columns):
            column = columns[self._place]
            card = column.card(busy=not final, html=False)
            if card.notice and card.notice != self._notice and not card.error:
                self._out.write(f"[{_one_line(card.notice)}]\n")
            self._notice = card.notice
            if len(card.steps) > self._steps:  # another reply begins
                self._steps = len(card.steps)
                self._break_off()
            if new := card.text[self._written :]:
                if self._written == 0 and column.name:
                    self._out.write(f"{column.name}:\n")
                self._out.write(new)
                self._written += len(new)
            if card.busy:
                break
            self._end(card)
        self._out.flush()

    def _break_off(self) -> None:
        self._out.write("\n" if self._written else "")
        self._written = 0

    def _end(self, card: cards.Card) -> None:
        if self._written and not card.text.endswith("\n"):
            self._out.write("\n")
        if card.error:
            who = f"{card.name}: " if card.name else ""
            self._out.write(f"[{who}{_one_line(card.notice or '')}]\n")
        if card.footer:
            self._out.write(f"[{' · '.join(card.footer)}]\n\n")
        self._place, self._written, self._steps = self._place + 1, 0, 0


def _one_line(words: str) -> str:
    return " ".join(plain(words).split())


def _metadata(columns: Sequence[Column]) -> dict[str, Any]:
    """What the output says of itself, for whoever reads the saved notebook."""
    replies = [column.reply.message for column in columns if column.reply is not None]
    return {
        "nbconvo": {
            "replies": [
                {
                    "session": message.name,
                    "turn": message.id,
                    "service": message.service,
                    "model": message.model,
                    "finish_reason": message.finish_reason,
                    "input_tokens": message.took.input_tokens if message.took else None,
                    "output_tokens": message.took.output_tokens if message.took else None,
                    "replayed": False,
                }
                for message in replies
            ]
        }
    }
