"""What the fake provider saw: requests, and clients that left before the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["ClosedRequest", "Headers", "Journal", "RecordedRequest"]

_T = TypeVar("_T")
_SECRET = frozenset({"authorization", "x-api-key", "api-key", "cookie"})


class Headers(Mapping[str, str]):
    """Request headers, looked up without regard to case.

    A header sent twice has its values joined with ``", "``. The repr hides keys, because a
    failing assertion prints it.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        shown = {name: "***" if name in _SECRET else text for name, text in self._values.items()}
        return f"Headers({shown})"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it arrived.

    Attributes:
        number: Place in the journal, from 1.
        method: ``"GET"``, ``"POST"`` and so on.
        path: The path without its query, such as ``"/v1/chat/completions"``.
        headers: The headers; names in any case.
        json: The decoded body, or ``None`` when it was empty or not JSON.
        time: Reading of the provider's clock, in seconds, when the request was complete.
        connection: Number of the TCP connection that it came on, from 1.
    """

    number: int
    method: str
    path: str
    headers: Headers
    json: Any
    time: float
    connection: int


@dataclass(frozen=True, slots=True)
class ClosedRequest:
    """A client that closed its connection before its answer was complete.

    Attributes:
        request: The request that was being answered.
        time: Reading of the provider's clock, in seconds, when the provider noticed.
    """

    request: RecordedRequest
    time: float


class Journal:
    """Requests and early closings, written by the provider's thread and read by the test's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._requests: list[RecordedRequest] = []
        self._closed: list[ClosedRequest] = []

    @property
    def requests(self) -> list[RecordedRequest]:
        """A copy of the requests so far, in order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def closed(self) -> list[ClosedRequest]:
        """A copy of the early closings so far."""
        with self._changed:
            return list(self._closed)

    def record(
        self, method: str, path: str, headers: Headers, json: Any, connection: int
    ) -> RecordedRequest:
        """Adds a request and wakes those who wait for it."""
        with self._changed:
            number = len(self._requests) + 1
            request = RecordedRequest(
                number, method, path, headers, json, self._clock(), connection
            )
            self._requests.append(request)
            self._changed.notify_all()
        return request

    def record_closed(self, request: RecordedRequest) -> None:
        """Notes that the client of this request has left early."""
        with self._changed:
            self._closed.append(ClosedRequest(request, self._clock()))
            self._changed.notify_all()

    def wait_for_requests(self, count: int, timeout: float) -> list[RecordedRequest]:
        """Blocks until ``count`` requests have arrived; raises TimeoutError after ``timeout`` s."""
        return self._wait(self._requests, count, timeout, "request")

    def wait_for_closed(self, count: int, timeout: float) -> list[ClosedRequest]:
        """Blocks until ``count`` clients have left early; raises TimeoutError otherwise."""
        return self._wait(self._closed, count, timeout, "closed connection")

    def _wait(self, seen: list[_T], count: int, timeout: float, what: str) -> list[_T]:
        with self._changed:
            if self._changed.wait_for(lambda: len(seen) >= count, timeout):
                return list(seen)
            raise TimeoutError(f"{count} {what}(s) wanted, {len(seen)} seen within {timeout} s")
