"""The inlet: bytes reach who waits in the same turn; ends, errors and cancels in the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.client_proto import ResponseHandler

from nbconvo.client.inlet import Inlet


class Transport(asyncio.Transport):
    """Holds a protocol."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._protocol = protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol


class Protocol(ResponseHandler):
    """Notes what is passed on."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.noted: list[object] = []

    def data_received(self, data: bytes) -> None:
        self.noted.append(data)

    def eof_received(self) -> None:
        self.noted.append("eof")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.noted.append(exc)


@pytest.fixture
async def protocol() -> Protocol:
    return Protocol()


@pytest.fixture
async def transport(protocol: Protocol) -> Transport:
    return Transport(protocol)


@pytest.fixture
async def inlet(protocol: Protocol, transport: Transport) -> Inlet:
    return Inlet(protocol, transport)


@pytest.fixture
async def waiting(inlet: Inlet) -> AsyncIterator[asyncio.Task[None]]:
    async def wait() -> None:
        await inlet

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert not task.done()
    yield task
    task.cancel()


async def test_bytes_are_passed_on_and_let_the_task_go_on_in_the_same_turn(
    inlet: Inlet, protocol: Protocol, waiting: asyncio.Task[None]
):
    done = []

    def receive() -> None:  # called by the loop, as transports do
        inlet.data_received(b"whale")
        done.append(waiting.done())

    asyncio.get_running_loop().call_soon(receive)
    await asyncio.sleep(0.01)
    assert done == [True]
    assert protocol.noted == [b"whale"]


async def test_bytes_that_a_task_brings_let_the_other_go_on_after_it(
    inlet: Inlet, waiting: asyncio.Task[None]
):
    inlet.data_received(b"whale")
    assert not waiting.done()
    await waiting


@pytest.mark.parametrize("lost", [False, True])
async def test_an_end_wakes_the_task(
    inlet: Inlet, protocol: Protocol, waiting: asyncio.Task[None], lost: bool
):
    error = ConnectionResetError()
    if lost:
        inlet.connection_lost(error)
    else:
        inlet.eof_received()
    await waiting
    assert protocol.noted == [error if lost else "eof"]


async def test_a_task_that_waits_can_be_cancelled_and_the_next_one_waits_anew(
    inlet: Inlet, waiting: asyncio.Task[None]
):
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await inlet
    asyncio.get_running_loop().call_soon(inlet.data_received, b"whale")
    await inlet


async def test_it_gives_its_place_back(inlet: Inlet, protocol: Protocol, transport: Transport):
    assert transport.get_protocol() is inlet
    inlet.remove()
    inlet.remove()
    assert transport.get_protocol() is protocol
