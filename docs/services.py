"""The tables of ``docs/services.md``, made of the classes of the services.

``python docs/services.py`` writes them into the page anew; a test compares the two. What a service
can do is found out by asking its class for a request. What only the service itself decides, the
headers and the costs that come with its replies, stands below, in its own documentation's words or
as replies were seen to have it, and is read with what reads replies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nbconvo import prices
from nbconvo.errors import InputError
from nbconvo.messages import Attachment, Message
from nbconvo.services import BaseService, registered
from nbconvo.services.chat_reading import read_usage
from nbconvo.services.limits import limits_told
from nbconvo.session.workspace import workspace
from nbconvo.specs import SchemaSpec, ToolSpec

PAGE = Path(__file__).parent / "services.md"

_OPENAI = ("x-ratelimit-{}-requests", "x-ratelimit-{}-tokens")
#: The headers in which services tell of their limits.
HEADERS = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "groq": _OPENAI,
    "xai": _OPENAI,
    "anthropic": tuple(
        f"anthropic-ratelimit-{what}-{{}}"
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    "mistral": ("x-ratelimit-{}-req-10-second", "x-ratelimit-{}-tokens-minute"),
    "together": ("x-ratelimit-{}", "x-tokenlimit-{}"),
    "openrouter": ("x-ratelimit-{}",),
}
ONLY_WHEN_REFUSED = frozenset({"openrouter"})
#: What services add to the usage of a reply.
COSTS: dict[str, dict[str, Any]] = {
    "openrouter": {"cost": 0.5},
    "perplexity": {"cost": {"total_cost": 0.5}},
}
#: Where a service is that is at another address for everybody.
ADDRESSES = {"azure": "https://NAME.openai.azure.com"}

#: The model that is asked where it is not the one that is asked if none is named.
MODELS = {"offline": "echo"}

_SCHEMA = SchemaSpec("Joke", {"type": "object", "properties": {}, "additionalProperties": False})
_TOOL = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})


def own_services() -> dict[str, BaseService]:
    """Return the services of this package by name, whatever the environment says of them."""
    assert workspace.DEFAULT  # imported: that registers the offline service
    found = {}
    for name, service in registered():
        kind = type(service)
        if isinstance(service, BaseService) and kind.__module__.startswith("nbconvo."):
            address = ADDRESSES.get(name, kind.address)
            found[name] = kind(base_url=address) if address else kind()
    return found


def keys() -> str:
    """Return the table of what a service needs to be asked."""
    rows = [
        (
            f"`{name}`",
            "none" if name == "offline" else _variables(service),
            "" if name == "offline" else f"`{service.address_variable}`",
            f"`{service.address}`" if service.address else "",
            f"`{service.default_model}`" if service.default_model else "",
        )
        for name, service in own_services().items()
    ]
    return _table(("service", "key", "address", "if not set", "model, if none is named"), rows)


def abilities() -> str:
    """Return the table of what a service can do."""
    rows = [
        (f"`{name}`", *(column(name, service) for column in COLUMNS.values()))
        for name, service in own_services().items()
    ]
    return _table(("service", *COLUMNS), rows)


def page(text: str) -> str:
    """Return the text of the page with its tables made anew."""
    for name, table in (("keys", keys()), ("abilities", abilities())):
        marks = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
        text, times = marks.subn(lambda found, table=table: found[1] + table + found[2], text)
        assert times == 1, f"the page has {times} places for the table {name!r}"
    return text


def _variables(service: BaseService) -> str:
    named = service.key_variables or (service.key_variable,)
    variables = " or ".join(f"`{name}`" for name in named)
    return f"{variables}, if it asks for one" if service.keyless else variables


def _asked(
    service: BaseService, attached: Attachment | None = None, **options: Any
) -> dict[str, Any] | None:
    """Return the body of a request, or ``None`` where the service says that it can't be asked."""
    message = Message(role="user", content="?", attachments=(attached,) if attached else ())
    model = MODELS.get(service.name) or service.default_model or "small"
    try:
        service.check((message,), options)
        return dict(service.request((message,), model, options).body or {})
    except InputError:
        return None


def _stream(name: str, service: BaseService) -> str:
    return _yes((_asked(service, stream=True) or {}).get("stream"))


def _tools(name: str, service: BaseService) -> str:
    return _yes(_asked(service, tools=(_TOOL,)))


def _schema(name: str, service: BaseService) -> str:
    if "schema" in service.features:
        assert '"json_schema"' in json.dumps(_asked(service, schema=_SCHEMA))
        return "enforced"
    return "as a tool" if "tools" in service.features else ""


def _images(name: str, service: BaseService) -> str:
    return _yes(_asked(service, Attachment("image/png", b"x")))


def _files(name: str, service: BaseService) -> str:
    kinds = {"texts": Attachment("text/plain", b"x"), "PDF": Attachment("application/pdf", b"x")}
    return ", ".join(kind for kind, file in kinds.items() if _asked(service, file))


def _reasoning(name: str, service: BaseService) -> str:
    if not _asked(service, reasoning="low"):
        return ""
    in_tokens = "2048" in json.dumps(_asked(service, reasoning=2048))
    return "levels, tokens" if in_tokens else "levels"


def _usage(name: str, service: BaseService) -> str:
    return "asked for" if "stream_options" in (_asked(service, stream=True) or {}) else "told"


def _limits(name: str, service: BaseService) -> str:
    headers = {
        pattern.format(field): "9"
        for pattern in HEADERS.get(name, ())
        for field in ("limit", "remaining")
    }
    counts = dict.fromkeys(told.counts.replace("_", " ") for told in limits_told(headers))
    when = " (when refused)" if name in ONLY_WHEN_REFUSED else ""
    return ", ".join(counts) + when


def _price(name: str, service: BaseService) -> str:
    usage = read_usage({"prompt_tokens": 1, **COSTS.get(name, {})})
    if usage is not None and usage.cost is not None:
        return "the service"
    if service.price == (0, 0):
        return "free"
    listed = prices.listed(service.base_url, service.default_model or "gpt-4o")
    return "a list" if listed.input_price is not None else ""


def _yes(value: object) -> str:
    return "yes" if value else ""


#: What each column of the second table holds.
COLUMNS: dict[str, Callable[[str, BaseService], str]] = {
    "stream": _stream,
    "tools": _tools,
    "schema": _schema,
    "images": _images,
    "files": _files,
    "reasoning": _reasoning,
    "usage": _usage,
    "limits in headers": _limits,
    "price from": _price,
}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(header) + " |"
        yield "|" + "---|" * len(header)
        for row in rows:
            yield "| " + " | ".join(row) + " |"

    return "".join(line + "\n" for line in lines())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
