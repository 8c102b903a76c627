"""One request: limit, send, retry, stream. The only place that knows aiohttp's client."""

from nbconvo.client.accounts import AccountUsage
from nbconvo.client.client import Client

__all__ = ["AccountUsage", "Client"]
