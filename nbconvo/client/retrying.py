"""Whether a request that failed is tried again, and when."""

from __future__ import annotations

from collections.abc import Callable

from nbconvo.client.accounts import Account
from nbconvo.client.patience import Link
from nbconvo.client.ready import Ready
from nbconvo.errors import ConnectionFailed, RateLimited, ServiceError, TimedOut
from nbconvo.limiter import LONGEST_WAIT, Permit
from nbconvo.services import BaseService

__all__ = ["delay_after"]

_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.25
_CONNECT_ATTEMPTS = 3  # a server that is not there is told of soon
_SILENT_ATTEMPTS = 2  # what timed out may be under way, and be paid for


def delay_after(
    error: ServiceError,
    ready: Ready,
    account: Account,
    permit: Permit,
    link: Link,
    attempt: int,
    left: float,
    jitter: Callable[[], float],
) -> float:
    """Return after how many seconds a request that failed is tried again.

    Args:
        error: How it failed.
        ready: The request.
        account: Whose it is.
        permit: What it was sent with.
        link: How far it got; once its reply has begun, there is no further attempt.
        attempt: Which sending failed, from 1.
        left: Seconds that remain for all further attempts; none below 0.
        jitter: Returns a random number from 0 up to 1.

    Raises:
        ServiceError: If it is not tried again: the very ``error``.
    """
    backoff = min(_FIRST_BACKOFF * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
    delay = error.retry_after or backoff * (1 - _JITTER * jitter())
    if isinstance(error, RateLimited):
        # For everybody, and before the permit is settled, which lets the next one go. This
        # request goes first afterwards.
        account.limiter.pause(delay, permit)
    is_too_late = delay > min(left, LONGEST_WAIT)
    if link.begun or is_too_late or not _worth_another(ready.service, error, attempt):
        account.circuit.gave_up(error, begun=link.begun)
        if attempt > 1:
            error.args = (f"{error}; tried {attempt} times",)
        # Not with the frames below: they hold what the service said, unscrubbed.
        raise error.with_traceback(None) from None
    return delay


def _worth_another(service: BaseService, error: ServiceError, attempt: int) -> bool:
    attempts = service.max_attempts
    if isinstance(error, ConnectionFailed):
        attempts = min(attempts, _CONNECT_ATTEMPTS)
    elif isinstance(error, TimedOut):
        attempts = min(attempts, _SILENT_ATTEMPTS)
    return error.retryable and attempt < attempts
