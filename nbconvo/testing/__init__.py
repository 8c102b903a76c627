"""A scriptable fake provider on loopback, for the tests of anything that uses nbconvo."""

from __future__ import annotations

from nbconvo.testing.faults import Faults
from nbconvo.testing.journal import ClosedRequest, RecordedRequest
from nbconvo.testing.limits import Limit, Limits
from nbconvo.testing.provider import FakeProvider

__all__ = ["ClosedRequest", "FakeProvider", "Faults", "Limit", "Limits", "RecordedRequest"]
