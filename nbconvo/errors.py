"""The error tree. Each error is one line in a notebook and still fails its cell.

::

    NbConvoError
    ├── InputError              what was typed cannot be used
    │   └── UnknownName         no such session, option, service or model
    ├── MissingKey              the service needs a key and none was found
    ├── Busy                    the session is answering and cannot be changed now
    ├── Halted                  the reply was stopped from elsewhere; what was said is kept
    ├── Unfit                   the reply does not keep to the schema that was asked for
    ├── LogError                the log or an export cannot be written or read
    ├── RequestTooLarge         larger than the rate limit can ever admit
    ├── BudgetExceeded          it would pass a budget, or one that can't be kept is set
    └── ServiceError            the service did not answer as asked
        ├── BadRequest          400, 413, 422: the request itself is refused
        ├── AuthenticationFailed  401, 403
        ├── ModelNotFound       404
        ├── RateLimited         429, to be repeated later
        ├── QuotaExhausted      402, 429: waiting does not help
        ├── ServerFailed        408, 409, 5xx
        ├── ConnectionFailed    no connection, or lost before the reply began
        ├── ServiceDown         not sent: too many requests in a row failed
        ├── TimedOut            nothing came in time
        ├── StreamCut           the reply broke off before its end
        └── ProtocolError       what came is not an answer
            └── Endless         the model calls tools, and does not answer
    Stopped (KeyboardInterrupt) the user interrupted; what was said is kept
"""

from __future__ import annotations

from collections.abc import Iterable

from nbconvo.keys import scrub

__all__ = [
    "AuthenticationFailed",
    "BadRequest",
    "BudgetExceeded",
    "Busy",
    "ConnectionFailed",
    "Endless",
    "Halted",
    "InputError",
    "LogError",
    "MissingKey",
    "ModelNotFound",
    "NbConvoError",
    "ProtocolError",
    "QuotaExhausted",
    "RateLimited",
    "RequestTooLarge",
    "ServerFailed",
    "ServiceDown",
    "ServiceError",
    "Stopped",
    "StreamCut",
    "TimedOut",
    "Unfit",
    "UnknownName",
    "nearest",
]


class _OneLine:
    """Renders as a single line where IPython would print a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {' '.join(str(self).split())}"]


class NbConvoError(_OneLine, Exception):
    """Base of all errors that nbconvo raises on purpose; no text of one holds a key."""

    def __init__(self, *args: object) -> None:
        # Here, where all texts pass: what was typed, and what a service or a server said.
        super().__init__(*(scrub(arg) if isinstance(arg, str) else arg for arg in args))


class InputError(NbConvoError):
    """What was typed cannot be used; nothing was sent."""


class UnknownName(InputError):
    """A name that is not known, with the nearest one that is.

    Args:
        kind: What was looked for, such as ``"session"``.
        name: The name that was not found.
        known: The names that would have been found.
        remedy: What to do when no known name is near.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        near = nearest(name, known)
        hint = f"did you mean {near!r}?" if near else remedy
        super().__init__(f"no {kind} {name!r}" + (f"; {hint}" if hint else ""))


class MissingKey(NbConvoError):
    """The service needs a key and none was found; nothing was sent."""


class Busy(NbConvoError):
    """The session is answering; its history cannot be changed until it is done."""


class Halted(NbConvoError):
    """The reply was stopped from elsewhere, as by ``Session.stop``; what had come is kept."""


class Unfit(NbConvoError):
    """The reply does not keep to the schema, however often the model was asked to mend it.

    Attributes:
        text: The last reply, as it came.
    """

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class LogError(NbConvoError):
    """A log or an export cannot be written or read."""


class RequestTooLarge(NbConvoError):
    """The request holds more tokens than the limiter admits in a whole minute."""


class BudgetExceeded(NbConvoError):
    """The request would pass a budget, or its price is not known; nothing was sent."""


class ServiceError(NbConvoError):
    """The service did not answer as asked.

    Attributes:
        status: HTTP status, or ``None`` when there was no response.
        code: The service's own code for the error, or ``None``.
        retry_after: Seconds after which the service asks to be asked again, or ``None``.
        retryable: Whether the same request may succeed later.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = None if code is None else scrub(code)
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class BadRequest(ServiceError):
    """The service refuses the request itself (400, 413, 422)."""


class AuthenticationFailed(ServiceError):
    """The key is wrong, or is not allowed to do this (401, 403)."""


class ModelNotFound(ServiceError):
    """The service has no such model or address (404)."""


class RateLimited(ServiceError):
    """Too many requests or tokens for now (429)."""

    retryable = True


class QuotaExhausted(ServiceError):
    """The account's credit or quota is used up (402, some 429s); waiting does not help."""


class ServerFailed(ServiceError):
    """The service failed (408, 409, 5xx)."""

    retryable = True


class ConnectionFailed(ServiceError):
    """No connection to the service, or it was lost before the reply began."""

    retryable = True


class ServiceDown(ServiceError):
    """So many requests in a row failed that this one was not sent; see ``retry_after``."""


class TimedOut(ServiceError):
    """The service sent nothing, or not all, within the time allowed."""

    retryable = True


class StreamCut(ServiceError):
    """The reply broke off before its end."""

    retryable = True


class ProtocolError(ServiceError):
    """What came from the service is not an answer that can be read."""


class Endless(ProtocolError):
    """The model went on to call tools as often as it may, and longer; what was said is kept."""


class Stopped(_OneLine, KeyboardInterrupt):
    """The user interrupted a reply; the part that had come is kept."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``, or ``None`` if none is near."""
    import difflib

    # Without dashes, which all options share.
    folded = {candidate.casefold().strip("-"): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold().strip("-"), folded, n=1, cutoff=0.65)
    return folded[found[0]] if found else None
