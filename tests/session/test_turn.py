"""One turn beside others: whose turn it is, what is sent, what is taken back."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from nbconvo import log
from nbconvo.errors import ServiceError
from nbconvo.messages import Message
from nbconvo.services import OpenAIService
from nbconvo.session import Session, workspace
from nbconvo.session.line import Line


def said(session: Session) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in session.conversation.messages]


async def hear(session: Session, content: str) -> None:
    await workspace.bridge.start(session.asking.hear([(None, content)]))


async def test_what_is_heard_during_a_turn_comes_after_it(provider, watched):
    provider.reply("one two three", deltas=3, pace=0.02)
    session = Session(service=watched, model="m")
    asking = asyncio.ensure_future(session.ask("go"))
    await asyncio.to_thread(watched.said.wait, 5)
    await hear(session, "b: hello")
    await asking
    assert said(session) == [("user", "go"), ("assistant", "one two three"), ("user", "b: hello")]


async def test_two_messages_of_users_in_a_row_are_sent_as_one(provider):
    session = Session(service="openai", model="m")
    await session.ask("first")
    await hear(session, "b: hello")
    await session.ask("second")
    sent = provider.requests[-1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[-1]["content"] == "b: hello\n\nsecond"
    assert [role for role, _ in said(session)][-3:] == ["user", "user", "assistant"]


async def test_a_retry_repeats_what_the_last_reply_answered(provider):
    session = Session(service="openai", model="m")
    first = await session.ask("first")
    await hear(session, "b: hello")
    again = await session.retry()
    assert session.alternatives(again.message) == (first.message, again.message)
    assert provider.requests[-1].json["messages"] == [{"role": "user", "content": "first"}]


async def test_an_undo_takes_back_the_reply_and_what_was_heard_after_it(provider):
    session = Session(service="openai", model="m")
    await session.ask("first")
    await session.ask("second")
    await hear(session, "b: hello")
    session.undo()
    assert [content for role, content in said(session) if role == "user"] == ["first"]


async def test_all_alternatives_that_were_cut_stay_in_the_tree(provider):
    provider.reply(choices=["A whole reply", "B another"], deltas=2, pace=0.01, drop_after=4)
    session = Session(service="openai", model="m")
    with pytest.raises(Exception, match=r"broke off|lost"):
        await session.ask("go", n=2)
    assert said(session) == []
    kept = [message for message in session.conversation if message.role == "assistant"]
    assert len(kept) == 2
    assert {message.finish_reason for message in kept} == {"cut"}


def test_a_log_begun_while_messages_are_committed_can_be_read(tmp_path: Path):
    session = Session()
    stop = threading.Event()

    def commit() -> None:
        while not stop.is_set():
            message = Message(role="user", content="x")
            session._record.commit([message], session.conversation.leaf)

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        for number in range(5):
            session.set_dir(tmp_path / str(number))
    finally:
        stop.set()
        thread.join()
    for number in range(5):
        (file,) = (tmp_path / str(number)).iterdir()
        read = log.read(file).conversation
        assert [m.id for m in read] == [m.id for m in session.conversation][: len(read)]


def test_a_session_with_an_unknown_default_service_leaves_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NBCONVO_SERVICE", "nowhere")
    with pytest.raises(Exception, match="no service 'nowhere'"):
        Session(dir=tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


async def test_a_turn_that_outlives_its_loop_does_not_count_for_the_next_one():
    line = Line("x")
    slow, release = threading.Event(), threading.Event()

    def old_loop() -> None:
        async def take_a_turn() -> None:
            async with line.turn():
                slow.set()
                await asyncio.to_thread(release.wait)

        asyncio.run(take_a_turn())

    thread = threading.Thread(target=old_loop)
    thread.start()
    slow.wait(5)
    async with line.turn():
        release.set()
        await asyncio.to_thread(thread.join)
        assert line.busy
    assert not line.busy


async def test_a_service_of_ones_own_that_fails_loses_nothing_of_what_had_come(provider):
    class Failing(OpenAIService):
        def deltas(self, event):
            for delta in super().deltas(event):
                yield delta
                if delta.text:
                    raise KeyError("mine")

    provider.reply("some text", deltas=4)
    session = Session(service=Failing(), model="m")
    with pytest.raises(ServiceError) as caught:
        await session.ask("go")
    assert isinstance(caught.value.__cause__, KeyError)
    assert said(session) == []
    assert [m.finish_reason for m in session.conversation if m.role == "assistant"] == ["cut"]


def test_a_log_that_fails_while_it_is_begun_leaves_the_old_one(tmp_path, monkeypatch):
    session = Session(dir=tmp_path / "old")
    old = session.dir

    def fail(self, event):
        raise log.writing.LogError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(log.Log, "write", fail)
        with pytest.raises(Exception, match="no space left"):
            session.set_dir(tmp_path / "new")
    assert session.dir == old
    session.set_system("still logged")
    (file,) = (tmp_path / "old").iterdir()
    assert "still logged" in file.read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_is_not_busy_with_its_parents_turn(provider, watched):
    provider.reply("one two three", deltas=3, pace=0.05)
    session = Session(service=watched, model="m")
    job = workspace.bridge.start(session.ask("go"))
    assert watched.said.wait(5)
    child = os.fork()
    if child == 0:
        os._exit(17 if session.busy else 0)
    _, status = os.waitpid(child, 0)
    assert session.busy
    job.result(5)
    assert os.waitstatus_to_exitcode(status) == 0


async def test_the_seconds_of_a_reply_leave_out_what_it_waited_for_the_limit(provider):
    service = OpenAIService(
        max_requests_per_minute=120
    )  # one at once, the next after half a second
    session = Session(service=service, model="m")
    await session.ask("first")
    second = await session.ask("second")
    assert second.message.seconds is not None
    assert second.message.seconds < 0.4
    waited = provider.requests[1].time - provider.requests[0].time
    assert waited > 0.4
