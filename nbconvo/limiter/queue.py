"""Who waits for leave to send, and who goes now; it knows no event loop and no timer."""

from __future__ import annotations

import math
from collections.abc import Callable

from nbconvo.errors import NbConvoError
from nbconvo.limiter.books import Books
from nbconvo.limiter.lane import Turn
from nbconvo.limiter.lanes import Lanes
from nbconvo.limiter.ledger import Ledger
from nbconvo.limiter.limits import Limits
from nbconvo.limiter.refusals import refuse, used_up

__all__ = ["TICK", "TOGETHER", "Queue"]

TICK = 1e-6
"""Seconds that a request may go early: the rounding of a timer must not cost another round."""
TOGETHER = 0.002
"""Seconds within which several are let go by one round of the event loop, by no other timer."""

_STALE = 60.0  # seconds after which the word of a service is doubted, if it means hours


class Queue:
    """Those who wait, in order, and the ledger that says who may go.

    Args:
        ledger: Keeps the limits.
        name: Whose limits these are, for error texts.

    Attributes:
        lanes: Those who wait.
    """

    __slots__ = ("_ledger", "_name", "lanes")

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = name
        self.lanes = Lanes()

    def grant(self, permit: Books, limits: Limits, now: float) -> None:
        """Let a request go."""
        self.lanes.went(permit, limits.cost)
        self._ledger.grant(permit, now)

    def admit(self, now: float) -> float:
        """Let those go whose turn it is; return the seconds until the next may, or infinity."""
        lanes, ledger = self.lanes, self._ledger
        waited_for = lanes.models
        for model in waited_for:
            ledger.limits(model).refresh(now)
        passed: set[str | None] = set()  # models whose own limits are reached
        soonest = math.inf
        while len(passed) < len(waited_for) and (head := lanes.head(passed)) is not None:
            turn, permit = head
            if not turn.done():
                limits = ledger.limits(permit.model)
                delay = self._delay(limits, permit, now)
                if delay <= TICK and not limits.has_room:
                    delay = max(limits.has_room_in(now), TOGETHER)
                if delay > TICK:
                    if not self._goes_on_without(turn, limits, permit, now):
                        soonest = min(soonest, delay)
                        if ledger.stated.delay(permit.amounts, now) > TICK:
                            break  # before those of other models, whom the same holds up
                        passed.add(permit.model)
                        continue
                elif not ledger.has_place():
                    break
                else:
                    self.grant(permit, limits, now)
                    turn.set_result(permit)
            lanes.leave(turn, permit)
        return soonest

    def refuse(self, reason: Callable[[Books], NbConvoError | None]) -> None:
        """Refuse those who wait for whom there is a ``reason``."""
        for turn, permit in self.lanes:
            if (error := reason(permit)) is not None:
                refuse(turn, error)

    def _delay(self, limits: Limits, permit: Books, now: float) -> float:
        delay = limits.delay(permit.amounts, now)
        return 0.0 if delay > TICK and self._is_tried(limits, permit, now) else delay

    def _is_tried(self, limits: Limits, permit: Books, now: float) -> bool:
        """Return whether a person's lone ask goes although a limit of hours seems used up.

        What was told a while ago may have been wrong: only a reply can tell.
        """
        alone = permit.bulk is None and not self._ledger.held and now - limits.told_at >= _STALE
        return alone and limits.hopeless(permit.amounts, now) is not None

    def _goes_on_without(self, turn: Turn, limits: Limits, permit: Books, now: float) -> bool:
        """Refuse one who would have to wait for hours; return whether it is so."""
        if (wait := limits.hopeless(permit.amounts, now)) is None:
            return False
        refuse(turn, used_up(self._name, wait))
        return True
