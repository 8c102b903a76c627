"""The system keyring: keys that outlive the process, where there is one."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from nbconvo.errors import InputError

__all__ = ["SystemKeyring"]

# The name under which it holds our keys; the user name is that of the service.
_OURS = "nbconvo"


class _NothingKept(Exception):
    """A back end took a key and does not hold it."""


class SystemKeyring:
    """The system keyring, which may be missing, locked, or wait for somebody to unlock it.

    It is asked in threads of their own, each of which may never end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Future[str | None]] = {}
        # Answers that were waited for in vain; replaced whole, for readers in other threads.
        self._late: tuple[Future[str | None], ...] = ()
        self._told = False

    def knows(self, service: str) -> bool:
        """Whether what it holds for ``service`` is known, or as good as."""
        answer = self._answers.get(service)
        return answer is not None and (answer.done() or self._is_stuck)

    @property
    def _is_stuck(self) -> bool:
        """Whether it has still not answered what it was asked before: no use to wait again."""
        return any(not answer.done() for answer in self._late)

    def get(self, service: str, patience: float) -> str | None:
        """Return the key of ``service``; an answer that comes late counts from then on."""
        with self._lock:
            if (answer := self._answers.get(service)) is None:
                answer = self._answers[service] = _begun(lambda keyring: _held(keyring, service))
        if self._is_stuck and not answer.done():
            return None
        try:
            return _awaited(answer, patience)
        except InputError as trouble:
            self._late = (*self._late, answer)
            if not self._told:
                self._told = True
                what = f"the system keyring is left alone: {trouble}"
                warnings.warn_explicit(what, UserWarning, "nbconvo", 1)
            return None

    def set(self, service: str, secret: str, patience: float) -> None:
        """Keep the key of ``service``."""
        if not _is_installed():
            raise InputError(
                "no system keyring: the package 'keyring' is not installed; install it with "
                "'%pip install keyring', or leave --keyring out to keep the key for this process"
            )

        def keep(keyring: Any) -> str:
            keyring.set_password(_OURS, service, secret)
            if _held(keyring, service) != secret:
                raise _NothingKept
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
                keyring.delete_password(_OURS, service)
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
        return keyring.get_password(_OURS, service) or None
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
        except _NothingKept:
            answer.set_exception(InputError("it keeps nothing on this system"))
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
