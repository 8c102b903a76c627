"""Defaults: the model options and the settings that magics and Python share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from nbconvo.errors import InputError, UnknownName

__all__ = ["SHORT_NAMES", "checked_options", "default_options", "oai_schema", "set_on_service"]

#: Options of a request, with their defaults; ``None`` leaves the choice to the service.
#: Each session begins with a copy, so a change made here holds for sessions made after it.
oai_schema: dict[str, dict[str, dict[str, Any]]] = {
    "chat": {
        "config": {
            "model": None,
            "temperature": None,
            "top_p": None,
            "max_tokens": None,
            "n": 1,
            "stop": None,
            "seed": None,
            "presence_penalty": None,
            "frequency_penalty": None,
            "logit_bias": None,
            "logprobs": None,
            "top_logprobs": None,
            "response_format": None,
            # low, medium, high, or most tokens of it; reasoning_effort is sent as it is.
            "reasoning": None,
            "reasoning_effort": None,
            "verbosity": None,
            "service_tier": None,
            "user": None,
            "stream": True,
            # Fields of the request that are not listed here, for services with their own.
            "extra_body": None,
        }
    }
}

_WHOLE = ("max_tokens", "n", "top_logprobs")
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_FLAGS = ("stream", "logprobs")
_EFFORTS = ("low", "medium", "high")

_KEYS = ("api_key", "key")
#: Limits and time-outs are a service's, with the option of ``%session`` that sets them, if any.
_OF_SERVICE = {
    "max_requests_per_minute": "--rpm",
    "max_tokens_per_minute": "--tpm",
    "max_concurrent": None,
    "max_attempts": None,
    "timeout": None,
    "connect_timeout": None,
    "total_timeout": None,
}
#: What people call a service's limits, as on the line.
SHORT_NAMES = {"rpm": "max_requests_per_minute", "tpm": "max_tokens_per_minute"}
_OLD_NAMES = {"max_token": "max_tokens", "max_completion_tokens": "max_tokens"}


def default_options() -> dict[str, Any]:
    """Return a copy of the default options, for one session to keep."""
    return copy.deepcopy(oai_schema["chat"]["config"])


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``options`` under their present names, or raise ``InputError`` for a bad one.

    ``max_token`` is taken as ``max_tokens``, with a one-line warning.
    """
    known = oai_schema["chat"]["config"]
    checked = {}
    for name, value in options.items():
        if name in _OLD_NAMES:
            name = _renamed(name)
        elif name not in known or name in _KEYS or name in _OF_SERVICE:
            raise _unknown(name, value, known)
        _check_value(name, value)
        checked[name] = value
    return checked


def _unknown(name: str, value: object, known: Mapping[str, Any]) -> InputError:
    if name in _KEYS:
        return InputError(
            f"{name} is no option of a request: '%convo key SERVICE' asks for a key, or pass "
            "api_key= to the service"
        )
    if (remedy := set_on_service(name, value)) is not None:
        setting = SHORT_NAMES.get(name, name)
        return InputError(
            f"{name} is no option of a request, but set on the service: "
            f"service=ChatService(..., {setting}={value!r:.40}), or {remedy}"
        )
    more = "fields that only your service knows go in extra_body={...}"
    return UnknownName("option", name, known, more)


def set_on_service(name: str, value: object) -> str | None:
    """Return how a limit or a time-out is set for all who use a service.

    ``None`` if ``name`` is no such thing, written as in Python or as on the line of a magic.
    """
    setting = name.removeprefix("--").replace("-", "_")
    setting = SHORT_NAMES.get(setting, setting)
    if setting not in _OF_SERVICE:
        return None
    if flag := _OF_SERVICE[setting]:
        return f"%session NAME {flag} {value!s:.40}"
    return f"nbconvo.services.get('NAME').{setting} = {value!s:.40}"


def _renamed(name: str) -> str:
    import warnings

    current = _OLD_NAMES[name]
    # Explicit, for a warning of one line: no path of a temporary file, no source line.
    warnings.warn_explicit(f"{name!r} is taken as {current!r}", UserWarning, "nbconvo", 1)
    return current


def _check_value(name: str, value: object) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    is_whole = number and isinstance(value, int) and value >= 1
    if name in _WHOLE and not is_whole:
        raise InputError(f"{name} must be a whole number above 0, not {value!r}")
    if name in _NUMBERS and not number:
        raise InputError(f"{name} must be a number, not {value!r}")
    if name in _FLAGS and not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, not {value!r}")
    if name == "reasoning" and not (value in _EFFORTS or is_whole):
        raise InputError(f"reasoning must be {', '.join(_EFFORTS)} or a number, not {value!r}")
    if name == "extra_body" and not isinstance(value, Mapping):
        raise InputError(f"extra_body must be a dict of request fields, not {value!r}")
