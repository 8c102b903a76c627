"""``%%ask``: whom it asks, what it sends, what it shows and what is left in variables."""

from __future__ import annotations

import json
import uuid

import pytest

from nbconvo.errors import AuthenticationFailed, InputError, MissingKey, UnknownName
from nbconvo.session import Reply, Session, workspace


@pytest.fixture
def critics(provider) -> tuple[Session, Session]:
    """Two sessions that answer with their own instructions."""
    provider.respond(lambda request: f"I am {request.json['messages'][0]['content']}")
    return Session("kind", name="kind"), Session("stern", name="stern")


def last_message(provider) -> str:
    return provider.requests[-1].json["messages"][-1]["content"]


# --- whom and what ---------------------------------------------------------------------------


def test_the_text_of_the_cell_goes_to_the_session_that_is_named(notebook, provider):
    Session("be brief", name="comedian")
    notebook.run("%%ask comedian\n\na joke\nin two lines\n\n")
    assert [m["content"] for m in provider.requests[0].json["messages"]] == [
        "be brief",
        "a joke\nin two lines",
    ]


def test_bare_cells_are_a_whole_conversation(notebook, provider):
    notebook.run("%%ask\nhello")
    notebook.run("%%ask\nand again")
    assert len(provider.requests[1].json["messages"]) == 3
    assert workspace.names() == ("default",)


def test_without_a_name_the_current_session_is_asked(notebook, provider, critics):
    notebook.run("%session stern")
    assert notebook.run("%%ask\nwho?").text == "I am stern"


def test_one_line_asks_too(notebook, provider, critics):
    notebook.run('%ask kind what\'s the "time", {x} $y; --really?')
    assert last_message(provider) == 'what\'s the "time", {x} $y; --really?'


def test_one_line_asks_one_only_whatever_its_text_begins_with(notebook, provider, critics):
    notebook.run("%ask kind stern is not what I am")
    assert last_message(provider) == "stern is not what I am"
    assert len(provider.requests) == 1


def test_one_line_may_have_options_before_the_text(notebook, provider, critics):
    notebook.run("%ask kind --max-tokens 5 --temperature=0.5 --to word one word, please")
    assert last_message(provider) == "one word, please"
    body = provider.requests[0].json
    assert (body["max_tokens"], body["temperature"]) == (5, 0.5)
    assert notebook.names["word"] == "I am kind"


def test_one_line_without_a_name_asks_the_current_session(notebook, provider):
    notebook.run("%ask what is this?")
    assert last_message(provider) == "what is this?"


@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("%ask why?", "why?"),
        ("%ask kind what's up??  ", "what's up??"),
        ("if True:\n    %ask is it so?\n", "is it so?"),
        ("reply = %ask is it so?", "is it so?"),
        ("%%ask\n%ask why?", "%ask why?"),
    ],
)
def test_a_question_on_one_line_is_no_call_for_help(notebook, provider, critics, cell, asked):
    assert notebook.run(cell).error is None
    assert last_message(provider) == asked


def test_a_string_that_holds_a_question_stays_as_it_is(notebook, provider):
    notebook.run("text = '''\n%ask why?\n'''")
    assert notebook.names["text"] == "\n%ask why?\n"
    assert not provider.requests


def test_options_of_the_line_hold_for_the_cell_only(notebook, provider, monkeypatch):
    Session(name="comedian", model="small")
    notebook.run(
        "%%ask --model large comedian --temperature 0.9 --max-tokens 50 "
        "--option seed=7 --option stop='[\"a b\"]' --option user=me\nhello"
    )
    notebook.run("%%ask comedian\nhello")
    first, second = (request.json for request in provider.requests)
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("large", 0.9, 50)
    assert (first["seed"], first["stop"], first["user"]) == (7, ["a b"], "me")
    assert second["model"] == "small"
    assert not {"temperature", "seed", "stop"} & set(second)


def test_the_line_may_name_service_and_model_in_one(notebook, provider, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url + "/router")
    notebook.run("%%ask --model openrouter:meta/llama:free\nhello")
    assert provider.requests[0].path.startswith("/v1/router/")
    assert provider.requests[0].json["model"] == "meta/llama:free"


def test_an_address_is_a_service(notebook, provider):
    notebook.run(f"%%ask --service {provider.base_url}/mine --model m\nhello")
    assert provider.requests[0].path == "/v1/mine/chat/completions"


def test_braces_and_dollars_of_the_line_are_not_expanded(notebook, provider):
    notebook.names["x"] = "secret"
    notebook.run("%ask say {x} and $x")
    assert last_message(provider) == "say {x} and $x"


def test_running_a_cell_again_replaces_its_own_turn(notebook, provider):
    notebook.run("%%ask\none", cell_id="a")
    notebook.run("%%ask\ntwo", cell_id="b")
    notebook.run("%%ask\nother one", cell_id="a")
    session = workspace.get("default")
    assert [m.content for m in session.conversation.messages if m.role == "user"] == ["other one"]
    assert [m["content"] for m in provider.requests[-1].json["messages"]] == ["other one"]
    assert len(session.conversation) == 6


def test_a_loop_in_one_cell_asks_as_often_as_it_runs(notebook, provider):
    notebook.run("for n in range(2): get_ipython().run_line_magic('ask', f'number {n}')", "a")
    users = [m.content for m in workspace.get("default").conversation.messages if m.role == "user"]
    assert users == ["number 0", "number 1"]


def test_cells_without_an_id_are_turns_of_their_own(notebook, provider):
    for _ in range(2):
        notebook.run("%%ask\nanother one")
    assert len(workspace.get("default").conversation.messages) == 4


# --- what is shown ---------------------------------------------------------------------------


def test_a_reply_is_one_output_with_its_plain_text_beside(notebook, provider):
    provider.reply("**ha** ha", usage={"prompt_tokens": 9, "completion_tokens": 2})
    ran = notebook.run("%%ask --model m\na joke")
    assert "<strong>ha</strong> ha" in ran.html
    assert "openai:m" in ran.html
    assert "in 9 + out 2 tokens" in ran.html
    assert "aria-busy" not in ran.html
    assert ran.text == "**ha** ha"
    assert ran.printed == ""


def test_the_output_tells_what_made_it(notebook, provider):
    provider.reply("ha", usage={"prompt_tokens": 9, "completion_tokens": 2})
    Session(name="comedian", model="m")
    (output,) = notebook.run("%%ask comedian\na joke").outputs
    message = workspace["comedian"].last.message
    assert output["metadata"] == {
        "nbconvo": {
            "replies": [
                {
                    "session": "comedian",
                    "turn": message.id,
                    "service": "openai",
                    "model": "m",
                    "finish_reason": "stop",
                    "input_tokens": 9,
                    "output_tokens": 2,
                    "replayed": False,
                }
            ]
        }
    }


def test_what_a_model_writes_is_not_run(notebook, provider):
    provider.reply('<script>alert(1)</script><img src=x onerror="alert(2)">')
    html = notebook.run("%%ask\nhello").html
    assert "<script" not in html
    assert "<img" not in html


def test_the_reply_is_in_out_and_is_shown_again_by_a_later_cell(notebook, provider):
    provider.reply("ha")
    first = notebook.run("%%ask\na joke")
    assert isinstance(notebook.names["_"], Reply)
    assert notebook.names["Out"][1] is first.result
    assert notebook.run("_").text == "ha"


def test_a_call_in_a_cell_of_code_returns_the_reply(notebook, provider):
    provider.reply("ha")
    ran = notebook.run("said = get_ipython().run_cell_magic('ask', '', 'a joke')\nsaid.upper()")
    assert ran.result == "HA"


def test_a_call_in_a_cell_of_another_magic_returns_the_reply(notebook, provider):
    provider.reply("ha")
    ran = notebook.run("%%time\nget_ipython().run_cell_magic('ask', '', 'a joke').upper()")
    assert ran.result == "HA"


def test_a_trailing_semicolon_of_the_line_is_dropped(notebook, provider):
    assert notebook.run("%%ask --model m ;\nhello").error is None
    assert provider.requests[0].json["model"] == "m"


def test_quiet_shows_nothing_and_still_keeps_the_reply(notebook, provider):
    provider.reply("ha")
    ran = notebook.run("%%ask --quiet --to joke\na joke")
    assert (ran.outputs, ran.printed) == ([], "")
    assert notebook.names["joke"] == "ha"


def test_a_variable_gets_the_reply(notebook, provider):
    provider.reply("ha")
    notebook.run("%%ask --to joke\na joke")
    assert isinstance(notebook.names["joke"], Reply)
    assert notebook.names["joke"].message is workspace["default"].last.message


def test_a_terminal_shows_the_text_and_a_line_below_it(terminal, provider):
    provider.reply("ha ha", usage={"prompt_tokens": 9, "completion_tokens": 2})
    ran = terminal.run("%%ask --model m\na joke")
    assert ran.lines[0] == "ha ha"
    assert ran.lines[1].startswith("[openai:m · in 9 + out 2 tokens · ")
    assert "Out[" not in ran.printed
    assert terminal.names["_"] == "ha ha"
    assert terminal.names["Out"][1] == "ha ha"


# --- several at once -------------------------------------------------------------------------


def test_several_answer_side_by_side_in_one_output(notebook, provider, critics):
    ran = notebook.run("%%ask kind stern\nwho are you?")
    assert "nbconvo-cards nbconvo-beside" in ran.html
    assert ran.text == "kind:\nI am kind\n\nstern:\nI am stern"
    assert [r["session"] for r in ran.outputs[0]["metadata"]["nbconvo"]["replies"]] == [
        "kind",
        "stern",
    ]


def test_several_replies_are_one_value_by_name(notebook, provider, critics):
    notebook.run("%%ask kind stern --to both\nwho are you?")
    assert notebook.names["both"] == {"kind": "I am kind", "stern": "I am stern"}
    assert "nbconvo-cards nbconvo-beside" in notebook.run("both").html


def test_names_may_stand_after_options(notebook, provider, critics):
    notebook.run("%%ask kind --to both stern\nwho are you?")
    assert set(notebook.names["both"]) == {"kind", "stern"}


def test_a_terminal_shows_several_one_after_the_other(terminal, provider, critics):
    lines = terminal.run("%%ask kind stern\nwho are you?").lines
    assert lines[:2] == ["kind:", "I am kind"]
    assert lines[4:6] == ["stern:", "I am stern"]


def test_when_one_of_two_fails_the_other_is_kept_and_the_cell_fails(notebook, provider, critics):
    provider.error(401)
    ran = notebook.run("%%ask kind stern --to both\nhello")
    assert isinstance(ran.error, AuthenticationFailed)
    assert len(ran.lines) == 1
    ((name, reply),) = notebook.names["both"].items()
    assert workspace[name].last == reply == f"I am {name}"
    assert "nbconvo-error" in ran.html
    assert f"I am {name}" in ran.html


def test_a_terminal_tells_whose_answer_failed(terminal, provider, critics):
    provider.error(401, times=2)
    lines = terminal.run("%%ask kind stern\nhello").lines
    assert lines[0].startswith("[kind: openai: ")
    assert lines[1].startswith("[stern: openai: ")
    assert lines[2].startswith("AuthenticationFailed: ")


def test_one_named_twice_is_refused(notebook, provider, critics):
    ran = notebook.run("%%ask kind kind\nhello")
    assert ran.lines == [
        "InputError: a participant is named twice; each can be asked once at a time"
    ]


# --- a dry run -------------------------------------------------------------------------------


def test_a_dry_run_shows_exactly_what_would_be_sent_and_sends_nothing(notebook, provider):
    Session("be brief", name="comedian", model="m")
    preview = str(notebook.run("%%ask comedian --dry-run --temperature 0.5\na joke").result)
    head, _, body = preview.partition("\n")
    assert head.startswith(f"comedian: not sent · POST {provider.base_url}/chat/completions · ~")
    assert head.endswith(" tokens")
    assert not provider.requests
    notebook.run("%%ask comedian --temperature 0.5\na joke")
    assert json.loads(body) == provider.requests[0].json


def test_a_dry_run_leaves_no_trace(notebook, provider):
    session = Session(name="comedian")
    notebook.run("%%ask comedian --dry-run --to x\na joke")
    assert len(session.conversation) == 0
    assert "x" not in notebook.names


def test_a_dry_run_of_several_shows_each(notebook, provider, critics):
    preview = str(notebook.run("%%ask kind stern --dry-run\nhello").result)
    assert preview.count("not sent") == 2
    assert not provider.requests


def test_a_dry_run_shows_what_is_no_plain_json_as_it_would_be_sent(notebook):
    unique = uuid.UUID(int=7)
    Session(name="marked", extra_body={"metadata": {"run": unique}})
    assert str(unique) in str(notebook.run("%%ask marked --dry-run\nhello").result)


def test_a_dry_run_shows_no_key(notebook, provider, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up-Qz7Xw9Lk2Mv5")
    preview = notebook.run("%%ask --dry-run\nhello").result
    assert "Qz7Xw9" not in str(preview) + preview._repr_mimebundle_()["text/html"]


# --- bad input, one line each ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "error", "text"),
    [
        ("%%ask comedien\nx", UnknownName, "no session 'comedien'; did you mean 'comedian'?"),
        ("%%ask comedian,critic\nx", UnknownName, "names are separated by spaces"),
        ("%%ask comedian --tools opens\nx", InputError, "'opens'; define it in a cell before"),
        ("%%ask comedian --schema Opens\nx", InputError, "'Opens'; define it in a cell before"),
        ("%%ask comedian --modle m\nx", InputError, "unknown option '--modle'; did you mean"),
        ("%%ask comedian --option temprature=1\nx", UnknownName, "did you mean 'temperature'?"),
        ("%%ask comedian --option seed\nx", InputError, "'seed' is not of the form key=value"),
        ("%%ask comedian --option name=x\nx", UnknownName, "no option 'name'"),
        ("%%ask comedian --option instruction=x\nx", UnknownName, "no option 'instruction'"),
        (
            "%%ask comedian --temperature hot\nx",
            InputError,
            "--temperature must be a number, or none, not 'hot'",
        ),
        ("%%ask comedian --max-tokens 0\nx", InputError, "max_tokens must be a whole number"),
        (
            "%%ask comedian --rpm 5\nx",
            InputError,
            "on the service, for all who use it: %session NAME --rpm 5",
        ),
        ("%ask comedian --tpm=5 hi", InputError, "%session NAME --tpm 5"),
        ("%%ask comedian --timeout\nx", InputError, "nbconvo.services.get('NAME').timeout = N"),
        ("%%ask comedian --quiet=1\nx", InputError, "--quiet takes no value, not '1'"),
        ("%%ask comedian --to 1x\nx", InputError, "--to '1x' is not a name for a Python variable"),
        ("%%ask comedian --to class\nx", InputError, "--to 'class' is not a name"),
        ("%%ask comedian --to\nx", InputError, "--to needs a value: --to VAR"),
        ("%%ask comedian --service opnai\nx", UnknownName, "did you mean 'openai'?"),
        ("%%ask comedian --service http://\nx", InputError, "is not an http address"),
        ("%%ask comedian\n \n", InputError, "nothing to ask: the message is empty"),
        ("%ask comedian", InputError, "nothing to ask: the message is empty"),
        ("%%ask comedian\n{{1/0}}", InputError, "{{1/0}} raised ZeroDivisionError"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_sent(notebook, provider, cell, error, text):
    session = Session(name="comedian")
    ran = notebook.run(cell)
    assert isinstance(ran.error, error)
    (line,) = ran.lines
    assert line.startswith(f"{type(ran.error).__name__}: ")
    assert text in line
    assert ran.outputs == []
    assert not provider.requests
    assert len(session.conversation) == 0


def test_a_missing_key_is_one_line_with_the_remedy(notebook, provider, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    ran = notebook.run("%%ask --service openai\nhello")
    assert isinstance(ran.error, MissingKey)
    (line,) = ran.lines
    assert "OPENAI_API_KEY" in line


def test_a_failure_of_the_service_is_one_line_and_the_variable_stays(notebook, provider):
    notebook.names["joke"] = "an old one"
    provider.error(401)
    ran = notebook.run("%%ask --to joke\nhello")
    assert isinstance(ran.error, AuthenticationFailed)
    assert len(ran.lines) == 1
    assert ran.outputs == []
    assert notebook.names["joke"] == "an old one"


def test_a_reply_that_breaks_off_stays_on_the_page_and_the_cell_fails(notebook, provider):
    provider.reply(deltas=["half", " of it"], end_after=1)
    ran = notebook.run("%%ask\nhello")
    assert ran.text == "half"
    assert "cut" in ran.html
    assert ran.lines == [
        "StreamCut: openai: the reply broke off before its end; ask again",
    ]
