"""Put the magics, their completion and the settings into a shell, and take them out again."""

from __future__ import annotations

import sys

from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError

from nbconvo.errors import InputError
from nbconvo.host import settings_of
from nbconvo.magics.completion import matcher
from nbconvo.magics.magics import ConvoMagics
from nbconvo.magics.questions import questions
from nbconvo.settings import NbConvo

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register the magics, their completion and the settings; loading again changes nothing."""
    if settings_of(shell) is not None:
        return
    shell.configurables.append(_new_settings(shell))  # type: ignore[arg-type]
    shell.register_magics(ConvoMagics)
    shell.input_transformers_cleanup.append(questions)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(matcher)


def _new_settings(shell: InteractiveShell) -> NbConvo:
    """Return the settings that the shell's configuration gives; a bad one is told and ignored."""
    try:
        return NbConvo(parent=shell)
    except (TraitError, InputError) as error:
        print(f"the configuration of NbConvo is ignored: {error}", file=sys.stderr)
        del shell.config["NbConvo"]
        return NbConvo(parent=shell)


def unload(shell: InteractiveShell) -> None:
    """Undo :func:`load`, and end the I/O thread with all connections. Sessions stay usable."""
    if settings_of(shell) is None:
        return
    shell.configurables[:] = [
        held for held in shell.configurables if not isinstance(held, NbConvo | ConvoMagics)
    ]
    for kind, names in ConvoMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(ConvoMagics.__name__, None)
    if questions in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(questions)
    if shell.Completer is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    if "nbconvo.panel.painter" in sys.modules:
        from nbconvo.panel.painter import painter

        painter.close()
    if "nbconvo.session" in sys.modules:  # else nothing was asked, so nothing is open
        from nbconvo.session import workspace

        workspace.close()
