"""How the steps of an answer are written: cut anywhere, and given up when the client leaves."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from nbconvo.testing import FakeProvider
from nbconvo.testing.journal import Headers, RecordedRequest
from nbconvo.testing.script import ChatReply
from nbconvo.testing.wire import ClientLeft, Mark, Pause, WatchedReader, play


class Recorder:
    """Stands in for a StreamWriter and keeps what was written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    async def drain(self) -> None:
        pass


async def written(data: bytes, cut: int | None) -> list[bytes]:
    recorder = Recorder()
    writer = cast(asyncio.StreamWriter, recorder)
    assert await play([Pause(0), data], WatchedReader(), writer, cut)
    return recorder.pieces


async def test_pieces_are_seven_bytes_long():
    assert await written(b"0123456789abcdef", 7) == [b"0123456", b"789abcd", b"ef"]


async def test_a_piece_may_end_inside_a_character():
    pieces = await written("🤖🤖".encode(), 7)
    with pytest.raises(UnicodeDecodeError):
        pieces[0].decode()
    assert b"".join(pieces).decode() == "🤖🤖"


async def test_without_a_cut_each_step_is_one_write():
    assert await written(b"0123456789abcdef", None) == [b"0123456789abcdef"]


def test_a_client_reads_a_streamed_reply_in_many_pieces(provider: FakeProvider):
    provider.reply("🤖" * 200, deltas=50)
    address = urlsplit(provider.base_url)
    pieces = []
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        body = b'{"stream": true}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n"
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        while piece := connection.recv(65536):
            pieces.append(piece)
    assert len(pieces) > 10
    assert any(piece[0] & 0xC0 == 0x80 for piece in pieces)  # begins inside a character


def test_a_long_reply_without_a_cut_is_whole():
    text = "word " * 2000
    with FakeProvider(cut=None) as provider:
        provider.reply(text)
        address = urlsplit(provider.base_url)
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n"
                b"content-length: 2\r\n\r\n{}"
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert text.encode() in answer


@pytest.mark.parametrize(
    ("last_read", "early"), [(b'" b"', True), (b'"stop"', False), (b"[DONE]", False)]
)
async def test_leaving_is_early_only_before_the_finish_reason(last_read: bytes, early: bool):
    class Leaver(Recorder):
        def write(self, data: bytes) -> None:
            if last_read in data:
                reader.gone.set()

    reader, writer = WatchedReader(), cast(asyncio.StreamWriter, Leaver())
    request = RecordedRequest(1, "POST", "/", Headers(), {"stream": True}, 0.0, 1)
    playing = play(ChatReply("a b c").steps(request), reader, writer, None)
    if early:
        with pytest.raises(ClientLeft):
            await playing
    else:
        assert await playing is False


@pytest.mark.parametrize("step", [b"x", Pause(3600), Mark.HANG])
async def test_no_step_goes_on_once_the_client_has_left(step: Any):
    reader, recorder = WatchedReader(), Recorder()
    reader.gone.set()
    with pytest.raises(ClientLeft):
        await play([step], reader, cast(asyncio.StreamWriter, recorder), 7)
    assert recorder.pieces == []
