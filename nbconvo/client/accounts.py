"""What belongs to one account at a service: its limiter, its limits, what its replies took."""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from nbconvo import tokens
from nbconvo.client.circuit import Circuit
from nbconvo.limiter import LimiterUsage, LocalLimiter, Permit
from nbconvo.services import BaseService
from nbconvo.services.checks import shown_url
from nbconvo.services.limits import limits_told
from nbconvo.usage import Usage

__all__ = ["Account", "AccountUsage", "Accounts"]

_COUNTER_KEPT = 2.0  # seconds; to look for its file takes as long as to send a request
_TYPICAL_OUTPUT = 256  # tokens, until replies have been seen


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """A snapshot of an account that was asked.

    Attributes:
        name: The name of its service, with a number from the second account on: ``openai (2)``.
        address: Where the service is; nothing in it is secret.
        limits: What its limiter admits and has admitted.
        history: The requests sent in each 5 s of the last 5 minutes, oldest first.
        usage: What all its replies took, those that broke off included. What a service says of
            its tokens and cost counts; a reply of which it said nothing makes the cost unknown.
    """

    name: str
    address: str
    limits: LimiterUsage
    history: tuple[int, ...]
    usage: Usage


class _Limits(TypedDict):
    max_requests_per_minute: float | None
    max_tokens_per_minute: float | None
    max_concurrent: int | None


class Account:
    """One account, whichever of the services that share it asks; its methods are the I/O thread's.

    Attributes:
        limiter: Admits its requests.
        circuit: Opens when the service is down.
        usage: What its replies took; replaced whole, so that it may be read from any thread.
        replies: How many came whole.
    """

    __slots__ = (
        "_counters",
        "_limits",
        "_mean_output",
        "_sharing",
        "_stated",
        "circuit",
        "limiter",
        "replies",
        "usage",
    )

    def __init__(self, name: str) -> None:
        self.limiter = LocalLimiter(name=name, seeks=True)
        self.circuit = Circuit(name)
        self.usage = Usage()
        self.replies = 0
        self._limits = _stated_by(())
        # In the order in which they asked last.
        self._sharing: list[weakref.ref[BaseService]] = []
        self._stated: tuple[float | None, ...] = ()
        self._mean_output: dict[str | None, float] = {}
        self._counters: dict[str | None, tuple[float, Callable[[str], int]]] = {}

    def share(self, service: BaseService) -> None:
        """Keep the limits that ``service`` and the others with this account state now.

        A limit that one leaves open is the others'; of those that set it, the last that asked.
        """
        stated = (
            service.max_requests_per_minute,
            service.max_tokens_per_minute,
            service.max_concurrent,
        )
        if stated == self._stated and len(self._sharing) == 1 and self._sharing[0]() is service:
            return  # it is alone, and states what it did
        alive = (reference() for reference in self._sharing)
        sharing = [other for other in alive if other is not None and other is not service]
        sharing.append(service)
        limits = _stated_by(sharing)
        if limits != self._limits:
            self.limiter.set_limits(**limits)
            self._limits = limits
        self._sharing = [weakref.ref(sharer) for sharer in sharing]
        self._stated = stated

    def unshare(self) -> None:
        """Forget the services; the limits that they stated hold until the next one asks."""
        self._sharing = []

    def counter(self, model: str | None) -> Callable[[str], int]:
        """Return what counts the tokens of a text for ``model``."""
        now = time.monotonic()
        until, count = self._counters.get(model, (now, tokens.estimate))
        if until <= now:
            count = tokens.counter(model)
            self._counters[model] = now + _COUNTER_KEPT, count
        return count

    def typical_output(self, model: str | None) -> float:
        """Return how many tokens a reply of ``model`` had so far."""
        return self._mean_output.get(model, _TYPICAL_OUTPUT)

    def learn_output(self, model: str | None, tokens: float) -> None:
        """Remember that a reply of ``model`` came whole, and had so many tokens."""
        self.replies += 1
        mean = self._mean_output.get(model, tokens)
        self._mean_output[model] = mean + 0.2 * (tokens - mean)

    def observe(self, permit: Permit, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Let the limiter learn from a response: ``refused`` says that it kept to a rate limit."""
        self.limiter.observe(permit, limits_told(headers), refused=refused)

    def settle(self, permit: Permit, tokens: int | None, usage: Usage | None) -> None:
        """End a request as the limiter does; ``usage`` is what its reply took, if any came."""
        self.limiter.settle(permit, tokens, None if usage is None else usage.output_tokens)
        if usage is not None:
            self.usage += usage


class Accounts:
    """All accounts of a client. Only :meth:`usages` may be called from any thread."""

    def __init__(self) -> None:
        self._accounts: dict[object, Account] = {}
        # Name, address and account, in the order in which they were first asked; replaced whole,
        # so that another thread always reads a consistent one.
        self._asked: tuple[tuple[str, str, Account], ...] = ()
        self._shown: set[Account] = set()

    def of(self, service: BaseService) -> Account:
        """Return the account of ``service``."""
        key = service.account
        if (account := self._accounts.get(key)) is None:
            account = self._accounts[key] = Account(service.name)
        return account

    def knows(self, service: BaseService) -> bool:
        """Whether the account of ``service`` was asked for before."""
        return service.account in self._accounts

    def show(self, account: Account, service: BaseService) -> None:
        """List the account from now on, by the name of the service that was first to ask it."""
        if account not in self._shown:
            self._shown.add(account)
            name, address = self._free_name(service.name), shown_url(service.base_url)
            self._asked = (*self._asked, (name, address, account))

    def usages(self) -> tuple[AccountUsage, ...]:
        """Return a snapshot of each account that was asked; cheap, and safe from any thread."""
        return tuple(
            AccountUsage(
                name, address, account.limiter.usage(), account.limiter.history(), account.usage
            )
            for name, address, account in self._asked
        )

    def unshare(self) -> None:
        """Forget the services that asked; what was used stays."""
        for account in self._accounts.values():
            account.unshare()

    def _free_name(self, name: str) -> str:
        taken = {taken for taken, _, _ in self._asked}
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        return next(free for free in itertools.chain((name,), numbered) if free not in taken)


def _stated_by(sharing: Sequence[BaseService]) -> _Limits:
    return {
        "max_requests_per_minute": _stated("max_requests_per_minute", sharing),
        "max_tokens_per_minute": _stated("max_tokens_per_minute", sharing),
        "max_concurrent": _stated("max_concurrent", sharing),
    }


def _stated(limit: str, sharing: Sequence[BaseService]) -> Any:
    """Return what the service that asked last says of ``limit``, of those that say anything."""
    for service in reversed(sharing):
        if (value := getattr(service, limit)) is not None:
            return value
    return None
