"""A reply that streams through a widget: what it costs, how it looks, that nothing of it stays."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SETUP = """%load_ext nbconvo
import os, nbconvo
from nbconvo.widgets.probe import probe
for name in ("model", "other"):
    nbconvo.Session(name=name, service=os.environ["FAKE_PROVIDER"], model="m")
probe();"""
ANSWERED = "print(probe().answered)"
COMMS = "import comm; print(len(comm.get_comm_manager().comms))"

VIEW = "application/vnd.jupyter.widget-view+json"
LIVE = ".jp-OutputArea-output.lm-Panel .nbconvo"
STATIC = ".jp-OutputArea-output.jp-RenderedHTML .nbconvo"
ENDED = f"{STATIC} .nbconvo-foot"

PARAGRAPH = (
    "The whale is the largest animal that has ever lived, and it eats some of the smallest: "
    "krill, in **tons**, every day of the summer. It sings, and nobody knows what about.\n\n"
)
PART = (
    f"## Whales\n\n{PARAGRAPH * 5}- it sings\n- it dives, `deep`\n- it sleeps *upright*\n\n"
    "```python\nfor size in range(30):\n    print(size)  # metres\n```\n\n"
    "It costs $5 or $10 to see one, and its volume is $V = \\frac{4}{3} \\pi a b c$.\n\n"
)
LONG = (PART * 12)[:6_000]

# Where the blocks of a reply stand in the page, and how their words look.
PLACES = """selector => [...document.querySelectorAll(selector)].map(element => {
  const { x, y, width, height } = element.getBoundingClientRect();
  const { font, color } = getComputedStyle(element);
  return [element.tagName, x, y, width, height, font, color];
})"""
BLOCKS = "h1, h2, p, li, pre, .nbconvo-why, .nbconvo-who"

Open = Callable[..., Any]


class Traffic:
    """What comes over the websockets of a page."""

    def __init__(self, page: Any) -> None:
        self.kilobytes = 0.0
        cdp = page.context.new_cdp_session(page)
        cdp.on("Network.webSocketFrameReceived", self._take)
        cdp.send("Network.enable")

    def _take(self, event: dict[str, Any]) -> None:
        data = event["response"]["payloadData"]
        binary = event["response"]["opcode"] == 2
        self.kilobytes += len(base64.b64decode(data) if binary else data.encode()) / 1000


@pytest.fixture(scope="module")
def _shared(lab: Any, module_opener: Open) -> Any:
    notebook = module_opener(lab, [SETUP, ""])
    notebook.start(0)
    until(notebook, ANSWERED, "True")
    return notebook


@pytest.fixture
def notebook(_shared: Any) -> Iterator[Any]:
    """A page known to run widgets, with sessions that said nothing yet, and nothing put out."""
    _shared.execute("for name in ('model', 'other'): nbconvo.sessions[name].clear()")
    _shared.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    yield _shared
    assert _shared.errors == []


@contextmanager
def held(provider: Any, *, count: int = 1, **reply: Any) -> Iterator[None]:
    """Have replies whose last delta comes at the end of the block."""
    end = threading.Event()
    for _ in range(count):
        provider.reply(hold=end, **reply)
    try:
        yield
    finally:
        end.set()


def ask(notebook: Any, line: str) -> None:
    """Begin to run a cell that asks."""
    notebook.write(1, f"%%ask {line}\nwhales?")
    notebook.start(1)


def until(notebook: Any, code: str, printed: str) -> None:
    """Wait until the kernel prints so."""
    for _ in range(100):
        if notebook.execute(code).strip() == printed:
            return
        notebook.page.wait_for_timeout(50)
    raise AssertionError(f"{code} does not print {printed}")


def pieces(text: str, count: int) -> list[str]:
    """The text in so many pieces."""
    size = len(text) / count
    return [text[round(n * size) : round((n + 1) * size)] for n in range(count)]


def test_a_long_reply_sends_only_what_is_new_and_leaves_no_widget(lab: Any, notebook: Any) -> None:
    lab.provider.reply(deltas=pieces(LONG, 300), pace=0.005)
    traffic = Traffic(notebook.page)
    ask(notebook, "model")
    notebook.page.wait_for_selector(f"{LIVE} .nbconvo-closed h2")
    notebook.page.wait_for_selector(ENDED)
    assert traffic.kilobytes < 70  # the static form of each repaint would be 150 and more
    until(notebook, COMMS, "1")  # that of the probe
    saved = notebook.saved()
    (output,) = saved.cells[1].outputs
    assert (set(output.data), "widgets" in saved.metadata) == ({"text/html", "text/plain"}, False)
    assert output.data["text/plain"] == LONG


@pytest.mark.parametrize("end", ["The end.\n", "# The end.\n", "# The end.\n\nIs near.\n"])
def test_the_static_form_stands_where_the_live_one_stood(lab: Any, notebook: Any, end: str) -> None:
    page = notebook.page
    with held(lab.provider, deltas=[PART, end, ""], reasoning="Hm."):
        ask(notebook, "model")
        page.wait_for_selector(f"{LIVE} >> text=The end.")
        page.wait_for_selector(f"{LIVE} mjx-container")
        page.wait_for_timeout(300)
        live = page.evaluate(PLACES, f"{LIVE} :is({BLOCKS})")
    page.wait_for_selector(ENDED)
    page.wait_for_selector(f"{STATIC} mjx-container")
    page.wait_for_timeout(300)
    static = page.evaluate(PLACES, f"{STATIC} :is({BLOCKS}):not(.nbconvo-foot)")
    assert live == static
    assert len(live) > 10


def test_two_replies_grow_side_by_side(lab: Any, notebook: Any) -> None:
    page = notebook.page
    with held(lab.provider, count=2, deltas=["# One\n\n", "A whale. ", "The end."]):
        ask(notebook, "model other")
        page.wait_for_function(f"document.querySelectorAll({f'{LIVE} h1'!r}).length === 2")
        live = page.evaluate(PLACES, f"{LIVE} .nbconvo-who")
        assert page.query_selector(f"{LIVE}.nbconvo-beside")
    page.wait_for_function(f"document.querySelectorAll({ENDED!r}).length === 2")
    assert page.evaluate(PLACES, f"{STATIC} .nbconvo-who") == live
    (left, right) = live
    assert left[1] < right[1]
    assert left[2] == right[2]


def test_a_reply_that_is_stopped_ends_static(lab: Any, notebook: Any) -> None:
    with held(lab.provider, deltas=["A whale. ", "The end."]):
        ask(notebook, "model")
        notebook.page.wait_for_selector(f"{LIVE} p")
        notebook.page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
        notebook.page.wait_for_selector(f"{ENDED} >> text=stopped")
        assert not notebook.page.query_selector(LIVE)
        until(notebook, COMMS, "1")


def test_a_page_loaded_anew_shows_the_reply_again_and_goes_on(lab: Any, notebook: Any) -> None:
    page = notebook.page
    with held(lab.provider, deltas=["A whale. ", "The end."]):
        ask(notebook, "model --background")
        page.wait_for_selector(f"{LIVE} p")
        notebook.saved()
        page.reload()
        notebook.ready()
        page.wait_for_selector(f"{LIVE} >> text=A whale.")
        assert "The end." not in page.inner_text(f"{LIVE} p")
    page.wait_for_selector(f"{LIVE} >> text=The end.")
    # No update of the output reaches this page: the widget stays, with the end of the reply.
    page.wait_for_selector(f"{LIVE} .nbconvo-foot")
    page.wait_for_timeout(1000)
    assert page.query_selector(f"{LIVE} .nbconvo-foot")
    assert not page.query_selector(f"{LIVE} .nbconvo-busy")
