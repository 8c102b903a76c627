"""``%%ask`` as a person sees it in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

DEMO = Path(__file__).parents[2] / "demo.ipynb"
SETUP = """%load_ext nbconvo
import os, nbconvo
nbconvo.Session(name="model", service=os.environ["FAKE_PROVIDER"], model="m");"""
REPLY = ".jp-OutputArea-output .nbconvo"

HOSTILE = """<script>window.ran = 'script'</script>
<img src=x onerror="window.ran = 'onerror'">
<iframe srcdoc="<script>parent.ran = 'iframe'</script>"></iframe>
<details open ontoggle="window.ran = 'ontoggle'"><summary>more</summary></details>
<a href="javascript:window.ran = 'link'" onclick="window.ran = 'onclick'">click</a>
[click](javascript:window.ran='markdown-link') ![x](https://example.invalid/leak.png)

$\\text{<img src=x onerror="window.ran = 'maths'">}$

<style>body { display: none }</style>
"""

Open = Callable[..., Any]


def test_a_reply_grows_in_place_and_stays(lab: Any, open_notebook: Open) -> None:
    pieces = ["# Whales\n\n", *["A whale is large. "] * 30, "\n\n```python\nsize = 30\n```\n"]
    lab.provider.reply(deltas=pieces, pace=0.02)
    notebook = open_notebook([SETUP, "%%ask model\nwhales?"])
    page = notebook.page
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(f"{REPLY} h1")
    early = len(page.inner_text(REPLY))
    page.wait_for_selector(f"{REPLY} pre")
    page.wait_for_function("document.querySelector('.nbconvo').innerText.includes('tokens')")
    assert early < len(page.inner_text(REPLY))
    output = notebook.saved().cells[1].outputs
    assert len(output) == 1
    assert output[0].data["text/plain"] == "".join(pieces)


def test_a_hostile_reply_runs_nothing(lab: Any, open_notebook: Open) -> None:
    lab.provider.reply(HOSTILE, deltas=7, pace=0.005)
    notebook = open_notebook([SETUP, "%%ask model\nharm me"])
    notebook.run_all()
    page = notebook.page
    page.wait_for_function("document.querySelector('.nbconvo').innerText.includes('tokens')")
    for link in page.query_selector_all(f"{REPLY} a"):
        assert not (link.get_attribute("href") or "").lower().startswith("javascript")
    for element in page.query_selector_all(f"{REPLY} summary, {REPLY} p"):
        element.click()
    assert page.evaluate("window.ran") is None
    assert page.query_selector(f"{REPLY} script, {REPLY} img, {REPLY} iframe") is None
    assert page.evaluate("getComputedStyle(document.body).display") != "none"


def test_the_demo_runs_from_top_to_bottom(open_notebook: Open) -> None:
    notebook = open_notebook(DEMO)
    notebook.run_all()
    cells = [cell for cell in notebook.saved().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [o for cell in cells for o in cell.outputs if o.output_type == "error"] == []
    assert len(notebook.page.query_selector_all(REPLY)) > 5
