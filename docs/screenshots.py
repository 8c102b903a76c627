"""Screenshots of the panel, taken from ``demo.ipynb``, for the README and for slides.

``python docs/screenshots.py`` runs a copy of the demo in a JupyterLab on loopback, in temporary
folders, goes on in its panel as a reader would, and writes ``docs/images/*.png``. Nothing in the
pages is touched up. No model is connected: the offline service answers, and says so.

It needs what the tests in a browser need: ``pip install -e '.[test]'`` and Chromium. Pages are set
in the system's sans-serif font; DejaVu Sans (Debian's ``fonts-dejavu``) is what the committed
images show.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from playwright.sync_api import FloatRect, Locator, Page, ViewportSize, expect, sync_playwright

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo.ipynb"
IMAGES = ROOT / "docs" / "images"

MARGIN, AIR = 6, 20  # pixels of the page around a panel, and around its twin
SHARP, LARGE = 2, 1.2  # pixels of an image for each of the page, and in the largest image
WIDE = ViewportSize(width=1040, height=1500)
NARROW = ViewportSize(width=540, height=1300)
SPLIT = ViewportSize(width=1520, height=880)
PAPER = ViewportSize(width=860, height=1200)

LIMITS = "%session comedian --rpm 120 --tpm 30000"
DREAM = r"Last night I dreamt $\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}$ was my fault."
PYTHON = "How do I talk to you from Python?"
ENVY = "I think my notebook is quieter than I am."
CELLS = ["demo-17", "demo-18"]  # at the top of the notebook, and active
OPTIONS = "What do --background and --quiet do?"

NBCONVERT = [sys.executable, "-m", "nbconvert", "--to=html", "--log-level=ERROR"]

OUTPUT_BESIDE = """async () => {
  const { commands, shell } = window.jupyterapp;
  await commands.execute('notebook:create-output-view');
  const [notebook, output] = [...shell.widgets('main')];
  shell.add(output, 'main', { ref: notebook.id, mode: 'split-right' });
}"""
GO_TO = """async ([top, active]) => {
  const [{ content }] = [...window.jupyterapp.shell.widgets('main')];
  const at = (id) => content.widgets.findIndex((cell) => cell.model.id === id);
  content.activeCellIndex = at(active);
  await content.scrollToItem(at(top));
  content.widgets[at(top)].node.scrollIntoView();
}"""


@dataclass
class Desk:
    """The demo in JupyterLab, and its panel."""

    notebook: Any

    @property
    def page(self) -> Page:
        """The page of JupyterLab."""
        page: Page = self.notebook.page
        return page

    @property
    def panel(self) -> Locator:
        """The panel in the last cell."""
        return self.page.locator(".jp-Notebook .nbconvo-panel")

    @property
    def rows(self) -> Locator:
        """What was said, in the panel."""
        return self.panel.get_by_role("article")

    def command(self, name: str, **arguments: Any) -> None:
        """Do what an entry of JupyterLab's menus does."""
        script = "([name, given]) => window.jupyterapp.commands.execute(name, given).then(() => 0)"
        self.page.evaluate(script, [name, arguments])

    def theme(self, name: str) -> None:
        """Choose one of JupyterLab's themes."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        body = f"body[data-jp-theme-name='JupyterLab {name}']"
        self.page.wait_for_selector(body, state="attached")
        self.page.wait_for_timeout(1500)  # the page is drawn anew

    def say(self, name: str, text: str) -> None:
        """Send a message from the panel, and wait for the reply."""
        before = self.rows.count()
        box = self.panel.get_by_role("textbox")
        box.fill(f"@{name} {text}")
        box.press("Control+Enter")
        expect(self.rows).to_have_count(before + 2)
        self.rest()

    def rest(self) -> None:
        """Wait until no reply is coming."""
        expect(self.panel.get_by_role("button", name="Stop", exact=True)).to_be_hidden()

    def turn_limits(self) -> None:
        """Open the rate limits, or close them."""
        self.panel.locator("summary", has_text="Limits").click()

    def leave(self) -> None:
        """Go to the text above the panel."""
        self.page.locator(".jp-RenderedMarkdown p", has_text="All of it in one place").click()

    def begin_with(self, row: Locator) -> None:
        """Drag the panel's lower edge until the first row that shows is this one."""
        log, first = place(self.panel.get_by_role("log")), place(row)
        edge = place(self.panel)
        x, y = edge["x"] + edge["width"] - 5, edge["y"] + edge["height"] - 5
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x, y + log["y"] - first["y"] + 2, steps=9)
        self.page.mouse.up()

    def shoot(self, name: str, first: Locator, *, at: Locator | None = None) -> None:
        """Write an image of the panel from a row on, the mouse elsewhere or at something."""
        for _ in range(2):  # what is seen for the first time may be laid out anew: maths
            self.middle()
            self.begin_with(first)
            self.page.wait_for_timeout(500)
        self.leave()
        self.middle()
        self.page.mouse.move(0, 0)
        if at is not None:
            at.hover()
        self.page.wait_for_timeout(500)
        save(self.page, name, place(self.panel))

    def middle(self) -> None:
        """Scroll the notebook so that the panel is in the middle of it."""
        self.panel.evaluate("panel => panel.scrollIntoView({ block: 'center' })")


def place(what: Locator) -> Any:
    """Return where something is in the page."""
    box = what.bounding_box()
    assert box is not None
    return box


def save(page: Page, name: str, box: Any, margin: int = MARGIN) -> None:
    """Write an image of a part of a page, with a margin."""
    x, y, width, height = (box[side] for side in ("x", "y", "width", "height"))
    more = 2 * margin
    clip = FloatRect(x=x - margin, y=y - margin, width=width + more, height=height + more)
    page.screenshot(path=IMAGES / f"{name}.png", clip=clip, full_page=True)


def light(desk: Desk) -> None:
    """Two participants, maths and code."""
    desk.say("therapist", DREAM)
    desk.say("comedian", PYTHON)
    desk.shoot("panel-light", desk.rows.nth(-4), at=desk.panel.locator(".highlight").last)


def dark(desk: Desk) -> None:
    """Alternatives, a table and the limits, in the dark theme."""
    desk.theme("Dark")
    desk.say("therapist", ENVY)
    last = desk.rows.last
    last.hover()
    last.get_by_role("button", name="Retry").click()
    expect(desk.rows.last).to_contain_text("2/2")
    desk.rest()
    desk.say("comedian", OPTIONS)
    desk.turn_limits()
    desk.shoot("panel-dark", desk.rows.nth(-4))
    desk.turn_limits()
    desk.theme("Light")


def narrow(desk: Desk) -> None:
    """One participant, where there is little room."""
    desk.page.set_viewport_size(NARROW)
    desk.panel.get_by_role("tab", name="comedian").click()
    desk.shoot("panel-narrow", desk.rows.nth(-2))
    desk.panel.get_by_role("tab", name="Everyone").click()


def beside(desk: Desk) -> None:
    """A cell that asked, and the panel in a view of its own beside the notebook."""
    page = desk.page
    page.set_viewport_size(SPLIT)
    page.evaluate(OUTPUT_BESIDE)
    for _ in range(2):  # what was not in sight yet is higher than the notebook thought
        page.wait_for_timeout(1500)
        page.evaluate(GO_TO, CELLS)
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / "notebook.png")


def static(desk: Desk) -> None:
    """What nbconvert makes of the panel: the end of what was said, and the limits."""
    desk.notebook.saved()
    path = desk.notebook.path
    subprocess.run([*NBCONVERT, path], check=True)
    browser = desk.page.context.browser
    assert browser is not None
    page = browser.new_page(viewport=PAPER, device_scale_factor=SHARP, offline=True)
    page.goto(path.with_suffix(".html").as_uri())
    twin = page.locator(".nbconvo-cards").last
    box, first = place(twin), place(twin.locator(".nbconvo-card").nth(-6))
    box["height"] += box["y"] - first["y"]
    save(page, "panel-static", box | {"y": first["y"]}, AIR)
    page.close()


@contextmanager
def opened(tests: Any, scale: float) -> Iterator[Desk]:
    """Open a copy of the demo in JupyterLab, and run all of it."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root,
        tests.running("jupyterlab", folders(root)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=tests.CHROMIUM, args=tests.FLAGS)
        page = browser.new_page(viewport=WIDE, device_scale_factor=scale, locale="en-GB")
        desk = Desk(tests.Notebook(page, Path(shutil.copy(DEMO, lab.root))))
        page.goto(lab.address(desk.notebook.path))
        desk.notebook.ready()
        desk.command("application:toggle-left-area")
        desk.notebook.run_all()
        desk.panel.wait_for()
        desk.notebook.execute(LIMITS)
        yield desk
        browser.close()


def folders(root: str) -> SimpleNamespace:
    """Return what makes folders below one, as pytest's factory does."""
    return SimpleNamespace(mktemp=lambda name: Path(tempfile.mkdtemp(prefix=name, dir=root)))


def browser_tests() -> ModuleType:
    """Return what starts JupyterLab for the tests in a browser."""
    path = ROOT / "tests" / "browser" / "conftest.py"
    spec = importlib.util.spec_from_file_location("browser_tests", path)
    assert spec is not None
    assert spec.loader is not None
    tests = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tests  # where its dataclasses look
    spec.loader.exec_module(tests)
    return tests


def main() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    tests = browser_tests()
    with opened(tests, LARGE) as desk:
        beside(desk)
    with opened(tests, SHARP) as desk:
        for take in (light, dark, narrow, static):
            take(desk)


if __name__ == "__main__":
    main()
