"""The asks of a session that are under way, and those that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbconvo.errors import Halted
from nbconvo.session.ask import Ask
from nbconvo.session.turn import Turn

__all__ = ["Turns"]

_KEPT = 8  # failed ones, the newest


class Turns:
    """Which asks are under way, in the order of asking; to be read from any thread.

    Args:
        changed: Called when one begins, comes to its turn, or ends.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        # Replaced whole, and on the I/O thread only, so that it takes no lock to read them.
        self._live: tuple[Turn, ...] = ()
        self._failed: tuple[Turn, ...] = ()

    @property
    def live(self) -> tuple[Turn, ...]:
        """Those under way and waiting."""
        # In a forked process, none of its parent's.
        return tuple(turn for turn in self._live if not turn.loop.is_closed())

    @property
    def failed(self) -> tuple[Turn, ...]:
        """Those whose service did not answer, until they are dismissed or asked anew."""
        return tuple(turn for turn in self._failed if not turn.dismissed)

    @contextmanager
    def under_way(self, ask: Ask) -> Iterator[Turn]:
        """Have a turn among the live ones until the end of the block."""
        turn = Turn(ask)
        self._live = (*self._live, turn)
        self._changed()
        try:
            with turn.stoppable():
                yield turn
        except Halted:
            raise
        except Exception as error:
            turn.error = error
            self._failed = (*self.failed, turn)[-_KEPT:]
            raise
        else:
            self._failed = tuple(old for old in self.failed if not _repeats(ask, old.ask))
        finally:
            self._live = tuple(other for other in self._live if other is not turn)
            self._changed()

    def dismiss(self, turn: Turn) -> None:
        """Forget a failed one."""
        turn.dismissed = True
        self._changed()


def _repeats(ask: Ask, failed: Ask) -> bool:
    """Whether what was answered now is what failed before."""
    if ask.content == failed.content and ask.parent == failed.parent:
        return True
    return ask.cell is not None and failed.cell is not None and ask.cell.id == failed.cell.id
