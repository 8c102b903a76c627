"""Where a service is, with whose key, within which limits: what is given, else what is found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Never

from nbconvo import prices
from nbconvo.configs import SHORT_NAMES
from nbconvo.errors import InputError, MissingKey, nearest
from nbconvo.keys import Key, remember
from nbconvo.services.checks import (
    check_headers,
    check_name,
    check_positive,
    checked_key,
    checked_price,
    checked_text,
    checked_url,
    is_loopback,
    masked,
    shown_url,
    unseen_key,
    unseen_url,
)
from nbconvo.services.credentials import Found, credentials
from nbconvo.usage import Usage

__all__ = ["Endpoint"]

# Whether each may be None, and has to be whole.
_NUMBERS = {
    "max_requests_per_minute": (True, False),
    "max_tokens_per_minute": (True, False),
    "max_concurrent": (True, True),
    "max_attempts": (False, True),
    "timeout": (False, False),
    "connect_timeout": (False, False),
    "total_timeout": (False, False),
}


class Endpoint:
    """An address, the key for it, and how far it may be used, whatever is said there.

    Args:
        api_key: The key; by default the one that was asked for with ``%convo key``, else
            ``<NAME>_API_KEY`` in the environment or in ``.env``, else that of the system keyring.
        base_url: The address; by default ``<NAME>_BASE_URL``, else the service's own.
        max_requests_per_minute: Rate limit to keep; ``None`` is none.
        max_tokens_per_minute: Rate limit to keep, input and output together; ``None`` is none.
        max_concurrent: How many requests may be in flight at once; ``None`` is no limit.
        max_attempts: How often one request is tried in all.
        timeout: Seconds to wait for the first byte, and between two.
        connect_timeout: Seconds to wait for a connection.
        total_timeout: Seconds that a request may take in all: its attempts, the pauses between
            them and its reply. Waiting for a limit does not count.
        headers: Sent with every request, over the service's own.
        name: What to call it, where the class's own name does not tell enough.
        price: US dollars for a million tokens of the prompt and of the reply, where no list tells
            them, or another price is agreed; ``(0, 0)`` where nobody charges.

    Raises:
        InputError: If a number is not positive, a text is none, ``base_url`` is not an http
            address, or there is no such setting. Limits, times and headers that are set later
            are checked, too.

    Attributes:
        listed_as: The name under which it is registered; ``None`` if it is not.
    """

    name: str = ""
    headers: Mapping[str, str]
    listed_as: str | None = None
    address: ClassVar[str] = ""
    #: The environment variables that may hold the key, by default ``<NAME>_API_KEY`` alone.
    key_variables: ClassVar[tuple[str, ...]] = ()
    #: Whether it asks for no key even at its own address: a server on this machine.
    keyless: ClassVar[bool] = False
    #: Whether there may be a key all the same.
    takes_key: ClassVar[bool] = True

    def __init__(
        self,
        api_key: str | Key | None = None,
        base_url: str | None = None,
        *,
        max_requests_per_minute: float | None = None,
        max_tokens_per_minute: float | None = None,
        max_concurrent: int | None = None,
        max_attempts: int = 5,
        timeout: float = 120.0,
        connect_timeout: float = 10.0,
        total_timeout: float = 1800.0,
        headers: Mapping[str, str] | None = None,
        name: str | None = None,
        price: tuple[float, float] | None = None,
        **unknown: Never,
    ) -> None:
        # First of all: a traceback that shows local variables must not show these.
        headers, base_url, api_key = masked(headers), unseen_url(base_url), unseen_key(api_key)
        if unknown:
            names = [*unknown]
            unknown.clear()  # what was given may be a key
            raise _unknown(type(self), names[0])
        if checked_text("name", name) is not None:
            check_name(name)
        self.name = name or self.name
        key = checked_key(api_key)
        self._given = None if key is None else Found(key, "argument")
        url = checked_text("base_url", base_url)
        self._base_url = checked_url(url) if url else None
        self.max_requests_per_minute = max_requests_per_minute
        self.max_tokens_per_minute = max_tokens_per_minute
        self.max_concurrent = max_concurrent
        self.max_attempts = max_attempts
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self.total_timeout = total_timeout
        self.headers = headers
        self._price = checked_price(price)

    def __setattr__(self, name: str, value: object) -> None:
        # Not by properties: requests read these often, and nearly nobody sets them.
        if name in _NUMBERS:
            optional, whole = _NUMBERS[name]
            check_positive(name, value, optional=optional, whole=whole)
        elif name == "headers":
            value = masked(value)
            check_headers(value)
        super().__setattr__(name, value)

    @property
    def base_url(self) -> str:
        """The address in force: the argument, else the environment's, else the service's own."""
        if self._base_url:
            return self._base_url
        variable = unseen_url(credentials.variable(self.address_variable))
        url = checked_url(variable) if variable else self.address
        if not url:
            variable = self.address_variable
            raise InputError(
                f"service {self.name!r} has no address; pass base_url=, or set {variable}"
            )
        return url

    @property
    def address_variable(self) -> str:
        """The environment variable that leads it elsewhere."""
        return f"{self._variable_prefix}_BASE_URL"

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key; where none does, the first that could."""
        named = self._key_variables
        return next((name for name in named if credentials.variable(name)), named[0])

    @property
    def key(self) -> Key | None:
        """The key in force, or ``None``. It never prints.

        The system keyring, asked where nothing else tells, may take seconds, the first time
        only; see :attr:`key_at_hand`.
        """
        if (given := self._given) is not None:
            remember(given.key.reveal())  # anew each time: others may have displaced it
            return given.key
        found = credentials.find(self.name, self._key_variables)
        return None if found is None else found.key

    @property
    def found_in(self) -> str | None:
        """Where the key was found; ``None`` if it was not.

        ``argument``, the name of the environment variable, ``.env``, ``keyring``, or ``asked``.
        """
        found = self._given or credentials.find(self.name, self._key_variables)
        return None if found is None else found.where

    @property
    def key_at_hand(self) -> bool:
        """Whether :attr:`key` is told at once, found or not."""
        return self._given is not None or credentials.at_hand(self.name, self._key_variables)

    @property
    def is_set_up(self) -> bool:
        """Whether a key or an address of the user's was found; the keyring is not asked."""
        found = self._given or credentials.without_keyring(self.name, self._key_variables)
        return found is not None or bool(credentials.variable(self.address_variable))

    @property
    def needs_key(self) -> bool:
        """Whether requests are refused without a key: at the service's own address only."""
        return not self.keyless and self.base_url == self.address

    @property
    def price(self) -> tuple[float, float] | None:
        """US dollars for a million tokens of prompt and reply, where it is not a list that tells.

        Nothing is charged by a server on this machine that is meant to run models itself. Of
        another one here it is not known: it may pass requests on to a service that is paid.
        """
        if self._price is None and self.keyless and is_loopback(self.base_url):
            return (0.0, 0.0)
        return self._price

    @property
    def account(self) -> tuple[str, Key | None]:
        """What rate limits belong to: services with equal accounts share one limiter."""
        return (self.base_url, self.key)

    @property
    def typed_as(self) -> str:
        """What stands for it after ``--service`` and ``%convo models``."""
        at_home = self.base_url == self.address
        return self.listed_as or (self.name if at_home else shown_url(self.base_url))

    @property
    def _variable_prefix(self) -> str:
        return _as_variable(self.name)

    @property
    def has_list_price(self) -> bool:
        """Whether a list may tell its price: that is never known of a server on this machine."""
        return self.price is None and not is_loopback(self.base_url)

    def priced(self, usage: Usage, *models: str | None) -> Usage:
        """Return ``usage`` with its cost, unless that was told or is not known.

        ``models`` are the names of the model that answered, the most exact first.
        """
        if usage.cost is not None:
            return usage
        price = self.price
        if price is None and not self.has_list_price:
            return usage
        return prices.priced(usage, self.base_url, models, price)

    @property
    def _key_variables(self) -> tuple[str, ...]:
        return self.key_variables or (f"{self._variable_prefix}_API_KEY",)

    def checked_key(self) -> Key | None:
        """Return the key, or raise ``MissingKey`` where one is needed and there is none."""
        if (key := self.key) is None and self.needs_key:
            raise MissingKey(
                f"{self.name} needs a key: '%convo key {self.typed_as}' asks for it; or set "
                f"{self.key_variable} in the environment or in a file .env beside the notebook; "
                "without one there is --service offline"
            )
        if key is not None and not key.reveal().isprintable():
            raise MissingKey(
                f"the key of {self.name} holds a line break or the like; copy it again"
            )
        return key

    def __repr__(self) -> str:
        limits = "".join(
            f", {label}={value:g}"
            for label in ("max_requests_per_minute", "max_tokens_per_minute", "max_concurrent")
            if (value := getattr(self, label)) is not None
        )
        try:
            address = repr(shown_url(self.base_url))
        except InputError:  # there is none, or one that cannot be used; who asks it is told
            address = "no address"
        return f"{type(self).__name__}({address}{limits})"


@lru_cache(maxsize=64)
def _as_variable(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def _unknown(kind: type[Endpoint], name: str) -> InputError:
    own = [vars(base).get("__init__") for base in kind.__mro__]
    known = {name for init in own for name in getattr(init, "__kwdefaults__", None) or ()}
    known |= {"api_key", "base_url"}
    near = SHORT_NAMES.get(name) or nearest(name, known)
    hint = f"did you mean {near}?" if near else f"it takes {', '.join(sorted(known))}"
    return InputError(f"{kind.__name__} takes no {name}=; {hint}")
