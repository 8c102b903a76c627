"""lionagi's iModel, with its own limits where they are told."""

from __future__ import annotations

from typing import Any

from lionagi import iModel

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._models: dict[str, Any] = {}

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        call = await self._model(model).invoke(
            messages=[{"role": "user", "content": text}], max_tokens=max_tokens
        )
        return str(call.response["choices"][0]["message"]["content"])

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
                **limits,
            )
        return self._models[name]
