"""lionagi's iModel, with its own limits where they are told.

It counts tokens with tiktoken, which would download a vocabulary: no request of a benchmark leaves
loopback, so the 256 bytes stand in for it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import tiktoken
import tiktoken.registry
from lionagi import iModel

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would print a line for each request
for name in ("o200k_base", "cl100k_base"):
    ranks = {bytes([byte]): byte for byte in range(256)}
    tiktoken.registry.ENCODINGS[name] = tiktoken.Encoding(
        name, pat_str=r"(?s:.)", mergeable_ranks=ranks, special_tokens={}
    )


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._models: dict[str, Any] = {}

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        call = await self._model(model).invoke(
            messages=[{"role": "user", "content": text}], max_tokens=max_tokens
        )
        return str(call.response["choices"][0]["message"]["content"])

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        chunks = self._model(model).stream(messages=[{"role": "user", "content": text}])
        async for chunk in chunks:
            if chunk.type == "text" and chunk.content:
                yield str(chunk.content)

    async def close(self) -> None:
        for model in self._models.values():
            await model.executor.stop()

    def _model(self, name: str) -> Any:
        if name not in self._models:
            limits: dict[str, Any] = {}
            if self.told.requests is not None:
                limits |= {"limit_requests": int(self.told.requests), "interval": 60}
            if self.told.tokens is not None:
                limits |= {"limit_tokens": int(self.told.tokens), "interval": 60}
            self._models[name] = iModel(
                provider="openai",
                endpoint="chat/completions",
                model=name,
                api_key=KEY,
                base_url=self.url,
                queue_capacity=10_000,
                allow_local_network=True,
                **limits,
            )
        return self._models[name]
