"""What one panel shows of the sessions, and what its page has of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from nbconvo.messages import Message
from nbconvo.panel.gauges import busy, fading, gauges
from nbconvo.panel.listing import listed
from nbconvo.panel.replies import rendering_of
from nbconvo.panel.rows import Row, failed_row, growing_row, key_of, row
from nbconvo.panel.scroll import Scroll, is_heard, merged, path_of
from nbconvo.session import Session
from nbconvo.session.turn import Turn
from nbconvo.session.workspace import workspace
from nbconvo.widgets.growth import Growth

__all__ = ["BUDGET", "EVERYONE", "PAGE", "Window"]

EVERYONE = "*"
PAGE = 30  # rows
BUDGET = 40_000  # bytes of rows in one message, unless a single row takes more
# Seconds from look to look: while a reply grows, while a limiter is busy, while all that moves
# is what was sent in the last five minutes.
_GROWING_EVERY, _GAUGES_EVERY, _FADING_EVERY = 0.2, 0.25, 1.0

Part = dict[str, Any]
_Path = tuple[Session, tuple[Message, ...]]


class Window:
    """Reads the sessions, and tells what is new since it last told.

    Args:
        only: The one session that is shown; ``None`` shows any, and all together.
        usage: Whether only the rate limits are shown.
        clock: Seconds from any origin.
    """

    def __init__(
        self,
        only: Session | None = None,
        *,
        usage: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.only = only
        self.usage = usage
        self.shown = EVERYONE if only is None else key_of(only)
        self.seq = 0
        self._clock = clock
        self._paths: list[_Path] = []
        self._scroll = Scroll((), ())
        self._said = 0
        self._told: Part = {}
        self._growths: dict[str, Growth] = {}
        self._gauges_at = 0.0

    # --- reading -----------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        """Whether the one session that it shows has been closed, or lost its name to another."""
        name = None if self.only is None else self.only.name
        return name is not None and (name not in workspace or workspace.get(name) is not self.only)

    def sessions(self) -> list[Session]:
        """Return the sessions whose messages are shown."""
        if self.only is None and self.shown in workspace:
            return [workspace.get(self.shown)]
        return self.all_sessions()

    def all_sessions(self) -> list[Session]:
        """Return the sessions that may be shown."""
        return list(workspace) if self.only is None else [self.only]

    def session(self, key: str) -> Session:
        """Return the session that the page calls ``key``.

        Raises:
            UnknownName: If there is none.
        """
        if self.only is not None and key == key_of(self.only):
            return self.only
        return workspace.get(key)

    def scroll(self) -> Scroll:
        """Return what there is to read; the same object as long as it is the same."""
        if self.shown != EVERYONE and self.only is None and self.shown not in workspace:
            self.shown = EVERYONE  # it was closed
        sessions = self.sessions()
        paths = [(session, path_of(session)) for session in sessions]
        if not _same(paths, self._paths) or isinstance(self._scroll.owners, Session) is (
            self.shown == EVERYONE
        ):
            self._paths = paths
            if self.shown == EVERYONE:
                self._scroll = merged(sessions, [path for _, path in paths])
            else:
                self._scroll = Scroll(paths[0][1], sessions[0])
        return self._scroll

    # --- telling -----------------------------------------------------------------------------

    def changes(self) -> Part | None:
        """Return what is new since the last time, numbered; ``None`` if nothing is."""
        made = self._changes()
        if not made:
            return None
        self.seq += 1
        return {"seq": self.seq, **made}

    def snapshot(self) -> Part:
        """Return all that was told, for a page that has nothing."""
        told = {name: value for name, value in self._told.items() if name != "path"}
        grown = {turn: growth.whole() for turn, growth in self._growths.items()}
        return {
            "whole": True,
            "seq": self.seq,
            "scope": "all" if self.only is None else "one",
            "compact": self.usage,
            **told,
            "path": self._last_page(0),
            "grow": grown,
        }

    def pause(self) -> float | None:
        """Return after how many seconds to look again; ``None`` if only an event brings news."""
        if self._turns() and not self.usage:
            return _GROWING_EVERY
        told = self._told.get("gauges", [])
        if busy(told) or self._clock() - self._gauges_at < _GAUGES_EVERY:
            return _GAUGES_EVERY
        return _FADING_EVERY if fading(told) else None

    def _changes(self) -> Part:
        if self.usage:
            return self._gauges()
        made: Part = {}
        # Before the path: a turn that ends in between would be in neither.
        tail = self._tail()
        path = self._path()
        said = {message.id for message in self._scroll.messages[-PAGE:]}
        sessions, others = listed(self.all_sessions(), (self.shown, workspace.current))
        for name, value in (
            ("shown", self.shown),
            ("gone", self.gone),
            ("sessions", sessions),
            ("others", others),
            ("system", self._system()),
            ("tail", [one for one in tail if one["id"] not in said]),
        ):
            if name not in self._told or self._told[name] != value:
                self._told[name] = made[name] = value
        return made | path | self._grow() | self._gauges()

    def _path(self) -> Part:
        old = self._told.get("path")
        scroll = self.scroll()
        said = sum(len(session.conversation) for session in self.sessions())
        if scroll is old and said == self._said:
            return {}
        # Rows for everyone say who was spoken to: they are others than those of one session.
        alike = old is not None and isinstance(old.owners, Session) is isinstance(
            scroll.owners, Session
        )
        same = old.common(scroll) if old is not None and alike else 0
        if old is not None and same == len(old) == len(scroll):
            # An alternative beside the path: its neighbours say how many there are.
            same = max(0, same - PAGE)
        self._told["path"], self._said = scroll, said
        return {"path": self._last_page(same)}

    def _last_page(self, same: int) -> Part:
        scroll = self._scroll
        at, rows = scroll.rows(max(same, len(scroll) - PAGE), len(scroll), BUDGET)
        return {"n": len(scroll), "same": same, "at": at, "rows": rows}

    def _system(self) -> str | None:
        sessions = self.sessions()
        return None if self.shown == EVERYONE or not sessions else sessions[0].system

    def _tail(self) -> list[Row]:
        everyone = self.shown == EVERYONE
        rows: list[Row] = []
        for session, turn in self._turns():
            if turn.id in session.conversation:
                continue
            state = "asked" if turn.begun else "queued"
            if not (everyone and any(map(is_heard, turn.asked))):
                rows += [
                    {**row(session, asked, everyone=everyone), "state": state, "turn": turn.id}
                    for asked in turn.asked
                ]
            if turn.begun or not turn.asked:
                rows.append(growing_row(session, turn))
        for session in self.sessions():
            for turn in session.failed_turns:
                rows.append(failed_row(session, turn, everyone=everyone))
        return rows

    def _turns(self) -> list[tuple[Session, Turn]]:
        return [(session, turn) for session in self.sessions() for turn in session.turns]

    def _grow(self) -> Part:
        grown: Part = {}
        growths: dict[str, Growth] = {}
        for _, turn in self._turns():
            if turn.begun:
                growth = growths[turn.id] = self._growths.get(turn.id) or Growth()
                if change := growth.delta(*rendering_of(turn).parts()):
                    grown[turn.id] = change
        self._growths = growths
        return {"grow": grown} if grown else {}

    def _gauges(self) -> Part:
        if self._clock() - self._gauges_at < _GAUGES_EVERY:
            return {}
        made = gauges()
        if "gauges" in self._told and self._told["gauges"] == made:
            return {}
        self._gauges_at = self._clock()
        self._told["gauges"] = made
        return {"gauges": made}


def _same(paths: Sequence[_Path], others: Sequence[_Path]) -> bool:
    """Whether these are the same, found out at once however long: in a tree the end decides."""
    return len(paths) == len(others) and all(
        session is other and len(path) == len(before) and path[-1:] == before[-1:]
        for (session, path), (other, before) in zip(paths, others, strict=True)
    )
