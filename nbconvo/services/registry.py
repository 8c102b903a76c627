"""Services by name: those of the package, of the notebook, and of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nbconvo.errors import InputError, UnknownName
from nbconvo.services.base import BaseService
from nbconvo.services.chat import ChatService
from nbconvo.services.checks import check_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "get", "knows", "names", "register", "registered"]

#: The group of entry points by which a package offers services, each by the name it is to have;
#: it stands for a service, or for a class of one.
GROUP = "nbconvo.services"

_registry: dict[str, BaseService] = {}
_broken: dict[str, str] = {}
_offered: dict[str, EntryPoint] | None = None


def register(name: str, service: BaseService | type[BaseService]) -> None:
    """Make ``service`` known as ``name``, to ``--service name`` and ``service="name"`` alike.

    Raises:
        InputError: If it is no service, or cannot have that name.
    """
    check_name(name)
    made = service() if isinstance(service, type) else service
    if not isinstance(made, BaseService):
        raise InputError(f"a service such as ChatService(...) can be registered, not {made!r:.80}")
    _registry[name] = made
    _registry[name].listed_as = name


def get(name: str) -> BaseService:
    """Return the service called ``name``; an http address stands for what answers there.

    A service found by its address is from then on also known by the host of it. One that another
    package offers is imported when it is first asked for.

    Raises:
        UnknownName: If there is none, with the nearest known name.
        InputError: If ``name`` begins like an http address and is none, or the package that
            offers the service fails.
    """
    if name not in _registry and name.startswith(("http://", "https://")):
        service = ChatService(base_url=name)  # which checks it, and says what is wrong
        service.name = urlsplit(service.base_url).netloc
        service.listed_as = service.base_url
        _registry[name] = service
    if name in _registry:
        return _registry[name]
    for address, found in reversed(_registry.items()):
        if "/" in address and found.name == name:
            return found
    if name in (offered := _entry_points(anew=True)):
        return _loaded(name, offered[name])
    remedy = f"known are {', '.join(names())}, or the http address of a compatible server"
    raise UnknownName("service", name, names(), remedy)


def knows(name: str) -> bool:
    """Whether ``name`` is that of a service; imports none."""
    return "/" not in name and (name in _registry or name in _entry_points())


def names() -> tuple[str, ...]:
    """Return the names of all known services, those that other packages offer last."""
    own = dict.fromkeys(name for name in _registry if "/" not in name)
    return tuple(own | dict.fromkeys(_entry_points()))


def registered() -> Iterator[tuple[str, BaseService | str]]:
    """Yield each name with its service, or with the reason why it is broken."""
    for name in names():
        try:
            yield name, get(name)
        except InputError:
            yield name, _broken[name]


def _entry_points(*, anew: bool = False) -> dict[str, EntryPoint]:
    """What other packages offer, by name; looked up again only where it may have changed."""
    global _offered
    if _offered is None or anew:
        from importlib.metadata import entry_points

        _offered = {found.name: found for found in reversed(list(entry_points(group=GROUP)))}
    return _offered


def _loaded(name: str, offered: EntryPoint) -> BaseService:
    if name not in _broken:
        try:
            service = offered.load()
            if not (
                isinstance(service, BaseService)
                or (isinstance(service, type) and issubclass(service, BaseService))
            ):
                raise TypeError(f"{offered.value} is not a service")
            register(name, service)
            return _registry[name]
        # Whatever another package's code raises, the other services work.
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())
            _broken[name] = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    package = offered.dist.name if offered.dist else offered.value
    raise InputError(
        f"service {name!r} of {package!r} is broken: {_broken[name]}; mend or remove that package, "
        "and restart the kernel"
    ) from None
