"""Who speaks, and the colour that stands for a speaker."""

from __future__ import annotations

import html
import zlib

__all__ = ["addressed", "hue", "speaker"]

# Each has a contrast of 5 to its white initial, and of 3.5 to JupyterLab's dark background.
_HUES = (
    *("#336eb1", "#b24d34", "#247b56", "#8c52b5", "#8f6419", "#b83d7b"),
    *("#20767e", "#497828", "#675fc2", "#be3f4a", "#64721d", "#a249a2"),
)


def hue(name: str) -> str:
    """Return the colour that stands for a speaker, the same wherever it is shown."""
    return _HUES[zlib.crc32(name.encode()) % len(_HUES)]


def speaker(name: str, to: str) -> str:
    """Return a line of HTML that says who speaks, and to whom where that is not plain."""
    initial = html.escape(name[:1].upper())
    return (
        f'<p class="nbconvo-who" style="--nbconvo-hue:{hue(name)}">'
        f'<strong data-initial="{initial}">{html.escape(name)}</strong>'
        f"{html.escape(addressed(to))}</p>"
    )


def addressed(name: str) -> str:
    """Return the words that tell who is spoken to; nothing where there is nobody."""
    return f" to {name}" if name else ""
