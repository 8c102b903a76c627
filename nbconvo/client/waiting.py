"""What a limiter tells of a request: whether it waits, in words."""

from __future__ import annotations

import math

from nbconvo.client.ready import Ready
from nbconvo.limiter import LONGEST_WAIT, Limiter
from nbconvo.services import BaseService

__all__ = ["reason_to_wait"]

_WORTH_A_NOTICE = 0.3  # seconds of waiting that a reader wonders about


def reason_to_wait(service: BaseService, limiter: Limiter, ready: Ready) -> str | None:
    """Say why the request has to wait, if a reader would wonder."""
    expected = ready.expected
    if (wait := limiter.wait(expected, ready.model)) <= _WORTH_A_NOTICE:
        return None
    usage = limiter.usage()
    most = usage.max_tokens_per_minute
    if usage.paused_for > LONGEST_WAIT or (most is not None and expected > most):
        return None
    how_long = f"{math.ceil(wait)} s" if math.isfinite(wait) else "for a place"
    return f"waiting {how_long}: the limit of {service.name} is reached"
