"""What a page may ask for, and what becomes of what it may not."""

from __future__ import annotations

import io
import logging
from base64 import b64decode

import pytest
from PIL import Image

from nbconvo.messages import Attachment
from nbconvo.panel.painter import painter
from nbconvo.session import workspace

MALFORMED = [
    None,
    7,
    "send",
    [],
    {},
    {"do": "send"},
    {"do": "send", "re": 1},
    {"do": "send", "re": "1", "to": [], "text": "x"},
    {"do": "send", "re": 1, "to": "comedian", "text": "x"},
    {"do": "send", "re": 1, "to": [1], "text": "x"},
    {"do": "send", "re": 1, "to": [], "text": None},
    {"do": "send", "re": 1, "to": [], "text": "x" * 2_000_001},
    {"do": "page", "re": 1, "at": 0, "n": True},
    {"do": "page", "re": 1, "at": "0", "n": 3},
    {"do": "picture", "re": 1, "s": "comedian", "id": "x", "at": None},
    {"do": "nonsense", "re": 1},
    {"do": ["send"], "re": 1},
    {"do": "__class__", "re": 1},
    {"do": "remove", "re": 1, "s": "comedian"},
    {"do": "restore", "re": 1, "s": "comedian", "leaf": 3},
]


@pytest.mark.parametrize("content", MALFORMED)
def test_a_malformed_message_is_ignored_and_logged(open_page, comedian, say, caplog, content):
    say(comedian, "q", "a")
    page = open_page()
    sent, messages = len(page.messages), comedian.conversation.messages
    with caplog.at_level(logging.WARNING, "nbconvo"):
        page.panel.heard(content)
    assert "malformed" in caplog.text
    assert all("nothing was done" in message["error"] for message in page.messages[sent:])
    assert comedian.conversation.messages == messages


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"do": "send", "to": [], "text": " \n"}, "the message is empty"),
        ({"do": "send", "to": ["comedien"], "text": "x"}, "did you mean 'comedian'?"),
        ({"do": "retry", "s": "comedian", "id": "x"}, "no message 'x'"),
        ({"do": "edit", "s": "comedian", "id": "x", "text": "y"}, "no message 'x'"),
        ({"do": "remove", "s": "nobody", "id": "x"}, "no session 'nobody'"),
        ({"do": "export", "format": "exe"}, "known are md, csv, jsonl"),
        ({"do": "model", "s": "comedian", "text": "offline:nothing"}, "nothing"),
        ({"do": "show", "key": "<b>"}, "no session '<b>'"),
        ({"do": "restore", "s": "comedian", "leaf": "x", "since": None}, "no message 'x'"),
    ],
)
def test_what_cannot_be_done_is_answered_in_one_line(open_page, comedian, asked, error):
    page = open_page()
    do = asked.pop("do")
    answer = page.ask(do, **asked)
    assert error in answer["error"]
    assert "\n" not in answer["error"]


def test_a_message_to_nobody_in_particular_goes_to_the_current_session(open_page, comedian, critic):
    workspace.current = "critic"
    page = open_page()
    page.ask("send", to=[], text="go")
    page.until(lambda: len(page.rows) == 2)
    assert page.rows[0]["s"] == "critic"


def test_a_message_to_several_is_sent_to_each(open_page, comedian, critic):
    page = open_page()
    page.ask("send", to=["comedian", "critic", "comedian"], text="go")
    page.until(lambda: len(page.rows) == 4)
    spoken_to = sorted(row["s"] for row in page.rows.values())
    assert spoken_to == ["comedian", "comedian", "critic", "critic"]


def test_a_message_that_one_cannot_take_is_sent_to_none(open_page, provider, comedian):
    page = open_page()
    assert "error" in page.ask("send", to=["comedian", "nobody"], text="go")
    assert provider.requests == []


def test_a_search_finds_in_upper_and_lower_case_and_shows_what_stands_around(
    open_page, comedian, say
):
    say(comedian, "nothing", f"{'x' * 60} The Whale swims {'y' * 90}")
    page = open_page("comedian")
    answer = page.ask("search", text="whale")
    (hit,) = answer["hits"]
    assert (hit["i"], hit["who"], hit["hit"]) == (1, "comedian", "Whale")
    assert hit["before"].startswith("…x")
    assert hit["before"].endswith("The ")
    assert hit["after"].endswith("y…")


def test_all_hits_are_counted_and_the_first_ones_listed(open_page, comedian, say):
    say(comedian, *["whale"] * 500)
    answer = open_page("comedian").ask("search", text="whale")
    assert (len(answer["hits"]), answer["total"]) == (200, 500)


@pytest.mark.parametrize(
    ("format", "beginning"), [("md", "# Conversation"), ("csv", "id,role"), ("jsonl", '{"role"')]
)
def test_an_export_is_the_text_of_a_file(open_page, comedian, say, format, beginning):
    say(comedian, "q", "a")
    page = open_page("comedian")
    answer = page.ask("export", format=format)
    assert answer["name"] == f"comedian.{format}"
    assert answer["text"].startswith(beginning)


def test_a_removal_is_not_undone_over_what_was_said_since(open_page, comedian, say):
    (_, reply) = say(comedian, "q", "a")
    page = open_page("comedian")
    page.ask("remove", s="comedian", id=reply.id)
    say(comedian, "b", "c")
    answer = page.ask("restore", **page.toasts[-1]["undo"])
    assert answer["error"].startswith("more was said since")
    assert [message.content for message in comedian.messages[1:]] == ["q", "b", "c"]


def test_a_service_without_a_default_needs_a_model(open_page, comedian):
    page = open_page("comedian")
    assert "has no default model" in page.ask("model", s="comedian", text=" ")["error"]
    assert comedian.model == "m"


@pytest.mark.parametrize("ending", ["keep", "close"])
def test_a_panel_gives_its_twin_and_ends(open_page, comedian, say, ending):
    say(comedian, "q", "a")
    page = open_page("comedian")
    twin = page.ask("twin")
    assert "<p>a</p>" in twin["data"]["text/html"]
    assert twin["model"] == page.panel.model_id
    page.ask(ending)
    assert page.panel not in painter.painted


def test_the_source_of_a_message_is_what_was_written(open_page, comedian, say):
    (_, reply) = say(comedian, "q", "*a* <b>")
    page = open_page()
    assert page.ask("source", s="comedian", id=reply.id)["text"] == "*a* <b>"


def drawn(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_is_given_large_and_no_larger_than_a_screen(open_page, comedian, say):
    pdf, image = Attachment("application/pdf", b"%PDF-"), Attachment("image/png", drawn(3000, 300))
    broken = Attachment("image/png", b"", "lost.png")
    (asked,) = say(comedian, "look", attachments=(pdf, broken, image))
    page = open_page("comedian")
    url = page.ask("picture", s="comedian", id=asked.id, at=0)["url"]
    assert url.startswith("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).size == (1600, 160)


@pytest.mark.parametrize("at", [-1, 1, 10**30])
def test_a_picture_that_is_not_there_is_an_error(open_page, comedian, say, at):
    (asked,) = say(comedian, "look", attachments=(Attachment("image/png", drawn(8, 8)),))
    page = open_page("comedian")
    assert page.ask("picture", s="comedian", id=asked.id, at=at)["error"].startswith("there is no")


def test_a_fork_appears_as_a_session_of_its_own(open_page, comedian, say):
    (question, _) = say(comedian, "q", "a")
    page = open_page()
    page.ask("fork", s="comedian", id=question.id, name="draft")
    assert [tab["key"] for tab in page.has["sessions"]] == ["comedian", "draft"]
    assert "draft begins with 1 message" in page.toasts[-1]["text"]
    assert len(workspace.get("draft").conversation.messages) == 1


@pytest.mark.parametrize(("name", "error"), [("comedian", "exists already"), ("", "a name")])
def test_a_fork_needs_a_free_name(open_page, comedian, say, name, error):
    (question, _) = say(comedian, "q", "a")
    page = open_page()
    assert error in page.ask("fork", s="comedian", id=question.id, name=name)["error"]
    assert workspace.names() == ("comedian",)


def test_a_removal_can_be_undone(open_page, comedian, say):
    (question, _) = say(comedian, "q", "a")
    page = open_page("comedian")
    page.ask("remove", s="comedian", id=question.id)
    assert page.texts == ["<p>a</p>\n"]
    page.ask("restore", **page.toasts[-1]["undo"])
    assert page.texts == ["<p>q</p>\n", "<p>a</p>\n"]


def test_instructions_and_model_can_be_changed(open_page, comedian):
    page = open_page("comedian")
    page.ask("system", s="comedian", text=" be brief ")
    page.ask("model", s="comedian", text="offline:eliza")
    assert (comedian.system, comedian.model) == ("be brief", "eliza")
    assert page.has["system"] == "be brief"
    assert page.has["sessions"][0]["model"] == "eliza"


def test_the_models_of_a_service_are_offered(open_page, provider, comedian):
    assert open_page().ask("models", s="comedian")["models"] == ["fake-model"]


def test_models_that_cannot_be_had_are_an_error_in_one_line(open_page, provider, comedian):
    comedian.set_service("http://127.0.0.1:9/v1", "m")
    assert "cannot connect" in open_page().ask("models", s="comedian")["error"]


def test_what_fails_in_an_unforeseen_way_is_answered_too(open_page, comedian, monkeypatch):
    page = open_page()
    monkeypatch.setattr(type(comedian.asking), "prepare", lambda *_, **__: 1 / 0)
    assert page.ask("send", to=["comedian"], text="x")["error"] == "send failed: ZeroDivisionError"
