"""The settings behind ``%config NbConvo``: shared by the magics and the Python API."""

from __future__ import annotations

import math
import os

from traitlets import Bool, Enum, Float, Int, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from nbconvo.errors import InputError

__all__ = ["NbConvo"]


class _BadSetting(InputError, TraitError):
    """A value that a setting cannot have: traitlets takes it back only for an error of its own."""


class NbConvo(Configurable):
    """Defaults of every session; a session's own settings and a cell's line come before them.

    An empty value leaves the choice to the environment (``NBCONVO_SERVICE``, ``NBCONVO_MODEL``,
    ``NBCONVO_DIR``), and that to the built-in default.
    """

    service = Unicode(
        help="Service of sessions that name none: a known name or an http address."
    ).tag(config=True)
    model = Unicode(help="Model of sessions that name none.").tag(config=True)
    dir = Unicode(help="Directory of the logs of sessions that name none; empty: no log.").tag(
        config=True
    )
    loop = Enum(
        ["thread", "kernel"],
        default_value="thread",
        help="'kernel' keeps the kernel's own event loop turning while a cell asks.",
    ).tag(config=True)
    repaint = Float(0.1, help="Seconds between two repaints of a streaming reply.").tag(config=True)
    max_rounds = Int(20, min=1, help="Most rounds that an %%exchange may be told to go.").tag(
        config=True
    )

    dotenv = Bool(
        help="Whether keys and addresses are looked for in the file .env beside the notebook too."
    ).tag(config=True)
    budget = Float(
        None,
        allow_none=True,
        help="US dollars that the kernel may spend in all; a request that would pass it is "
        "refused. None: no budget.",
    ).tag(config=True)

    @default("dotenv")
    def _dotenv_of_environment(self) -> bool:
        return os.environ.get("NBCONVO_DOTENV", "").strip().lower() not in {"0", "false", "no"}

    @validate("budget")
    def _check_budget(self, proposal: dict[str, float | None]) -> float | None:
        value = proposal["value"]
        if value is not None and not 0 <= value < math.inf:
            raise _BadSetting(f"budget must be dollars, 0 or more, or None, not {value!r}")
        return value

    @validate("repaint")
    def _check_repaint(self, proposal: dict[str, float]) -> float:
        if not 0.02 <= (value := proposal["value"]) <= 5:
            raise _BadSetting(f"repaint must lie between 0.02 and 5 seconds, not {value!r}")
        return value

    def resolved(self, setting: str) -> str | None:
        """Return ``service``, ``model`` or ``dir`` as set here, else as in the environment."""
        return getattr(self, setting) or os.environ.get(f"NBCONVO_{setting.upper()}") or None
