"""A session's tree, worked in: another reply, another question, one message less, a fork."""

from __future__ import annotations

import pytest

from nbconvo import log
from nbconvo.errors import Busy, InputError
from nbconvo.session import Session, workspace


def said(session: Session) -> list[str]:
    return [message.content for message in session.conversation.messages]


@pytest.fixture
def talked(provider) -> Session:
    """A session of two exchanges: one, two, three, four."""
    return Session(name="talked", service="openai", model="m")


async def exchanged(session: Session, provider) -> Session:
    for question, answer in (("one", "two"), ("three", "four")):
        provider.reply(answer)
        await session.ask(question)
    return session


async def test_any_reply_can_be_asked_for_again(provider, talked):
    await exchanged(talked, provider)
    provider.reply("zwei")
    first = talked.conversation.messages[1]
    again = await talked.retry(first)
    assert said(talked) == ["one", "zwei"]
    assert talked.alternatives(again.message) == (first, again.message)


async def test_only_a_reply_can_be_asked_for_again(provider, talked):
    await exchanged(talked, provider)
    with pytest.raises(InputError, match="only a reply can be asked for again"):
        await talked.retry(talked.conversation.messages[0])


async def test_an_edit_says_something_else_in_the_same_place(provider, talked):
    await exchanged(talked, provider)
    provider.reply("vier")
    old = talked.conversation.messages[2]
    await talked.edit(old, "drei")
    assert said(talked) == ["one", "two", "drei", "vier"]
    assert [m.content for m in talked.alternatives(old)] == ["three", "drei"]


async def test_an_edit_of_the_first_message_begins_anew(provider, talked):
    await exchanged(talked, provider)
    provider.reply("zwei")
    await talked.edit(talked.conversation.messages[0].id, "eins")
    assert said(talked) == ["eins", "zwei"]
    assert [m["content"] for m in provider.requests[-1].json["messages"]] == ["eins"]


async def test_only_a_users_message_can_be_edited(provider, talked):
    await exchanged(talked, provider)
    with pytest.raises(InputError, match="only a user's message can be edited"):
        await talked.edit(talked.conversation.messages[1], "no")


async def test_a_message_that_is_removed_leaves_the_path_and_stays_in_the_tree(provider, talked):
    await exchanged(talked, provider)
    removed = talked.conversation.messages[1]
    talked.remove(removed)
    assert said(talked) == ["one", "three", "four"]
    assert removed in tuple(talked.conversation)


async def test_what_was_removed_comes_back_with_the_branch_it_was_on(provider, talked):
    await exchanged(talked, provider)
    leaf = talked.conversation.leaf
    talked.remove(talked.conversation.messages[0])
    talked.branch(leaf)
    assert said(talked) == ["one", "two", "three", "four"]


async def test_removing_the_last_message_copies_nothing(provider, talked):
    await exchanged(talked, provider)
    before = len(talked.conversation)
    talked.remove(talked.conversation.messages[-1])
    assert said(talked) == ["one", "two", "three"]
    assert len(talked.conversation) == before


async def test_copies_after_a_removal_were_not_paid_for_again(provider, talked):
    await exchanged(talked, provider)
    before = talked.usage
    talked.remove(talked.conversation.messages[0])
    assert talked.usage == before


async def test_a_message_off_the_path_cannot_be_removed(provider, talked):
    await exchanged(talked, provider)
    last = talked.conversation.messages[-1]
    talked.undo()
    with pytest.raises(InputError, match="is not on the active path"):
        talked.remove(last)


async def test_nothing_is_removed_while_a_reply_is_under_way(provider, watched):
    provider.reply("one two three", deltas=3, pace=0.02)
    session = Session(service=watched, model="m")
    job = session.asking.start(session.asking.prepare("go"))
    watched.said.wait(5)
    with pytest.raises(Busy):
        session.remove("x")
    await job


async def test_a_removal_is_in_the_log(provider, tmp_path):
    session = Session(service="openai", model="m", dir=tmp_path)
    await exchanged(session, provider)
    session.remove(session.conversation.messages[1])
    (file,) = tmp_path.iterdir()
    recorded = log.read(file).conversation
    assert [m.content for m in recorded.messages] == ["one", "three", "four"]


async def test_a_fork_has_the_settings_and_copies_of_what_was_said(provider, talked):
    talked.set_system("be brief")
    talked.set_options(temperature=0.5)
    await exchanged(talked, provider)
    forked = talked.fork("draft")
    assert workspace.get("draft") is forked
    assert said(forked) == said(talked)
    assert (forked.system, forked.model, forked.service) == ("be brief", "m", talked.service)
    assert forked.options["temperature"] == 0.5
    assert forked.usage.requests == 0


async def test_a_fork_goes_its_own_way(provider, talked):
    await exchanged(talked, provider)
    forked = talked.fork("draft", talked.conversation.messages[1])
    assert said(forked) == ["one", "two"]
    forked.reset()
    forked.set_system("other")
    assert len(said(talked)) == 4
    assert talked.system is None


async def test_a_fork_takes_no_name_that_is_taken(provider, talked):
    with pytest.raises(InputError, match="a session 'talked' exists already"):
        talked.fork("talked")


async def test_a_fork_of_a_logged_session_is_logged_beside_it(provider, tmp_path):
    session = Session(service="openai", model="m", dir=tmp_path, name="a")
    await exchanged(session, provider)
    session.fork("b")
    (file,) = tmp_path.glob("b-*.jsonl")
    assert [m.content for m in log.read(file).conversation.messages] == said(session)
