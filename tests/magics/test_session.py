"""``%%session`` and ``%session``: beginning, changing, listing and choosing."""

from __future__ import annotations

import time

import pytest

from nbconvo import services
from nbconvo.errors import InputError, LogError, UnknownName
from nbconvo.session import Session, workspace


@pytest.fixture
def openai(provider, monkeypatch):
    """The service, its limits put back afterwards."""
    service = services.get("openai")
    monkeypatch.setattr(service, "max_requests_per_minute", None)
    monkeypatch.setattr(service, "max_tokens_per_minute", None)
    return service


# --- beginning -------------------------------------------------------------------------------


def test_the_text_of_the_cell_is_the_system_prompt(notebook, provider):
    ran = notebook.run("%%session comedian --model m\n\nAs a comedian,\nyou are funny\n")
    assert ran.lines == ["comedian · openai:m · new session"]
    assert workspace["comedian"].system == "As a comedian,\nyou are funny"


def test_a_connection_is_opened_while_the_first_question_is_typed(notebook, provider):
    assert notebook.run("%load_ext nbconvo").printed == ""
    assert not workspace.bridge.running
    notebook.run("%%session comedian\nbe funny")
    end = time.monotonic() + 10
    while not provider.connections:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert provider.requests == []
    notebook.run("%%ask comedian\na joke")
    assert provider.connections == 1


def test_a_session_can_be_asked_by_its_python_name(notebook, provider):
    notebook.run("%%session comedian\nbe funny")
    assert notebook.names["comedian"] is workspace["comedian"]
    ran = notebook.run("await comedian.ask('a joke')")
    assert ran.result == "Hello from the fake provider."


def test_a_session_made_in_python_is_known_to_the_magics(notebook, provider):
    notebook.run("import nbconvo; critic = nbconvo.Session('be stern', name='critic')")
    notebook.run("%%ask critic\nhello")
    assert provider.requests[0].json["messages"][0]["content"] == "be stern"


def test_a_bare_cell_gives_the_notebooks_own_session_its_instructions(notebook, provider):
    notebook.run("%%session\nbe brief")
    notebook.run("%%ask\nhello")
    assert [m["content"] for m in provider.requests[0].json["messages"]] == ["be brief", "hello"]
    assert "default" not in notebook.names


def test_a_new_session_becomes_the_current_one(notebook, provider):
    notebook.run("%%session comedian\nbe funny")
    notebook.run("%%session critic\nbe stern")
    notebook.run("%%ask\nhello")
    assert provider.requests[0].json["messages"][0]["content"] == "be stern"


def test_the_options_of_the_line_are_the_sessions(notebook, provider):
    notebook.run(
        "%%session comedian --model m --temperature 0.5 --max-tokens 9 --option seed=7\nbe funny"
    )
    for _ in range(2):
        notebook.run("%%ask comedian\nhello")
    for request in provider.requests:
        body = request.json
        assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == (
            "m",
            0.5,
            9,
            7,
        )


def test_limits_of_the_line_are_those_of_the_service(notebook, openai):
    notebook.run("%%session comedian --rpm 60 --tpm 24000\nbe funny")
    assert (openai.max_requests_per_minute, openai.max_tokens_per_minute) == (60, 24_000)


def test_none_lifts_a_limit(notebook, openai):
    notebook.run("%%session comedian --rpm 60 --tpm 24000\nbe funny")
    ran = notebook.run("%session comedian --rpm none --tpm none")
    assert (openai.max_requests_per_minute, openai.max_tokens_per_minute) == (None, None)
    assert ran.lines[0].endswith(
        "· no limit of requests a minute to openai, no limit of tokens a minute to openai"
    )


def test_a_limit_holds_at_once_for_a_service_that_was_asked(notebook, openai):
    notebook.run("%%session comedian --rpm 600\nbe funny")
    notebook.run("%%ask comedian\nhello")
    notebook.run("%session comedian --rpm 60 --tpm 5000")
    (account,) = workspace.accounts()
    assert account.limits.max_requests_per_minute == 60
    shown = repr(notebook.run("%panel --usage --static").result)
    assert "requests in the last minute 1 of 60 " in shown
    assert " of 5,000 " in shown


def test_who_waits_goes_when_the_limit_is_lifted(notebook, openai, provider):
    notebook.run("%%session comedian --rpm 1\nbe funny")
    notebook.run("%%ask comedian\nhello")
    notebook.run("%%ask comedian --background --to later\nhello again")
    assert len(provider.requests) == 1
    notebook.run("%session comedian --rpm none")
    assert notebook.names["later"].result(timeout=10)


def test_a_high_limit_is_told_in_full(notebook, openai):
    ran = notebook.run("%session comedian --rpm 1e9 --tpm 0.5")
    assert "at most 1,000,000,000 requests a minute" in ran.printed
    assert "at most 0.5 tokens a minute" in ran.printed


def test_another_address_on_the_same_machine_is_another_service(notebook, provider):
    notebook.run(f"%session a --model m --service {provider.base_url}")
    ran = notebook.run(f"%session a --model m --service {provider.base_url}/v2")
    assert f"service {provider.base_url} → {provider.base_url}/v2" in ran.printed
    assert "model" not in ran.printed


def test_none_ends_the_log_of_a_session(notebook, provider, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook.run("%session comedian --dir logs")
    assert notebook.run("%session comedian --dir none").lines[0].endswith("no log any more")
    assert workspace["comedian"].dir is None
    assert not (tmp_path / "none").exists()


def test_none_begins_a_session_without_the_configured_log(notebook, provider, tmp_path):
    notebook.run(f"%config NbConvo.dir = {str(tmp_path / 'logs')!r}")
    notebook.run("%session comedian --dir none")
    assert workspace["comedian"].dir is None
    assert not (tmp_path / "logs").exists()


def test_the_directory_of_the_line_gets_the_log(notebook, provider, tmp_path):
    notebook.run(f'%%session comedian --dir "{tmp_path}/my logs"\nbe funny')
    notebook.run("%%ask comedian\nhello")
    (log,) = (tmp_path / "my logs").iterdir()
    assert "Hello from the fake provider." in log.read_text()


def test_instructions_hold_the_values_of_expressions(notebook, provider):
    notebook.names["tone"] = "dry"
    notebook.run("%%session comedian\nbe {{tone}}")
    notebook.run("%%session critic --raw\nbe {{tone}}")
    assert (workspace["comedian"].system, workspace["critic"].system) == ("be dry", "be {{tone}}")


# --- the python name -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("taken", 7), ("taken", None)])
def test_a_python_name_that_is_taken_is_left_alone_and_told_of(notebook, provider, name, value):
    notebook.names[name] = value
    ran = notebook.run(f"%%session {name}\nbe funny")
    assert notebook.names[name] is value
    assert (
        ran.lines[-1] == "the Python name taken is taken: the session is nbconvo.sessions['taken']"
    )
    assert notebook.run("%%ask taken\nhello").error is None


def test_the_name_of_a_builtin_is_not_taken_from_it(notebook, provider):
    ran = notebook.run("%%session print\nbe funny")
    assert "print" not in notebook.names
    assert "the Python name print is taken" in ran.lines[-1]


@pytest.mark.parametrize("name", ["class", "two-words"])
def test_a_name_that_python_cannot_have_is_a_session_all_the_same(notebook, provider, name):
    ran = notebook.run(f"%%session {name}\nbe funny")
    assert "cannot be a variable: the session is nbconvo.sessions" in ran.lines[1]
    assert name in workspace
    assert name not in notebook.names


# --- running the cell again ------------------------------------------------------------------


def test_the_same_cell_again_changes_nothing_and_says_so(notebook, provider):
    cell = "%%session comedian --model m --temperature 0.5\nbe funny"
    notebook.run(cell)
    session = workspace["comedian"]
    notebook.run("%%ask comedian\nhello")
    assert notebook.run(cell).lines == ["comedian · openai:m · nothing changed"]
    assert workspace["comedian"] is session
    assert len(session.conversation.messages) == 2


def test_a_changed_cell_says_what_changed_and_keeps_the_history(notebook, provider, tmp_path):
    notebook.run("%%session comedian --model m\nbe funny")
    notebook.run("%%ask comedian\nhello")
    ran = notebook.run(
        "%%session comedian --model openrouter:big --temperature 0.5 --max-tokens 9\nbe dry"
    )
    assert ran.lines == [
        "comedian · openrouter:big · instructions changed, service openai → openrouter, "
        "model m → big, "
        "temperature default → 0.5, max_tokens default → 9; 2 messages kept"
    ]
    assert workspace["comedian"].system == "be dry"
    assert len(workspace["comedian"].conversation.messages) == 2


def test_an_option_that_is_gone_from_the_line_goes_back_to_its_default(notebook, provider):
    notebook.run("%%session comedian --model m --temperature 0.5\nbe funny")
    ran = notebook.run("%%session comedian\nbe funny")
    assert "model m → gpt-5.4-mini" in ran.lines[0]
    assert "temperature 0.5 → default" in ran.lines[0]
    assert workspace["comedian"].options["temperature"] is None


def test_a_session_without_a_model_of_its_own_follows_the_configuration(notebook, provider):
    for _ in range(2):
        notebook.run("%%session comedian\nbe funny")
    notebook.run("%config NbConvo.model = 'of-config'")
    notebook.run("%%ask comedian\nhello")
    assert provider.requests[0].json["model"] == "of-config"


def test_the_log_goes_on_in_one_file_when_the_cell_runs_again(
    notebook, provider, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        ran = notebook.run("%%session comedian --dir logs\nbe funny")
        notebook.run("%%ask comedian\nhello")
    assert ran.lines == ["comedian · openai:gpt-5.4-mini · nothing changed"]
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_a_configured_directory_gets_no_second_log_when_the_cell_runs_again(
    notebook, provider, tmp_path
):
    notebook.run(f"%config NbConvo.dir = {str(tmp_path / 'logs')!r}")
    for text in ("be funny", "be dry"):
        notebook.run(f"%%session comedian\n{text}")
    assert len(list((tmp_path / "logs").iterdir())) == 1


# --- listing and choosing --------------------------------------------------------------------


def test_the_list_is_a_table_with_the_current_one_marked(notebook, provider):
    notebook.run("%%session comedian --model m\nbe funny")
    notebook.run("%%ask\nhello")
    notebook.run("%%session critic --service openrouter\nbe stern")
    table = notebook.run("%session").result
    assert [row[:4] for row in table.rows] == [
        ("comedian", "openai", "m", "2"),
        ("critic (current)", "openrouter", "openrouter/auto", "0"),
    ]


def test_an_empty_list_tells_how_to_begin(notebook, provider):
    assert str(notebook.run("%session").result) == (
        "no sessions yet; begin one with %%session NAME"
    )


def test_a_name_on_the_line_makes_it_the_current_one(notebook, provider):
    for name in ("comedian", "critic"):
        notebook.run(f"%%session {name}\nyou are {name}")
    assert notebook.run("%session comedian").lines == ["comedian is now the current session"]
    notebook.run("%%ask\nhello")
    assert provider.requests[0].json["messages"][0]["content"] == "you are comedian"


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "error", "text"),
    [
        ("%%session a/b\nx", InputError, "session name 'a/b' cannot be used"),
        ("%%session ../x\nx", InputError, "session name '../x' cannot be used"),
        ("%%session a.b\nx", InputError, "session name 'a.b' cannot be used"),
        ("%%session new\n \n", InputError, "nothing in the cell"),
        ("%%session new --temprature 1\nx", InputError, "did you mean '--temperature'?"),
        ("%%session new --option temprature=1\nx", UnknownName, "did you mean 'temperature'?"),
        ("%%session new --option dir=/tmp\nx", UnknownName, "no option 'dir'"),
        ("%%session new --service opnai\nx", UnknownName, "did you mean 'openai'?"),
        ("%%session new --rpm 0\nx", InputError, "--rpm must be a number above 0, or none to lift"),
        ("%%session new --tpm -1\nx", InputError, "none to lift the limit, not '-1'"),
        ("%session new --rpm", InputError, "--rpm needs a value: --rpm N"),
        ("%session new --timeout 5", InputError, "nbconvo.services.get('NAME').timeout = 5"),
        ("%session new --max-concurrent 4", InputError, "get('NAME').max_concurrent = 4"),
        ("%session new --tool-timeout x", InputError, "--tool-timeout must be a number, not 'x'"),
        ("%%session new --dir {file}\nx", LogError, "it is a file, not a directory"),
        (
            "%%session new and more\nx",
            InputError,
            "'and' is one word too many; %session? tells how it is used",
        ),
        ("%session comedien", UnknownName, "did you mean 'comedian'?"),
    ],
)
def test_bad_input_is_one_line_and_no_session_is_made(
    notebook, provider, tmp_path, cell, error, text
):
    Session(name="comedian")
    (tmp_path / "file").write_text("")
    ran = notebook.run(cell.replace("{file}", str(tmp_path / "file")))
    assert isinstance(ran.error, error)
    (line,) = ran.lines
    assert text in line
    assert workspace.names() == ("comedian",)
    assert workspace.current == "default"


def test_a_change_that_cannot_be_made_changes_nothing(notebook, provider, openai):
    notebook.run("%%session comedian --model m\nbe funny")
    for line in ("--model n --temperature hot", "--model n --option n=0", "--model n --rpm 0"):
        assert notebook.run(f"%%session comedian {line}\nbe dry").error
    session = workspace["comedian"]
    assert (session.system, session.model, session.options["n"]) == ("be funny", "m", 1)


def test_one_line_changes_only_what_it_names(notebook, provider):
    notebook.run("%%session comedian --temperature 0.5\nbe funny")
    ran = notebook.run("%session comedian --model offline:eliza")
    assert ran.lines == [
        "comedian · offline:eliza · service openai → offline, model gpt-5.4-mini → eliza"
    ]
    session = workspace["comedian"]
    assert (session.system, session.options["temperature"]) == ("be funny", 0.5)


def test_one_line_begins_a_session_without_instructions(notebook, provider):
    assert notebook.run("%session plain --model m").lines == ["plain · openai:m · new session"]
    assert notebook.names["plain"] is workspace["plain"]
    assert workspace.current == "plain"


def test_a_new_session_says_where_it_logs_what_limits_it_and_what_it_lacks(
    notebook, provider, monkeypatch, tmp_path
):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    monkeypatch.delenv("OPENROUTER_BASE_URL", raising=False)
    line = f"%%session r --service openrouter --rpm 20 --dir {tmp_path}"
    try:
        (said,) = notebook.run(f"{line}\nbe funny").lines
    finally:
        services.get("openrouter").max_requests_per_minute = None
    assert f"log in {tmp_path}" in said
    assert "at most 20 requests a minute to openrouter" in said
    assert "no key yet: '%convo key openrouter' asks for it" in said


def test_running_the_cell_again_keeps_what_was_chosen_elsewhere(notebook, provider):
    notebook.run("%%session comedian\nbe funny")
    notebook.run("%session comedian --model offline:echo --temperature 0.7")
    ran = notebook.run("%%session comedian\nbe very funny")
    assert ran.lines == ["comedian · offline:echo · instructions changed"]
    assert workspace["comedian"].options["temperature"] == 0.7


def test_what_the_cell_named_before_and_names_no_more_goes_back(notebook, provider):
    notebook.run("%%session comedian --model offline:echo --temperature 0.7\nbe funny")
    ran = notebook.run("%%session comedian\nbe funny")
    assert workspace["comedian"].model == "gpt-5.4-mini"
    assert workspace["comedian"].options["temperature"] is None
    assert "service offline → openai, model echo → gpt-5.4-mini" in ran.printed


@pytest.mark.parametrize("line", ["--dir {file}", "--service nowhere", "--option model=5"])
def test_a_bad_line_changes_nothing_at_all(notebook, provider, tmp_path, line):
    file = tmp_path / "a-file"
    file.touch()
    notebook.run(f"%%session comedian --dir {tmp_path / 'logs'}\nbe funny")
    session = workspace["comedian"]
    before = (session.system, session.options, session.dir)
    line = line.format(file=file)
    ran = notebook.run(f"%%session comedian --temperature 0.3 {line}\nbe sad")
    assert len(ran.lines) == 1
    assert (session.system, session.options, session.dir) == before


def test_a_name_that_is_near_another_is_told(notebook, provider):
    notebook.run("%%session comedian\nbe funny")
    ran = notebook.run("%session comedien --model m")
    assert ran.lines == ["comedien · openai:m · new session, beside 'comedian'"]


# --- tools, and taking back ------------------------------------------------------------------


@pytest.fixture
def weather(notebook):
    notebook.run("def weather(city: str) -> str:\n    'Tell it.'\n    return 'rain'")


def test_tools_and_whether_it_asks_are_told_when_it_begins_and_in_the_list(notebook, weather):
    ran = notebook.run("%session meteo --service openai --model m --tools weather --confirm")
    said = "new session, tools weather, asks before each call"
    assert ran.lines == [f"meteo · openai:m · {said}"]
    table = notebook.run("%session").result
    assert dict(zip(table.header, table.rows[0], strict=True))["tools"] == (
        "weather (asks before each call)"
    )


def test_confirm_is_told_when_it_changes_and_can_be_taken_off(notebook, provider):
    notebook.run("%session meteo --model m")
    assert notebook.run("%session meteo --confirm").lines[0].endswith("confirm off → on")
    assert workspace["meteo"].confirm is True
    assert notebook.run("%session meteo --no-confirm").lines[0].endswith("confirm on → off")
    assert workspace["meteo"].confirm is False


def test_confirm_and_its_opposite_do_not_go_together(notebook, provider):
    error = notebook.run("%session meteo --confirm --no-confirm").error
    assert str(error) == "--confirm and --no-confirm are opposites; choose one"


def test_none_takes_each_option_of_a_session_back(notebook, openai, weather, tmp_path):
    notebook.run(
        f"%session meteo --service openai --model m --temperature 0.5 --dir {tmp_path}"
        " --max-tokens 9 --reasoning high --tools weather --budget 1 --rpm 60 --tpm 9000"
    )
    session = workspace["meteo"]
    notebook.run(
        "%session meteo --temperature none --max-tokens none --reasoning none --tools none"
        " --budget none --rpm none --tpm none --dir none --model none --service none"
    )
    found = {name: session.options[name] for name in ("temperature", "max_tokens", "reasoning")}
    assert set(found.values()) == {None}
    assert (session.tools, session.budget, session.dir) == ((), None, None)
    assert (openai.max_requests_per_minute, openai.max_tokens_per_minute) == (None, None)
    assert session.model == openai.default_model


def test_what_is_taken_back_is_told(notebook, openai, tmp_path):
    notebook.run(f"%session meteo --temperature 0.5 --rpm 60 --dir {tmp_path}")
    said = notebook.run("%session meteo --temperature none --rpm none --dir none").printed
    assert "no log" in said
    assert "temperature 0.5 → default" in said
    assert "no limit of requests a minute to openai" in said
