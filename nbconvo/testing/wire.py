"""HTTP/1.1 by hand: reading requests, and writing answers in pieces of a chosen size."""

from __future__ import annotations

import asyncio
import enum
import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from nbconvo.testing.journal import Headers

__all__ = [
    "LAST_CHUNK",
    "ClientLeft",
    "Incoming",
    "Mark",
    "Pause",
    "Step",
    "WatchedReader",
    "http_chunk",
    "http_head",
    "play",
    "read_request",
]

LAST_CHUNK = b"0\r\n\r\n"
_HEAD_LIMIT = 1 << 20  # bytes
_READ_TIME = 2e-4  # seconds in which a client wakes up and reads, so that a cut does not heal
_LINGER = "hh" if os.name == "nt" else "ii"


class ClientLeft(Exception):
    """The client closed its connection before its answer was complete."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of an answer: send nothing for so many seconds."""

    seconds: float


class Mark(enum.Enum):
    """A step of an answer that sends nothing."""

    COMPLETE = enum.auto()  # a client that leaves from here on does not leave early
    CLOSE = enum.auto()  # close the connection in good order
    RESET = enum.auto()  # cut it, so that the client sees "connection reset by peer"
    HANG = enum.auto()  # wait until the client goes away


Step = bytes | Pause | Mark


class WatchedReader(asyncio.StreamReader):
    """A stream reader that tells that the client has gone, while nobody is reading."""

    def __init__(self) -> None:
        super().__init__(limit=_HEAD_LIMIT)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        """Called by the transport at the end of what the client sends."""
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        """Called by the transport when the connection is lost."""
        self.gone.set()
        super().set_exception(exc)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as read from the connection, nothing decoded but the head."""

    method: str
    target: str
    headers: Headers
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Incoming | None:
    """Reads one request; ``None`` when the client has closed, or does not speak HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = Headers((name.strip(), value.strip()) for name, _, value in pairs)
        if "transfer-encoding" in headers:
            body = await _read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        return None
    return Incoming(method, target, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


def http_head(status: int, headers: Mapping[str, str]) -> bytes:
    """The status line and the headers, ready to send."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:  # such as 529
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def http_chunk(body: bytes) -> bytes:
    """One chunk of a body with ``transfer-encoding: chunked``."""
    return b"%x\r\n%b\r\n" % (len(body), body)


async def play(
    steps: Iterable[Step], reader: WatchedReader, writer: asyncio.StreamWriter, cut: int | None
) -> bool:
    """Takes the steps of an answer one by one.

    Returns:
        Whether the connection can be used for another request.

    Raises:
        ClientLeft: The client closed the connection before the answer was complete.
    """
    complete = False
    try:
        for step in steps:
            if isinstance(step, bytes):
                await _write(step, reader, writer, cut)
            elif isinstance(step, Pause):
                await _pause(step.seconds, reader)
            elif step is Mark.COMPLETE:
                complete = True
            elif step is Mark.HANG:
                await reader.gone.wait()
                raise ClientLeft
            else:
                _end(writer, reset=step is Mark.RESET)
                return False
    except (ClientLeft, ConnectionError) as error:
        if not complete:
            raise ClientLeft from error
        return False
    return True


async def _write(
    data: bytes, reader: WatchedReader, writer: asyncio.StreamWriter, cut: int | None
) -> None:
    size = cut or max(len(data), 1)
    for start in range(0, len(data), size):
        if reader.gone.is_set():
            raise ClientLeft
        writer.write(data[start : start + size])
        await writer.drain()
        await asyncio.sleep(0)  # drain alone does not let the other connections have their turn
        if cut and _tells(data, start + size):
            time.sleep(_READ_TIME)  # noqa: ASYNC251 - the loop cannot sleep for less than 1 ms


def _tells(data: bytes, end: int) -> bool:
    """Whether a cut here is one that a client may get wrong: in a character, or an empty line."""
    after = data[end : end + 1]
    in_character = bool(after) and after[0] & 0xC0 == 0x80
    return in_character or data[end - 1 : end + 1] == b"\n\n"


async def _pause(seconds: float, reader: WatchedReader) -> None:
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(reader.gone.wait(), seconds)
    except TimeoutError:
        return
    raise ClientLeft


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if not reset or writer.transport.is_closing():
        writer.close()
        return
    connection = writer.get_extra_info("socket")
    # Lingering for 0 s is what makes the kernel send RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    writer.transport.abort()
