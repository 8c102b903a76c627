"""The error tree: one line each, with the remedy, and told apart by class."""

from __future__ import annotations

import inspect
import pickle

import pytest

from nbconvo import errors
from nbconvo.errors import (
    BadRequest,
    InputError,
    NbConvoError,
    RateLimited,
    ServerFailed,
    ServiceError,
    Stopped,
    UnknownName,
    nearest,
)

CLASSES = [value for name in errors.__all__ if inspect.isclass(value := getattr(errors, name))]


def test_all_errors_but_the_users_interrupt_share_a_base():
    assert [kind for kind in CLASSES if not issubclass(kind, NbConvoError)] == [Stopped]


def test_an_interrupt_is_not_caught_by_except_exception():
    assert issubclass(Stopped, KeyboardInterrupt)
    assert not issubclass(Stopped, Exception)


def test_the_tree_in_the_docstring_names_every_class():
    assert [kind.__name__ for kind in CLASSES if kind.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not UnknownName])
def test_an_error_renders_as_one_line(kind):
    error = kind("first line\n  second line")
    assert error._render_traceback_() == [f"{kind.__name__}: first line second line"]


def test_an_unknown_name_offers_the_nearest():
    error = UnknownName("session", "comedien", ["critic", "comedian"])
    assert str(error) == "no session 'comedien'; did you mean 'comedian'?"


def test_an_unknown_name_with_none_near_tells_the_remedy():
    error = UnknownName("session", "x", ["comedian"], "begin one with %%session x")
    assert str(error) == "no session 'x'; begin one with %%session x"
    assert isinstance(error, InputError)


def test_an_unknown_name_without_remedy_ends_there():
    assert str(UnknownName("session", "x", [])) == "no session 'x'"


@pytest.mark.parametrize(
    ("name", "found"),
    [("COMEDIAN", "Comedian"), ("comedain", "Comedian"), ("zebra", None), ("", None)],
)
def test_the_nearest_name_is_found_without_regard_to_case(name, found):
    assert nearest(name, ["Critic", "Comedian"]) == found


def test_a_service_error_carries_what_a_retry_needs():
    error = ServiceError("no", status=429, code="slow_down", retry_after=1.5, retryable=True)
    assert (error.status, error.code, error.retry_after, error.retryable) == (
        429,
        "slow_down",
        1.5,
        True,
    )


def test_retrying_is_by_class_unless_told_otherwise():
    assert RateLimited("").retryable
    assert ServerFailed("").retryable
    assert not BadRequest("").retryable
    assert not RateLimited("", retryable=False).retryable
    assert RateLimited.retryable


def test_a_service_error_survives_pickling():
    error = pickle.loads(pickle.dumps(RateLimited("wait", status=429, retry_after=2.0)))
    assert (str(error), error.status, error.retry_after) == ("wait", 429, 2.0)
