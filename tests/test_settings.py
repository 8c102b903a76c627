"""The settings behind ``%config NbConvo``."""

from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config import Config

from nbconvo import host
from nbconvo.errors import InputError
from nbconvo.settings import NbConvo


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("SERVICE", "MODEL", "DIR"):
        monkeypatch.delenv(f"NBCONVO_{name}", raising=False)


def test_by_default_nothing_is_chosen():
    settings = NbConvo()
    assert [settings.resolved(name) for name in ("service", "model", "dir")] == [None] * 3
    assert settings.loop == "thread"


@pytest.mark.parametrize("name", ["service", "model", "dir"])
def test_a_setting_comes_before_the_environment(name, monkeypatch):
    settings = NbConvo()
    monkeypatch.setenv(f"NBCONVO_{name.upper()}", "of-environment")
    assert settings.resolved(name) == "of-environment"
    setattr(settings, name, "of-config")
    assert settings.resolved(name) == "of-config"


def test_an_empty_setting_leaves_the_choice_to_the_environment(monkeypatch):
    settings = NbConvo(model="x")
    settings.model = ""
    monkeypatch.setenv("NBCONVO_MODEL", "of-environment")
    assert settings.resolved("model") == "of-environment"


def test_an_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("NBCONVO_MODEL", "")
    assert NbConvo().resolved("model") is None


def test_a_configuration_file_sets_them():
    assert NbConvo(config=Config({"NbConvo": {"model": "m", "repaint": 0.5}})).repaint == 0.5


@pytest.mark.parametrize("value", [0.01, 6, -1])
def test_a_repaint_that_floods_or_freezes_the_page_is_refused(value):
    settings = NbConvo()
    with pytest.raises(InputError, match=r"repaint must lie between 0\.02 and 5 seconds"):
        settings.repaint = value
    assert settings.repaint == 0.1


def test_an_unknown_loop_is_refused():
    with pytest.raises(TraitError, match="kernel"):
        NbConvo(loop="nested")


def test_every_setting_has_help_and_can_be_configured():
    traits = NbConvo.class_own_traits(config=True)
    assert set(traits) == {
        *("service", "model", "dir", "loop", "repaint", "max_rounds", "dotenv", "budget")
    }
    assert all(trait.help for trait in traits.values())


def test_a_program_without_a_shell_has_the_defaults_and_no_cell(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert host.settings().resolved("service") is None
    assert host.running_cell() is None


def test_a_program_without_a_shell_may_change_its_environment_later(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    monkeypatch.delenv("NBCONVO_DOTENV", raising=False)
    assert host.settings().dotenv
    monkeypatch.setenv("NBCONVO_DOTENV", "no")
    assert not host.settings().dotenv
