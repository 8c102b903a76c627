"""One speaker's reply as it grows: what has come, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from nbconvo.cards import Card, footer
from nbconvo.errors import Halted, NbConvoError, Unfit
from nbconvo.markdown import Growing, GrowingJson, is_json, plain
from nbconvo.messages import Delta, Message
from nbconvo.session import Reply

__all__ = ["Column", "how_ended"]


def how_ended(error: BaseException) -> str:
    """Return in a word how a reply ended that ``error`` came of, as its message tells it."""
    if isinstance(error, KeyboardInterrupt | Halted):
        return "stopped"
    return "unfit" if isinstance(error, Unfit) else "cut"


class Column:
    """Takes deltas, a reply or an error; gives a card.

    Args:
        name: Shown above it.
        speaker: Shown below it, where no name stands above.
        aside: Shown below it, after how the reply was made.
        structured: Whether the reply is to be JSON.
        service: Which service is asked, for a reply that does not come to its end.
        clock: A clock in seconds.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        speaker: str | None = None,
        aside: str | None = None,
        structured: bool = False,
        service: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._speaker = speaker
        self._aside = aside
        self.reply: Reply | None = None
        self.error: NbConvoError | None = None
        self._structured = structured
        self._service = service
        self._begin()
        self._steps: tuple[Message, ...] = ()
        self._notice: str | None = None
        self._ending: tuple[str | None, ...] = ()
        self._model: str | None = None
        self._clock = clock
        self._began = clock()

    def _begin(self) -> None:
        self.text = self._reasoning = ""
        self._growing: Growing | GrowingJson = GrowingJson() if self._structured else Growing()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        parts = (self.text, self._reasoning, self._steps, self._notice, self.error)
        return self.reply is None and not any(parts)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the reply is here, or what went wrong."""
        return self.reply is not None or self.error is not None

    def add(self, item: Delta | Reply | NbConvoError) -> None:
        """Take the next piece."""
        if isinstance(item, NbConvoError):
            self.end(how_ended(item), item)
        elif isinstance(item, Reply):
            self.reply, self._notice = item, None if item else "an empty reply"
            if is_json(self.text) and not self._structured:
                self._growing = GrowingJson()
                self._growing.feed(self.text)
        elif item.steps:
            self._steps += item.steps
            self._notice = item.notice
            self._begin()
        elif item.notice is not None:
            self._notice = item.notice or None
        elif item.index == 0:
            self._model = item.model or self._model
            self._notice = None if item.text or item.reasoning else self._notice
            self._growing.feed(item.text)
            self.text += item.text
            self._reasoning += item.reasoning

    def end(self, how: str, error: NbConvoError | None = None) -> None:
        """Say how it ended without a reply, as :func:`how_ended` tells; perhaps with an error."""
        seconds = f"{self._clock() - self._began:.1f} s"
        kept = self.text or (self._steps and how == "stopped")
        who = ":".join(part for part in (self._service, self._model) if part)
        self._ending = (who, seconds, how) if kept else ()
        # Where a notice has made an output already, the output says how it ended.
        self._notice = "no reply" if self._notice and not self.text and error is None else None
        self.error = error

    def _footer(self) -> tuple[str, ...]:
        """Tell who spoke, where no name stands above, and how the reply was made."""
        who = (self._speaker,) if self.name is None else ()
        made = self._ending if self.reply is None else footer(self.reply.message)
        return tuple(filter(None, (*who, *made, self._aside))) if made else ()

    def body(self) -> tuple[str, str]:
        """Return the HTML of the reply so far: closed blocks, and what may still change."""
        return self._growing.parts()

    def card(self, *, busy: bool, html: bool = True) -> Card:
        """Return the card that shows it now; without ``html`` for where only text is shown."""
        return Card(
            self.name,
            plain(self.text),
            html=self._growing.html() if html else "",
            footer=self._footer(),
            notice=str(self.error) if self.error else self._notice,
            reasoning=self._reasoning,
            steps=self._steps,
            busy=busy and not self.ended,
            error=self.error is not None,
        )
