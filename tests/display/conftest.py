from __future__ import annotations

from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(shell: InteractiveShell) -> list[dict[str, Any]]:
    """What is published to the page, in order."""
    shell.display_pub = publisher = CapturingDisplayPublisher()
    return publisher.outputs
