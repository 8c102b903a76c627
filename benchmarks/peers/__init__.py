"""Clients to compare with, one small adapter each: used as their users would."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from benchmarks.peers.base import Peer, Told
from benchmarks.table import installed

__all__ = ["DISTRIBUTIONS", "PEERS", "Peer", "Told", "choose", "found", "peer_class"]

# The name of a peer: the module with its class ``Client``, or the class itself; the distribution
# that it needs; and the tables that it takes part in.
_PEERS = {
    "aiohttp": ("plain", "aiohttp", "requests streaming"),
    "nbconvo": ("ours", "aiohttp", "requests streaming rates"),
    "nbconvo, HTTP alone": ("bare", "aiohttp", "requests streaming"),
    "aiohttp, streamed": ("plain.Streamed", "aiohttp", "requests"),
    "nbconvo, streamed": ("ours.Streamed", "aiohttp", "requests"),
    "nbconvo ask()": ("asking", "aiohttp", "requests"),
    "openai": ("openai_sdk", "openai", "requests streaming rates"),
    "anthropic": ("anthropic_sdk", "anthropic", "requests"),
    "langchain-openai": ("langchain", "langchain-openai", "requests streaming rates"),
    "lionagi": ("lion", "lionagi", "requests streaming rates"),
    "litellm": ("lite", "litellm", "requests streaming rates"),
    "aiolimiter, smooth": ("smooth", "aiolimiter", "rates"),
    "aiolimiter, a minute": ("leaky", "aiolimiter", "rates"),
    "pyrate-limiter": ("pyrate", "pyrate-limiter", "rates"),
}
PEERS = tuple(_PEERS)
DISTRIBUTIONS = tuple(dict.fromkeys(needs for _, needs, _ in _PEERS.values()))


def peer_class(name: str) -> type[Peer]:
    """Return the adapter of a peer that is installed."""
    module, _, own = _PEERS[name][0].partition(".")
    client: type[Peer] = getattr(import_module(f"benchmarks.peers.{module}"), own or "Client")
    return client


_chosen: set[str] = set()


def choose(names: Sequence[str]) -> None:
    """Leave out all other peers but plain aiohttp and nbconvo, from now on.

    Raises:
        KeyError: If there is no such peer.
    """
    _chosen.update({_PEERS[name][1] for name in names})


def found(table: str) -> tuple[list[str], list[str]]:
    """Return the peers of a table that are installed, and words on those that are not."""
    there, missing = [], []
    for name, (_, needs, tables) in _PEERS.items():
        if table not in tables.split() or (_chosen and needs not in {*_chosen, "aiohttp"}):
            continue
        if installed(needs) is None:
            missing.append(f"{name} is left out: {needs} is not installed.")
        else:
            there.append(name)
    return there, missing
