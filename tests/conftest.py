from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbconvo.services.credentials import Credentials, credentials
from nbconvo.session import workspace
from nbconvo.settings import NbConvo
from nbconvo.testing import FakeProvider

pytest_plugins = ["nbconvo.testing.fixtures"]


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a real account, or is changed by the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("NBCONVO_") or name.endswith(("_API_KEY", "_AUTH_TOKEN", "_BASE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("nbconvo.keys._known", ())  # no test scrubs with the keys of another
    monkeypatch.setattr("nbconvo.services.endpoint.credentials", fresh := Credentials())
    fresh.reads_dotenv = credentials.reads_dotenv
    monkeypatch.setattr("nbconvo.magics.keys.credentials", fresh)
    monkeypatch.setenv("NBCONVO_DOTENV", "0")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture(scope="session", autouse=True)
def _io_thread() -> Iterator[None]:
    """What tests leave open on the I/O thread ends with them, not while Python shuts down."""
    yield
    workspace.close()


@pytest.fixture
def canned() -> Iterator[Any]:
    """aioresponses: canned answers in the place of a server."""
    from aiohttp import ClientResponse
    from aioresponses import aioresponses

    class Response(ClientResponse):
        # aiohttp 3.14 asks for a stream_writer, which aioresponses 0.7.9 does not give. Drop this
        # class once https://github.com/pnuckowski/aioresponses/pull/288 is released.
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **{"stream_writer": Mock(output_size=0), **more})

    with aioresponses() as canned:
        canned.add = partial(canned.add, response_class=Response)
        yield canned


@pytest.fixture
def provider(nbconvo_env: FakeProvider) -> Iterator[FakeProvider]:
    """The fake provider, and a workspace that knows no session and is closed afterwards."""
    yield nbconvo_env
    for name in workspace.names():
        workspace.remove(name)
    workspace.current = workspace.DEFAULT
    workspace.close()


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> NbConvo:
    """The settings in force, as a shell would hold them."""
    settings = NbConvo()
    monkeypatch.setattr("nbconvo.host.settings", lambda: settings)
    return settings


NewShell = Callable[[type[InteractiveShell]], InteractiveShell]


@pytest.fixture
def new_shell(provider: FakeProvider, tmp_path: Path) -> Iterator[NewShell]:
    """Makes the shell of this process: one without a history file, the extension not loaded."""
    made = []

    def new_shell(kind: type[InteractiveShell]) -> InteractiveShell:
        InteractiveShell.clear_instance()
        plain = Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor"})
        made.append(kind.instance(config=plain, ipython_dir=str(tmp_path / "ipython")))
        return made[-1]

    yield new_shell
    for shell in made:
        atexit.unregister(shell.atexit_operations)  # 0.1 s each when Python ends
        type(shell).clear_instance()


@pytest.fixture
def shell(new_shell: NewShell) -> InteractiveShell:
    """A plain shell in this process."""
    return new_shell(InteractiveShell)
