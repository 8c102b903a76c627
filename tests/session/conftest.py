from __future__ import annotations

from collections.abc import Iterator

import pytest

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
