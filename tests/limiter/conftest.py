"""Virtual time: an event loop that jumps to its next timer instead of waiting for it."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nbconvo.limiter import Limiter, LocalLimiter


class _Jump(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("all wait, and nothing will ever wake them")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at second 1,000 and takes no time at all."""

    def __init__(self) -> None:
        self._jump = _Jump()
        self._jump.now = 1_000.0
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now

    def pass_time(self, seconds: float) -> None:
        self._jump.now += seconds


def local(**limits: Any) -> Limiter:
    return LocalLimiter(**limits, clock=asyncio.get_running_loop().time)


@pytest.fixture(params=[local], ids=lambda factory: factory.__name__)
def make(request: pytest.FixtureRequest) -> Callable[..., Limiter]:
    """Make a limiter, within a running loop; every kind of limiter is put through the contract."""
    return request.param


@pytest.fixture
def virtual_loop() -> type[VirtualLoop]:
    return VirtualLoop


@pytest.fixture
def play() -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Run an async function from start to end in virtual time."""

    def run(scene: Callable[[], Any]) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(scene())

    return run
