"""The demo, from top to bottom, and its panel, in a real Notebook 7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

DEMO = Path(__file__).parents[2] / "demo.ipynb"


@pytest.fixture(scope="module")
def demo(notebook7: Any, module_opener: Callable[..., Any]) -> Any:
    notebook = module_opener(notebook7, DEMO)
    notebook.run_all()
    return notebook


def test_the_demo_runs_from_top_to_bottom(demo: Any) -> None:
    cells = [cell for cell in demo.saved().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [o for cell in cells for o in cell.outputs if o.output_type == "error"] == []
    assert len(demo.page.query_selector_all(".jp-OutputArea-output .nbconvo")) > 5


def test_notebook_7_shows_the_panel_and_hears_it(demo: Any) -> None:
    panel = demo.page.locator(".nbconvo-panel")
    expect(panel.get_by_role("log")).to_contain_text("Nobody laughs at my plots.")
    box = panel.get_by_role("textbox")
    box.fill("from the panel")
    box.press("Control+Enter")
    expect(panel.get_by_role("article").filter(has_text="from the panel").first).to_be_visible()
    expect(panel.get_by_role("article").last).to_contain_text("tokens")
    assert demo.errors == []
