"""anthropic-python; its requests go to ``/v1/messages``."""

from __future__ import annotations

import anthropic

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url.removesuffix("/v1"))

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        reply = await self._client.messages.create(
            model=model, messages=[{"role": "user", "content": text}], max_tokens=max_tokens
        )
        return "".join(block.text for block in reply.content if block.type == "text")

    async def close(self) -> None:
        await self._client.close()
