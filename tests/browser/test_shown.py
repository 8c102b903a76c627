"""How calls, images and long histories look in a page, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .desk import PanelDesk, expect

SET_UP = """
import io, os, threading, nbconvo
from PIL import Image, ImageDraw
from nbconvo.messages import Message

def weather(city: str) -> str:
    "Tell the weather of a city, once there is a file that says so."
    while not os.path.exists("let"):
        threading.Event().wait(0.02)
    return f"rain in {city}"

def say(*texts):
    session = nbconvo.sessions["meteo"]
    for text in texts:
        message = Message(role="user", content=text)
        session._record.commit([message], session.conversation.leaf)

def afresh():
    for name in nbconvo.sessions.names():
        nbconvo.sessions.remove(name)
    nbconvo.Session(name="meteo", service=os.environ["FAKE_PROVIDER"], model="m", tools=[weather])
    nbconvo.sessions.current = "meteo"

wide = Image.new("RGB", (2400, 600), "white")
ImageDraw.Draw(wide).ellipse((900, 0, 1500, 600), fill="teal")
afresh()
"""
PANEL, ASK = 2, 3  # cells


@pytest.fixture(scope="module")
def _desk(lab: Any, browser: Any, module_opener: Callable[..., Any]) -> PanelDesk:
    cells = ["%load_ext nbconvo", SET_UP, "%panel meteo", "%%ask meteo\nthe weather?"]
    notebook = module_opener(lab, cells)
    for cell in (0, 1, PANEL):
        notebook.start(cell)
    desk = PanelDesk(notebook, lab.provider)
    desk.panel.wait_for()
    return desk


@pytest.fixture
def desk(_desk: PanelDesk) -> Iterator[PanelDesk]:
    """A panel on a session that has said nothing yet."""
    _desk.notebook.execute("afresh()")
    _desk.notebook.start(PANEL)
    expect(_desk.panel).to_contain_text("Nothing said")
    yield _desk
    assert _desk.notebook.errors == []
    _desk.provider._queue.clear()


def test_what_runs_is_shown_in_the_cell_and_in_the_panel_and_folded_in_the_end(
    desk: PanelDesk,
) -> None:
    desk.provider.reply("", calls=[("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})])
    desk.provider.reply("Rain.")
    desk.notebook.start(ASK)
    running = 'running weather(city="Oslo"), weather(city="Rome")'
    output = desk.page.locator(".jp-OutputArea-output .nbconvo-card")
    expect(output.get_by_text(running)).to_be_visible()
    expect(output.locator(".nbconvo-body")).to_be_hidden()
    expect(desk.rows.last.get_by_role("status")).to_have_text(running)
    (desk.notebook.path.parent / "let").touch()  # the kernel is busy
    for place in (output, desk.rows.last):
        expect(place.get_by_text("Rain.", exact=True)).to_be_visible()
        expect(place.get_by_text("rain in Rome")).to_be_hidden()
        place.get_by_text("2 tool calls").click()
        expect(place.get_by_text("rain in Rome")).to_be_visible()
    expect(desk.rows.get_by_text(running)).to_have_count(0)


def test_an_image_is_small_and_opens_large(desk: PanelDesk) -> None:
    desk.provider.reply("I see.")
    desk.notebook.execute(
        "meteo = nbconvo.sessions['meteo'].asking\n"
        "job = meteo.start(meteo.prepare('look', images=[wide]))"
    )
    image = desk.rows.get_by_role("img")
    button = desk.rows.get_by_role("button", name=re.compile("Open large"))
    button.wait_for()
    shape = "img => [img.clientWidth, img.clientHeight, img.naturalWidth]"
    assert image.evaluate(shape) == [160, 40, 320]
    button.click()
    dialog = desk.panel.get_by_role("dialog")
    large = dialog.get_by_role("img")
    desk.page.wait_for_function(
        "document.querySelector('.nbconvo-panel dialog img').naturalWidth === 1600"
    )
    box = large.bounding_box()
    assert box["width"] == pytest.approx(4 * box["height"], rel=0.02)
    assert box["width"] > 500
    desk.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


@pytest.mark.parametrize(("key", "end", "to"), [("Home", 1, 99), ("End", -1, 0)])
def test_a_row_that_fills_a_page_hides_none_beside_it(
    desk: PanelDesk, key: str, end: int, to: int
) -> None:
    big = "['*a* ' * 4_900 if n in (33, 50) else f'message {n}' for n in range(100)]"
    desk.notebook.execute(f"say(*{big})")
    expect(desk.rows.get_by_text("message 99")).to_be_visible()
    desk.log.focus()
    desk.page.keyboard.press("Home")  # what it fetches stays in the page
    expect(desk.rows.get_by_text("message 0", exact=True)).to_be_visible()
    desk.page.keyboard.press(key)
    wanted = desk.rows.get_by_text(f"message {to}", exact=True)
    for _ in range(200):
        if wanted.count():
            break
        desk.log.hover()  # what scrolls no further scrolls the notebook
        desk.page.mouse.wheel(0, end * 1_500)
        desk.page.wait_for_timeout(50)
    expect(wanted).to_be_visible()
