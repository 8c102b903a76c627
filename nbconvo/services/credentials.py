"""Where keys and addresses are found: argument, environment, ``.env``, keyring, or asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nbconvo.errors import InputError
from nbconvo.keys import Key, Masked, remember
from nbconvo.services.dotenv_file import DOTENV, DotEnv
from nbconvo.services.system_keyring import SystemKeyring

__all__ = ["Credentials", "Found", "credentials"]

_PATIENCE = 3.0  # seconds that a keyring may take; a locked one asks somebody, perhaps nobody


@dataclass(frozen=True, slots=True)
class Found:
    """A key, and where it was found.

    Attributes:
        key: The key.
        where: ``argument``, the environment variable's name, ``.env``, ``keyring`` or ``asked``.
    """

    key: Key
    where: str


def _always() -> bool:
    return True


@dataclass(slots=True)
class Credentials:
    """The keys of this process; its methods may be called from any thread.

    Attributes:
        reads_dotenv: Tells whether ``.env`` in the working directory is read.
        patience: Seconds that the keyring is waited for.
    """

    reads_dotenv: Callable[[], bool] = _always
    patience: float = _PATIENCE
    _asked: dict[str, Key] = field(default_factory=dict)
    _dotenv: DotEnv = field(default_factory=DotEnv)
    _keyring: SystemKeyring = field(default_factory=SystemKeyring)

    def find(self, service: str, variables: Sequence[str]) -> Found | None:
        """Return the key of ``service``, or ``None``.

        Looked for in the order: what was asked for in this process, the environment, ``.env`` in
        the working directory, the system keyring. A service without ``variables`` has no key but
        what was asked for. The keyring may take :attr:`patience` seconds, the first time only; see
        :meth:`at_hand`.
        """
        found = self.without_keyring(service, variables)
        if found is None and variables and (secret := self._keyring.get(service, self.patience)):
            found = Found(Key(secret), "keyring")
        if found is not None:
            remember(found.key.reveal())
        return found

    def without_keyring(self, service: str, variables: Sequence[str]) -> Found | None:
        """As :meth:`find`, without the keyring: always at once."""
        if (asked := self._asked.get(service)) is not None:
            return Found(asked, "asked")
        for name in variables:
            if value := os.environ.get(name, "").strip():
                return Found(Key(value), name)
        for name in variables:
            if written := self._in_dotenv(name):
                return Found(Key(written), DOTENV)
        return None

    def at_hand(self, service: str, variables: Sequence[str]) -> bool:
        """Whether :meth:`find` returns at once, since it need not look into the keyring anew."""
        return (
            not variables
            or self._keyring.knows(service)
            or self.without_keyring(service, variables) is not None
        )

    def variable(self, name: str) -> str | None:
        """Return a variable of the environment, else of ``.env``; an empty one is none."""
        return os.environ.get(name, "").strip() or self._in_dotenv(name)

    def ask(self, service: str, secret: str, *, keep: bool = False) -> None:
        """Take ``secret`` as the key of ``service``, for this process or (``keep``) the keyring.

        Raises:
            InputError: If it holds a line break or the like, or the keyring cannot keep it.
        """
        secret = Masked(secret.strip())
        if not secret or not secret.isprintable():
            raise InputError("the key is empty or holds a line break or the like; copy it again")
        if keep:
            self._keyring.set(service, secret, self.patience)
            self._asked.pop(service, None)
        else:
            self._asked[service] = Key(secret)
        remember(secret)

    def forget(self, service: str) -> tuple[str, ...]:
        """Forget the key that was asked for or kept in the keyring; return from where it is gone.

        Raises:
            InputError: If the keyring fails.
        """
        was_asked = self._asked.pop(service, None) is not None
        was_kept = self._keyring.delete(service, self.patience)
        gone = (("this process", was_asked), ("the keyring", was_kept))
        return tuple(where for where, was_there in gone if was_there)

    def _in_dotenv(self, name: str) -> str | None:
        return self._dotenv.get(name, self.reads_dotenv)


#: The one of this process.
credentials = Credentials()
