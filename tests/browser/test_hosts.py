"""The demo in JupyterLab, and the panel in a real Notebook 7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

DEMO = Path(__file__).parents[2] / "demo.ipynb"
LOAD = "%load_ext nbconvo"
SESSION = (
    "import os, nbconvo\n"
    "nbconvo.Session(name='model', service=os.environ['FAKE_PROVIDER'], model='m');"
)


def test_the_demo_runs_from_top_to_bottom(lab: Any, module_opener: Callable[..., Any]) -> None:
    notebook = module_opener(lab, DEMO)
    notebook.run_all()
    cells = [cell for cell in notebook.saved().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [o for cell in cells for o in cell.outputs if o.output_type == "error"] == []
    assert len(notebook.page.query_selector_all(".jp-OutputArea-output .nbconvo")) > 5
    assert notebook.errors == []


def test_notebook_7_shows_the_panel_and_hears_it(
    notebook7: Any, module_opener: Callable[..., Any]
) -> None:
    notebook7.provider.respond(
        lambda request: f"reply to {request.json['messages'][-1]['content']}"
    )
    notebook = module_opener(notebook7, [LOAD, SESSION, "%panel model", "%%ask model\nfrom a cell"])
    notebook.run_all()
    panel = notebook.page.locator(".nbconvo-panel")
    expect(panel.get_by_role("log")).to_contain_text("reply to from a cell")
    box = panel.get_by_role("textbox")
    box.fill("from the panel")
    box.press("Control+Enter")
    expect(panel.get_by_role("log")).to_contain_text("reply to from the panel")
    assert notebook.errors == []
