"""The fake provider: a server on loopback, in a thread of its own, that answers as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from nbconvo.testing.answering import Answering
from nbconvo.testing.chat import DEFAULT_MODEL
from nbconvo.testing.faults import Faults
from nbconvo.testing.journal import ClosedRequest, Journal, RecordedRequest
from nbconvo.testing.limits import Limits
from nbconvo.testing.script import ChatReply, Drop, ErrorReply, Events, Hang, Raw
from nbconvo.testing.server import LoopbackServer

__all__ = ["FakeProvider"]

_DEFAULT_TEXT = "Hello from the fake provider."


class FakeProvider:
    """An OpenAI-compatible provider that answers each request as it was told before.

    Answers are queued with ``reply``, ``error``, ``drop`` and so on; each
    ``POST`` to ``.../chat/completions`` (``/messages`` and ``/responses`` for what is queued
    with ``events``, ``error`` or ``raw``) takes one, in order of arrival. When none is left, the
    function given to ``respond`` answers, else a short default text does.

    Use it as a context manager, or with ``start`` and ``stop``. All methods may be called from
    any thread and return at once, except those named ``wait_for_...``, ``start`` and ``stop``.

    Args:
        cut: Answers are written in pieces of so many bytes, so that lines and UTF-8 sequences
            come split; ``None`` writes each event whole, which is faster for long replies.
        models: Names that ``GET /models`` lists; the list of that name can be changed.
        clock: Source of the times in the journal, in seconds.
        limits: The account's rate limits: requests above them are answered with 429.
        faults: What happens to a share of the requests instead of an answer.
    """

    def __init__(
        self,
        *,
        cut: int | None = 7,
        models: Sequence[str] = (DEFAULT_MODEL,),
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        faults: Faults | None = None,
    ) -> None:
        if cut is not None and cut < 1:
            raise ValueError(f"cut {cut!r} is too small; give 1 or more bytes, or None")
        self._journal = Journal(clock)
        self._answering = Answering(
            self._journal, cut, models, lambda request: _DEFAULT_TEXT, limits, faults
        )
        self._queue = self._answering.queue
        self._server = LoopbackServer(self._answering.converse)

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begins to listen on a free port of 127.0.0.1; raises OSError when there is none."""
        self._answering.stopping = False
        self._server.start()
        return self

    def stop(self) -> None:
        """Closes all connections and ends the thread; does nothing when it is not running.

        The address stays known, and connecting to it is refused from then on.
        """
        self._answering.stopping = True
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The address to give to a client, such as ``http://127.0.0.1:40123/v1``."""
        if self._server.port is None:
            raise RuntimeError("the fake provider has no address yet; call start() first")
        return f"http://127.0.0.1:{self._server.port}/v1"

    # -- script --------------------------------------------------------------------------------

    def reply(
        self,
        text: str = "",
        *,
        model: str | None = None,
        usage: bool | Mapping[str, Any] = True,
        finish_reason: str | None = "stop",
        reasoning: str | None = None,
        reasoning_field: str = "reasoning",
        deltas: Sequence[str] | int | None = None,
        delay: float = 0.0,
        pace: float = 0.0,
        hold: threading.Event | None = None,
        headers: Mapping[str, str] | None = None,
        choices: Sequence[str] | None = None,
        calls: Sequence[tuple[str, Mapping[str, Any] | str]] = (),
        done: bool = True,
        stream: bool | None = None,
        drop_after: int | None = None,
        end_after: int | None = None,
    ) -> None:
        """Queues a reply: events when the request has ``"stream": true``, else one JSON body.

        Args:
            text: What the model says; may be left out when ``deltas`` or ``choices`` say it.
            model: Model name in the answer; by default the one that was asked for.
            usage: ``True`` counts words, ``False`` sends none, a dict is sent as it is. In a
                stream it is sent only if the request has ``stream_options.include_usage``.
            finish_reason: As in OpenAI's form; ``None`` never finishes.
            reasoning: Reasoning text, sent before the text.
            reasoning_field: Its name: ``"reasoning"``, or ``"reasoning_content"``.
            deltas: How to cut the text: the pieces, or their length in characters, or ``None``
                for words.
            delay: Seconds before the first byte.
            pace: Seconds between two deltas.
            hold: The last delta (without a stream: the answer) is sent once this is set, so that a
                test can look before.
            headers: Response headers to add or replace.
            choices: One text for each choice, for requests with ``n`` above 1.
            calls: Tools that the model calls after its text, each by its name and its arguments;
                a ``str`` is sent as it is, JSON or not. Their ids are ``call-1-1``, ``call-1-2``
                and so on: the number of the request, and that of the call.
            done: Whether the stream ends with ``[DONE]``.
            stream: Answer as events or as JSON whatever the request says.
            drop_after: Reset the connection after so many deltas (without a stream: in the
                middle of the body).
            end_after: End the stream in good order after so many deltas, but with neither a
                finish reason nor ``[DONE]``.
        """
        if isinstance(deltas, int) and deltas < 1:
            raise ValueError(f"deltas {deltas!r} is too small; give 1 or more characters")
        self._queue.append(
            ChatReply(
                text=text,
                model=model,
                usage=usage,
                finish_reason=finish_reason,
                reasoning=reasoning,
                reasoning_field=reasoning_field,
                deltas=deltas,
                delay=delay,
                pace=pace,
                hold=hold,
                headers=headers or {},
                choices=choices,
                calls=tuple(calls),
                done=done,
                stream=stream,
                drop_after=drop_after,
                end_after=end_after,
            )
        )

    def error(
        self,
        status: int,
        body: Mapping[str, Any] | str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        delay: float = 0.0,
    ) -> None:
        """Queues ``times`` errors; without a body, OpenAI's error object for the status."""
        self._queue.extend([ErrorReply(status, body, headers or {}, delay)] * times)

    def drop(self, *, after: float = 0.0, times: int = 1) -> None:
        """Queues ``times`` resets of the connection, ``after`` seconds, before any byte."""
        self._queue.extend([Drop(after)] * times)

    def events(
        self,
        events: Sequence[Mapping[str, Any] | str],
        *,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        pace: float = 0.0,
    ) -> None:
        r"""Queues a stream of exactly these events, well formed or not.

        A dict is sent as JSON after ``data:``; a str is sent as it is, so it needs its own
        ``data:`` and empty line (``": keep-alive\n\n"``, ``"data: [DONE]\n\n"``).
        """
        self._queue.append(Events(tuple(events), headers or {}, delay, pace))

    def raw(self, data: bytes, *, close: bool = True) -> None:
        """Queues exactly these bytes as the whole HTTP response, head included."""
        self._queue.append(Raw(data, close))

    def hang(self) -> None:
        """Queues silence: the request is read, and nothing comes until the client leaves."""
        self._queue.append(Hang())

    def respond(self, function: Callable[[RecordedRequest], str]) -> None:
        """Answers with ``function(request)`` whenever the queue is empty.

        It runs in the provider's thread; if it raises, the request is answered with status 500
        and the error's text.
        """
        self._answering.respond = function

    @property
    def limits(self) -> Limits | None:
        """The rate limits in force; may be set, and tells what was admitted and refused."""
        return self._answering.limits

    @limits.setter
    def limits(self, limits: Limits | None) -> None:
        self._answering.limits = limits

    @property
    def model_limits(self) -> dict[str, Limits]:
        """The rate limits of single models, by their names; the others have :attr:`limits`."""
        return self._answering.model_limits

    @property
    def faults(self) -> Faults | None:
        """What happens to a share of the requests; may be set."""
        return self._answering.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._answering.faults = faults

    @property
    def models(self) -> list[str]:
        """The names that ``GET /models`` lists; may be changed."""
        return self._answering.models

    @property
    def pending(self) -> int:
        """How many queued answers have not been taken yet."""
        return len(self._queue)

    def forget(self) -> None:
        """Drops the queued answers that have not been taken yet."""
        self._queue.clear()

    # -- journal -------------------------------------------------------------------------------

    @property
    def requests(self) -> list[RecordedRequest]:
        """All requests so far, in order of arrival."""
        return self._journal.requests

    @property
    def closed(self) -> list[ClosedRequest]:
        """The requests whose client closed the connection before the answer was complete."""
        return self._journal.closed

    @property
    def connections(self) -> int:
        """How many TCP connections have been opened so far."""
        return self._server.connections

    def wait_for_requests(self, count: int = 1, timeout: float = 5.0) -> list[RecordedRequest]:
        """Blocks until ``count`` requests have arrived; TimeoutError after ``timeout`` seconds.

        In a coroutine, use ``await asyncio.to_thread(provider.wait_for_requests)``.
        """
        return self._journal.wait_for_requests(count, timeout)

    def wait_for_closed(self, count: int = 1, timeout: float = 5.0) -> list[ClosedRequest]:
        """Blocks until ``count`` clients left early; TimeoutError after ``timeout`` seconds."""
        return self._journal.wait_for_closed(count, timeout)
