from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from nbconvo.messages import Delta
from nbconvo.services import OpenAIService
from nbconvo.session import workspace
from nbconvo.settings import NbConvo
from nbconvo.testing import FakeProvider


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> NbConvo:
    """The settings in force, as a shell would hold them."""
    settings = NbConvo()
    monkeypatch.setattr("nbconvo.host.settings", lambda: settings)
    return settings


@pytest.fixture
def provider(nbconvo_env: FakeProvider) -> Iterator[FakeProvider]:
    """The fake provider, and a workspace that knows no session and is closed afterwards."""
    yield nbconvo_env
    for name in workspace.names():
        workspace.remove(name)
    workspace.current = workspace.DEFAULT
    workspace.close()


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
