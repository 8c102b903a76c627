"""litellm: its router where limits are told, else its functions.

Its list of prices is the one that it brings: no request of a benchmark leaves loopback.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

from benchmarks.peers.base import KEY, Peer, Told

__all__ = ["Client"]


class Client(Peer):
    def __init__(self, url: str, told: Told) -> None:
        super().__init__(url, told)
        self._params = {"api_base": url, "api_key": KEY}
        self._routers: dict[str, litellm.Router] = {}

    async def ask(self, model: str, text: str, max_tokens: int) -> str:
        given: dict[str, Any] = {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": max_tokens,
        }
        if self.told == Told():
            reply = await litellm.acompletion(model=f"openai/{model}", **self._params, **given)
        else:
            reply = await self._router(model).acompletion(model=model, **given)
        return str(reply.choices[0].message.content)

    async def stream(self, model: str, text: str) -> AsyncIterator[str]:
        chunks = await litellm.acompletion(
            model=f"openai/{model}",
            messages=[{"role": "user", "content": text}],
            stream=True,
            stream_options={"include_usage": True},
            **self._params,
        )
        async for chunk in chunks:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content

    def _router(self, model: str) -> litellm.Router:
        if model not in self._routers:
            limits = {"rpm": self.told.requests, "tpm": self.told.tokens}
            params = {
                "model": f"openai/{model}",
                **self._params,
                **{name: int(value) for name, value in limits.items() if value is not None},
            }
            self._routers[model] = litellm.Router(
                model_list=[{"model_name": model, "litellm_params": params}], num_retries=5
            )
        return self._routers[model]
