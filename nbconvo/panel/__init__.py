"""The panel: a window onto conversations and rate limits, live, in the notebook's page.

The conversation and the limiter hold the state; a panel reads it and sends its page what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbconvo.panel.widget import Panel

__all__ = ["Panel"]


def __getattr__(name: str) -> Any:
    # Its static form needs no widget: a notebook without a page does not wait for ipywidgets.
    if name != "Panel":
        raise AttributeError(f"module 'nbconvo.panel' has no attribute {name!r}")
    from nbconvo.panel.widget import Panel

    return Panel
