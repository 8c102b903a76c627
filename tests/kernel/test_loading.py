"""``%load_ext`` does nothing that can be noticed, ``%unload_ext`` undoes all of it."""

from __future__ import annotations

import pytest

THREADS = "[t.name for t in __import__('threading').enumerate() if 'nbconvo' in t.name]"
MAGICS = "[n for kind in get_ipython().magics_manager.magics.values() for n in kind]"
OURS = {"session", "ask", "exchange", "convo"}
CONFIGURABLES = "[type(c).__name__ for c in get_ipython().configurables]"
MATCHERS = "[m.__module__ for m in get_ipython().Completer.custom_matchers]"
CONNECTIONS = """len([
    c for c in __import__('psutil').Process().net_connections()
    if c.raddr and c.raddr.port == {port} and c.status == 'ESTABLISHED'
])"""


@pytest.fixture
def connections(provider):
    """An expression for the number of connections to the provider."""
    return CONNECTIONS.format(port=provider.base_url.split(":")[2].split("/")[0])


def test_loading_prints_nothing_and_opens_no_connection(new_kernel, provider, connections):
    before = provider.connections
    kernel = new_kernel()
    assert kernel.run("%load_ext nbconvo").outputs == []
    assert kernel.value(THREADS) == []
    assert kernel.value(connections) == 0
    assert provider.connections == before
    assert set(kernel.value(MAGICS)) >= OURS


def test_loading_again_changes_nothing(kernel):
    matchers = kernel.value(MATCHERS)
    kernel.run("_nbconvo.load_ipython_extension(get_ipython())", "%reload_ext nbconvo")
    assert kernel.value(MATCHERS) == matchers
    assert matchers.count("nbconvo.magics.completion") == 1


def test_unloading_ends_the_thread_and_closes_the_connections(kernel, provider, connections):
    kernel.run("%%ask\nhi")
    assert kernel.value(THREADS) == ["nbconvo-io"]
    assert kernel.value(connections) > 0  # kept open for the next request
    assert kernel.run("%unload_ext nbconvo").outputs == []
    assert kernel.value(THREADS) == []
    assert kernel.value(connections) == 0


def test_unloading_takes_the_magics_the_settings_and_the_completion_away(kernel):
    assert "NbConvo" in kernel.value(CONFIGURABLES)
    kernel.run("%unload_ext nbconvo")
    assert OURS & set(kernel.value(MAGICS)) == set()
    assert "nbconvo.magics.completion" not in kernel.value(MATCHERS)
    assert "NbConvo" not in kernel.value(CONFIGURABLES)


def test_unloading_stops_a_reply_in_the_background(kernel, provider):
    provider.hang()
    before, closed = len(provider.requests), len(provider.closed)
    kernel.run("%%ask --background --to later\nhi")
    provider.wait_for_requests(before + 1)
    kernel.run("%unload_ext nbconvo")
    provider.wait_for_closed(closed + 1)
    kernel.run("import time; time.sleep(.1)")
    assert kernel.value("later.done()") is True
    assert kernel.value(THREADS) == []


def test_sessions_stay_usable_without_the_magics(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.", "%unload_ext nbconvo")
    assert kernel.run("await comedian.ask('hi')").texts == ["reply to hi"]


def test_loading_after_unloading_works(kernel, provider):
    kernel.run("%%ask\nhi", "%unload_ext nbconvo", "%load_ext nbconvo")
    assert kernel.run("%%ask\nhi again").texts == ["reply to hi again"]
    assert len(kernel.history("default")) == 4


def test_a_kernel_with_a_reply_under_way_shuts_down_promptly(new_kernel, provider):
    provider.hang()
    before, closed = len(provider.requests), len(provider.closed)
    kernel = new_kernel()
    kernel.run("%load_ext nbconvo", "%%ask --background --to later\nhi")
    provider.wait_for_requests(before + 1)
    kernel.manager.shutdown_kernel()
    provider.wait_for_closed(closed + 1)
    assert not kernel.manager.is_alive()
