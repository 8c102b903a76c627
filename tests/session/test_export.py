"""Export: each format, and a file that is written whole, once."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.errors import InputError, LogError
from nbconvo.log import decode_message
from nbconvo.messages import Attachment, Cell, Message, ToolCall, Usage
from nbconvo.session.export import export, to_csv, to_jsonl, to_markdown, to_pandas

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MESSAGES = (
    Message(role="user", content='a joke,\n"please"', id="a", created=NOON, cell=Cell("c", "1")),
    Message(
        role="assistant",
        content="=1+1",
        name="comedian",
        id="b",
        created=NOON,
        service="offline",
        model="echo",
        usage=Usage(3, 4, cost=0.0, requests=1),
        finish_reason="stop",
        seconds=0.5,
        reasoning="hm",
    ),
)
COLUMNS = (
    "id,role,name,content,created,service,model,input_tokens,output_tokens,cost,seconds,"
    "finish_reason,calls,call_id,failed,attachments"
)
quick = settings(deadline=None, database=None)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# --- JSON Lines and CSV ----------------------------------------------------------------------


def test_json_lines_hold_all_that_is_known():
    objects = [json.loads(line) for line in to_jsonl(MESSAGES).splitlines()]
    assert [decode_message(data) for data in objects] == [(message, None) for message in MESSAGES]
    assert list(objects[0]) == ["role", "content", "id", "created", "cell"]


@quick
@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_json_lines_split_at_messages_only(text):
    exported = to_jsonl([Message(role="user", content=text)] * 3)
    assert len(exported.splitlines()) == 3
    exported.encode()


def test_csv_has_a_header_and_a_row_for_each_message():
    assert to_csv(MESSAGES).splitlines()[0] == COLUMNS
    user, reply = rows(to_csv(MESSAGES))
    assert user["created"] == "2026-11-22T12:00:00+00:00"
    assert [reply[name] for name in COLUMNS.split(",")] == [
        "b",
        "assistant",
        "comedian",
        "=1+1",
        "2026-11-22T12:00:00+00:00",
        "offline",
        "echo",
        "3",
        "4",
        "0.0",
        "0.5",
        "stop",
        *("", "", "", ""),
    ]


def test_what_is_unknown_is_empty_in_csv():
    user, _ = rows(to_csv(MESSAGES))
    assert {user[name] for name in ("name", "service", "input_tokens", "cost", "seconds")} == {""}


@quick
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_csv_as_it_was(text):
    assert rows(to_csv([Message(role="user", content=text)]))[0]["content"] == text


ASKED = Message(
    role="user", content="look", attachments=(Attachment("image/png", b"x", "a `plot`.png", 2, 1),)
)
OSLO = ToolCall("1", "weather", '{"city": "Oslo"}')
ROME = ToolCall("2", "weather", '{"city": "Rome"}')
CALLING = Message(role="assistant", content="", name="meteo", calls=(OSLO, ROME))
FAILED = Message(role="tool", content="error: ```", name="weather", call_id="2", failed=True)
RAIN = Message(role="tool", content="rain", name="weather", call_id="1")
STEPS = (ASKED, CALLING, FAILED, RAIN)


def test_calls_results_and_attachments_are_in_csv_where_there_are_any():
    asked, calling, failed, rain = rows(to_csv(STEPS))
    assert json.loads(asked["attachments"]) == ["a `plot`.png"]
    assert [call["id"] for call in json.loads(calling["calls"])] == ["1", "2"]
    assert (failed["call_id"], failed["failed"], rain["failed"]) == ("2", "True", "False")
    assert (asked["calls"], asked["failed"], rain["attachments"]) == ("", "", "")


# --- Markdown --------------------------------------------------------------------------------


def test_markdown_has_a_heading_for_each_turn():
    assert to_markdown(MESSAGES, title="An evening") == (
        '# An evening\n\n## User\n\na joke,\n"please"\n\n## comedian\n\n*echo*\n\n=1+1\n'
    )


def test_markdown_shows_calls_and_results_as_code_and_attachments_by_name():
    assert to_markdown(STEPS, title="T") == (
        "# T\n\n## User\n\nlook\n\n*attached:* `a 'plot'.png`\n\n## meteo\n\n"
        '```python\nweather(city="Oslo")\n```\n\n*result:*\n\n```text\nrain\n```\n\n'
        '```python\nweather(city="Rome")\n```\n\n*failed:*\n\n````text\nerror: ```\n````\n'
    )


@pytest.mark.parametrize("reason", ["stopped", "cut", "length"])
def test_markdown_says_what_cut_a_reply_short(reason):
    reply = Message(role="assistant", content="well", model="echo", finish_reason=reason)
    assert f"## Assistant\n\n*echo · {reason}*\n\nwell\n" in to_markdown([reply])


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("```python\nprint(", "\n```"),
        ("~~~~\n~~~\n```\n", "~~~~"),
        ("  ````\n```\n", "````"),
        ("```python\n```python", "\n```"),
        ("```python\nprint()\n```", ""),
        ("~~~\na\n~~~~\n", ""),
        ("a ``` b", ""),
        ("``` not a fence ```", ""),
    ],
)
def test_an_open_code_fence_does_not_take_in_the_next_turn(content, end):
    stopped = Message(role="assistant", content=content)
    after = Message(role="user", content="go on")
    assert f"\n\n{content}{end}\n\n## User\n" in to_markdown([stopped, after])


def test_names_and_titles_stay_in_their_heading():
    message = Message(role="assistant", content="", name="a\n# b")
    document = to_markdown([message], title="c\n# d")
    assert "## a # b\n" in document
    assert document.startswith("# c # d\n")


# --- pandas ----------------------------------------------------------------------------------


def test_a_data_frame_has_the_columns_of_csv_with_their_types():
    pytest.importorskip("pandas")
    frame = to_pandas(MESSAGES)
    assert ",".join(frame.columns) == COLUMNS
    assert list(frame["content"]) == [message.content for message in MESSAGES]
    assert frame["input_tokens"].sum() == 3
    assert frame["input_tokens"].isna().tolist() == [True, False]
    assert frame["cost"].isna().tolist() == [True, False]
    assert list(frame["created"]) == [NOON, NOON]
    assert to_pandas(STEPS)["failed"].fillna(False).tolist() == [False, False, True, False]


def test_times_of_several_zones_become_utc_in_a_data_frame():
    pytest.importorskip("pandas")
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    later = NOON + timedelta(microseconds=1)
    frame = to_pandas([Message(role="user", content="", created=at) for at in (tokyo, later)])
    assert str(frame["created"].dt.tz) == "UTC"
    assert list(frame["created"]) == [NOON, later]


def test_an_empty_data_frame_has_the_same_types():
    pytest.importorskip("pandas")
    empty, full = to_pandas([]), to_pandas(MESSAGES)
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    assert empty["input_tokens"].dtype == full["input_tokens"].dtype


def test_pandas_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"^pandas is not installed; pip install pandas$"):
        to_pandas(MESSAGES)


def test_export_does_not_import_pandas():
    code = "import sys, nbconvo.session.export; print('pandas' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root) == b"False\n"


# --- files -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "render"),
    [("x.jsonl", to_jsonl), ("x.csv", to_csv), ("x.md", to_markdown), ("X.CSV", to_csv)],
)
def test_the_suffix_names_the_format(name, render):
    path = export(MESSAGES, name)
    assert path == Path(name)
    assert path.read_bytes().decode() == render(MESSAGES)


def test_the_title_goes_into_a_document():
    assert export(MESSAGES, "x.md", title="An evening").read_text().startswith("# An evening\n")


@pytest.mark.parametrize("name", ["x.xlsx", "x", "csv", ".csv"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(name):
    with pytest.raises(InputError) as refused:
        export(MESSAGES, name)
    assert str(refused.value) == f"'{name}' has no known format; end it in .jsonl, .csv or .md"
    assert os.listdir() == []


def test_a_file_is_not_overwritten():
    Path("x.csv").write_text("precious")
    with pytest.raises(InputError, match=r"^'x\.csv' exists; add --force to overwrite$"):
        export(MESSAGES, "x.csv")
    assert Path("x.csv").read_text() == "precious"
    assert os.listdir() == ["x.csv"]


def test_a_link_to_nowhere_is_not_overwritten():
    Path("x.csv").symlink_to("elsewhere.csv")
    with pytest.raises(InputError, match="--force"):
        export(MESSAGES, "x.csv")
    assert os.listdir() == ["x.csv"]


def test_force_overwrites():
    Path("x.csv").write_text("old")
    export(MESSAGES, "x.csv", force=True)
    assert Path("x.csv").read_bytes().decode() == to_csv(MESSAGES)
    assert os.listdir() == ["x.csv"]


def test_force_keeps_the_rights_of_the_file():
    Path("x.csv").touch(mode=0o600)
    Path("x.csv").chmod(0o600)
    export(MESSAGES, "x.csv", force=True)
    assert stat.S_IMODE(Path("x.csv").stat().st_mode) == 0o600


def test_force_writes_where_nothing_was():
    assert export(MESSAGES, "x.csv", force=True).exists()


def test_a_new_file_has_the_rights_of_any_new_file():
    Path("plain").touch()
    assert export(MESSAGES, "x.csv").stat().st_mode == Path("plain").stat().st_mode


@pytest.mark.parametrize("force", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(monkeypatch, force):
    Path("x.csv").write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(LogError, match=r"'y\.csv': No space left on device; choose another file"):
        export(MESSAGES, "y.csv", force=force)
    assert os.listdir() == ["x.csv"]
    assert Path("x.csv").read_text() == "old"


def test_a_file_system_without_hard_links_serves(monkeypatch):
    def fail(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    export(MESSAGES, "x.csv")
    assert Path("x.csv").read_bytes().decode() == to_csv(MESSAGES)
    with pytest.raises(InputError, match="--force"):
        export(MESSAGES, "x.csv")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no/x.csv", "No such file or directory"),
        ("file/x.csv", "Not a directory"),
        ("directory.csv", "it is a directory"),
        ("a\0b.csv", "null"),
        ("~no-such-user-here/x.csv", "home"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_place_that_cannot_be_written_is_named(name, reason, force):
    Path("file").touch()
    Path("directory.csv").mkdir()
    with pytest.raises(LogError, match=f"cannot write .*{reason}.*; choose another file"):
        export(MESSAGES, name, force=force)
    assert sorted(os.listdir()) == ["directory.csv", "file"]


def test_a_tilde_is_the_home_directory(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert export(MESSAGES, "~/x.md") == here / "x.md"


HALVES = Message(role="user", content="half \ud83e, whole \ud83e\udd16")


@pytest.mark.parametrize("name", ["x.csv", "x.md"])
def test_halves_of_characters_do_not_spoil_a_file(name):
    assert "half \ufffd, whole \U0001f916" in export([HALVES], name).read_text("utf-8")


def test_json_lines_keep_half_a_character():
    written = export([HALVES], "x.jsonl").read_text("utf-8")
    assert json.loads(written)["content"] == "half \ud83e, whole \U0001f916"


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.md"])
def test_an_empty_conversation_can_be_exported(name):
    assert export([], name).exists()
