"""Show replies while they stream: take what has come, paint, and always paint the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from nbconvo.display.column import Column, how_ended
from nbconvo.display.screens import Screen
from nbconvo.errors import NbConvoError, Stopped
from nbconvo.session import Reply
from nbconvo.session.asker import Question
from nbconvo.session.turn import Item as Said

__all__ = ["Item", "show"]

#: Who speaks, by place among the columns, and what.
Item = tuple[int, Said | NbConvoError]


def show(
    batches: Iterable[Sequence[Item]],
    screen: Screen,
    columns: list[Column],
    names: Sequence[str | None] = (),
    allowed: Callable[[Question], bool | None] = lambda _: None,
) -> None:
    """Paint what comes until it ends; afterwards the columns hold the replies and errors.

    With ``names``, a speaker whose last reply has ended gets a new column, under its name, for
    the next: an exchange reads from top to bottom. ``allowed`` answers what a turn asks.

    Raises:
        Stopped: If the user interrupted; what had come stays on the screen.
        NbConvoError: What the stream raised; a column's own error stays with the column.
    """
    open_columns: dict[int, Column] = {} if names else dict(enumerate(columns))
    try:
        for batch in batches:
            for place, item in batch:
                if place not in open_columns:
                    open_columns[place] = Column(names[place])
                    columns.append(open_columns[place])
                if isinstance(item, Question):
                    screen.paint(columns, final=False)
                    item.answer(allowed(item))
                    continue
                open_columns[place].add(item)
                if names and isinstance(item, Reply):
                    del open_columns[place]
            # When all have said what they had to say, the last paint follows at once.
            if names or not all(column.ended for column in columns):
                screen.paint(columns, final=False)
    except BaseException as error:
        # However it ends, the page must not look as if something were still to come.
        how = how_ended(error)
        kept = _end(open_columns.values(), how)
        screen.paint(columns, final=True)
        if how == "stopped":
            raise Stopped(f"{kept:,} characters kept") from None
        raise
    screen.paint(columns, final=True)


def _end(columns: Iterable[Column], how: str) -> int:
    """End the columns that have no reply; return how many characters they hold."""
    cut = [column for column in columns if not column.ended]
    for column in cut:
        column.end(how)
    return sum(len(column.text) for column in cut)
