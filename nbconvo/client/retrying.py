"""Whether a request that failed is tried again, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from nbconvo.client.accounts import Account
from nbconvo.client.patience import Link
from nbconvo.client.ready import Ready
from nbconvo.errors import ConnectionFailed, RateLimited, ServiceError, TimedOut
from nbconvo.limiter import LONGEST_WAIT, Permit

__all__ = ["Attempts"]

_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.25
_CONNECT_ATTEMPTS = 3  # a server that is not there is told of soon
_SILENT_ATTEMPTS = 2  # what timed out may be under way, and be paid for
_REFUSALS = 4  # times as many attempts, if others are answered between two refusals


class Attempts:
    """The times that one request is sent.

    Args:
        ready: The request.
        account: Whose it is.
        jitter: Returns a random number from 0 up to 1.

    Attributes:
        number: Which time it is, from 1.
        left: Seconds that remain for all further attempts; none below 0.
        seen: How many requests of the account had failed in a row when this one was asked.
    """

    __slots__ = ("_account", "_jitter", "_ready", "_refused", "_replies", "left", "number",
                 "seen")  # fmt: skip

    def __init__(self, ready: Ready, account: Account, jitter: Callable[[], float]) -> None:
        self._ready = ready
        self._account = account
        self._jitter = jitter
        self._refused = 0
        self._replies = account.replies
        self.number = 1
        self.left = ready.service.total_timeout
        self.seen = account.circuit.failures

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._account.circuit.left(self)

    def delay(self, error: ServiceError, permit: Permit, link: Link) -> float:
        """Return after how many seconds the request is sent once more.

        Args:
            error: How it failed.
            permit: What it was sent with.
            link: How far it got; once its reply has begun, there is no further attempt.

        Raises:
            ServiceError: If it is not tried again: the very ``error``.
        """
        backoff = min(_FIRST_BACKOFF * 2.0 ** (self.number - 1), _LONGEST_BACKOFF)
        delay = error.retry_after or backoff * (1 - _JITTER * self._jitter())
        if isinstance(error, RateLimited):
            # For everybody, and before the permit is settled, which lets the next one go. This
            # request goes first afterwards.
            self._account.limiter.pause(delay, permit)
            self._account.circuit.answered()
        is_too_late = delay > min(self.left, LONGEST_WAIT)
        if link.begun or is_too_late or not self._worth_another(error):
            self._account.circuit.gave_up(error, self, begun=link.begun)
            told = f"; tried {self.number} times" if self.number > 1 else ""
            if is_too_late and error.retryable and error.retry_after and not link.begun:
                most = f"{LONGEST_WAIT:g} s" if delay > LONGEST_WAIT else "total_timeout= leaves"
                told += f"; not tried again, as the wait is longer than {most}: ask again later"
            error.args = (f"{error}{told}",)
            # Not with the frames below: they hold what the service said, unscrubbed.
            raise error.with_traceback(None) from error.__cause__
        self._account.circuit.goes_on(error, self)
        self.number += 1
        return delay

    def _worth_another(self, error: ServiceError) -> bool:
        number, attempts = self.number, self._ready.service.max_attempts
        if isinstance(error, ConnectionFailed):
            attempts = min(attempts, _CONNECT_ATTEMPTS)
        elif isinstance(error, TimedOut):
            attempts = min(attempts, _SILENT_ATTEMPTS)
        elif isinstance(error, RateLimited) and number < _REFUSALS * attempts:
            number = self._refused_in_a_row()
        return error.retryable and number < attempts

    def _refused_in_a_row(self) -> int:
        """Return how often it was refused since others were last answered.

        While they are, a level is being looked for, and this request's turn will come.
        """
        if self._account.replies > self._replies:
            self._replies, self._refused = self._account.replies, 0
        self._refused += 1
        return self._refused
