"""The asks of a session that are under way, and those that got no reply."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from nbconvo.errors import Halted
from nbconvo.session.ask import Ask
from nbconvo.session.turn import Turn

__all__ = ["Turns"]

_KEPT = 8  # that got no reply, the newest


class Turns:
    """Which asks are under way, in the order of asking; to be read from any thread.

    Args:
        changed: Called when one begins, comes to its turn, or ends.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        # Replaced whole, and on the I/O thread only, so that it takes no lock to read them.
        self._live: tuple[Turn, ...] = ()
        self._unanswered: tuple[Turn, ...] = ()

    @property
    def live(self) -> tuple[Turn, ...]:
        """Those under way and waiting."""
        # In a forked process, none of its parent's.
        return tuple(turn for turn in self._live if not turn.loop.is_closed())

    @property
    def failed(self) -> tuple[Turn, ...]:
        """Those whose service did not answer, until they are dismissed or asked anew."""
        again = {turn.question for turn in self._live}
        return tuple(
            turn for turn in self._open if turn.error is not None and turn.question not in again
        )

    @property
    def unanswered(self) -> Turn | None:
        """The last that got no reply: it failed, or was stopped before anything came."""
        return self._open[-1] if self._open else None

    @property
    def _open(self) -> tuple[Turn, ...]:
        return tuple(turn for turn in self._unanswered if not turn.dismissed)

    def under_way(self, ask: Ask) -> AbstractContextManager[Turn]:
        """Have a turn among the live ones until the end of the block.

        It raises ``Halted`` there if :meth:`Turn.halt`, and nobody else, ended the turn.
        """
        return _UnderWay(self, Turn(ask))

    def _begin(self, turn: Turn) -> None:
        self._live = (*self._live, turn)
        self._changed()

    def _end(self, turn: Turn, error: BaseException | None) -> None:
        if error is None:
            self._forget(turn)
        else:
            self._keep(turn, error)
        self._live = tuple([other for other in self._live if other is not turn])
        self._changed()

    def _keep(self, turn: Turn, error: BaseException) -> None:
        """Keep a turn that got no reply; one that failed in place of those that it repeats."""
        turn.ended = datetime.now(UTC)
        if isinstance(error, Exception) and not isinstance(error, Halted):
            turn.error = error
            self._forget(turn)
        elif turn.kept:  # it was stopped, but is on record
            self._forget(turn)
            return
        elif not turn.begun:  # it was taken back
            return
        self._unanswered = (*self._open, turn)[-_KEPT:]

    def _forget(self, turn: Turn) -> None:
        """Forget those that a turn repeats."""
        if self._unanswered:
            self._unanswered = tuple(old for old in self._open if not _repeats(turn, old))

    def dismiss(self, turn: Turn) -> None:
        """Forget a failed one."""
        turn.dismissed = True
        self._changed()


class _UnderWay:
    __slots__ = ("_turn", "_turns")

    def __init__(self, turns: Turns, turn: Turn) -> None:
        self._turns = turns
        self._turn = turn

    def __enter__(self) -> Turn:
        self._turns._begin(self._turn)
        return self._turn

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._turns._end(self._turn, error)
        self._turn.end(error)


def _repeats(turn: Turn, old: Turn) -> bool:
    """Whether what has ended now is what got no reply before."""
    ask, before = turn.ask, old.ask
    if turn.question == old.question:
        return True
    if ask.content == before.content and ask.parent == before.parent:
        return True
    return ask.cell is not None and before.cell is not None and ask.cell.id == before.cell.id
