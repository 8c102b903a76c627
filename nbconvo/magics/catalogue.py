"""What there is to ask: the services, and the models of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nbconvo import prices, services
from nbconvo.display.table import Table
from nbconvo.errors import InputError
from nbconvo.services.checks import shown_url
from nbconvo.session.workspace import workspace

__all__ = ["key_of", "models_table", "services_table"]

T = TypeVar("T")


def services_table() -> Table:
    """Return each service with its key (found or not), address and limits, or why it is broken."""
    default, rows = workspace.default_service(), []
    known: dict[services.BaseService, str] = {}
    for name, service in services.registered():
        if isinstance(service, str):
            rows.append((name, "broken", service, "", ""))
        else:
            known[service] = name
    in_use = (default, *(session.service for session in workspace))
    listed = [
        (
            known.get(service, service.name) + (" (default)" if service is default else ""),
            key_of(service),
            _address_of(service),
            *map(_limit, (service.max_requests_per_minute, service.max_tokens_per_minute)),
        )
        for service in dict.fromkeys((*known, *in_use))
    ]
    header = ("service", "key", "address", "requests/min", "tokens/min")
    return Table(header, (*listed, *rows))


def models_table(name: str | None = None, wanted: str = "") -> Table:
    """Return the models that a service offers, those with ``wanted`` in their names.

    Prices are US dollars for a million tokens. What the service does not tell is, marked ``~``,
    what a list holds of its models; what neither knows is left blank.

    Raises:
        UnknownName: If there is no such service.
        MissingKey, ServiceError: If it does not list its models.
    """
    service = services.get(name) if name else workspace.default_service()

    async def offered() -> tuple[services.ModelInfo, ...]:
        return await workspace.client.models(service)

    rows = tuple(
        _model(service, model)
        for model in workspace.bridge.run(offered(), nested=workspace.nested)
        if wanted.casefold() in model.id.casefold()
    )
    none = f"{service.name} has no model with {wanted!r} in its name" if wanted else "no models"
    return Table(("model", "context", "$/M in", "$/M out"), rows, empty=none)


def key_of(service: services.BaseService) -> str:
    """Return in words whether the key of ``service`` is found, and where."""
    found = service.found_in
    if found is None:
        return f"{service.key_variable} missing" if service.needs_key else "not needed"
    return {
        "argument": "given",
        ".env": f"{service.key_variable} found in .env",
        "keyring": "found in the keyring",
        "asked": "asked for",
    }.get(found, f"{found} found")


def _model(service: services.BaseService, model: services.ModelInfo) -> tuple[str, ...]:
    known = prices.Listed()
    if service.has_list_price and None in (model.context, model.input_price, model.output_price):
        known = prices.listed(service.base_url, model.id)
    return (
        model.id,
        _either(_length, model.context or None, known.context),
        _either(_price, model.input_price, known.input_price),
        _either(_price, model.output_price, known.output_price),
    )


def _either(shown: Callable[[T], str], told: T | None, listed: T | None) -> str:
    if told is not None:
        return shown(told)
    return "" if listed is None else "~" + shown(listed)


def _length(tokens: int) -> str:
    return f"{tokens:,}"


def _address_of(service: services.BaseService) -> str:
    if service.listed_as == "offline":
        return "started on first use"
    try:
        return shown_url(service.base_url)
    except InputError:
        return f"{service.address_variable} missing"


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:,g}"


def _price(price: float) -> str:
    return f"${price:,.4f}".rstrip("0").rstrip(".")
