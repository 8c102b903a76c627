"""pytest fixtures; load them with ``pytest_plugins = ["nbconvo.testing.fixtures"]``.

The line belongs in the ``conftest.py`` at the root of the tests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from nbconvo.testing.provider import FakeProvider

__all__ = ["fake_provider", "nbconvo_env"]

_PREFIXES = ("NBCONVO_", "OPENAI_", "OPENROUTER_")
_SUFFIXES = ("_API_KEY", "_AUTH_TOKEN", "_BASE_URL")


@pytest.fixture
def fake_provider() -> Iterator[FakeProvider]:
    """A running fake provider, fresh for each test."""
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def nbconvo_env(
    fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeProvider]:
    """The fake provider, with an environment in which the service ``openai`` leads to it.

    All other ``*_API_KEY``, ``*_AUTH_TOKEN`` and ``*_BASE_URL``, and all ``NBCONVO_*``,
    ``OPENAI_*`` and ``OPENROUTER_*``, are removed until the test ends, so that no real account can
    be reached. Neither a file ``.env`` nor the system keyring is looked into. Kernels started by
    the test inherit the environment. Afterwards the names of the test's sessions are free again.
    """
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NBCONVO_DOTENV", "0")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("OPENAI_BASE_URL", fake_provider.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-key")
    yield fake_provider
    if nbconvo := sys.modules.get("nbconvo"):
        for name in nbconvo.sessions.names():
            nbconvo.sessions.remove(name)
