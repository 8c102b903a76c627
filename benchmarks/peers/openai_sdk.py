"""openai-python, told to retry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._client = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=5)

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        reply = await self._client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], max_tokens=max_tokens
        )
        return reply.choices[0].message.content or ""

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        chunks = await self._client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": text}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in chunks:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content

    async def close(self) -> None:
        await self._client.close()
