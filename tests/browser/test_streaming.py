"""A reply that streams through a widget: what it costs, how it looks, that nothing of it stays."""

from __future__ import annotations

import base64
from collections.abc import Callable
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
LONG = (PART * 12)[:10_000]

# Where the blocks of a reply stand in the page, and how their words look.
PLACES = """selector => [...document.querySelectorAll(selector)].map(element => {
  const { x, y, width, height } = element.getBoundingClientRect();
  const { font, color } = getComputedStyle(element);
  return [element.tagName, x, y, width, height, font, color];
})"""
BLOCKS = "h1, h2, p, li, pre, .nbconvo-why, .nbconvo-who"

Open = Callable[..., Any]


class Traffic:
    """What comes over the websockets of a page, and how busy its main thread is."""

    def __init__(self, page: Any) -> None:
        self.sizes: list[int] = []
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.on("Network.webSocketFrameReceived", self._take)
        self._cdp.send("Network.enable")
        self._cdp.send("Performance.enable")
        self._began = self._busy()

    @property
    def kilobytes(self) -> float:
        return sum(self.sizes) / 1000

    def __str__(self) -> str:
        busy = self._busy() - self._began
        return f"{len(self.sizes)} messages, {self.kilobytes:.0f} kB, {busy:.2f} s of main thread"

    def _take(self, event: dict[str, Any]) -> None:
        data = event["response"]["payloadData"]
        binary = event["response"]["opcode"] == 2
        self.sizes.append(len(base64.b64decode(data) if binary else data.encode()))

    def _busy(self) -> float:
        metrics = self._cdp.send("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "TaskDuration")


@pytest.fixture
def open_live(open_notebook: Open) -> Open:
    """Opens cells below one that makes the sessions, in a page known to run widgets."""

    def open_(*cells: str) -> Any:
        notebook = open_notebook([SETUP, *cells])
        notebook.start(0)
        until(notebook, ANSWERED, "True")
        return notebook

    return open_


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


def test_a_long_reply_sends_only_what_is_new_and_leaves_no_widget(
    lab: Any, open_live: Open
) -> None:
    lab.provider.reply(deltas=pieces(LONG, 2000), pace=0.005)
    notebook = open_live("%%ask model\nwhales?")
    traffic = Traffic(notebook.page)
    notebook.start(1)
    notebook.page.wait_for_selector(f"{LIVE} .nbconvo-closed h2")
    notebook.page.wait_for_selector(ENDED, timeout=60_000)
    print(f"\n10 kB in 2,000 deltas: {traffic}")
    assert traffic.kilobytes < 150  # the static form of each repaint would be 2,000
    until(notebook, COMMS, "1")  # that of the probe
    saved = notebook.saved()
    (output,) = saved.cells[1].outputs
    assert (set(output.data), "widgets" in saved.metadata) == ({"text/html", "text/plain"}, False)
    assert output.data["text/plain"] == LONG


@pytest.mark.parametrize("end", ["The end.\n", "# The end.\n", "# The end.\n\nIs near.\n"])
def test_the_static_form_stands_where_the_live_one_stood(
    lab: Any, open_live: Open, end: str
) -> None:
    lab.provider.reply(deltas=[PART, end, ""], pace=3, reasoning="Hm.")
    notebook = open_live("%%ask model\nwhales?")
    notebook.start(1)
    notebook.page.wait_for_selector(f"{LIVE} >> text=The end.")
    notebook.page.wait_for_selector(f"{LIVE} mjx-container")
    notebook.page.wait_for_timeout(300)
    live = notebook.page.evaluate(PLACES, f"{LIVE} :is({BLOCKS})")
    notebook.page.wait_for_selector(ENDED)
    notebook.page.wait_for_selector(f"{STATIC} mjx-container")
    notebook.page.wait_for_timeout(300)
    static = notebook.page.evaluate(PLACES, f"{STATIC} :is({BLOCKS}):not(.nbconvo-foot)")
    assert live == static
    assert len(live) > 10


def test_two_replies_grow_side_by_side(lab: Any, open_live: Open) -> None:
    for _ in range(2):
        lab.provider.reply(deltas=["# One\n\n", *["A whale. "] * 30], pace=0.05)
    notebook = open_live("%%ask model other\nwhales?")
    notebook.start(1)
    page = notebook.page
    page.wait_for_function(f"document.querySelectorAll({f'{LIVE} h1'!r}).length === 2")
    live = page.evaluate(PLACES, f"{LIVE} .nbconvo-who")
    assert page.query_selector(f"{LIVE}.nbconvo-beside")
    page.wait_for_function(f"document.querySelectorAll({ENDED!r}).length === 2")
    assert page.evaluate(PLACES, f"{STATIC} .nbconvo-who") == live
    (left, right) = live
    assert left[1] < right[1]
    assert left[2] == right[2]


def test_a_page_loaded_anew_shows_the_reply_again_and_goes_on(lab: Any, open_live: Open) -> None:
    lab.provider.reply(deltas=[*["A whale. "] * 100, "The end."], pace=0.1)
    notebook = open_live("%%ask model --background\nwhales?")
    notebook.start(1)
    page = notebook.page
    page.wait_for_selector(f"{LIVE} p")
    notebook.saved()
    page.reload()
    notebook.ready()
    page.wait_for_selector(f"{LIVE} p")
    early = len(page.inner_text(f"{LIVE} p"))
    page.wait_for_selector(f"{LIVE} >> text=The end.")
    assert len(page.inner_text(f"{LIVE} p")) > early > len("A whale.")
    # No update of the output reaches this page: the widget stays, with the end of the reply.
    page.wait_for_selector(f"{LIVE} .nbconvo-foot")
    page.wait_for_timeout(1000)
    assert page.query_selector(f"{LIVE} .nbconvo-foot")
    assert not page.query_selector(f"{LIVE} .nbconvo-busy")


def test_a_reply_that_is_stopped_ends_static(lab: Any, open_live: Open) -> None:
    lab.provider.reply(deltas=["A whale. "] * 1000, pace=0.05)
    notebook = open_live("%%ask model\nwhales?")
    notebook.start(1)
    notebook.page.wait_for_selector(f"{LIVE} p")
    notebook.page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.page.wait_for_selector(f"{ENDED} >> text=stopped")
    assert not notebook.page.query_selector(LIVE)
    until(notebook, COMMS, "1")
