"""Bytes to server-sent events, incremental, with no I/O.

After the WHATWG HTML Standard, section "Server-sent events"; of its fields only ``event`` and
``data`` are kept, as no model service uses the others.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decoder", "Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its data (lines joined), and its name, ``""`` if it has none."""

    data: str
    name: str = ""


class Decoder:
    """Cuts a stream of bytes into events; bytes may be cut anywhere, inside a character too."""

    def __init__(self) -> None:
        self._rest = b""
        self._skip_newline = False
        self._data: list[str] = []
        self._name = ""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; return the events that they complete."""
        events = []
        for line in self._lines(data):
            if not line:
                if self._data:
                    events.append(Event("\n".join(self._data), self._name))
                self._data, self._name = [], ""
            else:
                self._field(line.decode("utf-8", "replace"))
        return events

    def end(self) -> list[Event]:
        """Return what an end without a blank line leaves: services were seen to end so."""
        return self.feed(b"\n\n") if self._rest or self._data else []

    def _lines(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        # A CR that ended the last chunk has ended its line: an LF right after it ends nothing.
        if self._skip_newline:
            data = data.removeprefix(b"\n")
            self._skip_newline = False
        buffer = self._rest + data
        self._skip_newline = buffer.endswith(b"\r")
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = buffer.split(b"\n")
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
