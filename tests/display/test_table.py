"""Tables, in a notebook and in a terminal."""

from __future__ import annotations

from nbconvo.display.table import Table

USAGE = Table(
    ("session", "tokens", "cost"),
    (("comedian", "~1,250", "$0.0100"), ("critic", "7", "")),
)


def test_a_terminal_gets_columns_with_numbers_flush_right():
    assert str(USAGE).splitlines() == [
        "session   tokens     cost",
        "--------  ------  -------",
        "comedian  ~1,250  $0.0100",
        "critic         7",
    ]


def test_a_notebook_gets_an_html_table_with_the_plain_one_beside():
    data = USAGE._repr_mimebundle_()
    assert data["text/plain"] == str(USAGE) == repr(USAGE)
    assert '<th style="text-align:left">session</th>' in data["text/html"]
    assert '<td style="text-align:right">~1,250</td>' in data["text/html"]
    assert data["text/html"].count("<tr>") == 3


def test_texts_are_not_html():
    page = Table(("<b>",), (("<script>alert(1)</script>",),))._repr_mimebundle_()["text/html"]
    assert "<b>" not in page
    assert "<script" not in page


def test_escapes_do_not_reach_the_terminal():
    assert "\x1b" not in str(Table(("model",), (("a\x1b[2Jb",),)))


def test_a_column_with_a_word_in_it_is_set_left():
    mixed = Table(("cost",), (("$1.00",), ("unknown",)))
    assert str(mixed).splitlines()[2] == "$1.00"


def test_a_table_without_rows_says_so():
    empty = Table(("session",), (), empty="no sessions yet")
    assert str(empty) == "no sessions yet"
    assert empty._repr_mimebundle_() == {"text/plain": "no sessions yet"}


def test_a_page_breaks_a_text_at_spaces_only_and_lets_the_table_scroll():
    table = Table(("requests/min",), (("as <a-b> is",),))
    page = table._repr_mimebundle_()["text/html"]
    assert '<div class="nbconvo-table nbconvo-facts">' in page
    assert '>as <span class="nbconvo-whole">&lt;a-b&gt;</span> is</td>' in page
    assert '<span class="nbconvo-whole">requests/min</span></th>' in page
