"""The log: on disk at once, private, never torn, and enough to rebuild the tree."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.conversation import Conversation
from nbconvo.errors import LogError
from nbconvo.log import Log, decode_message, encode_message, read, to_line
from nbconvo.messages import Cell, Message, Usage

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
quick = settings(deadline=None, database=None)


class Tier(Enum):
    FLEX = "flex"


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path / "logs", "comedian", now=lambda: NOON)
    yield log
    log.close()


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def no_file_longer_than(size: int):
    """What a full disk is to a writer: a short write, then an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- the file ------------------------------------------------------------------------------


def test_the_directory_and_those_above_it_are_made(tmp_path):
    log = Log(tmp_path / "data" / "logs", "comedian")
    assert log.path.parent == tmp_path / "data" / "logs"
    assert log.path.exists()


def test_the_file_is_named_after_session_time_and_process(log):
    assert re.fullmatch(
        rf"comedian-20261122T120000Z-{os.getpid()}-[0-9a-f]{{4}}\.jsonl", log.path.name
    )


def test_the_time_in_the_name_is_utc(tmp_path):
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert "-20261122T120000Z-" in Log(tmp_path, "a", now=lambda: tokyo).path.name


def test_a_file_that_is_there_is_never_written_to(tmp_path, monkeypatch):
    drawn = iter([b"\0\0", b"\0\0", b"\0\1"])
    monkeypatch.setattr(os, "urandom", lambda _: next(drawn))
    logs = [Log(tmp_path, "comedian", now=lambda: NOON) for _ in range(2)]
    assert [log.path.stem[-4:] for log in logs] == ["0000", "0001"]


def test_each_run_has_a_file_of_its_own(tmp_path):
    logs = [Log(tmp_path, "comedian", now=lambda: NOON) for _ in range(50)]
    assert len({log.path for log in logs}) == 50


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_reads_and_writes_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        log = Log(tmp_path, "comedian")
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a/b", "a_b-"),
        ("../../etc/passwd", "etc_passwd-"),
        ("/etc/passwd", "etc_passwd-"),
        (".", "session-"),
        ("..", "session-"),
        ("", "session-"),
        ("--force", "force-"),
        ("a b\n\x00c", "a_b_c-"),
        ("C:\\new", "C_new-"),
        ("Компании 海", "Компании_海-"),
        ("\ud83e", "session-"),
    ],
)
def test_a_name_becomes_a_file_name(tmp_path, name, begins):
    assert Log(tmp_path, name).path.name.startswith(begins)


@quick
@given(name=st.text(max_size=400))
def test_no_name_leads_out_of_the_directory(tmp_path_factory, name):
    directory = tmp_path_factory.getbasetemp() / "names"
    log = Log(directory, name)
    assert log.path.resolve().parent == directory.resolve()
    assert log.path.is_file()


def test_the_file_stays_where_it_is_when_the_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = Log("logs", "comedian")
    monkeypatch.chdir("/")
    log.write({"event": "active", "leaf": None})
    assert len(lines(log.path)) == 1
    assert log.path.parent == tmp_path / "logs"


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Log("~/logs", "comedian").path.parent == tmp_path / "logs"


# --- a directory that can't be written ------------------------------------------------------


def test_a_file_in_place_of_the_directory_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x").touch()
    with pytest.raises(LogError) as refused:
        Log("x", "comedian")
    assert str(refused.value) == (
        "cannot write the log in 'x': it is a file, not a directory; choose another with --dir"
    )


def test_a_file_above_the_directory_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(LogError, match=r"Not a directory; choose another with --dir"):
        Log(tmp_path / "x" / "y", "comedian")


@pytest.mark.parametrize("directory", ["a\0b", "~no-such-user-here/logs"])
def test_an_impossible_directory_is_refused(directory):
    with pytest.raises(LogError, match="cannot write the log in"):
        Log(directory, "comedian")


def test_a_directory_without_write_permission_is_refused():
    """In a process of its own, which gives up the rights of a superuser if it has them."""
    code = (
        "import os, sys\n"
        "from nbconvo.log import Log\n"
        "os.getuid() == 0 and os.setuid(65534)\n"
        "for directory in (sys.argv[1], sys.argv[1] + '/y'):\n"
        "    try: Log(directory, 'comedian')\n"
        "    except Exception as error: print(type(error).__name__, error, sep=': ')\n"
        "print(os.listdir(sys.argv[1]))\n"
    )
    with tempfile.TemporaryDirectory() as closed:
        os.chmod(closed, 0o555)
        ran = subprocess.run(
            [sys.executable, "-c", code, closed], capture_output=True, text=True, check=True
        )
    assert ran.stdout.splitlines() == [
        f"LogError: cannot write the log in {directory!r}: Permission denied;"
        " choose another with --dir"
        for directory in (closed, closed + "/y")
    ] + ["[]"]


# --- writing -------------------------------------------------------------------------------


def test_an_event_is_on_disk_when_write_returns(log):
    log.write({"event": "active", "leaf": "a"})
    assert lines(log.path) == [
        {"event": "active", "time": "2026-11-22T12:00:00.250000+00:00", "version": 1, "leaf": "a"}
    ]


def test_only_the_first_line_has_the_version(log):
    for leaf in "abc":
        log.write({"event": "active", "leaf": leaf})
    assert ["version" in event for event in lines(log.path)] == [True, False, False]


def test_each_event_is_one_line_written_at_once(log, monkeypatch):
    written = []
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, data: written.append(bytes(data)) or write(fd, data)
    )
    log.write({"event": "error", "text": "a\nb\r\u2028c\x85\u2029d", "asked": "x" * 100_000})
    (line,) = written
    assert len(line.decode().splitlines()) == 1
    assert lines(log.path)[0]["text"] == "a\nb\r\u2028c\x85\u2029d"


def test_events_that_belong_together_are_written_in_one_go(log, monkeypatch):
    written = []
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, data: written.append(bytes(data)) or write(fd, data)
    )
    log.write({"event": "error", "text": "a"}, {"event": "active", "leaf": "b"})
    assert written == [log.path.read_bytes()]
    assert [event["event"] for event in lines(log.path)] == ["error", "active"]
    assert ["version" in event for event in lines(log.path)] == [True, False]


@pytest.mark.parametrize("value", [None, float("inf"), 2**70, "null", {"1": None}, 1e16, 0.1])
def test_values_come_back_as_they_were(log, value):
    log.write({"event": "session", "options": {"value": value, "text": ":null"}})
    assert lines(log.path)[0]["options"] == {"value": value, "text": ":null"}


@pytest.mark.parametrize("beside", [None, "x"])
def test_a_member_of_an_enum_is_written_as_its_value(log, beside):
    log.write({"event": "session", "options": {"tier": Tier.FLEX, "beside": beside}})
    assert lines(log.path)[0]["options"]["tier"] == "flex"


def test_half_a_surrogate_pair_is_written_and_read_back(log):
    log.write({"event": "error", "text": "half \ud83e"})
    assert lines(log.path)[0]["text"] == "half \ud83e"


def test_text_is_readable_in_the_file(log):
    log.write({"event": "error", "text": "Übermut 海"})
    assert "Übermut 海" in log.path.read_text("utf-8")


def test_a_value_unknown_to_json_is_written_as_text(log):
    log.write({"event": "session", "options": {"where": Path("a"), "stop": {"x"}}})
    assert lines(log.path)[0]["options"] == {"where": "a", "stop": "{'x'}"}


def test_an_event_that_cannot_be_json_is_refused_and_leaves_no_trace(log):
    with pytest.raises(LogError, match="comedian"):
        log.write(
            {"event": "active", "leaf": "a"}, {"event": "session", "options": {("a", "b"): 1}}
        )
    assert log.path.read_bytes() == b""


def test_a_full_disk_is_told_with_the_file_and_leaves_no_half_line(log):
    log.write({"event": "active", "leaf": "a"})
    with (
        no_file_longer_than(log.path.stat().st_size + 20),
        pytest.raises(LogError, match=re.escape(f"cannot write the log '{log.path}': File too")),
    ):
        log.write({"event": "active"}, {"event": "active", "leaf": "b"})
    log.write({"event": "active", "leaf": "c"})
    assert [event["leaf"] for event in lines(log.path)] == ["a", "c"]


def test_a_closed_log_takes_no_more(log):
    log.close()
    log.close()
    with pytest.raises(LogError, match="is closed"):
        log.write({"event": "active", "leaf": None})


def test_a_dropped_log_leaves_no_open_file(tmp_path):
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        Log(tmp_path, "comedian")
    assert len(os.listdir("/dev/fd")) == before


def test_a_forked_process_goes_on_in_a_file_of_its_own(tmp_path):
    """In a process of its own, so that what forks is not the test run."""
    code = (
        "import os, sys\n"
        "from nbconvo.log import Log\n"
        "log = Log(sys.argv[1], 'comedian')\n"
        "log.write({'event': 'active', 'leaf': None, 'by': 'both'})\n"
        "if os.fork() == 0:\n"
        "    files = len(os.listdir('/dev/fd'))\n"
        "    log.write({'event': 'active', 'leaf': None, 'by': 'child'})\n"
        "    os._exit(len(os.listdir('/dev/fd')) - files)\n"
        "assert os.wait()[1] == 0\n"
        "log.write({'event': 'active', 'leaf': None, 'by': 'parent'})\n"
        "print(log.path)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    parents = Path(ran.stdout.strip())
    (childs,) = set(tmp_path.iterdir()) - {parents}
    assert [event["by"] for event in lines(parents)] == ["both", "parent"]
    assert [event["by"] for event in lines(childs)] == ["both", "child"]
    assert stat.S_IMODE(childs.stat().st_mode) == 0o600


# --- messages as JSON ------------------------------------------------------------------------

texts = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), None])
usages = st.builds(
    Usage,
    st.integers(0),
    st.integers(0),
    st.integers(0),
    st.integers(0),
    st.none() | st.floats(0, allow_nan=False),
    st.integers(0, 3),
    st.booleans(),
)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=texts,
    name=st.none() | texts,
    created=st.datetimes(timezones=zones),
    cell=st.none() | st.builds(Cell, texts, texts),
    service=st.none() | texts,
    model=st.none() | texts,
    usage=st.none() | usages,
    finish_reason=st.none() | texts,
    seconds=st.none() | st.floats(0, allow_nan=False),
    reasoning=texts,
)


def paired(text: str) -> str:
    """JSON cannot tell two halves of a pair, side by side, from their character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@quick
@given(messages.filter(lambda message: repr(message) == paired(repr(message))), st.none() | texts)
def test_a_message_comes_back_from_its_line_as_it_was(message, parent):
    parent = parent and paired(parent)
    line = to_line(encode_message(message, parent))
    line.encode()
    decoded, its_parent = decode_message(json.loads(line))
    assert its_parent == parent
    assert to_line(encode_message(decoded)) == to_line(encode_message(message))
    if line.isascii():
        assert decoded == message


def test_what_is_unknown_is_left_out():
    message = Message(role="user", content="hello", id="a", created=NOON)
    assert encode_message(message) == {
        "event": "message",
        "role": "user",
        "content": "hello",
        "id": "a",
        "created": "2026-11-22T12:00:00.250000+00:00",
    }


def test_all_that_is_known_is_there():
    message = Message(
        role="assistant",
        content="hi",
        name="comedian",
        id="b",
        created=NOON,
        cell=Cell("c1", "run 1"),
        service="openai",
        model="m",
        usage=Usage(1, 2, requests=1),
        finish_reason="stop",
        seconds=0.5,
        reasoning="hm",
    )
    assert encode_message(message, "a") == {
        "event": "message",
        "role": "assistant",
        "content": "hi",
        "name": "comedian",
        "id": "b",
        "created": "2026-11-22T12:00:00.250000+00:00",
        "cell": {"id": "c1", "execution": "run 1"},
        "service": "openai",
        "model": "m",
        "usage": {
            "input_tokens": 1,
            "output_tokens": 2,
            "cached_tokens": 0,
            "reasoning_tokens": 0,
            "requests": 1,
            "estimated": False,
            "cache_write_tokens": 0,
            "priced": False,
        },
        "finish_reason": "stop",
        "seconds": 0.5,
        "reasoning": "hm",
        "parent": "a",
    }
    assert decode_message(encode_message(message, "a")) == (message, "a")


def test_a_cost_of_nothing_is_not_left_out():
    usage = Usage(cost=0.0, requests=1)
    message, _ = decode_message(encode_message(Message(role="user", content="", usage=usage)))
    assert message.usage == usage


def test_fields_of_a_later_version_are_passed_over():
    usage = Usage(1, 2)
    data = encode_message(Message(role="user", content="a", cell=Cell("c", "1"), usage=usage))
    data["mood"] = data["cell"]["mood"] = data["usage"]["mood"] = "good"
    message, _ = decode_message(data)
    assert (message.content, message.cell, message.usage) == ("a", Cell("c", "1"), usage)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "robot"},
        {"role": []},
        {"content": 1},
        {"content": None},
        {"id": None},
        {"id": {}},
        {"created": "yesterday"},
        {"created": 5},
        {"parent": []},
        {"cell": 1},
        {"cell": {"id": "c"}},
        {"usage": 1},
        {"model": {}},
    ],
    ids=str,
)
def test_what_is_no_message_is_refused(change):
    data = encode_message(Message(role="user", content="a")) | change
    with pytest.raises(LogError, match="not a message"):
        decode_message(data)


# --- reading -------------------------------------------------------------------------------


def recorded(log: Log, conversation: Conversation) -> None:
    for message in conversation:
        log.write(encode_message(message, conversation.parent(message.id)))
    log.write({"event": "active", "leaf": conversation.leaf})


@pytest.fixture
def forked() -> Conversation:
    """Two alternatives of a second exchange, the first of them active."""
    conversation = Conversation()
    conversation.append(Message(role="user", content="a"), Message(role="assistant", content="A"))
    first = conversation.leaf
    conversation.append(Message(role="user", content="b"), Message(role="assistant", content="B"))
    active = conversation.leaf
    conversation.branch(first)
    conversation.append(Message(role="user", content="c", cell=Cell("c", "1")))
    conversation.branch(active)
    return conversation


def test_the_tree_and_its_active_path_are_rebuilt(log, forked):
    recorded(log, forked)
    again = read(log.path).conversation
    assert list(again) == list(forked)
    assert again.messages == forked.messages
    assert [again.parent(m.id) for m in again] == [forked.parent(m.id) for m in forked]


def test_the_last_settings_hold(log):
    log.write({"event": "session", "name": "comedian", "system": "be dull"})
    log.write({"event": "session", "name": "comedian", "system": "be funny"})
    assert read(str(log.path)).settings == {"name": "comedian", "system": "be funny"}


def test_a_message_alone_does_not_move_the_path(log):
    """So a question that was never answered is kept, off the path."""
    log.write(encode_message(Message(role="user", content="a")))
    conversation = read(log.path).conversation
    assert (len(conversation), conversation.messages) == (1, ())


def test_a_path_can_be_empty_again(log, forked):
    recorded(log, forked)
    log.write({"event": "active", "leaf": None})
    conversation = read(log.path).conversation
    assert (len(conversation), conversation.messages) == (5, ())


def test_an_empty_file_is_an_empty_conversation(log):
    assert len(read(log.path).conversation) == 0
    assert read(log.path).settings == {}


def test_events_unknown_to_this_version_are_passed_over(log, forked):
    log.write({"event": "mood", "leaf": 5})
    log.write({"event": "error", "text": "no", "error": "RateLimited", "asked": "a"})
    recorded(log, forked)
    assert read(log.path).conversation.messages == forked.messages


def test_wherever_a_kernel_is_killed_what_was_written_before_is_read(log, forked, tmp_path):
    recorded(log, forked)
    data = log.path.read_bytes()
    torn = tmp_path / "torn.jsonl"
    for size in range(len(data) + 1):
        torn.write_bytes(data[:size])
        begun = list(read(torn).conversation)
        assert begun == list(forked)[: len(begun)]
        # The closing brace is the last byte that a line needs.
        whole = sum(b'"message"' in line for line in data[:size].split(b"}\n")[:-1])
        assert len(begun) - whole in {0, 1}


@pytest.mark.parametrize(
    "line",
    [b'{"event": "mess', b"\xff\xfe", b"\0\0\0", b"null", b"[1]", b"[" * 5000, b"gone"],
    ids=lambda line: repr(line[:9]),
)
def test_a_damaged_line_is_named_with_its_number(log, forked, line):
    recorded(log, forked)
    kept = log.path.read_bytes().split(b"\n")
    log.path.write_bytes(b"\n".join([*kept[:2], line, *kept[2:]]))
    with pytest.raises(LogError, match=re.escape(f"'{log.path}:3': the line is ")):
        read(log.path)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "message", "content": "a"}, "not a message"),
        ({"event": "active", "leaf": "nowhere"}, "no message 'nowhere'"),
        ({"event": "active", "leaf": {}}, "no message {}"),
        (
            encode_message(Message(role="user", content=""), "nowhere"),
            "no message 'nowhere'",
        ),
    ],
    ids=["no message", "no leaf", "no id", "no parent"],
)
def test_an_event_that_does_not_fit_is_named_with_its_number(log, event, said):
    log.write({"event": "session", "name": "comedian"})
    log.write(event)
    with pytest.raises(LogError, match=re.escape(f"'{log.path}:2': {said}")):
        read(log.path)


def test_a_file_of_a_later_version_is_not_misread(tmp_path):
    (tmp_path / "new.jsonl").write_text('{"event": "session", "version": 2}\n')
    with pytest.raises(LogError, match="version 2 is unknown; upgrade nbconvo"):
        read(tmp_path / "new.jsonl")


@pytest.mark.parametrize(("name", "reason"), [("gone", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, reason):
    path = tmp_path / name
    with pytest.raises(LogError, match=re.escape(f"cannot read the log '{path}': {reason}")):
        read(path)
