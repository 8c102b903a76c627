"""The life of a panel."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from ipywidgets.widgets.widget import _instances

import nbconvo
from nbconvo.errors import InputError, UnknownName
from nbconvo.panel.painter import painter
from nbconvo.panel.widget import Panel


def test_a_panel_on_a_session_that_does_not_exist_is_refused(comedian):
    with pytest.raises(UnknownName, match="no session 'comedien'; did you mean 'comedian'"):
        nbconvo.Panel("comedien")


def test_a_session_opens_its_own_panel(comedian, open_page):
    panel = comedian.panel()
    assert isinstance(panel, nbconvo.Panel)
    assert panel.window.only is comedian
    panel.close()


def test_a_closed_panel_leaves_nothing(comedian, open_page):
    before = set(_instances)
    page = open_page("comedian")
    panel = page.panel
    panel.close()
    page.until(lambda: not painter.running)
    assert set(_instances) == before
    assert panel not in painter.painted


def test_a_panel_shows_a_session_and_nothing_else():
    with pytest.raises(InputError, match="not 42"):
        Panel(42)  # type: ignore[arg-type]


def test_a_panel_that_nobody_holds_goes_once_it_is_closed(comedian):
    panel = Panel("comedian")
    gone = weakref.ref(panel)
    panel.close()
    while painter.running:
        threading.Event().wait(0.005)
    del panel
    gc.collect()
    assert gone() is None


def test_the_thread_is_there_while_a_panel_is_open(comedian, open_page):
    assert not painter.running
    page = open_page()
    assert painter.running
    page.panel.close()
    page.until(lambda: not painter.running)


def test_the_state_that_a_page_asks_for_is_fresh(comedian, say):
    panel = Panel("comedian")
    say(comedian, "q", "a")
    assert panel.get_state()["first"]["path"]["n"] == 2
    panel.close()


def test_no_key_is_in_what_a_panel_sends(provider, open_page, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up-Qz7Xw9Lk2Mv5Rt8Yp4Bn")
    provider.error(401, "wrong key sk-made-up-Qz7Xw9Lk2Mv5Rt8Yp4Bn given")
    nbconvo.Session(name="a", service="openai", model="m")
    page = open_page()
    page.ask("send", to=["a"], text="go")
    page.until(lambda: page.has["tail"] and page.has["tail"][0]["state"] == "failed")
    assert "Qz7Xw9Lk" not in str(page.messages)
