"""``demo.ipynb``: it runs without a key, and its saved outputs tell the story."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

DEMO = Path(__file__).parents[1] / "demo.ipynb"


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_demo_runs_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name.startswith("NBCONVO_"):
            monkeypatch.delenv(name)
    notebook = nbformat.read(DEMO, as_version=4)
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    saved = nbformat.read(DEMO, as_version=4)
    kinds, saved_kinds = (
        [[output.output_type for output in cell.outputs] for cell in _code_cells(each)]
        for each in (notebook, saved)
    )
    assert kinds == saved_kinds


def test_the_saved_demo_holds_its_replies() -> None:
    cells = _code_cells(nbformat.read(DEMO, as_version=4))
    asked = [cell for cell in cells if cell.source.startswith(("%%ask", "%%exchange"))]
    assert len(asked) >= 5
    for cell in asked:
        assert [sorted(output.data) for output in cell.outputs] == [["text/html", "text/plain"]]


def test_the_saved_demo_names_no_machine() -> None:
    text = DEMO.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert str(DEMO.parent) not in text
