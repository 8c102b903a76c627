"""One request: limit, send, retry, stream. The only place that knows aiohttp's client."""

from nbconvo.client.client import Client

__all__ = ["Client"]
