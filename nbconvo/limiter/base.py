"""What a limiter promises, whatever keeps its books."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["LONGEST_WAIT", "Limiter", "LimiterUsage", "Permit", "Told"]

LONGEST_WAIT = 120.0
"""Seconds of a service's pause that are waited out; openai-python waits as long and no longer."""


class Told(Protocol):
    """What a reply tells of one limit; ``None`` is what it does not tell."""

    @property
    def name(self) -> str:
        """Tells the limits of one account apart."""

    @property
    def counts(self) -> Literal["requests", "tokens", "input_tokens", "output_tokens"]:
        """What is limited; ``tokens`` are those of prompt and reply together."""

    @property
    def limit(self) -> float | None:
        """So much is allowed in each window."""

    @property
    def remaining(self) -> float | None:
        """So much was left when the request came in, itself taken off."""

    @property
    def reset(self) -> float | None:
        """Seconds until all of it is left again, or until the window ends."""

    @property
    def grain(self) -> float:
        """Seconds to which ``reset`` is rounded."""

    @property
    def window(self) -> float | None:
        """Seconds in which ``limit`` is allowed."""


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to send one request; to be settled exactly once, whatever becomes of the request.

    Attributes:
        tokens: Tokens reserved for it, prompt and expected reply together.
        first: Whether it was asked for with ``first``: the request is sent once more.
        output: Those of ``tokens`` that are the reply's.
        bulk: The bulk work that it belongs to; ``None`` for what a person waits for.
        model: The model that it asks; services limit each apart.
        at: When it was given, in seconds of the limiter's clock.
        sent_at: When the request was sent, by the same clock, if whoever sent it says so before
            its reply is observed; a connection may have had to be opened first.
    """

    tokens: int
    first: bool = False
    output: int = 0
    bulk: Hashable = None
    model: str | None = None
    at: float = 0.0
    sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class LimiterUsage:
    """A snapshot of a limiter. Rates are per minute; ``None`` is no limit.

    Attributes:
        max_requests_per_minute: The stated limit, or a lower one that the service told of, or
            that was found; of all models together that were asked.
        max_tokens_per_minute: Likewise; of tokens in all, which not every service limits.
        requests: Requests sent in the last 60 seconds.
        tokens: Tokens reserved or used in the last 60 seconds.
        in_flight: Requests now at the service.
        queued: Requests waiting for their turn.
        next_in: Seconds until the first in the queue may go, as far as rates and pauses tell
            (what ``max_concurrent`` adds is not known); 0 when it may go now.
        paused_for: Seconds that the service asked to wait, from now; the longest of any model.
        total_requests: Requests since the limiter was made.
        total_tokens: Tokens since the limiter was made.
        rate_limited: How often the service answered 429.
        retries: Those of ``total_requests`` that were sent once more (``first``).
    """

    max_requests_per_minute: float | None
    max_tokens_per_minute: float | None
    max_concurrent: int | None
    requests: int
    tokens: int
    in_flight: int
    queued: int
    next_in: float
    paused_for: float
    total_requests: int
    total_tokens: int
    rate_limited: int
    retries: int


class Limiter(Protocol):
    """Admits requests in order, so that the service has no reason to refuse one.

    All but :meth:`usage`, :meth:`history` and :meth:`wait` are called on one event loop, the
    I/O thread's.
    """

    def acquire_nowait(
        self,
        tokens: int,
        *,
        output: int = 0,
        first: bool = False,
        bulk: Hashable = None,
        model: str | None = None,
    ) -> Permit | None:
        """Return leave to send, or ``None`` where others wait, or it has to.

        Raises:
            RequestTooLarge, RateLimited: As :meth:`acquire`.
        """
        ...

    async def acquire(
        self,
        tokens: int,
        *,
        output: int = 0,
        first: bool = False,
        bulk: Hashable = None,
        model: str | None = None,
    ) -> Permit:
        """Wait for leave to send a request of ``tokens``; served in the order of asking.

        A cancelled wait gives back all it held. With ``first`` the request goes to the head
        of the queue: it had its turn, and the service sent it back. Several that were sent
        back keep their order among themselves. ``bulk`` names the bulk work that the request
        belongs to: it lets four asks of people go first, then goes on, and shares equally with
        other bulk work. ``output`` of the tokens are the reply's. What a service tells counts
        for the ``model`` that was asked, and who waits for that holds up no other model.

        Raises:
            RequestTooLarge: If ``tokens`` is more than a whole minute admits, or than the service
                allows at all: one that it refused is not sent again, nor a larger one.
            RateLimited: If more than ``LONGEST_WAIT`` seconds are left of a pause, or until a
                limit of an hour or longer allows it.
        """
        ...

    def observe(self, permit: Permit, told: Sequence[Told], *, refused: bool = False) -> None:
        """Learn from the reply to a request that is in flight, as soon as its headers came.

        ``refused`` says that it was answered with 429.
        """
        ...

    def settle(self, permit: Permit, tokens: int | None, output: int | None = None) -> None:
        """End a request that used ``tokens``; ``None`` means that it was never sent.

        ``output`` of them were the reply's.

        Raises:
            RuntimeError: If the permit is settled already, or is another limiter's.
        """
        ...

    def pause(self, seconds: float, permit: Permit | None = None) -> None:
        """Admit nothing for ``seconds`` from now: the service answered 429.

        If it told, in reply to ``permit``'s request, that a limit of its model is reached, other
        models go on.
        Nobody waits out more than ``LONGEST_WAIT``: they get ``RateLimited``, those who wait too.
        """
        ...

    def wait(self, tokens: int, model: str | None = None) -> float:
        """Estimate the seconds until a request of ``tokens`` asked now would be admitted.

        0 is at once; infinity means that no time can be told, since only the end of another
        request makes room for it. Cheap, and safe from any thread.
        """
        ...

    def usage(self) -> LimiterUsage:
        """Return a snapshot; cheap, and safe from any thread."""
        ...

    def history(self) -> tuple[int, ...]:
        """Return the requests sent in each 5 s of the last 5 minutes, 60 counts, oldest first.

        It changes only when a request went out, turned out to be never sent, or 5 s have passed.
        Cheap, and safe from any thread.
        """
        ...
