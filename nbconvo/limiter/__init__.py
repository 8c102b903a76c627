"""Rate limits kept before a request is sent: the protocol, and the in-process limiter."""

from nbconvo.limiter.base import LONGEST_WAIT, Limiter, LimiterUsage, Permit, Told
from nbconvo.limiter.local import LocalLimiter

__all__ = ["LONGEST_WAIT", "Limiter", "LimiterUsage", "LocalLimiter", "Permit", "Told"]
