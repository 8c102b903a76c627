"""The offline models behind a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nbconvo.offline import anthropic, responses
from nbconvo.offline.replies import Completion, listed_model, listed_models, prompt_tokens
from nbconvo.offline.requests import Chat, Refusal, read_chat

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["OfflineServer"]

# A reply is short, but a prompt may hold a whole conversation and its tables.
_LARGEST_BODY = 64 * 2**20
# Events that hold words.
_PIECES = (
    "content_block_delta",
    "response.output_text.delta",
    "response.function_call_arguments.delta",
)
_DONE = b"data: [DONE]\n\n"


class OfflineServer:
    """Serves the offline models in the event loop that starts it; one address at a time.

    It speaks chat completions, Anthropic's Messages and OpenAI's Responses, and lets everybody in.

    Args:
        pace: Seconds between two streamed pieces of a few words; 0 streams at full speed.
        sleep: Waits that long.
        clock: Seconds since 1970.
        new_id: Makes the ids of replies unique.
    """

    def __init__(
        self,
        pace: float = 0.012,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._pace = pace
        self._sleep = sleep
        self._clock = clock
        self._new_id = new_id
        self._began = int(clock())
        self._runner: web.AppRunner | None = None
        self._requests: set[asyncio.Task[Any]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Begin to serve and return the base URL; port 0 takes any free one.

        Raises:
            OSError: If the address is in use or not this machine's.
            RuntimeError: If the server runs already.
        """
        from aiohttp import web

        if self._runner is not None:
            raise RuntimeError("the offline server runs already; stop it first")
        # Handlers end with their client, so that an abandoned stream doesn't run on.
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, host, port).start()
        except BaseException:
            await self.stop()
            raise
        address, bound = self._runner.addresses[0][:2]
        shown = f"[{address}]" if ":" in address else address
        return f"http://{shown}:{bound}/v1"

    async def stop(self) -> None:
        """End open streams at once and free the address; does nothing if not started."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for request in self._requests:
            request.cancel()
        await runner.cleanup()

    def _app(self) -> web.Application:
        from aiohttp import web

        @web.middleware
        async def answered(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            return await self._answered(request, handler)

        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[answered])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{id:.+}", self._model)
        app.router.add_route("*", "/{path:.*}", self._elsewhere)
        return app

    async def _answered(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Keep the request's task in view of ``stop``, and give refusals their JSON body."""
        from aiohttp import web

        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        try:
            return await handler(request)
        except Refusal as error:
            return self._refused(request, error)
        except web.HTTPException as error:
            return self._refused(request, Refusal(error.text or error.reason, status=error.status))
        finally:
            self._requests.discard(task)

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        """Return an error in the shape of the protocol that is spoken at the address."""
        from aiohttp import web

        if not request.path.startswith("/v1/messages"):
            return web.json_response(refusal.body, status=refusal.status)
        name = f"req_{self._new_id()}"
        body = anthropic.failure(refusal, name)
        return web.json_response(body, status=refusal.status, headers={"request-id": name})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        completion = self._answer(read_chat(await request.read()), "chatcmpl-")
        if completion.chat.stream:
            return await self._stream(request, completion.chunks(), _DONE)
        return web.json_response(completion.whole())

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        completion = self._answer(anthropic.read_messages(await request.read()), "msg_")
        if completion.chat.stream:
            return await self._stream(request, anthropic.events(completion))
        return web.json_response(anthropic.whole(completion))

    async def _count(self, request: web.Request) -> web.Response:
        from aiohttp import web

        chat = anthropic.read_messages(await request.read(), counts=True)
        return web.json_response({"input_tokens": prompt_tokens(chat)})

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        completion = self._answer(responses.read_response(await request.read()), "resp_")
        if completion.chat.stream:
            return await self._stream(request, responses.events(completion))
        return web.json_response(responses.whole(completion))

    def _answer(self, chat: Chat, prefix: str) -> Completion:
        return Completion.of(chat, f"{prefix}{self._new_id()}", int(self._clock()))

    async def _stream(
        self, request: web.Request, events: Iterable[Mapping[str, Any]], end: bytes = b""
    ) -> web.StreamResponse:
        """Send the events, named after their type where they have one, and the end."""
        from aiohttp import web

        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        try:
            await response.prepare(request)
            for event in events:
                if self._pace and _opens_piece(event):
                    await self._sleep(self._pace)
                name = f"event: {event['type']}\n" if "type" in event else ""
                await response.write(f"{name}data: {json.dumps(event)}\n\n".encode())
            if end:
                await response.write(end)
        except ConnectionError:  # the client left between two pieces; nobody is there to tell
            pass
        return response

    async def _models(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response(listed_models(self._began))

    async def _model(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response(listed_model(request.match_info["id"], self._began))

    async def _elsewhere(self, request: web.Request) -> web.Response:
        raise Refusal(
            f"nothing is served at {request.method} {request.path!r}; "
            f"POST /v1/chat/completions, /v1/messages and /v1/responses, and GET /v1/models are",
            status=404,
            code="not_found",
        )


def _opens_piece(event: Mapping[str, Any]) -> bool:
    if "type" in event:
        return event["type"] in _PIECES
    # The pieces of further alternatives follow at once: their number doesn't slow the stream.
    return any(
        choice["index"] == 0 and (choice["delta"].get("content") or "tool_calls" in choice["delta"])
        for choice in event["choices"]
    )
