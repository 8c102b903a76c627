"""A session's log: what is on disk before an ask returns, and that it rebuilds the tree."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from nbconvo import log
from nbconvo.errors import AuthenticationFailed, InputError, LogError, StreamCut
from nbconvo.services import OpenAIService
from nbconvo.session import Session, workspace

KEY = "sk-made-up-Qz7Xw9Lk2Mv5Rt8Yp4Bn"


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def same_tree(session: Session, path: Path) -> bool:
    """Whether the log holds the session's messages, all branches, and where its path ends."""
    here, there = session.conversation, log.read(path).conversation
    return [(m, here.parent(m.id)) for m in here] == [
        (m, there.parent(m.id)) for m in there
    ] and here.messages == there.messages


async def test_the_log_holds_the_exchange_when_the_ask_returns(provider, tmp_path):
    session = Session("be brief", dir=tmp_path / "logs", name="comedian")
    await session.ask("one")
    path = only_file(tmp_path / "logs")
    assert path.name.startswith("comedian-")
    assert events(path) == ["session", "message", "message", "active"]
    assert same_tree(session, path)


async def test_the_log_is_not_there_before_it_is_asked_for(provider, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    await Session().ask("one")
    assert list(tmp_path.iterdir()) == []


async def test_the_log_rebuilds_every_branch_and_the_path(provider, tmp_path):
    session = Session(dir=tmp_path)
    first = await session.ask("one")
    await session.ask("two")
    await session.retry()
    session.undo()
    await session.ask("other two", n=2)
    session.reset()
    await session.initiate("afresh")
    session.select(first.message)
    session.branch(first.message)
    assert len(session.conversation) == 10
    assert same_tree(session, only_file(tmp_path))


async def test_the_log_of_a_cut_and_a_stopped_reply_tells_which_it_was(provider, watched, tmp_path):
    session = Session(dir=tmp_path, service=watched)
    provider.reply(deltas=["half", " of it"], end_after=1)
    with pytest.raises(StreamCut):
        await session.ask("cut")
    watched.said.clear()
    provider.reply(deltas=["part", " of it"], pace=30)
    task = asyncio.create_task(session.ask("stop"))
    await asyncio.to_thread(watched.said.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    path = only_file(tmp_path)
    assert same_tree(session, path)
    replies = [m for m in log.read(path).conversation if m.role == "assistant"]
    assert [(m.content, m.finish_reason) for m in replies] == [("half", "cut"), ("part", "stopped")]


async def test_a_failed_ask_adds_the_error_and_nothing_else(provider, tmp_path):
    session = Session(dir=tmp_path)
    await session.ask("one")
    path = only_file(tmp_path)
    before = path.read_text()
    provider.error(401)
    with pytest.raises(AuthenticationFailed):
        await session.ask("two")
    assert path.read_text().startswith(before)
    (added,) = path.read_text()[len(before) :].splitlines()
    event = json.loads(added)
    assert (event["event"], event["error"], event["asked"]) == (
        "error",
        "AuthenticationFailed",
        "two",
    )
    assert same_tree(session, path)


async def test_settings_are_logged_as_they_change(provider, tmp_path):
    session = Session("old", dir=tmp_path, model="small")
    session.set_system("new")
    session.set_service("openrouter", "large")
    session.set_options(temperature=0.3)
    settings = log.read(only_file(tmp_path)).settings
    assert (settings["system"], settings["service"], settings["model"]) == (
        "new",
        "openrouter",
        "large",
    )
    assert settings["options"]["temperature"] == 0.3


async def test_no_key_is_ever_in_the_log(provider, tmp_path):
    service = OpenAIService(
        api_key=KEY, base_url=provider.base_url, headers={"X-Secret": KEY}, max_attempts=1
    )
    session = Session(dir=tmp_path, service=service)
    await session.ask("one")
    provider.error(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}})
    with pytest.raises(AuthenticationFailed):
        await session.ask("two")
    text = only_file(tmp_path).read_text()
    assert KEY not in text
    assert KEY[3:11] not in text


async def test_only_its_owner_reads_the_log(provider, tmp_path):
    Session(dir=tmp_path)
    assert stat.S_IMODE(only_file(tmp_path).stat().st_mode) == 0o600


async def test_a_new_directory_gets_all_that_was_said_so_far(provider, tmp_path):
    session = Session(dir=tmp_path / "old")
    await session.ask("one")
    session.undo()
    await session.ask("other one")
    session.set_dir(tmp_path / "new")
    old = only_file(tmp_path / "old").read_text()
    await session.ask("two")
    assert session.dir == str(tmp_path / "new")
    assert same_tree(session, only_file(tmp_path / "new"))
    assert only_file(tmp_path / "old").read_text() == old


async def test_a_log_can_be_ended(provider, tmp_path):
    session = Session(dir=tmp_path)
    session.set_dir(None)
    await session.ask("one")
    assert session.dir is None
    assert "message" not in events(only_file(tmp_path))


async def test_a_directory_that_cannot_be_written_makes_no_session(provider, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="it is a file, not a directory"):
        Session(name="comedian", dir=tmp_path / "file")
    assert "comedian" not in workspace


async def test_a_new_directory_that_cannot_be_written_leaves_the_log_as_it_was(provider, tmp_path):
    (tmp_path / "file").write_text("")
    session = Session(dir=tmp_path / "logs")
    with pytest.raises(LogError):
        session.set_dir(tmp_path / "file")
    await session.ask("one")
    assert same_tree(session, only_file(tmp_path / "logs"))


async def test_a_disk_that_fails_loses_nothing_that_was_said(provider, tmp_path, monkeypatch):
    session = Session(dir=tmp_path)

    def full(*_: object) -> None:
        raise LogError("no space left on device")

    monkeypatch.setattr(log.Log, "write", full)
    with pytest.raises(LogError, match="no space left"):
        await session.ask("one")
    assert [m.content for m in session.conversation] == ["one", "Hello from the fake provider."]


async def test_what_a_disk_that_failed_did_not_take_is_written_with_what_follows(
    provider, tmp_path, monkeypatch
):
    session = Session(dir=tmp_path)
    await session.ask("one")

    def full(*_: object) -> None:
        raise LogError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(log.Log, "write", full)
        for text in ("two", "three"):
            with pytest.raises(LogError):
                await session.ask(text)
        with pytest.raises(LogError):
            session.set_dir(tmp_path / "elsewhere")
    await session.ask("four")
    (path,) = tmp_path.glob("*.jsonl")
    assert same_tree(session, path)


async def test_the_configured_directory_is_the_default(provider, tmp_path, config, monkeypatch):
    monkeypatch.setenv("NBCONVO_DIR", str(tmp_path / "environment"))
    assert Session().dir == str(tmp_path / "environment")
    config.dir = str(tmp_path / "config")
    assert Session().dir == str(tmp_path / "config")
    assert Session(dir=tmp_path / "session").dir == str(tmp_path / "session")


async def test_two_sessions_of_one_name_have_a_file_each(provider, tmp_path):
    for _ in range(2):
        Session(name="comedian", dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


async def test_what_cannot_be_sent_is_not_logged(provider, tmp_path):
    session = Session(dir=tmp_path)
    with pytest.raises(InputError):
        await session.ask("")
    assert events(only_file(tmp_path)) == ["session"]
