"""What goes wrong inside a service, which may be anybody's own class, told in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.errors import NbConvoError, ServiceError
from nbconvo.messages import Message
from nbconvo.services import BaseService, Request

__all__ = ["broken", "requested"]

_RETURNS = {"request": "a Request", "deltas": "deltas", "reply": "deltas"}


def requested(
    service: BaseService, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
) -> Request:
    """Return the service's request.

    Raises:
        ServiceError: If its class fails; what it raised is the cause.
    """
    try:
        request: Any = service.request(messages, model, options)
        if not isinstance(request, Request):
            raise TypeError(f"it returned a {type(request).__name__}")
    except Exception as error:
        raise (failed := broken(service, "request", error)) from failed.__cause__
    return request


def broken(service: BaseService, method: str, error: Exception) -> Exception:
    """Return the error for what one of the service's methods raised; our own stay as they are."""
    if isinstance(error, NbConvoError):
        return error
    made = ServiceError(
        f"{service.name}: {type(service).__name__}.{method}() failed: "
        f"{type(error).__name__}: {error}; it has to return {_RETURNS[method]}"
    )
    made.__cause__ = error
    return made
