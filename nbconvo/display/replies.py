"""Several replies as one value, which shows itself as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from nbconvo import cards
from nbconvo.session import Reply

__all__ = ["Replies", "Transcript"]


class _Shown:
    """Shows itself as cards, but not in the execution of a cell that has shown it already."""

    _side_by_side = False
    _shown_in: int | None = None

    def shown(self, execution: int) -> Self:
        """Return it, silent for the rest of that execution of a cell."""
        self._shown_in = execution
        return self

    def _replies(self) -> Sequence[Reply]:
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import publish_display_data

        shell = get_ipython()
        if shell is not None and shell.execution_count == self._shown_in:
            return
        each = [cards.Card.of(r.speaker, r.message, r.steps) for r in self._replies()]
        html = cards.html(each, side_by_side=self._side_by_side)
        publish_display_data({"text/html": html, "text/plain": cards.text(each)})


class Replies(_Shown, dict[str, Reply]):
    """The replies of several participants to one message, by name."""

    _side_by_side = True

    def _replies(self) -> Sequence[Reply]:
        return list(self.values())


class Transcript(_Shown, list[Reply]):
    """The turns of an exchange, in the order in which they were spoken."""

    def _replies(self) -> Sequence[Reply]:
        return self
