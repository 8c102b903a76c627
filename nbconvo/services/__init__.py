"""Services: what turns messages into a request and a response into deltas; and their registry."""

from __future__ import annotations

from urllib.parse import urlsplit

from nbconvo.errors import InputError, UnknownName
from nbconvo.services.anthropic import AnthropicService
from nbconvo.services.base import BaseService, Feature, ModelInfo, Request
from nbconvo.services.chat import ChatService
from nbconvo.services.presets import OpenAIService, OpenRouterService
from nbconvo.services.responses import ResponsesService

__all__ = [
    "AnthropicService",
    "BaseService",
    "ChatService",
    "Feature",
    "ModelInfo",
    "OpenAIService",
    "OpenRouterService",
    "Request",
    "ResponsesService",
    "get",
    "names",
    "register",
]

_registry: dict[str, BaseService] = {}


def register(name: str, service: BaseService | type[BaseService]) -> None:
    """Make ``service`` known as ``name``, to ``--service name`` and ``service="name"`` alike."""
    if not name or any(character.isspace() or character in ":/" for character in name):
        raise InputError(f"a service's name is one word without ':' or '/', not {name!r}")
    _registry[name] = service() if isinstance(service, type) else service
    _registry[name].listed_as = name


def get(name: str) -> BaseService:
    """Return the service called ``name``; an http address stands for what answers there.

    A service found by its address is from then on also known by the host of it.

    Raises:
        UnknownName: If there is none, with the nearest known name.
        InputError: If ``name`` begins like an http address and is none.
    """
    if name not in _registry and name.startswith(("http://", "https://")):
        service = ChatService(base_url=name)  # which checks it, and says what is wrong
        service.name = urlsplit(service.base_url).netloc
        service.listed_as = service.base_url
        _registry[name] = service
    try:
        return _registry[name]
    except KeyError:
        for address, found in reversed(_registry.items()):
            if "/" in address and found.name == name:
                return found
        remedy = f"known are {', '.join(names())}, or the http address of a compatible server"
        raise UnknownName("service", name, names(), remedy) from None


def names() -> tuple[str, ...]:
    """Return the names of all known services."""
    return tuple(name for name in _registry if "/" not in name)


register("openai", OpenAIService)
register("openrouter", OpenRouterService)
register("anthropic", AnthropicService)
register("openai-responses", ResponsesService)
