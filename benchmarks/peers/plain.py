"""Plain aiohttp with the standard library's JSON: what the others are measured against."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client", "Http", "Streamed"]


def _body(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


class Http:
    """Chat completions over one aiohttp session."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/chat/completions"
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": f"Bearer {KEY}"}
        )

    async def whole(self, model: str, text: str, max_tokens: int) -> tuple[int, Any]:
        """Post once; return status and decoded body."""
        body = _body(model, text, max_tokens=max_tokens)
        async with self._http.post(self._url, json=body) as response:
            return response.status, await response.json()

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        """Post once; iterate over the lines."""
        body = _body(model, text, stream=True, stream_options={"include_usage": True})
        async with self._http.post(self._url, json=body) as response:
            async for line in response.content:
                if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    if content := choice["delta"].get("content"):
                        yield content

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


class Client(Peer):
    """No limiter, no retry."""

    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._http = Http(url)

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        _, body = await self._http.whole(model, text, max_tokens)
        content: str = body["choices"][0]["message"]["content"]
        return content

    def stream(self, model: str, text: str) -> AsyncIterator[str]:
        return self._http.stream(model, text)

    async def close(self) -> None:
        await self._http.close()


class Streamed(Client):
    """A whole reply is put together from a stream."""

    ask = Peer.ask
