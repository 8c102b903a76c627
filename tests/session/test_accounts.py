"""What the workspace tells of the accounts that its sessions asked."""

from __future__ import annotations

import threading

import pytest

import nbconvo
from nbconvo.errors import StreamCut
from nbconvo.session import Session, workspace


def test_before_the_first_request_there_are_no_accounts_and_no_io_thread(provider):
    Session(name="comedian")
    assert workspace.accounts() == ()
    assert not workspace.bridge.running
    assert workspace._client is None


def test_sessions_with_one_account_are_told_as_one_on_any_thread(provider):
    for _ in range(2):
        nbconvo.run(Session().ask("hello"))
    told = []
    reader = threading.Thread(target=lambda: told.extend(workspace.accounts()))
    reader.start()
    reader.join()
    assert [(account.address, account.usage.requests) for account in told] == [
        (provider.base_url, 2)
    ]


def test_the_account_took_what_its_sessions_took(provider):
    provider.reply("Hi.", usage={"prompt_tokens": 10, "completion_tokens": 4, "cost": 0.25})
    session = Session()
    nbconvo.run(session.ask("hello"))
    (account,) = workspace.accounts()
    assert account.usage == session.usage
    assert account.usage.cost == 0.25


async def test_an_interrupted_reply_is_estimated_alike_for_both(provider):
    provider.reply(deltas=["wörter und ", "Wörter, ", "ohne Ende"], end_after=2)
    session = Session()
    with pytest.raises(StreamCut):
        await session.ask("hello")
    (account,) = workspace.accounts()
    assert account.usage.output_tokens > 4
    assert account.usage == session.usage


def test_when_the_io_thread_has_ended_there_are_no_accounts(provider):
    nbconvo.run(Session().ask("hello"))
    workspace.close()
    assert workspace.accounts() == ()
