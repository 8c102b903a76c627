"""Put the magics, their completion and the settings into a shell, and take them out again."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from nbconvo.magics.cells import cell_of
from nbconvo.magics.completion import matcher
from nbconvo.magics.magics import ConvoMagics
from nbconvo.session import workspace
from nbconvo.settings import NbConvo

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register the magics, their completion and the settings; loading again changes nothing."""
    if _settings_of(shell) is not None:
        return
    workspace.settings = NbConvo(parent=shell)
    shell.configurables.append(workspace.settings)  # type: ignore[arg-type]
    workspace.cell = cell_of(shell)
    shell.register_magics(ConvoMagics)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(matcher)


def unload(shell: InteractiveShell) -> None:
    """Undo :func:`load`, and end the I/O thread with all connections. Sessions stay usable."""
    settings = _settings_of(shell)
    if settings is None:
        return
    shell.configurables.remove(settings)
    workspace.settings = None
    workspace.cell = lambda: None
    for kind, names in ConvoMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(ConvoMagics.__name__, None)
    if shell.Completer is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    workspace.close()


def _settings_of(shell: InteractiveShell) -> Any:
    return next((c for c in shell.configurables if isinstance(c, NbConvo)), None)
