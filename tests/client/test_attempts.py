"""How often a request is sent, where refusals may only show that a level is being looked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbconvo.client.accounts import Account
from nbconvo.client.patience import Link
from nbconvo.client.retrying import Attempts
from nbconvo.errors import RateLimited
from nbconvo.services import ChatService


def attempts_of(account: Account) -> Attempts:
    ready = SimpleNamespace(service=ChatService(base_url="http://127.0.0.1:9/v1"))
    return Attempts(ready, account, lambda: 0.0)  # type: ignore[arg-type]


def refuse(attempts: Attempts) -> float:
    link = Link(attempts._ready.service, 1e9)
    return attempts.delay(RateLimited("too many"), None, link)  # type: ignore[arg-type]


def test_five_refusals_in_a_row_are_enough():
    attempts = attempts_of(Account("lab"))
    for _ in range(4):
        assert refuse(attempts) > 0
    with pytest.raises(RateLimited, match="tried 5 times"):
        refuse(attempts)


def test_refusals_between_which_others_are_answered_do_not_count_as_in_a_row():
    account = Account("lab")
    attempts = attempts_of(account)
    for _ in range(19):
        assert refuse(attempts) > 0
        account.learn_output("m", 5)
    assert attempts.number == 20


def test_one_that_is_refused_for_ever_is_given_up_whoever_else_is_answered():
    account = Account("lab")
    attempts = attempts_of(account)
    for _ in range(19):
        refuse(attempts)
        account.learn_output("m", 5)
    with pytest.raises(RateLimited, match="tried 20 times"):
        refuse(attempts)
