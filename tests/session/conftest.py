from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from nbconvo.messages import Delta
from nbconvo.services import OpenAIService
from nbconvo.testing import FakeProvider


class WatchedService(OpenAIService):
    """Tells when the first text of a reply has come."""

    def __init__(self) -> None:
        super().__init__()
        self.said = threading.Event()

    def deltas(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        for delta in super().deltas(event):
            if delta.text:
                self.said.set()
            yield delta


@pytest.fixture
def watched(provider: FakeProvider) -> WatchedService:
    return WatchedService()
