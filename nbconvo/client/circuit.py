"""A service that is down is not asked by everybody: the circuit of an account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from nbconvo.errors import ConnectionFailed, ServerFailed, ServiceDown, ServiceError, TimedOut

__all__ = ["Circuit"]

_ENOUGH = 5  # requests in a row, or attempts
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds


class _Trial:
    """A request that tries whether the service is back, and how that went."""

    __slots__ = ("by", "ended", "failed")

    def __init__(self, by: object) -> None:
        self.by = by
        self.ended = asyncio.Event()
        self.failed = False


class Circuit:
    """Opens when requests in a row were given up because their service is down.

    Each of them had all its attempts by then; but where as many attempts in a row failed, the
    others wait to see how one request goes on, and if it is given up, how the next does.

    While the circuit is open, those that were asked before the last of them failed are refused
    without being sent, until a pause is over, which doubles with each that tries in vain. Of those
    that are asked later one tries whether the service is back, and the others wait to see how it
    goes. The first that is answered, be it with a refusal, closes the circuit.

    Args:
        name: Whose it is, for error texts.
        clock: Seconds from any origin.

    Attributes:
        failures: How many requests in a row failed so far.
    """

    __slots__ = (
        "_clock",
        "_failed_attempts",
        "_last",
        "_name",
        "_next_at",
        "_pause",
        "_trial",
        "failures",
    )

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self.failures = self._failed_attempts = 0
        self._last = ""
        self._next_at = 0.0
        self._pause = _FIRST_PAUSE
        self._trial: _Trial | None = None

    @property
    def is_tried(self) -> bool:
        """Whether a request tries whether the service is back: see :meth:`outcome`."""
        return self._trial is not None

    @property
    def notice(self) -> str:
        """What a reader is told who waits for the :meth:`outcome`."""
        return f"waiting: {self._name} seems to be down, and another request is trying it"

    def admit(self, by: object, seen: int) -> bool:
        """Return whether a request may go; else another tries, whose :meth:`outcome` counts.

        Args:
            by: Stands for the request.
            seen: How many :attr:`failures` there were when it was asked.

        Raises:
            ServiceDown: If the circuit is open, and more requests failed since it was asked.
        """
        if self._trial is not None:
            return False
        if self.failures >= _ENOUGH:
            if seen != self.failures and self._clock() < self._next_at:
                raise self._down()
        elif self._failed_attempts < _ENOUGH:
            return True
        self._trial = _Trial(by)
        return True

    async def outcome(self) -> None:
        """Wait until the request that tries is answered, or has left.

        Raises:
            ServiceDown: If it failed, and the circuit is open.
        """
        if (trial := self._trial) is not None:
            await trial.ended.wait()
            if trial.failed and self.failures >= _ENOUGH:
                raise self._down()

    def answered(self) -> None:
        """Note that the service is there."""
        self.failures = self._failed_attempts = 0
        self._pause = _FIRST_PAUSE
        if self._trial is not None:
            self._end(self._trial)

    def goes_on(self, error: ServiceError, by: object) -> None:
        """Note that an attempt failed with this error, and that there will be another."""
        if _is_down(error):
            self._failed_attempts += 1
            if self._failed_attempts >= _ENOUGH and self._trial is None:
                self._trial = _Trial(by)

    def gave_up(self, error: ServiceError, by: object = None, *, begun: bool = False) -> None:
        """Note that a request was given up with this error, its reply ``begun`` or not."""
        if begun:
            self.answered()  # it broke off, but the service is there
        elif _is_down(error):
            trial = self._trial
            is_trial = trial is not None and trial.by is by
            # Those that were under way before tell of the same fault once more.
            if is_trial and self.failures >= _ENOUGH:
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            self.failures += 1
            self._last = str(error)
            self._next_at = self._clock() + self._pause
            if trial is not None and is_trial:
                self._end(trial, failed=True)
        elif error.status is not None:
            self.answered()

    def left(self, by: object) -> None:
        """Note that a request is over; if it tried, and nobody knows how it went, the next does."""
        if (trial := self._trial) is not None and trial.by is by:
            self._end(trial)

    def _end(self, trial: _Trial, *, failed: bool = False) -> None:
        trial.failed = failed
        trial.ended.set()
        self._trial = None

    def _down(self) -> ServiceDown:
        left = max(0.0, self._next_at - self._clock())
        return ServiceDown(
            f"{self._name} seems to be down, so this was not sent: {self.failures} requests in a "
            f"row failed, the last with: {self._last}; ask again, best in {left:.2g} s: one "
            "request then tries, and the others wait for it",
            retry_after=left,
        )


def _is_down(error: ServiceError) -> bool:
    return isinstance(error, ConnectionFailed | TimedOut) or (
        isinstance(error, ServerFailed) and (error.status or 500) >= 500
    )
