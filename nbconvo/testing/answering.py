"""Which answer a request gets: the next of the queue, or the one for requests without."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbconvo.testing.chat import Shape, error_body, model_list
from nbconvo.testing.faults import Faults, answer_of
from nbconvo.testing.journal import Journal, RecordedRequest
from nbconvo.testing.limits import Limits, Refused
from nbconvo.testing.script import Answer, ChatReply, ErrorReply, Events, JsonReply
from nbconvo.testing.wire import (
    ClientLeft,
    Incoming,
    Step,
    WatchedReader,
    play,
    read_request,
)

__all__ = ["Answering"]

_ASKED = ("/chat/completions", "/messages", "/responses")  # of each protocol
Respond = Callable[[RecordedRequest], str]


class Answering:
    """Takes the requests of a connection one by one, journals them and answers them.

    Args:
        journal: Where requests and early closings are noted.
        cut: Size in bytes of the pieces in which answers are written; ``None`` for no cutting.
        models: Names that ``GET /models`` lists.
        respond: Gives the reply to a request when nothing is queued.
        limits: Admits or refuses each request for a reply, before anything else is looked at.
            ``model_limits`` of its model, if there are any, do so instead.
        faults: Fails some of those that were admitted.
    """

    def __init__(
        self,
        journal: Journal,
        cut: int | None,
        models: Sequence[str],
        respond: Respond,
        limits: Limits | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._journal = journal
        self._cut = cut
        self.models = list(models)
        self.respond = respond
        self.limits = limits
        self.model_limits: dict[str, Limits] = {}
        self.faults = faults
        self.queue: deque[Answer] = deque()
        self.stopping = False

    async def converse(
        self, connection: int, reader: WatchedReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serves one connection until either side closes it."""
        while incoming := await read_request(reader):
            request = self._record(incoming, connection)
            steps = self._answer(request)
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

    def _answer(self, request: RecordedRequest) -> Iterator[Step]:
        if request.method == "GET" and request.path.endswith("/models"):
            return JsonReply(model_list(self.models)).steps(request)
        if request.method != "POST" or not request.path.endswith(_ASKED):
            what = f"no {request.method} {request.path} here"
            return ErrorReply(404, error_body(404, what)).steps(request)
        if not isinstance(request.json, dict):
            what = "the body is not a JSON object"
            return ErrorReply(400, error_body(400, what)).steps(request)
        limits = self.model_limits.get(str(request.json.get("model")), self.limits)
        if limits is None:
            return self._next(request).steps(request)
        return self._within(limits, request)

    def _within(self, limits: Limits, request: RecordedRequest) -> Iterator[Step]:
        shape = Shape(request)
        admitted = limits.admit(shape.usage(())["prompt_tokens"], shape.max_tokens)
        if isinstance(admitted, Refused):
            refusal = JsonReply(admitted.body, admitted.status, admitted.headers)
            return refusal.steps(request)
        answer = self._next(request)
        output = answer.output_tokens(shape) if isinstance(answer, ChatReply) else 0
        steps = _with_headers(answer, admitted.headers).steps(request)
        return _settled(steps, lambda: limits.settle(admitted, output))

    def _next(self, request: RecordedRequest) -> Answer:
        if self.faults and (fault := self.faults.next()):
            return answer_of(fault)
        if self.queue:
            return self.queue.popleft()
        try:
            return ChatReply(self.respond(request))
        except Exception as error:  # whatever it is, the test has to see it
            return ErrorReply(500, error_body(500, f"respond() raised {error!r}"))


def _settled(steps: Iterator[Step], settle: Callable[[], None]) -> Iterator[Step]:
    """The steps; ``settle`` is called before the last: who read all finds the books settled."""
    try:
        held = next(steps)
        for step in steps:
            yield held
            held = step
    finally:
        settle()
    yield held


def _with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """The answer with these headers; its own come before them."""
    if isinstance(answer, ChatReply | ErrorReply | Events | JsonReply):
        return replace(answer, headers={**headers, **answer.headers})
    return answer


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
