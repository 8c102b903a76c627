"""What requests took: tokens and money, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Usage"]


# Not frozen: that takes five times as long to make, and each request makes some.
@dataclass(slots=True, unsafe_hash=True)
class Usage:
    """Tokens and money that requests took, as a value: not to be changed. They add up with ``+``.

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens of the reply, reasoning included.
        cached_tokens: The part of ``input_tokens`` that the service read from its cache.
        reasoning_tokens: The part of ``output_tokens`` that was reasoning.
        cost: US dollars, as the service itself reported them or as computed from a price; ``None``
            is unknown, never 0.
        requests: Number of requests that are counted here.
        estimated: Whether a token count is our estimate, not the service's figure.
        cache_write_tokens: The part of ``input_tokens`` that the service put in its cache, where it
            has a price of its own.
        priced: Whether the cost, or a part of it, was computed and not told by the service.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    requests: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0
    priced: bool = False

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self._cost_with(other),
            self.requests + other.requests,
            self.estimated or other.estimated,
            self.cache_write_tokens + other.cache_write_tokens,
            self.priced or other.priced,
        )

    def updated(self, later: Usage) -> Usage:
        """Return what is known of one request once ``later`` is told: what that lacks still holds.

        A protocol may tell the prompt's tokens at the beginning, and the reply's at the end.
        """
        return replace(
            later,
            input_tokens=later.input_tokens or self.input_tokens,
            output_tokens=later.output_tokens or self.output_tokens,
            cached_tokens=later.cached_tokens or self.cached_tokens,
            reasoning_tokens=later.reasoning_tokens or self.reasoning_tokens,
            cost=self.cost if later.cost is None else later.cost,
            cache_write_tokens=later.cache_write_tokens or self.cache_write_tokens,
        )

    def _cost_with(self, other: Usage) -> float | None:
        # One unknown cost makes the sum unknown: a sum that leaves it out would mislead.
        if self.cost is None:
            return None if self.requests else other.cost
        if other.cost is None:
            return None if other.requests else self.cost
        return self.cost + other.cost
