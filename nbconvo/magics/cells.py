"""Which cell is running, so that running it again replaces its own turn."""

from __future__ import annotations

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell

from nbconvo.messages import Cell

__all__ = ["cell_of", "is_notebook"]


def cell_of(shell: InteractiveShell) -> Callable[[], Cell | None]:
    """Return a function that tells the running cell of ``shell``.

    It gives ``None`` where the front end does not name the cell (``metadata.cellId``, as
    JupyterLab and VS Code send it). The source would be no substitute: two cells with the same
    text, ``another one``, are two turns, and in a terminal so are two lines.
    """

    def running() -> Cell | None:
        parent = getattr(shell, "parent_header", None) or {}
        if get_parent := getattr(shell, "get_parent", None):
            parent = get_parent()
        cell = (parent.get("metadata") or {}).get("cellId")
        execution = (parent.get("header") or {}).get("msg_id")
        return Cell(str(cell), str(execution)) if cell and execution else None

    return running


def is_notebook(shell: InteractiveShell) -> bool:
    """Whether ``shell`` shows rich output: a kernel does, a terminal does not."""
    return hasattr(shell, "kernel")
