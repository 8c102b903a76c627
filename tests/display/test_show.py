"""Showing replies while they stream: what comes is painted, and always the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from nbconvo.display.column import Column
from nbconvo.display.show import Item, show
from nbconvo.errors import AuthenticationFailed, Stopped, StreamCut
from nbconvo.messages import Delta, Message
from nbconvo.session import Reply


class Painted:
    """A screen that remembers what it was told to paint."""

    def __init__(self) -> None:
        self.texts: list[list[str]] = []
        self.finals: list[bool] = []

    def paint(self, columns: Sequence[Column], *, final: bool) -> None:
        self.texts.append([column.text for column in columns])
        self.finals.append(final)


def reply(text: str) -> Reply:
    return Reply(Message(role="assistant", content=text))


def breaking(*batches: Sequence[Item], by: BaseException) -> Iterator[Sequence[Item]]:
    yield from batches
    raise by


def test_each_batch_is_painted_but_what_ends_it_only_as_the_end():
    screen, columns = Painted(), [Column()]
    show([[(0, Delta("a"))], [], [(0, Delta("b")), (0, reply("ab"))]], screen, columns)
    assert screen.texts == [["a"], ["a"], ["ab"]]
    assert screen.finals == [False, False, True]
    assert columns[0].reply == "ab"


def test_nothing_at_all_has_an_end_too():
    screen = Painted()
    show([], screen, [Column()])
    assert screen.finals == [True]


def test_what_comes_goes_to_its_column():
    columns = [Column("a"), Column("b")]
    show([[(1, Delta("yes")), (0, Delta("no"))]], Painted(), columns)
    assert [column.text for column in columns] == ["no", "yes"]


def test_a_speaker_whose_turn_has_ended_gets_a_new_column():
    columns: list[Column] = []
    turns = [[(0, Delta("one")), (0, reply("one"))], [(1, reply("two"))], [(0, reply("three"))]]
    show(turns, Painted(), columns, ["a", "b"])
    assert [(column.name, column.reply) for column in columns] == [
        ("a", "one"),
        ("b", "two"),
        ("a", "three"),
    ]


def test_an_interrupt_says_how_much_is_kept_and_paints_the_end():
    screen, columns = Painted(), [Column("a"), Column("b")]
    batches = breaking([(0, Delta("x" * 1200)), (1, reply("done"))], by=Stopped("interrupted"))
    with pytest.raises(Stopped, match=r"^1,200 characters kept$"):
        show(batches, screen, columns)
    assert screen.finals == [False, True]
    assert columns[0].card(busy=False).footer[-1] == "stopped"
    assert columns[1].reply == "done"


def test_an_error_is_raised_when_the_end_is_painted():
    screen, columns = Painted(), [Column()]
    error = StreamCut("it broke off")
    with pytest.raises(StreamCut) as caught:
        show(breaking([(0, Delta("half"))], by=error), screen, columns)
    assert caught.value is error
    assert screen.finals[-1]
    assert columns[0].card(busy=False).footer[-1] == "cut"


def test_an_error_of_one_column_stays_with_it():
    columns = [Column("a"), Column("b")]
    show([[(0, AuthenticationFailed("no"))], [(1, reply("yes"))]], Painted(), columns)
    assert isinstance(columns[0].error, AuthenticationFailed)
    assert columns[1].reply == "yes"


@pytest.mark.parametrize("error", [ZeroDivisionError(), MemoryError()])
def test_whatever_breaks_the_stream_the_end_is_painted(error):
    screen, columns = Painted(), [Column()]
    with pytest.raises(type(error)):
        show(breaking([(0, Delta("a"))], by=error), screen, columns)
    assert screen.finals == [False, True]
    assert columns[0].card(busy=False).footer[-1] == "cut"


def test_a_second_interrupt_ends_in_one_line_too():
    screen, columns = Painted(), [Column()]
    with pytest.raises(Stopped, match="3 characters kept"):
        show(breaking([(0, Delta("abc"))], by=KeyboardInterrupt()), screen, columns)
    assert screen.finals[-1]


def test_an_output_that_a_notice_made_says_that_no_reply_came():
    screen, columns = Painted(), [Column()]
    with pytest.raises(StreamCut):
        show(breaking([(0, Delta(notice="waiting"))], by=StreamCut("x")), screen, columns)
    assert columns[0].card(busy=False).notice == "no reply"
