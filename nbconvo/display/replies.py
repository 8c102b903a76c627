"""Several replies as one value, which shows itself as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from nbconvo import cards
from nbconvo.session import Reply

__all__ = ["Replies", "Turns", "cards_of"]

R = TypeVar("R", bound="Replies | Turns")


class Replies(dict[str, Reply]):
    """The replies of several participants to one message, by name."""

    _quiet = False

    def _ipython_display_(self) -> None:
        _display(self, list(self.values()), side_by_side=True)


class Turns(list[Reply]):
    """The turns of an exchange, in the order in which they were spoken."""

    _quiet = False

    def _ipython_display_(self) -> None:
        _display(self, self, side_by_side=False)


def shown(replies: R) -> R:
    """Return ``replies``, silent the next time they would be displayed: they are on the page."""
    replies._quiet = True
    return replies


def cards_of(replies: Sequence[Reply]) -> list[cards.Card]:
    """Return one card for each reply, under its speaker's name."""
    return [cards.Card(r.speaker, r, footer=cards.footer(r.message)) for r in replies]


def _display(owner: Replies | Turns, replies: Sequence[Reply], *, side_by_side: bool) -> None:
    if owner._quiet:
        owner._quiet = False
        return
    from IPython.display import publish_display_data

    each = cards_of(replies)
    publish_display_data(
        {"text/html": cards.html(each, side_by_side=side_by_side), "text/plain": cards.text(each)}
    )
