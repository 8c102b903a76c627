"""The offline service brings its own server, one for each event loop that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from nbconvo.errors import ConnectionFailed
from nbconvo.offline.server import OfflineServer
from nbconvo.offline.service import OfflineService


@pytest.fixture
def other_loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def answers(url: str) -> bool:
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"{url}/models") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


async def test_a_server_that_could_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    service = OfflineService()
    with monkeypatch.context() as patch:

        async def fail(self: OfflineServer) -> str:
            raise OSError(98, "Address already in use")

        patch.setattr(OfflineServer, "start", fail)
        with pytest.raises(ConnectionFailed, match="cannot start: Address already in use"):
            await service.open()
    await service.open()
    assert await answers(service.base_url)
    await service.close()


async def test_who_gives_up_does_not_stop_the_server_for_the_others():
    service = OfflineService()
    first, second = (asyncio.create_task(service.open()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert await answers(service.base_url)
    await service.close()
    assert service.base_url == "http://127.0.0.1/v1"


def test_closing_on_one_loop_leaves_the_server_of_another(other_loop: asyncio.Runner):
    service = OfflineService()
    with asyncio.Runner() as old:
        old.run(service.open())
        first = service.base_url
        other_loop.run(service.open())
        second = service.base_url
        assert first != second
        old.run(service.close())
        assert service.base_url == second
        assert other_loop.run(answers(second))
        assert not other_loop.run(answers(first))
        other_loop.run(service.close())
        assert not other_loop.run(answers(second))


async def test_closing_while_it_starts_leaves_nothing_open():
    service = OfflineService()
    opening = asyncio.create_task(service.open())
    await asyncio.sleep(0)
    await service.close()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert service.base_url == "http://127.0.0.1/v1"
