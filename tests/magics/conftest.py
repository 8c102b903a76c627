from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

import nbconvo


@dataclass
class Ran:
    """What came of a cell: its value, what it printed, its outputs as they are at its end."""

    result: Any
    printed: str
    outputs: list[dict[str, Any]]
    error: BaseException | None

    @property
    def lines(self) -> list[str]:
        return self.printed.splitlines()

    @property
    def html(self) -> str:
        (output,) = self.outputs
        return output["data"]["text/html"]

    @property
    def text(self) -> str:
        (output,) = self.outputs
        return output["data"]["text/plain"]


class Notebook:
    """Runs cells in a shell, as a user would, one after the other."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns

    def run(self, cell: str, cell_id: str | None = None) -> Ran:
        publisher = CapturingDisplayPublisher()
        self.shell.display_pub = publisher
        if hasattr(self.shell, "cell_id"):
            self.shell.cell_id, self.shell.code = cell_id, cell
        self._capsys.readouterr()
        done = self.shell.run_cell(cell, store_history=True)
        printed = "".join(self._capsys.readouterr())
        error = done.error_before_exec or done.error_in_exec
        return Ran(done.result, printed, _records(publisher.outputs), error)

    def complete(self, line: str) -> list[str]:
        """What the line may be completed to."""
        self.shell.Completer.use_jedi = False  # it takes seconds to begin
        with provisionalcompleter():
            offered = list(self.shell.Completer.completions(line, len(line)))
        return [line[: found.start] + found.text + line[found.end :] for found in offered]


def _records(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs with updates put in, as a front end keeps them."""
    kept: dict[object, dict[str, Any]] = {}
    for place, output in enumerate(outputs):
        key = (output.get("transient") or {}).get("display_id", place)
        if not output.get("update") or key in kept:  # else it updates another cell's output
            kept[key] = output
    return list(kept.values())


class NoPrompt(DisplayHook):
    """As in a kernel: what shows itself, or nothing, prints no ``Out[1]:``."""

    def write_output_prompt(self) -> None:
        pass


class NotebookShell(InteractiveShell):
    """A shell that looks like a kernel's, and tells which cell runs as JupyterLab does."""

    kernel = object()
    displayhook_class = NoPrompt
    cell_id: str | None = None
    code = ""

    def get_parent(self) -> dict[str, Any]:
        return {
            "metadata": {"cellId": self.cell_id} if self.cell_id else {},
            "header": {"msg_id": f"message-{self.execution_count}"},
            "content": {"code": self.code},
        }


@pytest.fixture
def terminal(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Notebook:
    """A plain terminal with the extension loaded."""
    nbconvo.load_ipython_extension(shell)
    return Notebook(shell, capsys)


@pytest.fixture
def notebook(
    new_shell: Callable[[type[InteractiveShell]], InteractiveShell],
    capsys: pytest.CaptureFixture[str],
) -> Notebook:
    """A notebook with the extension loaded."""
    shell = new_shell(NotebookShell)
    nbconvo.load_ipython_extension(shell)
    return Notebook(shell, capsys)
