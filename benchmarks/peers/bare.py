"""nbconvo's connections alone: no limiter, no retry, no checks. What is left is the floor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from benchmarks.peers.base import KEY, Peer, Told
from nbconvo.client.http import Pool, Response
from nbconvo.sse import Decoder

__all__ = ["Client"]

_HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}


class Client(Peer):
    """Bytes to aiohttp's connections and from them, and JSON by orjson."""

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._url = f"{url}/chat/completions"
        self._pool = Pool()

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        response = await self._post(model, text, max_tokens=max_tokens)
        data = await response.chunk()
        while not response.read:
            data += await response.chunk()
        response.close()
        content: str = orjson.loads(data)["choices"][0]["message"]["content"]
        return content

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        response = await self._post(model, text, stream=True)
        decoder = Decoder()
        while data := await response.chunk():
            for event in decoder.data(data):
                if event != b"[DONE]":
                    for choice in orjson.loads(event)["choices"]:
                        if content := choice["delta"].get("content"):
                            yield content
        response.close()

    async def close(self) -> None:
        await self._pool.close()

    async def _post(self, model: str, text: str, **more: Any) -> Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        route = self._pool.route("POST", self._url, _HEADERS)
        connection = await self._pool.connect(route, 10.0)
        response = self._pool.send(connection, route, orjson.dumps(body), {})
        await response.head()
        return response
