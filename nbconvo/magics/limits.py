"""The rate limits that ``--rpm`` and ``--tpm`` state, and lift."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from nbconvo.errors import InputError
from nbconvo.magics.options import unless_none
from nbconvo.services.checks import check_positive
from nbconvo.session import Session, workspace

__all__ = ["check_limits", "set_limits"]

_LIMITS = {
    "rpm": ("max_requests_per_minute", "requests"),
    "tpm": ("max_tokens_per_minute", "tokens"),
}


def check_limits(args: argparse.Namespace) -> None:
    """Raise ``InputError`` if the line names a limit that is none."""
    list(_named(args))


def set_limits(session: Session, args: argparse.Namespace) -> list[str]:
    """Set the limits that the line names, and return in words those that are others now."""
    service, said = session.service, []
    for limit, what, most in _named(args):
        if getattr(service, limit) == most:
            continue
        setattr(service, limit, most)
        told = f"no limit of {what}" if most is None else f"at most {_number(most)} {what}"
        said.append(f"{told} a minute to {service.name}")
    if said:
        workspace.keep_limits(service)
    return said


def _named(args: argparse.Namespace) -> Iterator[tuple[str, str, float | None]]:
    for option, (limit, what) in _LIMITS.items():
        if (text := getattr(args, option)) is not None:
            yield limit, what, None if unless_none(text) is None else _limit(option, text)


def _limit(option: str, text: str) -> float:
    try:
        limit = float(text)
        check_positive(option, limit)
    except (ValueError, InputError):
        raise InputError(
            f"--{option} must be a number above 0, or none to lift the limit, not {text!r}"
        ) from None
    return limit


def _number(limit: float) -> str:
    return f"{limit:,.0f}" if limit.is_integer() else f"{limit:,}"
