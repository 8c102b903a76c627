"""``%convo key``: ask for a key without showing it, and forget it."""

from __future__ import annotations

import argparse
import getpass
from typing import Any

from nbconvo import services
from nbconvo.errors import InputError, Stopped
from nbconvo.keys import Masked
from nbconvo.services.credentials import credentials
from nbconvo.session.workspace import workspace

__all__ = ["key"]


def key(words: list[str], args: argparse.Namespace, asking: Any) -> None:
    """Ask for the key of a service, or forget it; say what holds from now on.

    Raises:
        UnknownName: If there is no such service.
        InputError: If there is nobody to ask, it has no key, or the keyring can't keep it.
        Stopped: If the user interrupts.
    """
    service = services.get(words[0])
    if not service.takes_key:
        raise InputError(f"{service.name} has no key: it can be asked as it is")
    if args.forget:
        gone = " and ".join(credentials.forget(service.name))
        print(f"{service.name}: " + (f"key gone from {gone}" if gone else "no key to forget"))
    else:
        credentials.ask(service.name, _asked(service), keep=args.keyring)
        where = "in the system keyring" if args.keyring else "for this process"
        print(f"{service.name}: key kept {where}")
    workspace.changed()
    if (found := service.found_in) not in {None, "keyring", "asked"}:
        print(f"in use is the key of {'api_key=' if found == 'argument' else found}")


def _asked(service: services.BaseService) -> Masked:
    """Return what is typed; in a kernel, ipykernel puts its own way to ask in getpass's place."""
    try:
        return Masked(getpass.getpass(f"Key of {service.name}: "))
    except (EOFError, NotImplementedError):  # no standard input; a front end that can't ask
        raise InputError(
            f"nobody can be asked here; set {service.key_variable} in the environment "
            "or in a file .env"
        ) from None
    except KeyboardInterrupt:
        raise Stopped("no key was taken") from None
