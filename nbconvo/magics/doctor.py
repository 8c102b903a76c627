"""What could be asked from here: servers on this machine that answer, and keys that are found."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nbconvo import services
from nbconvo.display.table import Table
from nbconvo.errors import InputError
from nbconvo.magics.catalogue import key_of
from nbconvo.services.checks import shown_url
from nbconvo.session.workspace import workspace

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Finding", "doctor_table", "look"]

_LONGEST_WAIT = 0.2  # seconds for each server; one on this machine that is idle needs far less
_LONGEST_LIST = 1 << 20  # bytes; what is longer is no list of models
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What answers at the address of a service.

    Attributes:
        said: In words.
        models: Those that it lists.
    """

    said: str
    models: tuple[str, ...] = ()


def doctor_table(*, longest_wait: float = _LONGEST_WAIT) -> Table:
    """Return what answers on this machine and which keys are found, each with the line to use it.

    Asked are addresses on this machine only, each service once, be the address its own or one that
    a variable tells; ``longest_wait`` is in seconds.
    """
    known = [
        (name, service)
        for name, service in services.registered()
        if isinstance(service, services.BaseService) and name != "offline"
    ]
    here = [service for _, service in known if service.keyless or _is_here(_address(service))]
    looking = look(here, longest_wait=longest_wait)
    answers = workspace.bridge.run(looking, nested=workspace.nested)
    findings = dict(zip(here, answers, strict=True))
    rows = [
        (name, _address(service), *_told(name, service, findings.get(service)))
        for name, service in sorted(known, key=lambda one: not one[1].keyless)
    ]
    return Table(("service", "address", "found", "models", "to use it"), tuple(rows))


def _told(name: str, service: services.BaseService, found: Finding | None) -> tuple[str, ...]:
    """Return what is found, the models, and the line to use one of them, if there is a way."""
    default, models = service.default_model, found.models if found else ()
    if service.keyless:
        said = found.said if found else ""
        return said, _shown(models), _line(name, models[0]) if models else ""
    said = key_of(service)
    if found:  # an address of the user's, on this machine
        is_keyed = service.key is not None
        said = f"{found.said.partition(': set ')[0]}; {said}" if is_keyed else found.said
    model = None if default and (not models or default in models) else [*models, "MODEL"][0]
    use = _line(name, model) if service.key is not None or models else ""
    return said, _shown(models) or default or "", use


async def look(
    local: list[services.BaseService], *, longest_wait: float = _LONGEST_WAIT
) -> list[Finding]:
    """Ask each of ``local`` for its models, all at once, and return what was found, in that order.

    ``longest_wait`` is in seconds. No key is sent: who listens there is not known.
    """
    import aiohttp

    # Neither a proxy nor a password file of the environment has a part in this.
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=longest_wait), cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        return await asyncio.gather(*(_found(http, service) for service in local))


async def _found(http: aiohttp.ClientSession, service: services.BaseService) -> Finding:
    import aiohttp

    try:
        request = service.models_request()
        if not _is_here(request.url):
            return Finding("not on this machine: not asked")
        async with http.get(request.url, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _LONGEST_LIST:
                    return Finding("something else answers")
    except TimeoutError:
        return Finding("no answer in time")
    except (aiohttp.ClientConnectorError, ConnectionError):
        return Finding("nothing answers")
    except (aiohttp.ClientError, ValueError):
        return Finding("something else answers")
    except InputError as error:
        return Finding(str(error))
    if response.status in {401, 403}:
        return Finding(f"answers, and asks for a key: set {service.key_variable}")
    return _listed(service, bytes(body)) if response.status == 200 else _other(response.status)


def _listed(service: services.BaseService, body: bytes) -> Finding:
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return _other(200)
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        return _other(200)
    models = tuple(model.id for model in service.models(listed))
    return Finding("answers" if models else "answers, and has no model loaded", models)


def _other(status: int) -> Finding:
    return Finding(f"something answers ({status}), and lists no models")


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(service: services.BaseService) -> str:
    try:
        return shown_url(service.base_url)
    except InputError:
        return ""


def _shown(models: tuple[str, ...]) -> str:
    more = len(models) - _SHOWN
    return ", ".join(models[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _line(name: str, model: str | None) -> str:
    if model is None:
        return f"%%session NAME --service {name}"
    return f"%%session NAME --service {name} --model " + (f'"{model}"' if " " in model else model)
