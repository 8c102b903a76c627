"""``%convo key``, where it takes none."""

from __future__ import annotations

from nbconvo.errors import InputError, Stopped


def test_an_interrupt_at_the_prompt_is_one_line(notebook, monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt("Interrupted by user")

    monkeypatch.setattr("getpass.getpass", interrupted)
    ran = notebook.run("%convo key groq")
    assert isinstance(ran.error, Stopped)
    assert ran.lines == ["Stopped: no key was taken"]


def test_the_offline_service_has_no_key_to_ask_for(notebook, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-test-0000")
    ran = notebook.run("%convo key offline")
    assert isinstance(ran.error, InputError)
    assert str(ran.error) == "offline has no key: it can be asked as it is"


def test_a_keyring_that_keeps_nothing_is_told(notebook, monkeypatch):
    """The tests' own keyring is the null one."""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-test-0000")
    ran = notebook.run("%convo key xai --keyring")
    assert "it keeps nothing on this system; leave --keyring out" in str(ran.error)
