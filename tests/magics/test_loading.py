"""Loading and unloading in one shell, the settings, and the help of each magic."""

from __future__ import annotations

import threading

import pytest

import nbconvo

MAGICS = ("session", "ask", "exchange", "convo")


def magics(shell) -> set[str]:
    return {name for kind in shell.magics_manager.magics.values() for name in kind}


def state(shell) -> tuple[object, ...]:
    """All that loading changes in a shell."""
    return (
        {kind: set(names) for kind, names in shell.magics_manager.magics.items()},
        list(shell.configurables),
        list(shell.Completer.custom_matchers),
        list(shell.input_transformers_cleanup),
        set(shell.user_ns),
    )


def test_loading_brings_the_magics(shell, capsys):
    shell.run_line_magic("load_ext", "nbconvo")
    assert set(MAGICS) <= magics(shell)
    assert capsys.readouterr() == ("", "")


def test_unloading_leaves_the_shell_as_it_was(shell):
    shell.run_line_magic("unload_ext", "nbconvo")  # brings IPython's own magic for it
    before = state(shell)
    shell.run_line_magic("load_ext", "nbconvo")
    shell.run_cell("%%ask --quiet\nhello")
    for name in ("_", "_1", "_oh", "Out"):
        shell.user_ns.pop(name, None)
    shell.run_line_magic("unload_ext", "nbconvo")
    after = state(shell)
    assert after[:-1] == before[:-1]
    assert not {name for name in after[-1] - before[-1] if not name.startswith("_")}
    assert not [t for t in threading.enumerate() if t.name == "nbconvo-io"]


def test_loading_twice_is_loading_once(shell):
    nbconvo.load_ipython_extension(shell)
    once = state(shell)
    nbconvo.load_ipython_extension(shell)
    assert state(shell) == once


def test_unloading_what_was_not_loaded_does_nothing(shell):
    before = state(shell)
    nbconvo.unload_ipython_extension(shell)
    assert state(shell) == before


def test_sessions_outlive_unloading_and_loading_again(notebook, provider):
    notebook.run("%%session comedian\nbe funny")
    notebook.run("%%ask\nhello")
    notebook.run("%unload_ext nbconvo")
    assert notebook.run("await comedian.ask('again')").error is None
    notebook.run("%load_ext nbconvo")
    notebook.run("%%ask comedian\nonce more")
    assert len(provider.requests[-1].json["messages"]) == 6


@pytest.mark.parametrize("name", MAGICS)
def test_each_magic_has_help_that_tells_its_options(notebook, name):
    lines = notebook.shell.magics_manager.magics["line"]
    kind = lines if name in lines else notebook.shell.magics_manager.magics["cell"]
    text = kind[name].__doc__
    assert f"%{name} " in text
    assert "--" in text
    assert len(text.splitlines()) > 10


@pytest.mark.parametrize("mark", ["%ask?", "%%ask?", "%session?", "%%exchange?", "%convo?"])
def test_a_question_mark_behind_a_magic_shows_its_help(notebook, provider, mark):
    ran = notebook.run(mark)
    assert ran.error is None
    assert "--model" in ran.printed or "--rounds" in ran.printed
    assert not provider.requests


def test_every_option_has_a_word_of_help(notebook):
    from nbconvo.magics.magics import ConvoMagics

    for name in MAGICS:
        for action in getattr(ConvoMagics, name).options.parser._actions:
            assert action.help, f"%{name} {action.dest}"


def test_config_sets_what_sessions_take_that_name_nothing(notebook, provider):
    notebook.run("%config NbConvo.model = 'of-config'")
    notebook.run("%%ask\nhello")
    assert provider.requests[0].json["model"] == "of-config"


def test_the_line_comes_before_the_session_and_so_on_down_to_the_default(
    notebook, provider, monkeypatch
):
    def asked(line: str = "") -> str:
        notebook.run(f"%%ask comedian {line}\nhello")
        return provider.requests[-1].json["model"]

    notebook.run("%%session comedian\nbe funny")
    assert asked() == "gpt-5.4-mini"
    monkeypatch.setenv("NBCONVO_MODEL", "of-environment")
    assert asked() == "of-environment"
    notebook.run("%config NbConvo.model = 'of-config'")
    assert asked() == "of-config"
    notebook.run("%%session comedian --model of-session\nbe funny")
    assert asked() == "of-session"
    assert asked("--model of-line") == "of-line"


def test_config_refuses_what_cannot_be(notebook, caplog):
    notebook.run("%config NbConvo.repaint = 60")  # IPython logs the error
    assert caplog.messages == ["repaint must lie between 0.02 and 5 seconds, not 60.0"]
    assert notebook.run("%config NbConvo.repaint").result == 0.1


def test_config_lists_the_settings(notebook):
    printed = notebook.run("%config NbConvo").printed
    assert all(f"NbConvo.{name}=" in printed for name in ("service", "model", "dir", "loop"))
