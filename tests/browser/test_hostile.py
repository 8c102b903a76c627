"""Text that wants to run, to lead away or to restyle the page: it stays text, in its bubble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from .desk import PanelDesk, expect

MARK = "The end of it."
HOSTILE = (
    r"""# <img src=x onerror="window.hacked = 'heading'">

<script>window.hacked = 'script'; document.title = 'hacked'</script>
<img src=x onerror="window.hacked = 'onerror'"> <svg onload="window.hacked = 'svg'"></svg>
<iframe srcdoc="<script>parent.hacked = 'iframe'</script>"></iframe>
<iframe src="javascript:top.hacked = 'frame'"></iframe>
<object data="http://evil.example/object"></object> <embed src="http://evil.example/embed">
<details open ontoggle="window.hacked = 'toggle'"><summary>more</summary>and more</details>
<input autofocus onfocus="window.hacked = 'focus'"> <b onpointerover="hacked = 1">hover</b>
<math><mtext><script>window.hacked = 'math'</script></mtext></math>
<form action="http://evil.example/form"><button formaction="javascript:hacked = 1">Send</button>
<meta http-equiv=refresh content="0;url=http://evil.example/meta">
<base href="http://evil.example/base/"> <link rel=stylesheet href="http://evil.example/style">
<style>* { display: none !important } #jp-top-panel { background: red }</style>
<div style="position:fixed;inset:0;z-index:9999;background:red">over all</div>
<img name=getElementById> <a id=jupyterapp></a> <p id=jp-top-panel class="lm-mod-hidden">x</p>
</textarea><script>window.hacked = 'textarea'</script></style><script>hacked = 1</script>
</div></div></article></body></html><!-- <![CDATA[ <plaintext><noscript><template>

<div onclick="window.hacked = 'block'">

<a href="javascript:window.hacked = 'html link'" target=_top>click</a>
[one](javascript:window.hacked='link') [two](JaVaScRiPt&#58;window.hacked='entity')
[three](data:text/html,<script>opener.hacked=1</script>) [four](vbscript:hacked)
[five](<java&#9;script:hacked=1>) [six](//evil.example/slashes) [seven](file:///etc/passwd)
<javascript:window.hacked='auto'> [empty]() [eight][target]
![image](http://evil.example/leak.png) ![x](x"onerror="window.hacked='alt')
[a link that is one](https://good.example/ "title\" onclick=\"window.hacked='title'")

[target]: javascript:window.hacked='reference'

> <script>window.hacked = 'quote'</script>

- <img src=x onerror="window.hacked = 'list'">

| <script>window.hacked = 'cell'</script> | "><img src=x onerror="hacked = 1"> |
|--|--|
| `<img src=x onerror="window.hacked = 'code'">` | <style>*{display:none}</style> |

```"><script>window.hacked='fence'</script>
</code></pre><script>window.hacked = 'fenced'</script>
```

```html
<script>window.hacked = 'coloured'</script><img src=x onerror="window.hacked = 'coloured'">
```

$\href{javascript:window.hacked='maths'}{x}$ $\text{<img src=x onerror="window.hacked = 'tex'">}$

$$\require{html}\style{position:fixed;inset:0;background:red}{\class{lm-mod-hidden}{x}}$$

"""
    + "wide" * 300
    + "\n\nz"
    + "\u0336\u0315\u0329" * 60
    + f"\n\n{MARK}\n"
)
# Each would be drawn over what stands beside it, or over all of the panel.
SPRAWLING = r"""$\rlap{\kern-90em\rule[-90em]{200em}{200em}}$ $\mkern-900mu x$

$\hspace{300em}x$ $\smash{\raise 30em {x}}$ $\Huge\moveleft 40em {x}$

"""
# Each would be heard by all formulas of the page that come after it, the notebook's own too.
FAR_REACHING = r"""$\Newextarrow{\beta}{5,5}{0x21C0}$ $\definecolor{red}{rgb}{0,1,0}$
$\newtagform{f}{(}{)}$ $\label{one} x$ $\eqref{one}$ $\gdef\gamma{hacked}$ $\texttip{x}{hacked}$
"""
NAME = """"><img src=x onerror="window.hacked = 'name'"><script>hacked = 1</script>"""
REFUSAL = {"error": {"message": f"so {NAME}", "type": NAME, "code": NAME}}
OPTION = '"<img src=x onerror=hacked=1>"'

SET_UP = f"""
import os, nbconvo
from nbconvo.messages import Message
hostile, name = {HOSTILE!r}, {NAME!r}
service = nbconvo.services.OpenAIService(base_url=os.environ["FAKE_PROVIDER"])
service.name = name
for each in ("model", "other"):
    nbconvo.Session(hostile, name=each, service=service, model=name)
nbconvo.sessions.current = "model"
session = nbconvo.sessions["other"]
for role in ("user", "assistant"):
    message = Message(role=role, content=hostile, reasoning=hostile, name=name, service=name,
                      model=name, finish_reason=name)
    session._record.commit([message], session.conversation.leaf)
"""
SHOWING = [
    f"%%ask model --x {OPTION}\nhello",
    f"%%ask model --option {OPTION}\nhello",
    f"%panel {OPTION}",
    f"%session {OPTION}",
    f"%convo {OPTION}",
    "%session",
    f"%%ask model --dry-run --raw\n{HOSTILE}",
    "%panel --static",
    "%convo show other",
]
CELLS = [
    "%load_ext nbconvo",
    SET_UP,
    "%panel",
    f"%%ask model other --raw\n{HOSTILE}",
    f"%%ask model --raw\n{HOSTILE}",
    *SHOWING,
]
ASK, REFUSED, SHOWN = 3, 4, range(5, len(CELLS))
BUTTONS = (
    "Copy",
    "Retry",
    "Edit and ask",
    "Fork from",
    "Remove from",
    "Send",
    "Search",
    "Settings",
    "Save",
    "Fork the conversation",
    "reasoning",
    "Limits",
    "Export as CSV",
    "Everyone",
    "model",
    "Undo",
    "Try again",
    "Dismiss",
    "Copy code",
    "Previous alternative",
)

# What text may never bring into the page, and what of ours is left out of that.
LOOK = r"""() => {
  const bubbles = '.np-bubble, .nbconvo-card, .jp-OutputArea-output:not(:has(.nbconvo-panel))';
  const active = 'script, iframe, frame, object, embed, form, base, meta, link, style, template, ' +
    'img, svg, math, video, audio, input, textarea, select, plaintext, noscript, dialog, slot';
  const found = [];
  const note = (what, { outerHTML }) => found.push(`${what}: ${outerHTML.slice(0, 150)}`);
  const clips = (element) => getComputedStyle(element).overflowX !== 'visible';
  const seen = (element, bubble) => {
    let { left, top, right, bottom } = element.getBoundingClientRect();
    for (let at = element.parentElement; bubble.contains(at); at = at.parentElement) {
      if (!clips(at)) continue;
      const box = at.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return left < right && top < bottom ? { left, top, right, bottom } : null;
  };
  const looks = (element, bubble, box) => {
    const typeset = element.closest('mjx-container');
    const ours = element.matches('.nbconvo > style:first-child') || element.closest('.np-code');
    if (!typeset && !ours && element.matches(active)) note('active', element);
    for (const { name, value } of element.attributes) {
      if (name.startsWith('on') || ['src', 'srcdoc', 'action', 'name'].includes(name))
        note(name, element);
      if (name === 'href' && !/^(https?:|mailto:)/.test(value)) note('href', element);
      if (name === 'style' && !typeset && !/^(--nbconvo-hue:#\w+|text-align:\w+);?$/.test(value))
        note('style', element);
      if (name === 'id' && !typeset) note('id', element);
    }
    if (element.matches('a[href]') && !/noopener/.test(element.rel)) note('opener', element);
    const { position } = getComputedStyle(element);
    if (position === 'fixed' || (position === 'absolute' && !typeset && !ours))
      note(position, element);
    const at = seen(element, bubble);
    if (at && (at.left < box.left - 6 || at.right > box.right + 6 ||
      at.top < box.top - 6 || at.bottom > box.bottom + 6)) note('outside its bubble', element);
  };
  for (const bubble of document.querySelectorAll(bubbles)) {
    const box = bubble.getBoundingClientRect();
    for (const element of bubble.querySelectorAll('*')) looks(element, bubble, box);
    // The ink of letters has no element of its own that could be measured.
    if (bubble.matches('.np-bubble, .nbconvo-card') && !clips(bubble)) note('unclipped', bubble);
    for (const [x, y] of [[box.left - 12, box.top + 8], [box.right + 12, box.top + 8],
      [box.left + 20, box.top - 12], [box.left + 20, box.bottom + 12]])
      if (bubble.contains(document.elementFromPoint(x, y))) note('hit outside its bubble', bubble);
  }
  return found;
}"""
# Where the parts of the page stand around the panel, how they look, and whether they are on top.
AROUND = """() => ['body', '#jp-top-panel', '#jp-menu-panel', '.jp-NotebookPanel-toolbar',
  '.jp-SideBar.jp-mod-left', '#jp-bottom-panel', '.np-head', '.np-compose', '.np-log',
].map((selector) => {
  const element = document.querySelector(selector);
  if (!element) return [selector, null];
  const { x, y, width, height } = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const looks = ['display', 'visibility', 'position', 'opacity', 'zIndex', 'color',
    'backgroundColor', 'fontSize', 'transform', 'filter'].map((name) => style[name]);
  const hit = document.elementFromPoint(x + width / 2, y + height / 2);
  const size = selector.startsWith('.np-') ? [x, width] : [x, y, width, height];
  return [selector, ...size, ...looks, !hit || element.contains(hit) || selector === '.np-log'];
})"""
# Else the notebook takes cells that are out of sight out of the page.
KEEP_ALL = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.notebookConfig = { ...content.notebookConfig, windowingMode: 'defer' };
}"""
# Points at all, fills all and clicks all, each thing once, known by where it is and what it says;
# goes on while that brings something new. What takes something away comes last.
CLICK_ALL = """async ([text, last]) => {
  const panel = document.querySelector('.nbconvo-panel');
  const done = new Set();
  const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const fire = (element, kind, name) =>
    element.dispatchEvent(new kind(name, { bubbles: true, cancelable: true }));
  const label = (element) => element.ariaLabel ?? element.textContent.slice(0, 60);
  const place = (element) => {
    const [row, toast] = ['.np-row', '.np-toast'].map((part) => element.closest(part));
    if (toast) return toast.textContent;
    if (row) return row.className + row.querySelector('.nbconvo-body')?.textContent.slice(0, 60);
    return element.parentElement.className;
  };
  const things = 'button, summary, [role=option], .np-bubble *:not(a[href])';
  const next = (late) => {
    for (const row of panel.querySelectorAll('.np-row')) fire(row, PointerEvent, 'pointerover');
    for (const element of panel.querySelectorAll(things)) {
      if (element.disabled || element.closest('mjx-container, a[href]')) continue;
      if (!late && (element.role === 'tab' || new RegExp(last).test(label(element)))) continue;
      // The menu closes at each choice. JupyterLab throws where a cell is inserted in this mode.
      if (element.role !== 'menuitem' && !element.checkVisibility()) continue;
      if (/^(Keep|More|Insert)/.test(label(element))) continue;
      const key = `${element.tagName} ${place(element)} ${label(element)}`;
      if (!done.has(key) && done.add(key)) return element;
    }
  };
  const fill = () => {
    for (const field of panel.querySelectorAll('input, textarea')) {
      if (field.value || !field.checkVisibility()) continue;
      field.focus();
      field.value = text;
      fire(field, InputEvent, 'input');
    }
  };
  const click = (element) => {
    for (const name of ['pointerover', 'pointerenter', 'pointerdown', 'pointerup'])
      fire(element, PointerEvent, name);
    for (const name of ['mouseover', 'mouseenter', 'mousedown', 'mouseup', 'dblclick'])
      fire(element, MouseEvent, name);
    element.focus();
    element.click();
  };
  for (const late of [false, true])
    for (let quiet = 0; quiet < 3;) {
      fill();
      const element = next(late);
      if (done.size > 1500) throw new Error('there is no end to what can be clicked');
      if (element) quiet = (click(element), 0);
      else if (!panel.querySelector('.np-growing, .np-queued')) quiet += 1;
      await rest(element ? (element.matches('.np-bubble *') ? 0 : 10) : 100);
    }
  return [...done];
}"""


@dataclass
class Desk(PanelDesk):
    """A notebook in which all text is hostile, and what that text brought about."""

    effects: list[str] = field(default_factory=list)
    around: Any = None
    address: str = ""

    def __post_init__(self) -> None:
        page = self.page
        page.on("dialog", self._dismiss)
        page.on("framenavigated", lambda frame: self.effects.append(f"went to {frame.url}"))
        page.context.on("page", lambda opened: self.effects.append(f"opened {opened.url}"))
        self.address = page.url

    def _dismiss(self, dialog: Any) -> None:
        self.effects.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def press(self, name: str, **which: Any) -> None:
        self.panel.get_by_role("button", name=name, **which).click()

    def output(self, cell: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output")

    def check(self) -> None:
        """Nothing ran, nothing but text is in a bubble, and around it all is as it was."""
        assert self.page.evaluate("[window.hacked, window.jupyterapp?.name]") == [
            None,
            "JupyterLab",
        ]
        assert self.page.evaluate(LOOK) == []
        assert self.page.evaluate(AROUND) == self.around
        assert self.page.url == self.address
        assert self.notebook.path.name[:8] in self.page.title()
        assert "hacked" not in self.page.title()
        assert self.effects == self.notebook.errors == []


@pytest.fixture(scope="module")
def _desk(lab: Any, browser: Any, module_opener: Callable[..., Any]) -> Iterator[Desk]:
    provider = lab.provider
    offered, provider.models[:] = provider.models[:], [NAME, "m"]
    provider.respond(lambda _: HOSTILE)
    notebook = module_opener(lab, CELLS)
    notebook.page.evaluate(KEEP_ALL)
    desk = Desk(notebook, provider)
    for cell in range(ASK):
        notebook.start(cell)
    desk.rows.first.wait_for()
    desk.around = desk.page.evaluate(AROUND)
    yield desk
    provider.models[:] = offered
    provider.respond(lambda _: "Hello.")


@pytest.fixture
def desk(_desk: Desk) -> Iterator[Desk]:
    _desk.choose("Everyone")
    yield _desk
    _desk.check()
    _desk.provider.forget()


def test_a_hostile_reply_grows_as_text(desk: Desk) -> None:
    for _ in range(2):
        desk.provider.reply(HOSTILE, deltas=7, pace=0.002, reasoning=HOSTILE, model=NAME)
    desk.notebook.start(ASK)
    growing = desk.page.locator(".lm-Panel .nbconvo-cards")
    growing.get_by_role("heading").first.wait_for()
    desk.check()
    expect(desk.output(ASK).locator(".nbconvo-foot")).to_have_count(2)
    for name in ("model", "other"):
        desk.choose(name)
        expect(desk.rows.last.locator(".nbconvo-body")).to_contain_text(MARK)
    assert desk.output(ASK).locator(".nbconvo-body").first.inner_text().count("<script>") > 5


def test_what_magics_are_given_and_show_is_text(desk: Desk) -> None:
    for cell in SHOWN:
        desk.notebook.start(cell)  # one by one: an error drops the cells that wait
        expect(desk.output(cell).last).to_contain_text("Error" if cell == SHOWN[0] else "<img src")
    for cell in SHOWN[-3:]:
        expect(desk.output(cell).last).to_contain_text(MARK)


def test_a_refusal_is_shown_as_text(desk: Desk) -> None:
    desk.provider.error(400, REFUSAL)
    desk.notebook.start(REFUSED)
    expect(desk.output(REFUSED).last).to_contain_text(f"so {NAME}")
    desk.provider.error(400, REFUSAL)
    desk.message.fill(f"again {HOSTILE}")
    desk.press("Send")
    expect(desk.rows.get_by_text(f"so {NAME}")).to_have_count(2)


def test_what_is_typed_into_the_panel_is_text(desk: Desk) -> None:
    desk.message.fill(f"@model {HOSTILE}")
    desk.message.press("Home")
    desk.page.keyboard.type("@")
    desk.panel.get_by_role("option", name="other").click()
    desk.press("Send")
    expect(desk.message).to_have_value("")
    desk.message.fill(HOSTILE)
    desk.press("Search", exact=True)
    desk.panel.get_by_role("searchbox").fill("<script>window.hacked")
    hits = desk.panel.get_by_role("group", name="Search results").get_by_role("button")
    expect(hits.get_by_text("<script>window.hacked").first).to_be_visible()
    desk.check()
    hits.first.click()
    desk.press("Close search")


def test_settings_and_names_are_text(desk: Desk) -> None:
    desk.choose("other")
    desk.press("Settings")
    expect(desk.panel.get_by_role("textbox", name="System prompt")).to_have_value(HOSTILE)
    model = desk.panel.get_by_role("combobox", name="Model")
    expect(model).to_have_value(NAME)
    offered = desk.panel.locator("datalist option").first
    expect(offered).to_have_attribute("value", NAME)
    model.fill(f"2 {NAME}")
    desk.press("Save")
    expect(desk.panel.get_by_role("status").filter(has_text=f"2 {NAME}")).to_be_visible()
    desk.press("Dismiss")
    desk.rows.last.hover()
    desk.rows.last.get_by_role("button", name="Fork").click()
    desk.panel.get_by_role("textbox", name="Name of the new session").fill(NAME)
    desk.press("Fork", exact=True)
    expect(desk.panel.get_by_role("alert")).to_contain_text("onerror")
    desk.press("Dismiss")
    desk.press("Cancel")


def test_what_is_exported_is_only_saved(desk: Desk) -> None:
    for format_ in ("Markdown", "CSV", "JSON Lines"):
        desk.press("More")
        with desk.page.expect_download() as download:
            desk.panel.get_by_role("menuitem", name=format_).click()
        assert "<script>" in download.value.path().read_text()


def test_a_formula_changes_no_other_and_stays_in_its_bubble(desk: Desk) -> None:
    desk.choose("other")
    for reply in (SPRAWLING, FAR_REACHING, r"$\beta\gamma\color{red}{x}$"):
        desk.provider.reply(reply)
        desk.message.fill("maths, please")
        desk.press("Send")
        expect(desk.rows.last).to_contain_text("tokens")
    formula = desk.rows.last.locator("mjx-container")
    expect(formula.locator("mjx-mi").first).to_be_visible()
    assert formula.locator("math").text_content() == "βγx"
    colour = "element => getComputedStyle(element).color"
    assert formula.locator("mjx-mstyle mjx-mi").evaluate(colour) == "rgb(255, 0, 0)"
    expect(desk.rows.locator("mjx-maction")).to_have_count(0)  # its tips stand outside the panel


def test_all_that_can_be_clicked_has_no_effect_elsewhere(desk: Desk) -> None:
    desk.choose("other")
    desk.message.fill("mine, to be edited")
    desk.press("Send")
    expect(desk.message).to_have_value("")
    for row in desk.rows.all():
        row.hover()
    clicked: list[str] = []
    missing = list(BUTTONS)
    # Each click changes what there is to click: what one round found no more, another may find.
    for times in range(1, 4):
        desk.provider.error(400, REFUSAL, times=times)
        clicked += desk.page.evaluate(CLICK_ALL, [HOSTILE, "^(Remove|Dismiss|Cancel|Close)"])
        desk.provider.forget()
        missing = [name for name in BUTTONS if not any(name in each for each in clicked)]
        if not missing:
            break
        desk.choose("other")
    assert missing == []


def test_a_link_that_is_one_opens_a_page_that_knows_nothing_of_this_one(desk: Desk) -> None:
    desk.page.context.route("http*://*.example/**", lambda route: route.fulfill(body="there"))
    link = desk.rows.get_by_role("link", name="a link that is one").last
    with desk.page.expect_popup() as popup:
        link.click()
    assert popup.value.evaluate("[window.opener, document.referrer]") == [None, ""]
    popup.value.close()
    desk.effects.remove("opened https://good.example/")
