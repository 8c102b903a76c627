"""Where keys and addresses are found: argument, environment, ``.env``, keyring, or asked for."""

from __future__ import annotations

import importlib.util
import os
import stat
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from nbconvo.errors import InputError
from nbconvo.keys import Key, Masked, remember

__all__ = ["KEYRING_SERVICE", "Credentials", "Found", "credentials"]

#: The name under which the system keyring holds our keys; the user name is that of the service.
KEYRING_SERVICE = "nbconvo"

_DOTENV = ".env"
_LARGEST_DOTENV = 1_000_000  # bytes
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
    _dotenv: _DotEnv = field(default_factory=lambda: _DotEnv())
    _keyring: _Keyring = field(default_factory=lambda: _Keyring())

    def find(
        self, service: str, variables: Sequence[str], given: Key | None = None
    ) -> Found | None:
        """Return the key of ``service``, or ``None``.

        Looked for in the order: the one ``given``, what was asked for in this process, the
        environment, ``.env`` in the working directory, the system keyring. A service without
        ``variables`` has no key but a given one. The keyring may take :attr:`patience` seconds,
        the first time only; see :meth:`at_hand`.
        """
        found = self.without_keyring(service, variables, given)
        if found is None and variables and (secret := self._keyring.get(service, self.patience)):
            found = Found(Key(secret), "keyring")
        if found is not None:
            remember(found.key.reveal())
        return found

    def without_keyring(
        self, service: str, variables: Sequence[str], given: Key | None
    ) -> Found | None:
        """As :meth:`find`, without the keyring: always at once."""
        if given is not None:
            return Found(given, "argument")
        if (asked := self._asked.get(service)) is not None:
            return Found(asked, "asked")
        for name in variables:
            if value := os.environ.get(name, "").strip():
                return Found(Key(value), name)
        for name in variables:
            if written := self._in_dotenv(name):
                return Found(Key(written), _DOTENV)
        return None

    def at_hand(self, service: str, variables: Sequence[str], given: Key | None = None) -> bool:
        """Whether :meth:`find` returns at once, since it need not look into the keyring anew."""
        return (
            not variables
            or self._keyring.knows(service)
            or self.without_keyring(service, variables, given) is not None
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


class _DotEnv:
    """The ``.env`` of the working directory, read again when it has changed."""

    def __init__(self) -> None:
        self._read: tuple[object, Mapping[str, str | None]] = (None, {})

    def get(self, name: str, is_wanted: Callable[[], bool]) -> str | None:
        """Return the value of a variable, if the file may be read; an empty one is none."""
        try:
            status = os.stat(_DOTENV)
            # A pipe would be waited for.
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_DOTENV:
                return None
            path = os.path.abspath(_DOTENV)
        except OSError:
            return None
        if not is_wanted():
            return None
        state = (path, status.st_mtime_ns, status.st_size, status.st_ino)
        before, values = self._read
        if state != before:
            values = _values_of(path)
            self._read = state, values
        return (values.get(name) or "").strip() or None


def _values_of(path: str) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    try:
        return dotenv_values(path)
    except (OSError, ValueError) as error:  # a UnicodeDecodeError holds the bytes: not its text
        _tell(f"{path!r} is not read: {_reason(error)}")
        return {}


class _Keyring:
    """The system keyring, which may be missing, locked, or wait for somebody to unlock it.

    It is asked in threads of their own, each of which may never end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Future[str | None]] = {}
        self._late: set[str] = set()  # those that are not waited for again
        self._told = False

    def knows(self, service: str) -> bool:
        """Whether what it holds for ``service`` is known, or as good as."""
        answer = self._answers.get(service)
        return answer is not None and (answer.done() or service in self._late)

    def get(self, service: str, patience: float) -> str | None:
        """Return the key of ``service``; an answer that comes late counts from then on."""
        with self._lock:
            if (answer := self._answers.get(service)) is None:
                answer = self._answers[service] = _begun(lambda keyring: _held(keyring, service))
        if service in self._late and not answer.done():
            return None
        try:
            return _awaited(answer, patience)
        except InputError as trouble:
            self._late.add(service)
            if not self._told:
                self._told = True
                _tell(f"the system keyring is left alone: {trouble}")
            return None

    def set(self, service: str, secret: str, patience: float) -> None:
        """Keep the key of ``service``."""
        if not _is_installed():
            raise InputError(
                "no system keyring: the package 'keyring' is not installed; install it with "
                "'%pip install keyring', or leave --keyring out to keep the key for this process"
            )

        def keep(keyring: Any) -> str:
            keyring.set_password(KEYRING_SERVICE, service, secret)
            return secret

        try:
            _awaited(answer := _begun(keep), patience)
        except InputError as trouble:
            raise InputError(
                f"the system keyring did not take the key: {trouble}; "
                "leave --keyring out to keep it for this process"
            ) from None
        self._answers[service] = answer

    def delete(self, service: str, patience: float) -> bool:
        """Forget the key of ``service``; return whether there was one."""
        was_there: list[bool] = []

        def delete(keyring: Any) -> None:
            if _held(keyring, service) is not None:
                keyring.delete_password(KEYRING_SERVICE, service)
                was_there.append(True)

        try:
            _awaited(answer := _begun(delete), patience)
        except InputError as trouble:
            if self.knows(service) and not self.get(service, 0.0):
                return False  # what it is not known to hold need not be forgotten
            raise InputError(f"the system keyring did not forget the key: {trouble}") from None
        self._answers[service] = answer
        return bool(was_there)


def _held(keyring: Any, service: str) -> str | None:
    try:
        return keyring.get_password(KEYRING_SERVICE, service) or None
    except keyring.errors.NoKeyringError:  # it is installed, but the system has none
        return None


def _begun(question: Callable[[Any], str | None]) -> Future[str | None]:
    """Begin to ask the keyring; where it is not installed, it holds nothing."""
    answer: Future[str | None] = Future()
    if not _is_installed():
        answer.set_result(None)
        return answer

    def ask() -> None:
        try:
            import keyring

            answer.set_result(question(keyring))
        except Exception as error:  # back ends raise what they like, with what they like in it
            answer.set_exception(InputError(f"it failed ({type(error).__name__})"))

    threading.Thread(target=ask, name="nbconvo-keyring", daemon=True).start()
    return answer


def _awaited(answer: Future[str | None], patience: float) -> str | None:
    """Return the answer of the keyring, or raise ``InputError`` with what went wrong."""
    try:
        return answer.result(patience)
    except TimeoutError:
        raise InputError(f"it did not answer within {patience:g} s; is it locked?") from None


def _is_installed() -> bool:
    return importlib.util.find_spec("keyring") is not None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8"


def _tell(what: str) -> None:
    warnings.warn_explicit(what, UserWarning, "nbconvo", 1)


#: The one of this process.
credentials = Credentials()
