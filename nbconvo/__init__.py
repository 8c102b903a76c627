"""Conversations with language models that live in a notebook.

``%load_ext nbconvo`` brings the magics ``%%session``, ``%%ask``, ``%%exchange`` and ``%convo``;
:class:`Session`, :func:`exchange` and :func:`run` are the same from Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from IPython.core.interactiveshell import InteractiveShell

    from nbconvo import configs, errors, log, services
    from nbconvo.messages import Delta, Message
    from nbconvo.panel import Panel
    from nbconvo.participants import exchange
    from nbconvo.session import Reply, Session
    from nbconvo.session.workspace import workspace as sessions
    from nbconvo.usage import Usage

__version__ = "0.1.0"

__all__ = [
    "Delta",
    "Message",
    "Panel",
    "Reply",
    "Session",
    "Usage",
    "__version__",
    "configs",
    "errors",
    "exchange",
    "load_ipython_extension",
    "log",
    "run",
    "services",
    "sessions",
    "unload_ipython_extension",
]

_HOMES = {
    "Delta": "nbconvo.messages",
    "Message": "nbconvo.messages",
    "Panel": "nbconvo.panel",
    "Reply": "nbconvo.session",
    "Session": "nbconvo.session",
    "Usage": "nbconvo.usage",
    "exchange": "nbconvo.participants",
}
_MODULES = ("configs", "errors", "log", "services")

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine``, such as ``session.ask("...")``, from sync code and return its result.

    It runs on nbconvo's own thread, so a running event loop, as in a notebook, is no obstacle.

    Raises:
        InputError: If it is no coroutine.
        Stopped: If the user interrupts; what had come of a reply is kept.
    """
    from collections.abc import Coroutine

    from nbconvo.session import workspace

    given: object = coroutine
    if not isinstance(given, Coroutine):
        from nbconvo.errors import InputError

        raise InputError(f'run() takes a coroutine such as session.ask("..."), not {given!r:.80}')
    return workspace.bridge.run(coroutine, nested=workspace.nested)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext nbconvo``."""
    from nbconvo.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Undo all that loading did, connections included; called by ``%unload_ext nbconvo``."""
    from nbconvo.magics import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    # Public names come from their modules on first use: importing nbconvo imports little.
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"nbconvo.{name}")
    if name == "sessions":
        return importlib.import_module("nbconvo.session").workspace
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nbconvo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
