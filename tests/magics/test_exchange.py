"""``%%exchange``: turns one below the other, in histories and in a variable."""

from __future__ import annotations

import pytest

from nbconvo.errors import AuthenticationFailed, InputError, UnknownName
from nbconvo.session import Session, workspace


@pytest.fixture(autouse=True)
def _pair(provider):
    for name in ("kind", "stern"):
        Session(f"you are {name}", name=name, model="m")
    provider.respond(lambda request: f"turn {request.number}")


def test_turns_stand_one_below_the_other_under_their_speakers_names(notebook):
    ran = notebook.run("%%exchange kind stern --rounds 2\nbegin")
    assert ran.text == ("kind:\nturn 1\n\nstern:\nturn 2\n\nkind:\nturn 3\n\nstern:\nturn 4")
    assert "nbconvo-cards nbconvo-beside" not in ran.html
    assert len(ran.outputs[0]["metadata"]["nbconvo"]["replies"]) == 4


def test_three_rounds_are_the_default(notebook, provider):
    notebook.run("%%exchange kind stern\nbegin")
    assert len(provider.requests) == 6


def test_a_variable_gets_the_turns(notebook):
    notebook.run("%%exchange kind stern --rounds 1 --to talk\nbegin")
    talk = notebook.names["talk"]
    assert talk == ["turn 1", "turn 2"]
    assert [turn.speaker for turn in talk] == ["kind", "stern"]
    assert notebook.run("talk").text == "kind:\nturn 1\n\nstern:\nturn 2"


def test_the_opening_is_the_users_and_names_are_not_doubled_in_what_was_said(notebook):
    notebook.run("%%exchange kind stern --rounds 1\nbegin")
    shown = repr(notebook.run("%convo show stern").result)
    assert shown.endswith("user:\nbegin\n\nkind:\nturn 1\n\nstern:\nturn 2")
    assert "## User\n\nbegin\n\n## kind\n\nturn 1\n" in workspace["stern"].to_markdown()
    assert [m.name for m in workspace["stern"].messages[1:]] == [None, "kind", "stern"]


def test_an_exchange_is_taken_back_with_its_opening(notebook):
    notebook.run("%%exchange kind stern --rounds 1\nbegin")
    notebook.run("%convo undo stern")
    assert workspace["stern"].conversation.messages == ()


def test_the_opening_holds_the_values_of_expressions(notebook, provider):
    notebook.names["topic"] = "rain"
    notebook.run("%%exchange kind stern --rounds 1\ntalk about {{topic}}")
    assert provider.requests[0].json["messages"][-1]["content"] == "talk about rain"


def test_quiet_shows_nothing(notebook):
    ran = notebook.run("%%exchange kind stern --rounds 1 --quiet\nbegin")
    assert (ran.outputs, ran.printed) == ([], "")


def test_a_terminal_shows_the_turns_as_they_come(terminal):
    lines = terminal.run("%%exchange kind stern --rounds 1\nbegin").lines
    assert lines[:2] == ["kind:", "turn 1"]
    assert lines[4:6] == ["stern:", "turn 2"]


def test_a_failure_is_one_line_and_keeps_what_was_said(notebook, provider):
    provider.reply("turn one")
    provider.error(401)
    ran = notebook.run("%%exchange kind stern --to talk\nbegin")
    assert isinstance(ran.error, AuthenticationFailed)
    assert len(ran.lines) == 1
    assert "turn one" in ran.html
    assert notebook.names["talk"] == ["turn one"]
    assert workspace["kind"].last == "turn one"


@pytest.mark.parametrize(
    ("cell", "error", "text"),
    [
        ("%%exchange kind\nbegin", InputError, "needs two participants or more"),
        ("%%exchange kind kind\nbegin", InputError, "one is named twice"),
        ("%%exchange kind sterm\nbegin", UnknownName, "did you mean 'stern'?"),
        ("%%exchange\nbegin", InputError, "names missing; %exchange? tells"),
        ("%%exchange kind stern --rounds 0\nbegin", InputError, "rounds must lie between 1 and 20"),
        ("%%exchange kind stern --rounds 99\nbegin", InputError, "NbConvo.max_rounds allows more"),
        ("%%exchange kind stern --round 2\nbegin", InputError, "did you mean '--rounds'?"),
        ("%%exchange kind stern --to 1x\nbegin", InputError, "is not a name for a Python variable"),
        ("%%exchange kind stern\n \n", InputError, "the opening is empty"),
        ("%%exchange kind stern\n{{nope}}", InputError, "{{nope}} raised NameError"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_sent(notebook, provider, cell, error, text):
    ran = notebook.run(cell)
    assert isinstance(ran.error, error)
    (line,) = ran.lines
    assert text in line
    assert not provider.requests
