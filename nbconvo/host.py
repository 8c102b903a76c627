"""The shell that we run in: the settings it holds for us, and the cell that is running."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbconvo.messages import Cell
    from nbconvo.settings import NbConvo

__all__ = [
    "in_jupyter",
    "running_cell",
    "running_execution",
    "running_magic",
    "settings",
    "settings_of",
    "shows_widgets",
]

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")


def settings_of(shell: Any) -> NbConvo | None:
    """Return the settings that ``%load_ext`` put into ``shell``; ``None`` if it is not loaded."""
    from nbconvo.settings import NbConvo

    return next((found for found in shell.configurables if isinstance(found, NbConvo)), None)


def settings() -> NbConvo:
    """Return the settings of the shell, or those of a program without one: the defaults."""
    shell = _shell()
    found = settings_of(shell) if shell is not None else None
    return found or _defaults(os.environ.get("NBCONVO_DOTENV"))


def running_cell() -> Cell | None:
    """Return the running cell of the notebook.

    ``None`` where the front end does not name the cell (``metadata.cellId``, as JupyterLab and
    VS Code send it). The source would be no substitute: two cells with the same text, ``another
    one``, are two turns, and in a terminal so are two lines.
    """
    parent = _parent()
    cell = (parent.get("metadata") or {}).get("cellId")
    execution = (parent.get("header") or {}).get("msg_id")
    if not cell or not execution:
        return None
    from nbconvo.messages import Cell

    return Cell(str(cell), str(execution))


def running_execution() -> str:
    """Return what tells this execution of a cell from all others; nothing where no kernel runs."""
    return str((_parent().get("header") or {}).get("msg_id") or "")


def running_magic() -> str | None:
    """Return the name of the cell magic that the running cell of the notebook is a call of.

    ``None`` where it is none, and in a terminal.
    """
    code = (_parent().get("content") or {}).get("code") or ""
    found = _CELL_MAGIC.match(code)
    return found[1] if found else None


def in_jupyter() -> bool:
    """Return whether a page of JupyterLab or Notebook 7 runs the cell, as far as can be told.

    Such a page names the cell as the notebook file does, and a Jupyter server started the
    kernel. VS Code names its cells by addresses; nbclient, papermill and consoles by nothing.
    """
    cell = running_cell()
    named = cell is not None and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell.id) is not None
    return named and "JPY_SESSION_NAME" in os.environ and "google.colab" not in sys.modules


def shows_widgets() -> bool:
    """Return whether the front end shows widgets, as far as can be told.

    JupyterLab, Notebook 7 and VS Code name the cell, a Jupyter server names its session, Colab
    its modules. A terminal, nbclient, papermill and consoles show what a widget is beside it.
    """
    if not hasattr(_shell(), "kernel"):
        return False
    named = running_cell() is not None or "JPY_SESSION_NAME" in os.environ
    return named or "google.colab" in sys.modules


@lru_cache(maxsize=1)
def _defaults(_: str | None) -> NbConvo:
    """Return the defaults, made anew only when the environment asks for others."""
    from nbconvo.settings import NbConvo

    return NbConvo()


def _parent() -> dict[str, Any]:
    """Return the request that the kernel is answering; an empty one where there is no kernel."""
    shell = _shell()
    return (shell.get_parent() or {}) if hasattr(shell, "get_parent") else {}


def _shell() -> Any:
    """Return IPython's shell, if this process has one; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
