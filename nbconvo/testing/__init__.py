"""A scriptable fake provider on loopback, for the tests of anything that uses nbconvo."""

from __future__ import annotations

from nbconvo.testing.journal import ClosedRequest, RecordedRequest
from nbconvo.testing.provider import FakeProvider

__all__ = ["ClosedRequest", "FakeProvider", "RecordedRequest"]
