"""The panel, driven as a person drives it, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .desk import PanelDesk, expect

LOAD = "%load_ext nbconvo"
SET_UP = """
import os, nbconvo
for name in nbconvo.sessions.names():
    nbconvo.sessions.remove(name)
for name in ("comedian", "critic"):
    nbconvo.Session(f"You are a {name}.", name=name, service=os.environ["FAKE_PROVIDER"], model="m")
nbconvo.sessions.current = "comedian"
"""
PANEL, ASK = 2, 3  # cells


class Desk(PanelDesk):
    def row(self, text: str) -> Any:
        return self.rows.filter(has_text=text)

    def send(self, text: str) -> None:
        self.message.fill(text)
        self.message.press("Control+Enter")

    def act(self, row: Any, action: str) -> None:
        """Do what a button of a row does."""
        row.hover()
        row.get_by_role("button", name=action).click()

    def said(self, session: str) -> list[str]:
        code = f"print([m.content for m in nbconvo.sessions[{session!r}].conversation.messages])"
        return list(eval(self.notebook.execute(code)))


@pytest.fixture(scope="module")
def _desk(lab: Any, browser: Any, module_opener: Callable[..., Any]) -> Desk:
    notebook = module_opener(lab, [LOAD, SET_UP, "%panel", "%%ask comedian\nfrom a cell"])
    for cell in (0, 1, PANEL):
        notebook.start(cell)
    desk = Desk(notebook, lab.provider)
    desk.panel.wait_for()
    return desk


@pytest.fixture
def desk(_desk: Desk) -> Iterator[Desk]:
    """The desk, as good as new: two participants who said nothing yet."""
    _desk.notebook.execute(SET_UP)
    _desk.provider.respond(lambda request: f"reply to {request.json['messages'][-1]['content']}")
    _desk.choose("Everyone")
    expect(_desk.rows).to_have_count(0)
    yield _desk
    assert _desk.notebook.errors == []
    _desk.provider.forget()


def test_what_a_cell_asks_streams_into_the_panel(desk: Desk) -> None:
    desk.provider.reply(deltas=["first ", *["word "] * 60, "last"], pace=0.02)
    desk.notebook.start(ASK)
    expect(desk.row("first")).to_be_visible()
    assert "last" not in desk.row("first").inner_text()
    expect(desk.row("from a cell")).to_be_visible()
    expect(desk.row("last")).to_contain_text("tokens")
    assert desk.rows.count() == 2


def test_a_message_is_sent_from_the_panel(desk: Desk) -> None:
    desk.provider.reply("**bold** and `code`\n\n```python\nx = 1\n```\n\n$e^x$")
    desk.send("from the panel")
    expect(desk.row("from the panel")).to_be_visible()
    expect(desk.rows.locator("strong", has_text="bold")).to_be_visible()
    expect(desk.rows.locator("mjx-container")).to_be_visible()
    expect(desk.message).to_have_value("")
    assert desk.said("comedian")[0] == "from the panel"


def test_a_message_goes_to_who_is_named(desk: Desk) -> None:
    desk.send("@critic what do you think?")
    expect(desk.row("reply to")).to_be_visible()
    assert desk.said("comedian") == []
    assert len(desk.said("critic")) == 2


def test_several_are_named_with_the_keyboard(desk: Desk) -> None:
    desk.message.click()
    desk.page.keyboard.type("@com")
    desk.panel.get_by_role("option", name="comedian").wait_for()
    desk.page.keyboard.press("Enter")
    desk.page.keyboard.type("@cri")
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.type("both of you")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.row("reply to")).to_have_count(2)
    assert len(desk.said("comedian")) == len(desk.said("critic")) == 2


def test_who_is_not_known_is_not_taken_for_somebody_else(desk: Desk) -> None:
    desk.send("@comedien hello")
    expect(desk.panel.get_by_role("alert")).to_contain_text("no session is called comedien")
    expect(desk.message).to_have_value("@comedien hello")
    assert desk.said("comedian") == []
    desk.send("@comedian hello")
    expect(desk.panel.get_by_role("alert")).to_be_empty()
    expect(desk.row("reply to")).to_be_visible()


def test_those_beyond_the_tabs_are_counted_and_can_be_named(desk: Desk) -> None:
    desk.notebook.execute("made = [nbconvo.Session(name=f's{n}') for n in range(100)]; 0")
    expect(desk.panel.locator(".np-facts")).to_have_text("101 of 102 sessions, the last asked")
    desk.message.click()
    desk.page.keyboard.type("@crit")
    desk.page.keyboard.press("Enter")
    desk.page.keyboard.type("hello")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.row("reply to")).to_be_visible()
    assert len(desk.said("critic")) == 2
    desk.notebook.execute("[nbconvo.sessions.remove(s.name) for s in made]; 0")


def test_a_running_cell_is_stopped_from_the_panel(desk: Desk) -> None:
    kernel = "import ipykernel; print(ipykernel.version_info[0])"
    if int(desk.notebook.execute(kernel)) < 7:
        pytest.skip("ipykernel 6 does not hear the page while a cell runs")
    desk.provider.reply(deltas=["begun ", *["word "] * 400], pace=0.05)
    desk.notebook.start(ASK)
    expect(desk.row("begun")).to_be_visible()
    desk.panel.get_by_role("button", name="Stop", exact=True).click()
    expect(desk.row("begun")).to_contain_text("stopped")
    desk.page.wait_for_function(
        "place => window.jupyterapp.shell.currentWidget.content.widgets[place].model"
        ".executionCount",
        arg=ASK,
    )
    assert re.search(r"Stopped.*\d+ characters kept", desk.notebook.outputs(ASK))
    assert "Interrupt" not in desk.notebook.outputs(ASK)
    assert len(desk.said("comedian")) == 2


def test_a_message_that_is_sent_during_a_reply_is_shown_as_queued(desk: Desk) -> None:
    desk.choose("comedian")
    desk.provider.reply(deltas=["slow "] * 20, pace=0.05)
    desk.send("first")
    expect(desk.row("slow")).to_be_visible()
    desk.send("second")
    expect(desk.row("second").first).to_contain_text("queued")
    expect(desk.row("reply to second")).to_be_visible()
    assert len(desk.said("comedian")) == 4


def test_an_edit_branches_and_the_alternatives_can_be_walked(desk: Desk) -> None:
    desk.choose("comedian")
    desk.send("one question")
    expect(desk.row("reply to one question")).to_be_visible()
    desk.act(desk.rows.first, "Edit")
    desk.panel.get_by_role("textbox", name="Edit your message").fill("another question")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.row("reply to another question")).to_be_visible()
    expect(desk.row("one question")).to_have_count(0)
    walker = desk.rows.first.get_by_role("group", name="alternative 2 of 2")
    walker.get_by_role("button", name="Previous alternative").click()
    expect(desk.row("reply to one question")).to_be_visible()
    assert desk.said("comedian")[0] == "one question"


def test_a_retry_gives_an_alternative(desk: Desk) -> None:
    desk.choose("comedian")
    desk.provider.reply("first try")
    desk.send("go")
    desk.row("first try").wait_for()
    desk.provider.reply("second try")
    desk.act(desk.row("first try"), "Retry")
    expect(desk.row("second try")).to_contain_text("2/2")


def test_a_message_is_removed_and_the_removal_undone(desk: Desk) -> None:
    desk.choose("comedian")
    desk.send("remove me")
    desk.row("reply to").wait_for()
    desk.act(desk.rows.first, "Remove")
    expect(desk.rows).to_have_count(1)
    assert desk.said("comedian") == ["reply to remove me"]
    desk.panel.get_by_role("button", name="Undo").click()
    expect(desk.rows).to_have_count(2)


def test_a_fork_becomes_a_participant(desk: Desk) -> None:
    desk.choose("comedian")
    desk.send("go")
    desk.row("reply to").wait_for()
    desk.act(desk.rows.first, "Fork")
    desk.panel.get_by_role("textbox", name="Name of the new session").fill("draft")
    desk.page.keyboard.press("Enter")
    desk.choose("draft")
    expect(desk.rows).to_have_count(1)


def test_a_failed_message_can_be_tried_again(desk: Desk) -> None:
    desk.provider.error(400, "the moon is in the wrong house")
    desk.send("go")
    expect(desk.row("the moon is in the wrong house")).to_be_visible()
    desk.rows.first.get_by_role("button", name="Try again").click()
    expect(desk.row("reply to go")).to_be_visible()
    expect(desk.rows).to_have_count(2)


def test_a_search_finds_and_leads_there(desk: Desk) -> None:
    desk.notebook.execute(
        "from nbconvo.messages import Message\n"
        "s = nbconvo.sessions['comedian']\n"
        "for n in range(300):\n"
        "    m = Message(role='user', content=f'message {n}' + ' needle' * (n in (20, 250)))\n"
        "    s._record.commit([m], s.conversation.leaf)"
    )
    desk.choose("comedian")
    expect(desk.row("message 299")).to_be_visible()
    desk.panel.get_by_role("button", name="Search").click()
    box = desk.panel.get_by_role("searchbox")
    box.fill("NEEDLE")
    results = desk.panel.get_by_role("group", name="Search results").get_by_role("button")
    expect(results).to_have_count(2)
    results.filter(has_text="message 20").click()
    expect(desk.row("message 20 needle")).to_be_in_viewport()
    box.press("Escape")
    expect(box).to_be_hidden()


def test_each_participant_has_a_tab(desk: Desk) -> None:
    desk.send("@comedian @critic hello")
    expect(desk.row("reply to")).to_have_count(2)
    for name in ("comedian", "critic"):
        desk.choose(name)
        expect(desk.rows).to_have_count(2)
        expect(desk.panel.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_instructions_and_model_are_changed(desk: Desk) -> None:
    desk.choose("comedian")
    desk.panel.get_by_role("button", name="Settings").click()
    prompt = desk.panel.get_by_role("textbox", name="System prompt")
    expect(prompt).to_have_value("You are a comedian.")
    prompt.fill("You are brief.")
    desk.panel.get_by_role("combobox", name="Model").fill("offline:eliza")
    desk.panel.get_by_role("button", name="Save").click()
    expect(prompt).to_be_hidden()  # once both are changed
    expect(desk.panel).to_contain_text("eliza")
    code = "s = nbconvo.sessions['comedian']; print(s.system, s.service.name, s.model)"
    assert desk.notebook.execute(code).strip() == "You are brief. offline eliza"


def test_an_export_is_downloaded(desk: Desk) -> None:
    desk.choose("comedian")
    desk.send("keep this")
    desk.row("reply to").wait_for()
    desk.panel.get_by_role("button", name="More").click()
    with desk.page.expect_download() as download:
        desk.panel.get_by_role("menuitem", name=re.compile("Markdown")).click()
    assert download.value.suggested_filename == "comedian.md"
    assert "keep this" in download.value.path().read_text()


def test_code_is_inserted_as_a_cell_below_the_panel(desk: Desk) -> None:
    desk.provider.reply("```python\nanswer = 42\n```")
    desk.send("code, please")
    block = desk.rows.locator(".highlight")
    block.hover()
    desk.panel.get_by_role("button", name="Insert code as a cell below").click()
    source = (
        "() => window.jupyterapp.shell.currentWidget.content.widgets[3]"
        ".model.sharedModel.getSource()"
    )
    assert desk.page.evaluate(source).strip() == "answer = 42"
    desk.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.deleteCell(3)"
    )


def test_the_reader_who_scrolls_back_is_left_there(desk: Desk) -> None:
    desk.notebook.execute(
        "from nbconvo.messages import Message\n"
        "s = nbconvo.sessions['comedian']\n"
        "for n in range(500):\n"
        "    m = Message(role='user', content=f'message {n}')\n"
        "    s._record.commit([m], s.conversation.leaf)"
    )
    desk.choose("comedian")
    expect(desk.row("message 499")).to_be_in_viewport()
    desk.log.hover()
    for _ in range(10):
        desk.page.mouse.wheel(0, -1500)
        desk.page.wait_for_timeout(30)
    expect(desk.row("message 499")).not_to_be_in_viewport()
    desk.provider.reply("the newest reply")
    desk.notebook.execute("job = s.asking.start(s.asking.prepare('something new'))")
    expect(desk.panel.get_by_role("button", name="new")).to_be_visible()
    desk.panel.get_by_role("button", name="new").click()
    expect(desk.row("the newest reply")).to_be_in_viewport()
    desk.log.focus()
    desk.page.keyboard.press("Home")
    expect(desk.rows.filter(has_text=re.compile(r"message 0\b"))).to_be_in_viewport()
    assert desk.rows.count() < 150


def test_the_gauges_move_during_a_burst(desk: Desk) -> None:
    desk.panel.locator("summary", has_text="Limits").click()
    desk.notebook.execute(
        "import asyncio\n"
        "service = nbconvo.sessions['comedian'].service\n"
        "service.max_requests_per_minute = 60\n"
        "crowd = [nbconvo.Session(service=service, model='m') for _ in range(50)]\n"
        "jobs = [session.asking.start(session.asking.prepare('go')) for session in crowd]"
    )
    gauge = desk.panel.get_by_role("group", name=re.compile("127.0.0.1")).last
    expect(gauge).to_contain_text(re.compile(r"4\d queued"))
    expect(gauge).to_contain_text("next in")
    meter = gauge.get_by_role("meter", name=re.compile("requests"))
    before = int(meter.get_attribute("aria-valuenow"))
    expect(meter).to_have_attribute("aria-valuenow", str(before + 2))
    assert "of 60" in gauge.inner_text()
    desk.notebook.execute(
        "for session in crowd: session.stop()\nservice.max_requests_per_minute = None"
    )
    expect(gauge).not_to_contain_text("queued")
    desk.panel.locator("summary", has_text="Limits").click()


def test_a_reload_finds_everything_again(desk: Desk) -> None:
    desk.choose("critic")
    desk.send("remember this")
    expect(desk.row("reply to remember this")).to_be_visible()
    desk.message.fill("a draft")
    desk.notebook.saved()
    desk.page.reload()
    desk.notebook.ready()
    expect(desk.row("reply to remember this")).to_be_visible()
    expect(desk.panel.get_by_role("tab", name="critic")).to_have_attribute("aria-selected", "true")
    expect(desk.message).to_have_value("a draft")
    desk.send("and this")
    expect(desk.row("reply to and this")).to_be_visible()


def test_a_panel_is_kept_as_a_static_output(desk: Desk) -> None:
    # In a page that was loaded anew, by the test before: no update of an output reaches it.
    desk.send("to be kept")
    expect(desk.row("reply to")).to_be_visible()
    desk.panel.get_by_role("button", name="More").click()
    desk.panel.get_by_role("menuitem", name="Keep as a static output").click()
    expect(desk.panel).to_have_count(0)
    kept = desk.page.locator(".jp-RenderedHTML .nbconvo-cards", has_text="reply to to be kept")
    expect(kept).to_be_visible()
    desk.notebook.start(PANEL)
    desk.panel.wait_for()


def test_all_of_it_works_with_the_keyboard(desk: Desk) -> None:
    press = desk.page.keyboard.press
    desk.panel.get_by_role("tab", name="Everyone").focus()
    press("ArrowRight")
    expect(desk.panel.get_by_role("tab", name="comedian")).to_be_focused()
    press("Enter")
    desk.message.focus()
    desk.page.keyboard.type("a b dd")  # elsewhere in a notebook these make and delete cells
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
    count = desk.page.evaluate(cells)
    press("Control+Enter")
    desk.row("reply to").wait_for()
    desk.log.focus()
    for key in "abdd":
        press(key)
    assert desk.page.evaluate(cells) == count
    press("ArrowUp")
    reached = "() => document.activeElement.closest('[role=article], article') !== null"
    desk.page.wait_for_function(reached)
    for _ in range(12):
        press("Tab")
        label = desk.page.evaluate("() => document.activeElement.getAttribute('aria-label') ?? ''")
        if label.startswith(("Copy", "Retry", "Edit")):
            break
    assert label.startswith(("Copy", "Retry", "Edit"))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing(desk: Desk, theme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    desk.provider.reply(
        "# A\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```python\nx = 1\n```\n\n[l](http://x.y)"
    )
    desk.provider.reply("b", reasoning="so and so")
    desk.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    desk.send("@comedian @critic go")
    expect(desk.rows.locator("details, h1")).to_have_count(2)
    desk.provider.error(400, "a failure")
    desk.send("fail")
    expect(desk.row("a failure")).to_be_visible()
    desk.panel.locator("summary", has_text="Limits").click()
    desk.page.wait_for_timeout(300)  # colours change slowly
    found = axe.Axe().run(desk.page, context=".nbconvo-panel")
    desk.panel.locator("summary", has_text="Limits").click()
    desk.page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme',"
        " { theme: 'JupyterLab Light' })"
    )
    assert found.violations_count == 0, found.generate_report()


def test_the_panel_is_dark_where_the_page_is(desk: Desk) -> None:
    luminance = """() => {
      const colour = getComputedStyle(document.querySelector('.nbconvo-panel')).color;
      const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
      return (r + g + b) / 3;
    }"""
    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
    desk.page.evaluate(change, "JupyterLab Dark")
    desk.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    desk.page.wait_for_timeout(200)
    dark = desk.page.evaluate(luminance)
    desk.page.evaluate(change, "JupyterLab Light")
    desk.page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    desk.page.wait_for_timeout(200)
    assert dark > 180 > 80 > desk.page.evaluate(luminance)


def test_a_session_that_is_closed_leaves_the_panel_usable(desk: Desk) -> None:
    desk.choose("critic")
    desk.notebook.execute("nbconvo.sessions.remove('critic')")
    expect(desk.panel.get_by_role("tab", name="critic")).to_have_count(0)
    expect(desk.panel.get_by_role("tab", name="Everyone")).to_have_attribute(
        "aria-selected", "true"
    )
    desk.send("still here?")
    expect(desk.row("reply to still here?")).to_be_visible()


def test_a_kernel_that_is_restarted_is_told_and_freezes_nothing(desk: Desk) -> None:
    desk.send("hello")
    expect(desk.row("reply to hello")).to_be_visible()
    desk.page.evaluate(
        "() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    expect(desk.panel).to_contain_text("The kernel was restarted")
    expect(desk.row("reply to hello")).to_be_visible()
    expect(desk.panel.get_by_role("button", name="Send")).to_be_disabled()
    desk.notebook.ready()
    for cell in (0, 1, PANEL):
        desk.notebook.start(cell)
    desk.send("and again")
    expect(desk.row("reply to and again")).to_be_visible()
