"""The rate limits as the page gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbconvo import cards
from nbconvo.markdown import plain
from nbconvo.session.workspace import workspace

__all__ = ["Gauge", "busy", "fading", "gauges"]


Gauge = dict[str, Any]


def gauges() -> list[Gauge]:
    """Return the limiter of each account that was asked; times are seconds from now."""
    made = []
    for account in workspace.accounts():
        limits, usage = account.limits, account.usage
        made.append(
            {
                "name": plain(account.name),
                "max_requests": limits.max_requests_per_minute,
                "max_tokens": limits.max_tokens_per_minute,
                "max_concurrent": limits.max_concurrent,
                "requests": limits.requests,
                "tokens": limits.tokens,
                "in_flight": limits.in_flight,
                "queued": limits.queued,
                "next_in": round(limits.next_in, 1),
                "paused_for": round(limits.paused_for, 1),
                "total_requests": limits.total_requests,
                # Not those of its replies: what the minute holds is never more than this.
                "total_tokens": limits.total_tokens,
                "estimated": usage.estimated,
                "cost": cards.cost(usage) or None,
                "rate_limited": limits.rate_limited,
                "retries": limits.retries,
                "history": account.history,
            }
        )
    return made


def busy(made: Sequence[Gauge]) -> bool:
    """Whether requests are under way or wait."""
    return any(gauge["in_flight"] or gauge["queued"] or gauge["paused_for"] for gauge in made)


def fading(made: Sequence[Gauge]) -> bool:
    """Whether time alone changes the gauges: what was sent moves out of the last minutes."""
    return any(any(gauge["history"]) for gauge in made)
