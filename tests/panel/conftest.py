from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nbconvo.messages import Message
from nbconvo.panel.painter import painter
from nbconvo.panel.widget import Panel
from nbconvo.session import Session

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Page:
    """What a page has of a panel: it puts together what the panel sends, as the script does."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.has: dict[str, Any] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.bodies: dict[str, str] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.toasts: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self._asked = 0
        panel.say = self.take  # type: ignore[method-assign]
        self.take(panel.snapshot())
        self.ask("hello", seq=self.has["seq"])

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Ask, and return the answer."""
        self._asked += 1
        self.panel.heard({"do": do, "re": self._asked, **fields})
        self.until(lambda: self._asked in self.answers)
        return self.answers[self._asked]

    def take(self, message: dict[str, Any], buffers: object = None) -> None:
        self.messages.append(message)
        if "re" in message:
            self.answers[message["re"]] = message
            return
        if "left" in message:
            return
        if message.get("whole"):
            self.rows, self.bodies = {}, {}
        else:
            assert message["seq"] == self.has["seq"] + 1
        self.has |= message
        if path := message.get("path"):
            self.rows = {place: row for place, row in self.rows.items() if place < path["same"]}
            self.rows |= {path["at"] + n: row for n, row in enumerate(path["rows"])}
        for id, growth in message.get("grow", {}).items():
            self._grow(id, growth)
        if toast := message.get("toast"):
            self.toasts.append(toast)

    def _grow(self, id: str, growth: dict[str, Any]) -> None:
        closed, rest = ("", "") if growth.get("reset") else self._parts.get(id, ("", ""))
        closed += growth.get("add", "")
        rest = rest[: growth["keep"]] + growth["tail"]
        self._parts[id] = closed, rest
        self.bodies[id] = closed + rest

    @property
    def _parts(self) -> dict[str, tuple[str, str]]:
        return self.__dict__.setdefault("parts", {})

    @property
    def texts(self) -> list[str]:
        """The rows of the path that the page has, as HTML."""
        return [self.rows[place]["html"] for place in sorted(self.rows)]

    def until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it does not come"
            time.sleep(0.005)


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    """Opens panels, each on a page; closes them."""
    opened: list[Panel] = []

    def open_page(*args: Any, **settings: Any) -> Page:
        opened.append(Panel(*args, **settings))
        return Page(opened[-1])

    yield open_page
    for panel in opened:
        panel.close()
    end = time.monotonic() + 5
    while painter.running:
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def comedian(provider: Any) -> Session:
    return Session("be funny", name="comedian", service=provider.base_url, model="m")


@pytest.fixture
def critic(provider: Any) -> Session:
    return Session(name="critic", service=provider.base_url, model="m")


@pytest.fixture
def say() -> Callable[..., list[Message]]:
    """Puts messages on a session's path, questions and replies in turn, a second apart."""

    def say(session: Session, *texts: str, after: float = 0.0, **fields: Any) -> list[Message]:
        messages = [
            Message(
                role="assistant" if place % 2 else "user",
                content=text,
                name=session.name if place % 2 else None,
                created=BEGAN + timedelta(seconds=after + place),
                **fields,
            )
            for place, text in enumerate(texts)
        ]
        session._record.commit(messages, session.conversation.leaf)
        return messages

    return say
