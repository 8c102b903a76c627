"""What whoever will not be admitted is told."""

from __future__ import annotations

import math

from nbconvo.errors import NbConvoError, RateLimited, RequestTooLarge
from nbconvo.limiter.lane import Turn

__all__ = ["paused", "refuse", "too_large", "too_large_for_service", "used_up"]


def paused(name: str, left: float) -> RateLimited:
    """Return the error for a pause of which more is ``left`` than anybody should wait out."""
    return RateLimited(
        f"{_whose(name)}rate limit: the service asked to wait, and {_time(left)} are left; "
        "ask again then, or ask another service",
        retry_after=left,
    )


def used_up(name: str, left: float) -> RateLimited:
    """Return the error for a limit of an hour or longer of which nothing is left for so long."""
    return RateLimited(
        f"{_whose(name)}rate limit: what the service allows a day, or the like, is used up, and "
        f"{_time(left)} are left; ask again then, or ask another service",
        retry_after=left,
    )


def too_large(name: str, tokens: int, most: float) -> RequestTooLarge:
    """Return the error for a request of more tokens than a whole minute admits."""
    return RequestTooLarge(
        f"{_whose(name)}request of about {tokens:,} tokens is more than the {most:,.10g} "
        "a minute that --tpm allows; shorten it or raise the limit"
    )


def too_large_for_service(name: str, tokens: int, most: float) -> RequestTooLarge:
    """Return the error for a request of more tokens than the service allows at all."""
    return RequestTooLarge(
        f"{_whose(name)}the service refused a request of about {tokens:,} tokens, and by what it "
        f"tells it allows {most:,.10g} together; shorten it, or ask another service"
    )


def refuse(turn: Turn, error: NbConvoError) -> None:
    """Raise ``error`` where ``turn`` is awaited, unless nobody waits for it any more."""
    if not turn.done() and not turn.get_loop().is_closed():
        turn.set_exception(error)


def _time(left: float) -> str:
    """Return seconds, more than a minute of them, as hours and minutes."""
    hours, minutes = divmod(math.ceil(left / 60), 60)
    return " ".join(
        [*([f"{hours:,} h"] if hours else []), *([f"{minutes} min"] if minutes else [])]
    )


def _whose(name: str) -> str:
    return f"{name}: " if name else ""
