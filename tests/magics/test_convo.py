"""The verbs of ``%convo``."""

from __future__ import annotations

import csv
import json

import pytest

from nbconvo import services
from nbconvo.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InputError,
    LogError,
    MissingKey,
    UnknownName,
)
from nbconvo.session import Session, workspace


@pytest.fixture
def comedian(notebook, provider) -> Session:
    """A session, the current one, that has told one joke."""
    notebook.run("%%session comedian --model m\nbe funny")
    provider.reply("ha **ha**", usage={"prompt_tokens": 9, "completion_tokens": 2})
    notebook.run("%%ask\na joke")
    return workspace["comedian"]


def said(session: Session) -> list[str]:
    return [message.content for message in session.conversation.messages]


def test_list_is_the_table_of_sessions_and_the_default_verb(notebook, comedian):
    table = notebook.run("%convo list").result
    assert table == notebook.run("%convo").result == notebook.run("%session").result
    assert [row[0] for row in table.rows] == ["comedian (current)"]


def test_show_shows_what_was_said_under_the_speakers_names(notebook, comedian):
    history = notebook.run("%convo show").result
    assert repr(history) == "system:\nbe funny\n\nuser:\na joke\n\ncomedian:\nha **ha**"
    html = history._repr_mimebundle_()["text/html"]
    assert "<strong>ha</strong>" in html
    assert "openai:m" in html


def test_show_takes_the_name_of_another_session(notebook, comedian):
    Session(name="critic")
    assert repr(notebook.run("%convo show critic").result) == "nothing was said yet"


def test_usage_adds_up_by_session_and_in_all(notebook, provider, comedian):
    provider.reply("no", usage={"prompt_tokens": 1000, "completion_tokens": 300, "cost": 0.5})
    Session(name="critic")
    notebook.run("%%ask critic\nhm")
    table = notebook.run("%convo usage").result
    assert table.rows == (
        ("comedian", "1", "9", "2", "unknown"),
        ("critic", "1", "1,000", "300", "$0.50"),
        ("all", "2", "1,009", "302", "unknown"),
        ("kernel", "2", "1,009", "302", "unknown"),
    )


def test_usage_shows_a_budget_where_one_is_set(notebook, provider):
    notebook.run("%session critic --budget 2.00 --service offline --model echo")
    notebook.run("%%ask critic\nhm")
    table = notebook.run("%convo usage").result
    assert table.header[-2:] == ("cost", "budget")
    assert [row[-2:] for row in table.rows] == [("$0.00", "$2.00"), ("$0.00", "")]


@pytest.mark.parametrize("budget", ["-1", "nan", "inf", "much"])
def test_what_is_no_budget_is_refused_before_anything_is_changed(notebook, provider, budget):
    ran = notebook.run(f"%session critic --budget {budget}")
    assert isinstance(ran.error, InputError)
    assert ran.printed.strip().endswith(f"0 or more, or none, not '{budget}'")
    assert "critic" not in workspace


def test_usage_marks_what_was_estimated(notebook, provider):
    provider.reply("no usage here", usage=False)
    notebook.run("%%ask\nhello")
    row, _ = notebook.run("%convo usage").result.rows
    assert row[2].startswith("~")


def test_undo_takes_the_last_exchange_back(notebook, comedian):
    notebook.run("%%ask\nanother")
    ran = notebook.run("%convo undo")
    assert ran.lines == ["comedian: the last exchange is taken back; 2 messages are left"]
    assert said(comedian) == ["a joke", "ha **ha**"]


def test_retry_shows_another_reply_to_the_same_message(notebook, provider, comedian):
    provider.reply("ho ho")
    ran = notebook.run("%convo retry comedian --temperature 0.9")
    assert ran.text == "ho ho"
    assert said(comedian) == ["a joke", "ho ho"]
    assert provider.requests[-1].json["temperature"] == 0.9
    assert provider.requests[-1].json["messages"] == provider.requests[0].json["messages"]


def test_reset_begins_afresh(notebook, provider, comedian):
    ran = notebook.run("%convo reset")
    assert ran.lines == ["comedian begins afresh; the 2 messages so far stay in its tree"]
    assert said(comedian) == []
    assert len(comedian.conversation) == 2


def test_services_tells_of_keys_without_showing_them(notebook, provider, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up-Qz7Xw9Lk2Mv5")
    table = notebook.run("%convo services").result
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["openai (default)"][:2] == ("OPENAI_API_KEY found", provider.base_url)
    assert rows["openrouter"][0] == "OPENROUTER_API_KEY missing"
    assert rows["offline"][:2] == ("not needed", "started on first use")
    assert "Qz7Xw9" not in str(table)


def test_models_lists_what_a_service_offers(notebook, provider):
    provider.models[:] = ["big", "small", "Small-2"]
    assert [row[0] for row in notebook.run("%convo models openai").result.rows] == [
        "big",
        "small",
        "Small-2",
    ]
    assert [row[0] for row in notebook.run("%convo models openai small").result.rows] == [
        "small",
        "Small-2",
    ]
    none = notebook.run("%convo models openai huge").result
    assert str(none) == "openai has no model with 'huge' in its name"


def test_models_of_the_default_service_need_no_name(notebook, provider):
    provider.models[:] = ["big"]
    assert notebook.run("%convo models").result.rows == (("big", "", "", ""),)


def test_models_of_a_service_without_its_key_are_refused(notebook, provider):
    ran = notebook.run("%convo models openrouter")
    assert isinstance(ran.error, MissingKey)
    assert len(ran.lines) == 1


def test_models_of_a_server_that_is_not_there_is_one_line(notebook, provider, monkeypatch):
    provider.stop()
    monkeypatch.setattr(services.get("openai"), "max_attempts", 1)
    ran = notebook.run("%convo models openai")
    assert isinstance(ran.error, ConnectionFailed)
    assert len(ran.lines) == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".md"])
def test_export_writes_the_conversation_as_the_suffix_says(notebook, comedian, tmp_path, suffix):
    file = tmp_path / f"talk{suffix}"
    ran = notebook.run(f"%convo export comedian {file}")
    assert ran.lines == [f"3 messages written to {file}"]
    text = file.read_text()
    if suffix == ".jsonl":
        assert [json.loads(line)["content"] for line in text.splitlines()] == [
            "be funny",
            "a joke",
            "ha **ha**",
        ]
    elif suffix == ".csv":
        assert [row["role"] for row in csv.DictReader(text.splitlines())][-1] == "assistant"
    else:
        assert text.startswith("# comedian\n")


def test_export_overwrites_only_when_forced(notebook, comedian, tmp_path):
    file = tmp_path / "talk.md"
    file.write_text("mine")
    ran = notebook.run(f"%convo export comedian {file}")
    assert "add --force to overwrite" in ran.lines[0]
    assert file.read_text() == "mine"
    assert notebook.run(f"%convo export --force comedian {file}").error is None
    assert file.read_text().startswith("# comedian")


def test_a_path_with_spaces_may_stand_in_quotes(notebook, comedian, tmp_path):
    notebook.run(f'%convo export comedian "{tmp_path}/my talk.md"')
    assert (tmp_path / "my talk.md").exists()


def test_a_verb_without_a_session_means_the_current_one(notebook, comedian):
    Session(name="critic")
    notebook.run("%convo reset")
    assert said(comedian) == []


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        ("%convo shwo", UnknownName, "no verb 'shwo'; did you mean 'show'?"),
        ("%convo zzz", UnknownName, "known are list, show, usage, undo, retry, reset"),
        ("%convo show comedien", UnknownName, "did you mean 'comedian'?"),
        ("%convo show a b", InputError, "%convo show is used as: %convo show [NAME]"),
        ("%convo show a b", InputError, "'b' is one word too many"),
        (
            "%convo usage comedian",
            InputError,
            "'comedian' is one word too many: %convo usage takes none",
        ),
        ("%convo export comedian", InputError, "%convo export NAME FILE [--force]"),
        ("%convo export comedian x.txt", InputError, "end it in .jsonl, .csv or .md"),
        ("%convo export comedian /nowhere/at/all/x.md", LogError, "choose another file"),
        ("%convo models opnai", UnknownName, "did you mean 'openai'?"),
        ("%convo undo critic", InputError, "nothing to undo"),
        ("%convo retry critic", InputError, "nothing to retry: 'critic' has not replied yet"),
        ("%convo retry --option temprature=1", UnknownName, "did you mean 'temperature'?"),
        ("%convo list --frce", InputError, "did you mean '--force'?"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(notebook, comedian, line, error, text):
    Session(name="critic")
    before = said(comedian)
    ran = notebook.run(line)
    assert isinstance(ran.error, error)
    (shown,) = ran.lines
    assert text in shown
    assert said(comedian) == before


def test_retry_asks_again_what_failed_and_not_what_was_answered(notebook, provider, comedian):
    provider.error(400)
    notebook.run("%%ask comedian --temperature 0.3\nanother joke")
    provider.reply("ho ho")
    assert notebook.run("%convo retry comedian").text == "ho ho"
    assert said(comedian) == ["a joke", "ha **ha**", "another joke", "ho ho"]
    assert provider.requests[-1].json == provider.requests[-2].json


def test_a_retry_of_what_failed_in_a_cell_is_replaced_when_it_runs_again(
    notebook, provider, comedian
):
    provider.error(400)
    notebook.run("%%ask comedian\nanother", cell_id="x")
    notebook.run("%convo retry comedian", cell_id="y")
    notebook.run("%%ask comedian\nbetter", cell_id="x")
    assert said(comedian)[2::2] == ["better"]


def test_a_retry_that_fails_changes_nothing(notebook, provider, comedian):
    provider.error(401)
    assert isinstance(notebook.run("%convo retry").error, AuthenticationFailed)
    assert said(comedian) == ["a joke", "ha **ha**"]


def test_without_any_session_the_verbs_say_how_to_begin(notebook, provider):
    assert "no sessions yet" in str(notebook.run("%convo usage").result)
    assert "begin one with: %%session default" in notebook.run("%convo show").lines[0]
