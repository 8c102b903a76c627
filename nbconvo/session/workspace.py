"""What all sessions of a process share: their names, the settings, the client and its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbconvo import host, services
from nbconvo.bridge import Bridge
from nbconvo.budget import Budget
from nbconvo.errors import InputError, UnknownName
from nbconvo.offline.service import OfflineService
from nbconvo.services import BaseService
from nbconvo.services.credentials import credentials

if TYPE_CHECKING:
    from nbconvo.client import AccountUsage, Client
    from nbconvo.session.session import Session
    from nbconvo.settings import NbConvo

__all__ = ["Workspace", "split_model", "workspace"]

services.register("offline", OfflineService)
credentials.reads_dotenv = lambda: host.settings().dotenv


class Workspace:
    """The sessions by name, and what their requests go through.

    One for the process: the magics and the Python API must see the same sessions, and the
    limits of an account can be kept only in one place.
    """

    #: The name of the notebook's own session, which needs none.
    DEFAULT = "default"
    #: The services that sessions which name none may ask, those that come first first.
    ORDER = (
        "openai",
        "anthropic",
        "openrouter",
        "gemini",
        "groq",
        "mistral",
        "deepseek",
        "xai",
        "together",
        "perplexity",
    )

    def __init__(self) -> None:
        self.bridge = Bridge(self._close_client)
        self._current = self.DEFAULT
        self._watchers: tuple[Callable[[], None], ...] = ()
        self._budget = Budget("the kernel's budget", "%config NbConvo.budget = {}")
        self._sessions: dict[str, Session] = {}
        self._client: Client | None = None
        self._inherited: list[Client] = []
        self._client_loop: asyncio.AbstractEventLoop | None = None

    @property
    def current(self) -> str:
        """The name of the session that a bare ``%%ask`` talks to."""
        return self._current

    @current.setter
    def current(self, name: str) -> None:
        self._current = name
        self.changed()

    def watch(self, ring: Callable[[], None]) -> None:
        """Call ``ring`` whenever a session begins, changes or ends; on any thread, so briefly."""
        self._watchers = (*self._watchers, ring)

    def unwatch(self, ring: Callable[[], None]) -> None:
        """Call ``ring`` no more."""
        self._watchers = tuple(other for other in self._watchers if other != ring)

    def changed(self) -> None:
        """Tell all who watch that there is something new to read; called by what changes."""
        for ring in self._watchers:
            ring()

    @property
    def settings(self) -> NbConvo:
        """The settings in force."""
        return host.settings()

    @property
    def nested(self) -> bool:
        """Whether the kernel's own event loop is to turn while a cell waits."""
        return self.settings.loop == "kernel"

    @property
    def budget(self) -> Budget:
        """What all requests of the process may cost together, as it is set now."""
        self._budget.limit = self.settings.budget
        return self._budget

    @property
    def client(self) -> Client:
        """The client, made on first use; for the I/O thread only."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client_loop is not loop:
            from nbconvo.client import Client

            # After a fork the old one stays referenced: collected, it would close connections
            # that the parent process uses.
            if self._client is not None:
                self._inherited.append(self._client)
            self._client, self._client_loop = Client(), loop
        return self._client

    def warm(self, service: BaseService) -> None:
        """Prepare the first request to ``service`` on the I/O thread, while its user types it.

        Returns at once; sends no request and tells of no failure.
        """

        async def warm() -> None:
            await self.client.warm(service)  # to import the client is most of the work

        self.bridge.start(warm())

    def keep_limits(self, service: BaseService) -> None:
        """Have the limits that ``service`` states now in force, for those who wait, too."""
        if self._client is None or not service.key_at_hand:
            return  # nobody has asked it yet

        async def keep() -> None:
            with suppress(InputError):  # it has no address that can be used, so nobody could
                self.client.keep_limits(service)

        self.bridge.run(keep())
        self.changed()

    def accounts(self) -> tuple[AccountUsage, ...]:
        """What each account that was asked has used; cheap, from any thread, and starts none."""
        client = self._client
        return () if client is None else client.accounts()

    def default_service(self) -> BaseService:
        """The service of sessions that name none.

        The configured one, else the first of :attr:`ORDER` whose key or address is found without
        the keyring, else the offline service.
        """
        if name := self.settings.resolved("service"):
            return services.get(name)
        if (model := self.settings.resolved("model")) and (named := split_model(model)[0]):
            return named
        for name in filter(services.knows, self.ORDER):
            if services.get(name).is_set_up:
                return services.get(name)
        return services.get("offline")

    def default_model(self, service: BaseService, option: str | None = None) -> str | None:
        """The model for sessions that name none, at ``service``.

        The configured model belongs to the configured service: no other is asked for it. Next
        comes the ``option`` that sessions begin with, then the service's own default.
        """
        if (model := self.settings.resolved("model")) and service is self.default_service():
            return split_model(model)[1]
        if option:
            named, model = split_model(option)
            if named is service or (named is None and service.name != "offline"):
                return model
        return service.default_model

    def add(self, session: Session, name: str) -> None:
        """Make ``session`` known as ``name``, in place of one that was; warn if that had talked."""
        if (old := self._sessions.get(name)) is not None and len(old.conversation):
            import warnings

            said = f"{len(old.conversation)} messages"
            text = f"a new session takes the name {name!r}; the old one, with {said}, loses it"
            warnings.warn_explicit(text, UserWarning, "nbconvo", 1)
        self._sessions[name] = session
        self.changed()

    def get(self, name: str) -> Session:
        """Return the session called ``name``.

        Raises:
            UnknownName: If there is none, with the nearest known name.
        """
        if name not in self._sessions:
            if "," in name:
                raise UnknownName("session", name, (), "names are separated by spaces")
            remedy = f"begin one with: %%session {name}"
            raise UnknownName("session", name, self._sessions, remedy)
        return self._sessions[name]

    def own(self) -> Session:
        """Return the current session; the notebook's own begins when it is first asked."""
        from nbconvo.session.session import Session

        if self.current == self.DEFAULT and self.DEFAULT not in self:
            return Session(name=self.DEFAULT)
        return self.get(self.current)

    def remove(self, name: str) -> None:
        """Forget the session called ``name``, if there is one; its log stays."""
        self._sessions.pop(name, None)
        self.changed()

    __getitem__ = get

    def __contains__(self, name: object) -> bool:
        return name in self._sessions

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def names(self) -> tuple[str, ...]:
        """The names of all sessions, oldest first."""
        return tuple(self._sessions)

    def close(self) -> None:
        """End the I/O thread with all that is open on it. The next request begins anew."""
        self.bridge.close()

    def _close_client(self) -> Coroutine[Any, Any, None]:
        """Let go of the client at once, so that the next thread makes its own; close it after."""
        client, self._client = self._client, None

        async def close() -> None:
            if client is not None:
                await client.close()

        return close()


def split_model(model: str) -> tuple[BaseService | None, str]:
    """Split ``service:model`` where the first part is a known service; else it is all model."""
    name, colon, rest = model.partition(":")
    if colon and rest and services.knows(name):
        return services.get(name), rest
    return None, model


workspace = Workspace()
