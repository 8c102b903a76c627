"""Where replies are painted: one record of a notebook, or a terminal."""

from __future__ import annotations

import io

import pytest

from nbconvo.display.column import Column
from nbconvo.display.screens import NoScreen, NotebookScreen, TerminalScreen
from nbconvo.errors import AuthenticationFailed
from nbconvo.messages import Delta, Message, Usage
from nbconvo.session import Reply


def reply(text: str, **fields) -> Reply:
    return Reply(Message(role="assistant", content=text, **fields))


def column(*items, name: str | None = None) -> Column:
    made = Column(name)
    for item in items:
        made.add(item)
    return made


# --- a notebook ------------------------------------------------------------------------------


def test_nothing_is_published_until_there_is_something_to_show(page):
    screen = NotebookScreen()
    screen.paint([column()], final=False)
    screen.paint([column()], final=True)
    assert page == []


def test_all_paintings_are_of_one_record(page, clock):
    screen, growing = NotebookScreen(clock=clock), column(Delta("a"))
    screen.paint([growing], final=False)
    for text in ("b", "c"):
        clock.now += 1
        growing.add(Delta(text))
        screen.paint([growing], final=False)
    screen.paint([growing], final=True)
    assert [output["update"] for output in page] == [False, True, True, True]
    assert len({output["transient"]["display_id"] for output in page}) == 1
    assert [output["data"]["text/plain"] for output in page] == ["a", "ab", "abc", "abc"]


def test_only_the_last_painting_is_not_busy(page):
    screen, growing = NotebookScreen(), column(Delta("a"))
    screen.paint([growing], final=False)
    screen.paint([growing], final=True)
    assert ["aria-busy" in output["data"]["text/html"] for output in page] == [True, False]


def test_what_did_not_change_is_not_painted_again_but_the_end_is(page, clock):
    screen, growing = NotebookScreen(clock=clock), column(Delta("a"))
    for _ in range(3):
        screen.paint([growing], final=False)
        clock.now += 1
    assert len(page) == 1
    screen.paint([growing], final=True)
    assert len(page) == 2


def test_a_long_reply_is_painted_less_often(page, clock):
    screen, growing = NotebookScreen(clock=clock), column(Delta("word " * 100_000))
    screen.paint([growing], final=False)
    for _ in range(9):
        clock.now += 0.1
        growing.add(Delta("x"))
        screen.paint([growing], final=False)
    assert len(page) == 1
    clock.now += 0.5
    screen.paint([growing], final=False)
    assert len(page) == 2
    screen.paint([growing], final=True)
    assert len(page) == 3


def test_the_record_tells_who_answered_once_it_is_whole(page):
    answered = reply(
        "ha",
        name="comedian",
        service="openai",
        model="m",
        usage=Usage(1, 2, requests=1),
        finish_reason="stop",
    )
    screen = NotebookScreen()
    screen.paint([column(Delta("ha"))], final=False)
    screen.paint([column(Delta("ha"), answered)], final=True)
    assert page[0]["metadata"] == {}
    (told,) = page[1]["metadata"]["nbconvo"]["replies"]
    assert (told["session"], told["model"], told["output_tokens"]) == ("comedian", "m", 2)
    assert told["turn"] == answered.message.id


def test_columns_stand_side_by_side_only_when_told_to(page):
    both = [column(Delta("a"), name="a"), column(Delta("b"), name="b")]
    for beside in (True, False):
        NotebookScreen(side_by_side=beside).paint(both, final=True)
    assert ["cards nbconvo-beside" in o["data"]["text/html"] for o in page] == [True, False]


def test_a_record_can_be_made_before_there_is_anything_in_it(page):
    screen = NotebookScreen(at_once=True)
    assert [output["update"] for output in page] == [False]
    screen.paint([column(Delta("a"))], final=True)
    assert [output["update"] for output in page] == [False, True]


# --- a terminal ------------------------------------------------------------------------------


def painted(*paintings: list[Column]) -> str:
    """What a terminal shows after these paintings, the last one final."""
    out = io.StringIO()
    screen = TerminalScreen(out)
    for place, columns in enumerate(paintings, 1):
        screen.paint(columns, final=place == len(paintings))
    return out.getvalue()


def test_a_terminal_gets_only_what_is_new():
    out = io.StringIO()
    screen, growing = TerminalScreen(out), column()
    for text in ("one ", "two"):
        growing.add(Delta(text))
        screen.paint([growing], final=False)
    assert out.getvalue() == "one two"


def test_a_line_below_ends_the_reply():
    ended = column(Delta("ha"), reply("ha", service="openai", model="m", seconds=1.5))
    assert painted([ended]) == "ha\n[openai:m · 1.5 s]\n\n"


def test_a_reply_that_ends_its_line_gets_no_empty_one():
    ended = column(Delta("ha\n"), reply("ha\n", model="m"))
    assert painted([ended]) == "ha\n[m]\n\n"


def test_speakers_come_one_after_the_other_under_their_names():
    first, second = column(Delta("a"), name="A"), column(Delta("b"), name="B")
    out = io.StringIO()
    screen = TerminalScreen(out)
    screen.paint([first, second], final=False)
    assert out.getvalue() == "A:\na"
    first.add(reply("a", model="m"))
    screen.paint([first, second], final=False)
    second.add(reply("b", model="m"))
    screen.paint([first, second], final=True)
    assert out.getvalue() == "A:\na\n[m]\n\nB:\nb\n[m]\n\n"


def test_a_reply_that_follows_a_call_is_written_whole():
    growing = column(Delta("Let me see."))
    out = io.StringIO()
    screen = TerminalScreen(out)
    screen.paint([growing], final=False)
    growing.add(Delta(steps=(Message(role="assistant", content="Let me see."),)))
    growing.add(Delta("It rains in Oslo."))
    screen.paint([growing], final=True)
    assert out.getvalue() == "Let me see.\nIt rains in Oslo.\n"


def test_a_notice_is_written_once():
    waiting = column(Delta(notice="waiting\nfor 3 s"))
    assert painted([waiting], [waiting], [waiting]) == "[waiting for 3 s]\n"


@pytest.mark.parametrize(("name", "who"), [("A", "A: "), (None, "")])
def test_an_error_is_written_with_whose_it_is(name, who):
    failed = column(AuthenticationFailed("no such key"), name=name)
    assert painted([failed]) == f"[{who}no such key]\n"


def test_escapes_do_not_reach_the_terminal():
    assert painted([column(Delta("a\x1b[2Jb\x07c"), reply("x"))]) == "abc\n"
    assert "\x1b" not in painted([column(AuthenticationFailed("a\x1b[2Jb"))])


def test_no_screen_paints_nothing(page, capsys):
    NoScreen().paint([column(Delta("a"))], final=True)
    assert page == []
    assert capsys.readouterr().out == ""
