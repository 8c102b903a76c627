"""Which answer a request gets: the next of the queue, or the one for requests without."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from nbconvo.testing.chat import error_body, model_list
from nbconvo.testing.journal import Journal, RecordedRequest
from nbconvo.testing.script import Answer, ChatReply, ErrorReply, JsonReply
from nbconvo.testing.wire import ClientLeft, Incoming, WatchedReader, play, read_request

__all__ = ["Answering"]

Respond = Callable[[RecordedRequest], str]


class Answering:
    """Takes the requests of a connection one by one, journals them and answers them.

    Args:
        journal: Where requests and early closings are noted.
        cut: Size in bytes of the pieces in which answers are written; ``None`` for no cutting.
        models: Names that ``GET /models`` lists.
        respond: Gives the reply to a request when nothing is queued.
    """

    def __init__(
        self, journal: Journal, cut: int | None, models: Sequence[str], respond: Respond
    ) -> None:
        self._journal = journal
        self._cut = cut
        self.models = list(models)
        self.respond = respond
        self.queue: deque[Answer] = deque()
        self.stopping = False

    async def converse(
        self, connection: int, reader: WatchedReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serves one connection until either side closes it."""
        while incoming := await read_request(reader):
            request = self._record(incoming, connection)
            steps = self._answer(request).steps(request)
            try:
                reusable = await play(steps, reader, writer, self._cut)
            except ClientLeft:
                if not self.stopping:
                    self._journal.record_closed(request)
                return
            if not reusable or request.headers.get("connection", "").lower() == "close":
                return

    def _record(self, incoming: Incoming, connection: int) -> RecordedRequest:
        path = incoming.target.partition("?")[0]
        body = _decoded(incoming.body)
        return self._journal.record(incoming.method, path, incoming.headers, body, connection)

    def _answer(self, request: RecordedRequest) -> Answer:
        if request.method == "GET" and request.path.endswith("/models"):
            return JsonReply(model_list(self.models))
        if request.method == "POST" and request.path.endswith("/chat/completions"):
            return self._next(request)
        return ErrorReply(404, error_body(404, f"no {request.method} {request.path} here"))

    def _next(self, request: RecordedRequest) -> Answer:
        if not isinstance(request.json, dict):
            return ErrorReply(400, error_body(400, "the body is not a JSON object"))
        if self.queue:
            return self.queue.popleft()
        try:
            return ChatReply(self.respond(request))
        except Exception as error:  # whatever it is, the test has to see it
            return ErrorReply(500, error_body(500, f"respond() raised {error!r}"))


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
