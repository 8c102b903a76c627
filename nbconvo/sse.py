"""Bytes to server-sent events, incremental, with no I/O.

After the WHATWG HTML Standard, section "Server-sent events"; of its fields only ``event`` and
``data`` are kept, as no model service uses the others.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decoder", "Event"]

_MARK = b"\xef\xbb\xbf"  # of byte order; a stream may begin with one


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its data (lines joined), and its name, ``""`` if it has none."""

    data: str
    name: str = ""


class Decoder:
    """Cuts a stream of bytes into events; bytes may be cut anywhere, inside a character too.

    A stream is fed to :meth:`feed`, or to :meth:`data` where the names of events don't matter.
    """

    __slots__ = ("_data", "_more", "_name", "_rest", "_skip_newline")

    def __init__(self) -> None:
        self._rest = b""
        # What came after a rest and ends no line: joined to it once, when the line's end comes.
        self._more: list[bytes] = []
        self._skip_newline = False
        self._data: list[bytes] = []
        self._name = b""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; return the events that they complete."""
        return [
            Event(data.decode("utf-8", "replace"), name.decode("utf-8", "replace"))
            for name, data in self._events(data)
        ]

    def data(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the data of each event that they complete, as bytes."""
        if self._data or self._name or self._skip_newline or b"\r" in data:
            return [data for _, data in self._events(data)]
        if self._more:
            if b"\n" not in data:
                self._more.append(data)
                return []
            self._join()
        buffer = self._rest + data
        end = buffer.rfind(b"\n\n")
        if end >= 0 and buffer.startswith(b"data: "):
            # Nearly all that services send: each event one line, all cut at one blow.
            found = buffer[6:end].split(b"\n\ndata: ")
            if buffer.count(b"\n", 0, end) == 2 * len(found) - 2:
                self._rest = buffer[end + 2 :]
                return found
        return [data for _, data in self._events(data)]

    def end(self) -> list[Event]:
        """Return what an end without a blank line leaves: services were seen to end so."""
        return self.feed(b"\n\n") if self._rest or self._data else []

    def end_data(self) -> list[bytes]:
        """Return the data of what an end without a blank line leaves."""
        return [event.data.encode() for event in self.end()]

    def _events(self, data: bytes) -> list[tuple[bytes, bytes]]:
        events = []
        for line in self._lines(data):
            if not line:
                if self._data:
                    events.append((self._name, b"\n".join(self._data)))
                self._data, self._name = [], b""
            else:
                self._field(line)
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        # A CR that ended the last chunk has ended its line: an LF right after it ends nothing.
        if self._skip_newline:
            data = data.removeprefix(b"\n")
            self._skip_newline = False
        if self._rest:
            if b"\n" not in data and b"\r" not in data:
                self._more.append(data)
                return []
            if self._more:
                self._join()
        buffer = self._rest + data
        self._skip_newline = buffer.endswith(b"\r")
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = buffer.split(b"\n")
        return lines

    def _join(self) -> None:
        self._rest = b"".join((self._rest, *self._more))
        self._more.clear()

    def _field(self, line: bytes) -> None:
        name, _, value = line.removeprefix(_MARK).partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
